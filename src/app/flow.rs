//! Rates from counters: what proxies let through, per service and per replica.
//!
//! A proxy tells what it has counted in all. Two readings make a rate; older ones fade, so that a rate is neither late
//! nor restless. After a reading that did not come there is a gap, and no rate until there are two readings again.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::model::{BackendName, ContainerId, HostName, ProxyView, ServiceKey, StackName, Traffic, since};

/// Readings that are further apart have a gap between them; and a rate that is older is none.
const GAP_SECONDS: u64 = 15;

/// What is left of what was counted before, at each reading.
const FADES: f64 = 0.6;

/// What comes through, as a rate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Flow {
    /// Requests a second, for TCP connections; none without two readings.
    pub requests: Option<f64>,
    /// Of these, how many failed.
    pub failed: f64,
    /// Mean time to an answer, in milliseconds.
    pub answer_ms: u64,
    /// Under way now.
    pub sessions: u32,
    /// A proxy that carries it too was not read lately, or only once: it is at least so much.
    pub is_partial: bool,
}

impl Flow {
    /// The share of requests that fail, in percent; none where nothing comes through.
    pub fn failed_percent(&self) -> Option<f64> {
        self.requests.filter(|requests| *requests > 0.0).map(|requests| (self.failed / requests * 100.0).min(100.0))
    }

    /// Mean time to an answer; none where nothing comes through.
    pub fn answer(&self) -> Option<u64> {
        self.requests.filter(|requests| *requests > 0.0).map(|_| self.answer_ms)
    }

    /// The sum; times weigh by requests.
    pub(super) fn add(&mut self, other: &Self) {
        let (a, b) = (self.requests.unwrap_or_default(), other.requests.unwrap_or_default());
        if a + b > 0.0 {
            let mean = (self.answer_ms as f64).mul_add(a, other.answer_ms as f64 * b) / (a + b);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of what was whole")]
            let mean = mean.round() as u64;
            self.answer_ms = mean;
        }
        self.requests = match (self.requests, other.requests) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        self.failed += other.failed;
        self.sessions = self.sessions.saturating_add(other.sessions);
        self.is_partial |= other.is_partial;
    }
}

/// One counter over time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Meter {
    last: Traffic,
    sessions: u32,
    seconds: f64,
    requests: f64,
    failed: f64,
}

impl Meter {
    fn new(last: Traffic, sessions: u32) -> Self {
        Self { last, sessions, seconds: 0.0, requests: 0.0, failed: 0.0 }
    }

    fn read(&mut self, now: Traffic, sessions: u32, seconds: f64) {
        let new = now.since(self.last);
        self.seconds = self.seconds.mul_add(FADES, seconds);
        self.requests = self.requests.mul_add(FADES, new.requests as f64);
        self.failed = self.failed.mul_add(FADES, new.failed as f64);
        (self.last, self.sessions) = (now, sessions);
    }

    fn flow(&self) -> Flow {
        let is_rated = self.seconds > 0.0;
        let rate = |count: f64| if is_rated { count / self.seconds } else { 0.0 };
        Flow {
            requests: is_rated.then(|| rate(self.requests)),
            failed: rate(self.failed),
            answer_ms: self.last.answer_ms,
            sessions: self.sessions,
            is_partial: !is_rated,
        }
    }
}

/// A container's id as proxies have it in the names of servers.
type Head = String;

/// One proxy.
#[derive(Debug, Clone, PartialEq)]
struct Proxy {
    at: Timestamp,
    container: ContainerId,
    backends: BTreeMap<BackendName, Meter>,
    servers: BTreeMap<(BackendName, Head), Meter>,
}

impl Proxy {
    /// When what it told last is too old.
    fn until(&self) -> Option<Timestamp> {
        self.at.checked_add(std::time::Duration::from_secs(GAP_SECONDS)).ok()
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.until().is_some_and(|until| now < until)
    }
}

