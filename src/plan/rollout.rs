//! How a change of containers is paced, and which of two copies goes first.

use jiff::Timestamp;

use super::{eligible::pinned_volume, next::Work, operation, standing::made, view::ServiceView};
use crate::model::{Defaults, HostName, Order, Place, RolloutSpec, ServiceSpec, StackShared};

/// What a service's file says of its releases, or of rolling one back that failed.
pub(crate) fn rollout(spec: &ServiceSpec, back: bool) -> Option<&RolloutSpec> {
    if back { spec.deploy.rollback.as_ref() } else { spec.deploy.update.as_ref() }
}

/// Slots of a service that may be in replacement at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Where the new copy goes first.
    pub starts: usize,
    /// Where the old copy stops first.
    pub stops: usize,
}

impl Pace {
    /// What the file says, else a share of all, at least one. Back goes all that was changed, at once: the copies of a
    /// release that has failed may fall sick any moment. But those that must stop first still serve, and go by share.
    pub fn of(spec: Option<&ServiceSpec>, defaults: &Defaults, replicas: usize, back: bool) -> Self {
        let said = |back| spec.and_then(|spec| rollout(spec, back)).and_then(|rollout| rollout.parallelism);
        let all = replicas.max(1);
        let number = |said: u32| if said == 0 { all } else { usize::try_from(said).unwrap_or(usize::MAX) };
        let share = (replicas as f64 * defaults.batch_share).ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=1e6")]
        let share = share.clamp(1.0, 1e6) as usize;
        match said(back) {
            Some(said) => Self { starts: number(said), stops: number(said) },
            None if back => Self { starts: all, stops: said(false).map_or(share, number) },
            None => Self { starts: share, stops: share },
        }
    }
}

/// Replicas of a service that do their work at least, in a region where so many are wanted, also while a release
/// replaces them: all but the batch that its file or the fleet lets be in replacement at once, and one in any case.
pub fn floor(spec: Option<&ServiceSpec>, defaults: &Defaults, replicas: usize) -> usize {
    replicas.saturating_sub(Pace::of(spec, defaults, replicas, false).stops).max(replicas.min(1))
}

/// When the next batch may begin, where the service's file asks for a pause.
pub(crate) fn pause_between(work: &Work<'_, '_>, view: &ServiceView<'_>, spec: &ServiceSpec) -> Option<Timestamp> {
    let delay = rollout(spec, operation::rolls_back(work, view.key))?.delay.filter(|delay| !delay.is_zero())?;
    let newest = view.slots.iter().filter_map(|slot| slot.wanted.as_ref());
    let newest =
        newest.filter(|(seen, _)| operation::is_new(work, view.key, seen)).filter_map(|(seen, _)| made(seen)).max()?;
    newest.checked_add(delay + work.defaults().min_healthy).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_goes_faster_unless_the_file_says_how_fast() {
        let pace = |update: Option<u32>, rollback: Option<u32>, back: bool| {
            let says = |parallelism: Option<u32>| {
                parallelism.map(|it| RolloutSpec { parallelism: Some(it), ..RolloutSpec::default() })
            };
            let mut spec = ServiceSpec::default();
            (spec.deploy.update, spec.deploy.rollback) = (says(update), says(rollback));
            let Pace { starts, stops } = Pace::of(Some(&spec), &Defaults::default(), 8, back);
            (starts, stops)
        };
        for (update, rollback, forth, back) in [
            (None, None, (2, 2), (8, 2)),
            (Some(3), None, (3, 3), (8, 3)),
            (Some(0), None, (8, 8), (8, 8)),
            (None, Some(1), (2, 2), (1, 1)),
            (Some(4), Some(0), (4, 4), (8, 8)),
        ] {
            assert_eq!(pace(update, rollback, false), forth, "{update:?} {rollback:?}");
            assert_eq!(pace(update, rollback, true), back, "{update:?} {rollback:?}, back");
        }
        assert_eq!(Pace::of(None, &Defaults::default(), 0, true), Pace { starts: 1, stops: 1 });
    }

    #[test]
    fn the_floor_is_all_but_a_batch_and_never_none() {
        for (replicas, said, least) in
            [(0, None, 0), (1, None, 1), (2, None, 1), (4, None, 3), (8, None, 6), (8, Some(3), 5), (8, Some(0), 1)]
        {
            let mut spec = ServiceSpec::default();
            spec.deploy.update =
                said.map(|parallelism| RolloutSpec { parallelism: Some(parallelism), ..RolloutSpec::default() });
            assert_eq!(floor(Some(&spec), &Defaults::default(), replicas), least, "{replicas} {said:?}");
        }
    }
}
