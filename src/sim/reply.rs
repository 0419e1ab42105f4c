//! Answers: JSON bodies, empty bodies, streams, and Docker's error shape.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use std::io;

/// The body of every answer. An error in it cuts the connection in the middle of the body.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;
/// What a handler returns.
pub(super) type Answer = Result<Response<Body>, Refusal>;

/// An error answer: status and the text that goes into `{"message": …}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(super) fn no_container(name: &str) -> Self {
        Self::new(404, format!("No such container: {name}"))
    }

    pub(super) fn into_response(self) -> Response<Body> {
        json_status(self.status, &json!({ "message": self.message }))
    }
}

/// A JSON answer with status 200. Ends with a newline, as the real one does.
pub(super) fn ok(value: &Value) -> Response<Body> {
    json_status(200, value)
}

/// A JSON answer with the given status.
pub(super) fn json_status(status: u16, value: &Value) -> Response<Body> {
    // A Value always serialises: its keys are strings.
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    let mut answer = bytes(status, text);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Raw bytes with the given status and no content type.
pub(super) fn bytes(status: u16, body: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(Full::new(body.into()).map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

/// No body: 204 for done, 304 for nothing to do.
pub(super) fn empty(status: u16) -> Response<Body> {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

/// A body without a content type that is made while it is read; dropped when the client goes away.
pub(super) fn plain_stream(chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Response<Body> {
    Response::new(StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))).boxed_unsync())
}

/// A body that is made while it is read, with its content type.
pub(super) fn stream(
    content_type: &'static str,
    chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Response<Body> {
    let mut answer = plain_stream(chunks);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// One JSON document and a newline, as the streaming endpoints send them.
pub(super) fn line(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}

/// A map with defaults under what was given; given nulls do not count.
pub(super) fn over(defaults: Value, given: &Value) -> Value {
    let mut merged = match defaults {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    for (key, value) in given.as_object().into_iter().flatten() {
        if !value.is_null() || !merged.contains_key(key) {
            merged.insert(key.clone(), value.clone());
        }
    }
    Value::Object(merged)
}
