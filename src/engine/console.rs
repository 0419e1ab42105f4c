//! Shells, commands and attachments in containers, for people at a terminal. Changes nothing that is wanted.

use std::{pin::Pin, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    sync::{mpsc, oneshot},
};

use super::{
    error::{EngineError, ErrorKind, Fault},
    handle::plain,
    http::within,
    reader::{Reader, SHORT, another, inspected},
    session::Session,
};
use crate::{model::ContainerId, text::Text};

/// A command must have begun by then.
const BEGIN: Duration = Duration::from_secs(20);
/// Pieces of output that wait for a slow terminal; the engine waits then.
const WAITING: usize = 16;
/// An engine is asked so often for an exit code that it does not know yet.
const ASKED: u32 = 10;
/// The best shell that is there.
const SHELL: [&str; 3] = ["/bin/sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi"];

/// The right to talk with containers of one engine. A [`Reader`] has no way to it.
#[derive(Debug, Clone)]
pub struct Console {
    reader: Reader,
}

/// What is talked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Talker {
    /// The best shell of the image.
    Shell,
    /// A command of its own.
    Command(Vec<String>),
    /// The container's own process.
    Process,
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// It was printed to stderr. With a terminal everything is stdout.
    pub stderr: bool,
    /// The bytes.
    pub bytes: Bytes,
}

/// The two ends of what is talked with.
pub struct Conversation {
    /// Its input. Shut down, it ends.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What it prints; closes with it, or with the connection.
    pub output: mpsc::Receiver<Piece>,
    /// How large its terminal is, and how it ended.
    pub control: Control,
}

/// The side of a conversation that is no bytes.
pub struct Control {
    reader: Reader,
    /// The path below which it can be resized and asked: `/exec/ID`, or a container's own.
    path: String,
    is_exec: bool,
    broken: oneshot::Receiver<Text>,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Conversation")
    }
}

#[derive(Deserialize)]
struct Made {
    #[serde(rename = "Id")]
    id: String,
}

#[derive(Deserialize)]
struct Inspected {
    #[serde(rename = "ExitCode")]
    code: Option<i64>,
    #[serde(rename = "Running", default)]
    running: bool,
}

impl Console {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// Begins to talk. With a terminal of columns and rows, or without one.
    pub async fn open(
        &self,
        id: &ContainerId,
        with: &Talker,
        terminal: Option<(u16, u16)>,
    ) -> Result<Conversation, EngineError> {
        let tried = "open a shell in a container";
        let session = self.reader.session(tried)?;
        let begun = within(BEGIN, async {
            let id = plain(id)?;
            let (path, tty, upgraded) = match with {
                Talker::Process => {
                    let tty = inspected(&session, id).await?.config.tty;
                    let path = format!("/containers/{id}");
                    let attach = format!("{path}/attach?stream=1&stdin=1&stdout=1&stderr=1&logs=0");
                    (path, tty, session.http.upgrade(&attach, None).await?)
                }
                Talker::Shell | Talker::Command(_) => {
                    let exec = made(&session, id, with, terminal.is_some()).await?;
                    let path = format!("/exec/{exec}");
                    let body = json!({ "Detach": false, "Tty": terminal.is_some() });
                    let upgraded = session.http.upgrade(&format!("{path}/start"), Some(body)).await?;
                    (path, terminal.is_some(), upgraded)
                }
            };
            Ok((path, tty, upgraded))
        });
        let (path, tty, upgraded) = begun.await.map_err(|fault| fault.at(self.reader.host(), tried))?;
        let (from, input) = tokio::io::split(TokioIo::new(upgraded));
        let (tell, output) = mpsc::channel(WAITING);
        let (break_off, broken) = oneshot::channel();
        tokio::spawn(listen(from, tty, self.reader.clone(), tell, break_off));
        let is_exec = *with != Talker::Process;
        let control = Control { reader: self.reader.clone(), path, is_exec, broken };
        if let Some(size) = terminal {
            control.resize(size).await;
        }
        Ok(Conversation { input: Box::pin(input), output, control })
    }
}

