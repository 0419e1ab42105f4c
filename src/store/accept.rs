//! Accepting a command: compare, append, write, all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{
    StoreError, audit,
    conflict::{self, Thing, Touch},
    drain,
    error::Fault,
    numbers,
    open::Tx,
    outcome, proven, read, retention,
    rows::{self, add_journal, from_json, hex, nanos, signed, to_json},
};
use crate::{
    model::{
        Assignment, CommandId, Generation, Intent, JournalEntry, Operation, OperationState, Progress, Proposal,
        RegionName, Revision, RevisionNo, ServiceKey, StackName, StackShared,
    },
    text::Text,
};

/// Assignments by service and region; `None` where there is none.
pub(super) type Book = BTreeMap<ServiceKey, BTreeMap<RegionName, Option<Assignment>>>;

/// Accepts or refuses as a whole. What earlier open operations still decided about the same services is theirs no
/// longer; those that are left with nothing are superseded.
pub(super) fn accept(tx: &Tx<'_>, proposal: &Proposal, by: &str, at: Timestamp) -> Result<Operation, Fault> {
    if proposal.is_empty() {
        return Err(StoreError::Invalid("there is nothing to change".to_owned()).into());
    }
    let (rules, origin) = (&tx.options.rules, &tx.options.origin);
    if let Some(why) = rules.refuses(proposal, by, &origin.groups).or_else(|| rules.unconfirmed(proposal)) {
        return Err(StoreError::Denied(why).into());
    }
    conflict::check(tx, proposal, at)?;
    for revision in &proposal.revisions {
        append(tx, revision, at)?;
    }
    let generation = next_generation(tx)?;
    let id = CommandId(uuid::Uuid::now_v7());
    let touch = |thing: Thing<'_>| {
        let did = conflict::did(&proposal.intent, thing);
        conflict::touch(tx, thing, &Touch { generation, at, did, by: by.to_owned(), operation: Some(id) })
    };
    let (mut before, mut after) = (Book::new(), Book::new());
    for ((service, region), wanted) in &proposal.assignments {
        let wanted = wanted.clone().map(|wanted| Assignment { generation, ..wanted });
        check_revisions(tx, service, wanted.as_ref())?;
        let old = rows::assignment(&tx.sql, service, region)?;
        let old = proven::proven(tx, service, region, old)?;
        assign(tx, service, region, wanted.as_ref())?;
        touch(Thing::Service(service, region))?;
        before.entry(service.clone()).or_default().insert(region.clone(), old);
        after.entry(service.clone()).or_default().insert(region.clone(), wanted);
    }
    let mut stacks = BTreeMap::new();
    for (name, wanted) in &proposal.stacks {
        if wanted.is_none() && after.is_empty() && is_leaving(tx, name)? {
            continue;
        }
        // What a stack shares, its addresses above all, is there until its last container is gone: see `settle`.
        let old = match wanted {
            None if !after.is_empty() => rows::shared(&tx.sql, name)?,
            wanted => share(tx, name, wanted.as_ref())?,
        };
        stacks.insert(name.clone(), old);
        touch(Thing::Stack(name))?;
    }
    for (name, intent) in &proposal.hosts {
        match intent {
            Some(intent) => {
                tx.sql.execute("INSERT OR REPLACE INTO host VALUES (?, ?)", params![name.as_str(), to_json(intent)?])?
            }
            None => tx.sql.execute("DELETE FROM host WHERE name = ?", [name.as_str()])?,
        };
        touch(Thing::Host(name))?;
    }
    for (host, containers) in &proposal.adopted {
        for (container, of) in containers {
            tx.sql.execute(
                "INSERT OR REPLACE INTO adopted VALUES (?, ?, ?, ?)",
                params![host.as_str(), container.0.as_str(), hex(id), to_json(of)?],
            )?;
        }
    }
    let is_done = after.is_empty() && proposal.intent.regions().next().is_none();
    let state = if is_done { OperationState::Converged { at } } else { OperationState::Accepted };
    let mut operation = Operation {
        id,
        intent: proposal.intent.clone(),
        equivalent: proposal.equivalent.clone(),
        by: by.to_owned(),
        at,
        generation,
        before,
        after,
        state,
        progress: BTreeMap::new(),
        paused: None,
        resumed: None,
    };
    operation.progress = operation.regions().into_iter().map(|region| (region, Progress::default())).collect();
    insert(tx, &operation, &stacks)?;
    let more = if operation.state.is_final() { drain::epilogue(tx, &operation)? } else { String::new() };
    add_journal(&tx.sql, &line(&operation, &more))?;
    audit::accepted(tx, &operation)?;
    if operation.state.is_final() {
        audit::of_operation(tx, &operation, (by, false), operation.state.word(), &more, at)?;
    }
    supersede(tx, &operation, at)?;
    if generation.0.is_multiple_of(retention::EVERY_GENERATIONS) {
        retention::tidy(tx)?;
    }
    Ok(operation)
}

