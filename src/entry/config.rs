//! The proxy's file, from what it shall be. The same spec gives the same text, always.

use std::fmt::Write as _;

use super::{
    route,
    server::{self, HOLD, HOLD_AT, ms},
};
use crate::model::{Backend, BackendName, Bind, Frontend, Members, ProxySpec, Sensitive, Speech};

/// The backend of requests that no route takes.
const NOWHERE: &str = "nowhere";
/// Files that it may have open, two for each connection, where the engine allows as many. A bound, because engines often
/// allow without end, and HAProxy sets memory aside for all it is allowed.
const FILES: u32 = 50_000;
/// A client's connection may be idle so long between two requests. Also the time after which a process that was
/// replaced by a reload gets no request any more, because idle connections stay with it until then.
pub(crate) const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(15);

/// Where the files are, and who the worker runs as.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The directory of the file and the certificates.
    pub etc: String,
    /// The directory that a proxy and its successor share.
    pub run: String,
    /// User and group of the worker; none leaves them as they are.
    pub user: Option<(u32, u32)>,
}

impl Layout {
    /// In the container.
    pub(crate) fn container() -> Self {
        // 99 is HAProxy's own user in its official images; no name is needed for a number.
        Self { etc: "/etc/wharf".into(), run: "/run/wharf".into(), user: Some((99, 99)) }
    }

    /// The file.
    pub(crate) fn config(&self) -> String {
        format!("{}/haproxy.cfg", self.etc)
    }

    /// The file on trial.
    pub(crate) fn candidate(&self) -> String {
        format!("{}/candidate.cfg", self.etc)
    }

    /// States of servers, handed from a process to its successor.
    pub(crate) fn state(&self) -> String {
        format!("{}/servers.state", self.etc)
    }

    /// The socket over which listening sockets are handed on.
    pub(crate) fn listeners(&self) -> String {
        format!("{}/listeners.sock", self.run)
    }

    /// A certificate with its key.
    pub(super) fn certificate(&self, digest: &str) -> String {
        format!("{}/{digest}.pem", self.etc)
    }
}

/// Why a proxy cannot be what it shall be, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

fn refused<T>(why: String) -> Result<T, Refused> {
    Err(Refused(why))
}

/// The certificates' files: path and content.
pub(crate) fn certificates(spec: &ProxySpec, layout: &Layout) -> Result<Vec<(String, Sensitive)>, Refused> {
    let mut files = Vec::new();
    for name in spec.structure.frontends.iter().flat_map(|frontend| &frontend.certificates) {
        let path = certificate_path(spec, layout, name)?;
        let Some(content) = spec.certificates.get(name) else {
            return refused(format!("the certificate {name} has no content: check its file"));
        };
        if files.iter().all(|(there, _)| *there != path) {
            files.push((path, content.clone()));
        }
    }
    Ok(files)
}

/// By its digest: a new certificate never changes a file that a running process may read again.
fn certificate_path(spec: &ProxySpec, layout: &Layout, name: &str) -> Result<String, Refused> {
    match spec.structure.certificates.get(name) {
        Some(digest) if !digest.is_empty() && digest.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Ok(layout.certificate(digest))
        }
        _ => refused(format!("the certificate {name} has no digest: check its file")),
    }
}

/// The file's text. Its servers are the members that take requests: the others have nothing to do in a process that
/// begins.
pub(crate) fn text(spec: &ProxySpec, layout: &Layout) -> Result<String, Refused> {
    let mut out = head(&spec.structure.digest(), layout);
    for frontend in &spec.structure.frontends {
        write_frontend(&mut out, spec, layout, frontend)?;
    }
    out.push_str(
        "\nbackend nowhere from web\n  \
         mode http\n  \
         http-request return status 404 content-type text/plain string 'Nothing is at this address.'\n",
    );
    for (name, backend) in &spec.structure.backends {
        let members = parse(name)?;
        write_backend(&mut out, name, backend, spec.members.get(&members))?;
    }
    Ok(out)
}

fn parse(name: &str) -> Result<BackendName, Refused> {
    // What parses holds only what its parts may hold, so it cannot leave its place in the file.
    name.parse().map_err(|()| Refused(format!("`{name}` is no name of a backend: report this as a bug")))
}

fn head(digest: &str, layout: &Layout) -> String {
    let user = layout.user.map(|(user, group)| format!("  uid {user}\n  gid {group}\n")).unwrap_or_default();
    format!(
        "# Written by wharf, which writes it anew whenever something changes.\n\
         global\n  \
           description {digest}\n  \
           fd-hard-limit {FILES}\n  \
           hard-stop-after 24h\n  \
           stats socket unix@{listeners} mode 600 level user expose-fd listeners\n  \
           server-state-file {state}\n  \
           ssl-default-bind-options ssl-min-ver TLSv1.2\n  \
           tune.ssl.default-dh-param 2048\n\
         {user}\n\
         defaults web\n  \
           mode http\n  \
           timeout client 10m\n  \
           timeout server 10m\n  \
           timeout http-request 30s\n  \
           timeout http-keep-alive {keep_alive}s\n  \
           timeout tunnel 24h\n  \
           option idle-close-on-response\n  \
           option forwardfor\n\
         {common}\n\
         defaults flow\n  \
           mode tcp\n  \
           timeout client 24h\n  \
           timeout server 24h\n\
         {common}",
        listeners = layout.listeners(),
        state = layout.state(),
        keep_alive = KEEP_ALIVE.as_secs(),
        common = COMMON,
    )
}

