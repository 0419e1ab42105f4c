//! The slots of a service under a new revision: which stay where they are, and which need another host.

use std::collections::BTreeMap;

use super::{
    Refusal, World,
    eligible::{Books, pinned_volume},
    scale,
};
use crate::model::{Assignment, Mode, Place, ReplicaKey, Revision, ServiceKey, Slot, StackShared};

/// Gives each slot the new revision on the host where it is, as far as the revision fits there. The books lose what
/// was and get what will be. Gives the slots that need another host too; a volume that is left behind so is a refusal.
pub(crate) fn refit(
    world: &World<'_>,
    books: &mut Books<'_>,
    key: &ServiceKey,
    before: Option<&Assignment>,
    revision: &Revision,
    shared: Option<&StackShared>,
) -> Result<(Assignment, Vec<Slot>), Refusal> {
    let spec = &revision.spec;
    let region = books.region;
    for (slot, place) in before.into_iter().flat_map(|before| &before.slots) {
        let old = world.desired.revision(key, place.revision).map(|revision| &revision.spec);
        let replica = ReplicaKey { region: region.clone(), service: key.clone(), slot: *slot };
        books.remove(&replica, &place.host, old);
    }
    let mut after = Assignment { slots: BTreeMap::new(), ..before.cloned().unwrap_or_default() };
    let mut again = Vec::new();
    for (slot, place) in before.into_iter().flat_map(|before| &before.slots) {
        let unfit = match books.host(&place.host).map(|book| book.unfit(key, spec)) {
            Some(None) => {
                books.add(&place.host, key, *slot, Some(spec));
                after.slots.insert(*slot, Place { host: place.host.clone(), revision: revision.no });
                continue;
            }
            unfit => unfit.flatten(),
        };
        if again.is_empty()
            && let Some(volume) = pinned_volume(spec, shared)
        {
            let why = unfit.unwrap_or_else(|| "not in this region any more".into());
            let reasons = vec![format!("{} has its volume {volume}, but is {why}", place.host)];
            return Err(Refusal::NoHost { service: key.clone(), region: region.clone(), slot: *slot, reasons });
        }
        again.push(*slot);
    }
    Ok((after, again))
}

/// Places what [`refit`] gave back, and brings the service to `to` slots; a global one to every host that fits. Gives
/// why the new ones are where they are.
pub(crate) fn complete(
    world: &World<'_>,
    books: &mut Books<'_>,
    key: &ServiceKey,
    revision: &Revision,
    (after, again): (&mut Assignment, Vec<Slot>),
    to: usize,
) -> Result<String, Refusal> {
    if matches!(revision.spec.deploy.mode, Mode::Global | Mode::GlobalJob) {
        everywhere(books, key, revision, after);
        return Ok("one on every host that fits".to_owned());
    }
    // Slots whose host does not fit any more keep their number, on another host.
    let again: Vec<Slot> = again.into_iter().take(to.saturating_sub(after.slots.len())).collect();
    let moved = scale::grow(books, key, revision, after, again)?;
    let grown = scale::resize(world, books, key, revision, after, to)?;
    Ok(if grown.is_empty() { moved } else { grown })
}

/// One on every host that fits and has none. A closed host keeps what it has.
pub(crate) fn everywhere(books: &mut Books<'_>, key: &ServiceKey, revision: &Revision, after: &mut Assignment) {
    let hosts: Vec<_> = books
        .hosts
        .iter()
        .filter(|book| !after.slots.values().any(|place| place.host == book.view.name))
        .filter(|book| book.refuses(key, &revision.spec).is_none())
        .map(|book| book.view.name.clone())
        .collect();
    let mut free = (1..).map(Slot);
    for host in hosts {
        let Some(slot) = free.find(|slot| !after.slots.contains_key(slot)) else { return };
        books.add(&host, key, slot, Some(&revision.spec));
        after.slots.insert(slot, Place { host, revision: revision.no });
    }
}
