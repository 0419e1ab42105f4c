//! Remembers when replicas died by themselves.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    model::{Container, ContainerState, HostName, ServiceKey},
    plan::{Action, Memory},
};

/// Deaths older than this are forgotten (design: 5 failures in 5 min make a host the last choice).
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// Compares a replica before and after a change, and notes a death that nobody here asked for.
pub(super) fn note(
    memory: &mut Memory,
    host: &HostName,
    before: Option<&Container>,
    after: &Container,
    now: Timestamp,
) {
    let Some(replica) = after.replica() else { return };
    let ours = memory.in_flight.iter().any(|action| match action {
        Action::Stop { container, .. } => *container == after.id,
        _ => false,
    });
    if ours {
        return;
    }
    let ended = |container: &Container| {
        matches!(container.state, ContainerState::Exited { .. } | ContainerState::Dead | ContainerState::Restarting)
    };
    let completed = matches!(after.state, ContainerState::Exited { code: 0, .. });
    let died = match before {
        Some(before) => (!ended(before) && ended(after) && !completed) || after.restarts > before.restarts,
        // A container that ended before it was first seen: started, and dead at once.
        None => ended(after) && !completed,
    };
    if died {
        memory.deaths.entry((replica.key.service.clone(), host.clone())).or_default().push(now);
    }
}

/// Drops what is too old to matter.
pub(super) fn forget(memory: &mut Memory, now: Timestamp) {
    memory.deaths.retain(|_: &(ServiceKey, HostName), times| {
        times.retain(|at| crate::model::since(*at, now) < REMEMBERED);
        !times.is_empty()
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{ContainerId, FleetName, Health, label, owner_of};

    fn replica(state: ContainerState, restarts: u32) -> Container {
        let labels: BTreeMap<&str, &str> = [
            (label::FLEET, "acme"),
            (label::REGION, "east"),
            (label::STACK, "shop"),
            (label::SERVICE, "web"),
            (label::SLOT, "1"),
            (label::REVISION, "1"),
        ]
        .into();
        Container {
            id: ContainerId("c1".into()),
            name: "shop-web-1-r1".into(),
            image: "app:1".into(),
            image_id: "sha256:1".into(),
            state,
            health: Health::None,
            owner: owner_of(&FleetName::new("acme").unwrap(), |key| labels.get(key).copied()),
            created: None,
            started: None,
            restarts,
            ports: vec![],
            networks: vec![],
            usage: None,
        }
    }

    fn exited(code: i64) -> ContainerState {
        ContainerState::Exited { code, at: None, oom: false }
    }

    #[test]
    fn deaths_are_counted_once_and_ends_of_jobs_are_not() {
        let host = HostName::new("h1").unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let running = replica(ContainerState::Running, 0);
        for (before, after, counted) in [
            (Some(running.clone()), replica(exited(137), 0), 1),
            (Some(running.clone()), replica(exited(0), 0), 0),
            (Some(running.clone()), replica(ContainerState::Running, 1), 1),
            (Some(running.clone()), running.clone(), 0),
            (Some(replica(exited(1), 0)), replica(exited(1), 0), 0),
            (None, replica(exited(1), 0), 1),
            (None, running.clone(), 0),
        ] {
            let mut memory = Memory::default();
            note(&mut memory, &host, before.as_ref(), &after, now);
            let deaths: usize = memory.deaths.values().map(Vec::len).sum();
            assert_eq!(deaths, counted, "{before:?} {after:?}");
            forget(&mut memory, now + jiff::SignedDuration::from_secs(301));
            assert!(memory.deaths.is_empty());
        }
    }
}
