//! Moving replicas so that services are spread as placement would spread them, and hosts carry about the same.
//!
//! Each move makes something strictly better: first a service's own spread (over its labels, then over hosts), then
//! what is set aside on the hosts, in quarters, then their number of replicas; and nothing that comes before gets worse.
//! So it ends, and asking again finds nothing. Only what is wanted counts, not loads, which change with every sample.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Plan, Refusal, StepKind, World,
    describe::{Change, describe},
    drain::rooted,
    eligible::{Books, HostBook},
    lookup,
    placement::{Gain, Levels},
    scale,
};
use crate::model::{Assignment, HostName, Intent, Mode, RegionName, ReplicaKey, Revision, ServiceKey, Slot};

/// A quarter of a host, in thousandths: as placement counts.
const QUARTER: u64 = 250;

/// So many of the fullest and of the emptiest hosts are looked at for one move between them.
const LOOKED_AT: usize = 16;

/// Works out a rebalance of a region, or of all. Nothing to do gives an empty plan.
pub fn rebalance(world: &World<'_>, region: Option<&RegionName>) -> Result<Plan, Refusal> {
    let regions: Vec<&RegionName> = match region {
        Some(region) => vec![lookup::region(world, region)?],
        None => world.fleet.regions.iter().map(|region| &region.name).collect(),
    };
    let mut changes = Vec::new();
    let mut spreads: BTreeMap<(ServiceKey, RegionName), String> = BTreeMap::new();
    let mut hosts = Vec::new();
    for region in regions {
        let mut scales = Scales::new(world, region);
        let before = scales.books.clone();
        scales.balance();
        let here = scales.changes();
        for change in &here {
            let key = (change.service.clone(), region.clone());
            let (old, new) = (spread(&before, &change.service), spread(&scales.books, &change.service));
            spreads.insert(key, format!("spread {old} → {new}"));
        }
        if !here.is_empty() {
            hosts.push(format!("{region}: hosts carry {} replicas → {}", range(&before), range(&scales.books)));
        }
        changes.extend(here);
    }
    let mut told = describe(world, &changes, &[]);
    for step in told.steps.iter_mut().filter(|step| step.kind == StepKind::Replace) {
        let of = step.service.clone().zip(step.region.clone()).and_then(|key| spreads.get(&key));
        step.why.extend(of.map(|words| format!("; {words}")));
    }
    let moves = changes.iter().map(moved).sum::<usize>();
    let pulls: usize = told.steps.iter().filter(|step| step.kind == StepKind::Pull).map(|step| step.items.len()).sum();
    if moves > 0 {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let cost = format!("it costs {} and {}", count(moves, "move"), count(pulls, "pull"));
        told.warnings.splice(0..0, std::iter::once(cost).chain(hosts));
    }
    let equivalent = region.map_or_else(|| "wharf rebalance".to_owned(), |region| format!("wharf rebalance {region}"));
    let intent = Intent::Rebalance { region: region.cloned() };
    Ok(scale::plan(world, intent, equivalent, changes, Vec::new(), told, None))
}

/// How many replicas a rebalance of a region would move.
pub fn rebalance_moves(world: &World<'_>, region: &RegionName) -> usize {
    let mut scales = Scales::new(world, region);
    scales.balance();
    scales.changes().iter().map(moved).sum()
}

/// What a rebalance of a region would do, for a hint beside its hosts: `wharf rebalance west would move 4 replicas`. None
/// when it would do nothing.
pub fn rebalance_hint(world: &World<'_>, region: &RegionName) -> Option<String> {
    match rebalance_moves(world, region) {
        0 => None,
        1 => Some(format!("`wharf rebalance {region}` would move 1 replica")),
        moves => Some(format!("`wharf rebalance {region}` would move {moves} replicas")),
    }
}

fn moved(change: &Change) -> usize {
    let before = change.before.as_ref();
    let after = change.after.iter().flat_map(|after| &after.slots);
    after.filter(|(slot, place)| before.and_then(|before| before.slots.get(*slot)) != Some(*place)).count()
}

