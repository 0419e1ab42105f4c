//! Everything that the screen is drawn from.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    alarms::Alarms,
    balance::Uneven,
    charts::Largest,
    command::{Command, Scope},
    draft::{Changes, Draft},
    faults::Fault,
    filter,
    flow::{Flows, Sums},
    graph::{Graph, Kind},
    history::History,
    ids::Id,
    index::{Changed, Index},
    keymap::Keymap,
    line::Mark,
    logs::{self, Logs},
    msg::{Mode, StoreView},
    news::{Events, News},
    overlay::Overlay,
    pace::Pace,
    planning::Planned,
    prefs::Prefs,
    rows::ReplicaRow,
    screen::{Screen, View, Way},
    settle::Dirty,
    storage::Stores,
    table::Rows,
    tour::Tour,
};
use crate::{
    model::{Container, ContainerId, Fleet, HostName, HostView, Link, Observed, Operation, Rules},
    plan::World,
    text::Text,
};

/// Nothing is an alert so long after the start: what is found then was so before.
const QUIET_START: Duration = Duration::from_secs(15);

/// The pane beside or below the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pane {
    /// What it shows of the selected row.
    pub kind: PaneKind,
    /// The first line that is shown.
    pub top: usize,
    /// True when keys scroll it instead of the list.
    pub focused: bool,
}

/// What a pane shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaneKind {
    /// Everything known.
    Details,
    /// What the service is to run.
    Spec,
}

/// A line for the operator, instead of the hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub text: String,
    /// How it is meant: `Ok` is news, `Failed` is trouble, `Stopped` says why a key did nothing.
    pub mark: Mark,
    /// It goes away by itself then.
    pub until: Timestamp,
}

/// The picture held still.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen {
    /// Since when.
    pub at: Timestamp,
    /// What was seen.
    pub observed: Box<Observed>,
    /// What came through.
    pub flows: Box<Sums>,
    /// What was until then.
    pub history: Box<History>,
    /// What is counted on of what is seen now.
    pub(super) beneath: Box<Index>,
}

/// Everything that the screen is drawn from.
pub struct State {
    /// Regions and hosts.
    pub fleet: Arc<Fleet>,
    /// Login name, `@`, machine.
    pub who: String,
    /// The groups of that login name, where the shell says them: roles may name groups.
    pub groups: BTreeSet<String>,
    /// Who may do what, and what has to be confirmed.
    pub(super) rules: Rules,
    /// What may be done.
    pub mode: Mode,
    /// The last time that was told.
    pub now: Timestamp,
    /// For clocks. UTC unless the shell sets it.
    pub zone: TimeZone,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The terminal window has the focus.
    pub focused: bool,
    /// What is seen now.
    pub(super) live: Observed,
    pub(super) flows: Flows,
    /// The picture held still, when it is.
    pub frozen: Option<Frozen>,
    /// The last reading of the store, operations newest first.
    pub store: Arc<StoreView>,
    /// False before the first reading.
    pub store_read: bool,
    /// Why the store cannot be read, when it cannot.
    pub store_error: Option<Text>,
    pub(super) events: Events,
    /// Events and journal, newest first; made for the events view only.
    pub news: Vec<News>,
    /// Regions that a rebalance would even out.
    pub uneven: Uneven,
    /// Everything counted.
    pub index: Index,
    /// What the next count of what is seen now must look at.
    pub(super) changed: Changed,
    /// How often what is not on the screen is sampled.
    pub pace: Pace,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// Cells that the longest name and the longest place in there take.
    pub(super) fault_cells: (usize, usize),
    /// Of the replicas: many enough that how each fits is noted.
    pub(super) filters: filter::Numbers,
    /// Since when.
    pub alarms: Alarms,
    pub(super) history: History,
    /// What uses most of what charts are shown of; made for the charts only.
    pub largest: Largest,
    /// Alerts are given from then on.
    pub(super) settled_at: Timestamp,
    /// The last key, for a wall that goes back to its page.
    pub(super) last_key: Timestamp,
    /// Where the operator is.
    pub way: Way,
    /// What the graph is drawn from; made for the graph only.
    pub graph: Graph,
    /// The rows of the screen on top.
    pub rows: Rows,
    /// What hosts keep, as far as somebody looked lately.
    pub stores: Stores,
    /// What is followed, while the logs view is on top.
    pub logs: Option<Box<Logs>>,
    /// From when on the logs that are opened next begin.
    pub(super) logs_from: logs::From,
    /// Counts what was followed.
    pub(super) log_generation: u64,
    /// Counts what engines were asked for the page of an inspection.
    pub(super) inspect_number: u64,
    /// What floats above.
    pub overlay: Option<Overlay>,
    /// The pane beside the list.
    pub pane: Option<Pane>,
    /// What is being put together.
    pub draft: Draft,
    /// The draft worked out; none without a draft.
    pub planned: Option<Planned>,
    /// Counts different plans, so that what was shown can be told from what is planned now.
    pub plan_version: u64,
    /// What was asked for and not yet answered, in order.
    pub(super) sent: VecDeque<Changes>,
    /// The line for the operator.
    pub notice: Option<Notice>,
    /// The mouse is listened to, where it means something.
    pub mouse: bool,
    /// The tour, while somebody takes it.
    pub tour: Option<Tour>,
    /// How views are liked.
    pub prefs: Prefs,
    /// Which key means what.
    pub keymap: Keymap,
    pub(super) dirty: Dirty,
    /// What counting everything took last, as the shell measured it.
    pub counting: Duration,
    /// When everything was counted last.
    pub(super) counted: Timestamp,
    /// What was last asked to be sampled: what is on the screen, and the round of the rest.
    pub(super) sampled: (Vec<(HostName, ContainerId)>, Option<Duration>),
    pub(super) last_rows: Timestamp,
    pub(super) last_draw_tick: Timestamp,
}

