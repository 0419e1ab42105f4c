//! What inspections become.

use serde_json::json;

use super::{super::create, *};
use crate::model::{
    Attachment, Condition, Defaults, FleetName, HealthCheck, Logging, Mount, MountSource, Port, PortMode, Protocol,
    Resources, Restart, RevisionNo, Sensitive, ServiceSpec, StackShared,
};

fn stack() -> StackName {
    StackName::new("shop").unwrap()
}

fn image() -> Value {
    json!({
        "RepoDigests": ["mirror.local/web@sha256:11", "acme/web@sha256:22"],
        "Config": {
            "Env": ["PATH=/bin", "LANG=C"], "Cmd": ["serve"], "Entrypoint": ["/entry"], "WorkingDir": "/srv", "User": "app",
            "Labels": {"maintainer": "them", "version": "1"}, "ExposedPorts": {"8080/tcp": {}},
            "Healthcheck": {"Test": ["CMD", "probe"], "Interval": 5_000_000_000_u64},
        },
    })
}

/// A container that says nothing of its own.
fn plain() -> Value {
    json!({
        "Id": "ab12cd34ef56000000000000000000000000000000000000000000000000ffff", "Name": "/shop-web-2",
        "Config": {
            "Image": "acme/web:1", "Hostname": "ab12cd34ef56", "Env": ["PATH=/bin", "LANG=C"], "Cmd": ["serve"],
            "Entrypoint": ["/entry"], "WorkingDir": "/srv", "User": "app", "ExposedPorts": {"8080/tcp": {}, "9000/tcp": {}},
            "Healthcheck": {"Test": ["CMD", "probe"], "Interval": 5_000_000_000_u64},
            "Labels": {
                "maintainer": "them", "version": "1", "com.docker.compose.project": "shop",
                "com.docker.compose.service": "web", "com.docker.compose.container-number": "2",
                "com.docker.compose.config-hash": "f00",
            },
        },
        "HostConfig": {
            "NetworkMode": "shop_default", "RestartPolicy": {"Name": "unless-stopped"}, "ShmSize": 67_108_864,
            "IpcMode": "private", "Runtime": "runc", "LogConfig": {"Type": "json-file", "Config": {}},
            "PidsLimit": null, "MemorySwappiness": null, "OomKillDisable": false,
        },
        "NetworkSettings": {"Networks": {"shop_default": {"Aliases": ["shop-web-2", "web", "ab12cd34ef56"]}}},
        "Mounts": [],
    })
}

fn known() -> Shared {
    let network = |key: &str| (key.to_owned(), NetworkSpec { adopted: true, ..NetworkSpec::default() });
    Shared {
        networks: [("shop_default".to_owned(), network("default")), ("shop_back".to_owned(), network("back"))].into(),
        volumes: [("shop_data".to_owned(), ("data".to_owned(), VolumeSpec::default()))].into(),
    }
}

fn derived(inspected: &Value) -> Result<Option<Adoptable>, String> {
    derive(&"e-1".parse().unwrap(), &stack(), inspected, &image(), &known())
}

fn of(change: impl FnOnce(&mut Value)) -> Adoptable {
    let mut inspected = plain();
    change(&mut inspected);
    derived(&inspected).unwrap().unwrap()
}

#[test]
fn what_is_as_the_image_and_the_engine_have_it_is_not_said() {
    let found = of(|_| {});
    let expected = ServiceSpec { image: "acme/web:1".into(), ..ServiceSpec::default() };
    assert_eq!(found.spec, expected);
    assert_eq!(found.image, "acme/web@sha256:22", "of the repository by which the container names it");
    assert_eq!((found.service.as_str(), found.number, found.name.as_str()), ("web", Some(2), "shop-web-2"));
    assert_eq!(found.networks.keys().collect::<Vec<_>>(), ["default"]);
    assert!(found.networks["default"].adopted);
    assert_eq!(found.notes, Vec::<String>::new());
}

