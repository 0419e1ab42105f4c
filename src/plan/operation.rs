//! What an operation concerns in one region, told from desired state as it is now.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Memory, images,
    index::{Index, Seen, Sight, our_time},
    next::Work,
    observe,
    rollout::rollout,
    standing::{Standing, made},
    trial,
    view::{Sameness, ServiceView, SlotView},
};
use crate::{
    model::{
        Assignment, Defaults, FailureAction, HostIntent, HostName, Intent, Operation, OperationState, RegionName,
        ServiceKey, ServiceSpec, Slot,
    },
    text::Text,
};

type Book = BTreeMap<ServiceKey, BTreeMap<RegionName, Option<Assignment>>>;
pub(crate) type Views<'a> = BTreeMap<&'a ServiceKey, ServiceView<'a>>;

/// A new replica that died so often has failed.
pub(crate) const DEATHS: u32 = 3;

/// The services that an operation concerns in a region.
pub(crate) fn services<'o>(operation: &'o Operation, region: &'o RegionName) -> impl Iterator<Item = &'o ServiceKey> {
    operation.after.iter().filter(|(_, regions)| regions.contains_key(region)).map(|(key, _)| key)
}

pub(crate) fn before<'o>(
    operation: &'o Operation,
    service: &ServiceKey,
    region: &RegionName,
) -> Option<&'o Assignment> {
    operation.before.get(service)?.get(region)?.as_ref()
}

/// The slots of a service for which the operation asks for another container.
pub(crate) fn changed<'v, 'a>(
    index: &Index<'a>,
    operation: &Operation,
    view: &'v ServiceView<'a>,
) -> Vec<&'v SlotView<'a>> {
    if !services(operation, index.region).any(|key| key == view.key) {
        return Vec::new();
    }
    let before = before(operation, view.key, index.region);
    let round = |assignment: Option<&Assignment>| assignment.map_or(0, |assignment| assignment.round);
    let again = round(view.assignment) > round(before);
    let mut same = Sameness::new(index.world.desired, view.key);
    view.slots
        .iter()
        .filter(|slot| match before.and_then(|before| before.slots.get(&slot.key.slot)) {
            None => true,
            Some(old) => again || old.host != slot.place.host || !same.same(old.revision, slot.place.revision),
        })
        .collect()
}

/// The slots that the operation takes away, with the host they were on.
pub(crate) fn taken<'o>(
    operation: &'o Operation,
    service: &ServiceKey,
    region: &RegionName,
    now: Option<&Assignment>,
) -> Vec<(Slot, &'o HostName)> {
    let slots = before(operation, service, region).into_iter().flat_map(|before| &before.slots);
    slots
        .filter(|(slot, _)| now.is_none_or(|now| !now.slots.contains_key(*slot)))
        .map(|(slot, place)| (*slot, &place.host))
        .collect()
}

/// Hosts from which the operation takes slots of a service, away or to other hosts.
pub(crate) fn left<'o>(
    operation: &'o Operation,
    service: &ServiceKey,
    region: &RegionName,
    now: Option<&Assignment>,
) -> impl Iterator<Item = &'o HostName> {
    let slots = before(operation, service, region).into_iter().flat_map(|before| &before.slots);
    let stays = move |slot: &Slot, host: &HostName| {
        now.and_then(|now| now.slots.get(slot)).is_some_and(|place| place.host == *host)
    };
    slots.filter(move |(slot, place)| !stays(slot, &place.host)).map(|(_, place)| &place.host)
}

/// The region whose part of a migration must be done before this one gives anything up: make before break, between
/// regions too. Told by the books alone, so it holds on the way back as well, when they are turned round.
pub(crate) fn waits_for_region<'o>(operation: &'o Operation, region: &RegionName) -> Option<&'o RegionName> {
    if !matches!(operation.intent, Intent::Migrate { .. }) {
        return None;
    }
    let count = |book: &Book, service, region| {
        book.get(service)
            .and_then(|regions: &BTreeMap<_, Option<Assignment>>| regions.get(region)?.as_ref())
            .map_or(0, |a| a.slots.len())
    };
    let grows = |service, region| count(&operation.after, service, region) > count(&operation.before, service, region);
    let shrinks =
        |service, region| count(&operation.after, service, region) < count(&operation.before, service, region);
    if !services(operation, region).any(|service| shrinks(service, region)) {
        return None;
    }
    let others =
        operation.after.iter().flat_map(|(service, regions)| regions.keys().map(move |other| (service, other)));
    let growing = others.filter(|(service, other)| *other != region && grows(service, other)).map(|(_, other)| other);
    let finished = |other: &RegionName| operation.progress.get(other).is_some_and(|progress| progress.finished);
    growing.filter(|other| !finished(other)).min()
}

