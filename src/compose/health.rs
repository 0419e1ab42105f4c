//! `healthcheck`.

use super::{typed::Val, yaml::Kind};
use crate::model::HealthCheck;

const KEYS: &[&str] = &["test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"];

/// `healthcheck` of a service.
pub(super) fn healthcheck(v: &Val<'_>) -> Option<HealthCheck> {
    let mut health = HealthCheck::default();
    let mut disabled = false;
    v.keys(KEYS, |key, value| match key {
        "test" => health.test = test(&value),
        "interval" => health.interval = value.duration(),
        "timeout" => health.timeout = value.duration(),
        "retries" => health.retries = value.number("a number of failures"),
        "start_period" => health.start_period = value.duration(),
        "start_interval" => health.start_interval = value.duration(),
        _ => disabled = value.bool().unwrap_or_default(),
    });
    if disabled {
        if v.get("test").is_some_and(|test| super::health::test(&test) != ["NONE"]) {
            v.error("`disable: true` and `test` exclude each other: remove one");
        }
        health = HealthCheck { test: vec!["NONE".into()], ..HealthCheck::default() };
    }
    (health != HealthCheck::default()).then_some(health)
}

fn test(v: &Val<'_>) -> Vec<String> {
    if let Kind::List(_) = v.node.kind {
        let words = v.strings();
        match words.first().map(String::as_str) {
            Some("NONE") => {}
            Some("CMD") if words.len() > 1 => {}
            Some("CMD-SHELL") if words.len() == 2 => {}
            Some("CMD-SHELL") => v.error("behind CMD-SHELL comes exactly one line: quote it"),
            Some("CMD") => v.error("the command behind CMD is missing"),
            _ => v.error("a list begins with CMD, CMD-SHELL or NONE: write `[CMD, …]`, or one line without brackets"),
        }
        return words;
    }
    v.filled().map(|line| vec!["CMD-SHELL".into(), line]).unwrap_or_default()
}
