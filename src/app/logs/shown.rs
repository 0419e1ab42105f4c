//! Which of the kept lines are shown, kept up to date line by line.

use std::collections::VecDeque;

use super::{
    pattern::Pattern,
    ring::{Ring, What},
    sources::Sources,
};

/// What is done with lines that do not have what is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// They are left out.
    #[default]
    Only,
    /// They are left out, but for those next to ones that have it.
    Around,
    /// They are shown too; what is looked for is marked.
    All,
}

impl Form {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Only => Self::Around,
            Self::Around => Self::All,
            Self::All => Self::Only,
        }
    }

    /// For the head of the view.
    pub fn word(self) -> &'static str {
        match self {
            Self::Only => "only these",
            Self::Around => "with the lines around",
            Self::All => "marked in all",
        }
    }
}

/// Lines on each side of one that has what is looked for.
const AROUND: u64 = 2;

/// The places of the lines that are shown, in order.
#[derive(Debug, Default)]
pub struct Shown {
    places: VecDeque<u64>,
}

impl Shown {
    /// How many.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True when none is.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The place of the line that is shown as number `at`.
    pub fn get(&self, at: usize) -> Option<u64> {
        self.places.get(at).copied()
    }

    /// The number of the first shown line at a place or behind it.
    pub fn at(&self, place: u64) -> usize {
        self.places.partition_point(|shown| *shown < place)
    }

    /// Looks at all lines from a place on again.
    pub fn renew(&mut self, ring: &mut Ring, from: u64, pattern: &Pattern, form: Form, sources: &Sources) {
        while self.places.back().is_some_and(|place| *place >= from) {
            self.places.pop_back();
        }
        while self.places.front().is_some_and(|place| *place < ring.first()) {
            self.places.pop_front();
        }
        let from = from.max(ring.first());
        // A line that has it may stand before the first new one.
        let near = |ring: &Ring, place: u64| {
            (place.saturating_sub(AROUND)..place).rev().find(|place| ring.get(*place).is_some_and(|entry| entry.hit))
        };
        let mut last_hit = if form == Form::Around { near(ring, from) } else { None };
        for place in from..ring.end() {
            let Some(entry) = ring.get_mut(place) else { continue };
            let visible = entry.source.is_none_or(|source| sources.is_shown(source));
            entry.hit = visible
                && !pattern.is_empty()
                && match &entry.what {
                    What::Line(text) => pattern.fits(text.as_str()),
                    What::Life(_) | What::Mark => false,
                };
            if !visible {
                continue;
            }
            let is_line = matches!(entry.what, What::Line(_));
            let hit = entry.hit;
            if form == Form::Around && hit {
                last_hit = Some(place);
                self.add_before(ring, place, sources);
            }
            let is_near = last_hit.is_some_and(|hit| place - hit <= AROUND);
            if !is_line || pattern.is_empty() || hit || form == Form::All || is_near {
                self.places.push_back(place);
            }
        }
    }

    /// Adds the lines before one that has what is looked for.
    fn add_before(&mut self, ring: &Ring, place: u64, sources: &Sources) {
        let last = self.places.back().map_or(0, |last| last + 1);
        for before in place.saturating_sub(AROUND).max(last)..place {
            let shown = |source: Option<u32>| source.is_none_or(|source| sources.is_shown(source));
            if ring.get(before).is_some_and(|entry| shown(entry.source)) {
                self.places.push_back(before);
            }
        }
    }
}
