//! Commands that cannot succeed: they say why, and what was before is there again.

use std::time::{Duration, Instant};

use wharf::{
    model::{FailureAction, Port, PortMode, Protocol, RolloutSpec, ServiceSpec},
    plan,
    sim::{Behaviour, ImageFault, Script, Span, Standing},
    store::Store as _,
};

use super::{
    reconciler::Reconciler,
    support::{Setup, Sim, ask, checked, others, run, service, shop, stack},
};

/// `shop/web` four times at `app:1`, with other people's containers beside it.
async fn settled(setup: Setup) -> (Sim, Reconciler) {
    let sim = setup.start().await;
    others(&sim).await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 4)).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(4));
    (sim, reconciler)
}

/// `app:broken` ends before it could count as healthy.
fn exits_soon(script: &mut Script) {
    let exits = Behaviour::Exits { after: Duration::from_millis(25), code: 3, oom: false };
    script.behaviours.insert("app:broken".to_owned(), exits);
}

/// Somebody deletes the containers of an image on some hosts.
async fn delete(sim: &Sim, image: &str, on: impl Fn(&str) -> bool) {
    for (host, it) in sim.of("shop/web").into_iter().filter(|(host, it)| on(host) && it.image == image) {
        ask(sim.engine(&host), "DELETE", &format!("/containers/{}?force=true", it.id), "").await;
    }
}

