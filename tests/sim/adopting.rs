//! A stack that Docker Compose runs becomes wharf's while it runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;
use wharf::{
    engine::{Found, ObserveOptions, Observer, Watching},
    model::{Owner, Port, PortMode, Protocol, StackName, StackSpec},
    plan::{self, Plan},
    sim::{Glimpse, Standing},
    store::Store as _,
};

use super::{
    guard::{FLEET, is_ours},
    reconciler::Reconciler,
    support::{Setup, Sim, ask, others, service, stack},
};

/// What `docker compose up` leaves: a network, and containers with its labels.
async fn compose_up(sim: &Sim, host: &str, services: &[(&str, &str, u32)], published: Option<u16>) {
    let bindings = published.map(|port| json!({"8080/tcp": [{"HostIp": "", "HostPort": port.to_string()}]}));
    let engine = sim.engine(host);
    let labels = json!({"com.docker.compose.project": "old", "com.docker.compose.network": "default"});
    let network = json!({"Name": "old_default", "CheckDuplicate": true, "Labels": labels}).to_string();
    ask(engine, "POST", "/networks/create", &network).await;
    for (service, image, number) in services {
        let (repository, tag) = image.split_once(':').unwrap();
        ask(engine, "POST", &format!("/images/create?fromImage={repository}&tag={tag}"), "").await;
        let name = format!("old-{service}-{number}");
        let body = json!({
            "Image": image, "Env": ["COLOUR=blue"],
            "Labels": {
                "com.docker.compose.project": "old", "com.docker.compose.service": service,
                "com.docker.compose.container-number": number.to_string(), "com.docker.compose.oneoff": "False",
            },
            "HostConfig": {
                "NetworkMode": "old_default", "RestartPolicy": {"Name": "always"}, "PortBindings": bindings,
            },
            "NetworkingConfig": {"EndpointsConfig": {"old_default": {"Aliases": [service, name]}}},
        });
        assert_eq!(ask(engine, "POST", &format!("/containers/create?name={name}"), &body.to_string()).await, 201);
        assert_eq!(ask(engine, "POST", &format!("/containers/{name}/start"), "").await, 204);
    }
}

/// The containers of the old stack, by host and name.
fn theirs(sim: &Sim) -> Vec<(String, Glimpse)> {
    sim.peek().into_iter().filter(|(_, it)| it.name.starts_with("old-") && !is_ours(it)).collect()
}

/// Three replicas of `old/web` and one of `old/db`, and other people's containers beside them.
async fn settled() -> Sim {
    let sim = Setup::new(3).short_lease().start().await;
    others(&sim).await;
    compose_up(&sim, "east-1", &[("web", "app:1", 1), ("web", "app:1", 2), ("db", "db:1", 1)], None).await;
    compose_up(&sim, "east-2", &[("web", "app:1", 1)], None).await;
    sim.until("all four are seen", || {
        let seen = sim.eyes.look();
        let old = seen
            .containers()
            .filter(|(_, it)| matches!(&it.owner, Owner::Foreign { stack, .. } if stack.as_str() == "old"));
        old.count() == 4
    })
    .await;
    for (host, glimpse) in theirs(&sim) {
        sim.guard.protect(&host, [glimpse]);
    }
    sim
}

