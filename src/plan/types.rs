//! The values that planning gives.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    model::{
        CommandId, ContainerId, Desired, Fleet, HostName, Kept, Observed, Place, Proposal, ProxySpec, RegionName,
        ReplicaKey, RevisionNo, ServiceKey, StackName, Traffic,
    },
    text::Text,
};

/// What planning looks at.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// Regions, hosts, defaults.
    pub fleet: &'a Fleet,
    /// What shall be.
    pub desired: &'a Desired,
    /// What is seen.
    pub observed: &'a Observed,
    /// Now.
    pub now: Timestamp,
}

/// A change, worked out: what would be accepted, and what it means. Drawn, printed, accepted, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the store is asked to accept.
    pub proposal: Proposal,
    /// What will happen, in order, for people.
    pub steps: Vec<PlanStep>,
    /// Replicas wanted before and after, over everything that the plan touches.
    pub replicas: (u32, u32),
    /// The fewest healthy replicas there will be while it is carried out, of how many there are now, for the
    /// service that dips deepest; none when no running replica is touched.
    pub lowest: Option<(u32, u32)>,
    /// How to go back, as a command line; none when there is no way.
    pub undo: Option<String>,
    /// What the operator should know before applying.
    pub warnings: Vec<String>,
    /// What new revisions change in what runs, service by service.
    pub differences: Vec<Difference>,
}

/// What a new revision changes against the one that runs. Secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of which service.
    pub service: ServiceKey,
    /// The revision that runs now.
    pub before: RevisionNo,
    /// The new one.
    pub after: RevisionNo,
    /// A line per field that differs: `image: app:1 → app:2`.
    pub lines: Vec<String>,
}

impl Plan {
    /// True when applying it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.proposal.is_empty()
    }
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanStep {
    /// What kind of work.
    pub kind: StepKind,
    /// In which region; none for what concerns the whole fleet.
    pub region: Option<RegionName>,
    /// About which service.
    pub service: Option<ServiceKey>,
    /// What, on what: `web.4 → e-2`, one entry per replica or host, in order.
    pub items: Vec<String>,
    /// Why so: `spread over zone; w-3 is unknown`. Empty when there is nothing to say.
    pub why: String,
}

/// Kinds of work, in the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// Images are fetched on every target first.
    Pull,
    /// The service's test runs, and must pass before anything of the service changes.
    Test,
    /// New containers.
    Start,
    /// They must become healthy.
    Health,
    /// Proxies send them requests.
    Traffic,
    /// Old containers give way to new ones.
    Replace,
    /// Containers end.
    Stop,
    /// Networks and other leftovers go.
    Tidy,
    /// A host is opened or closed for new replicas.
    Host,
    /// Running containers of another tool become replicas.
    Adopt,
}

impl StepKind {
    /// One word, for screens and scripts: the same as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Test => "test",
            Self::Start => "start",
            Self::Health => "health",
            Self::Traffic => "traffic",
            Self::Replace => "replace",
            Self::Stop => "stop",
            Self::Tidy => "tidy",
            Self::Host => "host",
            Self::Adopt => "adopt",
        }
    }
}

/// One wanted number of replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleTarget {
    /// Which service.
    pub service: ServiceKey,
    /// In which region.
    pub region: RegionName,
    /// How many.
    pub to: u32,
}

/// Why a change cannot be planned: words for the operator, with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such stack, service, region or host.
    #[error("there is no {what} `{name}`{}", hint(near.as_ref()))]
    Unknown {
        /// `service`, `host`, ….
        what: &'static str,
        /// What was asked for.
        name: String,
        /// The nearest that exists.
        near: Option<String>,
    },
    /// No host can take a replica.
    #[error("no host in {region} can take {service}.{slot}: {}", reasons.join("; "))]
    NoHost {
        /// The service.
        service: ServiceKey,
        /// The region.
        region: RegionName,
        /// The slot that has no place.
        slot: crate::model::Slot,
        /// One reason per host, or per group of hosts: `e-1, e-2 are cordoned`.
        reasons: Vec<String>,
    },
    /// What was asked makes no sense.
    #[error("{0}")]
    Invalid(String),
}

