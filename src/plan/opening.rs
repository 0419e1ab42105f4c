//! The steps by which proxies take a service's new ports, names, paths and certificates. Where replicas change as well
//! they wait for the same; here is what is left when the way in is all that changes.

use super::{
    index::{Index, Sight},
    links::{entries, links},
    operation,
    routes::Routes,
    traffic::unready,
    view::ServiceView,
};
use crate::{
    model::{Operation, ServiceSpec, StepProgress, StepState},
    text::Text,
};

/// One step per proxy that carries the service; none where its way in stays as it was.
pub(crate) fn steps(
    index: &Index<'_>,
    routes: &Routes<'_>,
    operation: &Operation,
    view: &ServiceView<'_>,
) -> Vec<StepProgress> {
    let before = operation::before(operation, view.key, index.region);
    let old = before.and_then(|before| before.slots.values().next());
    let old = old.and_then(|place| index.world.desired.revision(view.key, place.revision));
    let (Some(old), Some(new)) = (old, view.spec()) else { return Vec::new() };
    if is_same_way(&old.spec, new) {
        return Vec::new();
    }
    let mut steps = Vec::new();
    for host in routes.carriers(view.key) {
        let wanted = routes.structures.get(host);
        let (state, detail) = match index.sight(host) {
            Sight::Down { .. } | Sight::Gone => continue,
            Sight::Silent { .. } => (StepState::Waiting, format!("{host} is not seen now")),
            Sight::Seen(seen) => match wanted.and_then(|wanted| unready(index, seen, wanted)) {
                Some(what) => (StepState::Running, what),
                None => (StepState::Done, "in place".to_owned()),
            },
        };
        let what = Text::new(&format!("set the proxy on {host} for {}", view.key));
        steps.push(StepProgress { what, replica: None, state, detail: Text::new(&detail), since: None });
    }
    steps
}

/// True when proxies need not be told anything new for the second spec, but who its replicas are.
fn is_same_way(old: &ServiceSpec, new: &ServiceSpec) -> bool {
    entries(old) == entries(new) && links(old) == links(new) && old.wharf.check == new.wharf.check
}
