//! Taking over a stack of another tool as it runs: nothing is made, started or stopped.

use std::collections::{BTreeMap, BTreeSet};

use super::{Difference, Plan, PlanStep, Refusal, StepKind, World, held, lookup};
use crate::{
    model::{
        Adoptable, Adopted, Assignment, Change, ContainerId, HostName, Intent, Owner, Place, Proposal, Protocol,
        RegionName, ReplicaKey, ReplicaOf, Restart, Revision, RevisionNo, ServiceKey, ServiceName, ServiceSpec, Slot,
        StackName, StackShared, StackSpec, diff,
    },
    text::{Text, short_image},
};

/// How many differences of one container are named.
const DIFFERENCES: usize = 4;

/// Works out what taking over the running containers of a stack means. Each keeps its host; containers of one service
/// that differ get a revision for each kind, the most frequent the newest. `left` is what cannot be taken over, `file`
/// what the stack's file says, to compare with.
pub fn adopt(
    world: &World<'_>,
    stack: &StackName,
    found: &[Adoptable],
    left: &[String],
    file: Option<&StackSpec>,
    by: &str,
) -> Result<Plan, Refusal> {
    let known = is_known(world, found);
    let fresh: Vec<&Adoptable> = found.iter().filter(|it| !known.contains(&(&it.host, &it.container))).collect();
    if fresh.is_empty() && world.desired.services.keys().any(|key| key.stack == *stack) {
        let mut draft = Draft::new(world, stack, by);
        draft.warnings.push(format!("all that runs of `{stack}` is wharf's already"));
        draft.warnings.extend(left.iter().cloned());
        return Ok(draft.plan());
    }
    if fresh.is_empty() {
        let what = if left.is_empty() {
            format!("no host runs a stack `{stack}` of Docker Compose")
        } else {
            format!("nothing of `{stack}` can be taken over: {}", left.join("; "))
        };
        return Err(Refusal::Invalid(what));
    }
    let mut draft = Draft::new(world, stack, by);
    let services: BTreeSet<&ServiceName> = fresh.iter().map(|it| &it.service).collect();
    for service in services {
        let mut copies: Vec<&Adoptable> = fresh.iter().filter(|it| it.service == *service).copied().collect();
        copies.sort_by(|a, b| (a.number, &a.host, &a.name).cmp(&(b.number, &b.host, &b.name)));
        draft.service(service, &copies);
    }
    let held = held::kept(world, stack, &draft.held);
    draft.warnings.extend(held);
    let differing = file.map(|file| against(file, &draft)).unwrap_or_default();
    draft.warnings.extend(differing);
    draft.warnings.extend(left.iter().cloned());
    let unseen = world.observed.hosts.values().filter(|host| !host.is_seen());
    draft.warnings.extend(unseen.map(|host| {
        format!(
            "{} cannot be seen: what runs there of {stack} is not taken over; adopt again once it is seen",
            host.name
        )
    }));
    Ok(draft.plan())
}

/// Containers that are replicas already, by a label or by an earlier adoption.
fn is_known<'f>(world: &World<'_>, found: &'f [Adoptable]) -> BTreeSet<(&'f HostName, &'f ContainerId)> {
    let is_ours = |it: &&Adoptable| {
        let container = world.observed.hosts.get(&it.host).and_then(|host| host.containers.get(&it.container));
        let told = world.desired.adopted.get(&it.host).is_some_and(|host| host.contains_key(&it.container));
        told || container.is_some_and(|container| matches!(container.owner, Owner::Replica(_)))
    };
    found.iter().filter(is_ours).map(|it| (&it.host, &it.container)).collect()
}

struct Draft<'w, 'a> {
    world: &'w World<'a>,
    stack: &'w StackName,
    by: &'w str,
    version: u32,
    revisions: Vec<Revision>,
    assignments: BTreeMap<(ServiceKey, RegionName), Option<Assignment>>,
    adopted: Adopted,
    shared: StackShared,
    /// Ports that adopted containers hold on their hosts.
    held: BTreeMap<(HostName, u16), (ServiceKey, String)>,
    steps: Vec<PlanStep>,
    warnings: Vec<String>,
}

