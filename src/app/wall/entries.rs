//! Where traffic comes in, and how that goes.

use super::title;
use crate::{
    app::{
        flow::Flow,
        line::{Line, Mark, Role},
        state::State,
        table::Col,
        views::common,
    },
    model::ServiceKey,
    plan,
    text::{fit, pad_left, pad_right},
};

/// Cells that a line likes to have at least.
pub(super) const WIDTH: usize = 58;
/// Cells of the figures.
const FIGURES: [(Col, &str, usize); 3] =
    [(Col::Requests, "REQ/S", 8), (Col::Errors, "ERR %", 7), (Col::Answer, "MEAN ms", 9)];

/// One way in.
pub(super) struct Entry<'a> {
    /// `:443 shop.example/api`.
    from: String,
    service: &'a ServiceKey,
    flow: Option<&'a Flow>,
    mark: Mark,
}

/// All ways in, by port and name.
pub(super) fn entries(state: &State) -> Vec<Entry<'_>> {
    let desired = &state.store.desired;
    let mut entries: Vec<(u16, Entry<'_>)> = Vec::new();
    for service in desired.services.keys() {
        let Some(revision) = desired.latest(service) else { continue };
        let mark = state
            .index
            .services
            .iter()
            .find(|row| row.id.key().as_ref() == Some(service))
            .map_or(Mark::Stopped, |row| row.total.mark());
        for entry in plan::entries(&revision.spec) {
            let host = entry.host.as_deref().unwrap_or_default();
            let path = entry.path.as_deref().unwrap_or_default();
            let from = format!(":{} {host}{path}", entry.port);
            entries.push((entry.port, Entry { from, service, flow: state.flows().service(service), mark }));
        }
    }
    entries.sort_by(|(a, one), (b, other)| (a, &one.from).cmp(&(b, &other.from)));
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// The table with its head; the last line says how many more there are.
pub(super) fn table(entries: &[Entry<'_>], cells: usize, rows: usize) -> Vec<Line> {
    let figures: usize = FIGURES.iter().map(|(.., cells)| cells).sum();
    let names = cells.saturating_sub(figures + 4);
    let mut head = title(&pad_right("ENTRY", names + 2));
    for (_, title, cells) in FIGURES {
        head.push(Role::Head, pad_left(title, cells));
    }
    let mut lines = vec![head];
    let room = rows.saturating_sub(1);
    let shown = if entries.len() > room { room.saturating_sub(1) } else { entries.len() };
    lines.extend(entries.iter().take(shown).map(|entry| row(entry, names)));
    if shown < entries.len() {
        lines.push(Line::of(Role::Dim, format!("   and {} more", entries.len() - shown)));
    }
    lines
}

fn row(entry: &Entry<'_>, names: usize) -> Line {
    let mut line = Line::of(Role::Plain, " ").mark(entry.mark).with(Role::Plain, " ");
    let from = fit(entry.from.trim_end(), names / 2);
    let service = fit(&entry.service.to_string(), names.saturating_sub(crate::text::width(&from) + 3));
    line.push(Role::Strong, from);
    line.push(Role::Dim, " → ");
    line.push(Role::Plain, service);
    line.pad_to(names + 3);
    for (col, _, cells) in FIGURES {
        let cell = common::traffic(entry.flow, col).unwrap_or_default();
        line.push(Role::Plain, " ".repeat(cells.saturating_sub(cell.width())));
        line.extend(cell);
    }
    line
}
