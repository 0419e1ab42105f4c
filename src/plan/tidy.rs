//! What is left of a stack on hosts where nothing of it runs any more: its networks.

use super::{
    Action, Memory,
    index::{Index, Seen, Sight},
    next::Work,
    operation::{Views, left, services},
    progress, trial,
};
use crate::model::{HostName, Operation, StackName, StepState};

/// A Tidy that failed so often is left to the next one: a network too many harms nobody.
const TIDY_TRIES: u32 = 3;

/// Hosts on which an operation leaves nothing of a stack, so that its networks can go. Empty once its end in this region
/// is on record, but for those that failed and may be tried again.
fn tidy_due(
    index: &Index<'_>,
    views: &Views<'_>,
    memory: &Memory,
    operation: &Operation,
) -> Vec<(HostName, StackName)> {
    let mut due: Vec<(HostName, StackName)> = Vec::new();
    let told = operation.progress.get(index.region).is_some_and(|progress| progress.finished);
    for service in services(operation, index.region) {
        let now = index.world.desired.assignment(service, index.region);
        for host in left(operation, service, index.region, now) {
            let pair = (host.clone(), service.stack.clone());
            if due.contains(&pair) || memory.tidied.contains(&pair) || !is_left(index, views, host, &service.stack) {
                continue;
            }
            let action = Action::Tidy { host: pair.0.clone(), stack: pair.1.clone() };
            let again = match memory.failures.get(&action) {
                Some(failure) => failure.times < TIDY_TRIES && !failure.is_final,
                None => !told,
            };
            if again {
                due.push(pair);
            }
        }
    }
    due
}

/// True when nothing of the stack is wanted or seen on the host, and it can be seen.
fn is_left(index: &Index<'_>, views: &Views<'_>, host: &HostName, stack: &StackName) -> bool {
    if !matches!(index.sight(host), Sight::Seen(_)) || trial::is_on(index, host, stack) {
        return false;
    }
    let on_host = |seen: &Seen<'_>| seen.host.name == *host;
    !views.iter().filter(|(key, _)| key.stack == *stack).any(|(_, view)| {
        let wanted = view.slots.iter().any(|slot| slot.place.host == *host);
        let old = view.slots.iter().flat_map(|slot| &slot.old).any(|(seen, _)| on_host(seen));
        wanted || old || view.unwanted.iter().any(|(seen, _)| on_host(seen))
    })
}

/// Gives the removal of networks where nothing of a stack is left: the last thing of an operation, given in the same
/// pass in which [`progress`](super::progress()) calls it finished.
pub(crate) fn tidy(work: &mut Work<'_, '_>) {
    for operation in work.operations {
        let due = tidy_due(work.index, work.views, work.memory, operation);
        if due.is_empty() {
            continue;
        }
        let steps = progress::steps(work.index, work.views, work.routes, operation, work.memory);
        if steps.iter().any(|step| step.state != StepState::Done) {
            continue;
        }
        for (host, stack) in due {
            let action = Action::Tidy { host, stack };
            let known = work.memory.in_flight.contains(&action) || work.next.actions.contains(&action);
            let service = services(operation, work.index.region).next();
            if let Some(service) = service.filter(|_| !known) {
                work.act(action, service, None);
            }
        }
    }
}
