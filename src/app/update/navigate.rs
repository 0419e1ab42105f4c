//! Moving: between rows, views, panes.

use std::collections::BTreeSet;

use crate::app::{
    access,
    command::Command,
    ids::{Id, ReplicaId, StackId},
    layout,
    line::Mark,
    msg::Effect,
    pages,
    screen::{Screen, View, Within},
    state::{Frozen, Pane, PaneKind, State},
    views,
};
use crate::plan::Need;

/// Goes to a view of its own.
pub(super) fn go(state: &mut State, view: View) {
    if view == View::Graph {
        return super::graph::open(state);
    }
    state.way.go(state.prefs.screen(Screen::new(view, Within::All)));
    state.pane = None;
    state.reorder();
}

/// One level up. False at the first.
pub(super) fn up(state: &mut State) -> bool {
    if state.pane.take().is_some() {
        return true;
    }
    let moved = state.way.up();
    state.reorder();
    moved
}

pub(super) fn down(state: &mut State, view: View, within: Within) {
    state.way.down(state.prefs.screen(Screen::new(view, within)));
    state.pane = None;
    state.reorder();
}

/// Carries out what only moves. False when the command is none of these.
pub(super) fn run(state: &mut State, command: Command) -> bool {
    let page = layout::list_rows(state).max(1);
    let last = state.rows.rows.len().saturating_sub(1);
    let row = state.screen().row;
    match command {
        Command::Up => step(state, row.saturating_sub(1), -1),
        Command::Down => step(state, row + 1, 1),
        Command::Top => step(state, 0, isize::MIN),
        Command::Bottom => step(state, last, isize::MAX),
        Command::HalfUp => step(state, row.saturating_sub(page / 2), -signed(page / 2)),
        Command::HalfDown => step(state, row + page / 2, signed(page / 2)),
        Command::PageUp => step(state, row.saturating_sub(page), -signed(page)),
        Command::PageDown => step(state, row + page, signed(page)),
        Command::Left => sideways(state, false),
        Command::Right => sideways(state, true),
        Command::Back => back(state),
        Command::Leave => {}
        Command::HistoryBack => moved(state, |state| state.way.back(), "there is no earlier view"),
        Command::HistoryForward => moved(state, |state| state.way.forward(), "there is no later view"),
        Command::LastView => moved(state, |state| state.way.swap(), "there is no view before this one"),
        Command::NextPane => {
            if let Some(pane) = &mut state.pane {
                pane.focused = !pane.focused;
            }
        }
        Command::Details => pane(state, PaneKind::Details),
        Command::Spec => pane(state, PaneKind::Spec),
        Command::Mark => mark(state),
        Command::MarkRange => mark_range(state),
        Command::MarkAll => mark_all(state),
        Command::Invert => {
            let screen = state.way.here_mut();
            screen.inverted = !screen.inverted;
            state.reorder();
        }
        Command::Wide => {
            let screen = state.way.here_mut();
            screen.wide = !screen.wide;
            screen.column = 0;
            state.reorder();
        }
        Command::Faults => {
            let screen = state.way.here_mut();
            screen.faults = !screen.faults;
            state.reorder();
        }
        Command::Drill => drill(state),
        Command::Storage => storage(state),
        Command::StorageImages => stored(state, "kind=image"),
        Command::StorageVolumes => stored(state, "kind=volume"),
        Command::StorageNetworks => stored(state, "kind=network"),
        Command::OwnerOf => owner(state),
        Command::EventsOf => events_of(state),
        _ => return false,
    }
    true
}

fn signed(n: usize) -> isize {
    isize::try_from(n).unwrap_or(isize::MAX)
}

/// Selects a row, or scrolls the page or pane that has the keys.
pub(super) fn step(state: &mut State, row: usize, by: isize) {
    if let Some(pane) = state.pane.as_mut().filter(|pane| pane.focused) {
        pane.top = pane.top.saturating_add_signed(by);
        return clamp_pane(state);
    }
    if !state.screen().view.is_list() {
        let lines = pages::operation(state).len();
        let rows = usize::from(layout::layout(state).list.h);
        let screen = state.way.here_mut();
        screen.top = screen.top.saturating_add_signed(by).min(lines.saturating_sub(rows));
        return;
    }
    let row = row.min(state.rows.rows.len().saturating_sub(1));
    let id = state.rows.rows.get(row).and_then(|at| views::id(state, *at));
    let screen = state.way.here_mut();
    screen.row = row;
    screen.selected = id;
    if let Some(pane) = &mut state.pane {
        pane.top = 0;
    }
}

