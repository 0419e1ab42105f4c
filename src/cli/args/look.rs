//! What commands take that look, and change nothing.

use clap::Args;

use super::OutputArgs;

/// `wharf ps`.
#[derive(Debug, Args)]
pub struct PsArgs {
    /// STACK or STACK/SERVICE
    #[arg(value_name = "STACK[/SERVICE]")]
    pub what: Option<String>,
    /// How it is printed
    #[command(flatten)]
    pub output: OutputArgs,
    /// Containers of other tools too
    #[arg(long, short)]
    pub all: bool,
}

/// `wharf ops`.
#[derive(Debug, Args)]
pub struct OpsArgs {
    /// An operation's id, or the end of it
    pub id: Option<String>,
    /// How it is printed
    #[command(flatten)]
    pub output: OutputArgs,
    /// How many
    #[arg(long, short = 'n', default_value_t = 20)]
    pub limit: usize,
    /// Only those that are not final
    #[arg(long)]
    pub open: bool,
}

/// `wharf history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// STACK or STACK/SERVICE
    #[arg(value_name = "STACK[/SERVICE]")]
    pub what: String,
    /// How it is printed
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `wharf events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// How it is printed
    #[command(flatten)]
    pub output: OutputArgs,
    /// How many
    #[arg(long, short = 'n', default_value_t = 50)]
    pub limit: usize,
    /// Go on with what happens from now
    #[arg(long, short, conflicts_with = "json")]
    pub follow: bool,
}

/// `wharf explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// STACK or STACK/SERVICE
    #[arg(value_name = "STACK[/SERVICE]")]
    pub what: String,
    /// How it is printed
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `wharf inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// STACK/SERVICE, STACK/SERVICE.SLOT, a container's name, or a host
    #[arg(value_name = "STACK/SERVICE[.SLOT]")]
    pub what: String,
    /// Only a replica on this host
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// How it is printed
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `wharf graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// STACK or STACK/SERVICE; without it everything
    #[arg(value_name = "STACK[/SERVICE]")]
    pub what: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub format: GraphFormat,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GraphFormat {
    /// For people
    Text,
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
    /// One JSON document
    Json,
}

/// `wharf logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// STACK, STACK/SERVICE or STACK/SERVICE.SLOT
    #[arg(value_name = "STACK[/SERVICE[.SLOT]]")]
    pub what: String,
    /// Go on with new lines
    #[arg(long, short)]
    pub follow: bool,
    /// Lines from the end, of each replica
    #[arg(long, short = 'n', default_value_t = 100)]
    pub tail: u32,
    /// Begin each line with its time
    #[arg(long, short)]
    pub timestamps: bool,
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// `wharf exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// STACK/SERVICE or STACK/SERVICE.SLOT: the first replica that runs
    #[arg(value_name = "STACK/SERVICE[.SLOT]")]
    pub what: String,
    /// Only on this host
    #[arg(long)]
    pub host: Option<String>,
    /// No terminal for the command, even at one
    #[arg(long, short = 'T')]
    pub no_tty: bool,
    /// The command; without one, a shell
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// `wharf storage`.
#[derive(Debug, Args)]
pub struct StorageArgs {
    /// Only these hosts
    #[arg(value_name = "HOST")]
    pub hosts: Vec<String>,
    /// How it is printed
    #[command(flatten)]
    pub output: OutputArgs,
    /// Only things of this kind
    #[arg(long, short, value_enum)]
    pub kind: Option<StoredKind>,
    /// Only what nothing uses and nothing keeps
    #[arg(long)]
    pub unused: bool,
    /// Do not let the engines count what volumes take, which can be slow
    #[arg(long)]
    pub quick: bool,
}

/// Kinds of things that hosts keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StoredKind {
    /// Images
    Image,
    /// Volumes
    Volume,
    /// Networks
    Network,
}
