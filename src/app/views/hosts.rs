//! Hosts: one row per host, with its link, what it runs and its engine.

use std::fmt::Write as _;

use super::common::{health, memory, nothing, past_cell, past_column, past_key, stale};
use crate::{
    app::{
        command::Command,
        drains::{Drain, drain},
        ids::Id,
        line::{Line, Mark, Role},
        screen::Within,
        state::State,
        status::{ago, of_link},
        table::{Cell, Col, Column, SortKey},
    },
    model::{HostIntent, HostView, Link},
    text::{bytes, percent},
};

pub(super) fn rows(state: &State) -> Vec<usize> {
    let within = &state.screen().within;
    (0..state.index.hosts.len())
        .filter(|at| {
            state.index.hosts.get(*at).is_some_and(|row| match within {
                Within::Region(region) => row.region == *region,
                Within::Host(host) => row.name == *host,
                _ => true,
            })
        })
        .collect()
}

pub(super) fn columns(state: &State) -> Vec<Column> {
    vec![
        Column::name("HOST", 10, 32),
        Column::text(Col::Region, "REGION", 6, 16, 4),
        Column::text(Col::State, "STATE", 10, 30, 1).rigid(),
        Column::number(Col::Replicas, "REPLICAS", 8, 2),
        Column::number(Col::Others, "OTHERS", 6, 7),
        Column::number(Col::Cpu, "CPU %", 6, 3),
        past_column(state, Col::CpuPast, "CPU 10m", 12),
        Column::number(Col::Memory, "MEMORY", 9, 5),
        Column::number(Col::Total, "OF", 8, 9),
        Column::text(Col::Engine, "ENGINE", 8, 12, 8),
        Column::text(Col::Note, "NOTE", 10, 70, 6),
        Column::text(Col::System, "SYSTEM", 10, 30, 10).only_wide(),
        Column::text(Col::Labels, "LABELS", 10, 40, 9).only_wide(),
        Column::text(Col::Connect, "REACHED BY", 10, 50, 11).only_wide(),
    ]
}

fn view(state: &State, row: usize) -> Option<&HostView> {
    state.observed().hosts.get(&state.index.hosts.get(row)?.name)
}

/// The part of the host's cores that its containers use, in percent.
fn load(host: &HostView) -> Option<f64> {
    let cpus = host.facts.as_ref().map_or(1, |facts| facts.cpus.max(1));
    host.usage.map(|usage| usage.cpu_percent / f64::from(cpus))
}

pub(super) fn cell(state: &State, row: usize, col: Col) -> Option<Cell> {
    let counts = state.index.hosts.get(row)?;
    let host = view(state, row)?;
    Some(match col {
        Col::Name => {
            Line::new().mark(of_link(&host.link)).with(Role::Plain, " ").with(Role::Strong, counts.name.as_str())
        }
        Col::Region => Line::of(Role::Plain, counts.region.as_str()),
        Col::State => link_words(state, host),
        Col::Replicas => health(&counts.replicas),
        Col::Others if counts.others == 0 => nothing(),
        Col::Others => Line::of(Role::Dim, counts.others.to_string()),
        Col::Cpu => {
            stale(load(host).map_or_else(nothing, |value| Line::of(Role::Plain, percent(value))), !host.is_seen())
        }
        Col::Memory => stale(memory(host.usage), !host.is_seen()),
        Col::Total => host.facts.as_ref().map_or_else(nothing, |facts| Line::of(Role::Dim, bytes(facts.memory))),
        Col::Engine => host.facts.as_ref().map_or_else(nothing, |facts| Line::of(Role::Dim, facts.engine.as_str())),
        Col::System => host
            .facts
            .as_ref()
            .map_or_else(nothing, |facts| Line::of(Role::Dim, format!("{} {}", facts.os_name, facts.arch))),
        Col::Labels => {
            let labels: Vec<String> = host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            if labels.is_empty() { nothing() } else { Line::of(Role::Plain, labels.join(" ")) }
        }
        Col::Connect => Line::of(Role::Dim, host.connect.as_str()),
        Col::Note => note(state, host),
        _ => return past_cell(state, &Id::Host(counts.name.clone()), col),
    })
}

