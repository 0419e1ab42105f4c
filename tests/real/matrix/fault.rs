//! What breaks, how, for how long, and what that may cost.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::{
    super::stage::{EVERYWHERE, Listed, Stage},
    cell::Times,
};
use crate::load::Failure;

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of dockerd and containerd, and a new start, which ends the containers: without live-restore.
    EngineKilled,
    /// It stops in good order, and its containers with it; then it starts.
    EngineRestarted,
    /// It accepts and answers nothing, for longer than `down_after`. Its containers go on.
    EngineHung,
    /// The host has no network, for longer than `down_after`.
    CutOff,
    /// No way to the engine, for longer than `down_after`. Its containers and their traffic go on.
    SshdKilled,
    /// The registry's process is gone.
    RegistryLost,
    /// The registry accepts and answers nothing.
    RegistryHung,
    /// `kill -9` of a proxy's processes.
    ProxyKilled,
    /// No byte is left where the store is.
    DiskFull,
    /// Another process holds the store for itself, for longer than a write waits.
    StoreLocked,
    /// `kill -9` of the reconciler and of who asked: of the dashboard, where it has keys for it.
    Killed,
    /// The reconciler's clock is three hours ahead, and then right again.
    ClockMoved,
    /// `kill -9` of a container of the service, each time that it runs again.
    KilledInALoop,
    /// The service's images are gone from the registry, and from a host as far as its engine lets them go.
    ImageDeleted,
}

/// Where tags are taken away and put back.
const TAGS: [&str; 2] = ["1", "2"];
/// How the registry calls them.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

impl Fault {
    pub const ALL: [Self; 14] = [
        Self::EngineKilled,
        Self::EngineRestarted,
        Self::EngineHung,
        Self::CutOff,
        Self::SshdKilled,
        Self::RegistryLost,
        Self::RegistryHung,
        Self::ProxyKilled,
        Self::DiskFull,
        Self::StoreLocked,
        Self::Killed,
        Self::ClockMoved,
        Self::KilledInALoop,
        Self::ImageDeleted,
    ];

