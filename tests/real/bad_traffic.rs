//! What goes wrong while a stack is changed under load: every operation ends in a final state with words, and those who
//! use the service notice nothing, or no more than cannot be helped.

use std::{fs, time::Duration};

use super::{
    stage::{EDGE, EVERYWHERE, Stage, ended, shop},
    support::{Fleet, certificate},
};
use crate::load::Counts;

/// A release that must fail by itself, under load: it is rolled back, nobody notices, and these words are said.
fn rolled_back(name: &str, bad: &str, words: &[&str]) -> Stage {
    let mut stage = Stage::new(name, &shop("1", 3, ""));
    let before = stage.ids(EVERYWHERE, Some("web"));
    let floor = stage.floor("web", EVERYWHERE, 3);
    stage.row(&format!("bad release: {name}"), EVERYWHERE, 0.0, |stage| {
        let err = stage.refused(1, bad);
        for word in words {
            assert!(err.contains(word), "{word}: {err}");
        }
    });
    floor.held();
    assert_eq!(stage.ids(EVERYWHERE, Some("web")), before, "what ran before runs, and only that");
    stage
}

#[test]
fn an_image_that_does_not_exist() {
    rolled_back("b-none", &shop("nope", 3, ""), &["nope", "nothing was changed"]);
}

#[test]
fn an_image_that_exits_at_once() {
    rolled_back("b-exits", &shop("bad", 3, ""), &["was rolled back", "shop/web.", "exit code 1"]);
}

#[test]
fn an_image_that_never_gets_healthy() {
    rolled_back("b-sick", &shop("sick", 3, ""), &["was rolled back", "shop/web."]);
}

/// Healthy, released everywhere, and sick from its twentieth second on: the window after the release is there for this.
#[test]
fn an_image_that_fails_at_second_20() {
    let mut stage = Stage::new("b-late", &shop("1", 3, ""));
    // The first copies are sick while the last are observed, and all that answers is still good.
    let bad = shop("late", 3, "observe: 40s");
    stage.row("bad release: sick from second 20", EVERYWHERE, 22.0, |stage| {
        let err = stage.refused(1, &bad);
        assert!(err.contains("was rolled back") && err.contains("shop/web."), "{err}");
    });
    let rows = stage.fleet.json(&["ps", "shop/web"]);
    assert!(
        rows.as_array().unwrap().iter().all(|row| row["image"].as_str().is_some_and(|i| !i.contains(":late"))),
        "{rows}"
    );
    assert_eq!(stage.healthy(EVERYWHERE, "web"), 3);
}

/// It is healthy and answers 500s: only the proxies' counters can tell. What its canary answers is all that fails.
#[test]
fn an_image_that_answers_500s_only() {
    let stage = Stage::new("b-500", &shop("1", 3, ""));
    let before = stage.ids(EVERYWHERE, Some("web"));
    let floor = stage.floor("web", EVERYWHERE, 3);
    let load = stage.load(EVERYWHERE);
    let err = stage.refused(1, &shop("500", 3, "canary: 4s"));
    assert!(err.contains("was rolled back") && err.contains("shop/web: "), "{err}");
    assert!(err.contains("requests to the new revision failed, 0 of "), "says what the new one did: {err}");
    let over = jiff::Timestamp::now();
    std::thread::sleep(Duration::from_secs(1));
    let mut streams = load.streams();
    let edge = streams.remove("edge").unwrap();
    floor.held();
    assert_eq!(stage.ids(EVERYWHERE, Some("web")), before);
    assert_eq!(edge.failed(), edge.status, "nothing but its own answers: {edge}");
    assert!(edge.failures.iter().all(|failure| failure.what.contains("500")), "{edge}");
    assert!(edge.failures.iter().all(|failure| failure.ended < over), "{edge}");
    assert!(edge.status * 3 < edge.requests(), "one of four copies fails: {edge}");
    for counts in streams.values() {
        assert_eq!(counts.failed(), 0, "{counts}");
    }
}

