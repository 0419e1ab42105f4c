//! Engines asked by bollard and by raw requests, in memory and on sockets.

mod conform;
mod containers;
mod exec;
mod faults;
mod fleet;
mod images;
mod inside;
mod proxy;
mod streams;
mod things;

use super::{Clock, Engine, Profile, Script};
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// A client that dials a new in-memory connection for every request.
fn docker(engine: &Arc<Engine>) -> Docker {
    let engine = engine.clone();
    let send = move |request: BollardRequest| {
        let io = engine.connect();
        async move {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
            tokio::spawn(connection.with_upgrades());
            Ok(sender.send_request(request).await?)
        }
    };
    Docker::connect_with_custom_transport(send, Some("http://sim"), 60, API_DEFAULT_VERSION).unwrap()
}

/// One raw request; status, headers' Api-Version and the body as JSON (or text).
async fn ask(
    engine: &Arc<Engine>,
    method: Method,
    path: &str,
    body: &str,
) -> Result<(StatusCode, Value), hyper::Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(engine.connect())).await?;
    tokio::spawn(connection);
    let escape = |c: char| if "{}[]\"^$".contains(c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() };
    let path: String = path.chars().map(escape).collect();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "sim")
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let bytes = answer.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

async fn get(engine: &Arc<Engine>, path: &str) -> (u16, Value) {
    let (status, value) = ask(engine, Method::GET, path, "").await.unwrap();
    (status.as_u16(), value)
}

async fn post(engine: &Arc<Engine>, path: &str, body: &str) -> (u16, Value) {
    let (status, value) = ask(engine, Method::POST, path, body).await.unwrap();
    (status.as_u16(), value)
}

/// Fails when something that must happen does not happen in time.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("in time")
}

/// Waits until the engine has taken a number of requests.
async fn arrived(engine: &Arc<Engine>, requests: u64) {
    soon(async {
        while engine.requests() < requests {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Waits until inspecting a container gives what is wanted.
async fn until(engine: &Arc<Engine>, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    soon(async {
        loop {
            let (_, value) = get(engine, &format!("/containers/{name}/json")).await;
            if wanted(&value) {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// An engine where nothing takes time and `app:1` and its odd relatives are present.
fn engine() -> Arc<Engine> {
    let engine = Engine::new(Profile::new("box"), Arc::default(), Script::default(), Clock::running(), 1);
    for tag in ["1", "bad", "sick", "stubborn"] {
        engine.load_image(&format!("app:{tag}"));
    }
    engine
}

fn body(image: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(HashMap::from([("team".to_owned(), "blue".to_owned())])),
        host_config: Some(HostConfig::default()),
        ..ContainerCreateBody::default()
    }
}

fn with_port(mut body: ContainerCreateBody, public: &str) -> ContainerCreateBody {
    let binding = PortBinding { host_ip: None, host_port: Some(public.to_owned()) };
    body.host_config.get_or_insert_default().port_bindings =
        Some(HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))]));
    body
}

fn with_health(mut body: ContainerCreateBody) -> ContainerCreateBody {
    let test = Some(vec!["CMD".to_owned(), "true".to_owned()]);
    body.healthcheck = Some(HealthConfig { test, interval: Some(1_000_000_000), ..HealthConfig::default() });
    body
}

fn with_restart(mut body: ContainerCreateBody, name: RestartPolicyNameEnum) -> ContainerCreateBody {
    body.host_config.get_or_insert_default().restart_policy =
        Some(RestartPolicy { name: Some(name), maximum_retry_count: None });
    body
}

async fn create(docker: &Docker, name: &str, body: ContainerCreateBody) -> Result<String, bollard::errors::Error> {
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    docker.create_container(Some(options), body).await.map(|created| created.id)
}

async fn start(docker: &Docker, name: &str) -> Result<(), bollard::errors::Error> {
    docker.start_container(name, None::<StartContainerOptions>).await
}

async fn run(docker: &Docker, name: &str, body: ContainerCreateBody) -> String {
    let id = create(docker, name, body).await.unwrap();
    start(docker, name).await.unwrap();
    id
}

/// Status and message of a refusal.
fn refused<T: std::fmt::Debug>(result: Result<T, bollard::errors::Error>) -> (u16, String) {
    match result.unwrap_err() {
        bollard::errors::Error::DockerResponseServerError { status_code, message } => (status_code, message),
        other => panic!("not a refusal: {other:?}"),
    }
}
