//! Overview and stacks: one row per stack.

use std::fmt::Write as _;

use super::common::{
    cpu, health, load_key, memory, name_role, nothing, past_cell, past_column, past_key, region, region_columns,
    region_key, requests_past, traffic, traffic_columns, traffic_key,
};
use crate::app::{
    flow::Flow,
    ids::Id,
    line::{Line, Mark, Role},
    rows::StackRow,
    screen::Within,
    state::State,
    status::ago,
    table::{Cell, Col, Column, SortKey},
};

pub(super) fn rows(state: &State) -> Vec<usize> {
    let within = &state.screen().within;
    let fits = |row: &StackRow| match within {
        Within::Stack(id) => row.id == *id,
        Within::Region(name) => {
            state.index.region_at(name).is_some_and(|at| row.regions.get(at).is_some_and(Option::is_some))
        }
        _ => true,
    };
    (0..state.index.stacks.len()).filter(|at| state.index.stacks.get(*at).is_some_and(fits)).collect()
}

pub(super) fn overview_columns(state: &State) -> Vec<Column> {
    let mut columns = vec![Column::name("STACK", 16, 32), Column::number(Col::Health, "HEALTH", 9, 0)];
    columns.extend(region_columns(state, 3));
    columns.extend([Column::number(Col::Cpu, "CPU %", 6, 10), Column::number(Col::Memory, "MEMORY", 9, 11)]);
    columns.extend(traffic_columns(state).into_iter().filter(|column| column.col != Col::Sessions));
    // Who changed what needs some words, where there is room for them at all.
    let words = if state.size.0 >= 110 { 28 } else { 16 };
    columns.push(Column::text(Col::Last, "LAST CHANGE", words, 60, 2));
    columns
}

pub(super) fn columns(state: &State) -> Vec<Column> {
    let mut columns = vec![
        Column::name("STACK", 14, 36),
        Column::text(Col::Kind, "RUN BY", 7, 12, 4),
        Column::number(Col::Health, "HEALTH", 9, 0),
        Column::number(Col::Services, "SERVICES", 8, 3),
        Column::number(Col::Hosts, "HOSTS", 6, 5),
        Column::number(Col::Cpu, "CPU %", 6, 1),
        past_column(state, Col::CpuPast, "CPU 10m", 11),
        Column::number(Col::Memory, "MEMORY", 9, 2),
    ];
    columns.extend(requests_past(state, traffic_columns(state), 12));
    columns.push(Column::text(Col::Last, "LAST CHANGE", 16, 60, 6));
    columns.extend(region_columns(state, 7).into_iter().map(Column::only_wide));
    columns
}

pub(super) fn cell(state: &State, row: usize, col: Col) -> Option<Cell> {
    let stack = state.index.stacks.get(row)?;
    Some(match col {
        Col::Name => {
            let ours = stack.id.own().is_some();
            let mut line = Line::new().mark(mark(state, stack)).with(Role::Plain, " ");
            line.push(name_role(ours), stack.id.name());
            if !ours && state.screen().view == crate::app::screen::View::Overview {
                line.push(Role::Dim, format!("  {}", stack.id.tool()));
            }
            line
        }
        Col::Kind => Line::of(if stack.id.own().is_some() { Role::Plain } else { Role::Dim }, stack.id.tool()),
        Col::Health => health(&stack.total),
        Col::Services => Line::of(Role::Plain, stack.services.to_string()),
        Col::Hosts => Line::of(Role::Plain, stack.hosts.to_string()),
        Col::Cpu => cpu(stack.total.usage),
        Col::Memory => memory(stack.total.usage),
        Col::RegionCell(at) => {
            let tally = stack.regions.get(at).and_then(Option::as_ref);
            let target = stack
                .id
                .own()
                .zip(state.index.regions.get(at))
                .and_then(|(stack, region)| state.draft.stack_target(&state.store.desired, stack, region));
            region(tally, target)
        }
        Col::Last => last(state, stack),
        Col::CpuPast | Col::RequestsPast => return past_cell(state, &Id::Stack(stack.id.clone()), col),
        _ => return traffic(flow(state, stack), col),
    })
}

fn flow<'a>(state: &'a State, stack: &StackRow) -> Option<&'a Flow> {
    state.flows().stack(stack.id.own()?)
}

fn mark(state: &State, stack: &StackRow) -> Mark {
    match stack.total.mark() {
        // What is being worked on is not lost.
        Mark::Ok if stack.last.and_then(|at| state.operations().get(at)).is_some_and(|op| !op.state.is_final()) => {
            Mark::Changing
        }
        mark => mark,
    }
}

fn last(state: &State, stack: &StackRow) -> Line {
    let Some(op) = stack.last.and_then(|at| state.operations().get(at)) else { return nothing() };
    let mut line = Line::of(Role::Dim, format!("{:>4}  ", ago(op.at, state.now)));
    let mark = crate::app::pages::operation_mark(op);
    if mark != Mark::Ok {
        line.push(Role::Mark(mark), format!("{} ", mark.glyph()));
    }
    let what = op.intent.summary().replace(&format!("{}/", stack.id.name()), "");
    line.push(Role::Plain, what);
    line.push(Role::Dim, format!("  {}", state.person(&op.by)));
    line
}

pub(super) fn sort_key(state: &State, row: usize, col: Col) -> Option<SortKey> {
    let stack = state.index.stacks.get(row)?;
    match col {
        Col::Name => Some(SortKey::Text(stack.id.name().to_owned())),
        Col::Health => Some(region_key(Some(&stack.total))),
        Col::RegionCell(at) => Some(region_key(stack.regions.get(at).and_then(Option::as_ref))),
        Col::Services => Some(SortKey::Number(stack.services as f64)),
        Col::Hosts => Some(SortKey::Number(stack.hosts as f64)),
        Col::Last => Some(SortKey::number(
            stack.last.and_then(|at| state.operations().get(at)).map(|op| op.at.as_second() as f64),
        )),
        Col::CpuPast | Col::RequestsPast => past_key(state, &Id::Stack(stack.id.clone()), col),
        _ => traffic_key(flow(state, stack), col).or_else(|| load_key(stack.total.usage, col)),
    }
}

pub(super) fn haystack(state: &State, row: usize, text: &mut String) -> Option<()> {
    let stack = state.index.stacks.get(row)?;
    write!(text, "{} {} {}", stack.id.name(), stack.id.tool(), stack.total.mark().word()).ok()
}

pub(super) fn is_fault(state: &State, row: usize) -> bool {
    state.index.stacks.get(row).is_some_and(|stack| !matches!(stack.total.mark(), Mark::Ok | Mark::Stopped))
}
