//! Counting one unit: a service in a region.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;

use super::Basis;
use crate::{
    app::{
        filter::Verdict,
        ids::{ReplicaId, ServiceId, is_seen},
        line::Mark,
        rows::{Load, ReplicaRow, Tally},
        status::Judge,
    },
    model::{
        Assignment, Container, ContainerId, ContainerState, Health, HostName, HostView, Place, RegionName, ReplicaKey,
        ServiceKey, Slot,
    },
    text::Text,
};

/// Which unit: a service, and the place of the region in the fleet's order. Regions that the fleet does not name have
/// none and are one unit.
pub(super) type Key = (ServiceId, Option<usize>);

/// The containers of a unit, by host.
pub(super) type Members = BTreeSet<(HostName, ContainerId)>;

/// What a unit comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Count {
    /// Its replicas, in order.
    pub rows: Vec<ReplicaRow>,
    /// Their sum.
    pub tally: Tally,
    /// The first image of what others run, and where.
    pub image: Option<(HostName, Text)>,
    /// When its next replica without a check counts as healthy.
    pub healthy_at: Option<Timestamp>,
    /// Without any news it counts the same until then.
    pub until: Option<Timestamp>,
    /// Failed replicas with the commonest reason, by region.
    pub failing: Vec<(RegionName, u32, String)>,
}

/// The earlier of two times that may not come.
pub(super) fn sooner(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// One service in one region, while it is counted.
struct Group<'a> {
    service: &'a ServiceKey,
    region: &'a RegionName,
    assignment: &'a Assignment,
    min_healthy: Option<Duration>,
    is_busy: bool,
}

type Found<'a> = (&'a HostName, &'a Container);
type Slots<'a> = BTreeMap<(&'a RegionName, Slot), Vec<Found<'a>>>;

struct Counter<'a> {
    basis: Basis<'a>,
    key: &'a Key,
    out: Count,
    words: BTreeMap<(RegionName, String), u32>,
}

/// Counts a unit. `service` is its key where it is ours; `is_busy` where an operation works on it.
pub(super) fn count(
    basis: Basis<'_>,
    key: &Key,
    service: Option<&ServiceKey>,
    is_busy: bool,
    members: &Members,
) -> Count {
    let mut counter = Counter { basis, key, out: Count::default(), words: BTreeMap::new() };
    counter.out.rows.reserve(members.len());
    let mut slots = Slots::new();
    for (name, id) in members {
        let Some(host) = basis.observed.hosts.get(name) else { continue };
        let Some(container) = host.containers.get(id) else { continue };
        match container.replica() {
            Some(of) => slots.entry((&of.key.region, of.key.slot)).or_default().push((&host.name, container)),
            None => counter.other(host, container),
        }
    }
    let wanted = service.and_then(|service| Some((service, basis.desired.services.get(service)?)));
    if let Some((service, regions)) = wanted {
        let here = |region: &RegionName| place_of(&basis, region) == key.1;
        for (region, assignment) in regions.iter().filter(|(region, _)| here(region)) {
            let min_healthy = basis.fleet.region(region).map(|region| region.defaults.min_healthy);
            counter.group(&Group { service, region, assignment, min_healthy, is_busy }, &mut slots);
        }
    }
    let mut rest: Vec<Found<'_>> = slots.into_values().flatten().collect();
    rest.sort_by(|a, b| (&a.1.name, a.0).cmp(&(&b.1.name, b.0)));
    for (host, container) in rest {
        counter.surplus(host, container);
    }
    counter.finish()
}

/// The place of a region in the fleet's order.
pub(super) fn place_of(basis: &Basis<'_>, region: &RegionName) -> Option<usize> {
    basis.fleet.regions.iter().position(|known| known.name == *region)
}

