//! Images first: nothing changes before every target has them, and before it is known where they listen.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Action, images,
    index::Sight,
    learn,
    next::Work,
    observe, operation,
    view::{ServiceView, SlotView},
};
use crate::{
    model::{HostName, Operation, ServiceKey},
    text::short_image,
};

/// Which services may not change yet, and which hosts lack an image.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    closed: BTreeSet<ServiceKey>,
    missing: BTreeSet<(HostName, String)>,
}

impl Gates {
    /// True while the service belongs to a command of which some image is still missing somewhere.
    pub fn is_closed(&self, service: &ServiceKey) -> bool {
        self.closed.contains(service)
    }

    /// True while the host lacks the image.
    pub fn lacks(&self, host: &HostName, image: &str) -> bool {
        self.missing.contains(&(host.clone(), image.to_owned()))
    }
}

/// An image that a slot needs on its host, when the slot's container is yet to be made.
fn needed<'v>(work: &Work<'_, 'v>, view: &ServiceView<'v>, slot: &SlotView<'v>) -> Option<(&'v HostName, &'v str)> {
    let Sight::Seen(host) = slot.sight else { return None };
    if slot.wanted.is_some() || work.is_paused(&slot.key) {
        return None;
    }
    let revision = work.index.world.desired.revision(view.key, slot.place.revision)?;
    Some((&host.name, revision.image.as_str()))
}

/// Hosts that cannot be seen now, and had not the image that a release needs there when they were. They are waited for until
/// they count as down. Other commands do not wait: it may be for a lost host that they are given.
fn unseen<'k, 'v>(
    work: &Work<'_, 'v>,
    operation: &Operation,
    services: &[&'k ServiceKey],
) -> BTreeSet<(&'k ServiceKey, &'v HostName)> {
    if !observe::is_release(operation) {
        return BTreeSet::new();
    }
    let lacks = |view: &ServiceView<'v>, slot: &SlotView<'v>| {
        let Sight::Silent { view: host, .. } = slot.sight else { return None };
        let revision = work.index.world.desired.revision(view.key, slot.place.revision)?;
        let there = slot.wanted.is_some() || images::is_present(host, &revision.image, Some(work.memory));
        (!there && !work.is_paused(&slot.key)).then_some(&host.name)
    };
    let views = services.iter().filter_map(|key| Some((*key, work.views.get(*key)?)));
    views.flat_map(|(key, view)| view.slots.iter().filter_map(move |slot| Some((key, lacks(view, slot)?)))).collect()
}

/// Gives the pulls, once per host and image, and says what has to wait for them.
pub(crate) fn pull(work: &mut Work<'_, '_>) -> Gates {
    let mut gates = Gates::default();
    let mut lacking: BTreeMap<&ServiceKey, Vec<(HostName, String)>> = BTreeMap::new();
    let mut known: BTreeMap<(&HostName, &str), bool> = BTreeMap::new();
    let order = work.order;
    for key in order.services.iter().copied() {
        let Some(view) = work.views.get(key) else { continue };
        for slot in &view.slots {
            let Some((host, image)) = needed(work, view, slot) else { continue };
            let here = *known.entry((host, image)).or_insert_with(|| {
                work.index
                    .world
                    .observed
                    .hosts
                    .get(host)
                    .is_some_and(|seen| images::is_present(seen, image, Some(work.memory)))
            });
            let need = (host.clone(), image.to_owned());
            let needs = lacking.entry(key).or_default();
            if !here && !needs.contains(&need) {
                needs.push(need);
            }
        }
    }
    let pulling: BTreeSet<(&HostName, &str)> = work
        .memory
        .in_flight
        .iter()
        .filter_map(|action| match action {
            Action::Pull { host, image, .. } => Some((host, image.as_str())),
            _ => None,
        })
        .collect();
    for key in order.services.iter().copied() {
        for (host, image) in lacking.get(key).into_iter().flatten() {
            if !gates.missing.insert((host.clone(), image.clone())) {
                continue;
            }
            if pulling.contains(&(host, image.as_str())) {
                work.wait(key, None, format!("{host}: pulling {}", short_image(image)), None);
            } else {
                let action = Action::Pull { host: host.clone(), image: image.clone(), service: key.clone() };
                work.act(action, key, None);
            }
        }
    }
    let operations = work.operations;
    for operation in operations {
        let services: Vec<&ServiceKey> = operation::services(operation, work.index.region).collect();
        let lacks = services.iter().any(|key| lacking.get(*key).is_some_and(|missing| !missing.is_empty()));
        let asked = learn::questions(work, operation);
        let unseen = unseen(work, operation, &services);
        let is_open = !lacks && asked.is_empty() && unseen.is_empty();
        if !is_open && !operation::has_made(work.index, work.views, operation) {
            for (key, host) in unseen {
                work.wait(key, None, format!("{host}: not seen now"), None);
            }
            gates.closed.extend(services.into_iter().cloned());
            learn::ask(work, &gates, asked);
        }
    }
    gates
}
