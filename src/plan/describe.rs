//! A change told to people: its steps, what capacity it costs, what to know before.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    PlanStep, StepKind, World,
    eligible::{grouped, unseen},
    images,
    index::{Index, defaults},
    links::{entries, links},
    operation::patience,
    release::drain_time,
    rollout::{Exchange, Pace},
};
use crate::{
    model::{Assignment, HostName, Place, RegionName, Revision, RevisionNo, ServiceKey, ServiceSpec, Slot},
    text::{self, short_image},
};

/// One assignment before and after.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub service: ServiceKey,
    pub region: RegionName,
    pub before: Option<Assignment>,
    pub after: Option<Assignment>,
    /// Why the new replicas are where they are.
    pub why: String,
}

/// What [`describe`] tells.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub steps: Vec<PlanStep>,
    pub replicas: (u32, u32),
    pub lowest: Option<(u32, u32)>,
    pub warnings: Vec<String>,
}

struct Teller<'w, 'a> {
    world: &'w World<'a>,
    fresh: &'w [Revision],
    told: Told,
    /// Healthy now and at the lowest, per service that loses running replicas.
    dips: BTreeMap<ServiceKey, (u32, u32)>,
    /// Pulls that are told already: each host needs an image once.
    pulled: BTreeSet<(HostName, String)>,
}

/// Tells what the changes mean. `fresh` are the revisions that come with them.
pub(crate) fn describe(world: &World<'_>, changes: &[Change], fresh: &[Revision]) -> Told {
    let mut teller = Teller { world, fresh, told: Told::default(), dips: BTreeMap::new(), pulled: BTreeSet::new() };
    let mut indexes: BTreeMap<&RegionName, Index<'_>> = BTreeMap::new();
    for change in changes {
        let index = indexes.entry(&change.region).or_insert_with(|| Index::new(world, &change.region, None));
        teller.change(index, change);
    }
    teller.tidy(changes);
    let Teller { mut told, dips, .. } = teller;
    told.steps.sort_by_key(|step| step.kind);
    told.lowest =
        dips.into_values().filter(|(_, now)| *now > 0).max_by_key(|(low, now)| (now - low, std::cmp::Reverse(*now)));
    told.warnings.extend(silent_hosts(world, changes));
    told
}

