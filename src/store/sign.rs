//! Signs of life: a file beside the store that an open store keeps locked from its first lease on. The kernel drops the
//! lock with the process, however that ends, so that the lease of a dead holder is free at once. Where there is no sign
//! (it could not be made, or an older wharf holds the lease) the lease runs out by its time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{model::Life, text::Text};

/// The sign of this open store; gone when it is dropped.
#[derive(Debug)]
pub(super) struct Sign {
    path: PathBuf,
    _locked: File,
}

impl Drop for Sign {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// The file of an owner's sign.
fn path(store: &Path, owner: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(format!("-holder-{owner}"));
    PathBuf::from(name)
}

/// Makes the sign; none where that fails: then others wait for the lease's time.
pub(super) fn raise(store: &Path, owner: &str) -> Option<Sign> {
    let path = path(store, owner);
    // Others only read it. Nothing is in it.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path).ok()?;
    file.try_lock().ok()?;
    Some(Sign { path, _locked: file })
}

/// True when the owner's process has surely ended.
pub(super) fn is_dead(store: &Path, owner: &str) -> bool {
    let Ok(file) = File::open(path(store, owner)) else { return false };
    !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock | TryLockError::Error(_)))
}

/// Whether the owner lives, whose words for people are `holder`.
pub(super) fn life(store: &Path, owner: &str, holder: &Text) -> Life {
    match File::open(path(store, owner)).map(|file| file.try_lock_shared()) {
        Ok(Ok(())) => Life::Ended,
        Ok(Err(TryLockError::WouldBlock)) => Life::Lives,
        Ok(Err(TryLockError::Error(_))) | Err(_) if is_no_process(holder) => Life::Gone,
        Ok(Err(TryLockError::Error(_))) | Err(_) => Life::Unknown,
    }
}

/// True when `user@machine:pid` names this machine, and no such process is here.
fn is_no_process(holder: &Text) -> bool {
    let uname = rustix::system::uname();
    let here = uname.nodename().to_string_lossy();
    let Some((machine, pid)) = holder.as_str().rsplit_once('@').and_then(|(_, at)| at.rsplit_once(':')) else {
        return false;
    };
    let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
    let is_here = here.split('.').next() == Some(machine);
    is_here && pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

/// True when a process that took a lease of this store lives, whoever it is.
pub(super) fn is_any_alive(store: &Path) -> bool {
    let (Some(dir), Some(name)) = (store.parent(), store.file_name()) else { return false };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let mut begin = name.to_owned();
    begin.push("-holder-");
    let begin = begin.to_string_lossy().into_owned();
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut owners =
        entries.filter_map(|entry| entry.file_name().to_string_lossy().strip_prefix(&begin).map(str::to_owned));
    owners.any(|owner| path(store, &owner).exists() && !is_dead(store, &owner))
}

/// Takes away what a dead owner left.
pub(super) fn clear(store: &Path, owner: &str) {
    drop(fs::remove_file(path(store, owner)));
}
