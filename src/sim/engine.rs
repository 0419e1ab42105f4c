//! One simulated engine: its state, its clock and how it is told what to do.

use super::bell::Bell;
use super::container::Container;
use super::events::Log;
use super::exec::Exec;
use super::images::Image;
use super::net::Net;
use super::networks::Network;
use super::pull::PullCall;
use super::registry::Registry;
use super::reply::Refusal;
use super::script::{Link, Script};
use super::volumes::Volume;
use crate::clock::Clock;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::runtime::Handle;

/// What an engine says about the machine it runs on.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Host name, also the `Name` of `/info`.
    pub name: String,
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Address that published ports are reachable at.
    pub address: String,
    /// Version of the engine, as `/version` gives it.
    pub version: String,
    /// Highest API version; a request for a higher one is refused with 400.
    pub api: (u32, u32),
    /// Lowest API version.
    pub min_api: (u32, u32),
    /// `key=value` labels of the engine.
    pub labels: Vec<String>,
}

impl Profile {
    /// A machine of 4 processors and 8 GiB with an engine 20.10.24 (API 1.41).
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            cpus: 4,
            memory: 8 << 30,
            address: "127.0.0.1".to_owned(),
            version: "20.10.24".to_owned(),
            api: (1, 41),
            min_api: (1, 12),
            labels: Vec::new(),
        }
    }
}

/// Waits; not at all for nothing, where a timer would still take a tick.
pub(super) async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// What changes while an engine runs. Behind one lock; nothing waits while holding it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) rng: fastrand::Rng,
    pub(super) script: Script,
    pub(super) containers: BTreeMap<String, Container>,
    pub(super) names: BTreeMap<String, String>,
    pub(super) images: BTreeMap<Arc<str>, Image>,
    pub(super) networks: BTreeMap<String, Network>,
    pub(super) volumes: BTreeMap<String, Volume>,
    pub(super) execs: BTreeMap<String, Exec>,
    /// Ids and exit codes of the containers removed last, for those who still wait for them.
    pub(super) gone: VecDeque<(String, i64)>,
    pub(super) pulls: VecDeque<PullCall>,
    pub(super) events: Log,
    /// The last port given out by chance.
    pub(super) last_port: u16,
    pub(super) next_pid: u32,
    /// Requests seen, for tests that count round trips.
    pub(super) requests: u64,
    /// Method and path of those that ask for a change, as they came.
    pub(super) asked: Vec<super::peek::Asked>,
}

/// A simulated Docker engine. Reach it through [`Engine::connect`] or a [`super::Fleet`]'s sockets.
#[derive(Debug)]
pub struct Engine {
    pub(super) profile: Profile,
    pub(super) clock: Clock,
    pub(super) registry: Arc<Registry>,
    /// The wires to the other hosts.
    pub(super) net: Arc<Net>,
    pub(super) link: Bell<Link>,
    /// Counts every event and every silent change that waiters must see.
    pub(super) changed: Bell<()>,
    state: Mutex<State>,
    runtime: Option<Handle>,
    me: Weak<Engine>,
}

impl Engine {
    /// An engine with no containers, no images, and the three networks every engine has.
    /// Times out of `script` and all identifiers follow from `seed`. Call it inside a tokio runtime.
    pub fn new(profile: Profile, registry: Arc<Registry>, script: Script, clock: Clock, seed: u64) -> Arc<Self> {
        Self::wired(profile, registry, script, clock, seed, Net::new(clock))
    }

