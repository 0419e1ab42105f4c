//! Where the local ends of forwards live: a private directory with a short path.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Once,
    time::Duration,
};

use crate::engine::error::{ErrorKind, Fault};

/// A socket's path may have 107 bytes (`sun_path`); ssh adds up to 17 while it binds.
const MAX_PATH: usize = 90;

/// A socket that is younger may be one on which its ssh is just about to listen.
const SETTLED: Duration = Duration::from_secs(60);

/// A new path for a socket, in a directory that only we can enter.
pub(super) fn socket_path() -> Result<PathBuf, Fault> {
    static SWEPT: Once = Once::new();
    let dir = directory()?;
    SWEPT.call_once(|| sweep(&dir, SETTLED));
    Ok(dir.join(format!("{:08x}.sock", fastrand::u32(..))))
}

fn directory() -> Result<PathBuf, Fault> {
    let uid = rustix::process::getuid().as_raw();
    let short = PathBuf::from(format!("/tmp/wharf-{uid}"));
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(|dir| Path::new(&dir).join("wharf"));
    let fits = |dir: &PathBuf| dir.is_absolute() && dir.as_os_str().len() + "/00000000.sock".len() <= MAX_PATH;
    let mut trouble = None;
    for dir in runtime.into_iter().filter(fits).chain([short]) {
        match private(&dir, uid) {
            Ok(()) => return Ok(dir),
            Err(error) => trouble = Some((dir, error)),
        }
    }
    let why = trouble.map(|(dir, error)| format!("{}: {error}", dir.display())).unwrap_or_default();
    Err(Fault::new(
        ErrorKind::Setup,
        &format!("there is no private directory for the sockets of SSH forwards: {why}"),
        "remove or correct it, or set XDG_RUNTIME_DIR to a directory of your own",
    ))
}

/// Makes `dir`, or checks that it is ours alone: in /tmp anybody could have made it first.
fn private(dir: &Path, uid: u32) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(dir)?;
    if !found.is_dir() || found.uid() != uid || found.mode() & 0o077 != 0 {
        return Err(io::Error::other("exists, but is not a directory that only this user can enter"));
    }
    Ok(())
}

/// Removes what killed processes left: sockets on which nobody listens, and which are older than `age`.
fn sweep(dir: &Path, age: Duration) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let old =
            entry.metadata().and_then(|found| found.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|is| is >= age));
        let dead = old
            && path.extension().is_some_and(|ending| ending == "sock")
            && std::os::unix::net::UnixStream::connect(&path)
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if dead {
            drop(fs::remove_file(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_that_others_can_enter_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let uid = rustix::process::getuid().as_raw();
        let dir = base.path().join("own");
        private(&dir, uid).unwrap();
        private(&dir, uid).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(private(&dir, uid).is_err());
        let link = base.path().join("link");
        std::os::unix::fs::symlink(base.path(), &link).unwrap();
        assert!(private(&link, uid).is_err());
    }

    #[test]
    fn only_dead_sockets_are_swept() {
        let base = tempfile::tempdir().unwrap();
        let alive = std::os::unix::net::UnixListener::bind(base.path().join("alive.sock")).unwrap();
        drop(std::os::unix::net::UnixListener::bind(base.path().join("dead.sock")).unwrap());
        fs::write(base.path().join("notes"), "").unwrap();
        sweep(base.path(), Duration::from_secs(3600));
        assert!(base.path().join("dead.sock").exists());
        sweep(base.path(), Duration::ZERO);
        assert!(base.path().join("alive.sock").exists());
        assert!(base.path().join("notes").exists());
        assert!(!base.path().join("dead.sock").exists());
        drop(alive);
    }
}
