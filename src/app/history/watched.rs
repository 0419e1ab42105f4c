//! Replicas whose past is kept: those that were on the screen last.

use std::collections::{BTreeSet, HashMap};

use super::MOST_REPLICAS;
use crate::app::ids::{ReplicaId, ServiceId};

/// Replicas by when they were last on the screen.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Watched {
    replicas: HashMap<ReplicaId, (ServiceId, i64)>,
}

impl Watched {
    /// A replica is on the screen in a step.
    pub(super) fn see(&mut self, id: &ReplicaId, service: &ServiceId, step: i64) {
        match self.replicas.get_mut(id) {
            Some((_, seen)) => *seen = step,
            None => {
                self.replicas.insert(id.clone(), (service.clone(), step));
            }
        }
    }

    /// Lets go of the longest unseen where there are too many.
    pub(super) fn trim(&mut self) {
        let over = self.replicas.len().saturating_sub(MOST_REPLICAS);
        if over == 0 {
            return;
        }
        let mut seen: Vec<(i64, ReplicaId)> = self.replicas.iter().map(|(id, (_, step))| (*step, id.clone())).collect();
        seen.sort_unstable();
        for (_, id) in seen.into_iter().take(over) {
            self.replicas.remove(&id);
        }
    }

    /// Forgets those that are not there any more.
    pub(super) fn keep(&mut self, there: &BTreeSet<&ReplicaId>) {
        self.replicas.retain(|id, _| there.contains(id));
    }

    pub(super) fn has(&self, id: &ReplicaId) -> bool {
        self.replicas.contains_key(id)
    }

    /// The services that they belong to.
    pub(super) fn services(&self) -> BTreeSet<&ServiceId> {
        self.replicas.values().map(|(service, _)| service).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::ids::StackId, model::ContainerId};

    #[test]
    fn the_longest_unseen_go_first() {
        let service = ServiceId { stack: StackId::Loose, name: "x".into() };
        let id = |n: usize| ReplicaId::Container("h".parse().unwrap(), ContainerId(format!("c{n:05}").as_str().into()));
        let mut watched = Watched::default();
        for n in 0..3 * MOST_REPLICAS {
            watched.see(&id(n), &service, i64::try_from(n).unwrap());
            watched.see(&id(0), &service, i64::try_from(n).unwrap());
            watched.trim();
            assert!(watched.replicas.len() <= MOST_REPLICAS);
        }
        assert!(watched.has(&id(0)), "it was there all the time");
        assert!(watched.has(&id(3 * MOST_REPLICAS - 1)) && !watched.has(&id(1)));
        assert_eq!(watched.services().len(), 1);
        watched.keep(&BTreeSet::from([&id(0)]));
        assert_eq!(watched.replicas.len(), 1);
    }
}
