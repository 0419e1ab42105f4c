//! Variables: the process environment, `.env` and `env_file`s.

use std::{collections::BTreeMap, fmt, fs, io::Read, path::Path};

use super::interpolate::interpolate;

/// Largest file that is read: a Compose file, an env file, a config, a secret.
pub(super) const MAX_FILE: u64 = 2 << 20;

/// Variables by name.
#[derive(Clone, Default)]
pub(super) struct Env(pub BTreeMap<String, String>);

impl Env {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Env {
    // Values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} variables)", self.0.len())
    }
}

/// A regular file's text. The error is a clause: "… cannot be read: ERROR".
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    let meta = fs::metadata(path).map_err(|error| plain(&error))?;
    if meta.is_dir() {
        return Err("it is a directory".into());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| plain(&error))?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| plain(&error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is larger than {} MB", MAX_FILE >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".into())
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// A line of an env file: a name, and its value unless the name stands alone (then the environment has it).
pub(super) type Assignment = (String, Option<String>);

/// What an env file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct EnvFile {
    /// Its lines, in order.
    pub assignments: Vec<Assignment>,
    /// Variables in its values that are set nowhere, and the line of each.
    pub unset: Vec<(usize, String)>,
}

/// What is wrong with an env file: the line from 1, and what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EnvError {
    pub line: usize,
    pub message: String,
}

/// Reads `NAME=value` lines as Compose does: `export`, `#` comments, single quotes as they are, double quotes with
/// escapes and variables, values over several lines, `NAME: value`. `raw` takes everything behind `=` as it is.
/// Earlier lines are visible to later ones, behind `lookup`.
pub(super) fn parse_env(text: &str, raw: bool, lookup: &dyn Fn(&str) -> Option<String>) -> Result<EnvFile, EnvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut out = EnvFile::default();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(out);
        }
        let line =
            text.len().checked_sub(rest.len()).and_then(|n| text.get(..n)).map_or(1, |t| 1 + t.matches('\n').count());
        let fail = |message: String| EnvError { line, message };
        let (this, next) = rest.split_once('\n').unwrap_or((rest, ""));
        if this.starts_with('#') {
            rest = next;
            continue;
        }
        let end = this.find(['=', ':']).filter(|_| !raw).or_else(|| this.find('=')).unwrap_or(this.len());
        let (name, value) = this.split_at_checked(end).unwrap_or((this, ""));
        let name = name.trim_end();
        let name = name.strip_prefix("export").filter(|n| n.starts_with([' ', '\t'])).map_or(name, str::trim_start);
        check_name(name).map_err(fail)?;
        let mut chars = value.chars();
        if chars.next().is_none() {
            out.assignments.push((name.to_owned(), None));
            rest = next;
            continue;
        }
        let value = chars.as_str();
        let value = if raw {
            rest = next;
            value.trim_end_matches('\r').to_owned()
        } else {
            let find = |variable: &str| lookup(variable).or_else(|| known.get(variable).cloned());
            let mut fill = |template: &str| -> Result<String, EnvError> {
                let filled = interpolate(template, &find).map_err(fail)?;
                out.unset.extend(filled.unset.into_iter().map(|name| (line, name)));
                Ok(filled.text)
            };
            let start = value.trim_start_matches([' ', '\t']);
            match start.chars().next().filter(|c| matches!(c, '\'' | '"')) {
                None => {
                    rest = next;
                    fill(unquoted(start))?
                }
                Some(quote) => {
                    // A quoted value may go on over several lines, so it is cut from the whole rest.
                    let offset = this.len() - start.len() + 1;
                    let body = rest.get(offset..).unwrap_or("");
                    let end = closing(body, quote)
                        .ok_or_else(|| fail(format!("the value of `{name}` begins with {quote} and never ends")))?;
                    let (quoted, after) = body.split_at_checked(end).unwrap_or((body, ""));
                    let (tail, next) = after.split_once('\n').unwrap_or((after, ""));
                    let tail = tail.strip_prefix(quote).unwrap_or(tail).trim();
                    if !tail.is_empty() && !tail.starts_with('#') {
                        return Err(fail(format!("there is text behind the closing {quote} of `{name}`")));
                    }
                    rest = next;
                    if quote == '"' { fill(&unescape(quoted))? } else { quoted.to_owned() }
                }
            }
        };
        known.insert(name.to_owned(), value.clone());
        out.assignments.push((name.to_owned(), Some(value)));
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']');
    if name.is_empty() {
        return Err("a name is missing before `=`".into());
    }
    match name.chars().find(|&c| !legal(c)) {
        Some(' ') => Err(format!("`{name}` is no variable name, it has a space: write NAME=value")),
        Some(c) => Err(format!("`{name}` is no variable name, it has {c:?}: write NAME=value")),
        None => Ok(()),
    }
}

