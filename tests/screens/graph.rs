//! What the graph tells: what breaks without something, what was seen, and names as other tools may give them.

use super::*;
use wharf::model::{Attachment, EntrySpec, NetworkSpec, ServiceKey, StackShared};

/// Traffic everywhere, what services need, and edge hosts in two regions.
fn edged(size: (u16, u16)) -> State {
    let mut world = World::usual().with_needs();
    let fleet = std::sync::Arc::make_mut(&mut world.fleet);
    for host in fleet.regions.iter_mut().flat_map(|region| &mut region.hosts) {
        let is_edge = ["e-1", "e-2", "w-1"].contains(&host.name.as_str());
        host.labels.insert("role".to_owned(), if is_edge { "edge" } else { "inner" }.to_owned());
    }
    let mut state = world.state(Mode::Normal, size);
    world.tell_traffic(&mut state);
    state
}

/// The line that begins with a word.
fn line<'a>(shown: &'a str, word: &str) -> &'a str {
    shown.lines().find(|line| line.trim_start().starts_with(word)).unwrap_or_else(|| panic!("no `{word}` in\n{shown}"))
}

#[test]
fn what_breaks_without_a_host_a_region_a_service() {
    for (keys, long, short) in [
        (
            "26",
            "e-1 GOES  7 replicas move · 1 service below its floor (1 with none left) · 0 of 2 entries lost · :443 keeps 4 of 5 edge hosts (and 1 more)",
            "e-1 GOES  7 move · 1 below floor (1 none left) · 0 of 2 entries lost",
        ),
        (
            "2jj6",
            "e-3 GOES  2 replicas move · 0 services below their floor · 0 of 2 entries lost",
            "e-3 GOES  2 move · 0 below floor · 0 of 2 entries lost",
        ),
        (
            "2jjjj6",
            "w-1 GOES  6 replicas move · 2 services below their floor (2 with none left) · 0 of 2 entries lost · :443 keeps 4 of 5 edge hosts (and 1 more)",
            "w-1 GOES  6 move · 2 below floor (2 none left) · 0 of 2 entries lost",
        ),
        (
            "26l",
            "east GOES  17 replicas move · 6 services below their floor (6 with none left) · 0 of 2 entries lost · :443 keeps 3 of 5 edge hosts (and 1 more)",
            "east GOES  17 move · 6 below floor (6 none left) · 0 of 2 entries lost",
        ),
        (
            "46",
            "payments/api GOES  18 replicas end · 1 service needs it · 1 of 2 entries lost",
            "payments/api GOES  18 end · 1 needs it · 1 of 2 entries lost",
        ),
        (
            "4j6",
            "payments/ledger GOES  1 replica ends · 2 services need it · 0 of 2 entries lost",
            "payments/ledger GOES  1 ends · 2 need it · 0 of 2 entries lost",
        ),
    ] {
        for (size, told) in [((200, 55), long), ((80, 24), short)] {
            let mut state = edged(size);
            type_keys(&mut state, keys);
            let shown = text(&screen(&state, &theme()));
            assert_eq!(line(&shown, "IF ").trim(), format!("IF {told}"), "{keys}");
        }
    }
    for (name, keys) in [("loss-host", "2dG"), ("loss-region", "26ldG"), ("loss-graph", "26")] {
        at_three_sizes(name, |size| {
            let mut state = edged(size);
            type_keys(&mut state, keys);
            state
        });
    }
}

/// Three services on two hosts; on the second runs only one of them.
fn seen(size: (u16, u16)) -> State {
    let mut world = World::new(&[("east", &["n-1", "n-2"])]);
    for (service, replicas) in [("shop/api", 1), ("shop/cron", 2), ("shop/web", 1)] {
        world.service(service, "acme/shop:1", 1, &[("east", replicas)]);
    }
    for name in ["api", "web"] {
        let kept = world.desired.revisions.get_mut(&format!("shop/{name}").parse::<ServiceKey>().unwrap()).unwrap();
        for revision in kept.values_mut() {
            let spec = &mut std::sync::Arc::make_mut(revision).spec;
            spec.networks.insert("front".to_owned(), Attachment::default());
        }
    }
    world.fill();
    let mut state = world.state(Mode::Normal, size);
    world.tell_traffic(&mut state);
    state
}

