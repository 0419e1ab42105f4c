//! What charts look like.

use super::*;
use wharf::model::Tool;

fn lived(mode: Mode, size: (u16, u16)) -> State {
    let world = World::usual();
    let mut state = world.state(mode, size);
    world.ten_minutes(&mut state);
    state
}

#[test]
fn charts_at_three_sizes() {
    for (name, keys) in [
        ("charts-service", "4C"),
        ("charts-part", "4<right>C"),
        ("charts-stack", "3Cjjs"),
        ("charts-host", "2jjjjjC"),
        ("charts-replica", "5C"),
        ("charts-fleet", ":charts-fleet<enter>t"),
        ("charts-list", "2Co<tab>jt"),
        ("charts-zoomed", "4Cj<enter>"),
        ("charts-hour", "4Clljjj"),
        ("past-hosts", "2"),
        ("past-services", "4"),
        ("past-stacks", "3w"),
        ("past-replicas", "5"),
    ] {
        at_three_sizes(name, |size| {
            let mut state = lived(Mode::Normal, size);
            type_keys(&mut state, keys);
            state
        });
    }
}

#[test]
fn charts_that_have_little_or_nothing_say_why() {
    let size = (120, 40);
    let world = World::usual();
    let mut fresh = world.state(Mode::Normal, size);
    type_keys(&mut fresh, "4C");
    check("charts-nothing-yet", &styled(&screen(&fresh, &theme())));
    world.live(&mut fresh, 5, 40);
    check("charts-first-minute", &styled(&screen(&fresh, &theme())));
    let mut lost = lived(Mode::Normal, size);
    type_keys(&mut lost, "2jjjjjC");
    World::lose(&mut lost, "w-2", 600);
    world.live(&mut lost, 605, 630);
    check("charts-lost-host", &styled(&screen(&lost, &theme())));
    for (name, keys, words) in [
        ("a replica that ended", "5/index<space>exit<enter>C", "it does not run"),
        ("what others run", "3/legacy<enter>C", "others run it"),
    ] {
        let mut state = lived(Mode::Normal, size);
        type_keys(&mut state, keys);
        let shown = text(&screen(&state, &theme()));
        assert!(shown.contains(words), "{name}: {shown}");
    }
}

/// Of more services than anybody looks at, the last have no past, and say so.
#[test]
fn what_is_too_much_to_keep_says_so() {
    let mut world = World::new(&[("east", &["e-1"])]);
    for n in 0..2_001 {
        world.foreign("e-1", Tool::Compose, &format!("s{n:04}"), "x");
    }
    let mut state = world.state(Mode::Normal, (120, 40));
    world.live(&mut state, 5, 10);
    for (keys, says) in [("4C", false), ("4GC", true), ("3GC", true), ("5GC", false)] {
        type_keys(&mut state, keys);
        let shown = text(&screen(&state, &theme()));
        assert_eq!(shown.contains("too many to keep"), says, "{keys}: {shown}");
    }
}

#[test]
fn charts_without_colours_in_ascii_and_where_nobody_acts() {
    let mut plain = lived(Mode::Normal, (120, 40));
    type_keys(&mut plain, "4C");
    let mut ascii = Theme::named("no-color").unwrap();
    let buffer = screen(&plain, &ascii);
    assert!(buffer.content.iter().all(|cell| cell.fg == ratatui::style::Color::Reset && cell.bg == cell.fg));
    check("charts-no-color", &styled(&buffer));
    ascii.ascii = true;
    for keys in ["", "<enter>", "<esc><tab>", "<esc>ll", "2", "4w"] {
        type_keys(&mut plain, keys);
        let shown = text(&screen(&plain, &ascii));
        assert!(shown.is_ascii(), "{keys}: {shown}");
        if keys.is_empty() {
            check("charts-ascii", &shown);
        }
    }
    for (name, mode) in [("charts-read-only", Mode::ReadOnly), ("charts-wall", Mode::Watch)] {
        let mut state = lived(mode, (120, 40));
        type_keys(&mut state, "3C<tab>");
        check(name, &styled(&screen(&state, &theme())));
    }
}

#[test]
fn charts_of_hostile_names_stay_in_their_columns() {
    for size in [(80, 24), (41, 12), (130, 50)] {
        for (name, keys) in [("charts-hostile", "4jC"), ("charts-hostile-list", "2C<tab>")] {
            let world = hostile();
            let mut state = world.state(Mode::Normal, size);
            world.live(&mut state, 5, 120);
            type_keys(&mut state, keys);
            let buffer = screen(&state, &theme());
            assert!(buffer.content.iter().all(|cell| !cell.symbol().contains(['\x1b', '\u{202e}'])));
            check(&format!("{name}-{}", size.0), &text(&buffer));
        }
    }
}

#[test]
fn charts_fit_into_every_terminal() {
    for size in [(20, 5), (40, 10), (20, 3), (10, 2), (1, 1), (0, 0), (200, 1), (1, 60), (300, 90), (59, 7)] {
        let mut world = World::usual();
        world.foreign("e-1", Tool::Compose, "港口港口港口港口港口", "船");
        let mut state = world.state(Mode::Normal, size);
        world.live(&mut state, 5, 60);
        for keys in ["4C", "G", "<enter>", "<tab>", "j", "<esc><esc>lll", "2Co", "5C", ":charts-fleet<enter>", "<tab>G"]
        {
            type_keys(&mut state, keys);
            screen(&state, &theme());
        }
    }
}
