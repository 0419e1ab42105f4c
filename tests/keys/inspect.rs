//! Keys on the page of an inspection, and what follows from what is told meanwhile.

use wharf::{
    app::{Effect, Mode, Msg, State, overlay::Overlay, update},
    model::{ContainerId, EngineEvent, HostChange, HostUpdate, Part, Question, Subject},
    text::Text,
    tui::Theme,
};

use crate::support::{
    fleet::{World, later, now},
    inside::{OF_CONTAINER, answer, event, facts, is_of_container, processes, questions, tell, told},
    screen::{screen, text, type_keys},
};

fn usual() -> State {
    World::usual().state(Mode::Normal, (120, 50))
}

/// Opened by keys, and told everything.
fn open(keys: &str) -> (State, Question) {
    let mut state = usual();
    let effects = type_keys(&mut state, keys);
    tell(&mut state, &effects);
    let question = questions(&effects).pop().unwrap();
    (state, question)
}

fn shown(state: &State) -> String {
    text(&screen(state, &Theme::named("default").unwrap()))
}

/// The line that the cursor is on, without the space around it.
fn here(state: &State) -> String {
    let Some(Overlay::Inspect(page)) = &state.overlay else { panic!("no page is open") };
    let node = page.node().unwrap();
    format!("{} {}", node.name, node.value.text()).trim().to_owned()
}

fn closed(state: &State) -> bool {
    state.overlay.is_none()
}

#[test]
fn replicas_services_and_hosts_are_asked_about() {
    for (keys, name, about, parts) in [
        ("5i", "payments-api-1-r12", "on e-1", OF_CONTAINER),
        ("4i", "payments-api-1-r12", "the first of 6 in east", OF_CONTAINER),
        ("4<right>i", "payments-api-1-r12-w", "the first of 6 in west", OF_CONTAINER),
        ("4/index<enter>i", "search-index-1-r5", "the first of 2 in east", OF_CONTAINER),
        ("4/index<enter><right>i", "search-index-1-r5-w", "of 2 in west the first that is not well", OF_CONTAINER),
        ("4/ledger<enter>i", "payments-ledger-1-r4", "the only one in east", OF_CONTAINER),
        ("2i", "e-1", "INSPECT  e-1", &[Part::Info, Part::Version, Part::Events]),
        // In the graph the letter means upstream; there it is in the menu and in the palette.
        ("4j6:inspect<enter>", "payments-ledger-1-r4", "the only one", OF_CONTAINER),
        ("2jj6:inspect<enter>", "e-3", "INSPECT  e-3", &[Part::Info, Part::Version, Part::Events]),
    ] {
        let mut state = usual();
        let asked = questions(&type_keys(&mut state, keys));
        assert_eq!(asked.len(), 1, "{keys}");
        assert_eq!(asked[0].parts, parts, "{keys}");
        let page = shown(&state);
        assert!(page.contains(&format!("INSPECT  {name}")) && page.contains(about), "{keys}\n{page}");
        assert!(page.contains("asking …"), "{keys}\n{page}");
    }
}

#[test]
fn the_selected_replica_of_the_graph_is_the_one_that_is_meant() {
    let mut state = usual();
    // The fifth replica, in the column of replicas.
    type_keys(&mut state, "5jjjj");
    let (host, container) = {
        let row = state.selected_replica().unwrap();
        (row.host.clone(), row.container.clone().unwrap())
    };
    let asked = questions(&type_keys(&mut state, "6:inspect<enter>"));
    assert!(
        matches!(&asked[0].subject, Subject::Container { host: on, id, .. } if *on == host && *id == container),
        "{asked:?}"
    );
    // So do the commands that give it the terminal.
    type_keys(&mut state, "<esc>");
    let visits: Vec<Effect> = type_keys(&mut state, "E");
    assert!(visits.iter().any(|effect| matches!(effect, Effect::Visit(visit) if visit.container == container)));
}

