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
    text::{Text, fit, pad_right},
};

/// Cells that a line likes to have at least.
pub(super) const WIDTH: usize = 58;
/// One way in.
#[derive(Debug)]
pub struct Way<'a> {
    /// `:443 shop.example/api`.
    pub from: String,
    /// Where it leads.
    pub service: &'a ServiceKey,
    /// What comes through to the service; none where no proxy carries it.
    pub flow: Option<&'a Flow>,
    /// How the service does.
    pub mark: Mark,
}

/// All ways in, by port and name.
pub fn ways(state: &State) -> Vec<Way<'_>> {
    let desired = &state.store.desired;
    let mut entries: Vec<(u16, Way<'_>)> = Vec::new();
    for service in desired.services.keys() {
        let Some(revision) = desired.latest(service) else { continue };
        let row = state.index.service(&ServiceId::own(service));
        let mark = row.map_or(Mark::Stopped, |row| row.total.mark());
        for entry in plan::entries(&revision.spec) {
            let host = entry.host.as_deref().unwrap_or_default();
            let path = entry.path.as_deref().unwrap_or_default();
            let from = Text::new(format!(":{} {host}{path}", entry.port).trim_end()).as_str().to_owned();
            entries.push((entry.port, Way { from, service, flow: state.flows().service(service), mark }));
        }
    }
    entries.sort_by(|(a, one), (b, other)| (a, &one.from).cmp(&(b, &other.from)));
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// The table with its head; the last line says how many more there are.
pub(super) fn table(entries: &[Way<'_>], cells: usize, rows: usize) -> Vec<Line> {
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

fn row(entry: &Way<'_>, names: usize) -> Line {
    let mut line = Line::of(Role::Plain, " ").mark(entry.mark).with(Role::Plain, " ");
    let from = fit(&entry.from, names / 2);
    let service = fit(&entry.service.to_string(), names.saturating_sub(crate::text::width(&from) + 3));
    line.push(Role::Strong, from);
    line.push(Role::Dim, " → ");
    line.push(Role::Plain, service);
    line.pad_to(names + 3);
    line.extend(traffic(entry.flow));
    line
}
