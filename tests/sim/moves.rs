//! Migrate, drain, roll back, rebalance: nothing is ever missing meanwhile.

use std::{collections::BTreeMap, time::Duration};

use wharf::{
    model::{HostIntent, Scope, Site, StackSpec},
    plan,
    sim::{Behaviour, Fault, Rule, Span},
    store::Store as _,
};

use super::{
    reconciler::Reconciler,
    support::{Setup, Sim, checked, others, service, shop, stack},
};

fn host(name: &str) -> Site {
    Site::Host(name.parse().unwrap())
}

fn region(name: &str) -> Site {
    Site::Region(name.parse().unwrap())
}

fn web() -> Scope {
    Scope::Service("shop/web".parse().unwrap())
}

/// `shop/web` six times over three hosts, never fewer.
async fn six(setup: Setup) -> (Sim, Reconciler) {
    let sim = setup.start().await;
    others(&sim).await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 6)).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(6));
    (sim, reconciler)
}

fn on(sim: &Sim, host: &str) -> usize {
    sim.of("shop/web").iter().filter(|(at, _)| at == host).count()
}

async fn intent(sim: &Sim, host: &str, intent: Option<HostIntent>) -> wharf::model::Operation {
    let plan = sim.plan(|world| plan::host(world, &host.parse().unwrap(), intent)).await;
    sim.accept(plan).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_and_a_replica_move_from_host_to_host() {
    let (sim, _reconciler) = six(Setup::new(3)).await;
    let plan = sim.plan(|world| plan::migrate(world, &web(), &host("east-1"), &host("east-3"))).await;
    let operation = sim.accept(plan).await.unwrap();
    sim.converged(&operation).await;
    assert_eq!((on(&sim, "east-1"), on(&sim, "east-2"), on(&sim, "east-3")), (0, 2, 4));
    let places = sim.places("shop/web").await;
    assert_eq!(places.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6], "slots keep their numbers");
    let (slot, _) = places.iter().find(|(_, host)| host.as_str() == "east-3").unwrap();
    let one = Scope::Replica("shop/web".parse().unwrap(), wharf::model::Slot(*slot));
    let plan = sim.plan(|world| plan::migrate(world, &one, &host("east-3"), &host("east-1"))).await;
    let operation = sim.accept(plan).await.unwrap();
    sim.converged(&operation).await;
    assert_eq!((on(&sim, "east-1"), on(&sim, "east-3")), (1, 3));
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_host_is_empty_and_comes_back() {
    let (sim, _reconciler) = six(Setup::new(3)).await;
    let operation = intent(&sim, "east-2", Some(HostIntent::Draining)).await;
    sim.converged(&operation).await;
    assert_eq!(on(&sim, "east-2"), 0);
    assert!(sim.story().await.contains("east-2 is empty: safe to switch off"), "{}", sim.story().await);
    // Nothing goes there until it is opened.
    let operation = sim.scale("shop/web", 9).await;
    sim.converged(&operation).await;
    assert_eq!(on(&sim, "east-2"), 0);
    intent(&sim, "east-2", None).await;
    let plan = sim.plan(|world| plan::rebalance(world, None)).await;
    let operation = sim.accept(plan).await.unwrap();
    sim.converged(&operation).await;
    assert_eq!((on(&sim, "east-1"), on(&sim, "east-2"), on(&sim, "east-3")), (3, 3, 3));
    assert!(sim.plan(|world| plan::rebalance(world, None)).await.is_empty());
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_that_is_aborted_leaves_what_has_moved_and_a_cordoned_host() {
    let sim = Setup::new(3).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    let mut web = service("app:1", 6);
    web.deploy.update = Some(wharf::model::RolloutSpec { parallelism: Some(1), ..Default::default() });
    let operation = sim.deploy(&stack("shop", [("web", web)])).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(6));
    sim.fleet.script_all(|script| script.create = Span::ms(300));
    let operation = intent(&sim, "east-2", Some(HostIntent::Draining)).await;
    sim.until("one has moved", || on(&sim, "east-2") == 1).await;
    sim.store.abort(operation.id, "ben".into(), jiff::Timestamp::now()).await.unwrap();
    sim.restored().await;
    // The store hears of a move a moment after it.
    assert!((1..=2).contains(&on(&sim, "east-2")), "what had not moved stays");
    let desired = sim.desired().await;
    assert_eq!(desired.hosts.values().collect::<Vec<_>>(), [&HostIntent::Cordoned]);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciler_killed_in_the_middle_of_a_drain_is_followed_by_another() {
    let (sim, reconciler) = six(Setup::new(3).short_lease()).await;
    sim.fleet.script_all(|script| script.create = Span::ms(60));
    let operation = intent(&sim, "east-2", Some(HostIntent::Draining)).await;
    sim.until("it has begun", || sim.of("shop/web").len() > 6).await;
    reconciler.kill();
    let _second = Reconciler::start(&sim, "two");
    sim.converged(&operation).await;
    assert_eq!(on(&sim, "east-2"), 0);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_back_goes_further_each_time_and_never_returns() {
    let (sim, _reconciler) = six(Setup::new(3)).await;
    for image in ["app:2", "app:3"] {
        let operation = sim.deploy(&shop(image, 6)).await;
        sim.converged(&operation).await;
    }
    let images = || {
        let mut images: Vec<String> = sim.of("shop/web").into_iter().map(|(_, it)| it.image).collect();
        images.dedup();
        images
    };
    for image in ["app:2", "app:1"] {
        let plan = sim.plan(|world| plan::rollback(world, &web(), None, "ana@test")).await;
        let operation = sim.accept(plan).await.unwrap();
        sim.converged(&operation).await;
        assert_eq!(images(), [image]);
    }
    // By number, over two at once; the whole stack by its version.
    let plan = sim.plan(|world| plan::rollback(world, &web(), Some(3), "ana@test")).await;
    let operation = sim.accept(plan).await.unwrap();
    sim.converged(&operation).await;
    assert_eq!(images(), ["app:3"]);
    let plan =
        sim.plan(|world| plan::rollback(world, &Scope::Stack("shop".parse().unwrap()), Some(1), "ana@test")).await;
    let operation = sim.accept(plan).await.unwrap();
    sim.converged(&operation).await;
    assert_eq!(images(), ["app:1"]);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_joins_gets_its_share() {
    let sim = Setup::new(3).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    intent(&sim, "east-3", Some(HostIntent::Cordoned)).await;
    let both = stack("shop", [("web", service("app:1", 4)), ("api", service("app:1", 2))]);
    let operation = sim.deploy(&both).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(4));
    sim.guard.floor("shop/api", Some(2));
    intent(&sim, "east-3", None).await;
    let plan = sim.plan(|world| plan::rebalance(world, None)).await;
    let operation = sim.accept(plan).await.unwrap();
    sim.converged(&operation).await;
    let all = |host: &str| sim.peek().iter().filter(|(at, _)| at == host).count();
    assert_eq!((all("east-1"), all("east-2"), all("east-3")), (2, 2, 2));
    sim.close().await;
}

/// `shop/web` in the first of two regions.
fn in_east(image: &str) -> StackSpec {
    let mut web = checked(image, 3);
    web.wharf.replicas = BTreeMap::from([("west".parse().unwrap(), 0)]);
    stack("shop", [("web", web)])
}

async fn two_regions() -> (Sim, Reconciler) {
    let sim = Setup::new(6).defaults(|it| it.healthy_deadline = Duration::from_secs(2)).start().await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&in_east("app:1")).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(3));
    (sim, reconciler)
}

fn in_region(sim: &Sim, region: &str) -> usize {
    sim.of("shop/web").iter().filter(|(host, _)| host.starts_with(region)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_region_to_region_nothing_goes_before_all_is_there() {
    let (sim, _reconciler) = two_regions().await;
    // The last one takes its time: the others must not go for that.
    sim.script("west-3", |script| script.create = Span::ms(400));
    let plan = sim.plan(|world| plan::migrate(world, &web(), &region("east"), &region("west"))).await;
    assert_eq!(plan.lowest, Some((3, 3)));
    let operation = sim.accept(plan).await.unwrap();
    sim.until("two are there", || in_region(&sim, "west") == 2).await;
    assert_eq!(in_region(&sim, "east"), 3);
    sim.converged(&operation).await;
    assert_eq!((in_region(&sim, "east"), in_region(&sim, "west")), (0, 3));
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_cannot_take_it_leaves_all_where_it_was() {
    let (sim, _reconciler) = two_regions().await;
    sim.script("west-2", |script| {
        script.behaviours.insert("app:1".to_owned(), Behaviour::Sick);
    });
    let before: Vec<String> = sim.of("shop/web").into_iter().map(|(_, it)| it.id).collect();
    let plan = sim.plan(|world| plan::migrate(world, &web(), &region("east"), &region("west"))).await;
    let operation = sim.accept(plan).await.unwrap();
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("west-2"), "{reason}");
    sim.restored().await;
    let after: Vec<String> = sim.of("shop/web").into_iter().map(|(_, it)| it.id).collect();
    assert_eq!(before, after);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_port_is_taken_is_left_for_another() {
    let sim = Setup::new(3).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    sim.script("east-1", |script| {
        let taken = "driver failed programming external connectivity on endpoint shop-web-1-r1: Bind for 0.0.0.0:80 failed: port is already allocated";
        script.rule(Rule::on("/start", Fault::Fail(500, taken.to_owned())));
    });
    let operation = sim.deploy(&shop("app:1", 3)).await;
    sim.converged(&operation).await;
    assert_eq!((on(&sim, "east-1"), sim.running("shop/web")), (0, 3));
    assert!(sim.story().await.contains("east-1 cannot run it"), "{}", sim.story().await);
    sim.close().await;
}
