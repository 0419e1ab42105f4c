//! What is not as it shall be while nobody is at it: found, with what mends it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use wharf::{
    model::RegionName,
    plan::{self, Astray, World},
    store::{OperationQuery, ReadStore as _},
};

use super::{
    reconciler::Reconciler,
    support::{Setup, Sim, others, run, service, stack},
};

async fn astray(sim: &Sim, held: &[&str]) -> Vec<Astray> {
    let (desired, observed) = (sim.desired().await, sim.eyes.look());
    let open = OperationQuery { open_only: true, ..OperationQuery::default() };
    let open = sim.store.operations(open).await.unwrap();
    let held: BTreeSet<RegionName> = held.iter().map(|region| region.parse().unwrap()).collect();
    let world = World { fleet: &sim.model, desired: &desired, observed: &observed, now: Timestamp::now() };
    plan::astray(&world, &open, &held)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_astray_is_found_and_nothing_else() {
    let sim = Setup::new(2).start().await;
    others(&sim).await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&stack("shop", [("web", service("app:1", 2))])).await;
    sim.converged(&operation).await;
    reconciler.stop().await;
    sim.until("all is seen", || sim.eyes.look().replicas().count() == 2).await;
    assert_eq!(astray(&sim, &[]).await, []);

    // Somebody removes a replica by hand, and runs another with the fleet's name.
    let (host, lost) = sim.of("shop/web").remove(0);
    assert!(sim.engine(&host).remove_by_hand(&lost.name));
    let labels = serde_json::json!({
        "wharf.fleet": sim.model.name.as_str(), "wharf.region": "east", "wharf.stack": "old", "wharf.service": "db",
        "wharf.slot": "1", "wharf.revision": "1",
    });
    run(sim.engine("east-1"), "old-db-1-r1", "db:1", &labels).await;
    let is_seen = || {
        let seen = sim.eyes.look();
        let of = |stack: &str| seen.replicas().filter(|(_, it, _)| it.name.as_str().starts_with(stack)).count();
        of("shop") == 1 && of("old") == 1
    };
    sim.until("both are seen", is_seen).await;
    let found = astray(&sim, &[]).await;
    let lines: Vec<(&str, &str)> = found.iter().map(|it| (it.check, it.what.as_str())).collect();
    assert_eq!(lines.len(), 2, "{found:#?}");
    assert_eq!(lines[0], ("orphan", "1 containers of old/db, which the store does not know; they are left alone"));
    assert_eq!(lines[1].0, "drift");
    assert!(lines[1].1.starts_with("shop/web in east: wanted and not running: shop/web."), "{}", lines[1].1);
    assert!(found[1].mend.starts_with("wharf reconcile --until-idle --region east"), "{}", found[1].mend);

    // A command that nobody carries out is said to be that; what it touches is on its way.
    sim.scale("shop/web", 4).await;
    let found = astray(&sim, &[]).await;
    let checks: Vec<&str> = found.iter().map(|it| it.check).collect();
    assert_eq!(checks, ["orphan", "lease"], "{found:#?}");
    assert!(found[1].what.contains("and no reconciler holds east"), "{}", found[1].what);
    let checks: Vec<&str> = astray(&sim, &["east"]).await.iter().map(|it| it.check).collect();
    assert_eq!(checks, ["orphan"], "somebody is at it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_on_no_host_is_named() {
    let sim = Setup::new(2).start().await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&stack("shop", [("web", service("app:1", 2))])).await;
    sim.converged(&operation).await;
    reconciler.stop().await;
    let (desired, mut observed) = (sim.desired().await, sim.eyes.look());
    let missing = |observed: &wharf::model::Observed| {
        let world = World { fleet: &sim.model, desired: &desired, observed, now: Timestamp::now() };
        let found = plan::astray(&world, &[], &BTreeSet::new());
        found.into_iter().find(|it| it.check == "image")
    };
    for host in observed.hosts.values_mut() {
        host.images.clear();
        host.containers.clear();
    }
    let found = missing(&observed).unwrap();
    assert!(found.what.starts_with("shop/web r1: no host has app"), "{}", found.what);
    // A host that is not seen may have it.
    let blind = wharf::model::Observed::unseen(&sim.model, Timestamp::now());
    let first = blind.hosts.values().next().unwrap().clone();
    observed.hosts.insert(first.name.clone(), first);
    assert_eq!(missing(&observed), None);
    sim.close().await;
}
