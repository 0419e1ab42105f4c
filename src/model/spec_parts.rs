//! The parts of a service's spec: probes, dependencies, ports, mounts, files.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::Sensitive;

/// A probe that the engine runs inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// `["CMD", …]`, `["CMD-SHELL", line]` or `["NONE"]`; empty keeps the image's own.
    pub test: Vec<String>,
    /// Time between probes; the engine's default is 30 s.
    pub interval: Option<Duration>,
    /// A probe's deadline; the engine's default is 30 s.
    pub timeout: Option<Duration>,
    /// Failures in a row that make it unhealthy; the engine's default is 3.
    pub retries: Option<u32>,
    /// Failures in this time after the start do not count.
    pub start_period: Option<Duration>,
    /// Time between probes during the start period.
    pub start_interval: Option<Duration>,
}

/// What a service waits for before its first replica starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// What must be true.
    pub condition: Condition,
    /// False: start anyway when the other is not part of the stack.
    pub required: bool,
}

/// A condition of `depends_on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It runs.
    #[default]
    ServiceStarted,
    /// Its health check passes.
    ServiceHealthy,
    /// It ran and ended with 0.
    ServiceCompletedSuccessfully,
}

/// Transport protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// How a published port is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortMode {
    /// On the region's edge, in front of all replicas. The replica itself gets an ephemeral port.
    #[default]
    Ingress,
    /// On the replica's own host, at the published number: at most one replica per host.
    Host,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The port inside the container.
    pub target: u16,
    /// The port outside; none means any.
    pub published: Option<u16>,
    /// Only on this address of the host.
    pub host_ip: Option<String>,
    /// Protocol.
    pub protocol: Protocol,
    /// Edge or host.
    pub mode: PortMode,
}

/// A port for other services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExposedPort {
    /// The port inside the container.
    pub port: u16,
    /// Protocol.
    pub protocol: Protocol,
}

/// Something mounted into the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where inside.
    pub target: String,
    /// What.
    pub source: MountSource,
    /// Cannot be written.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountSource {
    /// A named volume of the stack (its key in `volumes`).
    Volume {
        /// The key.
        name: String,
        /// Leave an empty volume empty.
        nocopy: bool,
        /// Only this directory of the volume.
        subpath: Option<String>,
    },
    /// A volume without a name, new for each container.
    Anonymous,
    /// A path of the host.
    Bind {
        /// The absolute path on the host.
        path: String,
        /// Make the directory when it is missing.
        create: bool,
        /// Mount propagation.
        propagation: Option<String>,
    },
    /// Memory.
    Tmpfs {
        /// Limit in bytes.
        size: Option<u64>,
        /// File mode.
        mode: Option<u32>,
    },
}

/// How a service is on a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// Further names there.
    pub aliases: Vec<String>,
    /// A fixed address.
    pub ipv4_address: Option<String>,
    /// A fixed IPv6 address.
    pub ipv6_address: Option<String>,
    /// Which network gives the default route: the highest.
    pub priority: Option<i64>,
}

/// A config or a secret: a file put into the container before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMount {
    /// The name of the config or secret in the stack.
    pub name: String,
    /// Absolute path inside.
    pub target: String,
    /// The content, resolved when the file was read.
    pub content: Sensitive,
    /// Secrets are masked everywhere and kept out of `inspect`.
    pub secret: bool,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// File mode.
    pub mode: u32,
}

/// When an engine starts a container again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Never: for work that ends.
    No,
    /// After an exit other than 0, at most so many times in a row (none: no limit).
    OnFailure {
        /// The limit.
        max: Option<u32>,
    },
    /// Whatever the exit.
    Always,
    /// Whatever the exit, but not after an operator stopped it. The default: services outlive wharf.
    #[default]
    UnlessStopped,
}

/// Log driver and options.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// The driver.
    pub driver: Option<String>,
    /// Its options.
    pub options: BTreeMap<String, String>,
}

/// Devices asked for by what they can do: GPUs, or CDI devices by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceRequest {
    /// The driver: `nvidia`, `cdi`; none lets the engine choose by capability.
    pub driver: Option<String>,
    /// How many; -1 means all. None where `device_ids` says which.
    pub count: Option<i64>,
    /// Which ones, by the driver's ids.
    pub device_ids: Vec<String>,
    /// All of these must be offered: `gpu`.
    pub capabilities: Vec<String>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
}
