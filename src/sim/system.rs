//! What an engine says about itself: ping, version, info, disk use.

use super::container::Status;
use super::engine::Engine;
use super::num;
use super::reply::{self, Body, over};
use http::Response;
use serde_json::{Value, json};

impl Engine {
    fn api_text(pair: (u32, u32)) -> String {
        format!("{}.{}", pair.0, pair.1)
    }

    /// The highest API version as text, such as `1.41`.
    pub(super) fn api(&self) -> String {
        Self::api_text(self.profile.api)
    }

    /// The lowest API version as text.
    pub(super) fn min_api(&self) -> String {
        Self::api_text(self.profile.min_api)
    }

    pub(super) fn version(&self) -> Response<Body> {
        let version = &self.profile.version;
        reply::ok(&json!({
            "Platform": {"Name": ""},
            "Components": [{
                "Name": "Engine", "Version": version,
                "Details": {
                    "ApiVersion": self.api(), "Arch": "amd64", "BuildTime": "2023-04-10T14:24:12.000000000+00:00", "Experimental": "false",
                    "GitCommit": "5d6db84", "GoVersion": "go1.19.8", "KernelVersion": "6.1.0-28-amd64",
                    "MinAPIVersion": self.min_api(), "Os": "linux",
                },
            }],
            "Version": version, "ApiVersion": self.api(), "MinAPIVersion": self.min_api(), "GitCommit": "5d6db84", "GoVersion": "go1.19.8",
            "Os": "linux", "Arch": "amd64", "KernelVersion": "6.1.0-28-amd64", "BuildTime": "2023-04-10T14:24:12.000000000+00:00",
        }))
    }

    pub(super) fn info(&self) -> Response<Body> {
        let state = self.lock();
        let count = |wanted: &dyn Fn(Status) -> bool| {
            num::signed(state.containers.values().filter(|c| wanted(c.status)).count())
        };
        let readers = i64::try_from(self.changed.listeners()).unwrap_or(0);
        let machine = json!({
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "OSVersion": "12", "OSType": "linux", "Architecture": "x86_64",
            "IndexServerAddress": "https://index.docker.io/v1/", "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {}, "Mirrors": []},
            "NCPU": self.profile.cpus, "MemTotal": self.profile.memory, "GenericResources": null, "DockerRootDir": "/var/lib/docker",
            "HttpProxy": "", "HttpsProxy": "", "NoProxy": "", "Name": self.profile.name, "Labels": self.profile.labels, "ExperimentalBuild": false,
            "ServerVersion": self.profile.version, "Runtimes": {"runc": {"path": "runc"}}, "DefaultRuntime": "runc",
            "Swarm": {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "", "RemoteManagers": null},
            "LiveRestoreEnabled": false, "Isolation": "", "InitBinary": "docker-init", "ContainerdCommit": {"ID": "", "Expected": ""},
            "RuncCommit": {"ID": "", "Expected": ""}, "InitCommit": {"ID": "", "Expected": ""},
            "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default", "name=cgroupns"], "Warnings": null,
        });
        let engine = json!({
            "ID": num::sha256(&self.profile.name).to_uppercase().chars().take(48).collect::<String>(),
            "Containers": num::signed(state.containers.len()),
            "ContainersRunning": count(&|s| matches!(s, Status::Running | Status::Restarting)), "ContainersPaused": count(&|s| s == Status::Paused),
            "ContainersStopped": count(&|s| matches!(s, Status::Created | Status::Exited | Status::Removing)),
            "Images": num::signed(state.images.len()), "Driver": "overlay2",
            "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"], ["Native Overlay Diff", "true"], ["userxattr", "false"]],
            "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"], "Authorization": null, "Log": ["json-file", "local", "none"]},
            "MemoryLimit": true, "SwapLimit": true, "CpuCfsPeriod": true, "CpuCfsQuota": true, "CPUShares": true, "CPUSet": true, "PidsLimit": true,
            "IPv4Forwarding": true, "BridgeNfIptables": true, "BridgeNfIp6tables": true, "Debug": false, "NFd": 24, "OomKillDisable": false,
            "NGoroutines": 34 + readers, "SystemTime": self.clock.now().to_string(), "LoggingDriver": "json-file", "CgroupDriver": "systemd",
            "CgroupVersion": "2", "NEventsListener": readers, "KernelVersion": "6.1.0-28-amd64",
        });
        reply::ok(&over(engine, &machine))
    }

    pub(super) fn disk_use(&self) -> Response<Body> {
        let state = self.lock();
        let size = |id: &str| num::hash(id) % 4_000_000;
        let images: Vec<Value> = state
            .images
            .values()
            .map(|image| {
                let users = state.containers.values().filter(|c| c.image_id == image.id).count();
                json!({
                    "Containers": users, "Created": image.created.as_second(), "Id": image.id.as_ref(), "Labels": null, "ParentId": "",
                    "RepoDigests": image.digests, "RepoTags": image.tags, "SharedSize": 0, "Size": image.size, "VirtualSize": image.size,
                })
            })
            .collect();
        let containers: Vec<Value> = state
            .containers
            .values()
            .map(|c| {
                json!({
                    "Id": c.id, "Names": [format!("/{}", c.name)], "Image": c.spec.image, "ImageID": c.image_id.as_ref(), "Command": "",
                    "Created": c.created.as_second(), "Ports": [], "SizeRw": size(&c.id), "SizeRootFs": size(&c.id), "Labels": c.label_map(),
                    "State": c.status.word(), "Status": c.status_text(self.clock.now()), "HostConfig": {"NetworkMode": "default"},
                    "NetworkSettings": {"Networks": {}}, "Mounts": [],
                })
            })
            .collect();
        let volumes: Vec<Value> = state
            .volumes
            .keys()
            .map(|name| {
                json!({
                    "Driver": "local", "Labels": {}, "Mountpoint": format!("/var/lib/docker/volumes/{name}/_data"), "Name": name, "Options": {},
                    "Scope": "local", "UsageData": {"RefCount": i64::from(state.volume_used(name)), "Size": size(name) * 40},
                })
            })
            .collect();
        let layers: u64 = state.images.values().map(|image| image.size).sum();
        reply::ok(&json!({
            "LayersSize": layers, "Images": images, "Containers": containers, "Volumes": volumes, "BuildCache": [], "BuilderSize": 0,
        }))
    }
}
