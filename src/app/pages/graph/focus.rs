//! The focus graph: what needs it on the left, what it needs on the right, and below it where it runs.

use std::collections::BTreeMap;

use super::{GraphPage, selected_service};
use crate::{
    app::{
        graph::{PLACES, service_at},
        ids::ServiceId,
        line::{Line, Mark, Role},
        screen::Within,
        state::State,
        views,
    },
    graph::{Edge, End, GUTTER, Spot, Wire, wires},
    model::{HostName, RegionName, ServiceKey, StackName},
    text::{fit, pad_right, width},
};

/// Cells of a layer, at most.
const WIDEST: usize = 34;

pub(super) fn page(state: &State, cells: usize, rows: usize) -> GraphPage {
    let layers = &state.graph.layers;
    if layers.layers.is_empty() {
        return GraphPage {
            lines: vec![Line::of(Role::Dim, "   Nothing is known of what this needs.")],
            selected: None,
        };
    }
    let home = match &state.screen().within {
        Within::Service(id) => id.stack.own(),
        Within::Stack(id) => id.own(),
        _ => None,
    };
    let tallest = layers.layers.iter().map(Vec::len).max().unwrap_or(0);
    let places = places(state, rows.saturating_sub(tallest + 2).min(PLACES));
    let body = tallest.min(rows);
    let gutters = GUTTER * (layers.layers.len() - 1);
    let w = (cells.saturating_sub(2 + gutters) / layers.layers.len()).clamp(8, WIDEST);
    let offset = |layer: usize| (tallest - layers.layers.get(layer).map_or(0, Vec::len)) / 2;
    let here = selected_service(state).and_then(|key| layers.place(&End::Service(key)));
    let mut page = GraphPage { lines: vec![Line::of(Role::Plain, " "); body + 1], selected: None };
    for (at, spots) in layers.layers.iter().enumerate() {
        for (row, line) in page.lines.iter_mut().skip(1).enumerate() {
            let spot = row.checked_sub(offset(at)).and_then(|row| spots.get(row));
            let mut cell = spot.map(|spot| spot_line(state, spot, home, w)).unwrap_or_default();
            cell.pad_to(w);
            line.extend(cell);
        }
        if at + 1 < layers.layers.len() {
            let edges: Vec<Wire> = layers
                .edges
                .iter()
                .filter(|edge| edge.layer == at)
                .map(|edge| Wire {
                    from: edge.from + offset(at),
                    to: edge.to + offset(at + 1),
                    hot: here == Some((at, edge.from)) || here == Some((at + 1, edge.to)),
                    busy: is_busy(state, edge),
                    faint: edge.is_faint,
                })
                .collect();
            for (line, row) in page.lines.iter_mut().skip(1).zip(wires(&edges, body)) {
                for cell in row {
                    let role = match (cell.hot, cell.busy) {
                        (true, _) => Role::Accent,
                        (false, true) => Role::Plain,
                        (false, false) => Role::Dim,
                    };
                    line.push(role, cell.glyph().to_string());
                }
            }
        }
    }
    if let Some((layer, row)) = here {
        let cell = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        page.selected = Some((cell(1 + layer * (w + GUTTER)), cell(1 + offset(layer) + row), cell(w)));
    }
    page.lines.push(Line::new());
    page.lines.extend(places);
    page
}

/// True when requests were seen to go along an edge.
fn is_busy(state: &State, edge: &Edge) -> bool {
    let graph = &state.graph;
    let ends = |layer: usize, row: usize| graph.layers.layers.get(layer)?.get(row).map(Spot::ends);
    let (Some(from), Some(to)) = (ends(edge.layer, edge.from), ends(edge.layer + 1, edge.to)) else { return false };
    from.iter().any(|from| to.iter().any(|to| graph.links.is_busy(from, to)))
}

/// One row of a layer: glyph, name, replicas, requests; what it leads back to.
fn spot_line(state: &State, spot: &Spot, home: Option<&StackName>, cells: usize) -> Line {
    match spot {
        Spot::One { end, back } => {
            let mut tail: String = back.iter().flat_map(|end| [" ↺ ".to_owned(), end.name(home)]).collect();
            let (head, name_role, number) = match end {
                End::Entry(_) => (Line::of(Role::Accent, "▸ "), Role::Plain, entry_number(state, end)),
                End::Network(_) => (Line::of(Role::Dim, "┄ "), Role::Dim, Line::new()),
                End::Missing(_) => {
                    tail.insert_str(0, " ?");
                    (Line::of(Role::Mark(Mark::Unknown), "┄ "), Role::Mark(Mark::Unknown), Line::new())
                }
                End::Service(key) => {
                    let at = service_at(&state.index, &ServiceId::own(key));
                    let row = at.and_then(|at| state.index.services.get(at));
                    let mark = row.map_or(Mark::Unknown, |row| row.total.mark());
                    (Line::new().mark(mark).with(Role::Plain, " "), Role::Strong, service_number(state, key, at))
                }
            };
            let room = cells.saturating_sub(head.width() + number.width() + 2);
            let name = fit(&format!("{}{tail}", end.name(home)), room);
            let mut line = head.with(name_role, name.trim_end());
            line.push(Role::Plain, " ".repeat(cells.saturating_sub(line.width() + number.width() + 1)));
            line.extend(number);
            line
        }
        Spot::Fold(ends) => {
            let mut counts: BTreeMap<Mark, usize> = BTreeMap::new();
            for key in ends.iter().filter_map(End::service) {
                let mark = state.index.service(&ServiceId::own(key)).map_or(Mark::Unknown, |row| row.total.mark());
                *counts.entry(mark).or_default() += 1;
            }
            let mut line = Line::of(Role::Plain, format!("+{} more ", ends.len()));
            for (mark, n) in counts {
                line = line.mark(mark).with(Role::Dim, format!("{n} "));
            }
            line
        }
    }
}

