//! Replicas that need another host: theirs is down, gone, being emptied, or refuses them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Action, Failure, Memory, World, drain,
    eligible::{Books, silence},
    index::Sight,
    next::Work,
    placement::{self, NoPlace, Request},
    replace,
    view::{ServiceView, SlotView},
};
use crate::model::{HostIntent, HostName, Mode, Place, ServiceKey, since};

/// So many deaths of a service on a host within five minutes make it the last choice. The memory holds no older ones.
const DEATHS: usize = 5;

/// After so many tries in a row, a host that cannot run a replica is believed. Fewer than what ends an operation.
const REFUSALS: u32 = 3;

/// Why a slot leaves its host.
enum Cause<'m> {
    /// The host is down or not of the region any more.
    Lost,
    /// An operator has the host emptied.
    Draining,
    /// The host cannot run it, and another may.
    Refused(&'m Failure),
}

/// Finds new places for the slots that need one.
pub(crate) fn find(work: &mut Work<'_, '_>) {
    let views = work.views;
    let mut books: Option<Books<'_>> = None;
    for view in work.order.services.iter().filter_map(|key| views.get(key)) {
        for slot in &view.slots {
            let Some(cause) = cause(work, slot) else { continue };
            let books = books.get_or_insert_with(|| {
                let world: World<'_> = work.index.world;
                Books::new(&world, work.index.region, &BTreeSet::new())
            });
            move_slot(work, books, view, slot, &cause);
        }
    }
}

fn cause<'w>(work: &Work<'w, '_>, slot: &SlotView<'_>) -> Option<Cause<'w>> {
    if matches!(slot.sight, Sight::Down { .. } | Sight::Gone) {
        return Some(Cause::Lost);
    }
    if work.index.world.desired.hosts.get(&slot.place.host) == Some(&HostIntent::Draining) {
        return Some(Cause::Draining);
    }
    refusal(work.memory, slot).map(Cause::Refused)
}

/// What a host says that cannot run a replica. It is moved for that once: when a second host refuses it too, the
/// fault is hardly the hosts'.
fn refusal<'m>(memory: &'m Memory, slot: &SlotView<'_>) -> Option<&'m Failure> {
    if slot.is_up() || memory.failures.is_empty() {
        return None;
    }
    let mut refusals = refusals(memory, slot);
    let (host, failure) = refusals.next()?;
    let only = *host == slot.place.host && refusals.all(|(other, _)| other == host);
    (only && failure.times >= REFUSALS).then_some(failure)
}

/// The hosts that cannot run a replica, as far as is known.
fn refusals<'m>(memory: &'m Memory, slot: &SlotView<'_>) -> impl Iterator<Item = (&'m HostName, &'m Failure)> {
    let key = &slot.key;
    let mut failures: Vec<_> = memory
        .failures
        .iter()
        .filter(|(_, failure)| failure.is_hosts)
        .filter_map(|(action, failure)| match action {
            Action::Create { host, replica, .. } | Action::Start { host, replica, .. } if replica == key => {
                Some((host, failure))
            }
            _ => None,
        })
        .collect();
    failures.sort_by_key(|(_, failure)| std::cmp::Reverse(failure.times));
    failures.into_iter()
}

fn move_slot(
    work: &mut Work<'_, '_>,
    books: &mut Books<'_>,
    view: &ServiceView<'_>,
    slot: &SlotView<'_>,
    cause: &Cause<'_>,
) {
    let Some(revision) = work.index.world.desired.revision(view.key, slot.place.revision) else { return };
    let (from, key) = (&slot.place.host, &slot.key);
    if matches!(revision.spec.deploy.mode, Mode::Global | Mode::GlobalJob) {
        return;
    }
    let rooted = match cause {
        Cause::Draining => drain::rooted(&work.index.world, view.key, &revision.spec, from),
        _ => replace::volume(work, view, &revision.spec).map(|volume| format!("its volume {volume} is only there")),
    };
    if let Some(why) = rooted {
        work.wait(view.key, Some(key), format!("{key} stays with {from}: {why}"), None);
        return;
    }
    let why = match (cause, slot.sight) {
        (Cause::Draining, _) => format!("{from} is being drained"),
        (Cause::Refused(failure), _) => format!("{from} cannot run it: {}", failure.error),
        (_, Sight::Down { since: at, .. }) => format!("{from} not seen for {}", silence(since(at, work.now()))),
        _ => format!("{from} is not in {} any more", work.index.region),
    };
    let never: BTreeMap<HostName, String> =
        refusals(work.memory, slot).map(|(host, _)| (host.clone(), "cannot run it".to_owned())).collect();
    books.remove(key, from, Some(&revision.spec));
    let avoid = avoid(work, view.key);
    let request = Request { service: view.key, spec: &revision.spec, avoid: &avoid, never: &never };
    match placement::place(books, request, [key.slot]) {
        Ok(mut placed) => {
            if let Some(host) = placed.remove(&key.slot) {
                let place = Place { host, revision: slot.place.revision };
                // Nothing more is tried where it is to leave.
                work.next.actions.retain(|action| {
                    !matches!(action, Action::Create { replica, .. } | Action::Start { replica, .. } if replica == key)
                });
                work.next.moves.push((key.clone(), place, why));
            }
        }
        Err(NoPlace { reasons, .. }) => {
            books.add(from, view.key, key.slot, Some(&revision.spec));
            let what = format!("{key} has no other host: {}", reasons.join("; "));
            work.wait(view.key, Some(key), what, None);
        }
    }
}

fn avoid(work: &Work<'_, '_>, service: &ServiceKey) -> BTreeSet<HostName> {
    let often = work.memory.deaths.iter().filter(|((of, _), times)| of == service && times.len() >= DEATHS);
    often.map(|((_, host), _)| host.clone()).collect()
}
