//! Pauses between attempts: longer each time, and never in step with other hosts.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    /// The pause before the next attempt: doubles, and is a random half of that at least.
    pub(super) fn next(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.0.min(10)).min(LONGEST);
        self.0 = self.0.saturating_add(1);
        full.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// The longest pause: for what only a person can mend.
    pub(super) fn longest() -> Duration {
        LONGEST.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.0 = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_stay_bounded_and_differ() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..200).map(|_| backoff.next()).collect();
        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert!(pauses[100..].iter().all(|pause| *pause >= LONGEST / 2));
        let differ: std::collections::BTreeSet<_> = pauses[100..].iter().collect();
        assert!(differ.len() > 50);
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
