//! What a container that is not well says: the output of its check and the end of its log.

use std::time::Duration;

use futures::StreamExt;

use super::{LogOptions, Reader};
use crate::{
    model::{ContainerId, Evidence},
    text::Text,
};

/// Its host has so long to tell.
const PATIENCE: Duration = Duration::from_secs(4);

/// Lines of its log.
const LINES: u32 = 8;

/// Lines of its check.
const CHECK: usize = 4;

impl Reader {
    /// What a container says of why it is not well. What cannot be read is said so.
    pub async fn evidence(&self, container: &ContainerId) -> Evidence {
        let asked = async { tokio::join!(self.check(container), self.tail(container)) };
        let (check, log) = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(told) => told,
            Err(_) => (Vec::new(), vec![Text::new("its host does not tell its log in time")]),
        };
        Evidence { host: self.host().clone(), container: container.clone(), check, log }
    }

    async fn check(&self, container: &ContainerId) -> Vec<Text> {
        let Ok(told) = self.inspect_raw(container).await else { return Vec::new() };
        let last = told.pointer("/State/Health/Log").and_then(|log| log.as_array()?.last());
        let output = last.and_then(|probe| probe.pointer("/Output")?.as_str()).unwrap_or_default();
        output.lines().map(str::trim).filter(|line| !line.is_empty()).take(CHECK).map(Text::new).collect()
    }

    async fn tail(&self, container: &ContainerId) -> Vec<Text> {
        let options = LogOptions { tail: Some(LINES), ..LogOptions::default() };
        match self.logs(container, options).await {
            Ok(log) => {
                let lines = log.filter_map(|line| async move { line.ok() }).map(|line| line.text.text().clone());
                lines.filter(|line| std::future::ready(!line.is_empty())).collect().await
            }
            Err(error) => vec![Text::new(&error.to_string())],
        }
    }
}
