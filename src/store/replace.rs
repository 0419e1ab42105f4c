//! A slot gets another host, while the operation that decides it goes on.

use super::{
    StoreError,
    accept::{assign, next_generation},
    conflict::{self, Thing, Touch},
    error::Fault,
    open::Tx,
    outcome::{RECONCILER, write_books},
    read,
    rows::{self, add_journal},
};
use crate::{
    model::{JournalEntry, Place, RegionName, ReplicaKey},
    text::Text,
};

/// Moves a slot to another host. The open operation that decides the service wants the new place from now on, and
/// would put back the new one too where the old one was the same host: that host is what failed.
pub(super) fn replace(
    tx: &Tx<'_>,
    region: &RegionName,
    replica: &ReplicaKey,
    place: &Place,
    why: &Text,
) -> Result<bool, Fault> {
    if replica.region != *region {
        let words = format!("{replica} is in region {}, the lease is for {region}", replica.region);
        return Err(StoreError::Invalid(words).into());
    }
    let service = &replica.service;
    let Some(mut wanted) = rows::assignment(&tx.sql, service, region)? else { return Ok(false) };
    let Some(slot) = wanted.slots.get_mut(&replica.slot).filter(|slot| slot.revision == place.revision) else {
        return Ok(false);
    };
    if slot == place {
        return Ok(true);
    }
    let old = std::mem::replace(slot, place.clone());
    wanted.generation = next_generation(tx)?;
    assign(tx, service, region, Some(&wanted))?;
    let at = tx.now();
    let thing = Thing::Service(service, region);
    let owner = conflict::touched(tx, thing)?.and_then(|touch| touch.operation);
    let did = format!("changed (slot {} moved from {} to {})", replica.slot, old.host, place.host);
    let touch = Touch { generation: wanted.generation, at, did, by: RECONCILER.to_owned(), operation: owner };
    conflict::touch(tx, thing, &touch)?;
    let owner = owner.map(|id| read::operation(&tx.sql, id)).transpose()?.flatten();
    let owner = owner.filter(|operation| !operation.state.is_final());
    let command = owner.as_ref().map(|operation| operation.id);
    if let Some(mut operation) = owner {
        if let Some(after) = operation.after.get_mut(service).and_then(|regions| regions.get_mut(region)) {
            *after = Some(wanted);
        }
        let before = operation.before.get_mut(service).and_then(|regions| regions.get_mut(region));
        if let Some(slot) = before.and_then(Option::as_mut).and_then(|before| before.slots.get_mut(&replica.slot))
            && slot.host == old.host
        {
            slot.host = place.host.clone();
        }
        write_books(tx, &operation)?;
    }
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    let entry = JournalEntry {
        at,
        command,
        region: Some(region.clone()),
        service: Some(service.clone()),
        host: Some(place.host.clone()),
        what: Text::new(&format!("{replica} moves from {} to {}{why}", old.host, place.host)),
        is_error: false,
    };
    add_journal(&tx.sql, &entry)?;
    Ok(true)
}
