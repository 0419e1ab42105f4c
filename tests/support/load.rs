//! Load: requests at a steady rate, half of them on connections of their own, and how each of them ended.
//!
//! It runs in a process of its own, this test program again, so that nothing of the test slows it down, and so that it
//! can be put into the network of a container. The rate is kept whatever the answers are: a slow server does not get
//! fewer requests. Every request is counted once, by what its client would have seen.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, sync::Semaphore};

/// The test that is the other process.
const WORKER: &str = "load::process_of_its_own";
/// Its orders, in its environment.
const ORDERS: &str = "WHARF_TEST_LOAD";
/// Connections kept per target; a proxy that holds requests back would otherwise leave thousands.
const KEPT: usize = 16;
/// Requests under way at once, per stream. More than this is a failure by itself.
const UNDER_WAY: usize = 4000;
/// Failures told with time and words.
const TOLD: usize = 2000;
/// Nothing is loaded for longer than this, whatever becomes of the test.
const LONGEST: Duration = Duration::from_secs(900);

/// Requests of one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stream {
    /// For the counts.
    pub name: String,
    /// `ADDRESS:PORT`, asked in turn.
    pub targets: Vec<SocketAddr>,
    /// Path and query.
    pub path: String,
    /// Requests per second, over all targets.
    pub rate: u32,
    /// An answer must be complete after this time.
    pub patience: Duration,
}

impl Stream {
    /// `GET PATH` from each target in turn.
    pub fn new(name: &str, targets: &[SocketAddr], path: &str, rate: u32) -> Self {
        let (name, path) = (name.to_owned(), path.to_owned());
        Self { name, targets: targets.to_vec(), path, rate, patience: Duration::from_secs(15) }
    }
}

/// How the requests of a stream ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Answered with 200 to 299, completely.
    pub ok: u64,
    /// No connection: refused.
    pub refused: u64,
    /// A connection that ended before the answer did.
    pub reset: u64,
    /// No answer in time.
    pub timed_out: u64,
    /// Another answer than 200 to 299.
    pub status: u64,
    /// Any other end.
    pub other: u64,
    /// Not sent, because too many others waited for an answer: this machine is too slow for the rate. No failure, and told.
    #[serde(default)]
    pub skipped: u64,
    /// Kept connections that were found closed before anything was sent on them; not a failure, another was opened.
    pub reopened: u64,
    /// The slowest answer, in milliseconds.
    pub slowest_ms: f64,
    /// 99 of 100 answers were quicker, in milliseconds.
    pub p99_ms: f64,
    /// The most that a request was sent later than it was due: more than a little, and this machine is too slow.
    pub late_ms: f64,
    /// How long it went on.
    pub seconds: f64,
    /// The first failures.
    pub failures: Vec<Failure>,
}

impl Counts {
    /// All requests that ended.
    pub fn requests(&self) -> u64 {
        self.ok + self.failed()
    }

    /// Those that did not end well.
    pub fn failed(&self) -> u64 {
        self.refused + self.reset + self.timed_out + self.status + self.other
    }

    /// Both together. The rate of the two is lost.
    pub fn plus(mut self, other: &Self) -> Self {
        self.ok += other.ok;
        self.refused += other.refused;
        self.reset += other.reset;
        self.timed_out += other.timed_out;
        self.status += other.status;
        self.other += other.other;
        self.skipped += other.skipped;
        self.reopened += other.reopened;
        self.slowest_ms = self.slowest_ms.max(other.slowest_ms);
        self.p99_ms = self.p99_ms.max(other.p99_ms);
        self.late_ms = self.late_ms.max(other.late_ms);
        self.seconds = self.seconds.max(other.seconds);
        self.failures.extend(other.failures.iter().cloned());
        self
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests in {:.1} s: {} refused, {} reset, {} timed out, {} not 2xx, {} other; p99 {:.0} ms, slowest {:.0} ms",
            self.requests(),
            self.seconds,
            self.refused,
            self.reset,
            self.timed_out,
            self.status,
            self.other,
            self.p99_ms,
            self.slowest_ms
        )?;
        self.failures.iter().take(8).try_for_each(|failure| write!(f, "\n  {failure}"))
    }
}

/// A request that did not end well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Which target.
    pub target: SocketAddr,
    /// On a connection of its own, or a kept one.
    pub fresh: bool,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connection = if self.fresh { "new" } else { "kept" };
        write!(f, "{} to {}, {} on a {connection} connection: {}", self.began, self.ended, self.target, self.what)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Orders {
    streams: Vec<Stream>,
    result: PathBuf,
}

/// A load that goes on until it is stopped, or the test ends.
pub struct Load {
    child: Child,
    result: tempfile::TempDir,
    streams: Vec<Stream>,
}

