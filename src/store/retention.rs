//! What is kept, and throwing the rest away, so that a store does not grow for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rusqlite::params;

use super::{
    audit,
    error::Fault,
    open::Tx,
    read,
    rows::{from_json, nanos, parse, signed},
};
use crate::model::{Assignment, Defaults, RegionName, RevisionNo, ServiceKey};

/// Tidied after so many writes of one open store …
pub(super) const EVERY_WRITES: u64 = 256;
/// … and after so many generations, for programs that end after one write.
pub(super) const EVERY_GENERATIONS: u64 = 32;

/// The last containers of what is not wanted any more have drained by then, whatever their drain is.
const LEAVING: Duration = Duration::from_secs(24 * 60 * 60);

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Revisions per service, beside those in use.
    pub revisions: u32,
    /// Journal lines no older than this.
    pub journal: Duration,
    /// Journal lines at most.
    pub journal_rows: u64,
    /// Entries of the audit no older than this; what is cut leaves its hash.
    pub audit: Duration,
    /// Entries of the audit at most.
    pub audit_rows: u64,
    /// Final operations.
    pub operations: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self::from(&Defaults::default())
    }
}

impl From<&Defaults> for Retention {
    fn from(defaults: &Defaults) -> Self {
        Self {
            revisions: defaults.keep_revisions,
            journal: defaults.keep_journal,
            journal_rows: 100_000,
            audit: defaults.keep_audit,
            audit_rows: 1_000_000,
            operations: 1000,
        }
    }
}

/// Throws away what is not kept.
pub(super) fn tidy(tx: &Tx<'_>) -> Result<(), Fault> {
    let keep = &tx.options.retention;
    let oldest = tx.now().checked_sub(keep.journal).map_or(i64::MIN, nanos);
    tx.sql.execute("DELETE FROM journal WHERE at < ?", [oldest])?;
    tx.sql.execute(
        "DELETE FROM journal WHERE id <= (SELECT id FROM journal ORDER BY id DESC LIMIT 1 OFFSET ?)",
        [signed(keep.journal_rows)],
    )?;
    let oldest_deed = tx.now().checked_sub(keep.audit).map_or(i64::MIN, nanos);
    audit::cut(tx, oldest_deed, signed(keep.audit_rows))?;
    tx.sql.execute(
        "DELETE FROM operation WHERE is_open = 0 AND generation <=
         (SELECT generation FROM operation WHERE is_open = 0 ORDER BY generation DESC LIMIT 1 OFFSET ?)",
        [signed(keep.operations)],
    )?;
    for table in ["progress", "operation_stack"] {
        tx.sql.execute(&format!("DELETE FROM {table} WHERE operation NOT IN (SELECT id FROM operation)"), [])?;
    }
    // What a stack shared goes when the last that was wanted of it has been gone for long: see `shared::clear`.
    let long_ago = tx.now().checked_sub(LEAVING).map_or(i64::MIN, nanos);
    tx.sql.execute(
        "DELETE FROM stack WHERE NOT EXISTS (SELECT 1 FROM assignment WHERE substr(service, 1, length(name) + 1) = name || '/')
         AND NOT EXISTS (SELECT 1 FROM operation_stack s JOIN operation o ON o.id = s.operation
                         WHERE s.stack = name AND o.is_open = 1)
         AND NOT EXISTS (SELECT 1 FROM touch WHERE kind = 'stack' AND key = name AND at > ?)",
        [long_ago],
    )?;
    // Removals need not be remembered longer than any plan lives.
    tx.sql.execute(
        "DELETE FROM touch WHERE at < ? AND CASE kind
             WHEN 'service' THEN NOT EXISTS (SELECT 1 FROM assignment a WHERE a.service = key AND a.region = touch.region)
             WHEN 'stack' THEN key NOT IN (SELECT name FROM stack)
             ELSE key NOT IN (SELECT name FROM host) END",
        [oldest],
    )?;
    revisions(tx)
}

/// Removes old revisions that nothing names: no assignment, and no open operation that might go back to them.
fn revisions(tx: &Tx<'_>) -> Result<(), Fault> {
    let keep = usize::try_from(tx.options.retention.revisions).unwrap_or(usize::MAX).max(1);
    let mut known: BTreeMap<ServiceKey, Vec<RevisionNo>> = BTreeMap::new();
    read::each(&tx.sql, "SELECT service, no FROM revision ORDER BY service, no DESC", &[], |row| {
        let service: ServiceKey = parse("service", &row.get::<_, String>(0)?)?;
        known.entry(service).or_default().push(RevisionNo(row.get(1)?));
        Ok(())
    })?;
    let mut named: BTreeSet<(ServiceKey, RevisionNo)> = BTreeSet::new();
    let mut name = |service: &ServiceKey, assignment: &Assignment| {
        named.extend(assignment.slots.values().map(|place| (service.clone(), place.revision)));
    };
    read::each(&tx.sql, "SELECT service, body FROM assignment", &[], |row| {
        let service: ServiceKey = parse("service", &row.get::<_, String>(0)?)?;
        name(&service, &from_json("assignment", &row.get::<_, String>(1)?)?);
        Ok(())
    })?;
    for operation in read::open_operations(&tx.sql)? {
        for (service, regions) in operation.before.iter().chain(&operation.after) {
            let regions: &BTreeMap<RegionName, Option<Assignment>> = regions;
            regions.values().flatten().for_each(|assignment| name(service, assignment));
        }
    }
    for (service, numbers) in known {
        for no in numbers.into_iter().skip(keep) {
            if !named.contains(&(service.clone(), no)) {
                let mut delete = tx.sql.prepare_cached("DELETE FROM revision WHERE service = ? AND no = ?")?;
                delete.execute(params![service.to_string(), no.0])?;
            }
        }
    }
    Ok(())
}
