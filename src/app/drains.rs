//! How far a draining host is: what still has to leave, what stays, and when it is safe to switch off.

use super::{
    line::{Line, Mark, Role},
    state::State,
};
use crate::model::{ContainerState, HostIntent, HostName, Intent, Operation, Owner, ReplicaKey};

/// How far a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// Replicas that have still to leave.
    pub left: usize,
    /// Replicas that were to leave.
    pub of: usize,
    /// Replicas that stay: they can be nowhere else.
    pub stays: usize,
    /// The host can be seen, so that the numbers are those of now.
    pub is_seen: bool,
}

impl Drain {
    /// True when nothing runs there any more.
    pub fn is_empty(self) -> bool {
        self.is_seen && self.left == 0 && self.stays == 0
    }

    /// In words: `draining 3 of 9 left`, `safe to switch off`.
    pub fn line(self) -> Line {
        match self {
            Self { is_seen: false, .. } => Line::of(Role::Mark(Mark::Unknown), "draining, not seen"),
            Self { left: 0, stays: 0, .. } => Line::of(Role::Mark(Mark::Ok), "safe to switch off"),
            Self { left: 0, stays, .. } => Line::of(Role::Mark(Mark::Failed), format!("drained but for {stays}")),
            Self { left, of, .. } => Line::of(Role::Mark(Mark::Changing), format!("draining {left} of {of} left")),
        }
    }
}

/// How far a host is with its drain; none when it is not draining.
pub fn drain(state: &State, name: &HostName) -> Option<Drain> {
    let desired = &state.store.desired;
    (desired.hosts.get(name) == Some(&HostIntent::Draining)).then_some(())?;
    let host = state.observed().hosts.get(name)?;
    let stays = |key: &ReplicaKey| {
        let place = desired.assignment(&key.service, &key.region).and_then(|all| all.slots.get(&key.slot));
        place.is_some_and(|place| place.host == *name)
    };
    let mut left = 0;
    for container in host.containers.values() {
        let Owner::Replica(of) = &container.owner else { continue };
        let is_over = matches!(container.state, ContainerState::Exited { .. } | ContainerState::Dead);
        left += usize::from(!is_over && !stays(&of.key));
    }
    Some(Drain {
        left,
        of: leavers(state.operations(), name).max(left),
        stays: desired.count_on(name),
        is_seen: host.is_seen(),
    })
}

/// Replicas that the latest drain of a host was to move.
fn leavers(operations: &[Operation], name: &HostName) -> usize {
    let is_it = |op: &&Operation| matches!(&op.intent, Intent::Host { host, intent: Some(HostIntent::Draining) } if host == name);
    // Newest first.
    let Some(op) = operations.iter().find(is_it) else { return 0 };
    let places =
        op.before.iter().flat_map(|(service, regions)| regions.iter().map(move |(region, it)| (service, region, it)));
    places
        .map(|(service, region, before)| {
            let after = op.after.get(service).and_then(|regions| regions.get(region)?.as_ref());
            let slots = before.iter().flat_map(|before| &before.slots);
            let leaves = |slot| after.and_then(|after| after.slots.get(slot)).is_none_or(|place| place.host != *name);
            slots.filter(|(slot, place)| place.host == *name && leaves(slot)).count()
        })
        .sum()
}
