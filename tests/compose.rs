//! Compose files as people write them: every one must load, and give what the JSON beside it says. Wrong ones
//! must give the errors beside them. `UPDATE=1 cargo nextest run --test compose` writes both anew.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test may fail the test")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use wharf::{
    compose::{Loaded, Source, load},
    model::{ServiceName, ServiceSpec},
};

const GOOD: &str = "tests/compose";
const BAD: &str = "tests/compose/bad";

/// What the tests' environment holds: little, and nothing of the machine.
fn env() -> BTreeMap<String, String> {
    [("HOME", "/home/ops"), ("FROM_ENV", "from the environment"), ("EMPTY", ""), ("TAG", "1.27")]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

/// A file's source. Its first lines may say `# files: a.yaml b.yaml`, `# profiles: a b`, `# env_files: …` and
/// `# env: NAME=value`.
fn source(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap_or_default();
    let dir = path.parent().unwrap();
    let words = |key: &str| -> Vec<String> {
        text.lines()
            .take_while(|line| line.starts_with('#'))
            .filter_map(|line| line.strip_prefix(&format!("# {key}: ")))
            .flat_map(|rest| rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    };
    let paths = |key: &str| words(key).iter().map(|name| dir.join(name)).collect::<Vec<_>>();
    let mut files = vec![path.to_owned()];
    files.extend(paths("files"));
    let mut env = env();
    env.extend(words("env").iter().filter_map(|w| w.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())));
    Source { files, env, profiles: words("profiles"), project: words("stack").pop(), env_files: paths("env_files") }
}

fn files(dir: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}

/// Compares with the file beside, or writes it. Gives a complaint where they differ.
fn golden(path: &Path, extension: &str, actual: &str) -> Option<String> {
    let beside = path.with_extension(extension);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&beside, actual).unwrap();
        return None;
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    (expected != actual).then(|| format!("{}\n--- expected\n{expected}\n--- actual\n{actual}", beside.display()))
}

/// Without what differs from machine to machine.
fn neutral(text: &str) -> String {
    let dir = std::path::absolute(".").unwrap();
    text.replace(&*dir.to_string_lossy(), "$DIR")
}

fn shown(loaded: &Loaded) -> String {
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let default = serde_json::to_value(ServiceSpec::default()).unwrap();
    // JSON has no order of keys, but the services have one.
    let order: Vec<&str> = loaded.stack.services.keys().map(ServiceName::as_str).collect();
    let mut value = serde_json::json!({ "stack": loaded.stack, "order": order, "warnings": warnings });
    for (_, service) in value["stack"]["services"].as_object_mut().unwrap() {
        *service = minus(service.take(), &default);
    }
    neutral(&format!("{value:#}\n"))
}

/// A service without the fields that are as in every other, which would hide the rest.
fn minus(value: serde_json::Value, default: &serde_json::Value) -> serde_json::Value {
    match (value, default) {
        (serde_json::Value::Object(map), serde_json::Value::Object(defaults)) => map
            .into_iter()
            .filter(|(key, value)| defaults.get(key) != Some(value))
            .map(|(key, value)| {
                let value = minus(value, defaults.get(&key).unwrap_or(&serde_json::Value::Null));
                (key, value)
            })
            .collect(),
        (value, _) => value,
    }
}

