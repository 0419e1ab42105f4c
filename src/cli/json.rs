//! The documents of `--json`. Field names are a contract: see the README.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::confirm::Bars;
use crate::{
    model::{
        Container, ContainerState, Health, HostIntent, HostView, Intent, JournalEntry, Level, Link, Operation,
        OperationState, Owner, Paused, Progress, Revision, RevisionNo, Usage, since,
    },
    plan::{Difference, Plan, PlanStep},
    text::Text,
};

/// `wharf hosts --json`: a list of these.
#[derive(Serialize)]
pub(super) struct HostRow {
    pub name: String,
    pub region: String,
    pub connect: String,
    pub address: Option<String>,
    pub link: Link,
    /// Seconds since the host was last seen; none while it is.
    pub unseen_seconds: Option<u64>,
    /// `open`, `cordoned` or `draining`.
    pub intent: &'static str,
    pub labels: BTreeMap<String, String>,
    pub containers: usize,
    pub running: usize,
    pub replicas: usize,
    pub facts: Option<crate::model::HostFacts>,
}

impl HostRow {
    pub(super) fn new(host: &HostView, intent: Option<HostIntent>, now: Timestamp) -> Self {
        let running = |container: &&Container| container.state == ContainerState::Running;
        Self {
            name: host.name.to_string(),
            region: host.region.to_string(),
            connect: host.connect.clone(),
            address: host.address.clone(),
            link: host.link.clone(),
            unseen_seconds: match &host.link {
                Link::Unknown { since: then, .. } | Link::Connecting { since: then, .. } => {
                    Some(since(*then, now).as_secs())
                }
                _ => None,
            },
            intent: intent_word(intent),
            labels: host.labels.clone(),
            containers: host.containers.len(),
            running: host.containers.values().filter(running).count(),
            replicas: host.containers.values().filter(|container| container.replica().is_some()).count(),
            facts: host.facts.clone(),
        }
    }
}

/// `open`, `cordoned` or `draining`.
pub(super) fn intent_word(intent: Option<HostIntent>) -> &'static str {
    match intent {
        None => "open",
        Some(HostIntent::Cordoned) => "cordoned",
        Some(HostIntent::Draining) => "draining",
    }
}

/// `wharf ps --json`: a list of these.
#[derive(Serialize)]
pub(super) struct ReplicaRow {
    pub stack: Option<String>,
    pub service: Option<String>,
    pub slot: Option<u32>,
    pub revision: Option<RevisionNo>,
    pub region: String,
    pub host: String,
    /// True when desired state asks for it here, at this revision.
    pub wanted: bool,
    /// `wharf`, `compose`, `swarm`, `rancher`, `other-fleet` or `none`.
    pub managed_by: &'static str,
    pub container: Option<String>,
    pub id: Option<String>,
    pub image: Option<String>,
    /// None: it is wanted and not there.
    pub state: Option<ContainerState>,
    pub health: Option<Health>,
    pub restarts: Option<u32>,
    pub ports: Vec<String>,
    pub usage: Option<Usage>,
    /// False: the host cannot be seen now, this is what was last known.
    pub seen: bool,
}

/// Which tool manages a container.
pub(super) fn managed_by(owner: &Owner) -> &'static str {
    match owner {
        Owner::Replica(_) | Owner::Test(_) | Owner::Proxy => "wharf",
        Owner::Foreign { tool, .. } => tool.word(),
        Owner::OtherFleet(_) => "other-fleet",
        Owner::Loose => "none",
    }
}

/// `wharf stacks --json`: a list of these.
#[derive(Serialize)]
pub(super) struct StackRow {
    pub stack: String,
    pub managed_by: &'static str,
    /// `ok`, `changing`, `stopped`, `failed` or `unknown`.
    pub state: &'static str,
    pub wanted: u32,
    pub healthy: u32,
    pub services: Vec<ServiceRow>,
}

/// A service of [`StackRow`].
#[derive(Serialize)]
pub(super) struct ServiceRow {
    pub service: String,
    pub revision: Option<RevisionNo>,
    pub image: Option<String>,
    pub regions: BTreeMap<String, RegionCell>,
}

/// A service in a region.
#[derive(Serialize)]
pub(super) struct RegionCell {
    pub state: &'static str,
    pub wanted: u32,
    pub running: u32,
    pub healthy: u32,
}

/// `wharf ops --json`: a list of these; `wharf ops ID --json` and acting commands: one.
#[derive(Serialize)]
pub(super) struct OperationRow {
    pub id: String,
    pub command: &'static str,
    pub summary: String,
    pub equivalent: String,
    pub by: String,
    pub at: Timestamp,
    pub generation: u64,
    pub intent: Intent,
    pub state: String,
    /// Since when it is rolling back, or when it ended.
    pub since: Option<Timestamp>,
    /// Why it was given up.
    pub reason: Option<Text>,
    /// Who aborted it, or the id of the later command that superseded it.
    pub ended_by: Option<String>,
    /// While it stands still: since when, by whom, why.
    pub paused: Option<Paused>,
    pub done: u32,
    pub total: u32,
    pub regions: BTreeMap<String, Progress>,
}

