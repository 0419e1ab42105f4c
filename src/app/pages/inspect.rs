//! A container or an engine from the inside, as lines.

use super::{bars::both, choose::Page};
use crate::{
    app::{
        inspect::{InspectPage, Node},
        layout::page_area,
        line::{Line, Mark, Role},
        logs::{Pattern, starts},
        state::State,
        status::of_link,
    },
    model::Subject,
    text::{pad_right, width},
};

/// Lines of a screen, and lines below the tree on one that has as many: an empty one, where the cursor is, and its value
/// where that was cut.
const FEET: [(usize, usize); 3] = [(28, 5), (18, 4), (14, 3)];

/// Lines below the tree.
fn foot_of(h: usize) -> usize {
    FEET.into_iter().find(|(least, _)| h >= *least).map_or(0, |(_, foot)| foot)
}

/// Rows of the tree that fit.
pub fn inspect_rows(state: &State) -> usize {
    let h = usize::from(page_area(state).h);
    let foot = foot_of(h);
    // Title, and an empty line where there is room for a foot.
    h.saturating_sub(foot + if foot > 0 { 2 } else { 1 }).max(1)
}

/// The page.
pub fn inspect(state: &State, page: &InspectPage) -> Page {
    let area = page_area(state);
    let (w, h) = (usize::from(area.w), usize::from(area.h));
    let rows = inspect_rows(state);
    let mut lines = vec![title(state, page, w)];
    let room = foot_of(h);
    if room > 0 {
        lines.push(Line::new());
    }
    let first = lines.len();
    let mut selected = None;
    let pattern = Pattern::new(page.sought());
    let mut is_cut = None;
    for (at, (row, node, open)) in page.shown(rows).enumerate() {
        let (line, name_cut) = row_line(node, open, &pattern, w);
        if row == page.row() {
            selected = Some(first + at);
            is_cut = Some((name_cut || line.width() > w, node));
        }
        lines.push(line);
    }
    if room > 0 {
        lines.resize(first + rows, Line::new());
        foot(&mut lines, page, is_cut, w, room);
    }
    Page { lines, selected }
}

/// What it is, where, how it is, and how old that is.
fn title(state: &State, page: &InspectPage, cells: usize) -> Line {
    let host = page.subject.host();
    let mut left = Line::of(Role::Accent, " INSPECT ").with(Role::Strong, format!(" {}", page.name));
    let view = state.observed().hosts.get(host);
    match &page.subject {
        Subject::Container { id, .. } => {
            left.push(Role::Dim, format!(" on {host}   "));
            match view.and_then(|view| view.containers.get(id)) {
                Some(container) => {
                    let (mark, word) = state.judge(host, container);
                    left = left.mark(mark).with(Role::Mark(mark), format!(" {word}"));
                }
                None => left = left.mark(Mark::Unknown).with(Role::Mark(Mark::Unknown), " gone"),
            }
        }
        Subject::Host(_) => {
            let mark = view.map_or(Mark::Unknown, |view| of_link(&view.link));
            let word = view.map_or("unknown", |view| view.link.word());
            left.push(Role::Plain, "   ");
            left = left.mark(mark).with(Role::Mark(mark), format!(" {word}"));
        }
    }
    if !page.note.is_empty() {
        left.push(Role::Dim, format!("   {}", page.note));
    }
    let mut right = Line::new();
    if !page.sought().is_empty() {
        let (count, here) = page.hits();
        let words = here.map_or_else(|| count.to_string(), |at| format!("{at} of {count}"));
        right.push(Role::Match, format!("/{}", page.sought()));
        right.push(Role::Dim, format!("  {words}   "));
    }
    match page.told_at() {
        Some(at) => right.push(Role::Dim, format!("as of {} ", state.clock(at))),
        None => right.push(Role::Dim, "asking … "),
    }
    both(left, right, cells)
}

/// A node in its row, and whether its name was cut.
fn row_line(node: &Node, open: Option<bool>, pattern: &Pattern, cells: usize) -> (Line, bool) {
    let sign = match open {
        Some(true) => "▾ ",
        Some(false) => "▸ ",
        None => "  ",
    };
    let mut line = Line::of(Role::Dim, format!(" {}{sign}", "  ".repeat(node.depth)));
    let mut is_cut = false;
    if !node.name.is_empty() {
        let room = node.cells.min((cells * 2 / 5).max(12));
        is_cut = width(&node.name) > room;
        let role = if node.depth == 0 { Role::Strong } else { Role::Label };
        found(&mut line, role, &pad_right(&node.name, room), pattern);
        line.push(Role::Plain, "  ");
    }
    for span in &node.value.spans {
        found(&mut line, span.role, &span.text, pattern);
    }
    (line, is_cut)
}

/// A text with what is looked for marked in it.
fn found(line: &mut Line, role: Role, text: &str, pattern: &Pattern) {
    let mut from = 0;
    for (start, end) in pattern.places(text) {
        let start = start.max(from);
        if start < end {
            line.push(role, text.get(from..start).unwrap_or_default());
            line.push(Role::Match, text.get(start..end).unwrap_or_default());
            from = end;
        }
    }
    line.push(role, text.get(from..).unwrap_or_default());
}

/// Where the cursor is, and the whole of what its row does not show.
fn foot(lines: &mut Vec<Line>, page: &InspectPage, row: Option<(bool, &Node)>, cells: usize, rows: usize) {
    let end = lines.len() + rows;
    if let Some((is_cut, node)) = row {
        lines.push(Line::new());
        lines.push(Line::of(Role::Dim, format!(" {} › {}", page.name, page.way())).cut(cells));
        if is_cut {
            let text = node.value.text();
            let text = text.trim();
            let starts = starts(text, cells.saturating_sub(2));
            let room = rows.saturating_sub(2);
            for (at, from) in starts.iter().take(room).enumerate() {
                let to = starts.get(at + 1).filter(|_| at + 1 < room).copied().unwrap_or(text.len());
                let piece = text.get(*from..to).unwrap_or_default();
                lines.push(Line::of(Role::Plain, format!(" {piece}")).cut(cells));
            }
        }
    }
    lines.resize(end, Line::new());
}

/// The whole tree as text.
pub fn inspect_text(state: &State, page: &InspectPage) -> String {
    format!("{}  {}\n\n{}", title(state, page, 160).text().trim(), state.now, page.tree().whole())
}
