//! Commands that move things, as scripts call them, on the demo's simulated fleet: words, exit codes, documents.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/served.rs"]
mod served;

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use served::Served as Demo;

impl Demo {
    fn wharf(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.arg("--fleet").arg(&self.file).args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs it, expects an exit code, and gives what it said.
    fn said(&self, code: i32, args: &[&str]) -> String {
        let out = self.wharf(args);
        let said = [out.stdout, out.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(out.status.code(), Some(code), "wharf {args:?}\n{said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    fn json(&self, code: i32, args: &[&str]) -> Value {
        let out = self.wharf(args);
        assert_eq!(out.status.code(), Some(code), "wharf {args:?}\n{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }

    fn intent(&self, host: &str) -> String {
        let hosts = self.json(0, &["hosts", "--json"]);
        let row = hosts.as_array().unwrap().iter().find(|row| row["name"] == host).unwrap();
        row["intent"].as_str().unwrap().to_owned()
    }
}

fn all_of(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
}

#[test]
fn plans_of_moves_are_shown_and_nothing_changes() {
    let demo = Demo::start();
    let said = demo.said(10, &["migrate", "shop/web", "--from", "east", "--to", "e-5", "--dry-run"]);
    all_of(
        &said,
        &["PLAN  migrate shop/web east → e-5", "start first", "same as: wharf migrate shop/web --from east --to e-5"],
    );
    let said = demo.said(10, &["plan", "migrate", "shop", "--from", "east", "--to", "west"]);
    all_of(&said, &["when west is done", "nothing of", "is left in east afterwards"]);
    let said = demo.said(10, &["plan", "drain", "e-2"]);
    all_of(&said, &["no new replicas from now on", "e-2 is empty: safe to switch off", "undo: wharf uncordon e-2"]);
    let said = demo.said(10, &["rollback", "shop/web", "--dry-run"]);
    all_of(
        &said,
        &[
            "rollback shop/web to r",
            "image: acme/shop-web:2.8.1 → acme/shop-web:2.8.0",
            "undo: wharf rollback shop/web --to r",
        ],
    );
    let said = demo.said(10, &["plan", "rollback", "shop"]);
    all_of(&said, &["rollback shop, 4 services", "shop/redis  r", "undo: wharf rollback shop --to"]);
    let said = demo.said(10, &["deploy", "--stack", "shop", "--image", "web=2.8.0", "--dry-run"]);
    all_of(
        &said,
        &["deploy shop", "acme/shop-web:2.8.0", "same as: wharf deploy --stack shop --image web=acme/shop-web:2.8.0"],
    );
    let document = demo.json(10, &["plan", "rollback", "shop/web", "--json"]);
    assert_eq!(document["differences"][0]["service"], "shop/web");
    assert!(document["differences"][0]["lines"][0].as_str().unwrap().starts_with("image: "), "{document}");
    let code = demo.wharf(&["plan", "rebalance"]).status.code();
    assert!(matches!(code, Some(0 | 10)), "{code:?}");
    assert_eq!(demo.json(0, &["ops", "--open", "--json"]), Value::Array(Vec::new()));
}

#[test]
fn what_cannot_be_is_refused_with_words() {
    let demo = Demo::start();
    for (args, words) in [
        (&["migrate", "shop/web", "--from", "e-1", "--to", "e-9"][..], "there is no host `e-9`; did you mean"),
        (&["migrate", "shop/wbe", "--from", "e-1", "--to", "e-2"], "did you mean `shop/web`?"),
        (&["migrate", "shop/web.9", "--from", "e-1", "--to", "e-2"], "nothing of shop/web.9"),
        (&["migrate", "shop/web", "--from", "e-1", "--to", "e-1"], "name another target"),
        (&["migrate", "legacy", "--from", "w-3", "--to", "w-1"], "deployed by compose"),
        (&["migrate", "shop/", "--from", "e-1", "--to", "e-2"], "write STACK, STACK/SERVICE or STACK/SERVICE.SLOT"),
        (&["drain", "e-9"], "there is no host `e-9`"),
        (&["rollback", "shop/web", "--to", "r99"], "r99 of shop/web is not kept; kept are r"),
        (&["rollback", "shop/web", "--to", "last"], "write a number such as 5; `wharf history shop/web` lists them"),
        (&["rollback", "shop", "--to", "r3"], "the number of a version of the stack"),
        (&["rollback", "shop/web.1"], "replicas of shop/web are rolled back together"),
        (&["rebalance", "esat"], "did you mean `east`?"),
        (&["deploy", "--image", "web=1"], "--stack"),
        (&["deploy", "--stack", "shop", "--image", "web"], "write SERVICE=IMAGE"),
        (&["deploy", "--stack", "shop", "--image", "web=1", "--image", "web=2"], "given twice"),
        (&["deploy", "--stack", "shop", "--image", "wbe=1"], "did you mean `shop/web`?"),
        (&["deploy", "--stack", "shop"], "--file"),
    ] {
        let said = demo.said(2, &[args, &["--yes"]].concat());
        assert!(said.contains(words), "{args:?}: `{words}` is not in:\n{said}");
    }
}

#[test]
fn a_drain_is_accepted_aborted_and_undone() {
    let demo = Demo::start();
    let said = demo.said(0, &["drain", "e-5", "--yes", "--detach"]);
    let id = said.trim();
    assert_eq!(demo.intent("e-5"), "draining");
    let operation = demo.json(0, &["ops", id, "--json"]);
    assert_eq!((&operation["command"], &operation["summary"]), (&"drain".into(), &"drain e-5".into()));
    demo.said(0, &["abort", id]);
    assert_eq!(demo.intent("e-5"), "cordoned");
    let said = demo.said(0, &["uncordon", "e-5", "--yes"]);
    all_of(&said, &["uncordon e-5: converged"]);
    assert_eq!(demo.intent("e-5"), "open");
    let said = demo.said(0, &["uncordon", "e-5", "--yes"]);
    all_of(&said, &["nothing to do"]);
}

#[test]
fn relations_and_reasons_are_told() {
    let demo = Demo::start();
    all_of(&demo.said(0, &["graph", "shop"]), &[":80\n  └ shop/web", "shop/api", "  └ shop/redis"]);
    all_of(&demo.said(0, &["graph", "shop", "--format", "dot"]), &["digraph wharf {", "\"shop/web\" -> \"shop/api\""]);
    all_of(&demo.said(0, &["graph", "shop/web", "--format", "mermaid"]), &["flowchart LR", "-->"]);
    let nodes = demo.json(0, &["graph", "shop", "--format", "json"]);
    assert!(nodes.as_array().unwrap().iter().any(|node| node["name"] == "shop/redis"), "{nodes}");
    // The demo's proxies need a moment, and that is told too.
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let said = demo.said(0, &["explain", "shop/cart"]);
        if said.starts_with("shop/cart is healthy: 9 of 9") {
            break;
        }
        assert!(said.contains("proxy") && Instant::now() < until, "{said}");
    }
    all_of(&demo.said(0, &["explain", "search"]), &["search/index is not as wanted", "search/index.1 on w-3"]);
    let told = demo.json(0, &["explain", "search/index", "--json"]);
    assert!(!told[0]["causes"].as_array().unwrap().is_empty(), "{told}");
    demo.said(2, &["explain", "shop/nothing"]);
}

#[test]
fn hosts_are_cleared_of_what_nothing_needs() {
    let demo = Demo::start();
    let all = demo.json(0, &["storage", "e-2", "--json"]);
    let of = |rows: &Value, name: &str| -> Option<bool> {
        let rows = rows.as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).map(|row| row["needed"].as_bool().unwrap())
    };
    assert_eq!(of(&all, "acme/shop-web:2.6.4"), Some(false), "{all}");
    assert_eq!(of(&all, "acme/shop-web:2.8.0"), Some(true), "a revision that is kept");
    let unused = demo.said(0, &["storage", "east", "--unused", "-k", "image"]);
    all_of(&unused, &["e-2", "○ acme/shop-web:2.6.4", "nothing"]);
    assert!(!unused.contains("2.8.0"), "{unused}");
    all_of(&demo.said(2, &["storage", "e-22"]), &["there is no host `e-22`; did you mean `e-2`?"]);

    let plan = demo.said(10, &["plan", "prune", "e-2"]);
    all_of(&plan, &["image acme/shop-web:2.6.4 on e-2", "same as"]);
    assert!(!plan.contains("volume"), "{plan}");
    let web = all.as_array().unwrap().iter().find(|row| row["name"] == "acme/shop-web:2.8.0").unwrap();
    let id = web["id"].as_str().unwrap();
    all_of(&demo.said(2, &["prune", "e-2", "--id", id, "--yes"]), &["stays", "can come back"]);
    demo.said(0, &["prune", "e-2", "--kind", "image", "--kind", "volume", "--yes"]);
    let after = demo.json(0, &["storage", "e-2", "--json"]);
    assert_eq!(of(&after, "acme/shop-web:2.6.4"), None);
    assert_eq!(of(&after, "acme/shop-web:2.8.0"), Some(true));
    let volumes = demo.said(0, &["storage", "e-2", "--kind", "volume", "--unused"]);
    assert!(!volumes.contains("no name"), "{volumes}");
    all_of(&demo.said(0, &["prune", "e-2", "--yes"]), &["nothing to do"]);
}

#[test]
fn commands_run_in_replicas_and_end_with_their_code() {
    let demo = Demo::start();
    let out = demo.wharf(&["exec", "shop/web", "--", "sh", "-c", "echo hi; exit 3"]);
    assert_eq!((out.status.code(), String::from_utf8_lossy(&out.stdout).as_ref()), (Some(3), "hi\n"));
    all_of(&demo.said(2, &["exec", "shop/nothing", "--", "true"]), &["there is no replica of `shop/nothing`"]);
    let journal = demo.said(0, &["events"]);
    all_of(&journal, &["opened `sh` in shop-web-1"]);
    assert!(!journal.contains("exit 3"), "arguments may be confidential: {journal}");
}

#[test]
fn containers_and_engines_are_shown_from_the_inside() {
    let demo = Demo::start();
    let said = demo.said(0, &["inspect", "shop/web.2"]);
    all_of(
        &said,
        &[
            "the first of 3",
            "\n  SERVICE",
            "•••",
            "nginx: worker process",
            "\n  + /run/nginx.pid",
            "sha256:",
            "ADD file:",
        ],
    );
    assert!(!said.contains("/run/secrets/token"), "values of an environment are not shown: {said}");
    let rows = demo.json(0, &["ps", "shop/redis", "--json"]);
    let (host, name) = (rows[1]["host"].as_str().unwrap(), rows[1]["container"].as_str().unwrap());
    let document = demo.json(0, &["inspect", "shop/redis", "--host", host, "--json"]);
    assert_eq!((&document["host"], &document["container"]), (&host.into(), &name.into()), "{document}");
    assert_eq!(document["inspect"]["Name"], format!("/{name}"));
    demo.said(2, &["inspect", "shop/redis", "--host", "nowhere"]);
    assert_eq!(document["processes"]["titles"][1], "PID");
    assert_eq!(document["files"]["added"], 1);
    assert!(document["layers"]["layers"][0]["size"].is_u64(), "{document}");
    assert_eq!(document["missing"], serde_json::json!({}));
    // What others run, by the names that other commands give it, and a host.
    let said = demo.said(0, &["inspect", "legacy/db"]);
    all_of(&said, &["POSTGRES_PASSWORD", "•••", "postgres: checkpointer"]);
    assert!(!said.contains("correct-horse"), "{said}");
    let said = demo.said(0, &["inspect", "e-1"]);
    all_of(&said, &["version", "20.10.24, API 1.41", "Debian GNU/Linux 12", "overlay2"]);
    let document = demo.json(0, &["inspect", "e-1", "--json"]);
    assert_eq!((&document["host"], &document["info"]["Name"]), (&"e-1".into(), &"e-1".into()));
    assert!(document.get("container").is_none() && document["version"]["ApiVersion"] == "1.41", "{document}");
    for what in ["shop/nothing", "nothing", "shop", "shop/web.99"] {
        all_of(&demo.said(2, &["inspect", what]), &["there is no container of", "wharf ps"]);
    }
}

/// The demo under roles and guards of its own.
fn ruled(demo: &Demo, more: &str) -> PathBuf {
    let text = std::fs::read_to_string(&demo.file).unwrap();
    let file = demo.file.with_file_name("ruled.toml");
    std::fs::write(&file, format!("{text}\n{more}")).unwrap();
    file
}

fn with(file: &std::path::Path, code: i32, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    let out = command.arg("--fleet").arg(file).args(args).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    assert_eq!(out.status.code(), Some(code), "wharf {args:?}\n{said}");
    said
}

#[test]
fn roles_and_guards_hold_at_the_command_line() {
    let demo = Demo::start();
    let file = ruled(&demo, "[[role]]\nwho = [\"nobody-here\"]\n");
    let said = with(&file, 10, &["scale", "shop/web=+1@east", "--dry-run"]);
    all_of(&said, &["PLAN", "may not scale shop in east", "these may: nobody-here"]);
    let said = with(&file, 3, &["scale", "shop/web=+1@east", "--yes"]);
    all_of(&said, &["may not scale shop in east"]);
    let said = with(&file, 3, &["exec", "shop/web", "-T", "--", "true"]);
    all_of(&said, &["may not exec shop in"]);
    all_of(&with(&file, 0, &["audit", "-n", "2"]), &["refused", "scale shop/web east", "may not exec shop"]);

    let file = ruled(&demo, "[[guard]]\nlevel = \"name\"\nstacks = [\"shop\"]\n");
    let scale = |code, more: &[&str]| with(&file, code, &[&["scale", "shop/web=+1@east"][..], more].concat());
    all_of(&scale(10, &["--dry-run"]), &["shop is guarded: `--confirm shop` applies this"]);
    all_of(&scale(2, &["--yes"]), &["--yes alone is not enough: write --yes=shop or --confirm shop"]);
    all_of(&scale(2, &["--yes=blog"]), &["has to be confirmed with `shop`, not `blog`"]);
    all_of(&scale(2, &[]), &["standard input is not a terminal"]);
    scale(0, &["--confirm", "shop"]);
    scale(0, &["--yes=shop"]);
    let said = with(&file, 10, &["scale", "shop/web=+1@east", "--dry-run", "--json"]);
    all_of(&said, &["\"guard\": \"name\"", "\"confirm\": \"shop\""]);
}

#[test]
fn the_store_is_copied_checked_and_not_written_over() {
    let demo = Demo::start();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (copy, export) = (path("copy.db"), path("audit.jsonl"));
    all_of(&demo.said(0, &["store", "check"]), &["is sound"]);
    all_of(&demo.said(0, &["store", "backup", &copy]), &["is a copy of"]);
    let said = demo.said(0, &["audit", "--verify"]);
    all_of(&said, &["entries are as they were written"]);
    let head = said.trim().rsplit(' ').next().unwrap().to_owned();
    demo.said(0, &["audit", "--contains", &head]);
    all_of(&demo.said(1, &["audit", "--contains", "abc"]), &["does not contain abc"]);
    demo.said(0, &["audit", "--export", &export]);
    all_of(&demo.said(0, &["audit", "--of", &export]), &[&head]);
    let text = std::fs::read_to_string(&export).unwrap();
    std::fs::write(&export, text.replace("deploy", "destroy")).unwrap();
    all_of(&demo.said(1, &["audit", "--of", &export]), &["is not what it was"]);
    // The demo is its own reconciler: nothing is put under it.
    all_of(&demo.said(1, &["store", "restore", &copy, "--yes"]), &["stop it first", "nothing was changed"]);
    all_of(&demo.said(0, &["store", "check"]), &["is sound"]);
    // What the demo is born with was made by nobody: it is named, and nothing is written.
    let said = demo.said(0, &["store", "rebuild", "--dry-run"]);
    all_of(&said, &["✗ shop/web", "wrote no record", "not on the hosts, and so not restored"]);
    all_of(&demo.said(1, &["store", "rebuild", "--yes"]), &["there is nothing to build"]);
}

#[test]
fn the_wall_is_printed_once_in_pages_or_as_a_document() {
    let demo = Demo::start();
    let said = demo.said(0, &["watch", "--once"]);
    all_of(
        &said,
        &["acme", "all data is live", "WRONG NOW", "STACK", "shop", "ENTRY", "shop/web", "OPERATIONS", "LAST CHANGES"],
    );
    let said = demo.said(0, &["watch", "--once", "--page", "entries"]);
    all_of(&said, &["ENTRY", ":80", "shop/web"]);
    assert!(!said.contains("STACK") && !said.contains("LAST CHANGES"), "{said}");
    demo.said(2, &["watch", "--once", "--page", "weather"]);
    demo.said(2, &["watch", "--page", "stacks"]);
    demo.said(2, &["watch", "--once", "--json", "--page", "stacks"]);
    let wall = demo.json(0, &["watch", "--once", "--json"]);
    assert_eq!(wall["fleet"], "acme");
    assert_eq!(wall["data_age_seconds"], 0, "{wall}");
    assert_eq!(wall["hosts"].as_array().unwrap().len(), 12);
    let stacks = wall["stacks"].as_array().unwrap();
    let shop = stacks.iter().find(|stack| stack["stack"] == "shop").unwrap();
    assert!(shop["services"][0]["regions"]["west"]["wanted"].is_u64(), "{shop}");
    let entries = wall["entries"].as_array().unwrap();
    let web = entries.iter().find(|entry| entry["service"] == "shop/web").unwrap();
    assert!(web["entry"].as_str().unwrap().starts_with(":80"), "{web}");
    for list in ["wrong", "operations", "changes"] {
        assert!(wall[list].is_array(), "{list}: {wall}");
    }
}

/// The log of a reconciler that was started on demand lies beside the store: what it cannot write there must not end it.
#[test]
fn a_reconciler_goes_on_where_its_log_has_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let (file, store, socket) =
        (dir.path().join("fleet.toml"), dir.path().join("wharf.db"), dir.path().join("none.sock"));
    let text = format!(
        "fleet = \"full\"\nstore = \"{}\"\n[[region]]\nname = \"east\"\n[[region.host]]\nname = \"h1\"\nconnect = \"unix://{}\"\naddress = \"10.0.0.1\"\n",
        store.display(),
        socket.display()
    );
    std::fs::write(&file, text).unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .arg("--fleet")
        .arg(&file)
        .args(["reconcile", "--until-idle", "--region", "east"])
        // That the host is not there is told at once.
        .env("WHARF_LOG", "trace")
        .stdin(Stdio::null())
        .stderr(std::fs::File::options().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", out.status);
}
