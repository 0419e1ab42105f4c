//! What a container that failed said last, for the reason that people read.

use std::fmt::Write as _;

use std::time::Duration;

use futures::StreamExt;

use crate::{
    engine::{LogOptions, Reader},
    model::{ContainerId, Sensitive, ServiceSpec},
    text,
};

/// Its host has so long to tell: nothing else goes on meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines of its log.
const LINES: u32 = 3;

/// Columns of a line.
const COLUMNS: usize = 160;

/// Values shorter than this are not masked: they would be found in every other word.
const SHORT: usize = 6;

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

/// Hides what the service was given in confidence: the reason is kept in the journal.
fn mask(words: &str, spec: Option<&ServiceSpec>) -> String {
    let Some(spec) = spec else { return words.to_owned() };
    let variables = spec.environment.values().map(Sensitive::reveal);
    let files = spec.files.iter().filter(|file| file.secret).flat_map(|file| file.content.reveal().lines());
    let mut secrets: Vec<&str> = variables.chain(files).map(str::trim).filter(|value| value.len() >= SHORT).collect();
    // One may be a part of another.
    secrets.sort_by_key(|value| std::cmp::Reverse(value.len()));
    secrets.iter().fold(words.to_owned(), |masked, secret| masked.replace(*secret, "•••"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FileMount;

    #[test]
    fn confidences_are_kept() {
        let file = |content: &str, secret| FileMount {
            name: "f".into(),
            target: "/f".into(),
            content: Sensitive(content.into()),
            secret,
            uid: 0,
            gid: 0,
            mode: 0o400,
        };
        let spec = ServiceSpec {
            environment: [("URL", "db://u:hunter2@db"), ("PASS", "hunter2"), ("PORT", "8080")]
                .map(|(name, value)| (name.to_owned(), Sensitive(value.to_owned())))
                .into(),
            files: vec![file("first-line\nsecond-line\n", true), file("verbose = true", false)],
            ..ServiceSpec::default()
        };
        let said = "cannot open db://u:hunter2@db with hunter2 on 8080, nor second-line; verbose = true";
        let masked = mask(said, Some(&spec));
        assert_eq!(masked, "cannot open ••• with ••• on 8080, nor •••; verbose = true");
        assert_eq!(mask(said, None), said);
    }
}
