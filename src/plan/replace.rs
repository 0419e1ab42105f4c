//! One service, slot by slot: create, start, replace, stop.

use jiff::Timestamp;

use super::{
    Action,
    eligible::pinned_volume,
    index::{Seen, Sight},
    next::{Work, backoff},
    observe::{self, Canary},
    operation,
    pulls::Gates,
    rollout::{Exchange, Pace, pause_between},
    standing::{Standing, began, exit_words},
    surplus,
    traffic::{Carried, carried},
    trial,
    view::{Copy, ServiceView, SlotView},
};
use crate::model::{HostName, HostView, Revision, ServiceSpec};

/// How much of a service may still change in this pass.
struct Budget {
    /// Slots that may be in replacement at once, where the new copy goes first.
    batch: usize,
    /// The same where the old copy stops first.
    stops: usize,
    /// Slots whose new copy is on its way while the old one runs.
    replacing: usize,
    /// Wanted slots without a copy that does its work, with those whose copy is stopped in this pass.
    unserved: usize,
    /// Why no further slot changes while the first one is on trial.
    canary: Option<String>,
}

/// Plans one service of the region.
pub(crate) fn service(work: &mut Work<'_, '_>, view: &ServiceView<'_>, gates: &Gates) {
    if view.assignment.is_none() && !operation::is_known(work, view.key) {
        surplus::orphan(work, view);
        return;
    }
    let canary = observe::canary(work, view);
    let pace = Pace::of(view.spec(), work.defaults(), view.slots.len(), operation::rolls_back(work, view.key));
    let pace = match &canary {
        Canary::Passed => pace,
        Canary::First => Pace { starts: 1, stops: 1 },
        Canary::Watched(_) => Pace { starts: 0, stops: 0 },
    };
    let mut budget = Budget {
        batch: pace.starts,
        stops: pace.stops,
        replacing: view
            .slots
            .iter()
            .filter(|slot| is_replacing(work, slot) && !operation::is_passed_over(work, view, slot))
            .count(),
        unserved: view.slots.iter().filter(|slot| !slot.is_served()).count(),
        canary: if let Canary::Watched(words) = canary { Some(words) } else { None },
    };
    let closed = gates.is_closed(view.key) || trial::holds(work, view, gates);
    for slot in &view.slots {
        let Sight::Seen(host) = slot.sight else { continue };
        if let Some(action) = work.busy(&slot.key) {
            let what = in_flight_words(action, slot);
            work.wait(view.key, Some(&slot.key), what, None);
            continue;
        }
        match &slot.wanted {
            // Paused: what has begun goes on, but nothing is made, and nothing is stopped.
            Some((_, standing)) if work.is_paused(&slot.key) && (standing.is_up() || *standing == Standing::Dead) => {}
            Some(copy) => keep(work, view, slot, copy, budget.canary.as_deref()),
            None if work.is_paused(&slot.key) => {}
            None if !closed => make(work, view, slot, host, gates, &mut budget),
            None => {}
        }
    }
    if !closed && !work.holds(view.key) {
        surplus::unwanted(work, view, view.slots.len().saturating_sub(budget.unserved));
    }
}

/// The new copy is on its way, or there, and the old one still runs.
fn is_replacing(work: &Work<'_, '_>, slot: &SlotView<'_>) -> bool {
    let old_runs = slot.old_live().any(|(_, standing)| standing.is_alive());
    let creating = matches!(work.busy(&slot.key), Some(Action::Create { .. }));
    old_runs && (slot.wanted.is_some() || creating)
}

fn in_flight_words(action: &Action, slot: &SlotView<'_>) -> String {
    let verb = match action {
        Action::Stop { why, .. } => format!("stopping ({why})"),
        Action::Start { .. } => "starting".to_owned(),
        _ => "creating".to_owned(),
    };
    format!("{}: {verb} {}", action.host(), slot.key)
}

