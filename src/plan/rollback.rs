//! Running an earlier revision again, as a new one.
//!
//! Without a number it goes back to the newest revision that is older than what the present one stands for and whose
//! containers differ. A roll-back stands for the revision that it restored: so rolling back again goes further back,
//! and never returns to what was just rolled back from.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Plan, Refusal, World,
    describe::describe,
    lookup,
    revise::{Draft, Wish},
    scale,
    versions::{Version, at, origin, versions},
};
use crate::{
    model::{Intent, Revision, RevisionNo, Scope, ServiceKey, ServiceName, StackName, since},
    text,
};

/// Works out a roll-back. `to` is the number of a revision for a service, of a [version](versions) for a stack.
pub fn rollback(world: &World<'_>, what: &Scope, to: Option<u32>, by: &str) -> Result<Plan, Refusal> {
    match what {
        Scope::Service(service) => one(world, what, lookup::service(world, service)?, to.map(RevisionNo), by),
        Scope::Stack(stack) => {
            lookup::stack(world, stack)?;
            all(world, what, stack, to, by)
        }
        Scope::Replica(service, _) => Err(Refusal::Invalid(format!(
            "replicas of {service} are rolled back together: name the service or its stack"
        ))),
    }
}

/// Works out new images for services of a stack that runs, all else as it is. Each is given as written and as a
/// registry resolves it.
pub fn new_images(
    world: &World<'_>,
    stack: &StackName,
    images: &BTreeMap<ServiceName, (String, String)>,
    by: &str,
) -> Result<Plan, Refusal> {
    lookup::stack(world, stack)?;
    let mut draft = Draft::new(world, stack, by);
    let parts: String =
        images.iter().map(|(name, (written, _))| [" --image ", name.as_str(), "=", written].concat()).collect();
    let command = format!("wharf deploy --stack {stack}{parts}");
    for (name, (written, resolved)) in images {
        let key = ServiceKey { stack: stack.clone(), service: name.clone() };
        let key = lookup::service(world, &key)?;
        let current = current(world, key)?;
        let mut spec = current.spec.clone();
        spec.image.clone_from(written);
        draft.service(key, Wish { spec: &spec, image: resolved, note: "deploy".to_owned(), restores: None })?;
    }
    let undo = undo(world, &draft.revisions, stack);
    finish(world, Intent::Deploy { stack: stack.clone() }, stack, command, undo, draft, Vec::new())
}

fn current<'a>(world: &World<'a>, service: &ServiceKey) -> Result<&'a Arc<Revision>, Refusal> {
    lookup::current(world, service)
        .ok_or_else(|| Refusal::Invalid(format!("no revision of {service} is kept: deploy its stack instead")))
}

/// True when nothing would be replaced.
fn is_same(a: &Revision, b: &Revision) -> bool {
    a.image == b.image && a.spec.same_container(&b.spec)
}

fn one(
    world: &World<'_>,
    what: &Scope,
    service: &ServiceKey,
    to: Option<RevisionNo>,
    by: &str,
) -> Result<Plan, Refusal> {
    let Some((service, _)) = world.desired.services.get_key_value(service) else {
        return Err(Refusal::Invalid(format!("{service} is not wanted any more")));
    };
    let now = current(world, service)?;
    let kept = || world.desired.revisions.get(service).into_iter().flat_map(BTreeMap::values).rev();
    let list = || kept().map(|revision| told(world, revision)).collect::<Vec<_>>().join(", ");
    let stands_for = origin(world.desired, now);
    let target = match to {
        Some(no) => kept().find(|revision| revision.no == no),
        None => kept().find(|revision| origin(world.desired, revision) < stands_for && !is_same(revision, now)),
    };
    let target = target.ok_or_else(|| {
        let none = match to {
            Some(no) => format!("r{no} of {service} is not kept"),
            None => format!("{service} has no earlier revision that differs"),
        };
        Refusal::Invalid(format!("{none}; kept are {}", list()))
    })?;
    let mut draft = Draft::new(world, &service.stack, by);
    let wish = restoring(target);
    let Some(new) = draft.service(service, wish)? else {
        return Err(Refusal::Invalid(format!("r{} of {service} is what runs now; kept are {}", target.no, list())));
    };
    let numbers = BTreeMap::from([(service.clone(), (target.no, new))]);
    let equivalent = format!("wharf rollback {service} --to r{}", target.no);
    let undo = Some(format!("wharf rollback {service} --to r{}", now.no));
    let intent = Intent::Rollback { what: what.clone(), to: numbers };
    finish(world, intent, &service.stack, equivalent, undo, draft, Vec::new())
}

fn restoring(target: &Revision) -> Wish<'_> {
    let note = format!("rollback to r{}", target.no);
    Wish { spec: &target.spec, image: &target.image, note, restores: Some(target.no) }
}