impl<'a> Counter<'a> {
    fn view(&self, host: &HostName) -> Option<&'a HostView> {
        self.basis.observed.hosts.get(host)
    }

    fn live(&mut self, view: Option<&HostView>, container: &Container) {
        let Basis { pace, now, .. } = self.basis;
        let seen = is_seen(view);
        self.out.tally.live.count(container, seen, pace, now);
        self.out.until = sooner(self.out.until, Load::until(container, seen, pace, now));
    }

    /// A container that others run.
    fn other(&mut self, host: &HostView, container: &Container) {
        let mark = self.judge(Some(host), None, container);
        self.out.tally.count(mark);
        self.out.tally.load(container.usage);
        self.live(Some(host), container);
        if self.out.image.is_none() && !container.image.is_empty() {
            self.out.image = Some((host.name.clone(), container.image.clone()));
        }
        self.out.rows.push(ReplicaRow {
            id: ReplicaId::Container(host.name.clone(), container.id.clone()),
            service: self.key.0.clone(),
            slot: None,
            region_at: self.key.1,
            region: host.region.clone(),
            host: host.name.clone(),
            container: Some(container.id.clone()),
            revision: None,
            mark,
            wanted: true,
            verdict: Verdict::default(),
        });
    }

    /// The replicas that are wanted.
    fn group<'s>(&mut self, group: &Group<'s>, slots: &mut Slots<'s>) {
        for (slot, place) in &group.assignment.slots {
            let mut there = slots.remove(&(group.region, *slot)).unwrap_or_default();
            let best = there
                .iter()
                .position(|(host, container)| {
                    **host == place.host && container.replica().is_some_and(|of| of.revision == place.revision)
                })
                .or_else(|| there.iter().position(|(host, _)| **host == place.host))
                .or(if there.is_empty() { None } else { Some(0) });
            let filled = best.map(|at| there.swap_remove(at));
            self.slot(group, *slot, place, filled);
            for (host, container) in there {
                self.surplus(host, container);
            }
        }
    }

    fn slot(&mut self, group: &Group<'_>, slot: Slot, place: &Place, filled: Option<Found<'_>>) {
        let host = filled.map_or(&place.host, |(host, _)| host);
        let view = self.view(host);
        let old = |container: &Container| {
            let of = container.replica();
            of.is_some_and(|of| of.revision != place.revision || of.round < group.assignment.round)
        };
        let mark = match filled {
            Some((_, container)) => match self.judge(view, group.min_healthy, container) {
                // It runs, but not as it shall: its successor is on the way.
                Mark::Ok if old(container) => Mark::Changing,
                mark => mark,
            },
            None if !is_seen(view) => Mark::Unknown,
            None if group.is_busy => Mark::Changing,
            None => Mark::Failed,
        };
        self.out.tally.count(mark);
        match filled {
            Some((_, container)) => {
                self.out.tally.load(container.usage);
                self.live(view, container);
            }
            // Nobody can tell whether it runs there.
            None if mark == Mark::Unknown => self.out.tally.live.missing += 1,
            None if mark == Mark::Failed => self.failed(group.region, format!("missing on {host}")),
            None => {}
        }
        let key = ReplicaKey { region: group.region.clone(), service: group.service.clone(), slot };
        self.out.rows.push(ReplicaRow {
            service: self.key.0.clone(),
            slot: Some(slot.0),
            region: key.region.clone(),
            region_at: self.key.1,
            host: host.clone(),
            container: filled.map(|(_, container)| container.id.clone()),
            revision: Some(filled.and_then(|(_, c)| c.replica()).map_or(place.revision, |of| of.revision)),
            mark,
            wanted: true,
            verdict: Verdict::default(),
            id: ReplicaId::Slot(key),
        });
    }

    /// A replica that nothing wants.
    fn surplus(&mut self, host: &HostName, container: &Container) {
        let Some(of) = container.replica() else { return };
        let view = self.view(host);
        let mark = self.judge(view, None, container);
        let mark = if mark == Mark::Ok { Mark::Changing } else { mark };
        self.out.tally.surplus += 1;
        self.out.tally.load(container.usage);
        self.live(view, container);
        self.out.rows.push(ReplicaRow {
            id: ReplicaId::Container(host.clone(), container.id.clone()),
            service: self.key.0.clone(),
            slot: Some(of.key.slot.0),
            region: of.key.region.clone(),
            region_at: self.key.1,
            host: host.clone(),
            container: Some(container.id.clone()),
            revision: Some(of.revision),
            mark,
            wanted: false,
            verdict: Verdict::default(),
        });
    }

    fn judge(&mut self, host: Option<&HostView>, min_healthy: Option<Duration>, container: &Container) -> Mark {
        let ended = matches!(container.state, ContainerState::Exited { code: 0, .. });
        let spec = container
            .replica()
            .filter(|_| ended)
            .and_then(|of| self.basis.desired.revision(&of.key.service, of.revision))
            .map(|revision| &revision.spec);
        let judge = Judge { host, spec, min_healthy, now: self.basis.now };
        if container.state == ContainerState::Running && container.health == Health::None {
            let at = judge.healthy_at(container);
            self.out.healthy_at = sooner(self.out.healthy_at, at);
        }
        let (mark, word) = judge.of(container);
        if mark == Mark::Failed {
            let region = container.replica().map(|of| &of.key.region).or(host.map(|host| &host.region));
            if let Some(region) = region {
                self.failed(region, word.into_owned());
            }
        }
        mark
    }

    fn failed(&mut self, region: &RegionName, word: String) {
        *self.words.entry((region.clone(), word)).or_default() += 1;
    }

    fn finish(mut self) -> Count {
        self.out.until = sooner(self.out.until, self.out.healthy_at);
        self.out.rows.sort_by(|a, b| {
            (a.slot, &a.host, !a.wanted).cmp(&(b.slot, &b.host, !b.wanted)).then_with(|| a.id.cmp(&b.id))
        });
        let mut most = 0;
        for ((region, word), times) in self.words {
            if let Some((_, failed, commonest)) = self.out.failing.last_mut().filter(|(known, ..)| *known == region) {
                *failed += times;
                if times >= most {
                    (most, *commonest) = (times, word);
                }
            } else {
                most = times;
                self.out.failing.push((region, times, word));
            }
        }
        self.out
    }
}