impl Load {
    /// Starts it; returns when every stream has had an answer. `network` is the pid of a process in whose network it is.
    pub fn start(streams: &[Stream], network: Option<u32>) -> Self {
        let load = Self::begin(streams, network);
        let until = Instant::now() + Duration::from_secs(30);
        while !streams.iter().all(|stream| load.so_far().get(&stream.name).is_some_and(|counts| counts.ok > 0)) {
            assert!(Instant::now() < until, "no answer to the load within 30 s: {:?}", load.so_far());
            std::thread::sleep(Duration::from_millis(20));
        }
        load
    }

    /// Starts it, whether or not anybody answers.
    pub fn begin(streams: &[Stream], network: Option<u32>) -> Self {
        let result = tempfile::tempdir().unwrap();
        let orders = Orders { streams: streams.to_vec(), result: result.path().join("counts.json") };
        let this = std::env::current_exe().unwrap();
        let mut command = match network {
            Some(pid) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net=/proc/{pid}/ns/net")).arg(this);
                command
            }
            None => Command::new(this),
        };
        command
            .args(["--exact", WORKER, "--include-ignored", "--nocapture", "--test-threads=1"])
            .env(ORDERS, serde_json::to_string(&orders).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        Self { child: command.spawn().unwrap(), result, streams: streams.to_vec() }
    }

    fn file(&self) -> PathBuf {
        self.result.path().join("counts.json")
    }

    /// The counts of about now, by the streams' names.
    pub fn so_far(&self) -> BTreeMap<String, Counts> {
        fs::read(self.file()).map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap_or_default()
    }

    /// Ends it when all that it began has ended, and counts.
    pub fn stop(mut self) -> BTreeMap<String, Counts> {
        drop(self.child.stdin.take());
        let patience = self.streams.iter().map(|stream| stream.patience).max().unwrap_or_default();
        let until = Instant::now() + patience + Duration::from_secs(20);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "the load does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the load ended with {status}");
        self.so_far()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "a part of the other tests: the process that makes the load"]
fn process_of_its_own() {
    // Without orders somebody runs all that is ignored.
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = rustix::process::Rlimit { current: files.maximum, maximum: files.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, most).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work(orders));
}

/// Makes load until standard input ends, which it does at the latest when the test's process is gone.
async fn work(orders: Orders) {
    let (end, ended) = tokio::sync::watch::channel(false);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = end.send(true);
    });
    let kinds: Vec<Arc<Kind>> = orders.streams.into_iter().map(|stream| Arc::new(Kind::new(stream))).collect();
    let running: Vec<_> = kinds.iter().map(|kind| tokio::spawn(Arc::clone(kind).run(ended.clone()))).collect();
    let mut all = futures::future::join_all(running);
    loop {
        let done = tokio::select! {
            ends = &mut all => { assert!(ends.iter().all(Result::is_ok), "{ends:?}"); true }
            () = tokio::time::sleep(Duration::from_millis(200)) => false,
        };
        write(&orders.result, &kinds);
        if done {
            return;
        }
    }
}

fn write(result: &Path, kinds: &[Arc<Kind>]) {
    let counts: BTreeMap<&str, Counts> = kinds.iter().map(|kind| (kind.stream.name.as_str(), kind.counts())).collect();
    let new = result.with_extension("new");
    fs::write(&new, serde_json::to_vec(&counts).unwrap()).unwrap();
    fs::rename(&new, result).unwrap();
}

type Sender = SendRequest<Empty<Bytes>>;

/// A stream at work.
struct Kind {
    stream: Stream,
    began: Instant,
    /// The kept connections to each target that are not in use, the one used longest ago first.
    kept: Vec<Mutex<VecDeque<Sender>>>,
    under_way: Arc<Semaphore>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    counts: Counts,
    micros: Vec<u32>,
}

/// How a request ended, when not well.
enum End {
    Refused(String),
    Reset(String),
    TimedOut(String),
    Status(String),
    Other(String),
}

impl Kind {
    fn new(stream: Stream) -> Self {
        let kept = stream.targets.iter().map(|_| Mutex::default()).collect();
        let under_way = Arc::new(Semaphore::new(UNDER_WAY));
        Self { stream, began: Instant::now(), kept, under_way, seen: Mutex::default() }
    }

    fn counts(&self) -> Counts {
        let seen = self.seen.lock().unwrap();
        let mut counts = seen.counts.clone();
        let mut micros = seen.micros.clone();
        drop(seen);
        let at = micros.len() * 99 / 100;
        if at < micros.len() {
            counts.p99_ms = f64::from(*micros.select_nth_unstable(at).1) / 1000.0;
        }
        counts.slowest_ms = f64::from(micros.iter().copied().max().unwrap_or(0)) / 1000.0;
        counts.seconds = self.began.elapsed().as_secs_f64();
        counts
    }

