//! The world, and the program in it.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::pty::Pty;

/// Generous: the machine may be building something else meanwhile.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// In the environment of every process that a test starts, with the fleet's name.
pub const MARK: &str = "WHARF_TEST_FLEET";

/// Nobody waits for minutes here: the app is up in no time, and what fails shall fail soon.
const DEFAULTS: &str = "
[defaults]
min_healthy = \"2s\"
healthy_deadline = \"10s\"
progress_deadline = \"45s\"
restart_backoff = \"1s\"
observe = \"1s\"
drain = \"3s\"
";

/// The world that `tests/world/up` started.
pub struct World {
    vars: BTreeMap<String, String>,
}

impl World {
    pub fn get() -> Self {
        let path = std::env::var("WHARF_WORLD")
            .expect("WHARF_WORLD is not set: start the world (tests/world/up) or run tests/run");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let vars = text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect();
        Self { vars }
    }

    pub fn var(&self, name: &str) -> &str {
        self.vars.get(name).unwrap_or_else(|| panic!("world.env has no {name}"))
    }

    pub fn dir(&self) -> &Path {
        Path::new(self.var("WORLD_DIR"))
    }

    /// `registry/app:TAG`.
    pub fn image(&self, tag: &str) -> String {
        format!("{}:{tag}", self.var("WORLD_IMAGE"))
    }

    /// A fault or its cure: `tests/world/host VERB HOST …`.
    pub fn host(&self, args: &[&str]) -> String {
        let script = Path::new(self.var("WORLD_SCRIPTS")).join("host");
        let out = Command::new(script).arg("--dir").arg(self.dir()).args(args).output().unwrap();
        assert!(out.status.success(), "host {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// A fault that is cured when the answer goes out of scope, also when the test fails.
    pub fn fault(&self, verb: &str, host: &str) -> Fault<'_> {
        let cure = match verb {
            "cut" => "heal",
            "hang" => "resume",
            "add" => "remove",
            "kill-docker" => "start-docker",
            "crash" => "boot",
            "kill-registry" => "start-registry",
            other => panic!("no cure is known for {other}"),
        };
        let said = self.host(&[verb, host]);
        Fault { world: self, cure, host: host.into(), said }
    }

    /// The docker client on a host.
    pub fn docker(&self, host: &str, args: &[&str]) -> String {
        let mut all = vec!["docker", host];
        all.extend(args);
        self.host(&all).trim().to_owned()
    }
}

/// Something that is broken, or was added, until this goes out of scope.
pub struct Fault<'a> {
    world: &'a World,
    cure: &'static str,
    host: String,
    /// What the script printed.
    pub said: String,
}

impl Drop for Fault<'_> {
    fn drop(&mut self) {
        let script = Path::new(self.world.var("WORLD_SCRIPTS")).join("host");
        let out = Command::new(script).arg("--dir").arg(self.world.dir()).args([self.cure, &self.host]).output();
        if !out.as_ref().is_ok_and(|out| out.status.success()) {
            eprintln!("{} {} does not succeed: {out:?}", self.cure, self.host);
        }
    }
}

/// One test's fleet: the world's hosts under a name of its own, with a store of its own.
pub struct Fleet {
    pub world: World,
    pub name: String,
    pub file: PathBuf,
    pub dir: tempfile::TempDir,
}

impl Fleet {
    /// `name` is the fleet's name: unique among the tests.
    pub fn new(name: &str) -> Self {
        let world = World::get();
        let text = fs::read_to_string(world.var("WORLD_FLEET")).unwrap();
        Self::with(name, &text)
    }

    /// A fleet from a fleet file's text; `fleet` and `store` are set here.
    pub fn with(name: &str, text: &str) -> Self {
        Self::tuned(name, text, DEFAULTS)
    }

    /// The same with other defaults.
    pub fn tuned(name: &str, text: &str, defaults: &str) -> Self {
        let world = World::get();
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        fs::create_dir(&store).unwrap();
        let body: Vec<&str> =
            text.lines().filter(|line| !line.starts_with("fleet ") && !line.starts_with("store ")).collect();
        let store = store.join("wharf.db");
        let text = format!("fleet = \"{name}\"\nstore = \"{}\"\n{defaults}\n{}\n", store.display(), body.join("\n"));
        // Beside the world's own, whose certificates are named relative to it.
        let file = world.dir().join(format!("fleet-{name}.toml"));
        fs::write(&file, text).unwrap();
        Self { world, name: name.into(), file, dir }
    }

