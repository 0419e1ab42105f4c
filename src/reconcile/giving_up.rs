//! What becomes of an operation that has failed.

use super::{last_words, round::Reconciler};
use crate::{
    model::{FailureAction, Operation, OperationState, Paused},
    plan,
    store::{Fence, StoreError},
    text::Text,
};

/// Who pauses an operation that failed.
const RECONCILER: &str = "the reconciler";

impl Reconciler {
    /// Ends an operation that has failed, or lets it roll back where it has changed something, or stand still where its
    /// service's file says so.
    pub(super) async fn give_up(
        &self,
        fence: Fence,
        operation: Operation,
        verdict: plan::Verdict,
    ) -> Result<(), StoreError> {
        let mut reason = verdict.reason.to_string();
        if let Some((host, container)) = &verdict.culprit
            && let Some(reader) = self.observer.reader(host)
        {
            let from = self.observed.hosts.get(host).and_then(|host| host.containers.get(container)?.made_from());
            let revision = from.and_then(|(service, revision)| self.desired.revision(service, revision));
            reason += &last_words::of(&reader, container, revision.map(|revision| &revision.spec)).await;
        }
        let (id, reason, now) = (operation.id, Text::new(&reason), self.clock.now());
        // Meanwhile somebody may have paused it, or mended what is wrong and resumed it: that judgement is of before.
        let known = self.store.operation(id).await?;
        if known.is_none_or(|known| known.paused.is_some() || known.resumed != operation.resumed) {
            return Ok(());
        }
        let has_begun = verdict.has_begun || operation.progress.values().any(|part| part.done > 0);
        match verdict.action {
            FailureAction::Pause => {
                let paused = Paused { at: now, by: Text::new(RECONCILER), why: reason };
                self.store.pause(id, paused).await?;
            }
            FailureAction::Continue => drop(self.store.leave(fence, id, reason, now).await?),
            FailureAction::Rollback if has_begun && !matches!(operation.state, OperationState::RollingBack { .. }) => {
                self.store.roll_back(fence, id, reason, now).await?;
            }
            FailureAction::Rollback => drop(self.store.fail(fence, id, reason, now).await?),
        }
        Ok(())
    }
}
