//! What containers print, line by line.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use jiff::Timestamp;

use super::{
    error::{EngineError, Fault},
    http::{broken, encode, within},
    reader::{LIST, Reader, inspected},
    session::Session,
};
use crate::{
    model::{ContainerId, LogLine},
    text::{MAX_TEXT_BYTES, Painted},
};

/// A followed log may be silent for any time; so often it is checked that the engine still answers.
const CHECK_EVERY: Duration = Duration::from_secs(20);

/// Which lines of a log.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Only the last so many; none means all.
    pub tail: Option<u32>,
    /// Only from this moment on, by the engine's clock.
    pub since: Option<Timestamp>,
    /// Only up to this moment, by the engine's clock.
    pub until: Option<Timestamp>,
    /// Go on with lines as they come.
    pub follow: bool,
}

impl Reader {
    /// A container's output. The stream ends where the log does, or with an error when the connection breaks.
    pub async fn logs(
        &self,
        id: &ContainerId,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine, EngineError>>, EngineError> {
        let tried = "read a log";
        let session = self.session(tried)?;
        let opened = async {
            // Only the configuration tells whether the output comes in frames.
            let tty = inspected(&session, id.0.as_str()).await?.config.tty;
            Source::open(&session, id, &options, tty).await
        };
        let mut source = opened.await.map_err(|fault: Fault| fault.at(&self.host, tried))?;
        source.reader = Some(self.clone());
        let host = self.host.clone();
        Ok(futures::stream::try_unfold(source, move |mut source| {
            let host = host.clone();
            async move {
                let line = source.next().await.map_err(|fault| fault.at(&host, tried))?;
                Ok(line.map(|line| (line, source)))
            }
        })
        .boxed())
    }
}

/// An open log.
pub(crate) struct Source {
    body: Incoming,
    /// Who asks a silent engine whether it is still there; none where someone else minds the connection.
    reader: Option<Reader>,
    splitter: Splitter,
    ended: bool,
}

impl Source {
    /// Opens the log of a container with a terminal, or without one. Silence is not looked into.
    pub(crate) async fn open(
        session: &Session,
        id: &ContainerId,
        options: &LogOptions,
        tty: bool,
    ) -> Result<Self, Fault> {
        let tail = options.tail.map_or_else(|| "all".to_owned(), |tail| tail.to_string());
        let moment = |name: &str, at: Option<Timestamp>| {
            at.map(|at| format!("&{name}={}.{:09}", at.as_second(), at.subsec_nanosecond().max(0))).unwrap_or_default()
        };
        let path = format!(
            "/containers/{}/logs?stdout=true&stderr=true&timestamps=true&follow={}&tail={tail}{}{}",
            encode(id.0.as_str()),
            options.follow,
            moment("since", options.since),
            moment("until", options.until),
        );
        let response = within(LIST, session.http.send(Method::GET, &path, HeaderMap::new(), None)).await?;
        Ok(Self { body: response.into_body(), reader: None, splitter: Splitter::new(tty), ended: false })
    }

    /// The next line; none at the end. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<LogLine>, Fault> {
        loop {
            if let Some(line) = self.splitter.line() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(self.splitter.rest());
            }
            match tokio::time::timeout(CHECK_EVERY, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.splitter.push(&data);
                    }
                }
                Ok(Some(Err(error))) => return Err(broken(&error)),
                Ok(None) => self.ended = true,
                Err(_) => {
                    if let Some(reader) = &self.reader {
                        let answer = reader.ping().await;
                        answer.map_err(|error| Fault { kind: error.kind, why: error.why, next: error.next })?;
                    }
                }
            }
        }
    }
}

/// Makes lines of bytes: of frames with a header each, or of a terminal's plain output.
struct Splitter {
    tty: bool,
    /// Bytes of which the frame is not complete.
    raw: Vec<u8>,
    /// Output without its last line end, per stream: stdout, stderr.
    open: [Vec<u8>; 2],
    lines: std::collections::VecDeque<LogLine>,
}

/// Engines keep longer lines in parts of so many bytes.
const ENGINES_CUT: usize = 16 * 1024;

/// The part of a line behind its time stamp.
fn unstamped(payload: &[u8]) -> &[u8] {
    let Some(at) = payload.iter().take(40).position(|byte| *byte == b' ') else { return payload };
    let stamp = payload.get(..at).and_then(|stamp| std::str::from_utf8(stamp).ok());
    let is_stamp = stamp.is_some_and(|stamp| stamp.parse::<Timestamp>().is_ok());
    payload.get(at + 1..).filter(|_| is_stamp).unwrap_or(payload)
}

/// Bytes of a frame's header: the stream, three zeros, the length in big-endian order.
const HEADER: usize = 8;

impl Splitter {
    fn new(tty: bool) -> Self {
        Self { tty, raw: Vec::new(), open: [Vec::new(), Vec::new()], lines: std::collections::VecDeque::new() }
    }

