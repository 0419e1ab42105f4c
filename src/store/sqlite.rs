//! The store on disk: one writing thread, one reading thread, any number of processes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Answer, Fence, JournalQuery, Learned, OperationQuery, Options, ReadStore, SqliteReader, Store, StoreError, accept,
    audit::{self, Note},
    clock::Clock,
    complete,
    error::Fault,
    files, lease,
    open::{Tx, Writer},
    outcome, replace, rows,
    worker::Worker,
};
use crate::{
    model::{
        CommandId, Desired, Epoch, JournalEntry, Lease, Operation, Paused, Place, Progress, Proposal, RegionName,
        ReplicaKey,
    },
    text::Text,
};

/// The store as an SQLite file in WAL mode.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    writer: Worker<Writer>,
    reader: SqliteReader,
}

impl Sqlite {
    /// Opens the store with default options. Makes directory and file where they are missing. This blocks: for a
    /// few milliseconds as a rule, up to 5 s when others keep the file locked.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default())
    }

    /// [`Sqlite::open`] with other options.
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let clock = Clock::of(options.clock);
        Self::start(path.as_ref(), options, clock)
    }

    /// Reads only. The file need not exist yet.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<SqliteReader, StoreError> {
        SqliteReader::start(path.as_ref(), Clock::machine(), false)
    }

    pub(super) fn start(path: &Path, options: Options, clock: Clock) -> Result<Self, StoreError> {
        let in_turn = options.in_turn;
        let writer = Writer::open(path, options, clock.clone())?;
        let writer = Worker::start("store-write", writer, in_turn).map_err(|error| files::explain(path, &error))?;
        Ok(Self { path: path.to_owned(), writer, reader: SqliteReader::start(path, clock, in_turn)? })
    }

    /// What the operator should know about where the file is: that it is on a network file system.
    pub fn warning(&self) -> Option<String> {
        files::warning(&self.path)
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<'_, T> {
        Box::pin(self.writer.run(move |writer| writer.write(work)))
    }

    /// [`Sqlite::write`] that first checks the fence.
    fn fenced<T: Send + 'static>(
        &self,
        fence: Fence,
        work: impl FnOnce(&Tx<'_>, &Fence) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<'_, T> {
        self.write(move |tx| {
            lease::check(tx, &fence)?;
            work(tx, &fence)
        })
    }

    /// [`Sqlite::write`] for what somebody wants of an operation: that it is not allowed is written down.
    fn asked(
        &self,
        deed: &'static str,
        id: CommandId,
        by: Text,
        at: Timestamp,
        work: impl FnOnce(&Tx<'_>) -> Result<Operation, Fault> + Send + 'static,
    ) -> Answer<'_, Operation> {
        Box::pin(async move {
            let answer = self.write(work).await;
            if let Err(StoreError::Denied(why)) = &answer {
                let what = format!("{deed} {}: {why}", id.short());
                let (command, equivalent) = (Some(id), None);
                self.write(move |tx| {
                    let by = by.as_str();
                    audit::append(tx, &Note { by, is_here: true, did: "refused", command, what: &what, equivalent, at })
                })
                .await?;
            }
            answer
        })
    }

    /// Makes the disk full after so many pages of the file.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: u32) -> Answer<'_, ()> {
        Box::pin(self.writer.run(move |writer| writer.limit_pages(pages)))
    }
}

impl ReadStore for Sqlite {
    fn desired(&self) -> Answer<'_, Arc<Desired>> {
        self.reader.desired()
    }

    fn operations(&self, query: OperationQuery) -> Answer<'_, Vec<Operation>> {
        self.reader.operations(query)
    }

    fn operation(&self, id: CommandId) -> Answer<'_, Option<Operation>> {
        self.reader.operation(id)
    }

    fn find_operation(&self, suffix: String) -> Answer<'_, Option<Operation>> {
        self.reader.find_operation(suffix)
    }

    fn journal(&self, query: JournalQuery) -> Answer<'_, Vec<JournalEntry>> {
        self.reader.journal(query)
    }

    fn leases(&self) -> Answer<'_, Vec<Lease>> {
        self.reader.leases()
    }

    fn version(&self) -> Answer<'_, u64> {
        self.reader.version()
    }
}