#[test]
fn what_cannot_be_inspected_says_so() {
    let mut state = usual();
    assert!(questions(&type_keys(&mut state, "3:inspect<enter>")).is_empty());
    assert!(closed(&state));
    // A wanted replica without a container.
    let mut world = World::usual();
    world.containers.clear();
    let mut state = world.state(Mode::Normal, (120, 40));
    assert!(questions(&type_keys(&mut state, "5i")).is_empty());
    assert!(state.notice.as_ref().unwrap().text.contains("there is no container"), "{:?}", state.notice);
    type_keys(&mut state, "4i");
    assert!(state.notice.as_ref().unwrap().text.contains("none of its replicas"), "{:?}", state.notice);
}

#[test]
fn those_who_only_look_may_look_inside() {
    for mode in [Mode::ReadOnly, Mode::Watch] {
        let mut state = World::usual().state(mode, (120, 40));
        let asked = questions(&type_keys(&mut state, "5i"));
        assert!(asked.iter().any(is_of_container), "{mode:?}");
        type_keys(&mut state, "q");
        assert!(closed(&state), "{mode:?}");
    }
}

#[test]
fn keys_move_open_and_close() {
    for (keys, at) in [
        ("", "state ● running, healthy, restarted 2 times"),
        ("j", "started"),
        ("h", "state ● running"),
        ("hj", "health checks ● 3 of the last 4 passed"),
        ("hjl", "health checks ● 3 of the last 4 passed"),
        ("hjll", "12:04:26 ● exit 0"),
        ("hjllh", "health checks"),
        ("hjllhh<down>", "processes 3"),
        ("hj<enter><right>jjjl", "12:03:56 ✗ exit 1     43 ms  connect: connection refused"),
        ("hj<enter><right>jjjlj", "connect: connection refused"),
        ("hj<enter><right>jjjlj\\", "12:03:56"),
        ("G", "everything 11 fields"),
        ("Ggj", "started"),
        ("h||", "state"),
        ("h\\\\j", "health checks"),
        ("hjjlljj", "1000  4718  4690  0  10:04  ?    00:00:12  /app/run worker"),
    ] {
        let (mut state, _) = open("5i");
        type_keys(&mut state, keys);
        let line = here(&state);
        assert!(line.starts_with(at), "{keys}: {line}\n{}", shown(&state));
    }
    for (keys, is_closed) in [("<esc>", true), ("q", true), ("<ctrl-c>", true), ("jzS5x.", false), ("/q<esc>", false)] {
        let (mut state, _) = open("5i");
        let effects = type_keys(&mut state, keys);
        assert_eq!(closed(&state), is_closed, "{keys}");
        assert!(!effects.contains(&Effect::Quit), "{keys}");
    }
}

#[test]
fn the_whole_tree_opens_level_by_level() {
    let (mut state, _) = open("5i");
    let count = |state: &State| {
        let Some(Overlay::Inspect(page)) = &state.overlay else { panic!("no page is open") };
        page.len()
    };
    type_keys(&mut state, "h");
    let mut counts = vec![count(&state)];
    while counts.len() < 30 {
        type_keys(&mut state, "|");
        counts.push(count(&state));
        if counts.last() == counts.first() {
            break;
        }
    }
    assert_eq!(counts[0], 12, "the branches, all closed");
    assert!(counts.len() > 4 && counts.windows(2).rev().skip(1).all(|pair| pair[0] < pair[1]), "{counts:?}");
    assert_eq!(counts.first(), counts.last(), "{counts:?}");
}

#[test]
fn a_search_opens_what_it_finds_and_goes_back() {
    let (mut state, _) = open("5i");
    type_keys(&mut state, "h/payments_data");
    assert!(shown(&state).contains("found   enter keep"), "{}", shown(&state));
    assert!(here(&state).contains("payments_data"), "{}", here(&state));
    // A change of mind: everything as it was.
    type_keys(&mut state, "<esc>");
    assert!(here(&state).starts_with("state") && !shown(&state).contains("payments_data"), "{}", shown(&state));
    // Kept: from hit to hit, round and round.
    type_keys(&mut state, "/payments_data<enter>");
    let first = here(&state);
    type_keys(&mut state, "n");
    let second = here(&state);
    assert_ne!(first, second);
    type_keys(&mut state, "N");
    assert_eq!(here(&state), first);
    let Some(Overlay::Inspect(page)) = &state.overlay else { panic!() };
    let (hits, at) = page.hits();
    assert_eq!(at, Some(1));
    for _ in 0..hits {
        type_keys(&mut state, "n");
    }
    assert_eq!(here(&state), first);
    type_keys(&mut state, "/nothing-like-it<enter>n");
    assert!(state.notice.as_ref().unwrap().text.contains("nothing here has `nothing-like-it`"));
    // Pasted text goes into the search, and nowhere else.
    type_keys(&mut state, "/");
    update(&mut state, Msg::Paste("LOG_LEVEL\nq".into()));
    assert!(here(&state).contains("LOG_LEVEL=info"), "the next one from here on: {}", here(&state));
    type_keys(&mut state, "<enter>");
    update(&mut state, Msg::Paste("q".into()));
    assert!(!closed(&state));
}

