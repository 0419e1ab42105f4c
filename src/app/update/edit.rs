//! Putting the draft together. Nothing here reaches the fleet.

use super::pick;
use crate::app::{
    access,
    command::Command,
    draft::{Changes, wanted},
    ids::{Id, StackId},
    input::Input,
    line::Mark,
    msg::Effect,
    overlay::{Overlay, PlanPage, ScaleForm},
    state::State,
};
use crate::model::{HostIntent, RegionName, Scope, ServiceKey};

/// Most replicas that can be asked for in one region: a typing error must not ask for a million.
pub(in crate::app) const MOST: u32 = 10_000;

/// Carries out what edits the draft or opens something for it.
pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Hold => return hold(state).into_iter().collect(),
        Command::Plus => by(state, 1),
        Command::Minus => by(state, -1),
        Command::Exact => {
            let places = access::places(state);
            state.overlay = Some(Overlay::Exact { places, input: Input::default() });
        }
        Command::ScaleForm => form(state),
        Command::Restart => restart(state),
        Command::Cordon => cordon(state),
        Command::Remove => remove(state),
        Command::Migrate
        | Command::Rollback
        | Command::Drain
        | Command::Rebalance
        | Command::RebalanceAll
        | Command::Prune => {
            pick::run(state, command);
        }
        Command::Undo if !state.draft.undo() => state.say(Mark::Stopped, "there is no step to take back"),
        Command::Redo if !state.draft.redo() => state.say(Mark::Stopped, "there is no step to make again"),
        Command::DropDraft => {
            state.draft.step(|changes| *changes = Changes::default());
            state.say(Mark::Ok, "draft dropped: z brings it back");
        }
        Command::OpenPlan => state.overlay = Some(Overlay::Plan(PlanPage::default())),
        Command::Abort => state.overlay = access::operation(state).map(|id| Overlay::Abort { id }),
        _ => {}
    }
    state.dirty.plan = true;
    Vec::new()
}

/// Asks to pause the selected operation, or to resume it.
fn hold(state: &mut State) -> Option<Effect> {
    let id = access::operation(state)?;
    let paused = state.operations().iter().any(|op| op.id == id && op.paused.is_some());
    state.say(Mark::Ok, if paused { "asked to resume it" } else { "asked to pause it" });
    Some(if paused { Effect::Resume(id) } else { Effect::Pause(id) })
}

fn by(state: &mut State, delta: i32) {
    let places = access::places(state);
    let blocked = places.iter().find_map(|(service, _)| blocked(state, service));
    if let Some(why) = blocked {
        state.say(Mark::Stopped, why);
        return;
    }
    let desired = state.store.desired.clone();
    let mut lowest = false;
    state.draft.step(|changes| {
        for (service, region) in places {
            let now = wanted(&desired, &service, &region);
            let place = (service, region);
            let from = changes.targets.get(&place).copied().unwrap_or(now);
            let to = from.saturating_add_signed(delta).min(MOST);
            lowest |= to == from;
            if to == now {
                changes.targets.remove(&place);
            } else {
                changes.targets.insert(place, to);
            }
        }
    });
    if lowest {
        state.say(Mark::Stopped, "there are none already");
    }
}

/// Why the numbers of a service cannot be drafted now.
fn blocked(state: &State, service: &ServiceKey) -> Option<String> {
    if state.draft.removed(service) {
        return Some(format!("{service} is to be removed in this draft: take that out first (`.` then `x`)"));
    }
    if state.draft.restarts(service) {
        return Some(format!(
            "{service} is to be restarted in this draft: apply that first, or take it out (`.` then `x`)"
        ));
    }
    None
}

/// Sets numbers.
pub(super) fn set(state: &mut State, places: Vec<(ServiceKey, RegionName)>, to: u32) {
    if let Some(why) = places.iter().find_map(|(service, _)| blocked(state, service)) {
        state.say(Mark::Stopped, why);
        return;
    }
    let desired = state.store.desired.clone();
    state.draft.step(|changes| {
        for place in places {
            if wanted(&desired, &place.0, &place.1) == to {
                changes.targets.remove(&place);
            } else {
                changes.targets.insert(place, to);
            }
        }
    });
    state.dirty.plan = true;
}

fn form(state: &mut State) {
    let Some((service, here)) = access::places(state).into_iter().next() else { return };
    let rows: Vec<_> = state
        .fleet
        .regions
        .iter()
        .map(|region| {
            let now = wanted(&state.store.desired, &service, &region.name);
            let to = state.draft.target(&service, &region.name).unwrap_or(now);
            (region.name.clone(), now, Input::new(to.to_string()))
        })
        .collect();
    let at = rows.iter().position(|(region, ..)| *region == here).unwrap_or(0);
    state.overlay = Some(Overlay::Scale(ScaleForm { service, rows, at, fresh: true }));
}

fn restart(state: &mut State) {
    let services = access::services(state);
    if services.is_empty() {
        state.say(Mark::Stopped, "there is nothing to restart here");
        return;
    }
    let scaled = services.iter().find(|service| {
        state.draft.removed(service) || state.draft.changes().targets.keys().any(|(one, _)| one == *service)
    });
    if let Some(service) = scaled {
        let text =
            format!("{service} already has a change in this draft: apply that first, or take it out (`.` then `x`)");
        state.say(Mark::Stopped, text);
        return;
    }
    state.draft.step(|changes| {
        // The same key takes it out again.
        if services.iter().all(|service| changes.restarts.contains(service)) {
            changes.restarts.retain(|service| !services.contains(service));
        } else {
            changes.restarts.extend(services);
        }
    });
}

fn cordon(state: &mut State) {
    let hosts = access::hosts(state);
    let desired = state.store.desired.clone();
    state.draft.step(|changes| {
        for host in hosts {
            let now = desired.hosts.get(&host).copied();
            let drafted = changes.hosts.get(&host).copied().unwrap_or(now);
            let next = if drafted.is_some() { None } else { Some(HostIntent::Cordoned) };
            if next == now {
                changes.hosts.remove(&host);
            } else {
                changes.hosts.insert(host, next);
            }
        }
    });
}

fn remove(state: &mut State) {
    let target = match state.selected() {
        Some(Id::Stack(StackId::Own(stack))) => Some((stack.clone(), None)),
        _ => access::service(state).and_then(|id| id.key()).map(|key| (key.stack.clone(), Some(key))),
    };
    if let Some((stack, service)) = target {
        state.overlay = Some(Overlay::Remove { stack, service, input: Input::default() });
    }
}

/// Puts a removal into the draft, in place of everything else about the same services.
pub(super) fn draft_remove(state: &mut State, stack: &crate::model::StackName, service: Option<&ServiceKey>) {
    state.draft.step(|changes| {
        let hit = |key: &ServiceKey| service.map_or(key.stack == *stack, |service| service == key);
        changes.targets.retain(|(key, _), _| !hit(key));
        changes.restarts.retain(|key| !hit(key));
        let moved = |what: &Scope| match what {
            Scope::Stack(other) => service.is_none() && other == stack,
            Scope::Service(key) | Scope::Replica(key, _) => hit(key),
        };
        changes.moves.retain(|(what, _), _| !moved(what));
        changes.rollbacks.retain(|what, _| !moved(what));
        if service.is_none() {
            changes.removes.retain(|(other, _)| other != stack);
        }
        changes.removes.insert((stack.clone(), service.cloned()));
    });
    state.dirty.plan = true;
}
