//! What is not as it shall be while nobody is at it: found, with what mends it.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use wharf::{
    model::{ContainerId, Holding, HostName, Life, ProxyView},
    plan::{self, Astray, World},
    store::{OperationQuery, ReadStore as _},
};

use super::{
    reconciler::Reconciler,
    support::{Setup, Sim, others, run, service, stack},
    traffic,
};

/// Leases as the store tells them.
fn holdings(sim: &Sim) -> Vec<Holding> {
    wharf::store::holdings(&sim.model.store).unwrap()
}

async fn astray(sim: &Sim, holdings: &[Holding]) -> Vec<Astray> {
    astray_at(sim, holdings, Timestamp::now()).await
}

async fn astray_at(sim: &Sim, holdings: &[Holding], now: Timestamp) -> Vec<Astray> {
    let (desired, observed) = (sim.desired().await, sim.eyes.look());
    let open = OperationQuery { open_only: true, ..OperationQuery::default() };
    let open = sim.store.operations(open).await.unwrap();
    let world = World { fleet: &sim.model, desired: &desired, observed: &observed, now };
    plan::astray(&world, &open, holdings)
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
    let somebody = Reconciler::start(&sim, "two");
    sim.until("somebody is at it", || holdings(&sim).iter().any(Holding::is_held)).await;
    let checks: Vec<&str> = astray(&sim, &holdings(&sim)).await.iter().map(|it| it.check).collect();
    assert!(!checks.contains(&"lease"), "{checks:?}");
    somebody.stop().await;
    assert_eq!(holdings(&sim), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_was_not_given_back_is_told_with_what_waits_for_it() {
    let sim = Setup::new(1).start().await;
    let lease = |life, left: u64, heard: Option<u64>| {
        let (region, holder) = ("east".parse().unwrap(), "ana@bastion:4711".into());
        let (left, heard) = (Duration::from_secs(left), heard.map(Duration::from_secs));
        vec![Holding { region, holder, heard, left, life }]
    };
    let idle = [
        (Life::Lives, 9, Some(6), None),
        (Life::Unknown, 9, Some(6), None),
        (Life::Lives, 0, Some(200), Some("holds east and lives, but hangs: last heard of 3m 20s ago")),
        (Life::Ended, 9, Some(6), Some("held east and ended without giving it back: last heard of 6.0 s ago")),
        (Life::Gone, 9, Some(6), Some("held east and ended without giving it back: last heard of 6.0 s ago")),
        (Life::Unknown, 0, Some(4000), Some("held east and did not give it back: last heard of 1h 6m ago")),
        (
            Life::Unknown,
            0,
            None,
            Some("held east and did not give it back: not heard of since this machine was booted"),
        ),
    ];
    for (life, left, heard, wanted) in idle {
        let found = astray(&sim, &lease(life, left, heard)).await;
        let Some(wanted) = wanted else {
            assert_eq!(found, [], "{life:?} {left}");
            continue;
        };
        assert_eq!((found.len(), found[0].check), (1, "lease"), "{found:?}");
        let words = "nothing waits for it now, but nobody looks after its replicas";
        assert_eq!(found[0].what, format!("ana@bastion:4711 {wanted}; {words}"), "{life:?} {left}");
    }
    // Now something does wait, and what mends it says when.
    sim.deploy(&stack("shop", [("web", service("app:1", 2))])).await;
    let now = "2026-05-01T12:00:00Z".parse().unwrap();
    let of = async |life| {
        let found = astray_at(&sim, &lease(life, 9, Some(6)), now).await;
        found.into_iter().find(|it| it.check == "lease").unwrap()
    };
    let ended = of(Life::Ended).await;
    assert!(ended.what.contains("; waiting for it: deploy shop (op "), "{}", ended.what);
    assert_eq!(ended.mend, "wharf reconcile --until-idle --region east takes over at once");
    // No sign tells others that it is gone: they have to let its time run out.
    let gone = of(Life::Gone).await;
    assert_eq!(gone.mend, "wharf reconcile --until-idle --region east, which takes over at 12:00:09 UTC");
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_out_of_step_is_told_with_what_it_says() {
    let sim = Setup::new(1).start().await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&traffic::shop("app:1", 2, 1)).await;
    sim.converged(&operation).await;
    reconciler.stop().await;
    let (desired, mut observed, now) = (sim.desired().await, sim.eyes.look(), Timestamp::now());
    let world = World { fleet: &sim.model, desired: &desired, observed: &observed, now };
    let wanted = plan::next(&world, &"east".parse().unwrap(), &plan::Memory::default(), &[]).proxies;
    let well = ProxyView {
        container: ContainerId("p".into()),
        image: sim.model.proxy_image.as_str().into(),
        structure: wanted[&HostName::new("east-1").unwrap()].structure.digest().as_str().into(),
        leaving: 0,
        at: now,
        backends: BTreeMap::new(),
        problem: "".into(),
    };
    let ago = |seconds| now - jiff::SignedDuration::from_secs(seconds);
    let cases = [
        (Some(well.clone()), None),
        (Some(ProxyView { at: ago(14), ..well.clone() }), None),
        (None, Some("it should have a proxy, and none answers")),
        (Some(ProxyView { problem: "port 80 is taken".into(), ..well.clone() }), Some("port 80 is taken")),
        (Some(ProxyView { at: ago(20), ..well.clone() }), Some("its proxy has said nothing for 20.0 s")),
        (Some(ProxyView { structure: "0".into(), ..well }), Some("its proxy has not loaded what it shall be")),
    ];
    let open = [sim.operation(operation.id).await];
    for (proxy, said) in cases {
        observed.hosts.values_mut().for_each(|host| host.proxy.clone_from(&proxy));
        let world = World { fleet: &sim.model, desired: &desired, observed: &observed, now };
        let found = plan::astray(&world, &[], &[]);
        let told: Vec<_> = found.iter().map(|it| (it.check, it.what.as_str(), it.mend.as_str())).collect();
        let wanted = said.map(|said| ("proxy", said, "wharf reconcile --until-idle --region east"));
        assert_eq!(told, wanted.into_iter().collect::<Vec<_>>());
        let meanwhile = plan::astray(&world, &open, &[]);
        assert!(meanwhile.iter().all(|it| it.check != "proxy"), "its operation tells of it: {meanwhile:?}");
    }
    sim.close().await;
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
        let found = plan::astray(&world, &[], &[]);
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