/// What comes in, where that is counted apart and leads to one service: `804/s`.
fn entry_number(state: &State, end: &End) -> Line {
    let mut behind = state.graph.web.needs(end).filter_map(End::service);
    let rate = behind.next().filter(|_| behind.next().is_none()).and_then(|key| {
        // Of several entries of a service nobody knows how much each takes.
        let web = &state.graph.web;
        let entries = web.needed_by(&End::Service(key.clone())).filter(|end| matches!(end, End::Entry(_))).count();
        state.graph.links.entry(key).filter(|_| entries == 1)
    });
    rate.map_or_else(Line::new, |rate| Line::of(Role::Dim, format!("{rate:.0}/s")))
}

/// `4/4 →7 120/s`
fn service_number(state: &State, key: &ServiceKey, at: Option<usize>) -> Line {
    let Some(row) = at.and_then(|at| state.index.services.get(at)) else { return Line::new() };
    let mut line = Line::of(Role::Plain, format!("{}/{}", row.total.healthy, row.total.wanted));
    if let Some(to) = at.and_then(|at| views::graph_target(state, at)) {
        line.push(Role::Draft, format!(" →{to}"));
    }
    if let Some(rate) = state.flows().service(key).and_then(|flow| flow.requests).filter(|rate| *rate >= 0.05) {
        line.push(Role::Dim, format!(" {rate:.0}/s"));
    }
    line
}

/// Where the selected service runs: a line for each region, with what the draft would add.
fn places(state: &State, most: usize) -> Vec<Line> {
    let focus = match &state.screen().within {
        Within::Service(id) => id.key(),
        _ => None,
    };
    let Some(key) = selected_service(state).or(focus) else { return Vec::new() };
    let id = ServiceId::own(&key);
    let mut regions: BTreeMap<usize, BTreeMap<&HostName, Vec<Mark>>> = BTreeMap::new();
    let from = state.index.replicas.partition_point(|row| row.service < id);
    for row in state.index.replicas.iter().skip(from).take_while(|row| row.service == id) {
        let region = regions.entry(row.region_at.unwrap_or(usize::MAX)).or_default();
        region.entry(&row.host).or_default().push(row.mark);
    }
    let wide = state.index.regions.iter().map(|name| width(name.as_str())).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (at, name) in state.index.regions.iter().enumerate() {
        let hosts = regions.get(&at);
        let drafted = drafted(state, &key, name);
        if hosts.is_none() && drafted.is_empty() {
            continue;
        }
        let title = fit(&key.to_string(), WIDEST);
        let branch = if lines.is_empty() { format!(" {title}  ") } else { " ".repeat(width(&title) + 3) };
        let mut line = Line::of(Role::Strong, branch).with(Role::Dim, "├ ");
        line.push(Role::Plain, format!("{}  ", pad_right(name.as_str(), wide)));
        for (host, marks) in hosts.into_iter().flatten() {
            line.push(Role::Plain, format!("{host} "));
            for mark in marks {
                line = line.mark(*mark);
            }
            line.push(Role::Plain, "  ");
        }
        if !drafted.is_empty() {
            line.push(Role::Draft, format!("{} (draft)", drafted.join(" ")));
        }
        lines.push(line);
    }
    if let Some(line) = lines.last_mut() {
        for span in line.spans.iter_mut().filter(|span| span.text == "├ ") {
            "└ ".clone_into(&mut span.text);
        }
    }
    lines.truncate(most);
    lines
}

/// What the draft adds and takes away, by host: `+ e-3`, `- e-1`.
fn drafted(state: &State, key: &ServiceKey, region: &RegionName) -> Vec<String> {
    let Some(planned) = &state.planned else { return Vec::new() };
    let mut change: BTreeMap<HostName, i32> = BTreeMap::new();
    for plan in planned.plans() {
        let Some(after) = plan.proposal.assignments.get(&(key.clone(), region.clone())) else { continue };
        for place in after.iter().flat_map(|it| it.slots.values()) {
            *change.entry(place.host.clone()).or_default() += 1;
        }
        for place in state.store.desired.assignment(key, region).into_iter().flat_map(|it| it.slots.values()) {
            *change.entry(place.host.clone()).or_default() -= 1;
        }
    }
    let word = |(host, by): (HostName, i32)| match by {
        0 => None,
        1 => Some(format!("+ {host}")),
        -1 => Some(format!("- {host}")),
        _ => Some(format!("{} {host} ×{}", if by > 0 { '+' } else { '-' }, by.abs())),
    };
    change.into_iter().filter_map(word).collect()
}
