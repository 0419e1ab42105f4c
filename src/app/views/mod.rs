//! The views: which rows, which columns, what is in a cell. Cells are made only for what is drawn.

pub(super) mod common;
mod events;
mod fields;
mod graph;
mod hosts;
mod operations;
mod replicas;
mod services;
mod stacks;
mod storage;

use super::{
    filter::{self, Filter, Verdict},
    ids::Id,
    screen::View,
    state::State,
    table::{Cell, Col, Column, Rows, SortKey},
    term::Value,
};
use crate::text::width;

pub use common::{cpu, fails, memory, per_second, rate, replica_name};
pub use graph::{graph_mark, graph_target, name as node_name};
pub use storage::{need as need_of, users as users_of};

/// Rows whose cells are measured to find the widths of columns.
const MEASURED: usize = 200;

/// The rows of the screen on top, filtered and in order; or in the order of `kept`, where they are the same rows. Putting
/// all replicas of a large fleet in order takes long.
pub fn rows(state: &State, kept: Option<&[usize]>) -> Rows {
    let screen = state.screen();
    let all = match screen.view {
        View::Overview | View::Stacks => stacks::rows(state),
        View::Hosts => hosts::rows(state),
        View::Services => services::rows(state),
        View::Replicas => replicas::rows(state),
        View::Graph => super::graph::rows(state),
        View::Events => events::rows(state),
        View::Operations => operations::rows(state),
        View::Storage => storage::rows(state),
        View::Operation | View::Logs | View::Charts | View::Wall => Vec::new(),
    };
    let of = all.len();
    let filter = Filter::new(&screen.filter, fields::is_field).numbered(state.filters.number());
    let stranger = filter.fields().find(|name| !fields::is_known(state, name));
    let filter_error = filter.error.clone().or_else(|| {
        stranger.map(|name| format!("`{name}` is not known here; {} are", fields::names(state).join(", ")))
    });
    // A filter that means nothing here hides nothing.
    let mut rows = if stranger.is_some() { all } else { filter.keep(all, &Look(state)) };
    if screen.faults {
        rows.retain(|row| is_fault(state, *row));
    }
    if let Some(kept) = kept.filter(|kept| are_same(kept, &rows)) {
        rows = kept.to_vec();
        let (columns, natural) = widths(state, &rows);
        let matched = filter.marks().map(str::to_owned).collect();
        return Rows { rows, of, columns, natural, filter_error, matched };
    }
    if let Some(col) = screen.sort {
        let mut keyed: Vec<(SortKey, usize)> = rows.into_iter().map(|row| (sort_key(state, row, col), row)).collect();
        keyed.sort_by(|a, b| a.0.order(&b.0));
        rows = keyed.into_iter().map(|(_, row)| row).collect();
    }
    if screen.inverted {
        rows.reverse();
    }
    let (columns, natural) = widths(state, &rows);
    let matched = filter.marks().map(str::to_owned).collect();
    Rows { rows, of, columns, natural, filter_error, matched }
}

/// True where both are the same rows, in whatever order.
fn are_same(a: &[usize], b: &[usize]) -> bool {
    let sorted = |rows: &[usize]| {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows
    };
    a.len() == b.len() && sorted(a) == sorted(b)
}

/// The columns, and how wide each would like to be.
fn widths(state: &State, rows: &[usize]) -> (Vec<Column>, Vec<usize>) {
    let columns = columns(state);
    let natural = columns
        .iter()
        .map(|column| {
            if column.min >= column.max {
                return column.max;
            }
            rows.iter()
                .take(MEASURED)
                .map(|row| cell(state, *row, column.col).spans.iter().map(|span| width(&span.text)).sum())
                .max()
                .unwrap_or(0)
        })
        .collect();
    (columns, natural)
}

/// The columns of the screen on top.
pub fn columns(state: &State) -> Vec<Column> {
    match state.screen().view {
        View::Overview => stacks::overview_columns(state),
        View::Stacks => stacks::columns(state),
        View::Hosts => hosts::columns(state),
        View::Services => services::columns(state),
        View::Replicas => replicas::columns(state),
        View::Graph => graph::columns(state),
        View::Events => events::columns(state),
        View::Operations => operations::columns(state),
        View::Storage => storage::columns(state),
        View::Operation | View::Logs | View::Charts | View::Wall => Vec::new(),
    }
}

