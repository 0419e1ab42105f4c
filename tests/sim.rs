//! The whole loop over simulated engines: commands are accepted, reconcilers carry them out, hosts misbehave.
//!
//! Every test looks at three things: what the engines truly hold at the end, how the operations ended, and what must
//! be true all the while (`sim/guard.rs`). Time is real but short: the fleets of these tests wait milliseconds where
//! others wait seconds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::format_collect,
    reason = "a test fails by panicking"
)]

#[path = "sim/adopting.rs"]
mod adopting;
#[path = "sim/answers.rs"]
mod answers;
#[path = "sim/astray.rs"]
mod astray;
#[path = "sim/failing.rs"]
mod failing;
#[path = "sim/guard.rs"]
mod guard;
#[path = "sim/healing.rs"]
mod healing;
#[path = "sim/histories.rs"]
mod histories;
#[path = "sim/hosts.rs"]
mod hosts;
#[path = "sim/inside.rs"]
mod inside;
#[path = "sim/killed.rs"]
mod killed;
#[path = "sim/large.rs"]
mod large;
#[path = "sim/life.rs"]
mod life;
#[path = "sim/losing.rs"]
mod losing;
#[path = "support/made.rs"]
mod made;
#[path = "sim/moves.rs"]
mod moves;
#[path = "sim/operators.rs"]
mod operators;
#[path = "sim/pruning.rs"]
mod pruning;
#[path = "sim/reconciler.rs"]
mod reconciler;
#[path = "sim/rights.rs"]
mod rights;
#[path = "sim/support.rs"]
mod support;
#[path = "sim/talking.rs"]
mod talking;
#[path = "sim/testing.rs"]
mod testing;
#[path = "sim/traffic.rs"]
mod traffic;
#[path = "support/truth.rs"]
mod truth;
