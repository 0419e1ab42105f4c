//! Opening what chooses a target or a revision, its keys, and what follows from a choice: a line of the draft, and the
//! plan shown at once.

use super::overlays::{moved, moved_plain, page_rows};
use crate::app::{
    access,
    command::{Command, Scope as KeyScope},
    draft::Item,
    ids::{Id, ReplicaId, StackId},
    key::{Code, Key},
    line::Mark,
    msg::Effect,
    overlay::{Overlay, PlanPage},
    pages,
    picker::{MovePicker, RevisionPicker, sources},
    state::State,
    storage::StoredRow,
    views,
};
use crate::{
    model::{HostIntent, HostName, Kept, RegionName, Scope, Site, Stored},
    plan,
};

/// Carries out what asks for a choice, or goes straight to the plan.
pub(super) fn run(state: &mut State, command: Command) {
    match command {
        Command::Migrate => migrate(state),
        Command::Rollback => rollback(state),
        Command::Drain => drain(state),
        Command::Prune => prune(state),
        Command::Rebalance => {
            let region = access::region(state);
            balance(state, region);
        }
        _ => balance(state, None),
    }
}

/// Shows the plan with a line of the draft selected.
fn show(state: &mut State, item: &Item) {
    let at = state.draft.items().iter().position(|known| known == item).unwrap_or_default();
    state.overlay = Some(Overlay::Plan(PlanPage { at, ..PlanPage::default() }));
    state.dirty.plan = true;
}

fn scope(state: &State, replica: bool) -> Option<Scope> {
    Some(match state.selected()? {
        Id::Stack(StackId::Own(stack)) => Scope::Stack(stack.clone()),
        Id::Service(service) => Scope::Service(service.key()?),
        Id::Replica(ReplicaId::Slot(key)) if replica => Scope::Replica(key.service.clone(), key.slot),
        Id::Replica(_) => Scope::Service(access::service(state)?.key()?),
        _ => return None,
    })
}

fn migrate(state: &mut State) {
    let Some(what) = scope(state, true) else { return };
    if let (Scope::Service(_), Some(Id::Replica(_))) = (&what, state.selected()) {
        state.say(Mark::Stopped, "this container fills no slot any more: it will be stopped, not moved");
        return;
    }
    let all = sources(&state.fleet, &state.store.desired, &what);
    // A replica is in its region and on its host; it leaves the host.
    let here = match state.selected() {
        Some(Id::Replica(ReplicaId::Slot(key))) => {
            let assignment = state.store.desired.assignment(&key.service, &key.region);
            assignment.and_then(|all| all.slots.get(&key.slot)).map(|place| Site::Host(place.host.clone()))
        }
        Some(Id::Service(service)) => access::region_of(state, service)
            .and_then(|at| state.index.regions.get(at))
            .map(|region| Site::Region(region.clone())),
        _ => None,
    };
    let all = match (&what, &here) {
        (Scope::Replica(..), Some(host)) => vec![host.clone()],
        _ => all,
    };
    let from = here.and_then(|here| all.iter().position(|site| *site == here)).unwrap_or_default();
    let mut picker = MovePicker::new(what, all, from);
    picker.work_out(&state.world());
    state.overlay = Some(Overlay::Move(picker));
}

fn rollback(state: &mut State) {
    let Some(what) = scope(state, false) else { return };
    let mut picker = RevisionPicker::new(what);
    picker.work_out(&state.world(), &state.who);
    state.overlay = Some(Overlay::Rollback(picker));
}

/// Puts what nothing needs of the marked rows, or of the selected one, into the draft.
fn prune(state: &mut State) {
    let marks = &state.screen().marks;
    let meant: Vec<&StoredRow> = if marks.is_empty() {
        state.selected_row().and_then(|row| state.stores.rows.get(row)).into_iter().collect()
    } else {
        state.stores.rows.iter().filter(|row| marks.contains(&row.id())).collect()
    };
    // What a volume holds is lost with it: it goes only when it is itself meant.
    let of_host = |host: &HostName| {
        let rows = state.stores.rows.iter().filter(move |row| row.host == *host);
        rows.filter(|row| row.thing.as_ref().is_some_and(|thing| thing.kind != Kept::Volume)).collect::<Vec<_>>()
    };
    let all = meant.iter().flat_map(|row| if row.thing.is_some() { vec![*row] } else { of_host(&row.host) });
    let spares: Vec<(HostName, Stored)> =
        all.filter(|row| row.need.is_none()).filter_map(|row| Some((row.host.clone(), row.thing.clone()?))).collect();
    let Some(first) = spares.first().map(|(host, _)| host.clone()) else {
        let why = meant.first().filter(|row| row.thing.is_some()).map(|row| views::need_of(state, row).text());
        state.say(
            Mark::Stopped,
            why.map_or_else(
                || "nothing there can go: all of it is used or kept".into(),
                |why| format!("it stays: {why}"),
            ),
        );
        return;
    };
    state.draft.step(|changes| {
        for (host, thing) in spares {
            changes.spares.insert((host, thing.kind, thing.id.clone()), thing);
        }
    });
    show(state, &Item::Prune(first));
}

