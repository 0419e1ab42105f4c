//! HTTP to one engine: one pooled client for raw requests and for bollard, the API version in every path, bounded
//! answers, and failures in words.

use std::{error::Error as StdError, fmt::Write as _, sync::Arc, time::Duration};

use bollard::{BollardRequest, Docker};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use serde::de::DeserializeOwned;

use super::{
    dial::Dial,
    error::{ErrorKind, Fault},
    said, tls,
};

/// An answer of more bytes is not read to its end. A list of some thousand containers has a few MB.
const MAX_ANSWER: usize = 64 << 20;
/// Longest line of a stream. Events carry all labels of their container.
const MAX_LINE: usize = 16 << 20;
/// Longest error message that is read.
const MAX_ERROR: usize = 64 << 10;
/// Idle connections that are kept: as many calls to one host as are likely to be under way at once.
const MAX_IDLE: usize = 16;
/// An idle connection is kept so long. The heartbeat comes more often, so one always stays.
const IDLE: Duration = Duration::from_secs(30);
/// What one connection reads at once, and keeps for that. Left to itself it grows with the largest answer and stays so:
/// with some thousand connections that is most of what the program takes.
const READ: usize = 8 << 10;
/// bollard's own deadline covers headers only, in whole seconds. Ours cover everything; its must never come first.
const BOLLARD_NEVER: u64 = 86_400;

/// Names the body type of bollard's requests, which it does not export.
trait BodyOf {
    type Body;
}
impl<B> BodyOf for Request<B> {
    type Body = B;
}
type Body = <BollardRequest as BodyOf>::Body;

/// The client of one engine. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<Dial, Body>,
    /// `/v1.41`; empty before the version is known.
    prefix: Arc<str>,
}

impl Http {
    /// A client that asks without a version in its paths: good for `/version` and `/_ping` only.
    pub(crate) fn new(dial: Dial) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .http1_read_buf_exact_size(READ)
            .build(dial);
        Self { client, prefix: "".into() }
    }

    /// The same connections, with the version in every path.
    pub(crate) fn versioned(&self, minor: u32) -> Self {
        Self { client: self.client.clone(), prefix: format!("/v1.{minor}").into() }
    }

    /// bollard over these connections. It writes neither the version into its paths nor the registry header in the
    /// alphabet that engines read; both are mended on the way.
    pub(crate) fn bollard(&self) -> Result<Docker, Fault> {
        let client = self.client.clone();
        let send = move |request: BollardRequest| {
            let client = client.clone();
            async move { client.request(request).await.map_err(bollard::errors::Error::from) }
        };
        let prefix = self.prefix.clone();
        let docker = Docker::connect_with_custom_transport(
            send,
            Some("http://engine"),
            BOLLARD_NEVER,
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| Fault::new(ErrorKind::Setup, &error.to_string(), "report this as a bug"))?;
        Ok(docker.with_request_modifier(move |mut request| {
            if !request.uri().path().starts_with("/v1.")
                && let Ok(uri) = format!("http://engine{prefix}{}", path_of(request.uri())).parse()
            {
                *request.uri_mut() = uri;
            }
            request
        }))
    }

    /// Sends a request; an answer that is no success becomes a fault.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Response<Incoming>, Fault> {
        let uri: Uri = format!("http://engine{}{path}", self.prefix)
            .parse()
            .map_err(|_| Fault::new(ErrorKind::Invalid, &format!("`{path}` is no path"), "report this as a bug"))?;
        let mut request = Request::new(bollard::body_full(body.clone().unwrap_or_default()));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        if body.is_some() {
            request.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        }
        let response = self.client.request(request).await.map_err(|error| broken(&error))?;
        if response.status().is_success() || response.status().as_u16() == 304 {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = collect(response.into_body(), MAX_ERROR).await.unwrap_or_default();
        Err(said::fault(status, &message(&body)))
    }

    /// Asks for the connection itself: bytes both ways from the answer on.
    pub(crate) async fn upgrade(
        &self,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> Result<hyper::upgrade::Upgraded, Fault> {
        let uri: Uri = format!("http://engine{}{path}", self.prefix)
            .parse()
            .map_err(|_| Fault::new(ErrorKind::Invalid, &format!("`{path}` is no path"), "report this as a bug"))?;
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let mut request = Request::new(bollard::body_full(body.into()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = super::console::upgrade_headers();
        let response = self.client.request(request).await.map_err(|error| broken(&error))?;
        let status = response.status().as_u16();
        if status != 101 {
            let body = collect(response.into_body(), MAX_ERROR).await.unwrap_or_default();
            return Err(match status {
                200..300 => Fault::new(
                    ErrorKind::Garbage,
                    "the engine did not give the connection over",
                    "a proxy in between may not let it through",
                ),
                _ => said::fault(status, &message(&body)),
            });
        }
        hyper::upgrade::on(response).await.map_err(|error| broken(&error))
    }

    /// Asks for a JSON document.
    pub(crate) async fn json<T: DeserializeOwned>(&self, path: &str, deadline: Duration) -> Result<T, Fault> {
        within(deadline, async { parse(&self.bytes(path).await?.1) }).await
    }

    /// [`Http::json`] of at most so many bytes.
    pub(crate) async fn json_of<T: DeserializeOwned>(
        &self,
        path: &str,
        most: usize,
        deadline: Duration,
    ) -> Result<T, Fault> {
        within(deadline, async { parse(&self.bytes_of(path, most).await?.1) }).await
    }

    /// Asks for headers and body.
    pub(crate) async fn bytes(&self, path: &str) -> Result<(HeaderMap, Bytes), Fault> {
        self.bytes_of(path, MAX_ANSWER).await
    }

    async fn bytes_of(&self, path: &str, most: usize) -> Result<(HeaderMap, Bytes), Fault> {
        let response = self.send(Method::GET, path, HeaderMap::new(), None).await?;
        let (head, body) = response.into_parts();
        Ok((head.headers, collect(body, most).await?))
    }

    /// Sends a JSON document and reads one.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl serde::Serialize,
        deadline: Duration,
    ) -> Result<T, Fault> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Fault::new(ErrorKind::Invalid, &error.to_string(), "report this as a bug"))?;
        within(deadline, async {
            let response = self.send(Method::POST, path, HeaderMap::new(), Some(body.into())).await?;
            parse(&collect(response.into_body(), MAX_ANSWER).await?)
        })
        .await
    }
}

