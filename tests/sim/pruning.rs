//! Clearing hosts of what nothing needs, while others use them.

use std::time::Duration;

use http::Method;
use wharf::{
    engine::open_reader,
    model::{HostName, Kept, Operation, Storage, Stored},
    plan::{self, Needs, Plan, Refusal},
    sim::{Fault, Link, Rule, Span},
};

use super::{
    reconciler::Reconciler,
    support::{Setup, Sim, ask, others, run, shop},
};

/// `shop/web` went from `app:1` over `app:2` to `app:3`.
async fn released(setup: Setup) -> (Sim, Reconciler) {
    let sim = setup.start().await;
    let reconciler = Reconciler::start(&sim, "one");
    for image in ["app:1", "app:2", "app:3"] {
        let operation = sim.deploy(&shop(image, 3)).await;
        sim.converged(&operation).await;
    }
    (sim, reconciler)
}

async fn storage(sim: &Sim, host: &str) -> Storage {
    let name: HostName = host.parse().unwrap();
    let (_, host) = sim.model.host(&name).unwrap();
    let reader = open_reader(&sim.model.name, host).await.unwrap();
    reader.counted(reader.storage().await.unwrap()).await.unwrap()
}

/// What nothing needs on a host.
async fn spare(sim: &Sim, host: &str) -> Vec<(HostName, Stored)> {
    let (desired, observed) = (sim.desired().await, sim.eyes.look());
    let world = plan::World { fleet: &sim.model, desired: &desired, observed: &observed, now: jiff::Timestamp::now() };
    let needs = Needs::new(&world);
    let things = storage(sim, host).await.things.into_iter().filter(|thing| needs.of(&world, thing).is_none());
    things.map(|thing| (host.parse().unwrap(), thing)).collect()
}

fn names(things: &[(HostName, Stored)]) -> Vec<String> {
    things.iter().map(|(host, thing)| format!("{host} {} {}", thing.kind.word(), thing.title())).collect()
}

async fn prune(sim: &Sim, things: Vec<(HostName, Stored)>) -> Operation {
    let plan = sim.plan(|world| plan::prune(world, &things)).await;
    sim.accept(plan).await.unwrap()
}

