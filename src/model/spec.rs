//! What a service is to run: the rendered content of a revision.

use std::{collections::BTreeMap, fmt, time::Duration};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    Attachment, Dependency, Deploy, DeviceRequest, ExposedPort, FileMount, HealthCheck, Logging, Mount, MountSource,
    Port, PortMode, Protocol, Restart, ServiceName, StackName, WharfSpec,
};

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
    /// Another tool made it: used as it is where it is there, made where it is not.
    pub adopted: bool,
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
        self.container() == other.container()
    }

    /// What of it makes the container: without numbers, rules and what wharf adds, and without an order where none
    /// matters.
    #[must_use]
    pub fn container(&self) -> Self {
        let mut plain = Self {
            deploy: Deploy { resources: self.deploy.resources.clone(), ..Deploy::default() },
            depends_on: BTreeMap::new(),
            wharf: WharfSpec::default(),
            ..self.clone()
        };
        plain.mounts.sort_by(|a, b| a.target.cmp(&b.target));
        plain.ports.sort_by(|a, b| {
            (a.target, a.protocol, a.published, &a.host_ip).cmp(&(b.target, b.protocol, b.published, &b.host_ip))
        });
        plain
    }

    /// What a command of its own runs as, beside the replicas: with their image, environment, files and networks, but
    /// where nobody takes it for one of them. It ends by itself, and changes nothing in what replicas keep. As with a
    /// health check, the words are the whole command: an entry point that is a server would take them for arguments, and
    /// serve for ever.
    #[must_use]
    pub fn one_off(&self, command: &[String]) -> Self {
        // Engines put no file into what cannot be written.
        let holds_files = |mount: &Mount| {
            let root = mount.target.trim_end_matches('/');
            self.files.iter().any(|file| file.target.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')))
        };
        let mounts = self.mounts.iter().map(|mount| {
            let is_kept = !matches!(mount.source, MountSource::Tmpfs { .. }) && !holds_files(mount);
            Mount { read_only: mount.read_only || is_kept, ..mount.clone() }
        });
        let networks = self.networks.iter().map(|(name, attachment)| {
            (name.clone(), Attachment { priority: attachment.priority, ..Attachment::default() })
        });
        Self {
            command: Some(command.to_vec()),
            entrypoint: Some(Vec::new()),
            healthcheck: Some(HealthCheck { test: vec!["NONE".to_owned()], ..HealthCheck::default() }),
            // Other tools may act on them.
            labels: BTreeMap::new(),
            ports: Vec::new(),
            expose: Vec::new(),
            mounts: mounts.collect(),
            networks: networks.collect(),
            restart: Restart::No,
            tty: false,
            stdin_open: false,
            wharf: WharfSpec::default(),
            ..self.clone()
        }
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