    fn push(&mut self, data: &Bytes) {
        if self.tty {
            self.output(false, data);
            return;
        }
        self.raw.extend_from_slice(data);
        let mut raw = std::mem::take(&mut self.raw);
        let mut from = 0;
        while let Some((&[stream, _, _, _, a, b, c, d], rest)) = raw.get(from..).and_then(<[u8]>::split_first_chunk) {
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            let Some(payload) = rest.get(..length) else { break };
            self.output(stream == 2, payload);
            from += HEADER + length;
        }
        raw.drain(..from);
        // A frame that says it is huge is shown as it comes; nobody prints such.
        if raw.len() > 4 * MAX_TEXT_BYTES {
            self.output(false, &raw);
            raw.clear();
        }
        self.raw = raw;
    }

    fn output(&mut self, stderr: bool, payload: &[u8]) {
        let [stdout, other] = &mut self.open;
        let open = if stderr { other } else { stdout };
        // What an engine cut, because it was long, has a time stamp in front of every part.
        let payload = if !self.tty && open.len() >= ENGINES_CUT { unstamped(payload) } else { payload };
        for piece in payload.split_inclusive(|byte| *byte == b'\n') {
            // What is too long for a text is cut there anyway.
            let room = (MAX_TEXT_BYTES + 64).saturating_sub(open.len());
            open.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                self.lines.push_back(line(stderr, open));
                open.clear();
            }
        }
    }

    fn line(&mut self) -> Option<LogLine> {
        self.lines.pop_front()
    }

    /// The last line of each stream, where it has no end.
    fn rest(&mut self) -> Option<LogLine> {
        for (stderr, open) in [false, true].into_iter().zip(&mut self.open) {
            if !open.is_empty() {
                return Some(line(stderr, &std::mem::take(open)));
            }
        }
        None
    }
}

/// A line, its time stamp taken off.
fn line(stderr: bool, raw: &[u8]) -> LogLine {
    let text = String::from_utf8_lossy(raw);
    let text = text.trim_end_matches(['\n', '\r']);
    let stamped = text.split_once(' ').and_then(|(first, rest)| Some((first.parse::<Timestamp>().ok()?, rest)));
    let (at, text) = stamped.map_or((text.parse().ok(), text), |(at, rest)| (Some(at), rest));
    // A line of nothing but its time stamp is an empty line.
    let text = if at.is_some() && text.parse::<Timestamp>().is_ok() && stamped.is_none() { "" } else { text };
    LogLine { at, stderr, text: Painted::new(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, payload: &str) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], payload.as_bytes()].concat()
    }

    fn all(tty: bool, bytes: &[u8], chunk: usize) -> Vec<(bool, String)> {
        let mut splitter = Splitter::new(tty);
        for piece in bytes.chunks(chunk) {
            splitter.push(&Bytes::copy_from_slice(piece));
        }
        let mut out = Vec::new();
        while let Some(line) = splitter.line().or_else(|| splitter.rest()) {
            assert!(line.at.is_some(), "{line:?}");
            out.push((line.stderr, line.text.to_string()));
        }
        out
    }

    #[test]
    fn frames_become_lines_however_they_are_cut() {
        let stamp = "2026-03-01T12:00:00.123456789Z";
        let bytes = [
            frame(1, &format!("{stamp} one\n")),
            frame(2, &format!("{stamp} \x1b[31mbad\x1b[0m\n")),
            frame(1, &format!("{stamp} half ")),
            frame(2, &format!("{stamp} \n")),
            frame(1, "and half\n"),
            frame(1, &format!("{stamp} no end")),
        ]
        .concat();
        let expected = [(false, "one"), (true, "bad"), (true, ""), (false, "half and half"), (false, "no end")];
        for chunk in [1, 3, 8, 13, 1000] {
            let found = all(false, &bytes, chunk);
            let found: Vec<_> = found.iter().map(|(stderr, text)| (*stderr, text.as_str())).collect();
            assert_eq!(found, expected, "{chunk}");
        }
    }

    #[test]
    fn a_long_line_in_parts_is_one_line() {
        let stamp = "2026-03-01T12:00:00.123456789Z";
        let part = "x".repeat(ENGINES_CUT);
        let bytes = [frame(1, &format!("{stamp} {part}")), frame(1, &format!("{stamp} end\n"))].concat();
        assert_eq!(all(false, &bytes, 5000), [(false, format!("{part}end"))]);
    }

    #[test]
    fn a_terminals_output_has_no_frames() {
        let text = "2026-03-01T12:00:00Z \u{1}one\r\n2026-03-01T12:00:01Z two\r\n";
        assert_eq!(all(true, text.as_bytes(), 2), [(false, "\\u{1}one".to_owned()), (false, "two".to_owned())]);
    }
}
