//! Taking stacks and services away, restarting services.

use super::{
    Plan, Refusal, World,
    describe::{Change, describe},
    lookup, scale,
};
use crate::model::{Assignment, Intent, RegionName, ServiceKey, ServiceName, StackName};

/// Works out the end of a stack, or of one of its services.
pub fn remove(world: &World<'_>, stack: &StackName, service: Option<&ServiceName>) -> Result<Plan, Refusal> {
    let only = service.map(|service| ServiceKey { stack: stack.clone(), service: service.clone() });
    lookup::stack(world, stack)?;
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

/// Works out a restart: every container of a service is replaced by one of the same revision, a batch at a time,
/// the new one first.
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
