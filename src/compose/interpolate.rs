//! `$V`, `${V:-x}` and their relatives, before any value gets a type.

/// Deepest nesting of `${A:-${B:-…}}`.
const MAX_NESTING: usize = 32;
/// Longest value after interpolation, in bytes.
const MAX_VALUE: usize = 1 << 20;

/// A text with its variables replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filled {
    pub text: String,
    /// Variables that had no value and no default, in order of use.
    pub unset: Vec<String>,
}

/// Replaces `$V ${V} ${V:-x} ${V-x} ${V:?m} ${V?m} ${V:+x} ${V+x}` and `$$`. What an operator does not choose is
/// not looked at. The error says what is wrong with the text, or that a required variable is missing.
pub(super) fn interpolate(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Filled, String> {
    let mut filled = Filled::default();
    fill(text, lookup, &mut filled, 0)?;
    Ok(filled)
}

fn fill(text: &str, lookup: &dyn Fn(&str) -> Option<String>, out: &mut Filled, depth: usize) -> Result<(), String> {
    if depth > MAX_NESTING {
        return Err(format!("variables are nested deeper than {MAX_NESTING} levels"));
    }
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.text.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.text.push('$');
            rest = after;
        } else if let Some(braced) = after.strip_prefix('{') {
            let (inner, after) =
                close(braced).ok_or_else(|| format!("`${{{}` is not closed: a `}}` is missing", shorten(braced)))?;
            expand(inner, lookup, out, depth)?;
            rest = after;
        } else {
            let (name, after) = split_name(after);
            if name.is_empty() {
                return Err("a `$` that begins no variable: write `$$` for a dollar sign".into());
            }
            let value = lookup(name);
            take(value, name, out);
            rest = after;
        }
        if out.text.len() > MAX_VALUE {
            return Err(format!("the value is longer than {} MB with its variables filled in", MAX_VALUE >> 20));
        }
    }
    out.text.push_str(rest);
    Ok(())
}

fn take(value: Option<String>, name: &str, out: &mut Filled) {
    match value {
        Some(value) => out.text.push_str(&value),
        None => out.unset.push(name.to_owned()),
    }
}

/// The content of `${…}`.
fn expand(inner: &str, lookup: &dyn Fn(&str) -> Option<String>, out: &mut Filled, depth: usize) -> Result<(), String> {
    let (name, operator) = split_name(inner);
    if name.is_empty() {
        return Err(format!("`${{{}}}` names no variable: a name begins with a letter or `_`", shorten(inner)));
    }
    let value = lookup(name);
    if operator.is_empty() {
        take(value, name, out);
        return Ok(());
    }
    let (empty_counts, operator) = match operator.strip_prefix(':') {
        Some(operator) => (true, operator),
        None => (false, operator),
    };
    let present = value.as_ref().is_some_and(|value| !(empty_counts && value.is_empty()));
    if let Some(default) = operator.strip_prefix('-') {
        match value {
            Some(value) if present => out.text.push_str(&value),
            _ => fill(default, lookup, out, depth + 1)?,
        }
    } else if let Some(message) = operator.strip_prefix('?') {
        match value {
            Some(value) if present => out.text.push_str(&value),
            _ => {
                let mut why = Filled::default();
                fill(message, lookup, &mut why, depth + 1)?;
                let colon = if why.text.is_empty() { "" } else { ": " };
                return Err(format!("the variable `{name}` must be set{colon}{}", why.text));
            }
        }
    } else if let Some(replacement) = operator.strip_prefix('+') {
        if present {
            fill(replacement, lookup, out, depth + 1)?;
        }
    } else {
        return Err(format!("`${{{}}}` has an unknown operator: `:-` `-` `:?` `?` `:+` and `+` exist", shorten(inner)));
    }
    Ok(())
}

