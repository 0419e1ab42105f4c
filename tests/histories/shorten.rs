//! Makes a story that breaks a law as short as it can be, while it breaks the same law.

use super::{
    laws::Broken,
    play::play,
    story::{Story, What},
};

/// Tries at most so many shorter ones.
const TRIES: usize = 400;

/// The shortest that was found.
pub fn shorten(story: &Story, broke: &Broken) -> Story {
    let (mut best, mut tries) = (story.clone(), 0);
    let mut is_same = |story: &Story| {
        tries += 1;
        tries <= TRIES && play(story, None).is_err_and(|now| now.law == broke.law)
    };
    loop {
        let before = best.clone();
        for at in (0..best.steps.len()).rev() {
            let mut less = best.clone();
            less.steps.remove(at);
            if is_same(&less) {
                best = less;
            }
        }
        for change in [simpler as fn(&mut Story), one_reconciler, no_proxies, fewer_hosts] {
            let mut less = best.clone();
            change(&mut less);
            if less != best && is_same(&less) {
                best = less;
            }
        }
        if best == before {
            return best;
        }
    }
}

fn simpler(story: &mut Story) {
    for step in &mut story.steps {
        step.after = step.after.div_ceil(1000) * 1000;
        if let What::Rule { times, .. } | What::Store { times, .. } = &mut step.what {
            *times = 1;
        }
    }
}

fn one_reconciler(story: &mut Story) {
    story.reconcilers = 1;
}

fn no_proxies(story: &mut Story) {
    story.proxies = false;
}

fn fewer_hosts(story: &mut Story) {
    story.hosts = story.hosts.min(3);
}
