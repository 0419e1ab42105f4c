//! The logs that are followed: whose, the lines that are kept, which are shown, and where one looks.
//!
//! Only one thing is followed at a time: what the logs view on top is narrowed to. Work for a batch depends on its
//! lines, work for a frame on what is shown.

mod pattern;
mod ring;
mod shown;
mod sources;
mod sync;
mod window;

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};

pub use pattern::Pattern;
pub use ring::{Entry, Ring, What};
pub use shown::{Form, Shown};
pub use sources::{Life, Source, Sources};
pub use window::{Window, starts};

use super::screen::Within;
use crate::model::{HostName, LogBatch, LogBegin, LogChange, LogQuery};

/// Lines of all sources together that are read at the beginning.
const BUDGET: usize = 5_000;
/// A start so soon after an end is told together with it.
const SOON_LINES: usize = 400;

/// From when on lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum From {
    /// The last lines, and what comes.
    #[default]
    Tail,
    /// The first lines that are kept on the host.
    Head,
    /// So many minutes back.
    Minutes(i64),
    /// The life of the process before the present one.
    Previous,
}

impl From {
    /// For the head of the view.
    pub fn words(self) -> String {
        match self {
            Self::Tail => "tail".to_owned(),
            Self::Head => "from the first line".to_owned(),
            Self::Minutes(60) => "last hour".to_owned(),
            Self::Minutes(minutes) => format!("last {minutes} min"),
            Self::Previous => "previous life".to_owned(),
        }
    }
}

/// How times are shown in front of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Times {
    /// Not at all.
    #[default]
    Off,
    /// By the operator's clock.
    Local,
    /// In UTC.
    Utc,
}

impl Times {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Off => Self::Local,
            Self::Local => Self::Utc,
            Self::Utc => Self::Off,
        }
    }
}

/// The logs that are followed.
#[derive(Debug)]
pub struct Logs {
    /// Whose.
    pub of: Within,
    /// From when on.
    pub from: From,
    /// Since when they are followed.
    pub begun: Timestamp,
    /// Tells batches of an earlier question from those of this one.
    pub generation: u64,
    /// The containers.
    pub sources: Sources,
    /// Containers that are not followed because there are too many.
    pub left_out: usize,
    /// The kept lines.
    pub ring: Ring,
    /// Those that are shown.
    pub shown: Shown,
    /// What is looked for.
    pub pattern: Pattern,
    /// What is done with other lines.
    pub form: Form,
    /// Where one looks.
    pub window: Window,
    /// Times in front of lines.
    pub times: Times,
    /// Nothing is read for now.
    pub paused: bool,
    /// Lines that came faster than they could be taken.
    pub dropped: u64,
    /// Hosts whose logs cannot be read now.
    pub(super) lost: BTreeMap<HostName, usize>,
    /// What was asked for last.
    pub(super) sent: Option<LogQuery>,
}

impl Logs {
    /// Nothing yet of something.
    pub fn new(of: Within, from: From, generation: u64, now: Timestamp) -> Self {
        Self {
            of,
            from,
            begun: now,
            generation,
            sources: Sources::default(),
            left_out: 0,
            ring: Ring::default(),
            shown: Shown::default(),
            pattern: Pattern::default(),
            form: Form::default(),
            window: Window::default(),
            times: Times::default(),
            paused: false,
            dropped: 0,
            lost: BTreeMap::new(),
            sent: None,
        }
    }

    /// Begins again from another moment; how it looks stays.
    pub fn again(&mut self, from: From, now: Timestamp) {
        let mut next = Self::new(self.of.clone(), from, self.generation + 1, now);
        next.form = self.form;
        next.times = self.times;
        next.window = Window { follow: from != From::Head, ..std::mem::take(&mut self.window) };
        next.pattern = std::mem::take(&mut self.pattern);
        *self = next;
    }

    /// Where the hosts shall begin to read.
    fn begin(&self) -> LogBegin {
        let each = u32::try_from((BUDGET / self.sources.len().max(1)).clamp(100, 1_000)).unwrap_or(100);
        match self.from {
            From::Tail => LogBegin::Tail(each),
            From::Head => LogBegin::Head(each),
            From::Previous => LogBegin::Previous(each),
            From::Minutes(minutes) => {
                let since = self.begun.checked_sub(minutes.minutes()).unwrap_or(self.begun);
                LogBegin::Since(since, each.saturating_mul(10))
            }
        }
    }

