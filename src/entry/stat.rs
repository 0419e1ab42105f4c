//! What a proxy answers, read. Fields are found by their names, so that a newer version's order breaks nothing.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    model::{BackendName, ServerName, Traffic},
    text::Text,
};

use super::server::HOLD;

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Info {
    /// The structure that it has loaded.
    pub structure: String,
    /// Its process.
    pub process: u32,
    /// It takes no new connections.
    pub is_stopping: bool,
}

/// The processes of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Processes {
    /// The worker that takes new connections.
    pub current: Option<u32>,
    /// Workers that end what they began.
    pub leaving: Vec<u32>,
    /// Reloads that failed since the last that did not.
    pub failed: u32,
}

/// The backends of one worker. Those that wharf does not make are left out.
pub(crate) type Backends = BTreeMap<BackendName, Seen>;

/// A backend of one worker.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Seen {
    /// Counters of all its servers.
    pub traffic: Traffic,
    /// It holds requests back.
    pub is_held: bool,
    /// Its servers.
    pub servers: BTreeMap<ServerName, SeenServer>,
    /// Servers that wharf cannot have made.
    pub strangers: Vec<String>,
}

/// What wharf wants of a server, as the worker has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Admin {
    /// It gets requests if its check passes.
    Ready,
    /// It gets no new requests; checks go on.
    Drain,
    /// It gets nothing and is not checked.
    #[default]
    Maint,
}

/// What the worker's own check says of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Check {
    /// Not asked yet, or there is no check.
    #[default]
    Unknown,
    /// It passes.
    Up,
    /// It fails.
    Down,
    /// Its host does not answer at all: packets are lost, or there is no way there.
    Unreachable,
}

/// A server of one worker.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SeenServer {
    /// Its address.
    pub address: Text,
    /// Its port.
    pub port: u16,
    /// What wharf wants of it.
    pub admin: Admin,
    /// What the check says.
    pub check: Check,
    /// The worker would give it requests if it were ready.
    pub is_running: bool,
    /// Requests or connections that it has.
    pub sessions: u32,
    /// Requests that wait for it.
    pub queued: u32,
    /// Counters.
    pub traffic: Traffic,
}

impl SeenServer {
    /// It gets new requests now.
    pub(crate) fn serves(&self) -> bool {
        self.admin == Admin::Ready && self.is_running
    }

    /// It is where it should be.
    pub(crate) fn is_at(&self, address: &str, port: u16) -> bool {
        let parsed = |text: &str| text.parse::<IpAddr>().ok();
        self.port == port && parsed(self.address.as_str()) == parsed(address)
    }
}

/// Reads `show info`.
pub(crate) fn info(answer: &str) -> Info {
    let mut info = Info::default();
    for (key, value) in answer.lines().filter_map(|line| line.split_once(": ")) {
        match key {
            "description" => value.trim().clone_into(&mut info.structure),
            "Pid" => info.process = value.trim().parse().unwrap_or_default(),
            "Stopping" => info.is_stopping = value.trim() != "0",
            _ => {}
        }
    }
    info
}

/// Reads `show proc`: a table with headings.
pub(crate) fn processes(answer: &str) -> Processes {
    let mut found = Processes::default();
    let mut is_old = false;
    for line in answer.lines() {
        if line.starts_with('#') {
            is_old = line.contains("old workers");
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(process), Some(kind)) = (words.next().and_then(|word| word.parse().ok()), words.next()) else {
            continue;
        };
        match kind {
            "worker" if is_old => found.leaving.push(process),
            "worker" => found.current = Some(process),
            "master" => {
                let failed = line.split_once("[failed: ").and_then(|(_, rest)| rest.split(']').next()?.parse().ok());
                found.failed = failed.unwrap_or_default();
            }
            _ => {}
        }
    }
    found
}

/// The part of `show servers state` that a successor may take over: the health of servers that get requests. What
/// wharf wants of a server is in the file, and nothing older shall stand against that.
pub(crate) fn health(states: &str) -> String {
    let keep = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        !line.is_empty() && (words.len() < 7 || line.starts_with('#') || words.get(6) == Some(&"0"))
    };
    states.lines().filter(keep).fold(String::new(), |all, line| all + line + "\n")
}

/// A row of a table with a heading, by column.
struct Row<'a> {
    columns: &'a BTreeMap<String, usize>,
    record: csv::StringRecord,
}

