//! Engines that answer badly: lost, late, wrong, nonsense.

use std::time::Duration;

use http::Method;
use wharf::{
    model::{Mount, MountSource, ServiceSpec},
    sim::{Fault, Rule, Span},
};

use super::{
    reconciler::Reconciler,
    support::{Setup, Sim, others, service, shop, stack},
};

/// Each host does this to the next few changes of every kind.
fn trouble(sim: &Sim, fault: &Fault) {
    sim.fleet.script_all(|script| {
        for (method, path) in [
            (Method::POST, "/networks/create"),
            (Method::POST, "/containers/create"),
            (Method::POST, "/start"),
            (Method::POST, "/stop"),
            (Method::DELETE, "/containers/"),
        ] {
            script.rule(Rule::on(path, fault.clone()).method(method).times(2));
        }
    });
}

async fn survives(fault: Fault) {
    let sim = Setup::new(3).start().await;
    others(&sim).await;
    let _reconciler = Reconciler::start(&sim, "one");
    trouble(&sim, &fault);
    let data = Mount { target: "/data".to_owned(), source: MountSource::Anonymous, read_only: false };
    let web = |image: &str| ServiceSpec { mounts: vec![data.clone()], ..service(image, 6) };
    let operation = sim.deploy(&stack("shop", [("web", web("app:1"))])).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(6));
    trouble(&sim, &fault);
    let operation = sim.deploy(&stack("shop", [("web", web("app:2"))])).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(2));
    trouble(&sim, &fault);
    let operation = sim.scale("shop/web", 2).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", None);
    trouble(&sim, &fault);
    let operation = sim.remove("shop").await;
    sim.converged(&operation).await;
    assert_eq!(sim.of("shop/web").len(), 0);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost() {
    survives(Fault::DropAnswer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_the_engine() {
    survives(Fault::Fail(500, "context canceled".to_owned())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_close() {
    survives(Fault::Close).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_nonsense() {
    survives(Fault::Garbage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_break_off() {
    survives(Fault::Truncate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_late() {
    survives(Fault::Delay(Duration::from_millis(300))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_looks_that_fail() {
    let sim = Setup::new(3).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 3)).await;
    sim.converged(&operation).await;
    for fault in [Fault::Garbage, Fault::Fail(500, "no".to_owned()), Fault::Close, Fault::Truncate] {
        sim.fleet.script_all(|script| {
            script.rule(Rule::on("/json", fault.clone()).method(Method::GET).times(4));
            script.latency = Span::ms(1).plus(4);
        });
        let operation = sim.scale("shop/web", 9).await;
        sim.converged(&operation).await;
        let operation = sim.scale("shop/web", 3).await;
        sim.converged(&operation).await;
    }
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_never_come() {
    let sim = Setup::new(3).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    sim.script("east-1", |script| script.freeze_events = true);
    let operation = sim.deploy(&shop("app:1", 6)).await;
    sim.converged(&operation).await;
    let operation = sim.scale("shop/web", 3).await;
    sim.converged(&operation).await;
    assert_eq!(sim.asked("create?name=shop-web"), 6, "what was not seen is not made twice");
    sim.close().await;
}
