//! How the operator likes views, from one time to the next: `views.toml` in the state directory.

use std::{fs, io::Write as _, path::PathBuf};

use crate::{app::prefs::Prefs, config::Environment};

fn path() -> PathBuf {
    Environment::current().state_dir.join("views.toml")
}

/// What was remembered; nothing where it cannot be read: it is a comfort, no more.
pub(super) fn load() -> Prefs {
    let text = fs::read_to_string(path()).unwrap_or_default();
    toml::from_str(&text).unwrap_or_else(|error| {
        tracing::warn!("what was remembered of the views cannot be read: {error}");
        Prefs::default()
    })
}

/// Keeps it. Another screen may do so at the same time: the later one stays, and never half of both.
pub(super) fn save(prefs: &Prefs) {
    let written = || -> std::io::Result<()> {
        let path = path();
        let dir = path.parent().unwrap_or(&path);
        fs::create_dir_all(dir)?;
        let text = toml::to_string(prefs).map_err(std::io::Error::other)?;
        let new = dir.join(format!("views.toml.{}", std::process::id()));
        fs::File::create(&new)?.write_all(text.as_bytes())?;
        fs::rename(&new, &path)
    };
    if let Err(error) = written() {
        tracing::warn!("how views are liked cannot be kept: {error}");
    }
}
