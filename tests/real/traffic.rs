//! Everything that can be changed, changed under load: no request fails.
//!
//! One row by itself: `WHARF_WORLD=…/world.env cargo nextest run --test real -E 'test(traffic::rolling_update)'`.
//! The table of all rows since the world's start is `traffic.md` in its directory; `tests/run` prints it.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::{
    composed::Composed,
    stage::{DOWN_AFTER, DRAIN, EDGE, EVERYWHERE, OBSERVE, Stage, report, shop},
};
use crate::{
    load::{Load, Stream},
    websocket::{Held, How},
};

#[test]
fn nothing() {
    let mut stage = Stage::new("t-none", &shop("1", 3, ""));
    stage.row("nothing", EVERYWHERE, 5.0, |_| std::thread::sleep(Duration::from_secs(5)));
}

#[test]
fn scale() {
    let mut stage = Stage::new("t-scale", &shop("1", 3, ""));
    let one = stage.least(&["h1", "h1", "h2", "h2", "h3", "h3"]);
    let least = one.batch() + one.down;
    let act = |stage: &Stage| {
        stage.act(&["scale", "shop/web=9", "--yes"]);
        assert_eq!(stage.healthy(EVERYWHERE, "web"), 9);
        stage.act(&["scale", "shop/web=3", "--yes"]);
        assert_eq!(stage.healthy(EVERYWHERE, "web"), 3);
    };
    stage.row("scale 3 → 9 → 3", EVERYWHERE, least, act);
    // It is killed twice.
    stage.row_killed("scale 3 → 9 → 3", EVERYWHERE, act);
}

#[test]
fn rolling_update() {
    let mut stage = Stage::new("t-roll", &shop("1", 6, ""));
    let least = 3.0 * stage.least(&["h1", "h2"]).batch() + OBSERVE;
    let floor = stage.floor("web", EVERYWHERE, 6);
    stage.row("rolling update of 6", EVERYWHERE, least, |stage| stage.release(&shop("2", 6, "")));
    let image = format!("web={}", stage.fleet.world.image("3"));
    let again = |stage: &Stage| stage.act(&["deploy", "--stack", "shop", "--image", &image, "--yes"]);
    stage.row_killed("rolling update of 6", EVERYWHERE, again);
    floor.held();
    let rows = stage.fleet.json(&["ps", "shop/web"]);
    assert!(rows.as_array().unwrap().iter().all(|row| row["revision"] == 3), "{rows}");
}

/// The canary is healthy, answers well, and then its health check fails.
#[test]
fn canary() {
    let mut stage = Stage::new("t-canary", &shop("1", 3, ""));
    let bad = |sick: &str| {
        shop("2", 3, "canary: 6s")
            .replace("    ports:", &format!("    environment: {{ SICK_AFTER: \"{sick}\" }}\n    ports:"))
    };
    let one = stage.least(&["h1"]);
    // It is sick from its fourth second on, which the second check of then tells, a second later.
    let least = one.start + 4.0 + 1.0 + one.down;
    let floor = stage.floor("web", EVERYWHERE, 3);
    let act = |text: String| {
        move |stage: &Stage| {
            let err = stage.refused(1, &text);
            assert!(err.contains("was rolled back") && err.contains("shop/web."), "{err}");
            assert_eq!(stage.healthy(EVERYWHERE, "web"), 3);
        }
    };
    stage.row("canary fails", EVERYWHERE, least, act(bad("4")));
    stage.row_killed("canary fails", EVERYWHERE, act(bad("4.1")));
    floor.held();
}

#[test]
fn roll_back() {
    let mut stage = Stage::new("t-back", &shop("1", 3, ""));
    stage.release(&shop("2", 3, ""));
    stage.release(&shop("3", 3, ""));
    let least = 2.0 * stage.least(&["h1", "h2"]).batch() + OBSERVE;
    let act = |to: &'static str| move |stage: &Stage| stage.act(&["rollback", "shop/web", "--to", to, "--yes"]);
    stage.row("roll back by two revisions", EVERYWHERE, least, act("1"));
    stage.row_killed("roll back by two revisions", EVERYWHERE, act("2"));
    // Going back is a revision of its own: the fifth.
    let rows = stage.fleet.json(&["ps", "shop/web"]);
    assert!(rows.as_array().unwrap().iter().all(|row| row["revision"] == 5), "{rows}");
}

