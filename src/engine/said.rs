//! Reads an engine's error answer: the status and the message say which sort of failure it is.

use super::error::{ErrorKind, Fault};

/// Longest message of an engine that is repeated, in characters.
const MAX_SAID: usize = 600;

/// What the engine said with an HTTP status that is no success.
pub(crate) fn fault(status: u16, message: &str) -> Fault {
    let message = message.trim();
    let lower = message.to_lowercase();
    let (kind, next) = sort(status, &lower);
    let said: String = message.chars().take(MAX_SAID).collect();
    let why = if said.is_empty() { format!("the engine answers HTTP {status} without a reason") } else { said };
    Fault::new(kind, &why, next)
}

fn sort(status: u16, message: &str) -> (ErrorKind, &'static str) {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["no space left on device", "disk quota exceeded"]) {
        return (ErrorKind::DiskFull, "free space on the host, for example with `docker system prune`");
    }
    if has(&["port is already allocated", "address already in use", "ports are not available"]) {
        return (ErrorKind::PortTaken, "stop what holds the port, or choose another one");
    }
    if has(&["no basic auth credentials", "unauthorized", "authentication required", "incorrect username or password"])
        || has(&["access forbidden", "access to the resource is denied"]) && !has(&["pull access denied"])
    {
        return (ErrorKind::RegistryRefused, "log in to the registry on this machine with `docker login`");
    }
    if has(&["pull access denied"]) {
        return (ErrorKind::NoSuchImage, "check the image's name, or log in to its registry with `docker login`");
    }
    if has(&["manifest unknown", "no such image", "name unknown", "repository name not known"])
        || has(&["manifest for"]) && has(&["not found"])
        || has(&["no matching manifest"])
    {
        return (ErrorKind::NoSuchImage, "check the image's name and tag, or push it first");
    }
    if has(&["toomanyrequests", "rate limit"]) {
        return (ErrorKind::RegistryUnreachable, "the registry limits pulls: wait, or log in to it");
    }
    if has(&["server gave http response to https client"]) {
        return (
            ErrorKind::RegistryUnreachable,
            "add the registry to `insecure-registries` of this engine, or give it TLS",
        );
    }
    if has(&["dial tcp", "i/o timeout", "tls handshake timeout", "net/http: request canceled", "no such host"]) {
        return (ErrorKind::RegistryUnreachable, "check that this host reaches the registry");
    }
    if has(&["sent an http request to an https server"]) {
        return (ErrorKind::Setup, "it wants TLS: set `tls` of this host in the fleet file");
    }
    // What a dockerd that was restarted may say for a while, under the status of what is forbidden.
    if has(&["endpoint with name"]) && has(&["already exists in network"]) {
        return (
            ErrorKind::Failed,
            "the engine has kept it from before it was restarted: `docker network disconnect -f` with both names frees it",
        );
    }
    match status {
        404 => (ErrorKind::NotFound, ""),
        409 => (ErrorKind::Conflict, ""),
        400 if has(&["client version", "too old", "too new"]) => (ErrorKind::ApiVersion, "update the engine"),
        400 => (ErrorKind::Invalid, ""),
        401 | 403 => (ErrorKind::Refused, "check what this user may do on the host"),
        _ => (ErrorKind::Failed, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_engines_are_sorted() {
        for (status, message, kind) in [
            (500, "driver failed: Bind for 0.0.0.0:8080 failed: port is already allocated", ErrorKind::PortTaken),
            (500, "listen tcp4 0.0.0.0:80: bind: address already in use", ErrorKind::PortTaken),
            (500, "mkdir /var/lib/docker/overlay2/x: no space left on device", ErrorKind::DiskFull),
            (404, "No such image: app:9", ErrorKind::NoSuchImage),
            (
                404,
                "manifest for 10.77.0.1:5000/app:9 not found: manifest unknown: manifest unknown",
                ErrorKind::NoSuchImage,
            ),
            (
                404,
                "pull access denied for app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                ErrorKind::NoSuchImage,
            ),
            (500, "Get http://r/v2/app/manifests/1: no basic auth credentials", ErrorKind::RegistryRefused),
            (500, "unauthorized: authentication required", ErrorKind::RegistryRefused),
            (
                500,
                "Get https://r/v2/: dial tcp 10.0.0.1:443: connect: connection refused",
                ErrorKind::RegistryUnreachable,
            ),
            (500, "http: server gave HTTP response to HTTPS client", ErrorKind::RegistryUnreachable),
            (404, "No such container: abc", ErrorKind::NotFound),
            (409, "Conflict. The container name \"/a\" is already in use", ErrorKind::Conflict),
            (400, "client version 1.52 is too new. Maximum supported API version is 1.41", ErrorKind::ApiVersion),
            (400, "invalid mount config", ErrorKind::Invalid),
            (400, "Client sent an HTTP request to an HTTPS server.", ErrorKind::Setup),
            (403, "authorization denied by plugin", ErrorKind::Refused),
            (403, "endpoint with name shop-web-4-r2 already exists in network shop_default", ErrorKind::Failed),
            (500, "", ErrorKind::Failed),
        ] {
            assert_eq!(fault(status, message).kind, kind, "{message}");
        }
    }

    #[test]
    fn a_hostile_message_is_made_safe_and_short() {
        let said = fault(500, &format!("\x1b]0;owned\x07{}", "x".repeat(5000)));
        assert!(said.why.as_str().chars().count() <= MAX_SAID);
        assert!(!said.why.as_str().contains('\x1b'));
    }
}
