//! What the operator has put together and not yet asked for. Every step can be taken back.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{Desired, HostIntent, HostName, Kept, RegionName, Scope, ServiceKey, Site, StackName, Stored},
    text::Text,
};

/// Changes put together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Wanted numbers.
    pub targets: BTreeMap<(ServiceKey, RegionName), u32>,
    /// Hosts closed (`Some`) or opened (`None`) for new replicas.
    pub hosts: BTreeMap<HostName, Option<HostIntent>>,
    /// Services to restart.
    pub restarts: BTreeSet<ServiceKey>,
    /// Stacks, or single services of them, to take away.
    pub removes: BTreeSet<(StackName, Option<ServiceKey>)>,
    /// What moves from where, and to where.
    pub moves: BTreeMap<(Scope, Site), Site>,
    /// What runs an earlier revision again: its number for a service, a version's for a stack.
    pub rollbacks: BTreeMap<Scope, u32>,
    /// Regions in which replicas are spread anew; none stands for all regions.
    pub balances: BTreeSet<Option<RegionName>>,
    /// What is to be removed from hosts because nothing needs it.
    pub spares: BTreeMap<(HostName, Kept, Text), Stored>,
}

impl Changes {
    /// True when nothing was put in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many changes.
    pub fn len(&self) -> usize {
        let numbers = self.targets.len() + self.hosts.len() + self.restarts.len() + self.removes.len();
        numbers + self.moves.len() + self.rollbacks.len() + self.balances.len() + self.spares.len()
    }

    /// Adds what another holds; the other wins.
    pub fn merge(&mut self, other: Self) {
        self.targets.extend(other.targets);
        self.hosts.extend(other.hosts);
        self.restarts.extend(other.restarts);
        self.removes.extend(other.removes);
        self.moves.extend(other.moves);
        self.rollbacks.extend(other.rollbacks);
        self.balances.extend(other.balances);
        self.spares.extend(other.spares);
    }

    /// Takes the numbers out that are as wanted already.
    pub fn drop_done(&mut self, desired: &Desired) {
        self.targets.retain(|(service, region), to| wanted(desired, service, region) != *to);
        self.hosts.retain(|host, intent| desired.hosts.get(host).copied() != *intent);
    }
}

/// Replicas wanted of a service in a region.
pub fn wanted(desired: &Desired, service: &ServiceKey, region: &RegionName) -> u32 {
    desired
        .assignment(service, region)
        .map_or(0, |assignment| u32::try_from(assignment.slots.len()).unwrap_or(u32::MAX))
}

/// One line of the draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A wanted number.
    Target(ServiceKey, RegionName),
    /// A host.
    Host(HostName),
    /// A restart.
    Restart(ServiceKey),
    /// A removal.
    Remove(StackName, Option<ServiceKey>),
    /// A move of something from somewhere.
    Move(Scope, Site),
    /// A roll-back.
    Rollback(Scope),
    /// A rebalance of a region, or of all.
    Balance(Option<RegionName>),
    /// What a host is cleared of.
    Prune(HostName),
}

/// The draft with its steps back and forward.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    now: Changes,
    past: Vec<Changes>,
    future: Vec<Changes>,
}

impl Draft {
    /// What it holds.
    pub fn changes(&self) -> &Changes {
        &self.now
    }

