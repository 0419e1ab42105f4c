//! Pure planning: where replicas go, what a change means, what to do next, how far it is.
//!
//! A plan is a value: the TUI draws it, the CLI prints it, the store accepts its proposal, tests compare it. Same
//! input, same plan, in the same order, always.
//!
//! - [`scale`], [`deploy`], [`new_images`], [`remove`], [`restart`], [`migrate`], [`rollback`], [`rebalance`] and [`host`] work out a
//!   change: a [`Plan`], or a [`Refusal`]. [`targets`] and [`versions`] say what there is to choose from.
//! - [`next`] tells a region's reconciler what to do now; [`progress`] and [`verdict`] how an operation stands.
//! - [`health`], [`healths`] and [`explain`] are for screens.

mod addresses;
mod adopt;
mod astray;
mod brief;
mod cargo;
mod depends;
mod deploy;
mod describe;
mod difference;
mod drain;
mod eligible;
mod entry;
mod exposed;
mod forsaken;
mod health;
mod held;
mod host;
mod images;
mod index;
mod learn;
mod links;
mod lookup;
mod migrate;
mod moves;
mod next;
mod observe;
mod opening;
mod operation;
pub mod placement;
mod progress;
mod prune;
mod pulls;
mod rebalance;
mod rebuild;
mod refit;
mod release;
mod remove;
mod replace;
mod revise;
mod rollback;
mod rollout;
mod routes;
mod scale;
mod spare;
mod standing;
mod surplus;
mod targets;
mod tidy;
mod traffic;
mod trial;
mod types;
mod verdict;
mod versions;
mod view;
mod why;

pub use adopt::adopt;
pub use astray::{Astray, astray};
pub use brief::{PlanLine, brief, pieces};
pub use deploy::deploy;
pub use eligible::{Books, HostBook, MOST_PER_HOST};
pub use exposed::{expose, silent};
pub use health::{ForeignService, Healths, ServiceHealth, State, health, healths};
pub use held::edge_hosts;
pub use host::host;
pub use links::{entries, links};
pub use lookup::{current, host as find_host};
pub use migrate::migrate;
pub use next::next;
pub use progress::{date, explain_waits, progress};
pub use prune::prune;
pub use rebalance::{rebalance, rebalance_hint, rebalance_moves};
pub use rebuild::{Rebuilt, rebuild};
pub use remove::{remove, restart};
pub use rollback::{new_images, rollback};
pub use rollout::floor;
pub use scale::scale;
pub use spare::{KEPT_IMAGES, Need, Needs};
pub use targets::{MOST_SHOWN, Target, targets};
pub use types::*;
pub use verdict::{Verdict, verdict};
pub use versions::{Version, is_what_runs, versions};
pub use why::{Cause, Explanation, Records, why};
