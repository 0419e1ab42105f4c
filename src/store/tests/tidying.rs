use std::time::Duration;

use super::*;
use crate::store::{JournalQuery, OperationQuery, Options, Retention, retention};

/// A store that keeps little.
fn small() -> (Sqlite, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention {
        revisions: 3,
        journal: Duration::from_secs(3600),
        journal_rows: 20,
        operations: 5,
        ..Retention::default()
    };
    let store = Sqlite::open_with(dir.path().join("fleet.db"), Options { retention, ..Options::default() }).unwrap();
    (store, dir)
}

/// Writes until it has been tidied for sure.
fn tidy(store: &Sqlite) {
    for _ in 0..retention::EVERY_WRITES {
        now(store.journal_add(vec![])).unwrap();
    }
}

#[test]
fn old_and_surplus_lines_go() {
    let (store, _dir) = small();
    let lines = |n: usize, at: Timestamp| (0..n).map(|i| JournalEntry { at, ..entry(&format!("{i}")) }).collect();
    let today = Timestamp::now();
    now(store.journal_add(lines(5, today - SignedDuration::from_hours(2)))).unwrap();
    now(store.journal_add(lines(7, today))).unwrap();
    tidy(&store);
    assert_eq!(journal(&store), ["6", "5", "4", "3", "2", "1", "0"], "the old ones went");
    now(store.journal_add(lines(50, today))).unwrap();
    tidy(&store);
    assert_eq!(journal(&store).len(), 20);
    assert_eq!(journal(&store)[0], "49");
}

#[test]
fn old_operations_go_and_open_ones_stay() {
    let (store, _dir) = small();
    let open = accept(&store, deploy(Generation(0), 1, &[("blog/web", "west", 1)]), "ana", 0).unwrap();
    let mut base = accept(&store, deploy(open.generation, 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap().generation;
    for n in 1..20 {
        base = accept(&store, scale(base, "shop/web", "east", n, n + 1, 1), "ana", 0).unwrap().generation;
    }
    tidy(&store);
    let left = now(store.operations(OperationQuery::default())).unwrap();
    assert_eq!(left.len(), 5 + 2, "five final ones, the last scale and the deploy in west");
    assert_eq!(left.last().unwrap().id, open.id);
    let shop = OperationQuery { stack: Some("shop".parse().unwrap()), ..Default::default() };
    assert_eq!(now(store.operations(shop)).unwrap().len(), 6);
}

#[test]
fn revisions_that_are_named_stay() {
    let (store, _dir) = small();
    let mut base = Generation(0);
    let mut operations = Vec::new();
    for no in 1..=10 {
        // West stays at revision 2, and the last operation would go back to it.
        let mut proposal = deploy(base, no, &[("shop/web", "east", 1)]);
        if no == 2 {
            proposal.assignments.insert((key("shop/web"), "west".parse().unwrap()), Some(slots(1, 2)));
        }
        let op = accept(&store, proposal, "ana", 0).unwrap();
        base = op.generation;
        operations.push(op);
    }
    let numbers =
        || -> Vec<u32> { now(store.desired()).unwrap().revisions[&key("shop/web")].keys().map(|no| no.0).collect() };
    let fence = fence(&store, "west");
    now(store.report(fence, vec![(operations[1].id, part(true))], vec![])).unwrap();
    let last = accept(&store, scale(base, "shop/web", "west", 1, 3, 10), "ana", 0).unwrap();
    tidy(&store);
    // The cached state is as old as its generation.
    accept(&store, deploy(last.generation, 1, &[("blog/web", "north", 1)]), "ana", 0).unwrap();
    let why =
        "r2 is what the open scale would put back; r1 what the deploy would, as all since took over from each other";
    assert_eq!(numbers(), [1, 2, 8, 9, 10], "{why}");
}

#[test]
fn programs_that_write_once_tidy_too() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { journal_rows: 4, ..Retention::default() };
    let options = Options { retention, ..Options::default() };
    let mut base = Generation(0);
    for n in 0..i64::try_from(retention::EVERY_GENERATIONS).unwrap() {
        let store = Sqlite::open_with(dir.path().join("fleet.db"), options.clone()).unwrap();
        base = accept(&store, deploy(base, 1, &[(&format!("s{n}/web"), "east", 1)]), "ana", n).unwrap().generation;
    }
    let store = Sqlite::open(dir.path().join("fleet.db")).unwrap();
    assert_eq!(now(store.journal(JournalQuery::default())).unwrap().len(), 4);
}
