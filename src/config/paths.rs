//! Where wharf keeps files.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use super::{ConfigError, Environment};

/// Longest runtime directory, in bytes: a socket's whole path must stay below 108 (`sun_path`), and OpenSSH adds
/// a random suffix of 17 to a forward's socket while it makes it.
const MAX_RUNTIME: usize = 64;

/// The store of a fleet that names none.
pub fn default_store(environment: &Environment, fleet: &str) -> PathBuf {
    environment.state_dir.join(format!("{fleet}.db"))
}

/// The directory for sockets, ours alone; made where it is missing. `$XDG_RUNTIME_DIR/wharf`, or `/tmp/wharf-UID`
/// where there is none, it is not ours (as after `sudo`), or it is too long for a socket's path.
pub fn runtime_dir(environment: &Environment) -> Result<PathBuf, ConfigError> {
    let session = environment.variable("XDG_RUNTIME_DIR").map(Path::new).filter(|dir| is_ours(environment, dir));
    let dir = session
        .map(|dir| dir.join("wharf"))
        .filter(|dir| dir.as_os_str().len() <= MAX_RUNTIME)
        .unwrap_or_else(|| environment.temp_dir.join(format!("wharf-{}", environment.uid)));
    own_dir(environment, &dir)?;
    Ok(dir)
}

fn is_ours(environment: &Environment, dir: &Path) -> bool {
    dir.is_absolute() && fs::metadata(dir).is_ok_and(|dir| dir.is_dir() && dir.uid() == environment.uid)
}

/// Makes a directory that nobody else can look into, or checks that it is one.
fn own_dir(environment: &Environment, dir: &Path) -> Result<(), ConfigError> {
    let refuse = |why: String| ConfigError::Directory { path: dir.display().to_string(), why };
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refuse(format!("cannot be made: {error}"))),
    }
    // Anyone may make names in /tmp: a link or another's directory there would let them at our sockets.
    let found = fs::symlink_metadata(dir).map_err(|error| refuse(error.to_string()))?;
    if !found.is_dir() {
        return Err(refuse("is not a directory: remove it".to_owned()));
    }
    if found.uid() != environment.uid {
        return Err(refuse(format!("belongs to user {}: ask them to remove it, or set XDG_RUNTIME_DIR", found.uid())));
    }
    if found.mode() & 0o077 != 0 {
        return Err(refuse(format!("is open to others: run `chmod 700 {}`", dir.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn env(runtime: Option<&Path>, temp: &Path) -> Environment {
        let uid = rustix::process::geteuid().as_raw();
        let mut env = Environment { uid, temp_dir: temp.to_owned(), ..Environment::default() };
        if let Some(dir) = runtime {
            env.variables.insert("XDG_RUNTIME_DIR".to_owned(), dir.display().to_string());
        }
        env
    }

    #[test]
    fn the_sessions_directory_is_used_when_it_is_ours() {
        let (dir, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut env = env(Some(dir.path()), temp.path());
        let ours = runtime_dir(&env).unwrap();
        assert_eq!(ours, dir.path().join("wharf"));
        assert_eq!(fs::metadata(&ours).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(runtime_dir(&env).unwrap(), ours, "and again");

        // Somebody else's session, and a directory in /tmp that somebody else made first.
        env.uid += 1;
        let other = temp.path().join(format!("wharf-{}", env.uid));
        fs::create_dir(&other).unwrap();
        let words = runtime_dir(&env).unwrap_err().to_string();
        assert!(words.starts_with(&format!("{}: belongs to user {}", other.display(), env.uid - 1)), "{words}");
    }

    #[test]
    fn long_and_missing_ones_are_not() {
        let (dir, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let long = dir.path().join("x".repeat(70));
        fs::create_dir(&long).unwrap();
        let fallback = temp.path().join(format!("wharf-{}", rustix::process::geteuid().as_raw()));
        for runtime in [Some(long.as_path()), None, Some(Path::new("relative")), Some(Path::new("/nowhere"))] {
            assert_eq!(runtime_dir(&env(runtime, temp.path())).unwrap(), fallback);
        }
    }

    #[test]
    fn what_others_could_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let wharf = dir.path().join("wharf");
        fs::create_dir(&wharf).unwrap();
        fs::set_permissions(&wharf, fs::Permissions::from_mode(0o755)).unwrap();
        let words = runtime_dir(&env(Some(dir.path()), dir.path())).unwrap_err().to_string();
        assert_eq!(words, format!("{0}: is open to others: run `chmod 700 {0}`", wharf.display()));
        fs::remove_dir(&wharf).unwrap();
        symlink("/tmp", &wharf).unwrap();
        let words = runtime_dir(&env(Some(dir.path()), dir.path())).unwrap_err().to_string();
        assert!(words.ends_with("is not a directory: remove it"), "{words}");
    }
}
