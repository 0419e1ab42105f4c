//! `ports` and `expose`, short and long.

use super::{numbers::integer, typed::Val, yaml::Kind};
use crate::model::{ExposedPort, Port, PortMode, Protocol, Speech};

/// Most ports that one range may open.
const MAX_RANGE: u16 = 1024;

/// Most ports that one service may publish, or expose.
const MAX_PORTS: usize = 4096;

const PROTOCOLS: &[(&str, Protocol)] = &[("tcp", Protocol::Tcp), ("udp", Protocol::Udp), ("sctp", Protocol::Sctp)];

/// `ports` of a service.
pub(super) fn ports(val: &Val<'_>) -> Vec<Port> {
    let mut out: Vec<Port> = Vec::new();
    for item in val.items() {
        for port in if item.node.map().is_some() { long(&item) } else { short(&item) } {
            let clash = |old: &Port| {
                old.published.is_some()
                    && old.published == port.published
                    && old.protocol == port.protocol
                    && (old.host_ip == port.host_ip || old.host_ip.is_none() || port.host_ip.is_none())
            };
            if out.contains(&port) {
                continue;
            }
            if out.len() >= MAX_PORTS {
                val.error(format!("publishes more than {MAX_PORTS} ports: give the service an address of its own"));
                return out;
            }
            if out.iter().any(clash) {
                item.error(format!(
                    "the port {}/{} is published twice by this service",
                    port.published.unwrap_or_default(),
                    port.protocol
                ));
                continue;
            }
            out.push(port);
        }
    }
    out
}

/// `[IP:][PUBLISHED:]TARGET[/PROTOCOL]`, each port or range.
fn short(item: &Val<'_>) -> Vec<Port> {
    let Some(text) = item.text() else { return Vec::new() };
    match parse_short(text) {
        Ok((host_ip, published, target, protocol)) => {
            expand(item, host_ip.as_deref(), published, target, protocol, PortMode::Ingress)
        }
        Err(message) => {
            item.error(message);
            Vec::new()
        }
    }
}

type Range = (u16, u16);

fn parse_short(text: &str) -> Result<(Option<String>, Option<Range>, Range, Protocol), String> {
    let (ports, protocol) = match text.split_once('/') {
        Some((ports, protocol)) => (ports, self::protocol(protocol)?),
        None => (text, Protocol::Tcp),
    };
    let (outside, target) = match ports.rsplit_once(':') {
        Some((outside, target)) => (Some(outside), target),
        None => (None, ports),
    };
    let target = range(target)?
        .ok_or_else(|| format!("the container's port is missing in `{text}`: write \"8080:80\", or \"80\" alone"))?;
    let (ip, published) = match outside {
        None => (None, ""),
        // An address in brackets, or the part before the last colon.
        Some(outside) => match outside.rsplit_once(':') {
            Some((ip, published)) => (Some(ip), published),
            None => (None, outside),
        },
    };
    let ip = ip.map(address).transpose()?;
    let published = range(published)?;
    Ok((ip, published, target, protocol))
}

fn protocol(text: &str) -> Result<Protocol, String> {
    PROTOCOLS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, protocol)| *protocol)
        .ok_or_else(|| format!("the protocol must be tcp, udp or sctp, this is `{text}`"))
}

fn address(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<std::net::IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(format!("`{text}` is no IP address: write \"127.0.0.1:8080:80\"")),
    }
}

/// `80`, `80-89`; empty is none.
fn range(text: &str) -> Result<Option<Range>, String> {
    let number = |part: &str| -> Result<u16, String> {
        integer(part).ok_or_else(|| format!("`{part}` is no port: a port is a number from 1 to 65535"))
    };
    if text.is_empty() {
        return Ok(None);
    }
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if last < first {
        return Err(format!("the range {text} goes backwards: write {last}-{first}"));
    }
    if last - first >= MAX_RANGE {
        return Err(format!("the range {text} has more than {MAX_RANGE} ports"));
    }
    Ok(Some((first, last)))
}

fn expand(
    item: &Val<'_>,
    host_ip: Option<&str>,
    published: Option<Range>,
    target: Range,
    protocol: Protocol,
    mode: PortMode,
) -> Vec<Port> {
    if target.0 == 0 {
        item.error("the container's port must be a number from 1 to 65535");
        return Vec::new();
    }
    let published = published.filter(|range| *range != (0, 0));
    if let Some((first, last)) = published {
        if first == 0 {
            item.error("a range of published ports cannot begin with 0");
            return Vec::new();
        }
        if last - first != target.1 - target.0 {
            item.error(if target.0 == target.1 {
                format!(
                    "{first}-{last} offers many published ports for one port of the container: give one number, or none for any free port"
                )
            } else {
                format!(
                    "the ranges {first}-{last} and {}-{} must be equally long",
                    target.0, target.1
                )
            });
            return Vec::new();
        }
    }
    (target.0..=target.1)
        .enumerate()
        .map(|(i, target)| Port {
            target,
            published: published.and_then(|(first, _)| u16::try_from(usize::from(first) + i).ok()),
            host_ip: host_ip.map(str::to_owned),
            protocol,
            mode,
        })
        .collect()
}

