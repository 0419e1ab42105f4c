//! What the containers of this fleet on a host tell of what was wanted of them: a lost store is built again from it.

use std::{collections::BTreeMap, io::Read as _};

use http::Method;
use serde_json::Value;

use super::{
    adopt::read::Look,
    error::{EngineError, ErrorKind, Fault},
    http::{collect, encode, within},
    network::volume_name,
    reader::{Reader, SHORT},
    session::Session,
};
use crate::model::{
    ContainerId, FleetName, Inspection, Owner, Recalled, Record, ReplicaOf, Sensitive, StackName, label,
};

/// A config or secret of more bytes is not read: Compose and Swarm take no larger ones.
const MAX_FILE: usize = 4 << 20;

/// A file in a container.
struct Placed {
    content: String,
    /// It is as it was put there: files that wharf puts have no date.
    is_untouched: bool,
}

impl Reader {
    /// The replicas of the fleet on this host with what they were made from. Asks; changes nothing. Contents of
    /// certificates are not with them: those are in the proxies (see [`Reader::file`]).
    pub async fn recall(&self, fleet: &FleetName) -> Result<Vec<Recalled>, EngineError> {
        let ours = self.list_labelled(&format!("{}={fleet}", label::FLEET)).await?;
        let mut all = Vec::new();
        for container in ours {
            let Owner::Replica(of) = &container.owner else { continue };
            let of = of.clone();
            match self.record_of(&container.id, &of).await {
                Ok((record, lacks)) => {
                    all.push(Recalled { host: self.host().clone(), of, record, lacks, container });
                }
                // It went while it was looked at.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// A text file of a container; none where there is no such file.
    pub async fn file(&self, id: &ContainerId, path: &str) -> Result<Option<Sensitive>, EngineError> {
        let placed = self.ask("read a file of a container", async |session| placed(session, id, path).await).await?;
        Ok(placed.map(|placed| Sensitive(placed.content)))
    }

    async fn record_of(
        &self,
        id: &ContainerId,
        of: &ReplicaOf,
    ) -> Result<(Result<Record, String>, Vec<String>), EngineError> {
        self.ask("read what a container was made from", async |session| {
            let path = format!("/containers/{}/json", encode(id.0.as_str()));
            let inspected: Value = session.http.json(&path, SHORT).await?;
            let it = Look(&inspected);
            let labels = it.at("/Config/Labels").words();
            let Some(text) = labels.get(label::RECORD) else {
                return Ok((Err("it was made by a wharf that wrote no record".to_owned()), Vec::new()));
            };
            let mut record = match Record::read(text, &of.key.service, of.revision) {
                Ok(record) => record,
                Err(why) => return Ok((Err(why), Vec::new())),
            };
            let volume_options = volumes(session, &of.key.service.stack, &record).await;
            let mut lacks = record.fill(&Inspection { volume_options, ..told(it) });
            for file in &mut record.revision.spec.files {
                match placed(session, id, &file.target).await {
                    Ok(Some(placed)) => {
                        if !placed.is_untouched {
                            lacks.push(format!("{} as it was: it was changed in the container", file.target));
                        }
                        file.content = Sensitive(placed.content);
                    }
                    Ok(None) => lacks.push(format!("the content of {}: it is not there any more", file.target)),
                    Err(fault) if matches!(fault.kind, ErrorKind::Unreachable | ErrorKind::LostAnswer) => {
                        return Err(fault);
                    }
                    Err(fault) => lacks.push(format!("the content of {}: {}", file.target, fault.why)),
                }
            }
            Ok((Ok(record), lacks))
        })
        .await
    }
}

/// What an inspection tells that a record leaves out.
fn told(it: Look<'_>) -> Inspection {
    let lines = it.at("/Config/Env").strings();
    let pair = |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Inspection {
        environment: lines.into_iter().filter_map(pair).collect(),
        labels: it.at("/Config/Labels").words(),
        command: it.at("/Config/Cmd").strings(),
        entrypoint: it.at("/Config/Entrypoint").strings(),
        check: it.at("/Config/Healthcheck/Test").strings(),
        log_options: it.at("/HostConfig/LogConfig/Config").words(),
        volume_options: BTreeMap::new(),
    }
}

/// Options of the volumes that have some. One that is not there tells none.
async fn volumes(session: &Session, stack: &StackName, record: &Record) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    for (key, spec) in record.shared.volumes.iter().filter(|(_, spec)| !spec.driver_opts.is_empty()) {
        let path = format!("/volumes/{}", encode(&volume_name(stack, key, Some(spec))));
        if let Ok(found) = session.http.json::<Value>(&path, SHORT).await {
            options.insert(key.clone(), Look(&found).at("/Options").words());
        }
    }
    options
}

/// A file of a container. The engine gives it as an archive of one.
async fn placed(session: &Session, id: &ContainerId, path: &str) -> Result<Option<Placed>, Fault> {
    let asked = format!("/containers/{}/archive?path={}", encode(id.0.as_str()), encode(path));
    let answer = within(SHORT, async {
        let response = session.http.send(Method::GET, &asked, http::HeaderMap::new(), None).await?;
        collect(response.into_body(), MAX_FILE).await
    });
    match answer.await {
        Ok(bytes) => unpack(&bytes),
        Err(fault) if fault.kind == ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn unpack(archive: &[u8]) -> Result<Option<Placed>, Fault> {
    let nonsense =
        |why: &str| Fault::new(ErrorKind::Garbage, &format!("the engine's archive does not read: {why}"), "");
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().map_err(|error| nonsense(&error.to_string()))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| nonsense(&error.to_string()))?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            continue;
        }
        let is_untouched = entry.header().mtime().is_ok_and(|at| at == 0);
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| nonsense(&error.to_string()))?;
        let content = String::from_utf8(bytes).map_err(|_| nonsense("it is no text"))?;
        return Ok(Some(Placed { content, is_untouched }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(tar::EntryType, u64, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (kind, at, data) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mtime(*at);
            header.set_size(data.len() as u64);
            header.set_mode(0o400);
            tar.append_data(&mut header, "key", *data).unwrap();
        }
        tar.into_inner().unwrap()
    }

    #[test]
    fn a_file_tells_whether_somebody_changed_it() {
        for (at, is_untouched) in [(0, true), (1_800_000_000, false)] {
            let placed = unpack(&archive(&[(tar::EntryType::Regular, at, b"s3cret")])).unwrap().unwrap();
            assert_eq!((placed.content.as_str(), placed.is_untouched), ("s3cret", is_untouched));
        }
    }

    #[test]
    fn what_is_no_file_is_none_and_nonsense_is_said() {
        assert!(unpack(&archive(&[(tar::EntryType::Directory, 0, b"")])).unwrap().is_none());
        assert!(unpack(&[]).unwrap().is_none());
        let fault = unpack(&archive(&[(tar::EntryType::Regular, 0, b"\xff\xfe")])).err().unwrap();
        assert_eq!((fault.kind, fault.why.as_str().contains("no text")), (ErrorKind::Garbage, true));
        assert!(unpack(&[7; 700]).is_err());
    }
}
