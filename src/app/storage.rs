//! What hosts keep: asked for when somebody looks, and forgotten when nobody has looked for a while.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};

use super::{
    ids::Id,
    msg::Effect,
    screen::{View, Within},
    state::State,
};
use crate::{
    model::{HostName, RegionName, Storage, Stored},
    plan::{Need, Needs},
    text::Text,
};

/// An engine is asked again so long after it was asked last, while somebody looks.
const AGAIN_SECONDS: i64 = 300;

/// Nobody has looked for so long: the answers are forgotten.
const FORGOTTEN_SECONDS: i64 = 600;

/// What one host was asked, and said.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// The last answer; none before the first.
    pub told: Option<Storage>,
    /// Why there is none, or why nothing was counted.
    pub error: Option<Text>,
}

/// A row: a host, or one thing that it keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow {
    /// The host.
    pub host: HostName,
    /// Its region.
    pub region: RegionName,
    /// The thing; none in the row of the host itself, which stands before its things.
    pub thing: Option<Stored>,
    /// What it is there for; none when nothing would miss it.
    pub need: Option<Need>,
}

impl StoredRow {
    /// What it stands for.
    pub fn id(&self) -> Id {
        match &self.thing {
            None => Id::Host(self.host.clone()),
            Some(thing) => Id::Stored(self.host.clone(), thing.kind, thing.id.clone()),
        }
    }
}

/// What all hosts keep, as far as they were asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stores {
    asked: BTreeMap<HostName, Asked>,
    looked: Option<Timestamp>,
    /// The rows, by host in the fleet's order.
    pub rows: Vec<StoredRow>,
}

impl Stores {
    /// What a host said.
    pub fn of(&self, host: &HostName) -> Option<&Asked> {
        self.asked.get(host)
    }

    /// Takes an answer. False when nobody waits for it any more.
    pub(super) fn take(&mut self, host: &HostName, answer: Result<Storage, Text>) -> bool {
        let Some(asked) = self.asked.get_mut(host) else { return false };
        match answer {
            Ok(storage) => {
                asked.told = Some(storage);
                asked.error = None;
            }
            Err(why) => asked.error = Some(why),
        }
        true
    }

    /// The next look asks this host again.
    pub(super) fn ask_again(&mut self, host: &HostName) {
        if let Some(asked) = self.asked.get_mut(host) {
            asked.at = Timestamp::MIN;
        }
    }
}

impl State {
    /// Asks the hosts that are looked at and were not asked lately.
    pub(super) fn survey(&mut self) -> Option<Effect> {
        let now = self.now;
        let ago = |seconds: i64| now.checked_sub(seconds.seconds()).unwrap_or(Timestamp::MIN);
        if self.screen().view != View::Storage {
            if self.stores.looked.is_some_and(|at| at < ago(FORGOTTEN_SECONDS)) {
                self.stores = Stores::default();
            }
            return None;
        }
        self.stores.looked = Some(now);
        let within = self.screen().within.clone();
        let hosts = self.fleet.hosts().filter(|(region, host)| match &within {
            Within::Host(name) => host.name == *name,
            Within::Region(name) => region.name == *name,
            _ => true,
        });
        let due = |name: &&HostName| self.stores.of(name).is_none_or(|asked| asked.at < ago(AGAIN_SECONDS));
        let due: Vec<HostName> = hosts.map(|(_, host)| &host.name).filter(due).cloned().collect();
        for host in &due {
            let told = self.stores.asked.remove(host).and_then(|asked| asked.told);
            self.stores.asked.insert(host.clone(), Asked { at: now, told, error: None });
        }
        if due.is_empty() {
            return None;
        }
        self.stock();
        self.dirty.rows = true;
        Some(Effect::Survey(due))
    }

    /// Makes the rows again from what was told.
    pub(super) fn stock(&mut self) {
        let world = self.world();
        let needs = Needs::new(&world);
        let mut rows = Vec::new();
        for (region, host) in self.fleet.hosts() {
            let Some(asked) = self.stores.asked.get(&host.name) else { continue };
            let row = |thing, need| StoredRow { host: host.name.clone(), region: region.name.clone(), thing, need };
            rows.push(row(None, Some(Need::Sum)));
            for thing in asked.told.iter().flat_map(|storage| &storage.things) {
                rows.push(row(Some(thing.clone()), needs.of(&world, thing)));
            }
        }
        self.stores.rows = rows;
    }
}
