//! Commands to the workers of a simulated proxy, and to their master.

use super::super::num;
use super::config::ServerLine;
use super::server::{Admin, Server};
use super::worker::{Backend, Worker, drain};
use super::{Proxy, Truth, answers, stat};
use std::fmt::Write as _;

/// What comes back for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Said {
    /// This, and the next line may come.
    Words(String),
    /// This, and the connection closes.
    Last(String),
    /// The proxy shall reload; the connection closes.
    Reload,
}

/// `backend/server`.
fn pair(word: Option<&&str>) -> Option<(String, String)> {
    let (backend, server) = word?.split_once('/')?;
    Some((backend.to_owned(), server.to_owned()))
}

impl Proxy {
    /// One line to the master, or to the worker that its prefix names.
    pub(in super::super) fn ask_master(
        &mut self,
        line: &str,
        default: Option<u32>,
        now: f64,
        truth: impl Fn(&str, u16) -> Truth,
    ) -> Said {
        let words: Vec<&str> = line.split_whitespace().collect();
        let target = match words.first().and_then(|word| word.strip_prefix('@')) {
            Some("master") => Some(self.pid),
            Some(prefix) => match self.pid_of(prefix) {
                Some(pid) => Some(pid),
                None => return Said::Last(format!("Can't find the target PID matching the prefix '@{prefix}'\n")),
            },
            None => default.or(Some(self.pid)),
        };
        let words = words.get(usize::from(line.trim_start().starts_with('@'))..).unwrap_or_default();
        if target == Some(self.pid) {
            return self.master(words, now);
        }
        let script = self.script.clone();
        let worker = std::iter::once(&mut self.worker).chain(&mut self.leaving).find(|it| Some(it.pid) == target);
        match worker {
            Some(worker) => Said::Words(worker.obey(words, now, &script, truth)),
            None => Said::Last(String::new()),
        }
    }

    /// One line to the worker itself, by its stats socket.
    pub(in super::super) fn ask_worker(&mut self, line: &str, now: f64, truth: impl Fn(&str, u16) -> Truth) -> Said {
        let words: Vec<&str> = line.split_whitespace().collect();
        let script = self.script.clone();
        Said::Words(self.worker.obey(&words, now, &script, truth))
    }

    /// The process that `1` or `!4711` names.
    pub(in super::super) fn pid_of(&self, prefix: &str) -> Option<u32> {
        if let Some(pid) = prefix.strip_prefix('!') {
            let pid = pid.parse().ok()?;
            return (pid == self.pid || self.workers().any(|worker| worker.pid == pid)).then_some(pid);
        }
        (prefix == "1").then_some(self.worker.pid)
    }

    pub(super) fn is_master_port(&self, port: u16) -> bool {
        let address = super::after(&super::words(&self.command), "-S").unwrap_or_default().to_owned();
        let address = address.split(',').next().unwrap_or_default();
        address.rsplit_once(':').is_some_and(|(_, own)| own.trim_matches(['\'', '"', ';']) == port.to_string())
    }

    pub(super) fn is_stats_port(&self, port: u16) -> bool {
        self.stats_port == Some(port)
    }

    pub(in super::super) fn prompt(&self, target: Option<u32>) -> String {
        match target.filter(|pid| *pid != self.pid) {
            Some(pid) => format!("{pid}> "),
            None if self.last_failed => "master[ReloadFailed]> ".to_owned(),
            None => "master> ".to_owned(),
        }
    }

    fn master(&self, words: &[&str], now: f64) -> Said {
        Said::Words(match words {
            [] => String::new(),
            ["show", "proc", ..] => self.processes(now),
            ["show", "version"] => format!("{}\n\n", answers::VERSION),
            ["reload"] => return Said::Reload,
            _ => answers::unknown(),
        })
    }

    fn processes(&self, now: f64) -> String {
        let age = |since: f64| {
            let s = num::count(now - since);
            format!("{}d{:02}h{:02}m{:02}s", s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60)
        };
        let row = |out: &mut String, pid: u32, kind: &str, reloads: &str, since: f64| {
            let _ = writeln!(out, "{pid:<15} {kind:<15} {reloads:<15} {:<15} {}", age(since), answers::VERSION);
        };
        let mut out = "#<PID>          <type>          <reloads>       <uptime>        <version>      \n".to_owned();
        let reloads = format!("{} [failed: {}]", self.reloads, self.failed_reloads);
        row(&mut out, self.pid, "master", &reloads, self.started);
        out.push_str("# workers\n");
        row(&mut out, self.worker.pid, "worker", &self.worker.reloads.to_string(), self.worker.started);
        if !self.leaving.is_empty() {
            out.push_str("# old workers\n");
        }
        for worker in &self.leaving {
            row(&mut out, worker.pid, "worker", &worker.reloads.to_string(), worker.started);
        }
        out.push_str("# programs\n\n");
        out
    }
}

