//! An engine as a tree: what it says of its machine and of itself.

use super::{
    container::{Branch, events},
    parts::Look,
    raw::{count_of, raw},
    tree::{Grower, Tree},
};
use crate::{
    app::line::{Line, Mark, Role},
    model::{Fact, Part},
    text::{bytes, count},
};

/// The whole tree: its branches are always the same, whatever was told.
pub fn tree(look: &Look<'_>) -> Tree {
    const BRANCHES: [(&str, Branch); 6] = [
        ("machine", machine),
        ("containers", containers),
        ("storage", storage),
        ("runtime", runtime),
        ("registries", registries),
        ("warnings", warnings),
    ];
    let mut grower = Grower::default();
    let parts = look.parts;
    match parts.facts(Part::Version) {
        None => grower.leaf("version", parts.missing(Part::Version)),
        Some(version) => version_of(&mut grower, version, look),
    }
    for (name, grow) in BRANCHES {
        match parts.facts(Part::Info) {
            None => grower.leaf(name, parts.missing(Part::Info)),
            Some(info) => grow(&mut grower, name, info, look),
        }
    }
    events(&mut grower, look);
    for (name, part) in [("everything", Part::Info), ("all versions", Part::Version)] {
        match parts.facts(part) {
            None => grower.leaf(name, parts.missing(part)),
            Some(told) => grower.branch(name, count_of(told), |grower| raw(grower, told)),
        }
    }
    grower.done()
}

/// Puts fields of a document here under names of our own.
fn fields(grower: &mut Grower, from: &Fact, names: &[(&str, &str)]) {
    for (name, key) in names {
        match from.at(&[key]) {
            Fact::Flag(flag) => grower.say(name, if *flag { "yes" } else { "no" }),
            Fact::Number(number) => grower.say(name, &number.to_string()),
            other => grower.say(name, &other.texts().join(", ")),
        }
    }
}

fn version_of(grower: &mut Grower, version: &Fact, look: &Look<'_>) {
    let words = format!("{}, API {}", version.at(&["Version"]).text(), version.at(&["ApiVersion"]).text());
    let line = look.parts.aged(Part::Version, Line::of(Role::Plain, words), look);
    grower.branch("version", line, |grower| {
        let names = [
            ("engine", "Version"),
            ("API", "ApiVersion"),
            ("oldest API", "MinAPIVersion"),
            ("commit", "GitCommit"),
            ("built", "BuildTime"),
            ("Go", "GoVersion"),
            ("experimental", "Experimental"),
        ];
        fields(grower, version, &names);
        let components = version.at(&["Components"]).list();
        for component in components.iter().filter(|component| component.at(&["Name"]).text() != "Engine") {
            grower.say(component.at(&["Name"]).text(), component.at(&["Version"]).text());
        }
    });
}

