//! A new store with a state that was read from the hosts, in the place of one that was lost.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::params;

use super::{
    Options, Sqlite, StoreError,
    accept::{assign, share},
    audit::{self, Note},
    clock::Clock,
    error::Fault,
    files, numbers,
    open::{Tx, Writer},
    place,
    rows::{add_journal, signed, to_json},
};
use crate::{
    model::{Desired, JournalEntry, Origin},
    text::Text,
};

impl Sqlite {
    /// Writes a new store that wants `desired`, and puts it in the place of the one at `path`. A store that is there and
    /// knows any service is left as it is unless it shall be replaced: then it is kept aside, under the name that is
    /// given back. Refused while a reconciler holds a region.
    pub fn rebuild(
        path: impl AsRef<Path>,
        desired: &Desired,
        by: &str,
        at: Timestamp,
        replace: bool,
        origin: Origin,
    ) -> Result<Option<PathBuf>, StoreError> {
        let path = path.as_ref();
        if !replace && is_in_use(path)? {
            return Err(StoreError::Invalid(format!(
                "the store {} is there and knows services: add --replace to build it again all the same; it is kept \
                 aside then",
                path.display()
            )));
        }
        files::prepare_dir(path)?;
        let fresh = place::fresh(path);
        let made = (|| {
            let mut writer = Writer::open(&fresh, Options { origin, ..Options::default() }, Clock::machine())?;
            writer.write(|tx| fill(tx, desired, by, at))?;
            // Closed, so that all of it is in the one file.
            drop(writer);
            // Hosts told which numbers their containers have; an old store that reads knows more.
            place::put(path, &fresh, at, |given| given.map_or(Ok(()), |given| numbers::keep(&fresh, Some(given))))
        })();
        place::discard(&fresh);
        made
    }
}

/// True when there is a store that wants anything. What does not read is not in use: it is what has to be replaced; but
/// it counts as something that is there.
fn is_in_use(path: &Path) -> Result<bool, StoreError> {
    if files::look(path)?.is_none_or(|file| file.len() == 0) {
        return Ok(false);
    }
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let count = || -> Result<i64, Fault> {
        let db = rusqlite::Connection::open_with_flags(path, flags)?;
        Ok(db.query_row("SELECT count(*) FROM assignment", [], |row| row.get(0))?)
    };
    Ok(count().map_or(true, |services| services > 0))
}

fn fill(tx: &Tx<'_>, desired: &Desired, by: &str, at: Timestamp) -> Result<(), Fault> {
    tx.sql.execute("UPDATE state SET generation = ?", [signed(desired.generation.0)])?;
    for (service, revisions) in &desired.revisions {
        for (no, revision) in revisions {
            tx.sql.execute(
                "INSERT INTO revision (service, no, body) VALUES (?, ?, ?)",
                params![service.to_string(), no.0, to_json(revision.as_ref())?],
            )?;
        }
    }
    for (service, regions) in &desired.services {
        for (region, assignment) in regions {
            assign(tx, service, region, Some(assignment))?;
        }
    }
    for (stack, shared) in &desired.stacks {
        share(tx, stack, Some(shared))?;
    }
    let services = desired.services.len();
    let what = format!(
        "the store was built again from what runs, by {by}: {services} services, {} replicas; what was before is not known",
        desired.replicas().count()
    );
    let note = Note { by, is_here: true, did: "rebuilt", command: None, what: &what, equivalent: None, at };
    audit::append(tx, &note)?;
    let entry = JournalEntry {
        at,
        command: None,
        region: None,
        service: None,
        host: None,
        what: Text::new(&what),
        is_error: false,
    };
    add_journal(&tx.sql, &entry)
}