impl Worker {
    fn obey(
        &mut self,
        words: &[&str],
        now: f64,
        script: &super::ProxyScript,
        truth: impl Fn(&str, u16) -> Truth,
    ) -> String {
        let (load, leaving) = (script.load, self.is_leaving);
        match words {
            [] | ["experimental-mode" | "expert-mode", ..] => answers::DONE.to_owned(),
            ["show", "info", ..] => self.info(now),
            ["show", "version"] => format!("{}\n\n", answers::VERSION),
            ["show", "stat", rest @ ..] => self.stat(rest, now, load),
            ["show", "servers", "state"] => {
                let all: Vec<&Backend> = self.backends.iter().collect();
                stat::servers_state(&all, now) + "\n"
            }
            ["show", "servers", "state", name, ..] => match self.backends.iter().find(|it| it.name == *name) {
                Some(backend) => stat::servers_state(&[backend], now) + "\n",
                None => answers::NO_STATE_OF.to_owned(),
            },
            ["show", "backend"] => {
                let names: Vec<&str> = self.backends.iter().map(|it| it.name.as_str()).collect();
                format!("# name\n{}\n\n", names.join("\n"))
            }
            ["add", "server", rest @ ..] => self.add(rest, now, truth),
            ["del", "server", rest @ ..] => self.delete(rest, now, load),
            ["set", "server", rest @ ..] => self.on_server(rest.first(), leaving, |backend, at| match rest {
                [_, "state", state, ..] => backend.state(at, state, now, script),
                [_, "check-port", port, ..] => {
                    if let (Some(server), Ok(port)) = (backend.servers.get_mut(at), port.parse()) {
                        server.check_port = Some(port);
                    }
                    answers::CHECK_PORT.to_owned()
                }
                [_, "addr", address, more @ ..] => backend.readdress(at, address, more, now, truth),
                _ => answers::WHICH_STATE.to_owned(),
            }),
            [verb @ ("enable" | "disable"), what @ ("server" | "health"), rest @ ..] => {
                let on = *verb == "enable";
                self.on_server(rest.first(), leaving, |backend, at| match *what {
                    "server" => backend.state(at, if on { "ready" } else { "maint" }, now, script),
                    _ => backend.check(at, on, now),
                })
            }
            ["shutdown", "sessions", "server", rest @ ..] => self.on_server(rest.first(), leaving, |backend, at| {
                let left = backend.sessions(at, now, load) as f64;
                if let Some(server) = backend.servers.get_mut(at) {
                    server.tail = None;
                    server.counts.broken += left;
                    backend.failed += left;
                }
                answers::DONE.to_owned()
            }),
            _ => answers::unknown(),
        }
    }

    /// Does something to the server that a word names.
    fn on_server(
        &mut self,
        word: Option<&&str>,
        leaving: bool,
        act: impl FnOnce(&mut Backend, usize) -> String,
    ) -> String {
        let Some((backend, server)) = pair(word) else { return answers::WHICH.to_owned() };
        let Some(backend) = self.backends.iter_mut().find(|it| it.name == backend) else {
            return answers::NO_BACKEND.to_owned();
        };
        let Some(at) = backend.servers.iter().position(|it| it.name == server) else {
            return answers::NO_SERVER.to_owned();
        };
        if leaving { answers::LEAVING.to_owned() } else { act(backend, at) }
    }

    fn add(&mut self, rest: &[&str], now: f64, truth: impl Fn(&str, u16) -> Truth) -> String {
        let Some((backend, name)) = pair(rest.first()) else { return answers::WHICH_TO_ADD.to_owned() };
        let Some(backend) = self.backends.iter_mut().find(|it| it.name == backend) else {
            return answers::NO_BACKEND_TO_ADD.to_owned();
        };
        if backend.servers.iter().any(|server| server.name == name) {
            return answers::EXISTS.to_owned();
        }
        let [_, address, options @ ..] = rest else {
            return "'server' expects <name> and <addr>[:<port>] as arguments.\n\n".to_owned();
        };
        let line = match ServerLine::read(&name, address, options, backend.check) {
            Ok(line) => ServerLine { state: Some(1), ..line },
            Err(why) => return format!("{why}\n\n"),
        };
        let truth = truth(&line.address, line.port);
        // The lowest number that is free.
        let id = (1..u32::MAX).find(|id| backend.servers.iter().all(|server| server.id != *id)).unwrap_or(u32::MAX);
        let mut server = Server::new(line, id, backend.asks_page, truth, now);
        (server.is_checking, server.is_added) = (false, true);
        backend.servers.push(server);
        answers::ADDED.to_owned()
    }

