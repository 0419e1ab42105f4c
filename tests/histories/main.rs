//! Histories: the whole control loop, played by one thread on a clock that jumps from one event to the next. The planner,
//! the executor, the observers, the keepers of proxies and the store are the real ones; engines, proxies, the network and
//! time are simulated. A seed gives the story, commands of two operators and whatever can go wrong meanwhile, and the times
//! of the engines; played again it is the same to the millisecond.
//!
//! What must always be true (the design's twelve laws, `laws.rs`) is looked at whenever anything changes on any host and
//! whenever anything is written to the store; and when the troubles cease, what is wanted must come true.
//!
//! `WHARF_SEED=17 WHARF_TELL=yes cargo test --test histories one -- --exact --nocapture` plays one again and tells it;
//! with `WHARF_STORY=FILE` instead, one from a file.
//! `WHARF_HISTORIES=20000 cargo nextest run --release --test histories by_chance` plays that many; `tests/run` plays as many as
//! it has time for. A history that breaks a law is made as short as it can be, and printed; put into `kept/`, it is played with
//! every run from then on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::format_collect,
    reason = "a test fails by panicking"
)]

mod gate;
mod laws;
#[path = "../support/made.rs"]
mod made;
mod mutants;
mod notary;
mod people;
mod play;
mod shorten;
mod story;
#[path = "../support/truth.rs"]
mod truth;

use std::collections::BTreeMap;

use play::{Ended, play};
use story::Story;

/// Histories in one run, over all tests here, where nobody says how many.
const MANY: u64 = 240;
/// They are played by so many tests, which run side by side.
const PARTS: u64 = 8;

/// Plays a share of all histories. Each has a seed of its own.
fn part(number: u64) {
    let all = std::env::var("WHARF_HISTORIES").ok().and_then(|many| many.parse().ok()).unwrap_or(MANY);
    let (mut broken, mut sum) = (Vec::new(), Ended::default());
    for seed in (0..all).filter(|seed| seed % PARTS == number) {
        match play(&Story::by_chance(seed), None) {
            Ok(ended) => sum.add(&ended),
            Err(broke) => {
                broken.push(seed);
                let story = shorten::shorten(&Story::by_chance(seed), &broke);
                let again = play(&story, None).err().unwrap_or(broke);
                println!("seed {seed} breaks {again}\nthe shortest that does:\n{}", story.text());
                if broken.len() == 3 {
                    break;
                }
            }
        }
    }
    println!("{sum}");
    assert!(broken.is_empty(), "seeds {broken:?}: see above; WHARF_SEED=N plays one again");
}

#[test]
fn one() {
    let seed = std::env::var("WHARF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_default();
    let file = std::env::var_os("WHARF_STORY").map(|file| std::fs::read_to_string(file).unwrap());
    let story = file.map_or_else(|| Story::by_chance(seed), |text| Story::read(&text).unwrap());
    println!("{}", story.text());
    match play(&story, None) {
        Ok(ended) => println!("{ended}; trace {:016x}", ended.trace),
        Err(broke) => panic!("seed {seed} breaks {broke}"),
    }
}

#[test]
fn a_seed_is_one_history() {
    let trace = |seed| play(&Story::by_chance(seed), None).map(|ended| ended.trace).map_err(|broke| broke.to_string());
    for seed in 1000..1016 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
}

/// Histories that broke a law once.
#[test]
fn kept() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories/kept");
    let files: BTreeMap<_, _> = std::fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    assert!(!files.is_empty());
    for (name, text) in files {
        let story = Story::read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Err(broke) = play(&story, None) {
            panic!("{name} breaks {broke}");
        }
    }
}

macro_rules! parts {
    ($($name:ident $number:literal,)*) => { $(#[test] fn $name() { part($number); })* };
}

parts! { by_chance_1 0, by_chance_2 1, by_chance_3 2, by_chance_4 3, by_chance_5 4, by_chance_6 5, by_chance_7 6, by_chance_8 7, }
