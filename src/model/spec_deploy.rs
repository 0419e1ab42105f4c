//! How many replicas, where, with what, and how they change: `deploy` and `x-wharf`.

use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RegionName, Sensitive, Speech};

/// How many replicas, where, and with what.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Deploy {
    /// Replicas or one per host.
    pub mode: Mode,
    /// Replicas in each region; none means 1 (or what it is now).
    pub replicas: Option<u32>,
    /// All must hold.
    pub constraints: Vec<Constraint>,
    /// Spread over the values of these host labels, in this order.
    pub spread: Vec<String>,
    /// At most so many on one host.
    pub max_per_host: Option<u32>,
    /// Limits and reservations.
    pub resources: Resources,
    /// How a change is rolled out; none means the fleet's defaults.
    pub update: Option<RolloutSpec>,
    /// How a roll-back is rolled out.
    pub rollback: Option<RolloutSpec>,
    /// Labels of the service itself, not of its containers.
    pub labels: BTreeMap<String, String>,
}

/// Replicated or one per host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A number of replicas.
    #[default]
    Replicated,
    /// One on every host that fits.
    Global,
    /// A number of replicas that run once and end.
    ReplicatedJob,
    /// One on every host that fits, run once.
    GlobalJob,
}

/// A placement constraint: `node.labels.zone == b`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// What of the host is compared.
    pub field: HostField,
    /// True for `==`, false for `!=`.
    pub equal: bool,
    /// The value.
    pub value: String,
}

/// What a constraint looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostField {
    /// The host's name (`node.hostname`).
    Name,
    /// The region (`node.region`).
    Region,
    /// A label of the fleet file (`node.labels.KEY`).
    Label(String),
    /// `node.platform.os`.
    Os,
    /// `node.platform.arch`.
    Arch,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            HostField::Name => f.write_str("node.hostname")?,
            HostField::Region => f.write_str("node.region")?,
            HostField::Label(key) => write!(f, "node.labels.{key}")?,
            HostField::Os => f.write_str("node.platform.os")?,
            HostField::Arch => f.write_str("node.platform.arch")?,
        }
        write!(f, " {} {}", if self.equal { "==" } else { "!=" }, self.value)
    }
}

/// What a replica may use and what is set aside for it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Limit in thousandths of a core.
    pub cpu_limit: Option<u64>,
    /// Limit in bytes.
    pub memory_limit: Option<u64>,
    /// Set aside, in thousandths of a core.
    pub cpu_reserved: Option<u64>,
    /// Set aside, in bytes.
    pub memory_reserved: Option<u64>,
    /// Limit of processes.
    pub pids: Option<i64>,
    /// Weight against other containers when cores are short; the engine's default is 1024.
    pub cpu_shares: Option<i64>,
    /// Only on these cores: `0-3,5`.
    pub cpuset: Option<String>,
    /// Limit of memory and swap together in bytes; -1 means none.
    pub memory_swap: Option<i64>,
    /// How gladly the kernel swaps it out, 0 to 100.
    pub swappiness: Option<i64>,
}

/// `update_config` and `rollback_config`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutSpec {
    /// Replicas at a time; 0 means all.
    pub parallelism: Option<u32>,
    /// Pause between batches.
    pub delay: Option<Duration>,
    /// How long a replaced replica is watched.
    pub monitor: Option<Duration>,
    /// Share of failures that is borne, 0 to 1.
    pub max_failure_ratio: Option<f64>,
    /// What a failure does.
    pub failure_action: Option<FailureAction>,
    /// Which goes first.
    pub order: Option<Order>,
}

/// What a failed rollout does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureAction {
    /// Stops and waits for a person.
    Pause,
    /// Goes on.
    Continue,
    /// Goes back.
    Rollback,
}

/// Which of two copies goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The new starts before the old stops.
    StartFirst,
    /// The old stops before the new starts.
    StopFirst,
}

/// `x-wharf` of a service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WharfSpec {
    /// Regions it runs in; empty means all.
    pub regions: Vec<RegionName>,
    /// Replicas in single regions, where they differ from `deploy.replicas`.
    pub replicas: BTreeMap<RegionName, u32>,
    /// Where its traffic comes in.
    pub entry: Vec<EntrySpec>,
    /// The probe of the proxies.
    pub check: Option<CheckSpec>,
    /// Must end with 0 before a release.
    pub test: Option<Vec<String>>,
    /// Observation window after the last batch.
    pub observe: Option<Duration>,
    /// What ports speak, where it is not what proxies would guess (see `plan::traffic`).
    pub speaks: BTreeMap<u16, Speech>,
    /// One replica goes first and is watched so long before the others follow.
    pub canary: Option<Duration>,
    /// How long old sessions may go on when a replica leaves; none means the fleet's default.
    pub drain: Option<Duration>,
}

/// One way in.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EntrySpec {
    /// The port on the edge hosts.
    pub port: u16,
    /// The port of the container.
    pub target: u16,
    /// Host name that selects this service.
    pub host: Option<String>,
    /// Path prefix that selects this service.
    pub path: Option<String>,
    /// What clients speak; none leaves it to what the container's port speaks.
    pub protocol: Option<EntryProtocol>,
    /// Certificate file for TLS: PEM with the certificate, its chain and, unless that is in a file of its own, its key.
    pub tls: Option<String>,
    /// What that file held when the stack file was read.
    pub certificate: Option<Certificate>,
    /// How long old sessions may go on.
    pub drain: Option<Duration>,
    /// What stands before the edge tells the client's address by the PROXY protocol.
    pub accept_proxy: bool,
    /// Replicas are told the client's address by the PROXY protocol.
    pub send_proxy: bool,
}

/// What clients of an entry speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryProtocol {
    /// HTTP in clear.
    Http,
    /// HTTP inside TLS, which ends at the edge.
    Https,
    /// Anything else, handed on by connection.
    Tcp,
}

/// A certificate as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Certificate, chain and key, in PEM.
    pub pem: Sensitive,
    /// Until when it is good.
    pub not_after: Timestamp,
    /// The host names that it is for.
    pub names: Vec<String>,
}

/// A probe from outside the container.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckSpec {
    /// `GET` this path; none means a TCP connect.
    pub path: Option<String>,
    /// The port inside.
    pub port: Option<u16>,
    /// Time between probes.
    pub interval: Option<Duration>,
    /// A probe's deadline.
    pub timeout: Option<Duration>,
}
