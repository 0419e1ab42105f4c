//! `fleet.toml`: its text to a [`Fleet`], or all that is wrong with it.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{
    ConfigError, DEFAULT_LINK_POOL, DEFAULT_PROXY_IMAGE, DEFAULT_SUBNET_POOL, Environment, Loaded, access, defaults,
    docker::docker_contexts,
    host::{self, ReadHost, Surroundings},
    paths,
    problem::Source,
    table::{At, Findings, Table},
};
use crate::model::{Defaults, Fleet, FleetName, Region, RegionName};

/// Reads the text of a fleet file. `path` is its place: relative paths begin there, and problems name it.
pub fn parse_fleet(text: &str, path: &Path, environment: &Environment) -> Result<Loaded, ConfigError> {
    let file = path.display().to_string();
    let source = Source { file: &file, text };
    let (root, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        // A table that did not parse has keys in wrong places: further words would only confuse.
        let mut problems: Vec<_> = broken
            .iter()
            .map(|error| source.problem(&error.span().unwrap_or_default(), format!("not TOML: {}", error.message())))
            .collect();
        problems.sort();
        return Err(ConfigError::Invalid(problems));
    }
    let found = Findings::new(source);
    let contexts = docker_contexts(environment);
    let dir = path.parent().unwrap_or(Path::new("."));
    let around = Surroundings { dir, home: &environment.home, contexts: &contexts };
    let table = Table::new(root.get_ref(), &found, "the fleet file", 0..0);
    let fleet = read(&table, &around, environment, &file);
    match (fleet, found.take()) {
        (Some(fleet), (errors, warnings)) if errors.is_empty() => Ok(Loaded { fleet, warnings }),
        (_, (errors, _)) => Err(ConfigError::Invalid(errors)),
    }
}

fn read(table: &Table<'_>, around: &Surroundings<'_>, environment: &Environment, file: &str) -> Option<Fleet> {
    table.only(&["fleet", "store", "subnet_pool", "proxy", "defaults", "region", "role", "guard"]);
    let name: Option<At<FleetName>> = table.required("fleet", "\"acme\"").and_then(|text| table.parse(&text));
    let store =
        table.string("store", "\"sqlite:///var/lib/wharf/acme.db\"").map(|text| store_path(table, &text, around));
    let subnet_pool = match table.string("subnet_pool", "\"10.212.0.0/14\"") {
        Some(text) => check_pool(table, "subnet_pool", DEFAULT_SUBNET_POOL, &text),
        None => DEFAULT_SUBNET_POOL.to_owned(),
    };
    let proxy = table.table("proxy", "[proxy]", "[proxy]");
    if let Some(proxy) = &proxy {
        proxy.only(&["image", "links"]);
    }
    let proxy_image = proxy
        .as_ref()
        .and_then(|proxy| proxy.string("image", "\"haproxy:3.2-alpine\"").map(|image| image.value.to_owned()));
    let links = proxy.as_ref().and_then(|proxy| {
        proxy.string("links", "\"10.211.0.0/16\"").map(|text| check_pool(proxy, "links", DEFAULT_LINK_POOL, &text))
    });
    let defaults = defaults::read(table, &Defaults::default());
    let regions = regions(table, around, &defaults);
    let names: Vec<RegionName> = regions.iter().map(|region| region.name.clone()).collect();
    let access = access::read(table, &names);
    let name = name?.value;
    Some(Fleet {
        store: match store {
            Some(store) => store?,
            None => paths::default_store(environment, name.as_str()),
        },
        name,
        regions,
        proxy_image: proxy_image.unwrap_or_else(|| DEFAULT_PROXY_IMAGE.to_owned()),
        subnet_pool,
        link_pool: links.unwrap_or_else(|| DEFAULT_LINK_POOL.to_owned()),
        origin: file.to_owned(),
        access,
    })
}

