//! What the end of a drain leaves: words, the host's intent, and replicas that have moved already.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::params;

use super::{
    accept::next_generation,
    conflict::{self, Thing, Touch},
    error::Fault,
    open::Tx,
    read,
    rows::{from_json, to_json},
};
use crate::model::{
    Assignment, Generation, HostIntent, HostName, Intent, Operation, RegionName, ReplicaKey, ServiceKey, StepState,
    drained,
};

/// The host that an operation empties.
fn emptied(operation: &Operation) -> Option<&HostName> {
    match &operation.intent {
        Intent::Host { host, intent: Some(HostIntent::Draining) } => Some(host),
        _ => None,
    }
}

/// What the journal adds to a good end: `; w-2 is empty: safe to switch off`. Nothing for other commands.
pub(super) fn epilogue(tx: &Tx<'_>, operation: &Operation) -> Result<String, Fault> {
    let Some(host) = emptied(operation) else { return Ok(String::new()) };
    let mut left = 0;
    read::each(&tx.sql, "SELECT body FROM assignment", &[], |row| {
        let assignment: Assignment = from_json("assignment", &row.get::<_, String>(0)?)?;
        left += assignment.slots.values().filter(|place| place.host == *host).count();
        Ok(())
    })?;
    Ok(format!("; {}", drained(host, left)))
}

/// A drain that is given up leaves its host cordoned: somebody wanted it empty, so nothing new goes there until they
/// say otherwise. Gives words for the journal.
pub(super) fn cordon(
    tx: &Tx<'_>,
    operation: &Operation,
    generation: &mut Option<Generation>,
    by: &str,
    at: Timestamp,
) -> Result<String, Fault> {
    let Some(host) = emptied(operation) else { return Ok(String::new()) };
    let thing = Thing::Host(host);
    if conflict::touched(tx, thing)?.and_then(|touch| touch.operation) != Some(operation.id) {
        return Ok(String::new());
    }
    let generation = match *generation {
        Some(generation) => generation,
        None => *generation.insert(next_generation(tx)?),
    };
    let intent = to_json(&HostIntent::Cordoned)?;
    tx.sql.execute("INSERT OR REPLACE INTO host VALUES (?, ?)", params![host.as_str(), intent])?;
    let did = "cordoned".to_owned();
    conflict::touch(tx, thing, &Touch { generation, at, did, by: by.to_owned(), operation: Some(operation.id) })?;
    Ok(format!("; {host} stays cordoned"))
}

/// What is wanted again when an operation whose moves are good by themselves is given up: what has moved stays.
pub(super) fn keep_moved(
    operation: &Operation,
    (service, region): (&ServiceKey, &RegionName),
    before: Option<Assignment>,
    now: Option<&Assignment>,
) -> Option<Assignment> {
    let (Some(before), Some(now)) = (&before, now) else { return before };
    let steps = operation.progress.get(region).into_iter().flat_map(|progress| &progress.steps);
    let moved: BTreeSet<&ReplicaKey> =
        steps.filter(|step| step.state == StepState::Done).filter_map(|step| step.replica.as_ref()).collect();
    let mut mixed = Assignment { slots: before.slots.clone(), ..before.clone() };
    for slot in before.slots.keys().chain(now.slots.keys()) {
        let replica = ReplicaKey { region: region.clone(), service: service.clone(), slot: *slot };
        if moved.contains(&replica) {
            match now.slots.get(slot) {
                Some(place) => drop(mixed.slots.insert(*slot, place.clone())),
                None => drop(mixed.slots.remove(slot)),
            }
        }
    }
    Some(mixed)
}
