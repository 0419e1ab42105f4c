//! Everything that views show, counted once per change. Drawing and filtering only read it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    ids::{ReplicaId, ServiceId, StackId, is_seen},
    line::Mark,
    rows::{HostRow, Load, ReplicaRow, ServiceRow, StackRow, Tally},
    status::Judge,
};
use crate::{
    model::{
        Assignment, Container, ContainerState, Desired, Fleet, Health, HostName, HostView, Observed, Operation, Owner,
        Place, RegionName, ReplicaKey, ServiceKey,
    },
    text::Text,
};

/// Everything, counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Index {
    /// Regions, in the fleet's order.
    pub regions: Vec<RegionName>,
    /// Stacks, ours first.
    pub stacks: Vec<StackRow>,
    /// Services, by stack.
    pub services: Vec<ServiceRow>,
    /// Replicas, by service, region and slot.
    pub replicas: Vec<ReplicaRow>,
    /// Hosts, in the fleet's order.
    pub hosts: Vec<HostRow>,
    /// Wanted replicas of ours.
    pub total: Tally,
    /// When the next replica without a check counts as healthy.
    pub look_again: Option<Timestamp>,
}

/// One service in one region, while it is counted.
struct Group<'a> {
    id: &'a ServiceId,
    service: &'a ServiceKey,
    region: &'a RegionName,
    assignment: &'a Assignment,
    min_healthy: Option<Duration>,
    is_busy: bool,
}

struct Builder<'a> {
    regions: HashMap<&'a RegionName, usize>,
    services: BTreeMap<ServiceId, ServiceRow>,
    stack_hosts: HashMap<StackId, HashSet<HostName>>,
    hosts: HashMap<HostName, (Tally, u32)>,
    replicas: Vec<ReplicaRow>,
    desired: &'a Desired,
    observed: &'a Observed,
    now: Timestamp,
    look_again: Option<Timestamp>,
}

impl Index {
    /// Counts everything.
    pub fn build(
        fleet: &Fleet,
        desired: &Desired,
        observed: &Observed,
        operations: &[Operation],
        now: Timestamp,
    ) -> Self {
        let mut b = Builder {
            regions: fleet.regions.iter().enumerate().map(|(at, region)| (&region.name, at)).collect(),
            services: BTreeMap::new(),
            stack_hosts: HashMap::new(),
            hosts: HashMap::new(),
            replicas: Vec::new(),
            desired,
            observed,
            now,
            look_again: None,
        };
        let busy = busy_services(operations);
        let mut slots: HashMap<ReplicaKey, Vec<(&HostName, &Container)>> = HashMap::new();
        for (host, container) in observed.containers() {
            match &container.owner {
                Owner::Replica(replica) => {
                    slots.entry(replica.key.clone()).or_default().push((&host.name, container));
                }
                // An operation tells of its test, and a host of its proxy.
                Owner::Test(_) | Owner::Proxy => {}
                _ => b.other(host.region.clone(), &host.name, container),
            }
        }
        for (service, regions) in &desired.services {
            let id = ServiceId::own(service);
            let latest = desired.latest(service);
            let row = b.service(&id);
            row.revision = latest.map(|revision| revision.no);
            row.image = latest.map(|revision| Text::new(&revision.spec.image)).unwrap_or_default();
            row.updated = latest.map(|revision| (revision.at, revision.by.clone()));
            for (region, assignment) in regions {
                let group = Group {
                    id: &id,
                    service,
                    region,
                    assignment,
                    min_healthy: fleet.region(region).map(|region| region.defaults.min_healthy),
                    is_busy: busy.contains(service),
                };
                b.group(&group, &mut slots);
            }
        }
        let mut rest: Vec<_> = slots.into_values().flatten().collect();
        rest.sort_by(|a, b| (&a.1.name, a.0).cmp(&(&b.1.name, b.0)));
        for (host, container) in rest {
            b.surplus(host, container);
        }
        b.finish(fleet, operations)
    }

    /// A service's row.
    pub fn service(&self, id: &ServiceId) -> Option<&ServiceRow> {
        self.services.binary_search_by(|row| row.id.cmp(id)).ok().and_then(|at| self.services.get(at))
    }

    /// A stack's row.
    pub fn stack(&self, id: &StackId) -> Option<&StackRow> {
        self.stacks.iter().find(|row| row.id == *id)
    }

    /// The replicas of a service.
    pub fn replicas_of(&self, service: &ServiceId) -> &[ReplicaRow] {
        let from = self.replicas.partition_point(|row| row.service < *service);
        let to = self.replicas.partition_point(|row| row.service <= *service);
        self.replicas.get(from..to).unwrap_or_default()
    }

