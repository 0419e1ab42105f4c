//! How far a region is with an operation.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    Action, Memory, Wait, World, images,
    index::{Index, Seen, Sight},
    observe, opening, operation, prune,
    release::{Release, release},
    routes::Routes,
    standing::Standing,
    traffic::{Carried, carried},
    trial,
    view::{Copy, ServiceView, SlotView},
};
use crate::{
    model::{HostName, Intent, Operation, Progress, RegionName, ReplicaKey, ServiceKey, Slot, StepProgress, StepState},
    text::{Text, short_image},
};

/// How far a region is with an operation: one step per pull and per replica that it changes, in plan order.
pub fn progress(world: &World<'_>, region: &RegionName, operation: &Operation, memory: &Memory) -> Progress {
    let index = Index::new(world, region, Some(memory));
    let views = index.services();
    let routes = Routes::new(&index, &views);
    let steps = steps(&index, &views, &routes, operation, memory);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let done = steps.iter().filter(|step| step.state == StepState::Done).count();
    Progress {
        done: count(done),
        total: count(steps.len()),
        // Networks that are left do not keep an operation open: their removal is given together with its end.
        finished: done == steps.len(),
        waits_for: waits_for(&steps),
        traffic: None,
        steps,
    }
}

/// Says since when each step stands where it does: what stood there in `before` keeps its time.
pub fn date(progress: &mut Progress, before: Option<&Progress>, now: Timestamp) {
    let known = before.map_or(&[][..], |before| &before.steps);
    for step in &mut progress.steps {
        let same = known.iter().find(|known| known.what == step.what && known.replica == step.replica);
        let kept = same.filter(|known| known.state == step.state).and_then(|known| known.since);
        step.since = Some(kept.unwrap_or(now));
    }
}

/// Says why steps have not begun, where [`next`](super::next()) knows it.
pub fn explain_waits(progress: &mut Progress, waits: &[Wait]) {
    for step in progress.steps.iter_mut().filter(|step| step.state == StepState::Waiting && step.detail.is_empty()) {
        let Some(replica) = &step.replica else {
            let begin = format!("{}: ", step.what);
            if let Some(rest) = waits.iter().find_map(|wait| wait.what.strip_prefix(&begin)) {
                step.detail = Text::new(rest);
            }
            continue;
        };
        if let Some(wait) = waits.iter().find(|wait| wait.replica.as_ref() == Some(replica)) {
            let short = wait.what.strip_prefix(&format!("{replica} ")).unwrap_or(&wait.what);
            step.detail = Text::new(short);
        }
    }
    progress.waits_for = waits_for(&progress.steps);
}

/// The steps of an operation in a region.
pub(crate) fn steps(
    index: &Index<'_>,
    views: &BTreeMap<&ServiceKey, ServiceView<'_>>,
    routes: &Routes<'_>,
    operation: &Operation,
    memory: &Memory,
) -> Vec<StepProgress> {
    let told = Told { index, routes, memory };
    let region = index.region;
    let mut steps = prune::steps(index, operation, memory);
    for key in operation::services(operation, region) {
        if let Some(view) = views.get(key) {
            pulls(index, memory, operation, view, &mut steps);
        }
    }
    for key in operation::services(operation, region) {
        let view = views.get(key);
        if let Some(view) = view {
            let test = trial::step(index, memory, operation, view);
            let is_held = test.as_ref().is_some_and(|test| test.state != StepState::Done);
            steps.extend(test);
            for slot in operation::changed(index, operation, view) {
                let mut step = told.made(operation, view, slot);
                if is_held && step.state == StepState::Waiting && step.detail.is_empty() {
                    step.detail = Text::new("the test goes first");
                }
                steps.push(StepProgress { replica: Some(slot.key.clone()), ..step });
            }
        }
        steps.extend(trial::leftovers(index, memory, operation, key));
        if let Some(view) = view {
            steps.extend(opening::steps(index, routes, operation, view));
            steps.extend(observe::step(index, routes, memory, operation, view));
        }
        let now = index.world.desired.assignment(key, region);
        for (slot, host) in operation::taken(operation, key, region, now) {
            let replica = ReplicaKey { region: region.clone(), service: key.clone(), slot };
            let mut step = told.ended(view, slot, &replica, host);
            if let Some(first) = operation::waits_for_region(operation, region).filter(|_| step.detail.is_empty()) {
                step.detail = Text::new(&format!("{first} goes first"));
            }
            steps.push(StepProgress { replica: Some(replica), ..step });
        }
    }
    steps
}

