//! Specs and the bodies that they become.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::*;
use crate::model::{
    CheckSpec, Deploy, EntrySpec, ExposedPort, FileMount, Logging, Mount, MountSource, NetworkSpec, Port, PortMode,
    Protocol, RegionName, Resources, Sensitive, Slot, VolumeSpec, WharfSpec,
};

#[test]
fn a_test_is_no_replica_and_has_no_name_that_others_find() {
    let spec = ServiceSpec {
        labels: [("proxy.enable".to_owned(), "true".to_owned())].into(),
        environment: [("A".to_owned(), Sensitive("1".into()))].into(),
        ports: vec![port(8080, Some(80), PortMode::Ingress), port(9090, Some(90), PortMode::Host)],
        expose: vec![ExposedPort { port: 7070, protocol: Protocol::Tcp }],
        networks: [(
            "back".to_owned(),
            Attachment { aliases: vec!["www".into()], ipv4_address: Some("10.9.0.9".into()), ..Attachment::default() },
        )]
        .into(),
        mounts: vec![
            Mount {
                read_only: false,
                ..mount(MountSource::Volume { name: "data".into(), nocopy: false, subpath: None })
            },
            Mount { target: "/tmp".into(), source: MountSource::Tmpfs { size: None, mode: None }, read_only: false },
        ],
        wharf: WharfSpec { test: Some(vec!["app".into(), "check".into()]), ..WharfSpec::default() },
        ..spec()
    };
    let fleet = FleetName::new("acme").unwrap();
    let replica =
        ReplicaKey { region: RegionName::new("east").unwrap(), service: "shop/web".parse().unwrap(), slot: Slot(1) };
    let one_off = spec.one_off(spec.wharf.test.as_ref().unwrap());
    let request = CreateRequest {
        fleet: &fleet,
        replica: &replica,
        revision: RevisionNo(7),
        image: "app@sha256:ab",
        spec: &one_off,
        shared: &StackShared::default(),
        host_address: Some("10.1.0.11"),
        subnet_pool: "10.210.0.0/16",
        round: 2,
        is_test: true,
        defaults: &Defaults::default(),
        record: "",
    };
    assert_eq!(request.name(), "shop-web-test-r7");
    let made = serde_json::to_value(body(&request, &Peers::new()).unwrap()).unwrap();
    assert_eq!(made["HostConfig"]["Mounts"][0]["ReadOnly"], json!(true), "{made}");
    assert_ne!(made["HostConfig"]["Mounts"][1]["ReadOnly"], json!(true), "{made}");
    let mut rest = made;
    rest["HostConfig"].as_object_mut().unwrap().remove("Mounts");
    assert_eq!(
        rest,
        json!({
            "Image": "app@sha256:ab",
            "Cmd": ["app", "check"],
            "Entrypoint": [],
            "Env": ["A=1"],
            "Healthcheck": {"Test": ["NONE"]},
            "Labels": {
                "wharf.fleet": "acme", "wharf.region": "east", "wharf.stack": "shop", "wharf.service": "web",
                "wharf.revision": "7", "wharf.test": "1",
            },
            "HostConfig": {"NetworkMode": "shop_back", "RestartPolicy": {"Name": "no"}},
            "NetworkingConfig": {"EndpointsConfig": {"shop_back": {}}},
        })
    );
}

fn with_shared(spec: &ServiceSpec, shared: &StackShared, address: Option<&str>, peers: &Peers) -> Result<Value, Fault> {
    let fleet = FleetName::new("acme").unwrap();
    let replica =
        ReplicaKey { region: RegionName::new("east").unwrap(), service: "shop/web".parse().unwrap(), slot: Slot(3) };
    let request = CreateRequest {
        fleet: &fleet,
        replica: &replica,
        revision: RevisionNo(7),
        image: "app@sha256:ab",
        spec,
        shared,
        host_address: address,
        subnet_pool: "10.210.0.0/16",
        round: 2,
        is_test: false,
        defaults: &Defaults::default(),
        record: "",
    };
    assert_eq!(request.name(), "shop-web-3-r7.2");
    body(&request, peers).map(|body| serde_json::to_value(body).unwrap())
}

fn made(spec: &ServiceSpec) -> Value {
    with_shared(spec, &StackShared::default(), Some("10.1.0.11"), &Peers::new()).unwrap()
}