/// The wanted container exists: start it, wait for it, or let the old ones go. `canary` says that it is on trial.
fn keep(work: &mut Work<'_, '_>, view: &ServiceView<'_>, slot: &SlotView<'_>, copy: &Copy<'_>, canary: Option<&str>) {
    let (seen, standing) = copy;
    let key = &slot.key;
    match *standing {
        Standing::Healthy | Standing::Completed => {
            // No old copy goes before the new one has its place in traffic.
            if let Carried::NotYet(what) = carried(work.index, work.routes, view.key, seen) {
                work.wait(view.key, Some(key), what, None);
                return;
            }
            // What the canary shall replace stays beside it: should it fail, nothing is missing.
            let on_trial = canary.filter(|_| slot.old_live().any(|(old, _)| old.of.revision != seen.of.revision));
            if let Some(words) = on_trial {
                work.wait(view.key, Some(key), words.to_owned(), None);
                return;
            }
            for (old, _) in slot.old_live() {
                let why = if old.host.name != slot.place.host {
                    format!("it runs on {} now", slot.place.host)
                } else if old.of.round < seen.of.round {
                    "restart".to_owned()
                } else if old.of.revision == seen.of.revision {
                    "one too many".to_owned()
                } else {
                    format!("replaced by r{}", seen.of.revision)
                };
                work.let_go(view, old, why);
            }
        }
        Standing::Starting { healthy_at } => {
            if let Some(at) = healthy_at {
                work.alarm(at);
            }
            work.wait(view.key, Some(key), format!("health of {key} (starting)"), healthy_by(work, view, seen));
        }
        Standing::Unhealthy | Standing::Restarting | Standing::Paused => {
            let what = format!("health of {key} ({} on {})", standing.words(), seen.host.name);
            work.wait(view.key, Some(key), what, healthy_by(work, view, seen));
        }
        Standing::Created => {
            work.act(start(seen), view.key, Some(key));
        }
        Standing::Ended { again: true, at, code, oom } => {
            let times = deaths(work, view, &seen.host.name).max(1);
            let last = at.or_else(|| last_death(work, view, &seen.host.name));
            let due = last.and_then(|last| last.checked_add(backoff(work.defaults(), times)).ok());
            if due.is_some_and(|due| due > work.now()) {
                let what =
                    format!("a pause before {key} starts again on {} ({})", seen.host.name, exit_words(code, oom));
                work.wait(view.key, Some(key), what, None);
                work.alarm(due.unwrap_or(Timestamp::MAX));
            } else {
                work.act(start(seen), view.key, Some(key));
            }
        }
        Standing::Ended { code, oom, .. } => {
            let what =
                format!("{key} on {} {}, and its restart policy leaves it so", seen.host.name, exit_words(code, oom));
            work.wait(view.key, Some(key), what, None);
        }
        Standing::Dead => {
            work.act(stop(seen, "dead".into()), view.key, Some(key));
        }
        Standing::Doubtful { until } => {
            work.alarm(until);
            let what = format!("{}: whether {key}, which was asked to end, does", seen.host.name);
            work.wait(view.key, Some(key), what, None);
        }
        Standing::Removing => work.wait(view.key, Some(key), format!("{}: {key} goes away", seen.host.name), None),
        Standing::Hidden => {}
    }
}

/// When an operation gives up on a replica that it made and that does not become healthy.
fn healthy_by(work: &Work<'_, '_>, view: &ServiceView<'_>, seen: &Seen<'_>) -> Option<Timestamp> {
    if !operation::is_new(work, view.key, seen) || work.holds(view.key) {
        return None;
    }
    // As the verdict counts: looked at a moment earlier, nothing would be due, and nothing might happen after.
    let from = began(seen).max(operation::since(work, view.key))?;
    from.checked_add(operation::patience(work.defaults(), view.spec())).ok().filter(|at| *at > work.now())
}

/// There is no wanted container: make one, when it is its turn.
fn make(
    work: &mut Work<'_, '_>,
    view: &ServiceView<'_>,
    slot: &SlotView<'_>,
    host: &HostView,
    gates: &Gates,
    budget: &mut Budget,
) {
    let key = &slot.key;
    let Some(revision) = work.index.world.desired.revision(view.key, slot.place.revision).cloned() else {
        let what = format!("{key} shall run r{}, which is not kept any more: deploy its stack", slot.place.revision);
        work.wait(view.key, Some(key), what, None);
        return;
    };
    if gates.lacks(&host.name, &revision.image) {
        return;
    }
    let first = view.slots.iter().all(|slot| slot.wanted.is_none() && slot.old.is_empty());
    let rolling = slot.old_live().next().is_some() && operation::touches(work, view.key);
    if (first || rolling)
        && let Some(unmet) = work.order.unmet(work.views, view.key)
    {
        work.wait(view.key, Some(key), format!("{key} waits for {unmet}"), None);
        return;
    }
    if !give_way(work, view, slot, &revision, budget) {
        return;
    }
    if let Some(holder) = port_holder(host, &revision.spec) {
        work.wait(view.key, Some(key), format!("{}: {holder}, which {key} needs", host.name), None);
        return;
    }
    if let Some(what) = work.links_missing(host, &view.key.stack) {
        work.wait(view.key, Some(key), what, None);
        return;
    }
    if work.is_tidying(&host.name, &view.key.stack) {
        let what = format!("{}: old networks of {} go away", host.name, view.key.stack);
        work.wait(view.key, Some(key), what, None);
        return;
    }
    let (times, last) = (deaths(work, view, &host.name), last_death(work, view, &host.name));
    // The first death costs no pause here: a container that somebody deleted is back at once.
    let due = last.filter(|_| times > 1).and_then(|last| last.checked_add(backoff(work.defaults(), times)).ok());
    if let Some(due) = due.filter(|due| *due > work.now()) {
        work.wait(view.key, Some(key), format!("a pause before {key} is made again on {}", host.name), None);
        work.alarm(due);
        return;
    }
    let action = Action::Create { host: host.name.clone(), replica: key.clone(), revision: slot.place.revision };
    work.act(action, view.key, Some(key));
}

