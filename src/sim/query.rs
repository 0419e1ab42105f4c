//! Query strings and the `filters` parameter.

use super::reply::Refusal;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Decodes `%41` and, when `plus` is set, `+` as a space. Broken escapes stay as they are.
pub(super) fn decode(text: &str, plus: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' if plus => out.push(b' '),
            b'%' => {
                let mut ahead = bytes.clone();
                let pair = (ahead.next().and_then(nibble), ahead.next().and_then(nibble));
                if let (Some(high), Some(low)) = pair {
                    out.push(high * 16 + low);
                    bytes = ahead;
                } else {
                    out.push(byte);
                }
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// A parsed query string.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key, true), decode(value, true))
        });
        Self(pairs.collect())
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Docker's idea of a flag: anything but these is true; absent is false.
    pub(super) fn flag(&self, key: &str) -> bool {
        !matches!(self.text(key).map(str::to_ascii_lowercase).as_deref(), None | Some("0" | "no" | "false" | "none"))
    }

    /// A number, or `None` when absent; a 500 (so it is in API 1.41) with Go's words when it is not one.
    pub(super) fn number<N: FromStr>(&self, key: &str) -> Result<Option<N>, Refusal> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Refusal::new(500, format!("strconv.Atoi: parsing \"{text}\": invalid syntax")))
        };
        self.text(key).map(parse).transpose()
    }

    /// A moment given as seconds (with fractions) or RFC 3339; relative spans are left to clients, as in Docker's API.
    pub(super) fn moment(&self, key: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let parsed = match text.parse::<f64>() {
            Ok(secs) => {
                let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
                let nanos = format!("{fraction:0<9}").get(..9).and_then(|digits| digits.parse::<i32>().ok());
                let whole = whole.parse::<i64>().ok();
                whole.zip(nanos).and_then(|(whole, nanos)| Timestamp::new(whole, nanos).ok()).filter(|_| secs >= 0.0)
            }
            Err(_) => text.parse().ok(),
        };
        parsed.map(Some).ok_or_else(|| Refusal::bad(format!("invalid value for \"{key}\": {text}")))
    }

    pub(super) fn filters(&self) -> Result<Filters, Refusal> {
        Filters::parse(self.text("filters"))
    }
}

/// The `filters` parameter: key to accepted values. Both spellings that Docker takes are read.
#[derive(Debug, Default, Clone)]
pub(super) struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    fn parse(text: Option<&str>) -> Result<Self, Refusal> {
        let Some(text) = text else { return Ok(Self::default()) };
        let wrong = || Refusal::bad("invalid filter");
        let parsed: Value = serde_json::from_str(text).map_err(|error| Refusal::new(500, error.to_string()))?;
        let Value::Object(map) = parsed else { return Err(wrong()) };
        let mut filters = BTreeMap::new();
        for (key, values) in map {
            let values = match values {
                Value::Array(list) => list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>(),
                Value::Object(set) => Some(set.into_iter().filter(|(_, on)| on != false).map(|(k, _)| k).collect()),
                _ => None,
            };
            filters.insert(key, values.ok_or_else(wrong)?);
        }
        Ok(Self(filters))
    }

    /// Refuses keys that the endpoint does not know, as Docker does.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, Refusal> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(Refusal::bad(format!("Invalid filter '{key}'"))),
            None => Ok(self),
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.values(key).is_some()
    }

    fn values(&self, key: &str) -> Option<&[String]> {
        self.0.get(key).map(Vec::as_slice).filter(|values| !values.is_empty())
    }

    /// True when there is no such filter or one of its values satisfies `test`.
    pub(super) fn any(&self, key: &str, test: impl Fn(&str) -> bool) -> bool {
        self.values(key).is_none_or(|values| values.iter().any(|value| test(value)))
    }

    /// True when every `label` filter (`key` or `key=value`) is met by the labels.
    pub(super) fn labels<'a>(&self, find: impl Fn(&str) -> Option<&'a str>) -> bool {
        let met = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => find(key) == Some(value),
            None => find(wanted).is_some(),
        };
        self.values("label").is_none_or(|values| values.iter().all(met))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_and_reads() {
        let query = Query::parse("a=1&name=%2Fweb+x&broken=%zz&all=true&off=0&since=12.5&t=x");
        assert_eq!(query.text("name"), Some("/web x"));
        assert_eq!(query.text("broken"), Some("%zz"));
        assert!(query.flag("all") && !query.flag("off") && !query.flag("none"));
        assert_eq!(query.number::<i64>("a").unwrap(), Some(1));
        assert_eq!(query.number::<i64>("t").unwrap_err().status, 500);
        assert_eq!(query.moment("since").unwrap().unwrap().as_millisecond(), 12_500);
    }

    #[test]
    fn filters_in_both_spellings() {
        for text in [r#"{"label":["a=b","c"]}"#, r#"{"label":{"a=b":true,"c":true,"d":false}}"#] {
            let filters = Filters::parse(Some(text)).unwrap();
            assert!(filters.labels(|key| (key != "d").then_some("b")));
            assert!(!filters.labels(|key| (key == "c").then_some("b")));
            assert!(filters.any("status", |_| false), "an absent filter lets all through");
        }
        assert_eq!(Filters::parse(Some("nope")).unwrap_err().status, 500);
        assert_eq!(Filters::parse(Some(r#"{"x":["1"]}"#)).unwrap().only(&["label"]).unwrap_err().status, 400);
    }
}