fn path_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
}

/// The whole of `future` must be done by the deadline: headers and body.
pub(crate) async fn within<T>(deadline: Duration, future: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(deadline, future).await {
        Ok(result) => result,
        Err(_) => Err(late(deadline)),
    }
}

/// No answer in time.
pub(crate) fn late(deadline: Duration) -> Fault {
    Fault::new(
        ErrorKind::Late,
        &format!("no answer within {}", crate::text::duration(deadline)),
        "the engine hangs or is overloaded: see its log",
    )
}

pub(super) async fn collect(mut body: Incoming, most: usize) -> Result<Bytes, Fault> {
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        if let Ok(data) = frame.into_data() {
            if all.len() + data.len() > most {
                let why = format!("the answer has more than {}", crate::text::bytes(most as u64));
                return Err(Fault::new(ErrorKind::Garbage, &why, ""));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(all.into())
}

pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        let begin: String = String::from_utf8_lossy(body.get(..60).unwrap_or(body)).into_owned();
        Fault::new(
            ErrorKind::Garbage,
            &format!("the answer is not what a Docker engine says ({error}): {begin}"),
            "check that this is the engine's socket or port",
        )
    })
}

/// The engine's words in an error answer: JSON with a message, else the text itself.
fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        message: String,
    }
    serde_json::from_slice::<Said>(body)
        .map_or_else(|_| String::from_utf8_lossy(body).into_owned(), |said| said.message)
}

/// Why the connection failed or broke: our own dialling says it in words; the rest is found in the chain of causes.
pub(crate) fn broken(error: &(dyn StdError + 'static)) -> Fault {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(fault) = error.downcast_ref::<Fault>() {
            return fault.clone();
        }
        if error.downcast_ref::<hyper::Error>().is_some_and(|error| error.is_parse() || error.is_parse_too_large()) {
            return Fault::new(
                ErrorKind::Garbage,
                "the answer is no HTTP",
                "check that this is the engine's socket or port",
            );
        }
        next = error.source();
    }
    if let Some(fault) = tls::late_fault(error) {
        return fault;
    }
    Fault::new(ErrorKind::LostAnswer, &format!("the connection broke: {}", root(error)), "")
}

fn root<'a>(error: &'a (dyn StdError + 'static)) -> &'a dyn StdError {
    let mut last = error;
    while let Some(inner) = last.source() {
        last = inner;
    }
    last
}

/// A failure of a call through bollard.
pub(crate) fn from_bollard(error: &bollard::errors::Error) -> Fault {
    use bollard::errors::Error;
    match error {
        Error::DockerResponseServerError { status_code, message } => said::fault(*status_code, message),
        Error::DockerStreamError { error } => said::fault(500, error),
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } => Fault::new(
            ErrorKind::Garbage,
            &format!("the answer is not what a Docker engine says: {error}"),
            "check that this is the engine's socket or port",
        ),
        other => broken(other),
    }
}

/// Lines of an answer that goes on and on.
pub(crate) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer that hold no line end.
    seen: usize,
    ended: bool,
}

impl Lines {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, buffer: Vec::new(), seen: 0, ended: false }
    }

    /// The next line that is not empty, without its end; none at the end of the answer. Dropping the future loses
    /// nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        loop {
            let rest = self.buffer.get(self.seen..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let tail = self.buffer.split_off(self.seen + at + 1);
                let mut line = std::mem::replace(&mut self.buffer, tail);
                self.seen = 0;
                trim(&mut line);
                if !line.is_empty() {
                    return Ok(Some(line));
                }
                continue;
            }
            self.seen = self.buffer.len();
            if self.ended {
                let mut line = std::mem::take(&mut self.buffer);
                self.seen = 0;
                trim(&mut line);
                return Ok((!line.is_empty()).then_some(line));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(Fault::new(ErrorKind::Garbage, "a line of the answer has no end", ""));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(broken(&error)),
                None => self.ended = true,
            }
        }
    }
}

fn trim(line: &mut Vec<u8>) {
    while line.last().is_some_and(u8::is_ascii_whitespace) {
        line.pop();
    }
}

/// `text` for a place in a path or a query: everything but letters, digits and `-._~` as `%XX`.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _: std::fmt::Result = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_can_leave_its_place_in_the_path() {
        assert_eq!(encode("shop-web-1.r7_x~"), "shop-web-1.r7_x~");
        assert_eq!(encode("../../x?y=1&z#港"), "..%2F..%2Fx%3Fy%3D1%26z%23%E6%B8%AF");
    }

    #[test]
    fn an_errors_words_are_found() {
        assert_eq!(message(br#"{"message":"No such container: x"}"#), "No such container: x");
        assert_eq!(message(b"404 page not found"), "404 page not found");
    }
}
