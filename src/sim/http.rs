//! The wire: connections, faults, versions of paths, and which handler gets a request.

use super::engine::Engine;
use super::query::{Query, decode};
use super::reply::{self, Answer, Body, Refusal};
use super::script::{Fault, Link};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream};

/// Largest request body taken: archives of configuration, not images.
const LARGEST: usize = 64 << 20;

impl Engine {
    /// A connection to this engine in memory, as if its socket had been dialled.
    pub fn connect(self: &Arc<Self>) -> DuplexStream {
        let (near, far) = tokio::io::duplex(64 * 1024);
        self.spawn(self.clone().serve(far));
        near
    }

    /// The same, as somebody whom [`Engine::asked_from`] tells of.
    pub fn connect_as(self: &Arc<Self>, who: &str) -> DuplexStream {
        let (near, far) = tokio::io::duplex(64 * 1024);
        self.spawn(self.clone().serve_to(far, Some(who.into())));
        near
    }

    /// Serves HTTP/1.1 on one connection until it ends or the engine goes down.
    pub async fn serve(self: Arc<Self>, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        self.serve_to(io, None).await;
    }

    async fn serve_to(
        self: Arc<Self>,
        mut io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        who: Option<Arc<str>>,
    ) {
        let mut link = self.link.listen();
        let now = link.look();
        match now {
            Link::Down => return,
            Link::Noise => {
                let _ = io.write_all(b"\x00\x0fnot a docker engine\xff\r\n").await;
                let _ = io.shutdown().await;
                return;
            }
            Link::Up | Link::Hung => {}
        }
        let engine = self.clone();
        let service = hyper::service::service_fn(move |request| engine.clone().answer(request, who.clone()));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(io), service).with_upgrades();
        tokio::select! {
            biased;
            // Errors are the client's going away, or a scripted fault.
            _ = connection => {}
            () = link.until(|link| matches!(link, Link::Down | Link::Noise)) => {}
        }
    }

    /// One request with all that a script may do to it. An error closes the connection without an answer.
    async fn answer(self: Arc<Self>, request: Request<Incoming>, who: Option<Arc<str>>) -> io::Result<Response<Body>> {
        let path = strip_version(request.uri().path()).1.to_owned();
        let (delay, fault) = {
            let mut state = self.lock();
            state.requests += 1;
            if request.method() != Method::GET && request.method() != Method::HEAD {
                state.note(request.method(), &path, request.uri().query(), who.as_ref());
                self.touch();
            }
            let span = state.script.latency;
            (span.draw(&mut state.rng), state.script.fault(request.method(), &path))
        };
        super::engine::pause(delay).await;
        self.awake().await;
        match &fault {
            Some(Fault::Fail(status, message)) => {
                return Ok(self.signed(Refusal::new(*status, message.clone()).into_response()));
            }
            Some(Fault::Close) => return Err(io::Error::other("closed by script")),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Delay(time)) => super::engine::pause(*time).await,
            _ => {}
        }
        let answer = self.clone().dispatch(request).await;
        self.awake().await;
        match fault {
            Some(Fault::DropAnswer) => Err(io::Error::other("answer dropped by script")),
            Some(Fault::Garbage) => Ok(self.signed(reply::bytes(200, "{\"Id\": \u{1}<html>\u{fffd}"))),
            Some(Fault::Truncate) => Ok(self.signed(truncated(answer).await)),
            _ => Ok(self.signed(answer)),
        }
    }

    /// The headers that every answer of an engine has.
    fn signed(&self, mut answer: Response<Body>) -> Response<Body> {
        let server = format!("Docker/{} (linux)", self.profile.version);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&self.clock.now());
        let fixed = [
            ("date", date.unwrap_or_default()),
            ("api-version", self.api()),
            ("docker-experimental", "false".to_owned()),
            ("ostype", "linux".to_owned()),
            ("server", server),
        ];
        for (name, value) in fixed {
            if let Ok(value) = HeaderValue::from_str(&value) {
                answer.headers_mut().insert(name, value);
            }
        }
        answer
    }

    /// Reads the body and hands the request to its handler. What changes something goes on even if the client leaves.
    async fn dispatch(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Body> {
        let (version, path) = strip_version(request.uri().path());
        if let Some(refusal) = version.and_then(|version| self.unfit(version)) {
            return refusal.into_response();
        }
        let parts: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(|part| decode(part, false)).collect();
        let query = Query::parse(request.uri().query().unwrap_or_default());
        // The upgrade has to be asked for before the body is taken.
        let body = std::mem::take(
            &mut Limited::new(request.body_mut(), LARGEST)
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes)
                .unwrap_or_default(),
        );
        // The two that take the connection over.
        if let (&Method::POST, [group, id, verb]) = (request.method(), parts.as_slice()) {
            let result = match (group.as_str(), verb.as_str()) {
                ("exec", "start") => {
                    Some(json_body(&body).and_then(|body| self.clone().exec_start(id, &body, &mut request)))
                }
                ("containers", "attach") => Some(self.attach(id, &query, &mut request)),
                _ => None,
            };
            if let Some(result) = result {
                return result.unwrap_or_else(Refusal::into_response);
            }
        }
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let work = async move {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            self.route(&method, &parts, &query, &headers, &body).await.unwrap_or_else(Refusal::into_response)
        };
        match tokio::spawn(work).await {
            Ok(answer) => answer,
            Err(error) => Refusal::new(500, error.to_string()).into_response(),
        }
    }

    /// Why a version in the path cannot be served.
    fn unfit(&self, version: (u32, u32)) -> Option<Refusal> {
        let text = format!("{}.{}", version.0, version.1);
        if version > self.profile.api {
            let highest = self.api();
            return Some(Refusal::bad(format!(
                "client version {text} is too new. Maximum supported API version is {highest}"
            )));
        }
        let lowest = self.min_api();
        (version < self.profile.min_api).then(|| {
            Refusal::bad(format!("client version {text} is too old. Minimum supported API version is {lowest}, please upgrade your client to a newer version"))
        })
    }

    async fn route(
        self: Arc<Self>,
        method: &Method,
        parts: &[&str],
        query: &Query,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Answer {
        match method.as_str() {
            "GET" => self.get(parts, query, headers).await,
            "POST" => self.post(parts, query, headers, body).await,
            "DELETE" => match parts {
                ["containers", id] => self.remove(id, query).await,
                ["images", name @ ..] => self.image_remove(&name.join("/"), query),
                ["networks", id] => self.network_remove(id),
                ["volumes", name] => self.volume_remove(name),
                _ => Err(nothing()),
            },
            "HEAD" => match parts {
                ["_ping"] => Ok(reply::empty(200)),
                ["containers", id, "archive"] => self.archive_get(id, query, true),
                _ => Err(nothing()),
            },
            "PUT" => match parts {
                ["containers", id, "archive"] => self.archive_put(id, query, body),
                _ => Err(nothing()),
            },
            _ => Err(nothing()),
        }
    }

    async fn get(self: Arc<Self>, parts: &[&str], query: &Query, headers: &HeaderMap) -> Answer {
        match parts {
            ["_ping"] => Ok(Self::ping()),
            ["version"] => Ok(self.version()),
            ["info"] => Ok(self.info()),
            ["events"] => self.events(query),
            ["system", "df"] => Ok(self.disk_use()),
            ["containers", "json"] => self.containers_list(query),
            ["containers", id, "json"] => self.container_inspect(id, query),
            ["containers", id, "stats"] => self.stats(id, query).await,
            ["containers", id, "logs"] => self.logs(id, query),
            ["containers", id, "top"] => self.top(id, query),
            ["containers", id, "changes"] => self.changes(id),
            ["containers", id, "archive"] => self.archive_get(id, query, false),
            ["exec", id, "json"] => self.exec_inspect(id),
            ["images", "json"] => self.images_list(query),
            ["images", name @ .., "json"] if !name.is_empty() => self.image_inspect(&name.join("/")),
            ["images", name @ .., "history"] if !name.is_empty() => self.image_history(&name.join("/")),
            ["distribution", name @ .., "json"] if !name.is_empty() => self.distribution(&name.join("/"), headers),
            ["networks"] => self.networks_list(query),
            ["networks", id] => self.network_inspect(id),
            ["volumes"] => self.volumes_list(query),
            ["volumes", name] => self.volume_inspect(name),
            ["swarm" | "services" | "nodes" | "tasks" | "secrets" | "configs", ..] => Err(no_swarm()),
            _ => Err(nothing()),
        }
    }

    async fn post(self: Arc<Self>, parts: &[&str], query: &Query, headers: &HeaderMap, body: &Bytes) -> Answer {
        match parts {
            ["containers", "create"] => self.create(query, json_body(body)?).await,
            ["containers", "prune"] => self.containers_prune(query),
            ["containers", id, "start"] => self.start(id).await,
            ["containers", id, "stop"] => self.stop(id, query).await,
            ["containers", id, "restart"] => self.restart(id, query).await,
            ["containers", id, "kill"] => self.kill(id, query),
            ["containers", id, "pause"] => self.pause(id, true),
            ["containers", id, "unpause"] => self.pause(id, false),
            ["containers", id, "rename"] => self.rename(id, query),
            ["containers", id, "update"] => self.update(id, &json_body(body)?),
            ["containers", id, "wait"] => self.wait(id, query),
            ["containers", id, "resize"] => self.lock().container(id).map(|_| reply::empty(200)),
            ["containers", id, "exec"] => self.exec_create(id, &json_body(body)?),
            ["exec", id, "resize"] => self.exec_resize(id, query),
            ["images", "create"] => self.pull(query, headers),
            ["images", name @ .., "tag"] if !name.is_empty() => self.image_tag(&name.join("/"), query),
            ["images", "prune"] => self.images_prune(query),
            ["networks", "create"] => self.network_create(&json_body(body)?),
            ["networks", id, "connect"] => self.network_connect(id, &json_body(body)?, true),
            ["networks", id, "disconnect"] => self.network_connect(id, &json_body(body)?, false),
            ["networks", "prune"] => self.networks_prune(query),
            ["volumes", "prune"] => self.volumes_prune(query),
            ["volumes", "create"] => self.volume_create(&json_body(body)?),
            ["auth"] => Ok(reply::ok(&json!({"IdentityToken": "", "Status": "Login Succeeded"}))),
            ["swarm" | "services" | "nodes" | "tasks" | "secrets" | "configs", ..] => Err(no_swarm()),
            _ => Err(nothing()),
        }
    }

    fn ping() -> Response<Body> {
        let mut answer = reply::bytes(200, "OK");
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        answer
    }
}