    fn delete(&mut self, rest: &[&str], now: f64, load: f64) -> String {
        let Some((backend, name)) = pair(rest.first()) else { return answers::WHICH_TO_ADD.to_owned() };
        let Some(backend) = self.backends.iter_mut().find(|it| it.name == backend) else {
            return answers::NO_BACKEND_TO_ADD.to_owned();
        };
        let Some(at) = backend.servers.iter().position(|server| server.name == name) else {
            return answers::NO_SERVER_TO_DELETE.to_owned();
        };
        if backend.servers.get(at).is_some_and(|server| server.admin != Admin::Maint) {
            return answers::NOT_IN_MAINTENANCE.to_owned();
        }
        if backend.sessions(at, now, load) > 0 {
            return answers::STILL_USED.to_owned();
        }
        backend.servers.remove(at);
        answers::DELETED.to_owned()
    }

    fn stat(&self, rest: &[&str], now: f64, load: f64) -> String {
        let all = stat::Wanted { proxy: None, kinds: 7, server: None };
        let wanted = match rest {
            [proxy, kinds, server, ..] => stat::Wanted {
                proxy: (*proxy != "-1").then_some(proxy),
                kinds: kinds.parse::<i64>().ok().and_then(|kinds| u32::try_from(kinds).ok()).unwrap_or(7),
                server: server.parse().ok(),
            },
            _ => all,
        };
        let known = |wanted: &str| {
            wanted.parse::<u32>().is_ok()
                || self.backends.iter().any(|it| it.name == wanted)
                || self.frontends.iter().any(|it| it.name == wanted)
        };
        if wanted.proxy.is_some_and(|wanted| !known(wanted)) {
            return answers::NO_PROXY.to_owned();
        }
        stat::show(self, wanted, now, load) + "\n"
    }

    /// The lines of `show info` that tell one process from another.
    fn info(&self, now: f64) -> String {
        let age = num::count(now - self.started);
        let lines = [
            ("Name", "HAProxy".to_owned()),
            ("Version", answers::VERSION.to_owned()),
            ("Release_date", "2026/10/17".to_owned()),
            ("Nbthread", "2".to_owned()),
            ("Nbproc", "1".to_owned()),
            ("Process_num", "1".to_owned()),
            ("Pid", self.pid.to_string()),
            ("Uptime", format!("{}d {}h{:02}m{:02}s", age / 86_400, age / 3600 % 24, age / 60 % 60, age % 60)),
            ("Uptime_sec", age.to_string()),
            ("Maxconn", "9979".to_owned()),
            ("Hard_maxconn", "9979".to_owned()),
            ("Idle_pct", "100".to_owned()),
            ("node", "proxy".to_owned()),
            ("description", self.description.clone()),
            ("Stopping", u32::from(self.is_leaving).to_string()),
            ("Build info", answers::VERSION.to_owned()),
            ("Start_time_sec", num::count(self.started).to_string()),
            ("Tainted", "0".to_owned()),
        ];
        let lines = lines.iter().filter(|(name, value)| *name != "description" || !value.is_empty());
        let lines: Vec<String> = lines.map(|(name, value)| format!("{name}: {value}")).collect();
        lines.join("\n") + "\n\n"
    }
}

impl Backend {
    fn state(&mut self, at: usize, state: &str, now: f64, script: &super::ProxyScript) -> String {
        let admin = match state {
            "ready" => Admin::Ready,
            "drain" => Admin::Drain,
            "maint" => Admin::Maint,
            _ => return answers::WHICH_STATE.to_owned(),
        };
        let busy = self.busy(at, now, script.load);
        if let Some(server) = self.servers.get_mut(at) {
            let drain = drain(script, &server.name);
            server.put(admin, now, busy, drain);
        }
        answers::DONE.to_owned()
    }

    fn check(&mut self, at: usize, on: bool, now: f64) -> String {
        let Some(server) = self.servers.get_mut(at) else { return answers::NO_SERVER.to_owned() };
        if server.check.is_none() {
            return answers::NO_CHECK.to_owned();
        }
        // Asked twice it is no other.
        if server.is_checking != on {
            server.is_checking = on;
            server.check_anew(now);
        }
        answers::DONE.to_owned()
    }

    fn readdress(
        &mut self,
        at: usize,
        address: &str,
        more: &[&str],
        now: f64,
        truth: impl Fn(&str, u16) -> Truth,
    ) -> String {
        let Some(server) = self.servers.get_mut(at) else { return answers::NO_SERVER.to_owned() };
        if address.parse::<std::net::IpAddr>().is_err() {
            return format!("Invalid addr '{address}' by 'stats socket command'\n\n");
        }
        let port = match more {
            ["port", port, ..] => match port.parse() {
                Ok(port) => port,
                Err(_) => {
                    return format!(
                        "no need to change the addr, problem converting port '{port}' to an int by 'stats socket command'\n\n"
                    );
                }
            },
            _ => server.port,
        };
        let said = answers::moved((&server.address, address), (server.port, port));
        address.clone_into(&mut server.address);
        server.port = port;
        server.truth = truth(address, port);
        server.check_from(now);
        said
    }
}
