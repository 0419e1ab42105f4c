//! What must always be true: the twelve of the design, and that all comes to an end. Looked at with the truth of the simulated
//! hosts, past links and faults.

mod books;
mod court;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use wharf::{
    clock::Clock,
    model::{CommandId, Defaults, Desired, Epoch, OperationState, Proposal, RegionName},
    sim::{Engine, Glimpse},
};

/// Which law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// 1. Our own actions never take a service below its number.
    Floor,
    /// 2. No traffic before health, no stop before the drain.
    Traffic,
    /// 3. Every accepted command has exactly one end.
    Commands,
    /// 4. Unknown is not down, and what is healthy and wanted is left alone.
    Unknown,
    /// 5. What is not ours is never touched.
    Foreign,
    /// 6. Never two at once on one region.
    Lease,
    /// 7. A roll-back appends, and restores.
    Rollback,
    /// 8. Images first.
    Images,
    /// 9. Every wait says what for.
    Waits,
    /// 10. Nothing oscillates.
    Oscillation,
    /// 11. The later operator sees the earlier one.
    Operators,
    /// 12. No secret is told.
    Secrets,
    /// What is wanted comes true when the troubles cease.
    Converges,
    /// Nobody panics, no reconciler leaves by itself.
    Alive,
}

/// A law that was broken.
#[derive(Debug, Clone)]
pub struct Broken {
    pub law: Law,
    pub words: String,
    /// Since the beginning.
    pub at: Duration,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:.3} s: {}", self.law, self.at.as_secs_f64(), self.words)
    }
}

/// What happened a moment ago need not be known to anybody yet.
const NEWS: Duration = Duration::from_secs(4);

/// A host as the laws see it.
pub struct Place {
    pub name: String,
    pub region: RegionName,
    pub engine: Arc<Engine>,
}

/// Looks on.
pub struct Laws {
    pub clock: Clock,
    defaults: Defaults,
    hosts: Vec<Place>,
    /// Prints what is asked of the hosts.
    tells: bool,
    books: Mutex<Books>,
}

/// A replica that was seen, wherever it is now.
#[derive(Debug, Clone)]
struct Known {
    service: String,
    slot: String,
    /// When it was last healthy.
    healthy: Option<Timestamp>,
}

/// When a host could not be reached.
#[derive(Debug, Clone, Copy, Default)]
struct Away {
    /// Since when it cannot be, now.
    since: Option<Timestamp>,
    /// When it last could not be.
    last: Option<Timestamp>,
    /// Since when nobody need have seen it: it was back in between for less than it takes to be dialled again.
    unseen: Option<Timestamp>,
}

/// Nobody dials a host again that was lost for more than so long.
const DIALLED: Duration = Duration::from_secs(33);

#[derive(Default)]
struct Books {
    broken: Option<Broken>,
    /// By host, what there is.
    truth: Vec<Vec<Glimpse>>,
    /// By host, how many requests were judged.
    asked: Vec<usize>,
    /// By host, others' containers as they were at first.
    foreign: Vec<Vec<Glimpse>>,
    /// By host, when it could not be reached.
    away: Vec<Away>,
    /// By host: since its images were taken away nothing is said of them.
    is_bare: BTreeSet<usize>,
    known: BTreeMap<(usize, String), Known>,
    /// Containers that were asked to stop, and when.
    stopping: BTreeMap<(usize, String), Timestamp>,
    /// What was wanted, and from when on; the newest last.
    desired: VecDeque<(Timestamp, Arc<Desired>)>,
    /// Operations by id, as last seen.
    operations: BTreeMap<CommandId, OperationState>,
    /// Accepted proposals, in order, with the generation that each made.
    proposals: Vec<(u64, Proposal)>,
    /// Who took a region's lease, in order.
    leases: BTreeMap<RegionName, Vec<(Timestamp, String, Epoch)>>,
    /// Who believes to hold a region, and since when.
    holds: BTreeMap<(RegionName, String), Timestamp>,
    /// Revisions of which a container was made already, by region and service.
    made: BTreeSet<(RegionName, String, String)>,
    /// How often a container of that name was made.
    creates: BTreeMap<String, u32>,
    /// Operations that wait without a word, and since when.
    silent: BTreeMap<(CommandId, RegionName), Timestamp>,
    /// Restarts stop first: services with one, and when it ended; none while it is open.
    restarts: BTreeMap<String, Option<Timestamp>>,
    /// Services that an open operation decides. Others are mended, each replica when its own image is there.
    decided: BTreeSet<String>,
    trace: u64,
    requests: u64,
}
