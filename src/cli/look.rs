//! One look at all hosts, for commands that print and leave.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{sync::mpsc, time::Instant};

use super::{Context, Failure};
use crate::{
    engine::{ObserveOptions, Observer, Watching},
    model::{Desired, HostUpdate, Link, Observed},
    plan::World,
    store::ReadStore,
    text::{self, Text},
};

/// Hosts that have not answered by then are shown as they are: being connected, or unknown with the reason.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);

/// What one look showed.
pub(super) struct Seen {
    pub context: Context,
    pub desired: Arc<Desired>,
    pub observed: Observed,
    pub observer: Observer<Watching>,
    updates: mpsc::Receiver<HostUpdate>,
}

impl Seen {
    /// What planning looks at.
    pub(super) fn world(&self) -> World<'_> {
        World { fleet: &self.context.fleet, desired: &self.desired, observed: &self.observed, now: Timestamp::now() }
    }

    /// Takes in what has come since; waits for it at most until `deadline`. False when the time was up first.
    pub(super) async fn refresh(&mut self, deadline: Instant) -> bool {
        match tokio::time::timeout_at(deadline, self.updates.recv()).await {
            Ok(Some(update)) => {
                self.observed.apply(update);
                while let Ok(update) = self.updates.try_recv() {
                    self.observed.apply(update);
                }
                true
            }
            _ => false,
        }
    }

    /// True when no host answered.
    pub(super) fn is_blind(&self) -> bool {
        !self.observed.hosts.values().any(crate::model::HostView::is_seen)
    }

    /// The reasons why hosts cannot be seen, one line each.
    pub(super) fn unseen(&self) -> Vec<String> {
        self.observed
            .hosts
            .values()
            .filter(|host| !host.is_seen())
            .map(|host| {
                let reason = host.link.reason();
                let reason = if reason.is_empty() { "no answer yet" } else { reason };
                format!("{} ({}): {reason}", host.name, host.connect)
            })
            .collect()
    }

    /// Fails when no host answered; else says on standard error which did not.
    pub(super) fn or_blind(self) -> Result<Self, Failure> {
        let unseen = self.unseen();
        if self.is_blind() {
            return Err(Failure::Unreachable(format!("no host can be reached\n  {}", unseen.join("\n  "))));
        }
        for line in unseen {
            super::print::complain(&line);
        }
        Ok(self)
    }
}

/// Looks at all hosts until each has answered or failed.
pub(super) async fn look(context: Context, store: &dyn ReadStore) -> Result<Seen, Failure> {
    let desired = store.desired().await?;
    let (tx, updates) = mpsc::channel(1024);
    let observer = Observer::<Watching>::start(&context.fleet, tx, ObserveOptions::default());
    let mut observed = Observed::unseen(&context.fleet, Timestamp::now());
    observed.adopt(&desired.adopted);
    let mut seen = Seen { context, desired, observed, observer, updates };
    let deadline = Instant::now() + PATIENCE;
    while !settled(&seen.observed) {
        if !seen.refresh(deadline).await {
            break;
        }
    }
    for host in seen.observed.hosts.values_mut() {
        if let Link::Connecting { reason, .. } = &mut host.link
            && reason.is_empty()
        {
            *reason = Text::new(&format!(
                "no answer within {}; look at its network and its engine, or ask `wharf doctor`",
                text::duration(PATIENCE)
            ));
        }
    }
    Ok(seen)
}

/// True when each host has listed its containers and images, or said why it cannot.
pub(super) fn settled(observed: &Observed) -> bool {
    observed.hosts.values().all(|host| match &host.link {
        Link::Ready { .. } | Link::Slow { .. } => host.listed_at.is_some() && host.facts.is_some(),
        Link::Connecting { reason, .. } => !reason.is_empty(),
        Link::Unknown { .. } => true,
    })
}
