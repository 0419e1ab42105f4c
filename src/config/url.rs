//! `connect`: the URL of an engine.

use std::path::PathBuf;

use crate::model::{Connect, Ssh};

/// A parsed `connect`, before keys beside it add to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Url {
    /// `unix:///path`.
    Unix(PathBuf),
    /// `ssh://[user@]host[:port][/socket]`.
    Ssh(Ssh),
    /// `tcp://host[:port]`.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port, if written.
        port: Option<u16>,
    },
    /// `context:NAME`.
    Context(String),
}

/// The port of an engine with TLS; without, it is one less. Registered with IANA as docker-s and docker.
pub(super) const TLS_PORT: u16 = 2376;

/// Parses a URL. The error says what would be right.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("the URL must not have spaces or control characters".to_owned());
    }
    if let Some(name) = text.strip_prefix("context:") {
        let name = name.trim_start_matches('/');
        return if name.is_empty() {
            Err("the name is missing: write context:NAME, as `docker context ls` shows it".to_owned())
        } else {
            Ok(Url::Context(name.to_owned()))
        };
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("`{text}` has no scheme: write {}", guess(text)));
    };
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Url::Unix(rest.into())),
        "unix" => Err(format!("a socket's path must be absolute: write unix:///{}", rest.trim_start_matches("./"))),
        "ssh" => ssh(rest),
        "tcp" => tcp(rest),
        "http" | "https" => Err(format!("write tcp://{rest}, with `tls` beside it")),
        "npipe" => Err("named pipes are for Windows: reach that engine over ssh:// or tcp://".to_owned()),
        other => Err(format!("unknown scheme `{other}://`: use ssh://, tcp://, unix:// or context:NAME")),
    }
}

/// A `connect` that needs no key beside it: what `DOCKER_HOST` may hold. Plain `tcp://` gets no TLS.
pub fn parse_connect(text: &str) -> Result<Connect, String> {
    match parse(text)? {
        Url::Unix(path) => Ok(Connect::Unix(path)),
        Url::Ssh(ssh) => Ok(Connect::Ssh(ssh)),
        Url::Tcp { host, port } => Ok(Connect::Tcp { host, port: port.unwrap_or(TLS_PORT - 1), tls: None }),
        Url::Context(_) => Err(format!("`{text}` is not an engine's address")),
    }
}

/// What someone who wrote no scheme meant.
fn guess(text: &str) -> String {
    let misspelt = ["ssh", "tcp", "unix"].into_iter().find_map(|scheme| {
        let rest = text.strip_prefix(scheme)?;
        rest.starts_with([':', '/']).then(|| format!("{scheme}://{}", rest.trim_start_matches([':', '/'])))
    });
    if let Some(right) = misspelt {
        right
    } else if text.starts_with('/') {
        format!("unix://{text}")
    } else if text.contains('@') || !text.contains(':') {
        format!("ssh://{text}")
    } else {
        format!("ssh://{text} or tcp://{text}")
    }
}

fn ssh(rest: &str) -> Result<Url, String> {
    let (authority, socket) = match rest.split_once('/') {
        Some((authority, "")) => (authority, None),
        Some((authority, path)) => (authority, Some(format!("/{path}"))),
        None => (rest, None),
    };
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    if let Some(user) = user {
        if user.contains(':') {
            return Err("a password has no place in a URL: use a key or the SSH agent".to_owned());
        }
        if user.is_empty() || user.starts_with('-') {
            return Err(format!("`{user}` is not a login name: write ssh://USER@{place}"));
        }
    }
    let (host, port) = host_and_port(place, "ssh://ops@hz-1.internal")?;
    Ok(Url::Ssh(Ssh { user: user.map(ToOwned::to_owned), host, port, socket, ..Ssh::default() }))
}

fn tcp(rest: &str) -> Result<Url, String> {
    let place = rest.trim_end_matches('/');
    if place.contains(['/', '?', '#']) {
        return Err("nothing may follow the port: write tcp://HOST:2376".to_owned());
    }
    if place.contains('@') {
        return Err("tcp:// knows no user: engines are told who you are by a client certificate (`tls`)".to_owned());
    }
    let (host, port) = host_and_port(place, "tcp://10.1.0.12:2376")?;
    Ok(Url::Tcp { host, port })
}

fn host_and_port(place: &str, example: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let Some((host, after)) = rest.split_once(']') else {
            return Err(format!("`{place}` lacks the closing bracket of an IPv6 address"));
        };
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("`{host}` is not an IPv6 address"));
        }
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err(format!("`{after}` after the address makes no sense: write [{host}]:PORT")),
        }
    } else if place.matches(':').count() > 1 {
        return Err("an IPv6 address needs brackets: write [ADDRESS] or [ADDRESS]:PORT".to_owned());
    } else {
        match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    if host.is_empty() {
        return Err(format!("the host is missing: write for example {example}"));
    }
    // A leading hyphen would be an option for ssh.
    if host.starts_with('-') || host.contains(['%', '?', '#', '\\', '"', '\'', '$', '`', ';', '&', '|']) {
        return Err(format!("`{host}` is not a host name: write for example {example}"));
    }
    if is_numeric(host) && host.parse::<std::net::Ipv4Addr>().is_err() {
        return Err(format!("`{host}` is not an IPv4 address"));
    }
    let port = port.map(port_number).transpose()?;
    Ok((host.to_owned(), port))
}

/// Numbers and dots: an address or a typing error, but no name.
pub(super) fn is_numeric(host: &str) -> bool {
    host.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn port_number(text: &str) -> Result<u16, String> {
    match text.parse::<u64>() {
        Ok(number @ 1..=65535) => Ok(u16::try_from(number).unwrap_or_default()),
        Ok(_) => Err(format!("port {text} is out of range: 1 to 65535")),
        Err(_) if text.chars().all(|c| c.is_ascii_digit()) && !text.is_empty() => {
            Err(format!("port {text} is out of range: 1 to 65535"))
        }
        Err(_) => Err(format!("`{text}` is not a port: 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_understood() {
        let shown = |text: &str| parse_connect(text).map(|connect| connect.to_string());
        for good in ["unix:///var/run/docker.sock", "ssh://ops@hz-1.internal", "ssh://hz-1", "ssh://ops@10.1.0.11:2222"]
        {
            assert_eq!(shown(good).as_deref(), Ok(good));
        }
        assert_eq!(shown("tcp://10.1.0.12").as_deref(), Ok("tcp://10.1.0.12:2375"));
        let Ok(Url::Ssh(ssh)) = parse("ssh://ops@[fd00::1]:22/run/user/1000/docker.sock") else { panic!() };
        assert_eq!((ssh.host.as_str(), ssh.port), ("fd00::1", Some(22)));
        assert_eq!(ssh.socket.as_deref(), Some("/run/user/1000/docker.sock"));
        assert_eq!(parse("context:edge"), Ok(Url::Context("edge".to_owned())));
    }

    #[test]
    fn nothing_becomes_an_option_of_ssh() {
        for bad in ["ssh://-oProxyCommand=x", "ssh://-l@host", "ssh://a@-host", "ssh://a b", "ssh://h;x", "ssh://h$(x)"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
