//! Containers of a service that nobody wants, or that nobody knows of.

use super::{
    next::Work,
    operation,
    standing::Standing,
    view::{Copy, ServiceView},
};

/// Containers of slots that are not wanted: they go, but never the ones that still carry the service. `served` counts
/// the wanted slots that have a healthy copy after this pass.
pub(super) fn unwanted(work: &mut Work<'_, '_>, view: &ServiceView<'_>, served: usize) {
    if let Some(first) = operation::service_waits_for(work.operations, view.key, work.index.region) {
        if !view.unwanted.is_empty() {
            work.wait(view.key, None, format!("{} stays here until it is well in {first}", view.key), None);
        }
        return;
    }
    if let Some(caller) = work.order.caller(work.views, view.key).filter(|_| !view.unwanted.is_empty()) {
        work.wait(view.key, None, format!("{} stays until {caller}, which needs it, is gone", view.key), None);
        return;
    }
    let wanted = view.slots.len();
    let healthy = |copies: &[Copy<'_>]| copies.iter().filter(|(_, standing)| *standing == Standing::Healthy).count();
    let mut surplus = healthy(&view.unwanted);
    // The highest slots go first.
    for (seen, standing) in view.unwanted.iter().rev() {
        if !seen.live || *standing == Standing::Removing || work.busy(&seen.of.key).is_some() {
            continue;
        }
        if *standing == Standing::Healthy {
            if wanted > 0 && served + surplus <= wanted {
                let what = format!("{} stays until {wanted} of {} are healthy", seen.of.key, view.key);
                work.wait(view.key, Some(&seen.of.key), what, None);
                continue;
            }
            surplus -= 1;
        }
        work.let_go(view, seen, "not wanted any more".into());
    }
}

/// Containers of a service that the store knows nothing of: the store may be lost or new, so they are left alone.
pub(super) fn orphan(work: &mut Work<'_, '_>, view: &ServiceView<'_>) {
    let mut hosts: Vec<&str> = view.unwanted.iter().map(|(seen, _)| seen.host.name.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let what = format!(
        "orphans: {} containers on {} carry this fleet's name, but the store does not know {}; they are left alone",
        view.unwanted.len(),
        hosts.join(", "),
        view.key
    );
    work.wait(view.key, None, what, None);
}