fn images(sim: &Sim) -> Vec<String> {
    let mut images: Vec<String> = sim.of("shop/web").into_iter().map(|(_, it)| it.image).collect();
    images.sort();
    images.dedup();
    images
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_missing_changes_nothing_and_may_come_later() {
    let (sim, _reconciler) = settled(Setup::new(3)).await;
    let before: Vec<String> = sim.of("shop/web").into_iter().map(|(_, it)| it.id).collect();
    // One host alone cannot get it: the others must not change either.
    sim.script("east-2", |script| {
        script.images.insert("app:2".to_owned(), ImageFault::NoTag);
    });
    let operation = sim.deploy(&shop("app:2", 4)).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("east-2") && reason.contains("app:2"), "{reason}");
    assert!(reason.contains("nothing was changed"), "{reason}");
    sim.restored().await;
    let after: Vec<String> = sim.of("shop/web").into_iter().map(|(_, it)| it.id).collect();
    assert_eq!(before, after, "the very same containers");

    // It is pushed, and the same is asked again.
    sim.script("east-2", |script| script.images.clear());
    let operation = sim.deploy(&shop("app:2", 4)).await;
    sim.converged(&operation).await;
    assert_eq!(images(&sim), ["app:2"]);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_changes_nothing() {
    let setup = Setup::new(3).defaults(|it| {
        it.progress_deadline = Duration::from_millis(800);
        it.healthy_deadline = Duration::from_millis(800);
        it.pull_deadline = Duration::from_millis(800);
    });
    let sim = setup.start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    sim.script("east-3", |script| script.disk_full = true);
    let operation = sim.deploy(&shop("app:1", 3)).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("east-3") && reason.contains("no space left"), "{reason}");
    assert!(reason.contains("nothing was changed"), "{reason}");
    assert_eq!(sim.asked("/containers/create"), 0);
    sim.script("east-3", |script| script.disk_full = false);
    let operation = sim.deploy(&shop("app:1", 3)).await;
    sim.converged(&operation).await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_exits_is_taken_back() {
    let (sim, _reconciler) = settled(Setup::new(3)).await;
    sim.fleet.script_all(exits_soon);
    let operation = sim.deploy(&shop("app:broken", 4)).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("shop/web.") && reason.contains("log"), "{reason}");
    sim.restored().await;
    assert_eq!(images(&sim), ["app:1"]);
    // The next one is not blamed for it.
    let operation = sim.deploy(&shop("app:3", 4)).await;
    sim.converged(&operation).await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_waits_for_a_person_or_stops_nothing_where_the_file_says_so() {
    let setup = Setup::new(3).defaults(|it| {
        it.progress_deadline = Duration::from_secs(3);
        it.healthy_deadline = Duration::from_secs(3);
        // A death that is told late must not pass for health.
        it.min_healthy = Duration::from_millis(500);
    });
    let (sim, _reconciler) = settled(setup).await;
    let exits = Behaviour::Exits { after: Duration::from_millis(1), code: 3, oom: false };
    sim.fleet.script_all(|script| {
        script.behaviours.insert("app:broken".to_owned(), exits);
    });
    let with = |image: &str, action| {
        let mut stack = shop(image, 4);
        stack.services[0].deploy.update = Some(RolloutSpec { failure_action: Some(action), ..RolloutSpec::default() });
        stack
    };
    let operation = sim.deploy(&with("app:broken", FailureAction::Pause)).await;
    let mut seen = sim.operation(operation.id).await;
    while seen.paused.is_none() {
        assert!(!seen.state.is_final(), "{:?}", seen.state);
        tokio::time::sleep(Duration::from_millis(10)).await;
        seen = sim.operation(operation.id).await;
    }
    let paused = seen.paused.unwrap();
    assert_eq!(paused.by.as_str(), "the reconciler");
    assert!(paused.why.as_str().contains("shop/web.") && paused.why.as_str().contains("exit"), "{}", paused.why);
    assert!(images(&sim).contains(&"app:1".to_owned()));
    // What made it fail is mended, and who mended it took the broken ones away.
    sim.fleet.script_all(|script| {
        script.behaviours.remove("app:broken");
    });
    delete(&sim, "app:broken", |_| true).await;
    sim.store.resume(operation.id, "ben@test".into(), jiff::Timestamp::now()).await.unwrap();
    sim.converged(&operation).await;
    assert_eq!(images(&sim), ["app:broken"]);

    // One host cannot run it; the others go on, and what is wanted stays wanted.
    sim.script("east-2", |script| {
        script.behaviours.insert("app:3".to_owned(), exits);
    });
    let operation = sim.deploy(&with("app:3", FailureAction::Continue)).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("no progress"), "{reason}");
    assert_eq!(sim.operation(operation.id).await.word(), "failed");
    let up = sim.of("shop/web").into_iter().filter(|(host, it)| host != "east-2" && it.image == "app:3").count();
    assert!(up >= 2, "{up} of the others went on");
    sim.script("east-2", |script| script.behaviours.clear());
    delete(&sim, "app:3", |host| host == "east-2").await;
    sim.restored().await;
    assert_eq!(images(&sim), ["app:3"]);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_never_gets_healthy_is_taken_back() {
    let setup = Setup::new(3).defaults(|it| it.healthy_deadline = Duration::from_millis(900));
    let sim = setup.start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    let web = |image: &str| stack("shop", [("web", checked(image, 4))]);
    let operation = sim.deploy(&web("app:1")).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(4));
    let operation = sim.deploy(&web("app:2-sick")).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("did not become healthy"), "{reason}");
    sim.restored().await;
    assert_eq!(images(&sim), ["app:1"]);
    sim.close().await;
}

