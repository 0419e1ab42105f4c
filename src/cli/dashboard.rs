//! Brings the pure program, the terminal, the hosts and the store together.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior},
};

use super::{Context, Failure, ask, confirm::Gate, hook::Hook, keys, liked, start::Starter, theme};
use crate::{
    app::{Effect, Mode, Msg, State, StoreView, tour::Tour},
    engine::{Attending, Follower, ObserveOptions, Observer, Reader, Sampling, Watching},
    entry::Watch,
    model::{Container, FleetName, HostChange, HostName, HostUpdate, LogBatch, Operation, Owner, Paused, RegionName},
    store::{JournalQuery, OperationQuery, ReadStore, Store, StoreError},
    text::Text,
    tui::{self, alert::Alerts},
};

/// How the screen looks, sounds and listens, as the command line says.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    pub theme: theme::Source,
    pub alerts: Alerts,
    /// Begin with the tour.
    pub tour: bool,
    /// Listen to the mouse from the start.
    pub mouse: bool,
    /// Run by a shell for each alert.
    pub hook: Option<String>,
}

/// How often the store is asked whether anyone committed.
const STORE_POLL: Duration = Duration::from_millis(100);

/// Leases expire without a commit: they are read again after this time.
const LEASES_EVERY: Duration = Duration::from_secs(5);

/// How often it is made sure that open operations have a reconciler.
const CARE: Duration = Duration::from_secs(1);

/// Updates of hosts that wait for the screen.
const UPDATES: usize = 1024;

/// Updates of hosts are handed over together, at most so often: the screen shows ten frames a second at most. One that
/// comes alone does not wait.
const GATHER: Duration = Duration::from_millis(30);

/// Batches of lines on their way to the screen; the follower holds what does not fit.
const BATCHES: usize = 2;

/// `wharf`.
pub(super) async fn open(context: Context, look: Look) -> Result<ExitCode, Failure> {
    let store = context.store()?;
    act(context, store, look, Mode::Normal).await
}

/// The acting dashboard, for a fleet and for the demo.
pub(super) async fn act(context: Context, store: Arc<dyn Store>, look: Look, mode: Mode) -> Result<ExitCode, Failure> {
    let starter = Starter::new(&context);
    let who = context.who.clone();
    let (inbox, outbox) = (mpsc::channel(64), mpsc::channel(64));
    let answers = inbox.0.clone();
    let acting = store.clone();
    let carer = tokio::spawn(care(store.clone(), starter.clone(), answers.clone()));
    let (tell, updates) = mpsc::channel(UPDATES);
    let observer = Arc::new(Observer::start_attending(&context.fleet, tell.clone(), ObserveOptions::default()));
    let (visits, come) = mpsc::channel(1);
    let gate = Gate::new(&context);
    let hand = Hand { store: acting, starter, who, gate, answers, observer: observer.clone(), visits };
    let seeing = Seeing { observer, tell, updates, visits: come };
    let result = show(context, store, look, mode, seeing, inbox, outbox, move |effect| hand.act(effect)).await;
    carer.abort();
    result
}

/// `wharf watch`: no store that accepts, no engine that changes, by type.
pub(super) async fn watch(context: Context, look: Look) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let (tell, updates) = mpsc::channel(UPDATES);
    let observer = Arc::new(Observer::<Watching>::start(&context.fleet, tell.clone(), ObserveOptions::default()));
    let seeing = Seeing { observer, tell, updates, visits: mpsc::channel(1).1 };
    show(context, store, look, Mode::Watch, seeing, mpsc::channel(64), mpsc::channel(64), |_| {}).await
}

