//! What is wanted, as the store has it, and whether it is so: asked of the store, the engines and the proxies themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::{
    by_hand,
    stage::{EVERYWHERE, Listed, Stage},
};

/// A wanted replica.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub service: String,
    pub slot: u64,
    pub host: String,
    pub revision: u64,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    places: BTreeSet<Place>,
    /// Hosts that are not open.
    pub intents: BTreeMap<String, String>,
}

/// The store, to read; by the test, which is no wharf.
pub fn open(stage: &Stage) -> Connection {
    let db = Connection::open_with_flags(stage.fleet.store(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    db.busy_timeout(Duration::from_secs(20)).unwrap();
    db
}

impl Wanted {
    pub fn read(stage: &Stage) -> Self {
        let db = open(stage);
        let mut rows = db.prepare("SELECT service, body FROM assignment").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        let mut places = BTreeSet::new();
        for (service, body) in rows.map(Result::unwrap) {
            let body: Value = serde_json::from_str(&body).unwrap();
            for (slot, place) in body["slots"].as_object().unwrap() {
                let (slot, revision) = (slot.parse().unwrap(), place["revision"].as_u64().unwrap());
                let host = place["host"].as_str().unwrap().to_owned();
                places.insert(Place { service: service.clone(), slot, host, revision });
            }
        }
        let mut rows = db.prepare("SELECT name, intent FROM host").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        Self { places, intents: rows.map(Result::unwrap).collect() }
    }

    pub fn all(&self) -> impl Iterator<Item = &Place> {
        self.places.iter()
    }

    pub fn of(&self, service: &str) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(move |place| place.service == service)
    }

    pub fn revisions(&self, service: &str) -> BTreeSet<u64> {
        self.of(service).map(|place| place.revision).collect()
    }

    /// How many of each.
    pub fn services(&self) -> BTreeMap<&str, usize> {
        let mut all = BTreeMap::new();
        for place in &self.places {
            *all.entry(place.service.as_str()).or_insert(0) += 1;
        }
        all
    }
}

/// What is not as it shall be; none at full strength: no operation is open, exactly the wanted replicas are there, all
/// healthy, and all in traffic at every proxy.
pub fn lacks(stage: &Stage) -> Option<String> {
    let open: i64 =
        open(stage).query_row("SELECT count(*) FROM operation WHERE is_open", [], |row| row.get(0)).unwrap();
    if open > 0 {
        return Some("an operation is open".into());
    }
    let wanted = Wanted::read(stage);
    let mut there = BTreeSet::new();
    // Of each service, the containers that shall get requests, as proxies name them.
    let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut proxies = Vec::new();
    for host in EVERYWHERE {
        let all = match list(stage, host) {
            Ok(all) => all,
            Err(why) => return Some(format!("{host} does not answer: {why}")),
        };
        for (one, labels) in all {
            let label = |name: &str| labels[format!("wharf.{name}")].as_str().unwrap_or_default().to_owned();
            if one.is_proxy {
                if !one.is_running() {
                    return Some(format!("the proxy {} of {host} does not run", one.name));
                }
                proxies.push((*host, one));
                continue;
            }
            let service = format!("{}/{}", label("stack"), label("service"));
            // Nothing checks the probe.
            if !(one.is_healthy() || (one.is_running() && service == "shop/probe")) {
                return Some(format!("{} on {host} is not healthy", one.name));
            }
            let number = |name: &str| label(name).parse().unwrap_or_default();
            let place = Place { slot: number("slot"), host: (*host).into(), revision: number("revision"), service };
            members.entry(place.service.replace('/', ":")).or_default().insert(one.id[..12].to_owned());
            if !there.insert(place) {
                return Some(format!("{} is there twice", one.name));
            }
        }
    }
    if there != wanted.places {
        let (less, more) = (wanted.places.difference(&there), there.difference(&wanted.places));
        return Some(format!("missing {:?}, too many {:?}", less.collect::<Vec<_>>(), more.collect::<Vec<_>>()));
    }
    for (host, proxy) in &proxies {
        if proxies.iter().filter(|(other, _)| other == host).count() > 1 {
            return Some(format!("{host} has two proxies"));
        }
        let serving = match serving(stage, host, proxy) {
            Ok(serving) => serving,
            Err(why) => return Some(format!("the proxy of {host} does not answer: {why}")),
        };
        for (service, servers) in serving {
            if members.get(&service) != Some(&servers) {
                return Some(format!("the proxy of {host} has {servers:?} for {service}, not {members:?}"));
            }
        }
    }
    if proxies.is_empty() { Some("there is no proxy".into()) } else { None }
}

fn list(stage: &Stage, host: &str) -> Result<Vec<(Listed, Value)>, String> {
    let filters = format!("%7B%22label%22:[%22wharf.fleet={}%22]%7D", stage.fleet.name);
    let path = format!("/containers/json?all=1&filters={filters}");
    let all = by_hand::ask(&stage.socket(host), "GET", &path, &Value::Null, Duration::from_secs(2))?;
    Ok(all.as_array().into_iter().flatten().map(|one| (Listed::read(one), one["Labels"].clone())).collect())
}

/// Which containers a proxy sends requests, by the name of the service.
fn serving(stage: &Stage, host: &str, proxy: &Listed) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    // As wharf derives it from the fleet's name.
    let digest = Sha256::digest(&stage.fleet.name);
    let (last, port) = if proxy.name.ends_with("-a") { (1, 9261) } else { (2, 9262) };
    let address = format!("127.{}.{}.{last}", digest[0].max(1), digest[1]);
    let socket = format!("unix://{}", stage.socket(host));
    let mut child = Command::new("timeout")
        .args(["5", "/usr/bin/docker", "-H", &socket, "exec", "-i", &proxy.id, "nc", &address, &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"@1 show stat -1 6 -1\n");
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in text.lines().map(|line| line.split(',').collect::<Vec<_>>()).filter(|row| row.len() > 17) {
        let (Some((service, _)), status) = (row[0].rsplit_once(':'), row[17]) else { continue };
        let servers = all.entry(service.to_owned()).or_default();
        if let Some(container) = row[1].rsplit('-').next().filter(|_| row[1].contains("-r"))
            && (status.starts_with("UP") || status == "no check")
        {
            servers.insert(container.to_owned());
        }
    }
    if all.is_empty() { Err(format!("{text}{}", String::from_utf8_lossy(&out.stderr))) } else { Ok(all) }
}
