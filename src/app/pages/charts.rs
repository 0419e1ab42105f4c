//! Charts as lines: small multiples, one of them over the whole page, and what uses most.

mod figures;
mod list;
mod plot;

pub use figures::{figures, table};

use super::choose::Page;
use crate::{
    app::{
        charts::{Place, Stretch, cells, missing, place, stretch},
        history::{Measure, Tracks},
        ids::Id,
        line::{Line, Mark, Role},
        screen::Within,
        state::State,
    },
    text::fit,
};

/// What charts show: of what, since when, how far back.
struct Shown<'a> {
    tracks: Option<&'a Tracks>,
    stretch: Stretch,
}

fn shown(state: &State) -> Shown<'_> {
    let screen = state.screen();
    let history = state.history();
    let tracks = history.tracks(&screen.within);
    let begun = tracks.and_then(Tracks::begun);
    Shown { tracks, stretch: stretch(state.shown_at(), screen.charts.minutes(), begun, history.newest()) }
}

/// The page.
pub fn charts(state: &State) -> Page {
    let place = place(state);
    let shown = shown(state);
    let mut page = Page { lines: vec![head(state, &shown)], selected: None };
    if place.columns > 0 {
        page.lines.extend(grid(state, &shown, place));
    }
    if place.list > 0 {
        list::list(state, &mut page, place);
    }
    page
}

/// Whose charts, how far back, and what a mark means that is to be seen on them.
fn head(state: &State, shown: &Shown<'_>) -> Line {
    let screen = state.screen();
    let (kind, name) = title(state, &screen.within);
    let mut line = Line::of(Role::Plain, format!(" {kind} ")).with(Role::Strong, fit(&name, 40));
    let minutes = shown.stretch.minutes;
    let span = if minutes % 60 == 0 { format!("{} h", minutes / 60) } else { format!("{minutes} min") };
    let steps = if minutes <= 10 { "read every 5 s" } else { "means of a minute" };
    line.push(Role::Plain, format!("   {span}"));
    let so_far = if minutes < screen.charts.minutes() { " so far" } else { "" };
    line.push(Role::Dim, format!("{so_far}, {steps}"));
    let series = Measure::ALL.into_iter().filter_map(|measure| shown.tracks?.series(measure));
    let is_partial = series.into_iter().any(|series| shown.stretch.points(series).any(|point| point.partial));
    if is_partial {
        line.push(Role::Mark(Mark::Unknown), "   ░ at least so much");
        let now = missing(state, &screen.within);
        line.push(Role::Dim, format!(": {}", now.unwrap_or_else(|| "a part was not known".to_owned())));
    }
    line
}

/// A thing's kind and name.
fn title(state: &State, of: &Within) -> (&'static str, String) {
    let kind = match of {
        Within::All => return ("fleet", state.fleet.name.to_string()),
        Within::Region(_) => "region",
        Within::Host(_) => "host",
        Within::Stack(_) => "stack",
        Within::Service(_) | Within::Part(..) => "service",
        Within::Replica(id) => {
            let row = state.index.replicas.iter().find(|row| row.id == *id);
            let name = row.map(|row| match row.slot {
                Some(slot) => format!("{}.{slot} on {}", row.service, row.host),
                None => format!("{} on {}", crate::app::views::replica_name(state, row), row.host),
            });
            return ("replica", name.or_else(|| of.name()).unwrap_or_default());
        }
        Within::Operation(_) => "operation",
    };
    (kind, of.name().unwrap_or_default())
}

fn grid(state: &State, shown: &Shown<'_>, place: Place) -> Vec<Line> {
    let setting = state.screen().charts;
    if setting.is_zoomed {
        return plot::chart(state, shown, setting.measure(), place.cells, place.plot, true);
    }
    let cells = if place.columns > 1 { place.cells - 2 } else { place.cells.saturating_sub(1) };
    let first = state.screen().top * place.columns;
    let measures: Vec<Measure> = Measure::ALL.into_iter().skip(first).take(place.shown * place.columns).collect();
    let mut lines = Vec::new();
    for row in measures.chunks(place.columns) {
        if place.has_gap && !lines.is_empty() {
            lines.push(Line::new());
        }
        let charts: Vec<Vec<Line>> = row
            .iter()
            .map(|measure| {
                let here = *measure == setting.measure() && !setting.in_list;
                plot::chart(state, shown, *measure, cells, place.plot, here)
            })
            .collect();
        for at in 0..charts.iter().map(Vec::len).max().unwrap_or_default() {
            let mut line = Line::new();
            for (column, chart) in charts.iter().enumerate() {
                line.pad_to(column * place.cells);
                line.extend(chart.get(at).cloned().unwrap_or_default());
            }
            lines.push(line);
        }
    }
    lines
}

/// A short line of bars for a column: the last minutes of a measure.
pub fn past(state: &State, id: &Id, measure: Measure) -> Line {
    use crate::app::{charts::Unit, history::SHORT, series};
    let Some(of) = Within::of(id) else { return Line::new() };
    let values = state.history().minutes(&of, measure, SHORT, state.shown_at());
    series::spark(&values, Unit::new(state, &of, measure).top_kept(series::largest(&values)), Role::Dim)
}
