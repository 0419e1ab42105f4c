//! `wharf watch --once`: the wall in words, or as one document.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use jiff::Timestamp;
use tokio::{sync::mpsc, time::Instant};

use super::{
    Context, Failure,
    args::{WallPage, WatchArgs},
    dashboard::{self, Watches},
    json::{HostRow, OperationRow, StackRow},
    look, print, read,
};
use crate::{
    app::{
        Mode, Msg, State,
        faults::Fault,
        flow::Flow,
        update,
        wall::{self, Page},
    },
    engine::{ObserveOptions, Observer, Watching},
    model::{HostChange, HostName, HostUpdate, HostView, Link, Owner},
    text::{self, Text},
};

/// `wharf watch --once --json`.
#[derive(serde::Serialize)]
pub(super) struct Document {
    fleet: String,
    at: Timestamp,
    /// Seconds since the host that is unseen for the longest was seen; 0 when all data is live.
    data_age_seconds: u64,
    /// That host.
    oldest_host: Option<String>,
    totals: Totals,
    hosts: Vec<HostRow>,
    stacks: Vec<StackRow>,
    entries: Vec<EntryRow>,
    wrong: Vec<WrongRow>,
    /// Operations in flight.
    operations: Vec<OperationRow>,
    /// The last operations, newest first, over or not.
    changes: Vec<OperationRow>,
}

#[derive(serde::Serialize)]
struct Totals {
    wanted: u32,
    healthy: u32,
    traffic: Option<Traffic>,
}

/// What comes through the proxies, by two readings of their counters.
#[derive(serde::Serialize)]
struct Traffic {
    requests_per_second: f64,
    failed_percent: Option<f64>,
    answer_ms: Option<u64>,
    sessions: u32,
    /// A proxy that carries it too was not read: it is at least so much.
    partial: bool,
}

#[derive(serde::Serialize)]
struct EntryRow {
    entry: String,
    service: String,
    state: &'static str,
    /// None where no proxy carries it, or none was read twice.
    traffic: Option<Traffic>,
}

#[derive(serde::Serialize)]
struct WrongRow {
    state: &'static str,
    about: String,
    place: String,
    what: String,
}

