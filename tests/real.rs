//! End to end on real Docker hosts: the `wharf` program against the test world (`tests/world/up`).
//!
//! `WHARF_WORLD` names the world's `world.env`. Without it every test fails: a world that is not there proves nothing.
//! Tests share the hosts, so they run one at a time (`cargo nextest run --test real -j1`); each has its own fleet name,
//! store and stacks, and takes everything away again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::format_collect,
    reason = "a test fails by panicking"
)]

#[path = "real/bad.rs"]
mod bad;
#[path = "real/bad_traffic.rs"]
mod bad_traffic;
#[path = "real/by_hand.rs"]
mod by_hand;
#[path = "real/composed.rs"]
mod composed;
#[path = "real/entry.rs"]
mod entry;
#[path = "real/faults.rs"]
mod faults;
#[path = "real/inside.rs"]
mod inside;
#[path = "real/least.rs"]
mod least;
#[path = "real/life.rs"]
mod life;
#[path = "support/load.rs"]
#[allow(dead_code, reason = "shared with the tests of the load itself")]
mod load;
#[path = "real/losing.rs"]
mod losing;
#[path = "real/matrix.rs"]
mod matrix;
#[path = "real/proxy.rs"]
mod proxy;
#[path = "support/pty.rs"]
#[allow(dead_code, reason = "shared with the tests of the screen")]
mod pty;
#[path = "real/stage.rs"]
mod stage;
#[path = "real/storage.rs"]
mod storage;
#[path = "real/support.rs"]
mod support;
#[path = "real/terminal.rs"]
mod terminal;
#[path = "real/traffic.rs"]
mod traffic;
#[path = "support/websocket.rs"]
#[allow(dead_code, reason = "shared with the tests of the load itself")]
mod websocket;
