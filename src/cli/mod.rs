//! Command line: one file per group of commands.

mod act;
mod adopt;
mod args;
mod ask;
mod audit;
mod care;
mod confirm;
mod context;
mod dashboard;
mod demo;
mod deploy;
mod doctor;
mod exec;
mod explain;
mod failure;
mod graph;
mod hold;
mod hook;
mod host;
mod inspect;
mod json;
mod keys;
mod liked;
mod logs;
mod look;
mod manual;
mod moves;
mod plan_text;
mod print;
mod read;
mod rebuild;
mod records;
mod replicas;
mod serve;
mod start;
mod storage;
mod store;
mod targets;
mod theme;
mod visit;
mod wait;
mod wall;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use args::Cli;
pub use failure::Failure;

use args::{Command, HostCommand, Planned, StoreCommand};
use context::Context;

use crate::model::HostIntent;

/// Parses the arguments, does what they say, and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // A closed pipe is no reason to complain.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::complain(&format!("the runtime does not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(run(cli));
    // A hung host must not keep the program from leaving.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match result {
        Ok(code) => code,
        Err(failure) => {
            print::complain(&failure.to_string());
            ExitCode::from(failure.code())
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let look = || dashboard::Look {
        theme: theme::Source::new(cli.theme.clone(), cli.ascii),
        mouse: cli.mouse,
        ..Default::default()
    };
    let context = || Context::load(cli.fleet.as_deref());
    match cli.command {
        None => dashboard::open(context()?, look()).await,
        Some(Command::Demo(args)) => demo::run(args, look()).await,
        Some(Command::Watch(args)) if args.once => wall::once(context()?, args).await,
        Some(Command::Watch(args)) => dashboard::watch(context()?, args.look(look())).await,
        Some(Command::Hosts(output)) => read::hosts(context()?, output).await,
        Some(Command::Stacks(output)) => read::stacks(context()?, output).await,
        Some(Command::Ps(args)) => replicas::ps(context()?, args).await,
        Some(Command::Ops(args)) => records::ops(context()?, args).await,
        Some(Command::History(args)) => records::history(context()?, args).await,
        Some(Command::Events(args)) => records::events(context()?, args).await,
        Some(Command::Explain(args)) => explain::run(context()?, args).await,
        Some(Command::Storage(args)) => storage::run(context()?, args).await,
        Some(Command::Inspect(args)) => inspect::run(context()?, args).await,
        Some(Command::Graph(args)) => graph::run(context()?, args).await,
        Some(Command::Logs(args)) => logs::run(context()?, args).await,
        Some(Command::Exec(args)) => exec::run(context()?, args).await,
        Some(Command::Deploy(args)) => deploy::run(context()?, args).await,
        Some(Command::Scale(args)) => act::scale(context()?, args).await,
        Some(Command::Restart(args)) => act::restart(context()?, args).await,
        Some(Command::Rm(args)) => act::rm(context()?, args).await,
        Some(Command::Migrate(args)) => moves::migrate(context()?, args).await,
        Some(Command::Rollback(args)) => moves::rollback(context()?, args).await,
        Some(Command::Rebalance(args)) => moves::rebalance(context()?, args).await,
        Some(Command::Prune(args)) => storage::prune(context()?, args).await,
        Some(Command::Cordon(args)) => act::host(context()?, args, Some(HostIntent::Cordoned)).await,
        Some(Command::Drain(args)) => act::host(context()?, args, Some(HostIntent::Draining)).await,
        Some(Command::Uncordon(args)) => act::host(context()?, args, None).await,
        Some(Command::Adopt(args)) => adopt::run(context()?, args).await,
        Some(Command::Plan(plan)) => planned(context()?, plan.command).await,
        Some(Command::Abort(args)) => act::abort(context()?, args).await,
        Some(Command::Pause(args)) => hold::pause(context()?, args).await,
        Some(Command::Resume(args)) => hold::resume(context()?, args).await,
        Some(Command::Reconcile(args)) => serve::run(context()?, args).await,
        Some(Command::Host(HostCommand::Import { output, contexts })) => host::import(output.as_deref(), &contexts),
        Some(Command::Store(StoreCommand::Rebuild(args))) => rebuild::run(context()?, args).await,
        Some(Command::Store(StoreCommand::Backup(args))) => store::backup(&context()?, &args),
        Some(Command::Store(StoreCommand::Restore(args))) => store::restore(&context()?, &args),
        Some(Command::Store(StoreCommand::Check(output))) => store::check(&context()?, output),
        Some(Command::Audit(args)) => audit::run(context()?, args).await,
        Some(Command::Doctor(output)) => doctor::run(context()?, output).await,
        Some(Command::Completions { shell }) => Ok(manual::completions(shell, &mut Cli::command())),
        Some(Command::Keys) => keys::run(),
        Some(Command::Man) => manual::man(Cli::command()),
    }
}

/// `wharf plan …` is the acting command with `--dry-run`.
async fn planned(context: Context, command: Planned) -> Result<ExitCode, Failure> {
    match command {
        Planned::Deploy(mut args) => {
            args.act.dry_run = true;
            deploy::run(context, args).await
        }
        Planned::Prune(mut args) => {
            args.act.dry_run = true;
            storage::prune(context, args).await
        }
        Planned::Adopt(mut args) => {
            args.act.dry_run = true;
            adopt::run(context, args).await
        }
        Planned::Scale(mut args) => {
            args.act.dry_run = true;
            act::scale(context, args).await
        }
        Planned::Restart(mut args) => {
            args.act.dry_run = true;
            act::restart(context, args).await
        }
        Planned::Rm(mut args) => {
            args.act.dry_run = true;
            act::rm(context, args).await
        }
        Planned::Migrate(mut args) => {
            args.act.dry_run = true;
            moves::migrate(context, args).await
        }
        Planned::Rollback(mut args) => {
            args.act.dry_run = true;
            moves::rollback(context, args).await
        }
        Planned::Rebalance(mut args) => {
            args.act.dry_run = true;
            moves::rebalance(context, args).await
        }
        Planned::Cordon(mut args) => {
            args.act.dry_run = true;
            act::host(context, args, Some(HostIntent::Cordoned)).await
        }
        Planned::Drain(mut args) => {
            args.act.dry_run = true;
            act::host(context, args, Some(HostIntent::Draining)).await
        }
        Planned::Uncordon(mut args) => {
            args.act.dry_run = true;
            act::host(context, args, None).await
        }
    }
}
