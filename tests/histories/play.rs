//! Plays a story.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use http::Method;
use wharf::{
    clock::Clock,
    model::{
        Assignment, Defaults, Desired, Fleet, Generation, OperationState, Proposal, RegionName, Revision, RevisionNo,
        ServiceKey, label,
    },
    plan::Plan,
    sim::{self, Glimpse, ProxyScript, Rule, Span},
    store::{JournalQuery, OperationQuery, ReadStore as _},
};

use super::{
    gate::Gate,
    laws::{Broken, Law, Laws, Place},
    made::run,
    mutants::Mutant,
    notary::Misfortune,
    people::{Operators, Reconciler, SECRET},
    story::{Command, Cut, Fault, Step, Story, What},
    truth::{as_wanted, ends_told, is_ours, model_of},
};

/// When the troubles have ceased, everything comes to its end within this time.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// A history that broke no law; sums of them.
#[derive(Debug, Default)]
pub struct Ended {
    pub histories: u64,
    pub operations: u64,
    pub requests: u64,
    pub seconds: f64,
    /// A number for all that was asked of the hosts, and when.
    pub trace: u64,
}

impl Ended {
    pub fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.operations += other.operations;
        self.requests += other.requests;
        self.seconds += other.seconds;
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { histories, operations, requests, seconds, .. } = self;
        write!(
            f,
            "{histories} histories: {operations} operations, {requests} requests for changes, {:.1} h of their time",
            seconds / 3600.0
        )
    }
}

/// Short times, so that a history is short.
fn defaults() -> Defaults {
    Defaults {
        min_healthy: Duration::from_secs(1),
        healthy_deadline: Duration::from_secs(20),
        progress_deadline: Duration::from_secs(60),
        stop_grace: Duration::from_secs(1),
        suspect_after: Duration::from_secs(3),
        down_after: Duration::from_secs(10),
        restart_backoff: Duration::from_millis(500),
        restart_backoff_max: Duration::from_secs(4),
        drain: Duration::from_secs(2),
        observe: Duration::from_secs(2),
        drain_deadline: Duration::from_secs(60),
        hold: Duration::from_secs(5),
        pull_deadline: Duration::from_secs(30),
        ..Defaults::default()
    }
}

/// Plays it; gives the first law that was broken.
pub fn play(story: &Story, mutant: Option<Mutant>) -> Result<Ended, Broken> {
    fastrand::seed(story.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        // Timers are kept by whole milliseconds since the runtime's start, which was a moment ago by the machine's clock.
        // After one of them the time is a whole one, and so all that follows is the same each time.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut stage = Stage::set(story, mutant).await;
        let ended = stage.play(story).await;
        if stage.laws.tells() {
            println!("{}", stage.told().await);
        }
        ended
    })
}

struct Stage {
    fleet: sim::Fleet,
    model: Arc<Fleet>,
    laws: Arc<Laws>,
    operators: Operators,
    reconcilers: Vec<Reconciler>,
    number: u32,
    /// Reconcilers are such that they can be made to stand still.
    stops: bool,
    /// Until when hosts have no power.
    off: BTreeMap<usize, tokio::time::Instant>,
    mutant: Option<Mutant>,
    watch: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn set(story: &Story, mutant: Option<Mutant>) -> Self {
        let clock = Clock::starting_at("2026-05-01T12:00:00Z".parse().unwrap());
        let fleet = sim::Fleet::in_memory(story.hosts, clock, story.seed);
        fleet.script_all(|script| {
            script.latency = Span::ms(0).plus(3);
            script.create = Span::ms(5).plus(20);
            script.start = Span::ms(20).plus(200);
            script.stop = Span::ms(20).plus(500);
            script.health = Span::ms(200).plus(1_500);
            script.pull = Span::ms(100).plus(1_000);
            script.missing.insert("app:missing".to_owned());
            script.proxy = ProxyScript { drain: Span::ms(100).plus(1_000), ..ProxyScript::default() };
        });
        // No disk is needed where nothing outlives the process.
        let shm = std::path::Path::new("/dev/shm");
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
        let model = Arc::new(model_of(&fleet, &defaults(), dir.path().join("store.db")));
        let places = fleet.hosts().iter().map(|host| Place {
            name: host.name.clone(),
            region: host.region.parse().unwrap(),
            engine: host.engine.clone(),
        });
        let laws = Arc::new(Laws::new(clock, defaults(), places.collect()));
        for host in fleet.hosts() {
            let labels = serde_json::json!({
                label::FLEET: "other", label::REGION: host.region, label::STACK: "shop", label::SERVICE: "web",
                label::SLOT: "1", label::REVISION: "1",
            });
            run(&host.engine, "other-web-1", "app:1", &labels).await;
            run(&host.engine, "bob", "app:1", &serde_json::json!({})).await;
        }
        laws.protect();
        let watch = tokio::spawn(watch(laws.clone()));
        let operators = Operators::start(&model, &laws, story.proxies, mutant);
        let mut stage = Self {
            fleet,
            model,
            laws,
            operators,
            reconcilers: Vec::new(),
            number: 0,
            off: BTreeMap::new(),
            stops: story.stops(),
            mutant,
            watch,
            _dir: dir,
        };
        for _ in 0..story.reconcilers {
            stage.start();
        }
        while !stage.operators.see_all() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stage
    }