/// The same for a service, whichever open operation it is that waits.
pub(crate) fn service_waits_for<'o>(
    operations: &'o [Operation],
    service: &ServiceKey,
    region: &RegionName,
) -> Option<&'o RegionName> {
    let mut concerned = operations.iter().filter(|it| services(it, region).any(|key| key == service));
    concerned.find_map(|operation| waits_for_region(operation, region))
}

/// True when a container exists that only this operation can have asked for.
pub(crate) fn has_begun(index: &Index<'_>, views: &Views<'_>, operation: &Operation) -> bool {
    services(operation, index.region)
        .filter_map(|key| views.get(key))
        .any(|view| changed(index, operation, view).iter().any(|slot| slot.wanted.is_some()))
}

/// True when a container was made for this operation, and not for one that it took over from.
pub(crate) fn has_made(index: &Index<'_>, views: &Views<'_>, operation: &Operation) -> bool {
    // What it goes back to was made before.
    if matches!(operation.state, OperationState::RollingBack { .. }) {
        return has_begun(index, views, operation);
    }
    services(operation, index.region).filter_map(|key| views.get(key)).any(|view| {
        let mut copies = changed(index, operation, view).into_iter().filter_map(|slot| slot.wanted.as_ref());
        copies.any(|(seen, _)| made(seen).is_none_or(|made| made >= operation.began()))
    })
}

/// True when the service was once wanted, so that its containers may be taken away.
pub(crate) fn is_known(work: &Work<'_, '_>, service: &ServiceKey) -> bool {
    let desired = work.index.world.desired;
    desired.services.contains_key(service)
        || desired.revisions.get(service).is_some_and(|kept| !kept.is_empty())
        || work.operations.iter().any(|operation| operation.before.contains_key(service))
}

/// True when an open operation concerns the service in this region.
pub(crate) fn touches(work: &Work<'_, '_>, service: &ServiceKey) -> bool {
    work.operations.iter().any(|operation| services(operation, work.index.region).any(|key| key == service))
}

/// True when the container was made for an open operation.
pub(crate) fn is_new(work: &Work<'_, '_>, service: &ServiceKey, seen: &Seen<'_>) -> bool {
    let mut concerned =
        work.operations.iter().filter(|operation| services(operation, work.index.region).any(|key| key == service));
    concerned.any(|operation| made(seen).is_some_and(|made| made >= operation.began()))
}

/// The slots of each service that a paused operation changes: they stay as they are until it is resumed.
pub(crate) fn paused(index: &Index<'_>, views: &Views<'_>, operations: &[Operation]) -> BTreeMap<ServiceKey, Frozen> {
    let mut frozen = BTreeMap::new();
    for operation in operations {
        let Some(paused) = &operation.paused else { continue };
        for key in services(operation, index.region) {
            let view = views.get(key);
            let slots = view.map(|view| changed(index, operation, view)).unwrap_or_default();
            let now = index.world.desired.assignment(key, index.region);
            let taken = taken(operation, key, index.region, now).into_iter().map(|(slot, _)| slot);
            let slots = slots.into_iter().map(|slot| slot.key.slot).chain(taken).collect();
            frozen.insert(key.clone(), Frozen { by: paused.by.clone(), slots });
        }
    }
    frozen
}

/// What of a service stands still.
pub(crate) struct Frozen {
    /// Who paused its operation.
    pub by: Text,
    /// The slots that the operation changes or takes away.
    pub slots: BTreeSet<Slot>,
}