#[test]
fn migrate() {
    let mut stage = Stage::new("t-move", &shop("1", 3, ""));
    let [one, two, three] = [1, 2, 3].map(|n| stage.least(&["h3"].repeat(n)).batch());
    let floor = stage.floor("web", EVERYWHERE, 3);
    let moving = |what: String, from: &'static str, to: &'static str| {
        move |stage: &Stage| {
            stage.act(&["migrate", &what, "--from", from, "--to", to, "--yes"]);
            let rows = stage.fleet.json(&["ps", what.split('.').next().unwrap()]);
            let left = rows.as_array().unwrap().iter().filter(|row| row["host"] == from && row["wanted"] == true);
            assert!(what.contains('.') || left.count() == 0, "{what}: {rows}");
        }
    };
    let web_on = |stage: &Stage, host: &str| format!("shop/web.{}", stage.slot_on("shop/web", host));
    let slot = web_on(&stage, "h2");
    stage.row("migrate a replica", EVERYWHERE, one, moving(slot, "h2", "h3"));
    let slot = web_on(&stage, "h3");
    stage.row_killed("migrate a replica", EVERYWHERE, moving(slot, "h3", "h2"));
    stage.row("migrate a service", EVERYWHERE, two, moving("shop/web".into(), "h2", "h3"));
    // Two at a time.
    stage.row_killed("migrate a service", EVERYWHERE, moving("shop/web".into(), "h3", "h2"));
    stage.row("migrate a stack", EVERYWHERE, three, moving("shop".into(), "h2", "h3"));
    stage.row_killed("migrate a stack", EVERYWHERE, moving("shop".into(), "h3", "h2"));
    floor.held();
}

/// A host that is drained loses its proxy at the end, so whoever sends requests to its edge must stop first.
#[test]
fn drain() {
    let mut stage = Stage::new("t-drain", &shop("1", 3, ""));
    let one = stage.least(&["h1", "h3"]);
    let floor = stage.floor("web", EVERYWHERE, 3);
    let empty = |host: &'static str| {
        move |stage: &Stage| {
            stage.act(&["drain", host, "--yes"]);
            let left: Vec<_> = stage.containers(host, None).into_iter().filter(|one| !one.is_proxy).collect();
            assert!(left.is_empty(), "{left:?}");
        }
    };
    let fill = |host: &'static str| {
        move |stage: &Stage| {
            let gone = || stage.containers(host, None).is_empty();
            stage.fleet.wait("its proxy has left too", gone);
            stage.fleet.ok(&["uncordon", host, "--yes"]);
            let edge = stage.edges(&[host], EDGE);
            stage.fleet.wait("its edge is open again", || std::net::TcpStream::connect(edge[0]).is_ok());
        }
    };
    stage.row("drain a host", &["h1", "h3"], one.batch(), empty("h2"));
    stage.row("bring it back", &["h1", "h3"], one.down + one.start, fill("h2"));
    stage.row_killed("drain a host", &["h1", "h2"], empty("h3"));
    stage.row("bring it back", &["h1", "h2"], one.down + one.start, fill("h3"));
    floor.held();
}

#[test]
fn rebalance() {
    let mut stage = Stage::new("t-even", &shop("1", 6, ""));
    let least = stage.least(&["h2", "h2"]).batch();
    let skew = |stage: &Stage| stage.fleet.ok(&["migrate", "shop/web", "--from", "h2", "--to", "h3", "--yes"]);
    let act = |stage: &Stage| {
        stage.act(&["rebalance", "--yes"]);
        let each = EVERYWHERE.iter().map(|host| stage.healthy(&[host], "web"));
        assert!(each.clone().all(|n| n == 2), "{:?}", each.collect::<Vec<_>>());
    };
    skew(&stage);
    stage.row("rebalance", EVERYWHERE, least, act);
    skew(&stage);
    stage.row_killed("rebalance", EVERYWHERE, act);
}

/// From a region to another: the one that is left keeps all it has until the other has all of it, and its entry and its
/// inner links work from then on. Clients are led from entry to entry by what stands before them.
#[test]
fn migrate_to_another_region() {
    let text = shop("1", 3, "regions: [east, west]\n      replicas: { east: 3, west: 0 }")
        .replace("    x-wharf: { check:", "    x-wharf: { regions: [east, west], check:")
        .replace(
            "    image: IMAGE:1\n    deploy: { placement",
            "    image: IMAGE:1\n    x-wharf: { regions: [east] }\n    deploy: { placement",
        );
    let mut stage = Stage::in_two_regions("t-far", &text);
    let floor = stage.floor("web", EVERYWHERE, 3);
    stage.act(&["migrate", "shop/web", "--from", "east", "--to", "west", "--yes"]);
    assert_eq!((stage.healthy(&["h1", "h2"], "web"), stage.healthy(&["h3"], "web")), (0, 3));
    stage.row("after migrating to another region", &["h3"], 0.0, |_| std::thread::sleep(Duration::from_secs(3)));
    stage.act(&["migrate", "shop/web", "--from", "west", "--to", "east", "--yes"]);
    assert_eq!((stage.healthy(&["h1", "h2"], "web"), stage.healthy(&["h3"], "web")), (3, 0));
    stage.row("after migrating back", &["h1", "h2"], 0.0, |_| std::thread::sleep(Duration::from_secs(3)));
    floor.held();
}