    /// For the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::EngineKilled => "killed",
            Self::EngineRestarted => "restarted",
            Self::EngineHung => "hung",
            Self::CutOff => "cut",
            Self::SshdKilled => "sshd",
            Self::RegistryLost => "registry",
            Self::RegistryHung => "registry-hung",
            Self::ProxyKilled => "proxy",
            Self::DiskFull => "disk",
            Self::StoreLocked => "locked",
            Self::Killed => "wharf",
            Self::ClockMoved => "clock",
            Self::KilledInALoop => "loop",
            Self::ImageDeleted => "image",
        }
    }

    /// For the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::EngineKilled => "dockerd killed, started after 4 s",
            Self::EngineRestarted => "dockerd restarted",
            Self::EngineHung => "dockerd hung for 12 s",
            Self::CutOff => "host cut off for 12 s",
            Self::SshdKilled => "sshd killed, started after 12 s",
            Self::RegistryLost => "registry lost for 6 s",
            Self::RegistryHung => "registry hung for 6 s",
            Self::ProxyKilled => "proxy killed",
            Self::DiskFull => "store's disk full for 8 s",
            Self::StoreLocked => "store locked by another for 8 s",
            Self::Killed => "reconciler and dashboard killed",
            Self::ClockMoved => "clock 3 h ahead for 6 s, then back",
            Self::KilledInALoop => "container killed in a loop for 8 s",
            Self::ImageDeleted => "image deleted for 6 s",
        }
    }

    /// How long it lasts, beyond the time that it takes to break and to mend.
    fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            Self::EngineRestarted => 0,
            Self::ProxyKilled => 2,
            Self::Killed => 3,
            Self::EngineKilled => 4,
            Self::RegistryLost | Self::RegistryHung | Self::ClockMoved | Self::ImageDeleted => 6,
            Self::DiskFull | Self::StoreLocked | Self::KilledInALoop => 8,
            Self::EngineHung | Self::CutOff | Self::SshdKilled => 12,
        })
    }

    /// The host that it is about.
    pub fn host(self) -> Option<&'static str> {
        match self {
            // The one that is reached over the network without SSH; by SSH; by its socket.
            Self::EngineKilled | Self::EngineRestarted | Self::CutOff => Some("h2"),
            Self::SshdKilled => Some("h1"),
            Self::EngineHung | Self::ProxyKilled | Self::KilledInALoop | Self::ImageDeleted => Some("h3"),
            _ => None,
        }
    }

    /// Hosts whose edge is asked: one that loses its proxy to the fault is not, as if what stands before it had seen it.
    pub fn edges(self) -> Vec<&'static str> {
        let takes_edge = matches!(self, Self::EngineKilled | Self::EngineRestarted | Self::CutOff | Self::ProxyKilled);
        EVERYWHERE.iter().copied().filter(|host| !takes_edge || self.host() != Some(host)).collect()
    }

    /// True when the fault itself takes replicas.
    pub fn takes_replicas(self) -> bool {
        matches!(self, Self::EngineKilled | Self::EngineRestarted | Self::KilledInALoop)
    }

    /// True when it lasts long enough for its host's replicas to be replaced on others.
    pub fn drives_away(self) -> bool {
        // A dockerd that stops in good order waits for its containers, for as long as their grace.
        let engine = matches!(self, Self::EngineKilled | Self::EngineRestarted | Self::EngineHung);
        engine || matches!(self, Self::CutOff | Self::SshdKilled | Self::KilledInALoop)
    }

    /// What may fail, because nobody could help it: what was on its way to what the fault took, until the proxies' own
    /// checks have noticed.
    pub fn explains(self, stage: &Stage, failure: &Failure, times: &Times) -> bool {
        let after = |at: jiff::Timestamp, seconds: i64| failure.began < at + jiff::SignedDuration::from_secs(seconds);
        match self {
            _ if failure.ended < times.broken => false,
            // Three checks a second apart, each with a second of patience.
            Self::CutOff => after(times.broken, 7),
            // A proxy that cannot be asked is waited for as long as a drain may take, and not once its host counts as
            // down. Where it goes on, it knows the copies of then: at its own edge, and there alone.
            Self::EngineHung | Self::SshdKilled => {
                Some(failure.target.ip().to_string()) == self.host().map(|host| stage.address(host))
                    && failure.began < times.whole
            }
            // Its containers end when it starts again.
            Self::EngineKilled | Self::EngineRestarted | Self::KilledInALoop => after(times.mended, 5),
            // What a container of that host asked of others.
            Self::ProxyKilled => failure.what.starts_with("502") && after(times.mended, 5),
            _ => false,
        }
    }

    /// True when what follows is slower for it: what dies often is started again later and later.
    pub fn is_remembered(self) -> bool {
        self == Self::KilledInALoop
    }

    /// Makes it matter: what is to be pulled is on no host yet.
    pub fn prepare(self, stage: &Stage) {
        if self.is_of_images() {
            for host in EVERYWHERE {
                forget_images(stage, host);
            }
        }
    }

    /// True when the first step of an operation that it hits is a pull.
    pub fn is_of_images(self) -> bool {
        matches!(self, Self::RegistryLost | Self::RegistryHung | Self::ImageDeleted)
    }

    /// Breaks it.
    pub fn inject(self, stage: &mut Stage) -> Broken {
        let host = self.host().unwrap_or_default();
        let world = &stage.fleet.world;
        let mut broken = Broken::default();
        match self {
            Self::EngineKilled => drop(world.host(&["kill-docker", host])),
            Self::EngineRestarted => drop(world.host(&["stop-docker", host])),
            Self::EngineHung => drop(world.host(&["hang", host])),
            Self::CutOff => drop(world.host(&["cut", host])),
            Self::SshdKilled => drop(world.host(&["kill-sshd", host])),
            Self::RegistryLost => drop(world.host(&["kill-registry", "open"])),
            Self::RegistryHung => drop(world.host(&["hang-registry", "open"])),
            Self::ProxyKilled => {
                let proxy = stage.containers(host, None).into_iter().find(|one| one.is_proxy).expect("a proxy");
                kill_inside(stage, host, &proxy);
            }
            Self::DiskFull => fill(stage.fleet.store().parent().unwrap(), &stage.fleet.store()),
            Self::StoreLocked => {
                let db = rusqlite::Connection::open(stage.fleet.store()).unwrap();
                db.busy_timeout(Duration::from_secs(20)).unwrap();
                db.execute_batch("BEGIN EXCLUSIVE").unwrap();
                broken.lock = Some(db);
            }
            Self::Killed => stage.unman("KILL"),
            Self::ClockMoved => set_clock(stage, "+3h"),
            Self::KilledInALoop => broken.looping = Some(Looping::start(stage, host)),
            Self::ImageDeleted => broken.manifests = delete_images(stage, host),
        }
        broken
    }

    /// Goes on for its time, and is mended.
    pub fn end(self, stage: &mut Stage, broken: Broken) {
        std::thread::sleep(self.lasts());
        self.mend(stage, broken);
    }

    fn mend(self, stage: &mut Stage, broken: Broken) {
        let host = self.host().unwrap_or_default();
        let world = &stage.fleet.world;
        match self {
            Self::EngineKilled | Self::EngineRestarted => drop(world.host(&["start-docker", host])),
            Self::EngineHung => drop(world.host(&["resume", host])),
            Self::CutOff => drop(world.host(&["heal", host])),
            Self::SshdKilled => drop(world.host(&["start-sshd", host])),
            Self::RegistryLost => drop(world.host(&["start-registry", "open"])),
            Self::RegistryHung => drop(world.host(&["resume-registry", "open"])),
            Self::DiskFull => fs::remove_file(stage.fleet.store().with_file_name("filler")).unwrap(),
            Self::Killed => stage.man(),
            Self::ClockMoved => set_clock(stage, "+0"),
            Self::ImageDeleted => put_images(stage, &broken.manifests),
            Self::ProxyKilled | Self::StoreLocked | Self::KilledInALoop => {}
        }
        drop(broken);
    }

    /// Mends what a failed cell may have left broken. Never panics.
    pub fn sweep(self, world: &super::super::support::World) {
        let host = self.host().unwrap_or_default();
        let (verb, of) = match self {
            Self::EngineKilled | Self::EngineRestarted => ("start-docker", host),
            Self::EngineHung => ("resume", host),
            Self::CutOff => ("heal", host),
            Self::SshdKilled => ("start-sshd", host),
            Self::RegistryLost => ("start-registry", "open"),
            Self::RegistryHung => ("resume-registry", "open"),
            _ => return,
        };
        let script = Path::new(world.var("WORLD_SCRIPTS")).join("host");
        let _ = Command::new(script).arg("--dir").arg(world.dir()).args([verb, of]).output();
    }
}

