//! An operator's intent, and how far it is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Adopted, Assignment, CommandId, Generation, HostIntent, HostName, RegionName, ReplicaKey, Revision, RevisionNo,
    ServiceKey, Slot, StackName, StackShared, Traffic,
};
use crate::text::Text;

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
}

impl Proposal {
    /// True when accepting it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.assignments.is_empty() && self.stacks.is_empty() && self.hosts.is_empty() && self.revisions.is_empty()
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
            Self::Host { intent: None, .. } => "uncordon",
            Self::Host { intent: Some(HostIntent::Cordoned), .. } => "cordon",
            Self::Host { intent: Some(HostIntent::Draining), .. } => "drain",
        }
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

/// A command in the store, with how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its id.
    pub id: CommandId,
    /// What was wanted.
    pub intent: Intent,
    /// The same as a command line.
    pub equivalent: String,
    /// Who: login name, `@`, machine.
    pub by: String,
    /// When it was accepted.
    pub at: Timestamp,
    /// The generation it made.
    pub generation: Generation,
    /// What it touches: the assignments before, for going back. `None`: there was none.
    pub before: BTreeMap<ServiceKey, BTreeMap<RegionName, Option<Assignment>>>,
    /// What it touches: the assignments it asks for. `None`: gone.
    pub after: BTreeMap<ServiceKey, BTreeMap<RegionName, Option<Assignment>>>,
    /// Where it stands.
    pub state: OperationState,
    /// Regions whose part is done. The operation is final when all are.
    pub progress: BTreeMap<RegionName, Progress>,
    /// Nothing new begins until it is resumed; none while it goes on, and once it is final.
    #[serde(default)]
    pub paused: Option<Paused>,
    /// When it was resumed last: deadlines are counted anew from then.
    #[serde(default)]
    pub resumed: Option<Timestamp>,
}

/// An operation that stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub at: Timestamp,
    /// Who paused it.
    pub by: Text,
    /// What failed, where it was paused for that; empty when somebody just wanted it.
    #[serde(default)]
    pub why: Text,
}

impl Operation {
    /// When what goes on now began: its acceptance, or the moment it was given up and rolling back began.
    pub fn began(&self) -> Timestamp {
        if let OperationState::RollingBack { at, .. } = &self.state { *at } else { self.at }
    }

    /// From when on its deadlines count: when it began, or was resumed.
    pub fn since(&self) -> Timestamp {
        self.resumed.map_or(self.began(), |resumed| resumed.max(self.began()))
    }

    /// Its state for columns: `paused` while it stands still, else the state's own word.
    pub fn word(&self) -> &'static str {
        if self.paused.is_some() { "paused" } else { self.state.word() }
    }

    /// Regions it touches.
    pub fn regions(&self) -> std::collections::BTreeSet<RegionName> {
        self.after.values().flat_map(|regions| regions.keys().cloned()).collect()
    }

    /// Steps done and steps in all, over its regions.
    pub fn done_of_total(&self) -> (u32, u32) {
        self.progress.values().fold((0, 0), |(done, total), part| (done + part.done, total + part.total))
    }
}

/// Where a command stands. Only the first three are not final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OperationState {
    /// On disk; no reconciler has begun.
    Accepted,
    /// Being carried out.
    Running,
    /// What was wanted is seen.
    Converged {
        /// When.
        at: Timestamp,
    },
    /// Given up; what was before is wanted again, and is being made true. From then on its books are turned round:
    /// [`Operation::after`] is what was there before, where nobody decided otherwise since.
    RollingBack {
        /// Since when.
        at: Timestamp,
        /// What failed, where, why, what to do.
        reason: Text,
    },
    /// Given up before anything was changed, or rolling back failed too; what was before is wanted again where that
    /// was possible.
    Failed {
        /// When.
        at: Timestamp,
        /// What failed, where, why, what to do.
        reason: Text,
    },
    /// It failed and what was before is seen again.
    RolledBack {
        /// When.
        at: Timestamp,
        /// What failed, where, why, what to do.
        reason: Text,
    },
    /// An operator ended it.
    Aborted {
        /// When.
        at: Timestamp,
        /// Who.
        by: Text,
    },
    /// A later command wants something else of the same services.
    Superseded {
        /// When.
        at: Timestamp,
        /// Which.
        by: CommandId,
    },
}

impl OperationState {
    /// True when it will not change any more.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Accepted | Self::Running | Self::RollingBack { .. })
    }

    /// One or two words for columns.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::RollingBack { .. } => "rolling back",
            Self::Converged { .. } => "converged",
            Self::Failed { .. } => "failed",
            Self::RolledBack { .. } => "rolled back",
            Self::Aborted { .. } => "aborted",
            Self::Superseded { .. } => "superseded",
        }
    }
}

/// How far a region is with an operation. Written by its reconciler, read by everyone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Parts that are as wanted.
    pub done: u32,
    /// All parts.
    pub total: u32,
    /// One line per replica or pull, in plan order.
    pub steps: Vec<StepProgress>,
    /// What it waits for, in words; empty when it waits for nothing.
    pub waits_for: Text,
    /// True when all of this region's parts are as wanted.
    pub finished: bool,
    /// What came through the region's proxies for the services concerned since it began; none without proxies.
    #[serde(default)]
    pub traffic: Option<Traffic>,
}

/// How far one step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepProgress {
    /// What: `start shop/web.4 on e-2`.
    pub what: Text,
    /// The replica that it is about; none for pulls.
    #[serde(default)]
    pub replica: Option<ReplicaKey>,
    /// Where it stands.
    pub state: StepState,
    /// How, in words: `pulling 41 %`, `healthy 2 of 3`, an error.
    pub detail: Text,
    /// Since when it stands there, as far as was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    Waiting,
    /// Going on.
    Running,
    /// As wanted.
    Done,
    /// Went wrong.
    Failed,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When.
    pub at: Timestamp,
    /// Of which command; none for what the reconciler does by itself.
    pub command: Option<CommandId>,
    /// In which region.
    pub region: Option<RegionName>,
    /// About which service.
    pub service: Option<ServiceKey>,
    /// On which host.
    pub host: Option<HostName>,
    /// In words.
    pub what: Text,
    /// True when it is bad news.
    pub is_error: bool,
}

/// Who holds a region's lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The region.
    pub region: RegionName,
    /// `user@machine:pid`.
    pub holder: Text,
    /// Which holding this is: a fencing token.
    pub epoch: super::Epoch,
    /// False when it has expired.
    pub alive: bool,
}
