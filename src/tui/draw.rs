//! Drawing: the state's lines and tables into cells. Reads the state, never changes it.

mod float;
mod graph;
mod table;

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::{Color, Modifier, Style},
};

use super::theme::{Theme, ascii};
use crate::{
    app::{
        State,
        layout::{Area, layout, list_rows, page_area},
        line::{Line, Role},
        overlay::Overlay,
        pages,
        screen::View,
        state::PaneKind,
        wall::wall,
    },
    text::{is_plain, width},
};

/// Draws the whole screen. The buffer is as large as the state's size and empty. Gives the cursor's place, when
/// something is being typed.
pub fn draw(state: &State, theme: &Theme, buffer: &mut Buffer) -> Option<Position> {
    let areas = layout(state);
    let full = rect(Area { x: 0, y: 0, w: state.size.0, h: state.size.1 }).intersection(buffer.area);
    if full.is_empty() {
        return None;
    }
    let cells = usize::from(state.size.0);
    line(buffer, theme, areas.header, 0, &pages::header(state, cells));
    rule(buffer, theme, areas.rule);
    below(state, theme, buffer, &areas);
    if !page(state, theme, buffer) {
        match state.screen().view {
            View::Operation => lines(buffer, theme, areas.list, &pages::operation(state), state.screen().top),
            View::Logs => lines(buffer, theme, areas.list, &pages::logs(state), 0),
            View::Graph => graph::draw(state, theme, buffer, &areas),
            View::Charts => charts(state, theme, buffer, areas.list),
            View::Wall => {
                lines(buffer, theme, areas.list, &wall(state, areas.list.w.into(), areas.list.h.into()), 0);
            }
            _ => table::draw(state, theme, buffer, areas.list),
        }
        panes(state, theme, buffer, &areas);
        if !areas.plan_bar.is_empty() {
            line(buffer, theme, areas.plan_bar, 0, &pages::plan_bar(state, cells));
            fill(buffer, areas.plan_bar, theme.bar());
        }
    }
    if let Some(tour) = state.tour {
        line(buffer, theme, areas.tour, 0, &tour.line(state));
    }
    line(buffer, theme, areas.hints, 0, &pages::hints(state, cells));
    let mut cursor = float::draw(state, theme, buffer);
    let typed = match &state.overlay {
        Some(Overlay::Filter { input, .. }) => Some(input),
        Some(Overlay::Inspect(page)) => page.input(),
        _ => None,
    };
    if let Some(input) = typed.filter(|_| !areas.hints.is_empty()) {
        let x = u16::try_from(2 + width(input.before())).unwrap_or(u16::MAX);
        cursor = Some(Position { x: x.min(state.size.0.saturating_sub(1)), y: areas.hints.y });
    }
    if theme.ascii {
        to_ascii(buffer);
    }
    cursor
}

fn rect(area: Area) -> Rect {
    Rect::new(area.x, area.y, area.w, area.h)
}

/// Draws a line into a row of an area; what does not fit is cut with a mark.
fn line(buffer: &mut Buffer, theme: &Theme, area: Area, row: u16, line: &Line) {
    if area.is_empty() || row >= area.h {
        return;
    }
    let end = area.x + area.w;
    let too_long = line.width() > usize::from(area.w);
    let mut x = area.x;
    let y = area.y + row;
    for span in &line.spans {
        if x >= end {
            break;
        }
        x = put(buffer, (x, y), &span.text, end - x, theme.style(span.role));
    }
    if too_long {
        cut_mark(buffer, x.min(end.saturating_sub(1)), y);
    }
}

/// Puts text into at most so many cells; gives the place behind it. Text of single bytes, as nearly all is, need not be
/// taken apart into what belongs together.
fn put(buffer: &mut Buffer, (x, y): (u16, u16), text: &str, cells: u16, style: Style) -> u16 {
    if !is_plain(text) {
        return buffer.set_stringn(x, y, text, usize::from(cells), style).0;
    }
    let mut next = x;
    for at in 0..text.len().min(usize::from(cells)) {
        let (Some(symbol), Some(cell)) = (text.get(at..=at), buffer.cell_mut((next, y))) else { break };
        cell.set_symbol(symbol).set_style(style);
        next += 1;
    }
    next
}

/// Puts the mark of cut text at a place, also where half of a wide character stands.
fn cut_mark(buffer: &mut Buffer, x: u16, y: u16) {
    if let Some(before) = x.checked_sub(1)
        && let Some(cell) = buffer.cell_mut((before, y))
        && width(cell.symbol()) > 1
    {
        cell.set_symbol(" ");
    }
    if let Some(cell) = buffer.cell_mut((x, y)) {
        cell.set_symbol("…");
    }
}

/// Draws lines from `top` on.
fn lines(buffer: &mut Buffer, theme: &Theme, area: Area, all: &[Line], top: usize) {
    for (row, text) in (0..area.h).zip(all.iter().skip(top)) {
        line(buffer, theme, area, row, text);
    }
}

fn rule(buffer: &mut Buffer, theme: &Theme, area: Area) {
    if area.is_empty() {
        return;
    }
    buffer.set_stringn(area.x, area.y, "─".repeat(usize::from(area.w)), usize::from(area.w), theme.rule());
}

