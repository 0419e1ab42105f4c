//! The test of a release: a command of the service's file, run once per region in a container of the new revision, that
//! must end with 0 before anything of the service changes. All is told from what is seen: a test's container stays until
//! its service has begun to change, or the release goes no further.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Action, Failure, Memory,
    index::{Index, SeenTest, Sight, our_time},
    next::Work,
    observe, operation,
    pulls::Gates,
    standing::exit_words,
    view::{Sameness, ServiceView, SlotView},
};
use crate::{
    model::{
        ContainerId, ContainerState, HostName, Operation, Revision, ServiceKey, StackName, StepProgress, StepState,
    },
    text::{Text, duration},
};

/// The test that a release of a service asks for in a region.
struct Trial<'a> {
    service: &'a ServiceKey,
    revision: &'a Revision,
    /// Where it runs, or is to run; none while no host of the service is seen.
    host: Option<&'a HostName>,
    /// Its container.
    seen: Option<SeenTest<'a>>,
    /// How long it may take.
    patience: Duration,
    /// From when on that counts, unless it began later.
    from: Timestamp,
    stage: Stage,
}

/// How a test stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is to begin.
    Due,
    /// Its host is not seen now, so nobody knows.
    Hidden,
    /// It runs, and must have ended by then.
    Runs(Option<Timestamp>),
    /// It ran for too long.
    Late,
    /// It ended so.
    Failed { code: i64, oom: bool },
    /// It ended with 0.
    Passed,
    /// The service has begun to change: it passed before.
    Begun,
}

/// The slots that a release gives a tested revision whose containers differ from all that were there.
fn tested<'v, 'a>(
    index: &Index<'a>,
    operation: &Operation,
    view: &'v ServiceView<'a>,
) -> Option<(&'a Revision, Vec<&'v SlotView<'a>>)> {
    let revision = view.revision.filter(|revision| revision.spec.wharf.test.is_some())?;
    if !observe::is_release(operation) {
        return None;
    }
    let mut same = Sameness::new(index.world.desired, view.key);
    let mut before =
        operation::before(operation, view.key, index.region).into_iter().flat_map(|before| before.slots.values());
    if before.any(|place| same.same(place.revision, revision.no)) {
        return None;
    }
    let mut slots = operation::changed(index, operation, view);
    slots.retain(|slot| slot.place.revision == revision.no);
    (!slots.is_empty()).then_some((revision, slots))
}

/// How much longer a release may take for its test.
pub(crate) fn time(index: &Index<'_>, operation: &Operation, view: &ServiceView<'_>) -> Duration {
    let is_tested = tested(index, operation, view).is_some();
    if is_tested { operation::patience(&index.defaults, view.spec()) } else { Duration::ZERO }
}

/// The test that an operation asks for; none where there is none to run.
fn trial<'a>(
    index: &Index<'a>,
    memory: &'a Memory,
    operation: &Operation,
    view: &ServiceView<'a>,
) -> Option<Trial<'a>> {
    let (revision, slots) = tested(index, operation, view)?;
    let all = index.tests.get(view.key).into_iter().flatten().filter(|test| test.revision == revision.no);
    // What is left of before a pause counts only when it has passed. On a host that is gone, it counts for nothing.
    let counts = |test: &&SeenTest<'a>| {
        is_passed(test) || (made(test) >= operation.resumed && !matches!(index.sight_of(test.host), Sight::Down { .. }))
    };
    let seen = all.filter(counts).max_by_key(|test| (is_passed(test), test.live, made(test))).copied();
    let begun = memory.in_flight.iter().find_map(|action| match action {
        Action::Test { host, service, revision: no } if service == view.key && *no == revision.no => Some(host),
        _ => None,
    });
    let first = slots.iter().find_map(|slot| match slot.sight {
        Sight::Seen(host) => Some(&host.name),
        _ => None,
    });
    let mut trial = Trial {
        service: view.key,
        revision,
        host: seen.map(|seen| &seen.host.name).or(begun).or(first),
        seen,
        patience: operation::patience(&index.defaults, Some(&revision.spec)),
        from: operation::counts_from(memory, operation, index.world.now),
        stage: Stage::Begun,
    };
    if slots.iter().all(|slot| slot.wanted.is_none()) {
        trial.stage = trial.stage(index.world.now);
    }
    Some(trial)
}

fn is_passed(test: &SeenTest<'_>) -> bool {
    matches!(test.container.state, ContainerState::Exited { code: 0, .. })
}

/// When its container was made, by our clock.
fn made(test: &SeenTest<'_>) -> Option<Timestamp> {
    test.container.created.or(test.container.started).map(|at| our_time(test.host, at))
}

