use super::*;
use crate::{
    model::{HostIntent, HostName, ReplicaKey, StepProgress, StepState},
    text::Text,
};

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

fn east() -> crate::model::RegionName {
    "east".parse().unwrap()
}

/// Three replicas on h-1.
fn stacked(store: &Fresh) -> Operation {
    let op = accept(&**store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    now(store.report(fence(&**store, "east"), vec![(op.id, part(true))], vec![])).unwrap();
    op
}

/// Empties h-1: slots 1 and 2 go to h-2, the third stays when `rest` says so.
fn drain(base: Generation, rest: bool) -> Proposal {
    let intent = Intent::Host { host: host("h-1"), intent: Some(HostIntent::Draining) };
    let mut proposal = proposal(base, intent);
    proposal.hosts.insert(host("h-1"), Some(HostIntent::Draining));
    let mut after = slots(3, 1);
    for (slot, place) in &mut after.slots {
        if slot.0 < 3 || !rest {
            place.host = host("h-2");
        }
    }
    proposal.assignments.insert((key("shop/web"), east()), Some(after));
    proposal
}

/// Progress in which the first slot has moved.
fn one_moved() -> Progress {
    let step = |slot: u32, state| StepProgress {
        what: Text::new("move"),
        replica: Some(ReplicaKey { region: east(), service: key("shop/web"), slot: Slot(slot) }),
        state,
        detail: Text::default(),
        since: None,
    };
    Progress {
        done: 1,
        total: 2,
        steps: vec![step(1, StepState::Done), step(2, StepState::Running)],
        ..Progress::default()
    }
}

fn hosts_of(store: &Fresh) -> Vec<String> {
    let desired = now(store.desired()).unwrap();
    let assignment = desired.assignment(&key("shop/web"), &east()).unwrap();
    assignment.slots.values().map(|place| place.host.to_string()).collect()
}

fn intent(store: &Fresh) -> Option<HostIntent> {
    now(store.desired()).unwrap().hosts.get(&host("h-1")).copied()
}

#[test]
fn a_drain_ends_with_words_for_whoever_pulls_the_plug() {
    for (rest, words) in [
        (false, "drain h-1: converged; h-1 is empty: safe to switch off"),
        (true, "drain h-1: converged; 1 replica stays on h-1: not safe to switch off"),
    ] {
        let store = fresh();
        let op = stacked(&store);
        let op = accept(&*store, drain(op.generation, rest), "ana", 5).unwrap();
        assert_eq!(intent(&store), Some(HostIntent::Draining));
        now(store.report(fence(&*store, "east"), vec![(op.id, part(true))], vec![])).unwrap();
        assert_eq!(journal(&*store)[0], words);
        assert_eq!(intent(&store), Some(HostIntent::Draining), "until somebody opens it");
    }
}

#[test]
fn an_empty_host_is_safe_at_once() {
    let store = fresh();
    let mut proposal = drain(Generation(0), false);
    proposal.assignments.clear();
    let op = accept(&*store, proposal, "ana", 0).unwrap();
    assert_eq!(op.state.word(), "converged");
    assert_eq!(journal(&*store)[0], "done at once: drain h-1, by ana; h-1 is empty: safe to switch off");
}

#[test]
fn aborted_what_has_moved_stays_and_the_host_is_cordoned() {
    let store = fresh();
    let op = stacked(&store);
    let op = accept(&*store, drain(op.generation, false), "ana", 5).unwrap();
    now(store.report(fence(&*store, "east"), vec![(op.id, one_moved())], vec![])).unwrap();
    now(store.abort(op.id, "ben".into(), at(9))).unwrap();
    assert_eq!(hosts_of(&store), ["h-2", "h-1", "h-1"]);
    assert_eq!(intent(&store), Some(HostIntent::Cordoned));
    assert_eq!(
        journal(&*store)[0],
        "drain h-1: aborted by ben; put back: shop/web in east (3 → 3 replicas); h-1 stays cordoned"
    );
}

#[test]
fn failed_it_rolls_back_what_has_not_moved() {
    let store = fresh();
    let op = stacked(&store);
    let op = accept(&*store, drain(op.generation, false), "ana", 5).unwrap();
    let east = fence(&*store, "east");
    now(store.report(east.clone(), vec![(op.id, one_moved())], vec![])).unwrap();
    let op = now(store.roll_back(east.clone(), op.id, "h-2: no".into(), at(9))).unwrap();
    assert_eq!(op.state.word(), "rolling back");
    assert_eq!(
        (hosts_of(&store), intent(&store)),
        (vec!["h-2".into(), "h-1".into(), "h-1".into()], Some(HostIntent::Cordoned))
    );
    now(store.report(east, vec![(op.id, part(true))], vec![])).unwrap();
    assert_eq!(operation(&*store, op.id).state.word(), "rolled back");
    assert_eq!(journal(&*store)[0], "drain h-1: rolled back: h-2: no");
}

#[test]
fn a_host_that_somebody_opened_since_stays_open() {
    let store = fresh();
    let op = stacked(&store);
    let op = accept(&*store, drain(op.generation, false), "ana", 5).unwrap();
    let mut open = proposal(generation(&*store), Intent::Host { host: host("h-1"), intent: None });
    open.hosts.insert(host("h-1"), None);
    accept(&*store, open, "ben", 6).unwrap();
    now(store.abort(op.id, "ana".into(), at(9))).unwrap();
    assert_eq!(intent(&store), None);
    assert_eq!(hosts_of(&store), ["h-1", "h-1", "h-1"]);
}
