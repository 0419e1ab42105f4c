//! What a recount must look at.

use std::collections::BTreeSet;

use crate::model::{ContainerId, HostChange, HostName, HostUpdate, Observed};

/// What changed since the last count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    pub(super) everything: bool,
    pub(super) store: bool,
    pub(super) hosts: BTreeSet<HostName>,
    pub(super) containers: BTreeSet<(HostName, ContainerId)>,
}

impl Changed {
    /// Nothing is as it was.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// What shall be, or what is going on.
    pub fn store() -> Self {
        Self { store: true, ..Self::default() }
    }

    /// How many containers and whole hosts wait to be counted.
    pub fn count(&self) -> usize {
        self.containers.len() + self.hosts.len()
    }

    /// The store was read anew.
    pub fn touch_store(&mut self) {
        self.store = true;
    }

    /// All containers changed hands.
    pub fn touch_everything(&mut self) {
        self.everything = true;
    }

    /// What an observer tells, before it is taken in.
    pub fn touch(&mut self, update: &HostUpdate, observed: &Observed) {
        if self.everything || self.hosts.contains(&update.host) {
            return;
        }
        let mut one = |id: &ContainerId| {
            self.containers.insert((update.host.clone(), id.clone()));
        };
        match &update.change {
            HostChange::Container(container) => one(&container.id),
            HostChange::Gone(id) => one(id),
            HostChange::Usage(samples) => samples.iter().for_each(|(id, _)| one(id)),
            // The link and the clock of a host say how all of its containers stand.
            HostChange::Link(_) | HostChange::Facts(_) => self.host(&update.host),
            HostChange::Listed { containers, .. } => {
                let before = observed.hosts.get(&update.host).filter(|host| host.listed_at.is_some());
                let Some(before) = before else {
                    self.host(&update.host);
                    return;
                };
                let known = |id: &ContainerId| before.containers.get(id);
                let same = |new: &crate::model::Container| {
                    known(&new.id).is_some_and(|old| {
                        let started = new.started.or(old.started);
                        *old == crate::model::Container { usage: old.usage, started, ..new.clone() }
                    })
                };
                let here: BTreeSet<&ContainerId> = containers.iter().map(|container| &container.id).collect();
                containers.iter().filter(|new| !same(new)).for_each(|new| one(&new.id));
                before.containers.keys().filter(|id| !here.contains(id)).for_each(one);
            }
            HostChange::Images(_) | HostChange::Proxy(_) | HostChange::Event(_) => {}
        }
    }

    fn host(&mut self, host: &HostName) {
        self.hosts.insert(host.clone());
    }
}
