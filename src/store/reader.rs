//! The read-only store: what `wharf watch` has. It cannot write, as a type and as a connection.

use std::{
    fs::Metadata,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    Answer, JournalQuery, OperationQuery, ReadStore, StoreError, audit,
    clock::Clock,
    error::Fault,
    files::{self, FileId},
    open::BUSY,
    read, schema,
    worker::Worker,
};
use crate::model::{Anchor, AuditEntry, CommandId, Desired, JournalEntry, Lease, Operation};

/// Reads of the store and nothing else. A file that does not exist yet reads as an empty store, until it does.
#[derive(Debug)]
pub struct SqliteReader {
    worker: Worker<Reader>,
}

impl SqliteReader {
    pub(super) fn start(path: &Path, clock: Clock, in_turn: bool) -> Result<Self, StoreError> {
        let reader = Reader { path: path.to_owned(), clock, open: None, opened: 0, cache: Arc::default() };
        let worker = Worker::start("store-read", reader, in_turn).map_err(|error| files::explain(path, &error))?;
        Ok(Self { worker })
    }
}

/// What the reading thread has.
#[derive(Debug)]
pub(super) struct Reader {
    path: PathBuf,
    clock: Clock,
    open: Option<Open>,
    /// How often the file was opened: part of [`ReadStore::version`].
    opened: u64,
    cache: Arc<Desired>,
}

#[derive(Debug)]
struct Open {
    db: Connection,
    file: FileId,
    /// Set when the file was opened as one that does not change; its stamp then.
    frozen: Option<Stamp>,
}

/// Changes when the file does.
type Stamp = (u64, i64, i64);

fn stamp(file: &Metadata) -> Stamp {
    (file.size(), file.mtime(), file.mtime_nsec())
}

impl Reader {
    /// Runs `work` on one snapshot; `None` while there is no store.
    fn read<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Arc<Desired>) -> Result<T, Fault>,
    ) -> Result<Option<T>, StoreError> {
        let Some(file) = files::look(&self.path)? else {
            self.forget();
            return Ok(None);
        };
        let path = self.path.clone();
        let said = |fault: Fault| fault.at(&path);
        if self.open.as_ref().is_some_and(|open| open.is_stale(&file, &path)) {
            self.forget();
        }
        let open = if let Some(open) = self.open.take() {
            open
        } else {
            self.opened += 1;
            Open::new(&path, &file).map_err(said)?
        };
        let open = self.open.insert(open);
        let snapshot = open.db.unchecked_transaction().map_err(|error| said(error.into()))?;
        match schema::version(&snapshot, &path).map_err(said)? {
            0 => return Ok(None),
            schema::VERSION => {}
            found => {
                let path = path.display().to_string();
                return Err(StoreError::Older { path, found, known: schema::VERSION });
            }
        }
        work(&snapshot, &mut self.cache).map(Some).map_err(said)
    }
}

impl Reader {
    /// Another file may say other things under the same numbers.
    fn forget(&mut self) {
        self.open = None;
        self.cache = Arc::default();
    }
}

/// A store's file, opened to be read once.
pub(super) fn open_to_read(path: &Path, file: &Metadata) -> Result<Connection, Fault> {
    Open::new(path, file).map(|open| open.db)
}

impl Open {
    fn new(path: &Path, file: &Metadata) -> Result<Self, Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(BUSY)?;
        match schema::version(&db, path) {
            // Nobody has the store open and we may not, or on a full disk cannot, make its side files. Then it does not change either.
            Err(fault) if fault.lacks_side_files() && !has_log(path) => {
                let db = Connection::open_with_flags(frozen_url(path), flags | OpenFlags::SQLITE_OPEN_URI)?;
                Ok(Self { db, file: FileId::of(file), frozen: Some(stamp(file)) })
            }
            Err(fault) => Err(fault),
            Ok(_) => Ok(Self { db, file: FileId::of(file), frozen: None }),
        }
    }

    fn is_stale(&self, now: &Metadata, path: &Path) -> bool {
        self.file != FileId::of(now) || self.frozen.is_some_and(|then| then != stamp(now) || has_log(path))
    }
}

/// True when something may be written down beside the file only. A log without content says nothing: one that could
/// not be begun on a full disk is left like that.
fn has_log(path: &Path) -> bool {
    std::fs::metadata(wal(path)).is_ok_and(|log| log.len() > 0)
}

/// The write-ahead log beside the file.
fn wal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The file's name as SQLite's URL for a file that does not change.
fn frozen_url(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
    let name: String = path
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") })
        .collect();
    format!("file:{name}?immutable=1")
}

/// The audit.
impl SqliteReader {
    /// Its newest entries, oldest first.
    pub fn audit(&self, limit: usize) -> Answer<'_, Vec<AuditEntry>> {
        Box::pin(self.worker.run(move |reader| Ok(reader.read(|db, _| audit::newest(db, limit))?.unwrap_or_default())))
    }

    /// Entries behind number `after`, oldest first: all of it, piece by piece.
    pub fn audit_after(&self, after: u64, limit: usize) -> Answer<'_, Vec<AuditEntry>> {
        let read =
            move |reader: &mut Reader| Ok(reader.read(|db, _| audit::entries(db, after, limit))?.unwrap_or_default());
        Box::pin(self.worker.run(read))
    }

    /// What is left of the entries that were cut.
    pub fn audit_anchor(&self) -> Answer<'_, Anchor> {
        Box::pin(self.worker.run(|reader| Ok(reader.read(|db, _| audit::anchor(db))?.unwrap_or_default())))
    }
}

impl ReadStore for SqliteReader {
    fn desired(&self) -> Answer<'_, Arc<Desired>> {
        Box::pin(self.worker.run(|reader| {
            let read = reader.read(|db, cache| {
                if read::generation(db)? != cache.generation {
                    *cache = Arc::new(read::desired(db, cache)?);
                }
                Ok(Arc::clone(cache))
            })?;
            Ok(read.unwrap_or_default())
        }))
    }

    fn operations(&self, query: OperationQuery) -> Answer<'_, Vec<Operation>> {
        Box::pin(
            self.worker.run(move |reader| Ok(reader.read(|db, _| read::operations(db, &query))?.unwrap_or_default())),
        )
    }

    fn operation(&self, id: CommandId) -> Answer<'_, Option<Operation>> {
        Box::pin(self.worker.run(move |reader| Ok(reader.read(|db, _| read::operation(db, id))?.flatten())))
    }

    fn find_operation(&self, suffix: String) -> Answer<'_, Option<Operation>> {
        Box::pin(self.worker.run(move |reader| Ok(reader.read(|db, _| read::find(db, &suffix))?.flatten())))
    }

    fn journal(&self, query: JournalQuery) -> Answer<'_, Vec<JournalEntry>> {
        Box::pin(self.worker.run(move |reader| Ok(reader.read(|db, _| read::journal(db, &query))?.unwrap_or_default())))
    }

    fn leases(&self) -> Answer<'_, Vec<Lease>> {
        Box::pin(self.worker.run(|reader| {
            let (now, path) = (reader.clock.now(), reader.path.clone());
            Ok(reader.read(|db, _| read::leases(db, &path, &now))?.unwrap_or_default())
        }))
    }

    fn version(&self) -> Answer<'_, u64> {
        Box::pin(self.worker.run(|reader| {
            let version = reader.read(|db, _| {
                let version: i64 = db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
                Ok(version)
            })?;
            // The low half counts commits seen by this connection, the high half connections.
            Ok(version.map_or(0, |version| reader.opened << 32 | (version.unsigned_abs() & 0xffff_ffff)))
        }))
    }
}
