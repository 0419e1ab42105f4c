//! Pages, bars and menus as lines of text with meaning. Drawing only lays them out.

mod bars;
mod charts;
mod choose;
mod details;
mod explain;
mod graph;
mod help;
mod inspect;
mod logs;
mod menus;
mod operation;
mod plan;
mod spec;
mod steps;
mod stored;
mod typing;
mod wrong;

pub use bars::{empty, header, hints, plan_bar, running};
pub use charts::{charts, figures, past};
pub use choose::{Page, revision_room, revisions, targets};
pub use explain::explain;
pub use graph::{GraphPage, export_graph, graph, graph_foot};
pub use help::help;
pub use inspect::{inspect, inspect_rows, inspect_text};
pub use logs::{LogPlace, log_place, log_screen, log_text, logs, sources};
pub use menus::{MenuEntry, abort, actions, confirm, exact, palette, quit, remove, scale, sort};
pub use operation::{operation, operation_end, operation_mark, operation_note, operation_traffic};
pub use plan::{plan, plan_line_of};
pub use typing::typed;
pub use wrong::{fault_lines, faults};

use super::{
    line::{Line, Role},
    screen::View,
    state::{PaneKind, State},
    views,
};
use crate::text::pad_right;

/// The lines of the pane beside the list.
pub fn pane(state: &State) -> Vec<Line> {
    match state.pane.map(|pane| pane.kind) {
        None => Vec::new(),
        Some(PaneKind::Details) => details::details(state),
        Some(PaneKind::Spec) => spec::spec(state),
    }
}

/// A named value.
fn field(name: &str, value: impl Into<String>) -> Line {
    let cells = crate::text::width(name).clamp(11, 40);
    Line::of(Role::Label, format!("{} ", pad_right(name, cells))).with(Role::Plain, value)
}

/// A heading, with an empty line above it where it is not the first.
fn heading(lines: &mut Vec<Line>, title: &str) {
    if !lines.is_empty() {
        lines.push(Line::new());
    }
    lines.push(Line::of(Role::Head, title));
}

/// The selected row as text, its cells separated by tabs.
pub fn row_text(state: &State) -> Option<String> {
    let row = state.selected_row()?;
    Some(row_cells(state, row).join("\t"))
}

fn row_cells(state: &State, row: usize) -> Vec<String> {
    state.rows.columns.iter().map(|column| views::cell(state, row, column.col).text().trim().to_owned()).collect()
}

/// The whole view as text: every row, every column.
pub fn dump(state: &State) -> String {
    let mut out = format!("{}  {}\n\n", header(state, 200).text().trim(), state.now);
    if state.screen().view == View::Logs {
        out.push_str(&log_text(state));
        return out;
    }
    if state.screen().view == View::Charts {
        out.push_str(&charts::figures(state));
        out.push('\n');
        out.push_str(&charts::table(state));
        return out;
    }
    if state.screen().view == View::Wall {
        for line in super::wall::wall(state, 160, state.index.stacks.len() + 60) {
            out.push_str(line.text().trim_end());
            out.push('\n');
        }
        return out;
    }
    if state.screen().view == View::Operation {
        for line in operation(state) {
            out.push_str(line.text().trim_end());
            out.push('\n');
        }
        return out;
    }
    if state.screen().view == View::Graph {
        let form = state.screen().graph.form;
        if matches!(form, super::graph::Form::Columns | super::graph::Form::Focus) {
            let lines = graph(state, usize::from(state.size.0), usize::from(state.size.1)).lines;
            for line in lines.iter().chain(&graph_foot(state, usize::from(state.size.0))) {
                out.push_str(line.text().trim_end());
                out.push('\n');
            }
            return out;
        }
    }
    let mut table = vec![state.rows.columns.iter().map(|column| column.title.trim().to_owned()).collect::<Vec<_>>()];
    table.extend(state.rows.rows.iter().map(|row| row_cells(state, *row)));
    let widths: Vec<usize> = (0..state.rows.columns.len())
        .map(|at| table.iter().filter_map(|row| row.get(at)).map(|cell| crate::text::width(cell)).max().unwrap_or(0))
        .collect();
    for row in table {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| pad_right(cell, *width)).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// Breaks words into lines of at most `cells` cells.
fn wrap(text: &str, cells: usize) -> Vec<String> {
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    join(&words, " ", cells)
}

/// Puts pieces side by side, in lines of at most `cells` cells.
fn join(pieces: &[String], gap: &str, cells: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for piece in pieces {
        let room = crate::text::width(&line) + gap.len() + crate::text::width(piece);
        if !line.is_empty() && room > cells {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push_str(gap);
        }
        line.push_str(piece);
    }
    lines.push(line);
    lines
}
