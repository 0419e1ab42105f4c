//! The graph: its lines are made elsewhere, here they are painted.

use ratatui::buffer::Buffer;

use super::{fill, lines, table};
use crate::{
    app::{
        Mode, State,
        graph::Form,
        layout::{Area, Layout},
        pages,
    },
    tui::theme::Theme,
};

/// Draws the form that is set, and below it what the selection means.
pub(super) fn draw(state: &State, theme: &Theme, buffer: &mut Buffer, areas: &Layout) {
    match state.screen().graph.form {
        Form::Tree | Form::Matrix => table::draw(state, theme, buffer, areas.list),
        Form::Columns | Form::Focus => {
            let area = areas.list;
            let page = pages::graph(state, area.w.into(), area.h.into());
            lines(buffer, theme, area, &page.lines, 0);
            let place = page.selected.filter(|_| state.mode != Mode::Watch);
            if let Some((x, y, w)) = place.filter(|(_, y, _)| *y < area.h) {
                let w = w.min(area.w.saturating_sub(x));
                fill(buffer, Area { x: area.x + x, y: area.y + y, w, h: 1 }, theme.selected());
            }
        }
    }
    if !areas.foot.is_empty() {
        lines(buffer, theme, areas.foot, &pages::graph_foot(state, areas.foot.w.into()), 0);
    }
}
