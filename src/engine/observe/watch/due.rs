//! What a watch does when: lists, looks, pings and samples, each begun when its time has come.

use std::{collections::BTreeSet, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::time::Instant;

use super::{Done, Listing, Watch};
use crate::{
    engine::{
        error::Fault,
        http::late,
        reader::{LIST, Reader},
    },
    model::ContainerId,
};

/// With more containers than this to look at, one list is cheaper.
const MANY: usize = 50;
/// Looks at single containers that are under way at once.
const LOOKS: usize = 8;
/// The same for those that nothing happened to: they can wait.
const IDLE_LOOKS: usize = 2;
/// Lists come at most so often, however many events there are.
const LIST_PAUSE: Duration = Duration::from_millis(500);

impl Watch<'_> {
    pub(super) fn ask(&mut self, question: impl FnOnce(Reader) -> BoxFuture<'static, Done>) {
        self.work.push(question(self.reader.clone()));
    }

    /// Begins everything whose time has come.
    pub(super) fn begin_what_is_due(&mut self) {
        let now = Instant::now();
        if self.storm() {
            self.list_due = self.list_due.min(now);
        }
        if self.listing.is_none() && self.list_allowed() <= now {
            // What the list shows need not be looked at; what happens from here on must. A look that is under way
            // may come after the list and yet be older: it is repeated.
            self.dirty.retain(|id, _| self.looks.contains_key(id));
            self.listing = Some(Listing { since: now, touched: BTreeSet::new() });
            self.list_begun = Some(now);
            self.list_due = now + self.actor.options.relist.mul_f64(0.9 + fastrand::f64() / 5.0);
            let within = if self.listed_once { LIST } else { self.actor.options.first_list };
            self.ask(move |reader| {
                async move {
                    let late = |_| Err(late(within).at(reader.host(), "list its containers"));
                    Done::Listed(tokio::time::timeout(within, reader.list()).await.unwrap_or_else(late))
                }
                .boxed()
            });
        }
        if self.images_due.is_some_and(|due| due <= now) {
            self.images_due = None;
            self.ask(|reader| async move { Done::Images(reader.images().await) }.boxed());
        }
        while self.looks.len() < LOOKS && !self.storm() {
            let due = self.dirty.iter().find(|(id, due)| **due <= now && !self.looks.contains_key(*id));
            let Some(id) = due.map(|(id, _)| id.clone()) else { break };
            self.dirty.remove(&id);
            self.look(id);
        }
        while self.looks.len() < IDLE_LOOKS {
            let Some(id) = self.later.pop_front() else { break };
            if !self.looks.contains_key(&id) && self.actor.known.contains_key(&id) {
                self.look(id);
            }
        }
        if self.ping.is_none() && now >= self.heard + self.actor.options.heartbeat {
            self.ping = Some(now);
            let limit = self.actor.options.silent_after;
            self.ask(move |reader| {
                async move {
                    let answer = tokio::time::timeout(limit, reader.ping()).await;
                    Done::Ping(match answer {
                        Ok(Ok(took)) => Ok(took),
                        Ok(Err(error)) => Err(Fault { kind: error.kind, why: error.why, next: error.next }),
                        Err(_) => Err(late(limit)),
                    })
                }
                .boxed()
            });
        }
        for id in self.sampler.begin(now) {
            self.ask(move |reader| {
                async move {
                    let counters = reader.stats_once(&id).await;
                    Done::Sampled(id, counters.ok().map(Box::new))
                }
                .boxed()
            });
        }
    }

    /// So much happens that a list is cheaper, now or when the one under way is done.
    pub(super) fn storm(&self) -> bool {
        self.dirty.len() > MANY
    }

    pub(super) fn look(&mut self, id: ContainerId) {
        self.number += 1;
        let number = self.number;
        self.looks.insert(id.clone(), number);
        self.ask(move |reader| {
            async move {
                let found = reader.inspect(&id).await;
                Done::Looked(id, number, Box::new(found))
            }
            .boxed()
        });
    }

    pub(super) fn list_allowed(&self) -> Instant {
        self.list_begun.map_or(self.list_due, |begun| self.list_due.max(begun + LIST_PAUSE))
    }

    /// When the next thing is due.
    pub(super) fn next_due(&self) -> Instant {
        let slow = self.actor.options.slow_after;
        let mut due = match self.ping {
            None => self.heard + self.actor.options.heartbeat,
            Some(begun) if begun.elapsed() < slow => begun + slow,
            // Its answer or its deadline comes by itself.
            Some(_) => Instant::now() + slow,
        };
        if self.listing.is_none() {
            due = due.min(self.list_allowed());
        }
        if let Some(images) = self.images_due {
            due = due.min(images);
        }
        if self.looks.len() < LOOKS && !self.storm() {
            let next = self.dirty.iter().filter(|(id, _)| !self.looks.contains_key(*id)).map(|(_, at)| *at).min();
            due = next.map_or(due, |next| due.min(next));
        }
        self.sampler.next().map_or(due, |next| due.min(next))
    }

    /// Time passed. Says so when an answer is late.
    #[expect(clippy::unnecessary_wraps, reason = "one of several that can fail")]
    pub(super) fn late(&mut self) -> Result<(), Fault> {
        let limit = self.actor.options.slow_after;
        if self.ping.is_some_and(|begun| begun.elapsed() >= limit) {
            self.actor.set_slow(&format!("the engine has not answered for {}", crate::text::duration(limit)));
        }
        Ok(())
    }
}