/// Says on the rule how many rows lie below the last one that is shown.
fn below(state: &State, theme: &Theme, buffer: &mut Buffer, areas: &crate::app::layout::Layout) {
    let shown = state.screen().top + list_rows(state);
    let below = state.rows.rows.len().saturating_sub(shown);
    let is_covered =
        matches!(state.overlay, Some(Overlay::Plan(_) | Overlay::Move(_) | Overlay::Rollback(_) | Overlay::Inspect(_)));
    if below > 0 && !is_covered && state.screen().view.is_list() && areas.rule.w >= 40 {
        let text = format!(" {below} more below ");
        let w = u16::try_from(text.len()).unwrap_or(0);
        let place = Area { x: areas.rule.w.saturating_sub(w + 2), w, ..areas.rule };
        line(buffer, theme, place, 0, &Line::of(Role::Dim, text));
    }
}

/// Lays a style over an area. A reversed one takes the colours away: reversed one by one they would make patches.
fn fill(buffer: &mut Buffer, area: Area, style: Style) {
    if style.add_modifier.contains(Modifier::REVERSED) {
        let area = rect(area).intersection(buffer.area);
        for position in area.positions() {
            if let Some(cell) = buffer.cell_mut(position) {
                cell.fg = Color::Reset;
                cell.bg = Color::Reset;
                cell.modifier.remove(Modifier::DIM);
            }
        }
    }
    buffer.set_style(rect(area).intersection(buffer.area), style);
}

fn panes(state: &State, theme: &Theme, buffer: &mut Buffer, areas: &crate::app::layout::Layout) {
    for (area, text) in [
        (
            areas.faults,
            if areas.faults.is_empty() {
                Vec::new()
            } else {
                pages::faults(state, areas.faults.w.into(), areas.faults.h.into())
            },
        ),
        (
            areas.running,
            if areas.running.is_empty() { Vec::new() } else { pages::running(state, areas.running.w.into()) },
        ),
    ] {
        if area.is_empty() {
            continue;
        }
        rule(buffer, theme, Area { h: 1, ..area });
        let inner = Area { y: area.y + 1, h: area.h - 1, ..area };
        // One cell stays free, so that two panes never touch.
        let inner = Area { w: inner.w.saturating_sub(1), ..inner };
        more(buffer, theme, inner, &text, 0);
    }
    let Some(pane) = state.pane else { return };
    let area = areas.pane;
    if area.is_empty() {
        return;
    }
    let title = match pane.kind {
        PaneKind::Details => "DETAILS",
        PaneKind::Spec => "SPEC",
    };
    let inner = if areas.beside {
        for y in area.y..area.y + area.h {
            buffer.set_string(area.x, y, "│", theme.rule());
        }
        Area { x: area.x + 2, w: area.w.saturating_sub(2), ..area }
    } else {
        Area { x: area.x + 1, w: area.w.saturating_sub(1), ..area }
    };
    if !areas.beside {
        rule(buffer, theme, Area { h: 1, ..area });
    }
    let role = if pane.focused { Role::Accent } else { Role::Head };
    let title = format!("{title} ");
    line(buffer, theme, inner, 0, &Line::of(role, title));
    let inner = Area { y: inner.y + 1, h: inner.h.saturating_sub(1), ..inner };
    more(buffer, theme, inner, &pages::pane(state), pane.top);
}

/// Draws lines; the last row says how many more there are.
fn more(buffer: &mut Buffer, theme: &Theme, area: Area, all: &[Line], top: usize) {
    let rows = usize::from(area.h);
    let left = all.len().saturating_sub(top);
    if left > rows && rows > 1 {
        let shown = Area { h: area.h - 1, ..area };
        lines(buffer, theme, shown, all, top);
        let text = format!("   and {} more", left - (rows - 1));
        line(buffer, theme, area, area.h - 1, &Line::of(Role::Dim, text));
    } else {
        lines(buffer, theme, area, all, top);
    }
}

fn charts(state: &State, theme: &Theme, buffer: &mut Buffer, area: Area) {
    let page = pages::charts(state);
    lines(buffer, theme, area, &page.lines, 0);
    select(buffer, theme, area, &page);
}

/// Marks the selected line of a page.
fn select(buffer: &mut Buffer, theme: &Theme, area: Area, page: &pages::Page) {
    if let Some(row) = page.selected.and_then(|row| u16::try_from(row).ok()).filter(|row| *row < area.h) {
        fill(buffer, Area { y: area.y + row, h: 1, ..area }, theme.selected());
    }
}

/// Draws a page that takes the whole screen. False when there is none.
fn page(state: &State, theme: &Theme, buffer: &mut Buffer) -> bool {
    let area = page_area(state);
    let page = match &state.overlay {
        Some(Overlay::Plan(_)) => {
            plan_page(state, theme, buffer, area);
            return true;
        }
        Some(Overlay::Move(picker)) => pages::targets(state, picker),
        Some(Overlay::Rollback(picker)) => pages::revisions(state, picker),
        Some(Overlay::Inspect(page)) => pages::inspect(state, page),
        _ => return false,
    };
    lines(buffer, theme, area, &page.lines, 0);
    select(buffer, theme, area, &page);
    true
}

fn plan_page(state: &State, theme: &Theme, buffer: &mut Buffer, area: Area) {
    let text = pages::plan(state);
    let Some(Overlay::Plan(page)) = &state.overlay else { return };
    // The selected change stays in sight.
    let rows = usize::from(area.h);
    let selected = pages::plan_line_of(page.at);
    let mut top = page.top.min(text.len().saturating_sub(rows));
    if page.top == 0 && selected >= rows {
        top = selected + 1 - rows;
    }
    more(buffer, theme, area, &text, top);
    if selected >= top && selected - top < rows {
        let y = area.y + u16::try_from(selected - top).unwrap_or(0);
        fill(buffer, Area { y, h: 1, ..area }, theme.selected());
    }
}

fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if let Some(plain) = ascii(cell.symbol()) {
            cell.set_symbol(plain);
        }
    }
}
