//! Events of the engines and lines of the journal, newest first.

use std::fmt::Write as _;

use crate::app::{
    line::{Line, Mark, Role},
    news::News,
    screen::Within,
    state::State,
    status::ago,
    table::{Cell, Col, Column, SortKey},
};

pub(super) fn rows(state: &State) -> Vec<usize> {
    let within = &state.screen().within;
    let fits = |news: &News| match within {
        Within::All => true,
        Within::Region(region) => news.region.as_ref() == Some(region),
        Within::Host(host) => news.host.as_ref() == Some(host),
        Within::Stack(id) => news.service.as_ref().is_some_and(|service| service.stack == *id),
        Within::Service(id) => news.service.as_ref() == Some(id),
        Within::Part(id, region) => news.service.as_ref() == Some(id) && news.region.as_ref() == Some(region),
        Within::Replica(_) => false,
        Within::Operation(id) => news.command == Some(*id),
    };
    (0..state.news.len()).filter(|at| state.news.get(*at).is_some_and(fits)).collect()
}

pub(super) fn columns(_: &State) -> Vec<Column> {
    vec![
        Column::number(Col::Age, "AGE", 5, 0),
        Column::text(Col::Source, "FROM", 6, 20, 2),
        Column::text(Col::Name, "ABOUT", 10, 36, 1),
        Column::text(Col::What, "WHAT", 16, 120, 0),
        Column::text(Col::Time, "TIME", 8, 8, 3),
    ]
}

pub(super) fn cell(state: &State, row: usize, col: Col) -> Option<Cell> {
    let news = state.news.get(row)?;
    Some(match col {
        Col::Age => Line::of(Role::Dim, ago(news.at, state.now)),
        Col::Source => Line::of(Role::Plain, source(news)),
        Col::Name => Line::of(Role::Strong, news.about.as_str()),
        Col::What => match news.mark {
            Mark::Ok => Line::of(Role::Plain, news.what.as_str()),
            mark => Line::new().mark(mark).with(Role::Plain, " ").with(Role::Plain, news.what.as_str()),
        },
        Col::Time => Line::of(Role::Dim, state.clock(news.at)),
        _ => return None,
    })
}

fn source(news: &News) -> String {
    match (&news.host, &news.region) {
        (Some(host), _) => host.to_string(),
        (None, Some(region)) => region.to_string(),
        (None, None) => "wharf".into(),
    }
}

pub(super) fn sort_key(state: &State, row: usize, col: Col) -> Option<SortKey> {
    let news = state.news.get(row)?;
    matches!(col, Col::Age | Col::Time).then(|| SortKey::Number(news.at.as_second() as f64))
}

pub(super) fn haystack(state: &State, row: usize, text: &mut String) -> Option<()> {
    let news = state.news.get(row)?;
    write!(text, "{} {} {}", source(news), news.about, news.what).ok()
}

pub(super) fn is_fault(state: &State, row: usize) -> bool {
    state.news.get(row).is_some_and(|news| news.mark == Mark::Failed)
}
