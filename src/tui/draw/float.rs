//! What floats above a view: help, palette, menus, small forms.

use ratatui::{buffer::Buffer, layout::Position};

use super::{fill, line, lines, rect};
use crate::{
    app::{
        State,
        layout::Area,
        line::{Line, Role},
        overlay::Overlay,
        pages,
    },
    text::width,
    tui::theme::Theme,
};

/// Draws what floats. Gives the cursor's place, when something is being typed.
pub(super) fn draw(state: &State, theme: &Theme, buffer: &mut Buffer) -> Option<Position> {
    match state.overlay.as_ref()? {
        Overlay::Filter { .. } | Overlay::Plan(_) | Overlay::Move(_) | Overlay::Rollback(_) | Overlay::Inspect(_) => {
            None
        }
        Overlay::Help { top } => {
            let text = pages::help(state);
            let inner = open(state, theme, buffer, "HELP", u16::MAX, u16::MAX)?;
            lines(buffer, theme, inner, &text, (*top).min(text.len().saturating_sub(usize::from(inner.h))));
            None
        }
        Overlay::Explain(page) => {
            let cells = usize::from(state.size.0.saturating_sub(6)).min(110);
            let text = pages::explain(page, cells);
            let w = u16::try_from(cells).unwrap_or(u16::MAX);
            let inner = open(state, theme, buffer, "EXPLAIN", w, rows(&text))?;
            lines(buffer, theme, inner, &text, page.top.min(text.len().saturating_sub(usize::from(inner.h))));
            None
        }
        Overlay::Palette { input, at } => {
            let entries = pages::palette(state);
            let h = u16::try_from(entries.len() + 1).unwrap_or(u16::MAX).max(2);
            let inner = open(state, theme, buffer, "COMMAND", 110, h)?;
            line(buffer, theme, inner, 0, &Line::of(Role::Key, " :").with(Role::Plain, input.text()));
            let list = Area { y: inner.y + 1, h: inner.h.saturating_sub(1), ..inner };
            let text: Vec<Line> = entries.iter().map(|entry| entry.line(state)).collect();
            menu(theme, buffer, list, &text, *at);
            let x = inner.x + u16::try_from(2 + width(input.before())).unwrap_or(0);
            Some(Position { x: x.min(inner.x + inner.w.saturating_sub(1)), y: inner.y })
        }
        Overlay::Actions { at } => {
            let text: Vec<Line> = pages::actions(state).iter().map(|entry| entry.line(state)).collect();
            choose(state, theme, buffer, "ACTIONS", &text, *at);
            None
        }
        Overlay::Sort { at } => {
            choose(state, theme, buffer, "SORT BY", &pages::sort(state), *at);
            None
        }
        Overlay::Scale(form) => say(state, theme, buffer, "SCALE", &pages::scale(state, form)),
        Overlay::Exact { places, input } => {
            say(state, theme, buffer, "EXACTLY", &pages::exact(state, places, &input.text()))
        }
        Overlay::Remove { stack, service, input } => {
            say(state, theme, buffer, "REMOVE", &pages::remove(stack, service.as_ref(), &input.text()))
        }
        Overlay::Confirm { names, input, .. } => {
            say(state, theme, buffer, "CONFIRM", &pages::confirm(names, &input.text()))
        }
        Overlay::Sources { at } => {
            choose(state, theme, buffer, "SOURCES", &pages::sources(state), *at);
            None
        }
        Overlay::Abort { id } => say(state, theme, buffer, "ABORT", &pages::abort(state, *id)),
        Overlay::Quit => say(state, theme, buffer, "LEAVE?", &pages::quit(state)),
    }
}

fn say(state: &State, theme: &Theme, buffer: &mut Buffer, title: &str, text: &[Line]) -> Option<Position> {
    let w = text.iter().map(Line::width).max().unwrap_or(0);
    let inner = open(state, theme, buffer, title, u16::try_from(w + 2).unwrap_or(u16::MAX), rows(text))?;
    lines(buffer, theme, inner, text, 0);
    None
}

fn rows(text: &[Line]) -> u16 {
    u16::try_from(text.len()).unwrap_or(u16::MAX)
}

fn choose(state: &State, theme: &Theme, buffer: &mut Buffer, title: &str, text: &[Line], at: usize) {
    let w = text.iter().map(Line::width).max().unwrap_or(0);
    if let Some(inner) = open(state, theme, buffer, title, u16::try_from(w + 2).unwrap_or(u16::MAX), rows(text)) {
        menu(theme, buffer, inner, text, at);
    }
}

/// A list with one selected line, which stays in sight.
fn menu(theme: &Theme, buffer: &mut Buffer, area: Area, text: &[Line], at: usize) {
    if area.is_empty() {
        return;
    }
    let rows = usize::from(area.h);
    let top = (at + 1).saturating_sub(rows);
    lines(buffer, theme, area, text, top);
    if at < text.len() {
        let y = area.y + u16::try_from(at - top).unwrap_or(0);
        fill(buffer, Area { y, h: 1, ..area }, theme.selected());
    }
}

/// Opens a box of at most `w` by `h` inner cells in the middle; on a small screen it is the screen. Gives the inside.
fn open(state: &State, theme: &Theme, buffer: &mut Buffer, title: &str, w: u16, h: u16) -> Option<Area> {
    let (cols, rows) = state.size;
    let small = cols < 40 || rows < 10;
    let (margin_x, margin_y) = if small { (0, 0) } else { (2, 1) };
    let border = u16::from(!small);
    let w = w.saturating_add(2 * border).min(cols.saturating_sub(2 * margin_x)).max(cols.min(24));
    let h = h.saturating_add(2 * border).min(rows.saturating_sub(2 * margin_y).saturating_sub(u16::from(!small)));
    let outer = Area { x: (cols - w) / 2, y: if small { 0 } else { (rows - h) / 3 }, w, h };
    if outer.is_empty() {
        return None;
    }
    let area = rect(outer).intersection(buffer.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
            }
        }
        // Half of a wide character left of the box would reach into it.
        if let Some(before) = area.left().checked_sub(1)
            && let Some(cell) = buffer.cell_mut((before, y))
            && width(cell.symbol()) > 1
        {
            cell.set_symbol(" ");
        }
    }
    fill(buffer, outer, theme.float());
    if small {
        return Some(outer);
    }
    let edge = theme.rule();
    let flat = "─".repeat(usize::from(w.saturating_sub(2)));
    buffer.set_stringn(outer.x, outer.y, format!("┌{flat}┐"), w.into(), edge);
    buffer.set_stringn(outer.x, outer.y + outer.h - 1, format!("└{flat}┘"), w.into(), edge);
    for y in outer.y + 1..outer.y + outer.h - 1 {
        buffer.set_string(outer.x, y, "│", edge);
        buffer.set_string(outer.x + outer.w - 1, y, "│", edge);
    }
    let head = Area { x: outer.x + 2, y: outer.y, w: outer.w.saturating_sub(4), h: 1 };
    line(buffer, theme, head, 0, &Line::of(Role::Head, format!(" {title} ")));
    Some(Area { x: outer.x + 1, y: outer.y + 1, w: outer.w - 2, h: outer.h - 2 })
}
