//! The load generator and the app of the test world, tried on each other and on servers that misbehave: what counts the
//! failures of a rollout must itself be right.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::format_collect,
    reason = "a test fails by panicking"
)]

#[path = "support/load.rs"]
#[allow(dead_code, reason = "shared with the tests on real hosts")]
mod load;
#[path = "support/websocket.rs"]
#[allow(dead_code, reason = "shared with the tests on real hosts")]
mod websocket;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use load::{Counts, Load, Stream};
use websocket::{Held, How};

/// A server with a thread per connection, which ends with the test's process.
fn server(on: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let on = std::sync::Arc::new(on);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let on = std::sync::Arc::clone(&on);
            std::thread::spawn(move || on(stream));
        }
    });
    address
}

/// Reads one request; false at the end.
fn request(reader: &mut impl BufRead) -> bool {
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if !matches!(reader.read_line(&mut line), Ok(1..)) {
            return false;
        }
    }
    true
}

/// Answers so many requests on a connection, then closes it.
fn answer(mut stream: TcpStream, times: u32, what: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..times {
        if !request(&mut reader) || stream.write_all(what.as_bytes()).is_err() {
            return;
        }
    }
}

/// Two hundred requests a second to one server, for a second or two.
fn counts(target: SocketAddr, patience: Duration) -> Counts {
    let mut stream = Stream::new("one", &[target], "/", 200);
    stream.patience = patience;
    let load = Load::begin(&[stream], None);
    let until = Instant::now() + Duration::from_secs(20);
    while load.so_far().get("one").is_none_or(|counts| counts.requests() < 50) {
        assert!(Instant::now() < until, "{:?}", load.so_far());
        std::thread::sleep(Duration::from_millis(20));
    }
    load.stop().remove("one").unwrap()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_kind_of_failure_is_counted_as_what_it_is() {
    // Refused: bound and not listening any more.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = counts(closed, SECOND);
    assert_eq!((refused.refused, refused.requests()), (refused.requests(), refused.failed()), "{refused}");
    assert!(refused.failures[0].what.contains("refused"), "{refused}");

    // Closed after the request, with and without a reset: the client has no answer in either case.
    let reset = counts(
        server(|stream| {
            // Unread bytes at the close make it a reset.
            std::thread::sleep(Duration::from_millis(5));
            drop(stream);
        }),
        SECOND,
    );
    assert_eq!((reset.reset, reset.ok), (reset.requests(), 0), "{reset}");
    let eof = counts(server(|stream| answer(stream, 1, "")), SECOND);
    assert_eq!((eof.reset, eof.ok), (eof.requests(), 0), "{eof}");

    // Half an answer is none.
    let half = counts(server(|stream| answer(stream, 1, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")), SECOND);
    assert_eq!((half.reset, half.ok), (half.requests(), 0), "{half}");

    // Never an answer.
    let mute = counts(
        server(|mut stream| {
            let _ = stream.read_to_end(&mut Vec::new());
        }),
        Duration::from_millis(300),
    );
    assert_eq!((mute.timed_out, mute.ok), (mute.requests(), 0), "{mute}");

    // The wrong answer, and none that HTTP knows.
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
    let busy = counts(server(move |stream| answer(stream, 1000, busy)), SECOND);
    assert_eq!((busy.status, busy.ok), (busy.requests(), 0), "{busy}");
    assert!(busy.failures[0].what.contains("503") && busy.failures[0].what.ends_with("busy"), "{busy}");
    let odd = counts(server(|stream| answer(stream, 1, "220 smtp.example ESMTP\r\n\r\n")), SECOND);
    assert_eq!((odd.other, odd.ok), (odd.requests(), 0), "{odd}");
}

#[test]
fn one_failure_among_many_is_seen() {
    let begun = std::sync::atomic::AtomicU32::new(0);
    let good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let target = server(move |stream| {
        let nth = begun.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        answer(stream, if nth == 20 { 0 } else { 1000 }, good);
    });
    let seen = counts(target, SECOND);
    assert_eq!((seen.reset, seen.failed()), (1, 1), "{seen}");
}

#[test]
fn connections_that_the_server_closes_when_idle_are_no_failure() {
    let good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    let announced = counts(server(move |stream| answer(stream, 1, good)), SECOND);
    assert_eq!(announced.failed(), 0, "{announced}");
    let good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let silent = counts(server(move |stream| answer(stream, 1, good)), SECOND);
    assert_eq!(silent.failed(), 0, "{silent}");
}

/// The app of the test world on loopback.
struct App(Child, SocketAddr);

impl App {
    fn start(env: &[(&str, &str)]) -> Self {
        static PROGRAM: std::sync::OnceLock<tempfile::TempPath> = std::sync::OnceLock::new();
        let program = PROGRAM.get_or_init(|| {
            let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/world/app");
            let mut files: Vec<_> = std::fs::read_dir(source).unwrap().map(|file| file.unwrap().path()).collect();
            files.retain(|file| file.extension().is_some_and(|ext| ext == "c"));
            let status = Command::new("cc")
                .args(["-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
                .arg(&*path)
                .args(files)
                .status()
                .unwrap();
            assert!(status.success());
            path
        });
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut child = Command::new(&**program)
            .env("PORT", free.port().to_string())
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Its first line says that it listens.
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
        Self(child, free)
    }

    fn term(&self) {
        let pid = i32::try_from(self.0.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Waits for its end; gives the exit code.
    fn code(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.1).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_quiet_server_has_no_failure() {
    let (one, two) = (App::start(&[]), App::start(&[("VERSION", "2")]));
    let streams = [
        Stream::new("quick", &[one.1, two.1], "/", 500),
        Stream::new("slow", &[one.1], "/slow?s=1", 10),
        Stream::new("chain", &[one.1], &format!("/fetch?u=http://localhost:{}/", two.1.port()), 20),
    ];
    let load = Load::start(&streams, None);
    std::thread::sleep(Duration::from_secs(3));
    let counts = load.stop();
    for counts in counts.values() {
        assert_eq!(counts.failed(), 0, "{counts}");
    }
    let quick = &counts["quick"];
    // The rate is held, with room for the time until the first answer, and both kinds of connection are used.
    assert!(quick.requests() as f64 >= 450.0 * quick.seconds.min(3.0), "{quick}");
    assert!(quick.slowest_ms > 0.0 && quick.p99_ms <= quick.slowest_ms, "{quick}");
    assert!(counts["slow"].slowest_ms >= 1000.0, "{}", counts["slow"]);
}

#[test]
fn the_app_answers_what_it_was_asked_before_it_leaves() {
    let mut app = App::start(&[]);
    let held = Held::open(app.1).unwrap();
    let slow = Load::start(&[Stream::new("slow", &[app.1], "/slow?s=0.5", 40)], None);
    let begun = slow.stop();
    assert_eq!(begun["slow"].failed(), 0, "{}", begun["slow"]);
    let address = app.1;
    let last = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /slow?s=1 HTTP/1.1\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    std::thread::sleep(Duration::from_millis(300));
    assert!(held.is_open());
    app.term();
    let last = last.join().unwrap();
    assert!(last.starts_with("HTTP/1.1 200 OK") && last.contains("Connection: close"), "{last}");
    let ended = held.end();
    assert_eq!(ended.how, How::GoingAway, "{ended:?}");
    assert!(ended.echoes > 0);
    assert_eq!(app.code(), Some(0));
}

#[test]
fn the_app_misbehaves_as_it_is_told() {
    let failing = App::start(&[("ERROR_RATE", "0.25")]);
    let errors = (0..40).filter(|_| failing.get("/").starts_with("HTTP/1.1 500")).count();
    assert_eq!(errors, 10);
    assert!(failing.get("/healthz").starts_with("HTTP/1.1 200"));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fetched = failing.get(&format!("/fetch?u=http://{gone}/"));
    assert!(fetched.starts_with("HTTP/1.1 502") && fetched.contains("refused"), "{fetched}");

    let late = App::start(&[("SICK_AFTER", "0.5")]);
    assert!(late.get("/healthz").starts_with("HTTP/1.1 200"));
    std::thread::sleep(Duration::from_millis(600));
    assert!(late.get("/healthz").starts_with("HTTP/1.1 503"));

    let mut deaf = App::start(&[("IGNORE_TERM", "1")]);
    deaf.term();
    std::thread::sleep(Duration::from_millis(200));
    assert!(deaf.0.try_wait().unwrap().is_none(), "it ended");
    assert!(deaf.get("/").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_websocket_that_breaks_is_not_one_that_ends() {
    let app = App::start(&[]);
    let held = Held::open(app.1).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    drop(app);
    std::thread::sleep(Duration::from_millis(500));
    assert!(!held.is_open());
    assert!(matches!(held.end().how, How::Broken(_)));
    let mute = server(|stream| answer(stream, 1, "HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert!(Held::open(mute).is_err());
}
