//! Finding what an operator named, and guessing what was meant.

use std::sync::Arc;

use super::{Refusal, World};
use crate::model::{
    Assignment, Desired, HostName, Owner, RegionName, Revision, RevisionNo, ServiceKey, StackName, Tool,
};

/// The service, or a refusal that names the nearest.
pub(crate) fn service<'a>(world: &World<'a>, key: &ServiceKey) -> Result<&'a ServiceKey, Refusal> {
    if let Some((known, _)) = world.desired.services.get_key_value(key) {
        return Ok(known);
    }
    foreign(world, &key.stack)?;
    let names = world.desired.services.keys().map(ToString::to_string);
    Err(unknown("service", &key.to_string(), names))
}

/// The stack, or a refusal that names the nearest.
pub(crate) fn stack(world: &World<'_>, name: &StackName) -> Result<(), Refusal> {
    let desired = world.desired;
    if desired.stacks.contains_key(name) || desired.services.keys().any(|key| key.stack == *name) {
        return Ok(());
    }
    foreign(world, name)?;
    let names = desired.services.keys().map(|key| &key.stack).chain(desired.stacks.keys());
    Err(unknown("stack", name.as_str(), names.map(ToString::to_string)))
}

/// The revision that a service runs: the newest that is wanted anywhere, else the newest that is kept. The newest of
/// all may be one that failed and was taken back.
pub fn current<'a>(world: &World<'a>, service: &ServiceKey) -> Option<&'a Arc<Revision>> {
    let regions = world.desired.services.get(service)?;
    let newest = |assignment: &Assignment| assignment.slots.values().map(|place| place.revision).max();
    match regions.values().filter_map(newest).max() {
        Some(no) => world.desired.revision(service, no),
        None => world.desired.latest(service),
    }
}

/// The number of a service's next revision: one above every number that is kept or seen, or was given before the store was
/// replaced by a copy. A container left over from an earlier life must not pass for one of the new revision, also where
/// it is on a host that is out of reach now.
pub(crate) fn next_number(world: &World<'_>, service: &ServiceKey) -> RevisionNo {
    let kept = world.desired.latest(service).map_or(0, |revision| revision.no.0);
    let given = world.desired.numbered.get(service).map_or(0, |no| no.0);
    let seen = world.observed.containers().filter_map(|(_, container)| container.made_from());
    let seen = seen.filter(|(of, _)| *of == service).map(|(_, no)| no.0);
    RevisionNo(seen.max().unwrap_or_default().max(kept).max(given) + 1)
}

/// The number of a stack's next version. The newest revision of a service is always kept, so this only grows.
pub(crate) fn next_version(desired: &Desired, stack: &StackName) -> u32 {
    let kept = desired.revisions.iter().filter(|(key, _)| key.stack == *stack).flat_map(|(_, kept)| kept.values());
    kept.map(|revision| revision.version).max().unwrap_or_default() + 1
}

/// The region, or a refusal that names the nearest.
pub(crate) fn region<'a>(world: &World<'a>, name: &RegionName) -> Result<&'a RegionName, Refusal> {
    let known = world.fleet.region(name).map(|region| &region.name);
    let names = world.fleet.regions.iter().map(|region| region.name.to_string());
    known.ok_or_else(|| unknown("region", name.as_str(), names))
}

/// The host, or a refusal that names the nearest.
pub fn host<'a>(world: &World<'a>, name: &HostName) -> Result<&'a HostName, Refusal> {
    match world.fleet.host(name) {
        Some((_, host)) => Ok(&host.name),
        None => Err(unknown("host", name.as_str(), world.fleet.hosts().map(|(_, host)| host.name.to_string()))),
    }
}

/// A refusal when the stack belongs to another tool.
pub(crate) fn foreign(world: &World<'_>, stack: &StackName) -> Result<(), Refusal> {
    let ours = world.desired.services.keys().any(|key| key.stack == *stack);
    let tool = world.observed.containers().find_map(|(_, container)| match &container.owner {
        Owner::Foreign { tool, stack: theirs, .. } if theirs.as_str() == stack.as_str() => Some(*tool),
        _ => None,
    });
    match tool.filter(|_| !ours) {
        Some(tool) => Err(Refusal::Invalid(format!(
            "stack `{stack}` was deployed by {}: wharf leaves it alone; {}deploy its file with wharf under another name",
            tool.word(),
            if tool == Tool::Compose { format!("take it over (`wharf adopt {stack}`), or ") } else { String::new() }
        ))),
        None => Ok(()),
    }
}

/// A refusal that names the nearest of what exists, when one is near.
pub(crate) fn unknown(what: &'static str, name: &str, known: impl Iterator<Item = String>) -> Refusal {
    let near = known
        .map(|known| (distance(name, &known), known))
        .filter(|(distance, known)| *distance <= known.chars().count().max(3) / 3)
        .min()
        .map(|(_, known)| known);
    Refusal::Unknown { what, name: name.to_owned(), near }
}

/// Letters to change, put in, take out or swap with their neighbour to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last = None;
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut left = i + 1;
        for (j, to) in b.iter().enumerate() {
            let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let swapped = last == Some(*to) && j > 0 && b.get(j - 1) == Some(&from);
            let swap = if swapped { at(&before, j - 1) + 1 } else { usize::MAX };
            left = (at(&row, j) + usize::from(from != *to)).min(at(&row, j + 1) + 1).min(left + 1).min(swap);
            next.push(left);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(from);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let known = || ["shop/web", "shop/db"].into_iter().map(String::from);
        let near = |name: &str| match unknown("service", name, known()) {
            Refusal::Unknown { near, .. } => near,
            _ => None,
        };
        assert_eq!(near("shop/wbe").as_deref(), Some("shop/web"));
        assert_eq!(near("shop/dd").as_deref(), Some("shop/db"));
        assert_eq!(near("payments/api"), None);
    }

    #[test]
    fn distances_are_those_of_the_textbook() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
        assert_eq!(distance("shpo", "shop"), 1);
        assert_eq!(distance("west", "east"), 2);
    }
}
