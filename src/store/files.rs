//! The store's file and directory: who may read them, and whether the file is still the same one.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, Metadata, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rustix::fs::{Access, AtFlags, CWD};

use super::StoreError;

/// Which file a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Of a file that was looked at.
    pub(super) fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino() }
    }
}

/// Makes the directory (for its owner alone) and the file where they are missing. A new file is for its owner
/// alone too, unless the directory is meant for a group: group-writable, and handing its group down (setgid).
/// SQLite gives its side files the same mode.
///
/// The file is never opened here: closing it again would drop the locks that this process's open stores hold on it
/// (POSIX locks belong to the process). So a new one is made under another name and linked into place.
pub(super) fn prepare(path: &Path) -> Result<FileId, StoreError> {
    let said = |error: io::Error| explain(path, &error);
    prepare_dir(path)?;
    if look(path)?.is_none() {
        create(path).map_err(said)?;
    }
    let file = fs::metadata(path).map_err(said)?;
    if !file.is_file() {
        let why = if file.is_dir() { "it is a directory" } else { "it is not a plain file" };
        return Err(StoreError::Foreign { path: path.display().to_string(), why: why.to_owned() });
    }
    rustix::fs::accessat(CWD, path, Access::READ_OK | Access::WRITE_OK, AtFlags::EACCESS)
        .map_err(|error| said(error.into()))?;
    Ok(FileId::of(&file))
}

/// Makes the store's directory, for its owner alone, where it is missing.
pub(super) fn prepare_dir(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|error| explain(path, &error))
}

/// Gives a file the mode that the store at `path` has to have.
pub(super) fn adopt_mode(path: &Path, file: &Path) -> io::Result<()> {
    fs::set_permissions(file, Permissions::from_mode(if is_shared(path) { 0o660 } else { 0o600 }))
}

/// An empty file with its final mode, or the one that someone else made meanwhile.
fn create(path: &Path) -> io::Result<()> {
    let mut name = OsString::from(path);
    name.push(format!(".new-{}", uuid::Uuid::now_v7().simple()));
    let fresh = Path::new(&name);
    drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(fresh)?);
    let linked = (|| {
        adopt_mode(path, fresh)?;
        match fs::hard_link(fresh, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    })();
    fs::remove_file(fresh)?;
    linked
}

/// True when the file's directory is a group's.
fn is_shared(path: &Path) -> bool {
    const SETGID_AND_GROUP_WRITE: u32 = 0o2020;
    let Some(parent) = path.parent() else { return false };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    parent.metadata().is_ok_and(|dir| dir.mode() & SETGID_AND_GROUP_WRITE == SETGID_AND_GROUP_WRITE)
}

/// Looks at the file; none when it does not exist.
pub(super) fn look(path: &Path) -> Result<Option<Metadata>, StoreError> {
    match fs::metadata(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(explain(path, &error)),
    }
}

/// Words for what the file system said.
pub(super) fn explain(path: &Path, error: &io::Error) -> StoreError {
    let name = path.display().to_string();
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreError::Permission {
            path: name,
            detail: error.to_string(),
            advice: "ask its owner for access, or set another `store` in the fleet file; a directory for several \
                     operators is group-writable with the setgid bit (chmod g+ws)"
                .to_owned(),
        },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path: name },
        io::ErrorKind::IsADirectory => StoreError::Foreign { path: name, why: "it is a directory".to_owned() },
        // Making the directory found a file in its place.
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            StoreError::Foreign { path: name, why: "a part of the path is not a directory".to_owned() }
        }
        _ => StoreError::Io { path: name, detail: error.to_string() },
    }
}

/// A warning when the file is on a network file system: SQLite's locks do not hold between machines there.
#[cfg(target_os = "linux")]
pub(super) fn warning(path: &Path) -> Option<String> {
    /// `statfs(2)`: NFS, SMB, CIFS, SMB2.
    const NETWORK: [u32; 4] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42];
    let kind = rustix::fs::statfs(path).ok()?.f_type;
    // The field is signed and wide on some machines; the numbers are 32 bits everywhere.
    let kind = u32::try_from(kind & 0xffff_ffff).ok()?;
    NETWORK.contains(&kind).then(|| {
        format!(
            "the store {} is on a network file system: never use it from several machines at once, or set a local \
             `store` in the fleet file",
            path.display()
        )
    })
}

/// Not known elsewhere.
#[cfg(not(target_os = "linux"))]
pub(super) fn warning(_: &Path) -> Option<String> {
    None
}
