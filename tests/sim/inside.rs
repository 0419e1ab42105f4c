//! Containers and engines from the inside, over engines that hang, refuse, and lose what was asked about.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use wharf::{
    app::inspect::{Look, Parts, tree_of},
    engine::{MemoryDial, Reader, open_memory},
    model::{ContainerId, HostName, Part, PartTold, Question, Subject, Told},
    sim::{self, Engine, Fault, Link, Rule},
    text::Text,
};

/// One simulated host with a container, asked.
struct Stage {
    _fleet: sim::Fleet,
    engine: Arc<Engine>,
    reader: Reader,
    subject: Subject,
}

impl Stage {
    async fn new() -> Self {
        let fleet = sim::Fleet::new(1, 1, 7).unwrap();
        let engine = fleet.hosts()[0].engine.clone();
        let host: HostName = fleet.hosts()[0].name.parse().unwrap();
        let dialled = engine.clone();
        let dial = MemoryDial::new(move || Ok(dialled.connect()));
        let handle = open_memory(&"acme".parse().unwrap(), &host, dial).await.unwrap();
        let reader = handle.reader().clone();
        let found = reader.list().await.unwrap().pop().unwrap();
        let subject = Subject::Container { host, id: found.id, image: found.image_id };
        Self { _fleet: fleet, engine, reader, subject }
    }

    fn fault(&self, path: &str, fault: Fault) {
        self.engine.script(|script| script.rule(Rule::on(path, fault)));
    }

    /// The answers to everything, in the order in which they come.
    async fn ask_about(&self, subject: &Subject) -> Vec<PartTold> {
        let question = Question { number: 5, subject: subject.clone(), parts: subject.parts().to_vec() };
        let answers: Vec<PartTold> = self.reader.inside(question).collect().await;
        assert_eq!(answers.len(), subject.parts().len(), "every part is answered in the end");
        assert!(answers.iter().all(|answer| answer.number == 5));
        answers
    }

    async fn ask(&self) -> BTreeMap<Part, Result<Told, Text>> {
        self.ask_about(&self.subject).await.into_iter().map(|answer| (answer.part, answer.told)).collect()
    }

    /// The whole tree of what is told, as text.
    async fn tree(&self) -> String {
        let mut parts = Parts::default();
        for answer in self.ask_about(&self.subject).await {
            parts.take(answer, jiff::Timestamp::now());
        }
        let zone = jiff::tz::TimeZone::UTC;
        tree_of(&self.subject, &Look { parts: &parts, heard: Vec::new(), now: jiff::Timestamp::now(), zone: &zone })
            .whole()
    }
}

fn why(told: &BTreeMap<Part, Result<Told, Text>>, part: Part) -> String {
    match &told[&part] {
        Ok(told) => format!("told: {told:?}"),
        Err(why) => why.to_string(),
    }
}

#[tokio::test]
async fn everything_of_a_container_is_told() {
    let stage = Stage::new().await;
    let tree = stage.tree().await;
    for line in ["state", "health checks", "processes", "  UID ", "files changed", "image", "  layers", "everything"] {
        assert!(tree.contains(&format!("\n{line}")) || tree.starts_with(line), "`{line}` is not in:\n{tree}");
    }
    let told = stage.ask().await;
    assert!(told.values().all(Result::is_ok), "nothing is missing: {told:?}");
    // Deployed with a file whose name is told, and a value that nobody needs to see twice.
    let host = Subject::Host(stage.subject.host().clone());
    let told = stage.ask_about(&host).await;
    assert!(told.iter().all(|answer| answer.told.is_ok()), "{told:?}");
}

/// What happened is told also to who did not listen then; of a container what is its own.
#[tokio::test]
async fn what_happened_before_is_remembered() {
    let stage = Stage::new().await;
    let Subject::Container { id, host, .. } = &stage.subject else { unreachable!() };
    let events = async |subject: &Subject| {
        let told = stage.ask_about(subject).await;
        let events = told.into_iter().find_map(|answer| match answer.told {
            Ok(Told::Events(events)) => Some(events),
            _ => None,
        });
        events.unwrap_or_default()
    };
    assert!(stage.engine.crash(id.0.as_str(), 3));
    let of_container = events(&stage.subject).await;
    let actions: Vec<&str> = of_container.iter().map(|event| event.action.as_str()).collect();
    assert!(actions.starts_with(&["create", "start", "die"]), "{actions:?}");
    assert!(of_container.iter().all(|event| event.kind == "container" && event.id.as_str().starts_with(id.0.as_str())));
    assert!(of_container.is_sorted_by_key(|event| event.at));
    let of_host = events(&Subject::Host(host.clone())).await;
    assert!(of_container.iter().all(|event| of_host.contains(event)), "{of_host:?}");
    let other =
        Subject::Container { host: host.clone(), id: ContainerId("0123456789ab".into()), image: Text::default() };
    assert_eq!(events(&other).await, []);
}

