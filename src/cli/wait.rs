//! Waits for an operation's end, with a progress line on a terminal and plain lines in a pipe.

use std::{process::ExitCode, time::Duration};

use tokio::time::Instant;

use super::{Failure, json::OperationRow, print, records, start::Starter};
use crate::{
    model::{CommandId, HostIntent, Intent, Operation, OperationState, RegionName, drained},
    store::Store,
    text,
};

/// How often the store is asked. One `PRAGMA` when nothing was committed.
const POLL: Duration = Duration::from_millis(50);

/// How often it is made sure that someone holds the leases: a killed reconciler is followed by another.
const CARE: Duration = Duration::from_millis(500);

/// Nobody has begun with it for so long: that is said.
const UNHEARD: Duration = Duration::from_secs(3);

/// In a pipe, a line at most so often.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Reads `90s`, `10m`, `1h 30m`.
pub(super) fn parse(text: &str) -> Result<Duration, Failure> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| Failure::Input(format!("--wait {}: write a time such as 90s or 10m", text::Text::new(text))))
}

/// Waits until the operation is final, or the deadline passed.
pub(super) async fn until_final(
    store: &dyn Store,
    starter: &Starter,
    mut operation: Operation,
    deadline: Duration,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let id = operation.id;
    let regions: Vec<RegionName> = operation.regions().into_iter().collect();
    let mut version = None;
    let mut cared = Instant::now();
    let mut told: Option<(Instant, String)> = None;
    let mut spin = 0_usize;
    while !operation.state.is_final() {
        if began.elapsed() > deadline {
            print::clear_status();
            return Err(Failure::Deadline(format!(
                "{} is not done after {}: {}; it goes on (wharf ops {})",
                operation.intent.summary(),
                text::duration(deadline),
                waits_for(&operation),
                id.short()
            )));
        }
        tokio::time::sleep(POLL).await;
        if cared.elapsed() > CARE {
            starter.ensure(store, &regions).await?;
            cared = Instant::now();
        }
        let now = store.version().await?;
        if version != Some(now) {
            version = Some(now);
            operation = read(store, id).await?;
        }
        let line = progress_line(&operation, began.elapsed());
        if print::is_live() {
            const SPINNER: [&str; 4] = ["◐", "◓", "◑", "◒"];
            spin += 1;
            let glyph = SPINNER.get(spin / 5 % SPINNER.len()).copied().unwrap_or_default();
            print::status(&format!("{glyph} {line}  {}", text::duration(began.elapsed())));
        } else if !as_json && told.as_ref().is_none_or(|(at, last)| *last != line && at.elapsed() > PLAIN_EVERY) {
            print::note(&line);
            told = Some((Instant::now(), line));
        }
    }
    print::clear_status();
    if as_json {
        print::json(&OperationRow::new(&operation));
    }
    let ended = ended(&operation, began.elapsed(), as_json)?;
    if let Intent::Host { host, intent: Some(HostIntent::Draining) } = &operation.intent
        && !as_json
    {
        print::line(&drained(host, store.desired().await?.count_on(host)));
    }
    Ok(ended)
}

async fn read(store: &dyn Store, id: CommandId) -> Result<Operation, Failure> {
    store
        .operation(id)
        .await?
        .ok_or_else(|| Failure::Failed(format!("operation {id} is no longer in the store: was the store replaced?")))
}

/// `scale shop/web east 3 → 30  12/27  waits for: health of web.7`.
fn progress_line(operation: &Operation, elapsed: Duration) -> String {
    let (done, total) = operation.done_of_total();
    let waits = waits_for(operation);
    let waits = if waits.is_empty() && matches!(operation.state, OperationState::Accepted) && elapsed > UNHEARD {
        "a reconciler".to_owned()
    } else {
        waits
    };
    let back = if matches!(operation.state, OperationState::RollingBack { .. }) { "rolling back " } else { "" };
    let mut line = format!("{back}{}  {done}/{total}", operation.intent.summary());
    if let Some(paused) = records::paused(operation) {
        line.push_str("  ");
        line.push_str(&paused);
    } else if !waits.is_empty() {
        line.push_str("  waits for: ");
        line.push_str(&waits);
    }
    line
}

fn waits_for(operation: &Operation) -> String {
    let parts: Vec<&str> =
        operation.progress.values().map(|part| part.waits_for.as_str()).filter(|text| !text.is_empty()).collect();
    parts.join("; ")
}

fn ended(operation: &Operation, elapsed: Duration, quiet: bool) -> Result<ExitCode, Failure> {
    let summary = operation.intent.summary();
    match &operation.state {
        OperationState::Converged { .. } => {
            if !quiet {
                let (done, total) = operation.done_of_total();
                let count = if total == 0 { String::new() } else { format!(", {done}/{total}") };
                print::line(&format!("● {summary}: converged in {}{count}", text::duration(elapsed)));
            }
            Ok(ExitCode::SUCCESS)
        }
        OperationState::Failed { reason, .. } => Err(Failure::Failed(format!("{summary} failed: {reason}"))),
        OperationState::RolledBack { reason, .. } => {
            Err(Failure::Failed(format!("{summary} was rolled back: {reason}")))
        }
        OperationState::Aborted { by, .. } => Err(Failure::Failed(format!("{summary} was aborted by {by}"))),
        OperationState::Superseded { by, .. } => Err(Failure::Conflict(format!(
            "{summary} was superseded by a later command for the same service (wharf ops {})",
            by.short()
        ))),
        OperationState::Accepted | OperationState::Running | OperationState::RollingBack { .. } => {
            Err(Failure::Deadline(format!("{summary} goes on (wharf ops {})", operation.id.short())))
        }
    }
}
