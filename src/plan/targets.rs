//! Where something could move to, for pickers.

use std::collections::BTreeSet;

use super::{
    Refusal, World,
    cargo::{self, Cargo, End},
    eligible::{Books, HostBook, cores},
    migrate::{numbers, vacate},
};
use crate::{
    model::{HostName, RegionName, Scope, Site, Slot},
    text,
};

/// Room is counted up to this number: who moves something does not need to know of more.
pub const MOST_SHOWN: u32 = 100;

/// A place to which something could move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A host, or any host of a region.
    pub site: Site,
    /// What is free there, in words: `2.5 of 4 cores free, 3.0G of 8.0G`.
    pub room: String,
    /// Replicas of the services in question that are wanted there now.
    pub replicas: u32,
    /// So many more replicas have room there; none where several services would move, which have no common size.
    pub fits: Option<u32>,
    /// Why it cannot go there; none when it can.
    pub refusal: Option<String>,
}

/// Every place to which a scope could move from where it is, each region before its hosts. A refusal when it can move
/// nowhere at all.
pub fn targets(world: &World<'_>, what: &Scope, from: &Site) -> Result<Vec<Target>, Refusal> {
    let start = End::find(world, from)?;
    let cargo = cargo::gather(world, what, start)?;
    let mut targets = Vec::new();
    for region in &world.fleet.regions {
        let end = End { region: &region.name, host: None };
        let books = Books::new(world, &region.name, &BTreeSet::new());
        let mut without = books.clone();
        vacate(&mut without, &cargo.loads, start, end);
        let mut picker = Picker { world, cargo: &cargo, start, books, without };
        if end != start {
            targets.push(picker.target(end, Site::Region(region.name.clone())));
        }
        let hosts: Vec<&HostName> = picker.books.hosts.iter().map(|book| &book.view.name).collect();
        for host in hosts {
            let end = End { host: Some(host), ..end };
            if end != start {
                targets.push(picker.target(end, Site::Host(host.clone())));
            }
        }
    }
    Ok(targets)
}

struct Picker<'p, 'a> {
    world: &'p World<'a>,
    cargo: &'p Cargo<'a>,
    start: End<'a>,
    /// A region's books as they are, and without what would leave.
    books: Books<'a>,
    without: Books<'a>,
}

impl Picker<'_, '_> {
    fn target(&mut self, end: End<'_>, site: Site) -> Target {
        let open = || self.books.hosts.iter().filter(|book| book.closed.is_none()).count();
        let room = end
            .host
            .and_then(|host| self.books.host(host))
            .map_or_else(|| format!("{} of {} hosts open", open(), self.books.hosts.len()), room);
        let refusal = self.refusal(end).map(|refusal| refusal.to_string());
        let fits = self.fits(end);
        Target { site, room, replicas: self.count(end.region, end.host), fits, refusal }
    }

    /// How many replicas of the one service would find room, by what its hosts say, one after the other.
    fn fits(&self, end: End<'_>) -> Option<u32> {
        let [load] = self.cargo.loads.as_slice() else { return None };
        let mut books: Vec<HostBook<'_>> = self
            .without
            .hosts
            .iter()
            .filter(|book| end.host.is_none_or(|host| book.view.name == *host))
            .cloned()
            .collect();
        let mut fits = 0;
        for book in &mut books {
            while fits < MOST_SHOWN && book.refuses(load.service, &load.revision.spec).is_none() {
                fits += 1;
                book.enter(load.service, Slot(u32::MAX - fits), Some(&load.revision.spec));
            }
        }
        Some(fits)
    }

    fn refusal(&mut self, end: End<'_>) -> Option<Refusal> {
        let cargo = self.cargo.clone().bound_for(self.start, end);
        if let Err(refusal) =
            cargo::allowed(&cargo, self.start, end).and_then(|()| cargo::open(self.world, &self.books, end))
        {
            return Some(refusal);
        }
        let numbers = numbers(self.world, &cargo.loads, self.start, end);
        if end.host.is_some() {
            // A host's page is copied there, so these books stay as they are.
            return cargo::settle(&mut self.without, &cargo.loads, end, &numbers).err();
        }
        cargo::settle(&mut self.without.clone(), &cargo.loads, end, &numbers).err()
    }

    fn count(&self, region: &RegionName, host: Option<&HostName>) -> u32 {
        let assignments =
            self.cargo.loads.iter().filter_map(|load| self.world.desired.assignment(load.service, region));
        let places = assignments.flat_map(|assignment| assignment.slots.values());
        let here = places.filter(|place| host.is_none_or(|host| place.host == *host)).count();
        u32::try_from(here).unwrap_or(u32::MAX)
    }
}

/// What is not set aside on a host.
fn room(book: &HostBook<'_>) -> String {
    let replicas = match book.total {
        1 => "1 replica".to_owned(),
        many => format!("{many} replicas"),
    };
    let Some(facts) = &book.view.facts else { return replicas };
    let free = (u64::from(facts.cpus) * 1000).saturating_sub(book.cpu);
    let memory = facts.memory.saturating_sub(book.memory);
    let (memory, of) = (text::bytes(memory), text::bytes(facts.memory));
    format!("{} of {} and {memory} of {of} free, {replicas}", cores(free), facts.cpus)
}
