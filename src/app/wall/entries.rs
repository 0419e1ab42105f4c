//! Where traffic comes in, and how that goes.

use super::{title, traffic, traffic_cells, traffic_head};
use crate::{
    app::{
        flow::Flow,
        ids::ServiceId,
        line::{Line, Mark, Role},
        state::State,
    },
    model::ServiceKey,
    plan,
    text::{fit, pad_right},
};

/// Cells that a line likes to have at least.
pub(super) const WIDTH: usize = 58;
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
        let row = state.index.service(&ServiceId::own(service));
        let mark = row.map_or(Mark::Stopped, |row| row.total.mark());
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
    let names = cells.saturating_sub(traffic_cells() + 4);
    let head = title(&pad_right("ENTRY", names + 2)).with(Role::Head, traffic_head());
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
    line.extend(traffic(entry.flow));
    line
}
