use super::*;
use crate::{
    model::{ContainerId, OperationState, Paused, ReplicaKey, ReplicaOf, StepProgress, StepState},
    store::{JournalQuery, OperationQuery},
};

fn both() -> [(&'static str, &'static str, u32); 2] {
    [("shop/web", "east", 3), ("shop/web", "west", 2)]
}

#[test]
fn converged_when_every_region_has_finished() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &both()), "ana", 0).unwrap();
    let (east, west) = (fence(&*store, "east"), fence(&*store, "west"));
    now(store.report(east.clone(), vec![(op.id, part(false))], vec![entry("pulling")])).unwrap();
    assert_eq!(operation(&*store, op.id).state, OperationState::Running);
    assert_eq!(operation(&*store, op.id).done_of_total(), (0, 1));
    now(store.report(east, vec![(op.id, part(true))], vec![])).unwrap();
    assert_eq!(operation(&*store, op.id).state, OperationState::Running);
    now(store.report(west, vec![(op.id, part(true))], vec![])).unwrap();
    assert_eq!(operation(&*store, op.id).state.word(), "converged");
    let lines = now(store.journal(JournalQuery { command: Some(op.id), ..Default::default() })).unwrap();
    let words: Vec<&str> = lines.iter().map(|line| line.what.as_str()).collect();
    assert_eq!(words, ["deploy shop: converged", "accepted: deploy shop, by ana"]);
    assert!(journal(&*store).contains(&"pulling".to_owned()));
}

#[test]
fn a_region_reports_for_itself_only() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let west = fence(&*store, "west");
    now(store.report(west, vec![(op.id, part(true))], vec![])).unwrap();
    assert_eq!(operation(&*store, op.id).state, OperationState::Accepted);
}

#[test]
fn a_report_of_nothing_new_writes_nothing() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let east = fence(&*store, "east");
    now(store.report(east.clone(), vec![(op.id, part(false))], vec![])).unwrap();
    let version = now(store.version()).unwrap();
    now(store.report(east, vec![(op.id, part(false))], vec![])).unwrap();
    assert_eq!(now(store.version()).unwrap(), version);
}

#[test]
fn failing_puts_back_what_was_before() {
    let store = fresh();
    let first = accept(&*store, deploy(Generation(0), 1, &both()), "ana", 0).unwrap();
    let (east, west) = (fence(&*store, "east"), fence(&*store, "west"));
    now(store.report(east.clone(), vec![(first.id, part(true))], vec![])).unwrap();
    now(store.report(west, vec![(first.id, part(true))], vec![])).unwrap();
    let bigger = [("shop/web", "east", 6), ("shop/web", "west", 4), ("shop/new", "west", 1)];
    let mut second = deploy(first.generation, 2, &bigger);
    second.revisions[1].no = RevisionNo(1);
    second.assignments.insert((key("shop/new"), "west".parse().unwrap()), Some(slots(1, 1)));
    let second = accept(&*store, second, "ana", 10).unwrap();

    let failed = now(store.fail(east, second.id, "h-1: no such image".into(), at(20))).unwrap();
    assert_eq!(failed.state, OperationState::Failed { at: at(20), reason: "h-1: no such image".into() });
    assert_eq!(operation(&*store, second.id), failed);
    let desired = now(store.desired()).unwrap();
    assert_eq!(wanted(&desired, "shop/web", "east"), Some(3));
    assert_eq!(wanted(&desired, "shop/web", "west"), Some(2), "in all its regions");
    assert_eq!(wanted(&desired, "shop/new", "west"), None);
    let back = desired.assignment(&key("shop/web"), &"east".parse().unwrap()).unwrap();
    assert_eq!(back.slots[&Slot(1)].revision, RevisionNo(1));
    assert_eq!(back.generation, desired.generation);
    assert!(desired.generation > second.generation);
    assert_eq!(
        journal(&*store)[0],
        "deploy shop: failed: h-1: no such image; put back: shop/new in west (1 → 0 replicas), shop/web in east (6 → 3 replicas), \
         shop/web in west (4 → 2 replicas)"
    );
    // A plan from before the failure is refused.
    let refused = accept(&*store, scale(second.generation, "shop/web", "east", 6, 7, 2), "bo", 25).unwrap_err();
    assert!(
        refused.to_string().starts_with("shop/web in east was put back to what it was by the reconciler 5s ago"),
        "{refused}"
    );
}