/// The images of a host by their first names.
async fn images(sim: &Sim, host: &str) -> Vec<String> {
    let things = storage(sim, host).await.things;
    things.into_iter().filter(|thing| thing.kind == Kept::Image).map(|thing| thing.title()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_kept_revision_needs_goes_and_the_rest_stays() {
    let (sim, _reconciler) = released(Setup::new(3)).await;
    others(&sim).await;
    let things = spare(&sim, "east-1").await;
    assert_eq!(names(&things), [] as [&str; 0], "app:1 is used by others");
    // Others leave one host.
    sim.guard.forget("east-2");
    for id in sim.peek().into_iter().filter(|(host, it)| host == "east-2" && it.image == "app:1").map(|(_, it)| it.id) {
        ask(sim.engine("east-2"), "DELETE", &format!("/containers/{id}?force=true"), "").await;
    }
    let things = spare(&sim, "east-2").await;
    assert_eq!(names(&things), ["east-2 image app:1"]);
    let operation = prune(&sim, things).await;
    assert_eq!(operation.equivalent.split(" --id").next(), Some("wharf prune east-2"));
    sim.converged(&operation).await;
    assert_eq!(images(&sim, "east-2").await, ["app:2", "app:3"]);
    assert_eq!(images(&sim, "east-1").await, ["app:1", "app:2", "app:3"]);
    let told = sim.operation(operation.id).await;
    let steps: Vec<String> =
        told.progress.values().flat_map(|part| &part.steps).map(|it| it.detail.to_string()).collect();
    assert_eq!(steps, ["gone"]);
    // Back to the revision before, without a pull.
    let pulls = sim.asked("/images/create");
    let back = sim
        .plan(|world| {
            plan::rollback(world, &"shop/web".parse().map(wharf::model::Scope::Service).unwrap(), None, "ana")
        })
        .await;
    let operation = sim.accept(back).await.unwrap();
    sim.converged(&operation).await;
    assert_eq!(sim.asked("/images/create"), pulls);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_needed_is_refused_and_what_is_needed_by_then_stays() {
    let (sim, reconciler) = released(Setup::new(1)).await;
    let host = "east-1";
    let all = storage(&sim, host).await.things;
    for (thing, why) in [
        ("app:3", "image app:3 on east-1 stays: used by shop-web-1-r3, shop-web-2-r3, shop-web-3-r3"),
        ("app:2", "image app:2 on east-1 stays: kept: shop/web r2 can come back"),
        ("bridge", "network bridge on east-1 stays: the engine's own"),
    ] {
        let meant = all.iter().find(|it| it.title() == thing).unwrap();
        let refused = refused(&sim, &[(host.parse().unwrap(), meant.clone())]).await;
        assert_eq!(refused, why);
    }
    // Planned, accepted, and before a reconciler comes to it somebody runs the image.
    reconciler.kill();
    let things = spare(&sim, host).await;
    let operation = prune(&sim, things).await;
    run(sim.engine(host), "bob", "app:1", &serde_json::json!({})).await;
    let _second = Reconciler::start(&sim, "two");
    assert_eq!(sim.ended(&operation).await.word(), "converged");
    let steps = sim.operation(operation.id).await.progress.into_values().flat_map(|part| part.steps);
    let told: Vec<String> = steps.map(|step| step.detail.to_string()).collect();
    assert!(told.len() == 1 && told[0].starts_with("stays, it is needed again: "), "{told:?}");
    assert!(images(&sim, host).await.contains(&"app:1".to_owned()));
    sim.close().await;
}

async fn refused(sim: &Sim, things: &[(HostName, Stored)]) -> String {
    let (desired, observed) = (sim.desired().await, sim.eyes.look());
    let world = plan::World { fleet: &sim.model, desired: &desired, observed: &observed, now: jiff::Timestamp::now() };
    let result: Result<Plan, Refusal> = plan::prune(&world, things);
    result.map(|plan| plan.proposal.equivalent).unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_refuses_and_one_that_is_away_end_it_in_words() {
    let setup = Setup::new(2).impatient_with_hosts().defaults(|it| it.progress_deadline = Duration::from_secs(2));
    let (sim, _reconciler) = released(setup).await;
    let things = spare(&sim, "east-1").await;
    assert_eq!(names(&things), ["east-1 image app:1"]);
    sim.script("east-1", |script| {
        script.rule(Rule::on("/images/", Fault::Fail(500, "layer is locked".to_owned())).method(Method::DELETE));
    });
    let operation = prune(&sim, things.clone()).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.starts_with("1 of 1 stay: image app:1 on east-1: "), "{reason}");
    assert!(reason.contains("layer is locked"), "{reason}");
    sim.script("east-1", wharf::sim::Script::clear_rules);

    // The other host is cut off while it is asked to.
    let more = spare(&sim, "east-2").await;
    sim.engine("east-2").set_link(Link::Hung);
    sim.until("east-2 is unknown", || !sim.eyes.look().hosts["east-2"].is_seen()).await;
    let operation = prune(&sim, [things, more].concat()).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.starts_with("1 of 2 stay: east-2 is not seen"), "{reason}");
    sim.engine("east-2").set_link(Link::Up);
    // Its replica was made anew elsewhere.
    sim.restored().await;
    assert!(!images(&sim, "east-1").await.contains(&"app:1".to_owned()), "what could go is gone");
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciler_killed_in_the_middle_is_followed_by_one_that_goes_on() {
    let (sim, reconciler) = released(Setup::new(3).short_lease()).await;
    sim.guard.floor("shop/web", Some(3));
    let mut things = Vec::new();
    for host in ["east-1", "east-2", "east-3"] {
        sim.engine(host).load_image("old:1");
        sim.engine(host).load_image("old:2");
        things.extend(spare(&sim, host).await);
    }
    assert_eq!(things.len(), 9);
    sim.fleet.script_all(|script| script.latency = Span::ms(30));
    let operation = prune(&sim, things).await;
    sim.until("something went", || sim.asked("DELETE /images") > 1).await;
    reconciler.kill();
    let _second = Reconciler::start(&sim, "two");
    sim.converged(&operation).await;
    for host in ["east-1", "east-2", "east-3"] {
        assert_eq!(images(&sim, host).await, ["app:2", "app:3"], "{host}");
    }
    sim.close().await;
}