/// From when on the deadlines of a service's open operation count.
pub(crate) fn since(work: &Work<'_, '_>, service: &ServiceKey) -> Option<Timestamp> {
    let concerns = |operation: &&Operation| services(operation, work.index.region).any(|key| key == service);
    work.operations.iter().filter(concerns).map(Operation::since).max()
}

/// True for one that failed and is being taken back.
pub(crate) fn goes_back(operation: &Operation) -> bool {
    matches!(operation.state, OperationState::RollingBack { .. })
}

/// True while what was changed of a service is being taken back.
pub(crate) fn rolls_back(work: &Work<'_, '_>, service: &ServiceKey) -> bool {
    let concerns = |operation: &Operation| services(operation, work.index.region).any(|key| key == service);
    work.operations.iter().any(|operation| goes_back(operation) && concerns(operation))
}

/// What a failure of a service does to the operation that changes it, in the direction in which it goes.
pub(crate) fn on_failure(operation: &Operation, spec: Option<&ServiceSpec>) -> FailureAction {
    let rollout = spec.and_then(|spec| rollout(spec, goes_back(operation)));
    rollout.and_then(|rollout| rollout.failure_action).unwrap_or(FailureAction::Rollback)
}

/// So many of the replicas that an operation changes may fail before the service has: the share that its file bears.
/// One on trial has to succeed.
pub(crate) fn borne(operation: &Operation, spec: Option<&ServiceSpec>, changed: usize) -> usize {
    let Some(spec) = spec.filter(|spec| spec.wharf.canary.is_none()) else { return 0 };
    let share = rollout(spec, goes_back(operation)).and_then(|rollout| rollout.max_failure_ratio).unwrap_or_default();
    // 0.3 of ten are three, although a computer makes it 2.9999.
    let most = (share.clamp(0.0, 1.0) * changed as f64 + 1e-9).floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a number of replicas")]
    let most = most as usize;
    most
}

/// How often the engine started a container again while the operation went on, as far as it says: a container that is
/// older than the last resumption is given a new chance.
pub(crate) fn restarts(operation: &Operation, seen: &Seen<'_>) -> u32 {
    if made(seen) < operation.resumed { 0 } else { seen.container.restarts }
}

/// A new replica that has failed, of a service whose file says to go on with the others, or bears so many failures.
pub(crate) fn is_passed_over(work: &Work<'_, '_>, view: &ServiceView<'_>, slot: &SlotView<'_>) -> bool {
    let concerns = |operation: &&Operation| services(operation, work.index.region).any(|key| key == view.key);
    let mut concerned = work.operations.iter().filter(concerns);
    concerned.any(|operation| {
        has_failed(work, operation, view, slot)
            && (on_failure(operation, view.spec()) == FailureAction::Continue || {
                let changed = changed(work.index, operation, view);
                let failed = changed.iter().filter(|slot| has_failed(work, operation, view, slot)).count();
                failed <= borne(operation, view.spec(), changed.len())
            })
    })
}

/// True for a new replica that nothing more is to be hoped of.
fn has_failed(work: &Work<'_, '_>, operation: &Operation, view: &ServiceView<'_>, slot: &SlotView<'_>) -> bool {
    let Some((seen, standing)) = slot.wanted.as_ref().filter(|(_, standing)| !standing.is_up()) else { return false };
    let from = made(seen).max(Some(counts_from(work.memory, operation, work.now())));
    let due = from.and_then(|from| from.checked_add(patience(work.defaults(), view.spec())).ok());
    restarts(operation, seen) >= DEATHS
        || matches!(standing, Standing::Ended { again: false, .. })
        || due.is_some_and(|due| due <= work.now())
}

/// Images that changed slots still need, with the host that lacks them.
pub(crate) fn lacking<'a>(
    index: &Index<'a>,
    views: &Views<'a>,
    memory: &Memory,
    operation: &Operation,
) -> Vec<(&'a ServiceKey, &'a HostName, &'a str)> {
    let mut lacking: Vec<(&ServiceKey, &HostName, &str)> = Vec::new();
    for view in services(operation, index.region).filter_map(|key| views.get(key)) {
        for slot in changed(index, operation, view) {
            let Sight::Seen(host) = slot.sight else { continue };
            let revision = index.world.desired.revision(view.key, slot.place.revision);
            let Some(revision) = revision.filter(|_| slot.wanted.is_none()) else { continue };
            let known = lacking.iter().any(|(_, at, image)| **at == host.name && *image == revision.image);
            if !known && !images::is_present(host, &revision.image, Some(memory)) {
                lacking.push((view.key, &host.name, &revision.image));
            }
        }
    }
    lacking
}

