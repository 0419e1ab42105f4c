//! The state of one replica, in a mark and words.

use std::{borrow::Cow, time::Duration};

use jiff::{Timestamp, ToSpan};

use super::{ids::is_seen, line::Mark};
use crate::{
    model::{
        self, Container, ContainerState, Desired, Fleet, Health, HostName, HostView, Link, Observed, Restart,
        ServiceSpec, since,
    },
    text::{age, duration},
};

/// What the state of a container is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// Its host.
    pub host: Option<&'a HostView>,
    /// What it runs, for ours.
    pub spec: Option<&'a ServiceSpec>,
    /// Running so long counts as healthy, without a check; none for what is not ours.
    pub min_healthy: Option<Duration>,
    /// Now.
    pub now: Timestamp,
}

impl Judge<'_> {
    /// When a container without a check will count as healthy; none when it does, or when a check decides.
    pub fn healthy_at(&self, container: &Container) -> Option<Timestamp> {
        let began = container.started.or(container.created)?;
        let skew = self.host.and_then(|host| host.facts.as_ref()).map_or(0, |facts| facts.clock_skew_ms);
        let at = began.checked_sub(skew.milliseconds()).ok()?.checked_add(self.min_healthy?).ok()?;
        (at > self.now).then_some(at)
    }

    /// The state of a container in a mark and words.
    pub fn of(&self, container: &Container) -> (Mark, Cow<'static, str>) {
        if !is_seen(self.host) {
            return (Mark::Unknown, "not seen".into());
        }
        match &container.state {
            ContainerState::Running => match container.health {
                Health::Healthy => (Mark::Ok, "healthy".into()),
                Health::None if self.healthy_at(container).is_some() => (Mark::Changing, "starting".into()),
                Health::None => (Mark::Ok, "running".into()),
                Health::Starting => (Mark::Changing, "starting".into()),
                Health::Unhealthy => (Mark::Failed, "unhealthy".into()),
            },
            ContainerState::Created => (Mark::Changing, "created".into()),
            ContainerState::Restarting => (Mark::Failed, "restarting".into()),
            ContainerState::Removing => (Mark::Changing, "removing".into()),
            ContainerState::Paused => (Mark::Stopped, "paused".into()),
            ContainerState::Dead => (Mark::Failed, "dead".into()),
            ContainerState::Exited { code: 0, .. } if self.spec.is_some_and(ends_by_itself) => {
                (Mark::Ok, "completed".into())
            }
            ContainerState::Exited { code: 0, .. } => (Mark::Stopped, "exited".into()),
            ContainerState::Exited { code, oom, .. } => (Mark::Failed, exit_word(*code, *oom).into()),
            ContainerState::Other(word) => (Mark::Unknown, word.to_string().into()),
        }
    }
}

/// True when ending with 0 is what such a service is for.
fn ends_by_itself(spec: &ServiceSpec) -> bool {
    matches!(spec.restart, Restart::No | Restart::OnFailure { .. })
        || matches!(spec.deploy.mode, model::Mode::ReplicatedJob | model::Mode::GlobalJob)
}

/// What a container's state is judged by, from everything that is known.
pub fn judge<'a>(
    fleet: &Fleet,
    desired: &'a Desired,
    observed: &'a Observed,
    host: &HostName,
    container: &Container,
    now: Timestamp,
) -> Judge<'a> {
    let view = observed.hosts.get(host);
    let replica = container.replica();
    let region = replica.and_then(|of| fleet.region(&of.key.region));
    Judge {
        host: view,
        spec: replica.and_then(|of| desired.revision(&of.key.service, of.revision)).map(|revision| &revision.spec),
        min_healthy: region.map(|region| region.defaults.min_healthy),
        now,
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
