//! Many hosts and containers: counted, not timed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use wharf::{
    model::{Assignment, Intent, Place, Proposal, Revision, RevisionNo, ServiceKey, Slot, StackName, StackShared},
    store::Store as _,
};

use super::{
    reconciler::Reconciler,
    support::{Setup, Sim, service},
};

/// Writes the desired state that the hosts' containers were born with.
async fn seed(sim: &Sim) {
    let mut stacks: BTreeMap<StackName, Proposal> = BTreeMap::new();
    for seed in &sim.fleet.world().services {
        let key = ServiceKey { stack: seed.stack.parse().unwrap(), service: seed.service.parse().unwrap() };
        let proposal = stacks.entry(key.stack.clone()).or_insert_with(|| Proposal {
            intent: Intent::Deploy { stack: key.stack.clone() },
            equivalent: "a test".to_owned(),
            base: wharf::model::Generation::default(),
            revisions: Vec::new(),
            assignments: BTreeMap::new(),
            stacks: [(key.stack.clone(), Some(StackShared::default()))].into(),
            hosts: BTreeMap::new(),
            adopted: BTreeMap::new(),
            confirmed: None,
        });
        let newest = u32::try_from(seed.revision).unwrap();
        proposal.revisions.extend((1..=newest).map(|no| Revision {
            service: key.clone(),
            no: RevisionNo(no),
            spec: service(&seed.image, 1),
            image: seed.image.clone(),
            at: Timestamp::now(),
            by: "a test".to_owned(),
            note: "deploy".to_owned(),
            version: no,
            restores: None,
        }));
        let here = |it: &&wharf::sim::PlacedReplica| it.stack == seed.stack && it.service == seed.service;
        for placed in sim.fleet.world().replicas.iter().filter(here) {
            let assignment = proposal
                .assignments
                .entry((key.clone(), placed.region.parse().unwrap()))
                .or_default()
                .get_or_insert_with(Assignment::default);
            let place = Place { host: placed.host.parse().unwrap(), revision: RevisionNo(newest) };
            assignment.slots.insert(Slot(placed.slot), place);
        }
    }
    for mut proposal in stacks.into_values() {
        proposal.base = sim.desired().await.generation;
        sim.store.accept(proposal, "a test".to_owned(), Timestamp::now()).await.unwrap();
    }
}

fn requests(sim: &Sim) -> u64 {
    sim.fleet.hosts().iter().map(|host| host.engine.requests()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_hosts_take_two_hundred_more() {
    let mut setup = Setup::new(60);
    setup.containers = 20;
    let sim = setup.start().await;
    seed(&sim).await;
    let _reconciler = Reconciler::start(&sim, "one");
    let open = || async {
        let query = wharf::store::OperationQuery { open_only: true, ..wharf::store::OperationQuery::default() };
        wharf::store::ReadStore::operations(sim.store.as_ref(), query).await.unwrap()
    };
    for operation in open().await {
        sim.ended(&operation).await;
    }
    assert_eq!(sim.asked("/"), 0, "what is as wanted is left alone");

    let regions = sim.fleet.world().regions().len();
    let now: Vec<usize> = {
        let desired = sim.desired().await;
        let key: ServiceKey = "shop/web".parse().unwrap();
        desired.services[&key].values().map(|it| it.slots.len()).collect()
    };
    assert_eq!(now.len(), regions);
    let to = u32::try_from(now.iter().max().unwrap() + 25).unwrap();
    let more: usize = now.iter().map(|now| usize::try_from(to).unwrap() - now).sum();
    assert!(more >= 200, "{more}");
    let before = requests(&sim);
    let operation = sim.scale("shop/web", to).await;
    sim.converged(&operation).await;
    assert_eq!(sim.asked("/containers/create"), more);
    assert_eq!(sim.asked("/start"), more, "each is started once");
    // A creation is its calls and the looks of the two that watch; nothing grows with the size of the fleet.
    let spent = requests(&sim) - before;
    assert!(spent < 30 * more as u64, "{spent} requests for {more} containers");
    sim.close().await;
}
