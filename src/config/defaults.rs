//! `[defaults]` and `[region.defaults]`.

use std::{ops::Range, time::Duration};

use jiff::{Span, SpanRelativeTo};
use toml::de::DeValue;

use super::table::{At, Table};
use crate::model::Defaults;

/// All keys, as in the file.
const KEYS: [&str; 17] = [
    "min_healthy",
    "healthy_deadline",
    "progress_deadline",
    "batch_share",
    "stop_grace",
    "suspect_after",
    "down_after",
    "restart_backoff",
    "restart_backoff_max",
    "keep_revisions",
    "keep_journal",
    "keep_audit",
    "pull_deadline",
    "drain",
    "observe",
    "drain_deadline",
    "hold",
];

/// Puts what the table `defaults` of `parent` says on top of `base`.
pub(super) fn read(parent: &Table<'_>, base: &Defaults) -> Defaults {
    let mut out = base.clone();
    let Some(table) = parent.table("defaults", "[defaults]", "[defaults]") else { return out };
    table.only(&KEYS);
    for (key, place, may_be_zero) in [
        ("min_healthy", &mut out.min_healthy, true),
        ("healthy_deadline", &mut out.healthy_deadline, false),
        ("progress_deadline", &mut out.progress_deadline, false),
        ("stop_grace", &mut out.stop_grace, true),
        ("suspect_after", &mut out.suspect_after, false),
        ("down_after", &mut out.down_after, false),
        ("restart_backoff", &mut out.restart_backoff, false),
        ("restart_backoff_max", &mut out.restart_backoff_max, false),
        ("keep_journal", &mut out.keep_journal, false),
        ("keep_audit", &mut out.keep_audit, false),
        ("pull_deadline", &mut out.pull_deadline, false),
        ("drain", &mut out.drain, true),
        ("observe", &mut out.observe, true),
        ("drain_deadline", &mut out.drain_deadline, false),
        ("hold", &mut out.hold, true),
    ] {
        if let Some(value) = table.any(key)
            && let Some(duration) = duration(&table, key, &value, may_be_zero)
        {
            *place = duration;
        }
    }
    if let Some(value) = table.any("batch_share") {
        match share(value.value) {
            Some(share) => out.batch_share = share,
            None => table.error(&value.span, "`batch_share` must be above 0 and at most 1: write \"25%\" or 0.25"),
        }
    }
    if let Some(value) = table.any("keep_revisions") {
        // Going back needs one revision beside the current one.
        match integer(value.value) {
            Some(number @ 2..=1000) => out.keep_revisions = u32::try_from(number).unwrap_or(out.keep_revisions),
            _ => table.error(&value.span, "`keep_revisions` must be a number from 2 to 1000, without quotes"),
        }
    }
    check_order(&table, &out);
    out
}

/// Values that contradict each other are said at the first key that is there.
fn check_order(table: &Table<'_>, out: &Defaults) {
    let at = |keys: &[&str]| -> Range<usize> {
        keys.iter().find_map(|key| table.any(key)).map_or_else(|| table.span.clone(), |value| value.span)
    };
    if out.suspect_after >= out.down_after {
        table.error(
            &at(&["down_after", "suspect_after"]),
            format!(
                "a host must be suspect before it is down: `suspect_after` ({}) must be shorter than `down_after` ({})",
                words(out.suspect_after),
                words(out.down_after)
            ),
        );
    }
    if out.restart_backoff > out.restart_backoff_max {
        table.error(
            &at(&["restart_backoff", "restart_backoff_max"]),
            format!(
                "`restart_backoff` ({}) must not be longer than `restart_backoff_max` ({})",
                words(out.restart_backoff),
                words(out.restart_backoff_max)
            ),
        );
    }
}

fn words(duration: Duration) -> String {
    crate::text::duration(duration)
}

fn duration(table: &Table<'_>, key: &str, value: &At<&DeValue<'_>>, may_be_zero: bool) -> Option<Duration> {
    let refuse = |what: String| {
        table.error(&value.span, what);
        None
    };
    let Some(text) = value.value.as_str() else {
        let hint = integer(value.value).map_or_else(|| "\"60s\"".to_owned(), |number| format!("\"{number}s\""));
        return refuse(format!("`{key}` must be a duration with its unit, in quotes: write for example {hint}"));
    };
    // Days and weeks are meant as multiples of 24 hours.
    let parsed = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let Ok(parsed) = parsed else {
        return refuse(format!("`{key}`: \"{text}\" is not a duration: write for example \"60s\", \"5m\" or \"90d\""));
    };
    match Duration::try_from(parsed) {
        Ok(duration) if may_be_zero || !duration.is_zero() => Some(duration),
        _ => refuse(format!("`{key}`: \"{text}\" must be longer than nothing")),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A share above 0 and up to 1, as a number or in percent.
fn share(value: &DeValue<'_>) -> Option<f64> {
    let share = match value.as_str() {
        Some(text) => text.trim().strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0,
        None => match value.as_float() {
            Some(float) => float.as_str().parse().ok()?,
            None => f64::from(i32::try_from(integer(value)?).ok()?),
        },
    };
    (share > 0.0 && share <= 1.0).then_some(share)
}
