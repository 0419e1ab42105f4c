//! One engine for one task: no watching, no reconnecting.

use tokio::sync::watch;

use super::{
    console::Console,
    dial::MemoryDial,
    error::EngineError,
    handle::Handle,
    reader::Reader,
    session::{Session, Way, way_of},
};
use crate::{
    clock::Clock,
    model::{FleetName, Host, HostName},
};

/// Opens an engine by its fleet entry, to act on it. The way there, an SSH forward for example, lives as long as the
/// returned value or a clone of it.
pub async fn open(fleet: &FleetName, host: &Host) -> Result<Handle, EngineError> {
    connect(fleet, &host.name, &way_of(host)).await.map(Handle::new)
}

/// Opens an engine by its fleet entry, to look only.
pub async fn open_reader(fleet: &FleetName, host: &Host) -> Result<Reader, EngineError> {
    connect(fleet, &host.name, &way_of(host)).await
}

/// Opens an engine by its fleet entry, to talk with its containers.
pub async fn open_console(fleet: &FleetName, host: &Host) -> Result<Console, EngineError> {
    connect(fleet, &host.name, &way_of(host)).await.map(Console::new)
}

/// Opens an engine in this process.
pub async fn open_memory(fleet: &FleetName, host: &HostName, dial: MemoryDial) -> Result<Handle, EngineError> {
    connect(fleet, host, &Way::Memory(dial)).await.map(Handle::new)
}

async fn connect(fleet: &FleetName, host: &HostName, way: &Way) -> Result<Reader, EngineError> {
    let session = Session::open(fleet, host, way, Clock::machine()).await?;
    let (_, current) = watch::channel(Ok(session));
    Ok(Reader { host: host.clone(), current, clock: Clock::machine() })
}
