//! The writing connection: how it is opened, and what a write transaction is.

use std::{
    cell::OnceCell,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::{
    Retention, StoreError,
    clock::Clock,
    error::Fault,
    files::{self, FileId},
    retention, schema,
    sign::{self, Sign},
};
use crate::model::{Origin, Rules};

/// How long a write waits for other processes' writes.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// What can be chosen about an open store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What is kept.
    pub retention: Retention,
    /// A lease that is not renewed so long is anyone's. Renew it three times as often.
    pub lease: Duration,
    /// What tells the time here. Leases count by the machine's own count since it was booted, unless this clock runs by itself.
    pub clock: crate::clock::Clock,
    /// Work is done in the caller's turn, and not by threads of its own: where one seed shall be one history.
    pub in_turn: bool,
    /// The way by which who uses it came here, for the audit and for roles.
    pub origin: Origin,
    /// Who may do what: what is not allowed is not accepted.
    pub rules: Rules,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: Retention::default(),
            lease: Duration::from_secs(15),
            clock: crate::clock::Clock::machine(),
            in_turn: false,
            origin: Origin::default(),
            rules: Rules::default(),
        }
    }
}

/// The one connection of this process that writes.
#[derive(Debug)]
pub(super) struct Writer {
    db: Connection,
    path: PathBuf,
    file: FileId,
    /// Names this open store in leases.
    owner: String,
    /// From the first lease on; none inside where it could not be made.
    sign: OnceCell<Option<Sign>>,
    options: Options,
    clock: Clock,
    writes: u64,
}

/// A write transaction and what it may look at.
pub(super) struct Tx<'a> {
    /// The transaction.
    pub(super) sql: Transaction<'a>,
    /// Where the store is.
    pub(super) path: &'a Path,
    /// This open store, in leases.
    pub(super) owner: &'a str,
    sign: &'a OnceCell<Option<Sign>>,
    /// What was chosen.
    pub(super) options: &'a Options,
    /// Time for leases.
    pub(super) clock: &'a Clock,
}

impl Tx<'_> {
    /// The time of day.
    pub(super) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// From now on, others can tell at any time whether this process lives.
    pub(super) fn show_life(&self) {
        self.sign.get_or_init(|| sign::raise(self.path, self.owner));
    }
}

impl Writer {
    /// Opens the file, makes it where it is missing, brings its schema up to date.
    pub(super) fn open(path: &Path, options: Options, clock: Clock) -> Result<Self, StoreError> {
        let file = files::prepare(path)?;
        let db = connect(path).map_err(|fault| fault.at(path))?;
        let owner = uuid::Uuid::now_v7().simple().to_string();
        Ok(Self { db, path: path.to_owned(), file, owner, sign: OnceCell::new(), options, clock, writes: 0 })
    }

    /// Runs `work` in one immediate transaction; an error takes everything back. It is on disk when this returns.
    pub(super) fn write<T>(&mut self, work: impl FnOnce(&Tx<'_>) -> Result<T, Fault>) -> Result<T, StoreError> {
        // Writing into a file that nobody else can see any more would lose what was accepted.
        if files::look(&self.path)?.map(|file| FileId::of(&file)) != Some(self.file) {
            return Err(StoreError::Replaced { path: self.path.display().to_string() });
        }
        self.writes += 1;
        let tidy = self.writes.is_multiple_of(retention::EVERY_WRITES);
        let path = self.path.clone();
        self.transact(work, tidy).map_err(|fault| fault.at(&path))
    }

    fn transact<T>(&mut self, work: impl FnOnce(&Tx<'_>) -> Result<T, Fault>, tidy: bool) -> Result<T, Fault> {
        let sql = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // A newer wharf may have changed the tables since this one opened the file.
        schema::version(&sql, &self.path)?;
        let (path, owner, sign) = (&self.path, &self.owner, &self.sign);
        let tx = Tx { sql, path, owner, sign, options: &self.options, clock: &self.clock };
        let done = work(&tx)?;
        if tidy {
            retention::tidy(&tx)?;
        }
        tx.sql.commit()?;
        Ok(done)
    }

    /// Limits the file to so many pages, as a full disk would.
    #[cfg(test)]
    pub(super) fn limit_pages(&mut self, pages: u32) -> Result<(), StoreError> {
        let limit = |db: &Connection| db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
        limit(&self.db).map_err(|error| Fault::from(error).at(&self.path))
    }
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    // Foreign files are refused before anything in them changes.
    schema::version(&db, path)?;
    // Changing to WAL, and the recovery after a crash, may be refused at once instead of waiting.
    let begun = Instant::now();
    loop {
        match set_up(&mut db, path) {
            Err(fault) if fault.is_busy() && begun.elapsed() < BUSY => std::thread::sleep(Duration::from_millis(10)),
            Err(fault) => return Err(fault),
            Ok(()) => return Ok(db),
        }
    }
}

fn set_up(db: &mut Connection, path: &Path) -> Result<(), Fault> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let detail = format!("its file system cannot share memory between processes (journal mode {mode})");
        return Err(StoreError::Io { path: path.display().to_string(), detail }.into());
    }
    // "Accepted" means on disk: every commit is synced.
    db.pragma_update(None, "synchronous", "FULL")?;
    // A log that grew in a busy hour shrinks again.
    db.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(()))?;
    schema::migrate(db, path)
}
