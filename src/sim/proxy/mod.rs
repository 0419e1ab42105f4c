//! A simulated HAProxy in master-worker mode: what a container with the label `wharf.proxy` runs.
//!
//! Its configuration is the file that was put into the container; its command line answers in HAProxy 2.6's words
//! (`tests/sim/haproxy.rs` compares them with a real one). Requests are not made one by one: their number between
//! two looks is the integral of a rate, shared out over the servers as they were in between.

mod answers;
mod commands;
mod config;
mod ledger;
mod server;
mod stat;
mod talk;
mod worker;

use super::container::File;
use super::script::ProxyScript;
use config::Config;
use std::collections::BTreeMap;
use worker::Worker;

pub(super) use commands::Said;
pub(super) use config::parse;
pub use ledger::{Ledger, Misstep, Tally, Wrong};
pub(super) use server::Truth;
pub(super) use talk::{Listener, dialled, serve};

/// Files of a container by path.
pub(super) type Files = BTreeMap<String, File>;

/// A proxy's processes.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) script: ProxyScript,
    /// Since when it can be told things.
    pub(super) in_touch_since: Option<f64>,
    pid: u32,
    next_pid: u32,
    started: f64,
    /// Changes with every reload: command lines that were open end then.
    pub(super) generation: u64,
    reloads: u32,
    failed_reloads: u32,
    last_failed: bool,
    command: Vec<String>,
    stats_port: Option<u16>,
    worker: Worker,
    leaving: Vec<Worker>,
}

/// What a proxy starts with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Birth<'a> {
    pub(super) host: &'a str,
    pub(super) pid: u32,
    pub(super) command: &'a [String],
    pub(super) files: &'a Files,
    pub(super) script: &'a ProxyScript,
}

/// Why a proxy cannot start or reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoConfig(pub(super) String);

/// The words of a command, also those inside `sh -c '…'`.
fn words(command: &[String]) -> Vec<&str> {
    command.iter().flat_map(|word| word.split_whitespace()).collect()
}

/// The word after the last of a kind: in a script, a shell's own tests come before what it becomes.
fn after<'a>(words: &[&'a str], flag: &str) -> Option<&'a str> {
    words.iter().rposition(|word| *word == flag).and_then(|at| words.get(at + 1)).copied()
}

/// The file that a proxy's command names, or the only one that looks like it.
fn read(command: &[String], files: &Files, script: &ProxyScript) -> Result<Config, NoConfig> {
    let words = words(command);
    let named = after(&words, "-f").map(|path| path.trim_matches(['\'', '"', ';']));
    let file = named.and_then(|path| files.get(path));
    let file = file.or_else(|| files.iter().find(|(path, _)| path.ends_with("haproxy.cfg")).map(|(_, file)| file));
    let text =
        String::from_utf8_lossy(&file.ok_or_else(|| NoConfig("Could not open configuration file".to_owned()))?.data);
    if script.refuses {
        return Err(NoConfig("config : Fatal errors found in configuration.".to_owned()));
    }
    let mut config =
        parse(&text).map_err(|(line, why)| NoConfig(format!("config : parsing [haproxy.cfg:{line}] : {why}")))?;
    if let Some(state) = config.state_file.clone() {
        let name = state.rsplit('/').next().unwrap_or(&state);
        if let Some((_, file)) = files.iter().find(|(path, _)| path.rsplit('/').next() == Some(name)) {
            restore(&mut config, &String::from_utf8_lossy(&file.data));
        }
    }
    Ok(config)
}

/// Brings the servers of a configuration into the state that an earlier `show servers state` told.
fn restore(config: &mut Config, state: &str) {
    for line in state.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, backend, _, server, _, _, admin, ..] = words.as_slice() else { continue };
        let backend = config.backends.iter_mut().find(|it| it.name == *backend);
        let server = backend.and_then(|it| it.servers.iter_mut().find(|it| it.name == *server));
        let (Some(server), Ok(bits)) = (server, admin.parse::<u32>()) else { continue };
        server.state = Some(bits);
    }
}

impl Proxy {
    /// Starts with the configuration among `files`.
    pub(super) fn start(birth: Birth<'_>, now: f64, truth: impl Fn(&str, u16) -> Truth) -> Result<Self, NoConfig> {
        let Birth { host, pid, command, files, script } = birth;
        let config = read(command, files, script)?;
        Ok(Self {
            host: host.to_owned(),
            script: script.clone(),
            in_touch_since: Some(now),
            pid,
            next_pid: pid + 9,
            started: now,
            generation: 0,
            reloads: 0,
            failed_reloads: 0,
            last_failed: false,
            stats_port: config.stats_port,
            worker: Worker::new(&config, pid + 8, host, now, truth),
            leaving: Vec::new(),
            command: command.to_vec(),
        })
    }

