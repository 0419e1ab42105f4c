//! Listings of what is written down: operations, revisions, the journal.

use std::{process::ExitCode, time::Duration};

use jiff::Timestamp;

use super::{
    Context, Failure,
    args::{EventsArgs, HistoryArgs, OpsArgs},
    json::{EventRow, OperationRow, RevisionRow},
    print::{self, Align, Table},
};
use crate::{
    model::{JournalEntry, Operation, OperationState, Paused, Revision, StepState, since},
    store::{JournalQuery, OperationQuery, ReadStore},
    text,
};

/// `wharf ops`.
pub(super) async fn ops(context: Context, args: OpsArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    if let Some(id) = &args.id {
        let operation = find(store.as_ref(), id).await?;
        let journal =
            store.journal(JournalQuery { command: Some(operation.id), limit: 200, ..JournalQuery::default() }).await?;
        if args.output.json {
            print::json(&OperationRow::new(&operation));
        } else {
            show(&operation, &journal);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let query = OperationQuery { open_only: args.open, limit: args.limit, ..OperationQuery::default() };
    let operations = store.operations(query).await?;
    if args.output.json {
        print::json(&operations.iter().map(OperationRow::new).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    if operations.is_empty() {
        print::line("no operations yet");
        return Ok(ExitCode::SUCCESS);
    }
    let now = Timestamp::now();
    let mut table = Table::new(&[
        ("ID", Align::Left),
        ("STATE", Align::Left),
        ("DONE", Align::Right),
        ("AGE", Align::Right),
        ("BY", Align::Left),
        ("WHAT", Align::Left),
        ("NOTE", Align::Left),
    ]);
    for operation in &operations {
        let (done, total) = operation.done_of_total();
        table.row(vec![
            operation.id.short(),
            format!("{} {}", glyph(operation), operation.word()),
            if total == 0 { "–".into() } else { format!("{done}/{total}") },
            text::age(since(operation.at, now).as_secs().cast_signed()),
            operation.by.clone(),
            operation.intent.summary(),
            note(operation),
        ]);
    }
    table.print();
    Ok(ExitCode::SUCCESS)
}

/// An operation by its id or the end of it.
pub(super) async fn find<S: ReadStore + ?Sized>(store: &S, id: &str) -> Result<Operation, Failure> {
    let found = store.find_operation(id.to_owned()).await?;
    found
        .ok_or_else(|| Failure::Input(format!("there is no operation `{}`; wharf ops lists them", text::Text::new(id))))
}

fn glyph(operation: &Operation) -> &'static str {
    match &operation.state {
        _ if operation.paused.is_some() => "‖",
        OperationState::Accepted => "○",
        OperationState::Running | OperationState::RollingBack { .. } => "◐",
        OperationState::Converged { .. } => "●",
        OperationState::Failed { .. } | OperationState::RolledBack { .. } => "✗",
        OperationState::Aborted { .. } | OperationState::Superseded { .. } => "–",
    }
}

/// `paused by ana@bastion 12:01`, and why where it failed; none while it goes on.
pub(super) fn paused(operation: &Operation) -> Option<String> {
    let Paused { at, by, why } = operation.paused.as_ref()?;
    let time = at.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%H:%M");
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    Some(format!("paused by {by} {time}{why}"))
}

fn note(operation: &Operation) -> String {
    if let Some(paused) = paused(operation) {
        return paused;
    }
    match &operation.state {
        OperationState::Failed { reason, .. }
        | OperationState::RollingBack { reason, .. }
        | OperationState::RolledBack { reason, .. } => reason.to_string(),
        OperationState::Aborted { by, .. } => format!("by {by}"),
        OperationState::Superseded { by, .. } => format!("by {}", by.short()),
        OperationState::Converged { .. } => String::new(),
        OperationState::Accepted | OperationState::Running => {
            let waits: Vec<&str> = operation.progress.values().map(|part| part.waits_for.as_str()).collect();
            waits.join("; ")
        }
    }
}

fn show(operation: &Operation, journal: &[JournalEntry]) {
    print::line(&format!(
        "{} {}  {}  by {}  {}",
        glyph(operation),
        operation.intent.summary(),
        operation.word(),
        operation.by,
        clock(operation.at),
    ));
    print::line(&format!("  id {}  same as: {}", operation.id, operation.equivalent));
    let note = note(operation);
    if !note.is_empty() {
        print::line(&format!("  {note}"));
    }
    for (region, part) in &operation.progress {
        print::line(&format!("  {region}  {}/{}", part.done, part.total));
        for step in &part.steps {
            let mark = match step.state {
                StepState::Waiting => "○",
                StepState::Running => "◐",
                StepState::Done => "●",
                StepState::Failed => "✗",
            };
            print::line(format!("    {mark} {}  {}", step.what, step.detail).trim_end());
        }
    }
    for entry in journal {
        print::line(&journal_line(entry));
    }
}

/// `wharf history`.
pub(super) async fn history(context: Context, args: HistoryArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let desired = store.desired().await?;
    let (stack, service) = match args.what.split_once('/') {
        Some((stack, service)) => (stack, Some(service)),
        None => (args.what.as_str(), None),
    };
    let mut revisions: Vec<&Revision> = desired
        .revisions
        .iter()
        .filter(|(key, _)| key.stack.as_str() == stack && service.is_none_or(|service| key.service.as_str() == service))
        .flat_map(|(_, revisions)| revisions.values().map(AsRef::as_ref))
        .collect();
    if revisions.is_empty() {
        return Err(Failure::Input(format!(
            "there is no revision of `{}`; wharf stacks shows what there is",
            text::Text::new(&args.what)
        )));
    }
    revisions.sort_by(|a, b| b.at.cmp(&a.at).then(b.service.cmp(&a.service)).then(b.no.cmp(&a.no)));
    let placed = |revision: &Revision| {
        let regions = desired.services.get(&revision.service);
        let slots = regions.into_iter().flat_map(|regions| regions.values()).flat_map(|a| a.slots.values());
        slots.filter(|place| place.revision == revision.no).count()
    };
    if args.output.json {
        print::json(&revisions.iter().map(|revision| RevisionRow::new(revision, placed(revision))).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&[
        ("SERVICE", Align::Left),
        ("REV", Align::Left),
        ("VERSION", Align::Right),
        ("PLACED", Align::Right),
        ("AT", Align::Left),
        ("BY", Align::Left),
        ("NOTE", Align::Left),
        ("IMAGE", Align::Left),
    ]);
    for revision in revisions {
        table.row(vec![
            revision.service.to_string(),
            format!("r{}", revision.no),
            revision.version.to_string(),
            placed(revision).to_string(),
            clock(revision.at),
            revision.by.clone(),
            revision.note.clone(),
            revision.image.clone(),
        ]);
    }
    table.print();
    Ok(ExitCode::SUCCESS)
}

/// `wharf events`.
pub(super) async fn events(context: Context, args: EventsArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let mut entries = store.journal(JournalQuery { limit: args.limit, ..JournalQuery::default() }).await?;
    entries.reverse();
    if args.output.json {
        print::json(&entries.iter().map(|entry| EventRow { entry }).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    for entry in &entries {
        print::line(&journal_line(entry));
    }
    if !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    let mut version = store.version().await?;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = store.version().await?;
        if now == version {
            continue;
        }
        version = now;
        let mut newer = store.journal(JournalQuery { limit: 1000, ..JournalQuery::default() }).await?;
        newer.reverse();
        // What was printed last is found again; everything behind it is new.
        let from = entries.last().and_then(|last| newer.iter().rposition(|entry| entry == last)).map_or(0, |at| at + 1);
        for entry in newer.iter().skip(from) {
            print::line(&journal_line(entry));
        }
        entries = newer;
    }
}

fn journal_line(entry: &JournalEntry) -> String {
    let mark = if entry.is_error { "✗" } else { "·" };
    let region = entry.region.as_ref().map_or("", |region| region.as_str());
    let host = entry.host.as_ref().map_or("", |host| host.as_str());
    format!(
        "{}  {mark}  {}  {}  {}",
        clock(entry.at),
        text::pad_right(region, 10),
        text::pad_right(host, 12),
        entry.what
    )
}

/// Local date and time to the second.
pub(super) fn clock(at: Timestamp) -> String {
    at.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