fn hint(near: Option<&String>) -> String {
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// What a region's reconciler does next, and what it waits for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Next {
    /// Things to start now, in order. Those of one host are independent of each other.
    pub actions: Vec<Action>,
    /// Things that cannot start yet, with the reason.
    pub waits: Vec<Wait>,
    /// When to look again even if nothing changes.
    pub look_again: Option<Timestamp>,
    /// Replicas that need another host (the old one is down or refuses them), with the new place and the reason.
    pub moves: Vec<(ReplicaKey, Place, String)>,
    /// Replicas that a paused operation changes: nothing is made or stopped for them, not even what waits for its turn.
    pub frozen: BTreeSet<ReplicaKey>,
    /// Containers that proxies shall send nothing new, because they are to stop.
    pub drains: BTreeSet<(HostName, ContainerId)>,
    /// Those of [`Next::drains`] that no proxy which can be reached sends anything new any more.
    pub released: BTreeSet<(HostName, ContainerId)>,
    /// New replicas of releases that do their work and are in traffic.
    pub watched: BTreeSet<(HostName, ContainerId)>,
    /// What the proxy of each host of the region shall be; hosts that are not here need none.
    pub proxies: BTreeMap<HostName, ProxySpec>,
}

/// One thing to do on one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Fetch an image.
    Pull {
        /// Where.
        host: HostName,
        /// Which, with its digest.
        image: String,
        /// For which service.
        service: ServiceKey,
    },
    /// Read which ports an image exposes, for a revision that names none and of which nothing runs yet.
    Learn {
        /// Where the image is.
        host: HostName,
        /// Of which service.
        service: ServiceKey,
        /// Which revision.
        revision: RevisionNo,
    },
    /// Create and start the container that runs the test of a revision.
    Test {
        /// Where.
        host: HostName,
        /// Of which service.
        service: ServiceKey,
        /// Which revision.
        revision: RevisionNo,
    },
    /// Remove the container of a test that nothing waits for any more.
    Clear {
        /// Where.
        host: HostName,
        /// Of which service.
        service: ServiceKey,
        /// Which container.
        container: ContainerId,
    },
    /// Create and start the container of a replica.
    Create {
        /// Where.
        host: HostName,
        /// Which replica.
        replica: ReplicaKey,
        /// At which revision.
        revision: RevisionNo,
    },
    /// Start a container that exists and does not run.
    Start {
        /// Where.
        host: HostName,
        /// Which replica.
        replica: ReplicaKey,
        /// Which container.
        container: ContainerId,
    },
    /// Stop a container, then remove it.
    Stop {
        /// Where.
        host: HostName,
        /// Which replica it was.
        replica: ReplicaKey,
        /// Which container.
        container: ContainerId,
        /// Why, in a few words: `not wanted any more`, `replaced by r8`.
        why: String,
    },
    /// Remove a stack's networks from a host where nothing of it is left.
    Tidy {
        /// Where.
        host: HostName,
        /// Which stack.
        stack: StackName,
    },
    /// Remove something that nothing needs, if that is still so by then.
    Prune {
        /// Where.
        host: HostName,
        /// For which operation.
        operation: CommandId,
        /// What kind of thing.
        what: Kept,
        /// What the engine knows it by.
        id: Text,
    },
}

impl Action {
    /// The host it happens on.
    pub fn host(&self) -> &HostName {
        match self {
            Self::Pull { host, .. }
            | Self::Learn { host, .. }
            | Self::Test { host, .. }
            | Self::Clear { host, .. }
            | Self::Create { host, .. }
            | Self::Start { host, .. }
            | Self::Stop { host, .. }
            | Self::Tidy { host, .. }
            | Self::Prune { host, .. } => host,
        }
    }
}

