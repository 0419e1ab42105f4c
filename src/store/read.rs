//! Reads, each on one snapshot.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::{
    JournalQuery, OperationQuery, StoreError,
    clock::Moment,
    error::Fault,
    numbers,
    rows::{self, OPERATION, from_json, hex, parse, time, unsigned},
    sign,
};
use crate::{
    model::{
        Assignment, CommandId, ContainerId, Desired, Epoch, Generation, HostIntent, HostName, JournalEntry, Lease,
        Operation, RegionName, ReplicaOf, RevisionNo, ServiceKey, StackName, StackShared,
    },
    text::Text,
};

/// Goes over the rows of a query.
pub(super) fn each(
    db: &Connection,
    sql: &str,
    with: &[&dyn ToSql],
    mut take: impl FnMut(&Row<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut query = db.prepare_cached(sql)?;
    let mut rows = query.query(with)?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

/// The last generation that was given.
pub(super) fn generation(db: &Connection) -> Result<Generation, Fault> {
    let generation: i64 = db.prepare_cached("SELECT generation FROM state")?.query_row([], |row| row.get(0))?;
    Ok(Generation(unsigned(generation)))
}

/// All of the accepted state. Revisions that `known` has are taken from there: they never change, but for what their
/// image tells before anything runs of them.
pub(super) fn desired(db: &Connection, known: &Desired) -> Result<Desired, Fault> {
    let mut desired = Desired { generation: generation(db)?, numbered: numbers::before(db)?, ..Desired::default() };
    each(db, "SELECT service, region, body FROM assignment", &[], |row| {
        let service: ServiceKey = parse("service", &row.get::<_, String>(0)?)?;
        let region: RegionName = parse("region", &row.get::<_, String>(1)?)?;
        let assignment: Assignment = from_json("assignment", &row.get::<_, String>(2)?)?;
        desired.services.entry(service).or_default().insert(region, assignment);
        Ok(())
    })?;
    let mut body = db.prepare_cached("SELECT body FROM revision WHERE service = ? AND no = ?")?;
    each(db, "SELECT service, no, is_completed FROM revision", &[], |row| {
        let name: String = row.get(0)?;
        let service: ServiceKey = parse("service", &name)?;
        let no = RevisionNo(row.get(1)?);
        let is_completed: bool = row.get(2)?;
        let known = known.revision(&service, no).filter(|known| !is_completed || !known.spec.expose.is_empty());
        let revision = if let Some(revision) = known {
            Arc::clone(revision)
        } else {
            let body: String = body.query_row(params![name, no.0], |row| row.get(0))?;
            Arc::new(from_json("revision", &body)?)
        };
        desired.revisions.entry(service).or_default().insert(no, revision);
        Ok(())
    })?;
    each(db, "SELECT name, body FROM stack", &[], |row| {
        let name: StackName = parse("stack", &row.get::<_, String>(0)?)?;
        let shared: StackShared = from_json("stack", &row.get::<_, String>(1)?)?;
        desired.stacks.insert(name, shared);
        Ok(())
    })?;
    each(db, "SELECT host, container, body FROM adopted", &[], |row| {
        let host: HostName = parse("host", &row.get::<_, String>(0)?)?;
        let container = ContainerId(Text::new(&row.get::<_, String>(1)?));
        let of: ReplicaOf = from_json("adopted", &row.get::<_, String>(2)?)?;
        desired.adopted.entry(host).or_default().insert(container, of);
        Ok(())
    })?;
    each(db, "SELECT name, intent FROM host", &[], |row| {
        let name: HostName = parse("host", &row.get::<_, String>(0)?)?;
        let intent: HostIntent = from_json("host intent", &row.get::<_, String>(1)?)?;
        desired.hosts.insert(name, intent);
        Ok(())
    })?;
    Ok(desired)
}

/// Operations, newest first.
pub(super) fn operations(db: &Connection, query: &OperationQuery) -> Result<Vec<Operation>, Fault> {
    let mut found = Vec::new();
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {OPERATION} FROM operation WHERE (NOT ?1 OR is_open = 1) AND \
         (?2 IS NULL OR id IN (SELECT operation FROM operation_stack WHERE stack = ?2)) \
         ORDER BY generation DESC LIMIT ?3"
    );
    let stack = query.stack.as_ref().map(StackName::as_str);
    each(db, &sql, &[&query.open_only, &stack, &limit], |row| {
        found.push(rows::operation(db, row)?);
        Ok(())
    })?;
    Ok(found)
}

/// Every open operation, oldest first.
pub(super) fn open_operations(db: &Connection) -> Result<Vec<Operation>, Fault> {
    let mut found = Vec::new();
    let sql = format!("SELECT {OPERATION} FROM operation WHERE is_open = 1 ORDER BY generation");
    each(db, &sql, &[], |row| {
        found.push(rows::operation(db, row)?);
        Ok(())
    })?;
    Ok(found)
}

/// One operation.
pub(super) fn operation(db: &Connection, id: CommandId) -> Result<Option<Operation>, Fault> {
    let sql = format!("SELECT {OPERATION} FROM operation WHERE id = ?");
    db.prepare_cached(&sql)?.query_row([hex(id)], |row| Ok(rows::operation(db, row))).optional()?.transpose()
}

/// The operation whose id ends in `suffix`.
pub(super) fn find(db: &Connection, suffix: &str) -> Result<Option<Operation>, Fault> {
    let digits: String = suffix.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let mut ids = Vec::new();
    each(db, "SELECT id FROM operation WHERE id LIKE '%' || ? ORDER BY id DESC LIMIT 5", &[&digits], |row| {
        let id: CommandId = parse("operation id", &row.get::<_, String>(0)?)?;
        ids.push(id);
        Ok(())
    })?;
    match ids.as_slice() {
        [] => Ok(None),
        [one] => operation(db, *one),
        many => {
            let ids = many.iter().map(ToString::to_string).collect();
            Err(StoreError::Ambiguous { suffix: Text::new(suffix).to_string(), ids }.into())
        }
    }
}

/// Journal lines, newest first.
pub(super) fn journal(db: &Connection, query: &JournalQuery) -> Result<Vec<JournalEntry>, Fault> {
    let mut found = Vec::new();
    let command = query.command.map(hex);
    let service = query.service.as_ref().map(ToString::to_string);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    // Two texts, so that each index can be used.
    let filter = match (&command, &service) {
        (None, None) => "?1 IS NULL AND ?2 IS NULL",
        (Some(_), None) => "command = ?1 AND ?2 IS NULL",
        (None, Some(_)) => "service = ?2 AND ?1 IS NULL",
        (Some(_), Some(_)) => "command = ?1 AND service = ?2",
    };
    let sql = format!(
        "SELECT at, command, region, service, host, what, is_error FROM journal WHERE {filter} ORDER BY id DESC LIMIT ?3"
    );
    each(db, &sql, &[&command, &service, &limit], |row| {
        let text = |column: usize| row.get::<_, Option<String>>(column);
        found.push(JournalEntry {
            at: time(row.get(0)?),
            command: text(1)?.map(|id| parse("operation id", &id)).transpose()?,
            region: text(2)?.map(|name| parse("region", &name)).transpose()?,
            service: text(3)?.map(|name| parse("service", &name)).transpose()?,
            host: text(4)?.map(|name| parse("host", &name)).transpose()?,
            what: Text::new(&row.get::<_, String>(5)?),
            is_error: row.get(6)?,
        });
        Ok(())
    })?;
    Ok(found)
}

/// All leases by region.
pub(super) fn leases(db: &Connection, path: &Path, now: &Moment) -> Result<Vec<Lease>, Fault> {
    let mut found = BTreeMap::new();
    let sql = "SELECT region, holder, epoch, owner <> '' AND boot = ? AND until > ?, owner FROM lease";
    let mut query = db.prepare_cached(sql)?;
    let mut rows = query.query(params![now.boot, now.ms])?;
    while let Some(row) = rows.next()? {
        let region: RegionName = parse("region", &row.get::<_, String>(0)?)?;
        let lease = Lease {
            region: region.clone(),
            holder: Text::new(&row.get::<_, String>(1)?),
            epoch: Epoch(unsigned(row.get(2)?)),
            alive: row.get::<_, bool>(3)? && !sign::is_dead(path, &row.get::<_, String>(4)?),
        };
        found.insert(region, lease);
    }
    Ok(found.into_values().collect())
}
