//! Real answers of HAProxy 2.6, and answers that are none.

use super::super::stat::{Admin, Check, Info, Processes, backends, health, info, processes};
use crate::model::Traffic;

const STAT: &str = include_str!("../../../tests/tables/entry/stat.csv");
const STATES: &str = include_str!("../../../tests/tables/entry/servers.state");

#[test]
fn what_a_worker_says_of_itself() {
    let text = "Name: HAProxy\nVersion: 2.6.12\nPid: 4711\nnode: vm\ndescription: 0011223344556677\nStopping: 1\n";
    let expected = Info { structure: "0011223344556677".into(), process: 4711, is_stopping: true };
    assert_eq!(info(text), expected);
    assert_eq!(info("Unknown command"), Info::default());
}

#[test]
fn processes_are_told_apart() {
    let text = "#<PID>          <type>          <reloads>       <uptime>        <version>      \n\
        1162            master          5 [failed: 1]   0d00h02m07s     2.5-dev13\n\
        # workers\n1271            worker          1               0d00h00m00s     2.5-dev13\n\
        # old workers\n1233            worker          3               0d00h00m43s     2.0-dev3\n\
        1234            worker          4               0d00h00m44s     2.0-dev3\n\
        # programs\n1244            foo             0               0d00h00m00s     -\n";
    let expected = Processes { current: Some(1271), leaving: vec![1233, 1234], failed: 1 };
    assert_eq!(processes(text), expected);
    assert_eq!(processes("nonsense"), Processes::default());
}

#[test]
fn servers_and_counters_are_read() {
    let all = backends(STAT, STATES).unwrap();
    assert_eq!(all.keys().map(ToString::to_string).collect::<Vec<_>>(), ["shop:db:5432", "shop:web:8080"]);
    let web = &all[&"shop:web:8080".parse().unwrap()];
    assert!(web.is_held);
    assert_eq!(web.strangers, ["by-hand"]);
    let of = |name: &str| web.servers[&name.parse().unwrap()].clone();
    let up = of("1-r1-aaaaaaaaaaaa");
    assert_eq!((up.admin, up.check, up.is_running, up.sessions), (Admin::Ready, Check::Up, true, 1));
    assert_eq!((up.address.as_str(), up.port), ("127.0.0.1", 19001));
    assert_eq!((up.traffic.requests, up.traffic.failed), (6, 0));
    let drained = of("2-r1-bbbbbbbbbbbb");
    assert_eq!((drained.admin, drained.check, drained.serves()), (Admin::Drain, Check::Up, false));
    // Down while it drains: the words of `status` alone would not tell.
    let down = of("3-r1-cccccccccccc");
    assert_eq!((down.admin, down.check, down.is_running), (Admin::Drain, Check::Down, false));
    let gone = of("4-r1-dddddddddddd");
    assert_eq!((gone.admin, gone.check), (Admin::Ready, Check::Unreachable));
    let resting = of("5-r1-eeeeeeeeeeee");
    assert_eq!((resting.admin, resting.check, resting.is_running), (Admin::Maint, Check::Unknown, false));
    assert_eq!((web.traffic.requests, web.traffic.failed), (6, 0));
    let db = &all[&"shop:db:5432".parse().unwrap()];
    assert!(!db.is_held);
    assert_eq!((db.traffic.requests, db.traffic.failed, db.traffic.retries), (2, 0, 0));
}

#[test]
fn nonsense_is_no_answer() {
    for (stat, states) in [("", ""), (STAT, ""), ("", STATES), ("No such proxy.", "x"), ("\u{1b}[2J", "# ")] {
        assert_eq!(backends(stat, states), None, "{stat:.20} {states:.20}");
    }
    // Cut anywhere, it is read as far as it goes; a number that is none is nought.
    for cut in (0..STAT.len()).step_by(37) {
        drop(backends(STAT.get(..cut).unwrap_or_default(), STATES));
    }
    let odd =
        "# pxname,svname,scur,mode,hrsp_2xx\nshop:web:80,BACKEND,-1,http,many\nshop:web:80,1-r1-a,9999999999,http,1\n";
    let states = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_port\n\
        3 shop:web:80 1 1-r1-a 127.0.0.1 2 0 99999\n";
    let all = backends(odd, states).unwrap();
    let seen = &all[&"shop:web:80".parse().unwrap()];
    assert_eq!(seen.traffic, Traffic::default());
    let server = &seen.servers[&"1-r1-a".parse().unwrap()];
    assert_eq!((server.sessions, server.port), (u32::MAX, 0));
}

#[test]
fn only_the_health_of_what_gets_requests_is_handed_on() {
    let kept = health(STATES);
    let names: Vec<&str> = kept.lines().skip(2).map(|line| line.split(' ').nth(3).unwrap()).collect();
    assert_eq!(names, ["1-r1-aaaaaaaaaaaa", "4-r1-dddddddddddd", "1-r1-ffffffffffff"]);
    assert!(kept.starts_with("1\n# be_id be_name"));
}
