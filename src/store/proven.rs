//! What was there before a command, as far as that had proved itself. A command that takes over from another one, still open,
//! finds a revision wanted that may never have worked anywhere. It takes over the rest of the other's work, so it has ended
//! only when that is done; and when it fails, it goes back further than to what nobody has seen work.

use std::collections::BTreeSet;

use super::{
    conflict::{self, Thing},
    error::Fault,
    open::Tx,
    read,
};
use crate::model::{Assignment, OperationState, Place, RegionName, RevisionNo, ServiceKey};

/// `now` with every revision that an open operation brings replaced by the one that ran before it; numbers and hosts stay.
/// Where nothing ran before it, there is nothing better than `now`.
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
    let Some(last) = known.last().copied() else { return Ok(Some(now)) };
    let back = |place: Place| {
        let revision = if known.contains(&place.revision) { place.revision } else { last };
        Place { revision, ..place }
    };
    let slots = now.slots.into_iter().map(|(slot, place)| (slot, back(place))).collect();
    Ok(Some(Assignment { slots, round: before.round, ..now }))
}
