//! The store as one process has it: what is written is shown to the laws at once, and writes fail when a story says so.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use wharf::{
    model::{
        CommandId, Desired, Epoch, JournalEntry, Lease, Operation, Paused, Place, Progress, Proposal, RegionName,
        ReplicaKey,
    },
    store::{Answer, Fence, JournalQuery, Learned, OperationQuery, ReadStore, Sqlite, Store, StoreError},
    text::Text,
};

use super::{gate::Gate, laws::Laws, mutants::Mutant};

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfortune {
    /// Nothing is written.
    Fails,
    /// It is written, and nobody hears of it.
    AnswerLost,
}

/// A store that somebody watches.
pub struct Notary {
    inner: Sqlite,
    who: String,
    laws: Arc<Laws>,
    misfortunes: Mutex<VecDeque<Misfortune>>,
    /// Where its process can be made to stand still.
    gate: Option<Gate>,
    mutant: Option<Mutant>,
}

impl Notary {
    pub fn new(inner: Sqlite, who: &str, laws: Arc<Laws>, gate: Option<Gate>, mutant: Option<Mutant>) -> Self {
        Self { inner, who: who.to_owned(), laws, misfortunes: Mutex::default(), gate, mutant }
    }

    /// Waits while its process stands still.
    async fn pass(&self) {
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
    }

    /// A read, when its process is at it.
    fn read<'s, T: Send + 's>(&'s self, done: Answer<'s, T>) -> Answer<'s, T> {
        if self.gate.is_none() {
            return done;
        }
        Box::pin(async move {
            self.pass().await;
            done.await
        })
    }

    /// The next writes go wrong.
    pub fn fail(&self, how: Misfortune, times: u8) {
        self.misfortunes.lock().unwrap().extend(std::iter::repeat_n(how, usize::from(times)));
    }

    /// All goes well again.
    pub fn mend(&self) {
        self.misfortunes.lock().unwrap().clear();
    }

    /// A write with what may become of it. `after` looks at what was written, whether anybody hears of it or not.
    async fn write<T>(&self, done: Answer<'_, T>, after: impl FnOnce(&T)) -> Result<T, StoreError> {
        self.pass().await;
        let misfortune = self.misfortunes.lock().unwrap().pop_front();
        let broke = || StoreError::Io { path: "the store".to_owned(), detail: "out of luck".to_owned() };
        if misfortune == Some(Misfortune::Fails) {
            return Err(broke());
        }
        let done = done.await?;
        after(&done);
        self.laws.desired(self.inner.desired().await?);
        if misfortune == Some(Misfortune::AnswerLost) { Err(broke()) } else { Ok(done) }
    }

    /// The same for what may end operations.
    async fn ending<T>(&self, done: Answer<'_, T>, after: impl FnOnce(&T)) -> Result<T, StoreError> {
        let done = self.write(done, after).await;
        self.laws.operations(&self.inner.operations(OperationQuery::default()).await?);
        done
    }
}

impl ReadStore for Notary {
    fn desired(&self) -> Answer<'_, Arc<Desired>> {
        self.read(self.inner.desired())
    }

    fn operations(&self, query: OperationQuery) -> Answer<'_, Vec<Operation>> {
        Box::pin(async move {
            self.pass().await;
            let all = self.inner.operations(query).await?;
            Ok(if self.mutant == Some(Mutant::ForgetsCommands) { all.into_iter().skip(1).collect() } else { all })
        })
    }

    fn operation(&self, id: CommandId) -> Answer<'_, Option<Operation>> {
        self.read(self.inner.operation(id))
    }

    fn find_operation(&self, suffix: String) -> Answer<'_, Option<Operation>> {
        self.read(self.inner.find_operation(suffix))
    }

    fn journal(&self, query: JournalQuery) -> Answer<'_, Vec<JournalEntry>> {
        self.read(self.inner.journal(query))
    }

    fn leases(&self) -> Answer<'_, Vec<Lease>> {
        self.read(self.inner.leases())
    }

    fn version(&self) -> Answer<'_, u64> {
        self.read(self.inner.version())
    }
}