/// Splits behind the `}` that closes a `${` whose content `text` begins with.
fn close(text: &str) -> Option<(&str, &str)> {
    let mut open = 1usize;
    let mut dollar = false;
    for (i, c) in text.char_indices() {
        match c {
            '{' if dollar => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some((text.get(..i)?, text.get(i + 1..)?));
        }
        // The second of `$$` begins nothing.
        dollar = c == '$' && !dollar;
    }
    None
}

fn split_name(text: &str) -> (&str, &str) {
    let end = text
        .char_indices()
        .find(|&(i, c)| !(c == '_' || c.is_ascii_alphabetic() || (i > 0 && c.is_ascii_digit())))
        .map_or(text.len(), |(i, _)| i);
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(text: &str) -> Result<String, String> {
        let lookup = |name: &str| match name {
            "A" => Some("a".to_owned()),
            "EMPTY" => Some(String::new()),
            "RAW" => Some("${A}".to_owned()),
            _ => None,
        };
        interpolate(text, &lookup).map(|filled| filled.text)
    }

    #[test]
    fn every_form() {
        for (text, expected) in [
            ("plain", "plain"),
            ("$A-${A}", "a-a"),
            ("$$A $${A}", "$A ${A}"),
            ("${NO:-x}${EMPTY:-x}${A:-x}", "xxa"),
            ("${NO-x}${EMPTY-x}${A-x}", "xa"),
            ("${NO:+x}${EMPTY:+x}${A:+x}", "x"),
            ("${NO+x}${EMPTY+x}${A+x}", "xx"),
            ("${A:?no}${EMPTY?no}", "a"),
            ("${NO:-${ALSO:-$A}}!", "a!"),
            ("${NO:-a}b}", "ab}"),
            ("${NO:-$$}", "$"),
            ("${NO:-a:b/c?d}", "a:b/c?d"),
            ("${A:-${NO:?unused}}", "a"),
            ("$RAW", "${A}"),
            ("ü${A}ü", "üaü"),
            ("$NO", ""),
        ] {
            assert_eq!(with(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn wrong_forms_say_why() {
        for (text, part) in [
            ("$", "write `$$`"),
            ("5$ ", "write `$$`"),
            ("$1", "write `$$`"),
            ("${A", "not closed"),
            ("${}", "names no variable"),
            ("${1A}", "names no variable"),
            ("${A!}", "unknown operator"),
            ("${A:}", "unknown operator"),
            ("${NO:?set it to $A}", "`NO` must be set: set it to a"),
            ("${EMPTY:?}", "`EMPTY` must be set"),
        ] {
            let error = with(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(with(&"${NO:-".repeat(100_000)).is_err());
        assert!(with(&format!("{}x{}", "${NO:-".repeat(100), "}".repeat(100))).unwrap_err().contains("deeper"));
    }

    proptest! {
        #[test]
        fn never_panics_and_dollar_free_text_stays(text in ".{0,60}") {
            let result = with(&text);
            if !text.contains('$') {
                prop_assert_eq!(result, Ok(text));
            }
        }

        #[test]
        fn doubled_dollars_give_the_text_back(text in "[a-zA-Z{}:$?+ -]{0,40}") {
            prop_assert_eq!(with(&text.replace('$', "$$")), Ok(text));
        }

        #[test]
        fn hostile_templates_end(text in "[$A{}:?+-]{0,60}") {
            let _ = with(&text);
        }

        #[test]
        fn a_default_is_used_exactly_when_the_value_is_missing(value in proptest::option::of("[a-z]{0,4}"), default in "[a-z]{0,4}") {
            let lookup = |_: &str| value.clone();
            let strict = interpolate(&format!("${{V-{default}}}"), &lookup).unwrap().text;
            let loose = interpolate(&format!("${{V:-{default}}}"), &lookup).unwrap().text;
            prop_assert_eq!(strict, value.clone().unwrap_or_else(|| default.clone()));
            prop_assert_eq!(loose, value.clone().filter(|v| !v.is_empty()).unwrap_or(default));
        }
    }
}
