//! How far a pull is, from the lines that the engine writes about its layers.

use std::collections::BTreeMap;

use super::{
    error::{ErrorKind, Fault},
    said, wire,
};
use crate::text::Text;

/// The share of a layer's work that is its download; the rest is unpacking. An estimate: it only moves the bar.
const DOWNLOAD: f64 = 0.7;

/// How far a pull is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullProgress {
    /// 0 to 100; never goes back.
    pub percent: u8,
    /// What is being done, in a few words.
    pub text: Text,
}

/// Adds up the lines of one pull.
#[derive(Default)]
pub(crate) struct Tally {
    layers: BTreeMap<String, f64>,
    percent: u8,
}

impl Tally {
    /// Takes in a line. A line with an error is the end of the pull.
    pub(crate) fn take(&mut self, line: &[u8]) -> Result<PullProgress, Fault> {
        let line: wire::Pull = serde_json::from_slice(line)
            .map_err(|_| Fault::new(ErrorKind::Garbage, "the engine's report of the pull makes no sense", ""))?;
        if !line.error.is_empty() {
            return Err(said::fault(500, &line.error));
        }
        let part = || if line.detail.total == 0 { 0.0 } else { line.detail.current as f64 / line.detail.total as f64 };
        let done = match line.status.as_str() {
            "Pulling fs layer" | "Waiting" => Some(0.0),
            "Downloading" => Some(DOWNLOAD * part().min(1.0)),
            "Verifying Checksum" | "Download complete" => Some(DOWNLOAD),
            "Extracting" => Some(DOWNLOAD + (1.0 - DOWNLOAD) * part().min(1.0)),
            "Pull complete" | "Already exists" => Some(1.0),
            _ => None,
        };
        // Only layers have both an id and one of these words; the number of layers is bounded for hostile engines.
        if let (Some(done), false) = (done, line.id.is_empty() || self.layers.len() >= 1000) {
            let layer = self.layers.entry(line.id.clone()).or_default();
            *layer = layer.max(done);
        }
        if !self.layers.is_empty() {
            let share = self.layers.values().sum::<f64>() / self.layers.len() as f64;
            // In range: the share is 0 to 1.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
            let percent = (share * 100.0).clamp(0.0, 100.0) as u8;
            self.percent = self.percent.max(percent);
        }
        // The last line; alone where the host has the image already.
        if line.status.starts_with("Status: ") {
            self.percent = 100;
        }
        let text = if line.id.is_empty() { line.status } else { format!("{} {}", line.status, line.id) };
        Ok(PullProgress { percent: self.percent, text: Text::new(&text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_add_up_and_never_go_back() {
        let mut tally = Tally::default();
        let mut percents = Vec::new();
        for line in [
            r#"{"status":"Pulling from app","id":"1"}"#,
            r#"{"status":"Pulling fs layer","progressDetail":{},"id":"aa"}"#,
            r#"{"status":"Already exists","progressDetail":{},"id":"bb"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":50,"total":100},"id":"aa"}"#,
            r#"{"status":"Download complete","progressDetail":{},"id":"aa"}"#,
            r#"{"status":"Extracting","progressDetail":{"current":0,"total":100},"id":"aa"}"#,
            r#"{"status":"Pulling fs layer","progressDetail":{},"id":"cc"}"#,
            r#"{"status":"Pull complete","progressDetail":{},"id":"aa"}"#,
            r#"{"status":"Pull complete","progressDetail":{},"id":"cc"}"#,
            r#"{"status":"Status: Downloaded newer image for app:1"}"#,
        ] {
            percents.push(tally.take(line.as_bytes()).unwrap().percent);
        }
        assert_eq!(percents, [0, 0, 50, 67, 85, 85, 85, 85, 100, 100]);
    }

    #[test]
    fn an_error_in_the_report_is_the_pulls() {
        let mut tally = Tally::default();
        let line = br#"{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}"#;
        assert_eq!(tally.take(line).unwrap_err().kind, ErrorKind::NoSuchImage);
        assert_eq!(tally.take(b"\xff").unwrap_err().kind, ErrorKind::Garbage);
    }
}
