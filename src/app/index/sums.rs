//! The sums above units: hosts, services, stacks, all.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    Basis, Index,
    books::{Books, Unit},
    rows::Moved,
    unit::sooner,
};
use crate::{
    app::{
        ids::{ServiceId, StackId, is_seen},
        rows::{HostRow, Load, ServiceRow, StackRow, Tally},
    },
    text::Text,
};

impl Index {
    /// Hosts, by their places.
    pub(super) fn sum_hosts(&mut self, books: &mut Books, basis: &Basis<'_>, places: &BTreeSet<usize>) {
        if self.hosts.is_empty() {
            let unseen = |(region, host): (&crate::model::Region, &crate::model::Host)| HostRow {
                name: host.name.clone(),
                region: region.name.clone(),
                replicas: Tally::default(),
                others: 0,
                running: 0,
                live: Load::default(),
            };
            self.hosts = basis.fleet.hosts().map(unseen).collect();
        }
        for place in places {
            let Some(row) = self.hosts.get_mut(*place) else { continue };
            let view = basis.observed.hosts.get(&row.name);
            (row.replicas, row.others) = (Tally::default(), 0);
            for replica in books.rows_at(*place).into_iter().filter_map(|at| self.replicas.get(at)) {
                match (replica.slot, replica.wanted) {
                    (None, _) => row.others += 1,
                    (Some(_), false) => row.replicas.surplus += 1,
                    (Some(_), true) => row.replicas.count(replica.mark),
                }
            }
            let seen = is_seen(view);
            let (mut live, mut running, mut until) = (Load::default(), 0, None);
            for container in view.into_iter().flat_map(|view| view.containers.values()).filter(|it| it.is_running()) {
                running += 1;
                live.count(container, seen, basis.pace, basis.now);
                until = sooner(until, Load::until(container, seen, basis.pace, basis.now));
            }
            if !seen {
                // Something is missing, whatever runs there.
                live.missing = live.missing.max(1);
            }
            (row.live, row.running) = (live, running);
            if let Some(known) = books.host_until.get_mut(*place) {
                *known = until;
            }
        }
    }

    /// Services: from their units, and from what is wanted.
    pub(super) fn sum_services(&mut self, books: &Books, basis: &Basis<'_>, services: &BTreeSet<ServiceId>) {
        let row = |id: &ServiceId| (id.clone(), service(books, basis, id));
        merge(&mut self.services, services.iter().map(row).collect(), |row| &row.id);
    }

    /// The stacks of services, and all.
    pub(super) fn sum_stacks(
        &mut self,
        basis: &Basis<'_>,
        services: &BTreeSet<ServiceId>,
        moved: &Moved,
        with_operations: bool,
    ) {
        let touched: BTreeSet<&StackId> = services.iter().map(|service| &service.stack).collect();
        let row = |id: &StackId| (id.clone(), self.sum_stack(basis, id, moved.contains(id)));
        let rows: BTreeMap<StackId, Option<StackRow>> = touched.into_iter().map(row).collect();
        merge(&mut self.stacks, rows, |row| &row.id);
        if with_operations {
            let last = last_operations(basis);
            for row in &mut self.stacks {
                row.last = last.get(&row.id).copied();
            }
        }
        self.total = Tally::default();
        for row in self.stacks.iter().filter(|row| row.id.own().is_some()) {
            self.total.add(&row.total);
        }
    }

    fn sum_stack(&self, basis: &Basis<'_>, id: &StackId, moved: bool) -> Option<StackRow> {
        let from = self.services.partition_point(|row| row.id.stack < *id);
        let to = self.services.partition_point(|row| row.id.stack <= *id);
        let services = self.services.get(from..to).filter(|services| !services.is_empty())?;
        let before = self.stack(id);
        let hosts = match before.filter(|_| !moved) {
            Some(before) => before.hosts,
            None => self.replicas_of_stack(id).iter().map(|row| &row.host).collect::<HashSet<_>>().len(),
        };
        let last = match before {
            Some(before) => before.last,
            None => last_operations(basis).get(id).copied(),
        };
        let mut stack = StackRow {
            id: id.clone(),
            services: services.len(),
            hosts,
            regions: vec![None; self.regions.len()],
            total: Tally::default(),
            last,
        };
        for row in services {
            stack.total.add(&row.total);
            for (sum, tally) in stack.regions.iter_mut().zip(&row.regions) {
                if let Some(tally) = tally {
                    sum.get_or_insert_default().add(tally);
                }
            }
        }
        Some(stack)
    }
}

/// A service's row; none where nothing is wanted of it and nothing is there.
fn service(books: &Books, basis: &Basis<'_>, id: &ServiceId) -> Option<ServiceRow> {
    let key = id.key();
    let is_wanted = key.as_ref().is_some_and(|key| basis.desired.services.contains_key(key));
    let units: Vec<&Unit> = books.units_of(id).collect();
    if units.is_empty() && !is_wanted {
        return None;
    }
    let latest = key.filter(|_| is_wanted).and_then(|key| basis.desired.latest(&key));
    let first = units.iter().filter_map(|unit| unit.count.image.as_ref()).min_by_key(|(host, _)| host);
    let mut row = ServiceRow {
        id: id.clone(),
        revision: latest.map(|revision| revision.no),
        image: latest
            .map(|revision| Text::new(&revision.spec.image))
            .or_else(|| first.map(|(_, image)| image.clone()))
            .unwrap_or_default(),
        regions: vec![None; basis.fleet.regions.len()],
        total: Tally::default(),
        updated: latest.map(|revision| (revision.at, revision.by.clone())),
    };
    for unit in units {
        let place = unit.key.1.and_then(|at| row.regions.get_mut(at));
        if let Some(place) = place {
            *place = Some(unit.count.tally);
            row.total.add(&unit.count.tally);
        }
    }
    Some(row)
}

/// The latest operation that touched each stack. Operations come newest first.
fn last_operations(basis: &Basis<'_>) -> HashMap<StackId, usize> {
    let mut last = HashMap::new();
    for (at, op) in basis.operations.iter().enumerate() {
        let mut before = None;
        for service in op.after.keys().filter(|service| before.replace(&service.stack) != Some(&service.stack)) {
            last.entry(StackId::Own(service.stack.clone())).or_insert(at);
        }
    }
    last
}

/// Puts rows in the place of those with the same name, adds new ones and takes away those that are none any more. Both
/// are in the order of names.
fn merge<Name: Ord, Row>(rows: &mut Vec<Row>, new: BTreeMap<Name, Option<Row>>, name: impl Fn(&Row) -> &Name) {
    let mut others = BTreeMap::new();
    for (id, row) in new {
        let found = rows.binary_search_by(|known| name(known).cmp(&id));
        match (found.ok().and_then(|at| rows.get_mut(at)), row) {
            (Some(place), Some(row)) => *place = row,
            (None, None) => {}
            (_, row) => {
                others.insert(id, row);
            }
        }
    }
    if others.is_empty() {
        return;
    }
    let (gone, more): (BTreeMap<_, _>, BTreeMap<_, _>) = others.into_iter().partition(|(_, row)| row.is_none());
    rows.retain(|row| !gone.contains_key(name(row)));
    rows.extend(more.into_values().flatten());
    // What was there is in order: this costs little more than one pass.
    rows.sort_by(|a, b| name(a).cmp(name(b)));
}
