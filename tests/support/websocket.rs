//! WebSockets that are held open, and how they end.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The key of RFC 6455's example, so that the answer is known too.
const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ACCEPTED: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// `hello`, masked with zeros, and what comes back.
const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";
const ECHO: &[u8] = b"\x81\x05hello";
/// The server says that it is going away.
const GOING_AWAY: &[u8] = b"\x88\x02\x03\xe9";

/// A WebSocket on which something is sent, and comes back, four times a second.
pub struct Held {
    told: Arc<AtomicBool>,
    thread: JoinHandle<Ended>,
}

/// How a WebSocket ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// How long it was open.
    pub after: Duration,
    /// Messages that came back.
    pub echoes: u32,
    /// Why.
    pub how: How,
}

/// Why a WebSocket ended.
#[derive(Debug, Clone, PartialEq)]
pub enum How {
    /// The test ended it.
    Told,
    /// The server said that it is going away.
    GoingAway,
    /// Anything else.
    Broken(String),
}

impl Held {
    /// Opens one.
    pub fn open(target: SocketAddr) -> Result<Self, String> {
        let mut stream = TcpStream::connect(target).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(HANDSHAKE.as_bytes()).map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).map_err(|error| format!("{error}; {}", String::from_utf8_lossy(&answer)))?;
            answer.extend(byte);
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if !answer.starts_with("HTTP/1.1 101 ") || !answer.contains(ACCEPTED) {
            return Err(answer);
        }
        let told = Arc::<AtomicBool>::default();
        let end = Arc::clone(&told);
        let thread = std::thread::spawn(move || {
            let (began, mut echoes) = (Instant::now(), 0);
            let how = loop {
                if end.load(Ordering::SeqCst) {
                    break How::Told;
                }
                match echo(&mut stream) {
                    Ok(true) => echoes += 1,
                    Ok(false) => break How::GoingAway,
                    Err(what) => break How::Broken(what),
                }
                std::thread::sleep(Duration::from_millis(250));
            };
            Ended { after: began.elapsed(), echoes, how }
        });
        Ok(Self { told, thread })
    }

    /// True while it has not ended by itself.
    pub fn is_open(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Ends it, if it has not ended, and tells how it did.
    pub fn end(self) -> Ended {
        self.told.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// Sends and waits for the same: true. False: the server is going away.
fn echo(stream: &mut TcpStream) -> Result<bool, String> {
    // A close that came before may make this fail; what matters is what can be read.
    let sent = stream.write_all(HELLO);
    let mut head = [0; 4];
    stream.read_exact(&mut head).map_err(|error| format!("{error} ({sent:?})"))?;
    if head == GOING_AWAY {
        return Ok(false);
    }
    let mut rest = [0; 3];
    stream.read_exact(&mut rest).map_err(|error| error.to_string())?;
    if [&head[..], &rest[..]].concat() == ECHO { Ok(true) } else { Err(format!("{head:?} {rest:?} came back")) }
}