async fn found(sim: &Sim) -> Found {
    let (tell, mut told) = mpsc::channel(256);
    let observer = Observer::<Watching>::start(&sim.model, tell, ObserveOptions::default());
    tokio::spawn(async move { while told.recv().await.is_some() {} });
    let stack: StackName = "old".parse().unwrap();
    let mut all = Found::default();
    for (_, host) in sim.model.hosts() {
        let reader = observer.reader(&host.name).unwrap();
        let found = loop {
            match reader.adoptable(&stack).await {
                Ok(found) => break found,
                // It is being connected.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        };
        all.containers.extend(found.containers);
        all.left.extend(found.left);
    }
    all
}

async fn plan(sim: &Sim, file: Option<&StackSpec>) -> Plan {
    let found = found(sim).await;
    let old = "old".parse().unwrap();
    sim.plan(|world| plan::adopt(world, &old, &found.containers, &found.left, file, "ana@test")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_is_taken_over_as_it_runs_and_rolled_out_like_any_other() {
    let sim = settled().await;
    let before = theirs(&sim);
    let created = sim.asked("/containers/create");
    let plan = plan(&sim, None).await;
    assert_eq!(plan.replicas, (0, 4));
    assert_eq!(plan.proposal.revisions.len(), 2, "{:?}", plan.proposal.revisions);
    let web = &plan.proposal.revisions.iter().find(|it| it.service.service.as_str() == "web").unwrap();
    assert_eq!((web.spec.image.as_str(), web.note.as_str()), ("app:1", "adopted"));
    assert_eq!(web.spec.environment["COLOUR"].reveal(), "blue");
    assert!(web.image.starts_with("app@sha256:"), "{}", web.image);
    let operation = sim.accept(plan).await.unwrap();
    let first = Reconciler::start(&sim, "one");
    assert_eq!(sim.ended(&operation).await.word(), "converged", "{}", sim.story().await);
    first.stop().await;
    // Another one knows them as well, and has nothing to do.
    let _second = Reconciler::start(&sim, "two");
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(theirs(&sim), before, "the very same containers, untouched");
    assert_eq!(sim.asked("/containers/create"), created);
    assert_eq!(sim.guard.trouble(), Vec::<String>::new());

    // Who asks again is told that it is done.
    let again = self::plan(&sim, None).await;
    assert!(again.is_empty(), "{again:#?}");
    assert_eq!(again.warnings, ["all that runs of `old` is wharf's already"]);

    // From now on they may go, when something else is wanted.
    let running = |sim: &Sim| {
        let web = |(_, it): &(String, Glimpse)| {
            it.name.starts_with("old-web-") && matches!(it.standing, Standing::Running(_))
        };
        sim.peek().iter().filter(|it| web(it)).count()
    };
    let operation = sim.scale("old/web", 5).await;
    assert_eq!(sim.ended(&operation).await.word(), "converged", "{}", sim.story().await);
    assert_eq!(theirs(&sim), before, "scaling out touches none of them");
    assert_eq!(running(&sim), 5);
    assert_eq!(sim.guard.trouble(), Vec::<String>::new());

    for host in ["east-1", "east-2"] {
        sim.guard.forget(host);
    }
    let mut file = stack("old", [("web", service("app:2", 5)), ("db", service("db:1", 1))]);
    file.services[0].environment.insert("COLOUR".into(), wharf::model::Sensitive("green".into()));
    let operation = sim.deploy(&file).await;
    sim.converged(&operation).await;
    assert_eq!(theirs(&sim).iter().filter(|(_, it)| it.name.starts_with("old-web-")).count(), 0);
    assert_eq!(running(&sim), 5);
    let left: Vec<_> = sim.peek().into_iter().filter(|(_, it)| it.name == "legacy-db-1").collect();
    assert_eq!(left.len(), 3, "what was not adopted is still there");
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_aborted_is_composes_again() {
    let sim = settled().await;
    let before = theirs(&sim);
    let operation = sim.accept(plan(&sim, None).await).await.unwrap();
    assert_eq!(sim.desired().await.adopted.values().map(BTreeMap::len).sum::<usize>(), 4);
    sim.store.abort(operation.id, "ana@test".into(), Timestamp::now()).await.unwrap();
    assert!(sim.desired().await.adopted.is_empty());
    let _reconciler = Reconciler::start(&sim, "one");
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(theirs(&sim), before, "{}", sim.story().await);
    // The same may be asked again.
    let operation = sim.accept(plan(&sim, None).await).await.unwrap();
    assert_eq!(sim.ended(&operation).await.word(), "converged");
    assert_eq!(theirs(&sim), before);
    assert_eq!(sim.guard.trouble(), Vec::<String>::new());
    // What belongs to it all the same goes when it is told to.
    for host in ["east-1", "east-2"] {
        sim.guard.forget(host);
    }
    let operation = sim.remove("old").await;
    assert_eq!(sim.ended(&operation).await.word(), "converged", "{}", sim.story().await);
    assert_eq!(theirs(&sim), []);
    assert_eq!(sim.model.name.as_str(), FLEET);
    sim.close().await;
}

/// Whenever its reconcilers are killed, an adoption ends, and what runs goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconcilers_killed_in_the_middle_touch_nothing() {
    let sim = settled().await;
    let before = theirs(&sim);
    let operation = sim.accept(plan(&sim, None).await).await.unwrap();
    for (number, pause) in [0, 5, 40, 150].into_iter().enumerate() {
        let reconciler = Reconciler::start(&sim, &format!("number-{number}"));
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        reconciler.kill();
    }
    let _last = Reconciler::start(&sim, "last");
    assert_eq!(sim.ended(&operation).await.word(), "converged", "{}", sim.story().await);
    assert_eq!(theirs(&sim), before, "the very same containers, untouched");
    assert_eq!(sim.guard.trouble(), Vec::<String>::new());
    for host in ["east-1", "east-2"] {
        sim.guard.forget(host);
    }
    sim.close().await;
}

/// What Compose published stays where it is. The proxy there does not fight for it, and takes it over once it is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_a_container_holds_is_opened_when_it_is_gone() {
    let sim = Setup::new(2).start().await;
    compose_up(&sim, "east-1", &[("web", "app:1", 1)], Some(80)).await;
    sim.until("it is seen", || sim.eyes.look().containers().count() == 1).await;
    let adopting = plan(&sim, None).await;
    let told = adopting.warnings.join("\n");
    assert!(told.contains("old-web-1 goes on holding port 80 of east-1 by itself"), "{told}");
    let operation = sim.accept(adopting).await.unwrap();
    let _reconciler = Reconciler::start(&sim, "one");
    assert_eq!(sim.ended(&operation).await.word(), "converged");

    let mut web = service("app:2", 2);
    web.ports.push(Port {
        target: 8080,
        published: Some(80),
        host_ip: None,
        protocol: Protocol::Tcp,
        mode: PortMode::Ingress,
    });
    let file = stack("old", [("web", web)]);
    let deploying = sim.plan(|world| plan::deploy(world, &file, &BTreeMap::new(), "ana@test")).await;
    let told = deploying.warnings.join("\n");
    assert!(told.contains("the proxy there takes it over when old-web-1 is replaced"), "{told}");
    let operation = sim.accept(deploying).await.unwrap();
    sim.converged(&operation).await;
    assert_eq!(theirs(&sim), []);
    sim.close().await;
}