/// What has to be undone.
#[derive(Default)]
pub struct Broken {
    lock: Option<rusqlite::Connection>,
    looping: Option<Looping>,
    manifests: Vec<(&'static str, String)>,
}

impl Drop for Broken {
    fn drop(&mut self) {
        if let Some(db) = self.lock.take() {
            let _ = db.execute_batch("ROLLBACK");
        }
    }
}

/// Every process of a container, from inside its host.
fn kill_inside(stage: &Stage, host: &str, one: &Listed) {
    let inside = "for p in /proc/[0-9]*; do grep -q $0 $p/cgroup 2>/dev/null && kill -9 ${p#/proc/}; done; true";
    stage.fleet.world.host(&["exec", host, "sh", "-c", inside, &one.id]);
}

/// Ends a container of the service on a host again and again.
struct Looping {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<u32>>,
}

impl Looping {
    fn start(stage: &Stage, host: &'static str) -> Self {
        let over = Arc::<AtomicBool>::default();
        let (end, fleet, victims) = (Arc::clone(&over), stage.fleet.name.clone(), stage.lister(host, "web"));
        let world = super::super::support::World::get();
        let thread = std::thread::spawn(move || {
            let script = Path::new(world.var("WORLD_SCRIPTS")).join("host");
            let mut times = 0;
            while !end.load(Ordering::SeqCst) {
                if let Some(one) = victims().into_iter().find(Listed::is_running) {
                    let of = ["docker", host, "kill", &one.id];
                    let out = Command::new(&script).arg("--dir").arg(world.dir()).args(of).output();
                    times += u32::from(out.is_ok_and(|out| out.status.success()));
                }
                std::thread::sleep(Duration::from_millis(500));
            }
            println!("{fleet}: a container of {host} was killed {times} times");
            times
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Looping {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let times = self.thread.take().and_then(|thread| thread.join().ok());
        assert!(std::thread::panicking() || times.is_some_and(|times| times > 0), "nothing was killed");
    }
}

/// Leaves no byte where the store is, and no room in its log.
fn fill(dir: &Path, store: &Path) {
    use std::io::Write as _;
    let db = rusqlite::Connection::open(store).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let mut filler = fs::File::create(dir.join("filler")).unwrap();
    let full = (0..).map(|_| filler.write_all(&[0; 4096])).find_map(Result::err).unwrap();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
}

/// Where the reconciler's clock reads how far it is off.
pub fn clock_file(stage: &Stage) -> std::path::PathBuf {
    stage.fleet.dir.path().join("clock")
}

fn set_clock(stage: &Stage, off: &str) {
    let (file, new) = (clock_file(stage), clock_file(stage).with_extension("new"));
    fs::write(&new, format!("{off}\n")).unwrap();
    fs::rename(new, file).unwrap();
}

fn curl(args: &[&str]) -> String {
    let out = Command::new("curl").args(["-sSf"]).args(args).output().unwrap();
    assert!(out.status.success(), "curl {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Takes the app's images from the registry and, as far as they are not in use, from a host; gives what describes them.
fn delete_images(stage: &Stage, host: &str) -> Vec<(&'static str, String)> {
    let world = &stage.fleet.world;
    let place = format!("http://{}/v2/app/manifests", world.var("WORLD_REGISTRY"));
    let accept = format!("Accept: {MANIFEST}");
    let mut all = Vec::new();
    for tag in TAGS {
        let at = format!("{place}/{tag}");
        let body = curl(&["-H", &accept, &at]);
        let head = curl(&["-I", "-H", &accept, &at]).to_lowercase();
        let digest = head.lines().find_map(|line| line.strip_prefix("docker-content-digest: ")).unwrap().trim();
        curl(&["-X", "DELETE", &format!("{place}/{digest}")]);
        all.push((tag, body));
    }
    forget_images(stage, host);
    all
}

/// Takes the app's images from a host. Those in use stay, and the client says so.
fn forget_images(stage: &Stage, host: &str) {
    let world = &stage.fleet.world;
    let docker = "docker -H unix:///run/docker.sock";
    let all = format!("for i in $({docker} images -q --no-trunc $0 | sort -u); do {docker} rmi -f $i; done 2>&1; true");
    world.host(&["exec", host, "sh", "-c", &all, world.var("WORLD_IMAGE")]);
}

fn put_images(stage: &Stage, all: &[(&str, String)]) {
    let place = format!("http://{}/v2/app/manifests", stage.fleet.world.var("WORLD_REGISTRY"));
    let kind = format!("Content-Type: {MANIFEST}");
    for (tag, body) in all {
        curl(&["-X", "PUT", "-H", &kind, "--data-binary", body, &format!("{place}/{tag}")]);
    }
}
