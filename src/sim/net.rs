//! What the hosts of a simulated fleet are to each other: which ports are open where, the proxies that send requests
//! to them, and the books of what became of those.
//!
//! Behind one lock, taken after an engine's and never before it.

use super::bell::{Bell, Ear};
use super::container::{Container, Health, OpenPort, Status};
use super::engine::{Engine, State};
use super::kind::Kind;
use super::num;
use super::proxy::{Birth, Files, Ledger, Listener, Misstep, NoConfig, Proxy, Said, Truth, Wrong};
use super::script::{Link, ProxyScript};
use crate::clock::Clock;
use crate::model::label;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is known about a port that was open once.
#[derive(Debug, Clone, Copy)]
struct Open {
    truth: Truth,
    /// Its container has done its work at some time.
    was_well: bool,
}

#[derive(Debug, Default)]
struct Wires {
    ports: BTreeMap<String, BTreeMap<u16, Open>>,
    proxies: BTreeMap<String, Proxy>,
    ledger: Ledger,
}

/// The wires between the hosts of a fleet.
#[derive(Debug)]
pub(super) struct Net {
    clock: Clock,
    wires: Mutex<Wires>,
    /// Counts what ends the connections to a proxy's command line.
    cuts: Bell<()>,
}

impl Wires {
    fn truth(ports: &BTreeMap<String, BTreeMap<u16, Open>>, address: &str, port: u16) -> Truth {
        ports.get(address).and_then(|ports| ports.get(&port)).map_or(Truth::Closed, |open| open.truth)
    }

    /// Notes it when a proxy gives requests to what has never been well.
    fn too_early(&mut self, id: &str, before: &[(String, String)], now: f64) {
        let Some(proxy) = self.proxies.get(id) else { return };
        for (backend, server, address, port) in proxy.ready() {
            let open = self.ports.get(address).and_then(|ports| ports.get(&port));
            let known = before.iter().any(|(b, s)| b == backend && s == server);
            if !known && open.is_none_or(|open| !open.was_well) {
                self.ledger.note(Misstep {
                    what: Wrong::ReadyTooEarly,
                    proxy: proxy.host.clone(),
                    backend: backend.to_owned(),
                    server: server.to_owned(),
                    in_touch: touch(proxy, now),
                });
            }
        }
    }
}

fn touch(proxy: &Proxy, now: f64) -> Duration {
    proxy.in_touch_since.filter(|_| !proxy.script.hangs).map_or(Duration::ZERO, |since| num::duration(now - since))
}