#[test]
fn an_image_that_ignores_sigterm() {
    let text = |tag: &str| shop(tag, 3, "").replace("    ports:", "    stop_grace_period: 2s\n    ports:");
    let mut stage = Stage::new("b-deaf", &text("deaf"));
    let floor = stage.floor("web", EVERYWHERE, 3);
    stage.row("the old one ignores SIGTERM", EVERYWHERE, 0.0, |stage| stage.release(&text("1")));
    floor.held();
    let rows = stage.fleet.json(&["ps", "shop/web"]);
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
}

/// Something to do that takes some seconds.
#[derive(Debug, Clone, Copy)]
enum Job {
    Scale,
    Release,
    RollBack,
    Migrate,
    Rebalance,
    Drain,
}

/// A text of the stack that differs from others by a number.
fn numbered(n: u32) -> String {
    shop("1", 3, "").replace("    ports:", &format!("    environment: {{ N: \"{n}\" }}\n    ports:"))
}

impl Job {
    /// Makes it possible, and gives its command.
    fn args(self, stage: &Stage) -> Vec<String> {
        let owned = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect();
        match self {
            Self::Scale => owned(&["scale", "shop/web=6", "--yes"]),
            Self::Release => {
                let file = stage.fleet.compose("shop.yaml", &numbered(1));
                owned(&["deploy", "-f", &file, "--stack", "shop", "--yes"])
            }
            Self::RollBack => {
                stage.release(&numbered(2));
                owned(&["rollback", "shop/web", "--to", "1", "--yes"])
            }
            Self::Migrate => owned(&["migrate", "shop/web", "--from", "h2", "--to", "h1", "--yes"]),
            Self::Rebalance => {
                // Where the migration was given up, there is nothing to spread yet.
                drop(stage.fleet.wharf(&["migrate", "shop/web", "--from", "h2", "--to", "h1", "--yes"]));
                owned(&["rebalance", "--yes"])
            }
            Self::Drain => {
                stage.fleet.ok(&["rebalance", "--yes"]);
                owned(&["drain", "h2", "--yes"])
            }
        }
    }
}

/// Breaks something in the middle of each job, mends it, and expects a final state with words. Nobody asks the edge of
/// h2, which is drained, and of h3, where things break.
fn broken_in_the_middle(name: &str, break_it: impl Fn(&Stage), may_fail: impl Fn(&Counts, jiff::Timestamp) -> bool) {
    let stage = Stage::new(name, &shop("1", 3, ""));
    for job in [Job::Scale, Job::Release, Job::RollBack, Job::Migrate, Job::Rebalance, Job::Drain] {
        let args = job.args(&stage);
        let before = stage.ids(EVERYWHERE, None);
        let load = stage.load(&["h1"]);
        let running = stage.fleet.spawn(&args.iter().map(String::as_str).collect::<Vec<_>>());
        stage.fleet.wait("something has begun", || stage.ids(EVERYWHERE, None) != before);
        let broken = jiff::Timestamp::now();
        break_it(&stage);
        let (code, err) = ended(running);
        std::thread::sleep(Duration::from_secs(1));
        let counts = load.stop();
        println!("{name}, {job:?}: exit {code:?}, {counts}");
        match code {
            Some(0) => {}
            Some(1) => assert!(err.contains("rolled back") || err.contains("failed"), "{job:?}: {err}"),
            other => panic!("{name}, {job:?}: exit {other:?}: {err}\n{}", stage.told()),
        }
        let open = stage.fleet.json(&["ops", "--open"]);
        assert_eq!(open.as_array().unwrap().len(), 0, "{open}");
        assert!(may_fail(&counts, broken), "{name}, {job:?}: {counts}\n{}", stage.told());
    }
}

fn none(counts: &Counts, _: jiff::Timestamp) -> bool {
    counts.failed() == 0
}

