//! Watches many engines at once: one actor per host, each on its own, so that one that hangs delays no other.

mod actor;
mod backoff;
mod outbox;
mod sampler;
mod watch;

use std::{
    collections::BTreeMap,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};

use self::actor::Actor;
pub use self::sampler::Sampling;
use super::{
    console::Console,
    dial::MemoryDial,
    error::{ErrorKind, Fault},
    handle::Handle,
    reader::{Current, LIST, Reader},
    session::{Way, way_of},
};
use crate::{
    clock::Clock,
    model::{Defaults, Fleet, FleetName, Host, HostName, HostUpdate},
};

/// A first list may take so long in any case: a busy host needs a moment.
const SHORTEST: Duration = Duration::from_secs(2);

/// An observer that only looks: it has no way to change a host.
#[derive(Debug)]
pub enum Watching {}

/// An observer whose owner may also talk with containers: shells and attachments. It changes nothing that is wanted.
#[derive(Debug)]
pub enum Attending {}

/// An observer whose owner may act on the hosts.
#[derive(Debug)]
pub enum Acting {}

/// How to observe. The default is right for everything but tests and demos.
#[derive(Debug, Clone)]
pub struct ObserveOptions {
    /// Engines in this process, instead of what the fleet file says of these hosts.
    pub memory: BTreeMap<HostName, MemoryDial>,
    /// A host of which nothing was heard for so long is asked whether it is there.
    pub heartbeat: Duration,
    /// An answer that takes longer makes the host slow.
    pub slow_after: Duration,
    /// A host that does not answer for so long when asked is unknown.
    pub silent_after: Duration,
    /// The first list of a connection must be there by then, or another connection is tried. At most half the time after
    /// which a silent host is given up for lost: one answer that does not come shall not cost all its replicas.
    pub first_list: Duration,
    /// Containers are listed in full so often, whatever the events say.
    pub relist: Duration,
    /// What tells the time here.
    pub clock: Clock,
}

impl Default for ObserveOptions {
    fn default() -> Self {
        Self {
            memory: BTreeMap::new(),
            heartbeat: Duration::from_secs(5),
            slow_after: Duration::from_secs(1),
            silent_after: Duration::from_secs(5),
            first_list: LIST,
            relist: Duration::from_secs(5 * 60),
            clock: Clock::machine(),
        }
    }
}

/// Watches the hosts of a fleet and tells through a channel what it sees. Dropped, it ends: its tasks, its
/// connections, its ssh processes and their sockets.
///
/// `Observer::start` looks only; `Observer::start_acting` may also hand out a [`Handle`].
pub struct Observer<Mode = Watching> {
    fleet: FleetName,
    tell: mpsc::Sender<HostUpdate>,
    options: ObserveOptions,
    hosts: Mutex<BTreeMap<HostName, Watched>>,
    sampling: tokio::sync::watch::Sender<Arc<Sampling>>,
    mode: PhantomData<fn() -> Mode>,
}

/// One host that is watched.
struct Watched {
    task: Task,
    current: Current,
    nudge: Arc<Nudge>,
    settled: tokio::sync::watch::Receiver<bool>,
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What an actor can be asked for.
#[derive(Default)]
struct Nudge {
    resync: Notify,
    reconnect: Notify,
}

impl Observer<Watching> {
    /// Starts watching every host of the fleet. Must be called in a runtime.
    pub fn start(fleet: &Fleet, tell: mpsc::Sender<HostUpdate>, options: ObserveOptions) -> Self {
        Self::begin(fleet, tell, options)
    }
}

impl Observer<Attending> {
    /// Starts watching every host of the fleet, to look and to talk with containers. Must be called in a runtime.
    pub fn start_attending(fleet: &Fleet, tell: mpsc::Sender<HostUpdate>, options: ObserveOptions) -> Self {
        Self::begin(fleet, tell, options)
    }

