//! The audit's rows: appended with what they tell of, in the same transaction, and read in their order.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    error::Fault,
    open::Tx,
    read,
    rows::{hex, nanos, signed, unsigned},
};
use crate::{
    model::{Anchor, AuditEntry, Chain, CommandId, Deed, NO_HASH, Operation, Proposal, Walk},
    text::Text,
};

/// What is to be written down, without what the audit itself says.
pub(super) struct Note<'n> {
    /// Who.
    pub(super) by: &'n str,
    /// It came by this open store's own way, and not by the reconciler.
    pub(super) is_here: bool,
    /// One word.
    pub(super) did: &'n str,
    /// About which command.
    pub(super) command: Option<CommandId>,
    /// What.
    pub(super) what: &'n str,
    /// The same as a command line.
    pub(super) equivalent: Option<&'n str>,
    /// When.
    pub(super) at: Timestamp,
}

/// A command that was accepted.
pub(super) fn accepted(tx: &Tx<'_>, operation: &Operation) -> Result<(), Fault> {
    let note = Note {
        by: &operation.by,
        is_here: true,
        did: "accepted",
        command: Some(operation.id),
        what: &operation.intent.summary(),
        equivalent: Some(&operation.equivalent),
        at: operation.at,
    };
    append(tx, &note)
}

/// A command that was refused, and why.
pub(super) fn refused(tx: &Tx<'_>, proposal: &Proposal, by: &str, why: &str, at: Timestamp) -> Result<(), Fault> {
    let note = Note {
        by,
        is_here: true,
        did: "refused",
        command: None,
        what: &format!("{}: {why}", proposal.intent.summary()),
        equivalent: Some(&proposal.equivalent),
        at,
    };
    append(tx, &note)
}

/// What was done to an operation, or what became of it.
pub(super) fn of_operation(
    tx: &Tx<'_>,
    operation: &Operation,
    (by, is_here): (&str, bool),
    did: &str,
    more: &str,
    at: Timestamp,
) -> Result<(), Fault> {
    let what = format!("{}{more}", operation.intent.summary());
    append(tx, &Note { by, is_here, did, command: Some(operation.id), what: &what, equivalent: None, at })
}

/// Appends an entry.
pub(super) fn append(tx: &Tx<'_>, note: &Note<'_>) -> Result<(), Fault> {
    let last: Option<(i64, String)> = tx
        .sql
        .prepare_cached("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (no, previous) = match last {
        Some((no, hash)) => (unsigned(no), hash),
        None => anchor(&tx.sql).map(|anchor| (anchor.cut, anchor.hash))?,
    };
    let origin = &tx.options.origin;
    let deed = Deed {
        no: no + 1,
        at: note.at,
        by: Text::new(note.by),
        from: origin.from.clone().filter(|_| note.is_here),
        key: origin.key.clone().filter(|_| note.is_here),
        did: Text::new(note.did),
        command: note.command,
        what: Text::new(note.what),
        equivalent: note.equivalent.map(Text::new),
    };
    let entry = AuditEntry::new(&deed, &previous)?;
    tx.sql
        .prepare_cached("INSERT INTO audit (id, at, command, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?)")?
        .execute(params![
            signed(deed.no),
            nanos(deed.at),
            note.command.map(hex),
            entry.body,
            entry.previous,
            entry.hash
        ])?;
    Ok(())
}

/// What is left of what was cut.
pub(super) fn anchor(db: &Connection) -> Result<Anchor, Fault> {
    let found = db.query_row("SELECT cut, hash FROM audit_anchor", [], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)));
    let (cut, hash) = found.optional()?.unwrap_or_else(|| (0, NO_HASH.to_owned()));
    Ok(Anchor { cut: unsigned(cut), hash })
}

/// Entries behind number `after`, oldest first.
pub(super) fn entries(db: &Connection, after: u64, limit: usize) -> Result<Vec<AuditEntry>, Fault> {
    let mut found = Vec::new();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = "SELECT body, previous, hash FROM audit WHERE id > ? ORDER BY id LIMIT ?";
    read::each(db, sql, &[&signed(after), &limit], |row| {
        found.push(AuditEntry { body: row.get(0)?, previous: row.get(1)?, hash: row.get(2)? });
        Ok(())
    })?;
    Ok(found)
}

/// The newest entries, oldest first.
pub(super) fn newest(db: &Connection, limit: usize) -> Result<Vec<AuditEntry>, Fault> {
    let last: i64 = db.query_row("SELECT coalesce(max(id), 0) FROM audit", [], |row| row.get(0))?;
    entries(db, unsigned(last).saturating_sub(u64::try_from(limit).unwrap_or(u64::MAX)), limit)
}

/// Walks along the whole chain. The inner error says where it is broken.
pub(super) fn verify(db: &Connection) -> Result<Result<Chain, String>, Fault> {
    let mut walk = Walk::new(&anchor(db)?);
    let mut query = db.prepare("SELECT body, previous, hash FROM audit ORDER BY id")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let entry = AuditEntry { body: row.get(0)?, previous: row.get(1)?, hash: row.get(2)? };
        if let Err(why) = walk.step(&entry) {
            return Ok(Err(why));
        }
    }
    Ok(Ok(walk.end()))
}

/// Cuts what is older than `oldest` off the beginning, and keeps the hash of the last that is cut.
pub(super) fn cut(tx: &Tx<'_>, oldest: i64, most: i64) -> Result<(), Fault> {
    let old: Option<i64> = tx.sql.query_row("SELECT max(id) FROM audit WHERE at < ?", [oldest], |row| row.get(0))?;
    let many: Option<i64> = tx
        .sql
        .query_row("SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET ?", [most], |row| row.get(0))
        .optional()?;
    let Some(last) = old.max(many) else { return Ok(()) };
    tx.sql.execute("UPDATE audit_anchor SET cut = ?1, hash = (SELECT hash FROM audit WHERE id = ?1)", [last])?;
    tx.sql.execute("DELETE FROM audit WHERE id <= ?", [last])?;
    Ok(())
}
