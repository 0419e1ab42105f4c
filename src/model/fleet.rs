//! The fleet as its file says: regions, hosts, how to reach them, defaults.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Access, FleetName, HostName, RegionName};

/// All regions and hosts, in the order of the fleet file.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// The name that goes into every label.
    pub name: FleetName,
    /// The regions, in order.
    pub regions: Vec<Region>,
    /// The store's file.
    pub store: PathBuf,
    /// Image of the proxies.
    pub proxy_image: String,
    /// Address range from which wharf cuts the subnets of stack networks, in CIDR form.
    pub subnet_pool: String,
    /// Address range from which services get their virtual addresses, in CIDR form.
    pub link_pool: String,
    /// Where the description comes from, in words: a path, or the Docker context's name.
    pub origin: String,
    /// Who may do what, and what has to be confirmed.
    pub access: Access,
}

impl Fleet {
    /// All hosts with their region, in order.
    pub fn hosts(&self) -> impl Iterator<Item = (&Region, &Host)> {
        self.regions.iter().flat_map(|region| region.hosts.iter().map(move |host| (region, host)))
    }

    /// A host by name, with its region.
    pub fn host(&self, name: &HostName) -> Option<(&Region, &Host)> {
        self.hosts().find(|(_, host)| host.name == *name)
    }

    /// A region by name.
    pub fn region(&self, name: &RegionName) -> Option<&Region> {
        self.regions.iter().find(|region| region.name == *name)
    }
}

/// A place with its own hosts, entry and reconciler lease.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its name.
    pub name: RegionName,
    /// Its hosts, in the order of the file.
    pub hosts: Vec<Host>,
    /// The fleet's defaults with this region's own on top.
    pub defaults: Defaults,
}

/// One Docker Engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// How to reach the engine.
    pub connect: Connect,
    /// Where the region's other hosts reach its published ports; none for a fleet of one.
    pub address: Option<String>,
    /// Labels, for placement and roles.
    pub labels: BTreeMap<String, String>,
}

/// How an engine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connect {
    /// A socket on this machine.
    Unix(PathBuf),
    /// Through the system's OpenSSH.
    Ssh(Ssh),
    /// TCP, with TLS unless the file says `insecure`.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// Certificates; none only where the file says `insecure = true`.
        tls: Option<Tls>,
    },
}

impl std::fmt::Display for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Ssh(ssh) => {
                f.write_str("ssh://")?;
                if let Some(user) = &ssh.user {
                    write!(f, "{user}@")?;
                }
                f.write_str(&ssh.host)?;
                ssh.port.map_or(Ok(()), |port| write!(f, ":{port}"))
            }
            Self::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

/// An SSH destination. What is not set comes from the operator's own SSH configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ssh {
    /// Login name.
    pub user: Option<String>,
    /// Host name or alias of `~/.ssh/config`.
    pub host: String,
    /// Port.
    pub port: Option<u16>,
    /// Another configuration file (`ssh -F`).
    pub config: Option<PathBuf>,
    /// The engine's socket on the host; `/var/run/docker.sock` without one.
    pub socket: Option<String>,
    /// Ride on the operator's own ControlMaster, for bastions that ask for a one-time password or a key touch.
    pub share_master: bool,
}

/// Files for TLS with client certificates, absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The only authority that is trusted.
    pub ca: PathBuf,
    /// Client certificate and key; none where the engine asks for none.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Name expected in the engine's certificate where it differs from the host in the URL.
    pub server_name: Option<String>,
}

/// What applies where neither command nor service says otherwise. Source of the numbers: the design's list of
/// defaults, taken from what Nomad, Swarm, Kubernetes and Kamal use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Defaults {
    /// Running so long counts as healthy, without a health check.
    pub min_healthy: Duration,
    /// A new replica must be healthy by then.
    pub healthy_deadline: Duration,
    /// An operation must make progress by then.
    pub progress_deadline: Duration,
    /// Replicas of a service that change at once, as a share of all; at least one.
    pub batch_share: f64,
    /// Time from the stop signal to the kill, where the container says nothing.
    pub stop_grace: Duration,
    /// A host that is silent so long is suspect: nothing new is placed there.
    pub suspect_after: Duration,
    /// A host that is silent so long is down: its replicas are replaced elsewhere.
    pub down_after: Duration,
    /// First pause before a dead replica is started again; doubles.
    pub restart_backoff: Duration,
    /// Longest pause before a dead replica is started again.
    pub restart_backoff_max: Duration,
    /// Revisions kept per service.
    pub keep_revisions: u32,
    /// Journal entries are kept so long.
    pub keep_journal: Duration,
    /// Entries of the audit are kept so long.
    pub keep_audit: Duration,
    /// An image pull must end by then.
    pub pull_deadline: Duration,
    /// What a replica has begun may end within this, once every proxy has stopped sending it more.
    pub drain: Duration,
    /// After the last batch of a release, the new replicas are watched so long.
    pub observe: Duration,
    /// A host must be empty by then.
    pub drain_deadline: Duration,
    /// Requests may wait so long for a replica that is replaced stop-first.
    pub hold: Duration,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            min_healthy: Duration::from_secs(10),
            healthy_deadline: Duration::from_secs(5 * 60),
            progress_deadline: Duration::from_secs(10 * 60),
            batch_share: 0.25,
            stop_grace: Duration::from_secs(10),
            suspect_after: Duration::from_secs(15),
            down_after: Duration::from_secs(60),
            restart_backoff: Duration::from_secs(5),
            restart_backoff_max: Duration::from_secs(5 * 60),
            keep_revisions: 10,
            keep_journal: Duration::from_secs(90 * 86_400),
            keep_audit: Duration::from_secs(400 * 86_400),
            pull_deadline: Duration::from_secs(10 * 60),
            drain: Duration::from_secs(30),
            observe: Duration::from_secs(60),
            drain_deadline: Duration::from_secs(60 * 60),
            hold: Duration::from_secs(30),
        }
    }
}
