//! What people and machines get wrong: each gives words that say what to do next, and nothing is lost.

use std::{fs, process::Command};

use super::support::{Fleet, WEB, World};

/// One host, reached in a given way.
fn one_host(name: &str, host: &str) -> Fleet {
    Fleet::with(name, &format!("[[region]]\nname = \"east\"\n\n[[region.host]]\nname = \"h1\"\n{host}\n"))
}

#[test]
fn a_host_that_cannot_be_reached_says_why() {
    let world = World::get();
    let address = world.var("H2_ADDRESS").to_owned();
    let tls = |ca: &str, cert: &str, key: &str| {
        format!(
            "connect = \"tcp://{address}:2376\"\ntls = {{ ca = \"{}\", cert = \"{}\", key = \"{}\" }}",
            world.var(ca),
            world.var(cert),
            world.var(key)
        )
    };
    let ssh = |config: &str| {
        format!("connect = \"ssh://root@{}\"\nssh_config = \"{}\"", world.var("H1_ADDRESS"), world.var(config))
    };
    let nowhere = world.dir().join("no-such.sock").display().to_string();
    for (name, host, words) in [
        ("refused", format!("connect = \"tcp://{address}:1\"\ninsecure = true"), &["refuses"][..]),
        ("nosocket", format!("connect = \"unix://{nowhere}\""), &["no-such.sock"]),
        ("wrongca", tls("WORLD_TLS_WRONG_CA", "WORLD_TLS_CERT", "WORLD_TLS_KEY"), &["certificate"]),
        ("wrongcert", tls("WORLD_TLS_CA", "WORLD_TLS_WRONG_CERT", "WORLD_TLS_WRONG_KEY"), &["certificate"]),
        ("wrongkey", ssh("WORLD_SSH_CONFIG_REFUSED"), &["key"]),
        ("changed", ssh("WORLD_SSH_CONFIG_CHANGED"), &["host key", "changed"]),
        ("stranger", ssh("WORLD_SSH_CONFIG_UNKNOWN"), &["host key"]),
    ] {
        let fleet = one_host(name, &host);
        let err = fleet.fails(5, &["stacks"]);
        for word in words {
            assert!(err.to_lowercase().contains(word), "{name}: {err}");
        }
        assert!(err.contains("h1"), "{name}: {err}");
    }
}

#[test]
fn images_that_cannot_be_had_change_nothing() {
    let fleet = Fleet::new("images");
    let private = format!("{}/app:1", fleet.world.var("WORLD_PRIVATE_REGISTRY"));
    for (image, words) in [
        (fleet.world.image("nope"), &["nope"][..]),
        (format!("{}/nothing:1", fleet.world.var("WORLD_REGISTRY")), &["nothing"]),
    ] {
        let file = fleet.compose("bad.yaml", &format!("services:\n  web:\n    image: {image}\n"));
        let err = fleet.fails(1, &["deploy", "-f", &file, "--stack", "bad", "--yes"]);
        for word in words {
            assert!(err.contains(word), "{err}");
        }
        assert!(err.contains("nothing was changed"), "{err}");
    }
    // Without credentials the registry refuses; with them it gives.
    let file = fleet.compose("private.yaml", &format!("services:\n  web:\n    image: {private}\n"));
    let empty = tempfile::tempdir().unwrap();
    let out = fleet
        .command(&["deploy", "-f", &file, "--stack", "private", "--yes"])
        .env("DOCKER_CONFIG", empty.path())
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{err}");
    assert!(err.contains("docker login") || err.contains("credentials"), "{err}");
    assert!(fleet.containers().is_empty(), "{:?}", fleet.containers());
    fleet.ok(&["deploy", "-f", &file, "--stack", "private", "--yes"]);
}

#[test]
fn a_service_that_dies_is_rolled_back() {
    let fleet = Fleet::new("dies");
    let good = fleet.compose("shop.yaml", WEB);
    fleet.ok(&["deploy", "-f", &good, "--stack", "shop", "--yes"]);
    let bad = fleet.compose("shop.yaml", &WEB.replace("IMAGE:1", "IMAGE:bad"));
    let err = fleet.fails(1, &["deploy", "-f", &bad, "--stack", "shop", "--yes"]);
    for words in ["was rolled back", "shop/web.", "exit code 1", "it said: "] {
        assert!(err.contains(words), "{words}: {err}");
    }
    fleet.wait("what was there before runs", || {
        fleet.containers().len() == 3 && fleet.containers().iter().all(|line| line.contains("-r1 running"))
    });
}

#[test]
fn a_taken_port_is_found_before_or_said_after() {
    let fleet = Fleet::new("ports");
    let compose = |port: u16, n: u32| {
        format!(
            "services:\n  web:\n    image: IMAGE:1\n    ports:\n      - {{ target: 8080, published: {port}, mode: host }}\n    deploy: {{ replicas: {n} }}\n"
        )
    };
    // Four replicas of one port do not fit on three hosts.
    let file = fleet.compose("a.yaml", &compose(18080, 4));
    let err = fleet.fails(2, &["deploy", "-f", &file, "--stack", "four", "--yes"]);
    assert!(err.contains("18080") && err.contains("h1"), "{err}");
    // A port that a container of somebody else has: the plan knows.
    for host in ["h1", "h2", "h3"] {
        let label = "wharf-test=ports";
        let image = fleet.world.image("1");
        fleet.world.docker(host, &["run", "-d", "--name", "squatter", "--label", label, "-p", "18081:8080", &image]);
    }
    let file = fleet.compose("b.yaml", &compose(18081, 1));
    let out = fleet.wharf(&["deploy", "-f", &file, "--stack", "taken", "--yes"]);
    for host in ["h1", "h2", "h3"] {
        fleet.world.docker(host, &["rm", "-f", "squatter"]);
    }
    let err = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{err}");
    assert!(err.contains("18081") && err.contains("squatter"), "{err}");
    // A port that another program of the host has, here its sshd: only the engine can tell. Nothing is left behind.
    let file = fleet.compose("c.yaml", &compose(22, 1));
    let err = fleet.fails(1, &["deploy", "-f", &file, "--stack", "taken", "--yes"]);
    assert!(err.contains("port") && err.contains("22") && err.contains("taken/web.1"), "{err}");
    fleet.wait("nothing is left of it", || !fleet.containers().iter().any(|line| line.contains("taken-")));
}

