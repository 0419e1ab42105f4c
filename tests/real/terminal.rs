//! The dashboard in a terminal, on real hosts.

use super::support::{Fleet, WEB};

fn deployed(name: &str) -> Fleet {
    let fleet = Fleet::new(name);
    let file = fleet.compose("shop.yaml", WEB);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    fleet
}

/// Scaling by keys; the terminal goes away in the middle, and the operation does not.
#[test]
fn a_terminal_hung_up_while_scaling_stops_nothing() {
    let fleet = deployed("keys");
    let mut screen = fleet.terminal(&[]);
    screen.wait("the stack and three hosts", |screen| {
        let text = screen.contents();
        text.contains("shop") && text.contains("3/3") && text.contains("3 hosts")
    });
    screen.type_bytes(b"4");
    screen.wait("the services view", |screen| {
        screen.contents().contains("services") && screen.contents().contains("web")
    });
    screen.type_bytes(b"+++++++++");
    screen.wait_text("+9 replicas");
    screen.type_bytes(b".");
    screen.wait_text("PLAN");
    screen.wait_text("wharf scale shop/web=12");
    screen.type_bytes(b"\r");
    fleet.wait("it is accepted and goes on", || fleet.containers().len() > 3);
    screen.hang_up();
    screen.exit();
    assert!(!fleet.processes().iter().any(|(_, line)| !line.contains("reconcile") && line.contains("wharf --fleet")));
    fleet.wait("all run", || fleet.running("shop/web") == 12);
    fleet.wait("the operation ends", || fleet.json(&["ops"])[0]["state"] == "converged");
    assert_eq!(fleet.containers().len(), 12, "{:?}", fleet.containers());
    fleet.ok(&["rm", "shop", "--yes"]);
    fleet.alone();
}

/// Progress and end of an operation that another process asked for are shown as they come; `q` leaves nothing behind.
#[test]
fn what_others_do_is_shown_live() {
    let fleet = deployed("live");
    let mut screen = fleet.terminal(&[]);
    screen.wait_text("3/3");
    screen.type_bytes(b"9");
    screen.wait_text("deploy shop");
    fleet.ok(&["scale", "shop/web=5", "--yes"]);
    screen.wait("the operation and its end", |screen| {
        let text = screen.contents();
        text.lines().any(|line| line.contains("scale shop/web") && line.contains("converged"))
    });
    screen.type_bytes(b"q");
    assert!(screen.exit().success());
    screen.assert_clean();
    fleet.ok(&["rm", "shop", "--yes"]);
    fleet.alone();
}

/// `wharf watch` shows everything and has no way to act.
#[test]
fn watching_changes_nothing() {
    let fleet = deployed("watch");
    let mut screen = fleet.terminal(&["watch"]);
    screen.wait_text("3/3");
    screen.wait_text("read-only");
    screen.type_bytes(b"4");
    screen.wait_text("web");
    screen.type_bytes(b"+++.\r\r");
    screen.type_bytes(b"2");
    screen.wait_text("h3");
    assert!(!screen.contents().contains("draft") && !screen.contents().contains("PLAN"), "{}", screen.contents());
    assert_eq!(fleet.json(&["ops"]).as_array().unwrap().len(), 1, "only the deploy");
    assert_eq!(fleet.containers().len(), 3);
    screen.type_bytes(b"q");
    assert!(screen.exit().success());
    screen.assert_clean();
}
