//! What is still to be told of one host. It never grows with time: newer news replaces older.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};

use crate::model::{
    Container, ContainerId, EngineEvent, HostChange, HostFacts, HostName, HostUpdate, Image, Link, Usage,
};

/// Events that wait for a slow consumer. Older ones are dropped: containers are told in full anyway.
const MAX_EVENTS: usize = 256;

/// News that nobody has taken yet.
#[derive(Default)]
struct Pending {
    facts: Option<HostFacts>,
    listed: Option<(Timestamp, Vec<Container>)>,
    /// Changes after `listed`; none means gone.
    containers: BTreeMap<ContainerId, Option<Box<Container>>>,
    link: Option<Link>,
    images: Option<Vec<Image>>,
    usage: BTreeMap<ContainerId, Usage>,
    events: VecDeque<EngineEvent>,
}

/// News on their way to the consumer.
pub(super) struct Outbox {
    host: HostName,
    pending: Mutex<Pending>,
    changed: Notify,
}

impl Outbox {
    pub(super) fn new(host: HostName) -> Self {
        Self { host, pending: Mutex::default(), changed: Notify::new() }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a piece of news.
    pub(super) fn put(&self, change: HostChange) {
        let mut pending = self.pending();
        match change {
            HostChange::Facts(facts) => pending.facts = Some(facts),
            HostChange::Listed { at, containers } => {
                // The list holds all that was to be told of single containers.
                pending.containers.clear();
                pending.listed = Some((at, containers));
            }
            HostChange::Container(container) => {
                pending.containers.insert(container.id.clone(), Some(container));
            }
            HostChange::Gone(id) => {
                pending.usage.remove(&id);
                pending.containers.insert(id, None);
            }
            HostChange::Link(link) => pending.link = Some(link),
            HostChange::Images(images) => pending.images = Some(images),
            HostChange::Usage(samples) => pending.usage.extend(samples),
            // Proxies are asked by others, who tell for themselves.
            HostChange::Proxy(_) => {}
            HostChange::Event(event) => {
                if pending.events.len() == MAX_EVENTS {
                    pending.events.pop_front();
                }
                pending.events.push_back(event);
            }
        }
        drop(pending);
        self.changed.notify_one();
    }

    /// The next piece: lists before changes of single containers, so that the last word is the newest.
    fn take(&self) -> Option<HostChange> {
        let mut pending = self.pending();
        if let Some(facts) = pending.facts.take() {
            return Some(HostChange::Facts(facts));
        }
        if let Some((at, containers)) = pending.listed.take() {
            return Some(HostChange::Listed { at, containers });
        }
        if let Some((id, container)) = pending.containers.pop_first() {
            return Some(container.map_or(HostChange::Gone(id), HostChange::Container));
        }
        if let Some(link) = pending.link.take() {
            return Some(HostChange::Link(link));
        }
        if let Some(images) = pending.images.take() {
            return Some(HostChange::Images(images));
        }
        if !pending.usage.is_empty() {
            return Some(HostChange::Usage(std::mem::take(&mut pending.usage).into_iter().collect()));
        }
        pending.events.pop_front().map(HostChange::Event)
    }

    fn is_empty(&self) -> bool {
        let pending = self.pending();
        pending.facts.is_none()
            && pending.listed.is_none()
            && pending.containers.is_empty()
            && pending.link.is_none()
            && pending.images.is_none()
            && pending.usage.is_empty()
            && pending.events.is_empty()
    }

    /// Sends what there is, for ever; returns when nobody listens any more.
    pub(super) async fn pump(&self, to: &mpsc::Sender<HostUpdate>) {
        loop {
            while !self.is_empty() {
                // A place first, then what to put there: while the consumer is slow, news is merged.
                let Ok(place) = to.reserve().await else { return };
                if let Some(change) = self.take() {
                    place.send(HostUpdate { host: self.host.clone(), change });
                }
            }
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = to.closed() => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ContainerId {
        ContainerId(name.into())
    }

    fn event(n: usize) -> HostChange {
        HostChange::Event(EngineEvent {
            at: Timestamp::UNIX_EPOCH,
            host: HostName::new("a").unwrap(),
            kind: "container".into(),
            action: "start".into(),
            id: n.to_string().into(),
            name: "x".into(),
        })
    }

    #[test]
    fn news_for_a_slow_consumer_is_merged() {
        let outbox = Outbox::new(HostName::new("a").unwrap());
        let now = Timestamp::UNIX_EPOCH;
        for n in 0..10_000 {
            outbox.put(event(n));
            outbox.put(HostChange::Gone(id("x")));
            outbox.put(HostChange::Usage(vec![(id("y"), Usage { memory: n as u64, ..Usage::default() })]));
            outbox.put(HostChange::Link(Link::Ready { since: now }));
        }
        outbox.put(HostChange::Listed { at: now, containers: Vec::new() });
        outbox.put(HostChange::Gone(id("z")));
        let mut taken = Vec::new();
        while let Some(change) = outbox.take() {
            taken.push(change);
        }
        assert!(outbox.is_empty());
        assert_eq!(taken.len(), 4 + MAX_EVENTS);
        assert!(matches!(taken[0], HostChange::Listed { .. }));
        assert_eq!(taken[1], HostChange::Gone(id("z")));
        assert!(matches!(&taken[3], HostChange::Usage(samples) if samples[0].1.memory == 9_999));
        assert_eq!(taken.last(), Some(&event(9_999)));
    }
}