/// Somebody takes the stack away already, and its last containers are on their way out: by what it shares they are still
/// reached, and with the last of them it goes.
fn is_leaving(tx: &Tx<'_>, stack: &StackName) -> Result<bool, Fault> {
    let Some(id) = conflict::touched(tx, Thing::Stack(stack))?.and_then(|touch| touch.operation) else {
        return Ok(false);
    };
    let removes = |it: &Operation| !it.state.is_final() && matches!(it.intent, Intent::Remove { service: None, .. });
    Ok(read::operation(&tx.sql, id)?.as_ref().is_some_and(removes))
}

/// Appends a revision, if its number is higher than all before.
fn append(tx: &Tx<'_>, revision: &Revision, at: Timestamp) -> Result<(), Fault> {
    let last: Option<String> = tx
        .sql
        .prepare_cached("SELECT body FROM revision WHERE service = ? ORDER BY no DESC LIMIT 1")?
        .query_row([revision.service.to_string()], |row| row.get(0))
        .optional()?;
    let last: Option<Revision> = last.map(|body| from_json("revision", &body)).transpose()?;
    conflict::later_revision(last.as_ref(), revision, at)?;
    if numbers::before(&tx.sql)?.get(&revision.service).is_some_and(|given| revision.no <= *given) {
        let (service, no) = (&revision.service, revision.no);
        let words = format!(
            "{service} had a revision {no} before a copy took the store's place, and containers may have its number: look \
             again and repeat"
        );
        return Err(StoreError::Invalid(words).into());
    }
    tx.sql.prepare_cached("INSERT INTO revision (service, no, body) VALUES (?, ?, ?)")?.execute(params![
        revision.service.to_string(),
        revision.no.0,
        to_json(revision)?
    ])?;
    Ok(())
}

/// Refuses an assignment that names a revision which does not exist: nobody could carry it out.
fn check_revisions(tx: &Tx<'_>, service: &ServiceKey, wanted: Option<&Assignment>) -> Result<(), Fault> {
    let named: BTreeSet<RevisionNo> =
        wanted.iter().flat_map(|a| a.slots.values().map(|place| place.revision)).collect();
    for no in named {
        let mut query = tx.sql.prepare_cached("SELECT 1 FROM revision WHERE service = ? AND no = ?")?;
        if !query.exists(params![service.to_string(), no.0])? {
            let words = format!("{service} has no revision {no} (any more): look again and repeat");
            return Err(StoreError::Invalid(words).into());
        }
    }
    Ok(())
}

/// The next generation.
pub(super) fn next_generation(tx: &Tx<'_>) -> Result<Generation, Fault> {
    tx.sql.execute("UPDATE state SET generation = generation + 1", [])?;
    read::generation(&tx.sql)
}

/// Writes or removes an assignment.
pub(super) fn assign(
    tx: &Tx<'_>,
    service: &ServiceKey,
    region: &RegionName,
    wanted: Option<&Assignment>,
) -> Result<(), Fault> {
    let service = service.to_string();
    match wanted {
        Some(wanted) => tx
            .sql
            .prepare_cached("INSERT OR REPLACE INTO assignment VALUES (?, ?, ?)")?
            .execute(params![service, region.as_str(), to_json(wanted)?])?,
        None => tx
            .sql
            .prepare_cached("DELETE FROM assignment WHERE service = ? AND region = ?")?
            .execute(params![service, region.as_str()])?,
    };
    Ok(())
}

