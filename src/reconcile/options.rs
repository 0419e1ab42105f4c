//! How a reconciler runs, and why it may end.

use std::collections::BTreeSet;

use super::{fleet_file::FleetFile, lease::LeaseTimes};
use crate::{engine::ObserveOptions, model::RegionName, store::StoreError, text::Text};

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
    /// How the hosts are watched.
    pub observe: ObserveOptions,
    /// How leases are kept; both times must be shorter than the store's own expiry.
    pub lease: LeaseTimes,
}

impl Options {
    /// All regions, for good, with the times of the design.
    pub fn new(holder: Text) -> Self {
        let (observe, lease) = (ObserveOptions::default(), LeaseTimes::default());
        Self { regions: None, until_idle: false, holder, fleet_file: None, observe, lease }
    }
}

/// Why a reconciler ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}