#[test]
fn values_are_copied_and_trees_written() {
    let copied = |keys: &str| -> Vec<String> {
        let (mut state, _) = open("5i");
        let effects = type_keys(&mut state, keys);
        effects
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Copy(text) | Effect::Dump(text) => Some(text),
                _ => None,
            })
            .collect()
    };
    assert_eq!(copied("/log_level<enter>c"), ["info"]);
    assert_eq!(copied("/log_level<enter>Y"), ["payments-api-1-r12: environment › LOG_LEVEL = info"]);
    assert_eq!(copied("/api_token<enter>c"), ["•••"]);
    let branch = &copied("hjjjjjc")[0];
    assert!(branch.starts_with("mounts") || branch.contains("\n  "), "{branch}");
    let dump = &copied("<ctrl-s>")[0];
    for part in ["INSPECT  payments-api-1-r12 on e-1", "\n  LOG_LEVEL", "/app/run worker", "\n  + /app/cache.db"] {
        assert!(dump.contains(part), "`{part}` is not in:\n{dump}");
    }
}

/// Whatever is opened, found, copied or written: no confidence of this container is in it.
#[test]
fn no_key_reveals_a_confidence() {
    let (mut state, question) = open("5i");
    answer(&mut state, question.number, Part::Processes, Ok(processes(&["mysql -u root DATABASE postgres://secret"])));
    let mut seen = String::new();
    for keys in ["|", "|", "|", "|", "|", "|", "/token<enter>", "n", "n", "/password<enter>", "<ctrl-s>"] {
        for effect in type_keys(&mut state, keys) {
            if let Effect::Copy(text) | Effect::Dump(text) = effect {
                seen += &text;
            }
        }
        state.size = (200, 400);
        seen += &shown(&state);
    }
    assert!(seen.contains("API_TOKEN") && seen.contains("--password"), "{seen}");
    for secret in ["s3cr3t", "hunter2x", "postgres://secret", "k-0123"] {
        assert!(!seen.contains(secret), "{secret} is shown:\n{seen}");
    }
}

#[test]
fn a_late_answer_fills_no_later_page() {
    let (mut state, old) = open("5i");
    let asked = questions(&type_keys(&mut state, "<esc>ji"));
    assert!(asked[0].number > old.number && asked[0].subject != old.subject);
    answer(&mut state, old.number, Part::Container, Ok(told(Part::Container)));
    assert!(!shown(&state).contains("running, healthy"), "{}", shown(&state));
    answer(&mut state, asked[0].number, Part::Container, Ok(told(Part::Container)));
    assert!(shown(&state).contains("running, healthy"), "{}", shown(&state));
    // Nor does it open a page that was closed, or put an older answer over a newer one.
    type_keys(&mut state, "<esc>");
    answer(&mut state, asked[0].number, Part::Container, Ok(told(Part::Container)));
    assert!(closed(&state));
    let (mut state, first) = open("5i");
    let again = questions(&type_keys(&mut state, "R")).pop().unwrap();
    answer(&mut state, again.number, Part::Processes, Ok(processes(&["new"])));
    answer(&mut state, first.number, Part::Processes, Ok(processes(&["old", "old"])));
    assert!(shown(&state).contains("processes      1"), "{}", shown(&state));
}

