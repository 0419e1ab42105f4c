//! `wharf store backup`, `restore` and `check`.

use std::process::ExitCode;

use jiff::Timestamp;

use super::{
    Context, Failure,
    args::{BackupArgs, OutputArgs, RestoreArgs},
    confirm, print,
};
use crate::{
    store::{self, Restored},
    text,
};

/// Copies the store while it is in use.
pub(super) fn backup(context: &Context, args: &BackupArgs) -> Result<ExitCode, Failure> {
    let store = &context.fleet.store;
    if args.file == *store {
        return Err(Failure::Input("a copy in the place of the store itself is none: name another file".into()));
    }
    let size = store::backup(store, &args.file)?;
    print::line(&format!("● {} is a copy of {}, {}", args.file.display(), store.display(), text::bytes(size)));
    Ok(ExitCode::SUCCESS)
}

/// Puts a copy back.
pub(super) fn restore(context: &Context, args: &RestoreArgs) -> Result<ExitCode, Failure> {
    let store = &context.fleet.store;
    if !args.yes {
        print::note(&format!(
            "{} takes the place of {}, which is kept aside; what was accepted since that copy was made is not wanted any \
             more, and a reconciler makes the hosts as the copy says",
            args.file.display(),
            store.display()
        ));
        if !confirm::ask("restore it?")? {
            print::note("nothing was changed");
            return Ok(ExitCode::SUCCESS);
        }
    }
    let Restored { aside } = store::restore(store, &args.file, &context.who, Timestamp::now(), context.origin())?;
    match aside {
        Some(aside) => print::line(&format!("● restored; what was there is kept as {}", aside.display())),
        None => print::line("● restored; there was no store"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Looks whether the store is sound.
pub(super) fn check(context: &Context, output: OutputArgs) -> Result<ExitCode, Failure> {
    let store = &context.fleet.store;
    let wrong = store::check(store)?;
    if output.json {
        print::json(&wrong);
    } else if wrong.is_empty() {
        print::line(&format!("● {} is sound", store.display()));
    }
    if wrong.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::Failed(format!(
        "{} is not sound\n  {}\nrestore a copy (wharf store restore FILE), or build it again from the hosts (wharf store \
         rebuild --replace)",
        store.display(),
        wrong.join("\n  ")
    )))
}
