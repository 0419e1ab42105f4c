//! A stack under load: what the rows of the table of changes share.
//!
//! Requests come in at the edge hosts, new connections and kept ones by turns, and over an inner link from a container
//! that stays where it is. What is done meanwhile must not fail one of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    by_hand,
    least::Least,
    support::{Fleet, Running, World},
};
use crate::load::{Counts, Load, Stream};

/// The usual times, shortened so that a whole table takes minutes.
pub const DEFAULTS: &str = "
[defaults]
min_healthy = \"1s\"
healthy_deadline = \"15s\"
progress_deadline = \"90s\"
restart_backoff = \"1s\"
suspect_after = \"4s\"
down_after = \"8s\"
drain = \"8s\"
observe = \"2s\"
hold = \"30s\"
";
pub const DOWN_AFTER: f64 = 8.0;
pub const DRAIN: Duration = Duration::from_secs(8);
/// The window after a release.
pub const OBSERVE: f64 = 2.0;

/// Requests per second, at the edge and over the inner link each: more than 500 together, which two cores bear beside all
/// else that runs on them here.
const RATE: u32 = 260;
pub const EDGE: u16 = 18080;
pub const EVERYWHERE: &[&str] = &["h1", "h2", "h3"];
/// Nothing that a row does takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A stack of `web`, which has the entry, `api`, which only others of the stack reach, and `probe`, which stays on h1.
pub fn shop(tag: &str, web: u32, more: &str) -> String {
    format!(
        "\
x-check: &check
  healthcheck: {{ test: [\"CMD\", \"/app\", \"healthcheck\"], interval: 1s, timeout: 2s, retries: 2 }}
services:
  web:
    <<: *check
    image: IMAGE:{tag}
    ports: [\"{EDGE}:8080\"]
    deploy: {{ replicas: {web}, update_config: {{ parallelism: 2 }}, rollback_config: {{ parallelism: 2 }} }}
    x-wharf:
      entry: {{ port: {EDGE}, target: 8080, protocol: http }}
      check: {{ path: /healthz, interval: 1s }}
      {more}
  api:
    <<: *check
    image: IMAGE:1
    expose: [\"8080\"]
    deploy: {{ replicas: 3 }}
    x-wharf: {{ check: {{ path: /healthz, interval: 1s }} }}
  probe:
    image: IMAGE:1
    deploy: {{ placement: {{ constraints: [\"node.hostname == h1\"] }} }}
"
    )
}

/// How many have held the region's lease.
const EPOCH: &str = "SELECT max(epoch) FROM lease";

/// A deployed stack.
pub struct Stage {
    pub fleet: Fleet,
    /// The reconciler is killed in the middle of each command.
    killing: bool,
    /// The one that runs for good; without it, commands start their own.
    keeper: Option<Child>,
}

impl Stage {
    /// Deploys a Compose text as the stack `shop`, and waits until that is done.
    pub fn new(name: &str, text: &str) -> Self {
        Self::with_files(name, text, |_| ())
    }

    /// The same for a text that names files, which `fill` puts beside it.
    pub fn with_files(name: &str, text: &str, fill: impl FnOnce(&std::path::Path)) -> Self {
        Self::in_fleet(name, &fs::read_to_string(World::get().var("WORLD_FLEET")).unwrap(), text, fill)
    }

    /// The same where h3 is a region of its own, `west`.
    pub fn in_two_regions(name: &str, text: &str) -> Self {
        let fleet = fs::read_to_string(World::get().var("WORLD_FLEET")).unwrap();
        let h3 = "[[region.host]]\nname = \"h3\"";
        assert!(fleet.contains(h3));
        Self::in_fleet(name, &fleet.replace(h3, &format!("[[region]]\nname = \"west\"\n\n{h3}")), text, |_| ())
    }

    fn in_fleet(name: &str, fleet: &str, text: &str, fill: impl FnOnce(&std::path::Path)) -> Self {
        let fleet = Fleet::tuned(name, fleet, DEFAULTS);
        let stage = Self { fleet, killing: false, keeper: None };
        fill(stage.fleet.dir.path());
        stage.release(text);
        stage
    }

    /// Starts a reconciler that runs for good, as a fleet in earnest has one.
    pub fn man(&mut self) {
        self.man_with(&[]);
    }

    /// The same with more in its environment.
    pub fn man_with(&mut self, env: &[(&str, &str)]) {
        let log =
            fs::File::options().create(true).append(true).open(self.fleet.store().with_extension("reconcile.log"));
        let mut command = self.fleet.command(&["reconcile"]);
        command.envs(env.iter().copied()).stdout(Stdio::null()).stderr(log.unwrap());
        let child = command.spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        if let Some(mut old) = self.keeper.replace(child) {
            let _ = old.wait();
        }
        self.fleet.wait("it holds the lease", || self.fleet.reconciler() == Some(pid));
    }

    /// How the reconciler that runs for good ended; none while it runs.
    pub fn left(&mut self) -> Option<std::process::ExitStatus> {
        self.keeper.as_mut().and_then(|keeper| keeper.try_wait().unwrap())
    }

    /// Ends the reconciler that runs for good.
    pub fn unman(&mut self, signal: &str) {
        let Some(mut keeper) = self.keeper.take() else { return };
        let kill = Command::new("kill").args([&format!("-{signal}"), &keeper.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let status = keeper.wait().unwrap();
        assert!(signal == "KILL" || status.code() == Some(0), "{status}");
    }

    /// What the engines need for containers on these hosts, all at once, under the usual load.
    pub fn least(&self, on: &[&str]) -> Least {
        let load = self.load(EVERYWHERE);
        let places: Vec<_> = on.iter().map(|host| (self.socket(host), self.network(host))).collect();
        let image = self.fleet.world.image("1");
        // Under its tag, by which wharf does not ask for it.
        for host in on.iter().copied().collect::<std::collections::BTreeSet<_>>() {
            self.fleet.world.docker(host, &["pull", "-q", &image]);
        }
        let least = Least::measure(&places, &image);
        load.stop();
        println!("an engine by itself: {:.2} s to healthy, {:.2} s to gone", least.up, least.down);
        least
    }

    /// Deploys another text of the stack.
    pub fn release(&self, text: &str) {
        let file = self.fleet.compose("shop.yaml", text);
        self.act(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    }

    /// Deploys a text that must fail; gives the words.
    pub fn refused(&self, code: i32, text: &str) -> String {
        let file = self.fleet.compose("shop.yaml", text);
        self.fails(code, &["deploy", "-f", &file, "--stack", "shop", "--yes"])
    }

    /// Runs a command to its end, which must be good. Where this row is about that, the reconciler is killed meanwhile.
    pub fn act(&self, args: &[&str]) {
        if self.killing {
            let (code, err) = self.act_and_kill(args);
            assert_eq!(code, Some(0), "wharf {args:?}: {err}\n{}", self.told());
        } else {
            self.fleet.ok(args);
        }
    }

    /// The same for a command that ends with this code; gives standard error.
    pub fn fails(&self, wanted: i32, args: &[&str]) -> String {
        if !self.killing {
            return self.fleet.fails(wanted, args);
        }
        let (code, err) = self.act_and_kill(args);
        assert_eq!(code, Some(wanted), "wharf {args:?}: {err}\n{}", self.told());
        err
    }

    fn act_and_kill(&self, args: &[&str]) -> (Option<i32>, String) {
        let before = self.states();
        // Adopting makes and removes nothing: there the middle is as soon as somebody works on it, and may be missed.
        let is_quick = args[0] == "adopt";
        let mut running = self.fleet.spawn(args);
        let (mut began, until) = (None, Instant::now() + PATIENCE);
        // The middle is when the first container comes or goes, or when somebody has worked on it for a moment.
        let pid = loop {
            assert!(Instant::now() < until, "no reconciler works on {args:?}: {}", self.told());
            if running.0.try_wait().unwrap().is_some() {
                let (code, err) = running.ended();
                assert!(is_quick, "{args:?} was over before the reconciler was killed: {code:?} {err}");
                return (code, err);
            }
            if let Some(pid) = self.fleet.reconciler()
                && (began.is_some() || self.asks("SELECT count(*) FROM operation WHERE is_open") > 0)
            {
                let since: &mut Instant = began.get_or_insert_with(Instant::now);
                if is_quick || self.states() != before || since.elapsed() > Duration::from_millis(400) {
                    break pid;
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let epoch = self.asks(EPOCH);
        assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
        let ended = ended(running);
        assert!(is_quick || self.asks(EPOCH) > epoch, "nobody took over after the reconciler {pid} was killed");
        ended
    }

    fn states(&self) -> BTreeSet<(String, String)> {
        EVERYWHERE.iter().flat_map(|host| self.containers(host, None)).map(|one| (one.id, one.state)).collect()
    }

    /// Asks the store for a number.
    fn asks(&self, question: &str) -> i64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(self.fleet.store(), flags).unwrap();
        db.busy_timeout(Duration::from_secs(5)).unwrap();
        db.query_row(question, [], |row| row.get(0)).unwrap()
    }

    /// Where a service's entry is, on these hosts.
    pub fn edges(&self, hosts: &[&str], port: u16) -> Vec<SocketAddr> {
        hosts.iter().map(|host| format!("{}:{port}", self.address(host)).parse().unwrap()).collect()
    }

    pub fn address(&self, host: &str) -> String {
        self.fleet.world.var(&format!("{}_ADDRESS", host.to_uppercase())).to_owned()
    }

    /// The usual load, at the edge of these hosts and over the inner link.
    pub fn load(&self, hosts: &[&str]) -> Loaded {
        self.load_at(hosts, RATE)
    }

    /// The same at another rate.
    pub fn load_at(&self, hosts: &[&str], rate: u32) -> Loaded {
        let edges = self.edges(hosts, EDGE);
        let edge =
            [Stream::new("edge", &edges, "/", rate), Stream::new("chain", &edges, "/fetch?u=http://api:8080/", 10)];
        let (pid, api) = self.inside();
        let inner = [Stream::new("link", &[SocketAddr::new(api, 8080)], "/", rate)];
        Loaded(vec![Load::start(&edge, None), Load::start(&inner, Some(pid))])
    }

    /// A process in the network of the probe's container, and where `api` is there.
    fn inside(&self) -> (u32, std::net::IpAddr) {
        let probe = self.containers("h1", Some("probe")).into_iter().find(Listed::is_running).expect("a probe");
        let hosts = self.fleet.world.docker("h1", &["inspect", "-f", "{{json .HostConfig.ExtraHosts}}", &probe.id]);
        let hosts: Vec<String> = serde_json::from_str(&hosts).unwrap();
        let api = hosts.iter().find_map(|line| line.strip_prefix("api:")).expect("api is among the probe's hosts");
        let here =
            |pid: &u32| fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(&probe.id));
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pid = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(here).expect("its process");
        (pid, api.parse().unwrap())
    }

    /// Containers of the fleet on a host, as its engine lists them; of one service, or all. None when it does not answer.
    pub fn containers(&self, host: &str, service: Option<&str>) -> Vec<Listed> {
        list(&self.socket(host), &self.fleet.name, service).unwrap_or_default()
    }

    /// The network of the stack's containers on a host.
    fn network(&self, host: &str) -> String {
        let one = self.containers(host, None).into_iter().find(|one| one.is_running() && !one.is_proxy);
        let one = one.unwrap_or_else(|| panic!("nothing of the stack runs on {host}"));
        let told = self.fleet.world.docker(host, &["inspect", "-f", "{{.HostConfig.NetworkMode}}", &one.id]);
        told.trim().to_owned()
    }

    /// What lists the containers of a service on a host, for a thread of its own.
    pub fn lister(&self, host: &str, service: &str) -> impl Fn() -> Vec<Listed> + Send + 'static {
        let (socket, fleet, service) = (self.socket(host), self.fleet.name.clone(), service.to_owned());
        move || list(&socket, &fleet, Some(&service)).unwrap_or_default()
    }

    /// Its engine's own socket, by which it can be asked whatever is broken between hosts.
    pub fn socket(&self, host: &str) -> String {
        self.fleet.world.var(&format!("{}_SOCKET", host.to_uppercase())).to_owned()
    }

    /// The containers' ids on these hosts.
    pub fn ids(&self, hosts: &[&str], service: Option<&str>) -> BTreeSet<String> {
        hosts.iter().flat_map(|host| self.containers(host, service)).map(|one| one.id).collect()
    }

    /// Healthy containers of a service on these hosts.
    pub fn healthy(&self, hosts: &[&str], service: &str) -> usize {
        hosts.iter().flat_map(|host| self.containers(host, Some(service))).filter(Listed::is_healthy).count()
    }

    /// One of a service's slots on a host.
    pub fn slot_on(&self, service: &str, host: &str) -> u64 {
        let rows = self.fleet.json(&["ps", service]);
        let row = rows.as_array().unwrap().iter().find(|row| row["host"] == host && row["wanted"] == true);
        row.and_then(|row| row["slot"].as_u64()).unwrap_or_else(|| panic!("nothing of {service} on {host}: {rows}"))
    }

    /// Watches that a service never has fewer healthy containers than this.
    pub fn floor(&self, service: &str, hosts: &[&str], floor: usize) -> Floor {
        let sockets: Vec<String> = hosts.iter().map(|host| self.socket(host)).collect();
        let (fleet, service) = (self.fleet.name.clone(), service.to_owned());
        let told = Arc::<AtomicBool>::default();
        let end = Arc::clone(&told);
        let thread = std::thread::spawn(move || {
            let (mut least, mut at) = (usize::MAX, jiff::Timestamp::now());
            while !end.load(Ordering::SeqCst) {
                // An engine that does not answer now tells nothing: neither that there are fewer.
                let all: Option<Vec<_>> = sockets.iter().map(|path| list(path, &fleet, Some(&service)).ok()).collect();
                let healthy = all.map(|all| all.iter().flatten().filter(|one| one.is_healthy()).count());
                if let Some(healthy) = healthy.filter(|healthy| *healthy < least) {
                    (least, at) = (healthy, jiff::Timestamp::now());
                }
                std::thread::sleep(Duration::from_millis(300));
            }
            (least, at)
        });
        Floor { told, thread: Some(thread), least: floor }
    }

    /// One row: `act` under load at these edges. Prints it, and fails when a request did.
    pub fn row(&mut self, what: &str, edges: &[&str], least: f64, act: impl FnOnce(&Self)) -> Counts {
        if self.keeper.is_none() {
            self.man();
        }
        let load = self.load(edges);
        self.timed(what, least, load, act)
    }

    /// The same row again, where the reconciler is killed in the middle of each command.
    pub fn row_killed(&mut self, what: &str, edges: &[&str], act: impl FnOnce(&Self)) -> Counts {
        let load = self.load(edges);
        self.timed_killed(what, load, act)
    }

    /// The same under a load of its own.
    pub fn timed_killed(&mut self, what: &str, load: Loaded, act: impl FnOnce(&Self)) -> Counts {
        self.unman("TERM");
        self.killing = true;
        let counts = self.timed(&format!("{what}, reconciler killed"), 0.0, load, act);
        self.killing = false;
        counts
    }

    /// A row under a load of its own. Its time is that of its operations, from acceptance to end; by the clock where
    /// there are none, or where it has no least time.
    pub fn timed(&self, what: &str, least: f64, load: Loaded, act: impl FnOnce(&Self)) -> Counts {
        let (began, at) = (Instant::now(), jiff::Timestamp::now());
        act(self);
        let by_clock = began.elapsed().as_secs_f64();
        let seconds = if least > 0.0 { self.took_since(at).unwrap_or(by_clock) } else { by_clock };
        // What the end of the change breaks shows a moment later.
        std::thread::sleep(Duration::from_millis(1500));
        let counts = load.stop();
        report(&self.fleet.world, what, seconds, least, &counts);
        assert_eq!(counts.failed(), 0, "{what}: {counts}\n{}", self.told());
        counts
    }

    /// How long the operations since then took, all together; none when there was none that takes time.
    fn took_since(&self, at: jiff::Timestamp) -> Option<f64> {
        let operations = self.fleet.json(&["ops"]);
        let seconds = operations.as_array().unwrap().iter().filter_map(|one| {
            let time = |key: &str| one[key].as_str()?.parse::<jiff::Timestamp>().ok();
            let (from, to) = (time("at")?, time("since")?);
            (from >= at).then(|| to.duration_since(from).as_secs_f64())
        });
        Some(seconds.sum::<f64>()).filter(|seconds| *seconds > 0.1)
    }

    /// What reconcilers and proxies said lately, for the words of a failure.
    pub fn told(&self) -> String {
        let tail = |text: &str, lines: usize| {
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        };
        let mut text = format!("reconciler:\n{}", tail(&self.fleet.reconciler_log(), 30));
        for host in EVERYWHERE {
            for proxy in self.containers(host, None).into_iter().filter(|one| one.is_proxy) {
                let script = std::path::Path::new(self.fleet.world.var("WORLD_SCRIPTS")).join("host");
                let out = Command::new(script)
                    .arg("--dir")
                    .arg(self.fleet.world.dir())
                    .args(["docker", host, "logs", "--timestamps", "--tail", "15", &proxy.id])
                    .output()
                    .unwrap();
                let said = [out.stdout, out.stderr].concat();
                text.extend(["\n", host, ", ", &proxy.name, ":\n", &String::from_utf8_lossy(&said)]);
            }
        }
        text
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}

/// Waits for a command that may outlive its reconciler.
pub fn ended(mut running: Running) -> (Option<i32>, String) {
    let until = Instant::now() + PATIENCE;
    while running.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    running.ended()
}

/// Load in several places.
pub struct Loaded(pub Vec<Load>);

impl Loaded {
    /// Ends all of it; gives the sum.
    pub fn stop(self) -> Counts {
        self.streams().values().fold(Counts::default(), Counts::plus)
    }

    /// Ends all of it; gives each stream's.
    pub fn streams(self) -> BTreeMap<String, Counts> {
        self.0.into_iter().flat_map(Load::stop).collect()
    }
}

/// A container as its engine lists it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: String,
    pub name: String,
    state: String,
    status: String,
    pub image: String,
    pub is_proxy: bool,
}

impl Listed {
    /// One row of an engine's list.
    pub fn read(one: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            id: text(&one["Id"]),
            name: text(&one["Names"][0]),
            state: text(&one["State"]),
            status: text(&one["Status"]),
            image: text(&one["Image"]),
            is_proxy: !one["Labels"]["wharf.proxy"].is_null(),
        }
    }

    pub fn is_running(&self) -> bool {
        self.state == "running"
    }

    pub fn is_healthy(&self) -> bool {
        self.is_running() && self.status.contains("(healthy)")
    }
}

/// Asks an engine for what it has of a fleet.
fn list(socket: &str, fleet: &str, service: Option<&str>) -> Result<Vec<Listed>, String> {
    let service = service.map(|service| format!(",%22wharf.service={service}%22")).unwrap_or_default();
    let filters = format!("%7B%22label%22:[%22wharf.fleet={fleet}%22{service}]%7D");
    let path = format!("/containers/json?all=1&filters={filters}");
    let all = by_hand::ask(socket, "GET", &path, &Value::Null, Duration::from_secs(2))?;
    Ok(all.as_array().into_iter().flatten().map(Listed::read).collect())
}

/// Watches a service's number of healthy containers until it goes out of scope.
pub struct Floor {
    told: Arc<AtomicBool>,
    thread: Option<JoinHandle<(usize, jiff::Timestamp)>>,
    least: usize,
}

impl Floor {
    /// Ends the watch; fails when there were fewer at any time.
    pub fn held(mut self) {
        self.told.store(true, Ordering::SeqCst);
        let (seen, at) = self.thread.take().unwrap().join().unwrap();
        assert!(seen >= self.least, "at {at} only {seen} were healthy, and never fewer than {} may be", self.least);
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.told.store(true, Ordering::SeqCst);
    }
}

const HEAD: &str = "| while | seconds | least | ratio | requests | failed | p99 ms | slowest ms |\n|---|---|---|---|---|---|---|---|\n";

/// Prints a row, and adds it to the world's table. Without a least time (0) there is no ratio.
pub fn report(world: &World, what: &str, seconds: f64, least: f64, counts: &Counts) {
    let (floor, ratio) = match least {
        0.0 => ("–".to_owned(), "–".to_owned()),
        _ => (format!("{least:.1}"), format!("{:.2}", seconds / least)),
    };
    let row = format!(
        "| {what} | {seconds:.1} | {floor} | {ratio} | {} | {} | {:.0} | {:.0} |\n",
        counts.requests(),
        counts.failed(),
        counts.p99_ms,
        counts.slowest_ms
    );
    print!("\n{HEAD}{row}");
    if counts.late_ms > 500.0 || counts.skipped > 0 {
        println!(
            "(this machine was {:.0} ms late with a request and left {} out: something else keeps it busy)",
            counts.late_ms, counts.skipped
        );
    }
    let path = world.dir().join("traffic.md");
    let before = fs::read_to_string(&path).unwrap_or_else(|_| HEAD.to_owned());
    fs::write(&path, before + &row).unwrap();
}
