//! When an operation has failed, and why.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{
    Action, Failure, Memory, World,
    index::{Index, Sight},
    observe, operation,
    progress::progress,
    prune,
    routes::Routes,
    standing::{Standing, began},
    trial::{self, Broken},
    view::{ServiceView, SlotView},
};
use crate::{
    model::{ContainerId, FailureAction, HostName, Intent, Operation, RegionName, ServiceKey, since},
    text::{Text, duration, short_image},
};

/// So many deaths of a new replica end an operation.
const DEATHS: usize = operation::DEATHS as usize;
/// So many failures in a row of one creation or start end an operation.
const FAILURES: u32 = 5;

/// That an operation has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What failed, where, why, what to do.
    pub reason: Text,
    /// Something was made for the operation in this region, so that there is something to roll back.
    pub has_begun: bool,
    /// The container whose log tells more.
    pub culprit: Option<(HostName, ContainerId)>,
    /// What the file of the service that failed says to do: roll back where it says nothing.
    pub action: FailureAction,
}

/// Why the operation has failed in this region; none while it may still succeed.
pub fn verdict(world: &World<'_>, region: &RegionName, operation: &Operation, memory: &Memory) -> Option<Verdict> {
    // Deadlines stand still, and what failed before the pause has been told.
    if operation.paused.is_some() {
        return None;
    }
    let index = Index::new(world, region, Some(memory));
    if let Intent::Prune { .. } = operation.intent {
        return prune::verdict(&index, operation, memory);
    }
    let views = index.services();
    // Who watches nobody has nobody who fell sick.
    let routes = (!memory.watched.is_empty()).then(|| Routes::new(&index, &views));
    let case = Case { index: &index, views: &views, routes: routes.as_ref(), operation, memory };
    let told = (case.pull())
        .or_else(|| case.test())
        .or_else(|| case.failed())
        .or_else(|| case.worse())
        .or_else(|| case.late())?;
    let has_begun = operation::has_begun(&index, &views, operation);
    Some(Verdict { reason: Text::new(&told.reason), has_begun, culprit: told.culprit, action: told.action })
}

/// Why, the container whose log tells more, and what is to be done.
struct Told {
    reason: String,
    culprit: Option<(HostName, ContainerId)>,
    action: FailureAction,
}

/// Why a replica has failed, and the container whose log tells more.
type Failed = (String, Option<(HostName, ContainerId)>);

struct Case<'c, 'a> {
    index: &'c Index<'a>,
    views: &'c BTreeMap<&'a ServiceKey, ServiceView<'a>>,
    routes: Option<&'c Routes<'a>>,
    operation: &'c Operation,
    memory: &'c Memory,
}

impl<'c, 'a> Case<'c, 'a> {
    /// Slots that the operation changes, with what a failure there leads to.
    fn changed(&self) -> Vec<(&'c ServiceView<'a>, &'c SlotView<'a>, FailureAction)> {
        let mut changed = Vec::new();
        for view in operation::services(self.operation, self.index.region).filter_map(|key| self.views.get(key)) {
            let slots = operation::changed(self.index, self.operation, view);
            let action = operation::on_failure(self.operation, view.spec());
            let borne = operation::borne(self.operation, view.spec(), slots.len());
            let failed = |slot: &SlotView<'_>| borne > 0 && self.failure(view, slot).is_some();
            let is_borne = slots.iter().filter(|slot| failed(slot)).count() <= borne;
            let act = |slot: &SlotView<'_>| if is_borne && failed(slot) { FailureAction::Continue } else { action };
            changed.extend(slots.into_iter().map(|slot| (view, slot, act(slot))));
        }
        changed
    }

    /// Why a slot has failed: what its engine refuses, that it dies, falls sick or does not become healthy.
    fn failure(&self, view: &ServiceView<'a>, slot: &SlotView<'a>) -> Option<Failed> {
        let of_open = || self.refused(slot).or_else(|| self.dying(view, slot)).or_else(|| self.unhealthy(view, slot));
        self.sick(view, slot).or_else(|| if slot.is_up() { None } else { of_open() })
    }

