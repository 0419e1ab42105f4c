//! Services: one row per service, one column per region.

use std::fmt::Write as _;

use super::common::{
    cpu, health, load_key, memory, name_role, nothing, past_cell, past_column, past_key, region, region_columns,
    region_key, requests_past, target, traffic, traffic_columns, traffic_key,
};
use crate::{
    app::{
        flow::Flow,
        ids::Id,
        line::{Line, Mark, Role},
        rows::ServiceRow,
        screen::Within,
        state::State,
        status::ago,
        table::{Cell, Col, Column, SortKey},
    },
    model::since,
};

pub(super) fn rows(state: &State) -> Vec<usize> {
    let within = &state.screen().within;
    let fits = |row: &ServiceRow| match within {
        Within::Stack(id) => row.id.stack == *id,
        Within::Service(id) | Within::Part(id, _) => row.id == *id,
        Within::Region(name) => {
            state.index.region_at(name).is_some_and(|at| row.regions.get(at).is_some_and(Option::is_some))
        }
        _ => true,
    };
    (0..state.index.services.len()).filter(|at| state.index.services.get(*at).is_some_and(fits)).collect()
}

pub(super) fn columns(state: &State) -> Vec<Column> {
    let mut columns = vec![
        Column::name("SERVICE", 18, 40),
        Column::number(Col::Revision, "REV", 5, 3),
        Column::number(Col::Health, "HEALTH", 9, 2),
    ];
    columns.extend(region_columns(state, 1));
    columns.extend([
        Column::number(Col::Cpu, "CPU %", 6, 4),
        past_column(state, Col::CpuPast, "CPU 10m", 12),
        Column::number(Col::Memory, "MEMORY", 9, 5),
    ]);
    columns.extend(requests_past(state, traffic_columns(state), 13));
    columns.extend([Column::text(Col::Updated, "UPDATED", 10, 24, 6), Column::text(Col::Image, "IMAGE", 12, 60, 11)]);
    columns
}

pub(super) fn cell(state: &State, row: usize, col: Col) -> Option<Cell> {
    let service = state.index.services.get(row)?;
    Some(match col {
        Col::Name => {
            let mut line = Line::new().mark(service.total.mark()).with(Role::Plain, " ");
            if matches!(state.screen().within, Within::Stack(_)) {
                line.push(name_role(service.id.key().is_some()), service.id.name.as_str());
            } else {
                line.push(name_role(service.id.key().is_some()), service.id.to_string());
            }
            if service.id.key().is_some_and(|key| state.draft.restarts(&key)) {
                line.push(Role::Draft, " restart");
            }
            if let Some(word) = service.id.key().and_then(|key| state.draft.moves(&key, None)) {
                line.push(Role::Draft, format!(" {word}"));
            }
            line
        }
        Col::Revision => service.revision.map_or_else(nothing, |no| Line::of(Role::Plain, format!("r{no}"))),
        Col::Health => health(&service.total),
        Col::Cpu => cpu(service.total.usage),
        Col::Memory => memory(service.total.usage),
        Col::RegionCell(at) => {
            let tally = service.regions.get(at).and_then(Option::as_ref);
            let target = service
                .id
                .key()
                .zip(state.index.regions.get(at))
                .and_then(|(service, region)| target(state, &service, region));
            region(tally, target)
        }
        Col::Image => Line::of(Role::Dim, service.image.as_str()),
        Col::Updated => match &service.updated {
            Some((at, by)) => Line::of(Role::Plain, format!("{:>4}", ago(*at, state.now)))
                .with(Role::Dim, format!("  {}", state.person(by))),
            None => Line::of(Role::Dim, service.id.stack.tool()),
        },
        Col::CpuPast | Col::RequestsPast => return past_cell(state, &Id::Service(service.id.clone()), col),
        _ => return traffic(flow(state, service), col),
    })
}

fn flow<'a>(state: &'a State, service: &ServiceRow) -> Option<&'a Flow> {
    state.flows().service(&service.id.key()?)
}

pub(super) fn sort_key(state: &State, row: usize, col: Col) -> Option<SortKey> {
    let service = state.index.services.get(row)?;
    match col {
        Col::Name => Some(SortKey::Text(service.id.to_string())),
        Col::Revision => Some(SortKey::number(service.revision.map(|no| f64::from(no.0)))),
        Col::Health => Some(region_key(Some(&service.total))),
        Col::RegionCell(at) => Some(region_key(service.regions.get(at).and_then(Option::as_ref))),
        Col::Updated => {
            Some(SortKey::number(service.updated.as_ref().map(|(at, _)| -(since(*at, state.now).as_secs_f64()))))
        }
        Col::CpuPast | Col::RequestsPast => past_key(state, &Id::Service(service.id.clone()), col),
        _ => traffic_key(flow(state, service), col).or_else(|| load_key(service.total.usage, col)),
    }
}

pub(super) fn haystack(state: &State, row: usize, text: &mut String) -> Option<()> {
    let service = state.index.services.get(row)?;
    write!(text, "{} {} {} {}", service.id, service.image, service.id.stack.tool(), service.total.mark().word()).ok()
}

pub(super) fn is_fault(state: &State, row: usize) -> bool {
    state.index.services.get(row).is_some_and(|service| !matches!(service.total.mark(), Mark::Ok | Mark::Stopped))
}
