//! Times as a simulated engine counts and writes them.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// `at` moved by `by`, staying within the range of timestamps.
pub(super) fn plus(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}

/// `at` moved back by `by`, staying within the range of timestamps.
pub(super) fn minus(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(at)
}

/// Seconds from `from` to `to` with fractions; negative when `to` is earlier.
pub(super) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// A moment as Docker writes it; `None` is Go's zero time.
pub(super) fn stamp(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| at.to_string())
}

/// A span as Docker's `units.HumanDuration` words it ("About a minute", "3 hours").
pub(super) fn human(span: SignedDuration) -> String {
    let secs = span.as_secs().max(0);
    let (minutes, hours) = (secs / 60, (secs + 1800) / 3600);
    match secs {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{secs} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_spans() {
        let words = |secs| human(SignedDuration::from_secs(secs));
        assert_eq!(words(0), "Less than a second");
        assert_eq!(words(59), "59 seconds");
        assert_eq!(words(61), "About a minute");
        assert_eq!(words(3600 * 3), "3 hours");
        assert_eq!(words(86_400 * 5), "5 days");
        assert_eq!(words(86_400 * 41), "5 weeks");
    }

    #[test]
    fn moments_as_docker_writes_them() {
        let noon: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        assert_eq!(stamp(None), "0001-01-01T00:00:00Z");
        assert_eq!(stamp(Some(noon)), "2026-05-01T12:00:00Z");
    }
}