/// `2-1-1`, the fullest host first; hosts without any are told when they are open.
fn spread(books: &Books<'_>, service: &ServiceKey) -> String {
    let counts = books.hosts.iter().map(|book| (book.of(service), book.closed.is_none()));
    let mut counts: Vec<u32> = counts.filter(|(count, open)| *count > 0 || *open).map(|(count, _)| count).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts.iter().map(ToString::to_string).collect::<Vec<_>>().join("-")
}

/// `1 to 5`.
fn range(books: &Books<'_>) -> String {
    let open = || books.hosts.iter().filter(|book| book.closed.is_none()).map(|book| book.total);
    match (open().min(), open().max()) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
        (Some(least), _) => least.to_string(),
        _ => "0".to_owned(),
    }
}

/// A service whose replicas may move.
struct Freight<'a> {
    service: &'a ServiceKey,
    before: &'a Assignment,
    revision: &'a Revision,
}

struct Scales<'a> {
    books: Books<'a>,
    freights: BTreeMap<&'a ServiceKey, Freight<'a>>,
    /// Where each slot is by now.
    places: BTreeMap<&'a ServiceKey, BTreeMap<Slot, HostName>>,
}

impl<'a> Scales<'a> {
    fn new(world: &World<'a>, region: &'a RegionName) -> Self {
        let books = Books::new(world, region, &BTreeSet::new());
        let mut freights = BTreeMap::new();
        let mut places = BTreeMap::new();
        for (service, regions) in &world.desired.services {
            let (Some(before), Some(revision)) = (regions.get(region), lookup::current(world, service)) else {
                continue;
            };
            let global = matches!(revision.spec.deploy.mode, Mode::Global | Mode::GlobalJob);
            let stays = before
                .slots
                .values()
                .next()
                .is_none_or(|place| rooted(world, service, &revision.spec, &place.host).is_some());
            if global || stays {
                continue;
            }
            let slots = before.slots.iter().map(|(slot, place)| (*slot, place.host.clone())).collect();
            places.insert(service, slots);
            freights.insert(service, Freight { service, before, revision });
        }
        Self { books, freights, places }
    }

    fn balance(&mut self) {
        loop {
            let mut moved = false;
            let services: Vec<&'a ServiceKey> = self.freights.keys().copied().collect();
            for service in services {
                while self.spread_out(service) {
                    moved = true;
                }
            }
            while self.even_out() {
                moved = true;
            }
            if !moved {
                return;
            }
        }
    }

    /// Moves one replica of a service to where placement would rather have it for the service's own spread.
    fn spread_out(&mut self, service: &'a ServiceKey) -> bool {
        let Some(freight) = self.freights.get(service) else { return false };
        let levels = Levels::count(&self.books, service, &freight.revision.spec.deploy.spread);
        let rank = |book: &HostBook<'_>| (levels.of(book.view), book.of(service));
        // From where it is thickest, to where it is thinnest; among equals from the fullest and to the emptiest host.
        let mut sources: Vec<&HostBook<'_>> =
            self.books.hosts.iter().filter(|book| book.closed.is_none() && book.of(service) > 0).collect();
        sources.sort_by_key(|book| std::cmp::Reverse((rank(book), weight(book))));
        let mut targets: Vec<&HostBook<'_>> = self.books.hosts.iter().filter(|book| book.closed.is_none()).collect();
        targets.sort_by_key(|book| (rank(book), weight(book)));
        for from in &sources {
            for to in targets.iter().take_while(|to| rank(to) < rank(from)) {
                if levels.gain(from, to, service) == Gain::Better
                    && to.refuses(service, &freight.revision.spec).is_none()
                {
                    let (from, to) = (from.view.name.clone(), to.view.name.clone());
                    self.carry(service, &from, &to);
                    return true;
                }
            }
        }
        false
    }

    /// Moves one replica from a fuller host to an emptier one, where its service is spread no worse then.
    fn even_out(&mut self) -> bool {
        let Some((service, from, to)) = self.evening() else { return false };
        self.carry(service, &from, &to);
        true
    }

