//! How a change of containers is paced, and which of two copies goes first.

use super::eligible::pinned_volume;
use crate::model::{Defaults, HostName, Order, Place, ServiceSpec, StackShared};

/// Slots of a service that may be in replacement at once: what its file says, else a share of all, at least one.
pub(crate) fn batch(spec: Option<&ServiceSpec>, defaults: &Defaults, replicas: usize) -> usize {
    let said = spec.and_then(|spec| spec.deploy.update.as_ref()).and_then(|update| update.parallelism);
    match said {
        Some(0) => replicas.max(1),
        Some(said) => usize::try_from(said).unwrap_or(usize::MAX),
        None => {
            let share = (replicas as f64 * defaults.batch_share).ceil();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=1e6")]
            let share = share.clamp(1.0, 1e6) as usize;
            share
        }
    }
}

/// An old copy and what takes its place.
pub(crate) struct Exchange<'a> {
    pub old_host: &'a HostName,
    /// The spec of the old copy; none when its revision is not known any more.
    pub old_spec: Option<&'a ServiceSpec>,
    pub place: &'a Place,
    pub spec: &'a ServiceSpec,
    pub shared: Option<&'a StackShared>,
    /// Replicas wanted of the service in the region.
    pub replicas: usize,
}

impl Exchange<'_> {
    /// Why the old copy must be gone before the new one can be made; none when the new one goes first.
    pub fn stop_first(&self) -> Option<String> {
        let same_host = *self.old_host == self.place.host;
        if same_host && let Some(port) = self.port() {
            return Some(format!("fixed host port {port}"));
        }
        if same_host
            && self.replicas == 1
            && let Some(volume) = pinned_volume(self.spec, self.shared)
        {
            return Some(format!("its volume {volume} is for one at a time"));
        }
        let said = self.spec.deploy.update.as_ref().and_then(|update| update.order);
        (said == Some(Order::StopFirst)).then(|| "its file says stop-first".into())
    }

    fn port(&self) -> Option<u16> {
        let mut new = self.spec.fixed_ports();
        match self.old_spec {
            Some(old) => new.find(|port| old.fixed_ports().any(|held| held == *port)),
            None => new.next(),
        }
        .map(|(port, _)| port)
    }
}