    fn start(&mut self) {
        self.number += 1;
        let name = format!("reconciler-{}", self.number);
        let gate = self.stops.then(Gate::open);
        self.reconcilers.push(Reconciler::start(&self.model, &self.laws, &name, gate, self.mutant));
    }

    async fn play(&mut self, story: &Story) -> Result<Ended, Broken> {
        let mut late: Option<Plan> = None;
        for step in &story.steps {
            tokio::time::sleep(Duration::from_millis(step.after)).await;
            // What was planned before is accepted after what happened since.
            let earlier = late.take();
            late = self.happen(step).await;
            if let Some(plan) = earlier {
                self.operators.accept(plan).await;
            }
            self.judge().await?;
        }
        if let Some(plan) = late {
            self.operators.accept(plan).await;
        }
        self.mend().await;
        self.converge().await?;
        self.close().await
    }

    async fn judge(&mut self) -> Result<(), Broken> {
        self.laws.traffic();
        for reconciler in &mut self.reconcilers {
            if let Some(words) = reconciler.left().await {
                self.laws.say(Law::Alive, words);
            }
        }
        self.laws.broken().map_or(Ok(()), Err)
    }

    fn is_off(&self, host: usize) -> bool {
        self.off.get(&host).is_some_and(|until| *until > tokio::time::Instant::now())
    }

    fn host(&self, number: u8) -> usize {
        usize::from(number) % self.laws.hosts().len()
    }

    fn engine(&self, number: u8) -> &Arc<sim::Engine> {
        &self.laws.hosts()[self.host(number)].engine
    }

    /// One of ours, by number.
    fn victim(&self, number: u8) -> Option<(usize, Glimpse)> {
        let hosts = self.laws.hosts().iter().enumerate();
        let mut all: Vec<_> = hosts
            .flat_map(|(at, host)| host.engine.peek().into_iter().filter(is_ours).map(move |it| (at, it)))
            .collect();
        all.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
        let many = all.len();
        (many > 0).then(|| all.swap_remove(usize::from(number) % many))
    }

    /// Gives a plan that is accepted later.
    async fn happen(&mut self, step: &Step) -> Option<Plan> {
        match step.what {
            What::Command { command: command @ (Command::Pause | Command::Resume | Command::Abort), .. } => {
                self.operators.tell(command).await;
            }
            What::Command { command, late } => {
                let plan = self.operators.plan(command).await?;
                if late {
                    return Some(plan);
                }
                self.operators.accept(plan).await;
            }
            What::Rule { host, path, fault, times } => {
                let rule = rule(path, fault).times(u32::from(times));
                self.engine(host).script(|script| script.rule(rule));
            }
            // A link is no good without power.
            What::Cut { host, .. } if self.is_off(self.host(host)) => {}
            What::Cut { host, how } => {
                self.engine(host).set_link(match how {
                    Cut::Hung => sim::Link::Hung,
                    Cut::Down => sim::Link::Down,
                    Cut::Noise => sim::Link::Noise,
                });
                self.laws.look(self.host(host));
            }
            What::Mend { host } if self.is_off(self.host(host)) => {}
            What::Mend { host } => {
                self.engine(host).set_link(sim::Link::Up);
                self.laws.look(self.host(host));
            }
            What::Crash { container } => {
                if let Some((at, victim)) = self.victim(container) {
                    self.laws.hosts()[at].engine.crash(&victim.id, 1);
                }
            }
            What::Remove { container } => {
                if let Some((at, victim)) = self.victim(container) {
                    self.laws.hosts()[at].engine.remove_by_hand(&victim.id);
                }
            }
            What::Power { host, .. } if self.is_off(self.host(host)) => {}
            What::Power { host, seconds } => {
                let until = tokio::time::Instant::now() + Duration::from_secs(u64::from(seconds));
                self.off.insert(self.host(host), until);
                self.laws.forget(self.host(host));
                self.engine(host).power_cycle(Duration::from_secs(u64::from(seconds)));
                self.laws.look(self.host(host));
            }
            What::Freeze { host, on } => self.engine(host).script(|script| script.freeze_events = on),
            What::Mute { host, on } => self.engine(host).script(|script| script.proxy.hangs = on),
            What::Forget { host } => {
                self.laws.bare(self.host(host));
                self.engine(host).forget_images();
            }
            What::Kill { reconciler } => {
                if !self.reconcilers.is_empty() {
                    let at = usize::from(reconciler) % self.reconcilers.len();
                    self.reconcilers.remove(at).kill();
                }
            }
            What::Start => {
                if self.reconcilers.len() < 3 {
                    self.start();
                }
            }
            What::Stop { reconciler, seconds } => {
                if !self.reconcilers.is_empty() {
                    let at = usize::from(reconciler) % self.reconcilers.len();
                    self.reconcilers[at].stop(Duration::from_secs(u64::from(seconds)));
                }
            }
            What::Sleep => {
                let db = rusqlite::Connection::open(&self.model.store).unwrap();
                db.execute("UPDATE lease SET until = 0", []).unwrap();
                self.laws.gone(None);
            }
            What::Store { reconciler, lost, times } => {
                let how = if lost { Misfortune::AnswerLost } else { Misfortune::Fails };
                let at = usize::from(reconciler) % (self.reconcilers.len() + 1);
                match self.reconcilers.get(at) {
                    Some(reconciler) => reconciler.store.fail(how, times),
                    None => self.operators.store.fail(how, times),
                }
            }
        }
        None
    }

