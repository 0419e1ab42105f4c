//! Tables of what is said next: what is wanted and what is seen, and the commands.

use std::{collections::BTreeMap, time::Duration};

use super::super::{
    stat::{Admin, Backends, Check, Seen, SeenServer},
    steps::{next, refusal},
};
use crate::model::{Backend, BackendName, Duty, Members, Server, ServerName, Speech};

fn name() -> BackendName {
    "shop:web:80".parse().unwrap()
}

fn structure() -> BTreeMap<String, Backend> {
    let backend = Backend {
        speech: Speech::Http,
        check_path: None,
        check_port: None,
        check_interval: Duration::from_secs(2),
        check_timeout: Duration::from_secs(1),
        hold: Duration::ZERO,
        send_proxy: false,
    };
    BTreeMap::from([(name().to_string(), backend)])
}

/// `1+ 2- 3~`: slot 1 is to take requests, slot 2 is not, slot 3 not yet; `hold` holds.
fn wanted(words: &str) -> BTreeMap<BackendName, Members> {
    let mut members = Members::default();
    for word in words.split_whitespace() {
        if word == "hold" {
            members.is_held = true;
            continue;
        }
        let (slot, sign) = word.split_at(word.len() - 1);
        let server = Server {
            address: "10.0.0.1".into(),
            port: 1000 + slot.parse::<u16>().unwrap(),
            check_port: None,
            duty: match sign {
                "+" => Duty::Serving,
                "~" => Duty::Awaited,
                _ => Duty::Leaving,
            },
        };
        members.servers.insert(server_name(slot), server);
    }
    BTreeMap::from([(name(), members)])
}

fn server_name(slot: &str) -> ServerName {
    format!("{slot}-r1-c").parse().unwrap()
}

/// `1:ready 2:drain/down/3`: state, what the check says (up when left out), sessions.
fn seen(words: &str) -> Backends {
    let mut seen = Seen::default();
    for word in words.split_whitespace() {
        if word == "hold" {
            seen.is_held = true;
            continue;
        }
        if let Some(stranger) = word.strip_prefix('?') {
            seen.strangers.push(stranger.into());
            continue;
        }
        let (slot, state) = word.split_once(':').unwrap();
        let mut parts = state.split('/');
        let admin = match parts.next().unwrap() {
            "ready" => Admin::Ready,
            "drain" => Admin::Drain,
            "maint" => Admin::Maint,
            other => panic!("{other}"),
        };
        let check = match parts.next().unwrap_or("up") {
            "up" => Check::Up,
            "down" => Check::Down,
            "new" => Check::Unknown,
            "lost" => Check::Unreachable,
            other => panic!("{other}"),
        };
        let server = SeenServer {
            address: "10.0.0.1".into(),
            port: 1000 + slot.parse::<u16>().unwrap(),
            admin,
            check,
            is_running: admin != Admin::Maint && matches!(check, Check::Up | Check::Unknown),
            sessions: parts.next().map_or(0, |count| count.parse().unwrap()),
            ..SeenServer::default()
        };
        seen.servers.insert(server_name(slot), server);
    }
    BTreeMap::from([(name(), seen)])
}