impl Net {
    pub(super) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { clock, wires: Mutex::default(), cuts: Bell::new(()) })
    }

    fn lock(&self) -> MutexGuard<'_, Wires> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> f64 {
        self.clock.now().duration_since(jiff::Timestamp::UNIX_EPOCH).as_secs_f64()
    }

    /// What is behind an address from now on.
    fn set(&self, address: &str, port: u16, truth: Truth) {
        let now = self.now();
        let mut wires = self.lock();
        let Wires { ports, proxies, ledger } = &mut *wires;
        let open = Open { truth, was_well: truth.is_well() };
        let entry = ports.entry(address.to_owned()).or_default().entry(port).or_insert(open);
        // A port that opens anew belongs to another container.
        let was_well = entry.was_well && (truth == Truth::Closed || entry.truth != Truth::Closed);
        *entry = Open { truth, was_well: was_well || truth.is_well() };
        for proxy in proxies.values_mut().filter(|proxy| proxy.knows(address, port)) {
            proxy.advance(now, &mut ledger.tallies);
            proxy.learn(address, port, truth, now, &mut ledger.tallies);
        }
    }

    /// A call is about to stop what is behind these ports.
    fn judge(&self, address: &str, ports: &[OpenPort]) {
        let now = self.now();
        let mut wires = self.lock();
        let Wires { ports: open, proxies, ledger } = &mut *wires;
        for port in ports {
            if !Wires::truth(open, address, port.public).is_well() {
                continue;
            }
            for proxy in proxies.values_mut().filter(|proxy| proxy.knows(address, port.public)) {
                proxy.advance(now, &mut ledger.tallies);
                for (backend, server, what) in proxy.harm(address, port.public, now) {
                    let (host, in_touch) = (proxy.host.clone(), touch(proxy, now));
                    ledger.note(Misstep { what, proxy: host, backend, server, in_touch });
                }
            }
        }
    }

    fn cut(&self) {
        self.cuts.ring(());
    }

    fn start(&self, id: &str, birth: Birth<'_>, is_reached: bool) -> Result<(), NoConfig> {
        let now = self.now();
        let mut wires = self.lock();
        let ports = &wires.ports;
        let mut proxy = Proxy::start(birth, now, |address, port| Wires::truth(ports, address, port))?;
        if !is_reached {
            proxy.in_touch_since = None;
        }
        wires.proxies.insert(id.to_owned(), proxy);
        wires.too_early(id, &[], now);
        Ok(())
    }

    fn end(&self, id: &str) {
        let now = self.now();
        let mut wires = self.lock();
        let Wires { proxies, ledger, .. } = &mut *wires;
        if let Some(mut proxy) = proxies.remove(id) {
            proxy.advance(now, &mut ledger.tallies);
            drop(wires);
            self.cut();
        }
    }

    fn reload(&self, id: &str, files: &Files, script: &ProxyScript) {
        self.with(id, script, |proxy, now, truth| proxy.reload(files, now, truth));
        self.cut();
    }

    /// Lets no new clients in; answers how long the rest takes.
    fn leave(&self, id: &str, script: &ProxyScript) -> Duration {
        let left = self.with(id, script, |proxy, now, _| num::duration(proxy.leave(now) - now));
        left.unwrap_or_default()
    }

    /// Does something with a proxy that is counted up to now, and looks at what it gives requests to afterwards.
    fn with<T>(
        &self,
        id: &str,
        script: &ProxyScript,
        act: impl FnOnce(&mut Proxy, f64, &dyn Fn(&str, u16) -> Truth) -> T,
    ) -> Option<T> {
        let now = self.now();
        let mut wires = self.lock();
        let Wires { ports, proxies, ledger } = &mut *wires;
        let proxy = proxies.get_mut(id)?;
        proxy.advance(now, &mut ledger.tallies);
        proxy.script.clone_from(script);
        let before: Vec<(String, String)> =
            proxy.ready().map(|(backend, server, ..)| (backend.to_owned(), server.to_owned())).collect();
        let done = act(proxy, now, &|address, port| Wires::truth(ports, address, port));
        wires.too_early(id, &before, now);
        Some(done)
    }

    /// Every proxy of a host can be reached from now on, or not.
    fn reach(&self, host: &str, is_reached: bool) {
        let now = self.now();
        for proxy in self.lock().proxies.values_mut().filter(|proxy| proxy.host == host) {
            proxy.in_touch_since = is_reached.then(|| proxy.in_touch_since.unwrap_or(now));
        }
    }

    fn script(&self, host: &str, script: &ProxyScript) {
        let now = self.now();
        let mut wires = self.lock();
        let Wires { proxies, ledger, .. } = &mut *wires;
        for proxy in proxies.values_mut().filter(|proxy| proxy.host == host && proxy.script != *script) {
            proxy.advance(now, &mut ledger.tallies);
            if proxy.script.hangs && !script.hangs {
                proxy.in_touch_since = proxy.in_touch_since.map(|_| now);
            }
            proxy.script.clone_from(script);
        }
    }

    /// The books, up to now.
    pub(super) fn ledger(&self) -> Ledger {
        let now = self.now();
        let mut wires = self.lock();
        let Wires { proxies, ledger, .. } = &mut *wires;
        for proxy in proxies.values_mut() {
            proxy.advance(now, &mut ledger.tallies);
        }
        ledger.clone()
    }
}

/// Connections to a proxy's command line.
impl Net {
    /// Who listens at a port inside a container, and in which generation.
    pub(super) fn dial(&self, id: &str, port: u16) -> Option<(Listener, u64)> {
        let wires = self.lock();
        let proxy = wires.proxies.get(id)?;
        proxy.listener(port).map(|listener| (listener, proxy.generation))
    }

    pub(super) fn changed(&self) -> Ear<()> {
        self.cuts.listen()
    }

    /// Waits until a connection of a generation is cut.
    pub(super) async fn gone(&self, cuts: &mut Ear<()>, id: &str, generation: u64) {
        let there = || self.lock().proxies.get(id).is_some_and(|proxy| proxy.generation == generation);
        cuts.until(|()| !there()).await;
    }

    pub(super) fn prompt(&self, id: &str, target: Option<u32>) -> String {
        self.lock().proxies.get(id).map(|proxy| proxy.prompt(target)).unwrap_or_default()
    }

    /// The process that a line of nothing but a prefix chooses.
    pub(super) fn target(&self, id: &str, prefix: &str) -> Result<Option<u32>, String> {
        let prefix = prefix.trim_start_matches('@');
        if prefix == "master" {
            return Ok(None);
        }
        let pid = self.lock().proxies.get(id).and_then(|proxy| proxy.pid_of(prefix));
        pid.map(Some).ok_or_else(|| format!("Can't find the target PID matching the prefix '@{prefix}'\n"))
    }
}

