//! Images, volumes and networks: one row per thing, below a row for its host.

use std::fmt::Write as _;

use super::common::nothing;
use crate::{
    app::{
        line::{Line, Mark, Role},
        screen::Within,
        state::State,
        status::{ago, of_link},
        storage::{Asked, StoredRow},
        table::{Cell, Col, Column, SortKey, natural},
    },
    model::{Kept, Storage, Stored},
    plan::Need,
    text::bytes,
};

pub(super) fn rows(state: &State) -> Vec<usize> {
    let fits = |row: &StoredRow| match &state.screen().within {
        Within::Region(region) => row.region == *region,
        Within::Host(host) => row.host == *host,
        _ => true,
    };
    let all = state.stores.rows.iter().enumerate();
    all.filter(|(_, row)| fits(row)).map(|(at, _)| at).collect()
}

pub(super) fn columns(state: &State) -> Vec<Column> {
    let one_host = matches!(state.screen().within, Within::Host(_));
    let mut columns = vec![Column::name("NAME", 22, 48), Column::text(Col::Kind, "KIND", 7, 7, 2).rigid()];
    if !one_host {
        columns.push(Column::text(Col::Host, "HOST", 6, 20, 1));
    }
    columns.extend([
        Column::number(Col::Size, "SIZE", 9, 1),
        Column::text(Col::Users, "USED BY", 10, 70, 0),
        Column::number(Col::Age, "AGE", 5, 4),
        Column::text(Col::Region, "REGION", 6, 16, 5).only_wide(),
        Column::text(Col::Container, "ID", 12, 20, 6).only_wide(),
        Column::text(Col::Source, "DRIVER", 6, 16, 7).only_wide(),
        Column::text(Col::Note, "OTHER NAMES", 10, 70, 8).only_wide(),
    ]);
    columns
}

pub(super) fn cell(state: &State, row: usize, col: Col) -> Option<Cell> {
    let row = state.stores.rows.get(row)?;
    Some(match (&row.thing, col) {
        (_, Col::Host) => Line::of(Role::Plain, row.host.as_str()),
        (_, Col::Region) => Line::of(Role::Plain, row.region.as_str()),
        (Some(thing), _) => return thing_cell(state, row, thing, col),
        (None, Col::Name) => {
            let link = state.observed().hosts.get(&row.host).map_or(Mark::Unknown, |host| of_link(&host.link));
            Line::new().mark(link).with(Role::Plain, " ").with(Role::Strong, row.host.as_str())
        }
        (None, Col::Kind) => Line::of(Role::Dim, "host"),
        (None, Col::Size) => told(state, row).and_then(Storage::bytes).map_or_else(nothing, |sum| size(Some(sum))),
        (None, Col::Users) => state.stores.of(&row.host).map_or_else(nothing, |asked| note(state, asked)),
        (None, _) => Line::new(),
    })
}

fn told<'a>(state: &'a State, row: &StoredRow) -> Option<&'a Storage> {
    state.stores.of(&row.host)?.told.as_ref()
}

fn thing_cell(state: &State, row: &StoredRow, thing: &Stored, col: Col) -> Option<Cell> {
    Some(match col {
        Col::Name => {
            let line = Line::of(Role::Plain, "  ");
            let line = match &row.need {
                Some(Need::Sum) => line.with(Role::Plain, " "),
                Some(_) => line.mark(Mark::Ok),
                None => line.mark(Mark::Stopped),
            };
            line.with(Role::Plain, format!(" {}", thing.title()))
        }
        Col::Kind => Line::of(Role::Dim, thing.kind.word()),
        Col::Size => size(thing.size),
        Col::Users => need(state, row),
        Col::Age => thing.created.map_or_else(nothing, |at| Line::of(Role::Dim, ago(at, state.now))),
        Col::Container => Line::of(Role::Dim, thing.id.as_str().trim_start_matches("sha256:").to_owned()),
        Col::Source if thing.driver.is_empty() => nothing(),
        Col::Source => Line::of(Role::Dim, thing.driver.as_str()),
        Col::Note => {
            let names: Vec<String> = thing.more.iter().map(|name| crate::text::short_image(name.as_str())).collect();
            Line::of(Role::Dim, names.join("  "))
        }
        _ => return None,
    })
}