impl Store for Sqlite {
    fn accept(&self, proposal: Proposal, by: String, at: Timestamp) -> Answer<'_, Operation> {
        Box::pin(async move {
            let proposal = Arc::new(proposal);
            let (asked, who) = (Arc::clone(&proposal), by.clone());
            let answer = self.write(move |tx| accept::accept(tx, &asked, &who, at)).await;
            // What was refused has left no trace; that it was asked for leaves one.
            if let Err(error @ (StoreError::Conflict(_) | StoreError::Invalid(_) | StoreError::Denied(_))) = &answer {
                let why = error.to_string();
                self.write(move |tx| audit::refused(tx, &proposal, &by, &why, at)).await?;
            }
            answer
        })
    }

    fn attest(&self, by: String, did: &'static str, what: Text, at: Timestamp) -> Answer<'_, ()> {
        self.write(move |tx| {
            let (command, equivalent) = (None, None);
            audit::append(tx, &Note { by: &by, is_here: true, did, command, what: what.as_str(), equivalent, at })
        })
    }

    fn take_lease(&self, region: RegionName, holder: Text) -> Answer<'_, Option<Epoch>> {
        self.write(move |tx| lease::take(tx, &region, &holder))
    }

    fn release_lease(&self, fence: Fence) -> Answer<'_, ()> {
        self.write(move |tx| lease::release(tx, &fence))
    }

    fn report(&self, fence: Fence, progress: Vec<(CommandId, Progress)>, journal: Vec<JournalEntry>) -> Answer<'_, ()> {
        self.fenced(fence, move |tx, fence| {
            outcome::report(tx, &fence.region, &progress)?;
            journal.iter().try_for_each(|entry| rows::add_journal(&tx.sql, entry))
        })
    }

    fn roll_back(&self, fence: Fence, id: CommandId, reason: Text, at: Timestamp) -> Answer<'_, Operation> {
        self.fenced(fence, move |tx, _| outcome::roll_back(tx, id, reason, at))
    }

    fn fail(&self, fence: Fence, id: CommandId, reason: Text, at: Timestamp) -> Answer<'_, Operation> {
        self.fenced(fence, move |tx, _| outcome::fail(tx, id, reason, at))
    }

    fn replace(&self, fence: Fence, replica: ReplicaKey, place: Place, why: Text) -> Answer<'_, bool> {
        self.fenced(fence, move |tx, fence| replace::replace(tx, &fence.region, &replica, &place, &why))
    }

    fn complete(&self, fence: Fence, learned: Learned, pool: String) -> Answer<'_, bool> {
        self.fenced(fence, move |tx, fence| complete::complete(tx, &fence.region, &learned, &pool))
    }

    fn abort(&self, id: CommandId, by: Text, at: Timestamp) -> Answer<'_, Operation> {
        let (asked, who) = (by.clone(), by);
        self.asked("abort", id, asked, at, move |tx| outcome::abort(tx, id, who, at))
    }

    fn leave(&self, fence: Fence, id: CommandId, reason: Text, at: Timestamp) -> Answer<'_, Operation> {
        self.fenced(fence, move |tx, _| outcome::leave(tx, id, reason, at))
    }

    fn pause(&self, id: CommandId, paused: Paused) -> Answer<'_, Operation> {
        let (by, at) = (paused.by.clone(), paused.at);
        self.asked("pause", id, by, at, move |tx| outcome::pause(tx, id, &paused))
    }

    fn resume(&self, id: CommandId, by: Text, at: Timestamp) -> Answer<'_, Operation> {
        let (asked, who) = (by.clone(), by);
        self.asked("resume", id, asked, at, move |tx| outcome::resume(tx, id, &who, at))
    }

    fn journal_add(&self, entries: Vec<JournalEntry>) -> Answer<'_, ()> {
        self.write(move |tx| entries.iter().try_for_each(|entry| rows::add_journal(&tx.sql, entry)))
    }
}