fn machine(grower: &mut Grower, name: &str, info: &Fact, look: &Look<'_>) {
    let memory = info.at(&["MemTotal"]).amount().map(bytes);
    let words: Vec<String> = [
        Some(info.at(&["Name"]).text().to_owned()).filter(|name| !name.is_empty()),
        info.at(&["NCPU"]).amount().map(|cores| format!("{cores} cores")),
        memory.clone(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let line = look.parts.aged(Part::Info, Line::of(Role::Plain, words.join(", ")), look);
    grower.branch(name, line, |grower| {
        fields(grower, info, &[("name", "Name"), ("system", "OperatingSystem"), ("kernel", "KernelVersion")]);
        let kind = [info.at(&["OSType"]).text(), info.at(&["Architecture"]).text()].join("/");
        grower.say("kind", kind.trim_matches('/'));
        fields(grower, info, &[("cores", "NCPU")]);
        grower.say("memory", &memory.unwrap_or_default());
        if let Some(line) = look.moment(info.at(&["SystemTime"])) {
            grower.leaf("its clock", line);
        }
        let rest = [
            ("HTTP proxy", "HttpProxy"),
            ("HTTPS proxy", "HttpsProxy"),
            ("no proxy for", "NoProxy"),
            ("labels", "Labels"),
            ("id", "ID"),
        ];
        fields(grower, info, &rest);
    });
}

fn containers(grower: &mut Grower, name: &str, info: &Fact, _: &Look<'_>) {
    let of = |key: &str| info.at(&[key]).number().unwrap_or_default();
    let words = format!("{} running of {}", of("ContainersRunning"), of("Containers"));
    grower.branch(name, Line::of(Role::Plain, words), |grower| {
        let names = [
            ("running", "ContainersRunning"),
            ("paused", "ContainersPaused"),
            ("stopped", "ContainersStopped"),
            ("images", "Images"),
        ];
        fields(grower, info, &names);
    });
}

fn storage(grower: &mut Grower, name: &str, info: &Fact, _: &Look<'_>) {
    let words = [info.at(&["Driver"]).text(), info.at(&["DockerRootDir"]).text()].join("  ");
    grower.branch(name, Line::of(Role::Plain, words.trim()), |grower| {
        fields(grower, info, &[("driver", "Driver"), ("directory", "DockerRootDir")]);
        for pair in info.at(&["DriverStatus"]).list() {
            if let [name, value] = pair.texts().as_slice() {
                grower.say(name, value);
            }
        }
    });
}

fn runtime(grower: &mut Grower, name: &str, info: &Fact, _: &Look<'_>) {
    let words = format!(
        "{}, cgroup v{} by {}",
        info.at(&["DefaultRuntime"]).text(),
        info.at(&["CgroupVersion"]).text(),
        info.at(&["CgroupDriver"]).text()
    );
    grower.branch(name, Line::of(Role::Plain, words), |grower| {
        let runtimes: Vec<&str> = info.at(&["Runtimes"]).fields().iter().map(|(name, _)| name.as_str()).collect();
        grower.say("runtimes", &runtimes.join(", "));
        let names = [
            ("default", "DefaultRuntime"),
            ("cgroup driver", "CgroupDriver"),
            ("cgroup version", "CgroupVersion"),
            ("log driver", "LoggingDriver"),
            ("security", "SecurityOptions"),
            ("live restore", "LiveRestoreEnabled"),
            ("debug", "Debug"),
        ];
        fields(grower, info, &names);
        grower.say("swarm", info.at(&["Swarm", "LocalNodeState"]).text());
        for (name, plugins) in info.at(&["Plugins"]).fields() {
            grower.say(&format!("{} plugins", name.as_str().to_lowercase()), &plugins.texts().join(", "));
        }
    });
}

fn registries(grower: &mut Grower, name: &str, info: &Fact, _: &Look<'_>) {
    let config = info.at(&["RegistryConfig"]);
    let mirrors = config.at(&["Mirrors"]).texts();
    let words = match mirrors.as_slice() {
        [] => "no mirror".to_owned(),
        [mirror] => format!("mirror {mirror}"),
        many => format!("{} mirrors", many.len()),
    };
    grower.branch(name, Line::of(Role::Plain, words), |grower| {
        grower.say("mirrors", &mirrors.join(", "));
        grower.say("without TLS", &config.at(&["InsecureRegistryCIDRs"]).texts().join(", "));
        for (name, index) in config.at(&["IndexConfigs"]).fields() {
            let secure = if index.at(&["Secure"]).is_set() { "with TLS" } else { "without TLS" };
            grower.say(name.as_str(), secure);
        }
    });
}

fn warnings(grower: &mut Grower, name: &str, info: &Fact, _: &Look<'_>) {
    let warnings = info.at(&["Warnings"]).texts();
    if warnings.is_empty() {
        return grower.leaf(name, Line::of(Role::Dim, "none"));
    }
    let line = Line::of(Role::Mark(Mark::Changing), count(warnings.len() as u64));
    grower.branch(name, line, |grower| {
        for (at, warning) in warnings.iter().enumerate() {
            grower.row(&at.to_string(), Line::of(Role::Plain, *warning));
        }
    });
}
