//! What a replica's container carries of its revision, so that a lost store can be built again from the hosts.
//!
//! It is a label, and labels are read by many: monitoring exports them, `docker ps` prints them. So it holds nothing
//! that the same container's inspection tells anyway, and nothing in confidence: of variables, labels and options there
//! are only the names, of configs, secrets and certificates not the content. [`Record::fill`] puts back what an engine
//! tells of the container; the content of files is read from the container itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Container, HostName, MountSource, ReplicaOf, Revision, RevisionNo, Sensitive, ServiceKey, ServiceSpec, StackShared,
    credentials, short_digest,
};

/// The form that this version writes, and the newest that it reads.
const FORM: u32 = 1;

/// The network of services that name none.
const DEFAULT_NETWORK: &str = "default";

/// A revision and what of its stack it needs, without what is confidential until it is filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The revision.
    pub revision: Revision,
    /// Networks and volumes that it uses, and the addresses of its stack.
    pub shared: StackShared,
}

/// A replica that is there, and what it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Recalled {
    /// On which host.
    pub host: HostName,
    /// The container.
    pub container: Container,
    /// Which replica it is, by its labels.
    pub of: ReplicaOf,
    /// What it was made from, as far as it is known; or why that is not.
    pub record: Result<Record, String>,
    /// What of the record could not be read, in words.
    pub lacks: Vec<String>,
}

/// What an engine tells of a container that a record leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// Variables.
    pub environment: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The command.
    pub command: Vec<String>,
    /// The entry point.
    pub entrypoint: Vec<String>,
    /// The words of the health check.
    pub check: Vec<String>,
    /// Options of the log driver.
    pub log_options: BTreeMap<String, String>,
    /// Options of the drivers of its volumes, by the volume's key in the stack.
    pub volume_options: BTreeMap<String, BTreeMap<String, String>>,
}

/// The label's text: everything but what other labels say.
#[derive(Serialize, Deserialize)]
struct Written {
    v: u32,
    revision: Value,
    #[serde(default)]
    shared: Value,
}

impl Record {
    /// Of a revision, and what the stack shares.
    pub fn of(revision: &Revision, shared: &StackShared) -> Self {
        let mut record = Self { revision: revision.clone(), shared: used(&revision.spec, shared) };
        blank(&mut record.revision.spec);
        for volume in record.shared.volumes.values_mut() {
            volume.driver_opts.values_mut().for_each(String::clear);
        }
        record
    }

    /// The label's text. The same record gives the same text, always.
    pub fn to_label(&self) -> String {
        let mut revision = serde_json::to_value(&self.revision).unwrap_or_default();
        let plain = serde_json::to_value(ServiceSpec::default()).unwrap_or_default();
        if let Value::Object(fields) = &mut revision {
            // Other labels say these.
            fields.remove("service");
            fields.remove("no");
            if let Some(spec) = fields.get_mut("spec") {
                without(spec, &plain);
            }
        }
        let mut shared = serde_json::to_value(&self.shared).unwrap_or_default();
        without(&mut shared, &serde_json::to_value(StackShared::default()).unwrap_or_default());
        compact(&mut revision);
        compact(&mut shared);
        serde_json::to_string(&Written { v: FORM, revision, shared }).unwrap_or_default()
    }

    /// Reads a label. The error says what is wrong with it.
    pub fn read(label: &str, service: &ServiceKey, no: RevisionNo) -> Result<Self, String> {
        let damaged = |error: serde_json::Error| format!("its record does not read ({error})");
        let written: Written = serde_json::from_str(label).map_err(damaged)?;
        if written.v > FORM {
            return Err(format!("its record is of a newer wharf (form {}, this one reads {FORM})", written.v));
        }
        let mut revision = written.revision;
        if let Value::Object(fields) = &mut revision {
            fields.insert("service".to_owned(), Value::String(service.to_string()));
            fields.insert("no".to_owned(), Value::from(no.0));
        }
        let revision = serde_json::from_value(revision).map_err(damaged)?;
        let shared = if written.shared.is_null() {
            StackShared::default()
        } else {
            serde_json::from_value(written.shared).map_err(damaged)?
        };
        Ok(Self { revision, shared })
    }

