//! What Compose would have made: two containers of one service on h3, with ports of their own.

use std::{collections::BTreeSet, process::Command};

use super::{stage::Stage, support::World};

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