    /// The first failure that decides: what engines refuse first, then what dies, falls sick, does not become healthy.
    fn failed(&self) -> Option<Told> {
        let changed: Vec<_> =
            self.changed().into_iter().filter(|(.., action)| *action != FailureAction::Continue).collect();
        let first = |find: &dyn Fn(&ServiceView<'a>, &SlotView<'a>) -> Option<Failed>| {
            changed.iter().find_map(|(view, slot, action)| {
                find(view, slot).map(|(reason, culprit)| Told { reason, culprit, action: *action })
            })
        };
        let open = |slot: &SlotView<'_>| !slot.is_up();
        first(&|_, slot| open(slot).then(|| self.refused(slot)).flatten())
            .or_else(|| first(&|view, slot| open(slot).then(|| self.dying(view, slot)).flatten()))
            .or_else(|| first(&|view, slot| self.sick(view, slot)))
            .or_else(|| first(&|view, slot| open(slot).then(|| self.unhealthy(view, slot)).flatten()))
    }

    /// Those of [`Case::changed`] that are not as wanted.
    fn open(&self) -> Vec<(&'c ServiceView<'a>, &'c SlotView<'a>, FailureAction)> {
        self.changed().into_iter().filter(|(_, slot, _)| !slot.is_up()).collect()
    }

