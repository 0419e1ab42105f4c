//! Whether a store is sound: the file, and what must always be true of what is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rusqlite::Connection;

use super::{
    StoreError, accept::pairs, audit, error::Fault, files, read, reader::open_to_read, rows::from_json, schema,
};
use crate::model::{Desired, OperationState, RegionName, Revision, ServiceKey};

/// So many lines of SQLite's own check are enough.
const LINES: u32 = 20;

/// Something that must be true: gives where it is not.
type Rule = fn(&Connection) -> Result<Vec<String>, Fault>;

/// What is wrong with the store, in words; nothing when it is sound, or when there is none.
pub fn check(store: &Path) -> Result<Vec<String>, StoreError> {
    let Some(file) = files::look(store)? else { return Ok(Vec::new()) };
    let said = |fault: Fault| fault.at(store);
    let db = open_to_read(store, &file).map_err(said)?;
    let db = db.unchecked_transaction().map_err(|error| said(error.into()))?;
    match schema::version(&db, store).map_err(said)? {
        0 => return Ok(Vec::new()),
        schema::VERSION => {}
        found => {
            let path = store.display().to_string();
            return Err(StoreError::Older { path, found, known: schema::VERSION });
        }
    }
    let mut wrong = pages(&db).map_err(said)?;
    // In a file that is damaged the rest would only be its echo.
    if wrong.is_empty() {
        let rules: [Rule; 5] = [slots, revisions, operations, generations, chain];
        for rule in rules {
            match rule(&db) {
                Ok(found) => wrong.extend(found),
                Err(Fault::Value(what)) => wrong.push(format!("something in it does not read: {what}")),
                Err(fault) => return Err(said(fault)),
            }
        }
    }
    Ok(wrong)
}

fn pages(db: &Connection) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    read::each(db, &format!("PRAGMA integrity_check({LINES})"), &[], |row| {
        let line: String = row.get(0)?;
        if line != "ok" {
            found.push(format!("the file is damaged: {line}"));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Every wanted slot names a revision that is kept.
fn slots(db: &Connection) -> Result<Vec<String>, Fault> {
    let desired = read::desired(db, &Desired::default())?;
    let mut found = Vec::new();
    for (replica, place) in desired.replicas() {
        if desired.revision(&replica.service, place.revision).is_none() {
            found.push(format!("{replica} in {} wants r{}, which is not kept", replica.region, place.revision));
        }
    }
    Ok(found)
}

/// Every revision is the one that its row says.
fn revisions(db: &Connection) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    read::each(db, "SELECT service, no, body FROM revision", &[], |row| {
        let (service, no): (String, u32) = (row.get(0)?, row.get(1)?);
        let body: Revision = from_json("revision", &row.get::<_, String>(2)?)?;
        if body.service.to_string() != service || body.no.0 != no {
            found.push(format!("what is kept as {service} r{no} calls itself {} r{}", body.service, body.no));
        }
        Ok(())
    })?;
    Ok(found)
}

/// At most one open operation speaks for a service in a region; what is open is not final, and the other way round; each
/// open one knows how far each of its regions is.
fn operations(db: &Connection) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    read::each(db, "SELECT id, is_open, state FROM operation", &[], |row| {
        let state: OperationState = from_json("operation state", &row.get::<_, String>(2)?)?;
        if row.get::<_, bool>(1)? == state.is_final() {
            found.push(format!("operation {} is {} and marked otherwise", row.get::<_, String>(0)?, state.word()));
        }
        Ok(())
    })?;
    let mut speaks: BTreeMap<(ServiceKey, RegionName), String> = BTreeMap::new();
    for operation in read::open_operations(db)? {
        for (service, region) in pairs(&operation.after) {
            let id = operation.id.short();
            if let Some(other) = speaks.insert((service.clone(), region.clone()), id.clone()) {
                found.push(format!("operations {other} and {id} both speak for {service} in {region}"));
            }
        }
        let known: BTreeSet<RegionName> = operation.progress.keys().cloned().collect();
        if known != operation.regions() {
            found.push(format!("operation {} does not know how far all its regions are", operation.id.short()));
        }
    }
    Ok(found)
}

/// No generation is ahead of the last that was given.
fn generations(db: &Connection) -> Result<Vec<String>, Fault> {
    let last = read::generation(db)?;
    let mut found = Vec::new();
    read::each(
        db,
        "SELECT max(generation) FROM (SELECT generation FROM touch UNION SELECT generation FROM operation)",
        &[],
        |row| {
            if let Some(highest) = row.get::<_, Option<i64>>(0)?
                && i64::try_from(last.0).is_ok_and(|last| highest > last)
            {
                found.push(format!("generation {highest} was given, and the last is said to be {last}"));
            }
            Ok(())
        },
    )?;
    Ok(found)
}

fn chain(db: &Connection) -> Result<Vec<String>, Fault> {
    Ok(audit::verify(db)?.err().map(|why| format!("the audit is broken: {why}")).into_iter().collect())
}
