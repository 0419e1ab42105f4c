//! Replicas whose host is down or gone get another place.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    World,
    eligible::{Books, silence},
    index::Sight,
    next::Work,
    placement::{self, NoPlace, Request},
    replace,
    view::{ServiceView, SlotView},
};
use crate::model::{HostName, Mode, Place, ServiceKey, since};

/// So many deaths of a service on a host within five minutes make it the last choice. The memory holds no older ones.
const DEATHS: usize = 5;

/// Finds new places for the slots of hosts that are down or gone.
pub(crate) fn down_hosts(work: &mut Work<'_, '_>) {
    let lost = |slot: &SlotView<'_>| matches!(slot.sight, Sight::Down { .. } | Sight::Gone);
    let views = work.views;
    let mut books: Option<Books<'_>> = None;
    for view in work.order.services.iter().filter_map(|key| views.get(key)) {
        for slot in view.slots.iter().filter(|slot| lost(slot)) {
            let books = books.get_or_insert_with(|| {
                let world: World<'_> = work.index.world;
                Books::new(&world, work.index.region, &BTreeSet::new())
            });
            move_slot(work, books, view, slot);
        }
    }
}

fn move_slot(work: &mut Work<'_, '_>, books: &mut Books<'_>, view: &ServiceView<'_>, slot: &SlotView<'_>) {
    let Some(revision) = work.index.world.desired.revision(view.key, slot.place.revision) else { return };
    let (from, key) = (&slot.place.host, &slot.key);
    if matches!(revision.spec.deploy.mode, Mode::Global | Mode::GlobalJob) {
        return;
    }
    if let Some(volume) = replace::volume(work, view, &revision.spec) {
        let what = format!("{key} stays with {from}: its volume {volume} is only there");
        work.wait(view.key, Some(key), what, None);
        return;
    }
    let why = match slot.sight {
        Sight::Down { since: at, .. } => format!("{from} not seen for {}", silence(since(at, work.now()))),
        _ => format!("{from} is not in {} any more", work.index.region),
    };
    books.remove(key, from, Some(&revision.spec));
    let avoid = avoid(work, view.key);
    let request = Request { service: view.key, spec: &revision.spec, avoid: &avoid, never: &BTreeMap::new() };
    match placement::place(books, request, [key.slot]) {
        Ok(mut placed) => {
            if let Some(host) = placed.remove(&key.slot) {
                let place = Place { host, revision: slot.place.revision };
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
