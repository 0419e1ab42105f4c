//! Since when something is wrong, and what is newly wrong.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::faults::Fault;

/// What it is about, and where.
type Name = (String, String);

/// Since when each thing is wrong.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Alarms {
    since: BTreeMap<Name, Timestamp>,
}

fn name(fault: &Fault) -> Name {
    (fault.about.clone(), fault.place.clone())
}

impl Alarms {
    /// Takes in what is wrong now; gives what was not wrong before.
    pub fn look<'f>(&mut self, faults: &'f [Fault], now: Timestamp) -> Vec<&'f Fault> {
        let before = std::mem::take(&mut self.since);
        let mut new = Vec::new();
        for fault in faults {
            let known = before.get(&name(fault)).copied();
            if known.is_none() && !self.since.contains_key(&name(fault)) {
                new.push(fault);
            }
            self.since.entry(name(fault)).or_insert_with(|| known.unwrap_or(now));
        }
        new
    }

    /// Since when a thing is wrong, as far as this screen has seen it.
    pub fn since(&self, fault: &Fault) -> Option<Timestamp> {
        self.since.get(&name(fault)).copied()
    }
}
