//! Whether this process stood still: stopped, swapped out, on a machine that slept. It heard of nobody then, and a silence
//! of its own making says nothing of a host.

use std::time::Duration;

use jiff::Timestamp;

use crate::{clock::Clock, model::Link};

/// The loop turns every few hundredths of a second. One turn that takes longer than this was none.
const STILL: Duration = Duration::from_secs(2);

/// Since when the loop turns without a gap.
#[derive(Debug)]
pub(super) struct Awake {
    clock: Clock,
    /// When it turned last, by [`Clock::uptime`].
    turned: Duration,
    /// When it woke last; none while it never stood still.
    since: Option<Timestamp>,
    /// The last round took so long that it may have stood still in it.
    was_slow: bool,
}

impl Awake {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, turned: clock.uptime(), since: None, was_slow: false }
    }

    /// A turn of the loop. True when the process stood still before it.
    pub(super) fn turn(&mut self) -> bool {
        let now = self.clock.uptime();
        let stood = now.saturating_sub(self.turned) > STILL;
        self.turned = now;
        if stood {
            self.since = Some(self.clock.now());
        }
        stood
    }

    /// The end of a round. One long round may have been a pause; where the next is as long, it is the store that is slow,
    /// and a silence is one: a host must go down also there.
    pub(super) fn rest(&mut self) {
        let now = self.clock.uptime();
        let is_slow = now.saturating_sub(self.turned) > STILL;
        if is_slow && self.was_slow {
            self.turned = now;
        }
        self.was_slow = is_slow;
    }

    /// Nobody could be heard before we woke, so no silence is longer.
    pub(super) fn limit(&self, since: &mut Timestamp) {
        *since = self.since.map_or(*since, |woke| woke.max(*since));
    }

    /// The same for what a host's link tells.
    pub(super) fn limit_link(&self, link: &mut Link) {
        if let Link::Unknown { since, .. } | Link::Connecting { since, .. } = link {
            self.limit(since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silence_is_no_longer_than_we_listened() {
        let clock = Clock::running();
        let mut awake = Awake::new(clock);
        let began = clock.now();
        let mut unknown = Link::Unknown { since: began, reason: "".into() };
        for _ in 0..50 {
            tokio::time::advance(Duration::from_millis(1_500)).await;
            assert!(!awake.turn());
        }
        awake.limit_link(&mut unknown);
        assert_eq!(unknown.since(), began, "it was silent all the time that we listened");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(awake.turn());
        awake.limit_link(&mut unknown);
        let woke = clock.now();
        assert_eq!(unknown.since(), woke);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!awake.turn());
        let mut later = clock.now();
        awake.limit(&mut later);
        assert_eq!(later, clock.now());
        let mut ready = Link::Ready { since: began };
        awake.limit_link(&mut ready);
        assert_eq!(ready.since(), began);
        awake.limit_link(&mut unknown);
        assert_eq!(unknown.since(), woke);
    }
    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_always_slow_is_no_pause() {
        let mut awake = Awake::new(Clock::running());
        let mut pauses = 0;
        for seconds in [0, 3, 3, 3, 0, 3, 0] {
            pauses += usize::from(awake.turn());
            tokio::time::advance(Duration::from_secs(seconds)).await;
            awake.rest();
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(pauses, 2, "the first long round of each row of them");
    }
}
