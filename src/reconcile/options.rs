//! How a reconciler runs, and why it may end.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::{fleet_file::FleetFile, lease::LeaseTimes};
use crate::{
    engine::ObserveOptions,
    model::{Operation, RegionName},
    plan::{self, Memory, Next, Verdict, World},
    store::StoreError,
    text::Text,
};

/// How a reconciler runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only these regions; none means all.
    pub regions: Option<BTreeSet<RegionName>>,
    /// Leave when nothing is pending.
    pub until_idle: bool,
    /// Who we are, in the lease: `user@machine:pid`.
    pub holder: Text,
    /// The file that the fleet comes from. When it says something else, the reconciler ends, to be run with the new
    /// fleet: it must not judge places on hosts that it does not know.
    pub fleet_file: Option<FleetFile>,
    /// Cancelled when the machine's clock was set. The reconciler then ends, to be run with a clock that is right: what
    /// it remembers is of another time. Its own clock must be one that runs by itself.
    pub clock_set: Option<CancellationToken>,
    /// How the hosts are watched.
    pub observe: ObserveOptions,
    /// What says what to do next.
    pub planner: Planner,
    /// How leases are kept; both times must be shorter than the store's own expiry.
    pub lease: LeaseTimes,
}

impl Options {
    /// All regions, for good, with the times of the design.
    pub fn new(holder: Text) -> Self {
        let (observe, lease) = (ObserveOptions::default(), LeaseTimes::default());
        Self {
            regions: None,
            until_idle: false,
            holder,
            fleet_file: None,
            clock_set: None,
            observe,
            planner: Planner::default(),
            lease,
        }
    }
}

/// What a reconciler asks what to do, and when to give an operation up. Others than the default are for tests, which show
/// with planners that err that what must always be true is truly looked at.
#[derive(Debug, Clone, Copy)]
pub struct Planner {
    /// [`plan::next`].
    pub next: fn(&World<'_>, &RegionName, &Memory, &[Operation]) -> Next,
    /// [`plan::verdict`].
    pub verdict: fn(&World<'_>, &RegionName, &Operation, &Memory) -> Option<Verdict>,
}

impl Default for Planner {
    fn default() -> Self {
        Self { next: plan::next, verdict: plan::verdict }
    }
}

/// Why a reconciler ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}