impl State {
    /// Before anything is known.
    pub fn new(fleet: Arc<Fleet>, who: String, mode: Mode, now: Timestamp) -> Self {
        let live = Observed::unseen(&fleet, now);
        let mut state = Self {
            live,
            flows: Flows::default(),
            uneven: Uneven::default(),
            who,
            groups: BTreeSet::new(),
            rules: fleet.rules(),
            mode,
            now,
            zone: TimeZone::UTC,
            size: (80, 24),
            focused: true,
            frozen: None,
            store: Arc::default(),
            store_read: false,
            store_error: None,
            events: Events::default(),
            news: Vec::new(),
            index: Index::default(),
            changed: Changed::everything(),
            pace: Pace::default(),
            faults: Vec::new(),
            fault_cells: (0, 0),
            filters: filter::Numbers::default(),
            alarms: Alarms::default(),
            history: History::default(),
            largest: Largest::default(),
            settled_at: now.checked_add(QUIET_START).unwrap_or(now),
            last_key: now,
            way: Way::from(if mode == Mode::Watch { View::Wall } else { View::Overview }),
            graph: Graph::default(),
            rows: Rows::default(),
            stores: Stores::default(),
            logs: None,
            logs_from: logs::From::default(),
            log_generation: 0,
            inspect_number: 0,
            overlay: None,
            pane: None,
            draft: Draft::default(),
            planned: None,
            plan_version: 0,
            sent: VecDeque::new(),
            notice: None,
            mouse: false,
            tour: None,
            prefs: Prefs::default(),
            keymap: Keymap::standard(mode),
            dirty: Dirty { index: true, rows: true, news: true, graph: true, ..Dirty::default() },
            counting: Duration::ZERO,
            counted: now,
            sampled: (Vec::new(), None),
            last_rows: now,
            last_draw_tick: now,
            fleet,
        };
        state.settle();
        state
    }

    /// Takes what was remembered of views.
    pub fn like(&mut self, prefs: Prefs) {
        let here = self.way.here_mut();
        *here = prefs.screen(here.clone());
        self.prefs = prefs;
        self.reorder();
    }

    /// Says something that is wrong, from before the first frame.
    pub fn warn(&mut self, text: String) {
        self.say(Mark::Failed, text);
    }

    /// What is shown: what is seen now, or the picture held still.
    pub fn observed(&self) -> &Observed {
        self.frozen.as_ref().map_or(&self.live, |frozen| &frozen.observed)
    }

    /// What comes through the proxies, as it is shown: now, or in the picture held still.
    pub fn flows(&self) -> &Sums {
        self.frozen.as_ref().map_or_else(|| self.flows.sums(), |frozen| &frozen.flows)
    }

