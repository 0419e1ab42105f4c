//! Pulling: `POST /images/create` with its progress lines, and the registry's answer for a digest.

use super::engine::Engine;
use super::num;
use super::query::Query;
use super::registry::Reference;
use super::reply::{self, Answer, Refusal};
use super::script::ImageFault;
use bytes::Bytes;
use futures::stream;
use http::HeaderMap;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// One pull that an engine was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullCall {
    /// The reference as asked for: `name:tag` or `name@digest`.
    pub reference: String,
    /// The `X-Registry-Auth` header as sent, not decoded.
    pub auth: Option<String>,
}

struct Steps {
    engine: Arc<Engine>,
    wanted: Reference,
    shown: String,
    lines: VecDeque<Value>,
    pause: Duration,
    fails: Option<String>,
}

fn fault_text(fault: ImageFault, wanted: &Reference) -> (u16, String) {
    let name = &wanted.name;
    let version = wanted.digest.as_deref().unwrap_or_else(|| wanted.tag());
    match fault {
        ImageFault::NotFound => (
            404,
            format!(
                "pull access denied for {name}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
            ),
        ),
        ImageFault::NoTag => (404, format!("manifest for {name}:{version} not found: manifest unknown: manifest unknown")),
        ImageFault::Unauthorized => {
            (500, format!("Head \"https://registry/v2/{name}/manifests/{version}\": no basic auth credentials"))
        }
        ImageFault::Unreachable => (
            500,
            "Get \"https://registry/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)"
                .to_owned(),
        ),
        ImageFault::BreaksOff => (500, "unexpected EOF".to_owned()),
    }
}

/// An `X-Registry-Auth` header that says something: `{}` (`e30=`) and the empty one do not.
fn auth(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-registry-auth")?.to_str().ok()?;
    (!matches!(text.trim_end_matches('='), "" | "e30" | "bnVsbA")).then(|| text.to_owned())
}

impl Engine {
    /// Every pull that was asked of this engine, oldest first (the last 256).
    pub fn pulls(&self) -> Vec<PullCall> {
        self.lock().pulls.iter().cloned().collect()
    }

    fn registry_says(&self, wanted: &Reference, auth: Option<&str>) -> Option<ImageFault> {
        let origin = wanted.digest.as_deref().and_then(|digest| self.registry.origin(digest));
        let tag = origin.map_or_else(|| wanted.tag().to_owned(), |(_, tag)| tag);
        let fault = self.lock().script.image_fault(&wanted.name, &tag)?;
        (fault != ImageFault::Unauthorized || auth.is_none()).then_some(fault)
    }

    pub(super) fn pull(self: Arc<Self>, query: &Query, headers: &HeaderMap) -> Answer {
        let Some(from) = query.text("fromImage") else {
            return Err(Refusal::new(501, "the simulator does not import images from a source"));
        };
        let text = match query.text("tag") {
            Some(digest) if digest.contains(':') => format!("{from}@{digest}"),
            Some(tag) => format!("{from}:{tag}"),
            None => from.to_owned(),
        };
        if from.chars().any(|c| c.is_ascii_uppercase() || c.is_whitespace()) {
            return Err(Refusal::bad("invalid reference format: repository name must be lowercase"));
        }
        let wanted = Reference::parse(&text);
        let auth = auth(headers);
        let fault = self.registry_says(&wanted, auth.as_deref());
        let (pause, full, here) = {
            let mut state = self.lock();
            if state.pulls.len() >= 256 {
                state.pulls.pop_front();
            }
            state.pulls.push_back(PullCall { reference: text.clone(), auth });
            let span = state.script.pull;
            (span.draw(&mut state.rng), state.script.disk_full, state.image(&text).is_some())
        };
        let breaks = match fault {
            Some(ImageFault::BreaksOff) => Some("unexpected EOF".to_owned()),
            Some(fault) => {
                let (status, message) = fault_text(fault, &wanted);
                return Err(Refusal::new(status, message));
            }
            None if full && !here => {
                Some("write /var/lib/docker/tmp/GetImageBlob137: no space left on device".to_owned())
            }
            None => None,
        };
        let digest = wanted.digest.clone().unwrap_or_else(|| self.registry.digest(&wanted.name, wanted.tag()));
        let mut lines = progress(&wanted, here, breaks.is_none(), &digest);
        if let Some(message) = &breaks {
            lines.push_back(json!({"errorDetail": {"message": message}, "error": message}));
        }
        let waits = u32::try_from(lines.len()).unwrap_or(1).max(1);
        let pause = if here { Duration::ZERO } else { pause / waits };
        let shown = if text.contains('@') { text } else { format!("{}:{}", wanted.name, wanted.tag()) };
        let steps = Steps { engine: self, wanted, shown, lines, pause, fails: breaks };
        Ok(reply::stream("application/json", stream::unfold(steps, next)))
    }

