//! The command line: one definition feeds parsing, help, completions and the man page.

mod act;
mod look;
mod store;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::{act::*, look::*, store::*};
use crate::tui::alert::{Alerts, Notify};

/// Terminal operations dashboard for fleets of Docker hosts.
#[derive(Debug, Parser)]
#[command(
    name = "wharf",
    version,
    about = "Terminal operations dashboard for fleets of Docker hosts",
    long_about = "Connects to plain Docker Engines (SSH, TLS, unix socket), shows hosts, stacks and services of all \
                  regions live, and lets you deploy and scale by keyboard and by command.\n\n\
                  Without a command it opens the dashboard. Without a fleet file it shows the engine of the current \
                  Docker context.",
    after_help = "Exit codes: 0 converged · 1 failed or rolled back · 2 bad usage or input · 3 refused: conflicts with \
                  newer state, or not allowed · 4 deadline passed, still going on · 5 no host reachable · 10 a dry run would change \
                  something",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Fleet file; without it $WHARF_FLEET, the config directory, /etc/wharf, then the Docker context
    #[arg(long, global = true, value_name = "FILE")]
    pub fleet: Option<PathBuf>,

    /// Draw with ASCII characters only
    #[arg(long, global = true, env = "WHARF_ASCII", value_parser = clap::builder::FalseyValueParser::new())]
    pub ascii: bool,

    /// Listen to the mouse: the wheel moves, a click selects, a second one opens
    #[arg(long, global = true, env = "WHARF_MOUSE", value_parser = clap::builder::FalseyValueParser::new())]
    pub mouse: bool,

    /// Theme: default, dark, light, high-contrast, color-blind, no-color, one of ~/.config/wharf/themes, or a file
    #[arg(long, global = true, env = "WHARF_THEME", value_name = "NAME")]
    pub theme: Option<String>,

    /// What to do; without one the dashboard opens
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rehearse on a simulated fleet: needs no Docker
    Demo(DemoArgs),
    /// The dashboard, read-only: for a wall screen
    Watch(WatchArgs),
    /// List the hosts
    Hosts(OutputArgs),
    /// List the stacks
    Stacks(OutputArgs),
    /// List replicas
    Ps(PsArgs),
    /// List operations, or show one with its steps
    Ops(OpsArgs),
    /// List the revisions of a stack's services
    History(HistoryArgs),
    /// List what happened: the journal, newest last
    Events(EventsArgs),
    /// List who asked for what, from where, and what came of it; verify or export that
    Audit(AuditArgs),
    /// Say why a service is not healthy, with evidence
    Explain(ExplainArgs),
    /// Show a replica's container, or a host's engine, from the inside; confidences are masked
    Inspect(InspectArgs),
    /// Print what needs what: entries, services, networks
    Graph(GraphArgs),
    /// List images, volumes and networks of the hosts with what uses them
    Storage(StorageArgs),
    /// Print the log of a service's or stack's replicas
    Logs(LogsArgs),
    /// Run a command in a replica, or open a shell in it; ends with the command's exit code
    Exec(ExecArgs),
    /// Run a stack as its Compose file says
    Deploy(DeployArgs),
    /// Change the number of replicas
    Scale(ScaleArgs),
    /// Replace every container of a service, some at a time
    Restart(RestartArgs),
    /// Take a stack or a service away
    Rm(RmArgs),
    /// Move a replica, a service or a stack to another host or region, the new copy first
    Migrate(MigrateArgs),
    /// Run an earlier revision again, as a new one
    Rollback(RollbackArgs),
    /// Move replicas so that services are spread and hosts carry about the same
    Rebalance(RebalanceArgs),
    /// Remove images, networks and volumes that nothing needs
    Prune(PruneArgs),
    /// Give a host no new replicas
    Cordon(HostArgs),
    /// Empty a host: its replicas move away, then it is safe to switch off
    Drain(HostArgs),
    /// Let a host take replicas again
    Uncordon(HostArgs),
    /// Take over a stack that Docker Compose runs, as it runs: nothing is restarted
    Adopt(AdoptArgs),
    /// Show what an acting command would do: `wharf plan scale shop/web=6`
    Plan(PlanArgs),
    /// End an operation; what was wanted before is wanted again
    Abort(AbortArgs),
    /// Let an operation stand still: what has begun goes on, nothing new begins
    Pause(AbortArgs),
    /// Let a paused operation go on
    Resume(AbortArgs),
    /// Carry out what was accepted; runs until it is stopped
    Reconcile(ReconcileArgs),
    /// Work on the fleet file
    #[command(subcommand)]
    Host(HostCommand),
    /// Care for the store: copy it, put a copy back, check it, build it again from the hosts
    #[command(subcommand)]
    Store(StoreCommand),
    /// Check each host and say how to mend what is wrong
    Doctor(OutputArgs),
    /// List the dashboard's commands with their keys, also those of your keys.toml
    Keys,
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page (roff)
    Man,
}

