//! What every command needs: the fleet, who asks, and the store.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Failure;
use crate::{
    config,
    model::{Fleet, Origin},
    store::{Options, ReadStore, Retention, Sqlite, Store},
};

/// The fleet and who asks.
pub(super) struct Context {
    /// The fleet.
    pub fleet: Arc<Fleet>,
    /// The file it was asked for with, to hand on to a reconciler.
    pub fleet_file: Option<PathBuf>,
    /// `login@machine`.
    pub who: String,
}

impl Context {
    /// Finds and reads the fleet file, or takes the Docker context.
    pub(super) fn load(fleet_file: Option<&Path>) -> Result<Self, Failure> {
        let choice = config::FleetChoice {
            flag: fleet_file.map(Path::to_path_buf),
            environment: config::Environment::current(),
        };
        let loaded = config::load(&choice)?;
        for warning in &loaded.warnings {
            super::print::complain(&warning.to_string());
        }
        Ok(Self {
            fleet: Arc::new(loaded.fleet),
            fleet_file: fleet_file.map(Path::to_path_buf),
            who: config::identity(),
        })
    }

    /// The file that the fleet comes from, when it is one.
    pub(super) fn source(&self) -> Option<PathBuf> {
        let found = || Some(PathBuf::from(&self.fleet.origin)).filter(|path| path.is_file());
        self.fleet_file.clone().or_else(found)
    }

    /// The store, to accept commands.
    pub(super) fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        // What is kept is a matter of the whole fleet: the first region's defaults, which are the fleet's own unless
        // that region says otherwise.
        let retention = self.fleet.regions.first().map(|region| Retention::from(&region.defaults)).unwrap_or_default();
        let store = Sqlite::open_with(
            &self.fleet.store,
            Options { retention, origin: self.origin(), rules: self.fleet.rules(), ..Options::default() },
        )?;
        if let Some(warning) = store.warning() {
            super::print::complain(&warning);
        }
        Ok(Arc::new(store))
    }

    /// The way by which who asks came here, with the groups where a role asks for them.
    pub(super) fn origin(&self) -> Origin {
        let mut origin = config::origin();
        if self.fleet.rules().asks_for_groups() {
            let login = self.who.rsplit_once('@').map_or(self.who.as_str(), |(login, _)| login);
            origin.groups = config::groups_of(login);
        }
        origin
    }

    /// The store, to read only. Empty while its file does not exist.
    pub(super) fn read_store(&self) -> Result<Arc<dyn ReadStore>, Failure> {
        Ok(Arc::new(Sqlite::open_read_only(&self.fleet.store)?))
    }
}
