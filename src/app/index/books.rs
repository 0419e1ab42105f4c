//! What a recount goes by: which containers make up which unit, and what each unit came to.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Basis, Changed, Failing,
    unit::{self, Count, Key, Members},
};
use crate::{
    app::{ids::ServiceId, pace::Pace},
    model::{Container, ContainerId, Desired, HostName, Operation, Owner, ServiceKey},
};

/// A unit and what it came to; its rows stand in the index.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) key: Key,
    /// Which service of ours it is of.
    service: Option<ServiceKey>,
    members: Members,
    /// The place of its first row.
    pub(super) from: usize,
    /// Its rows.
    pub(super) len: usize,
    /// What it came to, without the rows.
    pub(super) count: Count,
}

/// What a recount goes by.
#[derive(Debug, Clone, Default)]
pub(super) struct Books {
    /// What was wanted at the last count.
    desired: Arc<Desired>,
    busy: BTreeSet<ServiceKey>,
    pace: Pace,
    /// The places of the hosts in the fleet's order.
    pub(super) places: HashMap<HostName, usize>,
    /// Units by number; numbers of those that are gone are used again.
    pub(super) units: Vec<Option<Unit>>,
    free: Vec<usize>,
    /// The numbers of units, in the order of their rows.
    pub(super) order: BTreeMap<Key, usize>,
    /// Per host, the units that its containers are in.
    members: Vec<BTreeMap<ContainerId, usize>>,
    /// Per host, the unit of each row and its place there.
    pub(super) on_host: Vec<Vec<(usize, usize)>>,
    /// Per host, how long it counts the same without any news.
    pub(super) host_until: Vec<Option<Timestamp>>,
}

/// What must be counted anew.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    /// Units, by number.
    pub(super) units: BTreeSet<usize>,
    /// Services, also those without a unit.
    pub(super) services: BTreeSet<ServiceId>,
    /// Hosts, by place.
    pub(super) hosts: BTreeSet<usize>,
}

impl Books {
    pub(super) fn unit(&self, number: usize) -> Option<&Unit> {
        self.units.get(number)?.as_ref()
    }

    pub(super) fn unit_mut(&mut self, number: usize) -> Option<&mut Unit> {
        self.units.get_mut(number)?.as_mut()
    }

    /// The units of a service, by region.
    pub(super) fn units_of(&self, service: &ServiceId) -> impl Iterator<Item = &Unit> {
        let range = (service.clone(), None)..=(service.clone(), Some(usize::MAX));
        self.order.range(range).filter_map(|(_, number)| self.unit(*number))
    }

    /// The places of the rows on a host, in order.
    pub(super) fn rows_on(&self, host: &HostName) -> Vec<usize> {
        self.places.get(host).map(|place| self.rows_at(*place)).unwrap_or_default()
    }

    /// The same by the place of the host.
    pub(super) fn rows_at(&self, place: usize) -> Vec<usize> {
        let rows = self.on_host.get(place).into_iter().flatten();
        let mut rows: Vec<usize> = rows.filter_map(|(unit, row)| Some(self.unit(*unit)?.from + row)).collect();
        rows.sort_unstable();
        rows
    }