/// `sqlite:///path` or a path.
fn store_path(table: &Table<'_>, text: &At<&str>, around: &Surroundings<'_>) -> Option<PathBuf> {
    let path = match text.value.split_once("://") {
        Some(("sqlite", path)) if path.starts_with('/') => path,
        Some(("sqlite", path)) => {
            let words =
                format!("`store` must be an absolute path after sqlite://: write sqlite:///{path}, or a path alone");
            table.error(&text.span, words);
            return None;
        }
        Some((other, _)) => {
            let words = format!("`store` cannot be {other}://: write sqlite:///var/lib/wharf/acme.db, or a path");
            table.error(&text.span, words);
            return None;
        }
        None => text.value,
    };
    if path.ends_with('/') {
        table.error(&text.span, format!("`store` must be a file, not a directory: write {path}acme.db"));
        return None;
    }
    Some(around.path(path))
}

/// An IPv4 range that has room for subnets: CIDR, /8 to /24.
fn check_pool(table: &Table<'_>, key: &str, example: &str, text: &At<&str>) -> String {
    let parts = text
        .value
        .split_once('/')
        .and_then(|(address, prefix)| Some((address.parse::<Ipv4Addr>().ok()?, prefix.parse::<u32>().ok()?)));
    let words = match parts {
        None => format!("`{key}` must be an IPv4 range: write \"{example}\""),
        Some((_, prefix)) if !(8..=24).contains(&prefix) => {
            format!("`{key}` must be between /8 and /24, so that it holds enough subnets, not /{prefix}")
        }
        Some((address, prefix)) => {
            let first = Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - prefix)));
            if first == address {
                return text.value.to_owned();
            }
            format!("`{key}`: {address} is not the range's first address: write \"{first}/{prefix}\"")
        }
    };
    table.error(&text.span, words);
    text.value.to_owned()
}

fn regions(table: &Table<'_>, around: &Surroundings<'_>, defaults: &Defaults) -> Vec<Region> {
    if table.is_empty("region") {
        table.missing("region", "[[region]] with a name, and [[region.host]] under it");
    }
    let mut seen = Seen::default();
    let mut regions = Vec::new();
    for region in table.tables("region", "region", "this region") {
        region.only(&["name", "defaults", "host"]);
        let name: Option<At<RegionName>> = region.name("\"cn-hangzhou\"");
        if let Some(name) = &name {
            seen.name(&region, "region", name);
        }
        let defaults = defaults::read(&region, defaults);
        let tables = region.tables("host", "region.host", "this host");
        if region.is_empty("host") {
            region.missing("host", "[[region.host]] with name and connect under it");
        }
        let hosts: Vec<ReadHost> = tables.iter().filter_map(|host| host::read(host, around)).collect();
        let mut addresses: BTreeMap<&str, &str> = BTreeMap::new();
        for host in &hosts {
            seen.name(&region, "host", &host.name);
            seen.engine(&region, host);
            let Some(address) = &host.address else { continue };
            if let Some(other) = addresses.insert(&address.value, host.name.value.as_str()) {
                let words = format!("hosts {other} and {} have one address, {}", host.name.value, address.value);
                region.findings().warn(&address.span, words);
            }
        }
        if let Some(name) = name {
            let hosts = hosts.into_iter().map(|host| host.host).collect();
            regions.push(Region { name: name.value, hosts, defaults });
        }
    }
    regions
}

/// Names and engines that were read already, with their lines.
#[derive(Default)]
struct Seen {
    names: BTreeMap<(&'static str, String), usize>,
    engines: BTreeMap<String, String>,
}

impl Seen {
    fn name<T: std::fmt::Display>(&mut self, table: &Table<'_>, what: &'static str, name: &At<T>) {
        let line = table.findings().source.line(name.span.start);
        if let Some(first) = self.names.insert((what, name.value.to_string()), line) {
            let words = format!(
                "two {what}s are called `{}` (the other in line {first}): names are unique in the fleet",
                name.value
            );
            table.error(&name.span, words);
        }
    }

    fn engine(&mut self, table: &Table<'_>, host: &ReadHost) {
        let name = host.name.value.to_string();
        if let Some(other) = self.engines.insert(host.connect.value.clone(), name.clone())
            && other != name
        {
            let words = format!("hosts {other} and {name} are the same engine, {}: remove one", host.connect.value);
            table.error(&host.connect.span, words);
        }
    }
}
