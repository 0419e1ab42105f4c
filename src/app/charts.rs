//! Charts: what is measured of one thing over time, and what uses most of it.

mod axis;
mod largest;
mod place;
mod unit;
mod words;

pub use axis::{Axis, Stretch, cells, stretch};
pub use largest::{Consumer, Kind, Largest, Order, kind};
pub use place::{Place, place};
pub use unit::Unit;
pub use words::{missing, why_none};

use super::{
    history::Measure,
    ids::{ReplicaId, ServiceId},
    screen::{View, Within},
    state::State,
};

/// What the operator set in charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Setting {
    /// How far back they reach, as a place in [`WINDOWS`].
    pub window: usize,
    /// The selected chart, as a place in [`Measure::ALL`].
    pub at: usize,
    /// It fills the page.
    pub is_zoomed: bool,
    /// Keys go to the list of what uses most.
    pub in_list: bool,
    /// What that list is ordered by.
    pub order: Order,
    /// What it lists, as a place among what there is to list.
    pub kind: usize,
}

/// How far back charts can reach, in minutes.
pub const WINDOWS: [i64; 4] = [10, 30, 60, 180];

impl Setting {
    /// The selected measure.
    pub fn measure(&self) -> Measure {
        Measure::ALL.get(self.at).copied().unwrap_or_default()
    }

    /// How far back they reach, in minutes.
    pub fn minutes(&self) -> i64 {
        WINDOWS.get(self.window).copied().unwrap_or(10)
    }
}

/// What charts of one thing belong to: one level up.
pub fn above(state: &State, of: &Within) -> Option<Within> {
    Some(match of {
        Within::All | Within::Operation(_) => return None,
        Within::Region(_) | Within::Stack(_) => Within::All,
        Within::Host(name) => Within::Region(state.fleet.host(name)?.0.name.clone()),
        Within::Service(id) => Within::Stack(id.stack.clone()),
        Within::Part(id, _) => Within::Service(id.clone()),
        Within::Replica(ReplicaId::Slot(key)) => Within::Service(ServiceId::own(&key.service)),
        Within::Replica(id) => Within::Service(state.index.replicas.iter().find(|row| row.id == *id)?.service.clone()),
    })
}

impl State {
    /// Works out anew what uses most, every few seconds or when something else is asked for; only while it is shown.
    pub(super) fn settle_charts(&mut self) {
        if self.screen().view != View::Charts {
            return;
        }
        let mut largest = std::mem::take(&mut self.largest);
        largest.settle(self);
        let screen = self.way.here_mut();
        let found = screen.selected.as_ref().and_then(|id| largest.rows.iter().position(|row| row.id == *id));
        screen.row = found.unwrap_or(screen.row).min(largest.rows.len().saturating_sub(1));
        // Keys act on a row only where they go to the list.
        let row = largest.rows.get(screen.row).filter(|_| screen.charts.in_list);
        screen.selected = row.map(|row| row.id.clone());
        self.largest = largest;
        let place = place(self);
        let screen = self.way.here_mut();
        let row = screen.charts.at / place.columns.max(1);
        screen.top = screen.top.min(row).max((row + 1).saturating_sub(place.shown)).min(place.rows - place.shown);
    }
}
