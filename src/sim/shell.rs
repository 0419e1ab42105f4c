//! A very small shell: what `exec` can run in a simulated container, and how long a container's own command lives.

use jiff::Timestamp;
use std::time::Duration;

/// What a program does, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Out(String),
    Err(String),
    Sleep(Duration),
    /// Copies standard input to standard output.
    Cat,
}

/// What a program can see of its container.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) hostname: String,
    pub(super) env: Vec<String>,
    /// Path and content of the files that were put there.
    pub(super) files: Vec<(String, String)>,
    pub(super) command: String,
    pub(super) healthy: bool,
    /// Its image has programs of its own only.
    pub(super) has_shell: bool,
    /// The container is a proxy's.
    pub(super) is_proxy: bool,
    /// No configuration is good enough for it.
    pub(super) refuses: bool,
    pub(super) now: Timestamp,
}

/// Runs `command`; answers its steps and exit code.
pub(super) fn run(command: &[String], view: &View) -> (Vec<Step>, i64) {
    let mut steps = Vec::new();
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let code = match words.as_slice() {
        [shell, flag, script, ..] if is_shell(shell) && flag.starts_with('-') && flag.ends_with('c') => {
            self::script(script, view, &mut steps)
        }
        words => simple(words, view, &mut steps),
    };
    (steps, code)
}

pub(super) fn is_shell(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"))
}

/// Runs a script: commands joined by `;`, `&&`, `||` and newlines. Ends at `exit`.
pub(super) fn script(text: &str, view: &View, steps: &mut Vec<Step>) -> i64 {
    let mut code = 0;
    for (joint, part) in split(text) {
        let skip = match joint {
            Joint::Always => false,
            Joint::And => code != 0,
            Joint::Or => code == 0,
        };
        let Ok(words) = shell_words::split(&part) else {
            steps.push(Step::Err("sh: syntax error: unterminated quoted string\n".to_owned()));
            return 2;
        };
        let words: Vec<String> = words.into_iter().map(|word| expand(&word, view, code)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => {}
            _ if skip => {}
            ["exit"] => return code,
            ["exit", number, ..] => return number.parse().unwrap_or(2),
            words => code = simple(words, view, steps),
        }
    }
    code
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    Always,
    And,
    Or,
}

/// Cuts a script at its joints, outside of quotes.
fn split(text: &str) -> Vec<(Joint, String)> {
    let (mut parts, mut part, mut joint, mut quote) = (Vec::new(), String::new(), Joint::Always, None);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = match (quote, c) {
            (Some(open), _) if open == c => {
                quote = None;
                None
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                None
            }
            (None, ';' | '\n') => Some(Joint::Always),
            (None, '&') if chars.next_if_eq(&'&').is_some() => Some(Joint::And),
            (None, '|') if chars.next_if_eq(&'|').is_some() => Some(Joint::Or),
            _ => None,
        };
        match next {
            Some(next) => {
                parts.push((joint, std::mem::take(&mut part)));
                joint = next;
            }
            None => part.push(c),
        }
    }
    parts.push((joint, part));
    parts
}

/// `$NAME` and `$?` where they are a whole word.
fn expand(word: &str, view: &View, code: i64) -> String {
    match word.strip_prefix('$') {
        Some("?") => code.to_string(),
        Some(name) => {
            let prefix = format!("{name}=");
            let value = view.env.iter().find_map(|entry| entry.strip_prefix(&prefix));
            value.unwrap_or_default().to_owned()
        }
        None => word.to_owned(),
    }
}

/// One program. Unknown ones are not found, with 127.
fn simple(words: &[&str], view: &View, steps: &mut Vec<Step>) -> i64 {
    let (program, rest) = match words {
        [] => return 0,
        [program, rest @ ..] => (program.rsplit('/').next().unwrap_or(program), rest),
    };
    let text = match (program, rest) {
        ("true" | ":", _) => return 0,
        ("false", _) => return 1,
        ("sleep", [time, ..]) => {
            steps.push(Step::Sleep(span(time)));
            return 0;
        }
        ("cat", []) => {
            steps.push(Step::Cat);
            return 0;
        }
        ("cat", paths) => return paths.iter().map(|path| cat(path, view, steps)).max().unwrap_or(0),
        ("echo", ["-n", rest @ ..]) => rest.join(" "),
        ("echo", rest) => format!("{}\n", rest.join(" ")),
        ("hostname", _) => format!("{}\n", view.hostname),
        ("pwd", _) => "/\n".to_owned(),
        ("whoami", _) => "root\n".to_owned(),
        ("id", _) => "uid=0(root) gid=0(root)\n".to_owned(),
        ("date", _) => format!("{}\n", view.now),
        ("uname", _) => "Linux\n".to_owned(),
        ("env" | "printenv", []) => format!("{}\n", view.env.join("\n")),
        ("ps", _) => {
            format!("PID   USER     COMMAND\n    1 root     {}\n   29 root     {}\n", view.command, words.join(" "))
        }
        ("ip", _) if view.is_proxy => return 0,
        ("haproxy", rest) if view.is_proxy => return haproxy(rest, view, steps),
        ("ls", _) => {
            let mut names: Vec<&str> = ["bin", "dev", "etc", "proc", "sys", "tmp", "usr", "var"].to_vec();
            names.extend(view.files.iter().filter_map(|(path, _)| path.trim_start_matches('/').split('/').next()));
            names.sort_unstable();
            names.dedup();
            format!("{}\n", names.join("\n"))
        }
        ("wget" | "curl" | "nc" | "pg_isready" | "redis-cli", _) if view.healthy => "ok\n".to_owned(),
        ("wget" | "curl" | "nc" | "pg_isready" | "redis-cli", _) => {
            steps.push(Step::Err(format!("{program}: can't connect to remote host: Connection refused\n")));
            return 1;
        }
        _ => {
            steps.push(Step::Err(format!("sh: {program}: not found\n")));
            return 127;
        }
    };
    steps.push(Step::Out(text));
    0
}