fn step(what: &str, state: StepState, detail: &str) -> StepProgress {
    StepProgress { what: Text::new(what), replica: None, state, detail: Text::new(detail), since: None }
}

/// What the operation waits for: what goes on first, else what failed, else what has not begun.
fn waits_for(steps: &[StepProgress]) -> Text {
    let first = |state| steps.iter().find(|step| step.state == state);
    let step = first(StepState::Running).or_else(|| first(StepState::Failed)).or_else(|| first(StepState::Waiting));
    match step {
        None => Text::default(),
        Some(step) if step.detail.is_empty() => step.what.clone(),
        Some(step) => Text::new(&format!("{}: {}", step.what, step.detail)),
    }
}

/// Pulls that are needed, go on, or were made by this reconciler. Images that were there from the start have no step.
fn pulls(
    index: &Index<'_>,
    memory: &Memory,
    operation: &Operation,
    view: &ServiceView<'_>,
    steps: &mut Vec<StepProgress>,
) {
    for slot in operation::changed(index, operation, view) {
        let Some(revision) = index.world.desired.revision(view.key, slot.place.revision) else { continue };
        let Sight::Seen(host) = slot.sight else { continue };
        let what = format!("pull {} on {}", short_image(&revision.image), host.name);
        if steps.iter().any(|step| step.what.as_str() == what) {
            continue;
        }
        let (name, image) = (&host.name, &revision.image);
        let of =
            |action: &&Action| matches!(action, Action::Pull { host, image: of, .. } if host == name && of == image);
        let pulled = memory.pulled.contains(&(name.clone(), image.clone()));
        let running = memory.in_flight.iter().any(|action| of(&action));
        let failure = memory.failures.iter().find(|(action, _)| of(action)).map(|(_, failure)| failure);
        match failure {
            _ if pulled => steps.push(step(&what, StepState::Done, "pulled")),
            _ if running => {
                let percent = memory.pulling.get(&(name.clone(), image.clone()));
                let detail = percent.map_or_else(|| "pulling".to_owned(), |percent| format!("pulling {percent} %"));
                steps.push(step(&what, StepState::Running, &detail));
            }
            _ if slot.wanted.is_some() || images::is_present(host, image, None) => {}
            Some(failure) => steps.push(step(&what, StepState::Failed, failure.error.as_str())),
            None => steps.push(step(&what, StepState::Waiting, "")),
        }
    }
}

/// What steps are told from.
struct Told<'t, 'a> {
    index: &'t Index<'a>,
    routes: &'t Routes<'a>,
    memory: &'t Memory,
}

impl Told<'_, '_> {
    /// A slot that gets a container.
    fn made(&self, operation: &Operation, view: &ServiceView<'_>, slot: &SlotView<'_>) -> StepProgress {
        let had = operation.before.get(view.key).and_then(|regions| regions.get(self.index.region)?.as_ref());
        let had = had.and_then(|had| had.slots.get(&slot.key.slot));
        let host = &slot.place.host;
        let what = match had {
            Some(had) if had.host != *host => format!("move {} {} → {host}", slot.key, had.host),
            Some(_) => format!("replace {} on {host}", slot.key),
            None if matches!(operation.intent, Intent::Adopt { .. }) => format!("adopt {} on {host}", slot.key),
            None => format!("start {} on {host}", slot.key),
        };
        let (state, detail) = self.slot_state(view, slot);
        // A host that was not listed yet, or is silent, may still hold the old copy.
        let left = had.map(|had| &had.host).filter(|left| *left != host && self.is_silent(left));
        match left.filter(|_| state == StepState::Done) {
            Some(left) => step(&what, StepState::Running, &format!("{detail}, {left} is not seen now")),
            None => step(&what, state, &detail),
        }
    }