/// One cell.
pub fn cell(state: &State, row: usize, col: Col) -> Cell {
    match state.screen().view {
        View::Overview | View::Stacks => stacks::cell(state, row, col),
        View::Hosts => hosts::cell(state, row, col),
        View::Services => services::cell(state, row, col),
        View::Replicas => replicas::cell(state, row, col),
        View::Graph => graph::cell(state, row, col),
        View::Events => events::cell(state, row, col),
        View::Operations => operations::cell(state, row, col),
        View::Storage => storage::cell(state, row, col),
        View::Operation | View::Logs | View::Charts | View::Wall => None,
    }
    .unwrap_or_default()
}

/// What a row stands for.
pub fn id(state: &State, row: usize) -> Option<Id> {
    Some(match state.screen().view {
        View::Overview | View::Stacks => Id::Stack(state.index.stacks.get(row)?.id.clone()),
        View::Hosts => Id::Host(state.index.hosts.get(row)?.name.clone()),
        View::Services => Id::Service(state.index.services.get(row)?.id.clone()),
        View::Replicas => Id::Replica(state.index.replicas.get(row)?.id.clone()),
        View::Graph => super::graph::Node::of(row).id(&state.index)?,
        View::Events => Id::Event(state.news.get(row)?.number),
        View::Operations => Id::Operation(state.operations().get(row)?.id),
        View::Storage => state.stores.rows.get(row)?.id(),
        View::Operation | View::Logs | View::Charts | View::Wall => return None,
    })
}

fn sort_key(state: &State, row: usize, col: Col) -> SortKey {
    let special = match state.screen().view {
        View::Overview | View::Stacks => stacks::sort_key(state, row, col),
        View::Hosts => hosts::sort_key(state, row, col),
        View::Services => services::sort_key(state, row, col),
        View::Replicas => replicas::sort_key(state, row, col),
        View::Graph => graph::sort_key(state, row, col),
        View::Events => events::sort_key(state, row, col),
        View::Operations => operations::sort_key(state, row, col),
        View::Storage => storage::sort_key(state, row, col),
        View::Operation | View::Logs | View::Charts | View::Wall => None,
    };
    special.unwrap_or_else(|| SortKey::Text(cell(state, row, col).text()))
}

/// The rows of the screen on top, for filters.
struct Look<'a>(&'a State);

impl filter::Look<usize> for Look<'_> {
    fn write(&self, row: &usize, text: &mut String) {
        // Writing into a string cannot fail; a row that is gone has no text.
        let _ = write_haystack(self.0, *row, text);
    }

    fn value(&self, row: &usize, name: &str) -> Value {
        fields::value(self.0, *row, name)
    }

    fn verdict(&self, row: &usize) -> Option<&Verdict> {
        match self.0.screen().view {
            View::Replicas => Some(&self.0.index.replicas.get(*row)?.verdict),
            _ => None,
        }
    }
}

fn write_haystack(state: &State, row: usize, text: &mut String) -> Option<()> {
    match state.screen().view {
        View::Overview | View::Stacks => stacks::haystack(state, row, text),
        View::Hosts => hosts::haystack(state, row, text),
        View::Services => services::haystack(state, row, text),
        View::Replicas => replicas::haystack(state, row, text),
        View::Graph => graph::haystack(state, row, text),
        View::Events => events::haystack(state, row, text),
        View::Operations => operations::haystack(state, row, text),
        View::Storage => storage::haystack(state, row, text),
        View::Operation | View::Logs | View::Charts | View::Wall => None,
    }
}

fn is_fault(state: &State, row: usize) -> bool {
    match state.screen().view {
        View::Overview | View::Stacks => stacks::is_fault(state, row),
        View::Hosts => hosts::is_fault(state, row),
        View::Services => services::is_fault(state, row),
        View::Replicas => replicas::is_fault(state, row),
        View::Graph => graph::is_fault(state, row),
        View::Events => events::is_fault(state, row),
        View::Operations => operations::is_fault(state, row),
        View::Storage => storage::is_fault(state, row),
        View::Operation | View::Logs | View::Charts | View::Wall => false,
    }
}
