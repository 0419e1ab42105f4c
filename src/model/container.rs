//! Containers and images as they are seen, and whose they are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ContainerId, FleetName, Protocol, RegionName, ReplicaKey, RevisionNo, ServiceKey};
use crate::text::Text;

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
    /// True when its process can be talked with.
    pub fn is_running(&self) -> bool {
        self.state == ContainerState::Running
    }

    /// The replica it is, when it is one of this fleet.
    pub fn replica(&self) -> Option<&ReplicaOf> {
        match &self.owner {
            Owner::Replica(replica) => Some(replica),
            _ => None,
        }
    }

    /// The service and revision of this fleet that it was made from: a replica's, or a test's.
    pub fn made_from(&self) -> Option<(&ServiceKey, RevisionNo)> {
        match &self.owner {
            Owner::Replica(replica) => Some((&replica.key.service, replica.revision)),
            Owner::Test(test) => Some((&test.service, test.revision)),
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

impl ContainerState {
    /// One word, as the engine says it.
    pub fn word(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited { .. } => "exited",
            Self::Dead => "dead",
            Self::Other(word) => word.as_str(),
        }
    }
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
    /// This fleet's proxy on its host.
    Proxy,
    /// Runs the test of a revision of this fleet before its release. It is no replica, and gone afterwards.
    Test(TestOf),
    /// Belongs to another fleet of wharf. Never touched.
    OtherFleet(Text),
    /// On its own.
    Loose,
}

/// The identity that a replica's labels carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaOf {
    /// Which replica.
    pub key: ReplicaKey,
    /// At which revision.
    pub revision: RevisionNo,
    /// Made for which round of restarts (see [`super::Assignment::round`]).
    pub round: u32,
}

/// The identity that the labels of a test's container carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOf {
    /// In which region.
    pub region: RegionName,
    /// Of which service.
    pub service: ServiceKey,
    /// Which revision is tested.
    pub revision: RevisionNo,
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
    /// On the proxy's container: the image as the fleet file names it.
    pub const PROXY: &str = "wharf.proxy";
    /// On the container of a release's test; it has no slot.
    pub const TEST: &str = "wharf.test";
    /// Round of restarts, decimal; a container without it is of round 0.
    pub const ROUND: &str = "wharf.round";
    /// What the container was made from (see [`Record`](crate::model::Record)). It tells nothing of what a container
    /// is: one without it, of an older wharf, is as good.
    pub const RECORD: &str = "wharf.record";
}

/// Says whose a container is, from its labels.
pub fn owner_of<'a>(fleet: &FleetName, get: impl Fn(&str) -> Option<&'a str>) -> Owner {
    if let Some(theirs) = get(label::FLEET) {
        if theirs != fleet.as_str() {
            return Owner::OtherFleet(Text::new(theirs));
        }
        let made_from = || {
            Some(TestOf {
                region: get(label::REGION)?.parse().ok()?,
                service: ServiceKey {
                    stack: get(label::STACK)?.parse().ok()?,
                    service: get(label::SERVICE)?.parse().ok()?,
                },
                revision: RevisionNo(get(label::REVISION)?.parse().ok()?),
            })
        };
        let replica = || {
            let TestOf { region, service, revision } = made_from()?;
            Some(ReplicaOf {
                key: ReplicaKey { region, service, slot: super::Slot(get(label::SLOT)?.parse().ok()?) },
                revision,
                round: get(label::ROUND).and_then(|round| round.parse().ok()).unwrap_or_default(),
            })
        };
        if get(label::PROXY).is_some() {
            return Owner::Proxy;
        }
        if get(label::TEST).is_some() {
            return made_from().map_or(Owner::Loose, Owner::Test);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_no_replica() {
        let fleet = FleetName::new("acme").unwrap();
        let owner = |labels: &[(&str, &'static str)]| {
            owner_of(&fleet, |key| labels.iter().find(|(label, _)| *label == key).map(|(_, value)| *value))
        };
        let ours = [
            (label::FLEET, "acme"),
            (label::REGION, "east"),
            (label::STACK, "shop"),
            (label::SERVICE, "web"),
            (label::REVISION, "7"),
        ];
        let (region, service) = ("east".parse().unwrap(), "shop/web".parse().unwrap());
        let test = TestOf { region, service, revision: RevisionNo(7) };
        assert_eq!(owner(&[&ours[..], &[(label::TEST, "1")]].concat()), Owner::Test(test.clone()));
        // Whatever else it says.
        assert_eq!(owner(&[&ours[..], &[(label::TEST, "1"), (label::SLOT, "1")]].concat()), Owner::Test(test));
        assert!(matches!(owner(&[&ours[..], &[(label::SLOT, "1")]].concat()), Owner::Replica(_)));
        assert_eq!(owner(&[(label::FLEET, "acme"), (label::TEST, "1")]), Owner::Loose);
        assert_eq!(owner(&ours), Owner::Loose);
    }
}
