//! What the process was started with: the one place that looks.

use std::{collections::BTreeMap, path::PathBuf};

use directories::ProjectDirs;

/// Variables, directories and user, as arguments for everything else here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The home directory.
    pub home: PathBuf,
    /// The working directory.
    pub current_dir: PathBuf,
    /// The user's configuration of wharf: `~/.config/wharf`.
    pub config_dir: PathBuf,
    /// The machine's configuration of wharf: `/etc/wharf`.
    pub system_dir: PathBuf,
    /// The user's state of wharf: `~/.local/state/wharf`.
    pub state_dir: PathBuf,
    /// Where anyone may make files: `/tmp`.
    pub temp_dir: PathBuf,
    /// Docker's socket where nothing says otherwise: `/var/run/docker.sock`.
    pub docker_socket: PathBuf,
    /// The user's number.
    pub uid: u32,
    /// The name that the machine knows for it; none where it knows none.
    pub login: Option<String>,
    /// The machine's name.
    pub machine: String,
}

impl Environment {
    /// This process's.
    pub fn current() -> Self {
        let home = directories::BaseDirs::new().map_or_else(|| "/".into(), |dirs| dirs.home_dir().to_owned());
        let project = ProjectDirs::from("", "", "wharf");
        let dir = |of: &dyn Fn(&ProjectDirs) -> Option<PathBuf>, other: &str| {
            project.as_ref().and_then(of).unwrap_or_else(|| home.join(other))
        };
        Self {
            // Variables that are not text mean nothing to us.
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            config_dir: dir(&|dirs| Some(dirs.config_dir().to_owned()), ".config/wharf"),
            state_dir: dir(&|dirs| dirs.state_dir().map(ToOwned::to_owned), ".local/state/wharf"),
            system_dir: "/etc/wharf".into(),
            // Not `TMPDIR`: it can be too long for the path of a socket.
            temp_dir: "/tmp".into(),
            docker_socket: "/var/run/docker.sock".into(),
            current_dir: std::env::current_dir().unwrap_or_else(|_| "/".into()),
            uid: rustix::process::geteuid().as_raw(),
            login: super::identity::login_of(rustix::process::geteuid().as_raw()),
            machine: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            home,
        }
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_one() {
        let environment = Environment::current();
        assert!(environment.config_dir.ends_with("wharf") && environment.config_dir.is_absolute());
        assert!(environment.state_dir.is_absolute());
        assert!(!environment.machine.is_empty());
        assert!(environment.variable("PATH").is_some() && environment.variable("NO_SUCH_VARIABLE").is_none());
        let identity = super::super::identity();
        assert!(identity.contains('@') && !identity.starts_with('@'), "{identity}");
    }
}