    /// Puts back what the engine tells of the container. Gives what it does not tell, in words. Contents of files and
    /// certificates are still to come.
    pub fn fill(&mut self, told: &Inspection) -> Vec<String> {
        let spec = &mut self.revision.spec;
        let mut lacks = Vec::new();
        for (name, value) in &mut spec.environment {
            match told.environment.get(name) {
                Some(known) => *value = Sensitive(known.clone()),
                None => lacks.push(format!("the value of ${name}")),
            }
        }
        let mut words = |to: &mut BTreeMap<String, String>, from: &BTreeMap<String, String>, what: &str| {
            for (name, value) in to {
                match from.get(name) {
                    Some(known) => value.clone_from(known),
                    None => lacks.push(format!("the {what} {name}")),
                }
            }
        };
        words(&mut spec.labels, &told.labels, "label");
        if let Some(logging) = &mut spec.logging {
            words(&mut logging.options, &told.log_options, "log option");
        }
        let nothing = BTreeMap::new();
        for (key, volume) in &mut self.shared.volumes {
            let from = told.volume_options.get(key).unwrap_or(&nothing);
            words(&mut volume.driver_opts, from, &format!("option of volume {key},"));
        }
        for (list, known) in [(&mut spec.command, &told.command), (&mut spec.entrypoint, &told.entrypoint)] {
            if let Some(list) = list.as_mut().filter(|list| !list.is_empty()) {
                list.clone_from(known);
            }
        }
        if let Some(check) = spec.healthcheck.as_mut().filter(|check| !check.test.is_empty()) {
            check.test.clone_from(&told.check);
        }
        if spec.wharf.test.as_ref().is_some_and(Vec::is_empty) {
            spec.wharf.test = None;
            lacks.push("the command of its test, which names a confidence".to_owned());
        }
        lacks
    }

    /// Digests of the certificates that are still to be put back (see [`Record::certify`]).
    pub fn certificates(&self) -> BTreeSet<String> {
        let entries = self.revision.spec.wharf.entry.iter();
        entries.filter_map(|entry| Some(entry.certificate.as_ref()?.pem.reveal().to_owned())).collect()
    }

    /// Puts certificates back, by digest. Gives what is not there, in words; such an entry has none from then on.
    pub fn certify(&mut self, found: &BTreeMap<String, Sensitive>) -> Vec<String> {
        let mut lacks = Vec::new();
        for entry in &mut self.revision.spec.wharf.entry {
            let Some(certificate) = &mut entry.certificate else { continue };
            if let Some(pem) = found.get(certificate.pem.reveal()) {
                certificate.pem = pem.clone();
            } else {
                lacks.push(format!("the certificate of port {}", entry.port));
                entry.certificate = None;
            }
        }
        lacks
    }
}

/// What a spec uses of what its stack shares.
fn used(spec: &ServiceSpec, shared: &StackShared) -> StackShared {
    let is_used = |key: &str| {
        spec.networks.contains_key(key)
            || (spec.networks.is_empty() && spec.network_mode.is_none() && key == DEFAULT_NETWORK)
    };
    let mounted: BTreeSet<&str> = spec
        .mounts
        .iter()
        .filter_map(|mount| match &mount.source {
            MountSource::Volume { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let networks = shared.networks.iter().filter(|(key, _)| is_used(key));
    let volumes = shared.volumes.iter().filter(|(key, _)| mounted.contains(key.as_str()));
    StackShared {
        networks: networks.map(|(key, spec)| (key.clone(), spec.clone())).collect(),
        volumes: volumes.map(|(key, spec)| (key.clone(), spec.clone())).collect(),
        addresses: shared.addresses.clone(),
    }
}

/// Takes out what is confidential, or what the container's inspection tells.
fn blank(spec: &mut ServiceSpec) {
    spec.environment.values_mut().for_each(|value| value.0.clear());
    spec.labels.values_mut().for_each(String::clear);
    for list in [&mut spec.command, &mut spec.entrypoint].into_iter().flatten() {
        hide(list);
    }
    if let Some(check) = &mut spec.healthcheck {
        hide(&mut check.test);
    }
    if let Some(logging) = &mut spec.logging {
        logging.options.values_mut().for_each(String::clear);
    }
    spec.files.iter_mut().for_each(|file| file.content.0.clear());
    for certificate in spec.wharf.entry.iter_mut().filter_map(|entry| entry.certificate.as_mut()) {
        // The name of its file in the proxies.
        certificate.pem = Sensitive(short_digest(certificate.pem.reveal().as_bytes()));
    }
    // No inspection tells it: with a confidence in it, it is better lost than in the open.
    if let Some(test) = &mut spec.wharf.test {
        let line = test.join(" ");
        if credentials(&line) != line {
            test.clear();
        }
    }
}

/// One empty word says that there are words.
fn hide(list: &mut Vec<String>) {
    if !list.is_empty() {
        *list = vec![String::new()];
    }
}

/// Takes out of `value` what is as in `plain`: reading puts defaults where nothing is said.
fn without(value: &mut Value, plain: &Value) {
    if let (Value::Object(fields), Value::Object(plain)) = (value, plain) {
        fields.retain(|key, field| {
            let Some(usual) = plain.get(key) else { return true };
            if field == usual {
                return false;
            }
            without(field, usual);
            true
        });
    }
}

/// Takes nothings out: a field that may be nothing is so where it is not said.
fn compact(value: &mut Value) {
    match value {
        Value::Object(fields) => compact_fields(fields),
        Value::Array(values) => values.iter_mut().for_each(compact),
        _ => {}
    }
}

fn compact_fields(fields: &mut Map<String, Value>) {
    fields.retain(|_, field| !field.is_null());
    fields.values_mut().for_each(compact);
}

#[cfg(test)]
mod tests;
