//! `[[region.host]]`: one engine and how to reach it.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

use super::{
    docker::Context,
    nearest,
    table::{At, Table},
    url::{self, TLS_PORT, Url},
};
use crate::model::{Connect, Host, HostName, Tls};

const KEYS: [&str; 9] =
    ["name", "connect", "address", "labels", "tls", "insecure", "ssh_config", "ssh_share_master", "socket"];

/// A host as read, with the places that later checks need.
pub(super) struct ReadHost {
    pub(super) host: Host,
    pub(super) name: At<HostName>,
    pub(super) connect: At<String>,
    pub(super) address: Option<At<String>>,
}

/// What relative names and contexts refer to.
pub(super) struct Surroundings<'a> {
    /// The fleet file's directory.
    pub(super) dir: &'a Path,
    /// The home directory, for `~`.
    pub(super) home: &'a Path,
    /// Docker contexts, for `context:NAME`.
    pub(super) contexts: &'a [Context],
}

impl Surroundings<'_> {
    /// A path as written, made absolute.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        match text.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => self.dir.join(text),
        }
    }
}

/// Reads a host; none when it has mistakes, all of which are noted.
pub(super) fn read(table: &Table<'_>, around: &Surroundings<'_>) -> Option<ReadHost> {
    table.only(&KEYS);
    let name = table.name::<HostName>("\"hz-1\"");
    let address = table.string("address", "\"10.1.0.11\"").and_then(|address| check_address(table, &address));
    let labels: BTreeMap<String, String> = table.strings("labels", "{ zone = \"b\" }");
    let connect = table.required("connect", "\"ssh://ops@hz-1.internal\"");
    let connect = connect.and_then(|text| Some((connect_of(table, &text, around)?, text)));
    let (name, (connect, text)) = (name?, connect?);
    let host = Host {
        name: name.value.clone(),
        connect: connect.clone(),
        address: address.as_ref().map(|address| address.value.clone()),
        labels,
    };
    Some(ReadHost { host, name, connect: At { value: connect.to_string(), span: text.span }, address })
}

/// An IP address or a host name, and nothing around it.
fn check_address(table: &Table<'_>, address: &At<&str>) -> Option<At<String>> {
    let text = address.value;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let is_name = text.chars().all(legal) && !text.starts_with(['-', '.']);
    if text.parse::<IpAddr>().is_ok() || (is_name && !url::is_numeric(text)) {
        return Some(At { value: text.to_owned(), span: address.span.clone() });
    }
    let words = format!("`{text}` is not an address: write an IP address or a host name, without scheme and port");
    table.error(&address.span, words);
    None
}

fn connect_of(table: &Table<'_>, text: &At<&str>, around: &Surroundings<'_>) -> Option<Connect> {
    let url = match url::parse(text.value) {
        Ok(url) => url,
        Err(why) => {
            table.error(&text.span, format!("`connect`: {why}"));
            return None;
        }
    };
    let refuse = |keys: &[&str], scheme: &str| table.refuse(keys, &format!("has no meaning for {scheme}: remove it"));
    match url {
        Url::Unix(path) => {
            refuse(&["tls", "insecure", "ssh_config", "ssh_share_master", "socket"], "unix://");
            Some(Connect::Unix(path))
        }
        Url::Context(name) => {
            refuse(&["tls", "insecure", "ssh_config", "ssh_share_master", "socket"], "context:NAME");
            context(table, text, &name, around)
        }
        Url::Ssh(mut ssh) => {
            refuse(&["tls", "insecure"], "ssh://");
            if let Some(config) = table.string("ssh_config", "\"ssh_config\"") {
                ssh.config = Some(file(table, &config, around)?);
            }
            if let Some(socket) = table.string("socket", "\"/var/run/docker.sock\"") {
                if !socket.value.starts_with('/') {
                    let words = format!("`socket` must be an absolute path on the host, not `{}`", socket.value);
                    table.error(&socket.span, words);
                }
                ssh.socket = Some(socket.value.to_owned());
            }
            ssh.share_master = table.flag("ssh_share_master")?;
            Some(Connect::Ssh(ssh))
        }
        Url::Tcp { host, port } => {
            refuse(&["ssh_config", "ssh_share_master", "socket"], "tcp://");
            let insecure = table.flag("insecure")?;
            match (table.has("tls"), insecure) {
                (true, true) => {
                    table.refuse(&["insecure"], "contradicts `tls`: remove one of them");
                    None
                }
                (true, false) => {
                    let tls = tls(table, around)?;
                    Some(Connect::Tcp { host, port: port.unwrap_or(TLS_PORT), tls: Some(tls) })
                }
                (false, true) => Some(Connect::Tcp { host, port: port.unwrap_or(TLS_PORT - 1), tls: None }),
                (false, false) => {
                    table.error(
                        &text.span,
                        "plain tcp:// gives root on that host to anyone who reaches the port: add tls = { ca = …, \
                         cert = …, key = … }, use ssh://, or write insecure = true beside it",
                    );
                    None
                }
            }
        }
    }
}

fn context(table: &Table<'_>, text: &At<&str>, name: &str, around: &Surroundings<'_>) -> Option<Connect> {
    let names = || around.contexts.iter().map(|context| context.name.as_str());
    let Some(context) = around.contexts.iter().find(|context| context.name == name) else {
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", names().collect::<Vec<_>>().join(", ")),
        };
        table.error(&text.span, format!("there is no Docker context `{name}`: {hint}"));
        return None;
    };
    match context.connect() {
        Ok(Connect::Tcp { tls: None, .. }) => {
            let words = format!(
                "Docker context `{name}` is plain tcp://: write its URL here with insecure = true, or give it TLS"
            );
            table.error(&text.span, words);
            None
        }
        Ok(connect) => Some(connect),
        Err(why) => {
            table.error(&text.span, why);
            None
        }
    }
}

fn tls(host: &Table<'_>, around: &Surroundings<'_>) -> Option<Tls> {
    let table = host.table("tls", "tls", "{ ca = \"ca.pem\", cert = \"cert.pem\", key = \"key.pem\" }")?;
    table.only(&["ca", "cert", "key", "server_name"]);
    let get = |key: &str| table.string(key, &format!("\"certs/{key}.pem\"")).map(|path| file(&table, &path, around));
    let ca = table.required("ca", "\"certs/ca.pem\"").map(|path| file(&table, &path, around));
    let identity = match (get("cert"), get("key")) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some((cert?, key?)),
        (Some(_), None) => {
            table.missing("key", "the file of the certificate's private key: key = \"certs/key.pem\"");
            return None;
        }
        (None, Some(_)) => {
            table.missing("cert", "the file of the key's certificate: cert = \"certs/cert.pem\"");
            return None;
        }
    };
    let server_name = table.string("server_name", "\"hz-2.internal\"").map(|name| name.value.to_owned());
    Some(Tls { ca: ca??, identity, server_name })
}

/// A file that must exist.
fn file(table: &Table<'_>, path: &At<&str>, around: &Surroundings<'_>) -> Option<PathBuf> {
    let full = around.path(path.value);
    let why = match std::fs::metadata(&full) {
        Ok(found) if found.is_file() => return Some(full),
        Ok(_) => "is not a file".to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        Err(error) => format!("cannot be read ({error})"),
    };
    let relative = if Path::new(path.value).is_absolute() { "" } else { "; relative paths begin at the fleet file" };
    table.error(&path.span, format!("`{}` {why}{relative}", path.value));
    None
}
