//! The wall: what a whole team reads from five metres away, for weeks, without touching it.
//!
//! From top to bottom: what comes through in large digits, what is wrong in large letters, stacks by regions with the
//! last hour beside them, entries, what is going on and what changed last. It turns pages only where stacks do not fit,
//! and then only those with something wrong, if there is any.

mod entries;
mod font;
mod head;
mod matrix;
mod pages;
mod recent;
mod wrong;

pub use entries::{Way, ways};
pub use pages::{CHANGES, Page, page};

use super::{
    flow::Flow,
    line::{Line, Role},
    state::State,
    table::Col,
    views::common,
};
use crate::{
    model::{HostName, Link},
    text::pad_left,
};
use jiff::Timestamp;

/// The page, in `rows` lines of `cells` cells.
pub fn wall(state: &State, cells: usize, rows: usize) -> Vec<Line> {
    let mut lines = head::head(state, cells, rows);
    let mut left = rows.saturating_sub(lines.len());
    let wrong = wrong::wrong(state, cells, left / 2);
    left = left.saturating_sub(wrong.len());
    // What is going on gives way to what is wrong.
    let recent = recent::recent(state, cells, (left / 3).min(9));
    left = left.saturating_sub(recent.len());
    lines.extend(wrong);
    let mut middle = middle(state, cells, left);
    middle.resize(left, Line::new());
    lines.extend(middle);
    lines.extend(recent);
    lines.truncate(rows);
    lines
}

/// Cells from which on entries stand beside the stacks.
const WIDE: usize = 170;

/// Stacks by regions, and entries where there is room for them.
fn middle(state: &State, cells: usize, rows: usize) -> Vec<Line> {
    let entries = entries::ways(state);
    if entries.is_empty() {
        return matrix::matrix(state, cells, rows);
    }
    if cells >= WIDE {
        let right = entries::WIDTH.max(cells / 3);
        let left = cells.saturating_sub(right);
        return beside(matrix::matrix(state, left - 2, rows), entries::table(&entries, right, rows), left);
    }
    // Below them only where all stacks and all entries fit.
    let all = matrix::rows(state) + 2 + entries.len() + 1;
    if all <= rows {
        let mut lines = matrix::matrix(state, cells, rows);
        lines.push(Line::new());
        lines.extend(entries::table(&entries, cells, entries.len() + 1));
        return lines;
    }
    matrix::matrix(state, cells, rows)
}

/// Two columns; the right one begins at `at`.
fn beside(left: Vec<Line>, right: Vec<Line>, at: usize) -> Vec<Line> {
    let rows = left.len().max(right.len());
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    (0..rows)
        .map(|_| {
            let mut line = left.next().unwrap_or_default().cut(at.saturating_sub(1));
            line.pad_to(at);
            line.extend(right.next().unwrap_or_default());
            line
        })
        .collect()
}

/// What comes through, in columns: which, its head, its cells.
const TRAFFIC: [(Col, &str, usize); 3] =
    [(Col::Requests, "REQ/S", 8), (Col::Errors, "ERR %", 7), (Col::Answer, "MEAN ms", 9)];

/// Cells of these columns.
fn traffic_cells() -> usize {
    TRAFFIC.iter().map(|(.., cells)| cells).sum()
}

/// Their heads.
fn traffic_head() -> String {
    TRAFFIC.iter().map(|(_, title, cells)| pad_left(title, *cells)).collect()
}

/// What comes through for one thing.
fn traffic(flow: Option<&Flow>) -> Line {
    let mut line = Line::new();
    for (at, (col, ..)) in TRAFFIC.iter().enumerate() {
        let cell = common::traffic(flow, *col).unwrap_or_default();
        let end: usize = TRAFFIC.iter().take(at + 1).map(|(.., cells)| cells).sum();
        line.pad_to(end.saturating_sub(cell.width()));
        line.extend(cell);
    }
    line
}

/// What comes through in all, in one line.
fn in_words(state: &State) -> Line {
    head::in_words(&head::figures(state))
}

/// A heading of a part.
fn title(text: &str) -> Line {
    Line::of(Role::Head, format!(" {text}"))
}

/// The host that is unseen for the longest, and since when; none when all data is live.
pub fn oldest(state: &State) -> Option<(Timestamp, &HostName)> {
    let hosts = state.observed().hosts.values();
    let unseen = hosts.filter_map(|host| match &host.link {
        Link::Unknown { since, .. } => Some((*since, &host.name)),
        Link::Connecting { .. } | Link::Ready { .. } | Link::Slow { .. } => None,
    });
    unseen.min()
}

/// How old the oldest data is, for the line at the bottom.
pub fn data_age(state: &State) -> Line {
    match oldest(state) {
        _ if state.is_starting() => Line::of(Role::Dim, "connecting … "),
        _ if state.is_blind() => Line::of(Role::Mark(super::line::Mark::Unknown), "no host is seen "),
        None => Line::of(Role::Dim, "all data is live "),
        Some((since, host)) => Line::of(
            Role::Mark(super::line::Mark::Unknown),
            format!("oldest data {} ({host}) ", super::status::ago(since, state.now).replace("now", "a few seconds")),
        ),
    }
}
