use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    model::{OperationState, Paused, ReplicaKey},
    store::{JournalQuery, OperationQuery},
    text::Text,
};

/// Something that someone does. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Deed {
    Deploy { services: BTreeSet<usize>, count: u32 },
    Scale { service: usize, region: usize, count: u32, stale: bool },
    Report { operation: usize, region: usize, finished: bool },
    Fail { operation: usize },
    Abort { operation: usize },
    Pause { operation: usize },
    Resume { operation: usize },
    Replace { service: usize, region: usize, slot: u32, host: usize },
}

const SERVICES: [&str; 3] = ["shop/web", "shop/db", "blog/web"];
const REGIONS: [&str; 2] = ["east", "west"];

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => (proptest::collection::btree_set(0..3_usize, 1..3), 1..4_u32)
            .prop_map(|(services, count)| Deed::Deploy { services, count }),
        3 => (0..3_usize, 0..2_usize, 0..6_u32, any::<bool>())
            .prop_map(|(service, region, count, stale)| Deed::Scale { service, region, count, stale }),
        4 => (0..8_usize, 0..2_usize, any::<bool>())
            .prop_map(|(operation, region, finished)| Deed::Report { operation, region, finished }),
        1 => (0..8_usize).prop_map(|operation| Deed::Fail { operation }),
        1 => (0..8_usize).prop_map(|operation| Deed::Abort { operation }),
        1 => (0..8_usize).prop_map(|operation| Deed::Pause { operation }),
        1 => (0..8_usize).prop_map(|operation| Deed::Resume { operation }),
        1 => (0..3_usize, 0..2_usize, 1..4_u32, 0..3_usize)
            .prop_map(|(service, region, slot, host)| Deed::Replace { service, region, slot, host }),
    ]
}

fn all(store: &Sqlite) -> Vec<Operation> {
    now(store.operations(OperationQuery { limit: 1000, ..Default::default() })).unwrap()
}

/// Does it; refusals are fine, failures are not.
fn act(store: &Sqlite, fences: &[Fence], deed: &Deed) {
    let desired = now(store.desired()).unwrap();
    let pick = |n: usize| all(store).get(n).map(|op| op.id);
    let done = match deed {
        Deed::Deploy { services, count } => {
            let mut proposal = proposal(desired.generation, Intent::Deploy { stack: "shop".parse().unwrap() });
            for service in services.iter().map(|n| SERVICES[*n]) {
                let no = desired.latest(&key(service)).map_or(0, |last| last.no.0) + 1;
                proposal.revisions.push(revision(service, no));
                for region in REGIONS {
                    proposal.assignments.insert((key(service), region.parse().unwrap()), Some(slots(*count, no)));
                }
                proposal.stacks.insert(key(service).stack, Some(StackShared::default()));
            }
            now(store.accept(proposal, "ana".to_owned(), at(0))).map(drop)
        }
        Deed::Scale { service, region, count, stale } => {
            let service = SERVICES[*service];
            let no = desired.latest(&key(service)).map_or(1, |last| last.no.0);
            let base = if *stale { Generation(desired.generation.0.saturating_sub(2)) } else { desired.generation };
            now(store.accept(scale(base, service, REGIONS[*region], 0, *count, no), "bo".to_owned(), at(0))).map(drop)
        }
        Deed::Report { operation, region, finished } => pick(*operation)
            .map_or(Ok(()), |id| now(store.report(fences[*region].clone(), vec![(id, part(*finished))], vec![]))),
        Deed::Fail { operation } => {
            pick(*operation).map_or(Ok(()), |id| now(store.fail(fences[0].clone(), id, "no".into(), at(0))).map(drop))
        }
        Deed::Abort { operation } => {
            pick(*operation).map_or(Ok(()), |id| now(store.abort(id, "bo".into(), at(0))).map(drop))
        }
        Deed::Pause { operation } => {
            let paused = Paused { at: at(0), by: "bo".into(), why: Text::default() };
            pick(*operation).map_or(Ok(()), |id| now(store.pause(id, paused)).map(drop))
        }
        Deed::Resume { operation } => {
            pick(*operation).map_or(Ok(()), |id| now(store.resume(id, "bo".into(), at(0))).map(drop))
        }
        Deed::Replace { service, region, slot, host } => {
            let (service, region) = (key(SERVICES[*service]), REGIONS[*region].parse().unwrap());
            let revision = desired.latest(&service).map_or(RevisionNo(1), |last| last.no);
            let place = Place { host: format!("h-{host}").parse().unwrap(), revision };
            let fence = fences.iter().find(|fence| fence.region == region).unwrap().clone();
            let replica = ReplicaKey { region, service, slot: Slot(*slot) };
            now(store.replace(fence, replica, place, "down".into())).map(drop)
        }
    };
    match done {
        Ok(()) | Err(StoreError::Conflict(_) | StoreError::Invalid(_) | StoreError::Final { .. }) => {}
        Err(other) => panic!("{deed:?}: {other}"),
    }
}

