//! Choosing: where something moves to, which revision it runs again. What can be chosen is worked out by planning and
//! follows the fleet while the picker is open; the selection sticks to what it was on.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    model::{Desired, Fleet, HostName, Place, RegionName, Revision, Scope, ServiceKey, Site, Slot, StackName},
    plan::{self, Plan, Refusal, Target, World},
    text::{Text, short_image},
};

/// Where something could move.
#[derive(Debug, Clone, PartialEq)]
pub struct MovePicker {
    /// What moves.
    pub what: Scope,
    /// Where it is: regions, and hosts of them.
    pub sources: Vec<Site>,
    /// The chosen one of these.
    pub from: usize,
    /// Where it could go, also where it cannot, with the reason.
    pub targets: Vec<Target>,
    /// The selected one of these.
    pub at: usize,
    /// What moving there would be.
    pub plan: Option<Result<Plan, Refusal>>,
    /// The operator has not chosen yet: the first target that takes it is selected.
    fresh: bool,
}

impl MovePicker {
    /// Opens one, from the source that fits best. [`MovePicker::work_out`] fills it.
    pub fn new(what: Scope, sources: Vec<Site>, from: usize) -> Self {
        Self { what, sources, from, targets: Vec::new(), at: 0, plan: None, fresh: true }
    }

    /// The source.
    pub fn source(&self) -> Option<&Site> {
        self.sources.get(self.from)
    }

    /// The selected target.
    pub fn selected(&self) -> Option<&Target> {
        self.targets.get(self.at)
    }

    /// Works out what there is to choose from.
    pub fn work_out(&mut self, world: &World<'_>) {
        let selected = self.selected().map(|target| target.site.clone()).filter(|_| !self.fresh);
        self.targets = match self.source() {
            Some(from) => plan::targets(world, &self.what, from).unwrap_or_else(|why| nowhere(world.fleet, from, &why)),
            None => Vec::new(),
        };
        let list = &self.targets;
        let same = selected.and_then(|site| list.iter().position(|target| target.site == site));
        // Leaving a region is for another one, where its hosts share the load.
        let usual = |target: &Target| {
            target.refusal.is_none()
                && (matches!(target.site, Site::Region(_)) || matches!(self.source(), Some(Site::Host(_))))
        };
        let takes = |target: &Target| target.refusal.is_none();
        let place = || list.iter().position(usual).or_else(|| list.iter().position(takes));
        let first = || place().filter(|_| self.fresh);
        self.at = same.or_else(first).unwrap_or(self.at).min(list.len().saturating_sub(1));
        self.weigh(world);
    }

    /// Selects a target.
    pub fn select(&mut self, at: usize, world: &World<'_>) {
        self.at = at;
        self.fresh = false;
        self.weigh(world);
    }

    /// Takes the next source, or the one before.
    pub fn turn(&mut self, forward: bool, world: &World<'_>) {
        let many = self.sources.len().max(1);
        self.from = (self.from + if forward { 1 } else { many - 1 }) % many;
        self.fresh = true;
        self.work_out(world);
    }

    fn weigh(&mut self, world: &World<'_>) {
        self.plan = match (self.source(), self.selected()) {
            (Some(from), Some(target)) => Some(plan::migrate(world, &self.what, from, &target.site)),
            _ => None,
        };
    }
}

/// Every place but the source, each refused for the one reason for which it can move nowhere at all.
fn nowhere(fleet: &Fleet, from: &Site, why: &Refusal) -> Vec<Target> {
    let regions = fleet.regions.iter();
    let sites = regions.flat_map(|region| {
        let hosts = region.hosts.iter().map(|host| Site::Host(host.name.clone()));
        std::iter::once(Site::Region(region.name.clone())).chain(hosts)
    });
    let target = |site| Target { site, room: String::new(), replicas: 0, fits: None, refusal: Some(why.to_string()) };
    sites.filter(|site| site != from).map(target).collect()
}

/// Where replicas of a scope are wanted: each region, then its hosts, in the fleet's order.
pub fn sources(fleet: &Fleet, desired: &Desired, what: &Scope) -> Vec<Site> {
    let mut sources = Vec::new();
    for region in &fleet.regions {
        let hosts: BTreeSet<&HostName> = places(desired, what, &region.name).map(|(.., place)| &place.host).collect();
        if hosts.is_empty() {
            continue;
        }
        sources.push(Site::Region(region.name.clone()));
        let known = region.hosts.iter().filter(|host| hosts.contains(&host.name));
        sources.extend(known.map(|host| Site::Host(host.name.clone())));
    }
    sources
}

