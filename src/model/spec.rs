//! What a service is to run: the rendered content of a revision.

use std::{collections::BTreeMap, fmt, time::Duration};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{RegionName, ServiceName, StackName};

/// A stack as its Compose file says: services in the file's order, and what they share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StackSpec {
    /// The stack's name.
    pub name: StackName,
    /// The services, in the order of the file.
    pub services: IndexMap<ServiceName, ServiceSpec>,
    /// Networks by their name in the file.
    #[serde(default)]
    pub networks: BTreeMap<String, NetworkSpec>,
    /// Named volumes by their name in the file.
    #[serde(default)]
    pub volumes: BTreeMap<String, VolumeSpec>,
}

/// A network of a stack. Each host has its own bridge of that name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSpec {
    /// Used as it is, never made or removed by wharf.
    pub external: bool,
    /// The name on the hosts; without one it is `STACK_KEY`.
    pub name: Option<String>,
    /// The driver; without one it is `bridge`.
    pub driver: Option<String>,
    /// Options of the driver.
    pub driver_opts: BTreeMap<String, String>,
    /// No way out.
    pub internal: bool,
    /// The subnet in CIDR form where the file gives one.
    pub subnet: Option<String>,
    /// The gateway in `subnet`.
    pub gateway: Option<String>,
    /// The part of `subnet` that containers get addresses from, in CIDR form.
    pub ip_range: Option<String>,
    /// IPv6 is on.
    pub ipv6: bool,
    /// The IPv6 subnet in CIDR form where the file gives one.
    pub subnet6: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A named volume of a stack. Each host has its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeSpec {
    /// Used as it is, never made or removed by wharf.
    pub external: bool,
    /// The name on the hosts; without one it is `STACK_KEY`.
    pub name: Option<String>,
    /// The driver; without one it is `local`.
    pub driver: Option<String>,
    /// Options of the driver.
    pub driver_opts: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// Everything needed to create a replica of a service, and how many there shall be.
///
/// Two equal specs make equal containers: what differs only in `deploy.replicas` is not a new revision
/// (see [`ServiceSpec::same_container`]).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceSpec {
    /// The image as written: `redis:7`, `registry/app@sha256:…`.
    pub image: String,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// Replaces the image's entry point.
    pub entrypoint: Option<Vec<String>>,
    /// Environment, `env_file`s merged in. Values may be secret.
    pub environment: BTreeMap<String, Sensitive>,
    /// The container's own labels.
    pub labels: BTreeMap<String, String>,
    /// How the engine probes a replica.
    pub healthcheck: Option<HealthCheck>,
    /// What must be there first.
    pub depends_on: BTreeMap<ServiceName, Dependency>,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Ports for other services of the stack.
    pub expose: Vec<ExposedPort>,
    /// Volumes, binds and tmpfs.
    pub mounts: Vec<Mount>,
    /// Networks it is on; empty means the stack's `default`.
    pub networks: BTreeMap<String, Attachment>,
    /// `host`, `none`, `service:…`; excludes `networks`.
    pub network_mode: Option<String>,
    /// Configs and secrets, as files placed into the container before it starts.
    pub files: Vec<FileMount>,
    /// When the engine itself starts it again.
    pub restart: Restart,
    /// Time from the stop signal to the kill.
    pub stop_grace_period: Option<Duration>,
    /// The stop signal, by name.
    pub stop_signal: Option<String>,
    /// User, and group after a colon.
    pub user: Option<String>,
    /// Working directory.
    pub working_dir: Option<String>,
    /// Host name inside.
    pub hostname: Option<String>,
    /// Domain name inside.
    pub domainname: Option<String>,
    /// Capabilities given.
    pub cap_add: Vec<String>,
    /// Capabilities taken.
    pub cap_drop: Vec<String>,
    /// Limits by name: soft and hard.
    pub ulimits: BTreeMap<String, (i64, i64)>,
    /// Log driver and its options.
    pub logging: Option<Logging>,
    /// Lines for /etc/hosts, `name:address`.
    pub extra_hosts: Vec<String>,
    /// A small init as process 1.
    pub init: Option<bool>,
    /// The root file system cannot be written.
    pub read_only: bool,
    /// Keeps stdin open.
    pub stdin_open: bool,
    /// Gives it a terminal.
    pub tty: bool,
    /// All capabilities and devices.
    pub privileged: bool,
    /// Security options.
    pub security_opt: Vec<String>,
    /// Kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// Size of /dev/shm in bytes.
    pub shm_size: Option<u64>,
    /// Name servers.
    pub dns: Vec<String>,
    /// Search domains.
    pub dns_search: Vec<String>,
    /// Resolver options.
    pub dns_opt: Vec<String>,
    /// Devices `host:container:permissions`.
    pub devices: Vec<String>,
    /// Further groups.
    pub group_add: Vec<String>,
    /// Process namespace.
    pub pid: Option<String>,
    /// IPC namespace.
    pub ipc: Option<String>,
    /// Platform `os/arch/variant`.
    pub platform: Option<String>,
    /// Limit of processes.
    pub pids_limit: Option<i64>,
    /// Badness for the out-of-memory killer.
    pub oom_score_adj: Option<i64>,
    /// The out-of-memory killer leaves it alone.
    pub oom_kill_disable: bool,
    /// Annotations for the OCI runtime.
    pub annotations: BTreeMap<String, String>,
    /// OCI runtime by name; none means the engine's default.
    pub runtime: Option<String>,
    /// User namespace: `host` turns remapping off.
    pub userns_mode: Option<String>,
    /// UTS namespace: `host`.
    pub uts: Option<String>,
    /// Cgroup namespace: `host` or `private`.
    pub cgroup: Option<String>,
    /// Parent cgroup.
    pub cgroup_parent: Option<String>,
    /// Rules for the device cgroup: `c 1:3 mr`.
    pub device_cgroup_rules: Vec<String>,
    /// Options of the storage driver for the container's own layer.
    pub storage_opt: BTreeMap<String, String>,
    /// GPUs and CDI devices.
    pub device_requests: Vec<DeviceRequest>,
    /// How many, and where.
    pub deploy: Deploy,
    /// What wharf adds to Compose (`x-wharf`).
    pub wharf: WharfSpec,
}

impl ServiceSpec {
    /// True when a container of `self` need not be replaced to become one of `other`.
    pub fn same_container(&self, other: &Self) -> bool {
        let plain = |spec: &Self| Self {
            deploy: Deploy { resources: spec.deploy.resources.clone(), ..Deploy::default() },
            depends_on: BTreeMap::new(),
            wharf: WharfSpec::default(),
            ..spec.clone()
        };
        plain(self) == plain(other)
    }

    /// Host ports that only one replica per host can have.
    pub fn fixed_ports(&self) -> impl Iterator<Item = (u16, Protocol)> + '_ {
        self.ports
            .iter()
            .filter(|port| port.mode == PortMode::Host)
            .filter_map(|port| port.published.map(|published| (published, port.protocol)))
    }
}

/// A value that never shows: `Debug` and `Display` print dots. It serialises in full, for the store only.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sensitive(pub String);

impl Sensitive {
    /// The value, for the engine alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

impl fmt::Display for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

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
    /// `http`, `https` or `tcp`.
    pub protocol: Option<String>,
    /// Certificate file for TLS.
    pub tls: Option<String>,
    /// How long old sessions may go on.
    pub drain: Option<Duration>,
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
