//! `POST /containers/{id}/attach`: a container's output over an upgraded connection. Its input is read and dropped.

use super::engine::Engine;
use super::exec::upgraded;
use super::query::Query;
use super::reply::{self, Answer};
use futures::StreamExt as _;
use http::{Request, header};
use hyper_util::rt::TokioIo;
use std::pin::pin;
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;

impl Engine {
    pub(super) fn attach<B>(self: &Arc<Self>, wanted: &str, query: &Query, request: &mut Request<B>) -> Answer {
        let output = self.attached(wanted, query)?;
        if !request.headers().contains_key(header::UPGRADE) {
            return Ok(reply::stream("application/vnd.docker.raw-stream", output));
        }
        let upgrade = hyper::upgrade::on(request);
        self.spawn(async move {
            let Ok(io) = upgrade.await else { return };
            let (mut input, mut sink) = tokio::io::split(TokioIo::new(io));
            let drain = tokio::spawn(async move { tokio::io::copy(&mut input, &mut tokio::io::sink()).await });
            let mut output = pin!(output);
            while let Some(Ok(chunk)) = output.next().await {
                if sink.write_all(&chunk).await.is_err() || sink.flush().await.is_err() {
                    break;
                }
            }
            let _ = sink.shutdown().await;
            drain.abort();
        });
        Ok(upgraded())
    }
}
