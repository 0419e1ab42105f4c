//! Notices that the fleet file says something else by now: a host was added while we run.

use std::path::{Path, PathBuf};

/// A fleet file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetFile {
    path: PathBuf,
    content: Vec<u8>,
}

impl FleetFile {
    /// Remembers what the file says now; none when it cannot be read.
    pub fn read(path: &Path) -> Option<Self> {
        let content = std::fs::read(path).ok()?;
        Some(Self { path: path.to_owned(), content })
    }

    /// True when it says something else by now. A file that cannot be read now has not changed: an editor may be
    /// writing it.
    pub fn has_changed(&self) -> bool {
        std::fs::read(&self.path).is_ok_and(|now| !now.is_empty() && now != self.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_are_noticed_and_absence_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.toml");
        assert_eq!(FleetFile::read(&path), None);
        std::fs::write(&path, "a").unwrap();
        let file = FleetFile::read(&path).unwrap();
        assert!(!file.has_changed());
        std::fs::write(&path, "").unwrap();
        assert!(!file.has_changed(), "being written");
        std::fs::write(&path, "b").unwrap();
        assert!(file.has_changed());
        std::fs::remove_file(&path).unwrap();
        assert!(!file.has_changed());
    }
}
