//! Clearing hosts of what nothing needs: the plan, what to do next, how far it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Action, Memory, Plan, PlanStep, Refusal, StepKind, World,
    describe::Told,
    index::{Index, Sight},
    next::{Work, backoff},
    operation::counts_from,
    scale,
    spare::{Need, Needs},
    verdict::Verdict,
};
use crate::{
    model::{
        ContainerId, FailureAction, HostName, Intent, Kept, Operation, RegionName, Spare, StepProgress, StepState,
        Stored,
    },
    text::{Text, bytes},
};

/// A removal that failed so often is given up.
const TRIES: u32 = 3;

/// Works out the removal of things that hosts keep. What something needs is refused.
pub fn prune(world: &World<'_>, things: &[(HostName, Stored)]) -> Result<Plan, Refusal> {
    if things.is_empty() {
        return Err(Refusal::Invalid("there is nothing that nothing needs".into()));
    }
    let needs = Needs::new(world);
    let mut regions: BTreeMap<RegionName, BTreeMap<HostName, Vec<Spare>>> = BTreeMap::new();
    for (host, thing) in things {
        let host = super::lookup::host(world, host)?;
        if let Some(need) = needs.of(world, thing) {
            let name = |id: &ContainerId| world.observed.container_name(host, id);
            let why = match need {
                Need::Sum => "it is no thing of its own".to_owned(),
                Need::Used(_) => format!("used by {}", need.words(name)),
                need => need.words(name),
            };
            return Err(Refusal::Invalid(format!("{} {} on {host} stays: {why}", thing.kind.word(), thing.title())));
        }
        let Some((region, _)) = world.fleet.host(host) else { continue };
        let spare = Spare { kind: thing.kind, id: thing.id.clone(), name: thing.title(), size: thing.size };
        regions.entry(region.name.clone()).or_default().entry(host.clone()).or_default().push(spare);
    }
    let mut told = Told::default();
    for (region, hosts) in &mut regions {
        for (host, spares) in hosts {
            spares.sort_by(|a, b| (a.kind, &a.name, &a.id).cmp(&(b.kind, &b.name, &b.id)));
            spares.dedup();
            told.steps.push(step(region, host, spares));
        }
    }
    told.warnings = warnings(things);
    let equivalent = equivalent(&regions);
    Ok(scale::plan(world, Intent::Prune { regions }, equivalent, Vec::new(), Vec::new(), told, None))
}

fn step(region: &RegionName, host: &HostName, spares: &[Spare]) -> PlanStep {
    let items = spares.iter().map(|spare| {
        let size = spare.size.map(|size| format!(" ({})", bytes(size))).unwrap_or_default();
        format!("{} {} on {host}{size}", spare.kind.word(), spare.name)
    });
    PlanStep {
        kind: StepKind::Tidy,
        region: Some(region.clone()),
        service: None,
        items: items.collect(),
        why: "nothing uses them there; what is used again by then stays".into(),
    }
}

fn warnings(things: &[(HostName, Stored)]) -> Vec<String> {
    let mut warnings = Vec::new();
    let of = |kind: Kept| things.iter().filter(move |(_, thing)| thing.kind == kind);
    let volumes = of(Kept::Volume).count();
    if volumes > 0 {
        let what = if volumes == 1 { "1 volume is".to_owned() } else { format!("{volumes} volumes are") };
        warnings.push(format!("what {what} holding is lost for good: nothing brings it back"));
    }
    if of(Kept::Image).count() > 1 {
        warnings.push("images share layers: less becomes free than their sizes add up to".into());
    }
    warnings
}

/// One command for each host: what is named is exactly what goes.
fn equivalent(regions: &BTreeMap<RegionName, BTreeMap<HostName, Vec<Spare>>>) -> String {
    let hosts = regions.values().flatten().map(|(host, spares)| {
        let names: BTreeSet<&str> = spares.iter().map(|spare| spare.id.as_str()).collect();
        let names = names.iter().map(|id| format!(" --id {id}"));
        format!("wharf prune {host}{}", names.collect::<String>())
    });
    hosts.collect::<Vec<_>>().join("; ")
}

