//! Taking a reading of what is counted.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::{History, MOST, MOST_PARTS, MOST_REPLICAS, Reading};
use crate::{
    app::{
        flow::{Flow, Flows, Sums},
        ids::{ReplicaId, StackId, is_seen},
        index::Index,
        pace::Pace,
        rows::{Load, ReplicaRow, ServiceRow, Tally},
        screen::Within,
        series::{FINE, step_of},
        state::State,
    },
    model::{HostName, Observed, RegionName},
};

impl State {
    /// Takes a reading where a step has passed. While the picture is held still, what goes on is counted for this alone.
    pub(in crate::app) fn record(&mut self) {
        if !self.history.is_due(self.now) {
            return;
        }
        let mut history = std::mem::take(&mut self.history);
        history.watch(self.replicas_on_screen(), step_of(self.now, FINE));
        self.count_beneath();
        let index = self.frozen.as_ref().map_or(&self.index, |frozen| &frozen.beneath);
        history.record(index, &self.live, &self.flows, self.pace, self.now);
        self.history = history;
    }
}

impl History {
    /// Keeps what will be of these replicas.
    fn watch<'a>(&mut self, replicas: impl Iterator<Item = &'a ReplicaRow>, step: i64) {
        for row in replicas {
            self.watched.see(&row.id, &row.service, step);
        }
        self.watched.trim();
    }

    /// Takes a reading.
    fn record(&mut self, index: &Index, observed: &Observed, flows: &Flows, pace: Pace, now: Timestamp) {
        let sums = flows.sums();
        let replicas = self.replicas(index);
        let there: BTreeSet<&ReplicaId> = replicas.iter().map(|row| &row.id).collect();
        self.watched.keep(&there);
        let mut readings = Vec::with_capacity(index.hosts.len() + index.services.len() + replicas.len());
        readings.extend(places(index, sums));
        for row in index.stacks.iter().take(MOST) {
            let flow = row.id.own().and_then(|stack| sums.stack(stack));
            readings.push((Within::Stack(row.id.clone()), Reading::new(&row.total.live, flow)));
        }
        for row in index.services.iter().take(MOST) {
            // What others run has no proxies: asking for its name would cost more than the rest.
            let own = matches!(row.id.stack, StackId::Own(_));
            let key = if own { row.id.key() } else { None };
            let flow = key.as_ref().and_then(|key| sums.service(key));
            readings.push((Within::Service(row.id.clone()), Reading::new(&row.total.live, flow)));
        }
        readings.extend(parts(index, flows, now));
        readings.extend(replicas.into_iter().map(|row| replica(row, observed, sums, pace, now)));
        self.take(now, readings.into_iter());
    }

    /// The replicas whose past is kept: all of a small fleet.
    fn replicas<'a>(&self, index: &'a Index) -> Vec<&'a ReplicaRow> {
        if index.replicas.len() <= MOST_REPLICAS {
            return index.replicas.iter().collect();
        }
        let services = self.watched.services();
        let rows = services.into_iter().flat_map(|service| index.replicas_of(service));
        rows.filter(|row| self.watched.has(&row.id)).collect()
    }
}

/// The fleet, its regions and its hosts.
fn places(index: &Index, sums: &Sums) -> Vec<(Within, Reading)> {
    let mut regions: Vec<(&RegionName, Load, Option<Flow>)> =
        index.regions.iter().map(|name| (name, Load::default(), None)).collect();
    let mut fleet = Load::default();
    let mut readings = Vec::new();
    for host in &index.hosts {
        let flow = sums.proxy(&host.name);
        readings.push((Within::Host(host.name.clone()), Reading::new(&host.live, flow)));
        fleet.add(&host.live);
        if let Some((_, load, sum)) = regions.iter_mut().find(|(name, ..)| **name == host.region) {
            load.add(&host.live);
            if let Some(flow) = flow {
                sum.get_or_insert_default().add(flow);
            }
        }
    }
    readings.extend(
        regions
            .into_iter()
            .map(|(name, load, flow)| (Within::Region(name.clone()), Reading::new(&load, flow.as_ref()))),
    );
    readings.push((Within::All, Reading::new(&fleet, Some(&sums.total()))));
    readings
}

/// Services in each of their regions, where they are in several.
fn parts(index: &Index, flows: &Flows, now: Timestamp) -> Vec<(Within, Reading)> {
    let mut parts = index.parts().take(MOST_PARTS).peekable();
    if parts.peek().is_none() {
        return Vec::new();
    }
    let places: HashMap<&HostName, usize> =
        index.hosts.iter().filter_map(|row| Some((&row.name, index.region_at(&row.region)?))).collect();
    let sums = flows.by_place(now, |host| places.get(host).copied());
    let reading = |(row, at, tally): (&ServiceRow, usize, &Tally)| {
        let own = matches!(row.id.stack, StackId::Own(_));
        let key = if own { row.id.key() } else { None };
        let flow = key.as_ref().and_then(|key| sums.get(&(key, at)));
        let region = index.regions.get(at)?.clone();
        Some((Within::Part(row.id.clone(), region), Reading::new(&tally.live, flow)))
    };
    parts.filter_map(reading).collect()
}

/// One replica. Of one on a host that cannot be seen, nothing is known.
fn replica(row: &ReplicaRow, observed: &Observed, sums: &Sums, pace: Pace, now: Timestamp) -> (Within, Reading) {
    let host = observed.hosts.get(&row.host).filter(|host| is_seen(Some(host)));
    let container = row.container.as_ref().and_then(|id| host?.containers.get(id));
    let mut load = Load::default();
    if let Some(container) = container {
        load.count(container, true, pace, now);
    }
    let flow = container.and_then(|container| sums.replica(&container.id));
    (Within::Replica(row.id.clone()), Reading::new(&load, flow))
}

#[cfg(test)]
mod tests;