#[test]
fn what_lives_is_asked_again_while_the_page_is_open() {
    let (mut state, first) = open("5i");
    type_keys(&mut state, "hjjl");
    let tick = |state: &mut State, seconds| questions(&update(state, Msg::Tick(later(seconds))).effects);
    assert!(tick(&mut state, 1).is_empty() && tick(&mut state, 2).is_empty());
    let again = tick(&mut state, 3);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].parts, [Part::Container, Part::Processes]);
    assert!(again[0].number > first.number && again[0].subject == first.subject);
    // A host that does not answer is not asked again and again.
    assert!((4..20).all(|second| tick(&mut state, second).is_empty()));
    // But what was lost on its way is.
    let lost = tick(&mut state, 33);
    assert_eq!(lost.len(), 1);
    for part in [Part::Container, Part::Processes] {
        answer(&mut state, lost[0].number, part, Ok(told(part)));
    }
    assert_eq!(tick(&mut state, 36).len(), 1);
    type_keys(&mut state, "<esc>");
    assert!((37..60).all(|second| tick(&mut state, second).is_empty()), "nobody looks any more");
}

#[test]
fn the_cursor_stays_on_its_node_and_in_its_row() {
    let (mut state, question) = open("5i");
    // On the second process, with the health checks open above it.
    type_keys(&mut state, "hjljjjjjjjjljjj");
    let place = |state: &State| {
        let page = shown(state);
        page.lines().position(|line| line.contains("/app/run worker")).unwrap()
    };
    assert!(here(&state).contains("/app/run worker"), "{}\n{}", here(&state), shown(&state));
    state.size = (120, 18);
    type_keys(&mut state, "kj");
    let before = place(&state);
    let mut document = crate::support::inside::document();
    let log = document["State"]["Health"]["Log"].as_array_mut().unwrap();
    log.remove(0);
    log.remove(0);
    answer(&mut state, question.number, Part::Container, Ok(facts(&document)));
    assert!(here(&state).contains("/app/run worker"), "{}", here(&state));
    assert_eq!(place(&state), before, "two rows fewer above it:\n{}", shown(&state));
    answer(&mut state, question.number, Part::Processes, Ok(processes(&["/app/run --port 8080", "/app/run worker"])));
    assert!(here(&state).contains("/app/run worker"), "{}", here(&state));
    // It ends: the cursor stays in the branch.
    answer(&mut state, question.number, Part::Processes, Ok(processes(&["/app/run --port 8080"])));
    assert!(here(&state).contains("/app/run --port 8080"), "{}", here(&state));
    answer(&mut state, question.number, Part::Processes, Err("Container 4f5e is not running"));
    // What was known is still shown, with how old it is.
    let page = shown(&state);
    assert!(page.contains("? as of 12:04:31: Container 4f5e is not running"), "{page}");
    assert!(page.contains("/app/run --port 8080"), "{page}");
}

#[test]
fn what_cannot_be_had_is_said_and_the_rest_is_shown() {
    let mut state = usual();
    let question = questions(&type_keys(&mut state, "5ih")).pop().unwrap();
    let all = || "no answer within 6.0 s; the engine hangs or is overloaded: see its log";
    answer(&mut state, question.number, Part::Container, Err(all()));
    answer(&mut state, question.number, Part::Processes, Ok(told(Part::Processes)));
    answer(&mut state, question.number, Part::Files, Err("it is not on this host any more"));
    answer(&mut state, question.number, Part::Layers, Ok(told(Part::Layers)));
    let page = shown(&state);
    for line in [
        "▸ processes      3",
        "state          ? no answer within 6.0 s",
        "files changed  ? it is not on this host any more",
        "image          asking …",
        "everything     ? no answer within 6.0 s",
    ] {
        assert!(page.contains(line), "`{line}` is not in:\n{page}");
    }
}

#[test]
fn events_of_the_object_are_told_and_of_no_other() {
    let mut state = usual();
    let row = state.index.replicas[0].clone();
    let tell_event = |state: &mut State, id: &str, action: &str| {
        let event = EngineEvent {
            at: now(),
            host: row.host.clone(),
            kind: Text::new("container"),
            action: Text::new(action),
            id: Text::new(id),
            name: Text::new("payments-api-1-r12"),
        };
        update(state, Msg::Hosts(vec![HostUpdate { host: row.host.clone(), change: HostChange::Event(event) }]));
        state.settle();
    };
    let ContainerId(id) = row.container.clone().unwrap();
    tell_event(&mut state, id.as_str(), "health_status: unhealthy");
    tell_event(&mut state, "another", "destroy");
    let effects = type_keys(&mut state, "5i");
    tell(&mut state, &effects);
    type_keys(&mut state, "/unhealthy<enter>");
    let page = shown(&state);
    assert!(page.contains("12:04:31  container  health_status: unhealthy"), "{page}");
    assert!(!page.contains("destroy"), "{page}");
}