#[test]
fn what_proxies_saw_is_an_edge() {
    let mut state = seen((120, 40));
    type_keys(&mut state, "4jd");
    let shown = text(&screen(&state, &theme()));
    assert!(shown.contains("NEEDS") && !shown.contains("NEEDED BY"), "{shown}");
    for name in ["shop/api", "shop/web"] {
        assert!(shown.contains(&format!("{name}  seen, not declared  165/s")), "{shown}");
    }
    // Beside the other proxy several run: nobody knows which of them asked.
    assert_eq!(shown.matches("seen, not declared").count(), 2, "{shown}");
    at_three_sizes("graph-seen", |size| {
        let mut state = seen(size);
        type_keys(&mut state, "3j6<enter>");
        state
    });
}

/// A fleet whose every name that can be anything is: of stacks, services and containers of other tools, of entries and
/// networks of ours.
fn odd() -> World {
    let mut world = hostile();
    let long = "x".repeat(300);
    world.foreign("e-1", wharf::model::Tool::Swarm, &long, &"長".repeat(300));
    world.foreign("e-1", wharf::model::Tool::Rancher, "\u{1b}]0;owned\u{7}\r\nsplit", "a\tb\u{2066}c\u{200b}d");
    let name = format!("shop/{}", "a".repeat(63));
    world.service(&name, "acme/shop:1", 1, &[("east", 2)]);
    let key: ServiceKey = name.parse().unwrap();
    let networks = ["\u{1b}[2J港口港口港口港口港口港口港口港口港口港口", "\u{202e}kcab"];
    for revision in world.desired.revisions.get_mut(&key).unwrap().values_mut() {
        let spec = &mut std::sync::Arc::make_mut(revision).spec;
        for (port, host) in
            [(443, "\u{1b}[31m\u{202e}evil.example".to_owned()), (80, long.clone()), (81, "船".repeat(90))]
        {
            spec.wharf.entry.push(EntrySpec { port, target: 8080, host: Some(host), ..EntrySpec::default() });
        }
        spec.networks = networks.iter().map(|name| ((*name).to_owned(), Attachment::default())).collect();
    }
    let outer = |name: &str| NetworkSpec { external: true, name: Some(name.to_owned()), ..NetworkSpec::default() };
    let networks = networks.iter().map(|name| ((*name).to_owned(), outer(name))).collect();
    world.desired.stacks.insert(key.stack, StackShared { networks, ..StackShared::default() });
    world.fill();
    world
}

#[test]
fn hostile_names_stay_in_their_place_in_every_form_of_the_graph() {
    const MARKS: [&str; 5] = ["●", "◐", "○", "✗", "?"];
    for size in [(80, 24), (120, 40), (41, 12)] {
        for (name, keys) in [
            ("columns", "46"),
            ("stacks", "3jjj6"),
            ("replicas", "5jjj6"),
            ("focus", "46<enter>"),
            ("stack", "36<enter>"),
            ("tree", "46t|"),
            ("hosts", "26t||"),
            ("matrix", "36TTT"),
        ] {
            let mut state = odd().state(Mode::Normal, size);
            type_keys(&mut state, keys);
            let buffer = screen(&state, &theme());
            check(&format!("hostile-graph-{name}-{}", size.0), &text(&buffer));
            // What the terminal gets: its own sequences, and nothing that a name brought.
            let bytes = Frames::default().next(&state, &theme()).unwrap().unwrap();
            let sent = String::from_utf8(bytes).unwrap();
            for raw in ["\u{202e}", "\u{2066}", "\u{200b}", "\u{7}", "\u{1b}]", "\u{1b}[2J港", "\u{1b}[31mred"] {
                assert!(!sent.contains(raw), "{raw:?} in {name} at {size:?}");
            }
            // Every row of a column begins where the column's head does.
            if !["columns", "stacks", "replicas"].contains(&name) || size.0 < 80 {
                continue;
            }
            for head in ["SERVICE", "REPLICA", "HOST", "REGION"] {
                let row: Vec<&str> = (0..size.0).map(|x| buffer[(x, 2)].symbol()).collect();
                let x = row.concat().find(head).unwrap_or_else(|| panic!("no {head} in {name}"));
                let x = u16::try_from(x).unwrap();
                for y in 3..size.1 - 4 {
                    let (symbol, before) = (buffer[(x, y)].symbol(), buffer[(x - 1, y)].symbol());
                    assert!(before == " " && (symbol == " " || MARKS.contains(&symbol)), "{name}, {head}, row {y}");
                }
            }
        }
    }
}
