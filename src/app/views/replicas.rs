//! Replicas: one row per wanted slot, and one per container that fills none.

use std::{borrow::Cow, fmt::Write as _};

use super::common::{
    cpu, load_key, memory, name_role, nothing, past_cell, past_column, past_key, replica_name, stale, traffic,
    traffic_columns, traffic_key,
};
use crate::{
    app::{
        flow::Flow,
        ids::Id,
        line::{Line, Mark, Role},
        rows::ReplicaRow,
        screen::Within,
        state::State,
        status::ago,
        table::{Cell, Col, Column, SortKey},
    },
    model::{Container, ContainerState},
    text::bytes,
};

pub(super) fn rows(state: &State) -> Vec<usize> {
    let within = &state.screen().within;
    let fits = |row: &ReplicaRow| match within {
        Within::Stack(id) => row.service.stack == *id,
        Within::Service(id) => row.service == *id,
        Within::Part(id, region) => row.service == *id && row.region == *region,
        Within::Host(host) => row.host == *host,
        Within::Replica(replica) => row.id == *replica,
        Within::Region(region) => row.region == *region,
        Within::All | Within::Operation(_) => true,
    };
    (0..state.index.replicas.len()).filter(|at| state.index.replicas.get(*at).is_some_and(fits)).collect()
}

pub(super) fn columns(state: &State) -> Vec<Column> {
    let mut columns = vec![
        Column::name("REPLICA", 20, 44),
        Column::text(Col::State, "STATE", 10, 26, 1),
        Column::number(Col::Revision, "REV", 5, 6),
        Column::text(Col::Region, "REGION", 6, 16, 5),
        Column::text(Col::Host, "HOST", 6, 20, 2),
        Column::number(Col::Cpu, "CPU %", 6, 3),
        past_column(state, Col::CpuPast, "CPU 10m", 17),
        Column::number(Col::Memory, "MEMORY", 9, 4),
        Column::number(Col::Restarts, "RESTARTS", 8, 8),
        Column::number(Col::Age, "AGE", 5, 7),
    ];
    // They stand before the load here too, and go before everything that says what a replica is.
    let traffic = traffic_columns(state).into_iter().map(|column| Column { drop: column.drop + 2, ..column });
    columns.splice(5..5, traffic);
    columns.extend([
        Column::text(Col::Ports, "PORTS", 8, 30, 13),
        Column::text(Col::Image, "IMAGE", 12, 60, 14),
        Column::number(Col::Network, "RX/s TX/s", 21, 15).only_wide(),
        Column::text(Col::Container, "CONTAINER", 12, 44, 16).only_wide(),
    ]);
    columns
}

fn flow<'a>(state: &'a State, container: Option<&Container>) -> Option<&'a Flow> {
    state.flows().replica(&container?.id)
}

/// The state in words; longer than the mark, shorter than the details.
fn word(state: &State, row: &ReplicaRow) -> Cow<'static, str> {
    let word = match state.container(row) {
        Some(container) => state.judge(&row.host, container).1,
        None if row.mark == Mark::Unknown => "not seen".into(),
        None if row.mark == Mark::Changing => "to be made".into(),
        None => "missing".into(),
    };
    if row.wanted {
        return match (row.mark, &word) {
            (Mark::Changing, word) if word == "healthy" || word == "running" => "to be replaced".into(),
            _ => word,
        };
    }
    format!("{word}, not wanted").into()
}