/// The engine's memory reaches further back than this screen: both stand there, each event once.
#[test]
fn what_the_engine_remembers_stands_below_what_was_heard() {
    let mut state = usual();
    let row = state.index.replicas[0].clone();
    let id = row.container.clone().unwrap().0;
    let heard = EngineEvent { id: id.clone(), host: row.host.clone(), ..event(5, "die") };
    let change = HostChange::Event(heard.clone());
    update(&mut state, Msg::Hosts(vec![HostUpdate { host: row.host, change }]));
    state.settle();
    let asked = questions(&type_keys(&mut state, "5i")).pop().unwrap();
    answer(&mut state, asked.number, Part::Container, Ok(told(Part::Container)));
    let line = |state: &State| shown(state).lines().find(|line| line.contains(" events ")).unwrap().trim().to_owned();
    assert!(line(&state).ends_with("1 since this screen began; before that: asking …"), "{}", line(&state));
    answer(&mut state, asked.number, Part::Events, Err("no answer within 6.0 s"));
    assert!(line(&state).ends_with("before that: ? no answer within 6.0 s"), "{}", line(&state));
    let again = questions(&type_keys(&mut state, "R")).pop().unwrap();
    assert!(again.parts.contains(&Part::Events));
    let before = wharf::model::Told::Events(vec![event(90_000, "create"), event(7_200, "start"), heard]);
    answer(&mut state, again.number, Part::Events, Ok(before));
    assert!(line(&state).ends_with("events         3"), "{}", line(&state));
    type_keys(&mut state, "/create<enter>");
    let page = shown(&state);
    let told: Vec<&str> = page.lines().filter(|line| line.contains("  container  ")).map(str::trim).collect();
    assert_eq!(told.len(), 3, "{page}");
    for (line, words) in
        told.iter().zip(["12:04:26  container  die", "10:04:31  container  start", "2026-11-22 11:04:31"])
    {
        assert!(line.contains(words), "`{words}` is not in `{line}`");
    }
}

/// What is endless stays quick, and says that there is more.
#[test]
fn thousands_of_files_and_hundreds_of_variables_stay_quick() {
    let (mut state, question) = open("5i");
    let changes: Vec<wharf::model::FileChange> = (0..1_000)
        .map(|n| wharf::model::FileChange {
            change: wharf::model::Changed::Added,
            path: Text::new(&format!("/var/lib/app/some/where/file-{n:05}")),
        })
        .collect();
    let files = wharf::model::Files { changes, added: 5_000, left_out: 4_000, ..wharf::model::Files::default() };
    answer(&mut state, question.number, Part::Files, Ok(wharf::model::Told::Files(files)));
    let mut document = crate::support::inside::document();
    let env = document["Config"]["Env"].as_array_mut().unwrap();
    env.extend((0..300).map(|n| format!("VARIABLE_{n:03}=value {n}").into()));
    answer(&mut state, question.number, Part::Container, Ok(facts(&document)));
    let begun = std::time::Instant::now();
    type_keys(&mut state, "|||||/file-00999");
    assert!(shown(&state).contains("/var/lib/app/some/where/file-00999"), "{}", shown(&state));
    type_keys(&mut state, "<enter>j");
    assert!(here(&state).contains("… and 4,000 more"), "{}", here(&state));
    type_keys(&mut state, "/variable_299<enter>");
    for _ in 0..50 {
        answer(&mut state, question.number, Part::Processes, Ok(told(Part::Processes)));
        type_keys(&mut state, "jk");
    }
    // Built without optimisation, on a machine that does other things: a key takes some milliseconds.
    assert!(begun.elapsed() < std::time::Duration::from_secs(6), "{:?}", begun.elapsed());
}
