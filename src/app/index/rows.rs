//! Writing what units came to among the rows of all.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Basis, Changed, Index,
    books::{Books, Dirty},
    unit::Count,
};
use crate::{
    app::{ids::StackId, rows::ReplicaRow},
    model::RegionName,
};

/// Stacks whose rows stand on other hosts than before.
pub(super) type Moved = BTreeSet<StackId>;

impl Index {
    /// Counts what changed since the last count, and what time alone changes.
    pub fn recount(&mut self, basis: Basis<'_>, changed: &Changed) {
        let regions = basis.fleet.regions.iter().map(|region| &region.name);
        if !self.regions.iter().eq(regions.clone()) {
            self.regions = regions.cloned().collect::<Vec<RegionName>>();
        }
        let mut books = std::mem::take(&mut self.books);
        let mut dirty = books.take(&basis, changed);
        if changed.everything || self.hosts.is_empty() {
            *self = Self { regions: std::mem::take(&mut self.regions), ..Self::default() };
        }
        let counts = dirty.units.iter().map(|number| (*number, books.count(&basis, *number))).collect();
        let moved = self.write(&mut books, &basis, counts, &mut dirty);
        self.sum_hosts(&mut books, &basis, &dirty.hosts);
        self.sum_services(&books, &basis, &dirty.services);
        self.sum_stacks(&basis, &dirty.services, &moved, changed.everything || changed.store);
        let times = books.order.values().filter_map(|number| books.unit(*number)?.count.healthy_at);
        self.look_again = times.min();
        self.books = books;
    }

    /// Puts the rows of units in the place of those they had, and marks what hangs on those that differ.
    fn write(
        &mut self,
        books: &mut Books,
        basis: &Basis<'_>,
        mut counts: BTreeMap<usize, Count>,
        dirty: &mut Dirty,
    ) -> Moved {
        let mut moved = Moved::new();
        let mut grown = false;
        for (number, count) in &counts {
            let Some(unit) = books.unit(*number) else { continue };
            let (key, from, len) = (unit.key.clone(), unit.from, unit.len);
            let before = self.replicas.get(from..from + len).unwrap_or_default();
            let same_hosts = before.iter().map(|row| &row.host).eq(count.rows.iter().map(|row| &row.host));
            grown |= before.len() != count.rows.len();
            if same_hosts {
                let differ = before.iter().zip(&count.rows).filter(|(old, new)| old != new).map(|(_, new)| &new.host);
                dirty.hosts.extend(differ.filter_map(|host| books.places.get(host)));
            } else {
                books.leave_hosts(*number, before, dirty);
                books.enter_hosts(*number, &count.rows, dirty);
                moved.insert(key.0.stack.clone());
            }
            dirty.services.insert(key.0);
        }
        if !grown {
            for (number, count) in &mut counts {
                let Some(unit) = books.unit_mut(*number) else { continue };
                let new = std::mem::take(&mut count.rows);
                let old = self.replicas.get_mut(unit.from..unit.from + unit.len).unwrap_or_default();
                old.iter_mut().zip(new).for_each(|(old, new)| *old = new);
                unit.count = std::mem::take(count);
            }
            books.forget_empty(basis, counts.keys());
            return moved;
        }
        let total = self.replicas.len() + counts.values().map(|count| count.rows.len()).sum::<usize>();
        let mut old = std::mem::replace(&mut self.replicas, Vec::with_capacity(total)).into_iter();
        let numbers: Vec<usize> = books.order.values().copied().collect();
        for number in numbers {
            let Some(unit) = books.unit_mut(number) else { continue };
            let before = old.by_ref().take(unit.len);
            unit.from = self.replicas.len();
            match counts.get_mut(&number) {
                Some(count) => {
                    before.for_each(drop);
                    self.replicas.extend(std::mem::take(&mut count.rows));
                    unit.count = std::mem::take(count);
                }
                None => self.replicas.extend(before),
            }
            unit.len = self.replicas.len() - unit.from;
        }
        self.replicas.shrink_to(self.replicas.len() + self.replicas.len() / 8);
        books.forget_empty(basis, counts.keys());
        moved
    }
}

impl Books {
    fn forget_empty<'n>(&mut self, basis: &Basis<'_>, numbers: impl Iterator<Item = &'n usize>) {
        for number in numbers {
            if self.is_empty(basis, *number) {
                self.forget(*number);
            }
        }
    }

    fn leave_hosts(&mut self, number: usize, rows: &[ReplicaRow], dirty: &mut Dirty) {
        for row in rows {
            let Some(place) = self.places.get(&row.host) else { continue };
            dirty.hosts.insert(*place);
            if let Some(there) = self.on_host.get_mut(*place) {
                there.retain(|(unit, _)| *unit != number);
            }
        }
    }

    fn enter_hosts(&mut self, number: usize, rows: &[ReplicaRow], dirty: &mut Dirty) {
        for (at, row) in rows.iter().enumerate() {
            let Some(place) = self.places.get(&row.host) else { continue };
            dirty.hosts.insert(*place);
            if let Some(there) = self.on_host.get_mut(*place) {
                there.push((number, at));
            }
        }
    }
}
