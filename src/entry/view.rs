//! What is told of a proxy, from what its processes answer: sums over all of them, and counters that go on when a
//! process has ended.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    config::KEEP_ALIVE,
    stat::{Admin, Backends, Check, SeenServer},
};
use crate::{
    model::{BackendName, BackendView, ContainerId, ServerName, ServerView, Traffic},
    text::Text,
};

/// A worker, wherever it runs.
pub(crate) type WorkerId = (ContainerId, u32);

/// What one worker answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// Which.
    pub worker: WorkerId,
    /// It takes no new connections.
    pub is_leaving: bool,
    /// What it has.
    pub backends: Backends,
}

/// Counters of one worker.
type Counters = BTreeMap<(BackendName, Option<ServerName>), Traffic>;

/// Remembers what must be known beyond one look: counters of processes that have ended, and since when others leave.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    ended: Counters,
    last: BTreeMap<WorkerId, Counters>,
    leaving_since: BTreeMap<WorkerId, Timestamp>,
}

impl Ledger {
    /// The backends as all workers together have them. `current` names those that the proxy has now: counters of
    /// others that had some are kept.
    pub(crate) fn sum(&mut self, answers: &[Answer], now: Timestamp) -> BTreeMap<BackendName, BackendView> {
        let here: BTreeSet<&WorkerId> = answers.iter().map(|answer| &answer.worker).collect();
        let gone: Vec<WorkerId> = self.last.keys().filter(|worker| !here.contains(worker)).cloned().collect();
        for worker in gone {
            for (key, traffic) in self.last.remove(&worker).unwrap_or_default() {
                let all = self.ended.entry(key).or_default();
                *all = all.plus(traffic);
            }
        }
        self.leaving_since.retain(|worker, _| here.contains(worker));
        let mut all: BTreeMap<BackendName, BackendView> = BTreeMap::new();
        for answer in answers {
            let gets_nothing = answer.is_leaving && self.is_silent(&answer.worker, now);
            let mut counters = Counters::new();
            for (name, seen) in &answer.backends {
                let backend = all.entry(name.clone()).or_default();
                backend.traffic = backend.traffic.plus(seen.traffic);
                counters.insert((name.clone(), None), seen.traffic);
                for (server, seen) in &seen.servers {
                    counters.insert((name.clone(), Some(server.clone())), seen.traffic);
                    let told = backend.servers.entry(server.clone()).or_default();
                    add(told, seen, answer.is_leaving, gets_nothing);
                }
            }
            self.last.insert(answer.worker.clone(), counters);
        }
        // What is gone from the proxy is told no more; its counters wait in case it comes back.
        for ((name, server), traffic) in &self.ended {
            let Some(backend) = all.get_mut(name) else { continue };
            match server {
                None => backend.traffic = backend.traffic.plus(*traffic),
                Some(server) => {
                    if let Some(told) = backend.servers.get_mut(server) {
                        told.traffic = told.traffic.plus(*traffic);
                    }
                }
            }
        }
        all
    }

    /// A worker that leaves cannot be told to drain: HAProxy refuses that. But it gets at most one more request on
    /// each idle connection, and those end by themselves: after that time it gets nothing new.
    fn is_silent(&mut self, worker: &WorkerId, now: Timestamp) -> bool {
        let since = *self.leaving_since.entry(worker.clone()).or_insert(now);
        let passed = now.duration_since(since);
        u64::try_from(passed.as_secs()).is_ok_and(|passed| passed > KEEP_ALIVE.as_secs())
    }
}

fn add(told: &mut ServerView, seen: &SeenServer, is_leaving: bool, gets_nothing: bool) {
    told.is_ready |= seen.admin == Admin::Ready && !gets_nothing;
    told.sessions = told.sessions.saturating_add(seen.sessions).saturating_add(seen.queued);
    told.traffic = told.traffic.plus(seen.traffic);
    // Checks of a process that leaves rest: what it says is old.
    if !is_leaving || told.address.is_empty() {
        told.is_up = seen.is_running && seen.check == Check::Up;
        told.address = Text::from(format!("{}:{}", seen.address, seen.port));
    }
}
