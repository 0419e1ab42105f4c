//! Simulated Docker engines: they speak the Engine API (1.41) over HTTP/1.1 on unix sockets or in-memory streams,
//! with scripted latency, start times, failures and load. They feed `wharf demo`, tests and benchmarks.
//!
//! - [`Engine`] is one engine; [`Engine::connect`] dials it in memory, [`Engine::script`] tells it what to do,
//!   and [`Engine::crash`], [`Engine::oom`], [`Engine::mark_sick`], [`Engine::set_link`] are what befalls it.
//! - [`Fleet`] serves many of them on sockets in a private directory; [`Fleet::demo`] is the world of `wharf demo`,
//!   and [`Fleet::world`] says in plain words what was placed where.
//!
//! Nothing ticks: statistics and logs are computed from the time when they are asked for, and timers exist only for
//! what is about to happen (a start, a health check, a restart). Time is tokio's, so a paused test clock works.

mod archive;
mod attach;
mod bell;
mod clock;
mod container;
mod create;
mod demo;
mod engine;
mod events;
mod exec;
mod fleet;
mod http;
mod images;
mod inside;
mod inspect;
mod kind;
mod life;
mod lifecycle;
mod load;
mod logs;
mod mounts;
mod net;
mod networks;
mod num;
mod peek;
mod phrases;
mod ports;
mod proxy;
mod pull;
mod query;
mod registry;
mod reply;
mod script;
mod session;
mod shell;
mod spec;
mod stats;
mod system;
mod volumes;
mod world;

#[cfg(test)]
mod tests;

pub use crate::clock::Clock;
pub use bell::Ear;
pub use engine::{Engine, Profile};
pub use fleet::{Fleet, SimHost};
pub use life::Outage;
pub use peek::{Asked, Glimpse, Standing};
pub use proxy::{Ledger, Misstep, Tally, Wrong};
pub use pull::PullCall;
pub use registry::Registry;
pub use script::{Behaviour, Fault, ImageFault, Link, ProxyScript, Rule, Script, Span};
pub use world::{HostSeed, PlacedReplica, PortSeed, ServiceSeed, World};