/// Its containers drain, and are reached by what the stack shares until they are gone.
#[test]
fn a_first_deploy_that_rolls_back_keeps_what_it_shares_to_the_end() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let east = fence(&*store, "east");
    now(store.roll_back(east.clone(), op.id, "sick".into(), at(1))).unwrap();
    assert_eq!(now(store.desired()).unwrap().stacks.len(), 1);
    now(store.report(east, vec![(op.id, part(true))], vec![])).unwrap();
    assert_eq!(operation(&*store, op.id).state.word(), "rolled back");
    assert!(now(store.desired()).unwrap().stacks.is_empty());
}

#[test]
fn a_failed_first_deploy_leaves_no_empty_stack() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &both()), "ana", 0).unwrap();
    now(store.fail(fence(&*store, "east"), op.id, "no".into(), at(1))).unwrap();
    let desired = now(store.desired()).unwrap();
    assert!(desired.services.is_empty());
    assert!(desired.stacks.is_empty());
    assert!(desired.revision(&key("shop/web"), RevisionNo(1)).is_some(), "revisions are never taken back");
}

#[test]
fn failing_twice_is_failing_once() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &both()), "ana", 0).unwrap();
    let east = fence(&*store, "east");
    now(store.fail(east.clone(), op.id, "first".into(), at(1))).unwrap();
    let after = generation(&*store);
    let again = now(store.fail(east.clone(), op.id, "second".into(), at(2))).unwrap();
    assert_eq!(again.state, OperationState::Failed { at: at(1), reason: "first".into() });
    assert_eq!(generation(&*store), after);
    assert!(matches!(now(store.abort(op.id, "bo".into(), at(3))), Err(StoreError::Final { word: "failed", .. })));
    let nobody = CommandId(uuid::Uuid::nil());
    assert!(matches!(now(store.fail(east, nobody, "x".into(), at(3))), Err(StoreError::NoOperation { .. })));
}

#[test]
fn an_operator_aborts() {
    let store = fresh();
    let first = accept(&*store, deploy(Generation(0), 1, &both()), "ana", 0).unwrap();
    let second = accept(&*store, scale(first.generation, "shop/web", "east", 3, 9, 1), "ana", 1).unwrap();
    let aborted = now(store.abort(second.id, "bo@bastion".into(), at(2))).unwrap();
    assert_eq!(aborted.state, OperationState::Aborted { at: at(2), by: "bo@bastion".into() });
    assert_eq!(wanted(&now(store.desired()).unwrap(), "shop/web", "east"), Some(3));
    assert_eq!(
        journal(&*store)[0],
        "scale shop/web east 3 → 9: aborted by bo@bastion; put back: shop/web in east (9 → 3 replicas)"
    );
    let open = now(store.operations(OperationQuery { open_only: true, ..Default::default() })).unwrap();
    assert_eq!(open.len(), 1, "the deploy still waits for west");
}

#[test]
fn a_paused_operation_neither_fails_nor_ends_twice() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &both()), "ana", 0).unwrap();
    let pause = |seconds, why: &str| Paused { at: at(seconds), by: "bo@bastion".into(), why: why.into() };
    let paused = now(store.pause(op.id, pause(1, ""))).unwrap();
    assert_eq!((paused.paused.clone(), paused.word()), (Some(pause(1, "")), "paused"));
    assert_eq!(paused.state.word(), "accepted");
    // Who pauses twice changes nothing, and neither does a reconciler that has not seen it yet.
    assert_eq!(now(store.pause(op.id, pause(2, "again"))).unwrap().paused, Some(pause(1, "")));
    let east = fence(&*store, "east");
    for given_up in [
        now(store.fail(east.clone(), op.id, "no".into(), at(3))).unwrap(),
        now(store.roll_back(east.clone(), op.id, "no".into(), at(3))).unwrap(),
        now(store.leave(east.clone(), op.id, "no".into(), at(3))).unwrap(),
    ] {
        assert_eq!(given_up, paused);
    }
    let resumed = now(store.resume(op.id, "ana@bastion".into(), at(600))).unwrap();
    assert_eq!((resumed.paused.clone(), resumed.since(), resumed.began()), (None, at(600), at(0)));
    assert_eq!(now(store.resume(op.id, "ana@bastion".into(), at(700))).unwrap(), resumed);
    assert_eq!(
        journal(&*store)[..2],
        ["deploy shop: resumed by ana@bastion".to_owned(), "deploy shop: paused by bo@bastion".to_owned()]
    );
    now(store.pause(op.id, pause(701, "web.1 dies"))).unwrap();
    let lines = now(store.journal(JournalQuery::default())).unwrap();
    assert!(lines[0].is_error && lines[0].what.as_str().ends_with("paused by bo@bastion: web.1 dies"), "{lines:?}");
    let aborted = now(store.abort(op.id, "ana".into(), at(702))).unwrap();
    assert_eq!((aborted.word(), aborted.paused), ("aborted", None));
    assert!(matches!(now(store.pause(op.id, pause(703, ""))), Err(StoreError::Final { word: "aborted", .. })));
    assert!(matches!(now(store.resume(op.id, "bo".into(), at(704))), Err(StoreError::Final { word: "aborted", .. })));
}

