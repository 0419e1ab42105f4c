//! `x-wharf` of a service: what Compose has no word for.

use std::collections::BTreeMap;

use super::{certificate, numbers, ports, typed::Val};
use crate::model::{CheckSpec, EntryProtocol, EntrySpec, RegionName, Speech, WharfSpec};

/// Every key of `x-wharf`.
const KEYS: &[&str] = &["regions", "replicas", "entry", "check", "test", "observe", "speaks", "canary", "drain"];

/// `x-wharf` of a service.
pub(super) fn wharf(v: &Val<'_>) -> WharfSpec {
    let mut spec = WharfSpec::default();
    v.keys(KEYS, |key, value| match key {
        "regions" => spec.regions = value.one_or_more().iter().filter_map(region).collect(),
        "replicas" => spec.replicas = replicas(&value),
        "entry" => {
            let single = value.node.map().is_some() || value.node.scalar().is_some();
            let items = if single { vec![value] } else { value.items() };
            spec.entry = items.iter().filter_map(entry).collect();
        }
        "check" => spec.check = check(&value),
        "test" => spec.test = value.command().filter(|words| !words.is_empty()),
        "speaks" => spec.speaks = speaks(&value),
        "canary" => spec.canary = value.duration(),
        "drain" => spec.drain = value.duration(),
        _ => spec.observe = value.duration(),
    });
    if !spec.regions.is_empty() {
        for name in spec.replicas.keys().filter(|name| !spec.regions.contains(name)) {
            v.error(format!("`replicas` names the region {name}, which is not among `regions`"));
        }
    }
    spec
}

fn region(v: &Val<'_>) -> Option<RegionName> {
    v.with(|text| RegionName::new(text).map_err(|error| error.to_string()))
}

fn replicas(v: &Val<'_>) -> BTreeMap<RegionName, u32> {
    if v.node.scalar().is_some() {
        v.error("must be a mapping of region to number; for the same number everywhere use `deploy.replicas`");
        return BTreeMap::new();
    }
    let read = |(name, value): (&str, Val<'_>)| {
        let region = RegionName::new(name).map_err(|error| value.error(error.to_string())).ok()?;
        Some((region, value.number("a number of replicas")?))
    };
    v.members().into_iter().filter_map(read).collect()
}

/// What ports speak, by port.
fn speaks(v: &Val<'_>) -> BTreeMap<u16, Speech> {
    if v.node.scalar().is_some() {
        v.error("must be a mapping of port to `http` or `tcp`: `speaks: {8080: http}`");
        return BTreeMap::new();
    }
    let read = |(port, value): (&str, Val<'_>)| {
        let speech = value.choice(&[("http", Speech::Http), ("tcp", Speech::Tcp)])?;
        let number = numbers::integer::<u16>(port).filter(|port| *port > 0);
        if number.is_none() {
            value.error(format!("`{port}` is no port: a port is a number from 1 to 65535"));
        }
        Some((number?, speech))
    };
    v.members().into_iter().filter_map(read).collect()
}

const PROTOCOLS: &[(&str, EntryProtocol)] =
    &[("http", EntryProtocol::Http), ("https", EntryProtocol::Https), ("tcp", EntryProtocol::Tcp)];

/// The port that a protocol has by itself.
fn usual_port(protocol: EntryProtocol) -> Option<u16> {
    match protocol {
        EntryProtocol::Http => Some(80),
        EntryProtocol::Https => Some(443),
        EntryProtocol::Tcp => None,
    }
}

/// Which sides use the PROXY protocol: what stands before the edge, and the edge towards the replicas.
const PROXY_PROTOCOL: &[(&str, (bool, bool))] =
    &[("accept", (true, false)), ("send", (false, true)), ("both", (true, true))];

/// Every key of an entry.
const ENTRY_KEYS: &[&str] = &["port", "target", "host", "path", "protocol", "tls", "drain", "proxy_protocol"];

