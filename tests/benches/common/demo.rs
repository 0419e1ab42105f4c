//! Simulated hosts, served by a process of their own, and what happens on them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Containers on each host.
pub const CONTAINERS: usize = 50;

/// A running `wharf demo --serve`.
pub struct Demo {
    child: Child,
    /// Its fleet file.
    pub fleet: PathBuf,
}

impl Demo {
    /// Hosts whose every answer is so many milliseconds late.
    pub fn start(hosts: usize, latency: u64) -> Self {
        let mut child = Command::new(crate::common::program())
            .args(["demo", "--serve", "--hosts", &hosts.to_string(), "--containers", &CONTAINERS.to_string()])
            .args(["--latency", &latency.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // The reconciler of the demo has its own lists to make first.
        std::thread::sleep(Duration::from_secs(5 + hosts as u64 / 50));
        Self { child, fleet: line.trim().into() }
    }

    /// The sockets of its engines.
    pub fn sockets(&self) -> Vec<PathBuf> {
        let text = std::fs::read_to_string(&self.fleet).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("connect = \"unix://"));
        lines.map(|path| path.trim_end_matches('"').into()).collect()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn send(socket: &Path, method: &str, path: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(format!("{method} {path} HTTP/1.0\r\nHost: engine\r\n\r\n").as_bytes()).unwrap();
    stream
}

/// Asks an engine; gives the body of its answer.
pub fn ask(socket: &Path, method: &str, path: &str) -> String {
    let mut text = String::new();
    send(socket, method, path).read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {text}"));
    assert!(head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')), "{method} {path}: {head}\n{body}");
    body.to_owned()
}

/// The containers of an engine: id and name.
pub fn containers(socket: &Path) -> Vec<(String, String)> {
    let list: serde_json::Value = serde_json::from_str(&ask(socket, "GET", "/containers/json")).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().trim_start_matches('/').to_owned();
    list.as_array().unwrap().iter().map(|it| (text(&it["Id"]), text(&it["Names"][0]))).collect()
}

/// Says of each event of an engine when it came, and its line.
pub fn events(socket: &Path) -> std::sync::mpsc::Receiver<(Instant, String)> {
    let (tell, told) = std::sync::mpsc::channel();
    let stream = send(socket, "GET", "/events");
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if tell.send((Instant::now(), line)).is_err() {
                return;
            }
        }
    });
    told
}

/// Containers all over the fleet that are restarted without end.
pub struct Churn {
    stop: Arc<AtomicBool>,
    restarts: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Churn {
    /// So many restarts are under way at once.
    pub fn start(demo: &Demo, at_once: u64) -> Self {
        let (stop, restarts) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let sockets = Arc::new(demo.sockets());
        let threads = (0..at_once).map(|number| {
            let (stop, restarts, sockets) = (stop.clone(), restarts.clone(), sockets.clone());
            std::thread::spawn(move || {
                let mut rng = fastrand::Rng::with_seed(number);
                while !stop.load(Ordering::Relaxed) {
                    let socket = &sockets[rng.usize(..sockets.len())];
                    let all = containers(socket);
                    for _ in 0..20 {
                        let (id, _) = &all[rng.usize(..all.len())];
                        ask(socket, "POST", &format!("/containers/{id}/restart?t=0"));
                        restarts.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        });
        let threads = threads.collect();
        Self { stop, restarts, threads }
    }

    /// Ends it; gives how often containers were restarted.
    pub fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        self.restarts.load(Ordering::Relaxed)
    }
}
