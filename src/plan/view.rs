//! A service of one region: each wanted slot with the containers that are, or were, its replica.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    index::{Index, Seen, Sight},
    standing::{Standing, standing},
};
use crate::model::{Assignment, Desired, Place, ReplicaKey, Revision, RevisionNo, ServiceKey, ServiceSpec, Slot};

/// A container and how it stands.
pub(crate) type Copy<'a> = (Seen<'a>, Standing);

/// One wanted slot.
#[derive(Debug)]
pub(crate) struct SlotView<'a> {
    pub key: ReplicaKey,
    pub place: &'a Place,
    pub sight: Sight<'a>,
    /// The container that is as wanted: on the wanted host, at the wanted revision and round.
    pub wanted: Option<Copy<'a>>,
    /// Other containers of the slot: older, elsewhere, or double.
    pub old: Vec<Copy<'a>>,
}

impl<'a> SlotView<'a> {
    /// As wanted, and seen to be so.
    pub fn is_up(&self) -> bool {
        self.wanted.as_ref().is_some_and(|(_, standing)| standing.is_up())
    }

    /// Some copy of it, wanted or old, does its work.
    pub fn is_served(&self) -> bool {
        self.is_up() || self.old.iter().any(|(_, standing)| *standing == Standing::Healthy)
    }

    /// Old copies on hosts that answer.
    pub fn old_live(&self) -> impl Iterator<Item = &Copy<'a>> {
        self.old.iter().filter(|(seen, _)| seen.live)
    }
}

/// A service of one region.
#[derive(Debug)]
pub(crate) struct ServiceView<'a> {
    pub key: &'a ServiceKey,
    pub assignment: Option<&'a Assignment>,
    /// The newest revision that is wanted here.
    pub revision: Option<&'a Arc<Revision>>,
    pub slots: Vec<SlotView<'a>>,
    /// Containers of slots that are not wanted.
    pub unwanted: Vec<Copy<'a>>,
}

impl<'a> ServiceView<'a> {
    pub fn spec(&self) -> Option<&'a ServiceSpec> {
        self.revision.map(|revision| &revision.spec)
    }
}

/// Tells which revisions make equal containers: a change of numbers or placement rules alone replaces nothing.
pub(crate) struct Sameness<'a> {
    desired: &'a Desired,
    service: &'a ServiceKey,
    known: BTreeMap<(RevisionNo, RevisionNo), bool>,
}

impl<'a> Sameness<'a> {
    pub fn new(desired: &'a Desired, service: &'a ServiceKey) -> Self {
        Self { desired, service, known: BTreeMap::new() }
    }

    /// True when a container of `have` need not be replaced to become one of `want`.
    pub fn same(&mut self, have: RevisionNo, want: RevisionNo) -> bool {
        if have == want {
            return true;
        }
        let (desired, service) = (self.desired, self.service);
        *self.known.entry((have, want)).or_insert_with(|| {
            match (desired.revision(service, have), desired.revision(service, want)) {
                (Some(have), Some(want)) => have.image == want.image && have.spec.same_container(&want.spec),
                _ => false,
            }
        })
    }
}

impl<'a> Index<'a> {
    /// Every service that is wanted or seen in the region.
    pub fn services(&self) -> BTreeMap<&'a ServiceKey, ServiceView<'a>> {
        let wanted = self.world.desired.services.iter().filter(|(_, regions)| regions.contains_key(self.region));
        let keys: BTreeSet<&ServiceKey> = wanted.map(|(key, _)| key).chain(self.containers.keys().copied()).collect();
        keys.into_iter().map(|key| (key, self.service(key))).collect()
    }

    /// One service of the region.
    pub fn service(&self, key: &'a ServiceKey) -> ServiceView<'a> {
        let desired = self.world.desired;
        let assignment = desired.assignment(key, self.region);
        let newest = assignment.and_then(|assignment| assignment.slots.values().map(|place| place.revision).max());
        let revision = match newest {
            Some(no) => desired.revision(key, no),
            None => desired.latest(key),
        };
        let mut same = Sameness::new(desired, key);
        let seen = self.containers.get(key).map(Vec::as_slice).unwrap_or_default();
        // One look-up per service and not one per container.
        let kept = desired.revisions.get(key);
        let standing_of = |seen: &Seen<'a>| {
            let own = kept.and_then(|kept| kept.get(&seen.of.revision));
            let spec = own.or(revision).map(|revision| &revision.spec);
            (*seen, standing(self, seen, spec))
        };
        let mut slots = Vec::new();
        let mut unwanted = Vec::new();
        // Both sides are sorted by slot, so one walk pairs them.
        let mut rest = seen.iter().peekable();
        let mut take = |slot: Option<Slot>| {
            let mut copies = Vec::new();
            while let Some(next) = rest.next_if(|next| slot.is_none_or(|slot| next.of.key.slot <= slot)) {
                let copy = standing_of(next);
                if slot == Some(next.of.key.slot) { copies.push(copy) } else { unwanted.push(copy) }
            }
            copies
        };
        for (slot, place) in assignment.iter().flat_map(|assignment| &assignment.slots) {
            let round = assignment.map_or(0, |assignment| assignment.round);
            let mut copies = take(Some(*slot));
            let best = copies
                .iter()
                .enumerate()
                .filter(|(_, (seen, _))| {
                    seen.host.name == place.host
                        && seen.of.round >= round
                        && same.same(seen.of.revision, place.revision)
                })
                .max_by_key(|(at, (seen, standing))| {
                    let exact = seen.of.revision == place.revision;
                    (standing.is_up(), standing.is_alive(), exact, std::cmp::Reverse(*at))
                })
                .map(|(at, _)| at);
            let wanted = best.map(|at| copies.remove(at));
            // The container's own host is at hand; by name it would be a search for each of perhaps 50,000 slots.
            let sight = match &wanted {
                Some((seen, _)) => self.sight_of(seen.host),
                None => self.sight(&place.host),
            };
            slots.push(SlotView {
                key: ReplicaKey { region: self.region.clone(), service: key.clone(), slot: *slot },
                place,
                sight,
                wanted,
                old: copies,
            });
        }
        take(None);
        ServiceView { key, assignment, revision, slots, unwanted }
    }
}