/// Prints all pages of the wall, one of them, or everything as a document.
pub(super) async fn once(context: Context, args: WatchArgs) -> Result<ExitCode, Failure> {
    let state = seen(context).await?;
    if args.json {
        print::json(&Document::new(&state));
    } else {
        let pages: Vec<Page> = args.page.map_or_else(|| Page::ALL.to_vec(), |page| vec![page.into()]);
        print::out(&written(&state, &pages, print::columns()));
    }
    if !state.observed().hosts.values().any(HostView::is_seen) {
        return Err(Failure::Unreachable("no host can be reached (wharf doctor says how to mend it)".into()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The pages one after another, an empty line between them.
fn written(state: &State, pages: &[Page], cells: usize) -> String {
    let mut out = String::new();
    for (at, page) in pages.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        for line in wall::page(state, *page, cells) {
            out.push_str(line.text().trim_end());
            out.push('\n');
        }
    }
    out
}

/// What the wall would show once every host has answered or failed, and every proxy was read twice, for its rates.
async fn seen(context: Context) -> Result<State, Failure> {
    let store = context.read_store()?;
    let (tell, mut updates) = mpsc::channel(1024);
    let observer = Arc::new(Observer::<Watching>::start(&context.fleet, tell.clone(), ObserveOptions::default()));
    let mut watches = Watches::new(context.fleet.name.clone(), observer, tell);
    let mut state = State::new(context.fleet.clone(), context.who.clone(), Mode::Watch, Timestamp::now());
    let view = dashboard::read(store.as_ref()).await.map_err(|error| Failure::Failed(error.to_string()))?;
    update(&mut state, Msg::Store(Arc::new(view)));
    let mut readings: BTreeMap<HostName, u32> = BTreeMap::new();
    let deadline = Instant::now() + look::PATIENCE;
    while !(look::settled(state.observed()) && are_read(&state, &readings)) {
        let Ok(Some(news)) = tokio::time::timeout_at(deadline, updates.recv()).await else { break };
        watches.look(&news);
        if let HostUpdate { host, change: HostChange::Proxy(Some(_)) } = &news {
            *readings.entry(host.clone()).or_default() += 1;
        }
        update(&mut state, Msg::Tick(Timestamp::now()));
        update(&mut state, Msg::Hosts(vec![news]));
    }
    // Who has said nothing by now is not waited for: that is what is told of it.
    let silent = |host: &HostView| match &host.link {
        Link::Connecting { since, reason } => {
            let why = format!("no answer within {}; ask `wharf doctor`", text::duration(look::PATIENCE));
            let reason = if reason.is_empty() { Text::new(&why) } else { reason.clone() };
            let change = HostChange::Link(Link::Unknown { since: *since, reason });
            Some(HostUpdate { host: host.name.clone(), change })
        }
        Link::Ready { .. } | Link::Slow { .. } | Link::Unknown { .. } => None,
    };
    let silent = state.observed().hosts.values().filter_map(silent).collect();
    update(&mut state, Msg::Tick(Timestamp::now()));
    update(&mut state, Msg::Hosts(silent));
    state.settle();
    Ok(state)
}

/// True when each proxy that can be seen was read twice.
fn are_read(state: &State, readings: &BTreeMap<HostName, u32>) -> bool {
    let with_proxy = state.observed().hosts.values().filter(|host| {
        host.is_seen() && host.containers.values().any(|it| it.owner == Owner::Proxy && it.is_running())
    });
    with_proxy.into_iter().all(|host| readings.get(&host.name).is_some_and(|times| *times >= 2))
}

impl Document {
    pub(super) fn new(state: &State) -> Self {
        let now = state.now;
        let oldest = wall::oldest(state);
        let world = state.world();
        let hosts = state.observed().hosts.values();
        let (total, flow) = (&state.index.total, state.flows().total());
        let row = |way: wall::Way<'_>| EntryRow {
            entry: way.from.clone(),
            service: way.service.to_string(),
            state: way.mark.word(),
            traffic: way.flow.and_then(Traffic::new),
        };
        let wrong = |fault: &Fault| WrongRow {
            state: fault.mark.word(),
            about: fault.about.clone(),
            place: fault.place.clone(),
            what: fault.what.clone(),
        };
        Self {
            fleet: state.fleet.name.to_string(),
            at: now,
            data_age_seconds: oldest.map_or(0, |(since, _)| crate::model::since(since, now).as_secs()),
            oldest_host: oldest.map(|(_, host)| host.to_string()),
            totals: Totals { wanted: total.wanted, healthy: total.healthy, traffic: Traffic::new(&flow) },
            hosts: hosts.map(|host| HostRow::new(host, world.desired.hosts.get(&host.name).copied(), now)).collect(),
            stacks: read::stack_rows(&world),
            entries: wall::ways(state).into_iter().map(row).collect(),
            wrong: state.faults.iter().map(wrong).collect(),
            operations: state.running().map(OperationRow::new).collect(),
            changes: state.operations().iter().take(wall::CHANGES).map(OperationRow::new).collect(),
        }
    }
}

impl Traffic {
    fn new(flow: &Flow) -> Option<Self> {
        let round = |value: f64| (value * 100.0).round() / 100.0;
        Some(Self {
            requests_per_second: round(flow.requests?),
            failed_percent: flow.failed_percent().map(round),
            answer_ms: flow.answer(),
            sessions: flow.sessions,
            partial: flow.is_partial,
        })
    }
}

impl From<WallPage> for Page {
    fn from(page: WallPage) -> Self {
        match page {
            WallPage::Totals => Self::Totals,
            WallPage::Wrong => Self::Wrong,
            WallPage::Stacks => Self::Stacks,
            WallPage::Entries => Self::Entries,
            WallPage::Operations => Self::Operations,
            WallPage::Changes => Self::Changes,
        }
    }
}