/// Another image in the fleet file: a reconciler that runs reads it again, and replaces the proxies one after the other.
#[test]
fn proxy_replacement() {
    let mut stage = Stage::new("t-proxy", &shop("1", 3, ""));
    let (one, two) = (
        stage.fleet.world.var("WORLD_PROXY_IMAGE").to_owned(),
        stage.fleet.world.var("WORLD_PROXY_IMAGE_B").to_owned(),
    );
    // Start, one look, and the old one's end, on all hosts at once.
    let each = stage.least(EVERYWHERE);
    let least = each.start + 1.0 + each.down;
    let change = |stage: &Stage, from: &str, to: &str| {
        let text = fs::read_to_string(&stage.fleet.file).unwrap();
        let quoted = |image: &str| format!("image = \"{image}\"");
        let changed = text.replace(&quoted(from), &quoted(to));
        assert_ne!(text, changed);
        fs::write(&stage.fleet.file, changed).unwrap();
    };
    let replaced = |stage: &Stage, image: &str| {
        stage.fleet.wait("every host has the new proxy, and only that", || {
            EVERYWHERE.iter().all(|host| {
                let proxies: Vec<_> = stage.containers(host, None).into_iter().filter(|one| one.is_proxy).collect();
                matches!(proxies.as_slice(), [one] if one.image == image && one.is_running())
            })
        });
    };
    stage.row("another proxy image", EVERYWHERE, least, |stage| {
        change(stage, &one, &two);
        replaced(stage, &two);
    });
    let load = stage.load(EVERYWHERE);
    let began = Instant::now();
    let before = stage.ids(EVERYWHERE, None);
    change(&stage, &two, &one);
    stage.fleet.wait("it has begun", || stage.ids(EVERYWHERE, None) != before);
    stage.unman("KILL");
    stage.man();
    replaced(&stage, &one);
    let seconds = began.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_millis(1500));
    let counts = load.stop();
    report(&stage.fleet.world, "another proxy image, reconciler killed", seconds, 0.0, &counts);
    assert_eq!(counts.failed(), 0, "{counts}\n{}", stage.told());
}

