//! What engines say, as far as it is used. Every field may be missing, null or of another type than expected: then it
//! is empty. States and kinds stay words, so that a newer engine's new word breaks nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

/// The field's value, or its default where it is null or of another type.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<T> {
        Fits(T),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Either::deserialize(from)? {
        Either::Fits(value) => value,
        Either::Other(_) => T::default(),
    })
}

macro_rules! wire {
    ($($(#[$doc:meta])* $name:ident { $($wire:literal $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(default)]
        pub(crate) struct $name {
            $(#[serde(rename = $wire, deserialize_with = "lenient")] pub $field: $type,)*
        }
    )*};
}

type Words = BTreeMap<String, String>;

wire! {
    /// `GET /version`.
    Version {
        "Version" number: String,
        "ApiVersion" api: String,
        "MinAPIVersion" min_api: String,
        "Os" os: String,
        "Arch" arch: String,
    }
    /// `GET /info`.
    Info {
        "OperatingSystem" os_name: String,
        "Architecture" arch: String,
        "NCPU" cpus: u32,
        "MemTotal" memory: u64,
        "SystemTime" time: String,
        "DockerRootDir" root: String,
    }
    /// A line of `GET /containers/json`.
    Listed {
        "Id" id: String,
        "Names" names: Vec<String>,
        "Image" image: String,
        "ImageID" image_id: String,
        "Created" created: i64,
        "Ports" ports: Vec<ListedPort>,
        "Labels" labels: Words,
        "State" state: String,
        "Status" status: String,
        "NetworkSettings" networks: Networks,
    }
    /// A line of `GET /containers/json`, as far as it says what the container uses.
    User {
        "Id" id: String,
        "ImageID" image_id: String,
        "Mounts" mounts: Vec<Mounted>,
        "NetworkSettings" networks: Networks,
    }
    /// A mount in a list.
    Mounted {
        "Type" kind: String,
        "Name" name: String,
    }
    /// A port in a list.
    ListedPort {
        "IP" address: String,
        "PrivatePort" target: u16,
        "PublicPort" published: Option<u16>,
        "Type" protocol: String,
    }
    /// The networks of a container.
    Networks {
        "Networks" networks: BTreeMap<String, Option<serde::de::IgnoredAny>>,
        "Ports" ports: BTreeMap<String, Option<Vec<Bound>>>,
    }
    /// A port in an inspection.
    Bound {
        "HostIp" address: String,
        "HostPort" port: String,
    }
    /// `GET /containers/ID/json`.
    Inspected {
        "Id" id: String,
        "Name" name: String,
        "Created" created: String,
        "Image" image_id: String,
        "RestartCount" restarts: u32,
        "State" state: State,
        "Config" config: Config,
        "NetworkSettings" networks: Networks,
    }
    /// The state in an inspection.
    State {
        "Status" status: String,
        "OOMKilled" oom: bool,
        "ExitCode" code: i64,
        "StartedAt" started: String,
        "FinishedAt" finished: String,
        "Health" health: HealthState,
    }
    /// The health in an inspection.
    HealthState {
        "Status" status: String,
    }
    /// The configuration in an inspection.
    Config {
        "Image" image: String,
        "Labels" labels: Words,
        "Tty" tty: bool,
    }
    /// A line of `GET /images/json`.
    ListedImage {
        "Id" id: String,
        "RepoTags" tags: Vec<String>,
        "RepoDigests" digests: Vec<String>,
        "Size" size: u64,
        "Created" created: i64,
    }
    /// A line of `GET /events`.
    Event {
        "Type" kind: String,
        "Action" action: String,
        "Actor" actor: Actor,
        "time" time: i64,
        "timeNano" time_nano: i64,
    }
    /// Whom an event is about.
    Actor {
        "ID" id: String,
        "Attributes" attributes: Words,
    }
    /// A line of `GET /networks`.
    Network {
        "Id" id: String,
        "Name" name: String,
        "Driver" driver: String,
        "Created" created: String,
        "Labels" labels: Words,
        "IPAM" ipam: Ipam,
    }
    /// Address management of a network.
    Ipam {
        "Config" config: Vec<IpamConfig>,
    }
    /// One range of a network.
    IpamConfig {
        "Subnet" subnet: String,
    }
    /// `GET /volumes`.
    Volumes {
        "Volumes" volumes: Vec<Volume>,
    }
    /// One volume.
    Volume {
        "Name" name: String,
        "Driver" driver: String,
        "CreatedAt" created: String,
        "Labels" labels: Words,
    }
    /// `GET /distribution/IMAGE/json`.
    Distribution {
        "Descriptor" descriptor: Descriptor,
    }
    /// What the registry has under a name.
    Descriptor {
        "digest" digest: String,
    }
    /// `GET /images/IMAGE/json`.
    InspectedImage {
        "Id" id: String,
        "RepoDigests" digests: Vec<String>,
        "Config" config: ImageConfig,
    }
    /// What an image says of its containers.
    ImageConfig {
        "ExposedPorts" exposed: BTreeMap<String, serde_json::Value>,
    }
    /// `GET /containers/ID/top`.
    Top {
        "Titles" titles: Vec<String>,
        "Processes" processes: Vec<Vec<String>>,
    }
    /// A line of `GET /containers/ID/changes`.
    FileChange {
        "Path" path: String,
        "Kind" kind: u8,
    }
    /// A line of `GET /images/IMAGE/history`.
    Layer {
        "Created" created: i64,
        "CreatedBy" by: String,
        "Size" size: u64,
        "Tags" tags: Vec<String>,
    }
    /// `GET /system/df`.
    Disk {
        "LayersSize" layers: u64,
        "Containers" containers: Vec<DiskContainer>,
        "Volumes" volumes: Vec<DiskVolume>,
        "BuildCache" build: Vec<DiskBuild>,
    }
    /// Disk use of a container.
    DiskContainer {
        "SizeRw" size: u64,
    }
    /// Disk use of a volume.
    DiskVolume {
        "Name" name: String,
        "UsageData" usage: DiskUsage,
    }
    /// Bytes of a volume; -1 where the driver cannot say.
    DiskUsage {
        "Size" size: i64,
    }
    /// Disk use of a build.
    DiskBuild {
        "Size" size: u64,
    }
    /// A line of a pull.
    Pull {
        "status" status: String,
        "id" id: String,
        "progressDetail" detail: PullDetail,
        "error" error: String,
    }
    /// How far a layer is.
    PullDetail {
        "current" current: u64,
        "total" total: u64,
    }
    /// The answer to a creation.
    Created {
        "Id" id: String,
    }
    /// `GET /containers/ID/stats`.
    Stats {
        "read" read: String,
        "cpu_stats" cpu: CpuStats,
        "memory_stats" memory: MemoryStats,
        "networks" networks: BTreeMap<String, NetworkStats>,
        "blkio_stats" blkio: BlkioStats,
    }
    /// Processor time.
    CpuStats {
        "cpu_usage" usage: CpuUsage,
        "system_cpu_usage" system: u64,
        "online_cpus" online: u32,
    }
    /// Processor time of the container.
    CpuUsage {
        "total_usage" total: u64,
        "percpu_usage" per_cpu: Vec<u64>,
    }
    /// Memory.
    MemoryStats {
        "usage" usage: u64,
        "stats" stats: BTreeMap<String, u64>,
    }
    /// Traffic of one interface.
    NetworkStats {
        "rx_bytes" rx: u64,
        "tx_bytes" tx: u64,
    }
    /// Block devices.
    BlkioStats {
        "io_service_bytes_recursive" bytes: Vec<BlkioEntry>,
    }
    /// One count of a block device.
    BlkioEntry {
        "op" op: String,
        "value" value: u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_null_and_wrong_fields_are_empty() {
        let listed: Listed = serde_json::from_str(
            r#"{"Id":"a","Names":null,"Ports":{"what":1},"Labels":null,"State":7,"Created":"yesterday","New":[1]}"#,
        )
        .unwrap();
        assert_eq!(listed.id, "a");
        assert!(listed.names.is_empty() && listed.ports.is_empty() && listed.labels.is_empty());
        assert_eq!((listed.state.as_str(), listed.created), ("", 0));
        let empty: Inspected = serde_json::from_str("{}").unwrap();
        assert_eq!(empty.restarts, 0);
        // One label of a wrong type costs the labels, not the container.
        let odd: Listed = serde_json::from_str(r#"{"Id":"b","Labels":{"a":"1","b":2}}"#).unwrap();
        assert_eq!(odd.id, "b");
    }
}
