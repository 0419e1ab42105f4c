//! Pure planning: where replicas go, what a change means, what to do next, how far it is.
//!
//! A plan is a value: the TUI draws it, the CLI prints it, the store accepts its proposal, tests compare it. Same
//! input, same plan, in the same order, always.

mod types;

pub use types::*;