    pub(super) fn failing(&self) -> impl Iterator<Item = Failing<'_>> {
        self.order.values().filter_map(|number| self.unit(*number)).flat_map(|unit| {
            let wanted = if unit.key.1.is_some() { unit.count.tally.wanted } else { 0 };
            unit.count.failing.iter().map(move |(region, failed, word)| Failing {
                service: &unit.key.0,
                region,
                failed: *failed,
                wanted: wanted.max(*failed),
                word,
            })
        })
    }

    /// Takes in what changed; gives what is to be counted.
    pub(super) fn take(&mut self, basis: &Basis<'_>, changed: &Changed) -> Dirty {
        let mut dirty = Dirty::default();
        let everything = changed.everything || self.places.is_empty();
        if everything {
            let places = basis.fleet.hosts().enumerate().map(|(at, (_, host))| (host.name.clone(), at)).collect();
            let hosts = basis.fleet.hosts().count();
            *self = Self { places, ..Self::default() };
            self.members.resize_with(hosts, BTreeMap::new);
            self.on_host.resize_with(hosts, Vec::new);
            self.host_until.resize(hosts, None);
        }
        if everything || changed.store {
            self.take_store(basis, &mut dirty);
        }
        if everything || self.pace != basis.pace {
            self.pace = basis.pace;
            dirty.units.extend(self.order.values());
            dirty.hosts.extend(0..self.on_host.len());
        }
        if everything {
            basis.observed.hosts.keys().for_each(|host| self.take_host(basis, host, &mut dirty));
        } else {
            changed.hosts.iter().for_each(|host| self.take_host(basis, host, &mut dirty));
            changed.containers.iter().for_each(|(host, id)| self.take_container(basis, host, id, &mut dirty));
        }
        let due = |until: &Option<Timestamp>| until.is_some_and(|until| until <= basis.now);
        dirty.units.extend(
            self.order.values().filter(|number| self.unit(**number).is_some_and(|unit| due(&unit.count.until))),
        );
        dirty.hosts.extend(self.host_until.iter().enumerate().filter(|(_, until)| due(until)).map(|(at, _)| at));
        dirty
    }

    /// Counts a unit anew, its rows left in the count.
    pub(super) fn count(&self, basis: &Basis<'_>, number: usize) -> Count {
        let Some(unit) = self.unit(number) else { return Count::default() };
        let is_busy = unit.service.as_ref().is_some_and(|service| self.busy.contains(service));
        unit::count(*basis, &unit.key, unit.service.as_ref(), is_busy, &unit.members)
    }

    /// True when nothing is wanted of a unit and nothing is there.
    pub(super) fn is_empty(&self, basis: &Basis<'_>, number: usize) -> bool {
        self.unit(number).is_some_and(|unit| {
            let regions = unit.service.as_ref().and_then(|service| basis.desired.services.get(service));
            let wanted =
                regions.into_iter().flat_map(BTreeMap::keys).any(|region| unit::place_of(basis, region) == unit.key.1);
            unit.members.is_empty() && !wanted
        })
    }

    /// Forgets a unit.
    pub(super) fn forget(&mut self, number: usize) {
        if let Some(unit) = self.units.get_mut(number).and_then(Option::take) {
            self.order.remove(&unit.key);
            self.free.push(number);
        }
    }

    fn number(&mut self, key: Key) -> usize {
        if let Some(number) = self.order.get(&key) {
            return *number;
        }
        let service = key.0.key();
        let unit =
            Unit { key: key.clone(), service, members: Members::new(), from: 0, len: 0, count: Count::default() };
        let number = self.free.pop().unwrap_or_else(|| {
            self.units.push(None);
            self.units.len() - 1
        });
        if let Some(place) = self.units.get_mut(number) {
            *place = Some(unit);
        }
        self.order.insert(key, number);
        number
    }

    /// Looks for services of which something else is wanted, or which an operation began or ceased to work on.
    fn take_store(&mut self, basis: &Basis<'_>, dirty: &mut Dirty) {
        let busy = busy_services(basis.operations);
        let before = std::mem::replace(&mut self.desired, Arc::clone(basis.desired));
        let after = Arc::clone(&self.desired);
        let mut changed: BTreeSet<ServiceKey> = busy.symmetric_difference(&self.busy).cloned().collect();
        self.busy = busy;
        if !Arc::ptr_eq(&before, &after) {
            let all = [&before, &after].map(|desired| desired.services.keys().chain(desired.revisions.keys()));
            let all: BTreeSet<&ServiceKey> = all.into_iter().flatten().collect();
            changed.extend(all.into_iter().filter(|key| differs(&before, &after, key)).cloned());
        }
        for key in changed {
            let id = ServiceId::own(&key);
            for region in after.services.get(&key).into_iter().flat_map(BTreeMap::keys) {
                self.number((id.clone(), unit::place_of(basis, region)));
            }
            let range = (id.clone(), None)..=(id.clone(), Some(usize::MAX));
            dirty.units.extend(self.order.range(range).map(|(_, number)| *number));
            dirty.services.insert(id);
        }
    }

    /// All of a host: what is there, what was, and what should be.
    fn take_host(&mut self, basis: &Basis<'_>, host: &HostName, dirty: &mut Dirty) {
        let Some(place) = self.places.get(host).copied() else { return };
        dirty.units.extend(self.on_host.get(place).into_iter().flatten().map(|(unit, _)| *unit));
        dirty.hosts.insert(place);
        let there = basis.observed.hosts.get(host).into_iter().flat_map(|host| host.containers.keys());
        let mut all: BTreeSet<ContainerId> = there.cloned().collect();
        all.extend(self.members.get(place).into_iter().flat_map(BTreeMap::keys).cloned());
        for id in &all {
            self.take_container(basis, host, id, dirty);
        }
    }

    /// One container: it may be new, gone, or another's than before.
    fn take_container(&mut self, basis: &Basis<'_>, name: &HostName, id: &ContainerId, dirty: &mut Dirty) {
        let Some(place) = self.places.get(name).copied() else { return };
        dirty.hosts.insert(place);
        let host = basis.observed.hosts.get(name);
        let now = host.and_then(|host| Some((host, host.containers.get(id)?)));
        let now = now.and_then(|(host, container)| key_of(basis, &host.region, container));
        let before = self.members.get(place).and_then(|members| members.get(id)).copied();
        dirty.units.extend(before);
        if before.and_then(|number| self.unit(number)).map(|unit| &unit.key) == now.as_ref() {
            return;
        }
        if let Some(unit) = before.and_then(|number| self.unit_mut(number)) {
            unit.members.remove(&(name.clone(), id.clone()));
        }
        let number = now.map(|key| self.number(key));
        if let Some(members) = self.members.get_mut(place) {
            match number {
                Some(number) => members.insert(id.clone(), number),
                None => members.remove(id),
            };
        }
        if let Some(unit) = number.and_then(|number| self.unit_mut(number)) {
            unit.members.insert((name.clone(), id.clone()));
        }
        dirty.units.extend(number);
    }
}

/// The unit of a container; none for those that have no row: an operation tells of its test, and a host of its proxy.
fn key_of(basis: &Basis<'_>, region: &crate::model::RegionName, container: &Container) -> Option<Key> {
    let region = match &container.owner {
        Owner::Test(_) | Owner::Proxy => return None,
        Owner::Replica(of) => &of.key.region,
        _ => region,
    };
    Some((ServiceId::of(container), unit::place_of(basis, region)))
}

/// Services that an unfinished operation is working on: what misses there is on its way, not lost.
fn busy_services(operations: &[Operation]) -> BTreeSet<ServiceKey> {
    operations.iter().filter(|op| !op.state.is_final()).flat_map(|op| op.after.keys()).cloned().collect()
}

/// True when something else is wanted of a service. Revisions are never edited: their numbers say enough.
fn differs(before: &Desired, after: &Desired, key: &ServiceKey) -> bool {
    let revisions = |desired: &Desired| desired.revisions.get(key).map(|all| all.keys().copied().collect::<Vec<_>>());
    before.services.get(key) != after.services.get(key) || revisions(before) != revisions(after)
}
