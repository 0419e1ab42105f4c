//! The list of a view.

use ratatui::buffer::Buffer;

use super::{fill, line, lines};
use crate::{
    app::{
        State,
        layout::{self, Area},
        line::{Line, Role, Span},
        pages,
        table::{Col, Column, GAP},
        views,
    },
    text::{fit, pad_left, width},
    tui::theme::Theme,
};

/// Draws head and rows.
pub(super) fn draw(state: &State, theme: &Theme, buffer: &mut Buffer, area: Area) {
    if area.is_empty() {
        return;
    }
    let screen = state.screen();
    let (cursor, columns) = (layout::cursor(state), layout::columns(state));
    let mut y = area.y;
    if area.h >= 3 {
        head(state, theme, buffer, Area { h: 1, ..area }, &columns, cursor);
        y += 1;
    }
    let rows = area.y + area.h - y;
    if state.rows.rows.is_empty() {
        let text = pages::empty(state);
        let space = u16::from(rows > 3);
        lines(buffer, theme, Area { y: y + space, h: rows.saturating_sub(space), ..area }, &text, 0);
        return;
    }
    // Nobody sits at a wall.
    let selects = state.mode != crate::app::Mode::Watch;
    let marks = &state.rows.matched;
    for (offset, row) in (0..rows).zip(state.rows.rows.iter().skip(screen.top)) {
        let place = Area { y: y + offset, h: 1, ..area };
        let here = screen.top + usize::from(offset) == screen.row;
        let marked = !screen.marks.is_empty() && views::id(state, *row).is_some_and(|id| screen.marks.contains(&id));
        let mut text = Line::of(
            Role::Accent,
            if marked {
                "+"
            } else if here && selects {
                "▸"
            } else {
                " "
            },
        );
        for (at, (column, cells)) in columns.iter().enumerate() {
            let Some(column) = state.rows.columns.get(*column) else { continue };
            if at > 0 {
                text.push(Role::Plain, " ".repeat(GAP));
            }
            let mut cell = fitted(views::cell(state, *row, column.col), column, *cells);
            if at == 0 && !marks.is_empty() {
                cell = highlighted(cell, marks);
            }
            if here && cursor.map(Col::RegionCell) == Some(column.col) {
                cell = under_cursor(cell);
            }
            text.extend(cell);
        }
        line(buffer, theme, place, 0, &text);
        if here && selects {
            fill(buffer, place, theme.selected());
        }
    }
}

fn head(
    state: &State,
    theme: &Theme,
    buffer: &mut Buffer,
    area: Area,
    columns: &[(usize, usize)],
    cursor: Option<usize>,
) {
    let screen = state.screen();
    let mut text = Line::of(Role::Head, " ");
    for (at, (column, cells)) in columns.iter().enumerate() {
        let Some(column) = state.rows.columns.get(*column) else { continue };
        if at > 0 {
            text.push(Role::Plain, " ".repeat(GAP));
        }
        let mut title = column.title.clone();
        if screen.sort == Some(column.col) {
            title.push_str(if screen.inverted { "↑" } else { "↓" });
        }
        let role = if cursor.map(Col::RegionCell) == Some(column.col) { Role::Accent } else { Role::Head };
        let title = if column.right { pad_left(&title, *cells) } else { crate::text::pad_right(&title, *cells) };
        text.push(role, title);
    }
    line(buffer, theme, area, 0, &text);
}

/// A cell in exactly `cells` cells.
fn fitted(mut cell: Line, column: &Column, cells: usize) -> Line {
    let wide = cell.width();
    if wide > cells {
        let mut left = cells;
        let mut out = Line::new();
        for span in cell.spans {
            let w = width(&span.text);
            if w < left || (w == left && out.width() + w == wide) {
                left -= w;
                out.spans.push(span);
            } else {
                out.push(span.role, fit(&format!("{}…", span.text), left));
                break;
            }
        }
        out.pad_to(cells);
        return out;
    }
    if column.right {
        let mut out = Line::of(Role::Plain, " ".repeat(cells - wide));
        out.extend(cell);
        return out;
    }
    cell.pad_to(cells);
    cell
}

/// Shows where a filter matched.
fn highlighted(cell: Line, words: &[String]) -> Line {
    let mut out = Line::new();
    for Span { text, role } in cell.spans {
        let lower = text.to_lowercase();
        // Only where lower case keeps its length can places be carried over.
        let found = words
            .iter()
            .filter(|_| lower.len() == text.len())
            .find_map(|word| lower.find(word.as_str()).map(|at| (at, at + word.len())));
        let parts = found.and_then(|(from, to)| Some((text.get(..from)?, text.get(from..to)?, text.get(to..)?)));
        match parts {
            Some((before, hit, after)) => {
                out.push(role, before);
                out.push(Role::Match, hit);
                out.push(role, after);
            }
            None => out.push(role, text),
        }
    }
    out
}

/// The cell that edits go to.
fn under_cursor(cell: Line) -> Line {
    let mut out = Line::new();
    for span in cell.spans {
        let role = if matches!(span.role, Role::Plain | Role::Strong | Role::Dim) && !span.text.trim().is_empty() {
            Role::Cursor
        } else {
            span.role
        };
        out.push(role, span.text);
    }
    out
}