    fn evening(&self) -> Option<(&'a ServiceKey, HostName, HostName)> {
        let mut open: Vec<&HostBook<'_>> = self.books.hosts.iter().filter(|book| book.closed.is_none()).collect();
        open.sort_by_key(|book| (weight(book), &book.view.name));
        let light = open.iter().take(LOOKED_AT);
        let pairs = light.flat_map(|to| open.iter().rev().take(LOOKED_AT).map(move |from| (*from, *to)));
        for (from, to) in pairs.filter(|(from, to)| from.view.name != to.view.name) {
            for (service, _) in from.services() {
                let Some((service, freight)) = self.freights.get_key_value(service) else { continue };
                let spec = &freight.revision.spec;
                if !is_lighter(from, to, freight.revision) || to.refuses(service, spec).is_some() {
                    continue;
                }
                let levels = Levels::count(&self.books, service, &spec.deploy.spread);
                if levels.gain(from, to, service) != Gain::Worse {
                    return Some((*service, from.view.name.clone(), to.view.name.clone()));
                }
            }
        }
        None
    }

    /// Moves the highest slot of a service that is on a host.
    fn carry(&mut self, service: &'a ServiceKey, from: &HostName, to: &HostName) {
        let (Some(freight), Some(places)) = (self.freights.get(service), self.places.get_mut(service)) else { return };
        let Some((slot, host)) = places.iter_mut().rev().find(|(_, host)| *host == from) else { return };
        host.clone_from(to);
        let spec = Some(&freight.revision.spec);
        let replica = ReplicaKey { region: self.books.region.clone(), service: service.clone(), slot: *slot };
        self.books.remove(&replica, from, spec);
        self.books.add(to, service, *slot, spec);
    }

    /// The fewest moves that give each host as many replicas of each service as it is to have.
    fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (service, places) in &self.places {
            let Some(freight) = self.freights.get(service) else { continue };
            let mut surplus: BTreeMap<HostName, i64> = BTreeMap::new();
            for place in freight.before.slots.values() {
                *surplus.entry(place.host.clone()).or_default() += 1;
            }
            for host in places.values() {
                *surplus.entry(host.clone()).or_default() -= 1;
            }
            let lacking: Vec<HostName> = surplus
                .iter()
                .flat_map(|(host, more)| std::iter::repeat_n(host, usize::try_from(-more).unwrap_or_default()))
                .cloned()
                .collect();
            let mut lacking = lacking.into_iter();
            let mut after = freight.before.clone();
            for place in after.slots.values_mut().rev() {
                let Some(more) = surplus.get_mut(&place.host).filter(|more| **more > 0) else { continue };
                let Some(host) = lacking.next() else { break };
                *more -= 1;
                place.host = host;
            }
            if after != *freight.before {
                changes.push(Change {
                    service: freight.service.clone(),
                    region: self.books.region.clone(),
                    before: Some(freight.before.clone()),
                    after: Some(after),
                    why: String::new(),
                });
            }
        }
        changes
    }
}

/// What a host carries: what is set aside, in quarters, then its replicas.
fn weight(book: &HostBook<'_>) -> (u64, u32) {
    (book.load().0 / QUARTER, book.total)
}

/// True when a move from one host to the other evens them out: by what is set aside, else by number.
fn is_lighter(from: &HostBook<'_>, to: &HostBook<'_>, revision: &Revision) -> bool {
    let wants = &revision.spec.deploy.resources;
    let (cpu, memory) = (wants.cpu_reserved.unwrap_or_default(), wants.memory_reserved.unwrap_or_default());
    let square = |quarters: u64| quarters.saturating_mul(quarters);
    let of = |book: &HostBook<'_>, cpu: u64, memory: u64| square(book.share(cpu, memory) / QUARTER);
    let count = |n: u32| square(u64::from(n));
    let before = (of(from, from.cpu, from.memory) + of(to, to.cpu, to.memory), count(from.total) + count(to.total));
    let after = (
        of(from, from.cpu.saturating_sub(cpu), from.memory.saturating_sub(memory))
            + of(to, to.cpu + cpu, to.memory + memory),
        count(from.total.saturating_sub(1)) + count(to.total + 1),
    );
    after < before
}
