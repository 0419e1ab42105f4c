//! The logs view as lines: made only for what is shown.

use jiff::tz::TimeZone;

use crate::{
    app::{
        layout,
        line::{Line, Mark, Role, Span},
        logs::{Entry, From, Logs, Sources, Times, What, starts},
        state::State,
    },
    text::{Ink, Painted, count, fit, pad_right, width},
};

/// Cells of a time and the space behind it.
const TIME: usize = 13;
/// Lines are never squeezed into less.
const NARROWEST: usize = 10;

/// What there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    rows: usize,
    cells: usize,
    /// Cells in front of a line's text.
    front: usize,
    /// Cells of a source's name; 0 leaves it out.
    name: usize,
    time: bool,
}

impl LogPlace {
    /// Rows, and cells for the text of lines.
    pub fn text(self) -> (usize, usize) {
        (self.rows, self.cells.saturating_sub(self.front).max(NARROWEST))
    }
}

/// What the logs view has room for now.
pub fn log_place(state: &State) -> LogPlace {
    match &state.logs {
        Some(logs) => place(state, logs),
        None => LogPlace { rows: 0, cells: 0, front: 0, name: 0, time: false },
    }
}

fn place(state: &State, logs: &Logs) -> LogPlace {
    let area = layout::layout(state).list;
    let cells = usize::from(area.w);
    let time = logs.times != Times::Off;
    let most = (cells / 3).max(6);
    let name = if logs.sources.len() > 1 { logs.sources.wide.min(most) } else { 0 };
    let front = 1 + if time { TIME } else { 0 } + if name > 0 { name + 1 } else { 0 } + 2;
    LogPlace { rows: usize::from(area.h.saturating_sub(1)), cells, front, name, time }
}

/// The view: a head, and the lines that are shown.
pub fn logs(state: &State) -> Vec<Line> {
    let Some(logs) = &state.logs else { return Vec::new() };
    let place = place(state, logs);
    let mut lines = vec![head(logs, place)];
    if logs.shown.is_empty() {
        lines.push(Line::new());
        lines.extend(empty(state, logs));
        return lines;
    }
    lines.extend(body(state, logs, place));
    lines
}

fn body(state: &State, logs: &Logs, place: LogPlace) -> Vec<Line> {
    let (rows, cells) = place.text();
    let (mut at, mut skip) = logs.top(rows, cells);
    let mut lines = Vec::with_capacity(rows);
    while lines.len() < rows {
        let Some(number) = logs.shown.get(at) else { break };
        let Some(entry) = logs.ring.get(number) else { break };
        let found = logs.window.found == Some(number);
        let left = rows - lines.len();
        entry_lines(state, logs, entry, place, found, skip, left, &mut lines);
        at += 1;
        skip = 0;
    }
    lines
}

/// What is followed, from when on, and whether all of it is here.
fn head(logs: &Logs, place: LogPlace) -> Line {
    let live = logs.sources.iter().filter(|(_, source)| source.life.runs()).count();
    let hidden = logs.sources.iter().filter(|(_, source)| !source.shown).count();
    let mut line = Line::of(Role::Plain, " ");
    let (mark, word) = match (logs.paused, logs.window.follow, logs.from) {
        (true, ..) => (Mark::Stopped, "paused: space goes on"),
        (_, _, From::Head | From::Previous) => (Mark::Stopped, "does not go on"),
        (_, false, _) => (Mark::Changing, "stands still: s goes on"),
        (_, true, _) => (Mark::Ok, "follows"),
    };
    line = line.mark(mark).with(Role::Strong, format!(" {word}"));
    let mut parts = vec![logs.from.words(), format!("{live} of {} run", logs.sources.len())];
    if logs.left_out > 0 {
        parts.push(format!("{} more are too many", logs.left_out));
    }
    if hidden > 0 {
        parts.push(format!("{hidden} hidden"));
    }
    parts.push(format!("{} lines", count(logs.ring.len() as u64)));
    if !logs.pattern.is_empty() {
        parts.push(logs.form.word().to_owned());
    }
    if logs.ring.gone > 0 {
        parts.push(format!("{} older let go", count(logs.ring.gone)));
    }
    line.push(Role::Dim, format!("  {}", parts.join(" · ")));
    if logs.dropped > 0 {
        line.push(Role::Mark(Mark::Changing), format!(" · {} too fast to show", count(logs.dropped)));
    }
    if logs.window.column > 0 {
        line.push(Role::Dim, format!(" · from column {}", logs.window.column + 1));
    }
    let (rows, cells) = place.text();
    let below = logs.below(rows, cells);
    if below > 0 {
        line.push(Role::Accent, format!(" · {} below", count(below as u64)));
    }
    line
}

