//! What is wrong: the overview's left pane.

use crate::{
    app::{
        line::{Line, Mark, Role},
        state::State,
    },
    text::pad_right,
};

/// Lines that one thing that is wrong may take.
const FAULT_LINES: usize = 3;

/// What is wrong: the overview's left pane, its head included, in at most `rows` lines: where much is wrong at once, what
/// nobody sees is not made.
pub fn faults(state: &State, cells: usize, rows: usize) -> Vec<Line> {
    if state.faults.is_empty() {
        let starting = state.is_starting();
        let text = if starting { "connecting …" } else { "nothing" };
        let mark = if starting { Mark::Changing } else { Mark::Ok };
        return vec![
            Line::of(Role::Head, " WRONG NOW"),
            Line::of(Role::Plain, " ").mark(mark).with(Role::Dim, format!(" {text}")),
        ];
    }
    let (about, place) = fault_columns(state);
    let mut lines =
        vec![Line::of(Role::Head, " WRONG NOW").with(Role::Mark(Mark::Failed), format!("  {}", state.faults.len()))];
    let (beside, indent) = fault_indent(state, cells);
    for fault in &state.faults {
        if lines.len() >= rows {
            break;
        }
        let mut line = Line::of(Role::Plain, " ")
            .mark(fault.mark)
            .with(Role::Strong, format!(" {}", pad_right(&fault.about, about)))
            .with(Role::Dim, format!("  {}", pad_right(&fault.place, place)));
        let mut words = fault_words(&fault.what, cells, indent).into_iter();
        if indent == beside {
            line.push(Role::Plain, format!("  {}", words.next().unwrap_or_default()));
        }
        lines.push(line);
        lines.extend(words.map(|words| Line::of(Role::Plain, format!("{}{words}", " ".repeat(indent - 1)))));
    }
    lines
}

/// Lines that [`faults`] takes.
pub fn fault_lines(state: &State, cells: usize, rows: usize) -> usize {
    let (beside, indent) = fault_indent(state, cells);
    let mut lines = 1;
    for fault in &state.faults {
        if lines >= rows {
            break;
        }
        let words = fault_words(&fault.what, cells, indent).len();
        lines += if indent == beside { words.max(1) } else { words + 1 };
    }
    if state.faults.is_empty() { 2 } else { lines }
}

/// Cells of the names and of the places.
fn fault_columns(state: &State) -> (usize, usize) {
    let (about, place) = state.fault_cells;
    (about.min(32), place.min(14))
}

/// Where reasons stand when they have room beside the name, and where they stand: there, or below it.
fn fault_indent(state: &State, cells: usize) -> (usize, usize) {
    let (about, place) = fault_columns(state);
    let beside = about + place + 8;
    (beside, if beside + 24 <= cells { beside } else { 5 })
}

fn fault_words(what: &str, cells: usize, indent: usize) -> Vec<String> {
    let mut words = super::wrap(what, cells.saturating_sub(indent + 1));
    words.truncate(FAULT_LINES);
    words
}
