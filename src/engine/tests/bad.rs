//! Engines that do what they should not.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Answer, fake, fleet_name, host, host_name};
use crate::{
    engine::{EngineError, ErrorKind, Handle, MemoryDial, open, open_memory},
    model::{Connect, ContainerState, Owner},
};

async fn opened(dial: MemoryDial) -> Result<Handle, EngineError> {
    open_memory(&fleet_name(), &host_name("h1"), dial).await
}

/// An engine that sends these bytes on each connection, whatever it is asked.
fn raw(bytes: &'static [u8]) -> MemoryDial {
    MemoryDial::new(move || {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let mut asked = [0; 4096];
            drop(theirs.read(&mut asked).await);
            drop(theirs.write_all(bytes).await);
        });
        Ok(ours)
    })
}

#[tokio::test]
async fn what_is_no_engine_is_recognised() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"\x00\x01\x02\xff\xfe",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found",
    ] {
        let error = opened(raw(bytes)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Garbage, "{error}");
        assert!(!error.next.is_empty());
    }
    // Cut in the middle: it may be an engine.
    let error = opened(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Version\":")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn an_engine_that_accepts_and_is_silent_is_late() {
    let (_, dial) = fake(|_, _| Some(Answer::Silence));
    let error = opened(dial).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Late, "{error}");
    // The deadline covers the body too.
    let (_, dial) = fake(|_, _| Some(Answer::Stall("{\"Version\":")));
    let error = opened(dial).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Late, "{error}");
}

#[tokio::test]
async fn an_api_that_is_too_old_is_named() {
    let (_, dial) = fake(|_, path| {
        path.contains("/version").then(|| Answer::Json(200, json!({"Version":"18.09","ApiVersion":"1.39"})))
    });
    let error = opened(dial).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ApiVersion);
    assert!(error.is_final());
    assert!(error.to_string().contains("1.39") && error.to_string().contains("20.10"), "{error}");
}

#[tokio::test]
async fn answers_that_break_off_are_errors() {
    for list in ["Cut", "Truncated", "Object"] {
        let (_, dial) = fake(move |_, path| {
            path.contains("/containers/json").then(|| match list {
                "Cut" => Answer::Cut("[{\"Id\":\"a\"},"),
                "Truncated" => Answer::Bytes(200, b"[{\"Id\":\"a\"},".to_vec()),
                _ => Answer::Json(200, json!({"message": "hello"})),
            })
        });
        let error = opened(dial).await.unwrap().list().await.unwrap_err();
        assert!(error.is_link(), "{list}: {error}");
        assert!(!error.is_lost_answer(), "a question changes nothing: {error}");
    }
}

#[tokio::test]
async fn odd_containers_are_listed_all_the_same() {
    let big = "x".repeat(1 << 20);
    let (_, dial) = fake(move |_, path| {
        let list = json!([
            {"Id":"a","Names":["/a"],"State":"levitating","Status":"Up in the air","Labels":{"big": big}},
            {"Id":"b","Names":["/b\u{1b}[2J\u{202e}"],"State":"running","Status":"Up 2 days",
             "Labels":{"com.docker.compose.project": big, "com.docker.compose.service":"港"}},
            {"Id":"","Names":null},
            {"Id":"c","Names":null,"Labels":null,"Ports":null,"NetworkSettings":null,"Created":null},
        ]);
        path.contains("/containers/json").then(|| Answer::Json(200, list))
    });
    let list = opened(dial).await.unwrap().list().await.unwrap();
    assert_eq!(list.len(), 3);
    assert_eq!(list[0].state, ContainerState::Other("levitating".into()));
    assert_eq!(list[1].name, "b\\u{202e}");
    let Owner::Foreign { stack, service, .. } = &list[1].owner else { panic!("{:?}", list[1].owner) };
    assert!(stack.as_str().len() <= crate::text::MAX_TEXT_BYTES);
    assert_eq!(service, &"港");
}

#[tokio::test]
async fn a_socket_that_is_not_there_says_what_to_do() {
    let error = open(&fleet_name(), &host("h1")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.to_string().contains("/nonexistent/wharf-test.sock"), "{error}");
    assert!(error.to_string().contains("start the Docker engine"), "{error}");
}

#[tokio::test]
async fn a_socket_with_nobody_behind_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let host = crate::model::Host { connect: Connect::Unix(path), ..host("h1") };
    let error = open(&fleet_name(), &host).await.unwrap_err();
    assert!(error.to_string().contains("nothing listens"), "{error}");
}