/// For both kinds. A connection that is not made in 1.5 s is tried elsewhere: time for one lost packet. Probes of idle
/// connections find hosts that are gone.
const COMMON: &str = "  timeout connect 1500ms\n  \
     timeout queue 30s\n  \
     option redispatch 1\n  \
     option clitcpka\n  \
     clitcpka-idle 60s\n  \
     clitcpka-intvl 10s\n  \
     clitcpka-cnt 6\n  \
     option srvtcpka\n  \
     srvtcpka-idle 5s\n  \
     srvtcpka-intvl 2s\n  \
     srvtcpka-cnt 5\n  \
     load-server-state-from-file global\n";

macro_rules! line {
    ($out:expr, $($word:tt)*) => {{
        // Writing to a String cannot fail.
        let _: std::fmt::Result = writeln!($out, $($word)*);
    }};
}

fn write_frontend(out: &mut String, spec: &ProxySpec, layout: &Layout, frontend: &Frontend) -> Result<(), Refused> {
    let (name, bind) = match frontend.bind {
        Bind::Link { address, port } => (format!("link:{address}:{port}"), format!("{address}:{port}")),
        Bind::Edge { port } => (format!("edge:{port}"), format!("*:{port}")),
    };
    let is_web = frontend.speech == Speech::Http;
    let (from, mode) = if is_web { ("web", "http") } else { ("flow", "tcp") };
    line!(out, "\nfrontend {name} from {from}\n  mode {mode}");
    let mut bind = format!("  bind {bind}");
    if frontend.accept_proxy {
        bind.push_str(" accept-proxy");
    }
    if !frontend.certificates.is_empty() {
        bind.push_str(" ssl");
        for certificate in &frontend.certificates {
            let _: std::fmt::Result = write!(bind, " crt {}", certificate_path(spec, layout, certificate)?);
        }
        if is_web {
            bind.push_str(" alpn h2,http/1.1");
        }
    }
    line!(out, "{bind}");
    if is_web {
        out.push_str("  http-request set-header X-Forwarded-Proto https if { ssl_fc }\n");
        // Whoever stands before an entry with the PROXY protocol, and whoever calls a link, may know better.
        let keep = frontend.accept_proxy || matches!(frontend.bind, Bind::Link { .. });
        let unless = if keep { " !{ req.hdr(X-Forwarded-Proto) -m found }" } else { "" };
        line!(out, "  http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}{unless}");
    }
    let mut default = if is_web { Some(NOWHERE) } else { None };
    for route in route::ordered(&frontend.routes) {
        if !spec.structure.backends.contains_key(&route.backend) {
            return refused(format!("a route of {name} leads to `{}`, which is no backend", route.backend));
        }
        if !is_web {
            default = Some(&route.backend);
            break;
        }
        let conditions =
            route::conditions(route).map_err(|why| Refused(format!("the entry of {}: {why}", route.backend)))?;
        for condition in conditions {
            if condition.is_empty() {
                default = Some(&route.backend);
            } else {
                line!(out, "  use_backend {} if {condition}", route.backend);
            }
        }
    }
    match default {
        Some(backend) => line!(out, "  default_backend {backend}"),
        None => out.push_str("  tcp-request connection reject\n"),
    }
    Ok(())
}

fn write_backend(out: &mut String, name: &str, backend: &Backend, members: Option<&Members>) -> Result<(), Refused> {
    let is_web = backend.speech == Speech::Http;
    let (from, mode) = if is_web { ("web", "http") } else { ("flow", "tcp") };
    line!(out, "\nbackend {name} from {from}\n  mode {mode}");
    // Two at random, and the one of them that has less to do: many proxies that do so do not crowd one server, and
    // what cannot be reached is tried elsewhere at once, which "leastconn" delays by a second.
    out.push_str("  balance random\n");
    line!(out, "  retries {}", server::retries(backend));
    if is_web && backend.hold.is_zero() {
        // With many tries, a request that kills whoever answers it would kill many.
        out.push_str(
            "  retry-on conn-failure empty-response\n  \
             http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE TRACE }\n",
        );
    }
    line!(out, "  timeout check {}", ms(backend.check_timeout));
    if let Some(path) = &backend.check_path {
        check_uri(name, path)?;
        out.push_str("  option httpchk\n");
        line!(out, "  http-check send meth GET uri '{path}' ver HTTP/1.1 hdr Host localhost");
        out.push_str("  http-check expect status 200-399\n");
    }
    let is_held = members.is_some_and(|members| members.is_held);
    line!(out, "  server {HOLD} {HOLD_AT}{}", if is_held { "" } else { " disabled" });
    for (name, server) in members.into_iter().flat_map(|members| &members.servers) {
        if server.is_serving()
            && let Some(words) = server::words(backend, server)
        {
            line!(out, "  server {name} {words}");
        }
    }
    Ok(())
}

/// A check's path, with its query.
fn check_uri(name: &str, path: &str) -> Result<(), Refused> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\'' | b'"' | b'\\' | b'#');
    if path.starts_with('/') && path.bytes().all(plain) {
        Ok(())
    } else {
        refused(format!(
            "the check of {name}: `{path}` is no path: begin it with `/`, and write blanks, quotes and the like as %XX"
        ))
    }
}