#[test]
fn no_host_fits() {
    let fleet = Fleet::new("fits");
    let file = fleet.compose(
        "big.yaml",
        "services:\n  big:\n    image: IMAGE:1\n    deploy:\n      placement: { constraints: [\"node.labels.disk == ssd\"] }\n",
    );
    let err = fleet.fails(2, &["deploy", "-f", &file, "--stack", "big", "--yes"]);
    assert!(err.contains("disk == ssd") && err.contains("big/big.1"), "{err}");
    let file = fleet.compose(
        "huge.yaml",
        "services:\n  huge:\n    image: IMAGE:1\n    deploy:\n      resources: { reservations: { memory: 900G } }\n",
    );
    let err = fleet.fails(2, &["deploy", "-f", &file, "--stack", "huge", "--yes"]);
    assert!(err.contains("memory"), "{err}");
}

#[test]
fn a_socket_without_permission() {
    let fleet = one_host("perms", &format!("connect = \"unix://{}\"", World::get().var("H3_SOCKET")));
    // As somebody else, who may not open the socket. The program is copied to where they can run it.
    let dir = tempfile::Builder::new().prefix("wharf-perms").tempdir_in("/tmp").unwrap();
    let program = dir.path().join("wharf");
    fs::copy(env!("CARGO_BIN_EXE_wharf"), &program).unwrap();
    let text = fs::read_to_string(&fleet.file).unwrap();
    let file = dir.path().join("fleet.toml");
    fs::write(&file, text.replace(&fleet.dir.path().display().to_string(), &dir.path().display().to_string())).unwrap();
    let everyone = ["-R", "a+rwX", dir.path().to_str().unwrap()];
    assert!(Command::new("chmod").args(everyone).status().unwrap().success());
    let out = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&program)
        .arg("--fleet")
        .arg(&file)
        .arg("stacks")
        .env("HOME", dir.path())
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&out.stderr).to_lowercase();
    assert_eq!(out.status.code(), Some(5), "{err}");
    assert!(err.contains("permission") || err.contains("may not"), "{err}");
}

#[test]
fn names_cannot_play_with_the_terminal() {
    let fleet = Fleet::new("names");
    let label = "com.docker.compose.project=\u{1b}[31mred\u{202e}der";
    fleet.world.docker(
        "h3",
        &["run", "-d", "--name", "hostile", "--label", "wharf-test=names", "--label", label, &fleet.world.image("1")],
    );
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let out = fleet.ok(&["ps", "--all"]);
        assert!(out.contains("red\\u{202e}der"), "{out}");
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}'), "{out:?}");
        fleet.ok(&["stacks"]);
    }));
    fleet.world.docker("h3", &["rm", "-f", "hostile"]);
    result.unwrap();
}

#[test]
fn a_host_that_accepts_and_never_answers() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let fleet = one_host("mute", &format!("connect = \"tcp://127.0.0.1:{port}\"\ninsecure = true"));
    let err = fleet.fails(5, &["stacks"]);
    assert!(err.contains("h1") && err.contains("answer"), "{err}");
    drop(listener);
}

/// A small file system in memory, until this goes out of scope.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(at: &std::path::Path) -> Self {
        let out = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at).status().unwrap();
        assert!(out.success(), "mount");
        Self(at.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_at_the_store_loses_nothing() {
    let fleet = Fleet::new("full");
    let small = Small::mount(fleet.store().parent().unwrap());
    let file = fleet.compose("shop.yaml", WEB);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    fleet.alone();
    let filler = small.0.join("filler");
    let full = fs::write(&filler, vec![1; 4 << 20]);
    assert!(full.is_err(), "the disk has room for 4 MiB");
    let err = fleet.fails(1, &["scale", "shop/web=5", "--yes"]);
    assert!(err.contains("full") || err.contains("space"), "{err}");
    // What is known can be read, nothing was accepted, and with room it goes on.
    assert_eq!(fleet.json(&["ops"]).as_array().unwrap().len(), 1);
    assert_eq!(fleet.containers().len(), 3);
    fs::remove_file(&filler).unwrap();
    fleet.ok(&["scale", "shop/web=5", "--yes"]);
    assert_eq!(fleet.running("shop/web"), 5);
    fleet.alone();
    drop(small);
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let fleet = Fleet::new("newer");
    let file = fleet.compose("shop.yaml", WEB);
    fleet.wharf(&["ops"]);
    fleet.ok(&["cordon", "h2", "--yes"]);
    let db = rusqlite::Connection::open(fleet.store()).unwrap();
    db.pragma_update(None, "user_version", 9999).unwrap();
    for args in [&["ops"][..], &["scale", "shop/web=1", "--yes"], &["deploy", "-f", &file, "--yes"]] {
        let err = fleet.fails(1, args);
        assert!(err.contains("newer"), "{args:?}: {err}");
    }
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 9999);
}
