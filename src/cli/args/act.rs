//! What commands take that change something.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::StoredKind;

/// What all acting commands take.
#[derive(Debug, Args, Clone)]
pub struct ActArgs {
    /// Do not ask. What is guarded by its name wants that name: `--yes=NAME`
    #[arg(long, short, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub yes: Option<String>,
    /// Confirm what is guarded by its name, without being asked
    #[arg(long, value_name = "NAME", conflicts_with = "yes")]
    pub confirm: Option<String>,
    /// Print the plan and change nothing: exit 0 when nothing would change, 10 when something would
    #[arg(long)]
    pub dry_run: bool,
    /// Return once the command is accepted
    #[arg(long, short)]
    pub detach: bool,
    /// One JSON document: the plan with --dry-run, else the operation
    #[arg(long)]
    pub json: bool,
    /// Stop waiting after this time (the work goes on): `90s`, `10m`
    #[arg(long, value_name = "TIME", default_value = "15m")]
    pub wait: String,
}

/// `wharf deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Compose file; may be given several times, later ones override
    #[arg(short, long = "file", value_name = "FILE", required_unless_present = "images")]
    pub files: Vec<PathBuf>,
    /// The stack's name; without it `name:` of the file or the directory's name
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Another image for a service of a stack that runs, all else as it is; may be given several times. A tag alone
    /// (`web=1.4.2`) keeps the repository
    #[arg(long = "image", value_name = "SERVICE=IMAGE", conflicts_with_all = ["files", "profiles", "env_files"], requires = "stack")]
    pub images: Vec<String>,
    /// Profiles to include
    #[arg(long = "profile", value_name = "NAME")]
    pub profiles: Vec<String>,
    /// Files of variables, instead of `.env` beside the first file
    #[arg(long = "env-file", value_name = "FILE")]
    pub env_files: Vec<PathBuf>,
    /// How it acts
    #[command(flatten)]
    pub act: ActArgs,
}

/// `wharf adopt`.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// The stack: what Docker Compose calls the project
    pub stack: String,
    /// Its Compose file, to compare with what runs; may be given several times, later ones override
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Profiles to include
    #[arg(long = "profile", value_name = "NAME", requires = "files")]
    pub profiles: Vec<String>,
    /// Files of variables, instead of `.env` beside the first file
    #[arg(long = "env-file", value_name = "FILE", requires = "files")]
    pub env_files: Vec<PathBuf>,
    /// How it acts
    #[command(flatten)]
    pub act: ActArgs,
}

/// `wharf scale`.
#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// `shop/web=6`, `shop/web=+2`, `shop/web=-1`, each with `@REGION` or for every region of the service
    #[arg(value_name = "STACK/SERVICE=N[@REGION]", required = true)]
    pub targets: Vec<String>,
    /// How it acts
    #[command(flatten)]
    pub act: ActArgs,
}

/// `wharf restart`.
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// STACK/SERVICE
    #[arg(value_name = "STACK/SERVICE")]
    pub what: String,
    /// Only in this region
    #[arg(long)]
    pub region: Option<String>,
    /// How it acts
    #[command(flatten)]
    pub act: ActArgs,
}

/// `wharf rm`.
#[derive(Debug, Args)]
pub struct RmArgs {
    /// STACK or STACK/SERVICE
    #[arg(value_name = "STACK[/SERVICE]")]
    pub what: String,
    /// How it acts
    #[command(flatten)]
    pub act: ActArgs,
}

/// `wharf migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// STACK, STACK/SERVICE or STACK/SERVICE.SLOT
    #[arg(value_name = "STACK[/SERVICE[.SLOT]]")]
    pub what: String,
    /// The host or region to leave
    #[arg(long, value_name = "HOST|REGION")]
    pub from: String,
    /// The host to go to, or a region for any host of it
    #[arg(long, value_name = "HOST|REGION")]
    pub to: String,
    /// How it acts
    #[command(flatten)]
    pub act: ActArgs,
}

/// `wharf rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// STACK or STACK/SERVICE
    #[arg(value_name = "STACK[/SERVICE]")]
    pub what: String,
    /// A service's revision (`r5`) or a stack's version (`5`), as `wharf history` lists them; without it the newest
    /// earlier one that differs
    #[arg(long, value_name = "REV")]
    pub to: Option<String>,
    /// How it acts
    #[command(flatten)]
    pub act: ActArgs,
}

/// `wharf rebalance`.
#[derive(Debug, Args)]
pub struct RebalanceArgs {
    /// Only this region
    #[arg(value_name = "REGION")]
    pub region: Option<String>,
    /// How it acts
    #[command(flatten)]
    pub act: ActArgs,
}

/// `wharf cordon`, `wharf drain` and `wharf uncordon`.
#[derive(Debug, Args)]
pub struct HostArgs {
    /// The host
    pub host: String,
    /// How it acts
    #[command(flatten)]
    pub act: ActArgs,
}

/// `wharf prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Only these hosts, or the hosts of these regions
    #[arg(value_name = "HOST|REGION")]
    pub hosts: Vec<String>,
    /// Only things of this kind; without it images and networks
    #[arg(long, short, value_enum)]
    pub kind: Vec<StoredKind>,
    /// Only what engines know by this id, or this volume
    #[arg(long)]
    pub id: Vec<String>,
    /// How it acts
    #[command(flatten)]
    pub act: ActArgs,
}

/// `wharf plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The acting command
    #[command(subcommand)]
    pub command: Planned,
}

/// Commands that have a plan.
#[derive(Debug, Subcommand)]
pub enum Planned {
    /// See `wharf deploy`
    Deploy(DeployArgs),
    /// See `wharf scale`
    Scale(ScaleArgs),
    /// See `wharf restart`
    Restart(RestartArgs),
    /// See `wharf rm`
    Rm(RmArgs),
    /// See `wharf migrate`
    Migrate(MigrateArgs),
    /// See `wharf rollback`
    Rollback(RollbackArgs),
    /// See `wharf rebalance`
    Rebalance(RebalanceArgs),
    /// See `wharf cordon`
    Cordon(HostArgs),
    /// See `wharf drain`
    Drain(HostArgs),
    /// See `wharf adopt`
    Adopt(AdoptArgs),
    /// See `wharf prune`
    Prune(PruneArgs),
    /// See `wharf uncordon`
    Uncordon(HostArgs),
}

/// `wharf abort`, `pause` and `resume`.
#[derive(Debug, Args)]
pub struct AbortArgs {
    /// The operation's id, or the end of it
    pub id: String,
}
