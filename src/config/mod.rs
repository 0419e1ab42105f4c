//! Fleet file, Docker contexts, where files live, and who the operator is.
//!
//! Nothing here reads the process's environment but [`Environment::current`]: what is found depends on arguments
//! alone, so it can be tested. [`load_fleet`] is the way in.

mod access;
mod defaults;
mod docker;
mod environment;
mod fleet_file;
mod host;
mod identity;
mod import;
mod keys;
mod load;
mod nearest;
mod origin;
pub mod paths;
mod problem;
mod table;
mod url;

pub use docker::{Context, docker_contexts};
pub use environment::Environment;
pub use fleet_file::parse_fleet;
pub use identity::{identity, identity_in};
pub use import::render_import;
pub use keys::{KeyFile, KeyWish, load_keys, parse_keys};
pub use load::{FleetChoice, Loaded, load, load_fleet};
pub use nearest::nearest;
pub use origin::{groups_of, origin, origin_in};
pub use problem::{ConfigError, Problem};
pub use url::parse_connect;

/// The proxies' image where the fleet file names none.
pub const DEFAULT_PROXY_IMAGE: &str = "haproxy:3.2-alpine";

/// Where stack networks get their subnets where the fleet file says nothing: outside of Docker's own pools
/// (172.17.0.0/12 and 192.168.0.0/16) and of the low 10.x ranges that company networks use first.
pub const DEFAULT_SUBNET_POOL: &str = "10.212.0.0/14";

/// Where services get their virtual addresses from, when the file does not say.
pub const DEFAULT_LINK_POOL: &str = "10.211.0.0/16";