/// What containers tell the wires.
impl Engine {
    fn truth(state: &State, container: &Container) -> Truth {
        let well = matches!(container.health, None | Some(Health::Healthy));
        match container.status {
            Status::Running if well => {
                let image = state.image(&container.spec.image);
                let errors = image.map_or(0.0, |image| state.script.error_share(&image.name, &image.tag));
                Truth::Well { errors, answer: Kind::of(container).requests().1 }
            }
            Status::Running | Status::Paused => Truth::Ill,
            _ => Truth::Closed,
        }
    }

    /// Tells what is behind the ports of a container now.
    pub(super) fn announce(&self, state: &State, id: &str) {
        let Some(container) = state.containers.get(id).filter(|container| !container.ports.is_empty()) else { return };
        let truth = Self::truth(state, container);
        for port in container.ports.iter().filter(|port| port.proto == "tcp") {
            self.net.set(&self.profile.address, port.public, truth);
        }
    }

    /// These ports are closed now.
    pub(super) fn hush(&self, id: &str, ports: &[OpenPort]) {
        for port in ports.iter().filter(|port| port.proto == "tcp") {
            self.net.set(&self.profile.address, port.public, Truth::Closed);
        }
        self.net.end(id);
    }

    /// A call is about to stop a container.
    pub(super) fn judge_stop(&self, container: &Container) {
        if container.alive() {
            self.net.judge(&self.profile.address, &container.ports);
        }
    }

    /// Every container tells again, for the script has changed.
    pub(super) fn announce_all(&self, state: &State) {
        for id in state.containers.keys() {
            self.announce(state, id);
        }
    }

    pub(super) fn script_proxies(&self, script: &ProxyScript) {
        self.net.script(&self.profile.name, script);
    }

    pub(super) fn reach_proxies(&self, link: Link) {
        self.net.reach(&self.profile.name, link == Link::Up);
    }
}

fn files(container: &Container) -> Files {
    container.extra.as_ref().map(|extra| extra.files.clone()).unwrap_or_default()
}

/// What happens to the containers that proxies run in.
impl Engine {
    /// Starts what a proxy's container runs; false when it cannot and so ends.
    pub(super) fn run_proxy(&self, state: &State, id: &str) -> bool {
        let Some(container) = state.containers.get(id).filter(|it| it.label(label::PROXY).is_some()) else {
            return true;
        };
        let birth = Birth {
            host: &self.profile.name,
            pid: container.pid,
            command: &container.spec.command,
            files: &files(container),
            script: &state.script.proxy,
        };
        self.net.start(id, birth, self.link() == Link::Up).is_ok()
    }

    /// A signal to a proxy: USR2 reloads, USR1 ends it when the last session has ended. False when it is none of these.
    pub(super) fn signal_proxy(&self, state: &State, id: &str, signal: u8) -> bool {
        let Some(container) = state.containers.get(id).filter(|it| it.label(label::PROXY).is_some()) else {
            return false;
        };
        match signal {
            1 | 12 => self.net.reload(id, &files(container), &state.script.proxy),
            10 => {
                let (left, life, id) = (self.net.leave(id, &state.script.proxy), container.life, id.to_owned());
                self.later(left, move |engine| engine.end_if(&id, life, 0, false));
            }
            _ => return false,
        }
        true
    }

    /// One line to a proxy's command line. `None` when there is no proxy any more.
    pub(super) fn tell_proxy(&self, id: &str, listener: Listener, line: &str, target: Option<u32>) -> Option<Said> {
        let (script, files) = {
            let state = self.lock();
            let files = if line.ends_with("reload") { state.containers.get(id).map(files) } else { None };
            (state.script.proxy.clone(), files)
        };
        let said = self.net.with(id, &script, |proxy, now, truth| match listener {
            Listener::Master => proxy.ask_master(line, target, now, truth),
            Listener::Worker => proxy.ask_worker(line, now, truth),
        })?;
        if said == Said::Reload {
            self.net.reload(id, &files.unwrap_or_default(), &script);
        }
        Some(said)
    }

    /// Waits while the proxies of this engine hang.
    pub(super) async fn answering(&self) {
        self.when(|state| (!state.script.proxy.hangs).then_some(())).await;
    }

    /// The books of the traffic of this engine and those that it is wired to.
    pub fn ledger(&self) -> Ledger {
        self.net.ledger()
    }
}
