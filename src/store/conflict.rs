//! Who last changed a thing, and the words for someone who did not know.

use std::fmt::Display;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{
    Conflict, StoreError,
    error::Fault,
    open::Tx,
    rows::{hex, nanos, parse, signed, time},
};
use crate::{
    model::{
        CommandId, Generation, HostIntent, HostName, Intent, Proposal, RegionName, Revision, ServiceKey, StackName,
    },
    text::{Text, age},
};

/// A thing that can be changed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Thing<'a> {
    /// A service in a region.
    Service(&'a ServiceKey, &'a RegionName),
    /// What a stack shares.
    Stack(&'a StackName),
    /// A host's intent.
    Host(&'a HostName),
}

impl Display for Thing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service(service, region) => write!(f, "{service} in {region}"),
            Self::Stack(stack) => write!(f, "stack {stack}"),
            Self::Host(host) => write!(f, "host {host}"),
        }
    }
}

impl Thing<'_> {
    /// Its key in the table `touch`.
    fn key(&self) -> (&'static str, String, &str) {
        match self {
            Self::Service(service, region) => ("service", service.to_string(), region.as_str()),
            Self::Stack(stack) => ("stack", stack.to_string(), ""),
            Self::Host(host) => ("host", host.to_string(), ""),
        }
    }
}

/// A change of a thing, as remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Touch {
    /// The generation it made.
    pub(super) generation: Generation,
    /// When.
    pub(super) at: Timestamp,
    /// `scaled 3 → 5`.
    pub(super) did: String,
    /// Who.
    pub(super) by: String,
    /// Whose decision the thing is now.
    pub(super) operation: Option<CommandId>,
}

/// Remembers who changed a thing.
pub(super) fn touch(tx: &Tx<'_>, thing: Thing<'_>, touch: &Touch) -> Result<(), Fault> {
    let (kind, key, region) = thing.key();
    tx.sql.prepare_cached("INSERT OR REPLACE INTO touch VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?.execute(params![
        kind,
        key,
        region,
        signed(touch.generation.0),
        nanos(touch.at),
        touch.did,
        touch.by,
        touch.operation.map(hex),
    ])?;
    Ok(())
}

/// Who last changed a thing.
pub(super) fn touched(tx: &Tx<'_>, thing: Thing<'_>) -> Result<Option<Touch>, Fault> {
    let (kind, key, region) = thing.key();
    let found = tx
        .sql
        .prepare_cached(
            "SELECT generation, at, did, by, operation FROM touch WHERE kind = ? AND key = ? AND region = ?",
        )?
        .query_row(params![kind, key, region], |row| {
            let operation: Option<String> = row.get(4)?;
            let generation: i64 = row.get(0)?;
            let touch = Touch {
                generation: Generation(super::rows::unsigned(generation)),
                at: time(row.get(1)?),
                did: row.get(2)?,
                by: row.get(3)?,
                operation: None,
            };
            Ok((touch, operation))
        })
        .optional()?;
    let Some((mut touch, operation)) = found else { return Ok(None) };
    touch.operation = operation.map(|id| parse("operation id", &id)).transpose()?;
    Ok(Some(touch))
}

/// Refuses a proposal when what it touches was changed after it was worked out.
pub(super) fn check(tx: &Tx<'_>, proposal: &Proposal, at: Timestamp) -> Result<(), Fault> {
    let services = proposal.assignments.keys().map(|(service, region)| Thing::Service(service, region));
    let stacks = proposal.stacks.keys().map(Thing::Stack);
    let hosts = proposal.hosts.keys().map(Thing::Host);
    // One clause per change: a deploy that touched many services is said once.
    let mut clauses: Vec<(Touch, Vec<String>)> = Vec::new();
    for thing in services.chain(stacks).chain(hosts) {
        let Some(touch) = touched(tx, thing)?.filter(|touch| touch.generation > proposal.base) else { continue };
        match clauses.iter_mut().find(|(known, _)| *known == touch) {
            Some((_, things)) => things.push(thing.to_string()),
            None => clauses.push((touch, vec![thing.to_string()])),
        }
    }
    if clauses.is_empty() {
        return Ok(());
    }
    let changes = clauses.into_iter().map(|(touch, things)| clause(&touch, &things, at)).collect();
    Err(StoreError::Conflict(Conflict { changes }).into())
}

fn clause(touch: &Touch, things: &[String], now: Timestamp) -> String {
    let subject = match things {
        [one] => format!("{one} was"),
        [one, two] => format!("{one} and {two} were"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more were", rest.len()),
        [] => "something was".to_owned(),
    };
    let by = Text::new(&touch.by);
    let ago = age(now.duration_since(touch.at).as_secs());
    let operation = touch.operation.map(|id| format!(" (op {})", id.short())).unwrap_or_default();
    format!("{subject} {} by {by} {ago} ago{operation}", Text::new(&touch.did))
}

/// Refuses a revision whose number is no higher than the last one's. It may leave some out: those that containers have which
/// are on the hosts since an earlier life of the stack, or from before the store was lost.
pub(super) fn later_revision(last: Option<&Revision>, revision: &Revision, at: Timestamp) -> Result<(), StoreError> {
    let Some(last) = last.filter(|last| revision.no <= last.no) else { return Ok(()) };
    let (service, no) = (&revision.service, last.no);
    let age = age(at.duration_since(last.at).as_secs());
    let changes =
        vec![format!("{service} got revision {no} ({}) by {} {age} ago", Text::new(&last.note), Text::new(&last.by))];
    Err(StoreError::Conflict(Conflict { changes }))
}

/// What an intent did to a service in a region, or to a stack or host, in the past tense.
pub(super) fn did(intent: &Intent, thing: Thing<'_>) -> String {
    match (intent, thing) {
        (Intent::Scale { changes }, Thing::Service(service, region)) => changes
            .iter()
            .find(|change| change.service == *service && change.region == *region)
            .map_or_else(|| "scaled".to_owned(), |change| format!("scaled {} → {}", change.from, change.to)),
        (Intent::Scale { .. }, _) => "scaled".to_owned(),
        (Intent::Deploy { .. }, _) => "deployed".to_owned(),
        (Intent::Remove { .. }, _) => "removed".to_owned(),
        (Intent::Restart { .. }, _) => "restarted".to_owned(),
        (Intent::Migrate { to, .. }, _) => format!("migrated to {to}"),
        (Intent::Rollback { .. }, _) => "rolled back".to_owned(),
        (Intent::Rebalance { .. }, _) => "rebalanced".to_owned(),
        (Intent::Adopt { .. }, _) => "adopted".to_owned(),
        (Intent::Prune { .. }, _) => "pruned".to_owned(),
        (Intent::Host { intent: None, .. }, _) => "uncordoned".to_owned(),
        (Intent::Host { intent: Some(HostIntent::Cordoned), .. }, _) => "cordoned".to_owned(),
        (Intent::Host { intent: Some(HostIntent::Draining), .. }, _) => "set to drain".to_owned(),
    }
}
