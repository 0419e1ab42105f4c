//! What engines tell by themselves: their events, as a stream.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use http::{HeaderMap, Method};
use jiff::Timestamp;

use super::{
    convert,
    error::{EngineError, Fault},
    http::{Lines, encode, within},
    reader::{Reader, SHORT},
    session::Session,
    wire,
};
use crate::model::{ContainerId, EngineEvent, HostName};

impl Reader {
    /// What happens from now on, or from `since` by the engine's clock: changes of containers, images, networks and
    /// volumes. The stream ends with an error when the connection does; it may be silent for any time, so its
    /// consumer should [`Reader::ping`].
    pub async fn events(
        &self,
        since: Option<Timestamp>,
    ) -> Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError> {
        let tried = "follow its events";
        let lines = self.ask(tried, async |session| open_events(session, since).await).await?;
        let reader = self.clone();
        Ok(futures::stream::try_unfold((lines, reader), move |(mut lines, reader)| async move {
            loop {
                match lines.next().await {
                    Ok(Some(line)) => {
                        if let Some(event) = parse_event(&reader.host, &line) {
                            return Ok(Some((event, (lines, reader))));
                        }
                    }
                    Ok(None) => return Ok(None),
                    Err(fault) => return Err(fault.at(&reader.host, tried)),
                }
            }
        })
        .boxed())
    }
}

impl Reader {
    /// What the engine remembers of what happened, of one container or of everything, in order. Engines keep the last
    /// 256 events, of all their objects together.
    pub async fn past_events(&self, of: Option<&ContainerId>) -> Result<Vec<EngineEvent>, EngineError> {
        let tried = "recall its events";
        let filter = match of {
            Some(id) => serde_json::json!({ "container": [id.0.as_str()], "event": FOLLOWED }),
            None => serde_json::json!({ "type": TYPES, "event": FOLLOWED }),
        };
        let until = self.clock().now();
        let until = format!("{}.{:09}", until.as_second(), until.subsec_nanosecond());
        let path = format!("/events?since=1&until={until}&filters={}", encode(&filter.to_string()));
        let mut lines = self.ask(tried, async |session| open_path(session, &path).await).await?;
        let mut events = Vec::new();
        // An engine whose clock is behind ours goes on until its own says so: what it remembers comes at once.
        let deadline = tokio::time::Instant::now() + QUIET;
        loop {
            match tokio::time::timeout_at(deadline, lines.next()).await {
                Ok(Ok(Some(line))) => events.extend(parse_event(&self.host, &line)),
                Ok(Ok(None)) | Err(_) => return Ok(events),
                Ok(Err(fault)) => return Err(fault.at(&self.host, tried)),
            }
        }
    }
}

/// What an engine remembers has come by then.
const QUIET: Duration = Duration::from_secs(3);

/// What is followed are changes of these.
const TYPES: [&str; 5] = ["container", "image", "network", "volume", "daemon"];

/// What is followed. Without a filter, each health check would make three events.
const FOLLOWED: [&str; 27] = [
    "create",
    "start",
    "restart",
    "stop",
    "die",
    "kill",
    "oom",
    "pause",
    "unpause",
    "rename",
    "update",
    "destroy",
    "health_status",
    "pull",
    "push",
    "tag",
    "untag",
    "delete",
    "import",
    "load",
    "connect",
    "disconnect",
    "remove",
    "prune",
    "reload",
    "enable",
    "disable",
];

/// Subscribes; the subscription stands when this returns.
pub(crate) async fn open_events(session: &Session, since: Option<Timestamp>) -> Result<Lines, Fault> {
    let filter = serde_json::json!({ "type": TYPES, "event": FOLLOWED });
    let since = since.map(|at| format!("&since={}", at.as_second())).unwrap_or_default();
    open_path(session, &format!("/events?filters={}{since}", encode(&filter.to_string()))).await
}

async fn open_path(session: &Session, path: &str) -> Result<Lines, Fault> {
    let response = within(SHORT, session.http.send(Method::GET, path, HeaderMap::new(), None)).await?;
    Ok(Lines::new(response.into_body()))
}

/// An event of a line; none for what is not followed, and for what is no event.
pub(crate) fn parse_event(host: &HostName, line: &[u8]) -> Option<EngineEvent> {
    let from: wire::Event = serde_json::from_slice(line).ok()?;
    // An engine that does not know the filter sends everything.
    let word = from.action.split(':').next().unwrap_or_default();
    (!from.kind.is_empty() && !word.starts_with("exec_")).then(|| convert::event(host, &from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_and_nonsense_are_no_events() {
        let host = HostName::new("a").unwrap();
        for line in [
            r#"{"Type":"container","Action":"exec_create: /bin/true","Actor":{"ID":"x"}}"#,
            r#"{"status":"half"#,
            "[]",
            r#"{"Type":null}"#,
        ] {
            assert_eq!(parse_event(&host, line.as_bytes()), None, "{line}");
        }
        let new = parse_event(&host, br#"{"Type":"container","Action":"teleport","Actor":{"ID":"x"}}"#);
        assert_eq!(new.unwrap().action, "teleport");
    }
}
