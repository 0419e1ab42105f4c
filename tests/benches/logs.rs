//! The logs view under a flood: 50,000 lines a second of 100 sources into the state, and frames of 200 × 55 drawn from
//! it, ten a second as on a terminal. Everything in this process: no hosts, no terminal.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

#[expect(dead_code, reason = "shared with other benchmarks, which use more of it")]
mod common;
#[path = "../support/mod.rs"]
mod support;

use std::time::Instant;

use common::{ms, row, spread};
use ratatui::{buffer::Buffer, layout::Rect};
use support::{fleet::World, lines::batch, screen::type_keys};
use wharf::{
    app::{Mode, Msg, update},
    tui::{Theme, draw::draw},
};

const SIZE: (u16, u16) = (200, 55);
/// Seconds of the flood.
const SECONDS: i64 = 20;
/// Lines of one batch; twelve and a half come in a second.
const BATCH: u32 = 4_000;

fn main() {
    for (what, keys) in
        [("plain", ""), ("wrapped, with times", "wt"), ("looking for a word", "/slow<enter>"), ("scrolled up", "k")]
    {
        flood(what, keys);
    }
}

fn flood(what: &str, keys: &str) {
    let mut world = World::new(&[("east", &["e-1", "e-2", "e-3", "e-4"])]);
    world.service("shop/web", "nginx:1.27", 8, &[("east", 100)]);
    world.fill();
    let mut state = world.state(Mode::Normal, SIZE);
    type_keys(&mut state, "4l");
    let theme = Theme::named("default").unwrap();
    let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    let (mut updates, mut frames) = (Vec::new(), Vec::new());
    for round in 0..SECONDS * 25 / 2 {
        let lines: Vec<(u32, i64, String)> = (0..BATCH)
            .map(|n| {
                let tail = if n % 97 == 0 { "\x1b[33mWARN\x1b[0m slow request" } else { "status=200" };
                (
                    n % 100,
                    round,
                    format!("level=info route=\"GET /v1/orders/{n}\" took={}ms trace={n:08x} {tail}", n % 90),
                )
            })
            .collect();
        let batch = Box::new(batch(&state, &lines));
        let begun = Instant::now();
        update(&mut state, Msg::Logs(batch));
        updates.push(ms(begun.elapsed()));
        if round == 3 {
            type_keys(&mut state, keys);
        }
        let begun = Instant::now();
        state.settle();
        buffer.reset();
        draw(&state, &theme, &mut buffer);
        frames.push(ms(begun.elapsed()));
    }
    let worst = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() * 99 / 100]
    };
    let logs = state.logs.as_ref().unwrap();
    let about = |part: &str| format!("50,000 lines/s, {what}: {part}");
    row(&about("a batch of 4,000 into the state"), spread(&updates, 2, "ms"), "", None);
    row(&about("a frame of 200 × 55"), spread(&frames, 2, "ms"), "", None);
    let p99 = worst(&mut updates);
    row(&about("batch, 99th percentile"), format!("{p99:.2} ms"), "≤ 4 ms", Some(p99 / 4.0));
    let p99 = worst(&mut frames);
    row(&about("frame, 99th percentile"), format!("{p99:.2} ms"), "≤ 4 ms", Some(p99 / 4.0));
    row(&about("kept"), format!("{} lines", logs.ring.len()), "≤ 50,000", None);
}