/// Runs the terminal until it is left. `change` gets the effects that change something.
#[expect(clippy::too_many_arguments, reason = "everything comes together here")]
async fn show<S: ReadStore + ?Sized, Right: Send + 'static>(
    context: Context,
    store: Arc<S>,
    look: Look,
    mode: Mode,
    Seeing { observer, tell, updates, visits }: Seeing<Right>,
    (inbox, messages): (mpsc::Sender<Msg>, mpsc::Receiver<Msg>),
    (effects, outbox): (mpsc::Sender<Effect>, mpsc::Receiver<Effect>),
    change: impl Fn(Effect) + Send + 'static,
) -> Result<ExitCode, Failure> {
    let (themes, theme) = watch::channel(look.theme.load()?);
    tui::term::hook_panics();
    let mut state = State::new(context.fleet.clone(), context.who.clone(), mode, Timestamp::now());
    state.groups = context.origin().groups;
    keys::remap(&mut state);
    state.tour = look.tour.then(Tour::default);
    state.mouse = look.mouse;
    // What is on a wall is for all.
    if mode != Mode::Watch {
        state.like(liked::load());
    }
    let watches = Watches::new(context.fleet.name.clone(), observer.clone(), tell);
    let (lines, batches) = mpsc::channel(BATCHES);
    let readers = observer.clone();
    let follower = Follower::new(move |host| readers.reader(host), lines);
    let pumps = [
        tokio::spawn(pump_hosts(updates, watches, inbox.clone())),
        tokio::spawn(pump_store(store, inbox.clone())),
        tokio::spawn(pump_logs(batches, inbox.clone())),
        tokio::spawn(run_effects(observer, follower, outbox, inbox.clone(), look.hook, change)),
        tokio::spawn(look.theme.follow(themes, inbox)),
    ];
    let look = tui::Look { theme, alerts: look.alerts };
    // The largest of all futures, kept apart from those that wait for it.
    let result = Box::pin(tui::run_with(state, look, messages, effects, visits)).await;
    for pump in pumps {
        pump.abort();
    }
    result.map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

/// What is seen, with the right to more or without it, and who is given the terminal.
struct Seeing<Right> {
    observer: Arc<Observer<Right>>,
    tell: mpsc::Sender<HostUpdate>,
    updates: mpsc::Receiver<HostUpdate>,
    visits: mpsc::Receiver<tui::Visit>,
}

/// What asks proxies for their counters: one for each host on which a proxy was seen, so that hosts without one are asked
/// nothing. They ask as long as the screen is there.
pub(super) struct Watches<Right> {
    fleet: FleetName,
    observer: Arc<Observer<Right>>,
    tell: mpsc::Sender<HostUpdate>,
    there: BTreeMap<HostName, Watch>,
}

impl<Right> Watches<Right> {
    /// None yet; what they see goes to `tell`.
    pub(super) fn new(fleet: FleetName, observer: Arc<Observer<Right>>, tell: mpsc::Sender<HostUpdate>) -> Self {
        Self { fleet, observer, tell, there: BTreeMap::new() }
    }

    /// Begins to ask the proxy of a host where there is news of one.
    pub(super) fn look(&mut self, update: &HostUpdate) {
        let is_proxy = |container: &Container| container.owner == Owner::Proxy;
        let has_proxy = match &update.change {
            HostChange::Listed { containers, .. } => containers.iter().any(is_proxy),
            HostChange::Container(container) => is_proxy(container),
            _ => false,
        };
        if has_proxy
            && !self.there.contains_key(&update.host)
            && let Some(reader) = self.observer.reader(&update.host)
        {
            let watch = Watch::start(self.fleet.clone(), reader, self.tell.clone());
            self.there.insert(update.host.clone(), watch);
        }
    }
}

async fn pump_hosts<Right>(
    mut updates: mpsc::Receiver<HostUpdate>,
    mut watches: Watches<Right>,
    inbox: mpsc::Sender<Msg>,
) {
    let mut until = Instant::now();
    while let Some(first) = updates.recv().await {
        watches.look(&first);
        let mut batch = vec![first];
        while batch.len() < UPDATES
            && let Ok(Some(update)) = tokio::time::timeout_at(until, updates.recv()).await
        {
            watches.look(&update);
            batch.push(update);
        }
        until = Instant::now() + GATHER;
        if inbox.send(Msg::Hosts(batch)).await.is_err() {
            return;
        }
    }
}

async fn pump_logs(mut batches: mpsc::Receiver<LogBatch>, inbox: mpsc::Sender<Msg>) {
    while let Some(batch) = batches.recv().await {
        if inbox.send(Msg::Logs(Box::new(batch))).await.is_err() {
            return;
        }
    }
}

async fn pump_store<S: ReadStore + ?Sized>(store: Arc<S>, inbox: mpsc::Sender<Msg>) {
    let mut poll = tokio::time::interval(STORE_POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen: Option<(u64, Instant)> = None;
    let mut shown: Option<Arc<StoreView>> = None;
    loop {
        poll.tick().await;
        let message = match store.version().await {
            Ok(version) => {
                if seen.is_some_and(|(last, at)| last == version && at.elapsed() < LEASES_EVERY) {
                    continue;
                }
                seen = Some((version, Instant::now()));
                match read(store.as_ref()).await {
                    Ok(view) if shown.as_deref() == Some(&view) => continue,
                    Ok(view) => {
                        let view = Arc::new(view);
                        shown = Some(view.clone());
                        Msg::Store(view)
                    }
                    Err(error) => Msg::StoreFailed(error),
                }
            }
            Err(error) => Msg::StoreFailed(Text::new(&error.to_string())),
        };
        let failed = matches!(message, Msg::StoreFailed(_));
        if inbox.send(message).await.is_err() {
            return;
        }
        if failed {
            seen = None;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What the screen needs of the store.
pub(super) async fn read<S: ReadStore + ?Sized>(store: &S) -> Result<StoreView, Text> {
    let view = async {
        Ok(StoreView {
            desired: store.desired().await?,
            operations: store.operations(OperationQuery::default()).await?,
            leases: store.leases().await?,
            journal: store.journal(JournalQuery { limit: 500, ..JournalQuery::default() }).await?,
        })
    };
    view.await.map_err(|error: crate::store::StoreError| Text::new(&error.to_string()))
}

async fn run_effects<Right>(
    observer: Arc<Observer<Right>>,
    mut follower: Follower,
    mut outbox: mpsc::Receiver<Effect>,
    answers: mpsc::Sender<Msg>,
    hook: Option<String>,
    change: impl Fn(Effect),
) {
    let hook = hook.map(Hook::new);
    while let Some(effect) = outbox.recv().await {
        match effect {
            Effect::Resync(host) => observer.resync(&host),
            Effect::Reconnect(host) => observer.reconnect(&host),
            Effect::Follow(query) => follower.follow(query),
            Effect::Unfollow => follower.stop(),
            Effect::Ask(host, container) => {
                tokio::spawn(ask::evidence(observer.reader(&host), container, answers.clone()));
            }
            Effect::Survey(hosts) => {
                let readers: Vec<Reader> = hosts.iter().filter_map(|host| observer.reader(host)).collect();
                tokio::spawn(ask::survey(readers, answers.clone()));
            }
            Effect::Inspect(question) => {
                tokio::spawn(ask::inside(observer.reader(question.subject.host()), question, answers.clone()));
            }
            Effect::Sample { shown, round } => {
                observer.sample(Sampling { fast: shown.into_iter().collect(), rest: round });
            }
            Effect::Remember(prefs) => liked::save(&prefs),
            Effect::Alert(alerts) => hook.iter().for_each(|hook| hook.run(&alerts)),
            effect if effect.mutates() => change(effect),
            // The terminal's own: handled before they come here.
            _ => {}
        }
    }
}

/// Makes sure, as long as an operation is open, that someone carries it out: a killed reconciler is followed by another.
async fn care(store: Arc<dyn Store>, starter: Starter, answers: mpsc::Sender<Msg>) {
    let mut round = tokio::time::interval(CARE);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = false;
    loop {
        round.tick().await;
        let query = OperationQuery { open_only: true, ..OperationQuery::default() };
        let Ok(open) = store.operations(query).await else { continue };
        let regions: std::collections::BTreeSet<RegionName> =
            open.iter().flat_map(crate::model::Operation::regions).collect();
        let regions: Vec<RegionName> = regions.into_iter().collect();
        if let Err(error) = starter.ensure(store.as_ref(), &regions).await {
            // Once is enough: the header shows that nobody holds the lease.
            if !told && answers.send(Msg::Failed(Text::new(&error.to_string()))).await.is_err() {
                return;
            }
            told = true;
        } else {
            told = false;
        }
    }
}

/// The hand that changes things: the store accepts, a reconciler is made sure of.
struct Hand {
    store: Arc<dyn Store>,
    starter: Starter,
    who: String,
    gate: Gate,
    answers: mpsc::Sender<Msg>,
    observer: Arc<Observer<Attending>>,
    visits: mpsc::Sender<tui::Visit>,
}

impl Hand {
    fn act(&self, effect: Effect) {
        let (store, starter, who, answers) =
            (self.store.clone(), self.starter.clone(), self.who.clone(), self.answers.clone());
        let (visits, gate) = (self.visits.clone(), self.gate.clone());
        let console = match &effect {
            Effect::Visit(visit) => self.observer.console(&visit.host),
            _ => None,
        };
        tokio::spawn(async move {
            let message = match effect {
                Effect::Visit(wanted) => match super::visit::open(wanted, console, store, (gate, who), visits).await {
                    Ok(()) => return,
                    Err(why) => Msg::Failed(why),
                },
                Effect::Apply(proposal) => {
                    let answer = store.accept(*proposal, who, Timestamp::now()).await;
                    if let Ok(operation) = &answer {
                        let regions: Vec<RegionName> = operation.regions().into_iter().collect();
                        if !operation.state.is_final()
                            && let Err(error) = starter.ensure(store.as_ref(), &regions).await
                        {
                            let _ = answers.send(Msg::Failed(Text::new(&error.to_string()))).await;
                        }
                    }
                    Msg::Applied(answer.map(Box::new).map_err(|error| Text::new(&error.to_string())))
                }
                Effect::Abort(id) => match store.abort(id, Text::new(&who), Timestamp::now()).await {
                    Ok(operation) => Msg::Say(Text::new(&format!(
                        "aborted {}; what was wanted before is wanted again",
                        operation.intent.summary()
                    ))),
                    Err(error) => Msg::Failed(Text::new(&error.to_string())),
                },
                Effect::Pause(id) => {
                    let paused = Paused { at: Timestamp::now(), by: Text::new(&who), why: Text::default() };
                    told(store.pause(id, paused).await, "paused")
                }
                Effect::Resume(id) => told(store.resume(id, Text::new(&who), Timestamp::now()).await, "resumed"),
                _ => return,
            };
            let _ = answers.send(message).await;
        });
    }
}

fn told(answer: Result<Operation, StoreError>, did: &str) -> Msg {
    match answer {
        Ok(operation) => Msg::Say(Text::new(&format!("{did} {}", operation.intent.summary()))),
        Err(error) => Msg::Failed(Text::new(&error.to_string())),
    }
}