    pub(super) fn distribution(&self, name: &str, headers: &HeaderMap) -> Answer {
        let wanted = Reference::parse(name);
        if let Some(fault) = self.registry_says(&wanted, auth(headers).as_deref()) {
            let message = match fault {
                ImageFault::NotFound => "denied: requested access to the resource is denied".to_owned(),
                ImageFault::NoTag => "manifest unknown: manifest unknown".to_owned(),
                other => fault_text(other, &wanted).1,
            };
            let status = match fault {
                ImageFault::NotFound | ImageFault::Unauthorized => 403,
                ImageFault::NoTag => 404,
                _ => 500,
            };
            return Err(Refusal::new(status, message));
        }
        let digest = wanted.digest.clone().unwrap_or_else(|| self.registry.digest(&wanted.name, wanted.tag()));
        Ok(reply::ok(&json!({
            "Descriptor": {
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "digest": digest, "size": 1_574,
            },
            "Platforms": [{"architecture": "amd64", "os": "linux"}],
        })))
    }
}

async fn next(mut steps: Steps) -> Option<(std::io::Result<Bytes>, Steps)> {
    let line = steps.lines.pop_front()?;
    super::engine::pause(steps.pause).await;
    steps.engine.awake().await;
    if steps.lines.is_empty() && steps.fails.is_none() {
        let mut state = steps.engine.lock();
        steps.engine.install(&mut state, &steps.wanted);
        steps.engine.emit_image(&mut state, "pull", &steps.shown, &steps.wanted.name);
    }
    Some((Ok(reply::line(&line)), steps))
}

/// The lines of a pull, in order.
fn progress(wanted: &Reference, here: bool, ends: bool, digest: &str) -> VecDeque<Value> {
    let version = wanted.digest.as_deref().unwrap_or_else(|| wanted.tag());
    let shown = match &wanted.digest {
        Some(digest) => format!("{}@{digest}", wanted.name),
        None => format!("{}:{}", wanted.name, wanted.tag()),
    };
    let path = if wanted.name.contains('/') { wanted.name.clone() } else { format!("library/{}", wanted.name) };
    let mut lines = VecDeque::from([json!({"status": format!("Pulling from {path}"), "id": version})]);
    let seed = num::hash(digest);
    let layers: Vec<(String, u64)> = (0..3 + seed % 3)
        .map(|n| {
            (
                num::sha256(&format!("{digest} {n}")).chars().take(12).collect(),
                400_000 + num::mix(seed + n) % 60_000_000,
            )
        })
        .collect();
    let plain = |status: &str, id: &str| json!({"status": status, "progressDetail": {}, "id": id});
    if !here {
        lines.extend(layers.iter().map(|(id, _)| plain("Pulling fs layer", id)));
        for (id, size) in &layers {
            lines.extend((1..=4).map(|part| bar("Downloading", id, size * part / 4, *size)));
            lines.push_back(plain("Verifying Checksum", id));
            lines.push_back(plain("Download complete", id));
            if !ends && lines.len() > 16 {
                return lines;
            }
        }
        for (id, size) in &layers {
            lines.extend((1..=2).map(|part| bar("Extracting", id, size * part / 2, *size)));
            lines.push_back(plain("Pull complete", id));
        }
    }
    if ends {
        lines.push_back(json!({"status": format!("Digest: {digest}")}));
        let what = if here { "Image is up to date for" } else { "Downloaded newer image for" };
        lines.push_back(json!({"status": format!("Status: {what} {shown}")}));
    }
    lines
}

fn bar(status: &str, id: &str, current: u64, total: u64) -> Value {
    let filled = usize::try_from(current * 50 / total.max(1)).unwrap_or(50);
    let megabytes = |bytes: u64| format!("{:.2}MB", bytes as f64 / 1e6);
    let arrow = format!("{}>{}", "=".repeat(filled.saturating_sub(1)), " ".repeat(50_usize.saturating_sub(filled)));
    json!({
        "status": status, "progressDetail": {"current": current, "total": total},
        "progress": format!("[{arrow}]  {}/{}", megabytes(current), megabytes(total)), "id": id,
    })
}
