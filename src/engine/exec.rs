//! Commands in containers: one with its output, or one that is talked with.

use std::{pin::Pin, time::Duration};

use bollard::{
    container::LogOutput,
    exec::{StartExecOptions, StartExecResults},
    models::ExecConfig,
};
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use tokio::io::AsyncWrite;

use super::{
    error::{EngineError, ErrorKind, Fault},
    handle::{Handle, plain},
    http::{from_bollard, within},
    session::Session,
};
use crate::{model::ContainerId, text::Text};

/// A command must have begun by then: on a busy host that takes seconds.
const BEGIN: Duration = Duration::from_secs(20);
/// Longest output of a command that is kept.
const MAX_OUTPUT: usize = 8 << 20;

/// A command that runs in a container, to talk with: what is written goes to its input. It ends when this is dropped,
/// if it ends at the end of its input.
pub struct Talk {
    /// Its input.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What it prints, stdout and stderr, as it comes; ends with it, or with an error when the connection does.
    pub output: BoxStream<'static, Result<Bytes, Text>>,
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Talk")
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; none where the engine did not say.
    pub code: Option<i64>,
    /// What it printed, stdout and stderr in the order in which they came.
    pub output: String,
}

impl Handle {
    /// Runs a command in a container and waits for its end.
    pub async fn run(&self, id: &ContainerId, command: &[&str], deadline: Duration) -> Result<Ended, EngineError> {
        self.change("run a command in a container", deadline, async |session| run(session, id, command).await).await
    }

    /// Begins a command in a container, to talk with.
    pub async fn talk(&self, id: &ContainerId, command: &[&str]) -> Result<Talk, EngineError> {
        let begin = async |session: &Session| Ok(begin(session, id, command, true).await?.1);
        self.change("talk with a command in a container", BEGIN, begin).await
    }
}

/// Begins a command; its id and its two ends.
pub(crate) async fn begin(
    session: &Session,
    id: &ContainerId,
    command: &[&str],
    stdin: bool,
) -> Result<(String, Talk), Fault> {
    let config = ExecConfig {
        attach_stdin: Some(stdin),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
        ..ExecConfig::default()
    };
    let made = session.docker.create_exec(plain(id)?, config).await.map_err(|error| from_bollard(&error))?;
    let started = session.docker.start_exec(&made.id, None::<StartExecOptions>).await;
    match started.map_err(|error| from_bollard(&error))? {
        StartExecResults::Attached { output, input } => {
            let output = output.map(|piece| match piece {
                Ok(
                    LogOutput::StdOut { message }
                    | LogOutput::StdErr { message }
                    | LogOutput::StdIn { message }
                    | LogOutput::Console { message },
                ) => Ok(message),
                Err(error) => Err(from_bollard(&error).why),
            });
            Ok((made.id, Talk { input, output: output.boxed() }))
        }
        StartExecResults::Detached => Err(Fault::new(ErrorKind::Garbage, "the engine did not attach the command", "")),
    }
}

/// Runs a command to its end.
async fn run(session: &Session, id: &ContainerId, command: &[&str]) -> Result<Ended, Fault> {
    let (exec, mut talk) = begin(session, id, command, false).await?;
    let mut all = Vec::new();
    while let Some(piece) = talk.output.next().await {
        let piece = piece.map_err(|why| Fault { kind: ErrorKind::LostAnswer, why, next: "".into() })?;
        all.extend_from_slice(&piece);
        if all.len() > MAX_OUTPUT {
            return Err(Fault::new(ErrorKind::Garbage, "the command's output has no end", ""));
        }
    }
    drop(talk);
    let code = within(BEGIN, async {
        let found = session.docker.inspect_exec(&exec).await.map_err(|error| from_bollard(&error))?;
        Ok(found.exit_code)
    });
    Ok(Ended { code: code.await?, output: String::from_utf8_lossy(&all).into_owned() })
}
