//! Leases: who may act on a region, and the check that every act carries.

use rusqlite::{OptionalExtension, params};

use super::{
    Fence, StoreError,
    error::Fault,
    open::Tx,
    rows::{signed, unsigned},
    sign,
};
use crate::{
    model::{Epoch, RegionName},
    text::Text,
};

/// Takes or renews. The epoch grows when the holder changes, so that what an earlier holder still sends is refused.
/// After a reboot nobody holds anything, and a dead holder's time is over.
pub(super) fn take(tx: &Tx<'_>, region: &RegionName, holder: &Text) -> Result<Option<Epoch>, Fault> {
    let now = tx.clock.now();
    let until = now.ms.saturating_add(i64::try_from(tx.options.lease.as_millis()).unwrap_or(i64::MAX));
    let held = tx
        .sql
        .prepare_cached("SELECT owner FROM lease WHERE region = ? AND owner NOT IN ('', ?)")?
        .query_row(params![region.as_str(), tx.owner], |row| row.get::<_, String>(0))
        .optional()?;
    if let Some(dead) = held.filter(|owner| sign::is_dead(tx.path, owner)) {
        tx.sql.execute("UPDATE lease SET owner = '', until = 0 WHERE owner = ?", params![dead])?;
        sign::clear(tx.path, &dead);
    }
    let epoch: Option<i64> = tx
        .sql
        .prepare_cached(
            "INSERT INTO lease (region, epoch, holder, owner, boot, until) VALUES (?1, 1, ?2, ?3, ?4, ?5)
             ON CONFLICT (region) DO UPDATE SET
                 epoch = epoch + (owner <> ?3 OR holder <> ?2 OR boot <> ?4),
                 holder = ?2, owner = ?3, boot = ?4, until = ?5
             WHERE (owner = ?3 AND holder = ?2) OR owner = '' OR boot <> ?4 OR until <= ?6
             RETURNING epoch",
        )?
        .query_row(params![region.as_str(), holder.as_str(), tx.owner, now.boot, until, now.ms], |row| row.get(0))
        .optional()?;
    if epoch.is_some() {
        // Before anybody can see that it is ours.
        tx.show_life();
    }
    Ok(epoch.map(|epoch| Epoch(unsigned(epoch))))
}

/// Gives it back, if it is still ours.
pub(super) fn release(tx: &Tx<'_>, fence: &Fence) -> Result<(), Fault> {
    tx.sql.execute(
        "UPDATE lease SET owner = '', until = 0 WHERE region = ? AND epoch = ? AND owner = ?",
        params![fence.region.as_str(), signed(fence.epoch.0), tx.owner],
    )?;
    Ok(())
}

/// Refuses a fence that is no longer the region's. One that expired and was taken by nobody still counts: nobody
/// else has acted, and this transaction excludes that someone does meanwhile.
pub(super) fn check(tx: &Tx<'_>, fence: &Fence) -> Result<(), Fault> {
    let ours = tx
        .sql
        .prepare_cached("SELECT 1 FROM lease WHERE region = ? AND epoch = ? AND owner = ?")?
        .exists(params![fence.region.as_str(), signed(fence.epoch.0), tx.owner])?;
    if ours { Ok(()) } else { Err(StoreError::LeaseLost { region: fence.region.clone(), epoch: fence.epoch.0 }.into()) }
}
