//! What a migration takes along, from where to where, and whether it may.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Refusal, World,
    eligible::{Books, grouped, pinned_volume, unseen},
    index::defaults,
    lookup,
    placement::{self, NoPlace, Request},
    scale,
};
use crate::model::{
    Assignment, HostName, Mode, MountSource, Place, RegionName, Revision, Scope, ServiceKey, Site, Slot,
};

/// One end of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End<'a> {
    pub region: &'a RegionName,
    /// None: any host of the region.
    pub host: Option<&'a HostName>,
}

impl<'a> End<'a> {
    pub fn find(world: &World<'a>, site: &Site) -> Result<Self, Refusal> {
        match site {
            Site::Region(name) => Ok(Self { region: lookup::region(world, name)?, host: None }),
            Site::Host(name) => {
                let host = lookup::host(world, name)?;
                let (region, _) = world.fleet.host(host).ok_or_else(|| Refusal::Invalid(format!("no host {name}")))?;
                Ok(Self { region: &region.name, host: Some(host) })
            }
        }
    }
}

/// Slots of one service that move.
#[derive(Clone)]
pub(super) struct Load<'a> {
    pub service: &'a ServiceKey,
    pub before: &'a Assignment,
    pub revision: &'a Revision,
    pub slots: BTreeMap<Slot, &'a Place>,
}

/// What moves, and what of the scope does not.
#[derive(Clone)]
pub(super) struct Cargo<'a> {
    pub loads: Vec<Load<'a>>,
    pub warnings: Vec<String>,
    /// It is of a whole stack, so that parts of it may stay behind.
    whole: bool,
}

impl Cargo<'_> {
    /// Without what is at the target already, and without a stack's jobs where only hosts change.
    pub fn bound_for(mut self, from: End<'_>, to: End<'_>) -> Self {
        self.loads.iter_mut().for_each(|load| load.slots.retain(|_, place| to.host != Some(&place.host)));
        self.loads.retain(|load| !load.slots.is_empty());
        if self.whole && from.region == to.region {
            let Self { loads, warnings, .. } = &mut self;
            loads.retain(|load| {
                let is_job = load.revision.spec.deploy.mode == Mode::ReplicatedJob;
                if is_job {
                    warnings.push(format!("{} is a job and stays: on another host it would run again", load.service));
                }
                !is_job
            });
        }
        self
    }
}

/// Everything of a scope that is at one end. What can move nowhere is refused, or left out with a warning where it
/// is only a part of a stack.
pub(super) fn gather<'a>(world: &World<'a>, what: &Scope, from: End<'a>) -> Result<Cargo<'a>, Refusal> {
    let whole = matches!(what, Scope::Stack(_));
    let mut cargo = Cargo { loads: Vec::new(), warnings: Vec::new(), whole };
    let mut rooted = Vec::new();
    for service in services(world, what)? {
        let Some(before) = world.desired.assignment(service, from.region) else { continue };
        let Some(revision) = lookup::current(world, service) else { continue };
        let wanted = |slot: &Slot| !matches!(what, Scope::Replica(_, only) if only != slot);
        let here = |place: &Place| from.host.is_none_or(|host| place.host == *host);
        let slots: BTreeMap<Slot, &Place> = before
            .slots
            .iter()
            .filter(|(slot, place)| wanted(slot) && here(place))
            .map(|(slot, place)| (*slot, place))
            .collect();
        if slots.is_empty() {
            continue;
        }
        if matches!(revision.spec.deploy.mode, Mode::Global | Mode::GlobalJob) {
            let why = format!("{service} runs once on every host that fits (mode: global)");
            if !whole {
                return Err(Refusal::Invalid(format!("{why}: there is nothing to move")));
            }
            cargo.warnings.push(format!("{why}: it stays"));
            continue;
        }
        if let Some(volume) = pinned_volume(&revision.spec, world.desired.stacks.get(&service.stack)) {
            let mut hosts: Vec<&str> = slots.values().map(|place| place.host.as_str()).collect();
            hosts.sort_unstable();
            hosts.dedup();
            rooted.push(format!("{service} has its volume {volume} only on {}", hosts.join(", ")));
            continue;
        }
        cargo.loads.push(Load { service, before, revision, slots });
    }
    if !rooted.is_empty() {
        let rest = if whole { "; migrate the other services one by one" } else { "" };
        return Err(Refusal::Invalid(format!("{}, and volumes are not copied{rest}", rooted.join("; "))));
    }
    if cargo.loads.is_empty() {
        return Err(Refusal::Invalid(nothing(world, what, from)));
    }
    Ok(cargo)
}

fn services<'a>(world: &World<'a>, what: &Scope) -> Result<Vec<&'a ServiceKey>, Refusal> {
    match what {
        Scope::Service(key) | Scope::Replica(key, _) => Ok(vec![lookup::service(world, key)?]),
        Scope::Stack(stack) => {
            lookup::stack(world, stack)?;
            Ok(world.desired.services.keys().filter(|key| key.stack == *stack).collect())
        }
    }
}