async fn made(session: &Session, id: &str, with: &Talker, tty: bool) -> Result<String, Fault> {
    let command: Vec<&str> = match with {
        Talker::Command(words) => words.iter().map(String::as_str).collect(),
        Talker::Shell | Talker::Process => SHELL.to_vec(),
    };
    let mut body = json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": tty, "Cmd": command,
    });
    if tty && let Some(fields) = body.as_object_mut() {
        fields.insert("Env".to_owned(), json!(["TERM=xterm-256color"]));
    }
    let made: Made = session.http.post(&format!("/containers/{id}/exec"), &body, SHORT).await?;
    if made.id.is_empty() || !made.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Fault::new(ErrorKind::Garbage, "the engine gave the command no id", ""));
    }
    Ok(made.id)
}

impl Control {
    /// Says how large the terminal is. That it could not be said is no reason to stop.
    pub async fn resize(&self, (columns, rows): (u16, u16)) {
        let Ok(session) = self.reader.session("resize a terminal") else { return };
        let path = format!("{}/resize?h={rows}&w={columns}", self.path);
        let sent = within(SHORT, session.http.send(Method::POST, &path, HeaderMap::new(), Some("".into())));
        if let Err(fault) = sent.await {
            tracing::debug!(why = %fault.why, "resize");
        }
    }

    /// How it ended, after its output has: its exit code, where there is one to know.
    pub async fn ended(mut self) -> Result<Option<i64>, EngineError> {
        let tried = "ask how a command ended";
        if let Ok(why) = self.broken.try_recv() {
            let fault = Fault { kind: ErrorKind::Unreachable, why, next: "what ran there may go on".into() };
            return Err(fault.at(self.reader.host(), "keep the connection to a container"));
        }
        if !self.is_exec {
            return Ok(None);
        }
        for _ in 0..ASKED {
            let path = format!("{}/json", self.path);
            let found: Inspected =
                self.reader.ask(tried, async |session| session.http.json(&path, SHORT).await).await?;
            if !found.running {
                return Ok(found.code);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(None)
    }
}

/// Hands output on until it ends, or the host is not reached any more.
async fn listen(
    mut from: impl AsyncRead + Unpin,
    tty: bool,
    reader: Reader,
    tell: mpsc::Sender<Piece>,
    break_off: oneshot::Sender<Text>,
) {
    let mut current = reader.current.clone();
    current.mark_unchanged();
    let mut raw = BytesMut::with_capacity(16 * 1024);
    loop {
        let read = tokio::select! {
            biased;
            read = from.read_buf(&mut raw) => read,
            // Nobody listens any more: the connection can go.
            () = tell.closed() => return,
            fault = another(&mut current) => {
                let why = fault.map_or_else(|| Text::new("the host was connected anew"), |fault| fault.why);
                drop(break_off.send(why));
                return;
            }
        };
        match read {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                drop(break_off.send(Text::new(&format!("the connection broke: {error}"))));
                return;
            }
        }
        while let Some(piece) = next(&mut raw, tty) {
            if tell.send(piece).await.is_err() {
                return;
            }
        }
    }
}

/// Bytes of a frame's header: the stream, three zeros, the length in big-endian order.
const HEADER: usize = 8;

/// The next piece: whole frames, or a terminal's bytes as they are.
fn next(raw: &mut BytesMut, tty: bool) -> Option<Piece> {
    if tty {
        return (!raw.is_empty()).then(|| Piece { stderr: false, bytes: raw.split().freeze() });
    }
    let (&[stream, _, _, _, a, b, c, d], rest) = raw.split_first_chunk::<HEADER>()?;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if rest.len() < length {
        return None;
    }
    raw.advance(HEADER);
    Some(Piece { stderr: stream == 2, bytes: raw.split_to(length).freeze() })
}

/// Headers that ask for the connection itself.
pub(super) fn upgrade_headers() -> HeaderMap {
    HeaderMap::from_iter([
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("tcp")),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_apart_and_a_terminals_bytes_are_left_alone() {
        let mut raw = BytesMut::from(&b"\x01\0\0\0\0\0\0\x02hi\x02\0\0\0\0\0\0\x03no"[..]);
        let piece = next(&mut raw, false).unwrap();
        assert_eq!((piece.stderr, &piece.bytes[..]), (false, &b"hi"[..]));
        assert_eq!(next(&mut raw, false), None);
        raw.extend_from_slice(b"!");
        let piece = next(&mut raw, false).unwrap();
        assert_eq!((piece.stderr, &piece.bytes[..]), (true, &b"no!"[..]));
        let mut raw = BytesMut::from(&b"\x01\0\xe6"[..]);
        assert_eq!(&next(&mut raw, true).unwrap().bytes[..], b"\x01\0\xe6");
        assert_eq!(next(&mut raw, true), None);
    }
}
