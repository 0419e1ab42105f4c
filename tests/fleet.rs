//! Fleet files as people write them: good ones, wrong ones with their words, and life without one.
//!
//! Each `tests/fleet/bad/NAME.toml` must give exactly the lines of `NAME.err`. After changing words, run with
//! `FLEET_BLESS=1` and read what changed.

#[cfg(test)]
mod fleet {
    use std::{
        fs,
        path::{Path, PathBuf},
        time::Duration,
    };

    use wharf::{
        config::{
            ConfigError, Environment, FleetChoice, Loaded, docker_contexts, load, load_fleet, parse_fleet,
            render_import,
        },
        model::{Connect, Fleet, Ssh, Tls},
    };

    fn dir() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fleet")
    }

    /// An environment in which only the fixtures exist.
    fn environment(variables: &[(&str, &str)]) -> Environment {
        let mut environment = Environment {
            home: "/nowhere/home".into(),
            current_dir: dir(),
            config_dir: "/nowhere/config".into(),
            system_dir: "/nowhere/system".into(),
            state_dir: "/state".into(),
            docker_socket: "/nowhere/docker.sock".into(),
            ..Environment::default()
        };
        let docker = dir().join("docker").display().to_string();
        for (name, value) in [("DOCKER_CONFIG", docker.as_str())].iter().chain(variables) {
            environment.variables.insert((*name).to_owned(), (*value).to_owned());
        }
        environment
    }

    fn choice(variables: &[(&str, &str)]) -> FleetChoice {
        FleetChoice { flag: None, environment: environment(variables) }
    }

    fn good(name: &str) -> Loaded {
        let flag = Some(PathBuf::from(format!("good/{name}.toml")));
        load(&FleetChoice { flag, environment: environment(&[]) }).unwrap()
    }

    /// The only host's name and connect.
    fn only(fleet: &Fleet) -> (String, String) {
        let (_, host) = fleet.hosts().next().unwrap();
        assert_eq!(fleet.hosts().count(), 1);
        (host.name.to_string(), host.connect.to_string())
    }

    #[test]
    fn wrong_files_say_what_would_be_right() {
        let bless = std::env::var_os("FLEET_BLESS").is_some();
        let mut files: Vec<PathBuf> =
            fs::read_dir(dir().join("bad")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|ext| ext == "toml"));
        files.sort();
        assert!(files.len() >= 30, "only {} wrong files", files.len());
        let mut wrong = Vec::new();
        for path in files {
            let said = match parse_fleet(&fs::read_to_string(&path).unwrap(), &path, &environment(&[])) {
                Err(ConfigError::Invalid(problems)) => problems,
                other => panic!("{}: {other:?}", path.display()),
            };
            assert!(!said.is_empty(), "{}", path.display());
            let parent = format!("{}/", path.parent().unwrap().display());
            let said: String = said.iter().map(|problem| format!("{problem}\n").replace(&parent, "")).collect();
            assert!(!said.contains('\u{1b}'), "{said:?}");
            let expected = path.with_extension("err");
            if bless {
                fs::write(&expected, &said).unwrap();
            } else if fs::read_to_string(&expected).ok().as_deref() != Some(&said) {
                wrong.push(said);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_full_file_is_understood() {
        let Loaded { fleet, warnings } = good("full");
        assert_eq!(fleet.name.as_str(), "acme");
        assert_eq!(fleet.store, Path::new("/var/lib/wharf/acme.db"));
        assert_eq!(fleet.proxy_image, "haproxy:3.3");
        assert_eq!(fleet.subnet_pool, "10.200.0.0/16");
        assert!(fleet.origin.ends_with("good/full.toml"));
        let [hangzhou, eu] = fleet.regions.as_slice() else { panic!() };
        assert_eq!(hangzhou.defaults.down_after, Duration::from_secs(90));
        assert_eq!(hangzhou.defaults.keep_journal, Duration::from_secs(30 * 86_400));
        assert_eq!(hangzhou.defaults.min_healthy, Duration::ZERO);
        assert_eq!((eu.defaults.down_after, eu.defaults.keep_revisions), (Duration::from_secs(120), 20));
        assert_eq!(format!("{} {}", hangzhou.defaults.batch_share, eu.defaults.batch_share), "0.5 1");
        assert_eq!(hangzhou.hosts[0].labels["role"], "edge");
        assert_eq!(
            hangzhou.hosts[0].connect,
            Connect::Ssh(Ssh {
                user: Some("ops".to_owned()),
                host: "hz-1.internal".to_owned(),
                port: Some(2222),
                config: Some(dir().join("good/../certs/ssh_config")),
                socket: Some("/run/docker.sock".to_owned()),
                share_master: true,
            })
        );
        let certs = |name: &str| dir().join("good/../certs").join(name);
        assert_eq!(
            hangzhou.hosts[1].connect,
            Connect::Tcp {
                host: "10.1.0.15".to_owned(),
                port: 2376,
                tls: Some(Tls {
                    ca: certs("ca.pem"),
                    identity: Some((certs("cert.pem"), certs("key.pem"))),
                    server_name: Some("hz-2.internal".to_owned()),
                }),
            }
        );
        assert_eq!(eu.hosts[1].connect, Connect::Tcp { host: "10.2.0.2".to_owned(), port: 2375, tls: None });
        let Connect::Tcp { tls: Some(tls), .. } = &eu.hosts[2].connect else { panic!("{:?}", eu.hosts[2]) };
        assert!(tls.ca.starts_with(dir().join("docker/contexts/tls")) && tls.identity.is_some());
        assert_eq!(eu.hosts[2].address.as_deref(), Some("eu-3.internal"));
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].ends_with("full.toml:30:11: hosts hz-1 and hz-2 have one address, 10.1.0.11"));
    }

    #[test]
    fn a_small_file_is_enough() {
        let fleet = good("least").fleet;
        assert_eq!(fleet.store, dir().join("good/here.db"), "relative paths begin at the file");
        assert_eq!(fleet.regions[0].defaults, wharf::model::Defaults::default());
        let text = fs::read_to_string(dir().join("good/least.toml")).unwrap().replace("store = \"here.db\"\n", "");
        let fleet = parse_fleet(&text, Path::new("x.toml"), &environment(&[])).unwrap().fleet;
        assert_eq!(fleet.store, Path::new("/state/acme.db"), "the platform's state directory");
    }

    #[test]
    fn the_file_is_looked_for_in_order() {
        let home = tempfile::tempdir().unwrap();
        let machine = tempfile::tempdir().unwrap();
        let write = |path: PathBuf, name: &str| {
            let text = fs::read_to_string(dir().join("good/least.toml")).unwrap().replace("acme", name);
            fs::write(&path, text).unwrap();
            path
        };
        let flag = write(home.path().join("flag.toml"), "flag");
        let variable = write(home.path().join("variable.toml"), "variable").display().to_string();
        let own = write(home.path().join("fleet.toml"), "own");
        write(machine.path().join("fleet.toml"), "machine");

        let mut choice = choice(&[("WHARF_FLEET", &variable)]);
        choice.flag = Some(flag);
        choice.environment.config_dir = home.path().to_owned();
        choice.environment.system_dir = machine.path().to_owned();
        let name = |choice: &FleetChoice| load_fleet(choice).unwrap().name.to_string();
        assert_eq!(name(&choice), "flag");
        choice.flag = None;
        assert_eq!(name(&choice), "variable");
        choice.environment.variables.insert("WHARF_FLEET".to_owned(), String::new());
        assert_eq!(name(&choice), "own");
        fs::write(&own, "fleet = ").unwrap();
        assert!(load_fleet(&choice).is_err(), "a broken file is not passed over");
        fs::write(&own, [0xff]).unwrap();
        assert!(load_fleet(&choice).unwrap_err().to_string().ends_with("is not text in UTF-8"));
        fs::remove_file(&own).unwrap();
        assert_eq!(name(&choice), "machine");
        fs::remove_file(machine.path().join("fleet.toml")).unwrap();
        assert_eq!(name(&choice), "local");

        choice.flag = Some("nowhere.toml".into());
        let words = load_fleet(&choice).unwrap_err().to_string();
        assert!(words.contains("nowhere.toml: no such file (from --fleet)"), "{words}");
        choice.flag = Some(home.path().to_owned());
        assert!(load_fleet(&choice).unwrap_err().to_string().ends_with("is a directory: name the file in it"));
    }

    #[test]
    fn without_a_file_it_is_the_current_docker_context() {
        let fleet = |variables: &[(&str, &str)]| load_fleet(&choice(variables)).unwrap();
        let plain = fleet(&[]);
        assert_eq!(only(&plain), ("default".to_owned(), "unix:///nowhere/docker.sock".to_owned()));
        assert_eq!((plain.name.as_str(), plain.regions[0].name.as_str()), ("local", "local"));
        assert_eq!(
            (plain.store.as_path(), plain.origin.as_str()),
            (Path::new("/state/local.db"), "Docker context default")
        );

        let edge = fleet(&[("DOCKER_CONTEXT", "edge")]);
        assert_eq!(only(&edge), ("edge".to_owned(), "ssh://ops@edge-1.internal:2222".to_owned()));
        assert_eq!(edge.store, Path::new("/state/local-edge.db"), "one store per engine");
        let host = fleet(&[("DOCKER_CONTEXT", "edge"), ("DOCKER_HOST", "ssh://ops@other")]);
        assert_eq!(only(&host), ("other".to_owned(), "ssh://ops@other".to_owned()), "DOCKER_HOST goes first");
        assert_eq!(only(&fleet(&[("DOCKER_CONTEXT", "Ünï")])).0, "n-");
        let certs = dir().join("certs").display().to_string();
        let tcp = [("DOCKER_HOST", "tcp://10.9.9.9:2376"), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", &certs)];
        let (_, host) = fleet(&tcp).hosts().next().map(|(r, h)| (r.clone(), h.clone())).unwrap();
        let Connect::Tcp { tls: Some(tls), port: 2376, .. } = host.connect else { panic!("{host:?}") };
        assert_eq!(tls.ca, dir().join("certs/ca.pem"));
        assert_eq!(host.name.as_str(), "10.9.9.9");
    }

    #[test]
    fn the_current_context_may_come_from_dockers_configuration() {
        let docker = tempfile::tempdir().unwrap();
        let meta = docker.path().join("contexts/meta/x");
        fs::create_dir_all(&meta).unwrap();
        let context = r#"{"Name":"far","Endpoints":{"docker":{"Host":"ssh://far"}}}"#;
        fs::write(meta.join("meta.json"), context).unwrap();
        fs::write(docker.path().join("config.json"), r#"{"currentContext":"far","auths":{}}"#).unwrap();
        let path = docker.path().display().to_string();
        assert_eq!(only(&load_fleet(&choice(&[("DOCKER_CONFIG", &path)])).unwrap()).1, "ssh://far");
        fs::write(docker.path().join("config.json"), r#"{"currentContext":"gone"}"#).unwrap();
        let words = load_fleet(&choice(&[("DOCKER_CONFIG", &path)])).unwrap_err().to_string();
        assert!(words.contains("known are default, far"), "{words}");
    }

    #[test]
    fn a_users_own_engine_is_found() {
        let runtime = tempfile::tempdir().unwrap();
        fs::write(runtime.path().join("docker.sock"), "").unwrap();
        let path = runtime.path().display().to_string();
        let fleet = load_fleet(&choice(&[("XDG_RUNTIME_DIR", &path)])).unwrap();
        assert_eq!(only(&fleet).1, format!("unix://{path}/docker.sock"));
    }

    #[test]
    fn unusable_contexts_say_why() {
        let words = |name: &str| load_fleet(&choice(&[("DOCKER_CONTEXT", name)])).unwrap_err().to_string();
        assert_eq!(words("egde"), "there is no Docker context `egde` (from DOCKER_CONTEXT): did you mean `edge`?");
        assert!(words("careless").contains("does not verify the engine's certificate"), "{}", words("careless"));
        let bad = load_fleet(&choice(&[("DOCKER_HOST", "tcp://h:99999")])).unwrap_err().to_string();
        assert_eq!(bad, "Docker context `default`: port 99999 is out of range: 1 to 65535");
    }

    #[test]
    fn contexts_become_a_fleet_file() {
        let environment = environment(&[("DOCKER_CONTEXT", "core")]);
        let contexts = docker_contexts(&environment);
        let names: Vec<&str> = contexts.iter().map(|context| context.name.as_str()).collect();
        assert_eq!(names, ["default", "careless", "core", "edge", "plain", "Ünï"]);
        assert_eq!(contexts.iter().filter(|context| context.current).count(), 1);
        let text = render_import(&contexts, None);
        let fleet = parse_fleet(&text, Path::new("new.toml"), &environment).unwrap().fleet;
        let hosts: Vec<String> = fleet.hosts().map(|(_, h)| format!("{} {}", h.name, h.connect)).collect();
        assert_eq!(
            hosts,
            [
                "default unix:///nowhere/docker.sock",
                "core tcp://10.1.0.12:2376",
                "edge ssh://ops@edge-1.internal:2222",
                "plain tcp://10.1.0.13:2375",
                "n- unix:///run/user/1000/docker.sock",
            ]
        );
        assert!(text.contains("# left out: Docker context `careless`"));
        assert_eq!(render_import(&contexts[..1], Some(&text)), text, "again changes nothing");
    }

    #[test]
    fn import_keeps_what_is_there() {
        let environment = environment(&[]);
        let contexts = docker_contexts(&environment);
        let existing = "# ours\nfleet = \"acme\"  # the name\n[[region]]\nname = \"imported\"\n\n[[region.host]]\n\
                        name = \"edge\"\nconnect = \"unix:///nowhere/docker.sock\"\n\n[[region]]\nname = \"west\"\n\
                        [[region.host]]\nname = \"w-1\"\nconnect = \"context:core\"\n";
        let text = render_import(&contexts, Some(existing));
        assert!(text.starts_with(existing), "{text}");
        let fleet = parse_fleet(&text, Path::new("new.toml"), &environment).unwrap().fleet;
        let hosts: Vec<String> = fleet.hosts().map(|(r, h)| format!("{}/{}", r.name, h.name)).collect();
        assert_eq!(hosts, ["imported/edge", "west/w-1", "imported-2/edge-2", "imported-2/plain", "imported-2/n-"]);
        assert_eq!(render_import(&contexts, Some(&text)).matches("[[region.host]]").count(), 5, "again adds no host");
    }
}
