//! Moving replicas to other hosts or another region, the new copy first.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Plan, Refusal, StepKind, World,
    cargo::{self, Cargo, End, Load},
    describe::{Change, describe},
    eligible::Books,
    entry, scale,
};
use crate::model::{Assignment, HostName, Intent, Mode, Place, RegionName, ReplicaKey, Scope, ServiceKey, Site, Slot};

/// Works out moving a replica, a service or a stack from a host or region to another. Within a region slots keep their
/// numbers; in another region they take the lowest free ones. Between regions nothing of the old one stops before the
/// new one's part is done (see `waits_for_region` in `operation`).
pub fn migrate(world: &World<'_>, what: &Scope, from: &Site, to: &Site) -> Result<Plan, Refusal> {
    let (start, end) = (End::find(world, from)?, End::find(world, to)?);
    if start == end {
        return Err(Refusal::Invalid(format!("{what} cannot move from {from} to {from}: name another target")));
    }
    let cargo = cargo::gather(world, what, start)?.bound_for(start, end);
    cargo::allowed(&cargo, start, end)?;
    let mut books = Books::new(world, end.region, &BTreeSet::new());
    cargo::open(world, &books, end)?;
    vacate(&mut books, &cargo.loads, start, end);
    let numbers = numbers(world, &cargo.loads, start, end);
    let settled = cargo::settle(&mut books, &cargo.loads, end, &numbers)?;
    let changes = changes(world, &cargo.loads, start, end, settled);

    let mut told = describe(world, &changes, &[]);
    told.warnings.splice(0..0, warnings(world, &cargo, start, end));
    if start.region != end.region {
        told.warnings.extend(ways_in(world, &cargo.loads, end)?);
        // The old region's replicas go when the new region's are all healthy: the sum never falls.
        told.lowest = told.lowest.map(|(_, now)| (now, now));
        for step in told.steps.iter_mut().filter(|step| step.kind == StepKind::Stop) {
            step.why = format!("when {} is done", end.region);
        }
    }
    let command = |from: &Site, to: &Site| format!("wharf migrate {what} --from {from} --to {to}");
    let intent = Intent::Migrate { what: what.clone(), from: from.clone(), to: to.clone() };
    let undo = is_reversible(world, &cargo.loads, what, start, end).then(|| command(to, from));
    let undo = undo.filter(|_| !changes.is_empty());
    Ok(scale::plan(world, intent, command(from, to), changes, Vec::new(), told, undo))
}

/// What leaves a host makes room in the same region's books, and does not come back to that host.
pub(super) fn vacate(books: &mut Books<'_>, loads: &[Load<'_>], from: End<'_>, to: End<'_>) {
    if from.region != to.region {
        return;
    }
    for load in loads {
        for (slot, place) in &load.slots {
            let replica = ReplicaKey { region: from.region.clone(), service: load.service.clone(), slot: *slot };
            books.remove(&replica, &place.host, Some(&load.revision.spec));
        }
    }
    if let Some(host) = from.host {
        books.close(host, "is to be left");
    }
}

/// The slots' numbers at the target.
pub(super) fn numbers(world: &World<'_>, loads: &[Load<'_>], from: End<'_>, to: End<'_>) -> Vec<Vec<Slot>> {
    let of = |load: &Load<'_>| -> Vec<Slot> {
        if from.region == to.region {
            return load.slots.keys().copied().collect();
        }
        let there = world.desired.assignment(load.service, to.region);
        let taken = |slot: &Slot| there.is_some_and(|there| there.slots.contains_key(slot));
        (1..).map(Slot).filter(|slot| !taken(slot)).take(load.slots.len()).collect()
    };
    loads.iter().map(of).collect()
}