/// `[http://|https://|tcp://][HOST][:PORT][/PATH]`, a port, or a mapping.
fn entry(v: &Val<'_>) -> Option<EntrySpec> {
    let mut entry = EntrySpec::default();
    if v.node.map().is_none() {
        let text = v.filled()?;
        if let Some(port) = numbers::integer::<u16>(&text) {
            entry.port = port;
        } else {
            entry = url(&text).map_err(|why| v.error(why)).ok()?;
        }
    } else {
        v.keys(ENTRY_KEYS, |key, value| match key {
            "port" => entry.port = value.number("a port, 1 to 65535").unwrap_or_default(),
            "target" => entry.target = value.number("a port, 1 to 65535").unwrap_or_default(),
            "host" => entry.host = value.filled(),
            "path" => entry.path = value.with(path),
            "protocol" => entry.protocol = value.choice(PROTOCOLS),
            "tls" => (entry.tls, entry.certificate) = certificate::tls(&value),
            "proxy_protocol" => {
                (entry.accept_proxy, entry.send_proxy) = value.choice(PROXY_PROTOCOL).unwrap_or_default();
            }
            _ => entry.drain = value.duration(),
        });
    }
    if entry.protocol.is_none() {
        entry.protocol = match (v.get("tls"), entry.host.is_some() || entry.path.is_some()) {
            (Some(_), _) => Some(EntryProtocol::Https),
            (None, true) => Some(EntryProtocol::Http),
            (None, false) => None,
        };
    } else if entry.protocol == Some(EntryProtocol::Http)
        && let Some(tls) = v.get("tls")
    {
        tls.error("the protocol http has no certificate: write `protocol: https`, or remove `tls`");
    }
    if entry.protocol == Some(EntryProtocol::Tcp) && (entry.host.is_some() || entry.path.is_some()) {
        v.error("`host` and `path` need the protocol http or https");
    }
    if entry.port == 0 && v.get("port").is_none() {
        match entry.protocol.and_then(usual_port) {
            Some(port) => entry.port = port,
            None => v.error("`port`, the port on the edge hosts, is missing"),
        }
    }
    Some(entry)
}

fn url(text: &str) -> Result<EntrySpec, String> {
    let wrong = || format!("must be like `https://shop.example.com/api`, `tcp://:5432` or a port, this is `{text}`");
    let (protocol, rest) = match text.split_once("://") {
        Some((protocol, rest)) => {
            let known = PROTOCOLS.iter().find(|(word, _)| *word == protocol).ok_or_else(wrong)?;
            (Some(known.1), rest)
        }
        None => (None, text),
    };
    let (authority, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
        Some((authority, path)) => (authority, Some(self::path(path)?)),
        None => (rest, None),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, numbers::integer::<u16>(port).filter(|port| *port > 0).ok_or_else(wrong)?),
        None => (authority, 0),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '*' | '_');
    if !host.chars().all(legal) || (host.is_empty() && port == 0 && path.is_none()) {
        return Err(wrong());
    }
    Ok(EntrySpec {
        port,
        host: (!host.is_empty()).then(|| host.to_owned()),
        path: path.filter(|path| path != "/"),
        protocol,
        ..EntrySpec::default()
    })
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && !text.contains(char::is_whitespace) {
        Ok(text.to_owned())
    } else {
        Err(format!("a path begins with `/` and has no spaces, this is `{text}`"))
    }
}

/// Fills in the container's port where an entry does not say it and only one can be meant.
pub(super) fn targets(v: &Val<'_>, spec: &mut crate::model::ServiceSpec) {
    let mut known: Vec<u16> = spec.ports.iter().map(|port| port.target).collect();
    known.extend(spec.expose.iter().map(|port| port.port));
    known.sort_unstable();
    known.dedup();
    let published: Vec<(u16, u16)> =
        spec.ports.iter().filter_map(|port| port.published.map(|outside| (outside, port.target))).collect();
    let place = v.get("x-wharf").and_then(|wharf| wharf.get("entry"));
    let items = place.as_ref().filter(|v| matches!(v.node.kind, super::yaml::Kind::List(_))).map(Val::items);
    let items = items.filter(|items| items.len() == spec.wharf.entry.len()).unwrap_or_default();
    for (i, entry) in spec.wharf.entry.iter_mut().enumerate().filter(|(_, entry)| entry.target == 0) {
        let same = published.iter().find(|(outside, _)| *outside == entry.port).map(|(_, target)| *target);
        match (same, known.as_slice()) {
            (Some(target), _) => entry.target = target,
            (None, [only]) => entry.target = *only,
            _ => {
                items
                    .get(i)
                    .or(place.as_ref())
                    .unwrap_or(v)
                    .error("`target`, the port of the container, is missing: say it here, or under `expose`");
            }
        }
    }
}

/// Fills in what `ports` says of what its ports speak, where `x-wharf.speaks` says nothing.
pub(super) fn speech_of_ports(v: &Val<'_>, spec: &mut crate::model::ServiceSpec) {
    for (port, speech) in v.get("ports").iter().flat_map(ports::speeches) {
        spec.wharf.speaks.entry(port).or_insert(speech);
    }
}

/// A path for `GET`, or a mapping.
fn check(v: &Val<'_>) -> Option<CheckSpec> {
    let mut check = CheckSpec::default();
    if v.node.map().is_none() {
        check.path = Some(v.with(path)?);
        return Some(check);
    }
    v.keys(&["path", "port", "interval", "timeout"], |key, value| match key {
        "path" => check.path = value.with(path),
        "port" => check.port = value.number::<u16>("a port, 1 to 65535").filter(|port| *port > 0),
        "interval" => check.interval = value.duration(),
        _ => check.timeout = value.duration(),
    });
    Some(check)
}
