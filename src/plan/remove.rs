//! Taking stacks and services away, restarting services, opening and closing hosts.

use std::collections::BTreeMap;

use super::{
    Plan, PlanStep, Refusal, StepKind, World,
    describe::{Change, describe},
    lookup, scale,
};
use crate::model::{
    Assignment, HostIntent, HostName, Intent, Proposal, RegionName, ServiceKey, ServiceName, StackName,
};

/// Works out the end of a stack, or of one of its services.
pub fn remove(world: &World<'_>, stack: &StackName, service: Option<&ServiceName>) -> Result<Plan, Refusal> {
    let only = service.map(|service| ServiceKey { stack: stack.clone(), service: service.clone() });
    let known =
        world.desired.stacks.contains_key(stack) || world.desired.services.keys().any(|key| key.stack == *stack);
    if !known {
        lookup::foreign(world, stack)?;
        let names = world.desired.services.keys().map(|key| &key.stack).chain(world.desired.stacks.keys());
        return Err(lookup::unknown("stack", stack.as_str(), names.map(ToString::to_string)));
    }
    if let Some(only) = &only {
        lookup::service(world, only)?;
    }
    let goes = |key: &ServiceKey| key.stack == *stack && only.as_ref().is_none_or(|only| only == key);
    let mut changes = Vec::new();
    for (key, regions) in world.desired.services.iter().filter(|(key, _)| goes(key)) {
        for (region, before) in regions {
            changes.push(Change {
                service: key.clone(),
                region: region.clone(),
                before: Some(before.clone()),
                after: None,
                why: String::new(),
            });
        }
    }
    let mut told = describe(world, &changes, &[]);
    if let Some(only) = &only {
        told.warnings.splice(0..0, dependents(world, only));
    }
    let equivalent = match &only {
        Some(only) => format!("wharf rm {only}"),
        None => format!("wharf rm {stack}"),
    };
    let whole = only.is_none();
    let intent = Intent::Remove { stack: stack.clone(), service: only };
    let mut plan = scale::plan(world, intent, equivalent, changes, Vec::new(), told, None);
    if whole && world.desired.stacks.contains_key(stack) {
        plan.proposal.stacks.insert(stack.clone(), None);
    }
    plan.warnings.push("named volumes stay on their hosts; deploying the file again brings the services back".into());
    Ok(plan)
}

/// Services that say they need this one.
fn dependents(world: &World<'_>, gone: &ServiceKey) -> Vec<String> {
    let others = world.desired.services.keys().filter(|key| key.stack == gone.stack && *key != gone);
    others
        .filter(|key| {
            world.desired.latest(key).is_some_and(|revision| revision.spec.depends_on.contains_key(&gone.service))
        })
        .map(|key| format!("{key} depends on {gone}"))
        .collect()
}

/// Works out a restart: every container of a service is replaced by one of the same revision, a batch at a time. The
/// old one stops first, since both would have the same name on the same host.
pub fn restart(world: &World<'_>, service: &ServiceKey, region: Option<&RegionName>) -> Result<Plan, Refusal> {
    let key = lookup::service(world, service)?;
    if let Some(region) = region {
        lookup::region(world, region)?;
        if world.desired.assignment(key, region).is_none() {
            return Err(Refusal::Invalid(format!("{key} does not run in {region}")));
        }
    }
    let regions = world.desired.services.get(key).into_iter().flatten();
    let changes: Vec<Change> = regions
        .filter(|(name, before)| region.is_none_or(|only| only == *name) && !before.slots.is_empty())
        .map(|(name, before)| Change {
            service: key.clone(),
            region: name.clone(),
            before: Some(before.clone()),
            after: Some(Assignment { round: before.round + 1, ..before.clone() }),
            why: String::new(),
        })
        .collect();
    if changes.is_empty() {
        return Err(Refusal::Invalid(format!("{key} has no replicas to restart: scale it up instead")));
    }
    let told = describe(world, &changes, &[]);
    let at = region.map(|region| format!("@{region}")).unwrap_or_default();
    let equivalent = format!("wharf restart {key}{at}");
    Ok(scale::plan(world, Intent::Restart { service: key.clone() }, equivalent, changes, Vec::new(), told, None))
}

/// Works out opening (`None`) or cordoning a host. Draining is refused: moving replicas is not there yet.
pub fn host(world: &World<'_>, host: &HostName, intent: Option<HostIntent>) -> Result<Plan, Refusal> {
    let name = lookup::host(world, host)?;
    if intent == Some(HostIntent::Draining) {
        return Err(Refusal::Invalid(format!(
            "moving replicas away from {name} is not in this version yet; `wharf cordon {name}` keeps new ones off it"
        )));
    }
    let before = world.desired.hosts.get(name).copied();
    let command = |intent: Option<HostIntent>| {
        let intent = Intent::Host { host: name.clone(), intent };
        format!("wharf {} {name}", intent.word())
    };
    let mut hosts = BTreeMap::new();
    let mut steps = Vec::new();
    let mut warnings = Vec::new();
    if before != intent {
        hosts.insert(name.clone(), intent);
        let (what, why) = match intent {
            None => ("open", "new replicas may go there; none moves there by itself"),
            Some(_) => ("cordon", "no new replicas; what runs there stays"),
        };
        steps.push(PlanStep {
            kind: StepKind::Host,
            region: world.fleet.host(name).map(|(region, _)| region.name.clone()),
            service: None,
            items: vec![format!("{what} {name}")],
            why: why.into(),
        });
        let here = world.desired.replicas().filter(|(_, place)| place.host == *name).count();
        if intent.is_some() && here > 0 {
            let stay = if here == 1 { "1 replica stays".to_owned() } else { format!("{here} replicas stay") };
            warnings.push(format!("{stay} on {name}"));
        }
    }
    Ok(Plan {
        proposal: Proposal {
            intent: Intent::Host { host: name.clone(), intent },
            equivalent: command(intent),
            base: world.desired.generation,
            revisions: Vec::new(),
            assignments: BTreeMap::new(),
            stacks: BTreeMap::new(),
            hosts,
            adopted: BTreeMap::new(),
        },
        undo: (!steps.is_empty()).then(|| command(before)),
        steps,
        replicas: (0, 0),
        lowest: None,
        warnings,
    })
}