#[test]
fn what_is_left_stays_wanted() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let left = now(store.leave(fence(&*store, "east"), op.id, "web.2 dies".into(), at(1))).unwrap();
    assert_eq!(left.state, OperationState::Failed { at: at(1), reason: "web.2 dies".into() });
    assert_eq!(wanted(&now(store.desired()).unwrap(), "shop/web", "east"), Some(3));
    assert_eq!(journal(&*store)[0], "deploy shop: failed: web.2 dies; what was asked for stays wanted");
}

#[test]
fn a_slot_moves() {
    let store = fresh();
    let first = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let second = accept(&*store, scale(first.generation, "shop/web", "east", 3, 4, 1), "ana", 1).unwrap();
    let east = fence(&*store, "east");
    let replica = |slot| ReplicaKey { region: "east".parse().unwrap(), service: key("shop/web"), slot: Slot(slot) };
    let place = |no| Place { host: "h-2".parse().unwrap(), revision: RevisionNo(no) };
    let moved = |slot, no| now(store.replace(east.clone(), replica(slot), place(no), "h-1 is down".into())).unwrap();
    assert!(moved(2, 1));
    let desired = now(store.desired()).unwrap();
    let assignment = desired.assignment(&key("shop/web"), &"east".parse().unwrap()).unwrap();
    assert_eq!(assignment.slots[&Slot(2)], place(1));
    assert_eq!(assignment.generation, desired.generation);
    assert_eq!(journal(&*store)[0], "shop/web.2 moves from h-1 to h-2: h-1 is down");

    // Stale wishes are refused without words; equal ones change nothing.
    assert!(!moved(9, 1));
    assert!(!moved(2, 2));
    assert!(moved(2, 1));
    assert_eq!(generation(&*store), desired.generation);
    let words = accept(&*store, scale(second.generation, "shop/web", "east", 4, 5, 1), "bo", 5).unwrap_err();
    assert!(words.to_string().contains("was changed (slot 2 moved from h-1 to h-2) by the reconciler"), "{words}");

    // The open operation wants the new place now, and going back does not go back to the dead host.
    let open = operation(&*store, second.id);
    assert_eq!(open.after[&key("shop/web")].values().flatten().next().unwrap(), assignment);
    now(store.fail(east.clone(), second.id, "no".into(), at(9))).unwrap();
    let desired = now(store.desired()).unwrap();
    let assignment = desired.assignment(&key("shop/web"), &"east".parse().unwrap()).unwrap();
    assert_eq!(assignment.slots.len(), 3);
    assert_eq!(assignment.slots[&Slot(2)], place(1));

    let mut west = replica(1);
    west.region = "west".parse().unwrap();
    assert!(matches!(now(store.replace(east, west, place(1), "".into())), Err(StoreError::Invalid(_))));
}