    /// True when it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.now.is_empty()
    }

    /// Makes one step. Steps that change nothing are not remembered.
    pub fn step(&mut self, edit: impl FnOnce(&mut Changes)) {
        let before = self.now.clone();
        edit(&mut self.now);
        if self.now != before {
            self.past.push(before);
            self.future.clear();
        }
    }

    /// Takes the last step back. False when there is none.
    pub fn undo(&mut self) -> bool {
        let Some(before) = self.past.pop() else { return false };
        self.future.push(std::mem::replace(&mut self.now, before));
        true
    }

    /// Makes it again. False when there is none.
    pub fn redo(&mut self) -> bool {
        let Some(after) = self.future.pop() else { return false };
        self.past.push(std::mem::replace(&mut self.now, after));
        true
    }

    /// Hands the changes over and forgets the steps: they were accepted, or are about to be.
    pub fn take(&mut self) -> Changes {
        std::mem::take(self).now
    }

    /// What it makes of a service in a region.
    pub fn target(&self, service: &ServiceKey, region: &RegionName) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        if self.removed(service) {
            return Some(0);
        }
        self.now.targets.get(&(service.clone(), region.clone())).copied()
    }

    /// True when the service is to be taken away.
    pub fn removed(&self, service: &ServiceKey) -> bool {
        self.now.removes.iter().any(|(stack, one)| match one {
            Some(one) => one == service,
            None => *stack == service.stack,
        })
    }

    /// What it makes of a whole stack in a region.
    pub fn stack_target(&self, desired: &Desired, stack: &StackName, region: &RegionName) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        let mut touched = false;
        let sum = desired
            .services
            .keys()
            .filter(|service| service.stack == *stack)
            .map(|service| match self.target(service, region) {
                Some(to) => {
                    touched |= to != wanted(desired, service, region);
                    to
                }
                None => wanted(desired, service, region),
            })
            .sum();
        touched.then_some(sum)
    }

    /// True when the service is to be restarted.
    pub fn restarts(&self, service: &ServiceKey) -> bool {
        self.now.restarts.contains(service)
    }

    /// What else it does with a service or one slot of it, in a word: `move`, `roll back`. None when nothing.
    pub fn moves(&self, service: &ServiceKey, slot: Option<u32>) -> Option<&'static str> {
        let hits = |what: &Scope| match what {
            Scope::Stack(stack) => *stack == service.stack,
            Scope::Service(one) => one == service,
            Scope::Replica(one, only) => one == service && slot.is_none_or(|slot| only.0 == slot),
        };
        if self.now.rollbacks.keys().any(hits) {
            return Some("roll back");
        }
        self.now.moves.keys().any(|(what, _)| hits(what)).then_some("move")
    }

    /// What it makes of a host.
    pub fn host(&self, host: &HostName) -> Option<Option<HostIntent>> {
        self.now.hosts.get(host).copied()
    }

    /// Its lines, in the order of the plan.
    pub fn items(&self) -> Vec<Item> {
        let changes = &self.now;
        let hosts = changes.hosts.keys().cloned().map(Item::Host);
        let balances = changes.balances.iter().cloned().map(Item::Balance);
        let moves = changes.moves.keys().cloned().map(|(what, from)| Item::Move(what, from));
        let rollbacks = changes.rollbacks.keys().cloned().map(Item::Rollback);
        let targets = changes.targets.keys().cloned().map(|(service, region)| Item::Target(service, region));
        let restarts = changes.restarts.iter().cloned().map(Item::Restart);
        let removes = changes.removes.iter().cloned().map(|(stack, service)| Item::Remove(stack, service));
        let cleared: BTreeSet<&HostName> = changes.spares.keys().map(|(host, ..)| host).collect();
        let cleared = cleared.into_iter().cloned().map(Item::Prune);
        let moved = hosts.chain(balances).chain(moves);
        moved.chain(targets).chain(restarts).chain(rollbacks).chain(removes).chain(cleared).collect()
    }

    /// Takes one line out, as a step.
    pub fn drop_item(&mut self, item: &Item) {
        self.step(|changes| match item {
            Item::Target(service, region) => {
                changes.targets.remove(&(service.clone(), region.clone()));
            }
            Item::Host(host) => {
                changes.hosts.remove(host);
            }
            Item::Restart(service) => {
                changes.restarts.remove(service);
            }
            Item::Remove(stack, service) => {
                changes.removes.remove(&(stack.clone(), service.clone()));
            }
            Item::Move(what, from) => {
                changes.moves.remove(&(what.clone(), from.clone()));
            }
            Item::Rollback(what) => {
                changes.rollbacks.remove(what);
            }
            Item::Balance(region) => {
                changes.balances.remove(region);
            }
            Item::Prune(host) => changes.spares.retain(|(at, ..), _| at != host),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_back_and_forward() {
        let place = || ("shop/web".parse().unwrap(), RegionName::new("east").unwrap());
        let mut draft = Draft::default();
        assert!(!draft.undo() && !draft.redo());
        for to in [5, 6, 6, 7] {
            draft.step(|changes| {
                changes.targets.insert(place(), to);
            });
        }
        assert!(draft.undo());
        assert_eq!(draft.changes().targets[&place()], 6);
        assert!(draft.undo(), "the step from 6 to 6 was none");
        assert_eq!(draft.changes().targets[&place()], 5);
        assert!(draft.redo());
        draft.drop_item(&Item::Target(place().0, place().1));
        assert!(draft.is_empty());
        assert!(draft.undo());
        assert_eq!(draft.changes().targets[&place()], 6);
        assert_eq!(draft.take().len(), 1);
        assert!(draft.is_empty() && !draft.undo());
    }
}
