//! `wharf host import`: a fleet file from the Docker contexts of this machine.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path, process::ExitCode};

use super::{Failure, print};
use crate::{
    config::{self, Environment},
    text::Text,
};

/// Prints the file, or writes it. What an existing file says stays as it is.
pub(super) fn import(output: Option<&Path>, only: &[String]) -> Result<ExitCode, Failure> {
    let mut contexts = config::docker_contexts(&Environment::current());
    for name in only {
        if !contexts.iter().any(|context| context.name == *name) {
            let known: Vec<&str> = contexts.iter().map(|context| context.name.as_str()).collect();
            return Err(Failure::Input(format!(
                "there is no Docker context `{}`; there are: {}",
                Text::new(name),
                known.join(", ")
            )));
        }
    }
    contexts.retain(|context| only.is_empty() || only.contains(&context.name));
    let Some(path) = output else {
        print::out(&config::render_import(&contexts, None));
        return Ok(ExitCode::SUCCESS);
    };
    let failed =
        |what: &str, error: &std::io::Error| Failure::Failed(format!("{} cannot be {what}: {error}", path.display()));
    let existing = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed("read", &error)),
    };
    if let Some(text) = &existing {
        // Adding to a file that is wrong already would bury the mistake.
        config::parse_fleet(text, path, &Environment::current())?;
    }
    let text = config::render_import(&contexts, existing.as_deref());
    if existing.as_deref() == Some(text.as_str()) {
        print::line(&format!("{} has all contexts already", path.display()));
        return Ok(ExitCode::SUCCESS);
    }
    // Written beside it and moved over it: a full disk leaves the old file whole.
    let new = path.with_extension("toml.new");
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    if let Err(error) = write() {
        let _ = std::fs::remove_file(&new);
        return Err(failed("written", &error));
    }
    print::line(&format!("written: {}; look it over, then: wharf --fleet {} doctor", path.display(), path.display()));
    Ok(ExitCode::SUCCESS)
}
