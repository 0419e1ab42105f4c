//! Configs and secrets as a tar archive, for the engine to unpack into a container that has not started.

use std::collections::BTreeMap;

use super::error::{ErrorKind, Fault};
use crate::model::FileMount;

/// Archives by the directory into which each is unpacked: one for `/`, or, where the root cannot be written, one for
/// each directory with files, because that is a volume then.
pub(crate) fn archives(files: &[FileMount], read_only_root: bool) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
    let mut by_directory: BTreeMap<&str, Vec<&FileMount>> = BTreeMap::new();
    for file in files {
        let parent = file.target.rsplit_once('/').map_or("", |(parent, _)| parent);
        by_directory.entry(if read_only_root { parent } else { "" }).or_default().push(file);
    }
    by_directory
        .into_iter()
        .map(|(directory, files)| {
            let path = if directory.is_empty() { "/" } else { directory };
            Ok((path.to_owned(), archive(directory, &files)?))
        })
        .collect()
}

/// One archive, by paths below `base`. Directories are not in it: existing ones keep their owner and mode, and the
/// engine makes missing ones.
fn archive(base: &str, files: &[&FileMount]) -> Result<Vec<u8>, Fault> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let path = file.target.strip_prefix(base).unwrap_or(&file.target).trim_start_matches('/');
        let bad = |why: &str| {
            Fault::new(
                ErrorKind::Invalid,
                &format!("the file of `{}` cannot be put at {}: {why}", file.name, file.target),
                "correct its target in the stack file",
            )
        };
        if !file.target.starts_with('/') || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(bad("the target is no plain absolute path"));
        }
        let content = file.content.reveal().as_bytes();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(file.mode & 0o7777);
        header.set_uid(u64::from(file.uid));
        header.set_gid(u64::from(file.gid));
        header.set_entry_type(tar::EntryType::Regular);
        archive.append_data(&mut header, path, content).map_err(|error| bad(&error.to_string()))?;
    }
    archive.into_inner().map_err(|error| Fault::new(ErrorKind::Invalid, &error.to_string(), ""))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::model::Sensitive;

    fn file(target: &str, content: &str) -> FileMount {
        FileMount {
            name: "conf".into(),
            target: target.into(),
            content: Sensitive(content.into()),
            secret: true,
            uid: 1000,
            gid: 50,
            mode: 0o440,
        }
    }

    #[test]
    fn files_arrive_with_owner_and_mode() {
        let long = format!("/run/secrets/{}", "x".repeat(150));
        let packed = archives(&[file("/etc/app.conf", "a=1\n"), file(&long, "s")], false).unwrap();
        let mut found = Vec::new();
        for entry in tar::Archive::new(packed["/"].as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = format!("/{}", entry.path().unwrap().display());
            let header = entry.header();
            assert_eq!((header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0o440, 1000, 50));
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            found.push((path, content));
        }
        assert_eq!(found, [("/etc/app.conf".to_owned(), "a=1\n".to_owned()), (long, "s".to_owned())]);
    }

    #[test]
    fn a_root_that_cannot_be_written_gets_an_archive_per_directory() {
        let packed = archives(&[file("/etc/a/x", "1"), file("/run/secrets/y", "2")], true).unwrap();
        let names = |archive: &[u8]| {
            let mut archive = tar::Archive::new(archive);
            archive
                .entries()
                .unwrap()
                .map(|entry| entry.unwrap().path().unwrap().display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&packed["/etc/a"]), ["x"]);
        assert_eq!(names(&packed["/run/secrets"]), ["y"]);
    }

    #[test]
    fn a_target_that_climbs_is_refused_and_the_secret_is_not_told() {
        for target in ["/../etc/passwd", "relative", "/", "/a//b", "/a/./b"] {
            let fault = archives(&[file(target, "hunter2")], false).unwrap_err();
            assert_eq!(fault.kind, ErrorKind::Invalid, "{target}");
            assert!(!fault.why.as_str().contains("hunter2"));
        }
    }
}