fn nothing(world: &World<'_>, what: &Scope, from: End<'_>) -> String {
    let at = from.host.map_or_else(|| from.region.to_string(), ToString::to_string);
    let of_scope = |key: &ServiceKey, slot: Slot| match what {
        Scope::Stack(stack) => key.stack == *stack,
        Scope::Service(service) => key == service,
        Scope::Replica(service, only) => key == service && slot == *only,
    };
    let mut places: Vec<String> = world
        .desired
        .replicas()
        .filter(|(replica, _)| of_scope(&replica.service, replica.slot))
        .map(|(_, place)| place.host.to_string())
        .collect();
    places.sort_unstable();
    places.dedup();
    match places.as_slice() {
        [] => format!("nothing of {what} is wanted on {at}, or anywhere"),
        some => format!("nothing that could move of {what} is on {at}; it runs on {}", some.join(", ")),
    }
}

/// Whether the cargo may go to a region at all.
pub(super) fn allowed(cargo: &Cargo<'_>, from: End<'_>, to: End<'_>) -> Result<(), Refusal> {
    if from.region == to.region {
        let job = cargo.loads.iter().find(|load| load.revision.spec.deploy.mode == Mode::ReplicatedJob);
        return job.map_or(Ok(()), |load| {
            Err(Refusal::Invalid(format!("{} is a job: on another host it would run again", load.service)))
        });
    }
    cargo.loads.iter().try_for_each(|load| scale::allowed(load.service, &load.revision.spec, to.region))
}

/// A refusal when the target takes nothing new, whatever it is.
pub(super) fn open(world: &World<'_>, books: &Books<'_>, to: End<'_>) -> Result<(), Refusal> {
    if let Some(host) = to.host {
        let closed = books.host(host).and_then(|book| book.closed.clone());
        return closed.map_or(Ok(()), |why| {
            let mend = if world.desired.is_open(host) {
                format!("`wharf doctor` says what is wrong with {host}")
            } else {
                format!("`wharf uncordon {host}` opens it")
            };
            Err(Refusal::Invalid(format!("{host} takes nothing new: {why}; {mend}")))
        });
    }
    let suspect_after = defaults(world, to.region).suspect_after;
    let blind: Vec<_> = books
        .hosts
        .iter()
        .filter_map(|book| Some((book.view.name.clone(), unseen(world, book.view, suspect_after)?)))
        .collect();
    if blind.len() < books.hosts.len() {
        return Ok(());
    }
    let why = if blind.is_empty() { "it has no hosts".to_owned() } else { grouped(blind).join("; ") };
    Err(Refusal::Invalid(format!("{} cannot be reached now: {why}; `wharf doctor` says how to mend it", to.region)))
}

/// Finds the new places, in the order of the loads and slots. `slots` gives the numbers at the target.
pub(super) fn settle(
    books: &mut Books<'_>,
    loads: &[Load<'_>],
    to: End<'_>,
    numbers: &[Vec<Slot>],
) -> Result<Vec<BTreeMap<Slot, HostName>>, Refusal> {
    let mut page = to.host.and_then(|host| books.host(host)).cloned();
    let mut settled = Vec::new();
    for (load, slots) in loads.iter().zip(numbers) {
        let (service, spec) = (load.service, &load.revision.spec);
        let refusal = |slot: Slot, reasons| Refusal::NoHost {
            service: service.clone(),
            region: to.region.clone(),
            slot,
            reasons,
        };
        let Some(page) = &mut page else {
            let request = Request { service, spec, avoid: &BTreeSet::new(), never: &BTreeMap::new() };
            let placed = placement::place(books, request, slots.iter().copied());
            settled.push(placed.map_err(|NoPlace { slot, reasons }| refusal(slot, reasons))?);
            continue;
        };
        let mut placed = BTreeMap::new();
        for slot in slots {
            if let Some(why) = page.refuses(service, spec) {
                return Err(refusal(*slot, vec![format!("{} {why}", page.view.name)]));
            }
            page.enter(service, *slot, Some(spec));
            placed.insert(*slot, page.view.name.clone());
        }
        settled.push(placed);
    }
    Ok(settled)
}

/// What every host has: the engine's socket and the like.
const OWN: [&str; 6] = ["/var/run", "/run", "/proc", "/sys", "/dev", "/etc/localtime"];

/// Paths of the host that a service uses: the target must have them too.
pub(super) fn binds(revision: &Revision) -> Vec<&str> {
    let mounts = revision.spec.mounts.iter();
    let is_own = |path: &str| OWN.iter().any(|own| path.starts_with(own));
    let paths = mounts.filter_map(|mount| match &mount.source {
        MountSource::Bind { path, .. } if !is_own(path) => Some(path.as_str()),
        _ => None,
    });
    paths.collect()
}
