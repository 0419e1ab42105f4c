//! The process that makes desired and observed the same.
//!
//! Level-triggered: every round plans anew from what shall be and what is seen ([`plan::next`](crate::plan::next)) and
//! never replays stored steps. Killed at any moment and started again, it goes on from what it sees. A region is acted
//! on only under its lease; every write to the store carries the lease's epoch.

mod awake;
mod begin;
mod deaths;
mod exec;
mod fleet_file;
mod giving_up;
mod keepers;
mod last_words;
mod lease;
mod options;
mod region;
mod replan;
mod rights;
mod round;
mod taking_in;
mod tally;
mod told;

pub use fleet_file::FleetFile;
pub use lease::LeaseTimes;
pub use options::{Options, Planner, ReconcileError};
pub use round::run;
