//! One chart: title with figures, area of block characters, scale and times.

use super::{Shown, cells, figures::Figures};
use crate::{
    app::{
        charts::{Axis, Unit, why_none},
        history::Measure,
        line::{Line, Mark, Role},
        series::{AT_LEAST, BARS, Point, largest},
        state::State,
        views::fails,
    },
    text::{fit, pad_left},
};

/// Cells of the scale, left of the area.
const SCALE: usize = 8;

/// A chart in `cells` cells, with so many rows of area: two lines more than that.
pub(super) fn chart(
    state: &State,
    shown: &Shown<'_>,
    measure: Measure,
    cells_wide: usize,
    rows: usize,
    is_selected: bool,
) -> Vec<Line> {
    let of = &state.screen().within;
    let unit = Unit::new(state, of, measure);
    let series = shown.tracks.and_then(|tracks| tracks.series(measure));
    let figures = series.map(|series| Figures::new(&shown.stretch, series));
    let mut lines = vec![title(measure, unit, figures.as_ref(), cells_wide, is_selected)];
    let room = cells_wide.saturating_sub(SCALE);
    let values = series.map_or_else(|| vec![None; room], |series| cells(series, &shown.stretch, room));
    let is_empty = figures.is_none_or(|figures| figures.most.is_none());
    let top = unit.top(unit.scaled(largest(&values)));
    for row in 0..rows {
        let mut line = Line::of(
            Role::Dim,
            pad_left(&if is_empty { String::new() } else { scale(unit, top, row, rows) }, SCALE - 1),
        );
        line.push(Role::Plain, " ");
        if is_empty {
            if row == rows / 2 {
                let words = why_none(state, of, measure);
                line.push(Role::Dim, fit(&words, room));
            }
        } else {
            let above = rows - 1 - row;
            for value in &values {
                let (role, glyph) = block(value.as_ref(), measure, unit, top, rows, above);
                line.run(role, glyph);
            }
        }
        lines.push(line);
    }
    let mut axis = Line::of(Role::Plain, " ".repeat(SCALE.min(cells_wide)));
    axis.push(Role::Dim, Axis::new(&shown.stretch, room).line(&shown.stretch, room, &state.zone));
    lines.push(axis);
    lines
}

/// The figure beside a row: the end of the scale, its middle, nothing.
fn scale(unit: Unit, top: f64, row: usize, rows: usize) -> String {
    let is_middle = rows >= 4 && rows.is_multiple_of(2) && row == rows / 2;
    match row {
        0 => unit.figure(top),
        _ if is_middle => unit.figure(top / 2.0),
        _ if row + 1 == rows => "0".to_owned(),
        _ => String::new(),
    }
}

/// One cell of the area, with so many rows below it.
fn block(
    value: Option<&Point>,
    measure: Measure,
    unit: Unit,
    top: f64,
    rows: usize,
    below: usize,
) -> (Role, &'static str) {
    let Some(point) = value else { return (Role::Plain, " ") };
    let share = (unit.scaled(point.value) / top).clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some hundred")]
    let height = ((share * (rows * 8) as f64).round() as usize).max(1);
    let here = height.saturating_sub(below * 8).min(8);
    let role = match () {
        () if point.partial => Role::Mark(Mark::Unknown),
        () if measure == Measure::Failed => fails(f64::from(point.value)),
        () => Role::Dim,
    };
    match here {
        0 => (Role::Plain, " "),
        // At least so much: no sharp edge.
        _ if point.partial && here > 4 => (role, AT_LEAST),
        _ if point.partial && below == 0 => (role, "┄"),
        _ if point.partial => (Role::Plain, " "),
        _ => (role, BARS.get(here - 1).copied().unwrap_or(" ")),
    }
}

/// What is measured and in what, and its figures as far as there is room.
fn title(measure: Measure, unit: Unit, figures: Option<&Figures>, cells: usize, is_selected: bool) -> Line {
    let name = name(measure);
    let mut line = Line::of(Role::Accent, if is_selected { "▸" } else { " " });
    line.push(if is_selected { Role::Accent } else { Role::Strong }, name);
    line.push(Role::Dim, format!("  {}", unit.words()));
    let Some(figures) = figures.filter(|figures| figures.most.is_some()) else { return line.cut(cells) };
    let right = figures.line(unit, cells);
    if let Some(gap) = cells.checked_sub(line.width() + right.width()).filter(|gap| *gap >= 2) {
        line.push(Role::Plain, " ".repeat(gap));
        line.extend(right);
    }
    line.cut(cells)
}

/// What a chart is called.
pub(super) fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::Cpu => "CPU",
        Measure::Memory => "memory",
        Measure::NetIn => "network in",
        Measure::NetOut => "network out",
        Measure::DiskRead => "disk read",
        Measure::DiskWrite => "disk write",
        Measure::Requests => "requests",
        Measure::Failed => "failed",
        Measure::Answer => "answers",
    }
}
