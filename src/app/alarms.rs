//! Since when something is wrong, and what is newly wrong.

use indexmap::{Equivalent, IndexMap};
use jiff::Timestamp;

use super::faults::Fault;

/// What it is about, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    about: String,
    place: String,
}

/// A name as it is looked up. With a thousand hosts lost there are thousands of them several times a second.
#[derive(Hash)]
struct Asked<'a> {
    about: &'a str,
    place: &'a str,
}

impl Equivalent<Name> for Asked<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        self.about == name.about && self.place == name.place
    }
}

impl<'a> Asked<'a> {
    fn of(fault: &'a Fault) -> Self {
        Self { about: &fault.about, place: &fault.place }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Alarm {
    since: Timestamp,
    /// The look that it was last found in.
    look: u64,
}

/// Since when each thing is wrong.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Alarms {
    known: IndexMap<Name, Alarm>,
    looks: u64,
}

impl Alarms {
    /// Takes in what is wrong now; gives what was not wrong before.
    pub fn look<'f>(&mut self, faults: &'f [Fault], now: Timestamp) -> Vec<&'f Fault> {
        self.looks += 1;
        let mut new = Vec::new();
        for fault in faults {
            if let Some(alarm) = self.known.get_mut(&Asked::of(fault)) {
                alarm.look = self.looks;
            } else {
                let name = Name { about: fault.about.clone(), place: fault.place.clone() };
                self.known.insert(name, Alarm { since: now, look: self.looks });
                new.push(fault);
            }
        }
        self.known.retain(|_, alarm| alarm.look == self.looks);
        new
    }

    /// Since when a thing is wrong, as far as this screen has seen it.
    pub fn since(&self, fault: &Fault) -> Option<Timestamp> {
        self.known.get(&Asked::of(fault)).map(|alarm| alarm.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::line::Mark;

    fn fault(about: &str, place: &str) -> Fault {
        let (about, place) = (about.into(), place.into());
        Fault { mark: Mark::Failed, about, place, what: String::new(), target: None }
    }

    #[test]
    fn only_what_was_not_wrong_before_is_new() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let (web, api) = (fault("shop/web", "eu"), fault("shop/api", "eu"));
        let mut alarms = Alarms::default();
        assert_eq!(alarms.look(&[web.clone(), web.clone()], at(1)), [&web], "the same twice is one thing");
        assert_eq!(alarms.look(&[api.clone(), web.clone()], at(2)), [&api]);
        assert_eq!((alarms.since(&web), alarms.since(&api)), (Some(at(1)), Some(at(2))));
        assert!(alarms.look(std::slice::from_ref(&api), at(3)).is_empty());
        assert_eq!(alarms.since(&web), None, "it is well again");
        assert_eq!(alarms.look(&[web.clone(), api], at(4)), [&web], "and wrong again");
        assert_eq!(alarms.since(&web), Some(at(4)));
    }
}