/// How a listing is printed.
#[derive(Debug, Args, Clone, Copy)]
pub struct OutputArgs {
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `wharf demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Hosts, spread over up to eight regions; without it the demo company with 12 hosts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub hosts: Option<u16>,
    /// Containers on each host
    #[arg(long, value_name = "M", default_value_t = 50, requires = "hosts", value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub containers: u16,
    /// Delay of every answer in milliseconds; the demo company has its own
    #[arg(long, value_name = "MS")]
    pub latency: Option<u64>,
    /// Only serve the simulated engines and print the fleet file's path, until it is stopped
    #[arg(long)]
    pub serve: bool,
    /// Open read-only, as `wharf watch` does
    #[arg(long)]
    pub watch: bool,
    /// Without the tour
    #[arg(long)]
    pub no_tour: bool,
}

/// `wharf watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Print all pages of the wall and leave: once every host has answered or failed and proxies were asked twice, for
    /// their rates; after 8 seconds at most
    #[arg(long)]
    pub once: bool,
    /// With --once: only this page
    #[arg(long, value_name = "NAME", requires = "once")]
    pub page: Option<WallPage>,
    /// With --once: everything on the wall as one JSON document
    #[arg(long, requires = "once", conflicts_with = "page")]
    pub json: bool,
    /// Ring the bell when something is newly wrong
    #[arg(long)]
    pub bell: bool,
    /// Send a notification of the desktop then, by the sequence that the terminal knows
    #[arg(long, value_name = "HOW")]
    pub notify: Option<NotifyKind>,
    /// Run a shell command then; it finds the words in $WHARF_ALERTS
    #[arg(long, value_name = "COMMAND")]
    pub on_alert: Option<String>,
}

impl WatchArgs {
    /// The look of the screen with what these say of alerts.
    pub(super) fn look(self, look: super::dashboard::Look) -> super::dashboard::Look {
        let notify = self.notify.map(|kind| match kind {
            NotifyKind::Osc9 => Notify::Osc9,
            NotifyKind::Osc777 => Notify::Osc777,
        });
        super::dashboard::Look { alerts: Alerts { bell: self.bell, notify }, hook: self.on_alert, ..look }
    }
}

/// A page of the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WallPage {
    /// What comes through in all, replicas, the age of the data
    Totals,
    /// What is wrong
    Wrong,
    /// Stacks by regions
    Stacks,
    /// Where traffic comes in: rate, failures, time to an answer
    Entries,
    /// Operations in flight
    Operations,
    /// The last changes, and who asked for them
    Changes,
}

/// How a terminal is asked for a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NotifyKind {
    /// iTerm2, Windows Terminal, WezTerm, kitty, ghostty
    Osc9,
    /// rxvt-unicode, foot, GNOME's terminal
    Osc777,
}

/// `wharf reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// Only these regions; without it all
    #[arg(long = "region", value_name = "NAME")]
    pub regions: Vec<String>,
    /// Leave when nothing is pending
    #[arg(long)]
    pub until_idle: bool,
    /// Leave the terminal's session: what a command does when it starts a reconciler on demand
    #[arg(long, hide = true)]
    pub own_session: bool,
}

/// `wharf host …`.
#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Write a fleet file from the Docker contexts of this machine
    Import {
        /// Where to; without it to standard output. An existing file is added to
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Only these contexts
        #[arg(long = "context", value_name = "NAME")]
        contexts: Vec<String>,
    },
}