    /// Takes a batch in. False when it is of an earlier question.
    pub fn take(&mut self, batch: LogBatch, now: Timestamp) -> bool {
        if batch.generation != self.generation {
            return false;
        }
        self.dropped += batch.dropped;
        let lines = batch.lines.into_iter().map(|line| Entry {
            at: line.at,
            source: Some(line.source),
            stderr: line.stderr,
            what: What::Line(line.text),
            hit: false,
        });
        let lines = lines.collect();
        self.add(lines);
        for note in batch.notes {
            self.note(note.source, &note.what, now);
        }
        true
    }

    /// Takes lines in and brings what is shown up to date.
    fn add(&mut self, lines: Vec<Entry>) {
        let mut found = self.window.found.unwrap_or(u64::MAX);
        let changed = self.ring.take(lines, &mut [&mut self.window.place, &mut found]);
        self.window.found = self.window.found.map(|_| found);
        self.renew(changed);
    }

    /// Looks at the lines from a place on again.
    fn renew(&mut self, from: u64) {
        self.shown.renew(&mut self.ring, from, &self.pattern, self.form, &self.sources);
    }

    /// Looks at all lines again: something else is looked for, or other sources are shown.
    pub fn renew_all(&mut self) {
        self.renew(self.ring.first());
    }

    /// Looks for something else.
    pub fn look_for(&mut self, text: &str) {
        if self.pattern.text() != text {
            self.pattern = Pattern::new(text);
            self.window.found = None;
            self.renew_all();
        }
    }

    /// A source that was lost or is back. What holds for all sources of a host is said once.
    fn note(&mut self, number: u32, what: &LogChange, now: Timestamp) {
        let Some(source) = self.sources.get(number) else { return };
        let host = source.host.clone();
        let lost = self.lost.entry(host.clone()).or_default();
        let words = match what {
            LogChange::Lost(why) => {
                *lost += 1;
                (*lost == 1).then(|| format!("{host} cannot be read: {why}"))
            }
            LogChange::Back => {
                *lost = lost.saturating_sub(1);
                (*lost == 0).then(|| format!("{host} is read again"))
            }
        };
        if let Some(words) = words {
            self.add(vec![Entry::life(now, None, words)]);
        }
    }

    /// A container as it is seen now: what happened to it becomes a line.
    pub fn see(&mut self, number: u32, life: Life, now: Timestamp) {
        let Some(source) = self.sources.get_mut(number) else { return };
        let told = source.life.told(life);
        let name = source.name.clone();
        source.life = life;
        let Some(words) = told else { return };
        if life.runs() && self.started_again(number) {
            return;
        }
        self.add(vec![Entry::life(now, Some(number), format!("{name} {words}"))]);
    }

    /// Says of an end just before that it is over. False where there was none, or lines came since.
    fn started_again(&mut self, number: u32) -> bool {
        let last = self.ring.newest(SOON_LINES).find(|(_, entry)| entry.source == Some(number));
        let Some((place, What::Life(words))) = last.map(|(place, entry)| (place, &entry.what)) else { return false };
        if !(words.contains(" exited with ") || words.ends_with(" ended")) || words.ends_with("again") {
            return false;
        }
        let words = format!("{words} · started again");
        if let Some(entry) = self.ring.get_mut(place) {
            entry.what = What::Life(words);
        }
        true
    }

    /// Draws a line below what is there.
    pub fn mark(&mut self, now: Timestamp) {
        let newest = self.ring.newest(1).next().map_or(now, |(_, entry)| entry.at.max(now));
        self.add(vec![Entry { at: newest, source: None, stderr: false, what: What::Mark, hit: false }]);
    }

    /// Forgets all lines.
    pub fn clear(&mut self) {
        self.ring.clear();
        self.window.found = None;
        self.window.follow = true;
        self.renew_all();
    }

    /// The next line that has what is looked for, from the one found last or the first that is shown.
    pub fn next_hit(&mut self, forward: bool, rows: usize, cells: usize) -> bool {
        let is_hit = |place: u64| self.ring.get(place).is_some_and(|entry| entry.hit);
        let found = if forward {
            let from = self.window.found.map_or_else(|| self.top(rows, cells).0, |place| self.shown.at(place + 1));
            (from..self.shown.len()).filter_map(|at| self.shown.get(at)).find(|place| is_hit(*place))
        } else {
            let upto = self.window.found.map_or(self.shown.len(), |place| self.shown.at(place));
            (0..upto).rev().filter_map(|at| self.shown.get(at)).find(|place| is_hit(*place))
        };
        let Some(place) = found else { return false };
        self.window.found = Some(place);
        self.look_at(place, rows, cells);
        true
    }
}
