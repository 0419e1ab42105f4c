//! What a command goes back to when it fails: what was there before, as far as that had proved itself. A command that takes over
//! from another one, still open, finds a revision wanted that may never have worked anywhere: going back to that would leave
//! it wanted for good, with no operation that could give it up.

use std::collections::BTreeSet;

use super::{
    conflict::{self, Thing},
    error::Fault,
    open::Tx,
    read,
};
use crate::model::{Assignment, OperationState, Place, RegionName, RevisionNo, ServiceKey};

/// `now` with every revision that an open operation brings replaced by the one that ran before it. Numbers and hosts stay. None
/// where that operation brought the service itself.
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
    let Some(before) = open.before.get(service).and_then(|regions| regions.get(region)) else { return Ok(Some(now)) };
    let Some(before) = before else { return Ok(None) };
    let known: BTreeSet<RevisionNo> = before.slots.values().map(|place| place.revision).collect();
    let Some(last) = known.last().copied() else { return Ok(Some(before.clone())) };
    let back =
        |place: Place| Place { revision: if known.contains(&place.revision) { place.revision } else { last }, ..place };
    let slots = now.slots.into_iter().map(|(slot, place)| (slot, back(place))).collect();
    Ok(Some(Assignment { slots, ..now }))
}