/// True when old copies of the slot, if any, leave room for the new one now. Stops those that must go first.
fn give_way(
    work: &mut Work<'_, '_>,
    view: &ServiceView<'_>,
    slot: &SlotView<'_>,
    revision: &Revision,
    budget: &mut Budget,
) -> bool {
    let key = &slot.key;
    let old: Vec<Copy<'_>> = slot.old_live().copied().collect();
    if old.is_empty() {
        return true;
    }
    if let Some(words) = &budget.canary {
        work.wait(view.key, Some(key), format!("{key} waits: {words}"), None);
        return false;
    }
    if let Some(at) = pause_between(work, view, &revision.spec).filter(|at| *at > work.now()) {
        work.wait(view.key, Some(key), format!("the pause between batches of {}", view.key), None);
        work.alarm(at);
        return false;
    }
    let clashing: Vec<&Copy<'_>> = old.iter().filter(|(seen, _)| clashes(work, view, slot, revision, seen)).collect();
    let old_serves = old.iter().any(|(_, standing)| *standing == Standing::Healthy);
    if clashing.is_empty() {
        if !old.iter().any(|(_, standing)| standing.is_alive()) {
            return true;
        }
        if budget.replacing >= budget.batch {
            work.wait(view.key, Some(key), format!("{key} waits: {} at a time", budget.batch), None);
            return false;
        }
        budget.replacing += 1;
        return true;
    }
    if old_serves {
        if budget.unserved >= budget.stops {
            let what = format!("{key} waits: its old copy stops first, {} at a time", budget.stops);
            work.wait(view.key, Some(key), what, None);
            return false;
        }
        budget.unserved += 1;
    }
    for (seen, standing) in clashing {
        if *standing != Standing::Removing {
            let why = if seen.host.name == slot.place.host && seen.of.revision == slot.place.revision {
                "makes room for its restart".to_owned()
            } else {
                format!("makes room for r{}", slot.place.revision)
            };
            work.let_go(view, seen, why);
        }
    }
    false
}

/// True when the old copy must be gone before the new one is made.
fn clashes(
    work: &Work<'_, '_>,
    view: &ServiceView<'_>,
    slot: &SlotView<'_>,
    revision: &Revision,
    seen: &Seen<'_>,
) -> bool {
    let desired = work.index.world.desired;
    let exchange = Exchange {
        old_host: &seen.host.name,
        old_spec: desired.revision(view.key, seen.of.revision).map(|revision| &revision.spec),
        place: slot.place,
        spec: &revision.spec,
        shared: desired.stacks.get(&view.key.stack),
        replicas: view.slots.len(),
    };
    exchange.stop_first().is_some()
}

/// Another of our own containers that holds a host port which this service needs: it is on its way out, or the plan
/// would not have placed the replica here.
fn port_holder(host: &HostView, spec: &ServiceSpec) -> Option<String> {
    let ports: Vec<_> = spec.fixed_ports().collect();
    if ports.is_empty() {
        return None;
    }
    let ours = host.containers.values().filter(|container| container.replica().is_some());
    ours.flat_map(|container| container.ports.iter().map(move |binding| (container, binding))).find_map(
        |(container, binding)| {
            let published = binding.published.filter(|port| ports.contains(&(*port, binding.protocol)))?;
            Some(format!("{} still holds port {published}", container.name))
        },
    )
}

fn start(seen: &Seen<'_>) -> Action {
    Action::Start { host: seen.host.name.clone(), replica: seen.of.key.clone(), container: seen.container.id.clone() }
}

fn stop(seen: &Seen<'_>, why: String) -> Action {
    Action::Stop {
        host: seen.host.name.clone(),
        replica: seen.of.key.clone(),
        container: seen.container.id.clone(),
        why,
    }
}

/// How often each replica of the service died on a host lately, rounded up.
fn deaths(work: &Work<'_, '_>, view: &ServiceView<'_>, host: &HostName) -> u32 {
    let died = work.memory.deaths.get(&(view.key.clone(), host.clone())).map_or(0, Vec::len);
    let here = view.slots.iter().filter(|slot| slot.place.host == *host).count().max(1);
    u32::try_from(died.div_ceil(here)).unwrap_or(u32::MAX)
}

fn last_death(work: &Work<'_, '_>, view: &ServiceView<'_>, host: &HostName) -> Option<Timestamp> {
    work.memory.deaths.get(&(view.key.clone(), host.clone()))?.iter().max().copied()
}

/// The volume that keeps a service's replicas where they are, for messages.
pub(crate) fn volume<'s>(work: &Work<'_, 's>, view: &ServiceView<'s>, spec: &'s ServiceSpec) -> Option<&'s str> {
    pinned_volume(spec, work.index.world.desired.stacks.get(&view.key.stack))
}