#[test]
fn what_differs_is_said() {
    let found = of(|it| {
        let config = &mut it["Config"];
        config["Env"] = json!(["PATH=/bin", "LANG=de", "TOKEN=a=b"]);
        config["Cmd"] = json!(["serve", "-v"]);
        config["User"] = json!("root");
        config["StopTimeout"] = json!(30);
        config["Healthcheck"]["Retries"] = json!(2);
        config["Labels"]["version"] = json!("2");
        config["Labels"]["com.docker.compose.depends_on"] =
            json!("db:service_healthy:false,init:service_completed_successfully:true");
        let host = &mut it["HostConfig"];
        host["RestartPolicy"] = json!({"Name": "on-failure", "MaximumRetryCount": 3});
        host["Binds"] = json!(["/etc/site:/site:ro", "shop_data:/data:rw", "/cache"]);
        host["Mounts"] = json!([{"Type": "tmpfs", "Target": "/run", "TmpfsOptions": {"SizeBytes": 1024}}]);
        host["Tmpfs"] = json!({"/scratch": "size=64m,mode=1777"});
        host["PortBindings"] = json!({
            "8080/tcp": [{"HostIp": "", "HostPort": "80"}, {"HostIp": "0.0.0.0", "HostPort": "80"}],
            "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}],
        });
        host["Memory"] = json!(1 << 20);
        host["MemorySwap"] = json!(2 << 20);
        host["NanoCpus"] = json!(500_000_000);
        host["LogConfig"] = json!({"Type": "json-file", "Config": {"max-size": "1m"}});
        it["NetworkSettings"]["Networks"] = json!({
            "shop_default": {"Aliases": ["web", "www"]}, "shop_back": {"IPAMConfig": {"IPv4Address": "10.9.0.2"}}, "lan": {},
        });
    });
    let spec = &found.spec;
    let variables: Vec<(&str, &str)> = spec.environment.iter().map(|(k, v)| (k.as_str(), v.reveal())).collect();
    assert_eq!(variables, [("LANG", "de"), ("TOKEN", "a=b")]);
    assert_eq!(spec.command.as_deref(), Some(&["serve".to_owned(), "-v".to_owned()][..]));
    assert_eq!((spec.entrypoint.as_ref(), spec.user.as_deref()), (None, Some("root")));
    assert_eq!(spec.stop_grace_period, Some(std::time::Duration::from_secs(30)));
    let check = spec.healthcheck.clone().unwrap();
    assert_eq!((check.test.len(), check.retries), (0, Some(2)), "the image's own probe, but for the count");
    assert_eq!(spec.labels, [("version".to_owned(), "2".to_owned())].into());
    let needs: Vec<_> = spec.depends_on.iter().map(|(name, need)| (name.as_str(), need.condition)).collect();
    assert_eq!(needs, [("db", Condition::ServiceHealthy), ("init", Condition::ServiceCompletedSuccessfully)]);
    assert_eq!(spec.restart, Restart::OnFailure { max: Some(3) });
    let mount = |target: &str, source, read_only| Mount { target: target.into(), source, read_only };
    let bind = MountSource::Bind { path: "/etc/site".into(), create: true, propagation: None };
    let tmpfs = |size, mode| MountSource::Tmpfs { size: Some(size), mode };
    assert_eq!(
        spec.mounts,
        [
            mount("/site", bind, true),
            mount("/data", MountSource::Volume { name: "data".into(), nocopy: false, subpath: None }, false),
            mount("/cache", MountSource::Anonymous, false),
            mount("/run", tmpfs(1024, None), false),
            mount("/scratch", tmpfs(64 << 20, Some(0o1777)), false),
        ]
    );
    let port = |target, published, ip: Option<&str>, protocol| Port {
        target,
        published: Some(published),
        host_ip: ip.map(Into::into),
        protocol,
        mode: PortMode::Host,
    };
    assert_eq!(spec.ports, [port(53, 53, Some("127.0.0.1"), Protocol::Udp), port(8080, 80, None, Protocol::Tcp)]);
    let resources = &spec.deploy.resources;
    assert_eq!((resources.memory_limit, resources.memory_swap, resources.cpu_limit), (Some(1 << 20), None, Some(500)));
    assert_eq!(spec.logging.as_ref().map(|logging| logging.options.len()), Some(1));
    let back = Attachment { ipv4_address: Some("10.9.0.2".into()), ..Attachment::default() };
    let default = Attachment { aliases: vec!["www".into()], priority: Some(1), ..Attachment::default() };
    assert_eq!(
        spec.networks,
        [("back".to_owned(), back), ("default".to_owned(), default), ("lan".to_owned(), Attachment::default())].into()
    );
    assert!(found.networks["lan"].external && !found.networks["lan"].adopted);
}

#[test]
fn what_cannot_go_on_is_told() {
    let hex = "0123456789abcdef".repeat(4);
    let found = of(|it| {
        it["Config"]["Image"] = json!("local/built:dev");
        it["Mounts"] = json!([{"Type": "volume", "Name": hex, "Destination": "/var/lib/db"}]);
    });
    assert_eq!(found.image, "local/built:dev");
    assert!(found.notes[0].contains("no registry knows the digest of local/built:dev"), "{:?}", found.notes);
    assert!(found.notes[1].contains("/var/lib/db") && found.notes[1].contains("without a name"), "{:?}", found.notes);
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut inspected = plain();
        change(&mut inspected);
        derived(&inspected).unwrap_err()
    };
    assert!(refused(&|it| it["HostConfig"]["NetworkMode"] = json!("container:99")).contains("another container"));
    assert!(refused(&|it| it["HostConfig"]["AutoRemove"] = json!(true)).contains("removes itself"));
    assert!(refused(&|it| it["Config"]["Labels"]["com.docker.compose.service"] = json!("Web")).contains("not allowed"));
    assert!(refused(&|it| it["Config"]["Labels"] = json!({})).contains("which service"));
    let mut once = plain();
    once["Config"]["Labels"][compose::ONE_OFF] = json!("True");
    assert_eq!(derived(&once).unwrap(), None);
}

