//! What an engine tells in a document of its own: made safe, without confidences, and no larger than people read.

use serde::{Serialize, Serializer, ser::SerializeMap, ser::SerializeSeq};
use serde_json::{Number, Value};

use super::{MASKED, Veil, credentials, is_confident, tells_of_next};
use crate::text::Text;

/// Entries of one list or map that are kept.
const WIDEST: usize = 1_000;

/// Lists and maps in each other that are kept.
const DEEPEST: usize = 24;

/// Lines of one text that are kept.
const LINES: usize = 100;

/// A value of a document.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Fact {
    /// Null, or not there.
    #[default]
    Nothing,
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(Number),
    /// One line.
    Text(Text),
    /// Several lines.
    Lines(Vec<Text>),
    /// Values in order, and how many more there were.
    List(Vec<Fact>, usize),
    /// Values by name, and how many more there were.
    Map(Vec<(Text, Fact)>, usize),
}

/// What is not there.
const NOTHING: &Fact = &Fact::Nothing;

impl Fact {
    /// Takes what an engine said. `veil` holds what is known to be confidential; what names and forms tell to be is
    /// hidden as well.
    pub fn of(value: &Value, veil: &Veil) -> Self {
        Self::read("", value, veil, DEEPEST)
    }

    fn read(name: &str, value: &Value, veil: &Veil, depth: usize) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) if !text.is_empty() && is_confident(name) => Self::Text(Text::new(MASKED)),
            Value::String(text) => words(text, |line| credentials(&veil.hide(line))),
            Value::Array(_) | Value::Object(_) if depth == 0 => Self::Text(Text::new("…")),
            Value::Array(values) => {
                let mut told = false;
                let read = |value: &Value| {
                    let secret = std::mem::take(&mut told);
                    match value {
                        Value::String(line) if name == "Env" => words(line, |line| veil.variable(line)),
                        Value::String(word) if secret && !word.starts_with('-') => Self::Text(Text::new(MASKED)),
                        Value::String(word) => {
                            told = tells_of_next(word);
                            Self::read("", value, veil, depth - 1)
                        }
                        _ => Self::read("", value, veil, depth - 1),
                    }
                };
                let kept: Vec<Self> = values.iter().take(WIDEST).map(read).collect();
                Self::List(kept, values.len().saturating_sub(WIDEST))
            }
            Value::Object(fields) => {
                let read = |(name, value): (&String, &Value)| {
                    (Text::new(&veil.hide(name)), Self::read(name, value, veil, depth - 1))
                };
                let kept: Vec<(Text, Self)> = fields.iter().take(WIDEST).map(read).collect();
                Self::Map(kept, fields.len().saturating_sub(WIDEST))
            }
        }
    }

    /// The same without what else is known to be confidential.
    #[must_use]
    pub fn veiled(self, veil: &Veil) -> Self {
        self.cover("", veil)
    }

    fn cover(self, name: &str, veil: &Veil) -> Self {
        let hide = |text: &Text| if name == "Env" { veil.variable(text.as_str()) } else { veil.hide(text.as_str()) };
        match self {
            Self::Text(text) => Self::Text(Text::new(&hide(&text))),
            Self::Lines(lines) => Self::Lines(lines.iter().map(|line| Text::new(&hide(line))).collect()),
            Self::List(values, more) => {
                let inner = if name == "Env" { name } else { "" };
                Self::List(values.into_iter().map(|value| value.cover(inner, veil)).collect(), more)
            }
            Self::Map(fields, more) => {
                let cover = |(name, value): (Text, Self)| {
                    let value = value.cover(name.as_str(), veil);
                    (Text::new(&veil.hide(name.as_str())), value)
                };
                Self::Map(fields.into_iter().map(cover).collect(), more)
            }
            other => other,
        }
    }

    /// The value at a path of names; [`Fact::Nothing`] where there is none.
    pub fn at(&self, path: &[&str]) -> &Self {
        let mut here = self;
        for name in path {
            let Self::Map(fields, _) = here else { return NOTHING };
            let Some((_, value)) = fields.iter().find(|(known, _)| known.as_str() == *name) else { return NOTHING };
            here = value;
        }
        here
    }

    /// The values of a list; none of anything else.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(values, _) => values,
            _ => &[],
        }
    }

    /// The fields of a map; none of anything else.
    pub fn fields(&self) -> &[(Text, Self)] {
        match self {
            Self::Map(fields, _) => fields,
            _ => &[],
        }
    }

    /// Entries of a list or map that were left out.
    pub fn left_out(&self) -> usize {
        match self {
            Self::List(_, more) | Self::Map(_, more) => *more,
            _ => 0,
        }
    }

    /// A text or its first line; empty for anything else.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text.as_str(),
            Self::Lines(lines) => lines.first().map_or("", Text::as_str),
            _ => "",
        }
    }

    /// All texts of a list, or the text itself.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::List(values, _) => values.iter().map(Self::text).collect(),
            Self::Text(text) => vec![text.as_str()],
            Self::Lines(lines) => lines.iter().map(Text::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A whole number.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// A whole number that cannot be negative, such as bytes; 0 is none.
    pub fn amount(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64().filter(|amount| *amount > 0),
            _ => None,
        }
    }

    /// True for yes.
    pub fn is_set(&self) -> bool {
        *self == Self::Flag(true)
    }

    /// True for what says nothing: null, no text, no entries.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Text(text) => text.is_empty(),
            Self::Lines(lines) => lines.is_empty(),
            Self::List(values, _) => values.is_empty(),
            Self::Map(fields, _) => fields.is_empty(),
            Self::Flag(_) | Self::Number(_) => false,
        }
    }
}