fn link_words(state: &State, host: &HostView) -> Line {
    let mark = of_link(&host.link);
    let mut line = match &host.link {
        Link::Ready { .. } if host.listed_at.is_none() => Line::of(Role::Dim, "listing"),
        Link::Ready { .. } => Line::of(Role::Plain, "ready"),
        Link::Unknown { since, .. } => Line::of(Role::Mark(mark), format!("unknown {}", ago(*since, state.now))),
        link => Line::of(Role::Mark(mark), link.word()),
    };
    if state.store.desired.hosts.get(&host.name) == Some(&HostIntent::Cordoned) {
        line.push(Role::Mark(Mark::Stopped), " cordoned");
    }
    if let Some(drain) = drain(state, &host.name) {
        // That it can be reached, its glyph says.
        line = match host.link {
            Link::Unknown { .. } => line.with(Role::Mark(Mark::Unknown), " draining"),
            _ => drain.line(),
        };
    }
    if let Some(intent) = state.draft.host(&host.name) {
        let word = match intent {
            Some(HostIntent::Cordoned) => " → cordon",
            Some(HostIntent::Draining) => " → drain",
            None => " → open",
        };
        line.push(Role::Draft, word);
    }
    line
}

fn note(state: &State, host: &HostView) -> Line {
    let reason = host.link.reason();
    if !reason.is_empty() {
        return Line::of(Role::Mark(of_link(&host.link)), reason);
    }
    match &host.facts {
        Some(facts) if facts.clock_skew_ms.abs() >= 2_000 => {
            Line::of(Role::Mark(Mark::Changing), format!("clock differs by {} s", facts.clock_skew_ms / 1000))
        }
        _ if state.index.total.wanted == 0 && host.listed_at.is_some() && host.containers.is_empty() => {
            Line::of(Role::Dim, "no containers")
        }
        _ => match drain(state, &host.name) {
            Some(drain) => drain_note(state, host, drain),
            None => lean_note(state, host),
        },
    }
}

/// What keeps a draining host, or that nothing does.
fn drain_note(state: &State, host: &HostView, drain: Drain) -> Line {
    if drain.stays == 0 {
        return if drain.is_empty() { Line::of(Role::Dim, "nothing of this fleet runs there") } else { Line::new() };
    }
    let on = |place: &crate::model::Place| place.host == host.name;
    let names: Vec<String> = state
        .store
        .desired
        .replicas()
        .filter(|(_, place)| on(place))
        .map(|(key, _)| format!("{}.{}", key.service, key.slot))
        .collect();
    Line::of(Role::Mark(Mark::Failed), format!("not safe to switch off: {} stays", names.join(", ")))
}

/// That a rebalance would fill it, where it is the emptiest of its region.
fn lean_note(state: &State, host: &HostView) -> Line {
    let Some(lean) = state.uneven.of(&host.region).filter(|lean| lean.host == host.name) else { return Line::new() };
    let mut line = Line::of(Role::Dim, format!("emptiest of {}: a rebalance would move {}", host.region, lean.count()));
    if let Some(key) = state.keymap.key_of(Command::Rebalance).filter(|_| state.mode.can_act()) {
        line.push(Role::Key, format!("  {key}"));
        line.push(Role::Dim, " shows it");
    }
    line
}

pub(super) fn sort_key(state: &State, row: usize, col: Col) -> Option<SortKey> {
    let counts = state.index.hosts.get(row)?;
    let host = view(state, row)?;
    match col {
        Col::Name => Some(SortKey::Text(counts.name.to_string())),
        Col::State => Some(SortKey::Number(f64::from(of_link(&host.link) as u8))),
        Col::Replicas => Some(SortKey::Number(f64::from(counts.replicas.wanted))),
        Col::Others => Some(SortKey::Number(f64::from(counts.others))),
        Col::Cpu => Some(SortKey::number(load(host))),
        Col::Memory => Some(SortKey::number(host.usage.map(|usage| usage.memory as f64))),
        _ => past_key(state, &Id::Host(counts.name.clone()), col),
    }
}

pub(super) fn haystack(state: &State, row: usize, text: &mut String) -> Option<()> {
    let counts = state.index.hosts.get(row)?;
    let host = view(state, row)?;
    let labels: Vec<String> = host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    write!(
        text,
        "{} {} {} {} {} {}",
        counts.name,
        counts.region,
        link_words(state, host).text(),
        host.link.reason(),
        labels.join(" "),
        host.connect
    )
    .ok()
}

pub(super) fn is_fault(state: &State, row: usize) -> bool {
    view(state, row).is_some_and(|host| !matches!(host.link, Link::Ready { .. }))
        || state.index.hosts.get(row).is_some_and(|row| !matches!(row.replicas.mark(), Mark::Ok | Mark::Stopped))
}