#[test]
fn garbage_is_no_panic() {
    for text in ["null", "[]", "{\"Config\": 7}", "{\"Config\": {\"Labels\": [1]}}"] {
        assert!(derived(&serde_json::from_str(text).unwrap()).is_err(), "{text}");
    }
    let mut odd = plain();
    odd["HostConfig"] = json!({
        "NetworkMode": "shop_default", "PortBindings": {"x": null, "70000/tcp": [{}], "80/tcp": [7]}, "Binds": [":", 3], "Tmpfs": 4,
        "Devices": [{}], "Mounts": [{"Type": "image"}], "CpuPeriod": 0, "CpuQuota": -1,
    });
    odd["NetworkSettings"] = json!({"Networks": {"shop_default": null}});
    assert!(derived(&odd).unwrap().is_some());
}

/// The body with which wharf makes a container, as the engine would tell it afterwards.
fn inspected(spec: &ServiceSpec) -> Value {
    let fleet = FleetName::new("acme").unwrap();
    let replica = crate::model::ReplicaKey {
        region: "east".parse().unwrap(),
        service: "shop/web".parse().unwrap(),
        slot: crate::model::Slot(1),
    };
    let request = create::CreateRequest {
        fleet: &fleet,
        replica: &replica,
        revision: RevisionNo(1),
        image: &spec.image,
        spec,
        shared: &StackShared::default(),
        host_address: None,
        subnet_pool: "10.0.0.0/8",
        round: 0,
        is_test: false,
        defaults: &Defaults::default(),
        record: "",
    };
    let mut config = serde_json::to_value(create::body(&request, &create::Peers::new()).unwrap()).unwrap();
    let host = config["HostConfig"].take();
    let networks = config["NetworkingConfig"]["EndpointsConfig"].take();
    let labels = config["Labels"].as_object_mut().unwrap();
    labels.retain(|key, _| !key.starts_with("wharf."));
    labels.insert(compose::PROJECT.into(), json!("shop"));
    labels.insert(compose::SERVICE.into(), json!("web"));
    json!({
        "Id": "f".repeat(64), "Name": "/shop-web-1", "Config": config, "HostConfig": host,
        "NetworkSettings": {"Networks": networks}, "Mounts": [],
    })
}

#[test]
fn what_wharf_would_make_of_a_spec_gives_the_spec_again() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let rich = ServiceSpec {
        image: "acme/web:1".into(),
        command: Some(words(&["run", "it"])),
        entrypoint: Some(words(&["/bin/sh"])),
        environment: [("A".to_owned(), Sensitive("1".into()))].into(),
        labels: [("team".to_owned(), "shop".to_owned())].into(),
        healthcheck: Some(HealthCheck {
            test: words(&["CMD", "true"]),
            interval: Some(std::time::Duration::from_secs(3)),
            retries: Some(4),
            ..HealthCheck::default()
        }),
        mounts: vec![
            Mount {
                target: "/data".into(),
                source: MountSource::Volume { name: "data".into(), nocopy: true, subpath: None },
                read_only: true,
            },
            Mount {
                target: "/etc/x".into(),
                source: MountSource::Bind { path: "/x".into(), create: true, propagation: Some("rslave".into()) },
                read_only: false,
            },
        ],
        ports: vec![Port {
            target: 80,
            published: Some(8080),
            host_ip: None,
            protocol: Protocol::Tcp,
            mode: PortMode::Host,
        }],
        restart: Restart::Always,
        user: Some("7:7".into()),
        working_dir: Some("/w".into()),
        hostname: Some("web".into()),
        cap_add: words(&["NET_ADMIN"]),
        cap_drop: words(&["ALL"]),
        ulimits: [("nofile".to_owned(), (10, 20))].into(),
        logging: Some(Logging { driver: Some("journald".into()), options: BTreeMap::new() }),
        extra_hosts: words(&["a:10.0.0.1"]),
        init: Some(true),
        read_only: true,
        tty: true,
        stdin_open: true,
        privileged: true,
        sysctls: [("net.core.somaxconn".to_owned(), "9".to_owned())].into(),
        shm_size: Some(1 << 20),
        dns: words(&["10.0.0.53"]),
        devices: words(&["/dev/a:/dev/b:rw"]),
        group_add: words(&["video"]),
        pid: Some("host".into()),
        ipc: Some("host".into()),
        pids_limit: Some(50),
        oom_score_adj: Some(-5),
        stop_signal: Some("SIGQUIT".into()),
        stop_grace_period: Some(std::time::Duration::from_secs(9)),
        deploy: crate::model::Deploy {
            resources: Resources {
                cpu_limit: Some(1500),
                memory_limit: Some(64 << 20),
                memory_reserved: Some(32 << 20),
                ..Resources::default()
            },
            ..crate::model::Deploy::default()
        },
        ..ServiceSpec::default()
    };
    let host = ServiceSpec { image: "acme/web:1".into(), network_mode: Some("host".into()), ..ServiceSpec::default() };
    let plain = ServiceSpec { image: "acme/web:1".into(), ..ServiceSpec::default() };
    for spec in [rich, host, plain] {
        let found = derived(&inspected(&spec)).unwrap().unwrap();
        assert!(
            found.spec.same_container(&spec),
            "{:#?}",
            crate::model::diff(&spec.container(), &found.spec.container())
        );
    }
}
