//! What is seen on the hosts, and how old that is.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ContainerId, FleetName, HostName, Protocol, RegionName, ReplicaKey, RevisionNo};
use crate::text::Text;

/// Everything that is seen, by host. Every host of the fleet is in it, seen or not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// The hosts by name.
    pub hosts: BTreeMap<HostName, HostView>,
}

impl Observed {
    /// All containers with their host.
    pub fn containers(&self) -> impl Iterator<Item = (&HostView, &Container)> {
        self.hosts.values().flat_map(|host| host.containers.values().map(move |container| (host, container)))
    }

    /// Containers that are replicas of this fleet, with host and identity.
    pub fn replicas(&self) -> impl Iterator<Item = (&HostView, &Container, &ReplicaOf)> {
        self.containers().filter_map(|(host, container)| match &container.owner {
            Owner::Replica(replica) => Some((host, container, replica)),
            _ => None,
        })
    }
}

/// One host as it is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct HostView {
    /// Its name.
    pub name: HostName,
    /// Its region.
    pub region: RegionName,
    /// How it is reached, for people: `ssh://ops@hz-1`.
    pub connect: String,
    /// Where other hosts reach its published ports.
    pub address: Option<String>,
    /// Labels of the fleet file.
    pub labels: BTreeMap<String, String>,
    /// The state of the link.
    pub link: Link,
    /// What the engine says of itself; none before the first answer.
    pub facts: Option<HostFacts>,
    /// Containers by id, as last seen. Kept while the host is unknown.
    pub containers: BTreeMap<ContainerId, Container>,
    /// Images by id, as last listed.
    pub images: Vec<Image>,
    /// When the containers were last listed in full; none before the first list.
    pub listed_at: Option<Timestamp>,
    /// Load of the whole host as the sum of its containers that were sampled.
    pub usage: Option<Usage>,
}

impl HostView {
    /// A host of which nothing is known yet.
    pub fn unseen(name: HostName, region: RegionName, connect: String, now: Timestamp) -> Self {
        Self {
            name,
            region,
            connect,
            address: None,
            labels: BTreeMap::new(),
            link: Link::Connecting { since: now, reason: Text::default() },
            facts: None,
            containers: BTreeMap::new(),
            images: Vec::new(),
            listed_at: None,
            usage: None,
        }
    }

    /// True when what is shown of this host is what it is now, as far as can be known.
    pub fn is_seen(&self) -> bool {
        matches!(self.link, Link::Ready { .. } | Link::Slow { .. }) && self.listed_at.is_some()
    }
}

/// The state of the connection to a host, each with its reason in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Link {
    /// Being reached for the first time, or again after it was never seen.
    Connecting {
        /// Since when.
        since: Timestamp,
        /// What the last attempt said; empty at the first.
        reason: Text,
    },
    /// Answers.
    Ready {
        /// Since when.
        since: Timestamp,
    },
    /// Answers, but late.
    Slow {
        /// Since when.
        since: Timestamp,
        /// What is slow.
        reason: Text,
    },
    /// Cannot be seen now. It is not down: what is known of it is kept, with its age.
    Unknown {
        /// The last time it was seen.
        since: Timestamp,
        /// Why.
        reason: Text,
    },
}

impl Link {
    /// One word for columns: `connecting`, `ready`, `slow`, `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Connecting { .. } => "connecting",
            Self::Ready { .. } => "ready",
            Self::Slow { .. } => "slow",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The reason in words; empty when all is well.
    pub fn reason(&self) -> &str {
        match self {
            Self::Ready { .. } => "",
            Self::Connecting { reason, .. } | Self::Slow { reason, .. } | Self::Unknown { reason, .. } => {
                reason.as_str()
            }
        }
    }

    /// Since when it is so.
    pub fn since(&self) -> Timestamp {
        match self {
            Self::Connecting { since, .. }
            | Self::Ready { since }
            | Self::Slow { since, .. }
            | Self::Unknown { since, .. } => *since,
        }
    }
}

/// What an engine says of its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Version of the engine.
    pub engine: Text,
    /// API version used, the lower of its and ours: `1.41`.
    pub api: Text,
    /// `linux`.
    pub os: Text,
    /// `x86_64`, `aarch64`.
    pub arch: Text,
    /// Name of the operating system, for people.
    pub os_name: Text,
    /// Cores.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// The engine's clock less ours, in milliseconds, as well as one request can tell.
    pub clock_skew_ms: i64,
}

/// One container as it is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without the leading slash.
    pub name: Text,
    /// The image as the container names it.
    pub image: Text,
    /// The image's id (`sha256:…`).
    pub image_id: Text,
    /// State of the process.
    pub state: ContainerState,
    /// State of the health check.
    pub health: Health,
    /// Whose it is.
    pub owner: Owner,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it last started, where known.
    pub started: Option<Timestamp>,
    /// How often the engine restarted it.
    pub restarts: u32,
    /// Published ports.
    pub ports: Vec<Binding>,
    /// Networks it is on.
    pub networks: Vec<Text>,
    /// Its load, when it is being sampled.
    pub usage: Option<Usage>,
}

