//! `wharf`: a terminal operations dashboard for fleets of Docker hosts in many regions.
//!
//! The rooms of the crate, and who may know whom (arrows of `use` go up this list only;
//! `tests/rooms.rs` reads the `use` lines and fails otherwise):
//!
//! | room | holds |
//! |---|---|
//! | [`text`] | untrusted text made safe; width; units |
//! | [`model`] | the words of the design as types |
//! | [`plan`] | pure: placement, intents, what to do next, how far an operation is |
//! | [`graph`] | pure: relations between services and hosts |
//! | [`app`] | pure: state, messages, update, effects, the one registry of commands |
//! | [`config`], [`compose`] | fleet file, discovery, keys; Compose file to model |
//! | [`store`] | desired state, revisions, commands, journal, leases |
//! | [`engine`] | one actor per host; all of bollard stays here |
//! | [`entry`] | the proxies: their file, their runtime API, drains and acknowledgements |
//! | [`reconcile`] | loop, executor, deadlines |
//! | [`sim`] | simulated engines that speak the Docker API |
//! | [`tui`], [`cli`] | terminal and command line |
//!
//! `text ← model ← {plan, graph} ← app` import no tokio, bollard, ratatui, crossterm, clock or I/O;
//! time comes in as an argument. `engine` and `tui` never see each other.

pub mod app;
pub mod cli;
pub mod clock;
pub mod compose;
pub mod config;
pub mod engine;
pub mod entry;
pub mod graph;
pub mod model;
pub mod plan;
pub mod reconcile;
pub mod sim;
pub mod store;
pub mod text;
pub mod tui;
