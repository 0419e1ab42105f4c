//! Files into and out of containers: `PUT`, `GET` and `HEAD /containers/{id}/archive`.

use super::container::{Container, File};
use super::engine::Engine;
use super::inspect::no_path;
use super::query::Query;
use super::reply::{self, Answer, Body, Refusal};
use base64::Engine as _;
use http::{HeaderValue, Response, header};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;

/// Bytes of one file that are kept; a simulator is no place for more.
const LARGEST: u64 = 8 << 20;

fn path_of(query: &Query) -> Result<String, Refusal> {
    query.text("path").map(clean).ok_or_else(|| Refusal::bad("bad parameter: 'path' cannot be empty"))
}

/// An absolute path without `.`, doubled or trailing slashes.
fn clean(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    format!("/{}", parts.join("/"))
}

fn unpack(data: &[u8], under: &str) -> std::io::Result<BTreeMap<String, File>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(data).entries()? {
        let entry = entry?;
        let path = clean(&format!("{under}/{}", entry.path()?.display()));
        let (mode, dir) = (entry.header().mode()?, entry.header().entry_type().is_dir());
        let mut content = Vec::new();
        entry.take(LARGEST).read_to_end(&mut content)?;
        files.insert(path, File { mode, dir, data: Arc::from(content) });
    }
    Ok(files)
}

fn pack(root: &str, files: &[(&String, &File)]) -> std::io::Result<Vec<u8>> {
    let parent = root.rsplit_once('/').map_or("", |(parent, _)| parent);
    let mut tar = tar::Builder::new(Vec::new());
    for (path, file) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(file.mode);
        header.set_size(u64::try_from(file.data.len()).unwrap_or(0));
        header.set_entry_type(if file.dir { tar::EntryType::Directory } else { tar::EntryType::Regular });
        let name = path.strip_prefix(parent).unwrap_or(path).trim_start_matches('/');
        tar.append_data(&mut header, name, file.data.as_ref())?;
    }
    tar.into_inner()
}

/// A path and everything below it.
fn below<'a>(container: &'a Container, path: &str) -> Vec<(&'a String, &'a File)> {
    let prefix = format!("{}/", path.trim_end_matches('/'));
    let files = container.extra.iter().flat_map(|extra| &extra.files);
    files.filter(|(name, _)| *name == path || name.starts_with(&prefix)).collect()
}

fn with_stat(mut answer: Response<Body>, path: &str, files: &[(&String, &File)]) -> Response<Body> {
    let dir = files.first().is_none_or(|(name, file)| *name != path || file.dir);
    let (mode, size) = files.first().map_or((0o755, 4096), |(_, file)| (file.mode, file.data.len()));
    // Go marks directories in the mode's highest bit.
    let mode = if dir { u64::from(mode) | 1 << 31 } else { u64::from(mode) };
    let name = path.rsplit('/').next().unwrap_or_default();
    let stat = json!({"name": name, "size": size, "mode": mode, "mtime": "2026-01-01T00:00:00Z", "linkTarget": ""});
    let text = base64::engine::general_purpose::STANDARD.encode(stat.to_string());
    if let Ok(value) = HeaderValue::from_str(&text) {
        answer.headers_mut().insert("x-docker-container-path-stat", value);
    }
    answer
}

impl Engine {
    pub(super) fn archive_put(&self, wanted: &str, query: &Query, data: &[u8]) -> Answer {
        let under = path_of(query)?;
        let files =
            unpack(data, &under).map_err(|error| Refusal::bad(format!("Error processing tar file: {error}")))?;
        let mut state = self.lock();
        let id = state.find(wanted)?;
        state.container_mut(&id)?.extra().files.extend(files);
        self.emit_container(&mut state, &id, "extract-to-dir", &[]);
        Ok(reply::empty(200))
    }

    pub(super) fn archive_get(&self, wanted: &str, query: &Query, head: bool) -> Answer {
        let path = path_of(query)?;
        let state = self.lock();
        let container = state.container(wanted)?;
        let files = below(container, &path);
        if files.is_empty() {
            return Err(no_path(&path, wanted));
        }
        let body = if head {
            reply::empty(200)
        } else {
            let mut answer =
                reply::bytes(200, pack(&path, &files).map_err(|error| Refusal::new(500, error.to_string()))?);
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
            answer
        };
        Ok(with_stat(body, &path, &files))
    }
}