#[test]
fn a_registry_lost_in_the_middle_of_each() {
    let lost = |stage: &Stage| {
        let registry = stage.fleet.world.fault("kill-registry", "open");
        std::thread::sleep(Duration::from_secs(2));
        drop(registry);
    };
    broken_in_the_middle("b-reg", lost, none);
}

#[test]
fn an_engine_hung_in_the_middle_of_each() {
    let hung = |stage: &Stage| {
        let hung = stage.fleet.world.fault("hang", "h3");
        std::thread::sleep(Duration::from_secs(6));
        drop(hung);
    };
    broken_in_the_middle("b-hung", hung, none);
}

/// It comes back by itself; the other hosts' proxies carry on meanwhile.
#[test]
fn a_proxy_lost_in_the_middle_of_each() {
    let lost = |stage: &Stage| {
        let proxy = stage.containers("h3", None).into_iter().find(|one| one.is_proxy).expect("a proxy on h3");
        stage.fleet.world.docker("h3", &["rm", "-f", &proxy.id]);
        stage.fleet.wait("another proxy", || {
            stage.containers("h3", None).iter().any(|one| one.is_proxy && one.is_running() && one.id != proxy.id)
        });
    };
    // What a container of h3 asked of others went through that proxy.
    let chain = |counts: &Counts, _| {
        counts.failed() == counts.status && counts.failures.iter().all(|failure| failure.what.starts_with("502"))
    };
    broken_in_the_middle("b-prox", lost, chain);
}

#[test]
fn a_host_lost_in_the_middle_of_each() {
    let lost = |stage: &Stage| {
        let crash = stage.fleet.world.fault("crash", "h3");
        std::thread::sleep(Duration::from_secs(10));
        drop(crash);
    };
    // In flight there, or sent there before the proxies' own checks noticed.
    let noticed = |counts: &Counts, broken: jiff::Timestamp| {
        let noticed = broken + jiff::SignedDuration::from_secs(6);
        counts.failed() < 100 && counts.failures.iter().all(|failure| failure.began < noticed)
    };
    broken_in_the_middle("b-lost", lost, noticed);
}

#[test]
fn two_operators_migrate_and_scale_at_once() {
    let mut stage = Stage::new("b-two", &shop("1", 3, ""));
    let mut codes = Vec::new();
    stage.row("two operators at once", EVERYWHERE, 0.0, |stage| {
        let both =
            [&["migrate", "shop/web", "--from", "h2", "--to", "h3", "--yes"][..], &["scale", "shop/web=6", "--yes"]];
        codes = both.map(|args| stage.fleet.spawn(args)).into_iter().map(ended).collect();
    });
    assert!(codes.iter().any(|(code, _)| *code == Some(0)), "{codes:?}");
    for (code, err) in &codes {
        assert!(*code == Some(0) || (*code == Some(3) && err.contains("shop/web")), "{codes:?}");
    }
    assert!(stage.fleet.json(&["ops", "--open"]).as_array().unwrap().is_empty());
    let running = stage.fleet.running("shop/web");
    assert!(running == 3 || running == 6, "{running}");
}

/// At most one on each host, on all three hosts: there is no room for a fourth, so the old one of each goes first.
#[test]
fn no_capacity_for_the_surge() {
    let text = |tag: &str| {
        shop(tag, 3, "").replacen(
            "deploy: { replicas: 3,",
            "deploy: { replicas: 3, placement: { max_replicas_per_node: 1 },",
            1,
        )
    };
    let mut stage = Stage::new("b-room", &text("1"));
    let file = stage.fleet.compose("shop.yaml", &text("2"));
    let out = stage.fleet.wharf(&["deploy", "-f", &file, "--stack", "shop", "--dry-run"]);
    let plan = String::from_utf8_lossy(&out.stdout).to_lowercase();
    assert_eq!(out.status.code(), Some(10), "{plan}");
    assert!(
        plan.contains("first") || plan.contains("room"),
        "the plan says that the old ones go first, and why: {plan}"
    );
    let floor = stage.floor("web", EVERYWHERE, 1);
    stage.row("release without room", EVERYWHERE, 0.0, |stage| stage.release(&text("2")));
    floor.held();
    let rows = stage.fleet.json(&["ps", "shop/web"]);
    assert!(rows.as_array().unwrap().iter().all(|row| row["revision"] == 2), "{rows}");
}

