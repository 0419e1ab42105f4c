//! What comes through, and how much of what is wanted is there: large digits with the last hour below.

use super::font::{Size, large, width};
use crate::{
    app::{
        history::{HOUR, Measure},
        line::{Line, Mark, Role},
        screen::Within,
        series::{Point, largest, spark},
        state::State,
        table::Col,
        views::common,
    },
    text::count,
};

/// One number with its name.
pub(super) struct Figure {
    name: &'static str,
    value: String,
    role: Role,
    past: Vec<Option<Point>>,
}

/// Rows of the screen from which on digits are five rows high, and three.
const TALL: usize = 44;
const LOW: usize = 16;

/// The figures side by side: name, digits, last hour, and an empty line.
pub(super) fn head(state: &State, cells: usize, rows: usize) -> Vec<Line> {
    let figures = figures(state);
    let column = cells.saturating_sub(1) / figures.len().max(1);
    let fits = |size| figures.iter().all(|figure| width(&figure.value, size) + 2 <= column);
    let size = match rows {
        TALL.. if fits(Size::Full) => Size::Full,
        LOW.. if fits(Size::Half) => Size::Half,
        _ => return vec![in_words(&figures), Line::new()],
    };
    let mut lines = vec![Line::new(); size.rows() + 3];
    let mut row_of = |row: usize, at: usize, piece: Line| {
        if let Some(line) = lines.get_mut(row) {
            line.pad_to(1 + at * column);
            line.extend(piece);
        }
    };
    for (at, figure) in figures.iter().enumerate() {
        row_of(0, at, Line::of(Role::Head, figure.name));
        for (row, text) in large(&figure.value, size).into_iter().enumerate() {
            row_of(row + 1, at, Line::of(figure.role, text));
        }
        let room = column.saturating_sub(2).min(HOUR);
        let past = figure.past.get(figure.past.len().saturating_sub(room)..).unwrap_or_default();
        row_of(size.rows() + 1, at, spark(past, largest(past), Role::Dim));
    }
    lines
}

/// On a small screen: the same in one line.
pub(super) fn in_words(figures: &[Figure]) -> Line {
    let mut line = Line::of(Role::Plain, " ");
    for figure in figures {
        line.push(figure.role, figure.value.as_str());
        line.push(Role::Dim, format!(" {}   ", figure.name.to_lowercase()));
    }
    line
}

pub(super) fn figures(state: &State) -> Vec<Figure> {
    let total = &state.index.total;
    let mut figures = vec![Figure {
        name: "REPLICAS",
        value: if total.wanted == 0 {
            count(state.index.replicas.len() as u64)
        } else {
            format!("{}/{}", total.healthy, total.wanted)
        },
        role: match total.mark() {
            _ if total.wanted == 0 => Role::Strong,
            Mark::Ok | Mark::Stopped => Role::Strong,
            mark => Role::Mark(mark),
        },
        past: Vec::new(),
    }];
    let flow = state.flows().total();
    if flow.requests.is_none() {
        return figures;
    }
    let past = |measure| state.history().minutes(&Within::All, measure, HOUR, state.shown_at());
    // As in the tables: the same figures, the same words.
    let figure = |name, col, measure| {
        let cell = common::traffic(Some(&flow), col).unwrap_or_default();
        let role = cell.spans.first().map_or(Role::Dim, |span| span.role);
        let role = if matches!(role, Role::Mark(_)) { role } else { Role::Strong };
        Figure { name, value: cell.text(), role, past: past(measure) }
    };
    figures.extend([
        figure("REQUESTS A SECOND", Col::Requests, Measure::Requests),
        figure("FAILED %", Col::Errors, Measure::Failed),
        figure("MEAN ms", Col::Answer, Measure::Answer),
    ]);
    figures
}
