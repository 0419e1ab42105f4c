//! Containers and engines from the inside, against what Docker's own client says of them.

use serde_json::Value;

use super::support::Fleet;

const SHOP: &str = "\
services:
  web:
    image: IMAGE:1
    expose: [\"8080\"]
    environment:
      VERSION: from-the-file
      API_TOKEN: quite-confidential
    labels:
      com.acme.team: blue
      com.acme.note: quite-confidential too
    healthcheck:
      test: [CMD, /app, healthcheck]
      interval: 1s
    deploy:
      replicas: 3
";

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// Over SSH, TLS and a unix socket alike.
#[test]
fn the_inside_is_what_docker_says() {
    let fleet = Fleet::new("inside");
    let file = fleet.compose("shop.yaml", SHOP);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    let rows = fleet.json(&["ps", "shop/web"]);
    for row in rows.as_array().unwrap() {
        let (host, name) = (row["host"].as_str().unwrap(), row["container"].as_str().unwrap());
        let docker = |args: &[&str]| fleet.world.docker(host, args);
        docker(&["exec", name, "/bin/sh", "-c", "echo x > /tmp/made; mkdir /tmp/dir"]);
        fleet.wait("a check has passed", || {
            docker(&["inspect", "--format", "{{.State.Health.Status}}", name]) == "healthy"
        });
        let told = fleet.json(&["inspect", "shop/web", "--host", host]);
        assert_eq!((&told["host"], &told["container"]), (&row["host"], &row["container"]), "{told}");
        assert_eq!(told["missing"], serde_json::json!({}), "{told}");

        let own: Value = serde_json::from_str(&docker(&["inspect", "--format", "{{json .}}", name])).unwrap();
        for path in [
            "/Id",
            "/Name",
            "/Created",
            "/Image",
            "/State/Pid",
            "/State/StartedAt",
            "/State/Health/Status",
            "/Config/Image",
            "/Config/Healthcheck",
            "/HostConfig/RestartPolicy",
            "/NetworkSettings/Ports",
            "/NetworkSettings/Networks",
            "/Mounts",
        ] {
            assert_eq!(told["inspect"].pointer(path), own.pointer(path), "{host} {path}");
        }
        assert!(told["inspect"].pointer("/State/Health/Log/0/Output").is_some_and(Value::is_string), "{told}");

        // The same processes, files and layers.
        let top = docker(&["top", name]);
        let commands: Vec<&str> = told["processes"]["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row.as_array().unwrap().last().unwrap().as_str().unwrap())
            .collect();
        assert!(!commands.is_empty() && commands.iter().all(|command| top.contains(command)), "{commands:?}\n{top}");
        assert_eq!(commands.len(), lines(&top).len() - 1, "{commands:?}\n{top}");
        let sign = |change: &Value| match change["change"].as_str().unwrap() {
            "added" => "A",
            "deleted" => "D",
            _ => "C",
        };
        let files: Vec<String> = told["files"]["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| format!("{} {}", sign(change), change["path"].as_str().unwrap()))
            .collect();
        let diff = docker(&["diff", name]);
        let mut diff = lines(&diff);
        diff.sort_by_key(|line| line.split_once(' ').unwrap().1.to_owned());
        assert_eq!(files, diff, "{host}");
        assert!(files.contains(&"A /tmp/made".to_owned()) && files.contains(&"A /tmp/dir".to_owned()), "{files:?}");
        let image = own["Image"].as_str().unwrap();
        let history = docker(&["history", "--no-trunc", "--format", "{{.CreatedBy}}", image]);
        let layers: Vec<&str> =
            told["layers"]["layers"].as_array().unwrap().iter().map(|layer| layer["by"].as_str().unwrap()).collect();
        assert_eq!(layers, lines(&history), "{host}");
        assert_eq!(told["image"]["Id"], own["Image"]);
        assert!(told["image"]["RepoDigests"][0].as_str().unwrap().contains("@sha256:"), "{told}");

        // What was given in confidence is nowhere, and what was not is there.
        let all = told.to_string() + &fleet.ok(&["inspect", "shop/web", "--host", host]);
        assert!(own.to_string().contains("quite-confidential"), "Docker itself tells it");
        assert!(!all.contains("quite-confidential") && !all.contains("from-the-file"), "{all}");
        assert!(all.contains("API_TOKEN") && all.contains("••• too") && all.contains("com.acme.team"), "{all}");

        let engine = fleet.json(&["inspect", host]);
        let version: Value = serde_json::from_str(&docker(&["version", "--format", "{{json .Server}}"])).unwrap();
        for field in ["Version", "ApiVersion", "KernelVersion"] {
            assert_eq!(engine["version"][field], version[field], "{host} {field}");
        }
        assert_eq!(engine["info"]["Driver"].as_str().unwrap(), docker(&["info", "--format", "{{.Driver}}"]));
    }
    // An engine that hangs is said to; so is a host of whose containers nothing can be known.
    let hung = fleet.world.fault("hang", "h3");
    let said = fleet.fails(5, &["inspect", "h3"]);
    assert!(said.contains("h3 cannot be seen"), "{said}");
    drop(hung);
    fleet.fails(2, &["inspect", "shop/nothing"]);
    fleet.ok(&["rm", "shop", "--yes"]);
    fleet.alone();
}

/// At a terminal: the page of a replica lives, and says so when the engine hangs.
#[test]
fn the_page_lives_and_says_when_it_does_not() {
    let fleet = Fleet::new("page");
    let file = fleet.compose("shop.yaml", SHOP);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    let rows = fleet.json(&["ps", "shop/web"]);
    let row = rows.as_array().unwrap().iter().find(|row| row["host"] == "h3").unwrap();
    let name = row["container"].as_str().unwrap();
    let mut screen = fleet.terminal(&[]);
    screen.wait_text("3/3");
    screen.type_bytes(b"5/h3\r");
    screen.wait("only that replica", |screen| screen.contents().contains("1 of "));
    screen.type_bytes(b"i/processes\r");
    screen.wait("the page of the replica", |screen| {
        let text = screen.contents();
        // What has not come yet cannot be opened.
        text.contains(&format!("INSPECT  {name}")) && text.contains("running") && text.contains("▸ processes")
    });
    screen.type_bytes(b"l");
    screen.wait_text("PID");
    // A process that comes is shown without a key.
    let docker = ["exec", "-d", name, "/bin/sh", "-c", "sleep 77; true"];
    fleet.world.docker("h3", &docker);
    screen.wait_text("sleep 77");
    assert!(!screen.contents().contains("quite-confidential"), "{}", screen.contents());
    let hung = fleet.world.fault("hang", "h3");
    screen.wait("what is known is shown with its age, and why it is old", |screen| {
        let text = screen.contents();
        text.contains("? as of ") && text.contains("sleep 77")
    });
    drop(hung);
    screen.wait("it answers again", |screen| !screen.contents().contains("? as of "));
    screen.type_bytes(b"q\x1bq");
    screen.type_bytes(b"q");
    assert!(screen.exit().success());
    screen.assert_clean();
    fleet.ok(&["rm", "shop", "--yes"]);
    fleet.alone();
}