/// Writes or removes what a stack shares; gives what was there.
pub(super) fn share(tx: &Tx<'_>, name: &StackName, wanted: Option<&StackShared>) -> Result<Option<StackShared>, Fault> {
    let old = rows::shared(&tx.sql, name)?;
    match wanted {
        Some(wanted) => {
            tx.sql.execute("INSERT OR REPLACE INTO stack VALUES (?, ?)", params![name.as_str(), to_json(wanted)?])?
        }
        None => tx.sql.execute("DELETE FROM stack WHERE name = ?", [name.as_str()])?,
    };
    Ok(old)
}

fn insert(tx: &Tx<'_>, operation: &Operation, stacks: &BTreeMap<StackName, Option<StackShared>>) -> Result<(), Fault> {
    let id = hex(operation.id);
    tx.sql.execute(
        "INSERT INTO operation (id, generation, is_open, at, by, intent, equivalent, before, after, stacks, state)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id,
            signed(operation.generation.0),
            !operation.state.is_final(),
            nanos(operation.at),
            operation.by,
            to_json(&operation.intent)?,
            operation.equivalent,
            to_json(&operation.before)?,
            to_json(&operation.after)?,
            to_json(stacks)?,
            to_json(&operation.state)?,
        ],
    )?;
    for (region, part) in &operation.progress {
        tx.sql.execute("INSERT INTO progress VALUES (?, ?, ?)", params![id, region.as_str(), to_json(part)?])?;
    }
    let touched: BTreeSet<&StackName> =
        operation.after.keys().map(|service| &service.stack).chain(stacks.keys()).collect();
    for stack in touched {
        tx.sql.execute("INSERT INTO operation_stack VALUES (?, ?)", params![stack.as_str(), id])?;
    }
    Ok(())
}

/// The journal's line of acceptance. It names region and service where there is just one.
fn line(operation: &Operation, more: &str) -> JournalEntry {
    let regions = operation.regions();
    let mut services = operation.after.keys();
    let done = if operation.state.is_final() { "done at once" } else { "accepted" };
    JournalEntry {
        at: operation.at,
        command: Some(operation.id),
        region: regions.iter().next().filter(|_| regions.len() == 1).cloned(),
        service: services.next().filter(|_| services.next().is_none()).cloned(),
        host: None,
        what: Text::new(&format!("{done}: {}, by {}{more}", operation.intent.summary(), operation.by)),
        is_error: false,
    }
}

/// Takes what `new` decides out of the books of earlier open operations.
fn supersede(tx: &Tx<'_>, new: &Operation, at: Timestamp) -> Result<(), Fault> {
    for mut old in read::open_operations(&tx.sql)? {
        if old.id == new.id {
            continue;
        }
        let covered: Vec<(ServiceKey, RegionName)> = pairs(&old.after)
            .filter(|(service, region)| new.after.get(*service).is_some_and(|regions| regions.contains_key(*region)))
            .map(|(service, region)| (service.clone(), region.clone()))
            .collect();
        if covered.is_empty() {
            continue;
        }
        if covered.len() == pairs(&old.after).count() {
            // Its books stay as they were: they say what it had wanted.
            outcome::finish(tx, &old, &OperationState::Superseded { at, by: new.id }, "", at)?;
            continue;
        }
        for (service, region) in &covered {
            strike(&mut old.before, service, region);
            strike(&mut old.after, service, region);
            let what = format!("{service} in {region} is decided by op {} from now on", new.id.short());
            add_journal(
                &tx.sql,
                &JournalEntry {
                    at,
                    command: Some(old.id),
                    region: Some(region.clone()),
                    service: Some(service.clone()),
                    host: None,
                    what: Text::new(&what),
                    is_error: false,
                },
            )?;
        }
        outcome::write_books(tx, &old)?;
        let left = old.regions();
        for region in old.progress.keys().filter(|region| !left.contains(*region)) {
            tx.sql.execute(
                "DELETE FROM progress WHERE operation = ? AND region = ?",
                params![hex(old.id), region.as_str()],
            )?;
        }
        // What it still waits for may all be there already.
        outcome::settle(tx, old.id, at)?;
    }
    Ok(())
}

/// Every service and region in a book.
pub(super) fn pairs(book: &Book) -> impl Iterator<Item = (&ServiceKey, &RegionName)> {
    book.iter().flat_map(|(service, regions)| regions.keys().map(move |region| (service, region)))
}

fn strike(book: &mut Book, service: &ServiceKey, region: &RegionName) {
    if let Some(regions) = book.get_mut(service) {
        regions.remove(region);
        if regions.is_empty() {
            book.remove(service);
        }
    }
}
