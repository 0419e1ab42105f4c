//! Desired state, revisions, commands, journal and leases, on disk, for many processes.
//!
//! [`ReadStore`] is what a wall screen gets, [`Store`] what acts. [`Sqlite`] is both; [`SqliteReader`] has no
//! mutating method, as a type. What they promise:
//!
//! - [`Store::accept`] is one transaction: compare, append, write. When it returns, the command is on disk.
//! - Every operation reaches exactly one final state. The store alone writes states, in the transaction that
//!   changes the cause, and writes the journal line that says so.
//! - Generations only grow. Whatever changes the desired state makes a new one.
//! - What a reconciler writes carries a [`Fence`]; a reconciler that lost its lease changes nothing.
//! - Every command that is accepted, refused, paused, resumed or ended stands in the audit, written in the transaction
//!   that does it. The audit is a chain of hashes, and only appended to.
//!
//! A partly covered operation: when a later command takes over some of its services, those leave its books (its
//! `before` and `after`), and it goes on with the rest. When nothing is left, it is superseded. So at most one
//! open operation speaks for any service in any region.

mod accept;
mod audit;
mod backup;
mod check;
mod clock;
mod complete;
mod conflict;
mod drain;
mod error;
mod files;
mod holding;
mod lease;
mod numbers;
mod open;
mod outcome;
mod place;
mod proven;
mod read;
mod reader;
mod rebuild;
mod replace;
mod retention;
mod rows;
mod schema;
mod shared;
mod sign;
mod sqlite;
#[cfg(test)]
mod tests;
mod worker;

use std::{collections::BTreeSet, sync::Arc};

use futures::future::BoxFuture;
use jiff::Timestamp;

pub use backup::{Restored, backup, restore};
pub use check::check;
pub use error::{Conflict, StoreError};
pub use holding::holdings;
pub use open::Options;
pub use reader::SqliteReader;
pub use retention::Retention;
pub use schema::VERSION as SCHEMA_VERSION;
pub use sqlite::Sqlite;

use crate::{
    model::{
        CommandId, Desired, Epoch, JournalEntry, Lease, Operation, Paused, Place, Progress, Proposal, RegionName,
        ReplicaKey, RevisionNo, ServiceKey, StackName,
    },
    text::Text,
};

/// What reading gives: an answer that comes later, or why not.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Which operations to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationQuery {
    /// Only those that are not final.
    pub open_only: bool,
    /// At most so many.
    pub limit: usize,
    /// Only those that touch this stack.
    pub stack: Option<StackName>,
}

impl Default for OperationQuery {
    fn default() -> Self {
        Self { open_only: false, limit: 100, stack: None }
    }
}

/// Which journal entries to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalQuery {
    /// Only those of this command.
    pub command: Option<CommandId>,
    /// Only those about this service.
    pub service: Option<ServiceKey>,
    /// At most so many, the newest ones.
    pub limit: usize,
}

impl Default for JournalQuery {
    fn default() -> Self {
        Self { command: None, service: None, limit: 1000 }
    }
}

/// The proof that a reconciler holds a region: what [`Store::take_lease`] gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The region.
    pub region: RegionName,
    /// Which holding it is.
    pub epoch: Epoch,
}

/// What an image says of a revision whose file does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// The service.
    pub service: ServiceKey,
    /// Its revision.
    pub revision: RevisionNo,
    /// The TCP ports on which it listens; not empty.
    pub ports: BTreeSet<u16>,
}

/// Reads of the store. None of them waits for a writer.
pub trait ReadStore: Send + Sync + 'static {
    /// The accepted state. Cheap when nothing changed: the same `Arc` comes again.
    fn desired(&self) -> Answer<'_, Arc<Desired>>;
    /// Operations, newest first.
    fn operations(&self, query: OperationQuery) -> Answer<'_, Vec<Operation>>;
    /// One operation; none when it is not known (any more).
    fn operation(&self, id: CommandId) -> Answer<'_, Option<Operation>>;
    /// The one operation whose id ends in `suffix` (hex digits, hyphens ignored): what people type after reading
    /// [`CommandId::short`]. Several: [`StoreError::Ambiguous`].
    fn find_operation(&self, suffix: String) -> Answer<'_, Option<Operation>>;
    /// Lines of the journal, newest first.
    fn journal(&self, query: JournalQuery) -> Answer<'_, Vec<JournalEntry>>;
    /// All leases that were ever taken, by region. Expired and released ones are not alive.
    fn leases(&self) -> Answer<'_, Vec<Lease>>;
    /// A number that differs after any commit by anyone, this process included. Cheap enough to poll at 20 Hz.
    /// Two equal answers mean that nothing was written between them; it does not only grow.
    fn version(&self) -> Answer<'_, u64>;
}