#[test]
fn what_people_write_loads() {
    let files = files(GOOD);
    assert!(files.len() >= 40, "only {} files", files.len());
    let mut refused = Vec::new();
    let mut wrong = Vec::new();
    for path in &files {
        match load(&source(path)) {
            Ok(loaded) => wrong.extend(golden(path, "json", &shown(&loaded))),
            Err(errors) => refused.push(errors.to_string()),
        }
    }
    println!("{} of {} files load", files.len() - refused.len(), files.len());
    assert!(refused.is_empty(), "{} of {} do not load:\n{}", refused.len(), files.len(), refused.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let files = files(BAD);
    assert!(files.len() >= 30, "only {} files", files.len());
    let mut wrong = Vec::new();
    for path in &files {
        match load(&source(path)) {
            Ok(_) => wrong.push(format!("{} loads", path.display())),
            Err(errors) => {
                for error in &errors.0 {
                    assert!(!error.message.is_empty() && error.file.starts_with(BAD), "{error:?}");
                }
                wrong.extend(golden(path, "err", &neutral(&format!("{errors}\n"))));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_over_itself_is_itself() {
    for path in files(GOOD) {
        let mut source = source(&path);
        let once = load(&source).unwrap().stack;
        source.files.extend(source.files.clone());
        assert_eq!(load(&source).unwrap().stack, once, "{}", path.display());
    }
}

/// Writes files into a new directory and loads the first.
fn load_texts(texts: &[(&str, &str)]) -> Result<Loaded, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in texts {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let source = Source {
        files: vec![dir.path().join(texts[0].0)],
        env: env(),
        project: Some("test".into()),
        ..Source::default()
    };
    load(&source).map_err(|errors| errors.to_string())
}

fn lines(range: std::ops::Range<usize>, line: impl Fn(usize) -> String) -> String {
    range.map(line).collect::<Vec<_>>().concat()
}

#[test]
fn bombs_end_with_an_error() {
    let level = |i: usize| format!("x-{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(", "));
    let laughs = format!("x-0: &a0 [lol, lol, lol]\n{}", lines(1..12, level));
    assert!(load_texts(&[("c.yaml", &laughs)]).unwrap_err().contains("aliases"));

    let deep = format!("services: {}{}", "[".repeat(50_000), "]".repeat(50_000));
    let error = load_texts(&[("c.yaml", &deep)]).unwrap_err();
    assert!(error.contains("nested too deeply"), "{error}");
    let deep = format!("services: {}", "{a: ".repeat(50_000));
    let error = load_texts(&[("c.yaml", &deep)]).unwrap_err();
    assert!(error.contains("nested too deeply"), "{error}");

    let large = format!("services: {{a: {{image: b}}}}\n# {}", "x".repeat(10 << 20));
    assert!(load_texts(&[("c.yaml", &large)]).unwrap_err().contains("larger than 2 MB"));

    let link = |i: usize| format!("  s{i}: {{extends: s{}}}\n", i - 1);
    let chain = format!("services:\n  s0: {{image: a}}\n{}", lines(1..500, link));
    assert!(load_texts(&[("c.yaml", &chain)]).unwrap_err().contains("extend one another"));

    let wide = format!(
        "services:\n  s: {{image: a, command: [{}]}}\n{}",
        ["x"; 1000].join(", "),
        lines(0..900, |i| format!("  s{i}: {{extends: s}}\n"))
    );
    assert!(load_texts(&[("c.yaml", &wide)]).unwrap_err().contains("by extending one another"));

    let many = format!("services:\n{}", lines(0..1001, |i| format!("  s{i}: {{image: a}}\n")));
    assert!(load_texts(&[("c.yaml", &many)]).unwrap_err().contains("more than 1000 services"));

    let long = format!("services: {{a: {{image: \"{}\"}}}}", "x".repeat(1_000_000));
    assert!(load_texts(&[("c.yaml", &long)]).unwrap_err().len() < 1000);

    let text = format!(
        "x: &a {}\nservices: {{a: {{image: b, command: [{}]}}}}\n",
        "y".repeat(100_000),
        ["*a"; 1000].join(", ")
    );
    assert!(load_texts(&[("c.yaml", &text)]).unwrap_err().contains("MB once its aliases"));

    let env = format!("V0=aaaaaaaa\n{}", lines(0..60, |i| format!("V{}=$V{i}$V{i}\n", i + 1)));
    let error = load_texts(&[("c.yaml", "services: {a: {image: $V60}}"), (".env", &env)]).unwrap_err();
    assert!(error.contains("longer than"), "{error}");
}

#[test]
fn variables_come_from_the_process_then_from_the_file_beside() {
    let text = "services: {a: {image: \"x:${TAG}\", hostname: \"${ONLY_FILE}\", environment: [FROM_ENV, ONLY_FILE]}}";
    let env = "TAG=from-file\nONLY_FILE=beside-$TAG\n";
    let loaded = load_texts(&[("c.yaml", text), (".env", env)]).unwrap();
    let a = &loaded.stack.services[0];
    assert_eq!((a.image.as_str(), a.hostname.as_deref()), ("x:1.27", Some("beside-1.27")));
    assert_eq!(a.environment["FROM_ENV"].reveal(), "from the environment");
    assert_eq!(a.environment["ONLY_FILE"].reveal(), "beside-1.27");
    assert_eq!(loaded.warnings, []);
}

#[test]
fn include_chains_end() {
    let texts: Vec<(String, String)> = (0..40)
        .map(|i| (format!("c{i}.yaml"), format!("include: [c{}.yaml]\nservices: {{s{i}: {{image: a}}}}\n", i + 1)))
        .collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert!(load_texts(&texts).unwrap_err().contains("include one another"));
}

#[test]
fn no_file_and_no_directory_are_told() {
    assert!(load(&Source::default()).unwrap_err().to_string().contains("-f FILE"));
    let missing = Source { files: vec!["nowhere/compose.yaml".into()], ..Source::default() };
    assert_eq!(
        load(&missing).unwrap_err().to_string(),
        "nowhere/compose.yaml: the Compose file cannot be read: there is no such file"
    );
    let binary = tempfile::tempdir().unwrap();
    let path = binary.path().join("c.yaml");
    fs::write(&path, b"services: \xff\xfe").unwrap();
    let error = load(&Source { files: vec![path], ..Source::default() }).unwrap_err().to_string();
    assert!(error.ends_with("it is not UTF-8 text"), "{error}");
    let dir = Source { files: vec!["tests".into()], ..Source::default() };
    assert!(load(&dir).unwrap_err().to_string().contains("it is a directory"));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Two environments in list and mapping form.
    fn environment(map: &BTreeMap<String, String>, list: bool) -> String {
        let lines: Vec<String> = map
            .iter()
            .map(|(k, v)| if list { format!("      - {k}={v}\n") } else { format!("      {k}: \"{v}\"\n") })
            .collect();
        if lines.is_empty() { String::new() } else { format!("    environment:\n{}", lines.concat()) }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn later_files_win_key_by_key(
            a in proptest::collection::btree_map("[A-D]", "[a-z0-9]{1,3}", 0..4),
            b in proptest::collection::btree_map("[A-D]", "[a-z0-9]{1,3}", 0..4),
            list_a: bool, list_b: bool,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (one, two) = (dir.path().join("a.yaml"), dir.path().join("b.yaml"));
            fs::write(&one, format!("services:\n  s:\n    image: x\n{}", environment(&a, list_a))).unwrap();
            fs::write(&two, format!("services:\n  s:\n    tty: false\n{}", environment(&b, list_b))).unwrap();
            let source = Source { files: vec![one, two], project: Some("t".into()), ..Source::default() };
            let loaded = load(&source).unwrap();
            let mut expected = a;
            expected.extend(b);
            let actual: BTreeMap<String, String> =
                loaded.stack.services[0].environment.iter().map(|(k, v)| (k.clone(), v.reveal().to_owned())).collect();
            prop_assert_eq!(actual, expected);
        }

        #[test]
        fn loading_with_an_empty_override_changes_nothing(index in 0usize..1000) {
            let files = files(GOOD);
            let source = source(&files[index % files.len()]);
            let plain = load(&source).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let empty = dir.path().join("empty.yaml");
            fs::write(&empty, "services: {}\n").unwrap();
            let mut twice = source;
            twice.files.push(empty);
            prop_assert_eq!(load(&twice).unwrap().stack, plain.stack);
        }

        #[test]
        fn any_text_gives_a_stack_or_errors(text in "[a-z:\\-\\[\\]{}&*<>!|'\"#$ \n,0-9%@`?]{0,200}") {
            match load_texts(&[("c.yaml", &format!("services:\n  a:\n    image: b\n{text}"))]) {
                Ok(_) => {}
                Err(errors) => prop_assert!(!errors.is_empty()),
            }
        }
    }

    /// Every file of the corpus, cut off or with one character exchanged, gives a stack or errors.
    #[test]
    fn damaged_files_never_panic() {
        let mut seed = 7u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below.max(1)
        };
        for path in files(GOOD) {
            let text: Vec<char> = fs::read_to_string(&path).unwrap().chars().collect();
            for round in 0..12 {
                let mut damaged = text.clone();
                if round % 3 == 0 {
                    damaged.truncate(random(text.len()));
                } else {
                    let at = random(text.len());
                    damaged[at] = [':', '-', '"', '{', '[', '&', '*', '!', '$', '\n', ' ', '9'][random(12)];
                }
                let damaged: String = damaged.into_iter().collect();
                let _ = load_texts(&[("c.yaml", &damaged)]);
            }
        }
    }
}