impl<'w, 'a> Draft<'w, 'a> {
    fn new(world: &'w World<'a>, stack: &'w StackName, by: &'w str) -> Self {
        Self {
            world,
            stack,
            by,
            version: lookup::next_version(world.desired, stack),
            revisions: Vec::new(),
            assignments: BTreeMap::new(),
            adopted: Adopted::new(),
            shared: world.desired.stacks.get(stack).cloned().unwrap_or_default(),
            held: BTreeMap::new(),
            steps: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn service(&mut self, name: &ServiceName, copies: &[&Adoptable]) {
        let key = ServiceKey { stack: self.stack.clone(), service: name.clone() };
        let kinds = self.kinds(&key, copies);
        for it in copies {
            let Some((region, _)) = self.world.fleet.host(&it.host) else { continue };
            let place = (key.clone(), region.name.clone());
            let before = self.world.desired.assignment(&key, &region.name);
            let revision = kinds.iter().find(|(kind, _)| same(kind, it)).map_or(RevisionNo(1), |(_, no)| *no);
            let assignment =
                self.assignments.entry(place).or_default().get_or_insert_with(|| before.cloned().unwrap_or_default());
            let slot = free_slot(assignment, it.number);
            assignment.slots.insert(slot, Place { host: it.host.clone(), revision });
            let replica = ReplicaKey { region: region.name.clone(), service: key.clone(), slot };
            let of = ReplicaOf { key: replica, revision, round: assignment.round };
            self.step(&region.name, &key, format!("{name}.{slot} is {} on {}", it.name, it.host));
            self.adopted.entry(it.host.clone()).or_default().insert(it.container.clone(), of);
            for (port, _) in it.spec.fixed_ports().filter(|(_, protocol)| *protocol == Protocol::Tcp) {
                self.held.insert((it.host.clone(), port), (key.clone(), it.name.to_string()));
            }
            self.shared.networks.extend(it.networks.iter().map(|(key, spec)| (key.clone(), spec.clone())));
            self.shared.volumes.extend(it.volumes.iter().map(|(key, spec)| (key.clone(), spec.clone())));
            let notes = it.notes.iter().map(|note| format!("{} on {}: {note}", it.name, it.host));
            for note in notes.collect::<Vec<_>>() {
                if !self.warnings.contains(&note) {
                    self.warnings.push(note);
                }
            }
        }
    }

    /// The different kinds of container of a service, each with the number of its revision.
    fn kinds<'c>(&mut self, key: &ServiceKey, copies: &[&'c Adoptable]) -> Vec<(&'c Adoptable, RevisionNo)> {
        let mut kinds: Vec<(&Adoptable, usize)> = Vec::new();
        for it in copies {
            match kinds.iter_mut().find(|(kind, _)| same(kind, it)) {
                Some((_, count)) => *count += 1,
                None => kinds.push((it, 1)),
            }
        }
        // Stable: of equally frequent ones the first comes last, and so is the newest.
        kinds.reverse();
        kinds.sort_by_key(|(_, count)| *count);
        if let Some((main, _)) = kinds.last().filter(|_| kinds.len() > 1) {
            for (other, _) in kinds.iter().rev().skip(1) {
                self.warnings.push(format!(
                    "{key}: {} on {} differs from {} on {}: {}; it stays so until the service is changed",
                    other.name,
                    other.host,
                    main.name,
                    main.host,
                    differences(main, other)
                ));
            }
        }
        let kept = self.world.desired.revisions.get(key);
        let mut next = kept.and_then(|kept| kept.keys().next_back()).map_or(0, |no| no.0);
        let mut numbered = Vec::new();
        for (kind, _) in kinds {
            let known = kept.into_iter().flat_map(BTreeMap::values);
            let known = known.rev().find(|kept| kept.image == kind.image && kept.spec.same_container(&kind.spec));
            if let Some(known) = known {
                numbered.push((kind, known.no));
                continue;
            }
            next += 1;
            numbered.push((kind, RevisionNo(next)));
            self.revisions.push(Revision {
                service: key.clone(),
                no: RevisionNo(next),
                spec: kind.spec.clone(),
                image: kind.image.clone(),
                at: self.world.now,
                by: self.by.to_owned(),
                note: "adopted".to_owned(),
                version: self.version,
                restores: None,
            });
        }
        numbered
    }

    fn step(&mut self, region: &RegionName, service: &ServiceKey, item: String) {
        let known = self
            .steps
            .iter_mut()
            .find(|step| step.region.as_ref() == Some(region) && step.service.as_ref() == Some(service));
        match known {
            Some(step) => step.items.push(item),
            None => self.steps.push(PlanStep {
                kind: StepKind::Adopt,
                region: Some(region.clone()),
                service: Some(service.clone()),
                items: vec![item],
                why: "it goes on as it runs".into(),
            }),
        }
    }

