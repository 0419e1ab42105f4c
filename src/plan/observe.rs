//! Watching a release beyond health: a canary before the others, a window after the last, and what came through the
//! proxies for the new revision against the old.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Compared, Memory,
    index::Index,
    next::Work,
    operation,
    routes::Routes,
    standing::Standing,
    traffic::{Carried, carried, is_down},
    view::{ServiceView, SlotView},
};
use crate::{
    model::{Intent, Operation, ServiceKey, ServiceSpec, StepProgress, StepState, since},
    text::{Text, duration},
};

/// What a plan finds out is noted by then.
const NOTED: Duration = Duration::from_millis(1);
/// So many requests must have been answered before they count for anything.
const ENOUGH: u64 = 20;
/// More failures than this share of requests are never borne, whatever the old revision did.
const WORST_SHARE: f64 = 0.05;
/// The new revision may fail so much more often than the old one.
const WORSE: f64 = 3.0;
/// An answer may take so many times as long as before, and [`SLOWER_BY`] more.
const SLOWER: u64 = 4;
/// Milliseconds by which an answer may take longer than [`SLOWER`] times as long.
const SLOWER_BY: u64 = 500;

/// True for a command that brings another revision, while it goes forward.
pub(crate) fn is_release(operation: &Operation) -> bool {
    matches!(operation.intent, Intent::Deploy { .. } | Intent::Rollback { .. }) && !operation::goes_back(operation)
}

/// The slots of a service that a release gives another revision: those that are watched.
fn released<'v, 'a>(index: &Index<'a>, operation: &Operation, view: &'v ServiceView<'a>) -> Vec<&'v SlotView<'a>> {
    if !is_release(operation) {
        return Vec::new();
    }
    let before = operation.before.get(view.key).and_then(|regions| regions.get(index.region)?.as_ref());
    let Some(before) = before else { return Vec::new() };
    let mut slots = operation::changed(index, operation, view);
    slots.retain(|slot| before.slots.get(&slot.key.slot).is_some_and(|old| old.revision != slot.place.revision));
    slots
}

/// True when the slot's new copy does its work: up, and in traffic. Its old copy may be there still.
fn is_in_traffic(index: &Index<'_>, routes: &Routes<'_>, view: &ServiceView<'_>, slot: &SlotView<'_>) -> bool {
    slot.wanted.as_ref().is_some_and(|(seen, standing)| {
        standing.is_up() && carried(index, routes, view.key, seen) == Carried::Everywhere
    })
}

/// Since when the slot's new copy has been in traffic, as far as this reconciler remembers.
fn watched_since(memory: &Memory, slot: &SlotView<'_>) -> Option<Timestamp> {
    let (seen, _) = slot.wanted.as_ref()?;
    memory.watched.get(&(seen.host.name.clone(), seen.container.id.clone())).copied()
}

/// Since when a copy that was in traffic did its work, which its own health check denies by now, or those of all proxies
/// that send it requests.
pub(crate) fn fell_sick(
    index: &Index<'_>,
    routes: &Routes<'_>,
    memory: &Memory,
    view: &ServiceView<'_>,
    slot: &SlotView<'_>,
) -> Option<Timestamp> {
    let (seen, standing) = slot.wanted.as_ref()?;
    let is_sick = *standing == Standing::Unhealthy || (standing.is_up() && is_down(index, routes, view.key, seen));
    watched_since(memory, slot).filter(|_| is_sick)
}

/// How long a release of a service is watched after its last replica.
fn window(index: &Index<'_>, spec: Option<&ServiceSpec>) -> Duration {
    let said = spec
        .and_then(|spec| spec.wharf.observe.or_else(|| spec.deploy.update.as_ref().and_then(|update| update.monitor)));
    said.unwrap_or(index.defaults.observe)
}

/// How long a release of a service is watched in all: its canary, and the window after the last replica.
pub(crate) fn time(index: &Index<'_>, operation: &Operation, view: &ServiceView<'_>) -> Duration {
    if released(index, operation, view).is_empty() {
        return Duration::ZERO;
    }
    let canary = view.spec().and_then(|spec| spec.wharf.canary).unwrap_or_default();
    canary + window(index, view.spec())
}