    fn slot_state(&self, view: &ServiceView<'_>, slot: &SlotView<'_>) -> (StepState, String) {
        let host = &slot.place.host;
        if !matches!(slot.sight, Sight::Seen(_)) {
            return (StepState::Waiting, format!("{host} is not seen now"));
        }
        let failure = self.memory.failures.iter().find(|(action, failure)| {
            failure.times > 0
                && matches!(action, Action::Create { host: at, replica, .. } | Action::Start { host: at, replica, .. }
                    if at == host && *replica == slot.key)
        });
        let busy = self.memory.in_flight.iter().find_map(|action| match action {
            Action::Create { replica, .. } if *replica == slot.key => Some("being created"),
            Action::Start { replica, .. } if *replica == slot.key => Some("being started"),
            Action::Stop { replica, .. } if *replica == slot.key => Some("its old copy stops"),
            _ => None,
        });
        match (&slot.wanted, busy) {
            (Some((seen, standing)), _) if standing.is_up() => {
                if let Carried::NotYet(what) = carried(self.index, self.routes, view.key, seen) {
                    return (StepState::Running, format!("{}, {what}", standing.words()));
                }
                match slot.old_live().next() {
                    None => (StepState::Done, standing.words()),
                    Some((old, old_standing)) => {
                        (StepState::Running, format!("{}, {}", standing.words(), self.going(view, old, *old_standing)))
                    }
                }
            }
            (_, Some(busy)) => (StepState::Running, busy.to_owned()),
            (Some((_, standing)), None) => match (standing, failure) {
                (Standing::Created | Standing::Ended { .. }, Some((_, failure))) => {
                    (StepState::Failed, failure.error.to_string())
                }
                (Standing::Ended { .. } | Standing::Dead | Standing::Restarting, None) => {
                    (StepState::Failed, standing.words())
                }
                _ => (StepState::Running, standing.words()),
            },
            (None, None) => match failure {
                Some((_, failure)) => (StepState::Failed, failure.error.to_string()),
                None => (StepState::Waiting, String::new()),
            },
        }
    }

    /// How an old copy goes: what it drains, or that it stops.
    fn going(&self, view: &ServiceView<'_>, old: &Seen<'_>, standing: Standing) -> String {
        if standing != Standing::Removing
            && let Release::Waits { what, .. } = release(self.index, self.routes, self.memory, view, old)
        {
            return what;
        }
        format!("its old copy on {} stops", old.host.name)
    }

    /// A slot that loses its container.
    fn ended(&self, view: Option<&ServiceView<'_>>, slot: Slot, replica: &ReplicaKey, host: &HostName) -> StepProgress {
        let what = format!("stop {replica} on {host}");
        // A later command took it back while it was being made: it will show, and then it goes.
        let makes = |action: &Action| matches!(action, Action::Create { replica: of, .. } | Action::Start { replica: of, .. } if of == replica);
        if self.memory.in_flight.iter().any(makes) {
            return step(&what, StepState::Running, "still being created");
        }
        let copies = || view.into_iter().flat_map(|view| &view.unwanted).filter(|(seen, _)| seen.of.key.slot == slot);
        let live: Vec<&Copy<'_>> = copies().filter(|(seen, _)| seen.live).collect();
        if live.iter().any(|(_, standing)| standing.may_go()) {
            return step(&what, StepState::Running, "stopping");
        }
        let draining = live
            .iter()
            .find(|(seen, _)| self.memory.draining.contains_key(&(seen.host.name.clone(), seen.container.id.clone())));
        if let (Some((seen, standing)), Some(view)) = (draining, view) {
            return step(&what, StepState::Running, &self.going(view, seen, *standing));
        }
        if !live.is_empty() {
            return step(&what, StepState::Waiting, "");
        }
        let hidden = copies().find(|(seen, _)| !seen.live).map(|(seen, _)| &seen.host.name);
        match hidden.map(|hidden| (hidden, self.index.sight(hidden))) {
            Some((hidden, Sight::Silent { .. })) => {
                step(&what, StepState::Waiting, &format!("{hidden} is not seen now"))
            }
            Some((hidden, _)) => step(&what, StepState::Done, &format!("stops when {hidden} is seen again")),
            // One that was not listed yet may still hold it.
            None if self.is_silent(host) => step(&what, StepState::Waiting, &format!("{host} is not seen now")),
            None => step(&what, StepState::Done, "stopped"),
        }
    }

    /// True for a host that does not answer, but not for long enough to count as down.
    fn is_silent(&self, host: &HostName) -> bool {
        matches!(self.index.sight(host), Sight::Silent { .. })
    }
}
