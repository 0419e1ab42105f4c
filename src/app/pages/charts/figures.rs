//! Figures of charts: now, least, most; for titles, for the clipboard, and step by step for a file.

use jiff::Timestamp;

use super::{plot::name, shown, title};
use crate::{
    app::{
        charts::{Stretch, Unit},
        history::Measure,
        line::{Line, Role},
        series::{Point, Series},
        state::State,
    },
    text::{pad_left, pad_right},
};

/// Cells of a figure: they stand below each other.
const FIGURE: usize = 9;
/// Cells of a chart from which on its title has all figures in words, and without.
const IN_WORDS: usize = 72;
const IN_SHORT: usize = 50;

/// What a stretch of a series comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// The last reading; none where nothing is known now.
    now: Option<Point>,
    least: Option<Point>,
    pub(super) most: Option<Point>,
}

impl Figures {
    pub(super) fn new(stretch: &Stretch, series: &Series) -> Self {
        let least = stretch.points(series).reduce(|a, b| if b.value < a.value { b } else { a });
        let most = stretch.points(series).reduce(|a, b| if b.value > a.value { b } else { a });
        Self { now: stretch.last(series), least, most }
    }

    /// The figures, in as many words as a chart of so many cells has room for.
    pub(super) fn line(&self, unit: Unit, cells: usize) -> Line {
        let told = |point: Option<Point>| pad_left(&figure(unit, point), FIGURE);
        let now = Line::of(Role::Dim, "now").with(Role::Strong, told(self.now));
        match cells {
            IN_WORDS.. => now
                .with(Role::Dim, "  least")
                .with(Role::Plain, told(self.least))
                .with(Role::Dim, "  most")
                .with(Role::Plain, told(self.most)),
            IN_SHORT.. => {
                let range = format!("{} – {}", figure(unit, self.least), figure(unit, self.most));
                now.with(Role::Plain, format!("  {}", pad_left(&range, 2 * FIGURE + 1)))
            }
            _ => now,
        }
    }
}

/// A figure; one that lacks a part is at least so much.
fn figure(unit: Unit, point: Option<Point>) -> String {
    let sign = point.filter(|point| point.partial).map_or("", |_| "≥");
    point.map_or_else(|| "–".to_owned(), |point| format!("{sign}{}", unit.figure(unit.scaled(point.value))))
}

/// All figures as text.
pub fn figures(state: &State) -> String {
    let shown = shown(state);
    let of = &state.screen().within;
    let (kind, name_of) = title(state, of);
    let clock = |second: i64| Timestamp::from_second(second).map(|at| state.clock(at)).unwrap_or_default();
    let until = shown.stretch.end.min(state.shown_at().as_second());
    let mut out = format!("{kind} {name_of}, {} to {}\n", clock(shown.stretch.start), clock(until));
    let heads = ["now", "least", "most"].map(|head| pad_left(head, 10)).concat();
    out.push_str(&pad_right("", 30));
    out.push_str(&heads);
    out.push('\n');
    for measure in Measure::ALL {
        let unit = Unit::new(state, of, measure);
        let series = shown.tracks.and_then(|tracks| tracks.series(measure));
        let figures = series.map(|series| Figures::new(&shown.stretch, series));
        let told = |pick: fn(&Figures) -> Option<Point>| pad_left(&figure(unit, figures.as_ref().and_then(pick)), 10);
        let head = pad_right(&format!("{}  {}", name(measure), unit.words()), 30);
        out.push_str(&head);
        out.push_str(&told(|figures| figures.now));
        out.push_str(&told(|figures| figures.least));
        out.push_str(&told(|figures| figures.most));
        out.push('\n');
    }
    out
}

/// Every step with all its values, in the units of the charts, separated by tabs; a gap is empty, `>=` lacks a part.
pub fn table(state: &State) -> String {
    let shown = shown(state);
    let of = &state.screen().within;
    let all = Measure::ALL.map(|measure| {
        let series = shown.tracks.and_then(|tracks| tracks.series(measure));
        (name(measure), Unit::new(state, of, measure), series)
    });
    let heads: Vec<String> = all.iter().map(|(name, unit, _)| format!("{name} ({})", plain(*unit))).collect();
    let mut out = format!("time\t{}\n", heads.join("\t"));
    for (step, second) in shown.stretch.times() {
        let Ok(at) = Timestamp::from_second(second) else { continue };
        out.push_str(&at.to_string());
        for (_, unit, series) in &all {
            out.push('\t');
            if let Some(point) = shown.stretch.at(*series, step) {
                let sign = if point.partial { ">=" } else { "" };
                out.push_str(sign);
                out.push_str(&two_places(unit.scaled(point.value)));
            }
        }
        out.push('\n');
    }
    out
}

/// As programs read it.
fn two_places(value: f64) -> String {
    format!("{value:.2}")
}

/// A unit where figures stand without theirs.
fn plain(unit: Unit) -> String {
    match unit {
        Unit::Bytes => "bytes".to_owned(),
        Unit::Rate => "bytes/s".to_owned(),
        unit => unit.words(),
    }
}