fn clamp_pane(state: &mut State) {
    let lines = pages::pane(state).len();
    let rows = usize::from(layout::layout(state).pane.h.saturating_sub(1));
    if let Some(pane) = &mut state.pane {
        pane.top = pane.top.min(lines.saturating_sub(rows));
    }
}

/// In services the region cursor moves; elsewhere columns scroll.
fn sideways(state: &mut State, right: bool) {
    if state.screen().view == View::Graph && super::graph::sideways(state, right) {
        return;
    }
    if state.screen().view == View::Services && !state.screen().wide {
        let regions = state.index.regions.len();
        let here = match state.selected() {
            Some(Id::Service(service)) => access::region_of(state, service),
            _ => None,
        };
        let next = match (here, right) {
            (Some(at), true) => (at + 1).min(regions.saturating_sub(1)),
            (Some(at), false) => at.saturating_sub(1),
            (None, _) => 0,
        };
        state.way.here_mut().region = Some(next);
        return;
    }
    let columns = state.rows.columns.len();
    let screen = state.way.here_mut();
    screen.column =
        if right { (screen.column + 1).min(columns.saturating_sub(2)) } else { screen.column.saturating_sub(1) };
}

/// Marks go first, then the filter, then the view.
fn back(state: &mut State) {
    let screen = state.way.here_mut();
    if !screen.marks.is_empty() {
        screen.marks.clear();
    } else if state.pane.is_some() {
        state.pane = None;
    } else if !screen.filter.is_empty() || screen.faults {
        screen.filter.clear();
        screen.faults = false;
        state.reorder();
    } else if !up(state) {
        state.say(Mark::Stopped, "this is the first view: q quits");
    }
}

fn moved(state: &mut State, go: impl FnOnce(&mut State) -> bool, else_say: &str) {
    if go(state) {
        state.pane = None;
        state.reorder();
    } else {
        state.say(Mark::Stopped, else_say);
    }
}

pub(super) fn pane(state: &mut State, kind: PaneKind) {
    state.pane = match state.pane {
        Some(pane) if pane.kind == kind => None,
        Some(pane) => Some(Pane { kind, top: 0, ..pane }),
        None => Some(Pane { kind, top: 0, focused: false }),
    };
    // Where the pane covers the list, keys can only be meant for it.
    if layout::layout(state).list.h == 0
        && let Some(pane) = &mut state.pane
    {
        pane.focused = true;
    }
}

fn mark(state: &mut State) {
    if let Some(id) = state.selected().cloned() {
        let screen = state.way.here_mut();
        screen.anchor = Some(id.clone());
        if !screen.marks.remove(&id) {
            screen.marks.insert(id);
        }
        let next = screen.row + 1;
        step(state, next, 1);
    }
}

fn mark_range(state: &mut State) {
    let rows = &state.rows.rows;
    let here = state.screen().row;
    let anchor = state.screen().anchor.clone().filter(|_| !state.screen().marks.is_empty());
    let from = anchor
        .and_then(|anchor| rows.iter().position(|row| views::id(state, *row).as_ref() == Some(&anchor)))
        .unwrap_or(here);
    let range = rows.get(from.min(here)..=from.max(here)).unwrap_or_default();
    let ids: Vec<Id> = range.iter().filter_map(|row| views::id(state, *row)).collect();
    let last = state.selected().cloned();
    let screen = state.way.here_mut();
    screen.marks.extend(ids);
    screen.anchor = last;
}

fn mark_all(state: &mut State) {
    let ids: BTreeSet<Id> = state.rows.rows.iter().filter_map(|row| views::id(state, *row)).collect();
    let screen = state.way.here_mut();
    screen.marks = if screen.marks == ids { BTreeSet::default() } else { ids };
}

fn drill(state: &mut State) {
    let Some(id) = state.selected().cloned() else { return };
    if state.screen().view == View::Graph && super::graph::focus(state, &id) {
        return;
    }
    match id {
        Id::Region(region) => down(state, View::Hosts, Within::Region(region)),
        Id::Stack(stack) => down(state, View::Services, Within::Stack(stack)),
        Id::Service(service) => down(state, View::Replicas, Within::Service(service)),
        Id::Host(host) => down(state, View::Replicas, Within::Host(host)),
        Id::Operation(op) => down(state, View::Operation, Within::Operation(op)),
        Id::Replica(_) | Id::Stored(..) => pane(state, PaneKind::Details),
        Id::Event(_) => {
            let news = state.selected_row().and_then(|row| state.news.get(row)).cloned();
            match news.map(|news| (news.command, news.service, news.host)) {
                Some((Some(op), ..)) => down(state, View::Operation, Within::Operation(op)),
                Some((_, Some(service), _)) => down(state, View::Replicas, Within::Service(service)),
                Some((_, _, Some(host))) => down(state, View::Replicas, Within::Host(host)),
                _ => {}
            }
        }
    }
}