impl Trial<'_> {
    fn stage(&self, now: Timestamp) -> Stage {
        let Some(test) = &self.seen else { return Stage::Due };
        match test.container.state {
            ContainerState::Exited { code: 0, .. } => Stage::Passed,
            _ if !test.live => Stage::Hidden,
            ContainerState::Created => Stage::Due,
            ContainerState::Exited { code, oom, .. } => Stage::Failed { code, oom },
            _ => {
                let began = test.container.started.or(test.container.created).map(|at| our_time(test.host, at));
                let due = began.and_then(|began| began.max(self.from).checked_add(self.patience).ok());
                if due.is_some_and(|due| due <= now) { Stage::Late } else { Stage::Runs(due) }
            }
        }
    }

    /// `test shop/web r7 on e-1`.
    fn name(&self) -> String {
        let place = self.host.map(|host| format!(" on {host}")).unwrap_or_default();
        format!("test {} r{}{place}", self.service, self.revision.no)
    }

    /// The action that begins it.
    fn action(&self) -> Option<Action> {
        let host = self.host?.clone();
        Some(Action::Test { host, service: self.service.clone(), revision: self.revision.no })
    }

    /// How its beginning failed.
    fn failure<'m>(&self, memory: &'m Memory) -> Option<&'m Failure> {
        memory.failures.get(&self.action()?).filter(|_| self.stage == Stage::Due)
    }

    fn is_in_flight(&self, memory: &Memory) -> bool {
        self.action().is_some_and(|action| memory.in_flight.contains(&action))
    }
}

/// True while a service must stay as it is for its release's test. Begins the test, when it is its turn.
pub(crate) fn holds(work: &mut Work<'_, '_>, view: &ServiceView<'_>, gates: &Gates) -> bool {
    let mut is_held = false;
    for operation in work.operations {
        let Some(trial) = trial(work.index, work.memory, operation, view) else { continue };
        if matches!(trial.stage, Stage::Passed | Stage::Begun) {
            continue;
        }
        is_held = true;
        // What is paused, or has no image yet, has been told.
        if operation.paused.is_none() && !gates.is_closed(view.key) {
            advance(work, view, &trial, gates);
        }
    }
    is_held
}

fn advance(work: &mut Work<'_, '_>, view: &ServiceView<'_>, trial: &Trial<'_>, gates: &Gates) {
    let (words, deadline) = match trial.stage {
        Stage::Due => (begin(work, view, trial, gates), None),
        Stage::Hidden => (Some(hidden(trial)), None),
        Stage::Runs(due) => (Some("running".to_owned()), due),
        Stage::Late => (Some("does not end".to_owned()), None),
        Stage::Failed { code, oom } => (Some(exit_words(code, oom)), None),
        Stage::Passed | Stage::Begun => (None, None),
    };
    if let Some(words) = words {
        work.wait(view.key, None, format!("{}: {words}", trial.name()), deadline);
    }
}

/// Begins a test, or says why that has to wait.
fn begin(work: &mut Work<'_, '_>, view: &ServiceView<'_>, trial: &Trial<'_>, gates: &Gates) -> Option<String> {
    let seen = trial.host.and_then(|host| work.index.world.observed.hosts.get(host)).filter(|host| host.is_seen());
    let Some(host) = seen else { return Some(hidden(trial)) };
    if trial.is_in_flight(work.memory) {
        return Some("being started".to_owned());
    }
    if gates.lacks(&host.name, &trial.revision.image) {
        return None;
    }
    if let Some(unmet) = work.order.unmet(work.views, view.key) {
        return Some(format!("waits for {unmet}"));
    }
    if let Some(what) = work.links_missing(host, &view.key.stack) {
        return Some(what);
    }
    if work.is_tidying(&host.name, &view.key.stack) {
        return Some(format!("old networks of {} go away", view.key.stack));
    }
    // Its name is taken until then.
    let mut others = work.index.tests.get(view.key).into_iter().flatten();
    if trial.seen.is_none() && others.any(|test| test.host.name == host.name && test.revision == trial.revision.no) {
        return Some("its former container goes away".to_owned());
    }
    if let Some(action) = trial.action() {
        work.act(action, view.key, None);
    }
    None
}

fn hidden(trial: &Trial<'_>) -> String {
    trial.host.map_or_else(|| "no host of it is seen now".to_owned(), |host| format!("{host} is not seen now"))
}