/// `haproxy -c -f FILE` and `haproxy -v`.
fn haproxy(words: &[&str], view: &View, steps: &mut Vec<Step>) -> i64 {
    let Some(path) = words.iter().position(|word| *word == "-f").and_then(|at| words.get(at + 1)) else {
        steps.push(Step::Out("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\n".to_owned()));
        return 0;
    };
    let why = match view.files.iter().find(|(name, _)| name == path) {
        None => format!("[ALERT]    (1) : Could not open configuration file {path} : No such file or directory\n"),
        Some(_) if view.refuses => "[ALERT]    (1) : config : Fatal errors found in configuration.\n".to_owned(),
        Some((_, text)) => match super::proxy::parse(text) {
            Ok(_) => {
                steps.push(Step::Out("Configuration file is valid\n".to_owned()));
                return 0;
            }
            Err((line, why)) => format!(
                "[ALERT]    (1) : config : parsing [{path}:{line}] : {why}\n\
                 [ALERT]    (1) : config : Error(s) found in configuration file : {path}\n\
                 [ALERT]    (1) : config : Fatal errors found in configuration.\n"
            ),
        },
    };
    steps.push(Step::Err(why));
    1
}

fn cat(path: &str, view: &View, steps: &mut Vec<Step>) -> i64 {
    let text = match view.files.iter().find(|(name, _)| name == path) {
        Some((_, text)) => text.clone(),
        None if path == "/etc/hostname" => format!("{}\n", view.hostname),
        None => {
            steps.push(Step::Err(format!("cat: can't open '{path}': No such file or directory\n")));
            return 1;
        }
    };
    steps.push(Step::Out(text));
    0
}

/// `5`, `0.2`, `3m`, `infinity`; what cannot be read is for ever (a year).
fn span(text: &str) -> Duration {
    let (number, unit) = match text.find(|c: char| c.is_ascii_alphabetic()).and_then(|at| text.split_at_checked(at)) {
        Some((number, unit)) => (number, unit),
        None => (text, "s"),
    };
    let factor = match unit {
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => 1.0,
    };
    let seconds = number.parse().map_or(f64::INFINITY, |number: f64| number * factor);
    Duration::from_secs_f64(seconds.clamp(0.0, 31_536_000.0))
}

/// How long a container with this command lives and its exit code; `None` when it runs until it is stopped.
pub(super) fn lifetime(command: &[String]) -> Option<(Duration, i64)> {
    if command.is_empty() {
        return None;
    }
    let (steps, code) = run(command, &View::default());
    let unknown = steps.iter().any(|step| matches!(step, Step::Err(text) if text.ends_with("not found\n")));
    let blocks = steps.contains(&Step::Cat);
    let time = steps.iter().map(|step| if let Step::Sleep(time) = step { *time } else { Duration::ZERO }).sum();
    (!unknown && !blocks && time < Duration::from_secs(31_536_000)).then_some((time, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(text: &str) -> (Vec<Step>, i64) {
        let view = View { hostname: "box".into(), env: vec!["A=1".into()], ..View::default() };
        run(&["sh".into(), "-c".into(), text.into()], &view)
    }

    #[test]
    fn scripts() {
        assert_eq!(sh("echo hi 'a;b'; exit 3"), (vec![Step::Out("hi a;b\n".into())], 3));
        assert_eq!(sh("false && echo no || echo yes"), (vec![Step::Out("yes\n".into())], 0));
        assert_eq!(sh("hostname; echo $A $?"), (vec![Step::Out("box\n".into()), Step::Out("1 0\n".into())], 0));
        assert_eq!(sh("frobnicate").1, 127);
        assert_eq!(sh("echo 'x").1, 2);
    }

    #[test]
    fn lifetimes() {
        let life = |text: &str| lifetime(&shell_words::split(text).unwrap());
        assert_eq!(life("sleep 5"), Some((Duration::from_secs(5), 0)));
        assert_eq!(life("sh -c 'sleep 1; exit 4'"), Some((Duration::from_secs(1), 4)));
        assert_eq!(life("sleep infinity"), None);
        assert_eq!(life("nginx -g daemon"), None);
        assert_eq!(life("cat"), None);
        assert_eq!(life(""), None);
    }
}