/// An exclusive volume: the old one must stop before the new one starts. Requests wait for that time.
#[test]
fn singleton() {
    let one = |tag: &str| {
        let web = shop("1", 3, "");
        let more = format!(
            "  one:
    <<: *check
    image: IMAGE:{tag}
    ports: [\"18081:8080\"]
    volumes: [\"data:/data\"]
    stop_grace_period: 5s
    x-wharf: {{ entry: {{ port: 18081, target: 8080, protocol: http }}, check: {{ path: /healthz, interval: 1s }} }}
volumes: {{ data: {{}} }}
"
        );
        web + &more
    };
    let mut stage = Stage::new("t-one", &one("1"));
    let load = |stage: &Stage| {
        let mut one = Stream::new("one", &stage.edges(EVERYWHERE, 18081), "/", 100);
        // While a killed reconciler is followed by another, it is neither old nor new that runs.
        one.patience = Duration::from_secs(40);
        let mut all = stage.load(EVERYWHERE);
        all.0.push(Load::start(&[one], None));
        all
    };
    let least = stage.least(&["h1"]).batch() + OBSERVE;
    stage.man();
    stage.timed("replace a singleton", least, load(&stage), |stage| stage.release(&one("2")));
    let all = load(&stage);
    stage.timed_killed("replace a singleton", all, |stage| stage.release(&one("3")));
}

/// What Compose runs becomes wharf's as it runs.
#[test]
fn adopt() {
    let mut stage = Stage::new("t-adopt", &shop("1", 3, ""));
    for (project, port, killing) in [("legacy", 18300, false), ("older", 18310, true)] {
        let made = Composed::up(&stage, project, port);
        let before = made.ids();
        let edges = [stage.edges(&["h3"], port + 1), stage.edges(&["h3"], port + 2)].concat();
        let own = Load::start(&[Stream::new("adopted", &edges, "/", 200)], None);
        let mut counts = None;
        let act = |stage: &Stage| {
            stage.act(&["adopt", project, "--yes"]);
            std::thread::sleep(Duration::from_secs(2));
            counts = Some(own.stop().remove("adopted").unwrap());
        };
        if killing {
            stage.row_killed("adopt", EVERYWHERE, act);
        } else {
            stage.row("adopt", EVERYWHERE, 0.0, act);
        }
        let counts = counts.unwrap();
        assert_eq!(counts.failed(), 0, "the adopted containers: {counts}");
        assert_eq!(made.ids(), before, "what ran goes on, and nothing was made");
        // Each holds a port of its own, so each has a revision of its own.
        let rows = stage.fleet.json(&["ps", project]);
        let wanted = rows.as_array().unwrap().iter().filter(|row| row["wanted"] == true && row["health"] == "healthy");
        assert_eq!(wanted.count(), 2, "{rows}");
        let again = stage.fleet.wharf(&["adopt", project, "--yes"]);
        let told = String::from_utf8_lossy(&again.stderr).into_owned();
        assert!(again.status.success() && told.contains("is wharf's already"), "{told}");
        stage.act(&["rm", project, "--yes"]);
        assert!(made.ids().is_empty(), "what was adopted ends as all else does");
    }
}

/// Answers that take five seconds, and WebSockets: the first end well, the second last as long as a drain does.
#[test]
fn what_has_begun_may_end() {
    let all_at_once = |tag: &str| shop(tag, 3, "").replace("parallelism: 2", "parallelism: 3");
    let mut stage = Stage::new("t-long", &all_at_once("1"));
    stage.man();
    // All at once; the window after the release is over before the old ones are.
    let least = stage.least(EVERYWHERE).batch() + DRAIN.as_secs_f64().max(OBSERVE);
    let edges = stage.edges(EVERYWHERE, EDGE);
    let mut load = stage.load(EVERYWHERE);
    load.0.push(Load::begin(&[Stream::new("slow", &edges, "/slow?s=5", 6)], None));
    std::thread::sleep(Duration::from_secs(1));
    let held: Vec<(Instant, Held)> =
        (0..9).map(|n| (Instant::now(), Held::open(edges[n % edges.len()]).unwrap())).collect();
    let began = Instant::now();
    let mut sockets = Vec::new();
    stage.timed("release with 5 s answers and WebSockets", least, load, |stage| {
        stage.release(&all_at_once("2"));
        sockets = held.into_iter().map(|(opened, held)| (began.duration_since(opened), held.end())).collect();
    });
    for (before, ended) in &sockets {
        // None was cut off before its time; none outlived its container.
        let lasted = ended.after.saturating_sub(*before);
        assert!(lasted >= DRAIN, "after {lasted:?} already: {ended:?}");
        assert_ne!(ended.how, How::Told, "its container is still there: {ended:?}");
        assert!(ended.echoes > 10, "{ended:?}");
    }
}

/// All processes of a host end at once.
#[test]
fn a_host_dies() {
    let mut stage = Stage::new("t-dies", &shop("1", 3, ""));
    let one = stage.least(&["h1", "h2"]);
    stage.man();
    let load = stage.load(&["h1", "h2"]);
    std::thread::sleep(Duration::from_secs(2));
    let (began, at) = (Instant::now(), jiff::Timestamp::now());
    let crash = stage.fleet.world.fault("crash", "h3");
    // The proxies' own checks come every second; the third that fails counts.
    let noticed = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(4000);
    stage.fleet.wait("full strength on the others", || {
        ["web", "api"].iter().all(|service| stage.healthy(&["h1", "h2"], service) == 3)
    });
    let seconds = began.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(2));
    let counts = load.stop();
    let least = DOWN_AFTER + one.up;
    report(&stage.fleet.world, "a host dies (failed: in flight there)", seconds, least, &counts);
    let late: Vec<_> = counts.failures.iter().filter(|failure| failure.began > noticed).collect();
    assert!(late.is_empty(), "the host died at {at}: {counts}\n{}", stage.told());
    // Of a thousand requests a second a third was on its way to that host, for some milliseconds each.
    assert!(counts.failed() < 100, "{counts}");
    assert!(seconds < least + 8.0, "{seconds} s");

    // It comes back: nothing healthy is restarted, what is too much goes, and no request fails.
    let kept = [stage.ids(&["h1", "h2"], Some("web")), stage.ids(&["h1", "h2"], Some("api"))];
    let load = stage.load(&["h1", "h2"]);
    let began = Instant::now();
    drop(crash);
    stage.fleet.wait("as many as there shall be", || {
        ["web", "api"]
            .iter()
            .all(|service| stage.healthy(EVERYWHERE, service) == 3 && stage.ids(EVERYWHERE, Some(service)).len() == 3)
    });
    let seconds = began.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_millis(1500));
    let counts = load.stop();
    report(&stage.fleet.world, "it comes back", seconds, 0.0, &counts);
    assert_eq!(counts.failed(), 0, "{counts}\n{}", stage.told());
    let now = [stage.ids(&["h1", "h2"], Some("web")), stage.ids(&["h1", "h2"], Some("api"))];
    assert_eq!(now, kept, "nothing that was healthy was replaced");
    stage.unman("TERM");
}
