//! `x-wharf` of a service: what Compose has no word for.

use std::collections::BTreeMap;

use super::{numbers, typed::Val};
use crate::model::{CheckSpec, EntryProtocol, EntrySpec, RegionName, WharfSpec};

/// `x-wharf` of a service.
pub(super) fn wharf(v: &Val<'_>) -> WharfSpec {
    let mut spec = WharfSpec::default();
    v.keys(&["regions", "replicas", "entry", "check", "test", "observe"], |key, value| match key {
        "regions" => spec.regions = value.one_or_more().iter().filter_map(region).collect(),
        "replicas" => spec.replicas = replicas(&value),
        "entry" => {
            let single = value.node.map().is_some() || value.node.scalar().is_some();
            let items = if single { vec![value] } else { value.items() };
            spec.entry = items.iter().filter_map(entry).collect();
        }
        "check" => spec.check = check(&value),
        "test" => spec.test = value.command().filter(|words| !words.is_empty()),
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
        v.keys(&["port", "target", "host", "path", "protocol", "tls", "drain"], |key, value| match key {
            "port" => entry.port = value.number("a port, 1 to 65535").unwrap_or_default(),
            "target" => entry.target = value.number("a port, 1 to 65535").unwrap_or_default(),
            "host" => entry.host = value.filled(),
            "path" => entry.path = value.with(path),
            "protocol" => entry.protocol = value.choice(PROTOCOLS),
            "tls" => {
                let file = |text: String| value.node.at.file.resolve(&text).0.to_string_lossy().into_owned();
                entry.tls = value.filled().map(file);
            }
            _ => entry.drain = value.duration(),
        });
    }
    if entry.protocol.is_none() {
        let protocol = match (&entry.tls, entry.host.is_some() || entry.path.is_some()) {
            (Some(_), _) => Some(EntryProtocol::Https),
            (None, true) => Some(EntryProtocol::Http),
            (None, false) => None,
        };
        entry.protocol = protocol;
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
        Some((protocol, rest)) => (Some(protocol), rest),
        None => (None, text),
    };
    let protocol = match protocol {
        Some(said) => {
            let known = PROTOCOLS.iter().find(|(word, _)| *word == said);
            Some(known.map(|(_, protocol)| *protocol).ok_or_else(wrong)?)
        }
        None => None,
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