fn empty(state: &State, logs: &Logs) -> Vec<Line> {
    let say = |text: &str| Line::of(Role::Dim, format!("   {text}"));
    if !logs.ring.is_empty() {
        return vec![say("No line fits. esc clears what is looked for, A shows sources again.")];
    }
    if logs.sources.is_empty() {
        if state.is_starting() {
            return vec![say("Connecting …")];
        }
        return vec![
            say("There is no container to read."),
            say("l on a stack, a service, a replica or a host follows what it prints."),
        ];
    }
    match logs.from {
        From::Previous => vec![say("Nothing is kept of a life before this one. p shows the present one.")],
        _ => vec![say("Nothing was printed yet. 1 shows the first lines, 6 those of the last hour.")],
    }
}

/// The rows of one line.
#[expect(clippy::too_many_arguments, reason = "one line in its surroundings")]
fn entry_lines(
    state: &State,
    logs: &Logs,
    entry: &Entry,
    place: LogPlace,
    found: bool,
    skip: usize,
    rows: usize,
    out: &mut Vec<Line>,
) {
    let (_, cells) = place.text();
    let text = match &entry.what {
        What::Line(text) => text,
        What::Life(words) => return out.push(between_rules(state, logs, entry, words, place)),
        What::Mark => {
            let words = state.clock(entry.at);
            return out.push(between_rules(state, logs, entry, &words, place));
        }
    };
    let places = if logs.pattern.is_empty() { Vec::new() } else { logs.pattern.places(text.as_str()) };
    let base = if entry.stderr { Role::Strong } else { Role::Plain };
    if !logs.window.wrap {
        let mut line = front(state, logs, entry, place, found);
        let (from, to, rest) = cut(text.as_str(), logs.window.column, cells);
        painted(&mut line, text, from, to, &places, base);
        if rest {
            line.push(Role::Dim, "…");
        }
        return out.push(line);
    }
    let starts = starts(text.as_str(), cells);
    let ends = starts.iter().skip(1).copied().chain([text.as_str().len()]);
    for (row, (from, to)) in starts.iter().copied().zip(ends).enumerate().skip(skip).take(rows) {
        let mut line = if row == 0 {
            front(state, logs, entry, place, found)
        } else {
            Line::of(Role::Plain, " ".repeat(place.front))
        };
        painted(&mut line, text, from, to, &places, base);
        out.push(line);
    }
}

/// What stands in front of a line: whether it was found, its time, its source, and whether it is of stderr.
fn front(state: &State, logs: &Logs, entry: &Entry, place: LogPlace, found: bool) -> Line {
    let mut line = Line::of(Role::Accent, if found { "▸" } else { " " });
    if place.time {
        line.push(Role::Dim, time(state, logs, entry));
    }
    if place.name > 0 {
        let number = entry.source.unwrap_or_default();
        let name = logs.sources.get(number).map_or("", |source| source.name.as_str());
        line.push(Role::Source(Sources::look(number)), pad_right(name, place.name));
        line.push(Role::Plain, " ");
    }
    if entry.stderr {
        line.push(Role::Mark(Mark::Changing), "! ");
    } else {
        line.push(Role::Dim, "  ");
    }
    line
}

fn time(state: &State, logs: &Logs, entry: &Entry) -> String {
    let zone = if logs.times == Times::Utc { TimeZone::UTC } else { state.zone.clone() };
    entry.at.to_zoned_datetime(zone).strftime("%H:%M:%S%.3f ").to_string()
}

/// `── web.3 e-1 exited with 137 · started again ──`
fn between_rules(state: &State, logs: &Logs, entry: &Entry, words: &str, place: LogPlace) -> Line {
    let bad = words.contains("exited with ") && !words.contains("exited with 0") || words.contains("cannot be read");
    let role = match (&entry.what, bad) {
        (What::Mark, _) => Role::Accent,
        (_, true) => Role::Mark(Mark::Failed),
        _ => Role::Mark(Mark::Changing),
    };
    let mut line = Line::of(Role::Dim, " ");
    if place.time {
        line.push(Role::Dim, time(state, logs, entry));
    }
    line.push(Role::Dim, "── ");
    let room = place.cells.saturating_sub(line.width() + 4);
    line.push(role, fit(words, room));
    line.push(Role::Dim, " ");
    let rest = place.cells.saturating_sub(line.width() + 1);
    line.push(Role::Dim, "─".repeat(if matches!(entry.what, What::Mark) { rest } else { rest.min(2) }));
    line
}

