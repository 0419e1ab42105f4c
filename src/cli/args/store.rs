//! What the commands on the store take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::OutputArgs;

/// `wharf store …`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Build a lost store again from what the containers on the hosts tell: nothing is restarted
    Rebuild(RebuildArgs),
    /// Copy the store to a file, while it is in use
    Backup(BackupArgs),
    /// Put a copy in the place of the store, which is kept aside
    Restore(RestoreArgs),
    /// Look whether the store's file is sound, and what must be true of its content is
    Check(OutputArgs),
}

/// `wharf store backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Where to; an older copy there is replaced when the new one is whole
    pub file: PathBuf,
}

/// `wharf store restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The copy
    pub file: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// `wharf audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// How many
    #[arg(long, short = 'n', default_value_t = 50)]
    pub limit: usize,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
    /// Follow the chain of hashes from its beginning: nothing was changed, removed or put in between
    #[arg(long)]
    pub verify: bool,
    /// Verify, and that an entry of this hash, which was noted elsewhere, is still there
    #[arg(long, value_name = "HASH")]
    pub contains: Option<String>,
    /// Write all of it into a new file, one JSON document a line; `-` for standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["verify", "contains"])]
    pub export: Option<PathBuf>,
    /// Verify an export instead of the store
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    pub of: Option<PathBuf>,
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
