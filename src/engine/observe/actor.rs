//! The life of one host's watch: connect, watch until it breaks, pause, again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tracing::{debug, info};

use super::{Nudge, ObserveOptions, Sampling, backoff::Backoff, outbox::Outbox};
use crate::{
    engine::{
        error::{EngineError, ErrorKind, Fault},
        reader::Reader,
        session::{Session, Way},
    },
    model::{Container, ContainerId, FleetName, HostChange, HostName, HostUpdate, Link},
    text::Text,
};

/// A connection that lasted so long was a good one: the next attempt follows soon.
const LASTED: Duration = Duration::from_secs(30);

/// One host's watch. What is seen goes to the outbox.
pub(super) struct Actor {
    fleet: FleetName,
    pub(super) host: HostName,
    way: Way,
    pub(super) options: ObserveOptions,
    current: watch::Sender<Result<Arc<Session>, Fault>>,
    settled: watch::Sender<bool>,
    pub(super) nudge: Arc<Nudge>,
    pub(super) sampling: watch::Receiver<Arc<Sampling>>,
    pub(super) outbox: Arc<Outbox>,
    link: Link,
    /// When it was last heard of.
    pub(super) seen: Option<Timestamp>,
    /// The engine's time of the last event that was told, over all connections.
    pub(super) told: Timestamp,
    /// The containers as last told, over all connections.
    pub(super) known: BTreeMap<ContainerId, Container>,
}

impl Drop for Actor {
    fn drop(&mut self) {
        // Readers may outlive the observer; its connections must not.
        let ended = Fault::new(ErrorKind::Unreachable, "this host is not watched any more", "");
        drop(self.current.send_replace(Err(ended)));
        self.settled.send_replace(true);
    }
}

impl Actor {
    #[expect(clippy::too_many_arguments, reason = "called once, by the observer")]
    pub(super) fn new(
        fleet: FleetName,
        host: HostName,
        way: Way,
        options: ObserveOptions,
        current: watch::Sender<Result<Arc<Session>, Fault>>,
        settled: watch::Sender<bool>,
        nudge: Arc<Nudge>,
        sampling: watch::Receiver<Arc<Sampling>>,
    ) -> Self {
        let outbox = Arc::new(Outbox::new(host.clone()));
        let link = Link::Connecting { since: options.clock.now(), reason: Text::default() };
        Self {
            fleet,
            host,
            way,
            options,
            current,
            settled,
            nudge,
            sampling,
            outbox,
            link,
            seen: None,
            told: Timestamp::MIN,
            known: BTreeMap::new(),
        }
    }

    /// Watches for ever; returns when nobody listens any more.
    pub(super) async fn run(mut self, tell: mpsc::Sender<HostUpdate>) {
        let outbox = self.outbox.clone();
        outbox.put(HostChange::Link(self.link.clone()));
        tokio::select! {
            biased;
            () = self.live() => {}
            () = outbox.pump(&tell) => {}
        }
    }

    async fn live(&mut self) {
        let mut backoff = Backoff::default();
        loop {
            let begun = tokio::time::Instant::now();
            let nudge = self.nudge.clone();
            let error = tokio::select! {
                biased;
                error = self.attempt() => error,
                () = nudge.reconnect.notified() => {
                    // Asked for by a person: no pause.
                    backoff.reset();
                    self.lost(&Fault::new(ErrorKind::Unreachable, "connecting anew", "").at(&self.host, "wait"));
                    continue;
                }
            };
            // One that breaks again at once is not well yet.
            if begun.elapsed() > LASTED {
                backoff.reset();
            }
            info!(host = %self.host, %error, "lost");
            self.lost(&error);
            let pause = if error.is_final() { Backoff::longest() } else { backoff.next() };
            debug!(host = %self.host, ?pause, "pause");
            tokio::select! {
                biased;
                () = tokio::time::sleep(pause) => {}
                () = nudge.reconnect.notified() => backoff.reset(),
            }
        }
    }

    /// One connection: why it could not be made, or broke.
    async fn attempt(&mut self) -> EngineError {
        let session = match Session::open(&self.fleet, &self.host, &self.way, self.options.clock).await {
            Ok(session) => session,
            Err(error) => return error,
        };
        drop(self.current.send_replace(Ok(session.clone())));
        let reader = Reader { host: self.host.clone(), current: self.current.subscribe(), clock: self.options.clock };
        let fault = self.watch(&session, &reader).await;
        session.explain(fault).await.at(&self.host, "watch its containers")
    }

    /// The connection is no more: what is known is kept, and called unknown.
    fn lost(&mut self, error: &EngineError) {
        let fault = Fault { kind: error.kind, why: error.why.clone(), next: error.next.clone() };
        drop(self.current.send_replace(Err(fault)));
        let reason = error.reason();
        let link = match (self.seen, &self.link) {
            (Some(since), _) => Link::Unknown { since, reason },
            (None, link) => Link::Connecting { since: link.since(), reason },
        };
        self.set_link(link);
        self.settle();
    }

    pub(super) fn settle(&self) {
        self.settled.send_if_modified(|settled| !std::mem::replace(settled, true));
    }

    /// It answers in time.
    pub(super) fn set_ready(&mut self) {
        if !matches!(self.link, Link::Ready { .. }) {
            self.set_link(Link::Ready { since: self.options.clock.now() });
        }
    }

    /// It answers, but late.
    pub(super) fn set_slow(&mut self, reason: &str) {
        let since = if let Link::Slow { since, .. } = &self.link { *since } else { self.options.clock.now() };
        self.set_link(Link::Slow { since, reason: Text::new(reason) });
    }

    fn set_link(&mut self, link: Link) {
        if self.link != link {
            self.link = link.clone();
            self.outbox.put(HostChange::Link(link));
        }
    }
}
