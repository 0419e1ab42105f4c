//! What is counted: one row per stack, service, replica and host.

use jiff::Timestamp;

use super::{
    filter::Verdict,
    ids::{ReplicaId, ServiceId, StackId},
    line::Mark,
    pace::Pace,
};
use crate::{
    model::{Container, ContainerId, HostName, RegionName, RevisionNo, Usage},
    text::Text,
};

/// What containers use together, as far as that is known now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// The sum over those that are seen and were sampled lately; none where there is none.
    pub usage: Option<Usage>,
    /// Containers whose part is missing: not seen now, or not sampled yet.
    pub missing: u32,
}

impl Load {
    /// Adds a container, on a host that is seen now or not. One that does not run uses nothing.
    pub fn count(&mut self, container: &Container, is_seen: bool, pace: Pace, now: Timestamp) {
        if !container.is_running() {
            return;
        }
        match container.usage.filter(|usage| is_seen && pace.is_fresh(usage.at, now)) {
            Some(usage) => self.add(&Self { usage: Some(usage), missing: 0 }),
            None if is_seen && container.started.is_some_and(|at| now < pace.young_until(at)) => {}
            None => self.missing = self.missing.saturating_add(1),
        }
    }

    /// When a container begins to be missing, without any news of it; none where it is so already, or uses nothing.
    pub fn until(container: &Container, is_seen: bool, pace: Pace, now: Timestamp) -> Option<Timestamp> {
        if !is_seen || !container.is_running() {
            return None;
        }
        let fresh = container.usage.map(|usage| pace.fresh_until(usage.at));
        let young = container.started.map(|at| pace.young_until(at));
        fresh.filter(|until| now < *until).or(young.filter(|until| now < *until))
    }

    /// Adds another load.
    pub fn add(&mut self, other: &Self) {
        self.usage = match (self.usage, other.usage) {
            (Some(a), Some(b)) => Some(a.plus(b)),
            (a, b) => a.or(b),
        };
        self.missing = self.missing.saturating_add(other.missing);
    }
}

/// Replicas of something, counted by state.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Wanted, or for what others run: there.
    pub wanted: u32,
    /// Well.
    pub healthy: u32,
    /// On their way.
    pub changing: u32,
    /// Not running, without a fault.
    pub stopped: u32,
    /// Wrong.
    pub failed: u32,
    /// Cannot be seen now.
    pub unknown: u32,
    /// There, but not wanted (any more).
    pub surplus: u32,
    /// Load of those that were sampled, whenever that was.
    pub usage: Option<Usage>,
    /// Load as far as it is known now.
    pub live: Load,
}

impl Tally {
    /// Counts one wanted replica.
    pub fn count(&mut self, mark: Mark) {
        self.wanted += 1;
        match mark {
            Mark::Ok => self.healthy += 1,
            Mark::Changing => self.changing += 1,
            Mark::Stopped => self.stopped += 1,
            Mark::Failed => self.failed += 1,
            Mark::Unknown => self.unknown += 1,
        }
    }

    /// Adds a load.
    pub fn load(&mut self, usage: Option<Usage>) {
        self.usage = match (self.usage, usage) {
            (Some(a), Some(b)) => Some(a.plus(b)),
            (a, b) => a.or(b),
        };
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.wanted += other.wanted;
        self.healthy += other.healthy;
        self.changing += other.changing;
        self.stopped += other.stopped;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.surplus += other.surplus;
        self.load(other.usage);
        self.live.add(&other.live);
    }

    /// The state that matters most.
    pub fn mark(&self) -> Mark {
        if self.failed > 0 {
            Mark::Failed
        } else if self.unknown > 0 {
            Mark::Unknown
        } else if self.changing > 0 || self.surplus > 0 {
            Mark::Changing
        } else if self.healthy == 0 || self.stopped > 0 {
            Mark::Stopped
        } else {
            Mark::Ok
        }
    }
}

/// A service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceRow {
    /// Which.
    pub id: ServiceId,
    /// Its newest revision.
    pub revision: Option<RevisionNo>,
    /// Its image.
    pub image: Text,
    /// Per region, in the fleet's order; none where it is not.
    pub regions: Vec<Option<Tally>>,
    /// Over all regions.
    pub total: Tally,
    /// When its newest revision was made, and by whom.
    pub updated: Option<(Timestamp, String)>,
}

/// A stack.
#[derive(Debug, Clone, PartialEq)]
pub struct StackRow {
    /// Which.
    pub id: StackId,
    /// Its services.
    pub services: usize,
    /// The hosts that it runs on.
    pub hosts: usize,
    /// Per region, in the fleet's order; none where it is not.
    pub regions: Vec<Option<Tally>>,
    /// Over all regions.
    pub total: Tally,
    /// The latest operation that touched it: an index into the operations.
    pub last: Option<usize>,
}

/// A replica.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaRow {
    /// Which.
    pub id: ReplicaId,
    /// Of which service.
    pub service: ServiceId,
    /// Its slot, for ours.
    pub slot: Option<u32>,
    /// Where.
    pub region: RegionName,
    /// The region's place in the fleet's order.
    pub region_at: Option<usize>,
    /// On which host.
    pub host: HostName,
    /// The container, when there is one.
    pub container: Option<ContainerId>,
    /// The revision it is at, for ours.
    pub revision: Option<RevisionNo>,
    /// Its state.
    pub mark: Mark,
    /// False when nothing wants it any more.
    pub wanted: bool,
    /// How it fits the filter. All that a filter looks at stays the same as long as the row does.
    pub verdict: Verdict,
}

/// A host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostRow {
    /// Which.
    pub name: HostName,
    /// Its region.
    pub region: RegionName,
    /// Replicas of this fleet that are wanted on it.
    pub replicas: Tally,
    /// Containers of others on it.
    pub others: u32,
    /// Containers that run, whosever they are.
    pub running: u32,
    /// Load of everything on it, as far as it is known now.
    pub live: Load,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ContainerState, Health, Owner};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn container(started: i64, sampled: Option<i64>) -> Container {
        Container {
            id: ContainerId("c".into()),
            name: "c".into(),
            image: "c".into(),
            image_id: "c".into(),
            state: ContainerState::Running,
            health: Health::None,
            owner: Owner::Loose,
            created: None,
            started: Some(at(started)),
            restarts: 0,
            ports: Vec::new(),
            networks: Vec::new(),
            usage: sampled.map(|seconds| Usage { cpu_percent: 5.0, at: at(seconds), ..Usage::default() }),
        }
    }

    #[test]
    fn a_load_says_what_it_lacks() {
        let ended =
            Container { state: ContainerState::Exited { code: 0, at: None, oom: false }, ..container(0, Some(99)) };
        for (what, container, seen, cpu, missing) in [
            ("sampled", container(0, Some(99)), true, Some(5.0), 0),
            ("sampled, on a host that is not seen now", container(0, Some(99)), false, None, 1),
            ("sampled long ago", container(0, Some(0)), true, None, 1),
            ("never sampled", container(0, None), true, None, 1),
            ("just started", container(70, None), true, None, 0),
            ("ended, with its last sample", ended, true, None, 0),
        ] {
            let mut load = Load::default();
            load.count(&container, seen, Pace::default(), at(100));
            assert_eq!((load.usage.map(|usage| usage.cpu_percent), load.missing), (cpu, missing), "{what}");
        }
    }
}
