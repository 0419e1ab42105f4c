//! Which rows a filter lets through.

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};
use regex_lite::Regex;

/// A filter as typed, made ready.
///
/// Words are looked for anywhere, in any order, without regard to case; all must be there. `!word` keeps what does
/// not have it. `~pattern` is a regular expression. When no row has all words, rows that have their letters in order
/// are taken instead.
pub struct Filter {
    words: Vec<Term>,
    fuzzy: Option<Pattern>,
    /// What is wrong with the filter, in words.
    pub error: Option<String>,
}

enum Term {
    Has(String),
    HasNot(String),
    Like(Regex),
    Unlike(Regex),
}

impl Filter {
    /// Reads a filter. A bad regular expression becomes [`Filter::error`] and lets everything through.
    pub fn new(text: &str) -> Self {
        let mut filter = Self { words: Vec::new(), fuzzy: None, error: None };
        let mut plain = Vec::new();
        for word in text.split_whitespace() {
            let (not, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
            if word.is_empty() {
                continue;
            }
            if let Some(pattern) = word.strip_prefix('~') {
                match Regex::new(&format!("(?i){pattern}")) {
                    Ok(regex) => filter.words.push(if not { Term::Unlike(regex) } else { Term::Like(regex) }),
                    Err(error) => filter.error = Some(format!("`{pattern}` is no pattern: {error}")),
                }
            } else if not {
                filter.words.push(Term::HasNot(word.to_lowercase()));
            } else {
                plain.push(word);
                filter.words.push(Term::Has(word.to_lowercase()));
            }
        }
        if !plain.is_empty() {
            filter.fuzzy = Some(Pattern::parse(&plain.join(" "), CaseMatching::Ignore, Normalization::Smart));
        }
        filter
    }

    /// True when it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn matches(&self, row: &str) -> bool {
        let lower = row.to_lowercase();
        self.words.iter().all(|term| match term {
            Term::Has(word) => lower.contains(word),
            Term::HasNot(word) => !lower.contains(word),
            Term::Like(regex) => regex.is_match(row),
            Term::Unlike(regex) => !regex.is_match(row),
        })
    }

    /// Keeps the rows that match, in their order.
    pub fn keep<T>(&self, rows: Vec<T>, mut text: impl FnMut(&T) -> String) -> Vec<T> {
        if self.is_empty() {
            return rows;
        }
        let texts: Vec<String> = rows.iter().map(&mut text).collect();
        let mut hits: Vec<bool> = texts.iter().map(|text| self.matches(text)).collect();
        if let (Some(fuzzy), false) = (&self.fuzzy, hits.contains(&true)) {
            let mut matcher = Matcher::new(Config::DEFAULT);
            let mut buffer = Vec::new();
            let strict = |text: &str| {
                self.words.iter().all(|term| match term {
                    Term::Has(_) => true,
                    Term::HasNot(word) => !text.to_lowercase().contains(word),
                    Term::Like(regex) => regex.is_match(text),
                    Term::Unlike(regex) => !regex.is_match(text),
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
            Term::Has(word) => Some(word.as_str()),
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
        ] {
            let got = Filter::new(filter).keep((0..rows.len()).collect(), |at| rows[*at].to_owned());
            assert_eq!(got, kept, "{filter}");
        }
    }

    #[test]
    fn a_bad_pattern_is_said_and_hides_nothing() {
        let filter = Filter::new("~(");
        assert!(filter.error.is_some());
        assert_eq!(filter.keep(vec!["a"], |row| (*row).to_owned()), ["a"]);
    }
}
