//! What is counted: one row per stack, service, replica and host.

use jiff::Timestamp;

use super::{
    ids::{ReplicaId, ServiceId, StackId},
    line::Mark,
};
use crate::{
    model::{ContainerId, HostName, RegionName, RevisionNo, Usage},
    text::Text,
};

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
    /// Load of those that were sampled.
    pub usage: Option<Usage>,
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
}
