//! The event log of an engine and `GET /events`.

use super::bell::Ear;
use super::container::Container;
use super::engine::{Engine, State};
use super::query::{Filters, Query};
use super::reply::{self, Answer};
use bytes::Bytes;
use futures::stream;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// Events an engine remembers for `since`. Docker keeps 256; more room here spares slow test readers a gap.
const KEPT: usize = 1024;

/// Of what happened before the engine was looked at.
const REMEMBERED: usize = 256;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }
}

#[derive(Debug)]
struct Event {
    at: Timestamp,
    kind: Kind,
    action: String,
    id: String,
    attributes: Value,
}

impl Event {
    fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).and_then(Value::as_str)
    }

    fn json(&self) -> Value {
        let nanos = i64::try_from(self.at.as_nanosecond()).unwrap_or(i64::MAX);
        let mut event = json!({
            "Type": self.kind.word(), "Action": self.action,
            "Actor": {"ID": self.id, "Attributes": self.attributes},
            "scope": "local", "time": self.at.as_second(), "timeNano": nanos,
        });
        // The old spelling, which the real engine also still sends for containers and images.
        if let (Kind::Container | Kind::Image, Some(map)) = (self.kind, event.as_object_mut()) {
            map.insert("status".to_owned(), Value::from(self.action.as_str()));
            map.insert("id".to_owned(), Value::from(self.id.as_str()));
            if let (Kind::Container, Some(image)) = (self.kind, self.attribute("image")) {
                map.insert("from".to_owned(), Value::from(image));
            }
        }
        event
    }

    fn wanted(&self, filters: &Filters) -> bool {
        let named = |kind: Kind, value: &str| {
            self.kind == kind
                && (self.id.starts_with(value) || self.attribute("name") == Some(value.trim_start_matches('/')))
        };
        let image = |value: &str| match self.kind {
            Kind::Image => self.id == value || self.attribute("name") == Some(value),
            _ => self.attribute("image").is_some_and(|image| image == value || image.split(':').next() == Some(value)),
        };
        filters.any("type", |kind| kind == self.kind.word())
            && filters.any("event", |event| self.action == event || self.action.split(':').next() == Some(event))
            && filters.any("container", |value| named(Kind::Container, value))
            && filters.any("network", |value| named(Kind::Network, value))
            && filters.any("volume", |value| named(Kind::Volume, value))
            && filters.any("image", image)
            && filters.any("scope", |scope| scope == "local")
            && filters.labels(|key| self.attribute(key))
    }
}

/// A bounded log with running numbers, so that readers need no queue of their own.
#[derive(Debug, Default)]
pub(super) struct Log {
    events: VecDeque<Arc<Event>>,
    dropped: u64,
}

impl Log {
    fn push(&mut self, event: Event) {
        if self.events.len() >= KEPT {
            self.events.pop_front();
            self.dropped += 1;
        }
        self.events.push_back(Arc::new(event));
    }

    /// Takes in what happened before anybody looked; at most as much as Docker remembers.
    fn recall(&mut self, event: Event) {
        let at = self.events.partition_point(|known| known.at <= event.at);
        self.events.insert(at, Arc::new(event));
        if self.events.len() > REMEMBERED {
            self.events.pop_front();
        }
    }

    fn end(&self) -> u64 {
        self.dropped + u64::try_from(self.events.len()).unwrap_or(u64::MAX)
    }

    fn get(&self, number: u64) -> Option<Arc<Event>> {
        let index = usize::try_from(number.saturating_sub(self.dropped)).ok()?;
        self.events.get(index).cloned()
    }
}

impl Engine {
    pub(super) fn emit(&self, state: &mut State, kind: Kind, action: &str, id: &str, attributes: Value) {
        let event = Event { at: self.clock.now(), kind, action: action.to_owned(), id: id.to_owned(), attributes };
        state.events.push(event);
        self.changed.ring(());
    }

    /// The past of a container that runs from the start. Its labels are left out: there are many such containers.
    pub(super) fn recall(state: &mut State, id: &str, past: &[(Timestamp, &str)]) {
        let Some(container) = state.containers.get(id) else { return };
        let attributes = json!({ "image": container.spec.image, "name": container.name });
        for (at, action) in past {
            let (action, attributes) = ((*action).to_owned(), attributes.clone());
            state.events.recall(Event { at: *at, kind: Kind::Container, action, id: id.to_owned(), attributes });
        }
    }

    /// An event of a container: its labels, image and name, and what is particular to the action.
    pub(super) fn emit_container(&self, state: &mut State, id: &str, action: &str, more: &[(&str, String)]) {
        let Some(attributes) = state.containers.get(id).map(|c| attributes(c, more)) else { return };
        self.emit(state, Kind::Container, action, id, attributes);
    }

    pub(super) fn events(self: Arc<Self>, query: &Query) -> Answer {
        let filters = query.filters()?;
        let (since, until) = (query.moment("since")?, query.moment("until")?);
        let changed = self.changed.listen();
        let next = {
            let state = self.lock();
            if since.is_some() { state.events.dropped } else { state.events.end() }
        };
        let reader = Reader { engine: self, changed, filters, next, since, until };
        Ok(reply::stream("application/json", stream::unfold(reader, read)))
    }
}

fn attributes(container: &Container, more: &[(&str, String)]) -> Value {
    let mut attributes = container.label_map();
    if let Some(map) = attributes.as_object_mut() {
        map.insert("image".to_owned(), Value::from(container.spec.image.as_str()));
        map.insert("name".to_owned(), Value::from(container.name.as_str()));
        map.extend(more.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.as_str()))));
    }
    attributes
}

struct Reader {
    engine: Arc<Engine>,
    changed: Ear<()>,
    filters: Filters,
    next: u64,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Reader {
    /// The next event that is wanted; `None` when all that there are have been looked at.
    fn take(&mut self) -> Option<Arc<Event>> {
        let state = self.engine.lock();
        if state.script.freeze_events {
            return None;
        }
        self.next = self.next.max(state.events.dropped);
        while let Some(event) = state.events.get(self.next) {
            self.next += 1;
            let early = self.since.is_some_and(|since| event.at < since);
            let late = self.until.is_some_and(|until| event.at > until);
            if !early && !late && event.wanted(&self.filters) {
                return Some(event);
            }
        }
        None
    }
}

async fn read(mut reader: Reader) -> Option<(std::io::Result<Bytes>, Reader)> {
    loop {
        reader.engine.awake().await;
        // Mark as seen before looking, so that nothing that comes meanwhile is slept through.
        reader.changed.look();
        if let Some(event) = reader.take() {
            return Some((Ok(reply::line(&event.json())), reader));
        }
        let left = reader.until.map(|until| until.duration_since(reader.engine.clock.now()));
        match left {
            None => reader.changed.rung().await,
            Some(left) => {
                let left = std::time::Duration::try_from(left).ok()?;
                tokio::time::timeout(left, reader.changed.rung()).await.ok()?;
            }
        }
    }
}
