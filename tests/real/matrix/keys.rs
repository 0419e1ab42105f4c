//! The same by keys, in the dashboard: for the operations that have some.

use super::{super::stage::Stage, fault::Fault, job::Job};
use crate::pty::Pty;

/// Opens the dashboard and presses what accepts the operation; none where it has no keys for it.
pub fn press(stage: &Stage, fault: Fault, job: Job) -> Option<Pty> {
    let keys: &[(&str, &str)] = match job {
        Job::Deploy | Job::RollOut => return None,
        Job::Scale => &[("4/web\r", "web"), ("+++", "+3 replicas"), (".", "wharf scale shop/web=6")],
        Job::RollBack => &[("4/web\r", "web"), ("B", "r1"), ("\r", "wharf rollback shop/web")],
        Job::Migrate => &[("4/web\r", "web"), ("m", "h3"), ("\r", "wharf migrate shop/web")],
        Job::Drain => &[("/h2\r", "h2"), ("D", "wharf drain h2")],
        Job::Rebalance => &[("b", "wharf rebalance")],
    };
    assert_eq!(Job::drained(fault), "h2", "what the keys say");
    let mut screen = stage.fleet.terminal(&[]);
    screen.wait_text("shop");
    // What is not seen yet cannot be planned with.
    screen.type_bytes(b"2");
    screen.wait("three hosts that are ready", |screen| screen.contents().matches(" ready ").count() == 3);
    for (keys, shown) in keys {
        screen.type_bytes(keys.as_bytes());
        screen.wait_text(shown);
    }
    screen.type_bytes(b"\r");
    Some(screen)
}
