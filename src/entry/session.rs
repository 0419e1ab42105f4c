//! A conversation with a proxy's master process: many commands over one connection, one answer after each.

use std::{
    fmt::Write as _,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{
    engine::{Answers, ProxyQuestion, Questions},
    text::Text,
};

/// An answer must be there by then.
const DEADLINE: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_ANSWER: usize = 16 << 20;
/// So many commands are sent at once: less than a buffer of the proxy.
const AT_ONCE: usize = 32;
/// What stands before each prompt, and ends it.
const PROMPT: (&[u8], &[u8]) = (b"master", b"> ");

/// Two ends of a connection to a master process.
pub(crate) struct Channel {
    /// What is sent goes to it.
    pub input: Input,
    /// What it answers.
    pub output: Answers,
}

/// What may be sent to a master process.
pub(crate) enum Input {
    /// Anything.
    Commands(Pin<Box<dyn AsyncWrite + Send>>),
    /// Questions alone.
    Questions(Questions),
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
        let is_open = matches!(channel.input, Input::Questions(_));
        let mut session = Self { channel: Mutex::new(channel), buffer: Vec::new() };
        if is_open {
            within(session.answers(1)).await?;
        } else {
            session.ask(&["prompt".to_owned()]).await?;
        }
        Ok(session)
    }

    /// Asks questions and gives the answers, in order. After a failure the conversation is of no more use.
    pub(crate) async fn question(&mut self, questions: &[ProxyQuestion]) -> Result<Vec<String>, Text> {
        let mut answers = Vec::with_capacity(questions.len());
        for some in questions.chunks(AT_ONCE) {
            match &mut self.channel.get_mut().unwrap_or_else(PoisonError::into_inner).input {
                Input::Questions(input) => {
                    within(async { input.put(some).await.map_err(|error| broken(&error)) }).await?;
                    answers.extend(within(self.answers(some.len())).await?);
                }
                Input::Commands(_) => {
                    let lines: Vec<String> = some.iter().map(ToString::to_string).collect();
                    answers.extend(self.ask(&lines).await?);
                }
            }
        }
        Ok(answers)
    }

    /// Sends commands and gives their answers, in order. After a failure the conversation is of no more use.
    pub(crate) async fn ask(&mut self, commands: &[String]) -> Result<Vec<String>, Text> {
        let mut answers = Vec::with_capacity(commands.len());
        for some in commands.chunks(AT_ONCE) {
            answers.extend(within(self.exchange(some)).await?);
        }
        Ok(answers)
    }

    async fn exchange(&mut self, commands: &[String]) -> Result<Vec<String>, Text> {
        let mut lines = String::new();
        for command in commands {
            // Writing to a String cannot fail. One line is one command.
            let _: std::fmt::Result = writeln!(lines, "{}", command.replace(['\n', '\r'], " "));
        }
        let channel = self.channel.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Input::Commands(input) = &mut channel.input else {
            return Err("this conversation is for questions only".into());
        };
        input.write_all(lines.as_bytes()).await.map_err(|error| broken(&error))?;
        input.flush().await.map_err(|error| broken(&error))?;
        self.answers(commands.len()).await
    }

    /// Reads so many answers.
    async fn answers(&mut self, count: usize) -> Result<Vec<String>, Text> {
        let output = &mut self.channel.get_mut().unwrap_or_else(PoisonError::into_inner).output;
        let mut answers = Vec::with_capacity(count);
        loop {
            while answers.len() < count {
                let Some((answer, used)) = answer(&self.buffer) else { break };
                self.buffer.drain(..used);
                answers.push(answer);
            }
            if answers.len() == count {
                return Ok(answers);
            }
            if self.buffer.len() > MAX_ANSWER {
                return Err("the answer has no end".into());
            }
            match output.next().await {
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
pub(super) fn answer(buffer: &[u8]) -> Option<(String, usize)> {
    let (end, used) = prompt(buffer)?;
    Some((String::from_utf8_lossy(buffer.get(..end)?).trim().to_owned(), used))
}

/// Where the first prompt begins and ends: at the begin of a line, `master> ` or `master[ReloadFailed]> `. It is looked for
/// in the bytes as they are, once: what is no text is no reason to look at all of it again and again.
fn prompt(buffer: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0;
    loop {
        let line = buffer.get(at..)?;
        if let Some(used) = prompted(line) {
            return Some((at, at + used));
        }
        at += line.iter().position(|byte| *byte == b'\n')? + 1;
    }
}

/// How long the prompt is that a line begins with.
fn prompted(line: &[u8]) -> Option<usize> {
    let (name, sign) = PROMPT;
    let mut rest = line.strip_prefix(name)?;
    if let Some(flag) = rest.strip_prefix(b"[") {
        let end = flag.iter().take_while(|byte| **byte != b'\n').position(|byte| *byte == b']')?;
        rest = flag.get(end + 1..)?;
    }
    Some(line.len() - rest.strip_prefix(sign)?.len())
}

/// All of it by the deadline.
async fn within<T>(asked: impl Future<Output = Result<T, Text>>) -> Result<T, Text> {
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(Text::from(format!("no answer within {}", crate::text::duration(DEADLINE)))),
    }
}

fn broken(error: &std::io::Error) -> Text {
    Text::from(format!("the connection broke: {error}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn channel(answer: &'static [u8], piece: usize) -> Channel {
        let pieces: Vec<_> = answer.chunks(piece).map(|bytes| Ok(Bytes::from_static(bytes))).collect();
        Channel { input: Input::Commands(Box::pin(tokio::io::sink())), output: futures::stream::iter(pieces).boxed() }
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

    #[test]
    fn what_is_no_text_costs_no_more_than_text() {
        let mut bytes = vec![0xff; 4 << 20];
        assert_eq!(answer(&bytes), None);
        bytes.extend_from_slice(b"\nmaster[open\nmaster[x]> rest");
        let (words, used) = answer(&bytes).unwrap();
        assert!(words.ends_with("master[open"), "the prompt that is none is part of the answer");
        assert_eq!(bytes.get(used..), Some(&b"rest"[..]));
    }

    #[tokio::test]
    async fn an_end_says_what_came_instead() {
        let gone = Session::begin(channel(b"nc: 127.1.1.1:9261: Connection refused\n", 9)).await;
        assert_eq!(gone.err().unwrap(), "it takes no commands: nc: 127.1.1.1:9261: Connection refused");
        let odd = Session::begin(channel(b"\xff\xfe\nmaster> ", 3)).await;
        assert!(odd.is_ok());
    }
}
