//! Brings the pure program, the terminal, the hosts and the store together.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};

use super::{Context, Failure, start::Starter};
use crate::{
    app::{Effect, Mode, Msg, State, StoreView},
    engine::{ObserveOptions, Observer, Sampling, Watching},
    entry::Watch,
    model::{Container, FleetName, HostChange, HostName, HostUpdate, Operation, Owner, Paused, RegionName},
    store::{JournalQuery, OperationQuery, ReadStore, Store, StoreError},
    text::Text,
    tui,
};

/// How the screen looks, as the command line says.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    pub ascii: bool,
    pub theme: Option<String>,
}

impl Look {
    /// A theme of that name, or the file at that path.
    fn theme(&self) -> Result<tui::Theme, Failure> {
        let wrong = |error: tui::theme::ThemeError| Failure::Input(error.to_string());
        let file =
            self.theme.as_deref().filter(|name| name.contains('/') || std::path::Path::new(name).extension().is_some());
        let mut theme = match file {
            None => tui::Theme::from_environment(self.theme.as_deref()).map_err(wrong)?,
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Failure::Input(format!("the theme {path} cannot be read: {error}")))?;
                text.parse().map_err(|error| Failure::Input(format!("{path}: {}", wrong(error))))?
            }
        };
        theme.ascii |= self.ascii;
        Ok(theme)
    }
}

/// How often the store is asked whether anyone committed.
const STORE_POLL: Duration = Duration::from_millis(100);

/// Leases expire without a commit: they are read again after this time.
const LEASES_EVERY: Duration = Duration::from_secs(5);

/// How often it is made sure that open operations have a reconciler.
const CARE: Duration = Duration::from_secs(1);

/// Updates of hosts are handed over together, at most so often: the screen shows ten frames a second at most.
const GATHER: Duration = Duration::from_millis(30);

/// The slow round of statistics for everything that is not on the screen.
const SLOW_STATS: Duration = Duration::from_secs(30);

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
    let hand = Hand { store: acting, starter, who, answers };
    let result = show(context, store, look, mode, inbox, outbox, move |effect| hand.act(effect)).await;
    carer.abort();
    result
}

/// `wharf watch`: no store that accepts, no engine that changes, by type.
pub(super) async fn watch(context: Context, look: Look) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    show(context, store, look, Mode::Watch, mpsc::channel(64), mpsc::channel(64), |_| {}).await
}

/// Runs the terminal until it is left. `change` gets the effects that change something.
async fn show<S: ReadStore + ?Sized>(
    context: Context,
    store: Arc<S>,
    look: Look,
    mode: Mode,
    (inbox, messages): (mpsc::Sender<Msg>, mpsc::Receiver<Msg>),
    (effects, outbox): (mpsc::Sender<Effect>, mpsc::Receiver<Effect>),
    change: impl Fn(Effect) + Send + 'static,
) -> Result<ExitCode, Failure> {
    let theme = look.theme()?;
    tui::term::hook_panics();
    let state = State::new(context.fleet.clone(), context.who.clone(), mode, Timestamp::now());
    let (tx, updates) = mpsc::channel(1024);
    let observer = Observer::<Watching>::start(&context.fleet, tx.clone(), ObserveOptions::default());
    observer.sample(Sampling { fast: std::collections::BTreeSet::new(), rest: Some(SLOW_STATS) });
    let observer = Arc::new(observer);
    let watches =
        Watches { fleet: context.fleet.name.clone(), observer: observer.clone(), tell: tx, there: BTreeMap::new() };
    let pumps = [
        tokio::spawn(pump_hosts(updates, watches, inbox.clone())),
        tokio::spawn(pump_store(store, inbox.clone())),
        tokio::spawn(run_effects(observer, outbox, inbox, change)),
    ];
    let result = tui::run(state, theme, messages, effects).await;
    for pump in pumps {
        pump.abort();
    }
    result.map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

/// What asks proxies for their counters: one for each host on which a proxy was seen, so that hosts without one are asked
/// nothing. They ask as long as the screen is there.
struct Watches {
    fleet: FleetName,
    observer: Arc<Observer<Watching>>,
    tell: mpsc::Sender<HostUpdate>,
    there: BTreeMap<HostName, Watch>,
}

impl Watches {
    fn look(&mut self, update: &HostUpdate) {
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

async fn pump_hosts(mut updates: mpsc::Receiver<HostUpdate>, mut watches: Watches, inbox: mpsc::Sender<Msg>) {
    while let Some(first) = updates.recv().await {
        watches.look(&first);
        let mut batch = vec![first];
        let until = Instant::now() + GATHER;
        while let Ok(Some(update)) = tokio::time::timeout_at(until, updates.recv()).await {
            watches.look(&update);
            batch.push(update);
        }
        if inbox.send(Msg::Hosts(batch)).await.is_err() {
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

async fn read<S: ReadStore + ?Sized>(store: &S) -> Result<StoreView, Text> {
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

async fn run_effects(
    observer: Arc<Observer<Watching>>,
    mut outbox: mpsc::Receiver<Effect>,
    answers: mpsc::Sender<Msg>,
    change: impl Fn(Effect),
) {
    while let Some(effect) = outbox.recv().await {
        match effect {
            Effect::Resync(host) => observer.resync(&host),
            Effect::Reconnect(host) => observer.reconnect(&host),
            Effect::Ask(host, container) => {
                if let Some(reader) = observer.reader(&host) {
                    let answers = answers.clone();
                    tokio::spawn(async move {
                        let evidence = reader.evidence(&container).await;
                        let _ = answers.send(Msg::Evidence(Box::new(evidence))).await;
                    });
                }
            }
            Effect::Sample(shown) => {
                observer.sample(Sampling { fast: shown.into_iter().collect(), rest: Some(SLOW_STATS) });
            }
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
    answers: mpsc::Sender<Msg>,
}

impl Hand {
    fn act(&self, effect: Effect) {
        let (store, starter, who, answers) =
            (self.store.clone(), self.starter.clone(), self.who.clone(), self.answers.clone());
        tokio::spawn(async move {
            let message = match effect {
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
