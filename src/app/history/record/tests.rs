use jiff::ToSpan;

use super::*;
use crate::{
    app::{
        filter::Verdict,
        history::{MOST, MOST_REPLICAS, Measure},
        ids::ServiceId,
        line::Mark,
        rows::{HostRow, ServiceRow, StackRow, Tally},
        series::{Point, SERIES_BYTES},
    },
    model::{ContainerId, HostName, Usage},
    text::Text,
};

fn at(step: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + step * FINE).unwrap()
}

fn load(cpu: f64, missing: u32) -> Load {
    Load { usage: Some(Usage { cpu_percent: cpu, ..Usage::default() }), missing }
}

fn unseen() -> Load {
    Load { usage: None, missing: 1 }
}

fn host(name: &str, region: &str, live: Load) -> HostRow {
    HostRow {
        name: name.parse().unwrap(),
        region: region.parse().unwrap(),
        replicas: Tally::default(),
        others: 0,
        running: 0,
        live,
    }
}

fn service(n: usize) -> ServiceId {
    ServiceId { stack: StackId::Own(format!("s{:05}", n / 4).parse().unwrap()), name: format!("n{n:05}").into() }
}

fn tally() -> Tally {
    Tally { live: load(3.0, 0), ..Tally::default() }
}

/// So many services, each with so many replicas of this age, in the order of an index.
fn fleet(hosts: usize, services: usize, replicas: usize, age: usize) -> Index {
    let name = |n: usize| -> HostName { format!("h{n}").parse().unwrap() };
    let mut index = Index::default();
    index.regions = vec!["east".parse().unwrap()];
    index.hosts = (0..hosts).map(|n| host(name(n).as_str(), "east", load(5.0, 0))).collect();
    for n in 0..services {
        let id = service(n);
        if index.stacks.last().is_none_or(|row: &StackRow| row.id != id.stack) {
            let stack = StackRow {
                id: id.stack.clone(),
                services: 4,
                hosts: 1,
                regions: Vec::new(),
                total: tally(),
                last: None,
            };
            index.stacks.push(stack);
        }
        index.replicas.extend((0..replicas).map(|r| ReplicaRow {
            id: ReplicaId::Container(name(r % hosts), ContainerId(Text::new(&format!("{n}-{r}-{age}")))),
            service: id.clone(),
            slot: None,
            region: "east".parse().unwrap(),
            region_at: Some(0),
            host: name(r % hosts),
            container: None,
            revision: None,
            mark: Mark::Ok,
            wanted: true,
            verdict: Verdict::default(),
        }));
        index.services.push(ServiceRow {
            id,
            revision: None,
            image: Text::default(),
            regions: Vec::new(),
            total: tally(),
            updated: None,
        });
    }
    index
}

fn record(history: &mut History, index: &Index, step: i64) {
    history.record(index, &Observed::default(), &Flows::default(), Pace::default(), at(step));
}

fn cpu(history: &History, of: &Within, step: i64) -> Option<Point> {
    history.tracks(of)?.series(Measure::Cpu)?.fine(step_of(at(step), FINE))
}

#[test]
fn sums_without_a_host_are_marked_and_hosts_are_gaps() {
    let mut history = History::default();
    let region = |name: &str| Within::Region(name.parse().unwrap());
    let mut index = Index::default();
    index.regions = vec!["east".parse().unwrap(), "west".parse().unwrap()];
    for (step, a, b, c) in [
        (0, load(10.0, 0), load(20.0, 0), load(1.0, 0)),
        (1, load(10.0, 0), unseen(), load(1.0, 0)),
        (2, unseen(), unseen(), load(1.0, 0)),
        (3, load(10.0, 2), load(20.0, 0), unseen()),
    ] {
        index.hosts = vec![host("a", "east", a), host("b", "east", b), host("c", "west", c)];
        record(&mut history, &index, step);
    }
    let told = |of: &Within| (0..4).map(|step| cpu(&history, of, step)).collect::<Vec<_>>();
    let (whole, part) = (|cpu| Some(Point::new(cpu, false)), |cpu| Some(Point::new(cpu, true)));
    assert_eq!(told(&region("east")), [whole(30.0), part(10.0), None, part(30.0)]);
    assert_eq!(told(&region("west")), [whole(1.0), whole(1.0), whole(1.0), None]);
    assert_eq!(told(&Within::Host("b".parse().unwrap())), [whole(20.0), None, None, whole(20.0)]);
    assert_eq!(told(&Within::All), [whole(31.0), part(11.0), part(1.0), part(30.0)]);
}

#[test]
fn what_goes_takes_its_series_along() {
    let mut history = History::default();
    record(&mut history, &fleet(2, 8, 1, 0), 0);
    assert!(cpu(&history, &Within::Service(service(7)), 0).is_some());
    let before = history.series();
    record(&mut history, &fleet(2, 4, 1, 0), 1);
    assert!(history.tracks(&Within::Service(service(7))).is_none());
    assert!(history.tracks(&Within::Stack(service(7).stack)).is_none());
    assert!(history.series() < before && history.tracks(&Within::Service(service(3))).is_some());
}

/// 1,000 hosts with 50 containers each, of 500 services; and a fleet with more services than anybody can look at.
#[test]
fn it_stays_small_in_large_fleets_and_over_weeks() {
    for (services, megabytes) in [(500, 20), (5_000, 60)] {
        let mut history = History::default();
        let mut index = fleet(1_000, services, 50_000 / services, 0);
        for step in 0..3 {
            let rows = index.replicas.iter().skip(usize::try_from(step).unwrap() * 300).take(300);
            history.watch(rows, step);
            record(&mut history, &index, step);
        }
        let replicas = history.tracks.keys().filter(|of| matches!(of, Within::Replica(_))).count();
        assert_eq!(replicas, MOST_REPLICAS);
        let all = history.series();
        assert!(history.tracks.len() <= 1_000 + 2 + MOST + MOST / 4 + MOST_REPLICAS + services.div_ceil(4));
        // Replicas have nine at most, whatever they had here.
        let bytes = all * SERIES_BYTES + MOST_REPLICAS * 9 * SERIES_BYTES;
        assert!(bytes < megabytes << 20, "{services} services: {bytes} bytes");
        // Every replica is replaced every now and then.
        for week in 1..4 {
            let step = week * 7 * 86_400 / FINE;
            index = fleet(1_000, services, 50_000 / services, usize::try_from(week).unwrap());
            history.watch(index.replicas.iter().take(200), step);
            record(&mut history, &index, step);
            assert!(history.series() <= all, "week {week}");
        }
    }
}

#[test]
fn a_reading_is_taken_once_a_step() {
    let mut history = History::default();
    let now = at(0);
    assert!(history.is_due(now));
    history.record(&Index::default(), &Observed::default(), &Flows::default(), Pace::default(), now);
    assert!(!history.is_due(now) && !history.is_due(now.checked_add(4.seconds()).unwrap()));
    assert!(history.is_due(now.checked_add(5.seconds()).unwrap()));
}
