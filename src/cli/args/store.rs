//! What the commands on the store take.

use clap::{Args, Subcommand};

/// `wharf store …`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Build a lost store again from what the containers on the hosts tell: nothing is restarted
    Rebuild(RebuildArgs),
}

/// `wharf store rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// Build it without this host, which cannot be reached: what runs there is taken away when it comes back; may be
    /// given several times
    #[arg(long, value_name = "HOST")]
    pub without: Vec<String>,
    /// Leave services out that cannot be built again: their containers go on, and proxies send them nothing more
    #[arg(long)]
    pub partly: bool,
    /// Even where there is a store that knows services: it is kept aside
    #[arg(long)]
    pub replace: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Print what would be wanted, and write nothing: exit 0 when there is nothing, 10 when there is something
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}