    /// Talks with containers of a host; none for a host that is not watched.
    pub fn console(&self, host: &HostName) -> Option<Console> {
        self.reader(host).map(Console::new)
    }
}

impl Observer<Acting> {
    /// Starts watching every host of the fleet, to act on them. Must be called in a runtime.
    pub fn start_acting(fleet: &Fleet, tell: mpsc::Sender<HostUpdate>, options: ObserveOptions) -> Self {
        Self::begin(fleet, tell, options)
    }

    /// What may be done on a host; none for a host that is not watched. Its calls fail while there is no connection.
    pub fn handle(&self, host: &HostName) -> Option<Handle> {
        self.reader(host).map(Handle::new)
    }
}

impl<Mode> Observer<Mode> {
    fn begin(fleet: &Fleet, tell: mpsc::Sender<HostUpdate>, options: ObserveOptions) -> Self {
        let (sampling, _) = tokio::sync::watch::channel(Arc::default());
        let hosts = Mutex::default();
        let observer = Self { fleet: fleet.name.clone(), tell, options, hosts, sampling, mode: PhantomData };
        for (region, host) in fleet.hosts() {
            observer.add_host(host, &region.defaults);
        }
        observer
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<HostName, Watched>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches one more host; one of that name that is watched already is let go first.
    pub fn add_host(&self, host: &Host, defaults: &Defaults) {
        let first_list = self.options.first_list.min((defaults.down_after / 2).max(SHORTEST));
        let way = self.options.memory.get(&host.name).cloned().map_or_else(|| way_of(host), Way::Memory);
        let fault = Fault::new(ErrorKind::Unreachable, "not connected yet", "");
        let (current_tx, current) = tokio::sync::watch::channel(Err(fault));
        let (settled_tx, settled) = tokio::sync::watch::channel(false);
        let nudge = Arc::new(Nudge::default());
        let actor = Actor::new(
            self.fleet.clone(),
            host.name.clone(),
            way,
            ObserveOptions { first_list, ..self.options.clone() },
            current_tx,
            settled_tx,
            nudge.clone(),
            self.sampling.subscribe(),
        );
        let task = Task(tokio::spawn(actor.run(self.tell.clone())));
        self.hosts().insert(host.name.clone(), Watched { task, current, nudge, settled });
    }

    /// Watches a host no longer. Nothing more is told of it.
    pub fn remove_host(&self, host: &HostName) {
        self.hosts().remove(host);
    }

    /// What can be asked of a host; none for a host that is not watched. Its calls fail while there is no connection.
    pub fn reader(&self, host: &HostName) -> Option<Reader> {
        let current = self.hosts().get(host)?.current.clone();
        Some(Reader { host: host.clone(), current, clock: self.options.clock })
    }

    /// Lists a host's containers anew, now.
    pub fn resync(&self, host: &HostName) {
        if let Some(watched) = self.hosts().get(host) {
            watched.nudge.resync.notify_one();
        }
    }

    /// Drops the connection to a host, or the pause before the next attempt, and connects anew, now.
    pub fn reconnect(&self, host: &HostName) {
        if let Some(watched) = self.hosts().get(host) {
            watched.nudge.reconnect.notify_one();
        }
    }

    /// Says which containers are to be sampled from now on.
    pub fn sample(&self, what: Sampling) {
        let what = Arc::new(what);
        self.sampling.send_if_modified(|now| {
            let changed = **now != *what;
            *now = what;
            changed
        });
    }

    /// Waits until every host was listed or has failed once. False when the deadline came first.
    pub async fn settled(&self, deadline: Duration) -> bool {
        let waits: Vec<_> = self.hosts().values().map(|watched| watched.settled.clone()).collect();
        let all = async {
            for mut settled in waits {
                // An actor that is gone has nothing more to say.
                drop(settled.wait_for(|settled| *settled).await.map(|_| ()));
            }
        };
        tokio::time::timeout(deadline, all).await.is_ok()
    }

    /// Ends, and waits until everything has ended.
    pub async fn close(self) {
        let hosts = std::mem::take(&mut *self.hosts());
        for watched in hosts.values() {
            watched.task.0.abort();
        }
        for (_, mut watched) in hosts {
            // It was aborted: that it says so is no news.
            drop((&mut watched.task.0).await);
        }
    }
}
