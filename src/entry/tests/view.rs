//! Sums over processes, and counters that never go back.

use jiff::{SignedDuration, Timestamp};

use super::super::{
    stat::{Admin, Backends, Check, Seen, SeenServer},
    view::{Answer, Ledger},
};
use crate::model::{BackendName, ContainerId, Traffic};

fn name() -> BackendName {
    "shop:web:80".parse().unwrap()
}

fn answer(process: u32, is_leaving: bool, admin: Admin, sessions: u32, requests: u64) -> Answer {
    let traffic = Traffic { requests, ..Traffic::default() };
    let server = SeenServer {
        address: "10.0.0.1".into(),
        port: 80,
        admin,
        check: Check::Up,
        is_running: true,
        sessions,
        traffic,
        ..SeenServer::default()
    };
    let mut seen = Seen { traffic, ..Seen::default() };
    seen.servers.insert("1-r1-a".parse().unwrap(), server);
    Answer { worker: (ContainerId("c".into()), process), is_leaving, backends: Backends::from([(name(), seen)]) }
}

#[test]
fn what_leaves_counts_until_it_has_ended_and_its_counters_for_ever() {
    let mut ledger = Ledger::default();
    let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let at = |seconds| start + SignedDuration::from_secs(seconds);
    let mut look = |answers: &[Answer], seconds| {
        let all = ledger.sum(answers, at(seconds));
        let backend = all[&name()].clone();
        let server = backend.servers[&"1-r1-a".parse().unwrap()].clone();
        assert_eq!(server.traffic.requests, backend.traffic.requests);
        (server.is_ready, server.sessions, backend.traffic.requests)
    };
    let ready = |process, leaving, sessions, requests| answer(process, leaving, Admin::Ready, sessions, requests);
    let drained = |process, sessions, requests| answer(process, false, Admin::Drain, sessions, requests);
    assert_eq!(look(&[ready(1, false, 3, 100)], 0), (true, 3, 100));
    // After a reload: both count.
    assert_eq!(look(&[ready(2, false, 1, 5), ready(1, true, 2, 101)], 1), (true, 3, 106));
    // The one that leaves cannot be told to drain: it may still get a request on each idle connection, for a while.
    assert_eq!(look(&[drained(2, 0, 9), ready(1, true, 1, 102)], 10), (true, 1, 111));
    assert_eq!(look(&[drained(2, 0, 9), ready(1, true, 1, 102)], 18), (false, 1, 111));
    // It has ended: what it had is still counted.
    assert_eq!(look(&[drained(2, 0, 10)], 20), (false, 0, 112));
    assert_eq!(look(&[ready(2, false, 0, 11)], 21), (true, 0, 113));
}