/// What an operation asks to be removed in a region, as actions.
fn wanted<'o>(operation: &'o Operation, region: &RegionName) -> impl Iterator<Item = (Action, &'o Spare)> {
    let hosts = match &operation.intent {
        Intent::Prune { regions } => regions.get(region),
        _ => None,
    };
    let spares = hosts.into_iter().flatten().flat_map(|(host, spares)| spares.iter().map(move |spare| (host, spare)));
    spares.map(|(host, spare)| {
        let action =
            Action::Prune { host: host.clone(), operation: operation.id, what: spare.kind, id: spare.id.clone() };
        (action, spare)
    })
}

/// True when it is not tried any more.
fn is_given_up(memory: &Memory, action: &Action) -> bool {
    memory.failures.get(action).is_some_and(|failure| failure.is_final || failure.times >= TRIES)
}

/// Gives what is to be removed now.
pub(crate) fn next(work: &mut Work<'_, '_>) {
    for operation in work.operations.iter().filter(|operation| operation.paused.is_none()) {
        for (action, _) in wanted(operation, work.index.region) {
            let memory = work.memory;
            let is_over = memory.removed.contains_key(&action) || is_given_up(memory, &action);
            if is_over || memory.in_flight.contains(&action) {
                continue;
            }
            if !matches!(work.index.sight(action.host()), Sight::Seen(_)) {
                continue;
            }
            let failure = memory.failures.get(&action);
            let due = failure.and_then(|failure| failure.at.checked_add(backoff(work.defaults(), failure.times)).ok());
            match due.filter(|due| *due > work.now()) {
                Some(due) => work.alarm(due),
                None => work.next.actions.push(action),
            }
        }
    }
}

/// How far it is: a step per thing.
pub(crate) fn steps(index: &Index<'_>, operation: &Operation, memory: &Memory) -> Vec<StepProgress> {
    let step = |(action, spare): (Action, &Spare)| {
        let host = action.host();
        let (state, detail) = if let Some(told) = memory.removed.get(&action) {
            (StepState::Done, told.clone())
        } else if memory.in_flight.contains(&action) {
            (StepState::Running, Text::new("removing"))
        } else if let Some(failure) = memory.failures.get(&action) {
            (StepState::Failed, failure.error.clone())
        } else if matches!(index.sight(host), Sight::Seen(_)) {
            (StepState::Waiting, Text::default())
        } else {
            (StepState::Waiting, Text::new(&format!("{host} is not seen now")))
        };
        let what = Text::new(&format!("remove {} {} on {host}", spare.kind.word(), spare.name));
        StepProgress { what, replica: None, state, detail, since: None }
    };
    wanted(operation, index.region).map(step).collect()
}

/// It has failed when everything was tried and something would not go, or a host stays away for too long.
pub(crate) fn verdict(index: &Index<'_>, operation: &Operation, memory: &Memory) -> Option<Verdict> {
    let all: Vec<(Action, &Spare)> = wanted(operation, index.region).collect();
    let open = |action: &Action| !memory.removed.contains_key(action);
    let failed: Vec<_> = all.iter().filter(|(action, _)| open(action) && is_given_up(memory, action)).collect();
    let away: Vec<_> = all
        .iter()
        .filter(|(action, _)| open(action) && !is_given_up(memory, action))
        .filter(|(action, _)| !matches!(index.sight(action.host()), Sight::Seen(_)))
        .collect();
    let from = counts_from(memory, operation, index.world.now);
    let deadline = from.checked_add(index.defaults.progress_deadline).ok();
    let is_late = deadline.is_some_and(|deadline| deadline <= index.world.now);
    let rest = all.iter().filter(|(action, _)| open(action)).count();
    let reason = match (failed.first(), away.first()) {
        (Some((action, spare)), _) if rest == failed.len() || (is_late && rest == failed.len() + away.len()) => {
            let why = memory.failures.get(action).map(|failure| failure.error.to_string()).unwrap_or_default();
            format!("{} {} on {}: {why}", spare.kind.word(), spare.name, action.host())
        }
        (None, Some((action, _))) if is_late && rest == away.len() => {
            format!("{} is not seen; ask again when it is back", action.host())
        }
        _ => return None,
    };
    let reason = Text::new(&format!("{rest} of {} stay: {reason}", all.len()));
    Some(Verdict { reason, has_begun: false, culprit: None, action: FailureAction::Continue })
}
