//! How the operator likes each view: its order and its columns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    screen::{Screen, View},
    table::Col,
};

/// What is remembered of one view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ViewPrefs {
    /// The column it is sorted by; none for its own order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<Col>,
    /// The other way round.
    pub inverted: bool,
    /// All columns.
    pub wide: bool,
}

impl ViewPrefs {
    /// What a screen has.
    pub fn of(screen: &Screen) -> Self {
        // Regions come and go: their columns are known by number only.
        let sort = screen.sort.filter(|col| !matches!(col, Col::RegionCell(_)));
        Self { sort, inverted: screen.inverted, wide: screen.wide }
    }

    /// Gives it to a screen.
    fn apply(self, screen: &mut Screen) {
        (screen.sort, screen.inverted, screen.wide) = (self.sort, self.inverted, self.wide);
    }
}

/// What is remembered, by view.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prefs(BTreeMap<View, ViewPrefs>);

impl Prefs {
    /// A new screen, as the operator likes its view.
    pub fn screen(&self, screen: Screen) -> Screen {
        let mut screen = screen;
        if let Some(prefs) = self.0.get(&screen.view) {
            prefs.apply(&mut screen);
        }
        screen
    }

    /// Remembers how a screen is. False when that was known.
    pub fn remember(&mut self, screen: &Screen) -> bool {
        let new = ViewPrefs::of(screen);
        self.0.insert(screen.view, new).unwrap_or_default() != new
    }
}
