//! What a revision learns from its image, once, before anything runs of it.

use std::collections::BTreeSet;

use rusqlite::params;

use super::{
    Learned, StoreError,
    accept::{next_generation, share},
    conflict::{self, Thing, Touch},
    error::Fault,
    open::Tx,
    outcome::RECONCILER,
    read,
    rows::{self, add_journal, from_json, to_json},
};
use crate::{
    model::{ExposedPort, JournalEntry, Protocol, RegionName, ServiceKey, StackShared, free_address},
    text::Text,
};

/// Writes the ports into the revision, and an address for its service into what its stack shares. One that has ports
/// already was completed by another region's reconciler: it stays as it is.
pub(super) fn complete(tx: &Tx<'_>, region: &RegionName, learned: &Learned, pool: &str) -> Result<bool, Fault> {
    let Learned { service, revision, ports } = learned;
    let Some(mut kept) = rows::revision(&tx.sql, service, *revision)? else { return Ok(false) };
    if !kept.spec.expose.is_empty() {
        return Ok(true);
    }
    kept.spec.expose = ports.iter().map(|port| ExposedPort { port: *port, protocol: Protocol::Tcp }).collect();
    tx.sql.execute(
        "UPDATE revision SET body = ?, is_completed = 1 WHERE service = ? AND no = ?",
        params![to_json(&kept)?, service.to_string(), revision.0],
    )?;
    address(tx, service, pool)?;
    let words: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let entry = JournalEntry {
        at: tx.now(),
        command: conflict::touched(tx, Thing::Stack(&service.stack))?.and_then(|touch| touch.operation),
        region: Some(region.clone()),
        service: Some(service.clone()),
        host: None,
        what: Text::new(&format!("{service} r{revision} listens on {}, as its image says", words.join(", "))),
        is_error: false,
    };
    add_journal(&tx.sql, &entry)?;
    Ok(true)
}

/// The service's virtual address, the lowest free one where it has none. Whose decision the stack is stays so: it is
/// put back with what that operation decided.
fn address(tx: &Tx<'_>, service: &ServiceKey, pool: &str) -> Result<(), Fault> {
    let generation = next_generation(tx)?;
    let stack = &service.stack;
    let mut shared = rows::shared(&tx.sql, stack)?.unwrap_or_default();
    if shared.addresses.contains_key(&service.service) {
        return Ok(());
    }
    let mut used = BTreeSet::new();
    read::each(&tx.sql, "SELECT body FROM stack", &[], |row| {
        let other: StackShared = from_json("stack", &row.get::<_, String>(0)?)?;
        used.extend(other.addresses.into_values());
        Ok(())
    })?;
    let Some(address) = free_address(pool, &used) else {
        let words = format!(
            "no virtual address of {pool} is free for {service}: set a larger range as `links` under [proxy] in the fleet file"
        );
        return Err(StoreError::Invalid(words).into());
    };
    shared.addresses.insert(service.service.clone(), address);
    share(tx, stack, Some(&shared))?;
    let thing = Thing::Stack(stack);
    let operation = conflict::touched(tx, thing)?.and_then(|touch| touch.operation);
    let did = format!("given an address for {}", service.service);
    let touch = Touch { generation, at: tx.now(), did, by: RECONCILER.to_owned(), operation };
    conflict::touch(tx, thing, &touch)?;
    Ok(())
}
