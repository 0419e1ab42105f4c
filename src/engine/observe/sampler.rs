//! Which containers of a host are sampled when. Nothing, until somebody asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    engine::stats::Counters,
    model::{ContainerId, HostName, Usage},
};

/// What is on the screen is sampled so often.
const FAST: Duration = Duration::from_secs(2);
/// The second count of a container comes so soon after its first: one count alone says nothing.
const SECOND: Duration = Duration::from_secs(1);
/// Samples of one host that are under way at once: each costs the engine some file reads.
const AT_ONCE: usize = 6;

/// Turns of hosts between two samples of a host.
const SHIFTS: u32 = 1_000;

/// Which containers are sampled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sampling {
    /// These every two seconds: what is on the screen.
    pub fast: BTreeSet<(HostName, ContainerId)>,
    /// All other running containers so seldom, spread over that time; none means not at all.
    pub rest: Option<Duration>,
}

/// One host's share of it.
#[derive(Default)]
pub(super) struct Sampler {
    fast: BTreeSet<ContainerId>,
    rest: Option<Duration>,
    /// Where in the time between two samples this host has its turn.
    shift: u32,
    /// When each is next.
    due: BTreeMap<ContainerId, Instant>,
    before: BTreeMap<ContainerId, Counters>,
    under_way: BTreeSet<ContainerId>,
}

impl Sampler {
    /// Takes in what is asked for. False where that is nothing new for this host.
    pub(super) fn ask(&mut self, host: &HostName, sampling: &Sampling) -> bool {
        let fast = sampling.fast.range((host.clone(), ContainerId("".into()))..);
        let fast = fast.take_while(|(of, _)| of == host).map(|(_, id)| id.clone()).collect();
        if self.rest == sampling.rest && self.fast == fast {
            return false;
        }
        self.fast = fast;
        if self.rest != sampling.rest {
            self.rest = sampling.rest;
            // Spread over another time: what was close together would stay so.
            self.due.clear();
        }
        // Hosts that were listed in the same moment are not asked in the same moment.
        let bytes = host.as_str().bytes().map(u32::from);
        self.shift = bytes.fold(7, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte)) % SHIFTS;
        true
    }

    /// Fits the plan to the containers that run.
    pub(super) fn plan<'a>(&mut self, running: impl Iterator<Item = &'a ContainerId>, now: Instant) {
        if self.fast.is_empty() && self.rest.is_none() {
            self.due.clear();
            self.before.clear();
            return;
        }
        let wanted: BTreeSet<&ContainerId> =
            running.filter(|id| self.rest.is_some() || self.fast.contains(*id)).collect();
        self.due.retain(|id, _| wanted.contains(id));
        self.before.retain(|id, _| wanted.contains(id));
        let many = u32::try_from(wanted.len()).unwrap_or(u32::MAX).max(1);
        for (index, id) in (0u32..).zip(wanted) {
            let soon = self.fast.contains(id);
            let first = match self.rest {
                Some(rest) if !soon => now + (rest / many * index) + rest / many / SHIFTS * self.shift,
                _ => now,
            };
            let due = self.due.entry(id.clone()).or_insert(first);
            // It came onto the screen.
            if soon && *due > now + FAST {
                *due = now;
            }
        }
    }

    /// When something is due; none while nothing is asked for or all is under way.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.under_way.len() >= AT_ONCE {
            return None;
        }
        self.due.iter().filter(|(id, _)| !self.under_way.contains(*id)).map(|(_, at)| *at).min()
    }

    /// What is to be sampled now.
    pub(super) fn begin(&mut self, now: Instant) -> Vec<ContainerId> {
        let room = AT_ONCE.saturating_sub(self.under_way.len());
        let due = self.due.iter().filter(|(id, at)| **at <= now && !self.under_way.contains(*id));
        let chosen: Vec<ContainerId> = due.map(|(id, _)| id.clone()).take(room).collect();
        self.under_way.extend(chosen.iter().cloned());
        chosen
    }

    /// Takes in a count; gives the load since the one before.
    pub(super) fn end(&mut self, id: &ContainerId, counters: Option<Counters>, now: Instant) -> Option<Usage> {
        self.under_way.remove(id);
        let due = self.due.get_mut(id)?;
        let pause = if self.fast.contains(id) { FAST } else { self.rest? };
        *due = now + pause;
        let counters = counters?;
        let before = self.before.insert(id.clone(), counters);
        if before.is_none() {
            *due = now + pause.min(SECOND);
        }
        counters.since(&before?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> ContainerId {
        ContainerId(format!("c{n:02}").into())
    }

    #[test]
    fn nothing_is_sampled_until_it_is_asked_for() {
        let (now, host) = (Instant::now(), HostName::new("a").unwrap());
        let running: Vec<_> = (0..20).map(id).collect();
        let mut sampler = Sampler::default();
        sampler.plan(running.iter(), now);
        assert_eq!(sampler.next(), None);

        let fast = [(host.clone(), id(3)), (HostName::new("b").unwrap(), id(4))].into();
        sampler.ask(&host, &Sampling { fast, rest: None });
        sampler.plan(running.iter(), now);
        assert_eq!(sampler.begin(now), [id(3)]);
        assert_eq!(sampler.next(), None);
        sampler.end(&id(3), None, now);
        assert_eq!(sampler.next(), Some(now + FAST));

        sampler.ask(&host, &Sampling::default());
        sampler.plan(running.iter(), now);
        assert_eq!(sampler.next(), None);
    }

    #[test]
    fn the_rest_is_spread_over_its_time() {
        let (now, host) = (Instant::now(), HostName::new("a").unwrap());
        let running: Vec<_> = (0..20).map(id).collect();
        let rest = Duration::from_secs(20);
        let mut sampler = Sampler::default();
        sampler.ask(&host, &Sampling { fast: BTreeSet::new(), rest: Some(rest) });
        sampler.plan(running.iter(), now);
        // Each host has its own moment between two samples.
        assert_eq!(sampler.begin(now), []);
        assert_eq!(sampler.begin(now + Duration::from_secs(1)), [id(0)]);
        assert_eq!(sampler.begin(now + Duration::from_secs(4)), [id(1), id(2), id(3)]);
        // However much is due, only some are under way at once.
        assert_eq!(sampler.begin(now + rest).len(), AT_ONCE - 4);
        assert_eq!(sampler.next(), None);
    }

    #[test]
    fn a_longer_round_spreads_them_anew() {
        let (now, host) = (Instant::now(), HostName::new("a").unwrap());
        let running: Vec<_> = (0..20).map(id).collect();
        let mut sampler = Sampler::default();
        for (seconds, new) in [(20, true), (20, false), (200, true)] {
            let rest = Some(Duration::from_secs(seconds));
            assert_eq!(sampler.ask(&host, &Sampling { fast: BTreeSet::new(), rest }), new);
            sampler.plan(running.iter(), now);
        }
        assert_eq!(sampler.begin(now + Duration::from_secs(30)), [id(0), id(1), id(2)]);
    }
}