/// A call that hangs is given up in time, and holds no other up but for what it must know.
#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_given_up_and_the_others_are_told() {
    for (path, hung) in [("/top", Part::Processes), ("/history", Part::Layers), ("/changes", Part::Files)] {
        let stage = Stage::new().await;
        stage.fault(path, Fault::Hang);
        let begun = tokio::time::Instant::now();
        let told = stage.ask().await;
        assert!(begun.elapsed() <= Duration::from_secs(21), "{path}: {:?}", begun.elapsed());
        assert!(why(&told, hung).starts_with("no answer within"), "{path}: {}", why(&told, hung));
        assert!(told.iter().all(|(part, told)| *part == hung || told.is_ok()), "{path}: {told:?}");
    }
    // What else is confidential is not known without an inspection; what is known is told.
    let stage = Stage::new().await;
    let Subject::Container { id: ContainerId(id), .. } = &stage.subject else { unreachable!() };
    stage.fault(&format!("/containers/{id}/json"), Fault::Hang);
    let told = stage.ask().await;
    assert!(why(&told, Part::Container).starts_with("no answer within 6.0 s"), "{}", why(&told, Part::Container));
    for part in [Part::Processes, Part::Files, Part::Image, Part::Layers] {
        assert!(told[&part].is_ok(), "{part:?}: {}", why(&told, part));
    }
    // A whole engine that hangs: every part says so.
    let stage = Stage::new().await;
    stage.engine.set_link(Link::Hung);
    let told = stage.ask().await;
    assert!(told.keys().all(|part| why(&told, *part).starts_with("no answer within")), "{told:?}");
}

#[tokio::test]
async fn refusals_and_nonsense_are_said_in_words() {
    let stage = Stage::new().await;
    stage.fault("/top", Fault::Fail(500, "Error running ps: no \u{1b}[31mps\u{202e} here".to_owned()));
    stage.fault("/changes", Fault::Garbage);
    stage.fault("/history", Fault::Truncate);
    let told = stage.ask().await;
    let said = why(&told, Part::Processes);
    assert!(said.starts_with("Error running ps: no ps") && !said.contains(['\u{1b}', '\u{202e}']), "{said}");
    assert!(why(&told, Part::Files).starts_with("the answer is not what a Docker engine says"), "{told:?}");
    assert!(told[&Part::Layers].is_err() && told[&Part::Container].is_ok() && told[&Part::Image].is_ok(), "{told:?}");
    let tree = stage.tree().await;
    assert!(tree.contains("? Error running ps") && tree.contains("\nenvironment"), "{tree}");
}

#[tokio::test]
async fn a_container_that_is_gone_or_does_not_run_is_said_to_be_so() {
    let stage = Stage::new().await;
    let Subject::Container { id: ContainerId(id), .. } = &stage.subject else { unreachable!() };
    assert!(stage.engine.crash(id.as_str(), 3));
    let told = stage.ask().await;
    if let Err(said) = &told[&Part::Processes] {
        assert!(said.as_str().contains("is not running"), "{said}");
    }
    assert!(stage.engine.remove_by_hand(id.as_str()));
    let told = stage.ask().await;
    for part in [Part::Container, Part::Processes, Part::Files] {
        assert_eq!(why(&told, part), "it is not on this host any more", "{part:?}");
    }
    assert!(told[&Part::Image].is_ok() && told[&Part::Layers].is_ok(), "its image is still there: {told:?}");
    stage.engine.set_link(Link::Down);
    let told = stage.ask().await;
    assert!(told.values().all(Result::is_err), "{told:?}");
}

/// What names tell to be confidential never leaves the engine's room, wherever else it stands.
#[tokio::test]
async fn confidences_of_what_others_run_stay_behind() {
    let fleet = sim::Fleet::demo(7).unwrap();
    let host = fleet.hosts().iter().find(|host| host.name == "w-3").unwrap();
    let (name, dialled): (HostName, _) = ("w-3".parse().unwrap(), host.engine.clone());
    let dial = MemoryDial::new(move || Ok(dialled.connect()));
    let handle = open_memory(&"acme".parse().unwrap(), &name, dial).await.unwrap();
    for (container, shown, secrets) in [
        ("legacy-db-1", "POSTGRES_PASSWORD=•••", vec!["correct-horse-battery"]),
        ("legacy-web-1", "DATABASE_URL=postgres://intranet:•••@db:5432/intranet", vec!["correct-horse", "8f0c2b6e"]),
    ] {
        let all = handle.reader().list().await.unwrap();
        let found = all.into_iter().find(|found| found.name == container).unwrap();
        let subject = Subject::Container { host: name.clone(), id: found.id, image: found.image_id };
        let question = Question { number: 1, subject: subject.clone(), parts: subject.parts().to_vec() };
        let told: Vec<PartTold> = handle.reader().inside(question).collect().await;
        let told = format!("{told:?}");
        assert!(told.contains(shown), "{told}");
        assert!(secrets.iter().all(|secret| !told.contains(secret)), "{container}: {told}");
    }
}