/// The meters of all proxies, and their sums.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flows {
    proxies: BTreeMap<HostName, Proxy>,
    sums: Sums,
    is_old: bool,
    /// The first reading gets too old then.
    stale_at: Option<Timestamp>,
}

/// What comes through, by what it is for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sums {
    services: HashMap<ServiceKey, Flow>,
    /// In order, so that the sum of the same is always the same.
    stacks: BTreeMap<StackName, Flow>,
    replicas: HashMap<Head, Flow>,
    proxies: HashMap<HostName, Flow>,
}

impl Sums {
    /// Of a service; none where no proxy carries it.
    pub fn service(&self, key: &ServiceKey) -> Option<&Flow> {
        self.services.get(key)
    }

    /// Of a stack's services together; none where no proxy carries one.
    pub fn stack(&self, name: &StackName) -> Option<&Flow> {
        self.stacks.get(name)
    }

    /// All stacks that proxies carry something of.
    pub fn stacks(&self) -> impl Iterator<Item = (&StackName, &Flow)> {
        self.stacks.iter()
    }

    /// Of one container; none where no proxy sends it anything.
    pub fn replica(&self, container: &ContainerId) -> Option<&Flow> {
        self.replicas.get(&container.to_string())
    }

    /// What comes through the proxy of a host; none where it has none.
    pub fn proxy(&self, host: &HostName) -> Option<&Flow> {
        self.proxies.get(host)
    }

    /// Of the whole fleet.
    pub fn total(&self) -> Flow {
        self.stacks().fold(Flow::default(), |mut total, (_, flow)| {
            total.add(flow);
            total
        })
    }
}

impl Flows {
    /// Takes in what a host's proxy says; none when it has none.
    pub fn see(&mut self, host: &HostName, view: Option<&ProxyView>) {
        self.is_old = true;
        let Some(view) = view else {
            self.proxies.remove(host);
            return;
        };
        let before = self.proxies.remove(host);
        let before = before.filter(|before| {
            let gap = since(before.at, view.at);
            before.container == view.container && gap.as_secs() < GAP_SECONDS
        });
        let seconds = before.as_ref().map_or(0.0, |before| since(before.at, view.at).as_secs_f64());
        if seconds <= 0.0
            && let Some(before) = before
        {
            // The same reading again.
            self.proxies.insert(host.clone(), before);
            return;
        }
        let (mut backends, mut servers) = before.map(|it| (it.backends, it.servers)).unwrap_or_default();
        let mut proxy = Proxy {
            at: view.at,
            container: view.container.clone(),
            backends: BTreeMap::new(),
            servers: BTreeMap::new(),
        };
        for (name, backend) in &view.backends {
            let sessions = backend.servers.values().map(|server| server.sessions).sum();
            let meter = read(backends.remove(name), backend.traffic, sessions, seconds);
            proxy.backends.insert(name.clone(), meter);
            for (server, seen) in &backend.servers {
                let key = (name.clone(), server.container.clone());
                let meter = read(servers.remove(&key), seen.traffic, seen.sessions, seconds);
                proxy.servers.insert(key, meter);
            }
        }
        self.proxies.insert(host.clone(), proxy);
    }