impl Container {
    /// The replica it is, when it is one of this fleet.
    pub fn replica(&self) -> Option<&ReplicaOf> {
        match &self.owner {
            Owner::Replica(replica) => Some(replica),
            _ => None,
        }
    }
}

/// State of a container's process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum ContainerState {
    /// Made, never started.
    Created,
    /// Runs.
    Running,
    /// Runs, but is frozen.
    Paused,
    /// Is between two starts.
    Restarting,
    /// Is going away.
    Removing,
    /// Ended.
    Exited {
        /// With this code; 128 + n for signal n.
        code: i64,
        /// When, where known.
        at: Option<Timestamp>,
        /// The kernel ended it for want of memory.
        oom: bool,
    },
    /// Could not be removed.
    Dead,
    /// A word this version does not know.
    Other(Text),
}

/// State of a container's health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It has no check.
    #[default]
    None,
    /// Has not passed yet.
    Starting,
    /// Passes.
    Healthy,
    /// Fails.
    Unhealthy,
}

/// Whose a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A replica of this fleet.
    Replica(ReplicaOf),
    /// A service of another tool, recognised by its labels. Never touched.
    Foreign {
        /// Which tool.
        tool: Tool,
        /// What that tool calls the stack.
        stack: Text,
        /// What that tool calls the service.
        service: Text,
    },
    /// Belongs to another fleet of wharf. Never touched.
    OtherFleet(Text),
    /// On its own.
    Loose,
}

/// The identity that a replica's labels carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaOf {
    /// Which replica.
    pub key: ReplicaKey,
    /// At which revision.
    pub revision: RevisionNo,
    /// Made for which round of restarts (see [`super::Assignment::round`]).
    pub round: u32,
}

/// Tools whose containers are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// Docker Compose.
    Compose,
    /// Swarm mode.
    Swarm,
    /// Rancher 1.x.
    Rancher,
}

impl Tool {
    /// Its name, for columns.
    pub fn word(self) -> &'static str {
        match self {
            Self::Compose => "compose",
            Self::Swarm => "swarm",
            Self::Rancher => "rancher",
        }
    }
}

/// A published port as it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Inside.
    pub target: u16,
    /// Outside, when published.
    pub published: Option<u16>,
    /// The address it is bound to.
    pub address: Text,
    /// Protocol.
    pub protocol: Protocol,
}

/// Load of a container or the sum of several.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Usage {
    /// Percent of one core.
    pub cpu_percent: f64,
    /// Bytes, without the page cache.
    pub memory: u64,
    /// Bytes received per second.
    pub net_rx: f64,
    /// Bytes sent per second.
    pub net_tx: f64,
    /// Bytes read from disks per second.
    pub disk_read: f64,
    /// Bytes written to disks per second.
    pub disk_write: f64,
    /// When it was sampled.
    pub at: Timestamp,
}

impl Usage {
    /// The sum of two loads, as old as the older.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu_percent: self.cpu_percent + other.cpu_percent,
            memory: self.memory + other.memory,
            net_rx: self.net_rx + other.net_rx,
            net_tx: self.net_tx + other.net_tx,
            disk_read: self.disk_read + other.disk_read,
            disk_write: self.disk_write + other.disk_write,
            at: self.at.min(other.at),
        }
    }
}

/// An image on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: Text,
    /// Names `repo:tag`.
    pub tags: Vec<Text>,
    /// Names `repo@sha256:…`.
    pub digests: Vec<Text>,
    /// Bytes.
    pub size: u64,
}

/// Something an engine told: for the events view and for what changed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineEvent {
    /// When, by the engine's clock.
    pub at: Timestamp,
    /// On which host.
    pub host: HostName,
    /// `container`, `image`, `network`, ….
    pub kind: Text,
    /// `start`, `die`, `health_status: healthy`, ….
    pub action: Text,
    /// The object's id.
    pub id: Text,
    /// The object's name.
    pub name: Text,
}

/// What an observer tells of one host. Messages of one host come in order.
#[derive(Debug, Clone, PartialEq)]
pub struct HostUpdate {
    /// Which host.
    pub host: HostName,
    /// What.
    pub change: HostChange,
}

/// A change of what is seen.
#[derive(Debug, Clone, PartialEq)]
pub enum HostChange {
    /// The link's state.
    Link(Link),
    /// What the engine says of itself.
    Facts(HostFacts),
    /// A full list: replaces all containers of the host.
    Listed {
        /// When the list was taken.
        at: Timestamp,
        /// All containers.
        containers: Vec<Container>,
    },
    /// One container is new or changed. Its `usage` is to be kept from before.
    Container(Box<Container>),
    /// A container is gone.
    Gone(ContainerId),
    /// All images of the host.
    Images(Vec<Image>),
    /// Loads of some containers.
    Usage(Vec<(ContainerId, Usage)>),
    /// Something happened.
    Event(EngineEvent),
}