/// Removes the containers of tests that no release waits for any more. Those of a paused one stay as they are.
pub(crate) fn clear(work: &mut Work<'_, '_>) {
    let index = work.index;
    for (service, tests) in &index.tests {
        // As with replicas: the store may be lost or new.
        if !operation::is_known(work, service) {
            continue;
        }
        let mut needed: Vec<(&HostName, &ContainerId)> = Vec::new();
        let mut is_paused = false;
        for operation in work.operations {
            let Some(trial) = work.views.get(service).and_then(|view| trial(index, work.memory, operation, view))
            else {
                continue;
            };
            is_paused |= operation.paused.is_some();
            let seen = trial.seen.filter(|_| trial.stage != Stage::Begun);
            needed.extend(seen.map(|seen| (&seen.host.name, &seen.container.id)));
        }
        for test in tests.iter().filter(|test| test.live && test.container.state != ContainerState::Removing) {
            let (host, container) = (&test.host.name, &test.container.id);
            let made = Action::Test { host: host.clone(), service: (*service).clone(), revision: test.revision };
            let action =
                Action::Clear { host: host.clone(), service: (*service).clone(), container: container.clone() };
            let is_busy = work.memory.in_flight.contains(&made) || work.memory.in_flight.contains(&action);
            if !is_busy && !is_paused && !needed.contains(&(host, container)) {
                work.act(action, service, None);
            }
        }
    }
}

/// The step of a service's test; none where nothing is tested.
pub(crate) fn step(
    index: &Index<'_>,
    memory: &Memory,
    operation: &Operation,
    view: &ServiceView<'_>,
) -> Option<StepProgress> {
    let trial = trial(index, memory, operation, view)?;
    let (state, detail) = match trial.stage {
        Stage::Due if trial.is_in_flight(memory) => (StepState::Running, "being started".to_owned()),
        Stage::Due => match trial.failure(memory) {
            Some(failure) => (StepState::Failed, failure.error.to_string()),
            None => (StepState::Waiting, String::new()),
        },
        Stage::Hidden => (StepState::Waiting, hidden(&trial)),
        Stage::Runs(_) => (StepState::Running, "running".to_owned()),
        Stage::Late => (StepState::Failed, "does not end".to_owned()),
        Stage::Failed { code, oom } => (StepState::Failed, exit_words(code, oom)),
        Stage::Passed | Stage::Begun => (StepState::Done, "passed".to_owned()),
    };
    let (what, detail) = (Text::new(&trial.name()), Text::new(&detail));
    Some(StepProgress { what, replica: None, state, detail, since: None })
}

/// Containers of tests that a release which is taken back has left: it ends when they are gone, so that the networks
/// that they are on can go too. One that cannot be removed does not keep it open.
pub(crate) fn leftovers(
    index: &Index<'_>,
    memory: &Memory,
    operation: &Operation,
    service: &ServiceKey,
) -> Vec<StepProgress> {
    if observe::is_release(operation) {
        return Vec::new();
    }
    let tests = index.tests.get(service).into_iter().flatten().filter(|test| test.live);
    let is_stuck = |test: &&SeenTest<'_>| {
        let (host, container) = (test.host.name.clone(), test.container.id.clone());
        memory.failures.contains_key(&Action::Clear { host, service: service.clone(), container })
    };
    tests
        .filter(|test| !is_stuck(test))
        .map(|test| {
            let what = Text::new(&format!("remove the test of {service} r{} on {}", test.revision, test.host.name));
            StepProgress { what, replica: None, state: StepState::Running, detail: Text::default(), since: None }
        })
        .collect()
}

/// True while a container of a stack's test is on a host.
pub(crate) fn is_on(index: &Index<'_>, host: &HostName, stack: &StackName) -> bool {
    let mut tests = index.tests.iter().filter(|(key, _)| key.stack == *stack).flat_map(|(_, tests)| tests);
    tests.any(|test| test.host.name == *host)
}

/// That a test did not pass.
pub(crate) struct Broken {
    /// Whose test, where, how.
    pub reason: String,
    /// The container whose log tells more.
    pub culprit: Option<(HostName, ContainerId)>,
}

/// Why a service's test did not pass; none while it may. Its beginning may fail so many `times`.
pub(crate) fn broken(
    index: &Index<'_>,
    memory: &Memory,
    operation: &Operation,
    view: &ServiceView<'_>,
    times: u32,
) -> Option<Broken> {
    let trial = trial(index, memory, operation, view)?;
    let host = trial.host?;
    let what = format!("the test of {} r{} on {host}", trial.service, trial.revision.no);
    let reason = match trial.stage {
        Stage::Failed { code, oom } => format!("{what} {}", exit_words(code, oom)),
        Stage::Late => format!("{what} did not end within {}", duration(trial.patience)),
        Stage::Due => {
            let failure = trial.failure(memory).filter(|failure| failure.is_final || failure.times >= times)?;
            let times = if failure.times > 1 { format!(" ({} times)", failure.times) } else { String::new() };
            format!("{what} cannot begin{times}: {}", failure.error)
        }
        Stage::Hidden | Stage::Runs(_) | Stage::Passed | Stage::Begun => return None,
    };
    let culprit = trial.seen.map(|seen| (seen.host.name.clone(), seen.container.id.clone()));
    Some(Broken { reason, culprit })
}