    fn plan(self) -> Plan {
        let count = |all: usize| u32::try_from(all).unwrap_or(u32::MAX);
        let before = self.assignments.keys().filter_map(|(key, region)| self.world.desired.assignment(key, region));
        let before = before.map(|assignment| assignment.slots.len()).sum();
        let after = self.assignments.values().flatten().map(|assignment| assignment.slots.len()).sum();
        let is_same = self.world.desired.stacks.get(self.stack) == Some(&self.shared);
        let stacks = if is_same || self.assignments.is_empty() {
            BTreeMap::new()
        } else {
            BTreeMap::from([(self.stack.clone(), Some(self.shared))])
        };
        let differences = self.revisions.iter().map(as_it_runs).collect();
        Plan {
            proposal: Proposal {
                intent: Intent::Adopt { stack: self.stack.clone() },
                equivalent: format!("wharf adopt {}", self.stack),
                base: self.world.desired.generation,
                revisions: self.revisions,
                assignments: self.assignments,
                stacks,
                hosts: BTreeMap::new(),
                adopted: self.adopted,
                confirmed: None,
            },
            steps: self.steps,
            replicas: (count(before), count(after)),
            lowest: None,
            undo: None,
            warnings: self.warnings,
            differences,
        }
    }
}

/// All that a first revision says, as a difference to a service of which nothing is said.
fn as_it_runs(revision: &Revision) -> Difference {
    let nothing = ServiceSpec { restart: Restart::No, ..ServiceSpec::default() };
    let said = diff(&nothing, &revision.spec).into_iter().filter_map(|change| Some((change.field, change.after?)));
    let lines = said.map(|(field, value)| Text::new(&format!("{field}: {value}")).to_string()).collect();
    Difference { service: revision.service.clone(), before: RevisionNo(0), after: revision.no, lines }
}

fn line(change: &Change) -> String {
    Text::new(&change.to_string()).to_string()
}

/// What a file would change in what runs, one line for each service that differs.
fn against(file: &StackSpec, draft: &Draft<'_, '_>) -> Vec<String> {
    let mut words = Vec::new();
    let stack = draft.stack;
    for (name, wanted) in &file.services {
        let key = ServiceKey { stack: stack.clone(), service: name.clone() };
        let fresh = draft.revisions.iter().rev().find(|revision| revision.service == key);
        let Some(now) = fresh.or_else(|| draft.world.desired.latest(&key).map(AsRef::as_ref)) else {
            words.push(format!("{key} is in the file, and does not run"));
            continue;
        };
        // Only what makes another container: numbers and rules come with the first deploy and replace nothing.
        let lines: Vec<String> = diff(&now.spec.container(), &wanted.container()).iter().map(line).collect();
        if !lines.is_empty() {
            words.push(format!("{key}: deploying the file would replace what runs, for it says {}", lines.join(", ")));
        }
    }
    let missing = draft.revisions.iter().map(|revision| &revision.service.service);
    let missing: BTreeSet<&ServiceName> = missing.filter(|name| !file.services.contains_key(*name)).collect();
    words.extend(missing.into_iter().map(|name| format!("{stack}/{name} runs, and is not in the file")));
    words
}

/// Two containers that one revision can stand for.
fn same(a: &Adoptable, b: &Adoptable) -> bool {
    a.image == b.image && a.spec.same_container(&b.spec)
}

/// The number that the other tool gave, where it is free, else the next.
fn free_slot(assignment: &Assignment, number: Option<u32>) -> Slot {
    let is_free = |slot: &Slot| !assignment.slots.contains_key(slot);
    let given = number.filter(|number| *number > 0).map(Slot).filter(is_free);
    given.unwrap_or_else(|| (1..=u32::MAX).map(Slot).find(is_free).unwrap_or_default())
}

fn differences(main: &Adoptable, other: &Adoptable) -> String {
    let mut words: Vec<String> = Vec::new();
    if main.image != other.image {
        words.push(format!("image {}", short_image(&other.image)));
    }
    let fields = diff(&main.spec, &other.spec).into_iter().filter(|change| change.field != "image");
    words.extend(fields.map(|change| line(&change)));
    let more = words.len().saturating_sub(DIFFERENCES);
    words.truncate(DIFFERENCES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", words.join(", "))
}