    /// The troubles cease.
    async fn mend(&mut self) {
        if let Some(last) = self.off.values().max() {
            tokio::time::sleep_until(*last + Duration::from_secs(1)).await;
        }
        self.fleet.script_all(|script| {
            script.clear_rules();
            script.freeze_events = false;
            script.proxy.hangs = false;
        });
        for (at, host) in self.laws.hosts().iter().enumerate() {
            host.engine.set_link(sim::Link::Up);
            self.laws.look(at);
        }
        self.operators.store.mend();
        for reconciler in &self.reconcilers {
            reconciler.go_on();
            reconciler.store.mend();
        }
        if self.reconcilers.is_empty() {
            self.start();
        }
        for operation in self.operators.open().await {
            if operation.paused.is_some() {
                self.operators.tell_of(operation.id, Command::Resume).await;
            }
        }
    }

    async fn converge(&mut self) -> Result<(), Broken> {
        let begun = tokio::time::Instant::now();
        loop {
            self.judge().await?;
            let open = self.operators.open().await;
            let desired = self.operators.store.desired().await.unwrap();
            let wanted = as_wanted(&desired, self.truth());
            if open.is_empty() && (wanted.is_ok() || self.has_nothing_better(&desired).await) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                let open: Vec<_> = open.iter().map(|it| (it.intent.summary(), &it.state, &it.progress)).collect();
                let words = format!("{wanted:?}; open: {open:?}\n{}", self.told().await);
                let law = if open.is_empty() { Law::Converges } else { Law::Commands };
                self.laws.say(law, words);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// What is wanted does not work, whoever brought it was taken over from before that was found out, and nothing ran before:
    /// there is nothing to go back to.
    async fn has_nothing_better(&self, desired: &Desired) -> bool {
        let all = self.operators.store.operations(OperationQuery { limit: 1000, ..OperationQuery::default() }).await;
        let all = all.unwrap();
        let proposals = self.laws.proposals();
        let works = |service: &ServiceKey, no: RevisionNo| {
            let image = desired.revision(service, no).map(|revision| revision.spec.image.clone()).unwrap_or_default();
            !["bad", "sick", "missing"].contains(&tag(&image))
        };
        let is_stuck = |service: &ServiceKey, region: &RegionName, wanted: &Assignment| {
            let Some(no) = wanted.slots.values().map(|place| place.revision).find(|no| !works(service, *no)) else {
                return false;
            };
            let key = (service.clone(), region.clone());
            let touching: Vec<&(Generation, Proposal)> =
                proposals.iter().filter(|(_, proposal)| proposal.assignments.contains_key(&key)).collect();
            // A later one with the same image changes nothing that is there.
            let image = desired.revision(service, no).map(|revision| revision.spec.image.clone());
            let is_its = |it: &Revision| it.service == *service && Some(&it.spec.image) == image.as_ref();
            let is_undone = |generation: Generation| {
                use OperationState::{Aborted, Failed, RolledBack};
                let it = all.iter().find(|it| it.generation == generation);
                it.is_some_and(|it| matches!(it.state, Aborted { .. } | Failed { .. } | RolledBack { .. }))
            };
            let gone = touching.iter().rposition(|(_, proposal)| proposal.assignments.get(&key) == Some(&None));
            let came = touching.iter().enumerate().position(|(at, (generation, proposal))| {
                gone.is_none_or(|gone| at > gone) && !is_undone(*generation) && proposal.revisions.iter().any(is_its)
            });
            let Some(came) = came else { return false };
            let (earlier, later) = touching.split_at(came);
            let ran = earlier.iter().rfind(|(generation, _)| !is_undone(*generation));
            let ran = ran.and_then(|(_, proposal)| proposal.assignments.get(&key)?.as_ref());
            let ran = ran.is_some_and(|ran| ran.slots.values().any(|place| works(service, place.revision)));
            let is_judged = all.iter().any(|it| {
                later.first().is_some_and(|(generation, _)| it.generation == *generation)
                    && matches!(it.state, OperationState::Converged { .. })
                    && it.after.get(service).is_some_and(|regions| regions.contains_key(region))
            });
            later.len() > 1 && !ran && !is_judged
        };
        desired
            .services
            .iter()
            .any(|(service, regions)| regions.iter().any(|(region, wanted)| is_stuck(service, region, wanted)))
    }

    fn truth(&self) -> Vec<(String, Glimpse)> {
        let hosts = self.laws.hosts().iter();
        hosts.flat_map(|host| host.engine.peek().into_iter().map(|it| (host.name.clone(), it))).collect()
    }

    async fn told(&self) -> String {
        let journal = self.operators.store.journal(JournalQuery::default()).await.unwrap();
        journal.iter().rev().map(|entry| format!("{} {}\n", entry.at, entry.what)).collect()
    }

    /// What can only be said at the end.
    async fn close(&mut self) -> Result<Ended, Broken> {
        let all = self.operators.store.operations(OperationQuery { limit: 1000, ..OperationQuery::default() }).await;
        let all = all.unwrap();
        for id in self.laws.known() {
            if !all.iter().any(|operation| operation.id == id) {
                self.laws.say(Law::Commands, format!("{} was accepted, and is not known any more", id.short()));
            }
        }
        for operation in &all {
            let query = JournalQuery { command: Some(operation.id), limit: 1000, ..JournalQuery::default() };
            let lines = self.operators.store.journal(query).await.unwrap();
            let told = ends_told(operation, &lines);
            if told != 1 {
                let words = format!("{} has {told} ends in the journal", operation.intent.summary());
                self.laws.say(Law::Commands, words);
            }
        }
        let written = format!("{}{}", self.told().await, serde_json::to_string(&all).unwrap());
        let labels = self.truth().iter().any(|(_, it)| it.labels.values().any(|value| value.contains(SECRET)));
        if written.contains(SECRET) || labels {
            self.laws.say(Law::Secrets, "the secret was told".to_owned());
        }
        self.judge().await?;
        self.watch.abort();
        let (trace, requests) = self.laws.trace();
        let seconds = self.laws.clock.ran().unwrap_or_default().as_secs_f64();
        Ok(Ended { histories: 1, operations: all.len() as u64, requests, seconds, trace })
    }
}

/// Looks whenever anything changes on any host.
async fn watch(laws: Arc<Laws>) {
    let mut news: FuturesUnordered<BoxFuture<'static, usize>> = FuturesUnordered::new();
    let next = |at: usize, mut heard: sim::Ear<()>| -> BoxFuture<'static, usize> {
        Box::pin(async move {
            heard.rung().await;
            at
        })
    };
    for (at, host) in laws.hosts().iter().enumerate() {
        news.push(next(at, host.engine.news()));
    }
    while let Some(at) = news.next().await {
        // From here on, so that nothing between two looks is missed.
        let heard = laws.hosts()[at].engine.news();
        laws.look(at);
        news.push(next(at, heard));
    }
}

fn tag(image: &str) -> &str {
    image.rsplit(':').next().unwrap_or_default()
}

fn rule(path: u8, fault: Fault) -> Rule {
    let places = [
        ("/containers/create", Method::POST),
        ("/start", Method::POST),
        ("/stop", Method::POST),
        ("", Method::DELETE),
        ("/json", Method::GET),
        ("/images", Method::POST),
        ("/exec", Method::POST),
        ("", Method::GET),
    ];
    let (path, method) = places[usize::from(path) % places.len()].clone();
    let fault = match fault {
        Fault::Fails => sim::Fault::Fail(500, "out of luck".to_owned()),
        Fault::Conflicts => sim::Fault::Fail(409, "conflict".to_owned()),
        Fault::AnswerLost => sim::Fault::DropAnswer,
        Fault::Closed => sim::Fault::Close,
        Fault::Garbage => sim::Fault::Garbage,
        Fault::Truncated => sim::Fault::Truncate,
        Fault::Slow => sim::Fault::Delay(Duration::from_secs(3)),
        Fault::Hangs => sim::Fault::Hang,
    };
    Rule::on(path, fault).method(method)
}