/// The slots of a change by what happens to them.
#[derive(Default)]
struct Sorted<'c> {
    started: Vec<(Slot, &'c Place)>,
    replaced: Vec<(Slot, &'c Place, &'c Place)>,
    stopped: Vec<(Slot, &'c Place)>,
}

impl Teller<'_, '_> {
    fn revision(&self, service: &ServiceKey, no: RevisionNo) -> Option<&Revision> {
        let fresh = self.fresh.iter().find(|revision| revision.service == *service && revision.no == no);
        fresh.or_else(|| self.world.desired.revision(service, no).map(AsRef::as_ref))
    }

    fn same(&self, service: &ServiceKey, a: RevisionNo, b: RevisionNo) -> bool {
        a == b
            || match (self.revision(service, a), self.revision(service, b)) {
                (Some(a), Some(b)) => a.image == b.image && a.spec.same_container(&b.spec),
                _ => false,
            }
    }

    fn sort<'c>(&self, change: &'c Change) -> Sorted<'c> {
        let none = Assignment::default();
        let mut sorted = Sorted::default();
        let round = |assignment: &Option<Assignment>| assignment.as_ref().map_or(0, |assignment| assignment.round);
        let again = round(&change.after) > round(&change.before);
        let before = change.before.as_ref().map_or_else(BTreeMap::new, |before| before.slots.iter().collect());
        for (slot, place) in change.after.iter().flat_map(|after| &after.slots) {
            match before.get(slot) {
                None => sorted.started.push((*slot, place)),
                Some(old) => {
                    let same = self.same(&change.service, old.revision, place.revision);
                    if old.host != place.host || !same || again {
                        sorted.replaced.push((*slot, old, place));
                    }
                }
            }
        }
        let after = &change.after.as_ref().unwrap_or(&none).slots;
        sorted.stopped = before
            .into_iter()
            .filter(|(slot, _)| !after.contains_key(*slot))
            .map(|(slot, place)| (*slot, place))
            .collect();
        sorted
    }

    fn change(&mut self, index: &Index<'_>, change: &Change) {
        let count = |assignment: &Option<Assignment>| {
            u32::try_from(assignment.as_ref().map_or(0, |assignment| assignment.slots.len())).unwrap_or(u32::MAX)
        };
        self.told.replicas.0 += count(&change.before);
        self.told.replicas.1 += count(&change.after);
        let sorted = self.sort(change);
        let name = &change.service.service;
        self.pulls(change, &sorted);
        self.test(index, change);
        if !sorted.started.is_empty() {
            let items = sorted.started.iter().map(|(slot, place)| format!("{name}.{slot} → {}", place.host)).collect();
            self.step(StepKind::Start, change, items, change.why.clone());
        }
        let mut awaited: Vec<String> = sorted.started.iter().map(|(slot, _)| format!("{name}.{slot}")).collect();
        awaited.extend(sorted.replaced.iter().map(|(slot, ..)| format!("{name}.{slot}")));
        if !awaited.is_empty() {
            let newest = change.after.iter().flat_map(|after| after.slots.values()).map(|place| place.revision).max();
            let spec = newest.and_then(|no| self.revision(&change.service, no)).map(|revision| &revision.spec);
            let why = health_words(spec, &index.defaults);
            let carried = self.is_carried(&change.service, spec);
            self.step(StepKind::Health, change, awaited.clone(), why);
            if carried {
                let why = "every proxy that can be reached takes them in";
                self.step(StepKind::Traffic, change, awaited, why.to_owned());
            }
        }
        let dip = self.replace(index, change, &sorted);
        if !sorted.stopped.is_empty() {
            let items = sorted.stopped.iter().map(|(slot, place)| format!("{name}.{slot} on {}", place.host)).collect();
            let no = sorted.stopped.first().map(|(_, place)| place.revision);
            let spec = no.and_then(|no| self.revision(&change.service, no)).map(|revision| &revision.spec);
            let why = if self.is_carried(&change.service, spec) { drain_words(index, spec) } else { String::new() };
            self.step(StepKind::Stop, change, items, why);
        }
        self.dip(index, change, &sorted, dip);
    }

    /// True when proxies carry a service: something comes in there, or others of its stack may reach it.
    fn is_carried(&self, service: &ServiceKey, spec: Option<&ServiceSpec>) -> bool {
        let Some(spec) = spec else { return false };
        let fresh = self.fresh.iter().map(|revision| &revision.service);
        let mut all = self.world.desired.services.keys().chain(fresh);
        let others = all.any(|key| key.stack == service.stack && key != service);
        !entries(spec).is_empty() || (others && !links(spec).is_empty())
    }

    fn step(&mut self, kind: StepKind, change: &Change, items: Vec<String>, why: String) {
        let (region, service) = (Some(change.region.clone()), Some(change.service.clone()));
        self.told.steps.push(PlanStep { kind, region, service, items, why });
    }

    fn pulls(&mut self, change: &Change, sorted: &Sorted<'_>) {
        let targets =
            sorted.started.iter().map(|(_, place)| *place).chain(sorted.replaced.iter().map(|(_, _, new)| *new));
        let targets: BTreeSet<(&HostName, RevisionNo)> = targets.map(|place| (&place.host, place.revision)).collect();
        let mut items = Vec::new();
        let mut have = 0;
        for (host, no) in &targets {
            let Some(image) = self.revision(&change.service, *no).map(|revision| revision.image.clone()) else {
                continue;
            };
            if self.world.observed.hosts.get(*host).is_some_and(|view| images::is_present(view, &image, None)) {
                have += 1;
            } else if self.pulled.insert(((*host).clone(), image.clone())) {
                items.push(format!("{} → {host}", short_image(&image)));
            }
        }
        let why = if have == 0 { String::new() } else { format!("{have} of {} hosts have it", targets.len()) };
        if !items.is_empty() {
            self.step(StepKind::Pull, change, items, why);
        }
    }

    /// The test that a new revision must pass, where it makes other containers than run now.
    fn test(&mut self, index: &Index<'_>, change: &Change) {
        let newest = change.after.iter().flat_map(|after| after.slots.values()).map(|place| place.revision).max();
        let is_new = |revision: &&Revision| revision.service == change.service && Some(revision.no) == newest;
        let Some(revision) = self.fresh.iter().find(is_new) else { return };
        let Some(words) = &revision.spec.wharf.test else { return };
        let mut before = change.before.iter().flat_map(|before| before.slots.values());
        if before.any(|place| self.same(&change.service, place.revision, revision.no)) {
            return;
        }
        let limit = text::duration(patience(&index.defaults, Some(&revision.spec)));
        let why = format!("must end with 0 within {limit}, before anything of it changes");
        self.step(
            StepKind::Test,
            change,
            vec![format!("{}: {}", change.service.service, shell_words::join(words))],
            why,
        );
    }

    /// The step for replaced slots; gives back how many may be without a healthy copy at once.
    fn replace(&mut self, index: &Index<'_>, change: &Change, sorted: &Sorted<'_>) -> u32 {
        if sorted.replaced.is_empty() {
            return 0;
        }
        let replicas = change.after.as_ref().map_or(0, |after| after.slots.len());
        let shared = self.world.desired.stacks.get(&change.service.stack);
        let mut items = Vec::new();
        let mut reason = None;
        let mut stopped_first = 0;
        let mut spec = None;
        for (slot, old, new) in &sorted.replaced {
            let what = match (old.host == new.host, old.revision == new.revision) {
                (true, true) => format!("on {}", new.host),
                (true, false) => format!("on {}: r{} → r{}", new.host, old.revision, new.revision),
                (false, true) => format!("{} → {}", old.host, new.host),
                (false, false) => format!("{} → {}, r{} → r{}", old.host, new.host, old.revision, new.revision),
            };
            items.push(format!("{}.{slot} {what}", change.service.service));
            let Some(revision) = self.revision(&change.service, new.revision) else { continue };
            spec = Some(&revision.spec);
            let exchange = Exchange {
                old_host: &old.host,
                old_spec: self.revision(&change.service, old.revision).map(|revision| &revision.spec),
                place: new,
                spec: &revision.spec,
                shared,
                replicas,
            };
            if let Some(why) = exchange.stop_first() {
                stopped_first += 1;
                reason = Some(why);
            }
        }
        let at_once = Pace::of(spec, &index.defaults, replicas, false).starts;
        let why = match &reason {
            Some(why) => format!("stop first ({why}), {at_once} at a time"),
            None => format!("start first, {at_once} at a time"),
        };
        if let Some(why) = reason.filter(|_| replicas == 1) {
            self.told.warnings.push(format!(
                "{} in {} is away while it is replaced: the old copy stops before the new one starts ({why})",
                change.service, change.region
            ));
        }
        self.step(StepKind::Replace, change, items, why);
        u32::try_from(at_once.min(stopped_first)).unwrap_or(u32::MAX)
    }

    fn dip(&mut self, index: &Index<'_>, change: &Change, sorted: &Sorted<'_>, stopped_first: u32) {
        if sorted.replaced.is_empty() && sorted.stopped.is_empty() {
            return;
        }
        let Some((key, _)) = self.world.desired.services.get_key_value(&change.service) else { return };
        let view = index.service(key);
        let now = u32::try_from(view.slots.iter().filter(|slot| slot.is_served()).count()).unwrap_or(u32::MAX);
        let after = change.after.as_ref().map_or(0, |after| after.slots.len());
        let low = now.min(u32::try_from(after).unwrap_or(u32::MAX)).saturating_sub(stopped_first);
        let entry = self.dips.entry(change.service.clone()).or_default();
        entry.0 += low;
        entry.1 += now;
    }

    /// Hosts on which nothing of a stack will be left.
    fn tidy(&mut self, changes: &[Change]) {
        let mut left: BTreeMap<_, BTreeSet<&HostName>> = BTreeMap::new();
        for change in changes {
            let hosts = change.before.iter().flat_map(|before| before.slots.values()).map(|place| &place.host);
            left.entry(&change.service.stack).or_default().extend(hosts);
        }
        for (stack, mut hosts) in left {
            for (service, regions) in self.world.desired.services.iter().filter(|(key, _)| key.stack == *stack) {
                for (region, assignment) in regions {
                    if !changes.iter().any(|change| change.service == *service && change.region == *region) {
                        hosts.retain(|host| !assignment.slots.values().any(|place| place.host == **host));
                    }
                }
            }
            for change in changes.iter().filter(|change| change.service.stack == *stack) {
                let kept: BTreeSet<&HostName> =
                    change.after.iter().flat_map(|after| after.slots.values()).map(|place| &place.host).collect();
                hosts.retain(|host| !kept.contains(host));
            }
            if !hosts.is_empty() {
                self.told.steps.push(PlanStep {
                    kind: StepKind::Tidy,
                    region: None,
                    service: None,
                    items: hosts.into_iter().map(|host| format!("networks of {stack} on {host}")).collect(),
                    why: String::new(),
                });
            }
        }
    }
}