/// From when on deadlines of an operation count: since it began or was resumed, but not since before this reconciler
/// looks after the region, nor from a moment that has not come by a clock that was set back.
pub(crate) fn counts_from(memory: &Memory, operation: &Operation, now: Timestamp) -> Timestamp {
    let (since, ours) = (operation.since(), memory.since.unwrap_or(operation.since()));
    if since > now { ours.min(now) } else { since.max(ours) }
}

/// When the operation is given up unless something new happens: counted from its acceptance or the last container
/// that was made for it, anywhere. Pulls have their own time on top. A host must be empty by its own deadline, for
/// what is to end there may take its time. While another region goes first, that one judges.
pub(crate) fn progress_deadline(
    index: &Index<'_>,
    views: &Views<'_>,
    memory: &Memory,
    operation: &Operation,
) -> Option<Timestamp> {
    if waits_for_region(operation, index.region).is_some() {
        return None;
    }
    let from = counts_from(memory, operation, index.world.now);
    if is_drain(operation) {
        return from.checked_add(index.defaults.drain_deadline).ok();
    }
    let mut last = from.max(elsewhere(index, operation).unwrap_or(from));
    let mut limit = index.defaults.progress_deadline;
    let mut watched = Duration::ZERO;
    for view in services(operation, index.region).filter_map(|key| views.get(key)) {
        let new = changed(index, operation, view);
        let made = new.iter().filter_map(|slot| slot.wanted.as_ref()).filter_map(|(seen, _)| made(seen)).max();
        last = last.max(made.unwrap_or(last));
        limit = limit.max(patience(&index.defaults, view.spec()));
        watched = watched.max(observe::time(index, operation, view) + trial::time(index, operation, view));
    }
    let lacking = lacking(index, views, memory, operation);
    let pulls = if lacking.is_empty() { Duration::ZERO } else { index.defaults.pull_deadline };
    last.checked_add(limit + pulls + watched).ok()
}

/// True while a host is being emptied, and not filled again because that failed.
pub(crate) fn is_drain(operation: &Operation) -> bool {
    let empties = matches!(operation.intent, Intent::Host { intent: Some(HostIntent::Draining), .. });
    empties && !goes_back(operation)
}

/// When the last container was made for the operation in its other regions.
fn elsewhere(index: &Index<'_>, operation: &Operation) -> Option<Timestamp> {
    let regions = operation.regions();
    if regions.len() < 2 || !matches!(operation.intent, Intent::Migrate { .. }) {
        return None;
    }
    let others = index
        .world
        .observed
        .hosts
        .values()
        .filter(|host| host.region != *index.region && regions.contains(&host.region));
    others
        .flat_map(|host| host.containers.values().map(move |container| (host, container)))
        .filter(|(_, container)| {
            let of = container.replica();
            of.is_some_and(|of| services(operation, &of.key.region).any(|key| *key == of.key.service))
        })
        .filter_map(|(host, container)| Some(our_time(host, container.created?)))
        .filter(|made| *made >= operation.since())
        .max()
}

/// How long a new replica may take to become healthy: what the defaults say, or longer where its own health check
/// grants more.
pub(crate) fn patience(defaults: &Defaults, spec: Option<&ServiceSpec>) -> Duration {
    let check = spec.and_then(|spec| spec.healthcheck.as_ref());
    let granted = check.and_then(|check| {
        // Docker's own defaults: a probe every 30 s, three failures.
        let interval = check.interval.unwrap_or(Duration::from_secs(30));
        Some(check.start_period? + interval * check.retries.unwrap_or(3))
    });
    defaults.healthy_deadline.max(granted.unwrap_or_default())
}
