//! One actor per host, which makes the host's proxy what it shall be, and tells what it sees of it. Level-triggered:
//! it compares what is wanted with what is there, each time anew; a new one takes a running proxy as it is.

mod contain;
mod look;

use std::{collections::BTreeMap, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};

use super::{
    address::Berth,
    names::Names,
    place::{EngineHost, Place, Trouble},
    session::Session,
    view::Ledger,
};
use crate::{
    clock::Clock,
    engine::Handle,
    model::{ContainerId, FleetName, HostChange, HostName, HostUpdate, ProxySpec, ProxyView, RegionName},
    text::Text,
};

/// News are gathered so long: every change of a plan has some.
const NEWS: Duration = Duration::from_millis(20);
/// So often it looks while something is not yet as it shall be.
const BUSY: Duration = Duration::from_millis(100);
/// So often it looks when that has gone on for long: it waits for others then.
const WAITING: Duration = Duration::from_millis(500);
/// From then on it is long.
const LONG: Duration = Duration::from_secs(20);
/// From then on nothing is in a hurry.
const VERY_LONG: Duration = Duration::from_secs(60);
/// So often it looks while all is well.
const CALM: Duration = Duration::from_secs(1);
/// So often it looks whether there is a proxy, where none is wanted.
const ASLEEP: Duration = Duration::from_secs(60);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(15);
/// Counters are told so often at most.
const COUNTERS: Duration = Duration::from_secs(1);

