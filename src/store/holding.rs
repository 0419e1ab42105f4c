//! Leases that were not given back, with what can be told of their holders.

use std::{path::Path, time::Duration};

use super::{
    Options, StoreError,
    clock::{Clock, Moment},
    error::Fault,
    files,
    read::each,
    reader::open_to_read,
    rows::parse,
    schema, sign,
};
use crate::{model::Holding, text::Text};

/// The leases that somebody holds, or held until it ended or fell silent, by region. None where there is no store.
pub fn holdings(store: &Path) -> Result<Vec<Holding>, StoreError> {
    holdings_at(store, &Clock::machine().now())
}

/// [`holdings`] at a given moment.
pub(super) fn holdings_at(store: &Path, now: &Moment) -> Result<Vec<Holding>, StoreError> {
    let Some(file) = files::look(store)? else { return Ok(Vec::new()) };
    let said = |fault: Fault| fault.at(store);
    let db = open_to_read(store, &file).map_err(said)?;
    if schema::version(&db, store).map_err(said)? == 0 {
        return Ok(Vec::new());
    }
    let lease = i64::try_from(Options::default().lease.as_millis()).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    let sql = "SELECT region, holder, owner, boot, until - ? FROM lease WHERE owner <> '' ORDER BY region";
    each(&db, sql, &[&now.ms], |row| {
        let (owner, boot): (String, String) = (row.get(2)?, row.get(3)?);
        // Moments of another boot cannot be compared, and what was held then is free.
        let left: Option<i64> = if boot == now.boot { Some(row.get(4)?) } else { None };
        let holder = Text::new(&row.get::<_, String>(1)?);
        found.push(Holding {
            region: parse("region", &row.get::<_, String>(0)?)?,
            heard: left.map(|left| millis(lease.saturating_sub(left))),
            left: millis(left.unwrap_or(0)),
            life: sign::life(store, &owner, &holder),
            holder,
        });
        Ok(())
    })
    .map_err(said)?;
    Ok(found)
}

/// A time that has passed, or is to come, is never less than none.
fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
