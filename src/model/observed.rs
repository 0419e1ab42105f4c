//! What is seen on the hosts, and how old that is.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Adopted, Container, ContainerId, HostName, Image, Owner, ProxyView, RegionName, ReplicaOf, Usage};
use crate::text::Text;

/// Everything that is seen, by host. Every host of the fleet is in it, seen or not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// The hosts by name.
    pub hosts: BTreeMap<HostName, HostView>,
    /// Containers that are replicas by the store's word, as none of their labels says (see [`Observed::adopt`]).
    pub(super) adopted: Adopted,
    /// Whose those were before.
    pub(super) theirs: BTreeMap<HostName, BTreeMap<ContainerId, Owner>>,
}

impl Observed {
    /// What a container of a host is called; its id where it is not seen.
    pub fn container_name(&self, host: &HostName, id: &ContainerId) -> String {
        let found = self.hosts.get(host).and_then(|host| host.containers.get(id));
        found.map_or_else(|| id.to_string(), |container| container.name.to_string())
    }

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
    /// Its proxy as last seen; none while it has none, or was not asked yet.
    pub proxy: Option<ProxyView>,
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
            proxy: None,
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

/// How long ago `then` was, never negative.
pub fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}
