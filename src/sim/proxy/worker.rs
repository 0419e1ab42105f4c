//! A worker process of a simulated proxy: its backends, and where requests went since it was last looked at.

use super::super::kind::Kind;
use super::super::load::Wave;
use super::super::num;
use super::super::script::ProxyScript;
use super::config::{BackendLines, CheckLine, Config, FrontendLines};
use super::ledger::Tally;
use super::server::{Server, Truth};
use std::collections::BTreeMap;

/// Links carry this share of what an entry carries.
const LINK_SHARE: f64 = 0.5;

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) pid: u32,
    pub(super) started: f64,
    /// Reloads that it has lived through.
    pub(super) reloads: u32,
    pub(super) is_leaving: bool,
    pub(super) description: String,
    pub(super) frontends: Vec<FrontendLines>,
    pub(super) backends: Vec<Backend>,
    /// Until when its counters are true.
    counted: f64,
}

#[derive(Debug)]
pub(super) struct Backend {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) is_http: bool,
    /// How servers are checked that are added.
    pub(super) asks_page: bool,
    pub(super) check: CheckLine,
    pub(super) servers: Vec<Server>,
    pub(super) requests: f64,
    pub(super) failed: f64,
    /// Seconds that a request waits at the server that nothing answers at.
    patience: f64,
    rate: Option<Wave>,
    /// Clients know of it: they come from the moment that it first could answer.
    is_known: bool,
    /// The oldest requests that wait came then.
    waiting_from: Option<f64>,
}

impl Worker {
    /// A worker with a configuration, on a host.
    pub(super) fn new(config: &Config, pid: u32, host: &str, now: f64, truth: impl Fn(&str, u16) -> Truth) -> Self {
        let rate = |backend: &str| {
            let leads = |it: &&FrontendLines| it.backends.is_empty() || it.backends.iter().any(|name| name == backend);
            let shares = config.frontends.iter().filter(leads).map(|it| if it.is_edge { 1.0 } else { LINK_SHARE });
            let kind = Kind::guess(backend).unwrap_or(Kind::Api);
            let base = kind.requests().0 * shares.sum::<f64>();
            (base > 0.0).then(|| Wave::new(base, kind.daily(), num::hash(host) ^ num::hash(backend)))
        };
        let backend = |lines: &BackendLines| Backend {
            id: lines.id,
            name: lines.name.clone(),
            is_http: lines.is_http,
            asks_page: lines.asks_page,
            check: lines.check,
            servers: (1..)
                .zip(lines.servers.iter().cloned())
                .map(|(id, line)| {
                    let truth = truth(&line.address, line.port);
                    Server::new(line, id, lines.asks_page, truth, now)
                })
                .collect(),
            requests: 0.0,
            failed: 0.0,
            patience: f64::from(lines.retries),
            rate: rate(&lines.name),
            is_known: false,
            waiting_from: None,
        };
        Self {
            pid,
            started: now,
            reloads: 0,
            is_leaving: false,
            description: config.description.clone(),
            frontends: config.frontends.clone(),
            backends: config.backends.iter().map(backend).collect(),
            counted: now,
        }
    }

    /// The clients of the worker before come to this one.
    pub(super) fn inherit(&mut self, before: &Self) {
        for backend in &mut self.backends {
            if let Some(old) = before.backends.iter().find(|old| old.name == backend.name) {
                (backend.is_known, backend.waiting_from) = (old.is_known, old.waiting_from);
            }
        }
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = (&Backend, &Server)> {
        self.backends.iter().flat_map(|backend| backend.servers.iter().map(move |server| (backend, server)))
    }

    pub(super) fn knows(&self, address: &str, port: u16) -> bool {
        self.servers().any(|(_, server)| server.port == port && server.address == address)
    }

    /// Counts what came until now. Each stretch of time between two findings of the checks is counted by itself.
    pub(super) fn advance(&mut self, now: f64, load: f64, tallies: &mut BTreeMap<String, Tally>) {
        while self.counted < now {
            let from = self.counted;
            let flips = self.servers().filter_map(|(_, server)| server.flips_at).filter(|at| *at > from);
            let to = flips.fold(now, f64::min);
            for backend in &mut self.backends {
                if !self.is_leaving {
                    let tally = tallies.entry(backend.name.clone()).or_default();
                    backend.account(from, to, load, tally);
                }
                for server in &mut backend.servers {
                    if server.flips_at.is_some_and(|at| at <= to) {
                        server.flip(to);
                    }
                }
            }
            self.counted = to;
        }
    }

    /// What is behind an address has changed. Call [`Self::advance`] before.
    pub(super) fn learn(
        &mut self,
        address: &str,
        port: u16,
        truth: Truth,
        now: f64,
        load: f64,
        tallies: &mut BTreeMap<String, Tally>,
    ) {
        for backend in &mut self.backends {
            for at in 0..backend.servers.len() {
                let busy = if truth == Truth::Closed { backend.sessions(at, now, load) as f64 } else { 0.0 };
                let Some(server) = backend.servers.get_mut(at) else { continue };
                if server.port != port || server.address != address {
                    continue;
                }
                if truth == Truth::Closed && server.truth != Truth::Closed {
                    // What it had breaks off.
                    server.tail = None;
                    server.counts.broken += busy;
                    backend.failed += busy;
                    let tally = tallies.entry(backend.name.clone()).or_default();
                    tally.failed += busy;
                }
                server.truth = truth;
                server.check_from(now);
            }
        }
    }

    /// It hears no new clients any more; what it has goes on for `drain` seconds.
    pub(super) fn leave(&mut self, now: f64, script: &ProxyScript) {
        self.is_leaving = true;
        for backend in &mut self.backends {
            for at in 0..backend.servers.len() {
                let busy = backend.busy(at, now, script.load);
                if let Some(server) = backend.servers.get_mut(at).filter(|server| server.takes()) {
                    let drain = drain(script, &server.name);
                    server.close(now, busy, drain);
                }
            }
        }
    }

    /// When the last thing that it has will have ended.
    pub(super) fn ends_at(&self) -> f64 {
        self.servers().filter_map(|(_, server)| server.tail).map(|tail| tail.until).fold(0.0, f64::max)
    }
}

/// Seconds that a server's last session lasts after nothing new came.
pub(super) fn drain(script: &ProxyScript, server: &str) -> f64 {
    let span = script.drain;
    span.fixed.as_secs_f64() + span.jitter.as_secs_f64() * num::unit(num::hash(server))
}

impl Backend {
    fn taking(&self) -> usize {
        self.servers.iter().filter(|server| server.takes() && !server.is_hold()).count()
    }