fn long(item: &Val<'_>) -> Vec<Port> {
    const KEYS: &[&str] = &["target", "published", "host_ip", "protocol", "mode", "name", "app_protocol"];
    let (mut target, mut published, mut host_ip) = (None, None, None);
    let (mut protocol, mut mode, mut good) = (Protocol::Tcp, PortMode::Ingress, true);
    item.keys(KEYS, |key, val| match key {
        "target" => target = val.with(range).flatten(),
        "published" => match val.with(range) {
            Some(range) => published = range,
            None => good = false,
        },
        "host_ip" => host_ip = val.with(address),
        "protocol" => match val.with(self::protocol) {
            Some(read) => protocol = read,
            None => good = false,
        },
        "mode" => {
            if let Some(read) = val.choice(&[("ingress", PortMode::Ingress), ("host", PortMode::Host)]) {
                mode = read;
            }
        }
        // Only a name for people; and `app_protocol` is read by `speeches`.
        _ => {}
    });
    match target {
        Some(target) if good => expand(item, host_ip.as_deref(), published, target, protocol, mode),
        Some(_) => Vec::new(),
        None => {
            if item.get("target").is_none_or(|val| val.node.scalar() == Some("")) {
                item.error("`target`, the container's port, is missing");
            }
            Vec::new()
        }
    }
}

/// What `app_protocol` of the long form says that ports speak. Proxies talk HTTP/1 to replicas, so that HTTP/2 and
/// gRPC, TLS, and whatever else a container may speak is handed on by connection.
pub(super) fn speeches(val: &Val<'_>) -> Vec<(u16, Speech)> {
    let items = if matches!(val.node.kind, Kind::List(_)) { val.items() } else { Vec::new() };
    let read = |item: Val<'_>| {
        let speech = match item.get("app_protocol")?.filled()?.to_ascii_lowercase().as_str() {
            "http" | "http1" | "http/1.1" | "ws" | "kubernetes.io/ws" => Speech::Http,
            _ => Speech::Tcp,
        };
        let (first, last) = range(item.get("target")?.node.scalar()?).ok().flatten()?;
        let stream = item.get("protocol").is_none_or(|v| v.node.scalar().is_none_or(|p| p.eq_ignore_ascii_case("tcp")));
        (stream && first > 0).then(|| (first..=last).map(move |port| (port, speech)).collect::<Vec<_>>())
    };
    items.into_iter().filter_map(read).flatten().collect()
}

/// `expose` of a service.
pub(super) fn expose(val: &Val<'_>) -> Vec<ExposedPort> {
    let mut out = Vec::new();
    for item in val.items() {
        if out.len() > MAX_PORTS {
            val.error(format!("exposes more than {MAX_PORTS} ports"));
            return Vec::new();
        }
        let read = item.with(|text| {
            let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
            let protocol = self::protocol(protocol)?;
            let range = range(ports)?.filter(|(first, _)| *first > 0);
            range.map(|range| (range, protocol)).ok_or_else(|| "must be a port like \"3000\"".to_owned())
        });
        if let Some(((first, last), protocol)) = read {
            out.extend((first..=last).map(|port| ExposedPort { port, protocol }));
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<&str>, Option<Range>, Range, Protocol) {
        let (ip, published, target, protocol) = parse_short(text).unwrap();
        (ip.map(|ip| &*ip.leak()), published, target, protocol)
    }

    #[test]
    fn short_forms() {
        use Protocol::{Tcp, Udp};
        for (text, expected) in [
            ("3000", (None, None, (3000, 3000), Tcp)),
            ("3000-3005", (None, None, (3000, 3005), Tcp)),
            ("8080:80", (None, Some((8080, 8080)), (80, 80), Tcp)),
            ("22:22", (None, Some((22, 22)), (22, 22), Tcp)),
            ("9090-9091:8080-8081", (None, Some((9090, 9091)), (8080, 8081), Tcp)),
            ("127.0.0.1:8001:8001", (Some("127.0.0.1"), Some((8001, 8001)), (8001, 8001), Tcp)),
            ("127.0.0.1::5000", (Some("127.0.0.1"), None, (5000, 5000), Tcp)),
            ("6060:6060/udp", (None, Some((6060, 6060)), (6060, 6060), Udp)),
            ("[::1]:80:80", (Some("::1"), Some((80, 80)), (80, 80), Tcp)),
            ("::1:80:80", (Some("::1"), Some((80, 80)), (80, 80), Tcp)),
            (":80", (None, None, (80, 80), Tcp)),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn wrong_forms() {
        for text in ["", "80:", "a:80", "80:80:80", "70000", "90-80", "80/icmp", "1-65535", "example.com:80:80", "-1"] {
            assert!(parse_short(text).is_err(), "{text}");
        }
    }
}