impl Observed {
    /// Every host of the fleet, none seen yet.
    pub fn unseen(fleet: &super::Fleet, now: Timestamp) -> Self {
        let hosts = fleet
            .hosts()
            .map(|(region, host)| {
                let mut view = HostView::unseen(host.name.clone(), region.name.clone(), host.connect.to_string(), now);
                view.address.clone_from(&host.address);
                view.labels.clone_from(&host.labels);
                (host.name.clone(), view)
            })
            .collect();
        Self { hosts }
    }

    /// Takes in what an observer tells. False when nothing changed.
    pub fn apply(&mut self, update: HostUpdate) -> bool {
        let Some(host) = self.hosts.get_mut(&update.host) else { return false };
        match update.change {
            HostChange::Link(link) => replace(&mut host.link, link),
            HostChange::Facts(facts) => replace(&mut host.facts, Some(facts)),
            HostChange::Listed { at, containers } => {
                host.listed_at = Some(at);
                let mut old = std::mem::take(&mut host.containers);
                let mut changed = old.len() != containers.len();
                for mut new in containers {
                    match old.remove(&new.id) {
                        Some(before) => {
                            new.usage = before.usage;
                            new.started = new.started.or(before.started);
                            changed |= new != before;
                        }
                        None => changed = true,
                    }
                    host.containers.insert(new.id.clone(), new);
                }
                // The first list changes the host from "nothing known" to "nothing there".
                changed || host.containers.is_empty()
            }
            HostChange::Container(container) => {
                let mut new = *container;
                if let Some(before) = host.containers.get(&new.id) {
                    new.usage = before.usage;
                    if *before == new {
                        return false;
                    }
                }
                host.containers.insert(new.id.clone(), new);
                true
            }
            HostChange::Gone(id) => host.containers.remove(&id).is_some(),
            HostChange::Images(images) => replace(&mut host.images, images),
            HostChange::Usage(samples) => {
                for (id, usage) in samples {
                    if let Some(container) = host.containers.get_mut(&id) {
                        container.usage = Some(usage);
                    }
                }
                host.usage = host.containers.values().filter_map(|container| container.usage).reduce(Usage::plus);
                true
            }
            HostChange::Event(_) => true,
        }
    }
}

fn replace<T: PartialEq>(slot: &mut T, new: T) -> bool {
    let changed = *slot != new;
    *slot = new;
    changed
}

/// The labels by which wharf knows its own containers, networks and volumes.
pub mod label {
    /// Fleet.
    pub const FLEET: &str = "wharf.fleet";
    /// Region.
    pub const REGION: &str = "wharf.region";
    /// Stack.
    pub const STACK: &str = "wharf.stack";
    /// Service.
    pub const SERVICE: &str = "wharf.service";
    /// Slot, decimal.
    pub const SLOT: &str = "wharf.slot";
    /// Revision, decimal.
    pub const REVISION: &str = "wharf.revision";
    /// Round of restarts, decimal; a container without it is of round 0.
    pub const ROUND: &str = "wharf.round";
}

/// Says whose a container is, from its labels.
pub fn owner_of<'a>(fleet: &FleetName, get: impl Fn(&str) -> Option<&'a str>) -> Owner {
    if let Some(theirs) = get(label::FLEET) {
        if theirs != fleet.as_str() {
            return Owner::OtherFleet(Text::new(theirs));
        }
        let replica = || {
            Some(ReplicaOf {
                key: ReplicaKey {
                    region: get(label::REGION)?.parse().ok()?,
                    service: super::ServiceKey {
                        stack: get(label::STACK)?.parse().ok()?,
                        service: get(label::SERVICE)?.parse().ok()?,
                    },
                    slot: super::Slot(get(label::SLOT)?.parse().ok()?),
                },
                revision: RevisionNo(get(label::REVISION)?.parse().ok()?),
                round: get(label::ROUND).and_then(|round| round.parse().ok()).unwrap_or_default(),
            })
        };
        return replica().map_or(Owner::Loose, Owner::Replica);
    }
    let foreign = |tool, stack: &str, service: &str| Owner::Foreign {
        tool,
        stack: Text::new(stack),
        service: Text::new(service),
    };
    if let Some(stack) = get("com.docker.compose.project") {
        return foreign(Tool::Compose, stack, get("com.docker.compose.service").unwrap_or("?"));
    }
    if let Some(service) = get("com.docker.swarm.service.name") {
        let stack = get("com.docker.stack.namespace").unwrap_or("");
        let short = service.strip_prefix(stack).and_then(|rest| rest.strip_prefix('_')).unwrap_or(service);
        return foreign(Tool::Swarm, if stack.is_empty() { short } else { stack }, short);
    }
    if let Some(full) = get("io.rancher.stack_service.name") {
        let (stack, service) = full.split_once('/').unwrap_or((full, full));
        return foreign(Tool::Rancher, stack, service);
    }
    Owner::Loose
}

/// How long ago `then` was, never negative.
pub fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}
