//! Typed terms of a filter: `cpu>80`, `region=eu,us`, `state!=running`, `label.zone~^a`, `age<1h`.

use std::time::Duration;

use regex_lite::Regex;

/// What a row has under a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number, in the unit of its column; bytes for memory, seconds for ages.
    Number(f64),
    /// Words that all mean it: a replica is `healthy`, `running` and `ok` at once.
    Words(Vec<String>),
    /// The view knows it, this row has none.
    Nothing,
}

impl Value {
    /// One word.
    pub fn word(text: impl Into<String>) -> Self {
        Self::Words(vec![text.into()])
    }
}

/// How a value is compared.
#[derive(Debug)]
enum Test {
    /// Is one of these, without regard to case.
    Is(Vec<String>),
    /// Is none of these.
    IsNot(Vec<String>),
    Like(Regex),
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
}

/// One typed term.
#[derive(Debug)]
pub struct Term {
    /// The name of what is compared.
    pub field: String,
    test: Test,
}

/// The operators, the longer ones first: `>=` is no `>`.
const OPERATORS: [&str; 7] = ["!=", ">=", "<=", "=", ">", "<", "~"];

impl Term {
    /// Reads a word as a typed term; none when it is not written like one, or names no field. What is wrong with it comes
    /// as words.
    pub fn parse(word: &str, is_field: impl Fn(&str) -> bool) -> Option<Result<Self, String>> {
        let at = word.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/')))?;
        let (field, rest) = word.split_at_checked(at)?;
        let field = Some(field.to_lowercase()).filter(|field| !field.is_empty() && is_field(field))?;
        let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator))?;
        let value = rest.strip_prefix(operator)?;
        let words = || value.split(',').map(str::to_lowercase).collect::<Vec<_>>();
        let number = || number(value).ok_or_else(|| format!("`{value}` is no number: write it as 80, 512M or 5m"));
        let test = match operator {
            "=" => Ok(Test::Is(words())),
            "!=" => Ok(Test::IsNot(words())),
            "~" => Regex::new(&format!("(?i){value}"))
                .map(Test::Like)
                .map_err(|error| format!("`{value}` is no pattern: {error}")),
            ">" => number().map(Test::Above),
            ">=" => number().map(Test::AtLeast),
            "<" => number().map(Test::Below),
            _ => number().map(Test::AtMost),
        };
        Some(test.map(|test| Self { field, test }))
    }

    /// True when the value is as the term wants it. Nothing is neither above nor below anything, and is no word.
    pub fn fits(&self, value: &Value) -> bool {
        let amount = |compare: fn(f64, f64) -> bool, than: f64| match value {
            Value::Number(number) => compare(*number, than),
            Value::Words(_) | Value::Nothing => false,
        };
        match &self.test {
            Test::Above(than) => amount(|a, b| a > b, *than),
            Test::AtLeast(than) => amount(|a, b| a >= b, *than),
            Test::Below(than) => amount(|a, b| a < b, *than),
            Test::AtMost(than) => amount(|a, b| a <= b, *than),
            Test::Is(wanted) => is_one_of(value, wanted),
            Test::IsNot(wanted) => !is_one_of(value, wanted),
            Test::Like(regex) => match value {
                Value::Words(words) => words.iter().any(|word| regex.is_match(word)),
                Value::Number(number) => regex.is_match(&number.to_string()),
                Value::Nothing => false,
            },
        }
    }
}

fn is_one_of(value: &Value, wanted: &[String]) -> bool {
    match value {
        Value::Words(words) => words.iter().any(|word| wanted.contains(&word.to_lowercase())),
        Value::Number(value) => wanted.iter().filter_map(|word| number(word)).any(|word| (word - value).abs() < 1e-9),
        Value::Nothing => wanted.iter().any(String::is_empty),
    }
}

/// A number with a unit: bytes by powers of 1024 (`k`, `M`, `G`, `T`), times in seconds (`s`, `m`, `h`, `d`).
fn number(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches('r');
    let end = digits.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(digits.len());
    let (number, unit) = digits.split_at_checked(end)?;
    let number: f64 = number.parse().ok()?;
    let minutes = |n: u64| Duration::from_secs(n * 60).as_secs_f64();
    let factor = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" | "%" | "s" => 1.0,
        "k" | "K" => 1024.0,
        "M" => 1024.0 * 1024.0,
        "G" | "g" => 1024.0 * 1024.0 * 1024.0,
        "T" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "m" => minutes(1),
        "h" => minutes(60),
        "d" => minutes(24 * 60),
        _ => return None,
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_compare_what_they_name() {
        let words = |list: &[&str]| Value::Words(list.iter().map(|word| (*word).to_owned()).collect());
        for (term, value, fits) in [
            ("cpu>80", Value::Number(81.0), true),
            ("cpu>80", Value::Number(80.0), false),
            ("cpu>=80", Value::Number(80.0), true),
            ("cpu>80", Value::Nothing, false),
            ("cpu<80", Value::Nothing, false),
            ("mem>=512M", Value::Number(536_870_912.0), true),
            ("mem<1GiB", Value::Number(536_870_912.0), true),
            ("age<5m", Value::Number(299.0), true),
            ("age<5m", Value::Number(301.0), false),
            ("rev=r3", Value::Number(3.0), true),
            ("rev!=3", Value::Number(3.0), false),
            ("region=eu,US", words(&["us"]), true),
            ("region!=eu", words(&["us"]), true),
            ("state!=running", words(&["healthy", "running"]), false),
            ("state=OK", words(&["healthy", "running", "ok"]), true),
            ("label.zone~^a", words(&["a-1"]), true),
            ("label.zone~^a", words(&["b-a"]), false),
            ("label.zone!=a", Value::Nothing, true),
            ("label.zone=", Value::Nothing, true),
        ] {
            let read = Term::parse(term, |_| true).expect(term).expect(term);
            assert_eq!(read.fits(&value), fits, "{term} {value:?}");
        }
    }

    #[test]
    fn what_is_no_term_is_a_word_and_what_is_wrong_is_said() {
        for word in ["payments/api", "web", "=x", "", "flavour=sweet", "flavour>b", "検索=x", ">5", "e-1"] {
            assert!(Term::parse(word, |field| field != "flavour").is_none(), "{word}");
        }
        for (word, said) in [("cpu>much", "`much` is no number"), ("state~(", "`(` is no pattern"), ("mem>5X", "`5X`")]
        {
            let error = Term::parse(word, |_| true).unwrap().unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
