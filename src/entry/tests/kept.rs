//! A keeper under test, and what it tells.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, watch};

use super::{Processes, keeping::backend_name};
use crate::{
    clock::Clock,
    entry::Keeper,
    model::{HostChange, HostName, HostUpdate, ProxySpec, ProxyView},
};

/// A keeper and what it told last.
pub(super) struct Kept {
    pub wanted: watch::Sender<Option<ProxySpec>>,
    told: mpsc::Receiver<HostUpdate>,
    pub last: Option<ProxyView>,
    place: Option<Arc<Processes>>,
    keeper: Option<Keeper>,
}

impl Kept {
    pub(super) fn start(fleet: &str, dir: &std::path::Path, spec: ProxySpec) -> Self {
        let place = Arc::new(Processes::new(fleet, dir));
        let (wanted, _) = watch::channel(Some(spec));
        let (_, told) = mpsc::channel(1);
        let mut kept = Self { wanted, told, last: None, place: Some(place), keeper: None };
        kept.restart();
        kept
    }

    /// A keeper that was started elsewhere.
    pub(super) fn of(
        wanted: watch::Sender<Option<ProxySpec>>,
        told: mpsc::Receiver<HostUpdate>,
        keeper: Keeper,
    ) -> Self {
        Self { wanted, told, last: None, place: None, keeper: Some(keeper) }
    }

    /// Another keeper takes over from nothing.
    pub(super) fn restart(&mut self) {
        let (tell, told) = mpsc::channel(100);
        self.told = told;
        let host = HostName::new("h1").unwrap();
        self.keeper =
            Some(Keeper::at(self.place.clone().unwrap(), host, tell, self.wanted.subscribe(), Clock::machine()));
    }

    pub(super) fn want(&mut self, change: impl FnOnce(&mut ProxySpec)) {
        self.wanted.send_modify(|spec| change(spec.as_mut().unwrap()));
    }

    pub(super) async fn until(&mut self, what: &str, is_so: impl Fn(&ProxyView) -> bool) {
        let begin = Instant::now();
        while !self.last.as_ref().is_some_and(&is_so) {
            let left = Duration::from_secs(25).saturating_sub(begin.elapsed());
            match tokio::time::timeout(left, self.told.recv()).await {
                Ok(Some(HostUpdate { change: HostChange::Proxy(view), .. })) => self.last = view.map(|view| *view),
                other => panic!("{what}: {other:?}, last {:?}", self.last),
            }
        }
    }

    /// What is told next.
    pub(super) async fn next(&mut self) -> ProxyView {
        match self.told.recv().await {
            Some(HostUpdate { change: HostChange::Proxy(Some(view)), .. }) => *view,
            other => panic!("{other:?}"),
        }
    }

    /// Until these and no others are there, whether they answer or not.
    pub(super) async fn until_listed(&mut self, slots: &[u32]) {
        let digest = self.wanted.borrow().as_ref().unwrap().structure.digest();
        self.until(&format!("slots {slots:?} are there, and only they"), |view| {
            let Some(backend) = view.backends.get(&backend_name()) else { return false };
            let there: Vec<u32> = backend.servers.keys().map(|name| name.slot.0).collect();
            view.structure == digest.as_str() && there == slots
        })
        .await;
    }

    /// Wants none any more, and waits until there is none.
    pub(super) async fn gone(&mut self) {
        self.wanted.send_replace(None);
        loop {
            let update = tokio::time::timeout(Duration::from_secs(25), self.told.recv()).await.unwrap().unwrap();
            if matches!(update.change, HostChange::Proxy(None)) {
                return;
            }
        }
    }

    pub(super) async fn until_serving(&mut self, slots: &[u32]) {
        let digest = self.wanted.borrow().as_ref().unwrap().structure.digest();
        let what = format!("slots {slots:?} serve, and only they");
        self.until(&what, |view| {
            let Some(backend) = view.backends.get(&backend_name()) else { return slots.is_empty() };
            let serving: Vec<u32> =
                backend.servers.iter().filter(|(_, s)| s.is_ready && s.is_up).map(|(name, _)| name.slot.0).collect();
            let none_else = backend.servers.values().filter(|server| server.is_ready).count() == slots.len();
            view.structure == digest.as_str() && serving == slots && none_else
        })
        .await;
    }
}
