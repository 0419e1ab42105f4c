//! Where traffic comes in: the one HAProxy container per host, made, configured and changed through the Docker API
//! alone.
//!
//! A [`Keeper`] per host makes the real proxy what planning wants, and tells what it sees of it; a [`Watch`] only
//! tells. Everything that can be worked out without talking is in the pure parts: `config` (the file), `stat` (what
//! a proxy answers), `steps` (what to say next), `view` (what is told).
//!
//! What decides between a reload and none: what listens where is the file's (`structure`), so it needs a reload, which
//! hands listening sockets and health on; which containers get traffic is changed in the running process (`members`).

mod address;
mod answers;
mod config;
mod inspect;
mod keeper;
mod names;
mod place;
mod recall;
mod route;
mod server;
mod session;
mod stat;
mod steps;
mod view;
mod watch;

#[cfg(test)]
mod tests;

pub use answers::read_answers;
pub use config::Refused;
pub use keeper::Keeper;
pub use recall::certificates;
pub use watch::Watch;