/// Names the copies whose time in traffic counts.
pub(crate) fn watch(work: &mut Work<'_, '_>) {
    for operation in work.operations {
        for view in work.views.values() {
            for slot in released(work.index, operation, view) {
                let Some((seen, _)) = &slot.wanted else { continue };
                let is_known = watched_since(work.memory, slot).is_some();
                // One that was in traffic and is not any more stays known: it is judged by that.
                if is_known || is_in_traffic(work.index, work.routes, view, slot) {
                    work.next.watched.insert((seen.host.name.clone(), seen.container.id.clone()));
                    // Its time begins when this is noted; where nothing else happens, nobody would look when it is over.
                    if let Some(soon) = work.now().checked_add(NOTED).ok().filter(|_| !is_known) {
                        work.alarm(soon);
                    }
                }
            }
            if let Watching::Since(at, window) = watching(work.index, work.routes, work.memory, operation, view)
                && let Ok(end) = at.checked_add(window)
            {
                work.alarm(end);
            }
        }
    }
}

/// Where a service's observation stands.
enum Watching {
    /// There is nothing to watch.
    Not,
    /// Replicas are still to come.
    Later,
    /// It goes on since then, for so long.
    Since(Timestamp, Duration),
}

fn watching(
    index: &Index<'_>,
    routes: &Routes<'_>,
    memory: &Memory,
    operation: &Operation,
    view: &ServiceView<'_>,
) -> Watching {
    let slots = released(index, operation, view);
    let window = window(index, view.spec());
    if slots.is_empty() || window.is_zero() {
        return Watching::Not;
    }
    if slots.iter().any(|slot| !is_in_traffic(index, routes, view, slot) || slot.old_live().next().is_some()) {
        return Watching::Later;
    }
    let last = slots.iter().map(|slot| watched_since(memory, slot)).collect::<Option<Vec<_>>>();
    last.and_then(|all| all.into_iter().max()).map_or(Watching::Later, |at| Watching::Since(at, window))
}

/// The step of a service's observation; none where nothing is watched.
pub(crate) fn step(
    index: &Index<'_>,
    routes: &Routes<'_>,
    memory: &Memory,
    operation: &Operation,
    view: &ServiceView<'_>,
) -> Option<StepProgress> {
    let (state, detail) = match watching(index, routes, memory, operation, view) {
        Watching::Not => return None,
        Watching::Later => (StepState::Waiting, String::new()),
        Watching::Since(at, window) => {
            let passed = since(at, index.world.now);
            let counts = memory.compared.get(&(operation.id, view.key.clone())).map(told).unwrap_or_default();
            if passed >= window {
                (StepState::Done, format!("{}{counts}", duration(window)))
            } else {
                let whole = Duration::from_secs(passed.as_secs());
                (StepState::Running, format!("{} of {}{counts}", duration(whole), duration(window)))
            }
        }
    };
    let what = Text::new(&format!("watch {}", view.key));
    Some(StepProgress { what, replica: None, state, detail: Text::new(&detail), since: None })
}

/// `; 0 of 1,204 requests failed (before 2 of 890)`.
fn told(compared: &Compared) -> String {
    let Compared { old, new } = compared;
    if new.requests == 0 {
        return String::new();
    }
    let count = crate::text::count;
    let before = if old.requests == 0 {
        String::new()
    } else {
        format!(" (before {} of {})", count(old.failed), count(old.requests))
    };
    format!("; {} of {} requests failed{before}", count(new.failed), count(new.requests))
}

/// Why a release is worse than what it replaces, in words; none while it is not.
pub(crate) fn worse(memory: &Memory, operation: &Operation, service: &ServiceKey) -> Option<String> {
    if !is_release(operation) {
        return None;
    }
    let Compared { old, new } = memory.compared.get(&(operation.id, service.clone()))?;
    let share = |failed: u64, requests: u64| if requests == 0 { 0.0 } else { failed as f64 / requests as f64 };
    let (now, before) = (share(new.failed, new.requests), share(old.failed, old.requests));
    let count = crate::text::count;
    if new.requests >= ENOUGH && now > WORST_SHARE.max(before * WORSE) {
        return Some(format!(
            "{service}: {} of {} requests to the new revision failed, {} of {} to the old one",
            count(new.failed),
            count(new.requests),
            count(old.failed),
            count(old.requests)
        ));
    }
    let enough = new.requests >= ENOUGH && old.requests >= ENOUGH;
    (enough && new.answer_ms > old.answer_ms * SLOWER + SLOWER_BY).then(|| {
        format!(
            "{service}: the new revision takes {} ms to answer, the old one took {} ms",
            count(new.answer_ms),
            count(old.answer_ms)
        )
    })
}

