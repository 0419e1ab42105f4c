//! What a container that failed said last, for the reason that people read.

use std::fmt::Write as _;

use std::time::Duration;

use futures::StreamExt;

use crate::{
    engine::{LogOptions, Reader},
    model::{ContainerId, ServiceSpec, mask},
    text,
};

/// Its host has so long to tell: nothing else goes on meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines of its log.
const LINES: u32 = 3;

/// Columns of a line.
const COLUMNS: usize = 160;

/// Its exit code and the end of its log, as the end of a sentence; empty when its host does not tell in time.
pub(super) async fn of(reader: &Reader, container: &ContainerId, spec: Option<&ServiceSpec>) -> String {
    let asked = async { tokio::join!(exit(reader, container), lines(reader, container)) };
    let Ok((exit, lines)) = tokio::time::timeout(PATIENCE, asked).await else { return String::new() };
    let mut words = String::new();
    if let Some(code) = exit.filter(|code| *code != 0) {
        let _ = write!(words, "; exit code {code}");
    }
    if !lines.is_empty() {
        let _ = write!(words, "; it said: {}", mask(&lines.join(" ⏎ "), spec));
    }
    words
}

async fn exit(reader: &Reader, container: &ContainerId) -> Option<i64> {
    let told = reader.inspect_raw(container).await.ok()?;
    told.pointer("/State/ExitCode")?.as_i64()
}

async fn lines(reader: &Reader, container: &ContainerId) -> Vec<String> {
    let options = LogOptions { tail: Some(LINES), ..LogOptions::default() };
    let Ok(log) = reader.logs(container, options).await else { return Vec::new() };
    let lines: Vec<String> = log
        .filter_map(|line| async move { line.ok() })
        .map(|line| text::fit(line.text.as_str().trim(), COLUMNS).trim_end().to_owned())
        .collect()
        .await;
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}