/// The commands, short: `add 1; drain 2`.
fn said(want: &str, see: &str) -> String {
    let short = |command: &String| {
        let words: Vec<&str> = command.split(' ').collect();
        let of = |word: &str| word.rsplit('/').next().unwrap().split('-').next().unwrap().to_owned();
        match words.as_slice() {
            ["add", "server", at, ..] => format!("add {}", of(at)),
            ["enable", "health", at] => format!("check {}", of(at)),
            ["set", "server", at, "state", state] => format!("{state} {}", of(at)),
            ["set", "server", at, "addr", address, "port", port] => format!("move {} {address}:{port}", of(at)),
            ["del", "server", at] => format!("del {}", of(at)),
            ["shutdown", "sessions", "server", at] => format!("cut {}", of(at)),
            other => panic!("{other:?}"),
        }
    };
    next(&structure(), &wanted(want), &seen(see)).iter().map(short).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_is_said_next() {
    let cases = [
        // The first server: nothing else serves, so it does at once.
        ("1+", "", "add 1; check 1; ready 1"),
        // One beside another is checked first.
        ("1+ 2+", "1:ready", "add 2; check 2; drain 2"),
        // Whoever added it may have been killed before the check was asked for.
        ("1+ 2+", "1:ready 2:drain/new", "check 2"),
        ("1+ 2+", "1:ready 2:maint/new", "check 2; drain 2"),
        ("1+ 2+", "1:ready 2:drain/down", ""),
        ("1+ 2+", "1:ready 2:drain", "ready 2"),
        ("1+ 2+", "1:ready 2:maint", "drain 2"),
        // Where nothing serves, an unchecked one is better than none.
        ("1+ 2+", "1:ready/down 2:drain/new", "check 2; ready 2"),
        ("1+", "1:maint", "ready 1"),
        // One on its way is checked before it is its turn, and gets nothing.
        ("1+ 2~", "1:ready", "add 2; check 2; drain 2"),
        ("1~", "", "add 1; check 1; drain 1"),
        ("1+ 2~", "1:ready 2:drain", ""),
        ("1+ 2~", "1:ready 2:maint", "drain 2"),
        ("1+ 2~", "1:ready 2:ready", "drain 2"),
        ("2~ hold", "hold 2:drain", ""),
        // Start-first: the old one goes when the new one serves, not before.
        ("2+", "1:ready 2:drain/new", "check 2"),
        ("2+", "1:ready 2:drain", "ready 2; drain 1"),
        ("1- 2+", "1:ready 2:drain/down", ""),
        ("1- 2+", "1:ready 2:ready", "drain 1"),
        // One that serves nothing is no loss.
        ("2+", "1:ready/down 2:drain/new", "check 2; ready 2; drain 1"),
        // Nothing is wanted: at once.
        ("", "1:ready", "drain 1"),
        ("1-", "1:ready", "drain 1"),
        ("1-", "1:drain", ""),
        ("1-", "", ""),
        // A removal waits for its sessions, and never happens to what is wanted.
        ("2+", "1:drain/up/3 2:ready", ""),
        ("2+", "1:drain/up/0 2:ready", "maint 1; del 1"),
        ("2+", "1:maint 2:ready", "del 1"),
        ("1-", "1:maint", ""),
        // A host that is gone: what it had can only hang.
        ("1+ 2+", "1:ready/lost/3 2:ready", "cut 1"),
        ("2+", "1:drain/lost/3 2:ready", "cut 1"),
        ("2+", "1:drain/down/3 2:ready", ""),
        // Hold: first it takes what comes, then the server is drained; it ends when a new one serves.
        ("1- hold", "1:ready", "ready hold; drain 1"),
        ("1- hold", "hold 1:drain/up/2", ""),
        ("2+ hold", "hold", "add 2; check 2; drain 2"),
        ("2+", "hold 2:drain/new", "check 2"),
        ("2+", "hold 2:drain", "ready 2; maint hold"),
        ("", "hold", "maint hold"),
        // Back from a drain that was called off.
        ("1+", "1:drain", "ready 1"),
        // What nobody of us made.
        ("1+", "1:ready ?other", "maint other; del other"),
    ];
    for (want, see, expected) in cases {
        assert_eq!(said(want, see), expected, "wanted {want}, seen {see}");
    }
}

#[test]
fn a_container_that_was_started_again_is_followed() {
    let mut seen = seen("1:ready");
    seen.get_mut(&name()).unwrap().servers.get_mut(&server_name("1")).unwrap().port = 999;
    let commands = next(&structure(), &wanted("1+"), &seen);
    assert_eq!(commands, ["set server shop:web:80/1-r1-c addr 10.0.0.1 port 1001"]);
}

#[test]
fn backends_that_are_not_loaded_yet_wait_for_the_reload() {
    assert_eq!(next(&structure(), &wanted("1+"), &Backends::new()), Vec::<String>::new());
}

#[test]
fn what_is_done_is_told_from_what_is_refused() {
    for (command, answer) in [
        ("set server a/b state ready", "\n"),
        ("add server a/b 1.2.3.4:5 check", "New server registered.\n"),
        ("del server a/b", "Server deleted."),
        ("del server a/b", "Server still has connections attached to it, cannot remove it."),
        ("set server a/b addr 1.2.3.4 port 5", "no need to change the addr, port changed from '4' to '5' by 'x'"),
        ("set server a/b state drain", "No such server."),
    ] {
        assert_eq!(refusal(command, answer), None, "{command}");
    }
    assert_eq!(refusal("add server a/b 1.2.3.4:5 x", "unknown keyword 'x'.\n"), Some("unknown keyword 'x'."));
}
