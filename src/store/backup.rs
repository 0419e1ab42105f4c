//! Copies of a store: taken while it is in use, and put back.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, backup::Backup};

use super::{
    Options, StoreError,
    audit::{self, Note},
    check,
    clock::Clock,
    error::Fault,
    files, numbers,
    open::{BUSY, Writer},
    place,
    reader::open_to_read,
    rows::add_journal,
    schema,
};
use crate::{
    model::{JournalEntry, Origin},
    text::Text,
};

/// What came of putting a copy back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the store that was there is kept; none when there was none.
    pub aside: Option<PathBuf>,
}

/// Copies the store to a file for its owner alone, as it is at one moment, while others go on writing. Whatever is at
/// `to` is replaced when the copy is whole, and stays as it is when it is not. Gives the copy's size in bytes.
pub fn backup(store: &Path, to: &Path) -> Result<u64, StoreError> {
    let file = files::look(store)?.ok_or_else(|| {
        StoreError::Invalid(format!("there is no store {} to copy: nothing was accepted yet", store.display()))
    })?;
    let fresh = place::fresh(to);
    let made = (|| {
        make(&fresh)?;
        let source = open_to_read(store, &file).map_err(|fault| fault.at(store))?;
        schema::version(&source, store).map_err(|fault| fault.at(store))?;
        copy(&source, &fresh)?;
        let said = |error: std::io::Error| files::explain(to, &error);
        let size = fs::metadata(&fresh).map_err(said)?.len();
        fs::rename(&fresh, to).map_err(said)?;
        Ok(size)
    })();
    place::discard(&fresh);
    made
}

/// Puts a copy in the place of the store, which is kept aside. The copy is brought up to date and checked first. Numbers of
/// revisions that were given since it was made are not given again. Refused while a reconciler holds a region.
pub fn restore(store: &Path, from: &Path, by: &str, at: Timestamp, origin: Origin) -> Result<Restored, StoreError> {
    let file = files::look(from)?
        .ok_or_else(|| StoreError::Invalid(format!("there is no file {} to restore from", from.display())))?;
    files::prepare_dir(store)?;
    let fresh = place::fresh(store);
    let made = (|| {
        make(&fresh)?;
        let source = open_to_read(from, &file).map_err(|fault| fault.at(from))?;
        if schema::version(&source, from).map_err(|fault| fault.at(from))? == 0 {
            return Err(StoreError::Foreign { path: from.display().to_string(), why: "it is empty".to_owned() });
        }
        copy(&source, &fresh)?;
        drop(source);
        // Brought up to date by being opened.
        let mut writer = Writer::open(&fresh, Options { origin, ..Options::default() }, Clock::machine())?;
        let wrong = check::check(&fresh)?;
        if !wrong.is_empty() {
            let words = format!("{} is not sound, and was not restored: {}", from.display(), wrong.join("; "));
            return Err(StoreError::Invalid(words));
        }
        let what = format!("the store was restored from {}, by {by}", from.display());
        writer.write(|tx| {
            // Nobody of then holds anything now.
            tx.sql.execute("UPDATE lease SET owner = '', until = 0", [])?;
            let note = Note { by, is_here: true, did: "restored", command: None, what: &what, equivalent: None, at };
            audit::append(tx, &note)?;
            let (command, region, service, host) = (None, None, None, None);
            let what = Text::new(&what);
            add_journal(&tx.sql, &JournalEntry { at, command, region, service, host, what, is_error: false })
        })?;
        drop(writer);
        Ok(Restored { aside: place::put(store, &fresh, at, |given| numbers::keep(&fresh, given))? })
    })();
    place::discard(&fresh);
    made
}

/// An empty file for its owner alone.
fn make(path: &Path) -> Result<(), StoreError> {
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map(drop).map_err(|error| files::explain(path, &error))
}

/// All pages at once: what is read is one moment, and nobody who writes has to wait.
fn copy(source: &Connection, to: &Path) -> Result<(), StoreError> {
    let said = |error: rusqlite::Error| Fault::from(error).at(to);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(to, flags).map_err(said)?;
    copy.busy_timeout(BUSY).map_err(said)?;
    let run = Backup::new(source, &mut copy).map_err(said)?;
    run.run_to_completion(i32::MAX, std::time::Duration::from_millis(20), None).map_err(said)?;
    drop(run);
    // One file alone, which can be read where nothing can be written beside it.
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(said)?;
    copy.close().map_err(|(_, error)| said(error))?;
    let file = fs::File::open(to).map_err(|error| files::explain(to, &error))?;
    file.sync_all().map_err(|error| files::explain(to, &error))
}