fn all(world: &World<'_>, what: &Scope, stack: &StackName, to: Option<u32>, by: &str) -> Result<Plan, Refusal> {
    let kept = versions(world.desired, stack);
    let list = || {
        let told: Vec<String> = kept.iter().map(|version| version_told(world, version)).collect();
        told.join(", ")
    };
    let services: Vec<&ServiceKey> = world.desired.services.keys().filter(|key| key.stack == *stack).collect();
    let version = match to {
        Some(no) => kept.iter().find(|version| version.no == no),
        None => kept.iter().find(|version| is_earlier(world, &services, version.no)),
    };
    let version = version.ok_or_else(|| {
        let none = match to {
            Some(no) => format!("version {no} of {stack} is not kept"),
            None => format!("{stack} has no earlier version that differs"),
        };
        Refusal::Invalid(format!("{none}; kept are {}", list()))
    })?;
    let mut draft = Draft::new(world, stack, by);
    let mut numbers = BTreeMap::new();
    let mut warnings = Vec::new();
    for service in services {
        let Some(target) = at(world.desired, service, version.no) else {
            warnings.push(format!("{service} was not there at version {}, or is not kept: it stays", version.no));
            continue;
        };
        if let Some(new) = draft.service(service, restoring(target))? {
            numbers.insert(service.clone(), (target.no, new));
        }
    }
    for gone in version.revisions.keys().filter(|key| !world.desired.services.contains_key(*key)) {
        warnings.push(format!("{gone} is not in {stack} any more: deploy a file that names it to have it back"));
    }
    if numbers.is_empty() {
        return Err(Refusal::Invalid(format!(
            "version {} of {stack} is what runs now; kept are {}",
            version.no,
            list()
        )));
    }
    let equivalent = format!("wharf rollback {stack} --to {}", version.no);
    let undo = undo(world, &draft.revisions, stack);
    let intent = Intent::Rollback { what: what.clone(), to: numbers };
    finish(world, intent, stack, equivalent, undo, draft, warnings)
}

/// True when a version is older, for every service, than what runs, and differs for one of them.
fn is_earlier(world: &World<'_>, services: &[&ServiceKey], version: u32) -> bool {
    let mut differs = false;
    for service in services {
        let (Some(now), Some(then)) = (lookup::current(world, service), at(world.desired, service, version)) else {
            continue;
        };
        if origin(world.desired, then) > origin(world.desired, now) {
            return false;
        }
        differs |= !is_same(then, now);
    }
    differs
}

/// What leads back to what runs now: the revisions are kept, so by their numbers.
pub(super) fn undo(world: &World<'_>, fresh: &[Revision], stack: &StackName) -> Option<String> {
    match fresh {
        [] => return None,
        [one] => {
            let now = lookup::current(world, &one.service)?;
            return Some(format!("wharf rollback {} --to r{}", one.service, now.no));
        }
        _ => {}
    }
    if fresh.iter().any(|revision| lookup::current(world, &revision.service).is_none()) {
        return None;
    }
    let services = || world.desired.services.keys().filter(|key| key.stack == *stack);
    let now: Vec<_> = services().filter_map(|key| lookup::current(world, key)).collect();
    let version = now.iter().map(|revision| revision.version).max()?;
    // A revision that failed in between would come up instead.
    let exact = now.iter().all(|now| at(world.desired, &now.service, version).is_some_and(|then| then.no == now.no));
    exact.then(|| format!("wharf rollback {stack} --to {version}"))
}

fn finish(
    world: &World<'_>,
    intent: Intent,
    stack: &StackName,
    equivalent: String,
    undo: Option<String>,
    draft: Draft<'_, '_>,
    mut warnings: Vec<String>,
) -> Result<Plan, Refusal> {
    let (more, shared) = draft.around(stack)?;
    warnings.extend(more);
    let Draft { changes, revisions, .. } = draft;
    let mut told = describe(world, &changes, &revisions);
    told.warnings.splice(0..0, warnings);
    let mut plan = scale::plan(world, intent, equivalent, changes, revisions, told, undo);
    plan.proposal.stacks.extend(shared.map(|shared| (stack.clone(), Some(shared))));
    Ok(plan)
}

/// `r7 (deploy by ana, 3h ago)`.
fn told(world: &World<'_>, revision: &Revision) -> String {
    let age = text::age(since(revision.at, world.now).as_secs().cast_signed());
    format!("r{} ({} by {}, {age} ago)", revision.no, revision.note, revision.by)
}

fn version_told(world: &World<'_>, version: &Version) -> String {
    let age = text::age(since(version.at, world.now).as_secs().cast_signed());
    format!("{} ({} by {}, {age} ago)", version.no, version.note, version.by)
}
