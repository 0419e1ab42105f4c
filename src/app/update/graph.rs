//! Moving through the graph.

use super::navigate::{down, pane, step};
use crate::{
    app::{
        access,
        command::Command,
        graph::{DEEPEST, Form, Kind, Node},
        ids::{Id, ServiceId},
        line::Mark,
        screen::{Screen, View, Within},
        state::{PaneKind, State},
        views,
    },
    graph::{End, Way},
};

/// Opens the graph with what was selected before.
pub(super) fn open(state: &mut State) {
    let selected = match state.selected() {
        Some(id) if Kind::of(id).is_some() => Some(id.clone()),
        _ => access::service(state).map(Id::Service).or_else(|| access::stack(state).map(Id::Stack)),
    };
    let mut screen = Screen::new(View::Graph, Within::All);
    screen.graph.kind = selected.as_ref().and_then(Kind::of).unwrap_or(Kind::Stack);
    screen.selected = selected;
    state.way.go(screen);
    state.pane = None;
    state.reorder();
}

/// Carries out what is only of the graph. False when the command is none of these.
pub(super) fn run(state: &mut State, command: Command) -> bool {
    match command {
        Command::GraphTree => {
            let setting = &mut state.way.here_mut().graph;
            if setting.form == Form::Tree {
                let physical = matches!(setting.kind, Kind::Host | Kind::Region);
                setting.kind = if physical { Kind::Stack } else { Kind::Region };
            }
            setting.form = Form::Tree;
            state.reorder();
        }
        Command::GraphForm => next_form(state),
        Command::GraphShallower => deepen(state, false),
        Command::GraphDeeper => deepen(state, true),
        Command::GraphUp => only(state, Way::Up),
        Command::GraphDown => only(state, Way::Down),
        Command::Fold => {
            if let Some(id) = state.selected().cloned() {
                let turned = &mut state.way.here_mut().graph.turned;
                if !turned.remove(&id) {
                    turned.insert(id);
                }
                state.reorder();
            }
        }
        Command::FoldAll => {
            let setting = &mut state.way.here_mut().graph;
            setting.turned.clear();
            setting.level = (setting.level + 1) % 3;
            state.reorder();
        }
        _ => return false,
    }
    true
}

/// The same selection in the next form. A focus is a place of its own, one level down.
fn next_form(state: &mut State) {
    let selected = state.selected().cloned();
    let form = state.screen().graph.form;
    match form {
        Form::Columns if selected.as_ref().is_some_and(|id| focus(state, id)) => {}
        Form::Columns | Form::Focus => set_form(state, Form::Tree, selected),
        Form::Tree => set_form(state, Form::Matrix, selected),
        Form::Matrix => set_form(state, Form::Columns, selected),
    }
}

fn set_form(state: &mut State, form: Form, selected: Option<Id>) {
    if state.screen().graph.form == Form::Focus {
        state.way.up();
    }
    let stack = access::stack(state);
    let screen = state.way.here_mut();
    screen.graph.form = form;
    screen.graph.kind = selected.as_ref().and_then(Kind::of).unwrap_or_default();
    screen.selected = if form == Form::Matrix { stack.map(Id::Stack).or(selected) } else { selected };
    state.reorder();
}

fn deepen(state: &mut State, more: bool) {
    let setting = &mut state.way.here_mut().graph;
    let next = if more { (setting.more + 1).min(DEEPEST - 1) } else { setting.more.saturating_sub(1) };
    setting.more = next;
    state.say(Mark::Ok, format!("{} of {DEEPEST} steps from the focus", next + 1));
    state.reorder();
}

fn only(state: &mut State, way: Way) {
    let setting = &mut state.way.here_mut().graph;
    setting.way = if setting.way == way { Way::Both } else { way };
    state.reorder();
}

/// Makes an object the focus. False where it has no neighbourhood to show.
pub(super) fn focus(state: &mut State, id: &Id) -> bool {
    let within = match id {
        Id::Service(service) if service.key().is_some() => Within::Service(service.clone()),
        Id::Stack(stack) if stack.own().is_some() => Within::Stack(stack.clone()),
        Id::Replica(_) => {
            pane(state, PaneKind::Details);
            return true;
        }
        _ => return false,
    };
    if state.screen().within == within {
        return false;
    }
    let mut setting = state.screen().graph.clone();
    setting.form = Form::Focus;
    setting.kind = Kind::Service;
    let selected = matches!(id, Id::Service(_)).then(|| id.clone());
    down(state, View::Graph, within);
    let screen = state.way.here_mut();
    screen.graph = setting;
    screen.selected = selected;
    true
}

/// Along a relation to the left or the right. False where columns scroll instead.
pub(super) fn sideways(state: &mut State, right: bool) -> bool {
    match state.screen().graph.form {
        Form::Columns => {
            to_column(state, right);
            true
        }
        Form::Focus => {
            to_layer(state, right);
            true
        }
        Form::Tree | Form::Matrix => false,
    }
}

fn to_column(state: &mut State, right: bool) {
    let here = state.screen().graph.kind.place();
    let next = if right { here + 1 } else { here.wrapping_sub(1) };
    let Some(kind) = Kind::ALL.get(next).copied() else { return };
    let related = state.graph.related.of(kind);
    let first = related.first().copied().unwrap_or_default();
    let selected = Node::new(kind, first).id(&state.index);
    let screen = state.way.here_mut();
    screen.graph.kind = kind;
    screen.row = first;
    screen.selected = selected;
    state.reorder();
}

/// To the nearest related end in the next layer.
fn to_layer(state: &mut State, right: bool) {
    let layers = &state.graph.layers;
    let Some(key) = access::service(state).and_then(|id| id.key()) else { return };
    let Some((layer, row)) = layers.place(&End::Service(key)) else { return };
    let next = if right { layer + 1 } else { layer.wrapping_sub(1) };
    let joined = |at: usize| {
        layers.edges.iter().any(|edge| {
            if right {
                (edge.layer, edge.from, edge.to) == (layer, row, at)
            } else {
                (edge.layer, edge.from, edge.to) == (next, at, row)
            }
        })
    };
    let spots = layers.layers.get(next).into_iter().flatten().enumerate();
    let known = spots.filter_map(|(at, spot)| match spot {
        crate::graph::Spot::One { end: End::Service(key), .. } => Some((at, Id::Service(ServiceId::own(key)))),
        _ => None,
    });
    let nearest = known.min_by_key(|(at, _)| (!joined(*at), at.abs_diff(row))).map(|(_, id)| id);
    let found = nearest
        .and_then(|id| state.rows.rows.iter().position(|number| views::id(state, *number).as_ref() == Some(&id)));
    if let Some(row) = found {
        step(state, row, 0);
    }
}
