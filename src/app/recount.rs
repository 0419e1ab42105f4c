//! Keeping the index to what is seen and wanted, also while the picture is held still.

use super::{
    index::{Basis, Changed},
    state::State,
};

impl State {
    /// What is counted of what is seen now.
    pub(super) fn basis(&self) -> Basis<'_> {
        Basis {
            fleet: &self.fleet,
            desired: &self.store.desired,
            observed: &self.live,
            operations: &self.store.operations,
            pace: self.pace,
            now: self.now,
        }
    }

    /// Counts what changed: of what is seen now, or of the picture held still, in which only what shall be can change.
    pub(super) fn recount(&mut self) {
        let mut index = std::mem::take(&mut self.index);
        if let Some(frozen) = &self.frozen {
            index.recount(Basis { observed: &frozen.observed, ..self.basis() }, &Changed::store());
        } else {
            let changed = std::mem::take(&mut self.changed);
            index.recount(self.basis(), &changed);
            let pace = self.pace.fit(index.running());
            if std::mem::replace(&mut self.pace, pace) != pace {
                // What is missing hangs on it. It changes once in a long while.
                index.recount(self.basis(), &Changed::default());
            }
        }
        self.index = index;
    }

    /// Counts what is seen now while the picture is held still.
    pub(super) fn count_beneath(&mut self) {
        let Some(mut frozen) = self.frozen.take() else { return };
        let mut changed = std::mem::take(&mut self.changed);
        changed.touch_store();
        frozen.beneath.recount(self.basis(), &changed);
        self.frozen = Some(frozen);
    }
}