/// Reads and changes of the store. A future that is dropped after its first poll may still do its work.
pub trait Store: ReadStore {
    /// Accepts a change as a whole or refuses it as a whole ([`StoreError::Conflict`], [`StoreError::Invalid`]).
    /// What touches no region (a host's intent, a stack without services) is converged at once.
    fn accept(&self, proposal: Proposal, by: String, at: Timestamp) -> Answer<'_, Operation>;
    /// Takes or renews the lease of a region; it expires [`Options::lease`] later. `None`: someone else holds it.
    /// `holder` is for people; the lease belongs to this open store, so two processes never share one.
    fn take_lease(&self, region: RegionName, holder: Text) -> Answer<'_, Option<Epoch>>;
    /// Gives a lease back, so that the next one need not wait for its expiry. Nothing happens when it is lost.
    fn release_lease(&self, fence: Fence) -> Answer<'_, ()>;
    /// Writes how far the fence's region is with operations, and lines of the journal. Accepted operations become
    /// running; an operation whose regions have all finished becomes converged, and the journal says so. What is
    /// final or does not concern the region is left alone. Equal progress is not written again.
    fn report(&self, fence: Fence, progress: Vec<(CommandId, Progress)>, journal: Vec<JournalEntry>) -> Answer<'_, ()>;
    /// Gives an operation up that has changed something: as [`Store::fail`], but it stays open as
    /// [`OperationState::RollingBack`](crate::model::OperationState::RollingBack) until its regions report that what
    /// was before is there again. One that does not go forward any more is given as it is.
    fn roll_back(&self, fence: Fence, id: CommandId, reason: Text, at: Timestamp) -> Answer<'_, Operation>;
    /// Gives an operation up at once. In all its regions, what it still decides is put back to what was there before, as a
    /// new generation, for the reconcilers to make true. One that rolls back fails for good. Gives the operation; one that was final already is
    /// given as it is.
    fn fail(&self, fence: Fence, id: CommandId, reason: Text, at: Timestamp) -> Answer<'_, Operation>;
    /// Gives an operation up at once, as [`Store::fail`], but what it asked for stays wanted: its services' files say
    /// that a failure shall not stop the rest.
    fn leave(&self, fence: Fence, id: CommandId, reason: Text, at: Timestamp) -> Answer<'_, Operation>;
    /// Moves one slot to another host, as a new generation. False when the slot is gone or wants another revision
    /// by now, so that the caller must look again.
    fn replace(&self, fence: Fence, replica: ReplicaKey, place: Place, why: Text) -> Answer<'_, bool>;
    /// Notes which TCP ports a revision listens on, as its image says, and gives its service a virtual address out of
    /// `pool` (CIDR) where it has none. Only for a revision that names no port and of which nothing runs yet: it is the
    /// one thing that a revision learns after it was appended. False: it is not kept any more.
    fn complete(&self, fence: Fence, learned: Learned, pool: String) -> Answer<'_, bool>;
    /// Ends an operation by an operator's will. What it still decides is put back, as in [`Store::fail`]. An
    /// operation that is final already: [`StoreError::Final`].
    fn abort(&self, id: CommandId, by: Text, at: Timestamp) -> Answer<'_, Operation>;
    /// Lets an operation stand still: nothing new begins until [`Store::resume`], and it cannot fail meanwhile. One that is
    /// final: [`StoreError::Final`].
    fn pause(&self, id: CommandId, paused: Paused) -> Answer<'_, Operation>;
    /// Lets an operation go on. Its deadlines count from `at`. One that is final: [`StoreError::Final`].
    fn resume(&self, id: CommandId, by: Text, at: Timestamp) -> Answer<'_, Operation>;
    /// Writes into the audit that somebody did something that is no command: opened a shell, for example.
    fn attest(&self, by: String, did: &'static str, what: Text, at: Timestamp) -> Answer<'_, ()>;
    /// Adds lines to the journal.
    fn journal_add(&self, entries: Vec<JournalEntry>) -> Answer<'_, ()>;
}