#[test]
fn a_target_region_that_cannot_be_reached() {
    let mut stage = Stage::new("b-far", &shop("1", 3, ""));
    let text = fs::read_to_string(&stage.fleet.file).unwrap();
    let nowhere = stage.fleet.world.dir().join("nowhere.sock");
    let far = format!(
        "\n[[region]]\nname = \"west\"\n\n[[region.host]]\nname = \"w1\"\nconnect = \"unix://{}\"\naddress = \"10.255.255.1\"\n",
        nowhere.display()
    );
    fs::write(&stage.fleet.file, text + &far).unwrap();
    let before = stage.ids(EVERYWHERE, None);
    stage.row("migrate to a region that is not there", EVERYWHERE, 0.0, |stage| {
        let out = stage.fleet.wharf(&["migrate", "shop/web", "--from", "east", "--to", "west", "--yes"]);
        let err = String::from_utf8_lossy(&out.stderr);
        assert!(matches!(out.status.code(), Some(1 | 2 | 5)), "{:?}: {err}", out.status.code());
        assert!(err.contains("west") || err.contains("w1"), "{err}");
    });
    assert_eq!(stage.ids(EVERYWHERE, None), before, "nothing was changed");
}

#[test]
fn a_certificate_that_is_missing_or_expired() {
    let stage = Stage::new("b-cert", &shop("1", 3, ""));
    let before = stage.ids(EVERYWHERE, None);
    let secure = |file: &str| {
        shop("1", 3, "").replace("protocol: http }", &format!("protocol: https, host: shop.example, tls: {file} }}"))
    };
    let load = stage.load(EVERYWHERE);
    let err = stage.refused(2, &secure("missing.pem"));
    assert!(err.contains("missing.pem"), "{err}");
    fs::write(stage.fleet.dir.path().join("old.pem"), certificate("shop.example", -30, -2)).unwrap();
    let err = stage.refused(2, &secure("old.pem"));
    assert!(err.contains("old.pem") && err.contains("expired"), "{err}");
    fs::write(stage.fleet.dir.path().join("odd.pem"), "not a certificate").unwrap();
    let err = stage.refused(2, &secure("odd.pem"));
    assert!(err.contains("odd.pem"), "{err}");
    let counts = load.stop();
    assert_eq!(counts.failed(), 0, "{counts}");
    assert_eq!(stage.ids(EVERYWHERE, None), before, "nothing was changed");
    // A good one is taken: the port speaks TLS from then on.
    fs::write(stage.fleet.dir.path().join("good.pem"), certificate("shop.example", -1, 30)).unwrap();
    stage.release(&secure("good.pem"));
    let url = format!("https://shop.example:{EDGE}/");
    let resolve = format!("shop.example:{EDGE}:{}", stage.fleet.world.var("H2_ADDRESS"));
    let out = std::process::Command::new("curl").args(["-sSk", "--resolve", &resolve, &url]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).starts_with("app 1 on"), "{out:?}");
}

/// What is left of a fleet is removed with its stacks, proxies and networks.
#[test]
fn a_stack_that_goes_takes_its_proxies_along() {
    let stage = Stage::new("b-gone", &shop("1", 3, ""));
    let fleet: &Fleet = &stage.fleet;
    fleet.ok(&["rm", "shop", "--yes"]);
    fleet.alone();
    let left: Vec<_> = EVERYWHERE.iter().flat_map(|host| stage.containers(host, None)).collect();
    assert!(left.is_empty(), "{left:?}");
}