    pub fn store(&self) -> PathBuf {
        self.dir.path().join("store/wharf.db")
    }

    /// `wharf --fleet FILE ARGS`, ready to run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command
            .arg("--fleet")
            .arg(&self.file)
            .args(args)
            .env("RUST_BACKTRACE", "0")
            .env(MARK, &self.name)
            .env("DOCKER_CONFIG", self.world.var("WORLD_PRIVATE_DOCKER_CONFIG"))
            .stdin(Stdio::null());
        command
    }

    pub fn wharf(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it and expects success; gives standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.wharf(args);
        assert!(
            out.status.success(),
            "wharf {args:?} exits {:?}\nout: {}\nerr: {}\n{}",
            out.status.code(),
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr),
            self.reconciler_log(),
        );
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Runs it and expects this exit code; gives standard error.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let out = self.wharf(args);
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(
            out.status.code(),
            Some(code),
            "wharf {args:?}\nout: {}\nerr: {err}\n{}",
            String::from_utf8_lossy(&out.stdout),
            self.reconciler_log()
        );
        assert!(!err.contains("panicked"), "{err}");
        err
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.push("--json");
        serde_json::from_str(&self.ok(&all)).unwrap()
    }

    /// What reconcilers started on demand wrote.
    pub fn reconciler_log(&self) -> String {
        fs::read_to_string(self.store().with_extension("reconcile.log")).unwrap_or_default()
    }

    /// Starts `wharf ARGS` and goes on.
    pub fn spawn(&self, args: &[&str]) -> Running {
        Running(self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Starts `wharf ARGS` in a terminal of 30 × 120.
    pub fn terminal(&self, args: &[&str]) -> Pty {
        let program = Path::new(env!("CARGO_BIN_EXE_wharf"));
        let file = self.file.display().to_string();
        let all: Vec<&str> = ["--fleet", &file].into_iter().chain(args.iter().copied()).collect();
        let home = std::env::var("HOME").unwrap_or_default();
        let env = [(MARK, self.name.as_str()), ("HOME", &home)];
        Pty::start(program, &all, &env, 30, 120)
    }

    /// Writes a Compose file and gives its path.
    pub fn compose(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text.replace("IMAGE", self.world.var("WORLD_IMAGE"))).unwrap();
        path.display().to_string()
    }

    /// Replicas of a service that run, as `wharf ps` sees them.
    pub fn running(&self, what: &str) -> usize {
        let out = self.wharf(&["ps", what, "--json"]);
        let Ok(rows) = serde_json::from_slice::<Value>(&out.stdout) else { return 0 };
        rows.as_array().map_or(0, |rows| {
            rows.iter().filter(|row| row["state"]["state"] == "running" && row["wanted"] == true).count()
        })
    }

    /// Replicas of this fleet on all hosts, as Docker itself sees them: `host name state`. Proxies are none.
    pub fn containers(&self) -> Vec<String> {
        let mut all = Vec::new();
        for host in self.world.var("WORLD_HOSTS").split(',') {
            let filter = format!("label=wharf.fleet={}", self.name);
            let of = ["--filter", &filter, "--filter", "label=wharf.service", "--format", "{{.Names}} {{.State}}"];
            let out = self.world.docker(host, &[&["ps", "-a"][..], &of].concat());
            all.extend(out.lines().filter(|line| !line.is_empty()).map(|line| format!("{host} {line}")));
        }
        all
    }

    /// Processes that commands of this fleet left behind: reconcilers, and their `ssh`.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mark = format!("{MARK}={}", self.name);
        let all = fs::read_dir("/proc").unwrap().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let marked = pids.filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        });
        let line = |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        marked.map(|pid| (pid, String::from_utf8_lossy(&line(pid)).replace('\0', " "))).collect()
    }

    /// Waits until nothing of ours runs any more: reconcilers started on demand leave by themselves.
    pub fn alone(&self) {
        self.wait("every process has left", || self.processes().is_empty());
    }

    /// Waits until `what` says so, or fails with `about`.
    pub fn wait(&self, about: &str, mut what: impl FnMut() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !what() {
            assert!(
                Instant::now() < until,
                "{about}: not within {PATIENCE:?}\n{:?}\n{}\n{}\n{}",
                self.processes(),
                self.containers().join("\n"),
                String::from_utf8_lossy(&self.wharf(&["ops"]).stdout),
                self.reconciler_log()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The process that holds the region's lease, when one does.
    pub fn reconciler(&self) -> Option<i32> {
        let db =
            rusqlite::Connection::open_with_flags(self.store(), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        let holder: String = db.query_row("SELECT holder FROM lease WHERE owner <> ''", [], |row| row.get(0)).ok()?;
        let pid: i32 = holder.rsplit(':').next()?.parse().ok()?;
        Path::new(&format!("/proc/{pid}")).exists().then_some(pid)
    }
}

impl Fleet {
    /// Removes what `list` finds of this fleet on a host. Never panics: it runs while a failed test ends.
    fn clear(&self, host: &str, list: &[&str], remove: &[&str]) -> Result<(), String> {
        let script = Path::new(self.world.var("WORLD_SCRIPTS")).join("host");
        let ask = |verb: &str, args: &[&str]| {
            let mut command = Command::new("timeout");
            command.args(["--kill-after", "5", "60"]).arg(&script).arg("--dir").arg(self.world.dir());
            command.args([verb, host]).args(args).output().map_err(|error| error.to_string())
        };
        let docker = |args: &[&str]| {
            let mut out = ask("docker", args)?;
            // Docker 20.10 may miss that a container has ended, and then waits for it for ever. Another engine sees it.
            if out.status.code() == Some(124) {
                println!("the engine of {host} does not answer {args:?} within a minute: it is started again");
                ask("kill-docker", &[])?;
                ask("start-docker", &[])?;
                out = ask("docker", args)?;
            }
            if out.status.success() {
                Ok(String::from_utf8_lossy(&out.stdout).into_owned())
            } else {
                Err(String::from_utf8_lossy(&out.stderr).into_owned())
            }
        };
        let filter = format!("label=wharf.fleet={}", self.name);
        let found = docker(&[list, &["--filter", &filter]].concat())?;
        let ids: Vec<&str> = found.split_whitespace().collect();
        if ids.is_empty() { Ok(()) } else { docker(&[remove, &ids].concat()).map(drop) }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
        }
        for host in self.world.var("WORLD_HOSTS").split(',') {
            for (list, remove) in [
                (&["ps", "-aq"][..], &["rm", "-f"][..]),
                (&["network", "ls", "-q"], &["network", "rm"]),
                (&["volume", "ls", "-q"], &["volume", "rm"]),
            ] {
                if let Err(error) = self.clear(host, list, remove) {
                    eprintln!("{host} keeps something of {}: {error}", self.name);
                }
            }
        }
        let _ = fs::remove_file(&self.file);
    }
}

/// A child that ends with the test.
pub struct Running(pub Child);

impl Running {
    pub fn pid(&self) -> String {
        self.0.id().to_string()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.pid()]).status().unwrap().success());
    }

    /// Waits for its end; gives the exit code and standard error.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let until = Instant::now() + PATIENCE;
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut err = String::new();
        let _ = self.0.stderr.take().unwrap().read_to_string(&mut err);
        (self.0.wait().unwrap().code(), err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A stack with one service of three replicas.
pub const WEB: &str = "\
services:
  web:
    image: IMAGE:1
    expose: [\"8080\"]
    deploy:
      replicas: 3
";

/// A certificate for a name, good from and until so many days from today.
pub fn certificate(name: &str, from: i64, until: i64) -> String {
    let day = |days: i64| {
        let distance = Duration::from_secs(days.unsigned_abs() * 24 * 3600);
        let now = std::time::SystemTime::now();
        if days < 0 { now - distance } else { now + distance }
    };
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (day(from).into(), day(until).into());
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().pem() + &key.serialize_pem()
}
