//! The mouse, for who asked for it: the wheel moves, a click selects, a second one opens, one on a title sorts.

use super::{keys, navigate, overlays};
use crate::app::{
    command::Command,
    key::{Code, Key},
    layout::{self, Area},
    msg::{Effect, Mouse, MouseAct},
    screen::View,
    state::State,
    table::GAP,
};

/// Rows of one notch.
const NOTCH: usize = 3;

/// Takes a movement of the wheel or a click in.
pub(super) fn mouse(state: &mut State, mouse: Mouse) -> Vec<Effect> {
    state.last_key = state.now;
    match mouse.act {
        MouseAct::WheelUp => wheel(state, mouse, Code::Up),
        MouseAct::WheelDown => wheel(state, mouse, Code::Down),
        MouseAct::Click if state.overlay.is_some() => Vec::new(),
        MouseAct::Click => click(state, mouse),
    }
}

/// A notch is some keys; over a pane it scrolls the pane, wherever the keys are.
fn wheel(state: &mut State, mouse: Mouse, code: Code) -> Vec<Effect> {
    let key = Key { code, ctrl: false, alt: false };
    if state.overlay.is_some() {
        return (0..NOTCH).flat_map(|_| overlays::key(state, key)).collect();
    }
    let over = contains(layout::layout(state).pane, mouse);
    let focused = state.pane.map(|pane| pane.focused);
    if let Some(pane) = &mut state.pane {
        pane.focused = over;
    }
    let effects = (0..NOTCH).flat_map(|_| keys::key(state, key)).collect();
    if let (Some(pane), Some(focused)) = (&mut state.pane, focused) {
        pane.focused = focused;
    }
    effects
}

fn contains(area: Area, mouse: Mouse) -> bool {
    (area.x..area.x + area.w).contains(&mouse.x) && (area.y..area.y + area.h).contains(&mouse.y)
}

fn click(state: &mut State, mouse: Mouse) -> Vec<Effect> {
    let areas = layout::layout(state);
    if let Some(pane) = &mut state.pane {
        pane.focused = contains(areas.pane, mouse);
    }
    // The graph has no rows of one height; the others without rows have nothing to select.
    if !contains(areas.list, mouse) || !state.screen().view.is_list() || state.screen().view == View::Graph {
        return Vec::new();
    }
    let below = mouse.y - areas.list.y;
    let Some(row) = below.checked_sub(layout::head_rows(state)) else {
        sort(state, usize::from(mouse.x - areas.list.x));
        return Vec::new();
    };
    let at = state.screen().top + usize::from(row);
    if at >= state.rows.rows.len() {
        return Vec::new();
    }
    if at == state.screen().row {
        return keys::run(state, Command::Drill);
    }
    navigate::step(state, at, 0);
    Vec::new()
}

/// Sorts by the column under a title; again turns the order round.
fn sort(state: &mut State, x: usize) {
    let mut from = layout::gutter();
    for (column, cells) in layout::columns(state) {
        if (from..from + cells).contains(&x)
            && let Some(column) = state.rows.columns.get(column)
        {
            let col = column.col;
            let screen = state.way.here_mut();
            screen.inverted = screen.sort == Some(col) && !screen.inverted;
            screen.sort = Some(col);
            state.reorder();
            return;
        }
        from += cells + GAP;
    }
}