/// Keeps the proxy of one host as it shall be. Dropped, it ends; the proxy goes on as it is.
#[derive(Debug)]
pub struct Keeper {
    task: JoinHandle<()>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keeper {
    /// Starts one for the host of `handle`. `wanted` says what its proxy shall be, none for no proxy; the keeper ends
    /// when its sender is dropped, or when `within`, which gets its work, ends. What it sees goes to `tell`, as
    /// [`HostChange::Proxy`]. Must be called in a runtime.
    pub fn start(
        fleet: FleetName,
        region: RegionName,
        handle: Handle,
        tell: mpsc::Sender<HostUpdate>,
        wanted: watch::Receiver<Option<ProxySpec>>,
        within: impl FnOnce(BoxFuture<'static, ()>) -> BoxFuture<'static, ()>,
    ) -> Self {
        let host = handle.host().clone();
        let clock = handle.clock();
        let work = Work::new(EngineHost { fleet, region, handle }, host, tell, clock);
        Self { task: tokio::spawn(within(Box::pin(work.run(wanted)))) }
    }

    #[cfg(test)]
    pub(crate) fn at(
        place: impl Place + Sync,
        host: HostName,
        tell: mpsc::Sender<HostUpdate>,
        wanted: watch::Receiver<Option<ProxySpec>>,
        clock: Clock,
    ) -> Self {
        Self { task: tokio::spawn(Work::new(place, host, tell, clock).run(wanted)) }
    }

    /// True when it keeps nothing any more.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

impl<P> Work<P> {
    fn new(place: P, host: HostName, tell: mpsc::Sender<HostUpdate>, clock: Clock) -> Self {
        Self {
            place,
            host,
            tell,
            names: Names::default(),
            ledger: Ledger::default(),
            current: None,
            leaving: Vec::new(),
            written: None,
            refused: None,
            checking: BTreeMap::new(),
            told: None,
            clock,
            began: clock.now(),
        }
    }
}

/// A proxy that runs.
struct Proxy {
    id: ContainerId,
    berth: Berth,
    image: Text,
    session: Option<Session>,
}

/// How soon to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Busy,
    Calm,
    Asleep,
}

/// What was told last.
struct Told {
    view: Option<ProxyView>,
    at: Instant,
    /// It was not as what was told before.
    is_new: bool,
}

struct Work<P> {
    place: P,
    host: HostName,
    tell: mpsc::Sender<HostUpdate>,
    names: Names,
    ledger: Ledger,
    /// The proxy that takes new connections.
    current: Option<Proxy>,
    /// Those that end what they began.
    leaving: Vec<Proxy>,
    /// The file as it is in the current container.
    written: Option<String>,
    /// A structure that HAProxy would not load, why, and when.
    refused: Option<(String, Trouble, Instant)>,
    /// Servers whose check was asked for, and when.
    checking: BTreeMap<String, Instant>,
    told: Option<Told>,
    clock: Clock,
    /// When this look began: before what is wanted was read, so that no later wish is taken for done.
    began: Timestamp,
}

impl<P: Place + Sync> Work<P> {
    async fn run(mut self, mut wanted: watch::Receiver<Option<ProxySpec>>) {
        let mut failures = 0_u32;
        let mut busy_since: Option<Instant> = None;
        loop {
            self.began = self.clock.now();
            let spec = wanted.borrow_and_update().clone();
            let done = match spec {
                Some(spec) => self.keep(spec).await,
                None => self.without().await,
            };
            let pause = match done {
                Ok(pace) => {
                    failures = 0;
                    busy_since = (pace == Pace::Busy).then(|| busy_since.unwrap_or_else(Instant::now));
                    match pace {
                        Pace::Busy if busy_since.is_some_and(|since| since.elapsed() > VERY_LONG) => CALM,
                        Pace::Busy if busy_since.is_some_and(|since| since.elapsed() > LONG) => WAITING,
                        Pace::Busy => BUSY,
                        Pace::Calm => CALM,
                        Pace::Asleep => ASLEEP,
                    }
                }
                Err(trouble) => {
                    tracing::debug!(host = %self.host, words = %trouble.words, "proxy");
                    self.complain(&trouble).await;
                    let pause = pause(failures, trouble.is_final);
                    failures = failures.saturating_add(1);
                    pause
                }
            };
            tokio::time::sleep(NEWS).await;
            tokio::select! {
                biased;
                changed = wanted.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause.saturating_sub(NEWS)) => {}
            }
        }
    }

    /// Tells what is seen: at once when something changed, and once more in the next look, for whoever counts only looks
    /// that began after a wish of theirs: the first may have begun a moment before that was noted. Else now and then.
    async fn publish(&mut self, view: Option<ProxyView>) {
        let is_new = match &self.told {
            None => true,
            Some(told) => match (&told.view, &view) {
                (None, None) => false,
                (Some(before), Some(now)) => !now.stands_as(before),
                _ => true,
            },
        };
        let is_due = self.told.as_ref().is_some_and(|told| told.is_new || told.at.elapsed() >= COUNTERS);
        if !is_new && (view.is_none() || !is_due) {
            return;
        }
        self.told = Some(Told { view: view.clone(), at: Instant::now(), is_new });
        let update = HostUpdate { host: self.host.clone(), change: HostChange::Proxy(view.map(Box::new)) };
        // Whoever listened is gone; then this ends soon.
        drop(self.tell.send(update).await);
    }

    /// Tells why it is not as it shall be, with what was last seen.
    async fn complain(&mut self, trouble: &Trouble) {
        let mut view = self.told.as_ref().and_then(|told| told.view.clone()).unwrap_or_else(|| ProxyView {
            container: self.current.as_ref().map_or_else(|| ContainerId(Text::default()), |proxy| proxy.id.clone()),
            image: self.current.as_ref().map(|proxy| proxy.image.clone()).unwrap_or_default(),
            structure: Text::default(),
            leaving: 0,
            at: self.clock.now(),
            backends: std::collections::BTreeMap::new(),
            problem: Text::default(),
        });
        view.problem = self.problem(&[trouble.words.to_string()]);
        self.publish(Some(view)).await;
    }
}

impl<P> Work<P> {
    /// What is wrong, in words. It is told with the host, so the host is not said again.
    fn problem(&self, words: &[String]) -> Text {
        let host = format!("{}: ", self.host);
        let words: Vec<&str> = words.iter().map(|words| words.strip_prefix(&host).unwrap_or(words)).collect();
        Text::from(words.join("; "))
    }
}

/// The pause after so many failures in a row: doubles, and is never in step with other hosts.
fn pause(failures: u32, is_final: bool) -> Duration {
    let full = if is_final { LONGEST } else { (BUSY * 3).saturating_mul(1 << failures.min(8)).min(LONGEST) };
    full.mul_f64(0.5 + fastrand::f64() / 2.0)
}