    /// Sends until it is told to end; returns when all that was sent has ended.
    async fn run(self: Arc<Self>, mut ended: tokio::sync::watch::Receiver<bool>) {
        let mut sent: u32 = 0;
        let pause = Duration::from_secs(1) / self.stream.rate.max(1);
        while !*ended.borrow_and_update() && self.began.elapsed() < LONGEST {
            let due = self.began + pause * sent;
            if let Some(early) = due.checked_duration_since(Instant::now()) {
                tokio::select! {
                    () = tokio::time::sleep(early) => {}
                    _ = ended.changed() => continue,
                }
            }
            self.send(sent as usize, due);
            sent += 1;
        }
        let all = self.under_way.acquire_many(u32::try_from(UNDER_WAY).unwrap()).await;
        drop(all);
    }

    fn send(self: &Arc<Self>, number: usize, due: Instant) {
        let targets = self.stream.targets.len();
        let (at, fresh) = (number % targets, (number / targets).is_multiple_of(2));
        let (kind, (began, start)) = (Arc::clone(self), (Timestamp::now(), Instant::now()));
        let late = start.saturating_duration_since(due).as_secs_f64() * 1000.0;
        {
            let mut seen = self.seen.lock().unwrap();
            seen.counts.late_ms = seen.counts.late_ms.max(late);
        }
        let Ok(place) = Arc::clone(&self.under_way).try_acquire_owned() else {
            self.seen.lock().unwrap().counts.skipped += 1;
            return;
        };
        tokio::spawn(async move {
            let asked = tokio::time::timeout(kind.stream.patience, kind.ask(at, fresh)).await;
            let words = || format!("no answer within {:?}", kind.stream.patience);
            let end = asked.unwrap_or_else(|_| Err(End::TimedOut(words())));
            kind.ended(at, fresh, began, start, end);
            drop(place);
        });
    }

    fn ended(&self, at: usize, fresh: bool, began: Timestamp, start: Instant, end: Result<(), End>) {
        let micros = u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX);
        let mut seen = self.seen.lock().unwrap();
        let counts = &mut seen.counts;
        let (count, what) = match end {
            Ok(()) => {
                counts.ok += 1;
                return seen.micros.push(micros);
            }
            Err(End::Refused(what)) => (&mut counts.refused, what),
            Err(End::Reset(what)) => (&mut counts.reset, what),
            Err(End::TimedOut(what)) => (&mut counts.timed_out, what),
            Err(End::Status(what)) => (&mut counts.status, what),
            Err(End::Other(what)) => (&mut counts.other, what),
        };
        *count += 1;
        if counts.failures.len() < TOLD {
            let target = self.stream.targets[at];
            counts.failures.push(Failure { began, ended: Timestamp::now(), target, fresh, what });
        }
    }

    async fn ask(&self, at: usize, fresh: bool) -> Result<(), End> {
        let mut request = self.request(at, fresh);
        while let Some(mut kept) = if fresh { None } else { self.kept[at].lock().unwrap().pop_front() } {
            // One that is closed already takes nothing: it gives the request back, and the client tries another.
            match kept.try_send_request(request).await {
                Ok(answer) => return self.read(at, Some(kept), answer).await,
                Err(mut error) => match error.take_message() {
                    Some(back) => request = back,
                    None => return Err(end(&error.into_error())),
                },
            }
            self.seen.lock().unwrap().counts.reopened += 1;
        }
        let mut sender = self.connect(at).await?;
        let answer = sender.send_request(request).await.map_err(|error| end(&error))?;
        self.read(at, (!fresh).then_some(sender), answer).await
    }

    async fn connect(&self, at: usize) -> Result<Sender, End> {
        let stream = TcpStream::connect(self.stream.targets[at]).await.map_err(|error| io_end(&error))?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| end(&error))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn request(&self, at: usize, fresh: bool) -> Request<Empty<Bytes>> {
        Request::get(&self.stream.path)
            .header("host", self.stream.targets[at].to_string())
            .header("connection", if fresh { "close" } else { "keep-alive" })
            .body(Empty::new())
            .unwrap()
    }

    /// Reads an answer to its end; keeps the connection where it may.
    async fn read(
        &self,
        at: usize,
        keep: Option<Sender>,
        answer: hyper::Response<hyper::body::Incoming>,
    ) -> Result<(), End> {
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| end(&error))?.to_bytes();
        if let Some(mut sender) = keep
            && sender.ready().await.is_ok()
        {
            let mut kept = self.kept[at].lock().unwrap();
            if kept.len() < KEPT {
                kept.push_back(sender);
            }
        }
        if status.is_success() {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(&body).chars().take(120).collect();
        Err(End::Status(format!("{status}: {}", said.trim())))
    }
}

/// What the client of a failed request saw.
fn end(error: &hyper::Error) -> End {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return io_end(io);
        }
        source = inner.source();
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        End::Reset(format!("closed before the answer was complete: {error}"))
    } else {
        End::Other(error.to_string())
    }
}

fn io_end(error: &std::io::Error) -> End {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof,
    };
    let words = error.to_string();
    match error.kind() {
        ConnectionRefused => End::Refused(words),
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => End::Reset(words),
        TimedOut => End::TimedOut(words),
        _ => End::Other(words),
    }
}
