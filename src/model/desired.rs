//! What shall be: the accepted state of the fleet.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Adopted, Generation, HostName, NetworkSpec, RegionName, ReplicaKey, RevisionNo, ServiceKey, ServiceName,
    ServiceSpec, Slot, StackName, VolumeSpec,
};

/// The accepted state: what the reconcilers make true. One read of the store gives all of it, at one generation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Desired {
    /// The generation of this read.
    pub generation: Generation,
    /// Per service, then per region.
    pub services: BTreeMap<ServiceKey, BTreeMap<RegionName, Assignment>>,
    /// The revisions that assignments name, and the kept older ones.
    pub revisions: BTreeMap<ServiceKey, BTreeMap<RevisionNo, Arc<Revision>>>,
    /// What stacks share.
    pub stacks: BTreeMap<StackName, StackShared>,
    /// Hosts that get no new replicas. A host that is not here is open.
    pub hosts: BTreeMap<HostName, HostIntent>,
    /// Running containers of other tools that were taken over, and which replicas they are.
    pub adopted: Adopted,
    /// The last number that services' revisions got before the store was replaced by a copy. Where it is higher than
    /// all that are kept, containers may have numbers of which nothing else is known.
    pub numbered: BTreeMap<ServiceKey, RevisionNo>,
}

impl Desired {
    /// A revision of a service.
    pub fn revision(&self, service: &ServiceKey, no: RevisionNo) -> Option<&Arc<Revision>> {
        self.revisions.get(service)?.get(&no)
    }

    /// The newest revision of a service.
    pub fn latest(&self, service: &ServiceKey) -> Option<&Arc<Revision>> {
        self.revisions.get(service)?.values().next_back()
    }

    /// What is wanted of a service in a region.
    pub fn assignment(&self, service: &ServiceKey, region: &RegionName) -> Option<&Assignment> {
        self.services.get(service)?.get(region)
    }

    /// Every wanted replica with its place, in order.
    pub fn replicas(&self) -> impl Iterator<Item = (ReplicaKey, &Place)> {
        self.services.iter().flat_map(|(service, regions)| {
            regions.iter().flat_map(move |(region, assignment)| {
                assignment.slots.iter().map(move |(slot, place)| {
                    (ReplicaKey { region: region.clone(), service: service.clone(), slot: *slot }, place)
                })
            })
        })
    }

    /// Replicas that are wanted on a host.
    pub fn count_on(&self, host: &HostName) -> usize {
        let assignments = self.services.values().flat_map(BTreeMap::values);
        assignments.flat_map(|assignment| assignment.slots.values()).filter(|place| place.host == *host).count()
    }

    /// True when a host takes new replicas.
    pub fn is_open(&self, host: &HostName) -> bool {
        !self.hosts.contains_key(host)
    }
}

/// What is wanted of one service in one region.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Assignment {
    /// The generation that last changed it.
    pub generation: Generation,
    /// Each slot's host and revision. Its length is the number of replicas wanted.
    pub slots: BTreeMap<Slot, Place>,
    /// Counts restarts that were asked for: a container made for an older round is replaced.
    #[serde(default)]
    pub round: u32,
}

/// Where a replica shall run, and at which revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The host.
    pub host: HostName,
    /// The revision.
    pub revision: RevisionNo,
}

/// An immutable, numbered spec of a service with its image resolved. Never edited, only appended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// Of which service.
    pub service: ServiceKey,
    /// Its number.
    pub no: RevisionNo,
    /// What to run.
    pub spec: ServiceSpec,
    /// The image with its digest (`repo@sha256:…`), or as written where no registry knows it.
    pub image: String,
    /// When it was appended.
    pub at: Timestamp,
    /// Who appended it.
    pub by: String,
    /// Why, in a few words: `deploy`, `rollback to r5`.
    pub note: String,
    /// The version of the stack with which it came: what was appended together has one number. 0 where it was
    /// appended before versions were counted.
    #[serde(default)]
    pub version: u32,
    /// The earlier revision that it restores, when it came by a roll-back.
    #[serde(default)]
    pub restores: Option<RevisionNo>,
}

/// Networks and volumes of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StackShared {
    /// Networks by key.
    pub networks: BTreeMap<String, NetworkSpec>,
    /// Volumes by key.
    pub volumes: BTreeMap<String, VolumeSpec>,
    /// The virtual address of each service, the same on every host: where the stack's containers find its proxy.
    pub addresses: BTreeMap<ServiceName, Ipv4Addr>,
}

/// What is left of a host that was drained, in words, when so many replicas stay there.
pub fn drained(host: &HostName, left: usize) -> String {
    match left {
        0 => format!("{host} is empty: safe to switch off"),
        1 => format!("1 replica stays on {host}: not safe to switch off"),
        _ => format!("{left} replicas stay on {host}: not safe to switch off"),
    }
}

/// What an operator decided about a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostIntent {
    /// Gets no new replicas.
    Cordoned,
    /// Its replicas are being moved away.
    Draining,
}