fn size(size: Option<u64>) -> Line {
    size.map_or_else(nothing, |size| Line::of(Role::Plain, bytes(size)))
}

/// What a host said, or why it says nothing.
fn note(state: &State, asked: &Asked) -> Line {
    match (&asked.told, &asked.error) {
        (_, Some(why)) => Line::of(Role::Mark(Mark::Unknown), why.as_str()),
        (None, None) => Line::of(Role::Dim, "asking …"),
        (Some(storage), None) if storage.layers.is_none() => Line::of(Role::Dim, "counting what it takes …"),
        (Some(storage), None) => Line::of(Role::Dim, sums(storage)).with(
            Role::Dim,
            match ago(storage.at, state.now).as_str() {
                "now" => String::new(),
                age => format!("  {age} ago"),
            },
        ),
    }
}

/// What takes how much, in one line.
fn sums(storage: &Storage) -> String {
    let parts = [
        ("images", storage.layers.unwrap_or(0)),
        ("volumes", storage.sum(Kept::Volume)),
        ("written", storage.sum(Kept::Files)),
        ("builds", storage.sum(Kept::Cache)),
    ];
    let parts = parts.iter().filter(|(_, size)| *size > 0).map(|(what, size)| format!("{what} {}", bytes(*size)));
    parts.collect::<Vec<_>>().join("  ")
}

/// What a thing is there for, in words.
pub fn need(state: &State, row: &StoredRow) -> Line {
    match &row.need {
        None => Line::of(Role::Dim, "nothing"),
        Some(need @ Need::Used(users)) => {
            let words = need.words(|id| state.observed().container_name(&row.host, id));
            let line = if users.len() > 1 { Line::of(Role::Dim, format!("{}  ", users.len())) } else { Line::new() };
            line.with(Role::Plain, words)
        }
        Some(need) => Line::of(Role::Dim, need.words(|_| String::new())),
    }
}

/// The names of the containers that use it.
pub fn users(state: &State, row: &StoredRow) -> Vec<String> {
    let Some(Need::Used(ids)) = &row.need else { return Vec::new() };
    let mut names: Vec<String> = ids.iter().map(|id| state.observed().container_name(&row.host, id)).collect();
    names.sort_by(|a, b| natural(a, b));
    names
}

pub(super) fn sort_key(state: &State, row: usize, col: Col) -> Option<SortKey> {
    let row = state.stores.rows.get(row)?;
    match (col, &row.thing) {
        (Col::Size, Some(thing)) => Some(SortKey::number(thing.size.map(|size| size as f64))),
        (Col::Size, None) => Some(SortKey::number(told(state, row).and_then(Storage::bytes).map(|sum| sum as f64))),
        (Col::Age, thing) => {
            let at = thing.as_ref().and_then(|thing| thing.created);
            Some(SortKey::number(at.map(|at| at.as_second() as f64)))
        }
        (Col::Users, _) => match &row.need {
            Some(Need::Used(users)) => Some(SortKey::Number(users.len() as f64)),
            _ => Some(SortKey::Nothing),
        },
        _ => None,
    }
}

pub(super) fn haystack(state: &State, row: usize, text: &mut String) -> Option<()> {
    let row = state.stores.rows.get(row)?;
    let Some(thing) = &row.thing else { return write!(text, "{} host", row.host).ok() };
    let more: Vec<&str> = thing.more.iter().map(crate::text::Text::as_str).collect();
    let (name, kind, users) = (thing.title(), thing.kind.word(), need(state, row).text());
    write!(text, "{name} {kind} {} {} {users} {} {}", row.host, row.region, thing.id, more.join(" ")).ok()
}

/// A host that does not say what it keeps.
pub(super) fn is_fault(state: &State, row: usize) -> bool {
    let row = state.stores.rows.get(row).filter(|row| row.thing.is_none());
    row.is_some_and(|row| state.stores.of(&row.host).is_some_and(|asked| asked.error.is_some()))
}