#[test]
fn rolling_back_stays_open_until_it_is_seen() {
    let store = fresh();
    let first = accept(&*store, deploy(Generation(0), 1, &both()), "ana", 0).unwrap();
    let (east, west) = (fence(&*store, "east"), fence(&*store, "west"));
    for region in [&east, &west] {
        now(store.report(region.clone(), vec![(first.id, part(true))], vec![])).unwrap();
    }
    let bigger = [("shop/web", "east", 6), ("shop/web", "west", 4)];
    let second = accept(&*store, deploy(first.generation, 2, &bigger), "ana", 10).unwrap();
    now(store.report(west.clone(), vec![(second.id, part(true))], vec![])).unwrap();

    let back = now(store.roll_back(east.clone(), second.id, "it dies".into(), at(20))).unwrap();
    assert_eq!(back.state, OperationState::RollingBack { at: at(20), reason: "it dies".into() });
    assert!(!back.state.is_final());
    assert_eq!(back.since(), at(20));
    // Its books are turned round, and what was reported counts no more.
    assert_eq!((&back.before[&key("shop/web")].len(), &back.after[&key("shop/web")].len()), (&2, &2));
    let region: crate::model::RegionName = "east".parse().unwrap();
    let slots = |book: &std::collections::BTreeMap<
        _,
        std::collections::BTreeMap<_, Option<crate::model::Assignment>>,
    >| { book[&key("shop/web")][&region].as_ref().map(|assignment| assignment.slots.len()) };
    assert_eq!((slots(&back.before), slots(&back.after)), (Some(6), Some(3)));
    assert!(back.progress.values().all(|part| !part.finished));
    assert_eq!(wanted(&now(store.desired()).unwrap(), "shop/web", "west"), Some(2));
    // Once is enough.
    let again = now(store.roll_back(west.clone(), second.id, "late".into(), at(21))).unwrap();
    assert_eq!(again.state, back.state);

    now(store.report(east.clone(), vec![(second.id, part(true))], vec![])).unwrap();
    assert_eq!(operation(&*store, second.id).state, back.state, "west has not finished");
    now(store.report(west, vec![(second.id, part(true))], vec![])).unwrap();
    assert!(
        matches!(operation(&*store, second.id).state, OperationState::RolledBack { reason, .. } if reason.as_str() == "it dies")
    );
    let open = now(store.operations(OperationQuery { open_only: true, ..Default::default() })).unwrap();
    assert!(open.is_empty());
}

