//! Operations: what was asked for, and how far it is.

use std::fmt::Write as _;

use super::common::nothing;
use crate::{
    app::{
        line::{Line, Mark, Role, bar},
        pages::{operation_mark, operation_note, operation_traffic},
        screen::Within,
        state::State,
        status::{ago, lasting},
        table::{Cell, Col, Column, SortKey},
    },
    text::count,
};

pub(super) fn rows(state: &State) -> Vec<usize> {
    let within = &state.screen().within;
    state
        .operations()
        .iter()
        .enumerate()
        .filter(|(_, op)| match within {
            Within::Stack(id) => op.after.keys().any(|service| id.own() == Some(&service.stack)),
            Within::Service(id) | Within::Part(id, _) => {
                op.after.keys().any(|service| id.key().as_ref() == Some(service))
            }
            Within::Region(region) => op.regions().contains(region),
            Within::All | Within::Host(_) | Within::Replica(_) | Within::Operation(_) => true,
        })
        .map(|(at, _)| at)
        .collect()
}

pub(super) fn columns(state: &State) -> Vec<Column> {
    // What it waits for needs some words, where there is room for them.
    let words = if state.size.0 >= 110 { 26 } else { 10 };
    vec![
        Column::name("OPERATION", 34, 60),
        Column::text(Col::State, "STATE", 10, 12, 2).rigid(),
        Column::text(Col::Progress, "PROGRESS", 20, 20, 3).rigid(),
        Column::number(Col::Requests, "REQUESTS", 9, 8),
        Column::number(Col::Errors, "FAILED", 7, 5),
        Column::number(Col::Age, "AGE", 5, 1),
        Column::number(Col::Time, "TOOK", 8, 7),
        Column::text(Col::Who, "BY", 4, 24, 6),
        Column::text(Col::Note, "NOTE", words, 100, 4),
        Column::text(Col::Kind, "ID", 8, 8, 9),
    ]
}

pub(super) fn cell(state: &State, row: usize, col: Col) -> Option<Cell> {
    let op = state.operations().get(row)?;
    let mark = operation_mark(op);
    Some(match col {
        Col::Name => Line::new().mark(mark).with(Role::Plain, " ").with(Role::Strong, op.intent.summary()),
        Col::State => Line::of(if mark == Mark::Ok { Role::Plain } else { Role::Mark(mark) }, op.word()),
        Col::Progress => {
            let (done, total) = op.done_of_total();
            let count = format!(" {done}/{total}");
            let mut line = bar(done, total, 20usize.saturating_sub(count.len()));
            line.push(Role::Plain, count);
            if total == 0 { Line::of(Role::Dim, "–") } else { line }
        }
        Col::Requests => {
            operation_traffic(op).map_or_else(nothing, |traffic| Line::of(Role::Dim, count(traffic.requests)))
        }
        Col::Errors => operation_traffic(op).map_or_else(nothing, |traffic| {
            let role = if traffic.failed > 0 { Role::Mark(Mark::Failed) } else { Role::Plain };
            Line::of(role, count(traffic.failed))
        }),
        Col::Age => Line::of(Role::Plain, ago(op.at, state.now)),
        Col::Time => Line::of(
            Role::Dim,
            crate::app::pages::operation_end(op)
                .map_or_else(|| ago(op.at, state.now).replace("now", "–"), |end| lasting(op.at, end)),
        ),
        Col::Who => Line::of(Role::Dim, state.person(&op.by)),
        Col::Note => operation_note(state, op),
        Col::Kind => Line::of(Role::Dim, op.id.short()),
        _ => return None,
    })
}

pub(super) fn sort_key(state: &State, row: usize, col: Col) -> Option<SortKey> {
    let op = state.operations().get(row)?;
    match col {
        Col::Requests => Some(SortKey::number(operation_traffic(op).map(|traffic| traffic.requests as f64))),
        Col::Errors => Some(SortKey::number(operation_traffic(op).map(|traffic| traffic.failed as f64))),
        Col::Age => Some(SortKey::Number(op.at.as_second() as f64)),
        Col::State => Some(SortKey::Number(f64::from(operation_mark(op) as u8))),
        Col::Name => Some(SortKey::Text(op.intent.summary())),
        _ => None,
    }
}

pub(super) fn haystack(state: &State, row: usize, text: &mut String) -> Option<()> {
    let op = state.operations().get(row)?;
    let regions: Vec<String> = op.regions().iter().map(ToString::to_string).collect();
    write!(
        text,
        "{} {} {} {} {} {}",
        op.intent.summary(),
        op.word(),
        op.by,
        op.id.short(),
        regions.join(" "),
        operation_note(state, op).text()
    )
    .ok()
}

pub(super) fn is_fault(state: &State, row: usize) -> bool {
    state.operations().get(row).is_some_and(|op| operation_mark(op) == Mark::Failed)
}
