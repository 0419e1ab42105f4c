//! Networks and volumes of the stack, and how services are on networks.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{typed::Val, yaml::Kind};
use crate::model::{Attachment, NetworkSpec, VolumeSpec};

/// Top-level `networks`.
pub(super) fn networks(v: &Val<'_>) -> BTreeMap<String, NetworkSpec> {
    v.members().into_iter().filter(|(name, v)| named(name, v)).map(|(name, v)| (name.to_owned(), network(&v))).collect()
}

/// Top-level `volumes`.
pub(super) fn volumes(v: &Val<'_>) -> BTreeMap<String, VolumeSpec> {
    v.members().into_iter().filter(|(name, v)| named(name, v)).map(|(name, v)| (name.to_owned(), volume(&v))).collect()
}

fn named(name: &str, v: &Val<'_>) -> bool {
    if name.starts_with("x-") {
        return false;
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(legal);
    if !good {
        v.error(format!(
            "`{name}` is no name: use letters, digits, `-`, `_` and `.`, and begin with a letter or a digit"
        ));
    }
    good
}

/// `external: true`, or the older `external: {name: …}`.
fn external(v: &Val<'_>, name: &mut Option<String>) -> bool {
    if v.node.map().is_none() {
        return v.bool().unwrap_or_default();
    }
    v.keys(&["name"], |_, value| *name = value.filled());
    true
}

fn only_name(v: &Val<'_>, external: bool) {
    if !external {
        return;
    }
    for (key, value) in v.members() {
        if !matches!(key, "external" | "name") && !key.starts_with("x-") && !value.node.is_null() {
            value.error("an external one is used as it is: remove this, or `external`");
        }
    }
}

fn network(v: &Val<'_>) -> NetworkSpec {
    const KEYS: &[&str] = &[
        "external",
        "name",
        "driver",
        "driver_opts",
        "internal",
        "attachable",
        "enable_ipv4",
        "enable_ipv6",
        "ipam",
        "labels",
    ];
    let mut network = NetworkSpec::default();
    v.keys(KEYS, |key, value| match key {
        "external" => network.external = external(&value, &mut network.name),
        "name" => network.name = value.filled(),
        "driver" => {
            network.driver = value.filled();
            if network.driver.as_deref() == Some("overlay") {
                value.warn("an overlay needs Swarm: wharf uses a bridge on each host, and its proxies between hosts");
                network.driver = None;
            }
        }
        "driver_opts" => network.driver_opts = value.table(),
        "internal" => network.internal = value.bool().unwrap_or_default(),
        "attachable" => value.warn("ignored: it only means something in Swarm"),
        "enable_ipv4" => {
            if value.bool() == Some(false) {
                value.error("wharf needs IPv4 on its networks: remove it");
            }
        }
        "enable_ipv6" => network.ipv6 = value.bool().unwrap_or_default(),
        "ipam" => ipam(&value, &mut network),
        _ => network.labels = value.table(),
    });
    only_name(v, network.external);
    network
}

fn ipam(v: &Val<'_>, network: &mut NetworkSpec) {
    v.keys(&["driver", "config", "options"], |key, value| match key {
        "driver" => {
            if value.text().is_some_and(|driver| driver != "default") {
                value.error("wharf only uses the default address management: remove it");
            }
        }
        "options" => value.error("not supported: remove it"),
        _ => value.items().iter().for_each(|pool| self::pool(pool, network)),
    });
}

fn pool(v: &Val<'_>, network: &mut NetworkSpec) {
    let (mut subnet, mut gateway, mut range) = (None, None, None);
    v.keys(&["subnet", "gateway", "ip_range", "aux_addresses"], |key, value| match key {
        "subnet" => subnet = value.with(cidr),
        "gateway" => gateway = value.with(ip::<IpAddr>),
        "ip_range" => range = value.with(cidr),
        _ => value.error("not supported: remove it"),
    });
    let second = match &subnet {
        Some(subnet) if subnet.contains(':') => {
            if gateway.is_some() || range.is_some() {
                v.error("only `subnet` can be given for IPv6");
            }
            network.subnet6.replace(subnet.clone())
        }
        Some(subnet) => {
            let old = network.subnet.replace(subnet.clone());
            (network.gateway, network.ip_range) = (gateway, range);
            old
        }
        None => {
            if v.get("subnet").is_none() && (gateway.is_some() || range.is_some()) {
                v.error("`subnet` is missing");
            }
            None
        }
    };
    if second.is_some() {
        v.error("only one subnet of IPv4 and one of IPv6 are possible");
    }
}

fn cidr(text: &str) -> Result<String, String> {
    let wrong = || format!("must be a subnet like 10.5.0.0/16, this is `{text}`");
    let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let bits: u8 = bits.parse().map_err(|_| wrong())?;
    if bits > if address.is_ipv4() { 32 } else { 128 } { Err(wrong()) } else { Ok(text.to_owned()) }
}

fn ip<T: std::str::FromStr + std::fmt::Display>(text: &str) -> Result<String, String> {
    text.parse::<T>()
        .map(|ip| ip.to_string())
        .map_err(|_| format!("`{text}` is no such address: write a plain IP address"))
}

fn volume(v: &Val<'_>) -> VolumeSpec {
    let mut volume = VolumeSpec::default();
    v.keys(&["external", "name", "driver", "driver_opts", "labels"], |key, value| match key {
        "external" => volume.external = external(&value, &mut volume.name),
        "name" => volume.name = value.filled(),
        "driver" => volume.driver = value.filled(),
        "driver_opts" => volume.driver_opts = value.table(),
        _ => volume.labels = value.table(),
    });
    only_name(v, volume.external);
    volume
}

/// `networks` of a service: a list of names, or a mapping with options.
pub(super) fn attachments(v: &Val<'_>, declared: &BTreeSet<&str>) -> BTreeMap<String, Attachment> {
    let mut entries: Vec<(String, Val<'_>, Attachment)> = Vec::new();
    if let Kind::Map(_) = v.node.kind {
        entries.extend(v.members().into_iter().map(|(name, item)| {
            let attachment = attachment(&item);
            (name.to_owned(), item, attachment)
        }));
    } else {
        entries.extend(v.items().into_iter().filter_map(|item| Some((item.filled()?, item, Attachment::default()))));
    }
    let mut out = BTreeMap::new();
    for (name, item, attachment) in entries {
        if name != "default" && !declared.contains(name.as_str()) {
            item.error(format!("the network `{name}` is not declared: add it under the top-level `networks:`"));
        }
        out.insert(name, attachment);
    }
    out
}

fn attachment(v: &Val<'_>) -> Attachment {
    const KEYS: &[&str] = &[
        "aliases",
        "ipv4_address",
        "ipv6_address",
        "priority",
        "gw_priority",
        "link_local_ips",
        "mac_address",
        "driver_opts",
        "interface_name",
    ];
    let mut attachment = Attachment::default();
    if v.node.is_null() {
        return attachment;
    }
    v.keys(KEYS, |key, value| match key {
        "aliases" => attachment.aliases = value.strings(),
        "ipv4_address" => attachment.ipv4_address = value.with(ip::<Ipv4Addr>),
        "ipv6_address" => attachment.ipv6_address = value.with(ip::<Ipv6Addr>),
        // The order of connection, which on older engines also decided the default route.
        "priority" if v.get("gw_priority").is_some() => {}
        "priority" | "gw_priority" => attachment.priority = value.number("a number"),
        _ => value.error("not supported: remove it"),
    });
    attachment
}

/// `network_mode` of a service.
pub(super) fn mode(v: &Val<'_>, services: &BTreeSet<&str>) -> Option<String> {
    let mode = v.filled()?;
    match mode.split_once(':') {
        Some(("service", name)) if !services.contains(name) => {
            v.error(format!("there is no service `{name}`; correct the name"));
        }
        Some(("container", _)) => v.error("a container of one host is no part of a stack: use `service:NAME`"),
        None if mode == "service" => v.error("write `service:NAME`"),
        _ => {}
    }
    Some(mode)
}