#[test]
fn rolling_back_may_fail_or_be_aborted() {
    let store = fresh();
    let first = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let east = fence(&*store, "east");
    now(store.report(east.clone(), vec![(first.id, part(true))], vec![])).unwrap();
    for end in ["fail", "abort"] {
        let base = now(store.desired()).unwrap().generation;
        let second = accept(&*store, scale(base, "shop/web", "east", 3, 6, 1), "ana", 10).unwrap();
        now(store.roll_back(east.clone(), second.id, "it dies".into(), at(20))).unwrap();
        let ended = match end {
            "fail" => now(store.fail(east.clone(), second.id, "so does the old one".into(), at(30))).unwrap(),
            _ => now(store.abort(second.id, "bo".into(), at(30))).unwrap(),
        };
        match (end, &ended.state) {
            ("fail", OperationState::Failed { reason, .. }) => {
                assert_eq!(reason.as_str(), "it dies; and rolling back does not succeed: so does the old one");
            }
            ("abort", OperationState::Aborted { .. }) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(wanted(&now(store.desired()).unwrap(), "shop/web", "east"), Some(3), "{end}: put back once");
    }
}

#[test]
fn what_was_adopted_is_let_go_when_that_is_put_back() {
    let store = fresh();
    let adopting = |base| {
        let mut proposal = deploy(base, 1, &[("shop/web", "east", 2)]);
        proposal.intent = Intent::Adopt { stack: "shop".parse().unwrap() };
        let of = |slot| ReplicaOf {
            key: ReplicaKey { region: "east".parse().unwrap(), service: key("shop/web"), slot: Slot(slot) },
            revision: RevisionNo(1),
            round: 0,
        };
        let ids = [("aa", of(1)), ("bb", of(2))].map(|(id, of)| (ContainerId(id.into()), of));
        proposal.adopted.insert("h-1".parse().unwrap(), ids.into());
        proposal
    };
    let adopted = || now(store.desired()).unwrap().adopted.clone();
    for end in ["abort", "fail", "roll back"] {
        let mut proposal = adopting(generation(&*store));
        let next = now(store.desired()).unwrap().latest(&key("shop/web")).map_or(0, |last| last.no.0) + 1;
        proposal.revisions[0].no = RevisionNo(next);
        let op = accept(&*store, proposal.clone(), "ana", 0).unwrap();
        assert_eq!(adopted(), proposal.adopted, "{end}");
        assert_eq!(now(Sqlite::open_read_only(store.path()).unwrap().desired()).unwrap().adopted, proposal.adopted);
        match end {
            "abort" => drop(now(store.abort(op.id, "bo".into(), at(1))).unwrap()),
            "fail" => drop(now(store.fail(fence(&*store, "east"), op.id, "no".into(), at(1))).unwrap()),
            _ => drop(now(store.roll_back(fence(&*store, "east"), op.id, "no".into(), at(1))).unwrap()),
        }
        assert!(adopted().is_empty(), "{end}");
    }
    // What somebody else decides by then stays adopted.
    let mut proposal = adopting(generation(&*store));
    proposal.revisions[0].no = RevisionNo(4);
    let op = accept(&*store, proposal.clone(), "ana", 2).unwrap();
    let later = accept(&*store, scale(op.generation, "shop/web", "east", 2, 3, 1), "bo", 3).unwrap();
    now(store.abort(later.id, "bo".into(), at(4))).unwrap();
    assert_eq!(adopted(), proposal.adopted);
}

/// A revision that an open operation brings has proved nothing: who takes over from it takes over the rest of its work, and
/// goes back further when that fails.
#[test]
fn failing_puts_back_what_had_proved_itself() {
    let store = fresh();
    let first = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let east = fence(&*store, "east");
    now(store.report(east.clone(), vec![(first.id, part(true))], vec![])).unwrap();
    let bad = accept(&*store, deploy(first.generation, 2, &[("shop/web", "east", 3)]), "ana", 10).unwrap();
    let more = accept(&*store, scale(bad.generation, "shop/web", "east", 3, 5, 2), "ana", 20).unwrap();
    assert_eq!(operation(&*store, bad.id).state.word(), "superseded");
    let before = more.before[&key("shop/web")].values().flatten().next().unwrap();
    assert!(before.slots.values().all(|place| place.revision == RevisionNo(1)), "{before:?}");
    now(store.fail(east, more.id, "h-1: no such image".into(), at(30))).unwrap();
    let desired = now(store.desired()).unwrap();
    assert_eq!(wanted(&desired, "shop/web", "east"), Some(3));
    let back = desired.assignment(&key("shop/web"), &"east".parse().unwrap()).unwrap();
    assert!(back.slots.values().all(|place| place.revision == RevisionNo(1)), "{back:?}");
}

/// What is numbers alone, and works, is kept by who takes over.
#[test]
fn failing_keeps_the_numbers_of_a_scale_that_was_taken_over() {
    let store = fresh();
    let first = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let east = fence(&*store, "east");
    now(store.report(east.clone(), vec![(first.id, part(true))], vec![])).unwrap();
    let more = accept(&*store, scale(first.generation, "shop/web", "east", 3, 6, 1), "ana", 10).unwrap();
    let bad = accept(&*store, deploy(more.generation, 2, &[("shop/web", "east", 6)]), "ana", 20).unwrap();
    now(store.fail(east, bad.id, "h-1: no such image".into(), at(30))).unwrap();
    let desired = now(store.desired()).unwrap();
    assert_eq!(wanted(&desired, "shop/web", "east"), Some(6));
    let back = desired.assignment(&key("shop/web"), &"east".parse().unwrap()).unwrap();
    assert!(back.slots.values().all(|place| place.revision == RevisionNo(1)), "{back:?}");
}

/// What was taken over before it had ended, and went away with it, is no better than what works now.
#[test]
fn failing_does_not_go_back_to_what_never_proved_itself() {
    let store = fresh();
    // The stack's second service keeps the first command open when the first service is taken from it.
    let both = [("shop/web", "east", 3), ("shop/api", "east", 1)];
    let bad = accept(&*store, deploy(Generation(0), 1, &both), "ana", 0).unwrap();
    let east = fence(&*store, "east");
    let good = accept(&*store, deploy(bad.generation, 2, &[("shop/web", "east", 3)]), "ben", 10).unwrap();
    let replica = ReplicaKey { region: "east".parse().unwrap(), service: key("shop/web"), slot: Slot(1) };
    let step = StepProgress {
        what: "start shop/web.1 on h-1".into(),
        replica: Some(replica),
        state: StepState::Done,
        detail: "healthy".into(),
        since: None,
    };
    let watched = Progress { steps: vec![step], ..part(false) };
    now(store.report(east.clone(), vec![(bad.id, part(true)), (good.id, watched)], vec![])).unwrap();
    assert_eq!(operation(&*store, bad.id).state.word(), "converged");
    let missing = accept(&*store, deploy(good.generation, 3, &[("shop/web", "east", 3)]), "ana", 20).unwrap();
    now(store.fail(east, missing.id, "h-1: no such image".into(), at(30))).unwrap();
    let desired = now(store.desired()).unwrap();
    let back = desired.assignment(&key("shop/web"), &"east".parse().unwrap()).unwrap();
    assert!(back.slots.values().all(|place| place.revision == RevisionNo(2)), "{back:?}");
}