/// Ends at a comment that has a space before it.
fn unquoted(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let end = [" #", "\t#"].into_iter().filter_map(|mark| value.find(mark)).min().unwrap_or(value.len());
    value.get(..end).unwrap_or(value).trim_end()
}

fn closing(body: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in body.char_indices() {
        if c == quote && !escaped {
            return Some(i);
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            // Interpolation follows and turns this into one dollar sign.
            Some('$') => out.push_str("$$"),
            Some(c @ ('"' | '\\' | '\'')) => out.push(c),
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Vec<(String, Option<String>)> {
        parse_env(text, false, &|name| (name == "HOST").then(|| "h".to_owned())).unwrap().assignments
    }

    fn one(text: &str) -> String {
        parse(text).pop().unwrap().1.unwrap()
    }

    #[test]
    fn values_in_every_form() {
        for (text, value) in [
            ("A=x", "x"),
            ("A = x y  ", "x y"),
            ("export A=x", "x"),
            ("A: x", "x"),
            ("A=x # note", "x"),
            ("A=x#y", "x#y"),
            ("A=# note", ""),
            ("A=", ""),
            ("A='$HOST #' # note", "$HOST #"),
            ("A=\"$HOST \\$x \\n\\\"\"", "h $x \n\""),
            ("A=\"two\nlines\"", "two\nlines"),
            ("A='two\nlines'\r\n", "two\nlines"),
            ("A=${HOST}:${NO:-1}", "h:1"),
            ("B=1\nA=$B$B", "11"),
            ("A=http://x:80/?a=b", "http://x:80/?a=b"),
            ("A=x\r\n", "x"),
            ("a.b-c=x", "x"),
        ] {
            assert_eq!(one(text), value, "{text:?}");
        }
        assert_eq!(parse("# only\n\n  # this\n"), []);
        assert_eq!(parse("HOST\nA=1"), [("HOST".into(), None), ("A".into(), Some("1".into()))]);
        let unset = parse_env("A=1\nB=$A${C}${D:-}", false, &|_| None).unwrap().unset;
        assert_eq!(unset, [(2, "C".to_owned())]);
        let raw = parse_env("A=\"$B\" # x\n", true, &|_| None).unwrap().assignments;
        assert_eq!(raw, [("A".into(), Some("\"$B\" # x".into()))]);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, part) in [
            ("A=1\nB C=2", 2, "has a space"),
            ("A=\"x", 1, "never ends"),
            ("\n\n=x", 3, "name is missing"),
            ("A=\"x\" y", 1, "behind the closing"),
            ("A=1\n\nB=${", 3, "not closed"),
        ] {
            let error = parse_env(text, false, &|_| None).unwrap_err();
            assert_eq!(error.line, line, "{text:?}");
            assert!(error.message.contains(part), "{text:?}: {}", error.message);
        }
    }

    #[test]
    fn doubling_does_not_blow_up() {
        let doubled = (0..60).map(|i| format!("V{}=$V{i}$V{i}\n", i + 1)).collect::<Vec<_>>().concat();
        let text = format!("V0=aaaaaaaaaa\n{doubled}");
        assert!(parse_env(&text, false, &|_| None).unwrap_err().message.contains("longer than"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[A-Za-z='\"\\\\$\\n #:{}ü-]{0,60}") {
            let _ = parse_env(&text, false, &|_| None);
            let _ = parse_env(&text, true, &|_| None);
        }

        #[test]
        fn single_quotes_keep_everything(value in "[^'\\\\]{0,40}") {
            prop_assert_eq!(one(&format!("A='{value}'")), value);
        }
    }
}
