//! Emptying a host: what runs there gets another place, decided at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Plan, Refusal, World,
    describe::{Change, describe},
    eligible::{Books, pinned_volume},
    host, lookup,
    placement::{self, NoPlace, Request},
};
use crate::model::{
    Assignment, HostIntent, HostName, Mode, Place, ReplicaKey, Revision, ServiceKey, ServiceSpec, Slot, drained,
};

/// Why replicas of a service do not leave a draining host; none when they may.
pub(crate) fn rooted(world: &World<'_>, service: &ServiceKey, spec: &ServiceSpec, host: &HostName) -> Option<String> {
    if let Some(volume) = pinned_volume(spec, world.desired.stacks.get(&service.stack)) {
        return Some(format!("its volume {volume} is only on {host}"));
    }
    (spec.deploy.mode == Mode::ReplicatedJob).then(|| "it is a job: on another host it would run again".to_owned())
}

/// Works out a drain. What cannot leave stays, and the plan says why; the rest goes all the same.
pub(super) fn drain(world: &World<'_>, name: &HostName) -> Result<Plan, Refusal> {
    let Some(region) = host::region_of(world, name) else {
        return Err(Refusal::Invalid(format!("{name} belongs to no region")));
    };
    let mut books = Books::new(world, region, &BTreeSet::new());
    books.close(name, "draining");
    let mut draft = Draft { world, host: name, stays: Vec::new(), after: BTreeMap::new() };
    let leaving = draft.sort(&mut books);
    draft.place(&mut books, leaving);
    let Draft { stays, after, .. } = draft;
    let changes: Vec<Change> = after
        .into_iter()
        .map(|(service, after)| Change {
            before: world.desired.assignment(service, region).cloned(),
            service: service.clone(),
            region: region.clone(),
            after: Some(after),
            why: String::new(),
        })
        .collect();
    let mut told = describe(world, &changes, &[]);
    let is_new = world.desired.hosts.get(name) != Some(&HostIntent::Draining);
    if is_new || !changes.is_empty() {
        let close = format!("drain {name}");
        told.steps.insert(0, host::step(world, name, close, "no new replicas from now on; what runs there moves away"));
        let items = drained(name, stays.len());
        let why = if stays.is_empty() { "" } else { "what stays is told below" };
        told.steps.push(host::step(world, name, items, why));
    }
    told.warnings.splice(0..0, stays.into_iter().map(|(replica, why)| format!("{replica} stays: {why}")));
    Ok(host::plan(world, name, Some(HostIntent::Draining), changes, told))
}

/// A replica that is to leave.
struct Leaver<'a> {
    replica: ReplicaKey,
    service: &'a ServiceKey,
    before: &'a Assignment,
    revision: &'a Revision,
}

struct Draft<'w, 'a> {
    world: &'w World<'a>,
    host: &'w HostName,
    stays: Vec<(ReplicaKey, String)>,
    after: BTreeMap<&'a ServiceKey, Assignment>,
}

impl<'a> Draft<'_, 'a> {
    /// Takes the host's replicas by what becomes of them. Those that leave are out of the books already, so that they
    /// do not stand in each other's way.
    fn sort(&mut self, books: &mut Books<'_>) -> Vec<Leaver<'a>> {
        let desired = self.world.desired;
        let mut leaving = Vec::new();
        for (service, regions) in &desired.services {
            let Some(before) = regions.get(books.region) else { continue };
            let here: Vec<(Slot, &Place)> =
                before.slots.iter().filter(|(_, place)| place.host == *self.host).map(|(slot, p)| (*slot, p)).collect();
            for (slot, place) in here {
                let replica = ReplicaKey { region: books.region.clone(), service: service.clone(), slot };
                let revision =
                    desired.revision(service, place.revision).or_else(|| lookup::current(self.world, service));
                let Some(revision) = revision else {
                    self.stays.push((replica, format!("its revision r{} is not kept any more", place.revision)));
                    continue;
                };
                if matches!(revision.spec.deploy.mode, Mode::Global | Mode::GlobalJob) {
                    self.after.entry(service).or_insert_with(|| before.clone()).slots.remove(&slot);
                } else if let Some(why) = rooted(self.world, service, &revision.spec, self.host) {
                    self.stays.push((replica, why));
                } else {
                    books.remove(&replica, self.host, Some(&revision.spec));
                    leaving.push(Leaver { replica, service, before, revision });
                }
            }
        }
        leaving
    }

    fn place(&mut self, books: &mut Books<'_>, leaving: Vec<Leaver<'a>>) {
        for Leaver { replica, service, before, revision } in leaving {
            let slot = replica.slot;
            let request = Request { service, spec: &revision.spec, avoid: &BTreeSet::new(), never: &BTreeMap::new() };
            match placement::place(books, request, [slot]) {
                Ok(placed) => {
                    let after = self.after.entry(service).or_insert_with(|| before.clone());
                    let places = placed.into_iter().map(|(slot, host)| (slot, Place { host, revision: revision.no }));
                    after.slots.extend(places);
                }
                Err(NoPlace { reasons, .. }) => {
                    books.add(self.host, service, slot, Some(&revision.spec));
                    self.stays.push((replica, format!("no other host can take it: {}", reasons.join("; "))));
                }
            }
        }
    }
}
