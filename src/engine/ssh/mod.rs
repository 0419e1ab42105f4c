//! One SSH connection per host, by the system's OpenSSH, that forwards the engine's socket to a socket of ours.
//!
//! The operator's own configuration, agent and known hosts apply. Remotely `cat` runs with our pipe as its stdin: when
//! we are gone, however that came, the pipe closes, `cat` ends, and ssh with it. So nothing is ever orphaned.

mod args;
mod runtime;
mod sentence;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::Instant,
};

use super::error::{ErrorKind, Fault};
use crate::model::Ssh;

/// Name resolution, connecting (ssh's own limit is 8 s), key exchange, jump hosts and login must be done by then.
const UP_DEADLINE: Duration = Duration::from_secs(20);
/// How often it is looked whether the forward is there. A look is one `stat`.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The look at a host whose engine does not answer must be done by then.
const PROBE_DEADLINE: Duration = Duration::from_secs(15);
/// Lines of ssh's stderr that are kept.
const KEPT_LINES: usize = 40;

/// A running forward. Dropped, its ssh is killed and its socket removed.
pub(crate) struct Forward {
    ssh: Ssh,
    // Before `_socket` in order: ssh must be dead before its socket's name is free.
    child: Mutex<Child>,
    stderr: Lines,
    reader: Abort,
    socket: SocketFile,
}

struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may not be there yet, or no more: both are fine.
        drop(std::fs::remove_file(&self.0));
    }
}

struct Abort(JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The last lines that an ssh wrote to its stderr.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<std::collections::VecDeque<String>>>);

impl Lines {
    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    async fn fill(self, from: impl AsyncRead + Unpin) {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            // Bounded: a server's banner can be of any length.
            match tokio::io::AsyncReadExt::take(&mut from, 4096).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                    if lines.len() == KEPT_LINES {
                        lines.pop_front();
                    }
                    lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
                }
            }
        }
    }
}

impl Forward {
    /// Logs in and waits until the forward is there.
    pub(crate) async fn open(ssh: &Ssh) -> Result<Self, Fault> {
        let path = runtime::socket_path()?;
        let mut command = Command::new("ssh");
        command.args(args::forward(ssh, &path));
        // ssh must not ask on our terminal, not even through a helper program.
        command.env("SSH_ASKPASS_REQUIRE", "never").env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        // Its own group: ctrl-c on our terminal is ours to handle.
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| not_started(&error))?;
        let stderr = Lines::default();
        let pipe = child.stderr.take();
        let lines = stderr.clone();
        let reader = tokio::spawn(async move {
            if let Some(pipe) = pipe {
                lines.fill(pipe).await;
            }
        });
        let forward = Self {
            ssh: ssh.clone(),
            child: Mutex::new(child),
            stderr,
            reader: Abort(reader),
            socket: SocketFile(path),
        };
        let deadline = Instant::now() + UP_DEADLINE;
        while !forward.socket.0.exists() {
            if forward.has_ended() {
                return Err(forward.ended().await);
            }
            if Instant::now() >= deadline {
                return Err(Fault::new(
                    ErrorKind::Unreachable,
                    &format!("{} accepts the connection, but the SSH login does not come to an end", ssh.host),
                    format!("try it by hand: {}", args::by_hand(ssh)),
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(forward)
    }

    /// Our end of the forward.
    pub(crate) fn path(&self) -> &Path {
        &self.socket.0
    }

    /// True when ssh is no more.
    pub(crate) fn has_ended(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(child.try_wait(), Ok(None))
    }

    /// Why ssh ended, in words.
    pub(crate) async fn ended(&self) -> Fault {
        // Its last words may still be in the pipe.
        let deadline = Instant::now() + Duration::from_millis(200);
        while !self.reader.0.is_finished() && Instant::now() < deadline {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        sentence::of(&self.ssh, &self.stderr.text())
    }

    /// Why the login works, but nothing answers behind the forward: looks at the socket on the host.
    pub(crate) async fn diagnose(&self) -> Fault {
        let mut command = Command::new("ssh");
        command.args(args::probe(&self.ssh)).env("SSH_ASKPASS_REQUIRE", "never").env("LC_ALL", "C");
        command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        match tokio::time::timeout(PROBE_DEADLINE, command.output()).await {
            Ok(Ok(output)) => sentence::of_probe(
                &self.ssh,
                &String::from_utf8_lossy(&output.stdout),
                &String::from_utf8_lossy(&output.stderr),
            ),
            Ok(Err(error)) => not_started(&error),
            Err(_) => Fault::new(ErrorKind::Unreachable, "the host does not answer over SSH", ""),
        }
    }
}

fn not_started(error: &std::io::Error) -> Fault {
    Fault::new(
        ErrorKind::Setup,
        &format!("the program `ssh` cannot be started: {error}"),
        "install the OpenSSH client (Debian: openssh-client)",
    )
}
