//! An operator's intent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Adopted, Assignment, Generation, HostIntent, HostName, RegionName, Revision, RevisionNo, ServiceKey, Slot, Spare,
    StackName, StackShared,
};

/// A change to accept: what the store writes in one transaction, or refuses as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The intent, for people and audit.
    pub intent: Intent,
    /// The same as a command line, for people.
    pub equivalent: String,
    /// The generation that the plan was made from. Refused when a later one changed something that this touches.
    pub base: Generation,
    /// Revisions to append.
    pub revisions: Vec<Revision>,
    /// New assignments; `None` removes the service from the region.
    pub assignments: BTreeMap<(ServiceKey, RegionName), Option<Assignment>>,
    /// Stacks whose shared parts change; `None` removes the stack.
    pub stacks: BTreeMap<StackName, Option<StackShared>>,
    /// Hosts whose intent changes; `None` opens the host.
    pub hosts: BTreeMap<HostName, Option<HostIntent>>,
    /// Containers of another tool that become replicas as they run.
    pub adopted: Adopted,
    /// The name that was typed to confirm it, where a guard asks for that.
    pub confirmed: Option<String>,
}

impl Proposal {
    /// True when accepting it would change nothing.
    pub fn is_empty(&self) -> bool {
        let changes = !self.assignments.is_empty()
            || !self.stacks.is_empty()
            || !self.hosts.is_empty()
            || !self.revisions.is_empty();
        !changes && self.intent.regions().next().is_none()
    }
}

/// What an operator wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Intent {
    /// Run a stack as its file says.
    Deploy {
        /// Which.
        stack: StackName,
    },
    /// Change numbers of replicas.
    Scale {
        /// From and to, per service and region.
        changes: Vec<ScaleChange>,
    },
    /// Take a stack or some of its services away.
    Remove {
        /// Which stack.
        stack: StackName,
        /// Only this service.
        service: Option<ServiceKey>,
    },
    /// Replace every container of a service, one batch after the other.
    Restart {
        /// Which.
        service: ServiceKey,
    },
    /// Move replicas to other hosts or another region, the new copy first.
    Migrate {
        /// What moves.
        what: Scope,
        /// From where.
        from: Site,
        /// To where.
        to: Site,
    },
    /// Run an earlier revision again, as a new one.
    Rollback {
        /// A stack or a service of it.
        what: Scope,
        /// Which earlier revision of each service, and the number that the new one has.
        to: BTreeMap<ServiceKey, (RevisionNo, RevisionNo)>,
    },
    /// Move replicas so that hosts carry about the same.
    Rebalance {
        /// Only in this region.
        region: Option<RegionName>,
    },
    /// Take over a stack of another tool as it runs.
    Adopt {
        /// Which.
        stack: StackName,
    },
    /// Remove what hosts keep and nothing needs.
    Prune {
        /// What, by region and host.
        regions: BTreeMap<RegionName, BTreeMap<HostName, Vec<Spare>>>,
    },
    /// Change whether a host takes replicas.
    Host {
        /// Which.
        host: HostName,
        /// How; none opens it.
        intent: Option<HostIntent>,
    },
}

/// What a command is about: a stack, a service, or one replica of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All services of a stack.
    Stack(StackName),
    /// One service.
    Service(ServiceKey),
    /// One slot of a service.
    Replica(ServiceKey, Slot),
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stack(stack) => write!(f, "{stack}"),
            Self::Service(service) => write!(f, "{service}"),
            Self::Replica(service, slot) => write!(f, "{service}.{slot}"),
        }
    }
}

/// A host or a region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// One host.
    Host(HostName),
    /// Any host of a region.
    Region(RegionName),
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(host) => write!(f, "{host}"),
            Self::Region(region) => write!(f, "{region}"),
        }
    }
}

/// A change of one number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleChange {
    /// Which service.
    pub service: ServiceKey,
    /// In which region.
    pub region: RegionName,
    /// Replicas before.
    pub from: u32,
    /// Replicas after.
    pub to: u32,
}

impl Intent {
    /// One word: `deploy`, `scale`, ….
    pub fn word(&self) -> &'static str {
        match self {
            Self::Deploy { .. } => "deploy",
            Self::Scale { .. } => "scale",
            Self::Remove { .. } => "rm",
            Self::Restart { .. } => "restart",
            Self::Migrate { .. } => "migrate",
            Self::Rollback { .. } => "rollback",
            Self::Rebalance { .. } => "rebalance",
            Self::Adopt { .. } => "adopt",
            Self::Prune { .. } => "prune",
            Self::Host { intent: None, .. } => "uncordon",
            Self::Host { intent: Some(HostIntent::Cordoned), .. } => "cordon",
            Self::Host { intent: Some(HostIntent::Draining), .. } => "drain",
        }
    }

    /// Regions in which it asks for something that is no replica.
    pub fn regions(&self) -> impl Iterator<Item = &RegionName> {
        let regions = if let Self::Prune { regions } = self { Some(regions) } else { None };
        regions.into_iter().flat_map(BTreeMap::keys)
    }

    /// True when what has moved already stays where it is when the rest is given up: it is no worse there.
    pub fn keeps_what_moved(&self) -> bool {
        matches!(self, Self::Rebalance { .. } | Self::Host { intent: Some(HostIntent::Draining), .. })
    }

    /// One line: `scale payments/api west 6 → 8`.
    pub fn summary(&self) -> String {
        match self {
            Self::Deploy { stack } => format!("deploy {stack}"),
            Self::Remove { stack, service: None } => format!("rm {stack}"),
            Self::Remove { service: Some(service), .. } => format!("rm {service}"),
            Self::Restart { service } => format!("restart {service}"),
            Self::Host { host, .. } => format!("{} {host}", self.word()),
            Self::Migrate { what, from, to } => format!("migrate {what} {from} → {to}"),
            Self::Rollback { what: Scope::Stack(stack), to } => match to.len() {
                1 => format!("rollback {stack}, 1 service"),
                many => format!("rollback {stack}, {many} services"),
            },
            Self::Rollback { what, to } => match to.values().next() {
                Some((old, new)) => format!("rollback {what} to r{old} as r{new}"),
                None => format!("rollback {what}"),
            },
            Self::Rebalance { region: Some(region) } => format!("rebalance {region}"),
            Self::Rebalance { region: None } => "rebalance".to_owned(),
            Self::Adopt { stack } => format!("adopt {stack}"),
            Self::Prune { regions } => {
                let hosts = || regions.values().flatten();
                let all: Vec<&Spare> = hosts().flat_map(|(_, spares)| spares).collect();
                let place = match hosts().map(|(host, _)| host).collect::<Vec<_>>().as_slice() {
                    [one] => one.to_string(),
                    many => format!("{} hosts", many.len()),
                };
                match all.as_slice() {
                    [one] => format!("prune {} {} on {place}", one.kind.word(), one.name),
                    many => format!("prune {} things on {place}", many.len()),
                }
            }
            Self::Scale { changes } => match changes.as_slice() {
                [one] => format!("scale {} {} {} → {}", one.service, one.region, one.from, one.to),
                many => {
                    let delta: i64 = many.iter().map(|c| i64::from(c.to) - i64::from(c.from)).sum();
                    let first = many.first().map(|c| c.service.to_string()).unwrap_or_default();
                    let same = many.iter().all(|c| c.service.to_string() == first);
                    let what = if same { first } else { format!("{} services", many.len()) };
                    format!("scale {what} {delta:+} in {} places", many.len())
                }
            },
        }
    }
}
