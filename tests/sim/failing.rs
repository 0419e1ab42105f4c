//! Commands that cannot succeed: they say why, and what was before is there again.

use std::time::Duration;

use wharf::{
    model::{Port, PortMode, Protocol, ServiceSpec},
    plan,
    sim::{Behaviour, ImageFault, Script, Standing},
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
