//! The truth about every request of a simulated fleet, for tests: past proxies, their counters and their restarts.

use std::collections::BTreeMap;
use std::time::Duration;

/// What became of a backend's requests, over all proxies.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Requests that came.
    pub requests: f64,
    /// Of these, what failed for the client.
    pub failed: f64,
    /// Of these, what was sent to a container that was not running or not healthy. A retry may have saved it.
    pub astray: f64,
}

/// Something that must not be done to traffic.
#[derive(Debug, Clone, PartialEq)]
pub struct Misstep {
    /// What was done.
    pub what: Wrong,
    /// The host of the proxy.
    pub proxy: String,
    /// The backend there.
    pub backend: String,
    /// The server there.
    pub server: String,
    /// For how long this proxy has run and could be reached; zero when it could not.
    pub in_touch: Duration,
}

/// Which rule a [`Misstep`] broke.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wrong {
    /// A healthy container was stopped while a proxy gave it new requests.
    StoppedReady,
    /// A healthy container was stopped while a proxy still had sessions there, so long after the last new one.
    StoppedBusy {
        /// How many.
        sessions: u64,
        /// Since its drain began.
        drained: Duration,
    },
    /// A proxy was told to send requests to a container that has never been healthy.
    ReadyTooEarly,
}

/// The books of a fleet's traffic.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ledger {
    /// By backend, as the proxies name it.
    pub tallies: BTreeMap<String, Tally>,
    /// In the order that they were done; the first thousand.
    pub missteps: Vec<Misstep>,
}

impl Ledger {
    /// Over all backends.
    pub fn total(&self) -> Tally {
        self.tallies.values().fold(Tally::default(), |sum, it| Tally {
            requests: sum.requests + it.requests,
            failed: sum.failed + it.failed,
            astray: sum.astray + it.astray,
        })
    }

    pub(in super::super) fn note(&mut self, misstep: Misstep) {
        if self.missteps.len() < 1000 {
            self.missteps.push(misstep);
        }
    }
}