/// The part of a text behind so many cells that fits into so many, and whether more follows.
fn cut(text: &str, column: usize, cells: usize) -> (usize, usize, bool) {
    use unicode_segmentation::UnicodeSegmentation;
    if text.is_ascii() {
        let from = column.min(text.len());
        let more = text.len() - from > cells;
        return (from, (from + cells - usize::from(more)).min(text.len()), more);
    }
    let (mut used, mut from, mut to) = (0, None, 0);
    for (at, grapheme) in text.grapheme_indices(true) {
        let wide = width(grapheme);
        // What is half scrolled away goes as a whole.
        if from.is_none() && used >= column {
            from = Some(at);
        }
        if from.is_some() {
            if used + wide > column + cells {
                return (from.unwrap_or(0), to, true);
            }
            // The mark of what is cut needs a cell.
            if used + wide < column + cells {
                to = at + grapheme.len();
            }
        }
        used += wide;
    }
    (from.unwrap_or(text.len()), text.len(), false)
}

/// Adds a part of a text in its own colours, with what is looked for marked.
fn painted(line: &mut Line, text: &Painted, from: usize, to: usize, places: &[(usize, usize)], base: Role) {
    let mut at = from;
    let plain = |line: &mut Line, upto: usize, at: &mut usize| {
        for (piece, ink) in text.pieces(*at, upto) {
            let role = if ink == Ink::default() { base } else { Role::Ink(ink) };
            line.spans.push(Span { text: piece.to_owned(), role });
        }
        *at = upto.max(*at);
    };
    for (start, end) in places {
        let (start, end) = ((*start).max(at), (*end).min(to));
        if start < end {
            plain(line, start, &mut at);
            line.push(Role::Match, text.as_str().get(start..end).unwrap_or_default());
            at = end;
        }
    }
    plain(line, to, &mut at);
}

/// The lines on the screen as text.
pub fn log_screen(state: &State, logs: &Logs) -> String {
    let lines: Vec<String> =
        body(state, logs, place(state, logs)).iter().map(|line| line.text().trim_end().to_owned()).collect();
    lines.join("\n")
}

/// All lines that are shown, as text: whole, with time and source.
pub fn log_text(state: &State) -> String {
    let Some(logs) = &state.logs else { return String::new() };
    let mut out = String::new();
    for at in 0..logs.shown.len() {
        let Some(entry) = logs.shown.get(at).and_then(|place| logs.ring.get(place)) else { continue };
        let name = entry.source.and_then(|source| logs.sources.get(source)).map_or("", |source| source.name.as_str());
        let name = pad_right(name, logs.sources.wide);
        let (mark, text) = match &entry.what {
            What::Line(text) => (if entry.stderr { '!' } else { ' ' }, text.as_str()),
            What::Life(words) => ('-', words.as_str()),
            What::Mark => ('-', ""),
        };
        out.push_str(format!("{} {name} {mark} {text}", entry.at).trim_end());
        out.push('\n');
    }
    out
}

/// The menu of sources.
pub fn sources(state: &State) -> Vec<Line> {
    let Some(logs) = &state.logs else { return Vec::new() };
    let keys =
        [("space", "on, off"), ("o", "only this one, all")].into_iter().fold(Line::new(), |line, (key, what)| {
            line.with(Role::Key, format!(" {key}")).with(Role::Dim, format!(" {what} "))
        });
    logs.sources
        .iter()
        .map(|(number, source)| {
            let state = match source.life {
                life if life.runs() => "runs".to_owned(),
                crate::app::logs::Life::Ended { code, .. } => format!("exited with {code}"),
                crate::app::logs::Life::Gone => "removed".to_owned(),
                _ => "waits".to_owned(),
            };
            Line::of(Role::Key, if source.shown { " [x] " } else { " [ ] " })
                .with(Role::Source(Sources::look(number)), pad_right(&source.name, logs.sources.wide))
                .with(Role::Dim, format!("  {} · {state} ", source.host))
        })
        .chain([keys])
        .collect()
}