pub(super) fn cell(state: &State, row: usize, col: Col) -> Option<Cell> {
    let row = state.index.replicas.get(row)?;
    let container = state.container(row);
    Some(match col {
        Col::Name => {
            let mut line = Line::new().mark(row.mark).with(Role::Plain, " ");
            let role = name_role(row.slot.is_some());
            match (&state.screen().within, row.slot) {
                (Within::Service(_) | Within::Stack(_), _) | (_, None) => line.push(role, replica_name(state, row)),
                (_, Some(slot)) => line.push(role, format!("{}.{slot}", row.service)),
            }
            let key = row.service.key().filter(|_| row.wanted);
            if let Some(word) = key.and_then(|key| state.draft.moves(&key, row.slot)) {
                line.push(Role::Draft, format!(" {word}"));
            }
            line
        }
        Col::State => {
            let role = if row.mark == Mark::Ok { Role::Plain } else { Role::Mark(row.mark) };
            Line::of(role, word(state, row))
        }
        Col::Revision => row.revision.map_or_else(nothing, |no| Line::of(Role::Plain, format!("r{no}"))),
        Col::Region => Line::of(Role::Plain, row.region.as_str()),
        Col::Host => Line::of(Role::Plain, row.host.as_str()),
        Col::Cpu => stale(cpu(container.and_then(|c| c.usage)), row.mark == Mark::Unknown),
        Col::Memory => stale(memory(container.and_then(|c| c.usage)), row.mark == Mark::Unknown),
        Col::Restarts => container.map_or_else(nothing, |c| {
            Line::of(if c.restarts > 0 { Role::Strong } else { Role::Dim }, c.restarts.to_string())
        }),
        Col::Age => container.and_then(since_when).map_or_else(nothing, |at| Line::of(Role::Plain, ago(at, state.now))),
        Col::Ports => container.map_or_else(nothing, ports),
        Col::Image => Line::of(Role::Dim, container.map_or("", |c| c.image.as_str())),
        Col::Network => container.and_then(|c| c.usage).map_or_else(nothing, |usage| {
            Line::of(Role::Plain, format!("{}  {}", bytes(whole(usage.net_rx)), bytes(whole(usage.net_tx))))
        }),
        Col::Container => Line::of(Role::Dim, container.map_or("", |c| c.name.as_str())),
        Col::CpuPast => return past_cell(state, &Id::Replica(row.id.clone()), col),
        _ => return traffic(flow(state, container), col),
    })
}

/// A rate as whole bytes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are small and not negative")]
fn whole(rate: f64) -> u64 {
    rate.max(0.0) as u64
}

fn since_when(container: &Container) -> Option<jiff::Timestamp> {
    match container.state {
        ContainerState::Exited { at: Some(at), .. } => Some(at),
        _ => container.started.or(container.created),
    }
}

fn ports(container: &Container) -> Line {
    let mut seen: Vec<String> = container
        .ports
        .iter()
        .filter_map(|port| port.published.map(|published| format!("{published}→{}", port.target)))
        .collect();
    seen.sort();
    seen.dedup();
    if seen.is_empty() { nothing() } else { Line::of(Role::Plain, seen.join(" ")) }
}

pub(super) fn sort_key(state: &State, row: usize, col: Col) -> Option<SortKey> {
    let row = state.index.replicas.get(row)?;
    let container = state.container(row);
    match col {
        Col::State => Some(SortKey::Number(f64::from(row.mark as u8))),
        Col::Revision => Some(SortKey::number(row.revision.map(|no| f64::from(no.0)))),
        Col::Restarts => Some(SortKey::number(container.map(|c| f64::from(c.restarts)))),
        Col::Age => Some(SortKey::number(container.and_then(since_when).map(|at| at.as_second() as f64))),
        Col::Name => Some(SortKey::Text(format!("{}.{}", row.service, row.slot.unwrap_or(0)))),
        Col::CpuPast => past_key(state, &Id::Replica(row.id.clone()), col),
        _ => traffic_key(flow(state, container), col).or_else(|| load_key(container.and_then(|c| c.usage), col)),
    }
}

pub(super) fn haystack(state: &State, row: usize, text: &mut String) -> Option<()> {
    let row = state.index.replicas.get(row)?;
    let container = state.container(row);
    write!(
        text,
        "{}.{} {} {} {} {} {}",
        row.service,
        row.slot.unwrap_or(0),
        row.region,
        row.host,
        word(state, row),
        container.map_or("", |c| c.name.as_str()),
        container.map_or("", |c| c.image.as_str()),
    )
    .ok()
}

pub(super) fn is_fault(state: &State, row: usize) -> bool {
    state.index.replicas.get(row).is_some_and(|row| !matches!(row.mark, Mark::Ok | Mark::Stopped) || !row.wanted)
}
