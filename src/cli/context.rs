//! What every command needs: the fleet, who asks, and the store.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Failure;
use crate::{
    config,
    model::Fleet,
    store::{ReadStore, Sqlite, Store},
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
        let choice = config::FleetChoice::from_process(fleet_file);
        let fleet = config::load_fleet(&choice)?;
        Ok(Self { fleet: Arc::new(fleet), fleet_file: fleet_file.map(Path::to_path_buf), who: config::identity() })
    }

    /// The store, to accept commands.
    pub(super) fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        Ok(Arc::new(Sqlite::open(&self.fleet.store)?))
    }

    /// The store, to read only. Empty while its file does not exist.
    pub(super) fn read_store(&self) -> Result<Arc<dyn ReadStore>, Failure> {
        Ok(Arc::new(Sqlite::open_read_only(&self.fleet.store)?))
    }
}
