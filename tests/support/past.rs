//! Time that passes in the made up fleet, with loads that go up and down.

use wharf::{
    app::{Msg, State, update},
    model::{Container, HostChange, HostUpdate, Link, Usage},
};

use super::fleet::{World, later, unseen};

/// Up and down between 0 and 100 in so many seconds, by whole numbers.
fn wave(seconds: u64, period: u64) -> u64 {
    let at = seconds % period * 200 / period;
    if at <= 100 { at } else { 200 - at }
}

/// What a container uses so many seconds after the beginning.
fn usage(container: &Container, number: u64, seconds: u64) -> Option<Usage> {
    let usage = container.usage?;
    let share = (40 + wave(seconds + 17 * number, 240)) as f64 / 100.0;
    Some(Usage {
        cpu_percent: usage.cpu_percent * share,
        memory: usage.memory + (wave(seconds, 900) << 18),
        net_rx: usage.net_rx * share * 100.0,
        net_tx: usage.net_tx * (1.4 - share / 2.0) * 300.0,
        disk_read: if (seconds / 60).is_multiple_of(3) { 2_000_000.0 } else { 0.0 },
        disk_write: usage.disk_write * share * 10.0,
        at: later(seconds),
    })
}

impl World {
    /// Lives from one second after the beginning to another: loads and proxies tell something every five seconds.
    pub fn live(&self, state: &mut State, from: u64, to: u64) {
        for seconds in (from..=to).step_by(5) {
            update(state, Msg::Tick(later(seconds)));
            let mut number = 0;
            let updates = self.containers.iter().map(|(host, containers)| {
                let loads = containers.iter().filter_map(|container| {
                    number += 1;
                    Some((container.id.clone(), usage(container, number, seconds)?))
                });
                HostUpdate { host: host.parse().unwrap(), change: HostChange::Usage(loads.collect()) }
            });
            let mut updates: Vec<HostUpdate> = updates.collect();
            updates.extend(self.proxies(-i64::try_from(seconds).unwrap()));
            let seen = |update: &HostUpdate| {
                state.observed().hosts.get(&update.host).is_some_and(|host| !matches!(host.link, Link::Unknown { .. }))
            };
            updates.retain(seen);
            update(state, Msg::Hosts(updates));
            state.settle();
        }
    }

    /// A host is lost so many seconds after the beginning.
    pub fn lose(state: &mut State, host: &str, seconds: u64) {
        let why = "ssh: connect to host: Connection timed out";
        update(state, unseen(host, -i64::try_from(seconds).unwrap(), why));
        state.settle();
    }

    /// And is seen again.
    pub fn find(state: &mut State, host: &str, seconds: u64) {
        let link = Link::Ready { since: later(seconds) };
        update(state, Msg::Hosts(vec![HostUpdate { host: host.parse().unwrap(), change: HostChange::Link(link) }]));
        state.settle();
    }

    /// Ten minutes, of which w-2 was away for two.
    pub fn ten_minutes(&self, state: &mut State) {
        self.live(state, 5, 300);
        Self::lose(state, "w-2", 300);
        self.live(state, 305, 420);
        Self::find(state, "w-2", 420);
        self.live(state, 425, 600);
    }
}
