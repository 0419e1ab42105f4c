//! What to say to a worker next, so that its servers become what is wanted. Pure and level-triggered: from what is
//! wanted and what is seen, each time anew; nothing is remembered.
//!
//! What is always so: a server gets requests only after the worker's own check has passed, unless nothing else is
//! there; one that is wanted is never taken away; the last that serves is not drained while another is on its way.

use std::collections::BTreeMap;

use super::{
    server::{self, HOLD},
    stat::{Admin, Backends, Check, Seen, SeenServer},
};
use crate::model::{Backend, BackendName, Duty, Members, Server, ServerName};

/// The commands for one worker, in order, without its prefix.
pub(crate) fn next(
    structure: &BTreeMap<String, Backend>,
    wanted: &BTreeMap<BackendName, Members>,
    seen: &Backends,
) -> Vec<String> {
    let mut out = Vec::new();
    let none = Members::default();
    for (name, backend) in structure {
        // A backend that is not there yet comes with a reload.
        let Ok(name) = name.parse::<BackendName>() else { continue };
        let Some(seen) = seen.get(&name) else { continue };
        of_backend(&mut out, &name, backend, wanted.get(&name).unwrap_or(&none), seen);
    }
    out
}

fn of_backend(out: &mut Vec<String>, name: &BackendName, backend: &Backend, wanted: &Members, seen: &Seen) {
    let serving = |server: &ServerName| seen.servers.get(server).is_some_and(SeenServer::serves);
    let any_ready = wanted.servers.values().any(Server::is_serving);
    // One that stays is serving already.
    let mut covered = wanted.servers.iter().any(|(server, want)| want.is_serving() && serving(server));
    // Something is serving, be it one that goes.
    let anything = seen.servers.values().any(SeenServer::serves);

    // Hold first: from then on nothing fails, whatever is drained.
    let mut holds = seen.is_held;
    if wanted.is_held && !seen.is_held {
        out.push(format!("set server {name}/{HOLD} state ready"));
        holds = true;
    }
    for (server, want) in &wanted.servers {
        let Some(words) = server::words(backend, want) else { continue };
        let at = format!("{name}/{server}");
        match seen.servers.get(server) {
            Some(there) if !there.is_at(&want.address, want.port) => moved(out, &at, want),
            _ => {}
        }
        // Whoever added it may have been killed before this; asked twice it is no other.
        let is_unchecked = seen.servers.get(server).is_some_and(|there| there.check == Check::Unknown);
        if is_unchecked && want.duty != Duty::Leaving {
            out.push(format!("enable health {at}"));
        }
        match want.duty {
            Duty::Serving => {}
            Duty::Awaited => {
                await_it(out, &at, &words, seen.servers.get(server));
                continue;
            }
            Duty::Leaving => continue,
        }
        match seen.servers.get(server) {
            None => {
                out.push(format!("add server {at} {words}"));
                out.push(format!("enable health {at}"));
                // Where nothing serves, waiting for the first check would only lose requests.
                let state = if anything || holds { "drain" } else { "ready" };
                out.push(format!("set server {at} state {state}"));
            }
            Some(there) if there.admin == Admin::Ready => {}
            Some(there) if there.admin == Admin::Drain && there.is_running && there.check == Check::Up => {
                out.push(format!("set server {at} state ready"));
                covered = true;
            }
            Some(_) if !anything && !holds => out.push(format!("set server {at} state ready")),
            // Checks rest in maintenance; in drain they begin.
            Some(there) if there.admin == Admin::Maint => out.push(format!("set server {at} state drain")),
            Some(_) => {}
        }
    }
    if seen.is_held && !wanted.is_held && (covered || !any_ready) {
        out.push(format!("set server {name}/{HOLD} state maint"));
        holds = false;
    }
    let may_go = covered || holds || !any_ready;
    for (server, there) in &seen.servers {
        let at = format!("{name}/{server}");
        let is_wanted = wanted.servers.get(server);
        if is_wanted.is_some_and(Server::is_serving) {
            cut(out, &at, there);
        } else if there.admin == Admin::Ready {
            // What serves nothing is no loss.
            if may_go || !there.serves() {
                out.push(format!("set server {at} state drain"));
            }
        } else if is_wanted.is_none() {
            leave(out, &at, there);
        }
    }
    for stranger in &seen.strangers {
        // Names are as HAProxy took them: no blank and no line end is among them.
        out.push(format!("set server {name}/{stranger} state maint"));
        out.push(format!("del server {name}/{stranger}"));
    }
}

/// One that is on its way is checked, and gets nothing.
fn await_it(out: &mut Vec<String>, at: &str, words: &str, there: Option<&SeenServer>) {
    match there {
        None => {
            out.push(format!("add server {at} {words}"));
            out.push(format!("enable health {at}"));
            out.push(format!("set server {at} state drain"));
        }
        Some(there) if there.admin == Admin::Maint => out.push(format!("set server {at} state drain")),
        Some(_) => {}
    }
}

/// Its container was started again and has another port, or its host another address.
fn moved(out: &mut Vec<String>, at: &str, want: &Server) {
    out.push(format!("set server {at} addr {} port {}", want.address, want.port));
    if let Some(port) = want.check_port {
        out.push(format!("set server {at} check-port {port}"));
    }
}

/// What a host that is gone still holds can only hang: it is cut. A host that answers, if only with a refusal, says
/// itself how its connections end.
fn cut(out: &mut Vec<String>, at: &str, there: &SeenServer) {
    if there.check == Check::Unreachable && there.sessions > 0 {
        out.push(format!("shutdown sessions server {at}"));
    }
}

/// One that is not wanted and gets nothing new: it goes once it has nothing left.
fn leave(out: &mut Vec<String>, at: &str, there: &SeenServer) {
    cut(out, at, there);
    if there.sessions > 0 || there.queued > 0 {
        return;
    }
    if there.admin != Admin::Maint {
        out.push(format!("set server {at} state maint"));
    }
    out.push(format!("del server {at}"));
}

/// What a worker answers to a command when it did as told, or had no need to. None when it refused.
pub(crate) fn refusal<'a>(command: &str, answer: &'a str) -> Option<&'a str> {
    let answer = answer.trim();
    let good = answer.is_empty()
        || answer.contains("New server registered")
        || answer.contains("Server deleted")
        // What went in between, and what came in between: the next look tells.
        || answer.contains("No such server")
        || answer.contains("Already exists a server")
        || answer.contains("already exists")
        // Idle connections to it are closed within seconds.
        || command.starts_with("del server")
        || command.contains(" addr ") && (answer.contains("no need to change") || answer.contains("changed from"))
        || command.contains(" check-port ") && answer.contains("health check port updated");
    (!good).then_some(answer)
}