/// The wanted replicas of a scope in a region.
pub fn places<'a>(
    desired: &'a Desired,
    what: &'a Scope,
    region: &'a RegionName,
) -> impl Iterator<Item = (&'a ServiceKey, Slot, &'a Place)> {
    let services = desired.services.iter().filter(move |(key, _)| match what {
        Scope::Stack(stack) => key.stack == *stack,
        Scope::Service(service) | Scope::Replica(service, _) => *key == service,
    });
    let slots = services.filter_map(move |(key, regions)| Some((key, regions.get(region)?)));
    slots.flat_map(|(key, assignment)| assignment.slots.iter().map(move |(slot, place)| (key, *slot, place))).filter(
        move |(_, slot, _)| match what {
            Scope::Replica(_, only) => only == slot,
            Scope::Stack(_) | Scope::Service(_) => true,
        },
    )
}

/// Which revision something could run again.
#[derive(Debug, Clone, PartialEq)]
pub struct RevisionPicker {
    /// A service, or a stack with all of its services.
    pub what: Scope,
    /// What is kept, newest first.
    pub kept: Vec<Kept>,
    /// The selected one.
    pub at: usize,
    /// The first line of the difference that is shown.
    pub top: usize,
    /// What running it again would be.
    pub plan: Option<Result<Plan, Refusal>>,
    fresh: bool,
}

/// A kept revision of a service, or a version of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub no: u32,
    /// When it came.
    pub at: Timestamp,
    /// Who made it.
    pub by: Text,
    /// How: `deploy`, `rollback to r5`.
    pub note: Text,
    /// The image, or the services with their revisions.
    pub what: Text,
    /// It is what runs.
    pub runs: bool,
}

impl RevisionPicker {
    /// Opens one. [`RevisionPicker::work_out`] fills it.
    pub fn new(what: Scope) -> Self {
        Self { what, kept: Vec::new(), at: 0, top: 0, plan: None, fresh: true }
    }

    /// The selected one.
    pub fn selected(&self) -> Option<&Kept> {
        self.kept.get(self.at)
    }

    /// Its name: `r7` of a service, `version 7` of a stack.
    pub fn name(&self, no: u32) -> String {
        if matches!(self.what, Scope::Stack(_)) { format!("version {no}") } else { format!("r{no}") }
    }

    /// Works out what there is to choose from.
    pub fn work_out(&mut self, world: &World<'_>, who: &str) {
        let selected = self.selected().map(|kept| kept.no).filter(|_| !self.fresh);
        self.kept = match &self.what {
            Scope::Stack(stack) => versions(world, stack),
            Scope::Service(service) | Scope::Replica(service, _) => revisions(world, service),
        };
        let wanted = selected.or_else(|| self.usual(world, who));
        let place = wanted.and_then(|no| self.kept.iter().position(|kept| kept.no == no));
        self.at = place.unwrap_or(self.at).min(self.kept.len().saturating_sub(1));
        self.weigh(world, who);
    }

    /// The one that a roll-back without a number would take.
    fn usual(&self, world: &World<'_>, who: &str) -> Option<u32> {
        let plan = plan::rollback(world, &self.what, None, who).ok()?;
        plan.proposal.equivalent.rsplit(' ').next()?.trim_start_matches('r').parse().ok()
    }

    /// Selects one.
    pub fn select(&mut self, at: usize, world: &World<'_>, who: &str) {
        (self.at, self.top, self.fresh) = (at, 0, false);
        self.weigh(world, who);
    }

    fn weigh(&mut self, world: &World<'_>, who: &str) {
        let no = self.selected().map(|kept| kept.no);
        self.plan = no.map(|no| plan::rollback(world, &self.what, Some(no), who));
    }
}

fn revisions(world: &World<'_>, service: &ServiceKey) -> Vec<Kept> {
    let now = plan::current(world, service).map(|now| now.no);
    let kept = |revision: &Revision| Kept {
        no: revision.no.0,
        at: revision.at,
        by: Text::new(&revision.by),
        note: Text::new(&revision.note),
        what: Text::new(&short_image(&revision.image)),
        runs: now == Some(revision.no),
    };
    let all = world.desired.revisions.get(service).into_iter().flat_map(|kept| kept.values()).rev();
    all.map(|revision| kept(revision)).collect()
}

fn versions(world: &World<'_>, stack: &StackName) -> Vec<Kept> {
    let mut one_runs = false;
    plan::versions(world.desired, stack)
        .into_iter()
        .map(|version| {
            let services: Vec<String> =
                version.revisions.iter().map(|(service, no)| format!("{} r{no}", service.service)).collect();
            // Later ones may have changed nothing that runs.
            let runs = !one_runs && plan::is_what_runs(world, stack, version.no);
            one_runs |= runs;
            Kept {
                no: version.no,
                at: version.at,
                by: Text::new(&version.by),
                note: Text::new(&version.note),
                what: Text::new(&services.join(", ")),
                runs,
            }
        })
        .collect()
}
