//! A container as a tree.

use std::time::Duration;

use super::{
    image,
    parts::{Look, at},
    raw::{count_of, raw},
    tree::{Grower, Tree},
};
use crate::{
    app::line::{Line, Mark, Role},
    model::{Fact, MASKED, Part},
    text::{bytes, count, duration, pad_left, pad_right, width},
};

/// Cells of a column of a table.
const COLUMN: usize = 24;

/// What makes a branch of the inspection.
pub(super) type Branch = fn(&mut Grower, &str, &Fact, &Look<'_>);

/// The whole tree: its branches are always the same, whatever was told.
pub fn tree(look: &Look<'_>) -> Tree {
    let mut grower = Grower::default();
    inspected(&mut grower, look, &[("state", state), ("health checks", health)]);
    processes(&mut grower, look);
    let rest: [(&str, Branch); 5] = [
        ("ports", ports),
        ("environment", environment),
        ("mounts", mounts),
        ("networks", networks),
        ("labels", labels),
    ];
    inspected(&mut grower, look, &rest);
    image::files(&mut grower, look);
    image::image(&mut grower, look);
    events(&mut grower, look);
    inspected(
        &mut grower,
        look,
        &[("everything", |grower, name, fact, _| {
            grower.branch(name, count_of(fact), |grower| raw(grower, fact));
        })],
    );
    grower.done()
}

/// Branches of the inspection; each says why where there is none.
fn inspected(grower: &mut Grower, look: &Look<'_>, branches: &[(&str, Branch)]) {
    for (name, grow) in branches {
        match look.parts.facts(Part::Container) {
            Some(fact) => grow(grower, name, fact, look),
            None => grower.leaf(name, look.parts.missing(Part::Container)),
        }
    }
}

/// What stands for an empty branch.
pub(super) fn none() -> Line {
    Line::of(Role::Dim, "none")
}

/// The state of a container by its inspection.
pub(super) fn mark(inspected: &Fact) -> Mark {
    let state = inspected.at(&["State"]);
    match (state.at(&["Status"]).text(), state.at(&["Health", "Status"]).text()) {
        ("running", "unhealthy") | ("restarting" | "dead", _) => Mark::Failed,
        ("running", "starting") | ("created" | "removing", _) => Mark::Changing,
        ("running", _) => Mark::Ok,
        ("paused", _) => Mark::Stopped,
        ("exited", _) if state.at(&["ExitCode"]).number() == Some(0) => Mark::Stopped,
        ("exited", _) => Mark::Failed,
        _ => Mark::Unknown,
    }
}

fn state(grower: &mut Grower, name: &str, fact: &Fact, look: &Look<'_>) {
    let state = fact.at(&["State"]);
    let mark = mark(fact);
    let mut line = Line::new().mark(mark).with(Role::Mark(mark), format!(" {}", state.at(&["Status"]).text()));
    let health = state.at(&["Health", "Status"]).text();
    if !matches!(health, "" | "none") {
        line.push(Role::Plain, format!(", {health}"));
    }
    let restarts = fact.at(&["RestartCount"]).number().unwrap_or_default();
    if restarts > 0 {
        line.push(Role::Plain, format!(", restarted {restarts} times"));
    }
    let line = look.parts.aged(Part::Container, line, look);
    let host = fact.at(&["HostConfig"]);
    let config = fact.at(&["Config"]);
    grower.branch(name, line, |grower| {
        let moments = [("started", "StartedAt"), ("ended", "FinishedAt")];
        for (name, key) in moments {
            if let Some(line) = look.moment(state.at(&[key])) {
                grower.leaf(name, line);
            }
        }
        if let Some(line) = look.moment(fact.at(&["Created"])) {
            grower.leaf("created", line);
        }
        let has_ended = at(state.at(&["FinishedAt"])).is_some();
        if let Some(code) = state.at(&["ExitCode"]).number().filter(|_| has_ended) {
            let words = crate::app::status::exit_word(code, state.at(&["OOMKilled"]).is_set());
            grower.say("exit code", &format!("{code}  {words}"));
        }
        grower.say("error", state.at(&["Error"]).text());
        if let Some(pid) = state.at(&["Pid"]).amount() {
            grower.say("pid", &format!("{pid} on its host"));
        }
        grower.say("restarts", &restarts.to_string());
        grower.say("restart policy", host.at(&["RestartPolicy", "Name"]).text());
        grower.say("command", &command(fact));
        grower.say("directory", config.at(&["WorkingDir"]).text());
        grower.say("user", config.at(&["User"]).text());
        grower.say("host name", config.at(&["Hostname"]).text());
        grower.say("id", fact.at(&["Id"]).text());
        limits(grower, host);
        grower.say("log", host.at(&["LogConfig", "Type"]).text());
        grower.say("stop signal", config.at(&["StopSignal"]).text());
        if host.at(&["Privileged"]).is_set() {
            grower.leaf("privileged", Line::of(Role::Mark(Mark::Failed), "yes: it can do anything on its host"));
        }
        if host.at(&["ReadonlyRootfs"]).is_set() {
            grower.say("root files", "read-only");
        }
    });
}

fn command(fact: &Fact) -> String {
    let path = fact.at(&["Path"]).text();
    let args = fact.at(&["Args"]).texts();
    std::iter::once(path).chain(args).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn limits(grower: &mut Grower, host: &Fact) {
    if let Some(memory) = host.at(&["Memory"]).amount() {
        grower.say("memory limit", &bytes(memory));
    }
    if let Some(nano) = host.at(&["NanoCpus"]).amount() {
        grower.say("cpu limit", &format!("{} cores", nano as f64 / 1e9));
    }
    if let Some(pids) = host.at(&["PidsLimit"]).amount() {
        grower.say("process limit", &count(pids));
    }
}

fn span(fact: &Fact) -> String {
    fact.amount().map(|nanos| duration(Duration::from_nanos(nanos))).unwrap_or_default()
}

fn health(grower: &mut Grower, name: &str, fact: &Fact, look: &Look<'_>) {
    let check = fact.at(&["Config", "Healthcheck"]);
    let health = fact.at(&["State", "Health"]);
    let test = check.at(&["Test"]).texts();
    if health.is_empty() || test.first() == Some(&"NONE") {
        return grower.leaf(name, Line::of(Role::Dim, "it has none"));
    }
    let log = health.at(&["Log"]).list();
    let passed = log.iter().filter(|probe| probe.at(&["ExitCode"]).number() == Some(0)).count();
    let mark = match health.at(&["Status"]).text() {
        "healthy" => Mark::Ok,
        "starting" => Mark::Changing,
        "unhealthy" => Mark::Failed,
        _ => Mark::Unknown,
    };
    let mut line = Line::new().mark(mark);
    line.push(Role::Plain, format!(" {passed} of the last {} passed", log.len()));
    let streak = health.at(&["FailingStreak"]).number().unwrap_or_default();
    if streak > 0 {
        line.push(Role::Mark(Mark::Failed), format!(", {streak} failed in a row"));
    }
    let every = span(check.at(&["Interval"]));
    if !every.is_empty() {
        line.push(Role::Dim, format!(", every {every}"));
    }
    grower.branch(name, line, |grower| {
        for probe in log.iter().rev() {
            one_check(grower, probe, look);
        }
        grower.say(
            "command",
            &test.iter().skip_while(|word| word.starts_with("CMD")).copied().collect::<Vec<_>>().join(" "),
        );
        for (name, key) in [("timeout", "Timeout"), ("start period", "StartPeriod")] {
            grower.say(name, &span(check.at(&[key])));
        }
        if let Some(retries) = check.at(&["Retries"]).amount() {
            grower.say("retries", &retries.to_string());
        }
    });
}

fn one_check(grower: &mut Grower, probe: &Fact, look: &Look<'_>) {
    let (begin, end) = (at(probe.at(&["Start"])), at(probe.at(&["End"])));
    let took = begin.zip(end).and_then(|(begin, end)| Duration::try_from(end.duration_since(begin)).ok());
    let code = probe.at(&["ExitCode"]).number();
    let mark = if code == Some(0) { Mark::Ok } else { Mark::Failed };
    let output = probe.at(&["Output"]);
    let line = Line::new()
        .mark(mark)
        .with(Role::Mark(mark), format!(" {}", pad_right(&format!("exit {}", code.unwrap_or(-1)), 8)))
        .with(Role::Dim, format!("{}  ", pad_left(&took.map(duration).unwrap_or_default(), 8)))
        .with(Role::Plain, output.text());
    let name = begin.map_or_else(|| "–".to_owned(), |begin| look.clock(begin));
    let key = probe.at(&["Start"]).text();
    grower.grow(key, &name, line, |grower| {
        if let Fact::Lines(lines) = output {
            for (at, line) in lines.iter().enumerate() {
                grower.row(&at.to_string(), Line::of(Role::Dim, line.as_str()));
            }
        }
    });
}

fn processes(grower: &mut Grower, look: &Look<'_>) {
    const NAME: &str = "processes";
    let Some(told) = look.parts.processes() else { return grower.leaf(NAME, look.parts.missing(Part::Processes)) };
    let line = Line::of(Role::Plain, count((told.rows.len() + told.left_out) as u64));
    let columns = told.titles.len();
    let cell =
        |row: &[crate::text::Text], at: usize| row.get(at).map(|cell| cell.as_str().to_owned()).unwrap_or_default();
    let wide: Vec<usize> = (0..columns)
        .map(|at| {
            let cells = told.rows.iter().map(|row| width(&cell(row, at)));
            cells.max().unwrap_or(0).max(width(&cell(&told.titles, at))).min(COLUMN)
        })
        .collect();
    let right: Vec<bool> = (0..columns)
        .map(|at| told.rows.iter().all(|row| cell(row, at).parse::<f64>().is_ok()) && !told.rows.is_empty())
        .collect();
    let line_of = |row: &[crate::text::Text]| -> String {
        let cells = wide.iter().zip(&right).enumerate().map(|(at, (wide, right))| {
            let text = cell(row, at);
            match (at + 1 == columns, right) {
                (true, _) => text,
                (false, true) => pad_left(&text, *wide),
                (false, false) => pad_right(&text, *wide),
            }
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    let key = told.titles.iter().position(|title| title == "PID");
    grower.branch(NAME, look.parts.aged(Part::Processes, line, look), |grower| {
        grower.row("head", Line::of(Role::Head, line_of(&told.titles)));
        for (place, row) in told.rows.iter().enumerate() {
            let key = key.map_or_else(|| place.to_string(), |at| cell(row, at));
            grower.row(&key, Line::of(Role::Plain, line_of(row)));
        }
        grower.more(told.left_out);
    });
}

fn ports(grower: &mut Grower, name: &str, fact: &Fact, _: &Look<'_>) {
    let ports = fact.at(&["NetworkSettings", "Ports"]).fields();
    if ports.is_empty() {
        return grower.leaf(name, none());
    }
    let outside = |bound: &Fact| {
        let bound: Vec<String> = bound
            .list()
            .iter()
            .map(|one| match (one.at(&["HostIp"]).text(), one.at(&["HostPort"]).text()) {
                (ip, port) if ip.contains(':') => format!("[{ip}]:{port}"),
                (ip, port) => format!("{ip}:{port}"),
            })
            .collect();
        if bound.is_empty() { "not published".to_owned() } else { bound.join("  ") }
    };
    let published = ports.iter().filter(|(_, bound)| !bound.is_empty()).count();
    let line = match ports {
        [(port, bound)] => format!("{port} → {}", outside(bound)),
        _ => format!("{published} of {} published", ports.len()),
    };
    grower.branch(name, Line::of(Role::Plain, line), |grower| {
        grower.each(ports, 0, |grower, (port, bound)| {
            let role = if bound.is_empty() { Role::Dim } else { Role::Plain };
            grower.leaf(port.as_str(), Line::of(role, outside(bound)));
        });
    });
}

fn environment(grower: &mut Grower, name: &str, fact: &Fact, _: &Look<'_>) {
    let environment = fact.at(&["Config", "Env"]);
    let mut lines: Vec<(&str, &str)> =
        environment.texts().into_iter().map(|line| line.split_once('=').unwrap_or((line, ""))).collect();
    lines.sort_unstable();
    if lines.is_empty() {
        return grower.leaf(name, none());
    }
    let masked = lines.iter().filter(|(_, value)| value.contains(MASKED)).count();
    let mut line = Line::of(Role::Plain, count((lines.len() + environment.left_out()) as u64));
    if masked > 0 {
        line.push(Role::Dim, format!(", {masked} masked"));
    }
    grower.branch(name, line, |grower| {
        grower.each(&lines, environment.left_out(), |grower, (name, value)| {
            let role = if *value == MASKED { Role::Dim } else { Role::Plain };
            grower.leaf(name, Line::of(role, *value));
        });
    });
}

fn mounts(grower: &mut Grower, name: &str, fact: &Fact, _: &Look<'_>) {
    let mounts = fact.at(&["Mounts"]).list();
    if mounts.is_empty() {
        return grower.leaf(name, none());
    }
    grower.branch(name, Line::of(Role::Plain, count(mounts.len() as u64)), |grower| {
        grower.each(mounts, 0, |grower, mount| {
            let kind = mount.at(&["Type"]).text();
            let from = match mount.at(&["Name"]).text() {
                "" => mount.at(&["Source"]).text(),
                volume => volume,
            };
            let mut line = Line::of(Role::Plain, format!("{kind} {from}"));
            if *mount.at(&["RW"]) == Fact::Flag(false) {
                line.push(Role::Dim, "  read-only");
            }
            grower.branch(mount.at(&["Destination"]).text(), line, |grower| raw(grower, mount));
        });
    });
}

fn networks(grower: &mut Grower, name: &str, fact: &Fact, _: &Look<'_>) {
    let networks = fact.at(&["NetworkSettings", "Networks"]).fields();
    if networks.is_empty() {
        return grower.leaf(name, none());
    }
    let address = |network: &Fact| match network.at(&["IPAddress"]).text() {
        "" => network.at(&["GlobalIPv6Address"]).text().to_owned(),
        address => address.to_owned(),
    };
    let line = networks.iter().map(|(name, network)| format!("{name} {}", address(network)).trim().to_owned());
    let line = line.take(4).collect::<Vec<_>>().join(", ");
    grower.branch(name, Line::of(Role::Plain, line), |grower| {
        grower.each(networks, 0, |grower, (name, network)| {
            grower.branch(name.as_str(), Line::of(Role::Plain, address(network)), |grower| raw(grower, network));
        });
    });
}

fn labels(grower: &mut Grower, name: &str, fact: &Fact, _: &Look<'_>) {
    let labels = fact.at(&["Config", "Labels"]);
    if labels.is_empty() {
        return grower.leaf(name, none());
    }
    let line = Line::of(Role::Plain, count((labels.fields().len() + labels.left_out()) as u64));
    grower.branch(name, line, |grower| raw(grower, labels));
}

/// What its engine told of it. What it remembers of the time before is asked for; meanwhile stands what was heard.
pub(super) fn events(grower: &mut Grower, look: &Look<'_>) {
    const NAME: &str = "events";
    let events = look.events();
    let is_told = look.parts.told(Part::Events).is_some();
    if events.is_empty() {
        let none = Line::of(Role::Dim, "none that the engine remembers");
        return grower.leaf(NAME, if is_told { none } else { look.parts.missing(Part::Events) });
    }
    let mut head = Line::of(Role::Plain, count(events.len() as u64));
    if !is_told {
        head = head.with(Role::Dim, " since this screen began; before that: ");
        head.extend(look.parts.missing(Part::Events));
    }
    grower.branch(NAME, look.parts.aged(Part::Events, head, look), |grower| {
        // The day stands where it is another than that of the row above.
        let mut day = look.day(look.now);
        grower.each(&events, 0, |grower, event| {
            let action = event.action.as_str();
            let is_bad = matches!(action, "die" | "oom" | "kill") || action.contains("unhealthy");
            let role = if is_bad { Role::Mark(Mark::Failed) } else { Role::Plain };
            let of = look.day(event.at);
            let time = if of == day { look.clock(event.at) } else { format!("{of} {}", look.clock(event.at)) };
            day = of;
            let line = Line::of(Role::Dim, format!("{time}  "))
                .with(Role::Dim, format!("{}  ", pad_right(event.kind.as_str(), 9)))
                .with(role, action)
                .with(Role::Dim, format!("  {}", event.name));
            grower.row(&format!("{}{action}", event.at.as_nanosecond()), line);
        });
    });
}
