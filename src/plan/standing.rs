//! How one container stands: the engine's many states told as the few that planning tells apart.

use std::time::Duration;

use jiff::Timestamp;

use super::index::{Index, Seen, our_time};
use crate::model::{ContainerState, Defaults, Health, Mode, Restart, ServiceSpec};

/// How a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its check passes, or it has none and has run for `min_healthy`.
    Healthy,
    /// Runs and is not yet healthy. Without a check it is known when it will be.
    Starting { healthy_at: Option<Timestamp> },
    /// Its check fails.
    Unhealthy,
    /// Its engine is between two starts.
    Restarting,
    /// Frozen by someone.
    Paused,
    /// Made and never started.
    Created,
    /// Did its work and ended with 0, as its restart policy foresees.
    Completed,
    /// Ended. `again`: it is to be started again.
    Ended { code: i64, oom: bool, at: Option<Timestamp>, again: bool },
    /// Could not be removed by its engine.
    Dead,
    /// Runs, and was asked to end without a good answer: whether it does is known by then. Nothing may be built on it.
    Doubtful { until: Timestamp },
    /// On its way out.
    Removing,
    /// Its host is not seen now, so nobody knows.
    Hidden,
}

impl Standing {
    /// As wanted: nothing needs to be done and nothing is awaited.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Healthy | Self::Completed)
    }

    /// Its process runs, well or not.
    pub fn is_alive(self) -> bool {
        matches!(
            self,
            Self::Healthy
                | Self::Starting { .. }
                | Self::Unhealthy
                | Self::Restarting
                | Self::Paused
                | Self::Doubtful { .. }
        )
    }

    /// On its way out, surely or perhaps.
    pub fn may_go(self) -> bool {
        matches!(self, Self::Removing | Self::Doubtful { .. })
    }

    /// In words, as in `health of web.4 (starting)`.
    pub fn words(self) -> String {
        match self {
            Self::Healthy => "healthy".into(),
            Self::Starting { .. } => "starting".into(),
            Self::Unhealthy => "unhealthy".into(),
            Self::Restarting => "restarting".into(),
            Self::Paused => "paused".into(),
            Self::Created => "created".into(),
            Self::Completed => "completed".into(),
            Self::Ended { code, oom, .. } => exit_words(code, oom),
            Self::Dead => "dead".into(),
            Self::Doubtful { .. } => "asked to end, without an answer".into(),
            Self::Removing => "being removed".into(),
            Self::Hidden => "not seen".into(),
        }
    }
}

/// `exited with 137 (out of memory)`.
pub(crate) fn exit_words(code: i64, oom: bool) -> String {
    let why = match code {
        _ if oom => " (out of memory)",
        125 => " (the engine could not start it)",
        126 => " (the command cannot be executed)",
        127 => " (no such command in the image)",
        137 => " (killed)",
        139 => " (crashed: segmentation fault)",
        143 => " (asked to end)",
        _ => "",
    };
    format!("exited with {code}{why}")
}

/// True when ending with 0 is what such a service is for.
pub(crate) fn ends_by_itself(spec: &ServiceSpec) -> bool {
    matches!(spec.restart, Restart::No | Restart::OnFailure { .. })
        || matches!(spec.deploy.mode, Mode::ReplicatedJob | Mode::GlobalJob)
}

/// How a container stands now. `spec` is what it runs; none when its revision is not known any more.
pub(crate) fn standing(index: &Index<'_>, seen: &Seen<'_>, spec: Option<&ServiceSpec>) -> Standing {
    if index.is_stopping(seen) {
        return Standing::Removing;
    }
    let it = of_container(&index.defaults, index.world.now, seen, spec);
    match index.may_end_until(seen, spec) {
        Some(until) if it.is_alive() => Standing::Doubtful { until },
        _ => it,
    }
}

pub(crate) fn of_container(
    defaults: &Defaults,
    now: Timestamp,
    seen: &Seen<'_>,
    spec: Option<&ServiceSpec>,
) -> Standing {
    if !seen.live {
        return Standing::Hidden;
    }
    match &seen.container.state {
        ContainerState::Created => Standing::Created,
        ContainerState::Paused => Standing::Paused,
        ContainerState::Restarting => Standing::Restarting,
        ContainerState::Removing => Standing::Removing,
        ContainerState::Dead => Standing::Dead,
        ContainerState::Exited { code, at, oom } => ended(seen, *code, *at, *oom, spec),
        ContainerState::Running | ContainerState::Other(_) => running(seen, now, defaults.min_healthy),
    }
}

fn running(seen: &Seen<'_>, now: Timestamp, min_healthy: Duration) -> Standing {
    match seen.container.health {
        Health::Healthy => Standing::Healthy,
        Health::Unhealthy => Standing::Unhealthy,
        Health::Starting => Standing::Starting { healthy_at: None },
        // Where no engine tells when it began, waiting would never end.
        Health::None => match began(seen).and_then(|at| at.checked_add(min_healthy).ok()) {
            Some(at) if at > now => Standing::Starting { healthy_at: Some(at) },
            _ => Standing::Healthy,
        },
    }
}

fn ended(seen: &Seen<'_>, code: i64, at: Option<Timestamp>, oom: bool, spec: Option<&ServiceSpec>) -> Standing {
    let at = at.map(|at| our_time(seen.host, at));
    if code == 0 && spec.is_some_and(ends_by_itself) {
        return Standing::Completed;
    }
    let again = match spec.map(|spec| spec.restart) {
        Some(Restart::No) => false,
        Some(Restart::OnFailure { max: Some(max) }) => seen.container.restarts < max,
        _ => true,
    };
    Standing::Ended { code, oom, at, again }
}

/// When its process began, by our clock.
pub(crate) fn began(seen: &Seen<'_>) -> Option<Timestamp> {
    seen.container.started.or(seen.container.created).map(|at| our_time(seen.host, at))
}

/// When it was made, by our clock.
pub(crate) fn made(seen: &Seen<'_>) -> Option<Timestamp> {
    seen.container.created.or(seen.container.started).map(|at| our_time(seen.host, at))
}