/// What a canary says to the replicas after it.
pub(crate) enum Canary {
    /// There is none, or it has passed.
    Passed,
    /// It goes first, alone.
    First,
    /// It is being watched, for so much longer at most.
    Watched(String),
}

/// Where the canary of a service stands.
pub(crate) fn canary(work: &mut Work<'_, '_>, view: &ServiceView<'_>) -> Canary {
    let Some(window) = view.spec().and_then(|spec| spec.wharf.canary) else { return Canary::Passed };
    let mut all = Vec::new();
    for operation in work.operations {
        all.extend(released(work.index, operation, view));
    }
    if all.len() < 2 {
        return Canary::Passed;
    }
    let new: Vec<_> = all.iter().filter(|slot| slot.wanted.is_some() || work.busy(&slot.key).is_some()).collect();
    let Some(first) = new.first() else { return Canary::First };
    let well = new.iter().filter(|slot| is_in_traffic(work.index, work.routes, view, slot));
    let since_when = well.filter_map(|slot| watched_since(work.memory, slot)).min();
    let left = since_when.map_or(window, |at| window.saturating_sub(since(at, work.now())));
    if left.is_zero() {
        return Canary::Passed;
    }
    if let Some(end) = since_when.and_then(|at| at.checked_add(window).ok()) {
        work.alarm(end);
    }
    let whole = Duration::from_secs(left.as_secs().max(1));
    Canary::Watched(format!("the canary {} is watched for {} more", first.key, duration(whole)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{CommandId, Generation, OperationState, Traffic};

    fn operation() -> Operation {
        Operation {
            id: CommandId(uuid::Uuid::nil()),
            intent: Intent::Deploy { stack: "shop".parse().unwrap() },
            equivalent: String::new(),
            by: String::new(),
            at: Timestamp::UNIX_EPOCH,
            generation: Generation(1),
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            state: OperationState::Running,
            progress: BTreeMap::new(),
            paused: None,
            resumed: None,
        }
    }

    fn count(requests: u64, failed: u64, answer_ms: u64) -> Traffic {
        Traffic { requests, failed, retries: 0, answer_ms }
    }

    #[test]
    fn a_release_is_judged_against_what_it_replaces() {
        let service: ServiceKey = "shop/web".parse().unwrap();
        let judged = |operation: &Operation, old, new| {
            let mut memory = Memory::default();
            memory.compared.insert((operation.id, service.clone()), Compared { old, new });
            worse(&memory, operation, &service)
        };
        let forward = operation();
        for (old, new, bad) in [
            (count(1000, 0, 20), count(1000, 0, 20), false),
            // Too few to say.
            (count(1000, 0, 20), count(19, 19, 20), false),
            (count(1000, 0, 20), count(20, 20, 20), true),
            (count(1000, 0, 20), count(1000, 50, 20), false),
            (count(1000, 0, 20), count(1000, 51, 20), true),
            // The old one was bad too.
            (count(1000, 200, 20), count(1000, 500, 20), false),
            (count(1000, 200, 20), count(1000, 700, 20), true),
            (count(1000, 0, 20), count(1000, 0, 580), false),
            (count(1000, 0, 20), count(1000, 0, 581), true),
            (count(0, 0, 0), count(1000, 0, 9000), false),
        ] {
            assert_eq!(judged(&forward, old, new).is_some(), bad, "{old:?} {new:?}");
        }
        let (at, reason) = (Timestamp::UNIX_EPOCH, Text::default());
        let back = Operation { state: OperationState::RollingBack { at, reason }, ..operation() };
        assert_eq!(judged(&back, count(1000, 0, 20), count(1000, 1000, 20)), None);
    }
}