    /// Adds up again what changed, or got too old.
    pub fn settle(&mut self, now: Timestamp) {
        if !std::mem::take(&mut self.is_old) && !self.is_due(now) {
            return;
        }
        let mut sums = Sums::default();
        self.stale_at = None;
        let mut silent = Vec::new();
        for (host, proxy) in &self.proxies {
            let Some(until) = proxy.until() else { continue };
            if until <= now {
                silent.push((host, proxy));
                continue;
            }
            self.stale_at = Some(self.stale_at.map_or(until, |known| known.min(until)));
            for (name, meter) in &proxy.backends {
                let flow = meter.flow();
                sums.services.entry(name.service.clone()).or_default().add(&flow);
                sums.stacks.entry(name.service.stack.clone()).or_default().add(&flow);
                sums.proxies.entry(host.clone()).or_default().add(&flow);
            }
            for ((_, head), meter) in &proxy.servers {
                sums.replicas.entry(head.clone()).or_default().add(&meter.flow());
            }
        }
        // What others carry is still known of those, but not all of it.
        for (host, proxy) in silent {
            sums.proxies.insert(host.clone(), Flow { is_partial: true, ..Flow::default() });
            for name in proxy.backends.keys() {
                let service = sums.services.get_mut(&name.service);
                let stack = sums.stacks.get_mut(&name.service.stack);
                service.into_iter().chain(stack).for_each(|flow| flow.is_partial = true);
            }
        }
        self.sums = sums;
    }

    /// What each proxy that was read lately carries of a service.
    pub fn on_hosts(&self, key: &ServiceKey, now: Timestamp) -> impl Iterator<Item = (&HostName, Flow)> {
        let first = BackendName { service: key.clone(), port: 0 };
        let proxies = self.proxies.iter().filter(move |(_, proxy)| proxy.is_fresh(now));
        proxies.filter_map(move |(host, proxy)| {
            let of_service = proxy.backends.range(&first..).take_while(|(name, _)| name.service == first.service);
            let flow = of_service.map(|(_, meter)| meter.flow()).reduce(|mut sum, flow| {
                sum.add(&flow);
                sum
            })?;
            Some((host, flow))
        })
    }

    /// What comes through, by service and by the place of the host whose proxy carries it; of hosts that have a place.
    pub fn by_place(
        &self,
        now: Timestamp,
        place: impl Fn(&HostName) -> Option<usize>,
    ) -> HashMap<(&ServiceKey, usize), Flow> {
        let mut sums: HashMap<(&ServiceKey, usize), Flow> = HashMap::new();
        let (fresh, silent): (Vec<_>, Vec<_>) = self.proxies.iter().partition(|(_, proxy)| proxy.is_fresh(now));
        for (host, proxy) in fresh {
            let Some(place) = place(host) else { continue };
            for (name, meter) in &proxy.backends {
                sums.entry((&name.service, place)).or_default().add(&meter.flow());
            }
        }
        for (host, proxy) in silent {
            let Some(place) = place(host) else { continue };
            for name in proxy.backends.keys() {
                if let Some(flow) = sums.get_mut(&(&name.service, place)) {
                    flow.is_partial = true;
                }
            }
        }
        sums
    }

    /// True when a reading has got too old to be shown.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.stale_at.is_some_and(|at| at <= now)
    }

    /// The sums.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }
}

