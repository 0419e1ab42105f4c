//! A view's text into a file.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

/// Writes `text` into a new file of the directory that the program was started in, or of the directory for
/// temporary files where that cannot be written. Gives its path. Only the owner can read it.
pub fn write(text: &str, now: Timestamp) -> std::io::Result<PathBuf> {
    let name = format!("wharf-{}.txt", now.strftime("%Y%m%d-%H%M%S"));
    write_in(Path::new("."), &name, text).or_else(|_| write_in(&std::env::temp_dir(), &name, text))
}

fn write_in(dir: &Path, name: &str, text: &str) -> std::io::Result<PathBuf> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = dir.join(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    Ok(path)
}
