//! A fleet file is read, or every mistake has a place and words that are safe to print.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use wharf::config::{Environment, parse_fleet};

fuzz_target!(|text: &str| {
    match parse_fleet(text, Path::new("/fleet.toml"), &Environment::default()) {
        Ok(loaded) => {
            let rules = loaded.fleet.rules();
            assert_eq!(rules.asks_for_groups(), loaded.fleet.rules().asks_for_groups());
        }
        Err(error) => {
            let words = error.to_string();
            assert!(!words.is_empty());
            assert!(words.chars().all(|c| c == '\n' || !c.is_control()), "{words:?}");
        }
    }
});
