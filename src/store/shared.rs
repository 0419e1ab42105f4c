//! What the services of a stack share, above all the addresses by which they are reached: it stays until the last container
//! that is reached by it is gone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::{
    accept::{next_generation, share},
    conflict::{self, Thing, Touch},
    error::Fault,
    open::Tx,
    rows::{from_json, hex, signed},
};
use crate::model::{Generation, Operation, StackName, StackShared};

/// Once the last container of a stack that was taken away is gone, so is what its services shared; but not when
/// somebody has deployed it again since.
pub(super) fn clear(tx: &Tx<'_>, operation: &Operation, stacks: &[StackName]) -> Result<(), Fault> {
    let mut is_changed = false;
    for stack in stacks {
        let touch = conflict::touched(tx, Thing::Stack(stack))?;
        if touch.and_then(|touch| touch.operation) == Some(operation.id) && !is_used(tx, stack)? {
            share(tx, stack, None)?;
            is_changed = true;
        }
    }
    if is_changed {
        // It is not the same state any more; but nobody's decision, so that no plan is refused for it.
        next_generation(tx)?;
    }
    Ok(())
}

/// A service of the stack is wanted somewhere.
fn is_used(tx: &Tx<'_>, stack: &StackName) -> Result<bool, Fault> {
    let mut wanted = tx.sql.prepare_cached("SELECT 1 FROM assignment WHERE substr(service, 1, length(?1)) = ?1")?;
    Ok(wanted.exists([format!("{stack}/")])?)
}

/// Stacks that were not there before the operation.
pub(super) fn brought(tx: &Tx<'_>, operation: &Operation) -> Result<Vec<StackName>, Fault> {
    let shared = shared_before(tx, operation)?;
    Ok(shared.into_iter().filter(|(_, before)| before.is_none()).map(|(stack, _)| stack).collect())
}

fn shared_before(tx: &Tx<'_>, operation: &Operation) -> Result<BTreeMap<StackName, Option<StackShared>>, Fault> {
    let before: String =
        tx.sql.query_row("SELECT stacks FROM operation WHERE id = ?", [hex(operation.id)], |row| row.get(0))?;
    from_json("operation stacks", &before)
}

/// Puts back what stacks shared, unless someone else has changed it since or runs services on it by now.
pub(super) fn put_back(
    tx: &Tx<'_>,
    operation: &Operation,
    mut generation: Option<Generation>,
    by: &str,
    at: Timestamp,
    has_begun: bool,
) -> Result<(), Fault> {
    for (name, shared) in shared_before(tx, operation)? {
        // By what it shares, its containers are still reached while they drain: see [`clear`].
        if shared.is_none() && has_begun {
            continue;
        }
        let thing = Thing::Stack(&name);
        if conflict::touched(tx, thing)?.and_then(|touch| touch.operation) != Some(operation.id) {
            continue;
        }
        let others = tx
            .sql
            .prepare(
                "SELECT 1 FROM assignment a JOIN touch t ON kind = 'service' AND key = service AND t.region = a.region
                 WHERE substr(service, 1, length(?1)) = ?1 AND generation > ?2 AND t.operation IS NOT ?3",
            )?
            .exists(params![format!("{name}/"), signed(operation.generation.0), hex(operation.id)])?;
        if others {
            continue;
        }
        let generation = match generation {
            Some(generation) => generation,
            None => *generation.insert(next_generation(tx)?),
        };
        share(tx, &name, shared.as_ref())?;
        let did = "put back to what it was".to_owned();
        conflict::touch(tx, thing, &Touch { generation, at, did, by: by.to_owned(), operation: Some(operation.id) })?;
    }
    Ok(())
}