/// Something that cannot go on yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// About which service.
    pub service: ServiceKey,
    /// About which replica, when it is about one.
    pub replica: Option<ReplicaKey>,
    /// For what, in words: `health of api.8 (starting)`, `e-2: pulling`.
    pub what: String,
    /// When it is given up, if it ever is.
    pub deadline: Option<Timestamp>,
}

/// What a reconciler knows that cannot be seen on the hosts. Losing it costs time, never correctness.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    /// Since when this reconciler looks after the region. Deadlines of operations do not begin before: the time in which
    /// nobody worked, and what a clock that was set seems to have run, do not count.
    pub since: Option<Timestamp>,
    /// Actions that have been started and have not ended. [`Next`] never gives them again.
    pub in_flight: BTreeSet<Action>,
    /// How far running pulls are, in percent, per host and image.
    pub pulling: BTreeMap<(HostName, String), u8>,
    /// Pulls that succeeded, per host and image, in case the image list is late.
    pub pulled: BTreeSet<(HostName, String)>,
    /// Hosts that lacked an image when a container was to be made of it. Somebody took their images' names away by force: what
    /// runs there proves nothing.
    pub bare: BTreeSet<HostName>,
    /// Which TCP ports images expose, for revisions that name none: put in when an [`Action::Learn`] succeeds. Where
    /// there are any, the store is told first, so that they are soon in the revision itself.
    pub learned: BTreeMap<(ServiceKey, RevisionNo), BTreeSet<u16>>,
    /// What came of each [`Action::Prune`] that succeeded, in words: `gone`, or why it stays after all. Forgotten with its
    /// operation.
    pub removed: BTreeMap<Action, Text>,
    /// Failed actions: how often in a row, the last time, and what the engine said.
    pub failures: BTreeMap<Action, Failure>,
    /// When replicas died, per service and host, within the last five minutes.
    pub deaths: BTreeMap<(ServiceKey, HostName), Vec<Timestamp>>,
    /// When a host was first seen to be silent by this reconciler.
    pub silent_since: BTreeMap<HostName, Timestamp>,
    /// Since when containers are being drained (see [`Next::drains`]).
    pub draining: BTreeMap<(HostName, ContainerId), Timestamp>,
    /// Since when no proxy sends them anything new (see [`Next::released`]): what they have begun may go on for the drain
    /// timeout from then on.
    pub released: BTreeMap<(HostName, ContainerId), Timestamp>,
    /// What came through the proxies for each service of an open operation, old and new revisions apart.
    pub compared: BTreeMap<(CommandId, ServiceKey), Compared>,
    /// Since when new replicas do their work in traffic (see [`Next::watched`]).
    pub watched: BTreeMap<(HostName, ContainerId), Timestamp>,
    /// Containers whose end was asked for and whose engine gave no good answer, and when that was known: it may carry it out
    /// yet. Put in when an [`Action::Stop`] fails; taken out when one succeeds, or an [`Action::Start`].
    pub asked_to_stop: BTreeMap<(HostName, ContainerId), Timestamp>,
    /// Stacks whose networks were removed from a host since the last `Create` there: put in when an
    /// [`Action::Tidy`] succeeds, taken out when an [`Action::Create`] of the stack begins on the host. It saves
    /// repetitions while an operation stays open; without it they cost a call each.
    pub tidied: BTreeSet<(HostName, StackName)>,
}

/// What came through the proxies for a service since an operation began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compared {
    /// For the revisions that were there before.
    pub old: Traffic,
    /// For those that the operation brings.
    pub new: Traffic,
}

/// An action that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In a row.
    pub times: u32,
    /// The last one.
    pub at: Timestamp,
    /// What the engine said, with what to do.
    pub error: Text,
    /// Trying again cannot help: no such image, refused credentials.
    pub is_final: bool,
    /// It is this host that cannot do it, another may: a port is taken there, its disk is full.
    pub is_hosts: bool,
}