/// How a replica leaves traffic.
fn drain_words(index: &Index<'_>, spec: Option<&ServiceSpec>) -> String {
    let drain = text::duration(drain_time(index, spec));
    format!("proxies send nothing new first; what was begun may take {drain}")
}

/// What a replica must do to count as healthy.
fn health_words(spec: Option<&ServiceSpec>, defaults: &crate::model::Defaults) -> String {
    let at_most = format!("at most {}", text::duration(defaults.healthy_deadline));
    let running = format!("runs for {}", text::duration(defaults.min_healthy));
    match spec.and_then(|spec| spec.healthcheck.as_ref()) {
        Some(check) if check.test.first().is_some_and(|first| first == "NONE") => format!("{running}, {at_most}"),
        Some(check) if !check.test.is_empty() => format!("its health check passes, {at_most}"),
        _ => format!("its image's health check passes, or it {running}, {at_most}"),
    }
}

/// Hosts of the regions concerned that cannot be seen: what is planned there waits, and nothing new goes there.
fn silent_hosts(world: &World<'_>, changes: &[Change]) -> Vec<String> {
    let regions: BTreeSet<&RegionName> = changes.iter().map(|change| &change.region).collect();
    let mut warnings = Vec::new();
    for region in regions {
        let suspect_after = defaults(world, region).suspect_after;
        let hosts = world.observed.hosts.values().filter(|view| view.region == *region);
        let silent = hosts.filter_map(|view| Some((view.name.clone(), unseen(world, view, suspect_after)?)));
        let silent = grouped(silent);
        if !silent.is_empty() {
            warnings.push(format!("{region}: {}: what concerns it waits until it is seen", silent.join("; ")));
        }
    }
    warnings
}