    /// Reads its configuration again. The worker before leaves; when the file is bad, it stays.
    pub(super) fn reload(&mut self, files: &Files, now: f64, truth: impl Fn(&str, u16) -> Truth) {
        self.reloads += 1;
        self.generation += 1;
        let config = read(&self.command, files, &self.script);
        self.worker.reloads += 1;
        for worker in &mut self.leaving {
            worker.reloads += 1;
        }
        let Ok(config) = config else {
            self.failed_reloads += 1;
            self.last_failed = true;
            return;
        };
        self.last_failed = false;
        self.failed_reloads = 0;
        self.stats_port = config.stats_port;
        let mut worker = Worker::new(&config, self.next_pid, &self.host, now, truth);
        self.next_pid += 1;
        worker.inherit(&self.worker);
        let mut old = std::mem::replace(&mut self.worker, worker);
        old.leave(now, &self.script);
        self.leaving.push(old);
        self.forget(now);
    }

    /// Lets no new clients in. Answers when the last thing will have ended.
    pub(super) fn leave(&mut self, now: f64) -> f64 {
        if !self.worker.is_leaving {
            self.worker.leave(now, &self.script);
        }
        self.workers().map(Worker::ends_at).fold(now, f64::max)
    }

    /// Counts until now.
    pub(super) fn advance(&mut self, now: f64, tallies: &mut BTreeMap<String, Tally>) {
        let load = self.script.load;
        self.worker.advance(now, load, tallies);
        for worker in &mut self.leaving {
            worker.advance(now, load, tallies);
        }
        self.forget(now);
    }

    /// Workers that have nothing left are gone.
    fn forget(&mut self, now: f64) {
        self.leaving.retain(|worker| worker.ends_at() > now);
    }

    fn workers(&self) -> impl Iterator<Item = &Worker> {
        std::iter::once(&self.worker).chain(&self.leaving)
    }

    pub(super) fn knows(&self, address: &str, port: u16) -> bool {
        self.workers().any(|worker| worker.knows(address, port))
    }

    /// What is behind an address has changed. Call [`Self::advance`] before.
    pub(super) fn learn(
        &mut self,
        address: &str,
        port: u16,
        truth: Truth,
        now: f64,
        tallies: &mut BTreeMap<String, Tally>,
    ) {
        let load = self.script.load;
        for worker in std::iter::once(&mut self.worker).chain(&mut self.leaving) {
            worker.learn(address, port, truth, now, load, tallies);
        }
    }

    /// Who listens at a port of its container.
    pub(super) fn listener(&self, port: u16) -> Option<Listener> {
        if self.is_master_port(port) {
            return Some(Listener::Master);
        }
        self.is_stats_port(port).then_some(Listener::Worker)
    }

    /// What it would be wrong to stop behind an address: backend, server and why.
    pub(super) fn harm(&self, address: &str, port: u16, now: f64) -> Vec<(String, String, Wrong)> {
        let mut harm = Vec::new();
        for worker in self.workers() {
            for backend in &worker.backends {
                for (at, server) in backend.servers.iter().enumerate() {
                    if server.port != port || server.address != address {
                        continue;
                    }
                    let sessions = if server.takes() { 0 } else { backend.sessions(at, now, self.script.load) };
                    let drained = super::num::duration(now - server.closed_at.unwrap_or(now));
                    let wrong = match sessions {
                        _ if server.takes() && !worker.is_leaving => Wrong::StoppedReady,
                        0 => continue,
                        sessions => Wrong::StoppedBusy { sessions, drained },
                    };
                    harm.push((backend.name.clone(), server.name.clone(), wrong));
                }
            }
        }
        harm
    }

    /// The servers that get requests: backend, server, address, port.
    pub(super) fn ready(&self) -> impl Iterator<Item = (&str, &str, &str, u16)> {
        let ready = self.worker.servers().filter(|(_, server)| server.takes() && !server.is_hold());
        ready.map(|(backend, it)| (backend.name.as_str(), it.name.as_str(), it.address.as_str(), it.port))
    }
}