impl Store for Notary {
    fn accept(&self, mut proposal: Proposal, by: String, at: Timestamp) -> Answer<'_, Operation> {
        Box::pin(async move {
            let before = self.inner.desired().await?;
            let shown = proposal.clone();
            if self.mutant == Some(Mutant::IgnoresOthers) {
                proposal.base = before.generation;
            }
            let done = self.inner.accept(proposal, by, at);
            let laws = &self.laws;
            let done = self.ending(done, |operation| laws.accepted(operation, &shown)).await;
            if done.is_ok() {
                laws.restored(&shown, &*self.inner.desired().await?);
            }
            done
        })
    }

    fn take_lease(&self, region: RegionName, holder: Text) -> Answer<'_, Option<Epoch>> {
        Box::pin(async move {
            let taken = self.inner.take_lease(region.clone(), holder);
            let (laws, who) = (&self.laws, &self.who);
            let taken = self.write(taken, |epoch| laws.leased(&region, who, *epoch)).await?;
            let is_forged = taken.is_none() && self.mutant == Some(Mutant::SharesLeases);
            let told = if is_forged { self.laws.epoch(&region) } else { taken };
            self.laws.holds(&region, who, told.is_some());
            Ok(told)
        })
    }

    fn release_lease(&self, fence: Fence) -> Answer<'_, ()> {
        self.read(self.inner.release_lease(fence))
    }

    fn report(
        &self,
        fence: Fence,
        mut progress: Vec<(CommandId, Progress)>,
        mut journal: Vec<JournalEntry>,
    ) -> Answer<'_, ()> {
        Box::pin(async move {
            if self.mutant == Some(Mutant::TellsSecrets) {
                for entry in &mut journal {
                    entry.what = Text::new(&format!("{} with PASSWORD={}", entry.what, super::people::SECRET));
                }
            }
            if self.mutant == Some(Mutant::SaysNothing) {
                for (_, part) in &mut progress {
                    part.waits_for = Text::default();
                }
            }
            self.laws.reported(&fence.region, &progress);
            let is_ending = progress.iter().any(|(_, part)| part.finished);
            let done = self.inner.report(fence, progress, journal);
            if is_ending { self.ending(done, |()| ()).await } else { self.write(done, |()| ()).await }
        })
    }

    fn roll_back(&self, fence: Fence, id: CommandId, reason: Text, at: Timestamp) -> Answer<'_, Operation> {
        Box::pin(async move { self.ending(self.inner.roll_back(fence, id, reason, at), |_| ()).await })
    }

    fn fail(&self, fence: Fence, id: CommandId, reason: Text, at: Timestamp) -> Answer<'_, Operation> {
        Box::pin(async move { self.ending(self.inner.fail(fence, id, reason, at), |_| ()).await })
    }

    fn leave(&self, fence: Fence, id: CommandId, reason: Text, at: Timestamp) -> Answer<'_, Operation> {
        Box::pin(async move { self.ending(self.inner.leave(fence, id, reason, at), |_| ()).await })
    }

    fn replace(&self, fence: Fence, replica: ReplicaKey, place: Place, why: Text) -> Answer<'_, bool> {
        Box::pin(async move {
            self.laws.replacing(&replica, &place, why.as_str());
            self.write(self.inner.replace(fence, replica, place, why), |_| ()).await
        })
    }

    fn complete(&self, fence: Fence, learned: Learned, pool: String) -> Answer<'_, bool> {
        Box::pin(async move { self.write(self.inner.complete(fence, learned, pool), |_| ()).await })
    }

    fn abort(&self, id: CommandId, by: Text, at: Timestamp) -> Answer<'_, Operation> {
        Box::pin(async move { self.ending(self.inner.abort(id, by, at), |_| ()).await })
    }

    fn pause(&self, id: CommandId, paused: Paused) -> Answer<'_, Operation> {
        Box::pin(async move { self.write(self.inner.pause(id, paused), |_| ()).await })
    }

    fn resume(&self, id: CommandId, by: Text, at: Timestamp) -> Answer<'_, Operation> {
        Box::pin(async move { self.write(self.inner.resume(id, by, at), |_| ()).await })
    }

    fn attest(&self, by: String, did: &'static str, what: Text, at: Timestamp) -> Answer<'_, ()> {
        self.inner.attest(by, did, what, at)
    }

    fn journal_add(&self, entries: Vec<JournalEntry>) -> Answer<'_, ()> {
        self.read(self.inner.journal_add(entries))
    }
}
