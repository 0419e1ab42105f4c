//! The state of one replica, in a mark and words.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{ids::is_seen, line::Mark};
use crate::{
    model::{Container, ContainerState, Health, HostView, Link, since},
    text::{age, duration},
};

/// How a container is, given what is known of its host.
pub fn of_container(host: Option<&HostView>, container: &Container) -> (Mark, Cow<'static, str>) {
    if !is_seen(host) {
        return (Mark::Unknown, "not seen".into());
    }
    match &container.state {
        ContainerState::Running => match container.health {
            Health::Healthy => (Mark::Ok, "healthy".into()),
            Health::None => (Mark::Ok, "running".into()),
            Health::Starting => (Mark::Changing, "starting".into()),
            Health::Unhealthy => (Mark::Failed, "unhealthy".into()),
        },
        ContainerState::Created => (Mark::Changing, "created".into()),
        ContainerState::Restarting => (Mark::Failed, "restarting".into()),
        ContainerState::Removing => (Mark::Changing, "removing".into()),
        ContainerState::Paused => (Mark::Stopped, "paused".into()),
        ContainerState::Dead => (Mark::Failed, "dead".into()),
        ContainerState::Exited { code: 0, .. } => (Mark::Stopped, "exited".into()),
        ContainerState::Exited { code, oom, .. } => (Mark::Failed, exit_word(*code, *oom).into()),
        ContainerState::Other(word) => (Mark::Unknown, word.to_string().into()),
    }
}

/// What an exit code means, short.
pub fn exit_word(code: i64, oom: bool) -> String {
    let why = match code {
        _ if oom => "out of memory",
        125 => "engine error",
        126 => "not executable",
        127 => "not found",
        134 => "aborted",
        137 => "killed",
        139 => "crashed",
        143 => "terminated",
        _ => return format!("exit {code}"),
    };
    format!("exit {code} ({why})")
}

/// A host's link as a mark.
pub fn of_link(link: &Link) -> Mark {
    match link {
        Link::Ready { .. } => Mark::Ok,
        Link::Slow { .. } | Link::Connecting { .. } => Mark::Changing,
        Link::Unknown { .. } => Mark::Unknown,
    }
}

/// How long ago, in one unit, coarse below a minute so that an idle screen does not count seconds.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = i64::try_from(since(then, now).as_secs()).unwrap_or(i64::MAX);
    match seconds {
        0..10 => "now".into(),
        10..60 => format!("{}s", seconds / 10 * 10),
        _ => age(seconds),
    }
}

/// How long something has been going on, for lines that are live anyway.
pub fn lasting(then: Timestamp, now: Timestamp) -> String {
    duration(std::time::Duration::from_secs(since(then, now).as_secs().max(1)))
}
