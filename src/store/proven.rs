//! What was there before a command, as far as that had proved itself. A command that takes over from another one, still open,
//! finds a revision wanted that may never have worked anywhere. It takes over the rest of the other's work, so it has ended
//! only when that is done; and when it fails, it goes back further than to what nobody has seen work.

use std::{collections::BTreeSet, time::Duration};

use super::{
    conflict::{self, Thing},
    error::Fault,
    open::Tx,
    read, rows,
};
use crate::{
    model::{Assignment, Operation, OperationState, Place, RegionName, RevisionNo, ServiceKey, StepState, since},
    store::OperationQuery,
};

/// `now` with every revision that an open operation brings replaced by the one that ran before it; numbers and hosts stay.
/// Where nothing ran before it, or nothing that ever proved itself while all of `now` is up, there is nothing better than
/// `now`.
pub(super) fn proven(
    tx: &Tx<'_>,
    service: &ServiceKey,
    region: &RegionName,
    now: Option<Assignment>,
) -> Result<Option<Assignment>, Fault> {
    let Some(now) = now else { return Ok(None) };
    let Some(id) = conflict::touched(tx, Thing::Service(service, region))?.and_then(|touch| touch.operation) else {
        return Ok(Some(now));
    };
    let Some(open) = read::operation(&tx.sql, id)? else { return Ok(Some(now)) };
    // One that rolls back has put back what was proven already.
    if !matches!(open.state, OperationState::Accepted | OperationState::Running) {
        return Ok(Some(now));
    }
    let before = open.before.get(service).and_then(|regions| regions.get(region)).and_then(Option::as_ref);
    let Some(before) = before else { return Ok(Some(now)) };
    let known: BTreeSet<RevisionNo> = before.slots.values().map(|place| place.revision).collect();
    if is_up(&open, service, region) && doubted(tx, service, &known)? == known {
        return Ok(Some(now));
    }
    let Some(last) = known.last().copied() else { return Ok(Some(now)) };
    let back = |place: Place| {
        let revision = if known.contains(&place.revision) { place.revision } else { last };
        Place { revision, ..place }
    };
    let slots = now.slots.into_iter().map(|(slot, place)| (slot, back(place))).collect();
    Ok(Some(Assignment { slots, round: before.round, ..now }))
}

/// True when all copies of a service have come up, as far as the operation was told: it may be watched still.
fn is_up(operation: &Operation, service: &ServiceKey, region: &RegionName) -> bool {
    let steps = operation.progress.get(region).into_iter().flat_map(|part| &part.steps);
    let copies = steps.filter(|step| step.replica.as_ref().is_some_and(|replica| replica.service == *service));
    copies.map(|step| step.state == StepState::Done).reduce(|all, one| all && one) == Some(true)
}

/// A command is accepted within this time after it was planned.
const PLANNED: Duration = Duration::from_secs(60 * 60);

/// Which of these revisions never proved themselves: no command has converged with them since they came. Of what came before
/// all commands that are known nothing is said.
fn doubted(tx: &Tx<'_>, service: &ServiceKey, all: &BTreeSet<RevisionNo>) -> Result<BTreeSet<RevisionNo>, Fault> {
    let query = OperationQuery { stack: Some(service.stack.clone()), ..OperationQuery::default() };
    let operations = read::operations(&tx.sql, &query)?;
    let converged = operations.iter().filter(|one| matches!(one.state, OperationState::Converged { .. }));
    let places = converged
        .filter_map(|operation| operation.after.get(service))
        .flat_map(|regions| regions.values().flatten())
        .flat_map(|assignment| assignment.slots.values());
    let proven: BTreeSet<RevisionNo> = places.map(|place| place.revision).collect();
    let Some(oldest) = operations.last() else { return Ok(BTreeSet::new()) };
    let mut doubted = BTreeSet::new();
    for no in all.difference(&proven) {
        let is_told =
            rows::revision(&tx.sql, service, *no)?.is_some_and(|revision| since(revision.at, oldest.at) <= PLANNED);
        if is_told {
            doubted.insert(*no);
        }
    }
    Ok(doubted)
}
