//! Finding the fleet: a file, or the current Docker context as a fleet of one.

use std::path::{Path, PathBuf};

use super::{
    ConfigError, Context, DEFAULT_LINK_POOL, DEFAULT_PROXY_IMAGE, DEFAULT_SUBNET_POOL, Environment, Problem,
    docker_contexts, nearest, parse_fleet, paths,
};
use crate::model::{Access, Connect, Defaults, Fleet, FleetName, Host, HostName, Region, RegionName};

/// What decides which fleet it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FleetChoice {
    /// `--fleet`.
    pub flag: Option<PathBuf>,
    /// Variables (`WHARF_FLEET`, `DOCKER_HOST`, …) and directories.
    pub environment: Environment,
}

impl FleetChoice {
    /// With this process's environment.
    pub fn new(flag: Option<PathBuf>) -> Self {
        Self { flag, environment: Environment::current() }
    }
}

/// A fleet, and what the operator should know about its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The fleet.
    pub fleet: Fleet,
    /// What is probably not meant.
    pub warnings: Vec<Problem>,
}

/// [`load`] without its warnings.
pub fn load_fleet(choice: &FleetChoice) -> Result<Fleet, ConfigError> {
    load(choice).map(|loaded| loaded.fleet)
}

/// Finds and reads the fleet: `--fleet`, `WHARF_FLEET`, the user's `fleet.toml`, the machine's, and without any of
/// them the current Docker context.
pub fn load(choice: &FleetChoice) -> Result<Loaded, ConfigError> {
    let environment = &choice.environment;
    let named = choice.flag.clone().map(|path| (path, "from --fleet"));
    let named = named.or_else(|| environment.variable("WHARF_FLEET").map(|path| (path.into(), "from WHARF_FLEET")));
    if let Some((path, named)) = named {
        let path = environment.current_dir.join(path);
        return match read(&path)? {
            Some(text) => parse_fleet(&text, &path, environment),
            None => Err(ConfigError::Missing { path: path.display().to_string(), named }),
        };
    }
    for dir in [&environment.config_dir, &environment.system_dir] {
        let path = dir.join("fleet.toml");
        if let Some(text) = read(&path)? {
            return parse_fleet(&text, &path, environment);
        }
    }
    fleet_of_one(environment)
}

/// A file's text; none when there is no file. What exists and cannot be read is an error, not another fleet.
fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let why = match error.kind() {
                std::io::ErrorKind::InvalidData => "is not text in UTF-8".to_owned(),
                std::io::ErrorKind::IsADirectory => "is a directory: name the file in it".to_owned(),
                _ => format!("cannot be read: {error}"),
            };
            Err(ConfigError::Unreadable { path: path.display().to_string(), why })
        }
    }
}

/// The current Docker context's engine.
fn fleet_of_one(environment: &Environment) -> Result<Loaded, ConfigError> {
    let contexts = docker_contexts(environment);
    let Some(context) = contexts.iter().find(|context| context.current) else {
        return Err(ConfigError::Docker(unknown(environment, &contexts)));
    };
    let connect = context.connect().map_err(ConfigError::Docker)?;
    let host = host_name(context, &connect);
    // One store per engine: what was accepted for one must not be wanted of another.
    let store = if host == "default" { "local".to_owned() } else { format!("local-{host}") };
    let name = |error: crate::model::NameError| ConfigError::Docker(error.to_string());
    let region = Region {
        name: RegionName::new("local").map_err(name)?,
        hosts: vec![Host {
            name: HostName::new(&host).map_err(name)?,
            connect,
            address: None,
            labels: std::collections::BTreeMap::new(),
        }],
        defaults: Defaults::default(),
    };
    let fleet = Fleet {
        name: FleetName::new("local").map_err(name)?,
        regions: vec![region],
        store: paths::default_store(environment, &store),
        proxy_image: DEFAULT_PROXY_IMAGE.to_owned(),
        subnet_pool: DEFAULT_SUBNET_POOL.to_owned(),
        link_pool: DEFAULT_LINK_POOL.to_owned(),
        origin: format!("Docker context {}", context.name),
        access: Access::default(),
    };
    Ok(Loaded { fleet, warnings: Vec::new() })
}

fn unknown(environment: &Environment, contexts: &[Context]) -> String {
    let names = || contexts.iter().map(|context| context.name.as_str());
    let (name, from) = match environment.variable("DOCKER_CONTEXT") {
        Some(name) => (name, "DOCKER_CONTEXT"),
        None => ("the one in Docker's config.json", "currentContext"),
    };
    let hint = match nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", names().collect::<Vec<_>>().join(", ")),
    };
    format!("there is no Docker context `{name}` (from {from}): {hint}")
}

/// The context's name as a host's; for a `DOCKER_HOST` elsewhere, that host's.
fn host_name(context: &Context, connect: &Connect) -> String {
    let raw = match (context.name.as_str(), connect) {
        ("default", Connect::Ssh(ssh)) => &ssh.host,
        ("default", Connect::Tcp { host, .. }) => host,
        (name, _) => name,
    };
    as_name(raw)
}

/// The nearest legal name.
pub(super) fn as_name(raw: &str) -> String {
    let legal = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c) { c } else { '-' };
    let name: String = raw.to_ascii_lowercase().chars().map(legal).collect();
    let name: String = name.trim_start_matches(['-', '_', '.']).chars().take(crate::model::MAX_NAME).collect();
    if name.is_empty() { "docker".to_owned() } else { name }
}
