//! What images say once they are pulled: on which ports a service listens whose file names none.
//!
//! Its containers, and those of all that may call it, know its virtual address from their making on. So nothing of an
//! operation is made before it is known of all its services.

use std::collections::BTreeSet;

use super::{
    Action,
    exposed::is_silent,
    index::Sight,
    next::Work,
    operation,
    pulls::Gates,
    view::{ServiceView, SlotView},
};
use crate::model::{HostName, Operation, RevisionNo, ServiceKey};

/// A revision of which it is not known yet where it listens, with a host that has its image, or will have it.
pub(crate) struct Question<'a> {
    service: &'a ServiceKey,
    revision: RevisionNo,
    host: &'a HostName,
    image: &'a str,
}

/// What is not known yet of what an operation brings.
pub(crate) fn questions<'a>(work: &Work<'_, 'a>, operation: &Operation) -> Vec<Question<'a>> {
    let views = operation::services(operation, work.index.region).filter_map(|key| work.views.get(key));
    // What is cheap to tell comes first: few name no port at all.
    let silent = views.filter(|view| view.spec().is_some_and(is_silent) && has_company(work, view.key));
    silent
        .filter_map(|view| {
            let slots = operation::changed(work.index, operation, view);
            slots.into_iter().find_map(|slot| of_slot(work, view, slot))
        })
        .collect()
}

/// One that is alone in its stack has nobody to be reached by.
fn has_company(work: &Work<'_, '_>, key: &ServiceKey) -> bool {
    let services = &work.index.world.desired.services;
    services.keys().any(|other| other.stack == key.stack && other != key)
}

fn of_slot<'a>(work: &Work<'_, 'a>, view: &ServiceView<'a>, slot: &SlotView<'a>) -> Option<Question<'a>> {
    if slot.wanted.is_some() || work.is_paused(&slot.key) {
        return None;
    }
    let Sight::Seen(host) = slot.sight else { return None };
    let revision = work.index.world.desired.revision(view.key, slot.place.revision)?;
    // What runs stays as it is: its containers do not publish what nobody knew when they were made.
    let mut made = work.index.containers.get(view.key).into_iter().flatten();
    if !is_silent(&revision.spec) || made.any(|seen| seen.of.revision == revision.no) {
        return None;
    }
    let is_known = work.memory.learned.get(&(view.key.clone(), revision.no)).is_some_and(BTreeSet::is_empty);
    (!is_known).then_some(Question {
        service: view.key,
        revision: revision.no,
        host: &host.name,
        image: &revision.image,
    })
}

/// Asks where the image is there, once.
pub(crate) fn ask(work: &mut Work<'_, '_>, gates: &Gates, questions: Vec<Question<'_>>) {
    for Question { service, revision, host, image } in questions {
        if gates.lacks(host, image) {
            continue;
        }
        let is_asked = work.memory.in_flight.iter().any(
            |action| matches!(action, Action::Learn { service: asked, revision: at, .. } if asked == service && *at == revision),
        );
        if is_asked || work.memory.learned.contains_key(&(service.clone(), revision)) {
            work.wait(service, None, "reading which ports its image exposes".to_owned(), None);
        } else {
            work.act(Action::Learn { host: host.clone(), service: service.clone(), revision }, service, None);
        }
    }
}
