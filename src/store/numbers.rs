//! Numbers of revisions that were given before the store became another file: none is given twice, for a container that
//! has it would pass for one of the new revision.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, OpenFlags, params};

use super::{StoreError, error::Fault, files, read::each, rows::parse};
use crate::model::{RevisionNo, ServiceKey};

/// The last number that each service got, as far as one file knows.
pub(super) type Given = BTreeMap<ServiceKey, RevisionNo>;

/// So many numbers are left out where nobody knows how many were given since a copy was made: hosts that are out of
/// reach may run some of them.
const UNKNOWN: u32 = 100;

/// What a store has given, of any schema; what it does not have does not count.
pub(super) fn given(db: &Connection) -> Result<Given, Fault> {
    let mut given = before(db).unwrap_or_default();
    each(db, "SELECT service, max(no) FROM revision GROUP BY service", &[], |row| note(&mut given, row))?;
    Ok(given)
}

/// What was given before the store was this file.
pub(super) fn before(db: &Connection) -> Result<Given, Fault> {
    let mut given = Given::new();
    each(db, "SELECT service, no FROM numbered", &[], |row| note(&mut given, row))?;
    Ok(given)
}

fn note(given: &mut Given, row: &rusqlite::Row<'_>) -> Result<(), Fault> {
    let service: ServiceKey = parse("service", &row.get::<_, String>(0)?)?;
    let last = given.entry(service).or_default();
    *last = RevisionNo(row.get(1)?).max(*last);
    Ok(())
}

/// Notes in a store that is not in use yet what another one has given, whose place it takes. `None`: nobody knows.
pub(super) fn keep(fresh: &Path, given: Option<Given>) -> Result<(), StoreError> {
    let said = |error: rusqlite::Error| Fault::from(error).at(fresh);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(fresh, flags).map_err(said)?;
    let tx = db.transaction().map_err(said)?;
    let all = match given {
        Some(given) => given,
        None => self::given(&tx)
            .map_err(|fault| fault.at(fresh))?
            .into_iter()
            .map(|(service, last)| (service, RevisionNo(last.0.saturating_add(UNKNOWN))))
            .collect(),
    };
    let sql = "INSERT INTO numbered VALUES (?1, ?2) ON CONFLICT (service) DO UPDATE SET no = max(no, ?2)";
    for (service, last) in all {
        tx.execute(sql, params![service.to_string(), last.0]).map_err(said)?;
    }
    tx.commit().map_err(said)?;
    // Closing writes all of it into the one file, which must be on disk before it gets its name.
    db.close().map_err(|(_, error)| said(error))?;
    let file = std::fs::File::open(fresh).map_err(|error| files::explain(fresh, &error))?;
    file.sync_all().map_err(|error| files::explain(fresh, &error))
}
