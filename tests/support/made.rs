//! Stacks for simulated hosts, and what people make there by hand.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use wharf::{
    model::{Deploy, HealthCheck, ServiceSpec, StackSpec},
    sim::Engine,
};

/// Somebody runs a container by hand.
pub async fn run(engine: &Arc<Engine>, name: &str, image: &str, labels: &serde_json::Value) {
    let (name_of, tag) = image.split_once(':').unwrap();
    ask(engine, "POST", &format!("/images/create?fromImage={name_of}&tag={tag}"), "").await;
    let body = serde_json::json!({"Image": image, "Labels": labels}).to_string();
    assert_eq!(ask(engine, "POST", &format!("/containers/create?name={name}"), &body).await, 201);
    assert_eq!(ask(engine, "POST", &format!("/containers/{name}/start"), "").await, 204);
}

/// One request, past the sockets; its status.
pub async fn ask(engine: &Arc<Engine>, method: &str, path: &str, body: &str) -> u16 {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(engine.connect())).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(format!("/v1.41{path}"))
        .header("host", "sim")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    answer.into_body().collect().await.unwrap();
    status
}

/// A service without a health check.
pub fn service(image: &str, replicas: u32) -> ServiceSpec {
    let deploy = Deploy { replicas: Some(replicas), ..Deploy::default() };
    ServiceSpec { image: image.to_owned(), deploy, ..ServiceSpec::default() }
}

/// A service with one.
pub fn checked(image: &str, replicas: u32) -> ServiceSpec {
    let healthcheck = HealthCheck {
        test: vec!["CMD".to_owned(), "true".to_owned()],
        interval: Some(Duration::from_millis(50)),
        retries: Some(1),
        ..HealthCheck::default()
    };
    ServiceSpec { healthcheck: Some(healthcheck), ..service(image, replicas) }
}

pub fn stack<const N: usize>(name: &str, services: [(&str, ServiceSpec); N]) -> StackSpec {
    StackSpec {
        name: name.parse().unwrap(),
        services: services.into_iter().map(|(name, spec)| (name.parse().unwrap(), spec)).collect(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
    }
}