impl OperationRow {
    pub(super) fn new(operation: &Operation) -> Self {
        let (done, total) = operation.done_of_total();
        let (since, reason, ended_by) = match &operation.state {
            OperationState::Accepted | OperationState::Running => (None, None, None),
            OperationState::Converged { at } => (Some(*at), None, None),
            OperationState::RollingBack { at, reason }
            | OperationState::Failed { at, reason }
            | OperationState::RolledBack { at, reason } => (Some(*at), Some(reason.clone()), None),
            OperationState::Aborted { at, by } => (Some(*at), None, Some(by.to_string())),
            OperationState::Superseded { at, by } => (Some(*at), None, Some(by.to_string())),
        };
        Self {
            id: operation.id.to_string(),
            command: operation.intent.word(),
            summary: operation.intent.summary(),
            equivalent: operation.equivalent.clone(),
            by: operation.by.clone(),
            at: operation.at,
            generation: operation.generation.0,
            intent: operation.intent.clone(),
            state: operation.state.word().replace(' ', "_"),
            since,
            reason,
            ended_by,
            paused: operation.paused.clone(),
            done,
            total,
            regions: operation.progress.iter().map(|(region, part)| (region.to_string(), part.clone())).collect(),
        }
    }
}

/// `wharf history --json`: a list of these, newest first.
#[derive(Serialize)]
pub(super) struct RevisionRow {
    pub service: String,
    pub revision: RevisionNo,
    pub image: String,
    pub at: Timestamp,
    pub by: String,
    pub note: String,
    /// Replicas that desired state places at this revision.
    pub placed: usize,
    /// The version of the stack with which it came.
    pub version: u32,
    /// The earlier revision that it restores.
    pub restores: Option<RevisionNo>,
}

impl RevisionRow {
    pub(super) fn new(revision: &Revision, placed: usize) -> Self {
        Self {
            service: revision.service.to_string(),
            revision: revision.no,
            image: revision.image.clone(),
            at: revision.at,
            by: revision.by.clone(),
            note: revision.note.clone(),
            placed,
            version: revision.version,
            restores: revision.restores,
        }
    }
}

/// `--dry-run --json`.
#[derive(Serialize)]
pub(super) struct PlanDocument<'a> {
    /// True when applying it would change nothing.
    pub empty: bool,
    pub summary: String,
    pub equivalent: &'a str,
    pub undo: Option<&'a str>,
    /// The generation it was made from.
    pub base: u64,
    pub replicas_before: u32,
    pub replicas_after: u32,
    /// Fewest healthy replicas meanwhile, of how many, for the service that dips deepest.
    pub lowest: Option<(u32, u32)>,
    pub steps: &'a [PlanStep],
    pub warnings: &'a [String],
    /// What new revisions change, secrets masked.
    pub differences: &'a [Difference],
    /// Why who asks may not do this; none where it is allowed.
    pub refused: Option<&'a str>,
    /// How it is confirmed: `none`, `confirm` or `name`.
    pub guard: &'static str,
    /// The name to type, where the guard is `name`.
    pub confirm: Option<&'a str>,
}

impl<'a> PlanDocument<'a> {
    /// With what stands in the way of accepting it.
    pub(super) fn barred(self, bars: &'a Bars) -> Self {
        let confirm = (bars.demand.level == Level::Name).then_some(bars.demand.name.as_str());
        Self { refused: bars.refused.as_deref(), guard: bars.demand.level.word(), confirm, ..self }
    }

    pub(super) fn new(plan: &'a Plan) -> Self {
        Self {
            empty: plan.is_empty(),
            summary: plan.proposal.intent.summary(),
            equivalent: &plan.proposal.equivalent,
            undo: plan.undo.as_deref(),
            base: plan.proposal.base.0,
            replicas_before: plan.replicas.0,
            replicas_after: plan.replicas.1,
            lowest: plan.lowest,
            steps: &plan.steps,
            warnings: &plan.warnings,
            differences: &plan.differences,
            refused: None,
            guard: Level::default().word(),
            confirm: None,
        }
    }
}

/// `wharf events --json`: a list of journal entries, oldest first.
#[derive(Serialize)]
pub(super) struct EventRow<'a> {
    #[serde(flatten)]
    pub entry: &'a JournalEntry,
}

/// A line of `wharf logs --json`.
#[derive(Serialize)]
pub(super) struct LogRow<'a> {
    pub at: Option<Timestamp>,
    pub host: &'a str,
    pub replica: &'a str,
    pub stream: &'static str,
    pub text: &'a Text,
}

/// `wharf doctor --json`: a list of these.
#[derive(Serialize)]
pub(super) struct Finding {
    pub host: String,
    pub check: &'static str,
    /// `ok`, `warning` or `failed`.
    pub verdict: &'static str,
    pub what: String,
    /// How to mend it; empty when nothing is wrong.
    pub mend: String,
}
