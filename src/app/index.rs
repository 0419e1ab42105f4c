//! Everything that views show, counted. Drawing and filtering only read it.
//!
//! It is counted in units: one service in one region. News of a container counts its unit anew, the host that it is on,
//! and the sums above both; everything else stays. So what a moment's news cost does not grow with the fleet. Counting
//! everything is the same with every unit touched, so both always give the same.

mod books;
mod changed;
mod rows;
mod sums;
mod unit;

use std::sync::Arc;

use jiff::Timestamp;

use self::books::Books;
pub use self::changed::Changed;
use super::{
    ids::{ServiceId, StackId},
    pace::Pace,
    rows::{HostRow, ReplicaRow, ServiceRow, StackRow, Tally},
};
use crate::model::{Desired, Fleet, HostName, Observed, Operation, RegionName};

/// Everything, counted.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// Regions, in the fleet's order.
    pub regions: Vec<RegionName>,
    /// Stacks, ours first.
    pub stacks: Vec<StackRow>,
    /// Services, by stack.
    pub services: Vec<ServiceRow>,
    /// Replicas, by service, region and slot.
    pub replicas: Vec<ReplicaRow>,
    /// Hosts, in the fleet's order.
    pub hosts: Vec<HostRow>,
    /// Wanted replicas of ours.
    pub total: Tally,
    /// When the next replica without a check counts as healthy.
    pub look_again: Option<Timestamp>,
    /// What the next recount goes by.
    books: Books,
}

impl PartialEq for Index {
    /// Equal is what shows the same, however it was counted.
    fn eq(&self, other: &Self) -> bool {
        self.regions == other.regions
            && self.stacks == other.stacks
            && self.services == other.services
            && self.replicas == other.replicas
            && self.hosts == other.hosts
            && self.total == other.total
            && self.look_again == other.look_again
            && self.failing().eq(other.failing())
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// Regions and hosts. They stay the same as long as an index lives.
    pub fleet: &'a Fleet,
    /// What shall be.
    pub desired: &'a Arc<Desired>,
    /// What is seen.
    pub observed: &'a Observed,
    /// Operations, newest first.
    pub operations: &'a [Operation],
    /// How old a sample may be.
    pub pace: Pace,
    /// Now.
    pub now: Timestamp,
}

/// Replicas of one service in one region that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing<'a> {
    /// The service.
    pub service: &'a ServiceId,
    /// The region.
    pub region: &'a RegionName,
    /// How many.
    pub failed: u32,
    /// How many there should be.
    pub wanted: u32,
    /// The commonest reason.
    pub word: &'a str,
}

impl Index {
    /// Counts everything.
    pub fn build(basis: Basis<'_>) -> Self {
        let mut index = Self::default();
        index.recount(basis, &Changed::everything());
        index
    }

    /// A service's row.
    pub fn service(&self, id: &ServiceId) -> Option<&ServiceRow> {
        self.services.binary_search_by(|row| row.id.cmp(id)).ok().and_then(|at| self.services.get(at))
    }

    /// Services in each of their regions, with the place of the region: of those that are in several.
    pub fn parts(&self) -> impl Iterator<Item = (&ServiceRow, usize, &Tally)> {
        let several = self.services.iter().filter(|row| row.regions.iter().flatten().nth(1).is_some());
        several.flat_map(|row| {
            row.regions.iter().enumerate().filter_map(move |(at, tally)| Some((row, at, tally.as_ref()?)))
        })
    }

    /// A stack's row.
    pub fn stack(&self, id: &StackId) -> Option<&StackRow> {
        self.stacks.binary_search_by(|row| row.id.cmp(id)).ok().and_then(|at| self.stacks.get(at))
    }

    /// The replicas of a service.
    pub fn replicas_of(&self, service: &ServiceId) -> &[ReplicaRow] {
        let from = self.replicas.partition_point(|row| row.service < *service);
        let to = self.replicas.partition_point(|row| row.service <= *service);
        self.replicas.get(from..to).unwrap_or_default()
    }

    /// The replicas of a stack.
    pub fn replicas_of_stack(&self, stack: &StackId) -> &[ReplicaRow] {
        let from = self.replicas.partition_point(|row| row.service.stack < *stack);
        let to = self.replicas.partition_point(|row| row.service.stack <= *stack);
        self.replicas.get(from..to).unwrap_or_default()
    }

    /// The replicas on a host, in their order.
    pub fn replicas_on(&self, host: &HostName) -> impl Iterator<Item = &ReplicaRow> {
        self.books.rows_on(host).into_iter().filter_map(|at| self.replicas.get(at))
    }

    /// The place of a region in the fleet's order.
    pub fn region_at(&self, name: &RegionName) -> Option<usize> {
        self.regions.iter().position(|region| region == name)
    }

    /// Containers that run, whosever they are.
    pub fn running(&self) -> u32 {
        self.hosts.iter().map(|host| host.running).fold(0, u32::saturating_add)
    }

    /// Where replicas failed, by service and region.
    pub fn failing(&self) -> impl Iterator<Item = Failing<'_>> {
        self.books.failing()
    }
}
