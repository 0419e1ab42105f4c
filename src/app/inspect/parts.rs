//! What has been told of a subject so far, and what it says where it was not.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    app::{
        line::{Line, Mark, Role},
        status::ago,
    },
    model::{EngineEvent, Fact, Files, Layers, Part, PartTold, Processes, Told},
    text::Text,
};

/// What was told last of one part.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    number: u64,
    told: Option<Told>,
    error: Option<Text>,
    /// When it was last told; not when it could not be.
    at: Option<Timestamp>,
}

/// Events that are shown.
const EVENTS: usize = 300;

/// All parts of a subject.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parts {
    held: BTreeMap<Part, Held>,
}

impl Parts {
    /// Takes an answer in. False for one that is older than what is held.
    pub fn take(&mut self, answer: PartTold, now: Timestamp) -> bool {
        let PartTold { number, part, told } = answer;
        let held = self.held.entry(part).or_insert(Held { number, told: None, error: None, at: None });
        if number < held.number {
            return false;
        }
        held.number = number;
        match told {
            Ok(told) => *held = Held { number, told: Some(told), error: None, at: Some(now) },
            // What was told before is still the best that is known.
            Err(why) => held.error = Some(why),
        }
        true
    }

    /// The number of the question that a part was last answered for.
    pub fn answered(&self, part: Part) -> Option<u64> {
        self.held.get(&part).map(|held| held.number)
    }

    /// What was told of a part.
    pub fn told(&self, part: Part) -> Option<&Told> {
        self.held.get(&part)?.told.as_ref()
    }

    /// Why a part could not be told when it was last asked for.
    pub fn error(&self, part: Part) -> Option<&Text> {
        self.held.get(&part)?.error.as_ref()
    }

    /// When a part was last told.
    pub fn at(&self, part: Part) -> Option<Timestamp> {
        self.held.get(&part)?.at
    }

    pub(super) fn facts(&self, part: Part) -> Option<&Fact> {
        match self.told(part)? {
            Told::Facts(fact) => Some(fact),
            _ => None,
        }
    }

    pub(super) fn processes(&self) -> Option<&Processes> {
        match self.told(Part::Processes)? {
            Told::Processes(processes) => Some(processes),
            _ => None,
        }
    }

    pub(super) fn files(&self) -> Option<&Files> {
        match self.told(Part::Files)? {
            Told::Files(files) => Some(files),
            _ => None,
        }
    }

    pub(super) fn layers(&self) -> Option<&Layers> {
        match self.told(Part::Layers)? {
            Told::Layers(layers) => Some(layers),
            _ => None,
        }
    }

    fn events(&self) -> &[EngineEvent] {
        match self.told(Part::Events) {
            Some(Told::Events(events)) => events,
            _ => &[],
        }
    }

    /// What stands where nothing was told.
    pub(super) fn missing(&self, part: Part) -> Line {
        match self.error(part) {
            Some(why) => Line::new().mark(Mark::Unknown).with(Role::Dim, format!(" {why}")),
            None => Line::of(Role::Dim, "asking …"),
        }
    }

    /// Adds to what was told that it could not be told again.
    pub(super) fn aged(&self, part: Part, mut line: Line, look: &Look<'_>) -> Line {
        if let (Some(why), Some(at)) = (self.error(part), self.at(part)) {
            line = line.with(Role::Plain, "   ").mark(Mark::Unknown);
            line.push(Role::Dim, format!(" as of {}: {why}", look.clock(at)));
        }
        line
    }
}

/// What a tree is made from.
#[derive(Debug)]
pub struct Look<'a> {
    /// What was told.
    pub parts: &'a Parts,
    /// What its engine told of the subject meanwhile; none where nobody listened.
    pub heard: Vec<&'a EngineEvent>,
    /// Now.
    pub now: Timestamp,
    /// For clocks.
    pub zone: &'a TimeZone,
}

impl Look<'_> {
    /// What happened, newest first: what the engine remembers, and what it told meanwhile, each once.
    pub(super) fn events(&self) -> Vec<&EngineEvent> {
        let mut events: Vec<&EngineEvent> = self.heard.iter().copied().chain(self.parts.events()).collect();
        let key = |event: &EngineEvent| (event.at, event.kind.clone(), event.id.clone(), event.action.clone());
        events.sort_by_key(|event| std::cmp::Reverse(key(event)));
        events.dedup();
        events.truncate(EVENTS);
        events
    }

    /// A time of day.
    pub(super) fn clock(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// A day.
    pub(super) fn day(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%d").to_string()
    }

    /// A moment, and how long ago that is.
    pub(super) fn when(&self, at: Timestamp) -> Line {
        let moment = at.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let ago = match ago(at, self.now) {
            now if now == "now" => "just now".to_owned(),
            age => format!("{age} ago"),
        };
        Line::of(Role::Plain, moment).with(Role::Dim, format!("  {ago}"))
    }

    /// A moment as engines write it; none for their zero.
    pub(super) fn moment(&self, fact: &Fact) -> Option<Line> {
        at(fact).map(|at| self.when(at))
    }
}

/// A moment as engines write it; none for their zero.
pub(super) fn at(fact: &Fact) -> Option<Timestamp> {
    fact.text().parse().ok().filter(|at: &Timestamp| at.as_second() > 0)
}