fn nothing() -> Refusal {
    Refusal::new(404, "page not found")
}

fn no_swarm() -> Refusal {
    Refusal::new(
        503,
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.",
    )
}

/// `/v1.41/info` as ((1, 41), `/info`).
fn strip_version(path: &str) -> (Option<(u32, u32)>, &str) {
    let parse = || {
        let (version, rest) = path.strip_prefix("/v")?.split_once('/')?;
        let (major, minor) = version.split_once('.')?;
        Some(((major.parse().ok()?, minor.parse().ok()?), rest))
    };
    match parse() {
        Some((version, rest)) => (Some(version), path.get(path.len() - rest.len() - 1..).unwrap_or(path)),
        None => (None, path),
    }
}

fn json_body(body: &Bytes) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("invalid JSON: {error}")))
}

/// The first half of an answer's first chunk, then a broken connection.
async fn truncated(answer: Response<Body>) -> Response<Body> {
    let (parts, body) = answer.into_parts();
    let first = body.into_data_stream().next().await.and_then(Result::ok).unwrap_or_default();
    let half = Bytes::copy_from_slice(first.get(..first.len() / 2).unwrap_or_default());
    let chunks = futures::stream::iter([Ok(half), Err(io::Error::other("cut by script"))]);
    let mut cut = reply::stream("application/json", chunks);
    *cut.status_mut() = parts.status;
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_taken_off_paths() {
        assert_eq!(strip_version("/v1.41/containers/json"), (Some((1, 41)), "/containers/json"));
        assert_eq!(strip_version("/containers/json"), (None, "/containers/json"));
        assert_eq!(strip_version("/volumes/v1"), (None, "/volumes/v1"));
        assert_eq!(strip_version("/v1.x/info"), (None, "/v1.x/info"));
    }
}
