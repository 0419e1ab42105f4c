//! Pure planning: where replicas go, what a change means, what to do next, how far it is.
//!
//! A plan is a value: the TUI draws it, the CLI prints it, the store accepts its proposal, tests compare it. Same
//! input, same plan, in the same order, always.
//!
//! - [`scale`], [`deploy`], [`remove`], [`restart`] and [`host`] work out a change: a [`Plan`], or a [`Refusal`].
//! - [`next`] tells a region's reconciler what to do now; [`progress`] and [`verdict`] how an operation stands.
//! - [`health`], [`healths`] and [`explain`] are for screens.

mod depends;
mod deploy;
mod describe;
mod eligible;
mod explain;
mod health;
mod images;
mod index;
mod links;
mod lookup;
mod moves;
mod next;
mod operation;
pub mod placement;
mod progress;
mod pulls;
mod remove;
mod replace;
mod rollout;
mod routes;
mod scale;
mod standing;
mod traffic;
mod types;
mod verdict;
mod view;

pub use deploy::deploy;
pub use eligible::{Books, HostBook, MOST_PER_HOST};
pub use explain::explain;
pub use health::{ForeignService, Healths, ServiceHealth, State, health, healths};
pub use links::{entries, links};
pub use next::next;
pub use progress::progress;
pub use remove::{host, remove, restart};
pub use scale::scale;
pub use types::*;
pub use verdict::{Verdict, verdict};