/// The canary is healthy first and ends in its window. What it shall replace is there all along, so nothing is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_fails_costs_no_replica() {
    let sim = Setup::new(3).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    let web = |image: &str, canary: u64| {
        let mut spec = checked(image, 4);
        spec.wharf.canary = Some(Duration::from_millis(canary));
        stack("shop", [("web", spec)])
    };
    let operation = sim.deploy(&web("app:1", 5000)).await;
    sim.converged(&operation).await;
    let before: Vec<String> = sim.of("shop/web").into_iter().map(|(_, it)| it.id).collect();
    sim.guard.floor("shop/web", Some(4));
    sim.fleet.script_all(|script| {
        script.health = Span::ms(30);
        let exits = Behaviour::Exits { after: Duration::from_millis(900), code: 3, oom: false };
        script.behaviours.insert("app:broken".to_owned(), exits);
    });
    let operation = sim.deploy(&web("app:broken", 5000)).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("shop/web."), "{reason}");
    sim.restored().await;
    let after: Vec<String> = sim.of("shop/web").into_iter().map(|(_, it)| it.id).collect();
    assert_eq!(before, after, "the very same containers");

    // One that is well: it is alone until its window is over, then the others follow.
    let begun = Instant::now();
    let operation = sim.deploy(&web("app:3", 1500)).await;
    let mut new = 0;
    while begun.elapsed() < Duration::from_millis(1400) {
        let there = sim.of("shop/web");
        new = there.iter().filter(|(_, it)| it.image == "app:3").count();
        assert!(new <= 1, "{there:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(new, 1, "{}", sim.story().await);
    sim.converged(&operation).await;
    assert_eq!(images(&sim), ["app:3"]);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_deploy_that_fails_leaves_nothing() {
    let sim = Setup::new(3).start().await;
    others(&sim).await;
    let _reconciler = Reconciler::start(&sim, "one");
    sim.fleet.script_all(exits_soon);
    let operation = sim.deploy(&shop("app:broken", 3)).await;
    sim.failed(&operation).await;
    sim.restored().await;
    assert_eq!(sim.of("shop/web").len(), 0);
    sim.close().await;
}

fn on_port(image: &str, replicas: u32, port: u16) -> ServiceSpec {
    let port = Port { target: 80, published: Some(port), host_ip: None, protocol: Protocol::Tcp, mode: PortMode::Host };
    ServiceSpec { ports: vec![port], ..service(image, replicas) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_somebody_took_meanwhile() {
    let sim = Setup::new(3).start().await;
    let stack = stack("shop", [("web", on_port("app:1", 3, 8080))]);
    let plan = sim.plan(|world| plan::deploy(world, &stack, &std::collections::BTreeMap::new(), "ana@test")).await;
    // Between the plan and its execution somebody's container takes the port on one host.
    let engine = sim.engine("east-2").clone();
    assert_eq!(ask(&engine, "POST", "/images/create?fromImage=app&tag=1", "").await, 200);
    let body = serde_json::json!({
        "Image": "app:1", "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
    });
    assert_eq!(ask(&engine, "POST", "/containers/create?name=squatter", &body.to_string()).await, 201);
    assert_eq!(ask(&engine, "POST", "/containers/squatter/start", "").await, 204);
    sim.guard.protect("east-2", engine.peek());
    let operation = sim.accept(plan).await.unwrap();
    let _reconciler = Reconciler::start(&sim, "one");
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("east-2") && reason.contains("8080"), "{reason}");
    sim.restored().await;
    assert_eq!(sim.of("shop/web").len(), 0);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_passes_from_the_old_copy_to_the_new_one() {
    let sim = Setup::new(3).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&stack("shop", [("web", on_port("app:1", 3, 8080))])).await;
    sim.converged(&operation).await;
    // Each host has its port once, so old copies go first: one of three at a time.
    sim.guard.floor("shop/web", Some(2));
    let operation = sim.deploy(&stack("shop", [("web", on_port("app:2", 3, 8080))])).await;
    sim.converged(&operation).await;
    assert_eq!(images(&sim), ["app:2"]);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_somebody_else_has() {
    let sim = Setup::new(1).start().await;
    let engine = sim.engine("east-1").clone();
    run(&engine, "shop-web-2-r1", "app:1", &serde_json::json!({})).await;
    sim.guard.protect("east-1", engine.peek());
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 3)).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("shop-web-2-r1") && reason.contains("east-1"), "{reason}");
    sim.restored().await;
    assert_eq!(sim.of("shop/web").len(), 0);
    assert!(matches!(engine.peek()[0].standing, Standing::Running(_)));

    // The name is free again: the same command works, without anybody restarting the reconciler.
    sim.guard.forget("east-1");
    assert!(engine.remove_by_hand("shop-web-2-r1"));
    let operation = sim.deploy(&shop("app:1", 3)).await;
    sim.converged(&operation).await;
    sim.close().await;
}
