//! What the status words of a container list say: `Up 3 minutes (healthy)`, `Exited (137) 2 hours ago`.

use std::time::Duration;

use crate::{
    model::{ContainerState, Health},
    text::Text,
};

/// Reads a container's state from the words of a list. An inspection knows when and why it ended; a list does not.
pub(crate) fn state(state: &str, status: &str) -> ContainerState {
    match state {
        "created" => ContainerState::Created,
        "running" => ContainerState::Running,
        "paused" => ContainerState::Paused,
        "restarting" => ContainerState::Restarting,
        "removing" => ContainerState::Removing,
        "dead" => ContainerState::Dead,
        "exited" => ContainerState::Exited { code: exit_code(status).unwrap_or(-1), at: None, oom: false },
        other => ContainerState::Other(Text::new(other)),
    }
}

/// 137 of `Exited (137) 2 hours ago`.
fn exit_code(status: &str) -> Option<i64> {
    status.split_once('(')?.1.split_once(')')?.0.trim().parse().ok()
}

/// The health in `Up 3 minutes (healthy)`.
pub(crate) fn health(status: &str) -> Health {
    match status.rsplit_once('(').and_then(|(_, last)| last.strip_suffix(')')) {
        Some("healthy") => Health::Healthy,
        Some("unhealthy") => Health::Unhealthy,
        Some("health: starting") => Health::Starting,
        _ => Health::None,
    }
}

/// The health in an inspection.
pub(crate) fn health_word(word: &str) -> Health {
    match word {
        "healthy" => Health::Healthy,
        "unhealthy" => Health::Unhealthy,
        "starting" => Health::Starting,
        _ => Health::None,
    }
}

/// How long a container has been up, and how far off that can be. Engines round: minutes and days down, hours to the
/// nearest; the shortest time that the words allow is given.
pub(crate) fn uptime(status: &str) -> Option<(Duration, Duration)> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let words = status.strip_prefix("Up ")?;
    let words = words.split_once(" (").map_or(words, |(first, _)| first).trim();
    let seconds = |from, slack| Some((Duration::from_secs(from), Duration::from_secs(slack)));
    match words {
        "Less than a second" => return seconds(0, 1),
        "About a minute" => return seconds(MINUTE, MINUTE),
        "About an hour" => return seconds(HOUR, HOUR / 2),
        _ => {}
    }
    let (number, unit) = words.split_once(' ')?;
    let number: u64 = number.parse().ok().filter(|number| *number < 100_000)?;
    match unit.trim_end_matches('s') {
        "second" => seconds(number, 1),
        "minute" => seconds(number * MINUTE, MINUTE),
        "hour" => seconds((number * HOUR).saturating_sub(HOUR / 2), HOUR),
        "day" => seconds((number * DAY).saturating_sub(HOUR / 2), DAY),
        "week" => seconds((number * 7 * DAY).saturating_sub(HOUR / 2), 7 * DAY),
        "month" => seconds((number * 30 * DAY).saturating_sub(HOUR / 2), 30 * DAY),
        "year" => seconds((number * 365 * DAY).saturating_sub(HOUR / 2), 365 * DAY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_list_are_read() {
        for (word, status, expected, healthy) in [
            ("running", "Up 3 minutes (healthy)", ContainerState::Running, Health::Healthy),
            ("running", "Up 2 seconds (health: starting)", ContainerState::Running, Health::Starting),
            ("running", "Up About a minute (unhealthy)", ContainerState::Running, Health::Unhealthy),
            ("running", "Up 5 days", ContainerState::Running, Health::None),
            ("paused", "Up 5 days (Paused)", ContainerState::Paused, Health::None),
            ("created", "Created", ContainerState::Created, Health::None),
            ("restarting", "Restarting (1) 5 seconds ago", ContainerState::Restarting, Health::None),
            ("removing", "Removal In Progress", ContainerState::Removing, Health::None),
            ("dead", "Dead", ContainerState::Dead, Health::None),
            (
                "exited",
                "Exited (137) 2 hours ago",
                ContainerState::Exited { code: 137, at: None, oom: false },
                Health::None,
            ),
            ("exited", "gone", ContainerState::Exited { code: -1, at: None, oom: false }, Health::None),
            ("hibernating\x1b[2J", "", ContainerState::Other("hibernating".into()), Health::None),
        ] {
            assert_eq!(state(word, status), expected);
            assert_eq!(health(status), healthy, "{status}");
        }
    }

    #[test]
    fn uptimes_are_never_longer_than_true() {
        for (status, from, slack) in [
            ("Up Less than a second", 0, 1),
            ("Up 1 second", 1, 1),
            ("Up 42 seconds (health: starting)", 42, 1),
            ("Up About a minute", 60, 60),
            ("Up 3 minutes", 180, 60),
            ("Up About an hour", 3600, 1800),
            ("Up 2 hours", 5400, 3600),
            ("Up 47 hours (healthy)", 47 * 3600 - 1800, 3600),
            ("Up 3 days", 3 * 86_400 - 1800, 86_400),
            ("Up 5 weeks", 35 * 86_400 - 1800, 7 * 86_400),
        ] {
            assert_eq!(uptime(status), Some((Duration::from_secs(from), Duration::from_secs(slack))), "{status}");
        }
        for status in ["Exited (0) 3 minutes ago", "Up", "Up for ever", "Up 99999999999999999999 days", "Up x days"] {
            assert_eq!(uptime(status), None, "{status}");
        }
    }
}
