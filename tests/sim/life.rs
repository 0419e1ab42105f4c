//! What services go through when nothing goes wrong.

use std::{collections::BTreeMap, time::Duration};

use wharf::{
    model::{Condition, Dependency, Deploy, Mode, Restart, RolloutSpec, ServiceSpec},
    sim::Standing,
};

use super::{
    reconciler::Reconciler,
    support::{Setup, checked, others, service, shop, stack},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploy_scale_out_and_in_and_remove() {
    let sim = Setup::new(3).start().await;
    others(&sim).await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 3)).await;
    sim.converged(&operation).await;
    assert_eq!(sim.running("shop/web"), 3);
    sim.guard.floor("shop/web", Some(3));

    let operation = sim.scale("shop/web", 30).await;
    sim.converged(&operation).await;
    let mut hosts: BTreeMap<String, usize> = BTreeMap::new();
    for (host, _) in sim.of("shop/web") {
        *hosts.entry(host).or_default() += 1;
    }
    assert!(hosts.values().all(|count| *count == 10), "spread evenly: {hosts:?}");
    assert_eq!(sim.asked("create?name=shop-web"), 30, "nothing is made twice");

    let operation = sim.scale("shop/web", 3).await;
    sim.converged(&operation).await;
    assert_eq!(sim.running("shop/web"), 3);

    sim.guard.floor("shop/web", None);
    let operation = sim.remove("shop").await;
    sim.converged(&operation).await;
    assert_eq!(sim.of("shop/web").len(), 0);
    assert_eq!(sim.peek().len(), 9, "other people's containers stay");
    reconciler.stop().await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_change_never_dips_and_keeps_its_batch() {
    let sim = Setup::new(3).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    for checks in [false, true] {
        let name = if checks { "checked" } else { "plain" };
        let make = |image: &str| {
            let spec = if checks { checked(image, 8) } else { service(image, 8) };
            let update = RolloutSpec { parallelism: Some(2), ..RolloutSpec::default() };
            stack(
                name,
                [("web", ServiceSpec { deploy: Deploy { update: Some(update), ..spec.deploy.clone() }, ..spec })],
            )
        };
        sim.fleet.script_all(|script| script.health = wharf::sim::Span::ms(30).plus(30));
        let key = format!("{name}/web");
        let operation = sim.deploy(&make("app:1")).await;
        sim.converged(&operation).await;
        sim.guard.floor(&key, Some(8));
        sim.guard.range(&key);
        let operation = sim.deploy(&make("app:2")).await;
        sim.converged(&operation).await;
        let (_, most) = sim.guard.range(&key);
        assert!(most > 8, "start-first was never seen");
        assert!(most <= 10, "two at a time, but {most} ran at once");
        assert!(sim.of(&key).iter().all(|(_, it)| it.image == "app:2"));
        sim.guard.floor(&key, None);
    }
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_makes_every_container_anew_one_batch_after_the_other() {
    let sim = Setup::new(3).start().await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 4)).await;
    sim.converged(&operation).await;
    let before: Vec<String> = sim.of("shop/web").into_iter().map(|(_, it)| it.id).collect();
    // A restart keeps names, so each old copy goes first: one of four at a time.
    sim.guard.floor("shop/web", Some(3));
    let operation = sim.restart("shop/web").await;
    sim.converged(&operation).await;
    assert!(sim.of("shop/web").iter().all(|(_, it)| !before.contains(&it.id)), "all are new");
    reconciler.stop().await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_wait_for_what_they_depend_on() {
    let sim = Setup::new(3).start().await;
    sim.fleet.script_all(|script| {
        script.health = wharf::sim::Span::ms(150);
        let ends = wharf::sim::Behaviour::Exits { after: Duration::from_millis(120), code: 0, oom: false };
        script.behaviours.insert("app:job".to_owned(), ends);
    });
    let _reconciler = Reconciler::start(&sim, "one");
    let needs = |name: &str, condition| (name.parse().unwrap(), Dependency { condition, required: true });
    let migrate = ServiceSpec { restart: Restart::No, ..service("app:job", 1) };
    let api = ServiceSpec {
        depends_on: [needs("db", Condition::ServiceHealthy), needs("migrate", Condition::ServiceCompletedSuccessfully)]
            .into(),
        ..service("app:1", 2)
    };
    let web = ServiceSpec { depends_on: [needs("api", Condition::ServiceStarted)].into(), ..service("app:1", 2) };
    let operation = sim
        .deploy(&stack("shop", [("web", web), ("api", api), ("migrate", migrate), ("db", checked("app:1", 1))]))
        .await;
    sim.until("api exists", || {
        let api = sim.of("shop/api");
        assert!(sim.of("shop/web").is_empty() || !api.is_empty(), "web before api");
        if api.is_empty() {
            return false;
        }
        assert!(sim.of("shop/db").iter().any(|(_, it)| it.healthy == Some(true)), "api before db is healthy");
        assert!(
            sim.of("shop/migrate").iter().any(|(_, it)| it.standing == Standing::Exited(0)),
            "api before migrate is done"
        );
        true
    })
    .await;
    sim.converged(&operation).await;
    assert_eq!((sim.running("shop/web"), sim.running("shop/api")), (2, 2));
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_global_service_is_on_every_host_once() {
    let sim = Setup::new(4).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    let agent = |image: &str| {
        let deploy = Deploy { mode: Mode::Global, ..Deploy::default() };
        stack("ops", [("agent", ServiceSpec { deploy, ..service(image, 1) })])
    };
    let operation = sim.deploy(&agent("app:1")).await;
    sim.converged(&operation).await;
    sim.guard.floor("ops/agent", Some(4));
    let operation = sim.deploy(&agent("app:2")).await;
    sim.converged(&operation).await;
    let mut hosts: Vec<String> = sim.of("ops/agent").into_iter().map(|(host, _)| host).collect();
    hosts.sort();
    assert_eq!(hosts.len(), 4);
    hosts.dedup();
    assert_eq!(hosts.len(), 4, "one on each");
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_only_there_while_needed_leaves_when_idle() {
    let sim = Setup::new(2).start().await;
    let operation = sim.deploy(&shop("app:1", 2)).await;
    let mut reconciler = Reconciler::start_until_idle(&sim, "one");
    sim.converged(&operation).await;
    assert!(reconciler.is_alive(), "it lingers, for a second command often follows");
    reconciler.left(super::support::PATIENCE).await;
    sim.close().await;
}
