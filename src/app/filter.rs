//! Which rows a filter lets through.

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};
use regex_lite::Regex;

use super::term::{Term, Value};

/// A filter as typed, made ready.
///
/// Words are looked for anywhere, in any order, without regard to case; all must be there. `!word` keeps what does
/// not have it. `~pattern` is a regular expression. `cpu>80`, `region=eu`, `state!=running` compare what a row has under
/// a name; with `!` before it, rows that do not fit are kept. When no row has all words, rows that have their letters in order
/// are taken instead.
pub struct Filter {
    words: Vec<Word>,
    typed: Vec<(bool, Term)>,
    fuzzy: Option<Pattern>,
    /// What is wrong with the filter, in words.
    pub error: Option<String>,
}

enum Word {
    Has(String),
    HasNot(String),
    Like(Regex),
    Unlike(Regex),
}

impl Filter {
    /// Reads a filter; `is_field` tells names that can be compared from other words. What is wrong becomes
    /// [`Filter::error`] and lets everything through.
    pub fn new(text: &str, is_field: impl Fn(&str) -> bool) -> Self {
        let mut filter = Self { words: Vec::new(), typed: Vec::new(), fuzzy: None, error: None };
        let mut plain = Vec::new();
        for word in text.split_whitespace() {
            let (not, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
            if word.is_empty() {
                continue;
            }
            if let Some(term) = Term::parse(word, &is_field) {
                match term {
                    Ok(term) => filter.typed.push((not, term)),
                    Err(error) => filter.error = Some(error),
                }
            } else if let Some(pattern) = word.strip_prefix('~') {
                match Regex::new(&format!("(?i){pattern}")) {
                    Ok(regex) => filter.words.push(if not { Word::Unlike(regex) } else { Word::Like(regex) }),
                    Err(error) => filter.error = Some(format!("`{pattern}` is no pattern: {error}")),
                }
            } else if not {
                filter.words.push(Word::HasNot(word.to_lowercase()));
            } else {
                plain.push(word);
                filter.words.push(Word::Has(word.to_lowercase()));
            }
        }
        if !plain.is_empty() {
            filter.fuzzy = Some(Pattern::parse(&plain.join(" "), CaseMatching::Ignore, Normalization::Smart));
        }
        filter
    }

    /// True when it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.typed.is_empty()
    }

    /// The names that it compares.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.typed.iter().map(|(_, term)| term.field.as_str())
    }

    fn matches(&self, row: &str) -> bool {
        let lower = row.to_lowercase();
        self.words.iter().all(|term| match term {
            Word::Has(word) => lower.contains(word),
            Word::HasNot(word) => !lower.contains(word),
            Word::Like(regex) => regex.is_match(row),
            Word::Unlike(regex) => !regex.is_match(row),
        })
    }

    /// Keeps the rows that match, in their order. `value` gives what a row has under a name.
    pub fn keep<T>(
        &self,
        mut rows: Vec<T>,
        mut text: impl FnMut(&T) -> String,
        mut value: impl FnMut(&T, &str) -> Value,
    ) -> Vec<T> {
        if self.is_empty() {
            return rows;
        }
        if !self.typed.is_empty() {
            rows.retain(|row| self.typed.iter().all(|(not, term)| term.fits(&value(row, &term.field)) != *not));
        }
        if self.words.is_empty() {
            return rows;
        }
        let texts: Vec<String> = rows.iter().map(&mut text).collect();
        let mut hits: Vec<bool> = texts.iter().map(|text| self.matches(text)).collect();
        if let (Some(fuzzy), false) = (&self.fuzzy, hits.contains(&true)) {
            let mut matcher = Matcher::new(Config::DEFAULT);
            let mut buffer = Vec::new();
            let strict = |text: &str| {
                self.words.iter().all(|term| match term {
                    Word::Has(_) => true,
                    Word::HasNot(word) => !text.to_lowercase().contains(word),
                    Word::Like(regex) => regex.is_match(text),
                    Word::Unlike(regex) => !regex.is_match(text),
                })
            };
            hits = texts
                .iter()
                .map(|text| fuzzy.score(Utf32Str::new(text, &mut buffer), &mut matcher).is_some() && strict(text))
                .collect();
        }
        rows.into_iter().zip(hits).filter_map(|(row, hit)| hit.then_some(row)).collect()
    }

    /// The words to show as matched.
    pub fn marks(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter_map(|term| match term {
            Word::Has(word) => Some(word.as_str()),
            _ => None,
        })
    }
}

/// Entries of a menu that fit what was typed, best first; all of them when nothing was.
pub fn rank<T: Clone>(entries: &[T], typed: &str, mut text: impl FnMut(&T) -> String) -> Vec<T> {
    if typed.trim().is_empty() {
        return entries.to_vec();
    }
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, usize, T)> = entries
        .iter()
        .enumerate()
        .filter_map(|(at, entry)| {
            let text = text(entry);
            pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher).map(|score| (score, at, entry.clone()))
        })
        .collect();
    scored.sort_by_key(|(score, at, _)| (std::cmp::Reverse(*score), *at));
    scored.into_iter().map(|(_, _, entry)| entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_keep_what_they_say() {
        let rows = ["payments/api west", "payments/worker east", "shop/web east", "検索/index west"];
        for (filter, kept) in [
            ("", vec![0, 1, 2, 3]),
            ("pay", vec![0, 1]),
            ("PAY west", vec![0]),
            ("!pay", vec![2, 3]),
            ("!pay !west", vec![2]),
            ("~^shop|index", vec![2, 3]),
            ("!~^shop|index", vec![0, 1]),
            ("pmtwrk", vec![1]),
            ("検", vec![3]),
            ("nothing-like-it", vec![]),
            ("!", vec![0, 1, 2, 3]),
            ("size>1", vec![2, 3]),
            ("size>=1 pay", vec![1]),
            ("!size>1 west", vec![0]),
            ("size>1 shpweb", vec![2]),
            ("weight>1", vec![]),
        ] {
            let got = Filter::new(filter, |name| name == "size").keep(
                (0..rows.len()).collect(),
                |at| rows[*at].to_owned(),
                |at, _| Value::Number(*at as f64),
            );
            assert_eq!(got, kept, "{filter}");
        }
    }

    #[test]
    fn a_bad_pattern_is_said_and_hides_nothing() {
        let filter = Filter::new("~(", |_| false);
        assert!(filter.error.is_some());
        assert_eq!(filter.keep(vec!["a"], |row| (*row).to_owned(), |_, _| Value::Nothing), ["a"]);
    }
}