fn spec() -> ServiceSpec {
    ServiceSpec::default()
}

fn port(target: u16, published: Option<u16>, mode: PortMode) -> Port {
    Port { target, published, host_ip: None, protocol: Protocol::Tcp, mode }
}

fn mount(source: MountSource) -> Mount {
    Mount { target: "/data".into(), source, read_only: true }
}

#[test]
fn a_plain_service_has_labels_a_network_and_a_restart_policy() {
    let mut plain = spec();
    plain.labels.insert("team".into(), "a".into());
    plain.labels.insert("wharf.fleet".into(), "theirs".into());
    assert_eq!(
        made(&plain),
        json!({
            "Image": "app@sha256:ab",
            "Env": [],
            "Labels": {
                "team": "a", "wharf.fleet": "acme", "wharf.region": "east", "wharf.stack": "shop", "wharf.service": "web",
                "wharf.slot": "3", "wharf.revision": "7", "wharf.round": "2",
            },
            "HostConfig": {"NetworkMode": "shop_default", "RestartPolicy": {"Name": "unless-stopped"}},
            "NetworkingConfig": {"EndpointsConfig": {"shop_default": {"Aliases": ["web"]}}},
        })
    );
}

#[test]
fn each_field_of_a_spec_has_its_place() {
    let minute = Duration::from_secs(60);
    let cases: Vec<(ServiceSpec, &str, Value)> = vec![
        (ServiceSpec { command: Some(vec!["a".into(), "b".into()]), ..spec() }, "/Cmd", json!(["a", "b"])),
        (ServiceSpec { entrypoint: Some(vec![]), ..spec() }, "/Entrypoint", json!([])),
        (
            ServiceSpec { environment: [("A".to_owned(), Sensitive("1=2".into()))].into(), ..spec() },
            "/Env",
            json!(["A=1=2"]),
        ),
        (
            ServiceSpec {
                healthcheck: Some(HealthCheck {
                    test: vec!["CMD".into(), "true".into()],
                    interval: Some(Duration::from_millis(1500)),
                    timeout: Some(minute),
                    retries: Some(4),
                    start_period: Some(minute),
                    start_interval: None,
                }),
                ..spec()
            },
            "/Healthcheck",
            json!({"Test":["CMD","true"],"Interval":1_500_000_000,"Timeout":60_000_000_000i64,"Retries":4,"StartPeriod":60_000_000_000i64}),
        ),
        (
            ServiceSpec { healthcheck: Some(HealthCheck { retries: Some(1), ..HealthCheck::default() }), ..spec() },
            "/Healthcheck",
            json!({"Retries": 1}),
        ),
        (ServiceSpec { stop_grace_period: Some(Duration::from_millis(1200)), ..spec() }, "/StopTimeout", json!(2)),
        (ServiceSpec { stop_signal: Some("SIGINT".into()), ..spec() }, "/StopSignal", json!("SIGINT")),
        (ServiceSpec { user: Some("1000:50".into()), ..spec() }, "/User", json!("1000:50")),
        (ServiceSpec { working_dir: Some("/w".into()), ..spec() }, "/WorkingDir", json!("/w")),
        (ServiceSpec { hostname: Some("h".into()), ..spec() }, "/Hostname", json!("h")),
        (ServiceSpec { domainname: Some("d".into()), ..spec() }, "/Domainname", json!("d")),
        (ServiceSpec { tty: true, ..spec() }, "/Tty", json!(true)),
        (ServiceSpec { stdin_open: true, ..spec() }, "/OpenStdin", json!(true)),
        (ServiceSpec { restart: Restart::No, ..spec() }, "/HostConfig/RestartPolicy", json!({"Name":"no"})),
        (ServiceSpec { restart: Restart::Always, ..spec() }, "/HostConfig/RestartPolicy", json!({"Name":"always"})),
        (
            ServiceSpec { restart: Restart::OnFailure { max: Some(3) }, ..spec() },
            "/HostConfig/RestartPolicy",
            json!({"Name":"on-failure","MaximumRetryCount":3}),
        ),
        (
            ServiceSpec { deploy: Deploy { mode: Mode::ReplicatedJob, ..Deploy::default() }, ..spec() },
            "/HostConfig/RestartPolicy",
            json!({"Name":"no"}),
        ),
        (ServiceSpec { init: Some(true), ..spec() }, "/HostConfig/Init", json!(true)),
        (ServiceSpec { read_only: true, ..spec() }, "/HostConfig/ReadonlyRootfs", json!(true)),
        (ServiceSpec { privileged: true, ..spec() }, "/HostConfig/Privileged", json!(true)),
        (ServiceSpec { cap_add: vec!["NET_ADMIN".into()], ..spec() }, "/HostConfig/CapAdd", json!(["NET_ADMIN"])),
        (ServiceSpec { cap_drop: vec!["ALL".into()], ..spec() }, "/HostConfig/CapDrop", json!(["ALL"])),
        (
            ServiceSpec { security_opt: vec!["no-new-privileges".into()], ..spec() },
            "/HostConfig/SecurityOpt",
            json!(["no-new-privileges"]),
        ),
        (
            ServiceSpec { sysctls: [("a".to_owned(), "1".to_owned())].into(), ..spec() },
            "/HostConfig/Sysctls",
            json!({"a":"1"}),
        ),
        (ServiceSpec { shm_size: Some(64), ..spec() }, "/HostConfig/ShmSize", json!(64)),
        (ServiceSpec { dns: vec!["1.1.1.1".into()], ..spec() }, "/HostConfig/Dns", json!(["1.1.1.1"])),
        (ServiceSpec { dns_search: vec!["x".into()], ..spec() }, "/HostConfig/DnsSearch", json!(["x"])),
        (ServiceSpec { dns_opt: vec!["ndots:1".into()], ..spec() }, "/HostConfig/DnsOptions", json!(["ndots:1"])),
        (
            ServiceSpec { extra_hosts: vec!["a:10.0.0.1".into()], ..spec() },
            "/HostConfig/ExtraHosts",
            json!(["a:10.0.0.1"]),
        ),
        (
            ServiceSpec { devices: vec!["/dev/a:/dev/b:r".into(), "/dev/c".into()], ..spec() },
            "/HostConfig/Devices",
            json!([
                {"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"r"},
                {"PathOnHost":"/dev/c","PathInContainer":"/dev/c","CgroupPermissions":"rwm"},
            ]),
        ),
        (ServiceSpec { group_add: vec!["audio".into()], ..spec() }, "/HostConfig/GroupAdd", json!(["audio"])),
        (ServiceSpec { pid: Some("host".into()), ..spec() }, "/HostConfig/PidMode", json!("host")),
        (ServiceSpec { ipc: Some("shareable".into()), ..spec() }, "/HostConfig/IpcMode", json!("shareable")),
        (ServiceSpec { userns_mode: Some("host".into()), ..spec() }, "/HostConfig/UsernsMode", json!("host")),
        (ServiceSpec { uts: Some("host".into()), ..spec() }, "/HostConfig/UTSMode", json!("host")),
        (ServiceSpec { cgroup: Some("private".into()), ..spec() }, "/HostConfig/CgroupnsMode", json!("private")),
        (ServiceSpec { cgroup_parent: Some("a.slice".into()), ..spec() }, "/HostConfig/CgroupParent", json!("a.slice")),
        (ServiceSpec { runtime: Some("runsc".into()), ..spec() }, "/HostConfig/Runtime", json!("runsc")),
        (ServiceSpec { oom_kill_disable: true, ..spec() }, "/HostConfig/OomKillDisable", json!(true)),
        (
            ServiceSpec { annotations: [("a".to_owned(), "1".to_owned())].into(), ..spec() },
            "/HostConfig/Annotations",
            json!({"a":"1"}),
        ),
        (
            ServiceSpec { storage_opt: [("size".to_owned(), "1G".to_owned())].into(), ..spec() },
            "/HostConfig/StorageOpt",
            json!({"size":"1G"}),
        ),
        (
            ServiceSpec { device_cgroup_rules: vec!["c 1:3 mr".into()], ..spec() },
            "/HostConfig/DeviceCgroupRules",
            json!(["c 1:3 mr"]),
        ),
        (
            ServiceSpec {
                device_requests: vec![crate::model::DeviceRequest {
                    driver: Some("nvidia".into()),
                    count: Some(-1),
                    capabilities: vec!["gpu".into()],
                    ..crate::model::DeviceRequest::default()
                }],
                ..spec()
            },
            "/HostConfig/DeviceRequests",
            json!([{"Driver":"nvidia","Count":-1,"Capabilities":[["gpu"]]}]),
        ),
        (ServiceSpec { pids_limit: Some(9), ..spec() }, "/HostConfig/PidsLimit", json!(9)),
        (ServiceSpec { oom_score_adj: Some(-5), ..spec() }, "/HostConfig/OomScoreAdj", json!(-5)),
        (
            ServiceSpec { ulimits: [("nofile".to_owned(), (1, 2))].into(), ..spec() },
            "/HostConfig/Ulimits",
            json!([{"Name":"nofile","Soft":1,"Hard":2}]),
        ),
        (
            ServiceSpec {
                logging: Some(Logging {
                    driver: Some("local".into()),
                    options: [("max-size".to_owned(), "1m".to_owned())].into(),
                }),
                ..spec()
            },
            "/HostConfig/LogConfig",
            json!({"Type":"local","Config":{"max-size":"1m"}}),
        ),
    ];
    for (spec, path, expected) in cases {
        assert_eq!(made(&spec).pointer(path), Some(&expected), "{path}");
    }
    let resources = Resources {
        cpu_limit: Some(1500),
        memory_limit: Some(100),
        memory_reserved: Some(50),
        pids: Some(7),
        cpu_reserved: Some(1),
        cpu_shares: Some(512),
        cpuset: Some("0-1".into()),
        memory_swap: Some(-1),
        swappiness: Some(10),
    };
    let limited = made(&ServiceSpec { deploy: Deploy { resources, ..Deploy::default() }, ..spec() });
    let host = &limited["HostConfig"];
    assert_eq!((&host["NanoCpus"], &host["Memory"]), (&json!(1_500_000_000), &json!(100)));
    assert_eq!((&host["CpuShares"], &host["CpusetCpus"]), (&json!(512), &json!("0-1")));
    assert_eq!((&host["MemorySwap"], &host["MemorySwappiness"]), (&json!(-1), &json!(10)));
    assert_eq!((&host["MemoryReservation"], &host["PidsLimit"]), (&json!(50), &json!(7)));
}

#[test]
fn ports_behind_proxies_are_ephemeral_on_the_hosts_own_address() {
    let mut inner = spec();
    inner.ports = vec![port(80, Some(8080), PortMode::Ingress), port(81, Some(9000), PortMode::Host)];
    inner.expose =
        vec![ExposedPort { port: 80, protocol: Protocol::Tcp }, ExposedPort { port: 53, protocol: Protocol::Udp }];
    inner.wharf = WharfSpec {
        entry: vec![EntrySpec { port: 443, target: 82, ..EntrySpec::default() }],
        check: Some(CheckSpec { port: Some(83), ..CheckSpec::default() }),
        ..WharfSpec::default()
    };
    let here = json!([{"HostIp":"10.1.0.11","HostPort":""}]);
    assert_eq!(
        made(&inner)["HostConfig"]["PortBindings"],
        json!({"80/tcp": here, "53/udp": here, "82/tcp": here, "83/tcp": here, "81/tcp": [{"HostPort":"9000"}]})
    );
    // Without an address of the host they are for this machine only.
    let alone = with_shared(&inner, &StackShared::default(), None, &Peers::new()).unwrap();
    assert_eq!(alone["HostConfig"]["PortBindings"]["80/tcp"][0]["HostIp"], "127.0.0.1");
    // With the host's network there is nothing to publish.
    inner.ports.pop();
    inner.network_mode = Some("host".into());
    let shared = made(&inner);
    assert_eq!(shared["HostConfig"].get("PortBindings"), None);
    assert_eq!(shared["HostConfig"]["NetworkMode"], "host");
    assert_eq!(shared.get("NetworkingConfig"), None);
    inner.ports.push(port(80, Some(8080), PortMode::Host));
    assert!(with_shared(&inner, &StackShared::default(), None, &Peers::new()).is_err());
}

#[test]
fn mounts_take_the_form_that_every_engine_knows() {
    let volume = |name: &str| MountSource::Volume { name: name.into(), nocopy: false, subpath: None };
    let bind = |create| MountSource::Bind { path: "/srv".into(), create, propagation: Some("rslave".into()) };
    let tmpfs = MountSource::Tmpfs { size: Some(9), mode: Some(0o1777) };
    for (source, field, expected) in [
        (volume("own"), "Mounts", json!({"Target":"/data","Source":"shop_own","Type":"volume","ReadOnly":true})),
        (volume("ext"), "Mounts", json!({"Target":"/data","Source":"ext","Type":"volume","ReadOnly":true})),
        (volume("named"), "Mounts", json!({"Target":"/data","Source":"other","Type":"volume","ReadOnly":true})),
        (MountSource::Anonymous, "Mounts", json!({"Target":"/data","Type":"volume","ReadOnly":true})),
        (bind(true), "Binds", json!("/srv:/data:ro,rslave")),
        (
            bind(false),
            "Mounts",
            json!({"Target":"/data","Source":"/srv","Type":"bind","ReadOnly":true,"BindOptions":{"Propagation":"rslave"}}),
        ),
        (tmpfs, "Mounts", json!({"Target":"/data","Type":"tmpfs","TmpfsOptions":{"SizeBytes":9,"Mode":0o1777}})),
    ] {
        let shared = StackShared {
            volumes: [
                ("ext".to_owned(), VolumeSpec { external: true, ..VolumeSpec::default() }),
                ("named".to_owned(), VolumeSpec { name: Some("other".into()), ..VolumeSpec::default() }),
            ]
            .into(),
            ..StackShared::default()
        };
        let spec = ServiceSpec { mounts: vec![mount(source)], ..spec() };
        let made = with_shared(&spec, &shared, None, &Peers::new()).unwrap();
        assert_eq!(made["HostConfig"][field], json!([expected]), "{spec:?}");
    }
    let odd = MountSource::Bind { path: "/srv".into(), create: false, propagation: Some("sideways".into()) };
    let spec = ServiceSpec { mounts: vec![mount(odd)], ..spec() };
    assert!(with_shared(&spec, &StackShared::default(), None, &Peers::new()).is_err());
}

#[test]
fn a_root_that_cannot_be_written_has_room_for_files() {
    let file = |target: &str| FileMount {
        name: "f".into(),
        target: target.into(),
        content: Sensitive::default(),
        secret: true,
        uid: 0,
        gid: 0,
        mode: 0o400,
    };
    let mut locked = ServiceSpec {
        read_only: true,
        files: vec![file("/run/secrets/a"), file("/run/secrets/b"), file("/data/x/c")],
        ..spec()
    };
    locked.mounts.push(mount(MountSource::Anonymous));
    let mounts = made(&locked)["HostConfig"]["Mounts"].clone();
    assert_eq!(mounts.as_array().unwrap().len(), 2);
    assert_eq!(mounts[1], json!({"Target":"/run/secrets","Type":"volume"}));
    locked.files = vec![file("/top")];
    assert!(with_shared(&locked, &StackShared::default(), None, &Peers::new()).is_err());
}

#[test]
fn networks_have_names_aliases_and_an_order() {
    let shared = StackShared {
        networks: [("ext".to_owned(), NetworkSpec { external: true, ..NetworkSpec::default() })].into(),
        ..StackShared::default()
    };
    let networks = BTreeMap::from([
        ("back".to_owned(), Attachment::default()),
        (
            "ext".to_owned(),
            Attachment {
                aliases: vec!["www".into()],
                ipv4_address: Some("10.9.0.2".into()),
                priority: Some(10),
                ..Attachment::default()
            },
        ),
    ]);
    let made = with_shared(&ServiceSpec { networks, ..spec() }, &shared, None, &Peers::new()).unwrap();
    assert_eq!(made["HostConfig"]["NetworkMode"], "ext");
    assert_eq!(
        made["NetworkingConfig"]["EndpointsConfig"],
        json!({"ext": {"Aliases":["web","www"],"IPAMConfig":{"IPv4Address":"10.9.0.2"}}})
    );
}

#[test]
fn the_namespace_of_another_service_is_that_of_its_replica_here() {
    let beside = ServiceSpec { network_mode: Some("service:db".into()), pid: Some("service:db".into()), ..spec() };
    let peers = Peers::from([("db".to_owned(), "c0ffee".to_owned())]);
    let made = with_shared(&beside, &StackShared::default(), None, &peers).unwrap();
    assert_eq!(made["HostConfig"]["NetworkMode"], "container:c0ffee");
    assert_eq!(made["HostConfig"]["PidMode"], "container:c0ffee");
    let fault = with_shared(&beside, &StackShared::default(), None, &Peers::new()).unwrap_err();
    assert!(fault.why.as_str().contains("db"), "{fault}");
}
