//! What the screen looks like, characters and styles.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test program")]

#[path = "screens/charts.rs"]
mod charts;
#[path = "screens/graph.rs"]
mod graph;
mod support;
#[path = "screens/wall.rs"]
mod wall;

use support::{
    fleet::{USUAL, World, before, fleet, now, unseen},
    lines::tell,
    screen::{screen, styled, text, type_keys},
    stored,
};
use wharf::{
    app::{Mode, Msg, State, StoreView, update},
    model::{Container, HostChange, HostUpdate, OperationState},
    text::Text,
    tui::{Frames, Theme},
};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 55)];

fn theme() -> Theme {
    Theme::named("default").unwrap()
}

fn check(name: &str, shown: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("screens/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name.to_owned(), shown));
}

/// Compares what a state shows at all sizes.
fn at_three_sizes(name: &str, state: impl Fn((u16, u16)) -> State) {
    for size in SIZES {
        check(&format!("{name}-{}x{}", size.0, size.1), &styled(&screen(&state(size), &theme())));
    }
}

/// A day like any other: one stack broken, one host unseen, one operation going on.
fn day(size: (u16, u16)) -> State {
    let mut state = World::usual().with_operation(OperationState::Running).state(Mode::Normal, size);
    update(&mut state, unseen("w-3", 42, "ssh: connect to host w-3 port 22: Connection timed out"));
    state.settle();
    state
}

#[test]
fn every_view_at_three_sizes() {
    for (name, keys) in [
        ("overview", ""),
        ("hosts", "2"),
        ("stacks", "3"),
        ("services", "4"),
        ("replicas", "5"),
        ("events", "8"),
        ("operations", "9"),
        ("operation", "9<enter>"),
        ("services-of-a-stack", "<enter>"),
        ("draft", "4+++<right>+"),
        ("plan", "4+++<right>+."),
        ("details-host", "2jjjjjjd"),
        ("details-replica", "5d"),
        ("spec", "4y"),
        ("filtered", "5/index<enter>"),
        ("help", "4?"),
        ("palette", "4:sca"),
        ("scale", "4s"),
    ] {
        at_three_sizes(name, |size| {
            let mut state = day(size);
            type_keys(&mut state, keys);
            state
        });
    }
}

/// Every form of the graph, and why something is not well.
#[test]
fn the_graph_at_three_sizes() {
    for (name, keys) in [
        ("graph-columns", "4j6"),
        ("graph-host", "2jjj6"),
        ("graph-focus", "4j6<enter>"),
        ("graph-stack", "3j6<enter>"),
        ("graph-draft", "4j6<enter>++"),
        ("graph-tree", "6tjj\\"),
        ("graph-hosts", "2j6t|"),
        ("graph-matrix", "3j6TTT"),
        ("explain", "4/index<enter>X"),
    ] {
        at_three_sizes(name, |size| {
            let world = World::usual().with_needs();
            let mut state = world.state(Mode::Normal, size);
            world.tell_traffic(&mut state);
            type_keys(&mut state, keys);
            state
        });
    }
}

/// Traffic everywhere, a host that drains, earlier revisions, a volume.
fn moving(size: (u16, u16)) -> State {
    let world = World::usual().with_history().with_volume().with_drain();
    let mut state = world.state(Mode::Normal, size);
    world.tell_traffic(&mut state);
    state
}

#[test]
fn what_moves_at_three_sizes() {
    for (name, keys) in [
        ("traffic-overview", ""),
        ("wall", "0"),
        ("traffic-services", "4"),
        ("traffic-replicas", "5"),
        ("traffic-details", "4d"),
        ("drain-hosts", "2"),
        ("drain-operations", "9"),
        ("drain-operation", "9<enter>"),
        ("drain-plan", "2jD"),
        ("migrate-service", "4<right>m"),
        ("migrate-replica", "5m"),
        ("migrate-volume", "4/ledger<enter>m"),
        ("migrate-stack", "3m"),
        ("migrate-plan", "4<right>m<enter>"),
        ("rollback-service", "4B"),
        ("rollback-stack", "3B"),
        ("rollback-plan", "4B<enter>"),
        ("rebalance-plan", "2b"),
    ] {
        at_three_sizes(name, |size| {
            let mut state = moving(size);
            type_keys(&mut state, keys);
            state
        });
    }
}

/// A container and an engine from the inside, when everything was told.
fn inside(size: (u16, u16), keys: &str) -> State {
    let mut state = World::usual().state(Mode::Normal, size);
    let effects = type_keys(&mut state, keys);
    support::inside::tell(&mut state, &effects);
    state
}

#[test]
fn the_inside_at_three_sizes() {
    for (name, open, keys) in [
        ("inspect-replica", "5i", ""),
        ("inspect-processes", "5i", "/app/run<enter>n"),
        ("inspect-service", "4<right>i", "hgjljjjjl"),
        ("inspect-open", "5i", "h|"),
        ("inspect-found", "5i", "h/token<enter>"),
        ("inspect-typing", "5i", "h/secr"),
        ("inspect-everything", "5i", "hGlG"),
        ("inspect-image", "5i", "/copy<enter>"),
        ("inspect-long", "5i", "/repodigests<enter>lj"),
        ("inspect-host", "2i", "|"),
    ] {
        at_three_sizes(name, |size| {
            let mut state = inside(size, open);
            type_keys(&mut state, keys);
            state
        });
    }
    // Before anything was told, and where a part cannot be.
    let mut state = World::usual().state(Mode::Normal, (120, 30));
    let effects = type_keys(&mut state, "5i");
    check("inspect-asking", &styled(&screen(&state, &theme())));
    let question = support::inside::questions(&effects).pop().unwrap();
    for part in &question.parts {
        let told = match part {
            wharf::model::Part::Processes => Err("Container 4f5e0a1b2c3d is not running"),
            wharf::model::Part::Files => Err("no answer within 20.0 s; the engine hangs or is overloaded: see its log"),
            part => Ok(support::inside::told(*part)),
        };
        support::inside::answer(&mut state, question.number, *part, told);
    }
    check("inspect-missing", &styled(&screen(&state, &theme())));
    let mut plain = Theme::named("no-color").unwrap();
    plain.ascii = true;
    let mut state = inside((100, 30), "5i");
    type_keys(&mut state, "h|");
    let buffer = screen(&state, &plain);
    assert!(text(&buffer).is_ascii(), "{}", text(&buffer));
    check("inspect-no-color-ascii", &styled(&buffer));
}

/// Names and values as other tools may give them: wide, endless, hostile.
#[test]
fn a_hostile_inside_stays_in_its_columns() {
    let mut document = support::inside::document();
    document["Config"]["Labels"] = serde_json::json!({
        "\x1b[31mred\x1b[0m": "\u{202e}gnp.exe\x1b]0;owned\x07",
        "検索エンジンの索引の名前がとても長いとき": "港口港口港口港口港口港口港口港口港口港口港口港口港口港口港口港口港口港口",
        "e\u{301}te\u{301}": "cafe\u{301}",
        "com.example.a-name-that-goes-on-and-on-and-on-and-on-and-on-and-on-and-on": "x".repeat(400),
        "lines": "one\ntwo\r\n\x1b[2Jthree",
    });
    document["Config"]["Env"] = serde_json::json!(["港口=船", "\x1b[2J=\u{202e}x", "NO_VALUE", "=odd", ""]);
    for size in [(80, 30), (41, 20)] {
        let mut state = World::usual().state(Mode::Normal, size);
        let effects = type_keys(&mut state, "5i");
        let number = support::inside::questions(&effects)[0].number;
        let told = support::inside::facts(&document);
        support::inside::answer(&mut state, number, wharf::model::Part::Container, Ok(told));
        let odd = ["/bin/\x1b[31msh\x1b[0m", "索引 --港口", "\u{202e}gnp"];
        let told = support::inside::processes(&odd);
        support::inside::answer(&mut state, number, wharf::model::Part::Processes, Ok(told));
        type_keys(&mut state, "/gnp<enter>");
        let buffer = screen(&state, &theme());
        assert!(buffer.content.iter().all(|cell| !cell.symbol().contains(['\x1b', '\u{202e}', '\u{7}'])));
        check(&format!("hostile-inspect-{}", size.0), &text(&buffer));
    }
    // Whatever is told, and however small the screen is: it holds.
    for value in
        [serde_json::json!(null), serde_json::json!([]), serde_json::json!({"State": 7, "Config": [], "Mounts": {}})]
    {
        for size in [(20, 5), (40, 10), (10, 2), (1, 1), (0, 0), (200, 1), (1, 60)] {
            let mut state = World::usual().state(Mode::Normal, size);
            let effects = type_keys(&mut state, "5i");
            let number = support::inside::questions(&effects)[0].number;
            for part in support::inside::OF_CONTAINER {
                let told = support::inside::facts(&value);
                support::inside::answer(&mut state, number, *part, Ok(told));
            }
            type_keys(&mut state, "|||jjG/x<enter>n");
            screen(&state, &theme());
        }
    }
}

/// What a service prints: in colours, on stderr, with a life that ends, and names that are wide.
fn printing(size: (u16, u16), keys: &str) -> State {
    let mut state = World::usual().state(Mode::Normal, size);
    type_keys(&mut state, keys);
    let lines: Vec<(u32, i64, String)> = (0..40)
        .map(|n| {
            let text = match n % 8 {
                1 => {
                    format!("!level=error msg=\"upstream timed out\" route=\"POST /v1/orders\" after=5s trace={n:08x}")
                }
                3 => format!("\u{1b}[33mWARN\u{1b}[0m  slow request took={}ms 港口 ñ", 800 + n),
                5 => format!("\u{1b}[32mINFO\u{1b}[0m  {}", "a long line goes on and on, ".repeat(9)),
                _ => format!("level=info route=\"GET /v1/stock\" status=200 took={n}ms"),
            };
            (n % 5, i64::from(n), text)
        })
        .collect();
    tell(&mut state, &lines);
    if let Some(logs) = &mut state.logs {
        let life = wharf::app::logs::Life::Ended { code: 137, oom: true };
        logs.see(1, life, now());
    }
    state
}

#[test]
fn logs_at_three_sizes() {
    for (name, open, keys) in [
        ("logs-service", "4l", ""),
        ("logs-stack", "3l", "t"),
        ("logs-replica", "5l", "wt"),
        ("logs-wrapped", "4l", "w"),
        ("logs-scrolled", "4l", "kkkk<right><right>"),
        ("logs-found", "4l", "/warn<enter>&&N"),
        ("logs-sources", "4l", "A"),
        ("logs-help", "4l", "?"),
    ] {
        at_three_sizes(name, |size| {
            let mut state = printing(size, open);
            type_keys(&mut state, keys);
            state
        });
    }
    let mut plain = printing((120, 30), "4l");
    type_keys(&mut plain, "t");
    let mut ascii = Theme::named("no-color").unwrap();
    ascii.ascii = true;
    check("logs-no-color-ascii", &styled(&screen(&plain, &ascii)));
    let empty = {
        let mut state = World::usual().state(Mode::Normal, (80, 24));
        type_keys(&mut state, "5l");
        state
    };
    check("logs-empty", &text(&screen(&empty, &theme())));
}

/// What states, drafts, choices and charts look like in every theme that comes with the program.
#[test]
fn every_theme() {
    for name in ["default", "dark", "light", "high-contrast", "color-blind", "no-color"] {
        let theme = Theme::named(name).unwrap();
        for (view, keys) in [("overview", ""), ("services", "4+++<right>+"), ("plan", "4+++."), ("graph", "46<enter>")]
        {
            let mut state = day((120, 40));
            type_keys(&mut state, keys);
            check(&format!("theme-{name}-{view}"), &styled(&screen(&state, &theme)));
        }
    }
}

#[test]
fn what_hosts_keep_at_three_sizes() {
    for (name, open, keys) in [
        ("storage", "2V", ""),
        ("storage-all", "V", ""),
        ("storage-details", "2V", "/payments_<enter>d"),
        ("storage-wide", "2V", "w"),
        ("storage-prune", "2V", "p"),
    ] {
        at_three_sizes(name, |size| {
            let mut state = day(size);
            type_keys(&mut state, open);
            for (host, counted) in [("e-1", true), ("e-2", false)] {
                let answer = stored::storage(&state, host, counted);
                stored::tell(&mut state, host, Ok(answer));
            }
            stored::tell(&mut state, "w-3", Err("w-3: could not list what it keeps: the host is not connected"));
            type_keys(&mut state, keys);
            state
        });
    }
}

#[test]
fn states_that_are_rare() {
    let size = (120, 30);
    let failed = OperationState::Failed {
        at: before(20),
        reason: Text::new(
            "api.8 on w-2: port 8080 is taken by legacy-db-1. Stop that container or choose another port.",
        ),
    };
    for (name, mut state, keys) in vec![
        ("failed-operation", World::usual().with_operation(failed.clone()).state(Mode::Normal, size), "9<enter>"),
        ("failed-overview", World::usual().with_operation(failed).state(Mode::Normal, size), ""),
        ("empty-fleet", World::new(&USUAL).state(Mode::Normal, size), ""),
        ("empty-services", World::new(&USUAL).state(Mode::Normal, size), "4"),
        ("empty-operations", World::new(&USUAL).state(Mode::Normal, size), "9"),
        ("before-any-data", State::new(fleet(&USUAL), "ops@bastion".into(), Mode::Normal, now()), ""),
        ("no-match", day(size), "4/nothing-like-it<enter>"),
        ("cordon-draft", day(size), "2u"),
        ("remove", day(size), ":remove<enter>pay"),
        ("leave-with-draft", day(size), "4+<ctrl-c>"),
        ("too-many", day(size), "4jj=9999<enter>."),
        ("read-only", World::usual().state(Mode::ReadOnly, size), "4+"),
        ("watch", World::usual().with_operation(OperationState::Running).state(Mode::Watch, size), ""),
    ] {
        type_keys(&mut state, keys);
        check(name, &styled(&screen(&state, &theme())));
    }
    let mut state = day(size);
    type_keys(&mut state, "4+.<enter>");
    update(&mut state, Msg::Applied(Err(Text::new("ben changed payments/api in east to 8 (state 4,183)."))));
    check("conflict", &styled(&screen(&state, &theme())));
    let mut state = World::new(&[("local", &["here"])]).state(Mode::Normal, size);
    state = State::new(state.fleet.clone(), "ops@bastion".into(), Mode::Normal, now());
    update(&mut state, Msg::Resize(size.0, size.1));
    update(
        &mut state,
        unseen("here", 3, "permission denied on /var/run/docker.sock: add yourself to the group docker"),
    );
    state.settle();
    check("unknown-host", &styled(&screen(&state, &theme())));
    let mut state = day(size);
    update(&mut state, Msg::StoreFailed(Text::new("the file is of a newer wharf")));
    check("store-failed", &styled(&screen(&state, &theme())));
}

#[test]
fn without_colours_states_and_selection_still_show() {
    let theme = Theme::named("no-color").unwrap();
    let mut state = day((80, 24));
    type_keys(&mut state, "4j+");
    let buffer = screen(&state, &theme);
    assert!(buffer.content.iter().all(|cell| cell.fg == ratatui::style::Color::Reset && cell.bg == cell.fg));
    check("no-color", &styled(&buffer));
}

#[test]
fn ascii_only_where_the_terminal_knows_no_more() {
    let mut theme = theme();
    theme.ascii = true;
    for keys in ["", "0", "4+++.", "9<enter>", "?", "2d", "4<right>m", "4B", "2D"] {
        let mut state = if keys.ends_with('m') || keys.ends_with('B') { moving((100, 30)) } else { day((100, 30)) };
        type_keys(&mut state, keys);
        let shown = text(&screen(&state, &theme));
        assert!(shown.is_ascii(), "{keys}: {shown}");
    }
}

/// Names that other tools may give: wide, combining, hostile.
fn hostile() -> World {
    let mut world = World::new(&[("east", &["e-1"])]);
    for (stack, service) in [
        ("検索エンジン", "索引"),
        ("e\u{301}te\u{301}", "cafe\u{301}"),
        ("\x1b[31mred\x1b[0m", "\u{202e}gnp.exe"),
        ("港口港口港口港口港口港口港口港口港口港口港口港口", "船"),
        ("plain", "x"),
    ] {
        world.foreign("e-1", wharf::model::Tool::Compose, stack, service);
    }
    world
}

#[test]
fn wide_and_hostile_names_stay_in_their_columns() {
    for size in [(80, 24), (41, 12)] {
        for (name, keys) in
            [("hostile-services", "4"), ("hostile-replicas", "5"), ("hostile-overview", ""), ("hostile-wall", "0")]
        {
            let mut state = hostile().state(Mode::Normal, size);
            type_keys(&mut state, keys);
            let buffer = screen(&state, &theme());
            assert!(buffer.content.iter().all(|cell| !cell.symbol().contains(['\x1b', '\u{202e}'])));
            check(&format!("{name}-{}", size.0), &text(&buffer));
        }
    }
}

#[test]
fn small_terminals_lose_parts_and_never_break() {
    for size in [(20, 5), (40, 10), (20, 3), (10, 2), (1, 1), (0, 0), (200, 1), (1, 60)] {
        for keys in [
            "", "0", "2", "4+++", "4+.", "5d", "9<enter>", "?", ":", "4s", "4=", "/a", "4m", "5m", "4B", "3B", "2D",
            "2b",
        ] {
            let mut state = day(size);
            type_keys(&mut state, keys);
            screen(&state, &theme());
            let mut state = moving(size);
            type_keys(&mut state, keys);
            screen(&state, &theme());
        }
    }
    for (name, keys) in [("tiny-overview", ""), ("tiny-services", "4+"), ("tiny-plan", "4+."), ("tiny-palette", ":")] {
        let mut state = day((20, 5));
        type_keys(&mut state, keys);
        check(name, &text(&screen(&state, &theme())));
    }
}

#[test]
fn an_unchanged_screen_costs_nothing_and_a_moved_cursor_little() {
    let mut state = day((200, 55));
    type_keys(&mut state, "5");
    let mut frames = Frames::default();
    let theme = theme();
    let first = frames.next(&state, &theme).unwrap().unwrap();
    assert!(first.starts_with(b"\x1b[?2026h") && first.ends_with(b"\x1b[?2026l"));
    assert_eq!(frames.next(&state, &theme).unwrap(), None);
    type_keys(&mut state, "j");
    let moved = frames.next(&state, &theme).unwrap().unwrap();
    assert!(moved.len() < 2_000, "{} bytes for a moved cursor", moved.len());
    frames.repaint();
    assert!(frames.next(&state, &theme).unwrap().unwrap().len() > first.len() / 2);
}

#[test]
fn rows_are_drawn_only_where_they_are_seen() {
    let hosts: Vec<String> = (0..300).map(|n| format!("h-{n}")).collect();
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let world = World::new(&[("east", &names)]);
    let mut template = hostile();
    let container = template.containers.remove("e-1").unwrap().pop().unwrap();
    let mut state = State::new(world.fleet.clone(), "ops".into(), Mode::Normal, now());
    update(&mut state, Msg::Resize(120, 40));
    update(&mut state, Msg::Store(StoreView::default().into()));
    let updates = hosts
        .iter()
        .map(|host| {
            let containers = (0..50)
                .map(|n| {
                    let id = wharf::model::ContainerId(Text::new(&format!("{host}{n}")));
                    Container { id, ..container.clone() }
                })
                .collect();
            HostUpdate { host: host.parse().unwrap(), change: HostChange::Listed { at: now(), containers } }
        })
        .collect();
    update(&mut state, Msg::Hosts(updates));
    type_keys(&mut state, "5G");
    assert_eq!(state.rows.rows.len(), 15_000);
    assert_eq!(state.screen().row, 14_999);
    let shown = text(&screen(&state, &theme()));
    assert!(shown.lines().filter(|line| line.contains("mysql")).count() > 30, "{shown}");
}
