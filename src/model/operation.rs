//! A command being carried out: how far it is, who is at it, and what is told of it.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Assignment, CommandId, Epoch, Generation, HostName, Intent, RegionName, ReplicaKey, ServiceKey, Traffic};
use crate::text::Text;

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
        self.after.values().flat_map(BTreeMap::keys).chain(self.intent.regions()).cloned().collect()
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
    pub epoch: Epoch,
    /// False when it has expired.
    pub alive: bool,
}

/// A lease that was not given back, and what is known of who has it: for whoever asks why nothing is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The region.
    pub region: RegionName,
    /// `user@machine:pid`.
    pub holder: Text,
    /// How long ago it was renewed; none when that was before this machine was booted.
    pub heard: Option<Duration>,
    /// So long it still keeps others out; zero when it has run out.
    pub left: Duration,
    /// Whether its holder lives.
    pub life: Life,
}

/// Whether the process lives that holds a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It surely does.
    Lives,
    /// It has ended, and whoever asks for the lease gets it at once.
    Ended,
    /// This machine has no such process; but it left no sign by which others could tell, so its lease has to run out.
    Gone,
    /// It may be on another machine.
    Unknown,
}

impl Holding {
    /// True when it keeps others out.
    pub fn is_held(&self) -> bool {
        !self.left.is_zero() && self.life != Life::Ended
    }
}