fn drain(state: &mut State) {
    let hosts = access::hosts(state);
    let desired = state.store.desired.clone();
    let open: Vec<_> =
        hosts.into_iter().filter(|host| desired.hosts.get(host) != Some(&HostIntent::Draining)).collect();
    let Some(first) = open.first().cloned() else {
        state.say(Mark::Stopped, "it is draining already: u opens it again");
        return;
    };
    state.draft.step(|changes| {
        changes.hosts.extend(open.into_iter().map(|host| (host, Some(HostIntent::Draining))));
    });
    show(state, &Item::Host(first));
}

fn balance(state: &mut State, region: Option<RegionName>) {
    // A draft that opens a host may make room that is not there yet.
    let as_it_is = state.draft.changes().hosts.is_empty();
    if as_it_is && plan::rebalance(&state.world(), region.as_ref()).is_ok_and(|plan| plan.is_empty()) {
        let where_to = region.map_or_else(|| "every region".to_owned(), |region| region.to_string());
        state.say(Mark::Ok, format!("the hosts of {where_to} are even: nothing would move"));
        return;
    }
    let item = Item::Balance(region.clone());
    state.draft.step(|changes| {
        changes.balances.insert(region);
    });
    show(state, &item);
}

/// A key for the picker of targets.
pub(super) fn move_key(state: &mut State, key: Key, mut picker: MovePicker) -> Vec<Effect> {
    match state.keymap.command(&[KeyScope::Picker], key) {
        Some(Command::Choose) => return choose_target(state, &picker),
        Some(Command::ClosePicker) => state.overlay = None,
        Some(command @ (Command::NextSource | Command::LastSource)) => {
            if picker.sources.len() < 2 {
                state.say(Mark::Stopped, "it is nowhere else");
                return Vec::new();
            }
            picker.turn(command == Command::NextSource, &state.world());
            state.overlay = Some(Overlay::Move(picker));
        }
        _ => {
            if let Some(at) = moved_plain(key, picker.at, picker.targets.len(), page_rows(state)) {
                picker.select(at, &state.world());
                state.overlay = Some(Overlay::Move(picker));
            }
        }
    }
    Vec::new()
}

fn choose_target(state: &mut State, picker: &MovePicker) -> Vec<Effect> {
    let (Some(from), Some(target)) = (picker.source(), picker.selected()) else {
        state.say(Mark::Stopped, "there is nothing to choose");
        return Vec::new();
    };
    if let Some(why) = &target.refusal {
        state.say(Mark::Stopped, why.clone());
        return Vec::new();
    }
    let place = (picker.what.clone(), from.clone());
    let to = target.site.clone();
    let item = Item::Move(place.0.clone(), place.1.clone());
    state.draft.step(|changes| {
        changes.moves.insert(place, to);
    });
    show(state, &item);
    Vec::new()
}

/// A key for the picker of revisions.
pub(super) fn revision_key(state: &mut State, key: Key, mut picker: RevisionPicker) -> Vec<Effect> {
    match (state.keymap.command(&[KeyScope::Picker], key), key.code) {
        (Some(Command::Choose), _) => return choose_revision(state, &picker),
        (Some(Command::ClosePicker), _) => state.overlay = None,
        // The difference may be longer than its place.
        (_, Code::PageUp | Code::PageDown) => {
            let (lines, rows) = pages::revision_room(state, &picker);
            let most = lines.saturating_sub(rows);
            if let Some(top) = moved(key, picker.top.min(most), most + 1, rows.max(1)) {
                picker.top = top;
                state.overlay = Some(Overlay::Rollback(picker));
            }
        }
        _ => {
            if let Some(at) = moved_plain(key, picker.at, picker.kept.len(), page_rows(state)) {
                picker.select(at, &state.world(), &state.who);
                state.overlay = Some(Overlay::Rollback(picker));
            }
        }
    }
    Vec::new()
}

fn choose_revision(state: &mut State, picker: &RevisionPicker) -> Vec<Effect> {
    match (picker.selected(), &picker.plan) {
        (Some(kept), Some(Ok(_))) => {
            let (what, no) = (picker.what.clone(), kept.no);
            let item = Item::Rollback(what.clone());
            state.draft.step(|changes| {
                changes.rollbacks.insert(what, no);
            });
            show(state, &item);
        }
        (Some(kept), _) if kept.runs => {
            let name = picker.name(kept.no);
            state.say(Mark::Stopped, format!("{name} is what runs now: choose another"));
        }
        (_, Some(Err(why))) => {
            let why = why.to_string();
            state.say(Mark::Stopped, why);
        }
        _ => state.say(Mark::Stopped, "there is nothing to choose"),
    }
    Vec::new()
}
