//! Opening, closing and emptying hosts.

use std::collections::BTreeSet;

use super::{
    Plan, PlanStep, Refusal, StepKind, World,
    describe::{Change, Told, describe},
    drain,
    eligible::Books,
    lookup,
    refit::everywhere,
    scale,
};
use crate::model::{HostIntent, HostName, Intent, Mode, RegionName};

/// Works out opening (`None`), cordoning or draining a host.
pub fn host(world: &World<'_>, host: &HostName, intent: Option<HostIntent>) -> Result<Plan, Refusal> {
    let name = lookup::host(world, host)?;
    match intent {
        Some(HostIntent::Draining) => drain::drain(world, name),
        Some(HostIntent::Cordoned) => Ok(cordon(world, name)),
        None => Ok(open(world, name)),
    }
}

/// The region of a host.
pub(super) fn region_of<'a>(world: &World<'a>, host: &HostName) -> Option<&'a RegionName> {
    world.fleet.host(host).map(|(region, _)| &region.name)
}

/// A step about the host itself.
pub(super) fn step(world: &World<'_>, host: &HostName, what: String, why: &str) -> PlanStep {
    let region = region_of(world, host).cloned();
    PlanStep { kind: StepKind::Host, region, service: None, items: vec![what], why: why.into() }
}

/// A plan that gives a host an intent and changes these assignments with it.
pub(super) fn plan(
    world: &World<'_>,
    host: &HostName,
    intent: Option<HostIntent>,
    changes: Vec<Change>,
    told: Told,
) -> Plan {
    let command = |intent: Option<HostIntent>| {
        let intent = Intent::Host { host: host.clone(), intent };
        format!("wharf {} {host}", intent.word())
    };
    let before = world.desired.hosts.get(host).copied();
    let changes_something = before != intent || !changes.is_empty();
    let undo = changes_something.then(|| command(if intent == before { None } else { before }));
    let what = Intent::Host { host: host.clone(), intent };
    let mut plan = scale::plan(world, what, command(intent), changes, Vec::new(), told, undo);
    if before != intent {
        plan.proposal.hosts.insert(host.clone(), intent);
    }
    plan
}

fn cordon(world: &World<'_>, host: &HostName) -> Plan {
    let mut told = Told::default();
    if world.desired.hosts.get(host) != Some(&HostIntent::Cordoned) {
        told.steps.push(step(world, host, format!("cordon {host}"), "no new replicas; what runs there stays"));
        match world.desired.count_on(host) {
            0 => {}
            1 => told.warnings.push(format!("1 replica stays on {host}")),
            here => told.warnings.push(format!("{here} replicas stay on {host}")),
        }
    }
    plan(world, host, Some(HostIntent::Cordoned), Vec::new(), told)
}

/// What runs once on every host comes back with the host; nothing else moves there by itself.
fn open(world: &World<'_>, host: &HostName) -> Plan {
    if world.desired.is_open(host) {
        return plan(world, host, None, Vec::new(), Told::default());
    }
    let changes = returning(world, host);
    let mut told = describe(world, &changes, &[]);
    let region = region_of(world, host).map(ToString::to_string).unwrap_or_default();
    let why = format!("new replicas may go there; none moves there by itself: `wharf rebalance {region}` spreads them");
    told.steps.insert(0, step(world, host, format!("open {host}"), &why));
    plan(world, host, None, changes, told)
}

fn returning(world: &World<'_>, host: &HostName) -> Vec<Change> {
    let Some(region) = region_of(world, host) else { return Vec::new() };
    let mut books = Books::new(world, region, &BTreeSet::new());
    books.open_only(world, host);
    let mut changes = Vec::new();
    for (service, regions) in &world.desired.services {
        let (Some(before), Some(revision)) = (regions.get(region), lookup::current(world, service)) else { continue };
        if before.slots.is_empty() || !matches!(revision.spec.deploy.mode, Mode::Global | Mode::GlobalJob) {
            continue;
        }
        let mut after = before.clone();
        everywhere(&mut books, service, revision, &mut after);
        if after != *before {
            changes.push(Change {
                service: service.clone(),
                region: region.clone(),
                before: Some(before.clone()),
                after: Some(after),
                why: "one on every host that fits".into(),
            });
        }
    }
    changes
}
