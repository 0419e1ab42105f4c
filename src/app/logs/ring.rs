//! The lines that are kept, in the order of their times, bounded.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::text::Painted;

/// Lines that are kept.
const LINES: usize = 50_000;
/// Their bytes.
const BYTES: usize = 16 << 20;

/// What a kept line is.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A line that a source printed.
    Line(Painted),
    /// What became of a source: drawn between rules.
    Life(String),
    /// A mark of the operator.
    Mark,
}

/// One kept line.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Of which source; none for what is about all.
    pub source: Option<u32>,
    /// It was printed to stderr.
    pub stderr: bool,
    /// What.
    pub what: What,
    /// It has what is looked for. Kept here, so that a line is looked through once.
    pub hit: bool,
}

impl Entry {
    /// A line between rules.
    pub fn life(at: Timestamp, source: Option<u32>, words: String) -> Self {
        Self { at, source, stderr: false, what: What::Life(words), hit: false }
    }

    fn size(&self) -> usize {
        size_of::<Self>()
            + match &self.what {
                What::Line(text) => text.size(),
                What::Life(words) => words.len(),
                What::Mark => 0,
            }
    }
}

/// The kept lines. Each has a place: places only grow, also when the oldest lines go.
#[derive(Debug, Default)]
pub struct Ring {
    entries: VecDeque<Entry>,
    first: u64,
    bytes: usize,
    /// Lines that went because there were too many.
    pub gone: u64,
}

impl Ring {
    /// The place of the oldest line.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The place behind the newest line.
    pub fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Lines that are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn index(&self, place: u64) -> Option<usize> {
        usize::try_from(place.checked_sub(self.first)?).ok()
    }

    /// The line at a place.
    pub fn get(&self, place: u64) -> Option<&Entry> {
        self.entries.get(self.index(place)?)
    }

    /// The same, to change.
    pub fn get_mut(&mut self, place: u64) -> Option<&mut Entry> {
        let at = self.index(place)?;
        self.entries.get_mut(at)
    }

    /// The newest lines first, at most so many.
    pub fn newest(&self, most: usize) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.iter().enumerate().rev().take(most).map(|(at, entry)| (self.first + at as u64, entry))
    }

    /// Takes lines in, which are in order among themselves. Gives the first place that is another now; the places
    /// of lines in `watched` follow their lines.
    pub fn take(&mut self, batch: Vec<Entry>, watched: &mut [&mut u64]) -> u64 {
        let Some(from) = batch.first().map(|entry| entry.at) else { return self.end() };
        // Mostly all is newer than what is there. Lines of a slow host get in between.
        let later = self.entries.iter().rev().take_while(|entry| entry.at > from).count();
        let kept = self.entries.len() - later;
        let changed = self.first + kept as u64;
        let mut moved = self.entries.split_off(kept).into_iter().peekable();
        self.bytes += batch.iter().map(Entry::size).sum::<usize>();
        let mut fresh = batch.into_iter().peekable();
        let mut old_place = changed;
        let mut places: Vec<(usize, u64)> = Vec::new();
        while moved.peek().is_some() || fresh.peek().is_some() {
            let take_old = match (moved.peek(), fresh.peek()) {
                (Some(old), Some(new)) => old.at <= new.at,
                (old, _) => old.is_some(),
            };
            let next = if take_old { moved.next() } else { fresh.next() };
            let Some(next) = next else { break };
            if take_old {
                let new_place = self.end();
                let here = watched.iter().enumerate().filter(|(_, place)| ***place == old_place);
                places.extend(here.map(|(at, _)| (at, new_place)));
                old_place += 1;
            }
            self.entries.push_back(next);
        }
        for (at, place) in places {
            if let Some(watched) = watched.get_mut(at) {
                **watched = place;
            }
        }
        self.bound();
        changed
    }

    fn bound(&mut self) {
        while self.entries.len() > LINES || self.bytes > BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.size());
            self.first += 1;
            self.gone += 1;
        }
    }

    /// Forgets all lines. Their places do not come again.
    pub fn clear(&mut self) {
        self.first = self.end();
        self.entries.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: i64, text: &str) -> Entry {
        let what = What::Line(Painted::new(text));
        Entry { at: Timestamp::from_second(second).unwrap(), source: Some(0), stderr: false, what, hit: false }
    }

    fn seconds(ring: &Ring) -> Vec<i64> {
        (ring.first()..ring.end()).map(|place| ring.get(place).unwrap().at.as_second()).collect()
    }

    #[test]
    fn late_lines_get_in_between_and_watched_ones_are_not_lost() {
        let mut ring = Ring::default();
        assert_eq!(ring.take(vec![line(1, "a"), line(3, "b"), line(5, "c")], &mut []), 0);
        let (mut three, mut one) = (1, 0);
        assert_eq!(ring.take(vec![line(2, "d"), line(4, "e"), line(6, "f")], &mut [&mut three, &mut one]), 1);
        assert_eq!(seconds(&ring), [1, 2, 3, 4, 5, 6]);
        assert_eq!((three, one), (2, 0));
    }

    #[test]
    fn what_is_kept_is_bounded_in_lines_and_in_bytes() {
        let mut ring = Ring::default();
        for n in 0..60 {
            ring.take((0..1_000).map(|_| line(n, "x")).collect(), &mut []);
        }
        assert_eq!((ring.len(), ring.gone, ring.first()), (LINES, 10_000, 10_000));
        let long = "y".repeat(60_000);
        for n in 60..1_000 {
            ring.take(vec![line(n, &long)], &mut []);
        }
        assert!(ring.bytes <= BYTES && ring.len() < 300, "{}", ring.len());
        ring.clear();
        assert!(ring.is_empty() && ring.first() == ring.end() && ring.bytes == 0);
    }
}
