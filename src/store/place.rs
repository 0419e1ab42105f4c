//! Another file in the place of the store: one that was restored, or built again.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::{
    StoreError,
    clock::Clock,
    error::Fault,
    files,
    numbers::{self, Given},
    open::BUSY,
    read, schema, sign,
};

/// A name beside the store for a file that is not ready yet.
pub(super) fn fresh(store: &Path) -> PathBuf {
    with(store, &format!(".new-{}", uuid::Uuid::now_v7().simple()))
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}

/// Removes what is left of a file that was not taken.
pub(super) fn discard(fresh: &Path) {
    for end in ["", "-wal", "-shm", "-journal"] {
        drop(fs::remove_file(with(fresh, end)));
    }
}

/// Puts `fresh` in the place of the store, which is kept aside; gives the name that it has there. Refused while a
/// reconciler holds a region: it would go on with what it was told before. Other programs that have the old file open
/// notice at their next write, and must be started again. `last` is told which numbers of revisions the old one has given,
/// before it is replaced; nothing when it does not read.
pub(super) fn put(
    store: &Path,
    fresh: &Path,
    at: Timestamp,
    last: impl FnOnce(Option<Given>) -> Result<(), StoreError>,
) -> Result<Option<PathBuf>, StoreError> {
    let said = |error: io::Error| files::explain(store, &error);
    refuse_the_living(store)?;
    if files::look(store)?.is_none() {
        last(None)?;
        drop_side_files(store).map_err(said)?;
        files::adopt_mode(store, fresh).map_err(said)?;
        fs::rename(fresh, store).map_err(said)?;
        return Ok(None);
    }
    // Nobody writes from here on. What cannot be locked, because it is damaged, is moved as it is.
    let mut old = lock_of(store);
    let locked = old.as_mut().map(|db| lock(db, store)).transpose()?;
    last(locked.as_ref().and_then(|old| numbers::given(old.as_ref()?).ok()))?;
    let aside = with(store, &at.strftime(".%Y%m%dT%H%M%SZ").to_string());
    fs::hard_link(store, &aside).map_err(said)?;
    if fs::metadata(with(store, "-wal")).is_ok_and(|log| log.len() > 0) {
        fs::rename(with(store, "-wal"), with(&aside, "-wal")).map_err(said)?;
    }
    // A log and an index of the old file beside the new one would ruin it.
    drop_side_files(store).map_err(said)?;
    files::adopt_mode(store, fresh).map_err(said)?;
    fs::rename(fresh, store).map_err(said)?;
    drop(locked);
    Ok(Some(aside))
}

fn drop_side_files(store: &Path) -> io::Result<()> {
    for end in ["-wal", "-shm"] {
        match fs::remove_file(with(store, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses while the sign of a process that holds a lease is locked, whatever the file says.
fn refuse_the_living(store: &Path) -> Result<(), StoreError> {
    if sign::is_any_alive(store) {
        return Err(held("a reconciler holds regions of it"));
    }
    Ok(())
}

fn held(who: &str) -> StoreError {
    StoreError::Invalid(format!(
        "{who}: stop it first (`systemctl stop` its unit, or end its process; one that was started on demand leaves by \
         itself when nothing is pending), then repeat; nothing was changed"
    ))
}

/// The old store, opened to lock it; none where it is no store any more.
fn lock_of(store: &Path) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(store, flags).ok()?;
    db.busy_timeout(BUSY).ok()?;
    schema::version(&db, store).ok().filter(|found| *found > 0)?;
    // All that was written into the file itself.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).ok()?;
    Some(db)
}

fn lock<'db>(db: &'db mut Connection, store: &Path) -> Result<Option<Transaction<'db>>, StoreError> {
    let said = |fault: Fault| fault.at(store);
    match db.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(tx) => {
            // Tables of an old schema may have no leases that read; then nobody of ours has it open either.
            let leases = read::leases(&tx, store, &Clock::machine().now()).unwrap_or_default();
            match leases.iter().find(|lease| lease.alive) {
                Some(lease) => Err(held(&format!("region {} is held by {}", lease.region, lease.holder))),
                None => Ok(Some(tx)),
            }
        }
        Err(error) => {
            let fault = Fault::from(error);
            if fault.is_busy() { Err(said(fault)) } else { Ok(None) }
        }
    }
}