    /// Requests that a server which takes new ones has at this moment, as a mean; at least one when any come.
    pub(super) fn busy(&self, at: usize, now: f64, load: f64) -> f64 {
        let (Some(server), Some(rate)) = (self.servers.get(at), &self.rate) else { return 0.0 };
        let answer = match server.truth {
            Truth::Well { answer, .. } if server.takes() && self.is_known && load > 0.0 => answer,
            _ => return 0.0,
        };
        (rate.rate(now) * load * answer / 1000.0 / (self.taking().max(1) as f64)).max(1.0)
    }

    /// What a server has now: the mean while it takes new ones, what is left of it afterwards, and what waits at the
    /// server that nothing answers at.
    pub(super) fn sessions(&self, at: usize, now: f64, load: f64) -> u64 {
        let Some(server) = self.servers.get(at) else { return 0 };
        if server.is_hold() {
            let waiting = self.waiting_from.filter(|_| server.takes()).zip(self.rate.as_ref());
            return waiting.map_or(0, |(from, rate)| num::count((rate.total(from, now) * load).ceil()));
        }
        if server.takes() { num::count(self.busy(at, now, load).round()) } else { server.left(now) }
    }

    /// Counts the requests between two moments at which nothing changed.
    fn account(&mut self, from: f64, to: f64, load: f64, tally: &mut Tally) {
        let Some(rate) = self.rate else { return };
        let came = |from: f64, to: f64| rate.total(from, to).max(0.0) * load;
        let taking = self.taking();
        if taking == 0 {
            if !self.is_known {
                return;
            }
            let holds = self.servers.iter().any(|server| server.takes() && server.is_hold());
            let lost = if holds {
                let oldest = *self.waiting_from.get_or_insert(from);
                let late = (to - self.patience).max(oldest);
                self.waiting_from = Some(late);
                came(oldest, late)
            } else {
                came(self.waiting_from.take().unwrap_or(from), to)
            };
            self.requests += lost;
            self.failed += lost;
            tally.requests += lost;
            tally.failed += lost;
            return;
        }
        self.is_known = true;
        let waited = self.waiting_from.take().map_or(0.0, |oldest| came(oldest, from));
        let all = came(from, to) + waited;
        let share = all / taking as f64;
        let well = self.servers.iter().filter(|it| it.takes() && !it.is_hold() && it.truth.is_well()).count();
        let (mut failed, mut moved) = (0.0, 0.0);
        for server in self.servers.iter_mut().filter(|server| server.takes()) {
            let counts = &mut server.counts;
            match server.truth {
                _ if server.name == "hold" => counts.retries += waited,
                Truth::Well { errors, .. } => {
                    counts.requests += share;
                    counts.errors += share * errors;
                    failed += share * errors;
                }
                Truth::Ill => {
                    counts.requests += share;
                    counts.errors += share;
                    failed += share;
                    tally.astray += share;
                }
                Truth::Closed => {
                    counts.retries += share;
                    tally.astray += share;
                    if well > 0 {
                        counts.moved += share;
                        moved += share;
                    } else {
                        counts.refused += share;
                        failed += share;
                    }
                }
            }
        }
        if moved > 0.0 {
            for server in self.servers.iter_mut().filter(|it| it.takes() && !it.is_hold() && it.truth.is_well()) {
                server.counts.requests += moved / well as f64;
            }
        }
        self.requests += all;
        self.failed += failed;
        tally.requests += all;
        tally.failed += failed;
    }

    /// Mean milliseconds to an answer.
    pub(super) fn answer(&self) -> u64 {
        let times = self.servers.iter().filter_map(|server| match server.truth {
            Truth::Well { answer, .. } => Some(answer),
            _ => None,
        });
        let (sum, count) = times.fold((0.0, 0_u32), |(sum, count), time| (sum + time, count + 1));
        num::count((sum / f64::from(count.max(1))).round())
    }
}
