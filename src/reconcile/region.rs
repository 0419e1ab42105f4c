//! What the reconciler holds of one region.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    model::{CommandId, ContainerId, HostName, Observed, Progress, RegionName},
    plan::{Action, Failure, Memory},
    store::Fence,
    text::Text,
};

/// How long an action that ended stays in the books until its effect is seen.
const SEEN_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

/// A region under our lease.
pub(super) struct Region {
    /// Proof of the lease.
    pub fence: Fence,
    /// What cannot be seen on the hosts.
    pub memory: Memory,
    /// What was last told of each open operation, and since when it went on in this direction.
    pub reported: BTreeMap<CommandId, (Timestamp, Progress)>,
    /// Ended actions whose effect is not seen yet: they stay in flight, so that they are not given again.
    settling: BTreeMap<Action, Settling>,
}

struct Settling {
    host: HostName,
    container: ContainerId,
    /// The container is there (true) or gone (false) once the effect is seen.
    there: bool,
    until: Timestamp,
}

/// How an action ended.
pub(super) struct Ended {
    pub region: RegionName,
    pub action: Action,
    pub result: Result<Option<ContainerId>, Failed>,
}

/// Why an action failed.
pub(super) struct Failed {
    pub error: Text,
    pub is_final: bool,
}

impl Region {
    pub(super) fn new(fence: Fence) -> Self {
        Self { fence, memory: Memory::default(), reported: BTreeMap::new(), settling: BTreeMap::new() }
    }

    /// True while something has been started and its effect is not seen.
    pub(super) fn is_busy(&self) -> bool {
        !self.memory.in_flight.is_empty()
    }

    /// Takes in how an action ended.
    pub(super) fn ended(&mut self, ended: Ended, now: Timestamp) {
        let Ended { action, result, .. } = ended;
        match result {
            Ok(container) => {
                self.memory.failures.remove(&action);
                if let Action::Pull { host, image, .. } = &action {
                    self.memory.pulling.remove(&(host.clone(), image.clone()));
                    self.memory.pulled.insert((host.clone(), image.clone()));
                }
                let there = !matches!(action, Action::Stop { .. });
                if let Some(container) = container {
                    let host = action.host().clone();
                    let until = now.saturating_add(SEEN_WITHIN).unwrap_or(now);
                    self.settling.insert(action, Settling { host, container, there, until });
                } else {
                    self.memory.in_flight.remove(&action);
                }
            }
            Err(failed) => {
                let times = self.memory.failures.get(&action).map_or(0, |failure| failure.times) + 1;
                self.memory.in_flight.remove(&action);
                let Failed { error, is_final } = failed;
                self.memory.failures.insert(action, Failure { times, at: now, error, is_final });
            }
        }
    }

    /// Lets go of the actions whose effect is seen, or was not seen in time.
    pub(super) fn settle(&mut self, observed: &Observed, now: Timestamp) {
        let memory = &mut self.memory;
        self.settling.retain(|action, settling| {
            let seen = observed
                .hosts
                .get(&settling.host)
                .is_some_and(|host| host.containers.contains_key(&settling.container) == settling.there);
            let keep = !seen && now < settling.until;
            if !keep {
                memory.in_flight.remove(action);
            }
            keep
        });
    }
}
