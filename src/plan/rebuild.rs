//! What was wanted, from what runs: desired state for a store that was lost.
//!
//! Everything stays as it is: each slot is wanted on the host and at the revision of the container that does its work
//! now, so that a reconciler which starts from it has nothing to do.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::model::{
    Assignment, Container, ContainerState, Desired, Fleet, Generation, Health, Place, Recalled, Record, RegionName,
    ReplicaKey, RevisionNo, ServiceKey, StackName,
};

/// The best record of each revision, and whose it is.
type Records<'f> = BTreeMap<(&'f ServiceKey, RevisionNo), (&'f Record, &'f Recalled)>;

/// The generation of a store that was built again.
const FIRST: Generation = Generation(1);

/// What could be built again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rebuilt {
    /// The state.
    pub desired: Desired,
    /// Services that cannot be built again, and why. Their containers would be left alone, but the proxies would not
    /// send them anything more.
    pub left: BTreeMap<ServiceKey, String>,
    /// What is not as it was, or is to be looked after, in words.
    pub notes: Vec<String>,
}

impl Rebuilt {
    /// Replicas that are wanted.
    pub fn replicas(&self) -> usize {
        self.desired.replicas().count()
    }
}

/// Builds desired state from what hosts tell.
pub fn rebuild(fleet: &Fleet, found: &[Recalled]) -> Rebuilt {
    let mut out = Rebuilt::default();
    let mut slots: BTreeMap<&ReplicaKey, Vec<&Recalled>> = BTreeMap::new();
    for it in found {
        match fleet.host(&it.host) {
            Some((region, _)) if region.name == it.of.key.region => {
                slots.entry(&it.of.key).or_default().push(it);
            }
            _ => out.notes.push(format!(
                "{} on {} is a replica in region {}, and the fleet file has that host elsewhere: it is not taken in",
                it.container.name, it.host, it.of.key.region
            )),
        }
    }
    let records = records(found);
    for (key, mut copies) in slots {
        copies.sort_by_key(|it| Reverse(rank(it)));
        let Some((chosen, others)) = copies.split_first() else { continue };
        if let Some(why) = unknown(&records, chosen) {
            out.left.entry(key.service.clone()).or_insert(why);
            continue;
        }
        for other in others {
            out.notes.push(format!(
                "{} on {} does the work of {key} too: it was being replaced, and drains once a reconciler runs",
                other.container.name, other.host
            ));
        }
        if !chosen.container.is_running() && !is_done(&chosen.container) {
            let (name, word) = (&chosen.container.name, chosen.container.state.word());
            out.notes.push(format!("{name} on {} is {word}: it is wanted, and started anew", chosen.host));
        }
        let regions = out.desired.services.entry(key.service.clone()).or_default();
        let assignment = regions.entry(key.region.clone()).or_insert_with(|| Assignment {
            generation: FIRST,
            round: chosen.of.round,
            ..Assignment::default()
        });
        // The lowest of all, so that none is of an older round than is wanted.
        assignment.round = assignment.round.min(chosen.of.round);
        assignment.slots.insert(key.slot, Place { host: chosen.host.clone(), revision: chosen.of.revision });
    }
    let left: BTreeSet<ServiceKey> = out.left.keys().cloned().collect();
    out.desired.services.retain(|service, _| !left.contains(service));
    take(&mut out, &records);
    out.notes.extend(gaps(&out.desired));
    if !out.desired.services.is_empty() {
        out.desired.generation = FIRST;
    }
    out
}

/// The best record of each revision: what lacks least.
fn records(found: &[Recalled]) -> Records<'_> {
    let mut best: Records<'_> = BTreeMap::new();
    for it in found {
        let Ok(record) = &it.record else { continue };
        let worth = |it: &Recalled, record: &Record| (Reverse(it.lacks.len()), record.revision.spec.expose.len());
        let key = (&it.of.key.service, it.of.revision);
        match best.get(&key) {
            Some((known, from)) if worth(from, known) >= worth(it, record) => {}
            _ => {
                best.insert(key, (record, it));
            }
        }
    }
    best
}

/// Why the revision of a container is not known; none when it is.
fn unknown(records: &Records<'_>, it: &Recalled) -> Option<String> {
    if records.contains_key(&(&it.of.key.service, it.of.revision)) {
        return None;
    }
    let why = it.record.as_ref().err()?;
    Some(format!("r{}: {} on {}: {why}", it.of.revision, it.container.name, it.host))
}

/// Takes the revisions in, and what their stacks share: the newest says what the others do not.
fn take(out: &mut Rebuilt, records: &Records<'_>) {
    let mut shared: Vec<(&StackName, &Record)> = Vec::new();
    for ((service, no), (record, from)) in records {
        if !out.desired.services.contains_key(*service) {
            continue;
        }
        for lack in &from.lacks {
            out.notes.push(format!(
                "{service} r{no} lacks {lack}; deploy the stack's file again before a replica of it is made anew"
            ));
        }
        out.desired.revisions.entry((*service).clone()).or_default().insert(*no, Arc::new(record.revision.clone()));
        shared.push((&service.stack, record));
    }
    shared.sort_by_key(|(_, record)| record.revision.at);
    for (stack, record) in shared {
        let all = out.desired.stacks.entry(stack.clone()).or_default();
        let record = record.shared.clone();
        all.networks.extend(record.networks);
        all.volumes.extend(record.volumes);
        all.addresses.extend(record.addresses);
    }
}

/// Which copy of a slot does its work: one that is healthy, then one that runs, then the newest.
fn rank(it: &Recalled) -> (u8, RevisionNo, u32) {
    let standing = match (&it.container.state, it.container.health) {
        (ContainerState::Running, Health::None | Health::Healthy) => 4,
        (ContainerState::Running, Health::Starting) => 3,
        (ContainerState::Running, Health::Unhealthy) => 2,
        _ if is_done(&it.container) => 1,
        _ => 0,
    };
    (standing, it.of.revision, it.of.round)
}

/// It ran and ended well, as jobs do.
fn is_done(container: &Container) -> bool {
    matches!(container.state, ContainerState::Exited { code: 0, .. })
}

/// Slots that are missing between others: whether they were wanted is not known.
fn gaps(desired: &Desired) -> Vec<String> {
    let mut notes = Vec::new();
    for (service, regions) in &desired.services {
        for (region, assignment) in regions {
            let highest = assignment.slots.keys().next_back().map_or(0, |slot| slot.0);
            let have = u32::try_from(assignment.slots.len()).unwrap_or(u32::MAX);
            if highest > have {
                notes.push(gap(service, region, have, highest));
            }
        }
    }
    notes
}

fn gap(service: &ServiceKey, region: &RegionName, have: u32, highest: u32) -> String {
    format!(
        "{service} in {region} has {have} replicas, numbered up to {highest}: if it had more, `wharf scale {service}=N@{region}`"
    )
}
