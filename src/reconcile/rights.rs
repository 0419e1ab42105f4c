//! Who may have asked for what is about to be begun. The store refuses it where it is accepted; but who may write into the
//! store's file need not ask the store.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config,
    model::{Fleet, Operation, OperationState, Progress, RegionName, Rules},
};

/// The rules of the fleet, and what groups people were found to be in.
pub(super) struct Rights {
    rules: Rules,
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl Rights {
    pub(super) fn new(fleet: &Fleet) -> Self {
        Self { rules: fleet.rules(), groups: BTreeMap::new() }
    }

    /// Why an operation that this region has not begun must not be begun; none where it may. What has begun is not
    /// judged again: a role that was taken from somebody ends nothing that runs.
    pub(super) fn refuses(&mut self, operation: &Operation, region: &RegionName) -> Option<String> {
        let has_begun = operation.progress.get(region).is_some_and(|part| *part != Progress::default());
        if has_begun || !matches!(operation.state, OperationState::Accepted | OperationState::Running) {
            return None;
        }
        let login = operation.by.rsplit_once('@').map_or(operation.by.as_str(), |(login, _)| login);
        if self.rules.asks_for_groups() && !self.groups.contains_key(login) {
            self.groups.insert(login.to_owned(), config::groups_of(login));
        }
        let nobody = BTreeSet::new();
        let groups = self.groups.get(login).unwrap_or(&nobody);
        let why = self.rules.refuses_of(operation, &operation.by, groups, operation.intent.word())?;
        Some(format!("{why}; it was not accepted by wharf, and is not carried out"))
    }
}