    /// How the sentence ends while no container was made for the operation.
    fn unchanged(&self) -> &'static str {
        if operation::has_begun(self.index, self.views, self.operation) { "" } else { "; nothing was changed" }
    }

    fn pull(&self) -> Option<Told> {
        let lacking = operation::lacking(self.index, self.views, self.memory, self.operation);
        lacking.into_iter().find_map(|(service, host, image)| {
            let failed = self.memory.failures.iter().find(|(action, failure)| {
                failure.is_final
                    && matches!(action, Action::Pull { host: at, image: of, .. } if at == host && of == image)
            });
            let (_, failure) = failed?;
            let image = short_image(image);
            let reason = format!("{host} cannot pull {image}: {}{}", failure.error, self.unchanged());
            let spec = self.views.get(service).and_then(ServiceView::spec);
            // There is nothing to go on with.
            let action = match operation::on_failure(self.operation, spec) {
                FailureAction::Pause => FailureAction::Pause,
                _ => FailureAction::Rollback,
            };
            Some(Told { reason, culprit: None, action })
        })
    }

    /// A test that did not pass. What must not be released is not gone on with.
    fn test(&self) -> Option<Told> {
        operation::services(self.operation, self.index.region).filter_map(|key| self.views.get(key)).find_map(|view| {
            let Broken { reason, culprit } = trial::broken(self.index, self.memory, self.operation, view, FAILURES)?;
            let all = operation::has_begun(self.index, self.views, self.operation);
            let unchanged =
                if all { format!("nothing of {} was changed", view.key) } else { "nothing was changed".into() };
            let action = match operation::on_failure(self.operation, view.spec()) {
                FailureAction::Pause => FailureAction::Pause,
                _ => FailureAction::Rollback,
            };
            Some(Told { reason: format!("{reason}; {unchanged}"), culprit, action })
        })
    }

    fn refused(&self, slot: &SlotView<'_>) -> Option<Failed> {
        let ours = |action: &Action| {
            matches!(action, Action::Create { host, replica, .. } | Action::Start { host, replica, .. }
                    if *host == slot.place.host && *replica == slot.key)
        };
        let over = |failure: &Failure| failure.is_final || failure.times >= FAILURES;
        let (_, failure) = self.memory.failures.iter().find(|(action, failure)| ours(action) && over(failure))?;
        let times = if failure.times > 1 { format!(" ({} times)", failure.times) } else { String::new() };
        let (host, replica) = (&slot.place.host, &slot.key);
        Some((format!("{host} cannot run {replica}{times}: {}{}", failure.error, self.unchanged()), None))
    }

    fn dying(&self, view: &ServiceView<'_>, slot: &SlotView<'_>) -> Option<Failed> {
        let (seen, standing) = slot.wanted.as_ref()?;
        let down = matches!(standing, Standing::Ended { .. } | Standing::Restarting)
            || (seen.container.restarts > 0 && !standing.is_up());
        if !down {
            return None;
        }
        let key = (view.key.clone(), slot.place.host.clone());
        let times = self.memory.deaths.get(&key);
        let noted = times.map_or(0, |times| times.iter().filter(|at| **at >= self.operation.since()).count());
        let restarts = usize::try_from(operation::restarts(self.operation, seen)).unwrap_or(usize::MAX);
        let gives_up = matches!(standing, Standing::Ended { again: false, .. });
        let deaths = noted.max(restarts);
        (deaths >= DEATHS || gives_up).then(|| {
            let how = match standing {
                Standing::Ended { .. } => standing.words(),
                _ => "dies soon after every start".to_owned(),
            };
            let times = if deaths > 1 { format!(", {deaths} times") } else { String::new() };
            let (replica, host) = (&slot.key, &slot.place.host);
            let reason = format!("{replica} on {host} {how}{times}; its log says why: `wharf logs {replica}`");
            (reason, Some((host.clone(), seen.container.id.clone())))
        })
    }

    /// It was well and in traffic: there is nothing to wait for, as there is while one gets healthy.
    fn sick(&self, view: &ServiceView<'a>, slot: &SlotView<'a>) -> Option<Failed> {
        // Slots that are up by their own health check count as well: the proxies may know better.
        let at = observe::fell_sick(self.index, self.routes?, self.memory, view, slot)?;
        let (seen, _) = slot.wanted.as_ref()?;
        let (replica, host) = (&slot.key, &slot.place.host);
        let reason = format!(
            "{replica} on {host} was healthy, and its health check fails {} later; see its log: `wharf logs {replica}`",
            duration(Duration::from_secs(since(at, self.index.world.now).as_secs()))
        );
        Some((reason, Some((host.clone(), seen.container.id.clone()))))
    }

    fn unhealthy(&self, view: &ServiceView<'_>, slot: &SlotView<'_>) -> Option<Failed> {
        let (seen, standing) = slot.wanted.as_ref()?;
        let patience = operation::patience(&self.index.defaults, view.spec());
        // One that was made and not started is ours to start: that it does not succeed is said elsewhere.
        if matches!(standing, Standing::Created | Standing::Ended { .. }) {
            return None;
        }
        let deadline = began(seen)?.max(self.from()).checked_add(patience).ok()?;
        (matches!(slot.sight, Sight::Seen(_)) && deadline <= self.index.world.now).then(|| {
                let (replica, host, words) = (&slot.key, &slot.place.host, standing.words());
                let reason = format!(
                    "{replica} on {host} did not become healthy within {} (it is {words}); see its log and its health check: `wharf logs {replica}`",
                    duration(patience)
                );
                (reason, Some((host.clone(), seen.container.id.clone())))
            })
    }

    /// From when on its deadlines count.
    fn from(&self) -> Timestamp {
        operation::counts_from(self.memory, self.operation, self.index.world.now)
    }

    /// Healthy, and still worse than what was before: the proxies tell.
    fn worse(&self) -> Option<Told> {
        operation::services(self.operation, self.index.region).find_map(|key| {
            let reason = observe::worse(self.memory, self.operation, key)?;
            let spec = self.views.get(key).and_then(ServiceView::spec);
            Some(Told { reason, culprit: None, action: operation::on_failure(self.operation, spec) })
        })
    }

    fn late(&self) -> Option<Told> {
        let at = operation::progress_deadline(self.index, self.views, self.memory, self.operation)?;
        if at > self.index.world.now {
            return None;
        }
        let progress = progress(&self.index.world, self.index.region, self.operation, self.memory);
        (!progress.finished).then(|| {
            let waits = if progress.waits_for.is_empty() { "nothing that is known".into() } else { progress.waits_for };
            if operation::is_drain(self.operation) {
                let limit = duration(self.index.defaults.drain_deadline);
                let reason = format!("not empty within {limit}; it waited for: {waits}{}", self.unchanged());
                return Told { reason, culprit: None, action: FailureAction::Rollback };
            }
            let limit = duration(self.index.defaults.progress_deadline);
            let reason = format!("no progress for {limit}; it waited for: {waits}{}", self.unchanged());
            let actions: Vec<FailureAction> = self.open().into_iter().map(|(.., action)| action).collect();
            let says = |action| actions.contains(&action);
            let action = match actions.first() {
                Some(first) if !says(FailureAction::Rollback) => {
                    if says(FailureAction::Pause) {
                        FailureAction::Pause
                    } else {
                        *first
                    }
                }
                _ => FailureAction::Rollback,
            };
            Told { reason, culprit: None, action }
        })
    }
}
