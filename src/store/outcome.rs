//! How operations go on and end. Every change of state is here, and only an open operation changes its state.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{
    StoreError,
    accept::{Book, assign, next_generation, pairs},
    audit,
    conflict::{self, Thing, Touch},
    drain,
    error::Fault,
    open::Tx,
    read,
    rows::{self, add_journal, from_json, hex, to_json},
    shared,
};
use crate::{
    model::{
        Assignment, CommandId, Generation, Intent, JournalEntry, Operation, OperationState, Paused, Progress,
        RegionName, ReplicaOf,
    },
    text::Text,
};

/// Who changes things without an operator's word.
pub(super) const RECONCILER: &str = "the reconciler";

/// Writes the region's progress; what has finished everywhere is converged.
pub(super) fn report(tx: &Tx<'_>, region: &RegionName, progress: &[(CommandId, Progress)]) -> Result<(), Fault> {
    for (id, part) in progress {
        let known: Option<(String, String)> = tx
            .sql
            .prepare_cached(
                "SELECT state, body FROM operation JOIN progress ON operation = id
                 WHERE id = ? AND is_open = 1 AND region = ?",
            )?
            .query_row(params![hex(*id), region.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((state, old)) = known else { continue };
        let new = to_json(part)?;
        if new != old {
            tx.sql
                .prepare_cached("UPDATE progress SET body = ? WHERE operation = ? AND region = ?")?
                .execute(params![new, hex(*id), region.as_str()])?;
        }
        if from_json::<OperationState>("operation state", &state)? == OperationState::Accepted {
            tx.sql.execute(
                "UPDATE operation SET state = ? WHERE id = ?",
                params![to_json(&OperationState::Running)?, hex(*id)],
            )?;
        }
        settle(tx, *id, tx.now())?;
    }
    Ok(())
}

/// Ends an open operation as converged, or as rolled back, when all its regions have finished.
pub(super) fn settle(tx: &Tx<'_>, id: CommandId, at: Timestamp) -> Result<(), Fault> {
    let mut all = true;
    read::each(&tx.sql, "SELECT body FROM progress WHERE operation = ?", &[&hex(id)], |row| {
        all &= from_json::<Progress>("progress", &row.get::<_, String>(0)?)?.finished;
        Ok(())
    })?;
    if !all {
        return Ok(());
    }
    let operation = require(tx, id)?;
    if let OperationState::RollingBack { reason, .. } = &operation.state {
        shared::clear(tx, &operation, &shared::brought(tx, &operation)?)?;
        return finish(tx, &operation, &OperationState::RolledBack { at, reason: reason.clone() }, "", at);
    }
    if let Intent::Remove { stack, service: None } = &operation.intent {
        shared::clear(tx, &operation, std::slice::from_ref(stack))?;
    }
    finish(tx, &operation, &OperationState::Converged { at }, &drain::epilogue(tx, &operation)?, at)
}

fn require(tx: &Tx<'_>, id: CommandId) -> Result<Operation, Fault> {
    Ok(read::operation(&tx.sql, id)?.ok_or(StoreError::NoOperation { id })?)
}

/// Gives an open operation its final state, once, with its line in the journal.
pub(super) fn finish(
    tx: &Tx<'_>,
    operation: &Operation,
    state: &OperationState,
    more: &str,
    at: Timestamp,
) -> Result<(), Fault> {
    let changed = tx.sql.execute(
        "UPDATE operation SET state = ?, is_open = 0, paused = NULL WHERE id = ? AND is_open = 1",
        params![to_json(state)?, hex(operation.id)],
    )?;
    if changed == 0 {
        return Ok(());
    }
    let what = match state {
        OperationState::Failed { reason, .. } | OperationState::RolledBack { reason, .. } => {
            format!("{}: {reason}{more}", state.word())
        }
        OperationState::Aborted { by, .. } => format!("aborted by {by}{more}"),
        OperationState::Superseded { by, .. } => format!("superseded by op {}{more}", by.short()),
        _ => format!("{}{more}", state.word()),
    };
    let by = match state {
        OperationState::Aborted { by, .. } => (by.as_str(), true),
        _ => (RECONCILER, false),
    };
    let why = match state {
        OperationState::Failed { reason, .. } | OperationState::RolledBack { reason, .. } => {
            format!(": {reason}{more}")
        }
        OperationState::Superseded { by, .. } => format!(" by op {}{more}", by.short()),
        _ => more.to_owned(),
    };
    audit::of_operation(tx, operation, by, state.word(), &why, at)?;
    let is_error = matches!(state, OperationState::Failed { .. } | OperationState::RolledBack { .. });
    let command = Some(operation.id);
    let what = Text::new(&format!("{}: {what}", operation.intent.summary()));
    add_journal(&tx.sql, &JournalEntry { at, command, region: None, service: None, host: None, what, is_error })
}

/// Gives it up at once; what it still decides is put back. One that was rolling back stays as it is: it has been put
/// back already.
pub(super) fn fail(tx: &Tx<'_>, id: CommandId, reason: Text, at: Timestamp) -> Result<Operation, Fault> {
    let operation = require(tx, id)?;
    match &operation.state {
        state if state.is_final() || operation.paused.is_some() => return Ok(operation),
        OperationState::RollingBack { reason: first, .. } => {
            let reason = Text::new(&format!("{first}; and rolling back does not succeed: {reason}"));
            finish(tx, &operation, &OperationState::Failed { at, reason }, "", at)?;
        }
        _ => {
            let back = put_back(tx, &operation, RECONCILER, at, false)?.words;
            finish(tx, &operation, &OperationState::Failed { at, reason }, &back, at)?;
        }
    }
    require(tx, id)
}

/// Gives it up, and leaves what it decided as it is.
pub(super) fn leave(tx: &Tx<'_>, id: CommandId, reason: Text, at: Timestamp) -> Result<Operation, Fault> {
    let operation = require(tx, id)?;
    if !operation.state.is_final() && operation.paused.is_none() {
        finish(tx, &operation, &OperationState::Failed { at, reason }, "; what was asked for stays wanted", at)?;
    }
    require(tx, id)
}

/// Gives it up, puts back what it still decides, and keeps it open until that is seen. Only what is accepted or
/// running begins to roll back: who asks twice, or too late, changes nothing.
pub(super) fn roll_back(tx: &Tx<'_>, id: CommandId, reason: Text, at: Timestamp) -> Result<Operation, Fault> {
    let mut operation = require(tx, id)?;
    if !matches!(operation.state, OperationState::Accepted | OperationState::Running) || operation.paused.is_some() {
        return Ok(operation);
    }
    let back = put_back(tx, &operation, RECONCILER, at, true)?;
    if back.after.is_empty() {
        // Others decide all of it by now.
        finish(tx, &operation, &OperationState::Failed { at, reason }, "", at)?;
        return require(tx, id);
    }
    (operation.before, operation.after) = (back.before, back.after);
    write_books(tx, &operation)?;
    let left = operation.regions();
    for region in operation.progress.keys() {
        let key = params![hex(id), region.as_str()];
        if left.contains(region) {
            tx.sql.execute(
                "UPDATE progress SET body = ? WHERE operation = ? AND region = ?",
                params![to_json(&Progress::default())?, hex(id), region.as_str()],
            )?;
        } else {
            tx.sql.execute("DELETE FROM progress WHERE operation = ? AND region = ?", key)?;
        }
    }
    let what = Text::new(&format!("{} failed, rolling back: {reason}{}", operation.intent.summary(), back.words));
    let state = OperationState::RollingBack { at, reason };
    tx.sql.execute("UPDATE operation SET state = ? WHERE id = ?", params![to_json(&state)?, hex(id)])?;
    let (command, is_error) = (Some(id), true);
    let entry = JournalEntry { at, command, region: None, service: None, host: None, what, is_error };
    add_journal(&tx.sql, &entry)?;
    require(tx, id)
}

/// Ends it by an operator's will; what it still decides is put back.
pub(super) fn abort(tx: &Tx<'_>, id: CommandId, by: Text, at: Timestamp) -> Result<Operation, Fault> {
    let operation = require(tx, id)?;
    if operation.state.is_final() {
        return Err(StoreError::Final { id, word: operation.state.word() }.into());
    }
    allow(tx, &operation, by.as_str(), "abort")?;
    // What rolls back has been put back already.
    let is_back = matches!(operation.state, OperationState::RollingBack { .. });
    let back = if is_back { String::new() } else { put_back(tx, &operation, by.as_str(), at, true)?.words };
    finish(tx, &operation, &OperationState::Aborted { at, by }, &back, at)?;
    require(tx, id)
}

/// Lets it stand still. One that does already stays paused as it is.
pub(super) fn pause(tx: &Tx<'_>, id: CommandId, paused: &Paused) -> Result<Operation, Fault> {
    let operation = open(tx, id)?;
    if operation.paused.is_some() {
        return Ok(operation);
    }
    // One that is paused because something failed is paused by the reconciler.
    if paused.why.is_empty() {
        allow(tx, &operation, paused.by.as_str(), "pause")?;
    }
    let why = if paused.why.is_empty() { String::new() } else { format!(": {}", paused.why) };
    stand(tx, &operation, Some(paused), None, &format!("paused by {}{why}", paused.by), paused.at)?;
    audit::of_operation(tx, &operation, (paused.by.as_str(), paused.why.is_empty()), "paused", &why, paused.at)?;
    require(tx, id)
}

/// Lets it go on. One that goes on already stays as it is.
pub(super) fn resume(tx: &Tx<'_>, id: CommandId, by: &Text, at: Timestamp) -> Result<Operation, Fault> {
    let operation = open(tx, id)?;
    if operation.paused.is_none() {
        return Ok(operation);
    }
    allow(tx, &operation, by.as_str(), "resume")?;
    stand(tx, &operation, None, Some(at), &format!("resumed by {by}"), at)?;
    audit::of_operation(tx, &operation, (by.as_str(), true), "resumed", "", at)?;
    require(tx, id)
}

/// Refuses who may not do this to an operation.
fn allow(tx: &Tx<'_>, operation: &Operation, by: &str, deed: &str) -> Result<(), Fault> {
    match tx.options.rules.refuses_of(operation, by, &tx.options.origin.groups, deed) {
        Some(why) => Err(StoreError::Denied(why).into()),
        None => Ok(()),
    }
}

fn open(tx: &Tx<'_>, id: CommandId) -> Result<Operation, Fault> {
    let operation = require(tx, id)?;
    if operation.state.is_final() {
        return Err(StoreError::Final { id, word: operation.state.word() }.into());
    }
    Ok(operation)
}

fn stand(
    tx: &Tx<'_>,
    operation: &Operation,
    paused: Option<&Paused>,
    resumed: Option<Timestamp>,
    what: &str,
    at: Timestamp,
) -> Result<(), Fault> {
    tx.sql.execute(
        "UPDATE operation SET paused = ?, resumed = coalesce(?, resumed) WHERE id = ?",
        params![paused.map(to_json).transpose()?, resumed.map(rows::nanos), hex(operation.id)],
    )?;
    let is_error = paused.is_some_and(|paused| !paused.why.is_empty());
    let what = Text::new(&format!("{}: {what}", operation.intent.summary()));
    let command = Some(operation.id);
    add_journal(&tx.sql, &JournalEntry { at, command, region: None, service: None, host: None, what, is_error })
}

/// What was put back.
struct Back {
    /// For the journal.
    words: String,
    /// The assignments as they were until now.
    before: Book,
    /// The assignments that are wanted again.
    after: Book,
}

/// Puts back what was there before the operation, where nobody decided otherwise since. One that has begun may have
/// containers.
fn put_back(tx: &Tx<'_>, operation: &Operation, by: &str, at: Timestamp, has_begun: bool) -> Result<Back, Fault> {
    let mut words = Vec::new();
    let (mut was, mut will) = (Book::new(), Book::new());
    let mut generation: Option<Generation> = None;
    for (service, region) in pairs(&operation.after) {
        let thing = Thing::Service(service, region);
        if conflict::touched(tx, thing)?.and_then(|touch| touch.operation) != Some(operation.id) {
            continue;
        }
        let generation = match generation {
            Some(generation) => generation,
            None => *generation.insert(next_generation(tx)?),
        };
        let before = operation.before.get(service).and_then(|regions| regions.get(region)).cloned().flatten();
        let now = rows::assignment(&tx.sql, service, region)?;
        let before = if operation.intent.keeps_what_moved() {
            drain::keep_moved(operation, (service, region), before, now.as_ref())
        } else {
            before
        };
        let before = before.map(|before| Assignment { generation, ..before });
        assign(tx, service, region, before.as_ref())?;
        let did = "put back to what it was".to_owned();
        conflict::touch(tx, thing, &Touch { generation, at, did, by: by.to_owned(), operation: Some(operation.id) })?;
        let count = |a: Option<&Assignment>| a.map_or(0, |a| a.slots.len());
        words.push(format!("{thing} ({} → {} replicas)", count(now.as_ref()), count(before.as_ref())));
        was.entry(service.clone()).or_default().insert(region.clone(), now);
        will.entry(service.clone()).or_default().insert(region.clone(), before);
    }
    let cordoned = drain::cordon(tx, operation, &mut generation, by, at)?;
    shared::put_back(tx, operation, generation, by, at, has_begun)?;
    let_go(tx, operation, &will)?;
    let words = match words.len() {
        0 => String::new(),
        1..=5 => format!("; put back: {}", words.join(", ")),
        many => format!("; put back: {many} services and regions"),
    };
    let words = words + &cordoned;
    Ok(Back { words, before: was, after: will })
}

/// Containers that the operation adopted are the other tool's again, as far as what it decided is put back.
fn let_go(tx: &Tx<'_>, operation: &Operation, back: &Book) -> Result<(), Fault> {
    let mut adopted = Vec::new();
    let id = hex(operation.id);
    read::each(&tx.sql, "SELECT host, container, body FROM adopted WHERE operation = ?", &[&id], |row| {
        let of: ReplicaOf = from_json("adopted", &row.get::<_, String>(2)?)?;
        adopted.push((row.get::<_, String>(0)?, row.get::<_, String>(1)?, of.key));
        Ok(())
    })?;
    for (host, container, replica) in adopted {
        if back.get(&replica.service).is_some_and(|regions| regions.contains_key(&replica.region)) {
            let key = params![host, container];
            tx.sql.execute("DELETE FROM adopted WHERE host = ? AND container = ?", key)?;
        }
    }
    Ok(())
}

/// Writes what an operation wants and would put back.
pub(super) fn write_books(tx: &Tx<'_>, operation: &Operation) -> Result<(), Fault> {
    tx.sql.execute(
        "UPDATE operation SET before = ?, after = ? WHERE id = ?",
        params![to_json(&operation.before)?, to_json(&operation.after)?, hex(operation.id)],
    )?;
    Ok(())
}