fn read(meter: Option<Meter>, traffic: Traffic, sessions: u32, seconds: f64) -> Meter {
    match meter {
        None => Meter::new(traffic, sessions),
        Some(mut meter) => {
            meter.read(traffic, sessions, seconds);
            meter
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BackendView, ServerView};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn proxy(seconds: i64, requests: u64, failed: u64) -> ProxyView {
        let traffic = Traffic { requests, failed, retries: 0, answer_ms: 40 };
        let server = ServerView { is_ready: true, is_up: true, sessions: 3, traffic, ..ServerView::default() };
        let servers = BTreeMap::from([("1-r1-abc".parse().unwrap(), server)]);
        ProxyView {
            container: ContainerId("p".into()),
            image: "haproxy".into(),
            structure: "1".into(),
            leaving: 0,
            at: at(seconds),
            backends: [("shop:web:80".parse().unwrap(), BackendView { servers, traffic })].into(),
            problem: "".into(),
        }
    }

    fn shown(flows: &mut Flows, seconds: i64) -> Option<(Option<f64>, Option<f64>, u32)> {
        flows.settle(at(seconds));
        let flow = flows.sums().service(&"shop/web".parse().unwrap())?;
        assert_eq!(flows.sums().replica(&ContainerId("abc".into())), Some(flow));
        Some((flow.requests, flow.failed_percent(), flow.sessions))
    }

    #[test]
    fn two_readings_make_a_rate_and_gaps_are_gaps() {
        let host = HostName::new("e-1").unwrap();
        let mut flows = Flows::default();
        assert_eq!(shown(&mut flows, 0), None);
        flows.see(&host, Some(&proxy(0, 1_000, 500)));
        assert_eq!(shown(&mut flows, 0), Some((None, None, 3)), "what was before says nothing");
        flows.see(&host, Some(&proxy(10, 1_200, 502)));
        assert_eq!(shown(&mut flows, 10), Some((Some(20.0), Some(1.0), 3)));
        flows.see(&host, Some(&proxy(12, 40, 0)));
        assert_eq!(shown(&mut flows, 12), Some((Some(20.0), Some(0.75), 3)), "its process began anew");
        assert_eq!(shown(&mut flows, 26).map(|(rate, ..)| rate), Some(Some(20.0)));
        assert_eq!(shown(&mut flows, 27), None, "too old");
        flows.see(&host, Some(&proxy(60, 5_000, 0)));
        assert_eq!(shown(&mut flows, 60), Some((None, None, 3)), "nobody knows when they came");
        flows.see(&host, None);
        assert_eq!(shown(&mut flows, 61), None);
    }

    #[test]
    fn a_sum_without_one_of_its_proxies_says_so() {
        let host = |name: &str| HostName::new(name).unwrap();
        let mut flows = Flows::default();
        for seconds in [0, 10] {
            flows.see(&host("e-1"), Some(&proxy(seconds, 1_000 + 20 * seconds.unsigned_abs(), 0)));
            flows.see(&host("e-2"), Some(&proxy(seconds, 1_000 + 40 * seconds.unsigned_abs(), 0)));
        }
        let told = |flows: &mut Flows, seconds: i64| {
            flows.settle(at(seconds));
            let service = *flows.sums().service(&"shop/web".parse().unwrap()).unwrap();
            let proxies = ["e-1", "e-2"].map(|name| flows.sums().proxy(&host(name)).and_then(|flow| flow.requests));
            (service.requests, service.is_partial, flows.sums().total().is_partial, proxies)
        };
        assert_eq!(told(&mut flows, 10), (Some(60.0), false, false, [Some(20.0), Some(40.0)]));
        flows.see(&host("e-1"), Some(&proxy(20, 1_400, 0)));
        assert_eq!(told(&mut flows, 26), (Some(20.0), true, true, [Some(20.0), None]), "e-2 says nothing any more");
        let key = "shop/web".parse().unwrap();
        let rates = |flows: &Flows, seconds: i64| -> Vec<(String, Option<f64>)> {
            flows.on_hosts(&key, at(seconds)).map(|(host, flow)| (host.to_string(), flow.requests)).collect()
        };
        assert_eq!(rates(&flows, 24), [("e-1".to_owned(), Some(20.0)), ("e-2".to_owned(), Some(40.0))]);
        assert_eq!(rates(&flows, 26), [("e-1".to_owned(), Some(20.0))]);
        let both = flows.by_place(at(24), |_| Some(1));
        assert_eq!(both.get(&(&key, 1)).map(|flow| (flow.requests, flow.is_partial)), Some((Some(60.0), false)));
        let both = flows.by_place(at(26), |_| Some(1));
        assert_eq!(both.get(&(&key, 1)).map(|flow| (flow.requests, flow.is_partial)), Some((Some(20.0), true)));
        let one = flows.by_place(at(24), |name| (name.as_str() == "e-2").then_some(0));
        assert_eq!(one.get(&(&key, 0)).and_then(|flow| flow.requests), Some(40.0));
        flows.see(&host("e-2"), None);
        assert_eq!(told(&mut flows, 26), (Some(20.0), false, false, [Some(20.0), None]), "it has no proxy any more");
    }
}
