//! Volumes, binds and memory that a replica mounts.

use std::collections::BTreeSet;

use bollard::models::{
    Mount as Body, MountBindOptions, MountBindOptionsPropagationEnum as Propagation, MountTmpfsOptions, MountType,
    MountVolumeOptions,
};

use super::{CreateRequest, signed};
use crate::{
    engine::{
        error::{ErrorKind, Fault},
        network::volume_name,
    },
    model::MountSource,
};

/// Mounts in the two forms that engines take.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    /// `source:target:options`: the only form that makes a missing directory on every engine.
    pub binds: Vec<String>,
    /// The full form.
    pub mounts: Vec<Body>,
}

pub(super) fn mounts(request: &CreateRequest<'_>) -> Result<Mounts, Fault> {
    let mut out = Mounts::default();
    for mount in &request.spec.mounts {
        let target = &mount.target;
        let body = Body { target: Some(target.clone()), read_only: Some(mount.read_only), ..Body::default() };
        match &mount.source {
            MountSource::Volume { name, nocopy, subpath } => {
                let source = volume_name(&request.replica.service.stack, name, request.shared.volumes.get(name));
                let options = (*nocopy || subpath.is_some()).then(|| MountVolumeOptions {
                    no_copy: Some(*nocopy),
                    subpath: subpath.clone(),
                    ..MountVolumeOptions::default()
                });
                out.mounts.push(Body {
                    typ: Some(MountType::VOLUME),
                    source: Some(source),
                    volume_options: options,
                    ..body
                });
            }
            MountSource::Anonymous => out.mounts.push(Body { typ: Some(MountType::VOLUME), ..body }),
            MountSource::Bind { path, create: true, propagation } if !path.contains(':') && !target.contains(':') => {
                let mut options = vec![if mount.read_only { "ro" } else { "rw" }];
                options.extend(propagation.as_deref());
                out.binds.push(format!("{path}:{target}:{}", options.join(",")));
            }
            MountSource::Bind { path, propagation, .. } => out.mounts.push(Body {
                typ: Some(MountType::BIND),
                source: Some(path.clone()),
                bind_options: propagation.as_deref().map(bind_options).transpose()?,
                ..body
            }),
            MountSource::Tmpfs { size, mode } => out.mounts.push(Body {
                typ: Some(MountType::TMPFS),
                tmpfs_options: Some(MountTmpfsOptions {
                    size_bytes: size.map(signed),
                    mode: mode.map(i64::from),
                    ..MountTmpfsOptions::default()
                }),
                // Memory that cannot be written would be of no use.
                read_only: None,
                ..body
            }),
        }
    }
    out.mounts.extend(room_for_files(request)?);
    Ok(out)
}

fn bind_options(word: &str) -> Result<MountBindOptions, Fault> {
    let propagation = match word {
        "private" => Propagation::PRIVATE,
        "rprivate" => Propagation::RPRIVATE,
        "shared" => Propagation::SHARED,
        "rshared" => Propagation::RSHARED,
        "slave" => Propagation::SLAVE,
        "rslave" => Propagation::RSLAVE,
        _ => {
            return Err(Fault::new(
                ErrorKind::Invalid,
                &format!("`{word}` is no mount propagation"),
                "use private, rprivate, shared, rshared, slave or rslave",
            ));
        }
    };
    Ok(MountBindOptions { propagation: Some(propagation), ..MountBindOptions::default() })
}

/// Engines put no file into a root that cannot be written, only into volumes: each directory of configs and secrets
/// becomes one. It is removed with the container, and begins with what the image has there.
fn room_for_files(request: &CreateRequest<'_>) -> Result<Vec<Body>, Fault> {
    if !request.spec.read_only {
        return Ok(Vec::new());
    }
    let mut directories = BTreeSet::new();
    for file in &request.spec.files {
        let parent = file.target.rsplit_once('/').map_or("", |(parent, _)| parent);
        let inside = |mount: &str| {
            let mount = mount.trim_end_matches('/');
            parent == mount || parent.strip_prefix(mount).is_some_and(|rest| rest.starts_with('/'))
        };
        if parent.is_empty() {
            return Err(Fault::new(
                ErrorKind::Invalid,
                &format!("{} cannot be put into a root that is `read_only`", file.target),
                "give it a target in a directory, such as /etc/app/config",
            ));
        }
        if !request.spec.mounts.iter().any(|mount| inside(&mount.target)) {
            directories.insert(parent.to_owned());
        }
    }
    Ok(directories
        .into_iter()
        .map(|target| Body { typ: Some(MountType::VOLUME), target: Some(target), ..Body::default() })
        .collect())
}