    /// What was, as it is shown: until now, or until the picture was held still.
    pub fn history(&self) -> &History {
        self.frozen.as_ref().map_or(&self.history, |frozen| &frozen.history)
    }

    /// The time of what is shown: now, or when the picture was held still.
    pub fn shown_at(&self) -> Timestamp {
        self.frozen.as_ref().map_or(self.now, |frozen| frozen.at)
    }

    /// What planning looks at.
    pub fn world(&self) -> World<'_> {
        World { fleet: &self.fleet, desired: &self.store.desired, observed: &self.live, now: self.now }
    }

    /// The screen on top.
    pub fn screen(&self) -> &Screen {
        self.way.here()
    }

    /// The operations, newest first.
    pub fn operations(&self) -> &[Operation] {
        &self.store.operations
    }

    /// Operations that are not over.
    pub fn running(&self) -> impl Iterator<Item = &Operation> {
        self.operations().iter().filter(|op| !op.state.is_final())
    }

    /// The container of a replica's row.
    pub fn container(&self, row: &ReplicaRow) -> Option<&Container> {
        self.observed().hosts.get(&row.host)?.containers.get(row.container.as_ref()?)
    }

    /// The selected row's place in its list of the index.
    pub fn selected_row(&self) -> Option<usize> {
        self.rows.rows.get(self.screen().row).copied()
    }

    /// The selected replica's row.
    pub fn selected_replica(&self) -> Option<&ReplicaRow> {
        let row = self.selected_row()?;
        let at = if self.screen().view == View::Graph { super::graph::Node::of(row).at } else { row };
        self.index.replicas.get(at)
    }

    /// The selected object.
    pub fn selected(&self) -> Option<&Id> {
        self.screen().selected.as_ref()
    }

    /// A person, short: `you`, or the login name.
    pub fn person<'a>(&self, by: &'a str) -> &'a str {
        if by == self.who { "you" } else { by.split('@').next().unwrap_or(by) }
    }

    /// A time of day with seconds.
    pub fn clock(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// True where the mouse is to be listened to. Where there is text, it is left to the terminal, which selects and copies.
    pub fn wants_mouse(&self) -> bool {
        let text =
            matches!(self.screen().view, View::Logs) || matches!(self.pane, Some(Pane { kind: PaneKind::Spec, .. }));
        self.mouse && !text && !matches!(self.overlay, Some(Overlay::Explain(_)))
    }

    /// The scopes whose keys work now, the narrowest first.
    pub fn scopes(&self) -> Vec<Scope> {
        let view = self.screen().view;
        let mut scopes = vec![Scope::of(view)];
        if view == View::Graph {
            // What is selected there can be worked on as in its own list.
            scopes.extend(match self.selected().and_then(Kind::of) {
                Some(Kind::Stack) => Some(Scope::Stacks),
                Some(Kind::Service) => Some(Scope::Services),
                Some(Kind::Replica) => Some(Scope::Replicas),
                Some(Kind::Host) => Some(Scope::Hosts),
                Some(Kind::Region) | None => None,
            });
        }
        scopes.extend([Scope::List, Scope::Everywhere]);
        scopes
    }

    /// Why a command cannot be used now; none when it can.
    pub fn refused(&self, command: Command) -> Option<String> {
        super::access::refused(self, command)
    }

    /// A container's state in a mark and words.
    pub fn judge(&self, host: &HostName, container: &Container) -> (Mark, std::borrow::Cow<'static, str>) {
        super::status::judge(&self.fleet, &self.store.desired, self.observed(), host, container, self.now).of(container)
    }

    /// True when nothing has been seen yet and hosts are still being reached for the first time.
    pub fn is_starting(&self) -> bool {
        let hosts = &self.observed().hosts;
        let under_way = |host: &HostView| match &host.link {
            Link::Connecting { reason, .. } => reason.is_empty(),
            Link::Ready { .. } | Link::Slow { .. } => true,
            Link::Unknown { .. } => false,
        };
        hosts.values().all(|host| host.listed_at.is_none()) && hosts.values().any(under_way)
    }

    /// True when no host has ever been seen and none is about to be.
    pub fn is_blind(&self) -> bool {
        !self.is_starting() && self.observed().hosts.values().all(|host| host.listed_at.is_none())
    }
}