impl Row<'_> {
    fn get(&self, column: &str) -> &str {
        self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default()
    }

    fn number(&self, column: &str) -> u64 {
        self.get(column).parse().unwrap_or_default()
    }

    fn small(&self, column: &str) -> u32 {
        u32::try_from(self.number(column)).unwrap_or(u32::MAX)
    }

    fn traffic(&self) -> Traffic {
        let retries = self.number("wretr") + self.number("wredis");
        if self.get("mode") == "http" {
            let answers = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];
            let requests = answers.iter().map(|column| self.number(column)).sum();
            Traffic { requests, failed: self.number("hrsp_5xx"), retries, answer_ms: self.number("rtime") }
        } else {
            let failed = self.number("econ") + self.number("eresp");
            // Those that go on have not ended.
            let requests = self.number("stot").saturating_sub(self.number("scur"));
            Traffic { requests, failed, retries, answer_ms: self.number("ttime") }
        }
    }
}

fn each_row(text: &str, delimiter: u8, mut take: impl FnMut(&Row<'_>)) {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(true).from_reader(text.as_bytes());
    let columns = match reader.headers() {
        Ok(heads) => heads.iter().enumerate().map(|(at, name)| (name.trim().to_owned(), at)).collect(),
        Err(_) => return,
    };
    // What is no row is left out: the next answer brings all again.
    for record in reader.records().flatten() {
        take(&Row { columns: &columns, record });
    }
}

/// Reads `show stat` and `show servers state` of one worker, taken together. None where one of them is no such table.
pub(crate) fn backends(stat: &str, states: &str) -> Option<Backends> {
    let stat = stat.trim_start().strip_prefix("# ")?;
    // A version line, then the heading.
    let states = states.split_once("# ").map(|(_, table)| table)?;
    let mut found = Backends::new();
    let mut waits: BTreeMap<BackendName, u64> = BTreeMap::new();
    let mut admin: BTreeMap<(BackendName, String), (Admin, bool, Text, u16)> = BTreeMap::new();
    each_row(states, b' ', |row| {
        let Ok(backend) = row.get("be_name").parse::<BackendName>() else { return };
        // Bits: 1, 2 and 32 are kinds of maintenance, 8 and 16 of drain. 4 only remembers `disabled` of the file.
        let bits = row.number("srv_admin_state");
        let state = match bits {
            bits if bits & 0b10_0011 != 0 => Admin::Maint,
            bits if bits & 0b01_1000 != 0 => Admin::Drain,
            _ => Admin::Ready,
        };
        let (address, port) = (Text::new(row.get("srv_addr")), row.get("srv_port").parse().unwrap_or_default());
        let is_running = row.number("srv_op_state") != 0;
        admin.insert((backend, row.get("srv_name").to_owned()), (state, is_running, address, port));
    });
    each_row(stat, b',', |row| {
        let Ok(name) = row.get("pxname").parse::<BackendName>() else { return };
        let backend = found.entry(name.clone()).or_default();
        let server = row.get("svname");
        let known = admin.get(&(name.clone(), server.to_owned())).cloned();
        match (server, server.parse::<ServerName>()) {
            ("BACKEND", _) => backend.traffic = row.traffic(),
            (HOLD, _) => {
                backend.is_held = known.is_some_and(|(state, ..)| state == Admin::Ready);
                waits.insert(name, row.traffic().retries);
            }
            (_, Ok(parsed)) => {
                let Some((admin, is_running, address, port)) = known else { return };
                let seen = SeenServer {
                    address,
                    port,
                    admin,
                    check: check(row.get("check_status"), row.get("last_chk"), is_running),
                    is_running,
                    sessions: row.small("scur"),
                    queued: row.small("qcur"),
                    traffic: row.traffic(),
                };
                backend.servers.insert(parsed, seen);
            }
            (_, Err(())) => backend.strangers.push(server.to_owned()),
        }
    });
    for (name, tries) in waits {
        // Waiting is no failure: what is tried while requests are held is not told.
        if let Some(backend) = found.get_mut(&name) {
            backend.traffic.retries = backend.traffic.retries.saturating_sub(tries);
        }
    }
    Some(found)
}

fn check(status: &str, last: &str, is_running: bool) -> Check {
    // A star says that one is under way: what follows is of the one before.
    match status.trim_start_matches(['*', ' ']) {
        "" | "INI" | "UNK" => Check::Unknown,
        "L4TOUT" if !is_running => Check::Unreachable,
        _ if !is_running && (last.contains("No route to host") || last.contains("unreachable")) => Check::Unreachable,
        _ if !is_running => Check::Down,
        // It still counts as up after a first failure.
        "L4OK" | "L6OK" | "L7OK" | "L7OKC" => Check::Up,
        _ => Check::Down,
    }
}
