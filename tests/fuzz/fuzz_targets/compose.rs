//! A Compose file is a stack, or every mistake has words that are safe to print.
#![no_main]

use std::{cell::RefCell, fs, path::PathBuf};

use libfuzzer_sys::fuzz_target;
use wharf::compose::{Source, load};

thread_local! {
    /// A file of this process, in memory where there is such a place.
    static FILE: RefCell<PathBuf> = RefCell::new({
        let dir = ["/dev/shm", "/tmp"].into_iter().map(PathBuf::from).find(|dir| dir.is_dir()).unwrap_or_default();
        let dir = dir.join(format!("wharf-fuzz-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory for the file");
        dir.join("compose.yaml")
    });
}

fuzz_target!(|text: &str| {
    FILE.with_borrow(|file| {
        fs::write(file, text).expect("the file is written");
        let source = Source {
            files: vec![file.clone()],
            env: Default::default(),
            profiles: Vec::new(),
            project: Some("shop".to_owned()),
            env_files: Vec::new(),
        };
        if let Err(errors) = load(&source) {
            let words = errors.to_string();
            assert!(!words.is_empty());
            assert!(words.chars().all(|c| c == '\n' || !c.is_control()), "{words:?}");
        }
    });
});