/// One line, or several.
fn words(text: &str, veil: impl Fn(&str) -> String) -> Fact {
    let safe = |line: &str| Text::new(&veil(Text::new(line).as_str()));
    let text = text.trim_end_matches(['\n', '\r']);
    if !text.contains('\n') {
        return Fact::Text(safe(text));
    }
    let mut lines: Vec<Text> = text.lines().take(LINES).map(safe).collect();
    if text.lines().nth(LINES).is_some() {
        lines.push(Text::new("…"));
    }
    Fact::Lines(lines)
}

impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let left = |more: usize| format!("… and {more} more");
        match self {
            Self::Nothing => to.serialize_unit(),
            Self::Flag(flag) => to.serialize_bool(*flag),
            Self::Number(number) => number.serialize(to),
            Self::Text(text) => text.serialize(to),
            Self::Lines(lines) => {
                let lines: Vec<&str> = lines.iter().map(Text::as_str).collect();
                to.serialize_str(&lines.join("\n"))
            }
            Self::List(values, more) => {
                let mut list = to.serialize_seq(None)?;
                for value in values {
                    list.serialize_element(value)?;
                }
                if *more > 0 {
                    list.serialize_element(&left(*more))?;
                }
                list.end()
            }
            Self::Map(fields, more) => {
                let mut map = to.serialize_map(None)?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                if *more > 0 {
                    map.serialize_entry("…", &left(*more))?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(value: &Value) -> String {
        let veil = Veil::of_environment(["DB_PASSWORD=hunter22"].into_iter());
        serde_json::to_string(&Fact::of(value, &veil)).unwrap()
    }

    #[test]
    fn confidences_are_hidden_wherever_they_stand() {
        for (value, expected) in [
            (json!({"Env": ["DB_PASSWORD=hunter22", "MODE=fast"]}), r#"{"Env":["DB_PASSWORD=•••","MODE=fast"]}"#),
            (json!({"Args": ["--with", "hunter22"]}), r#"{"Args":["--with","•••"]}"#),
            (json!({"Cmd": ["--password", "other", "-v"]}), r#"{"Cmd":["--password","•••","-v"]}"#),
            (json!({"Cmd": ["--password", "-v"]}), r#"{"Cmd":["--password","-v"]}"#),
            (json!({"Labels": {"db.password": "other", "a": "b"}}), r#"{"Labels":{"a":"b","db.password":"•••"}}"#),
            (json!({"Labels": {"hunter22": "x"}}), r#"{"Labels":{"•••":"x"}}"#),
            (
                json!({"SandboxKey": "/run/x", "JoinTokens": {"Worker": "w"}}),
                r#"{"JoinTokens":{"Worker":"w"},"SandboxKey":"/run/x"}"#,
            ),
            (json!({"HttpProxy": "http://me:open@proxy:3128"}), r#"{"HttpProxy":"http://me:•••@proxy:3128"}"#),
        ] {
            assert_eq!(shown(&value), expected);
        }
    }

    #[test]
    fn another_veil_can_be_laid_over() {
        let spec = crate::model::ServiceSpec {
            environment: [("MODE".to_owned(), crate::model::Sensitive("quite-private".into()))].into(),
            ..crate::model::ServiceSpec::default()
        };
        let fact = Fact::of(&json!({"Env": ["MODE=x", "OTHER=1"], "Cmd": ["quite-private"]}), &Veil::default());
        let shown = serde_json::to_string(&fact.veiled(&Veil::of([&spec]))).unwrap();
        assert_eq!(shown, r#"{"Cmd":["•••"],"Env":["MODE=•••","OTHER=1"]}"#);
    }

    #[test]
    fn what_is_hostile_or_endless_becomes_harmless() {
        let shown = shown(&json!({"a\u{1b}[2J": "b\u{202e}", "lines": "one\r\ntwo\u{7}\n", "one": "ok\n"}));
        assert_eq!(shown, r#"{"a":"b\\u{202e}","lines":"one\ntwo\\u{7}","one":"ok"}"#);
        let wide = Fact::of(&json!((0..5_000).collect::<Vec<_>>()), &Veil::default());
        assert_eq!((wide.list().len(), wide.left_out()), (WIDEST, 4_000));
        assert!(serde_json::to_string(&wide).unwrap().ends_with("\"… and 4000 more\"]"));
        let deep = (0..90).fold(json!(1), |inner, _| json!([inner]));
        assert!(serde_json::to_string(&Fact::of(&deep, &Veil::default())).unwrap().contains("[\"…\"]"));
        let many = "line\n".repeat(500);
        assert_eq!(Fact::of(&json!(many), &Veil::default()).texts().len(), LINES + 1);
    }

    #[test]
    fn what_is_not_there_is_nothing() {
        let fact = Fact::of(&json!({"State": {"Pid": 7, "Dead": false, "Health": null}}), &Veil::default());
        assert_eq!(fact.at(&["State", "Pid"]).number(), Some(7));
        assert!(fact.at(&["State", "Health", "Log"]).list().is_empty());
        assert_eq!(fact.at(&["State", "Pid", "x"]), &Fact::Nothing);
        assert!(!fact.at(&["State", "Dead"]).is_set() && fact.at(&["Nowhere"]).is_empty());
    }
}
