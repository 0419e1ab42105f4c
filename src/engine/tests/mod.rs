//! The room's tests against engines of its own making, in memory: each answers as the test says.

mod bad;
mod verbs;
mod watching;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::MemoryDial;
use crate::model::{Connect, Defaults, Fleet, FleetName, Host, HostName, Region, RegionName};

/// What a fake engine does with a request.
pub(super) enum Answer {
    /// Answers with a status and a document.
    Json(u16, Value),
    /// Answers with a status and bytes that may be anything.
    Bytes(u16, Vec<u8>),
    /// Never answers.
    Silence,
    /// Sends headers and these bytes, then nothing more.
    Stall(&'static str),
    /// Sends headers and these bytes, then closes the connection.
    Cut(&'static str),
    /// Closes the connection without a word.
    Close,
    /// Sends lines as they come.
    Stream(mpsc::UnboundedReceiver<String>),
}

/// Method, path with query, body.
pub(super) type Asked = (String, String, Bytes);

/// What a fake engine answers to a method and a path; none for what a healthy one would.
type Script = dyn Fn(&str, &str) -> Option<Answer> + Send + Sync;

/// A fake engine.
#[derive(Default)]
pub(super) struct Fake {
    /// What was asked for, in order.
    pub asked: Mutex<Vec<Asked>>,
    /// Connections so far.
    pub connections: AtomicUsize,
}

impl Fake {
    /// How often something was asked for whose path has these words.
    pub(super) fn count(&self, words: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(_, path, _)| path.contains(words)).count()
    }

    /// The body of the first request whose path has these words.
    pub(super) fn body(&self, words: &str) -> Value {
        let asked = self.asked.lock().unwrap();
        let (_, _, body) = asked.iter().find(|(_, path, _)| path.contains(words)).expect("it was asked for");
        serde_json::from_slice(body).unwrap()
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

/// Starts a fake engine that answers as `script` says; what it leaves open is answered as a healthy engine of API 1.41
/// without containers would.
pub(super) fn fake(script: impl Fn(&str, &str) -> Option<Answer> + Send + Sync + 'static) -> (Arc<Fake>, MemoryDial) {
    let fake = Arc::new(Fake::default());
    let script: Arc<Script> = Arc::new(script);
    let engine = fake.clone();
    let dial = MemoryDial::new(move || {
        engine.connections.fetch_add(1, Ordering::Relaxed);
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (engine, script) = (engine.clone(), script.clone());
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let (engine, script) = (engine.clone(), script.clone());
                async move { answer(&engine, &*script, request).await }
            });
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service).await);
        });
        Ok(ours)
    });
    (fake, dial)
}

async fn answer(engine: &Fake, script: &Script, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let method = request.method().to_string();
    let path = request.uri().path_and_query().unwrap().to_string();
    let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    engine.asked.lock().unwrap().push((method.clone(), path.clone(), body));
    let answer = script(&method, &path).unwrap_or_else(|| healthy(&path));
    let whole = |status: u16, bytes: Vec<u8>| {
        let body = http_body_util::Full::new(Bytes::from(bytes)).map_err(|e: Infallible| match e {});
        Response::builder().status(status).body(body.boxed()).unwrap()
    };
    let then = |begin: &'static str, end: futures::stream::BoxStream<'static, std::io::Result<Frame<Bytes>>>| {
        let begin = futures::stream::iter([Ok(Frame::data(Bytes::from_static(begin.as_bytes())))]);
        Response::new(BodyExt::boxed(StreamBody::new(SyncStream(Mutex::new(begin.chain(end).boxed())))))
    };
    Ok(match answer {
        Answer::Json(status, value) => whole(status, value.to_string().into_bytes()),
        Answer::Bytes(status, bytes) => whole(status, bytes),
        Answer::Silence => std::future::pending().await,
        Answer::Close => return Err(std::io::Error::other("closed")),
        Answer::Stall(begin) => then(begin, futures::stream::pending().boxed()),
        Answer::Cut(begin) => then(begin, futures::stream::iter([Err(std::io::Error::other("cut"))]).boxed()),
        Answer::Stream(mut lines) => {
            let lines = futures::stream::poll_fn(move |cx| lines.poll_recv(cx));
            then("", lines.map(|line| Ok(Frame::data(Bytes::from(line + "\n")))).boxed())
        }
    })
}

/// Bodies must be `Sync`; streams of tests need not be.
struct SyncStream(Mutex<futures::stream::BoxStream<'static, std::io::Result<Frame<Bytes>>>>);

impl futures::Stream for SyncStream {
    type Item = std::io::Result<Frame<Bytes>>;
    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.lock().unwrap().poll_next_unpin(cx)
    }
}

fn healthy(path: &str) -> Answer {
    let path = path.strip_prefix("/v1.41").unwrap_or(path);
    match path.split('?').next().unwrap() {
        "/version" => Answer::Json(
            200,
            json!({"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}),
        ),
        "/_ping" => Answer::Bytes(200, b"OK".to_vec()),
        "/info" => {
            Answer::Json(200, json!({"NCPU":2,"MemTotal":4096,"Architecture":"x86_64","OperatingSystem":"Test"}))
        }
        "/containers/json" | "/images/json" | "/networks" => Answer::Json(200, json!([])),
        "/events" => Answer::Stall(""),
        "/networks/create" => Answer::Json(201, json!({"Id":"n1","Warning":""})),
        "/volumes/create" => Answer::Json(
            201,
            json!({"Name":"v","Driver":"local","Mountpoint":"/x","Labels":{},"Scope":"local","Options":{}}),
        ),
        _ => Answer::Json(404, json!({"message":"page not found"})),
    }
}

pub(super) fn fleet_name() -> FleetName {
    FleetName::new("acme").unwrap()
}

pub(super) fn host_name(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

pub(super) fn host(name: &str) -> Host {
    Host {
        name: host_name(name),
        connect: Connect::Unix(PathBuf::from("/nonexistent/wharf-test.sock")),
        address: None,
        labels: BTreeMap::new(),
    }
}

pub(super) fn fleet(hosts: &[&str]) -> Fleet {
    Fleet {
        name: fleet_name(),
        regions: vec![Region {
            name: RegionName::new("east").unwrap(),
            hosts: hosts.iter().map(|name| host(name)).collect(),
            defaults: Defaults::default(),
        }],
        store: PathBuf::new(),
        proxy_image: String::new(),
        subnet_pool: "10.210.0.0/16".to_owned(),
        link_pool: "10.211.0.0/16".into(),
        origin: String::new(),
        access: crate::model::Access::default(),
    }
}

/// Far longer than anything here takes, for waits that must not hang a test run.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