/// Selects an object in a view, on a level of its own.
pub(super) fn down_to(state: &mut State, view: View, within: Within, id: Id) {
    down(state, view, within);
    state.way.here_mut().selected = Some(id);
}

fn owner(state: &mut State) {
    let Some(id) = state.selected().cloned() else { return };
    match id {
        Id::Replica(ReplicaId::Slot(_) | ReplicaId::Container(..)) => {
            if let Some(service) = access::service(state) {
                down_to(state, View::Services, Within::Stack(service.stack.clone()), Id::Service(service));
            }
        }
        Id::Service(service) => down_to(state, View::Stacks, Within::All, Id::Stack(service.stack)),
        Id::Host(name) => {
            if let Some((region, _)) = state.fleet.host(&name) {
                let within = Within::Region(region.name.clone());
                down_to(state, View::Hosts, within, Id::Host(name));
            }
        }
        Id::Operation(_) | Id::Event(_) => match access::stack(state) {
            Some(stack) => down_to(state, View::Stacks, Within::All, Id::Stack(stack)),
            None => state.say(Mark::Stopped, "it belongs to no stack"),
        },
        Id::Stored(host, ..) => match users(state).first().cloned() {
            Some(user) => down_to(state, View::Replicas, Within::Host(host), user),
            None => state.say(Mark::Stopped, "no container uses it"),
        },
        Id::Region(_) => state.say(Mark::Stopped, "a region belongs to the fleet"),
        Id::Stack(StackId::Own(_)) => state.say(Mark::Stopped, "a stack belongs to the fleet"),
        Id::Stack(stack) => state.say(Mark::Stopped, stack.untouchable().unwrap_or_default()),
    }
}

/// The rows of the containers that use the selected thing.
fn users(state: &State) -> Vec<Id> {
    let row = state.selected_row().and_then(|row| state.stores.rows.get(row));
    let Some((row, Need::Used(ids))) = row.and_then(|row| Some((row, row.need.as_ref()?))) else { return Vec::new() };
    let replicas = state.index.replicas.iter().filter(|replica| replica.host == row.host);
    let users = replicas.filter(|replica| replica.container.as_ref().is_some_and(|id| ids.contains(id)));
    users.map(|replica| Id::Replica(replica.id.clone())).collect()
}

/// What the selected host keeps, else what all do.
fn storage(state: &mut State) {
    match access::host(state) {
        Some(host) if state.screen().view != View::Storage => down(state, View::Storage, Within::Host(host)),
        _ => go(state, View::Storage),
    }
}

/// What all hosts keep of one kind.
fn stored(state: &mut State, filter: &str) {
    go(state, View::Storage);
    filter.clone_into(&mut state.way.here_mut().filter);
    state.reorder();
}

fn events_of(state: &mut State) {
    let within = match state.selected() {
        Some(Id::Host(host)) => Within::Host(host.clone()),
        Some(Id::Stack(stack)) => Within::Stack(stack.clone()),
        Some(Id::Region(region)) => Within::Region(region.clone()),
        Some(Id::Operation(op)) => Within::Operation(*op),
        _ => match access::service(state) {
            Some(service) => Within::Service(service),
            None => return,
        },
    };
    down(state, View::Events, within);
    state.dirty.news = true;
}

/// Sends the name or the whole row to the clipboard.
pub(super) fn copy(state: &mut State, row: bool) -> Vec<Effect> {
    let text = if row { pages::row_text(state) } else { access::selected_name(state) };
    let Some(text) = text else { return Vec::new() };
    state.say(Mark::Ok, format!("sent to the terminal's clipboard: {text}"));
    vec![Effect::Copy(text)]
}

/// Holds the picture still, or lets it go on.
pub(super) fn freeze(state: &mut State) {
    // What is kept of the moment is counted to the moment.
    state.recount();
    state.frozen = match state.frozen.take() {
        Some(frozen) => {
            // It was counted on all the time.
            state.index = *frozen.beneath;
            None
        }
        None => Some(Frozen {
            at: state.now,
            observed: Box::new(state.live.clone()),
            flows: Box::new(state.flows().clone()),
            history: Box::new(state.history.clone()),
            beneath: Box::new(state.index.clone()),
        }),
    };
    state.dirty.index = true;
}