/// What must hold after every deed, given the states seen so far.
fn check(store: &Sqlite, last: &mut Generation, finals: &mut BTreeMap<CommandId, OperationState>) {
    let desired = now(store.desired()).unwrap();
    assert!(desired.generation >= *last, "generations only grow");
    *last = desired.generation;
    let mut decided = BTreeSet::new();
    for op in all(store) {
        if op.state.is_final() {
            let state = finals.entry(op.id).or_insert_with(|| op.state.clone());
            assert_eq!(*state, op.state, "a final state is final");
            assert!(op.paused.is_none(), "what is over does not stand still");
            continue;
        }
        assert!(!finals.contains_key(&op.id));
        assert!(!op.after.is_empty(), "an open operation wants something");
        assert_eq!(op.progress.keys().cloned().collect::<BTreeSet<_>>(), op.regions());
        assert!(op.progress.values().any(|part| !part.finished), "what has finished is final");
        for (service, regions) in &op.after {
            for (region, wanted) in regions {
                assert!(decided.insert((service.clone(), region.clone())), "one open operation decides {service}");
                assert_eq!(desired.assignment(service, region), wanted.as_ref(), "what it wants shall be");
            }
        }
    }
    for (service, regions) in &desired.services {
        for assignment in regions.values() {
            assert!(assignment.generation <= desired.generation);
            for place in assignment.slots.values() {
                assert!(desired.revision(service, place.revision).is_some(), "every wanted revision is there");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_operation_ends_exactly_once(deeds in proptest::collection::vec(deed(), 1..40)) {
        let store = fresh();
        let fences: Vec<Fence> = REGIONS.iter().map(|region| fence(&*store, region)).collect();
        let (mut last, mut finals) = (Generation(0), BTreeMap::new());
        for deed in &deeds {
            act(&store, &fences, deed);
            check(&store, &mut last, &mut finals);
        }
        for open in all(&store).into_iter().filter(|op| !op.state.is_final()) {
            // One that is paused is not given up.
            let given_up = now(store.fail(fences[0].clone(), open.id, "the end".into(), at(0))).unwrap();
            prop_assert_eq!(given_up.state.is_final(), open.paused.is_none());
            now(store.resume(open.id, "bo".into(), at(0))).ok();
            now(store.fail(fences[0].clone(), open.id, "the end".into(), at(0))).unwrap();
            check(&store, &mut last, &mut finals);
        }
        for op in all(&store) {
            prop_assert!(op.state.is_final());
            let lines = now(store.journal(JournalQuery { command: Some(op.id), ..Default::default() })).unwrap();
            let ends = lines.iter().filter(|line| line.what.as_str().contains(&format!(": {}", op.state.word()))).count();
            prop_assert_eq!(ends, 1, "{:?}", lines);
        }
    }
}
