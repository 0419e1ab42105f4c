//! Which part of the screen is where. Small screens lose panes first, then bars, then everything but the list.

use super::{
    access,
    ids::Id,
    pages,
    screen::View,
    state::State,
    table::{Col, fit_columns},
};

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Area {
    /// Left edge.
    pub x: u16,
    /// Top edge.
    pub y: u16,
    /// Columns.
    pub w: u16,
    /// Rows.
    pub h: u16,
}

impl Area {
    /// True when nothing fits in.
    pub fn is_empty(self) -> bool {
        self.w == 0 || self.h == 0
    }

    /// Splits `rows` rows off the bottom.
    fn take_bottom(&mut self, rows: u16) -> Self {
        let rows = rows.min(self.h);
        self.h -= rows;
        Self { y: self.y + self.h, h: rows, ..*self }
    }

    /// Splits `rows` rows off the top.
    fn take_top(&mut self, rows: u16) -> Self {
        let rows = rows.min(self.h);
        let top = Self { h: rows, ..*self };
        self.y += rows;
        self.h -= rows;
        top
    }
}

/// Where everything is. Empty areas are not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    /// Who, where, when.
    pub header: Area,
    /// The line below it.
    pub rule: Area,
    /// The list, its head included; or the page of an operation.
    pub list: Area,
    /// The pane beside or below the list.
    pub pane: Area,
    /// True when the pane is beside the list, not below or above it.
    pub beside: bool,
    /// What would go with the selection, and what the graph's marks mean.
    pub foot: Area,
    /// What is wrong, in the overview.
    pub faults: Area,
    /// What is going on, in the overview.
    pub running: Area,
    /// What the draft comes to.
    pub plan_bar: Area,
    /// What the tour says.
    pub tour: Area,
    /// Keys, inputs, notices.
    pub hints: Area,
}

/// Lays the screen out.
pub fn layout(state: &State) -> Layout {
    let (w, h) = state.size;
    let mut rest = Area { x: 0, y: 0, w, h };
    let mut out = Layout::default();
    if h >= 3 {
        out.header = rest.take_top(1);
    }
    if h >= 4 {
        out.hints = rest.take_bottom(1);
    }
    if h >= 20 {
        out.rule = rest.take_top(1);
    }
    if state.tour.is_some() && h >= 8 {
        out.tour = rest.take_bottom(1);
    }
    if !state.draft.is_empty() && h >= 6 {
        out.plan_bar = rest.take_bottom(1);
    }
    if state.screen().view == View::Overview && h >= 14 {
        let wide = w >= 110;
        let left = if wide { w * 11 / 20 } else { w };
        // Without its head, which is counted below.
        let faults = pages::fault_lines(state, left.into(), rest.h.into());
        let faults = u16::try_from(faults).unwrap_or(u16::MAX).saturating_sub(1);
        let running = u16::try_from(state.running().count()).unwrap_or(u16::MAX).saturating_mul(2).max(1);
        let limit = rest.h / 3;
        if wide {
            let rows = (faults.max(running) + 2).clamp(3, limit.max(3));
            let both = rest.take_bottom(rows);
            out.faults = Area { w: left, ..both };
            out.running = Area { x: left, w: w - left, ..both };
        } else {
            // Head, one operation and what it waits for; less says nothing.
            if running > 1 && h >= 18 {
                out.running = rest.take_bottom((running + 2).min((limit * 2 / 3).max(4)));
            }
            out.faults = rest.take_bottom((faults + 2).min(limit.max(3)));
        }
    }
    if state.pane.is_some() {
        if w >= 110 {
            let pane = (w * 9 / 20).min(90);
            out.beside = true;
            out.pane = Area { x: rest.x + rest.w - pane, w: pane, ..rest };
            rest.w -= pane;
        } else if rest.h >= 24 {
            let below = rest.h * 3 / 5;
            out.pane = rest.take_bottom(below);
        } else {
            out.pane = rest;
            rest.h = 0;
        }
    }
    if state.screen().view == View::Graph && rest.h >= 10 {
        out.foot = rest.take_bottom(3);
    }
    out.list = rest;
    out
}

/// The place of a page that takes the whole screen but for its edges, such as the open plan.
pub fn page_area(state: &State) -> Area {
    let areas = layout(state);
    if areas.hints.is_empty() {
        return areas.list;
    }
    let (y, w) = (areas.header.h + areas.rule.h, state.size.0);
    let end = if areas.tour.is_empty() { areas.hints.y } else { areas.tour.y };
    Area { x: 0, y, w, h: end.saturating_sub(y) }
}

/// Rows of the list that fit, without its head.
pub fn list_rows(state: &State) -> usize {
    usize::from(layout(state).list.h.saturating_sub(head_rows(state)))
}

/// Cells left of the first column: the selection and the marks.
const GUTTER: u16 = 1;

/// The same as a number of cells.
pub fn gutter() -> usize {
    usize::from(GUTTER)
}

/// The columns of the list that are shown, in order, each with its width.
pub fn columns(state: &State) -> Vec<(usize, usize)> {
    let screen = state.screen();
    let w = layout(state).list.w;
    let room = usize::from(w.saturating_sub(if w >= 40 { GUTTER + 1 } else { GUTTER }));
    let kept = cursor(state).map(Col::RegionCell);
    fit_columns(&state.rows.columns, &state.rows.natural, room, screen.column, screen.wide, kept)
}

/// The region under the region cursor, where there is one.
pub fn cursor(state: &State) -> Option<usize> {
    match state.selected() {
        Some(Id::Service(service)) if state.screen().view == View::Services => access::region_of(state, service),
        _ => None,
    }
}

/// Rows that the head of the list takes.
pub fn head_rows(state: &State) -> u16 {
    u16::from(layout(state).list.h >= 3)
}
