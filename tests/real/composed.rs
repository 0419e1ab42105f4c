//! What Compose would have made: two containers of one service on h3, with ports of their own. And what Compose files may
//! leave unsaid.

use std::{collections::BTreeSet, process::Command, time::Duration};

use super::{
    stage::{EVERYWHERE, Stage, shop},
    support::World,
};

/// A project that runs, gone when this is dropped.
pub struct Composed {
    world: World,
    project: String,
}

impl Composed {
    /// Makes it. Its containers publish the two ports after `port`.
    pub fn up(stage: &Stage, project: &str, port: u16) -> Self {
        let made = Self { world: World::get(), project: project.to_owned() };
        let image = stage.fleet.world.image("1");
        let network = format!("{project}_default");
        let label = |key: &str, value: &str| format!("com.docker.compose.{key}={value}");
        let (of, key) = (label("project", project), label("network", "default"));
        made.docker(&["network", "create", "--label", &of, "--label", &key, &network]);
        for number in 1..=2_u16 {
            let published = format!("{}:8080", port + number);
            let labels = [
                of.clone(),
                label("service", "web"),
                label("container-number", &number.to_string()),
                label("oneoff", "False"),
                label("version", "2.24.0"),
                label("config-hash", "5d1c7b2f0a4e8d3c9b6a7f1e2d3c4b5a69788796a5b4c3d2e1f0a9b8c7d6e5f4"),
                label("project.working_dir", "/srv/legacy"),
                label("project.config_files", "/srv/legacy/compose.yaml"),
            ];
            let name = format!("{project}-web-{number}");
            let mut args = vec!["run", "-d", "--name", &name, "--network", &network, "-p", &published];
            args.extend(["--restart", "unless-stopped", "--health-cmd", "/app healthcheck", "--health-interval", "1s"]);
            args.extend(labels.iter().flat_map(|label| ["--label", label]));
            args.push(&image);
            made.docker(&args);
        }
        stage.fleet.wait("both are healthy", || {
            made.docker(&["ps", "--filter", &made.filter(), "--format", "{{.Status}}"]).matches("(healthy)").count()
                == 2
        });
        made
    }

    fn docker(&self, args: &[&str]) -> String {
        self.world.docker("h3", args)
    }

    fn filter(&self) -> String {
        format!("label=com.docker.compose.project={}", self.project)
    }

    /// Its containers.
    pub fn ids(&self) -> BTreeSet<String> {
        let ids = self.docker(&["ps", "-aq", "--no-trunc", "--filter", &self.filter()]);
        ids.split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Composed {
    fn drop(&mut self) {
        // Also after a test that failed: what cannot go is said, and hides no reason.
        let script = std::path::Path::new(self.world.var("WORLD_SCRIPTS")).join("host");
        let docker = |args: &[&str]| {
            let mut command = Command::new(&script);
            let out = command.arg("--dir").arg(self.world.dir()).args(["docker", "h3"]).args(args).output();
            let told = out.as_ref().map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
            if !out.as_ref().is_ok_and(|out| out.status.success()) {
                eprintln!("docker {args:?} does not succeed: {out:?}");
            }
            told
        };
        let ids = docker(&["ps", "-aq", "--filter", &self.filter()]);
        let ids: Vec<&str> = ids.split_whitespace().collect();
        if !ids.is_empty() {
            docker(&[&["rm", "-f"], &ids[..]].concat());
        }
        docker(&["network", "rm", &format!("{}_default", self.project)]);
    }
}

/// The port that Docker holds for an adopted container is not fought over, and opened when that is gone.
#[test]
fn adopted_ports() {
    let mut stage = Stage::new("t-ports", &shop("1", 3, ""));
    let made = Composed::up(&stage, "legacy", 18320);
    let plan = stage.fleet.wharf(&["adopt", "legacy", "--dry-run"]);
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(plan.contains("legacy-web-1 goes on holding port 18321 of h3 by itself"), "{plan}");
    stage.act(&["adopt", "legacy", "--yes"]);
    let before = made.ids();

    // Its file has the entry that the first container held by itself.
    let text = "services:\n  web:\n    image: IMAGE:2\n    ports: [\"18321:8080\"]\n    healthcheck: { test: [\"CMD\", \"/app\", \"healthcheck\"], interval: 1s, timeout: 2s, retries: 2 }\n    deploy: { replicas: 2 }\n";
    let file = stage.fleet.compose("legacy.yaml", text);
    let deploy = ["deploy", "-f", &file, "--stack", "legacy"];
    let plan = stage.fleet.wharf(&[&deploy[..], &["--dry-run"]].concat());
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(plan.contains("the proxy there takes it over when legacy-web-1 is replaced"), "{plan}");
    stage.row("replace what was adopted", EVERYWHERE, 0.0, |stage| {
        stage.act(&[&deploy[..], &["--yes"]].concat());
    });
    assert!(made.ids().is_empty() && !before.is_empty(), "all were replaced");
    for edge in stage.edges(EVERYWHERE, 18321) {
        stage.fleet.wait("the entry is open everywhere", || std::net::TcpStream::connect(edge).is_ok());
    }
    stage.act(&["rm", "legacy", "--yes"]);
}

/// A service whose file names no port is reached from all hosts where its image says it listens, whether a host had that
/// image when the plan was made or none had it.
#[test]
fn exposed_by_the_image() {
    let text = shop("1", 3, "").replace("    expose: [\"8080\"]\n", "");
    assert!(!text.contains("expose:"));
    let world = World::get();
    for is_there in [false, true] {
        for host in EVERYWHERE {
            forget(&world, host, &world.image("1"));
        }
        if is_there {
            world.docker("h1", &["pull", "-q", &world.image("1")]);
        }
        let mut stage = Stage::new("t-expose", &text);
        let row = if is_there { "what an image exposes" } else { "what an image exposes that no host had" };
        stage.row(row, EVERYWHERE, 5.0, |_| std::thread::sleep(Duration::from_secs(5)));
        let again = stage.fleet.compose("shop.yaml", &text);
        stage.fleet.ok(&["deploy", "-f", &again, "--stack", "shop", "--dry-run"]);
    }
}

/// Removes an image and its digests from a host.
fn forget(world: &World, host: &str, image: &str) {
    let (repository, _) = image.rsplit_once(':').unwrap();
    let found = world.docker(host, &["images", "-q", repository]);
    let ids: std::collections::BTreeSet<&str> = found.split_whitespace().collect();
    for id in ids {
        world.docker(host, &["rmi", "-f", id]);
    }
    assert_eq!(world.docker(host, &["images", "-q", repository]), "");
}
