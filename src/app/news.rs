//! What engines and reconcilers told, as one list.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{ids::ServiceId, line::Mark};
use crate::model::{CommandId, EngineEvent, HostName, JournalEntry, Observed, RegionName, short_id};

/// Engine events that are kept.
const KEPT: usize = 2_000;

/// One line of news.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// Identifies it while it is kept.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// On which host.
    pub host: Option<HostName>,
    /// In which region.
    pub region: Option<RegionName>,
    /// About which service.
    pub service: Option<ServiceId>,
    /// Of which command.
    pub command: Option<CommandId>,
    /// The object, in words.
    pub about: String,
    /// What happened.
    pub what: String,
    /// Good or bad.
    pub mark: Mark,
}

/// The engines' events, oldest first, each with its number.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Events {
    events: VecDeque<(u64, EngineEvent)>,
    next: u64,
}

impl Events {
    /// Takes one in; the oldest goes when there are too many.
    pub fn push(&mut self, event: EngineEvent) {
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back((self.next, event));
        self.next += 1;
    }

    /// Those of a host, or of one object on it, newest first.
    pub fn of<'a>(&'a self, host: &'a HostName, id: Option<&'a str>) -> impl Iterator<Item = &'a EngineEvent> {
        let events = self.events.iter().rev().map(|(_, event)| event);
        events.filter(move |event| event.host == *host && id.is_none_or(|id| event.id == *id))
    }

    /// Events and journal as one list, newest first.
    pub fn news(&self, journal: &[JournalEntry], observed: &Observed) -> Vec<News> {
        let engines = self.events.iter().map(|(number, event)| of_event(*number, event, observed));
        let journal = journal.iter().map(of_entry);
        let mut news: Vec<News> = engines.chain(journal).collect();
        news.sort_by(|a, b| b.at.cmp(&a.at).then(b.number.cmp(&a.number)));
        news
    }
}

fn of_event(number: u64, event: &EngineEvent, observed: &Observed) -> News {
    let host = observed.hosts.get(&event.host);
    let container = host.and_then(|host| host.containers.get(&crate::model::ContainerId(event.id.clone())));
    let action = event.action.as_str();
    let bad = matches!(action, "die" | "oom" | "kill") || action.contains("unhealthy");
    // A volume's id is its name.
    let name = if event.name.is_empty() { short_id(event.id.as_str()) } else { event.name.as_str() };
    News {
        number,
        at: event.at,
        host: Some(event.host.clone()),
        region: host.map(|host| host.region.clone()),
        service: container.map(ServiceId::of),
        command: None,
        about: name.to_string(),
        what: if event.kind == "container" { action.to_owned() } else { format!("{} {action}", event.kind) },
        mark: if bad { Mark::Failed } else { Mark::Ok },
    }
}

fn of_entry(entry: &JournalEntry) -> News {
    // Nanoseconds tell lines apart; the top bit keeps them away from the numbers of events.
    let number = (1 << 63) | u64::try_from(entry.at.as_nanosecond() & i128::from(i64::MAX)).unwrap_or(0);
    News {
        number,
        at: entry.at,
        host: entry.host.clone(),
        region: entry.region.clone(),
        service: entry.service.as_ref().map(ServiceId::own),
        command: entry.command,
        about: entry.service.as_ref().map(ToString::to_string).unwrap_or_default(),
        what: entry.what.to_string(),
        mark: if entry.is_error { Mark::Failed } else { Mark::Ok },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    #[test]
    fn what_has_no_name_is_told_by_its_id_and_a_volume_by_its_own() {
        let id = "4f1cd04f".repeat(8);
        for (kind, id, name, about) in [
            ("container", id.as_str(), "shop-web-1", "shop-web-1"),
            ("container", id.as_str(), "", "4f1cd04f4f1c"),
            ("volume", id.as_str(), "", "4f1cd04f4f1c"),
            ("volume", "wharf-proxy-acme", "", "wharf-proxy-acme"),
            ("container", "x", "", "x"),
        ] {
            let (host, at) = (HostName::new("a").unwrap(), Timestamp::UNIX_EPOCH);
            let event = EngineEvent {
                host,
                at,
                kind: Text::new(kind),
                action: Text::new("create"),
                id: Text::new(id),
                name: Text::new(name),
            };
            assert_eq!(of_event(1, &event, &Observed::default()).about, about, "{kind} {id} {name}");
        }
    }
}
