//! What is going on, and what changed last.

use super::{beside, title};
use crate::app::{
    line::{Line, Role},
    pages::{operation_mark, running},
    state::State,
    status::ago,
};

/// Cells from which on both stand side by side.
const WIDE: usize = 110;

/// An empty line, then both, in at most `rows` lines. Nothing where there is no room.
pub(super) fn recent(state: &State, cells: usize, rows: usize) -> Vec<Line> {
    if rows < 4 {
        return Vec::new();
    }
    let mut lines = vec![Line::new()];
    let rows = rows - 1;
    let is_busy = state.running().next().is_some();
    if cells >= WIDE {
        let left = cells / 2;
        let mut busy = running(state, left - 2);
        busy.truncate(rows);
        lines.extend(beside(busy, changes(state, rows), left));
    } else if is_busy {
        lines.extend(running(state, cells).into_iter().take(rows));
    } else {
        lines.extend(changes(state, rows));
    }
    lines
}

/// What is going on, all of it.
pub(super) fn operations(state: &State, cells: usize) -> Vec<Line> {
    running(state, cells)
}

/// The newest operations with who asked for them, below a title, in so many lines.
pub(super) fn changes(state: &State, rows: usize) -> Vec<Line> {
    let mut lines = vec![title("LAST CHANGES")];
    if state.operations().is_empty() {
        lines.push(Line::of(Role::Dim, "  none yet"));
    }
    for op in state.operations().iter().take(rows.saturating_sub(1)) {
        let mark = operation_mark(op);
        let mut line = Line::of(Role::Dim, format!(" {:>4} ", ago(op.at, state.now))).mark(mark);
        line.push(Role::Plain, format!(" {}", op.intent.summary()));
        line.push(Role::Dim, format!("  {}  {}", op.word(), state.person(&op.by)));
        lines.push(line);
    }
    lines
}
