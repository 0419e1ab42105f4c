//! Model types as columns, and back.

use std::fmt::Display;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Serialize, de::DeserializeOwned};

use super::error::Fault;
use crate::model::{
    Assignment, CommandId, Generation, JournalEntry, Operation, OperationState, Progress, RegionName, Revision,
    RevisionNo, ServiceKey, StackName, StackShared,
};

/// Nanoseconds since 1970; what does not fit (before 1678, after 2262) is cut to what does.
pub(super) fn nanos(at: Timestamp) -> i64 {
    let nanos = at.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// The reverse of [`nanos`].
pub(super) fn time(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or_default()
}

/// A command's id as stored: 32 hex digits, so that a short form is its end.
pub(super) fn hex(id: CommandId) -> String {
    id.0.simple().to_string()
}

/// A name or id from its column.
pub(super) fn parse<T: std::str::FromStr<Err: Display>>(what: &str, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|error| Fault::value(what, error))
}

/// A value from its JSON column.
pub(super) fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::value(what, error))
}

/// A value for its JSON column.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, Fault> {
    Ok(serde_json::to_string(value)?)
}

/// SQLite's signed number for one of ours. Ours count by one and never get near the end.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The reverse of [`signed`].
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A revision, if it is kept.
pub(super) fn revision(db: &Connection, service: &ServiceKey, no: RevisionNo) -> Result<Option<Revision>, Fault> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM revision WHERE service = ? AND no = ?")?
        .query_row(params![service.to_string(), no.0], |row| row.get(0))
        .optional()?;
    body.map(|body| from_json("revision", &body)).transpose()
}

/// What is wanted of a service in a region.
pub(super) fn assignment(
    db: &Connection,
    service: &ServiceKey,
    region: &RegionName,
) -> Result<Option<Assignment>, Fault> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM assignment WHERE service = ? AND region = ?")?
        .query_row(params![service.to_string(), region.as_str()], |row| row.get(0))
        .optional()?;
    body.map(|body| from_json("assignment", &body)).transpose()
}

/// What the services of a stack share.
pub(super) fn shared(db: &Connection, stack: &StackName) -> Result<Option<StackShared>, Fault> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM stack WHERE name = ?")?
        .query_row([stack.as_str()], |row| row.get(0))
        .optional()?;
    body.map(|body| from_json("stack", &body)).transpose()
}

/// The columns that [`operation`] reads, in its order.
pub(super) const OPERATION: &str = "id, generation, at, by, intent, equivalent, before, after, state, paused, resumed";

/// An operation from its row, with its progress from the other table.
pub(super) fn operation(db: &Connection, row: &Row<'_>) -> Result<Operation, Fault> {
    let hex: String = row.get(0)?;
    let text = |column: usize| row.get::<_, String>(column);
    let mut query = db.prepare_cached("SELECT region, body FROM progress WHERE operation = ?")?;
    let mut rows = query.query([&hex])?;
    let mut progress = std::collections::BTreeMap::new();
    while let Some(row) = rows.next()? {
        let region: RegionName = parse("region", &row.get::<_, String>(0)?)?;
        let part: Progress = from_json("progress", &row.get::<_, String>(1)?)?;
        progress.insert(region, part);
    }
    Ok(Operation {
        id: parse("operation id", &hex)?,
        generation: Generation(unsigned(row.get(1)?)),
        at: time(row.get(2)?),
        by: text(3)?,
        intent: from_json("intent", &text(4)?)?,
        equivalent: text(5)?,
        before: from_json("operation before", &text(6)?)?,
        after: from_json("operation after", &text(7)?)?,
        state: from_json::<OperationState>("operation state", &text(8)?)?,
        progress,
        paused: row.get::<_, Option<String>>(9)?.map(|text| from_json("pause", &text)).transpose()?,
        resumed: row.get::<_, Option<i64>>(10)?.map(time),
    })
}

/// Appends a line to the journal.
pub(super) fn add_journal(db: &Connection, entry: &JournalEntry) -> Result<(), Fault> {
    db.prepare_cached(
        "INSERT INTO journal (at, command, region, service, host, what, is_error) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        nanos(entry.at),
        entry.command.map(hex),
        entry.region.as_ref().map(RegionName::as_str),
        entry.service.as_ref().map(ToString::to_string),
        entry.host.as_ref().map(crate::model::HostName::as_str),
        entry.what.as_str(),
        entry.is_error,
    ])?;
    Ok(())
}