    /// An engine that others can be reached from.
    pub(super) fn wired(
        profile: Profile,
        registry: Arc<Registry>,
        script: Script,
        clock: Clock,
        seed: u64,
        net: Arc<Net>,
    ) -> Arc<Self> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let state = State {
            networks: super::networks::defaults(&mut rng, clock.now()),
            rng,
            script,
            containers: BTreeMap::new(),
            names: BTreeMap::new(),
            images: BTreeMap::new(),
            volumes: BTreeMap::new(),
            execs: BTreeMap::new(),
            gone: VecDeque::new(),
            pulls: VecDeque::new(),
            events: Log::default(),
            last_port: super::ports::FIRST - 1,
            next_pid: 1200,
            requests: 0,
            asked: Vec::new(),
        };
        Arc::new_cyclic(|me| Self {
            profile,
            clock,
            registry,
            net,
            link: Bell::new(Link::Up),
            changed: Bell::new(()),
            state: Mutex::new(state),
            runtime: Handle::try_current().ok(),
            me: me.clone(),
        })
    }

    /// A quick engine for tests: nothing takes time, its own registry, a real clock.
    pub fn quick(name: &str) -> Arc<Self> {
        Self::new(Profile::new(name), Arc::default(), Script::default(), Clock::running(), super::num::hash(name))
    }

    /// What the engine says about its machine.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Reads or changes the script.
    pub fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        let mut state = self.lock();
        let errors = state.script.errors.clone();
        let result = change(&mut state.script);
        self.script_proxies(&state.script.proxy);
        if state.script.errors != errors {
            self.announce_all(&state);
        }
        drop(state);
        // Readers of event streams look again, as a freeze may have ended.
        self.touch();
        result
    }

    /// Makes the engine reachable or not. What hung goes on when it is up again.
    pub fn set_link(&self, link: Link) {
        self.link.ring(link);
        self.reach_proxies(link);
    }

    /// Whether the engine can be reached.
    pub fn link(&self) -> Link {
        self.link.get()
    }

    /// How many requests have come in, answered or not.
    pub fn requests(&self) -> u64 {
        self.lock().requests
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn touch(&self) {
        self.changed.ring(());
    }

    /// Waits while the engine hangs.
    pub(super) async fn awake(&self) {
        self.link.listen().until(|link| link != Link::Hung).await;
    }

    /// Runs `act` after a while, unless the engine is gone by then.
    pub(super) fn later(&self, delay: Duration, act: impl FnOnce(Arc<Engine>) + Send + 'static) {
        let me = self.me.clone();
        self.spawn(async move {
            pause(delay).await;
            if let Some(engine) = me.upgrade() {
                act(engine);
            }
        });
    }

    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }

    /// Waits until `ready` gives something, looking again after every change.
    pub(super) async fn when<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changed = self.changed.listen();
        loop {
            changed.look();
            if let Some(found) = ready(&mut self.lock()) {
                return found;
            }
            // The sender lives in self.
            changed.rung().await;
        }
    }
}

impl State {
    /// Finds a container's id by id, name or unambiguous start of the id.
    pub(super) fn find(&self, wanted: &str) -> Result<String, Refusal> {
        let name = wanted.trim_start_matches('/');
        if self.containers.contains_key(name) {
            return Ok(name.to_owned());
        }
        if let Some(id) = self.names.get(name) {
            return Ok(id.clone());
        }
        let is_hex = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut ids = self.containers.range(name.to_owned()..).map(|(id, _)| id).take_while(|id| id.starts_with(name));
        match (ids.next(), ids.next()) {
            (Some(id), None) if is_hex => Ok(id.clone()),
            (Some(_), Some(_)) if is_hex => {
                Err(Refusal::bad(format!("Multiple IDs found with provided prefix: {name}")))
            }
            _ => Err(Refusal::no_container(wanted)),
        }
    }

    pub(super) fn container(&self, wanted: &str) -> Result<&Container, Refusal> {
        let id = self.find(wanted)?;
        self.containers.get(&id).ok_or_else(|| Refusal::no_container(wanted))
    }

    pub(super) fn container_mut(&mut self, wanted: &str) -> Result<&mut Container, Refusal> {
        let id = self.find(wanted)?;
        self.containers.get_mut(&id).ok_or_else(|| Refusal::no_container(wanted))
    }
}
