//! A conversation with a proxy's master process: many commands over one connection, one answer after each.

use std::{
    fmt::Write as _,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::text::Text;

/// An answer must be there by then.
const DEADLINE: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_ANSWER: usize = 16 << 20;
/// So many commands are sent at once: less than a buffer of the proxy.
const AT_ONCE: usize = 32;
/// What stands before each prompt, and ends it.
const PROMPT: (&str, &str) = ("master", "> ");

/// Two ends of a connection to a master process.
pub(crate) struct Channel {
    /// What is written goes to it.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What it answers.
    pub output: BoxStream<'static, Result<Bytes, Text>>,
}

/// A conversation.
pub(crate) struct Session {
    /// Never locked: it only makes the conversation something that threads may share a reference to.
    channel: Mutex<Channel>,
    buffer: Vec<u8>,
}

impl Session {
    /// Begins one: with a prompt after each answer, so that its end is known.
    pub(crate) async fn begin(channel: Channel) -> Result<Self, Text> {
        let mut session = Self { channel: Mutex::new(channel), buffer: Vec::new() };
        session.ask(&["prompt".to_owned()]).await?;
        Ok(session)
    }

    /// Sends commands and gives their answers, in order. After a failure the conversation is of no more use.
    pub(crate) async fn ask(&mut self, commands: &[String]) -> Result<Vec<String>, Text> {
        let mut answers = Vec::with_capacity(commands.len());
        for some in commands.chunks(AT_ONCE) {
            let asked = tokio::time::timeout(DEADLINE, self.exchange(some)).await;
            answers.extend(
                asked.map_err(|_| Text::from(format!("no answer within {}", crate::text::duration(DEADLINE))))??,
            );
        }
        Ok(answers)
    }

    async fn exchange(&mut self, commands: &[String]) -> Result<Vec<String>, Text> {
        let mut lines = String::new();
        for command in commands {
            // Writing to a String cannot fail. One line is one command.
            let _: std::fmt::Result = writeln!(lines, "{}", command.replace(['\n', '\r'], " "));
        }
        let broken = |error: std::io::Error| Text::from(format!("the connection broke: {error}"));
        let channel = self.channel.get_mut().unwrap_or_else(PoisonError::into_inner);
        channel.input.write_all(lines.as_bytes()).await.map_err(broken)?;
        channel.input.flush().await.map_err(broken)?;
        let mut answers = Vec::with_capacity(commands.len());
        loop {
            while answers.len() < commands.len() {
                let Some((answer, used)) = answer(&self.buffer) else { break };
                self.buffer.drain(..used);
                answers.push(answer);
            }
            if answers.len() == commands.len() {
                return Ok(answers);
            }
            if self.buffer.len() > MAX_ANSWER {
                return Err("the answer has no end".into());
            }
            match channel.output.next().await {
                Some(Ok(piece)) => self.buffer.extend_from_slice(&piece),
                Some(Err(why)) => return Err(why),
                None => {
                    let said = String::from_utf8_lossy(&self.buffer);
                    let said = said.trim();
                    return Err(Text::from(if said.is_empty() {
                        "it takes no commands".to_owned()
                    } else {
                        format!("it takes no commands: {said}")
                    }));
                }
            }
        }
    }
}

/// The first answer in what came, and how many bytes it takes with its prompt; none while it is not complete.
fn answer(buffer: &[u8]) -> Option<(String, usize)> {
    let text = String::from_utf8_lossy(buffer);
    let (end, used) = prompt(&text)?;
    // Replaced bytes would make the text longer than the buffer; HAProxy's own output is plain.
    let used = if text.len() == buffer.len() { used } else { prompt_bytes(buffer)? };
    Some((text.get(..end)?.trim().to_owned(), used))
}

/// Where the first prompt begins and ends: at the begin of a line, `master> ` or `master[ReloadFailed]> `.
fn prompt(text: &str) -> Option<(usize, usize)> {
    let (name, sign) = PROMPT;
    text.match_indices(name).find_map(|(at, _)| {
        let before = text.get(..at)?;
        if !before.is_empty() && !before.ends_with('\n') {
            return None;
        }
        let mut rest = text.get(at + name.len()..)?;
        if let Some(flag) = rest.strip_prefix('[') {
            rest = flag.split_once(']')?.1;
        }
        let after = rest.strip_prefix(sign)?;
        Some((at, text.len() - after.len()))
    })
}

/// The same in bytes.
fn prompt_bytes(buffer: &[u8]) -> Option<usize> {
    (0..=buffer.len())
        .find(|end| buffer.get(..*end).is_some_and(|head| prompt(&String::from_utf8_lossy(head)).is_some()))
}

/// Splits an answer that came as a whole, after `quit`, into the answers to each command.
pub(crate) fn split(mut text: &str) -> Vec<String> {
    let mut answers = Vec::new();
    while let Some((end, used)) = prompt(text) {
        answers.push(text.get(..end).unwrap_or_default().trim().to_owned());
        text = text.get(used..).unwrap_or_default();
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(answer: &'static [u8], piece: usize) -> Channel {
        let pieces: Vec<_> = answer.chunks(piece).map(|bytes| Ok(Bytes::from_static(bytes))).collect();
        Channel { input: Box::pin(tokio::io::sink()), output: futures::stream::iter(pieces).boxed() }
    }

    #[tokio::test]
    async fn answers_are_told_apart_however_they_are_cut() {
        let bytes = b"master> one\n\nmaster> \nmaster> # a,b\nmaster,1\nx master> y\n\nmaster[ReloadFailed]> ";
        for piece in [1, 2, 7, 1000] {
            let mut session = Session::begin(channel(bytes, piece)).await.unwrap();
            let asked: Vec<String> = ["a", "b", "c"].map(Into::into).into();
            assert_eq!(session.ask(&asked).await.unwrap(), ["one", "", "# a,b\nmaster,1\nx master> y"], "{piece}");
        }
    }

    #[tokio::test]
    async fn an_end_says_what_came_instead() {
        let gone = Session::begin(channel(b"nc: 127.1.1.1:9261: Connection refused\n", 9)).await;
        assert_eq!(gone.err().unwrap(), "it takes no commands: nc: 127.1.1.1:9261: Connection refused");
        let odd = Session::begin(channel(b"\xff\xfe\nmaster> ", 3)).await;
        assert!(odd.is_ok());
    }

    #[test]
    fn what_came_as_a_whole_is_split() {
        assert_eq!(split("master> one\n\nmaster> two\n\nmaster> \n"), ["", "one", "two"]);
        assert_eq!(split("nc: refused"), Vec::<String>::new());
    }
}
