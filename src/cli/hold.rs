//! `wharf pause` and `wharf resume`: an operation stands still, and goes on.

use std::process::ExitCode;

use jiff::Timestamp;

use super::{Context, Failure, args::AbortArgs, print, records, start::Starter};
use crate::{
    model::{Operation, Paused, RegionName},
    store::Store,
    text::Text,
};

/// `wharf pause`.
pub(super) async fn pause(context: Context, args: AbortArgs) -> Result<ExitCode, Failure> {
    let store = context.store()?;
    let operation = open(store.as_ref(), &args.id, "pause").await?;
    if let Some(words) = records::paused(&operation) {
        print::line(&format!("{} is {words} already", operation.intent.summary()));
        return Ok(ExitCode::SUCCESS);
    }
    let paused = Paused { at: Timestamp::now(), by: Text::new(&context.who), why: Text::default() };
    store.pause(operation.id, paused).await?;
    let (summary, id) = (operation.intent.summary(), operation.id.short());
    print::line(&format!("paused {summary}; what has begun goes on, nothing new begins (wharf resume {id})"));
    Ok(ExitCode::SUCCESS)
}

/// `wharf resume`.
pub(super) async fn resume(context: Context, args: AbortArgs) -> Result<ExitCode, Failure> {
    let store = context.store()?;
    let operation = open(store.as_ref(), &args.id, "resume").await?;
    if operation.paused.is_none() {
        print::line(&format!("{} is not paused", operation.intent.summary()));
        return Ok(ExitCode::SUCCESS);
    }
    store.resume(operation.id, Text::new(&context.who), Timestamp::now()).await?;
    let regions: Vec<RegionName> = operation.regions().into_iter().collect();
    Starter::new(&context).ensure(store.as_ref(), &regions).await?;
    print::line(&format!("resumed {}; its deadlines count from now", operation.intent.summary()));
    Ok(ExitCode::SUCCESS)
}

/// The operation of this id, if it still goes on.
async fn open(store: &dyn Store, id: &str, what: &str) -> Result<Operation, Failure> {
    let operation = records::find(store, id).await?;
    if operation.state.is_final() {
        let (id, word) = (operation.id.short(), operation.state.word());
        return Err(Failure::Input(format!("operation {id} is {word} already: there is nothing to {what}")));
    }
    Ok(operation)
}
