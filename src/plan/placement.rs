//! Where replicas go: pure and deterministic.
//!
//! A host is chosen by, in this order: not one where the service keeps dying; the values of the service's
//! `spread` labels with the fewest of its replicas; the host with the fewest of them; the emptier host, by what is
//! set aside or used relative to its size, in quarters, then by what is set aside; fewest replicas of all services;
//! name.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::eligible::{Books, HostBook, grouped};
use crate::model::{HostName, HostView, ServiceKey, ServiceSpec, Slot};

/// What shall be placed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Of which service.
    pub service: &'a ServiceKey,
    /// What will run.
    pub spec: &'a ServiceSpec,
    /// Hosts where it keeps dying: last choice.
    pub avoid: &'a BTreeSet<HostName>,
    /// Hosts that refused it: no choice.
    pub never: &'a BTreeMap<HostName, String>,
}

/// A slot that no host can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPlace {
    /// Which.
    pub slot: Slot,
    /// Why, one clause per group of hosts.
    pub reasons: Vec<String>,
}

/// Finds a host for each slot, in order, and enters it into the books. All or nothing in what it returns; the books
/// keep what was entered before a failure.
pub fn place(
    books: &mut Books<'_>,
    request: Request<'_>,
    slots: impl IntoIterator<Item = Slot>,
) -> Result<BTreeMap<Slot, HostName>, NoPlace> {
    let mut placed = BTreeMap::new();
    for slot in slots {
        let host = choose(books, request).map_err(|reasons| NoPlace { slot, reasons })?;
        books.add(&host, request.service, slot, Some(request.spec));
        placed.insert(slot, host);
    }
    Ok(placed)
}

fn choose(books: &Books<'_>, request: Request<'_>) -> Result<HostName, Vec<String>> {
    let Request { service, spec, avoid, never } = request;
    let levels = Levels::count(books, service, &spec.deploy.spread);
    let mut reasons = Vec::new();
    let mut best: Option<(_, &HostBook<'_>)> = None;
    for book in &books.hosts {
        let refused = never.get(&book.view.name).cloned().or_else(|| book.refuses(service, spec));
        if let Some(reason) = refused {
            reasons.push((book.view.name.clone(), reason));
            continue;
        }
        let (reserved, used) = book.load();
        let rank = (
            avoid.contains(&book.view.name),
            levels.of(book.view),
            book.of(service),
            // Quarters: a plan must not change with every sample of a load.
            reserved.max(used) / 250,
            reserved,
            book.total,
        );
        // Hosts come by name, so the first of equals is the one to keep.
        if best.as_ref().is_none_or(|(known, _)| rank < *known) {
            best = Some((rank, book));
        }
    }
    match best {
        Some((_, book)) => Ok(book.view.name.clone()),
        None if reasons.is_empty() => Err(vec!["the region has no hosts".into()]),
        None => Err(grouped(reasons)),
    }
}

/// How many replicas of a service there are per value of its spread labels, nested.
pub(crate) struct Levels<'s> {
    labels: &'s [String],
    counts: BTreeMap<Vec<String>, u32>,
}

impl<'s> Levels<'s> {
    pub(crate) fn count(books: &Books<'_>, service: &ServiceKey, labels: &'s [String]) -> Self {
        let mut counts = BTreeMap::new();
        if !labels.is_empty() {
            for book in &books.hosts {
                let path = path(book.view, labels);
                for depth in 1..=labels.len() {
                    *counts.entry(path.iter().take(depth).cloned().collect()).or_default() += book.of(service);
                }
            }
        }
        Self { labels, counts }
    }

    /// The counts for a host, outermost level first. A host without a label counts under the empty value.
    pub(crate) fn of(&self, view: &HostView) -> Vec<u32> {
        let path = path(view, self.labels);
        (1..=self.labels.len())
            .map(|depth| {
                let prefix: Vec<String> = path.iter().take(depth).cloned().collect();
                self.counts.get(&prefix).copied().unwrap_or_default()
            })
            .collect()
    }
}

/// What becomes of a service's spread when one replica moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gain {
    Better,
    /// As even as before, only the other way round.
    Equal,
    Worse,
}

impl Levels<'_> {
    /// What a move of one replica of the service between two hosts does to its spread, the outermost level first.
    pub(crate) fn gain(&self, from: &HostBook<'_>, to: &HostBook<'_>, service: &ServiceKey) -> Gain {
        let (source, target) = (path(from.view, self.labels), path(to.view, self.labels));
        let levels = self.of(from.view).into_iter().zip(self.of(to.view)).enumerate();
        // Within one value of a label nothing changes for it.
        let apart = levels.filter(|(at, _)| source.iter().zip(&target).take(at + 1).any(|(a, b)| a != b));
        let hosts = std::iter::once((from.of(service), to.of(service)));
        for (there, here) in apart.map(|(_, counts)| counts).chain(hosts) {
            match (here + 1).cmp(&there) {
                std::cmp::Ordering::Less => return Gain::Better,
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => return Gain::Worse,
            }
        }
        Gain::Equal
    }
}

fn path(view: &HostView, labels: &[String]) -> Vec<String> {
    labels.iter().map(|label| view.labels.get(label).cloned().unwrap_or_default()).collect()
}

/// How willingly a slot is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    /// Its host is gone, unknown or closed.
    Lost,
    /// Its replica does not do its work.
    Idle,
    /// It serves.
    Serving,
}

/// Chooses the slots that go when `surplus` of them must: the least worth first, then where the service is thickest,
/// the highest slot first. The books lose them.
pub(crate) fn give_up(
    books: &mut Books<'_>,
    service: &ServiceKey,
    spec: Option<&ServiceSpec>,
    slots: &BTreeMap<Slot, HostName>,
    worth: impl Fn(Slot) -> Worth,
    surplus: usize,
) -> BTreeSet<Slot> {
    let spread = spec.map(|spec| spec.deploy.spread.as_slice()).unwrap_or_default();
    let mut gone = BTreeSet::new();
    for _ in 0..surplus {
        let levels = Levels::count(books, service, spread);
        let next = slots.iter().filter(|(slot, _)| !gone.contains(*slot)).min_by_key(|(slot, host)| {
            let book = books.host(host);
            (
                worth(**slot),
                Reverse(book.map(|book| levels.of(book.view)).unwrap_or_default()),
                Reverse(book.map_or(u32::MAX, |book| book.of(service))),
                Reverse(**slot),
            )
        });
        let Some((slot, host)) = next else { break };
        let replica = crate::model::ReplicaKey { region: books.region.clone(), service: service.clone(), slot: *slot };
        gone.insert(*slot);
        books.remove(&replica, host, spec);
    }
    gone
}