    /// The replicas of a stack.
    pub fn replicas_of_stack(&self, stack: &StackId) -> &[ReplicaRow] {
        let from = self.replicas.partition_point(|row| row.service.stack < *stack);
        let to = self.replicas.partition_point(|row| row.service.stack <= *stack);
        self.replicas.get(from..to).unwrap_or_default()
    }

    /// The place of a region in the fleet's order.
    pub fn region_at(&self, name: &RegionName) -> Option<usize> {
        self.regions.iter().position(|region| region == name)
    }
}

/// Services that an unfinished operation is working on: what misses there is on its way, not lost.
fn busy_services(operations: &[Operation]) -> BTreeSet<&ServiceKey> {
    operations.iter().filter(|op| !op.state.is_final()).flat_map(|op| op.after.keys()).collect()
}

impl Builder<'_> {
    fn service(&mut self, id: &ServiceId) -> &mut ServiceRow {
        let regions = self.regions.len();
        self.services.entry(id.clone()).or_insert_with(|| ServiceRow {
            id: id.clone(),
            revision: None,
            image: Text::default(),
            regions: vec![None; regions],
            total: Tally::default(),
            updated: None,
        })
    }

    fn tally(&mut self, id: &ServiceId, region: &RegionName) -> Option<&mut Tally> {
        let at = *self.regions.get(region)?;
        self.service(id).regions.get_mut(at).map(Option::get_or_insert_default)
    }

    fn on_host(&mut self, stack: &StackId, host: &HostName) {
        if !self.stack_hosts.contains_key(stack) {
            self.stack_hosts.insert(stack.clone(), HashSet::new());
        }
        if let Some(hosts) = self.stack_hosts.get_mut(stack)
            && !hosts.contains(host)
        {
            hosts.insert(host.clone());
        }
    }

    fn other(&mut self, region: RegionName, host: &HostName, container: &Container) {
        let id = ServiceId::of(container);
        let view = self.observed.hosts.get(host);
        let (mark, now) = (self.judge(view, None, container), self.now);
        if let Some(tally) = self.tally(&id, &region) {
            tally.count(mark);
            tally.load(container.usage);
            tally.live.count(container, is_seen(view), now);
        }
        let row = self.service(&id);
        if row.image.is_empty() {
            row.image = container.image.clone();
        }
        self.hosts.entry(host.clone()).or_default().1 += 1;
        self.on_host(&id.stack, host);
        self.replicas.push(ReplicaRow {
            id: ReplicaId::Container(host.clone(), container.id.clone()),
            service: id,
            slot: None,
            region_at: self.regions.get(&region).copied(),
            region,
            host: host.clone(),
            container: Some(container.id.clone()),
            revision: None,
            mark,
            wanted: true,
        });
    }

    /// The replicas wanted of one service in one region.
    fn group<'c>(&mut self, group: &Group<'_>, slots: &mut HashMap<ReplicaKey, Vec<(&'c HostName, &'c Container)>>) {
        let mut tally = Tally::default();
        for (slot, place) in &group.assignment.slots {
            let key = ReplicaKey { region: group.region.clone(), service: group.service.clone(), slot: *slot };
            let mut there = slots.remove(&key).unwrap_or_default();
            let best = there
                .iter()
                .position(|(host, container)| {
                    **host == place.host && container.replica().is_some_and(|of| of.revision == place.revision)
                })
                .or_else(|| there.iter().position(|(host, _)| **host == place.host))
                .or(if there.is_empty() { None } else { Some(0) });
            let filled = best.map(|at| there.swap_remove(at));
            self.slot(group, key, place, filled, &mut tally);
            for (host, container) in there {
                self.surplus(host, container);
            }
        }
        if let Some(sum) = self.tally(group.id, group.region) {
            sum.add(&tally);
        }
    }

    fn slot(
        &mut self,
        group: &Group<'_>,
        key: ReplicaKey,
        place: &Place,
        filled: Option<(&HostName, &Container)>,
        tally: &mut Tally,
    ) {
        let host = filled.map_or(&place.host, |(host, _)| host);
        let view = self.observed.hosts.get(host);
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
        let usage = filled.and_then(|(_, container)| container.usage);
        tally.count(mark);
        tally.load(usage);
        match filled {
            Some((_, container)) => tally.live.count(container, is_seen(view), self.now),
            // Nobody can tell whether it runs there.
            None if mark == Mark::Unknown => tally.live.missing += 1,
            None => {}
        }
        let on = &mut self.hosts.entry(host.clone()).or_default().0;
        on.count(mark);
        on.load(usage);
        self.on_host(&group.id.stack, host);
        self.replicas.push(ReplicaRow {
            service: group.id.clone(),
            slot: Some(key.slot.0),
            region: key.region.clone(),
            region_at: self.regions.get(&key.region).copied(),
            host: host.clone(),
            container: filled.map(|(_, container)| container.id.clone()),
            revision: Some(filled.and_then(|(_, c)| c.replica()).map_or(place.revision, |of| of.revision)),
            mark,
            wanted: true,
            id: ReplicaId::Slot(key),
        });
    }

    fn surplus(&mut self, host: &HostName, container: &Container) {
        let Some(of) = container.replica() else { return };
        let id = ServiceId::own(&of.key.service);
        let view = self.observed.hosts.get(host);
        let (mark, now) = (self.judge(view, None, container), self.now);
        let mark = if mark == Mark::Ok { Mark::Changing } else { mark };
        if let Some(tally) = self.tally(&id, &of.key.region) {
            tally.surplus += 1;
            tally.load(container.usage);
            tally.live.count(container, is_seen(view), now);
        }
        self.hosts.entry(host.clone()).or_default().0.surplus += 1;
        self.on_host(&id.stack, host);
        self.replicas.push(ReplicaRow {
            id: ReplicaId::Container(host.clone(), container.id.clone()),
            service: id,
            slot: Some(of.key.slot.0),
            region: of.key.region.clone(),
            region_at: self.regions.get(&of.key.region).copied(),
            host: host.clone(),
            container: Some(container.id.clone()),
            revision: Some(of.revision),
            mark,
            wanted: false,
        });
    }

    fn finish(mut self, fleet: &Fleet, operations: &[Operation]) -> Index {
        let regions: Vec<RegionName> = fleet.regions.iter().map(|region| region.name.clone()).collect();
        let mut stacks: BTreeMap<StackId, StackRow> = BTreeMap::new();
        let mut total = Tally::default();
        for row in self.services.values_mut() {
            for tally in row.regions.iter().flatten() {
                row.total.add(tally);
            }
            if row.id.stack.own().is_some() {
                total.add(&row.total);
            }
            let stack = stacks.entry(row.id.stack.clone()).or_insert_with(|| StackRow {
                id: row.id.stack.clone(),
                services: 0,
                hosts: 0,
                regions: vec![None; regions.len()],
                total: Tally::default(),
                last: None,
            });
            stack.services += 1;
            stack.total.add(&row.total);
            for (sum, tally) in stack.regions.iter_mut().zip(&row.regions) {
                if let Some(tally) = tally {
                    sum.get_or_insert_default().add(tally);
                }
            }
        }
        for (id, hosts) in &self.stack_hosts {
            if let Some(stack) = stacks.get_mut(id) {
                stack.hosts = hosts.len();
            }
        }
        for (at, op) in operations.iter().enumerate() {
            for service in op.after.keys() {
                if let Some(stack) = stacks.get_mut(&StackId::Own(service.stack.clone())) {
                    // Operations come newest first.
                    stack.last.get_or_insert(at);
                }
            }
        }
        // Ours come nearly in order, so this costs little.
        self.replicas.sort_by(|a, b| {
            (&a.service, a.region_at, a.slot, &a.host, !a.wanted)
                .cmp(&(&b.service, b.region_at, b.slot, &b.host, !b.wanted))
                .then_with(|| a.id.cmp(&b.id))
        });
        let hosts = fleet
            .hosts()
            .map(|(region, host)| {
                let (replicas, others) = self.hosts.get(&host.name).copied().unwrap_or_default();
                let live = Load::of(self.observed.hosts.get(&host.name), self.now);
                HostRow { name: host.name.clone(), region: region.name.clone(), replicas, others, live }
            })
            .collect();
        Index {
            stacks: stacks.into_values().collect(),
            services: self.services.into_values().collect(),
            replicas: self.replicas,
            hosts,
            total,
            regions,
            look_again: self.look_again,
        }
    }

    fn judge(&mut self, host: Option<&HostView>, min_healthy: Option<Duration>, container: &Container) -> Mark {
        let ended = matches!(container.state, ContainerState::Exited { code: 0, .. });
        let spec = container
            .replica()
            .filter(|_| ended)
            .and_then(|of| self.desired.revision(&of.key.service, of.revision))
            .map(|revision| &revision.spec);
        let judge = Judge { host, spec, min_healthy, now: self.now };
        if container.state == ContainerState::Running
            && container.health == Health::None
            && let Some(at) = judge.healthy_at(container)
        {
            self.look_again = Some(self.look_again.map_or(at, |known| known.min(at)));
        }
        judge.of(container).0
    }
}
