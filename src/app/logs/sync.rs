//! Keeps what is followed in step with what is seen: replicas come and go, processes end and start.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Entry, Life, Logs, Source};
use crate::{
    app::{ids::Id, index::Index, msg::Effect, rows::ReplicaRow, screen::Within},
    model::{Container, ContainerId, HostChange, HostName, HostUpdate, LogQuery, LogSource, Observed},
};

/// Containers that are followed at the same time.
const MOST: usize = 200;
/// Those of one host.
const MOST_OF_HOST: usize = 48;

/// True when a row belongs to what is followed.
fn belongs(of: &Within, row: &ReplicaRow) -> bool {
    match of {
        Within::All => true,
        Within::Region(region) => row.region == *region,
        Within::Host(host) => row.host == *host,
        Within::Stack(stack) => row.service.stack == *stack,
        Within::Service(service) => row.service == *service,
        Within::Part(service, region) => row.service == *service && row.region == *region,
        Within::Replica(replica) => row.id == *replica,
        Within::Operation(_) => false,
    }
}

impl Within {
    /// What the logs of an object are narrowed to.
    pub fn of(id: &Id) -> Option<Self> {
        Some(match id {
            Id::Region(region) => Self::Region(region.clone()),
            Id::Host(host) => Self::Host(host.clone()),
            Id::Stack(stack) => Self::Stack(stack.clone()),
            Id::Service(service) => Self::Service(service.clone()),
            Id::Replica(replica) => Self::Replica(replica.clone()),
            Id::Event(_) | Id::Operation(_) | Id::Stored(..) => return None,
        })
    }
}

impl Logs {
    /// Looks at what is there now. Gives what is to be followed, when that is another than before.
    pub(in crate::app) fn sync(&mut self, index: &Index, observed: &Observed, now: Timestamp) -> Option<Effect> {
        let first = self.sources.is_empty();
        let mut per_host: BTreeMap<HostName, usize> = BTreeMap::new();
        for (_, source) in self.sources.iter().filter(|(_, source)| source.life != Life::Gone) {
            *per_host.entry(source.host.clone()).or_default() += 1;
        }
        self.left_out = 0;
        let mut followed: usize = per_host.values().sum();
        let of = self.of.clone();
        for row in index.replicas.iter().filter(|row| belongs(&of, row)) {
            let Some((id, container)) = container(observed, row) else { continue };
            if let Some(number) = self.sources.number(&row.host, id) {
                self.see(number, Life::of(container), now);
                continue;
            }
            let here = per_host.entry(row.host.clone()).or_default();
            if followed >= MOST || *here >= MOST_OF_HOST {
                self.left_out += 1;
                continue;
            }
            *here += 1;
            followed += 1;
            let number = self.sources.add(Source {
                host: row.host.clone(),
                container: id.clone(),
                replica: row.id.clone(),
                name: self.name(row, container),
                life: Life::of(container),
                shown: true,
            });
            if let (false, Some(source)) = (first, self.sources.get(number)) {
                let words = format!("{} is new", source.name);
                self.add(vec![Entry::life(now, Some(number), words)]);
            }
        }
        self.miss(observed, now);
        self.query()
    }

    /// Containers that are not there any more. Those of a host that is not seen may be.
    fn miss(&mut self, observed: &Observed, now: Timestamp) {
        let gone = self.sources.iter().filter(|(_, source)| {
            let host = observed.hosts.get(&source.host);
            host.is_none_or(|host| host.is_seen() && !host.containers.contains_key(&source.container))
        });
        for number in gone.map(|(number, _)| number).collect::<Vec<_>>() {
            self.see(number, Life::Gone, now);
        }
    }

    /// The name in front of a container's lines: as short as it tells it from the others.
    fn name(&self, row: &ReplicaRow, container: &Container) -> String {
        let short = match row.slot {
            Some(slot) => format!("{}.{slot}", row.service.name),
            None => container.name.to_string(),
        };
        let name = match &self.of {
            Within::All | Within::Region(_) => format!("{}/{short} {}", row.service.stack.name(), row.host),
            Within::Host(_) if row.slot.is_some() => format!("{}/{short}", row.service.stack.name()),
            Within::Host(_) => short,
            _ => format!("{short} {}", row.host),
        };
        // A slot's next container on the same host.
        let again =
            self.sources.iter().filter(|(_, source)| source.replica == row.id && source.host == row.host).count();
        if again == 0 { name } else { format!("{name} +{again}") }
    }

    /// What is to be followed, when that is another than was asked for last.
    pub(in crate::app) fn query(&mut self) -> Option<Effect> {
        let sources: Vec<LogSource> = self
            .sources
            .iter()
            .map(|(number, source)| LogSource {
                number,
                host: source.host.clone(),
                container: source.container.clone(),
                runs: source.life.runs(),
            })
            .collect();
        if sources.is_empty() {
            return None;
        }
        // Where it begins was decided with the first question.
        let begin = self.sent.as_ref().map_or_else(|| self.begin(), |sent| sent.begin);
        let query = LogQuery { generation: self.generation, begin, sources, paused: self.paused };
        if self.sent.as_ref() == Some(&query) {
            return None;
        }
        self.sent = Some(query.clone());
        Some(Effect::Follow(query))
    }

    /// A change as it is told, before it is counted: an end and a start in between are not missed.
    pub(in crate::app) fn hear(&mut self, update: &HostUpdate, now: Timestamp) {
        if let HostChange::Container(container) = &update.change
            && let Some(number) = self.sources.number(&update.host, &container.id)
        {
            self.see(number, Life::of(container), now);
        }
    }

    /// The replica that a single source is of.
    pub fn one(&self) -> Option<&Source> {
        let mut sources = self.sources.iter();
        sources.next().filter(|_| sources.next().is_none()).map(|(_, source)| source)
    }
}

fn container<'a>(observed: &'a Observed, row: &'a ReplicaRow) -> Option<(&'a ContainerId, &'a Container)> {
    let id = row.container.as_ref()?;
    Some((id, observed.hosts.get(&row.host)?.containers.get(id)?))
}

impl crate::app::State {
    /// Follows what the logs view on top is narrowed to, and nothing where there is none on top.
    pub(in crate::app) fn sync_logs(&mut self) -> Option<Effect> {
        let screen = self.screen();
        if screen.view != super::super::screen::View::Logs {
            return self.logs.take().map(|_| Effect::Unfollow);
        }
        let (of, filter) = (screen.within.clone(), screen.filter.clone());
        if self.logs.as_ref().is_none_or(|logs| logs.of != of) {
            self.log_generation += 1;
            let from = std::mem::take(&mut self.logs_from);
            self.logs = Some(Box::new(Logs::new(of, from, self.log_generation << 16, self.now)));
            self.dirty.logs = true;
        }
        let mut logs = self.logs.take()?;
        logs.look_for(&filter);
        let effect = if std::mem::take(&mut self.dirty.logs) {
            logs.sync(&self.index, self.observed(), self.now)
        } else {
            logs.query()
        };
        self.logs = Some(logs);
        effect
    }
}