fn changes(
    world: &World<'_>,
    loads: &[Load<'_>],
    from: End<'_>,
    to: End<'_>,
    settled: Vec<BTreeMap<Slot, HostName>>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for (load, places) in loads.iter().zip(settled) {
        let revisions: Vec<_> = load.slots.values().map(|place| place.revision).collect();
        let places = places.into_iter().zip(revisions).map(|((slot, host), revision)| (slot, Place { host, revision }));
        let change = |region: &RegionName, before: Option<&Assignment>, after: Option<Assignment>| Change {
            service: load.service.clone(),
            region: region.clone(),
            before: before.cloned(),
            after,
            why: String::new(),
        };
        let there = world.desired.assignment(load.service, to.region);
        let mut after = there.cloned().unwrap_or_default();
        after.slots.extend(places);
        changes.push(change(to.region, there, Some(after)));
        if from.region != to.region {
            let mut left = load.before.clone();
            left.slots.retain(|slot, _| !load.slots.contains_key(slot));
            let left = (!left.slots.is_empty()).then_some(left);
            changes.push(change(from.region, Some(load.before), left));
        }
    }
    changes
}

/// True when the same command the other way round leads back: nothing of it was at the target before.
fn is_reversible(world: &World<'_>, loads: &[Load<'_>], what: &Scope, from: End<'_>, to: End<'_>) -> bool {
    // A replica gets another number in another region.
    if matches!(what, Scope::Replica(..)) && from.region != to.region {
        return false;
    }
    let is_there = |load: &Load<'_>| {
        let there = world.desired.assignment(load.service, to.region);
        let mut places = there.into_iter().flat_map(|there| there.slots.values());
        places.any(|place| to.host.is_none_or(|host| place.host == *host))
    };
    !loads.iter().any(is_there)
}

/// Ports of the other region's edge are shared with what runs there.
fn ways_in(world: &World<'_>, loads: &[Load<'_>], to: End<'_>) -> Result<BTreeSet<String>, Refusal> {
    let moves = |key: &ServiceKey| loads.iter().any(|load| load.service == key);
    entry::judge_all(
        world,
        |region, services| {
            if region == to.region {
                services.extend(loads.iter().map(|load| (load.service, &load.revision.spec)));
            }
        },
        moves,
    )
}

/// What breaks, or may.
fn warnings(world: &World<'_>, cargo: &Cargo<'_>, from: End<'_>, to: End<'_>) -> Vec<String> {
    let mut warnings = cargo.warnings.clone();
    for load in &cargo.loads {
        for path in cargo::binds(load.revision) {
            warnings.push(format!("{} uses {path} of its host: the new one must have it too", load.service));
        }
    }
    if from.region == to.region {
        return warnings;
    }
    let moves = |key: &ServiceKey| cargo.loads.iter().any(|load| load.service == key);
    let runs = |key: &ServiceKey, region: &RegionName| {
        world.desired.assignment(key, region).is_some_and(|there| !there.slots.is_empty())
    };
    let mut leaves = Vec::new();
    for load in &cargo.loads {
        let service = load.service;
        if load.revision.spec.deploy.mode == Mode::ReplicatedJob {
            warnings.push(format!("{service} is a job: it runs again in {}", to.region));
        }
        for name in load.revision.spec.depends_on.keys() {
            let needed = ServiceKey { stack: service.stack.clone(), service: name.clone() };
            if !moves(&needed) && !runs(&needed, to.region) && runs(&needed, from.region) {
                warnings.push(format!("{service} needs {needed}, which does not run in {}", to.region));
            }
        }
        if load.slots.len() < load.before.slots.len() {
            continue;
        }
        leaves.push(service.to_string());
        for (other, regions) in &world.desired.services {
            let needs = || {
                super::lookup::current(world, other).is_some_and(|r| r.spec.depends_on.contains_key(&service.service))
            };
            if other.stack == service.stack && !moves(other) && regions.contains_key(from.region) && needs() {
                warnings.push(format!("{other} stays in {} and needs {service}, which leaves it", from.region));
            }
        }
    }
    if !leaves.is_empty() {
        let (what, region, target) = (leaves.join(", "), from.region, to.region);
        warnings
            .push(format!("nothing of {what} is left in {region} afterwards: its clients must come in at {target}"));
        warnings.push(format!(
            "the next deploy of the stack's file decides anew: name {target} instead of {region} in x-wharf.regions there"
        ));
    }
    warnings
}
