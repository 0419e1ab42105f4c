//! `wharf reconcile`: carries out what was accepted.

use std::{collections::BTreeSet, process::ExitCode, sync::Arc};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Context, Failure, args::ReconcileArgs, print};
use crate::{
    clock::Clock,
    engine::ObserveOptions,
    model::{Fleet, RegionName},
    reconcile::{self, FleetFile, Options},
    store::Store,
    text::Text,
};

/// Runs until a signal, or until idle. SIGTERM and SIGINT finish the running actions; SIGHUP is ignored.
pub(super) async fn run(mut context: Context, args: ReconcileArgs) -> Result<ExitCode, Failure> {
    if args.own_session {
        // Fails only for a process group's leader, which a child started on demand never is.
        if let Err(error) = rustix::process::setsid() {
            print::complain(&format!("the reconciler stays in its starter's session: {error}"));
        }
    }
    let stop = CancellationToken::new();
    listen(&stop).map_err(|error| Failure::Failed(format!("signals cannot be handled: {error}")))?;
    log_to_stderr();
    let mut is_ready = false;
    loop {
        let fleet_file = context.source().and_then(|path| FleetFile::read(&path));
        let regions = if args.regions.is_empty() { None } else { Some(named(&context.fleet, &args.regions)?) };
        let store = context.store()?;
        if !std::mem::replace(&mut is_ready, true) {
            print::line("ready");
        }
        let (base, clock_set) = (Options::new(holder(&context.who)), CancellationToken::new());
        let options = Options {
            regions,
            until_idle: args.until_idle,
            fleet_file: fleet_file.clone(),
            clock_set: Some(clock_set.clone()),
            // It does not jump when somebody sets the machine's: what has run for a second has not run for hours.
            observe: ObserveOptions { clock: Clock::steady(), ..base.observe },
            ..base
        };
        reconcile(context.fleet.clone(), store, options, stop.clone()).await?;
        let has_changed = fleet_file.is_some_and(|file| file.has_changed());
        if stop.is_cancelled() || !(has_changed || clock_set.is_cancelled()) {
            return Ok(ExitCode::SUCCESS);
        }
        if !has_changed {
            continue;
        }
        match Context::load(context.fleet_file.as_deref()) {
            Ok(new) => context = new,
            Err(error) => tracing::error!(%error, "the fleet file has changed and cannot be used; going on as before"),
        }
    }
}

/// The reconciler itself, for this process and for the demo.
pub(super) async fn reconcile(
    fleet: Arc<Fleet>,
    store: Arc<dyn Store>,
    options: Options,
    stop: CancellationToken,
) -> Result<(), Failure> {
    reconcile::run(fleet, store, options, stop).await.map_err(|error| Failure::Failed(error.to_string()))
}

/// Who holds a lease: `login@machine:pid`.
pub(super) fn holder(who: &str) -> Text {
    Text::new(&format!("{who}:{}", std::process::id()))
}

fn named(fleet: &Fleet, names: &[String]) -> Result<BTreeSet<RegionName>, Failure> {
    names
        .iter()
        .map(|name| {
            fleet.regions.iter().map(|region| &region.name).find(|region| region.as_str() == name).cloned().ok_or_else(
                || {
                    let known: Vec<&str> = fleet.regions.iter().map(|region| region.name.as_str()).collect();
                    Failure::Input(format!("there is no region `{name}`; there are: {}", known.join(", ")))
                },
            )
        })
        .collect()
}

fn listen(stop: &CancellationToken) -> std::io::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    // Once someone listens, a hang-up no longer ends the process.
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move { while hang_up.recv().await.is_some() {} });
    Ok(())
}

/// Standard error, where what does not fit is dropped: a disk that is full must not end who works.
struct Log;

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // All of a line or nothing: the rest of one would look like another.
        let _ = std::io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log goes to standard error: a file for one started on demand, the journal under systemd. Other crates are
/// kept at warnings: at debug they would print request bodies with secrets.
pub(super) fn log_to_stderr() {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::new(format!(
        "warn,wharf={}",
        std::env::var("WHARF_LOG").ok().filter(|level| level.chars().all(char::is_alphabetic)).unwrap_or("info".into())
    ));
    let _ = fmt().with_env_filter(filter).with_writer(|| Log).with_ansi(false).try_init();
}
