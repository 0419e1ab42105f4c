//! Which rows a filter lets through.

use std::cell::Cell;

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
    number: u32,
    /// What is wrong with the filter, in words.
    pub error: Option<String>,
}

/// Rows as a filter looks at them.
pub trait Look<Row> {
    /// Writes what words are looked for in.
    fn write(&self, row: &Row, text: &mut String);

    /// What a row has under a name.
    fn value(&self, row: &Row, name: &str) -> Value;

    /// Where it is noted how a row fits, for rows that are looked at again and again.
    fn verdict(&self, _: &Row) -> Option<&Verdict> {
        None
    }
}

/// How a row fits the words of a filter, as long as neither changes. Rows are alike whatever is noted there.
#[derive(Debug, Clone, Default)]
pub struct Verdict(Cell<Known>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// The number of the filter; none has 0.
    of: u32,
    has_words: bool,
    is_like: Option<bool>,
}

impl PartialEq for Verdict {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Numbers the filters of one list.
#[derive(Debug, Default)]
pub struct Numbers {
    text: String,
    number: u32,
}

impl Numbers {
    /// The filter is this one now.
    pub fn turn(&mut self, text: &str) {
        if self.number == 0 || self.text != text {
            text.clone_into(&mut self.text);
            self.number = self.number.wrapping_add(1).max(1);
        }
    }

    /// The number of the last one.
    pub fn number(&self) -> u32 {
        self.number
    }
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
        let mut filter = Self { words: Vec::new(), typed: Vec::new(), fuzzy: None, number: 0, error: None };
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

    /// Its number among those that verdicts are noted of; another text needs another.
    #[must_use]
    pub fn numbered(self, number: u32) -> Self {
        Self { number, ..self }
    }

    /// The names that it compares.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.typed.iter().map(|(_, term)| term.field.as_str())
    }

    /// True when a row has all words as they are, and the rest fits too. `lower` is the row in small letters.
    fn has_words(&self, row: &str, lower: &str) -> bool {
        self.marks().all(|word| lower.contains(word)) && self.has_others(row, lower)
    }

    /// The same for a row that has the letters of the words.
    fn has_others(&self, row: &str, lower: &str) -> bool {
        self.words.iter().all(|term| match term {
            Word::Has(_) => true,
            Word::HasNot(word) => !lower.contains(word),
            Word::Like(regex) => regex.is_match(row),
            Word::Unlike(regex) => !regex.is_match(row),
        })
    }

    /// Keeps the rows that match, in their order.
    pub fn keep<Row>(&self, mut rows: Vec<Row>, look: &impl Look<Row>) -> Vec<Row> {
        if !self.typed.is_empty() {
            rows.retain(|row| self.typed.iter().all(|(not, term)| term.fits(&look.value(row, &term.field)) != *not));
        }
        if self.words.is_empty() {
            return rows;
        }
        let mut text = Page::default();
        let mut known: Vec<Known> = rows.iter().map(|row| self.known(row, look, &mut text)).collect();
        let mut fits: fn(&Known) -> bool = |known| known.has_words;
        if let (Some(fuzzy), false) = (&self.fuzzy, known.iter().any(fits)) {
            let mut matcher = Matcher::new(Config::DEFAULT);
            let mut buffer = Vec::new();
            for (row, known) in rows.iter().zip(&mut known).filter(|(_, known)| known.is_like.is_none()) {
                text.fill(row, look);
                let score = fuzzy.score(Utf32Str::new(&text.row, &mut buffer), &mut matcher);
                known.is_like = Some(score.is_some() && self.has_others(&text.row, &text.lower));
                self.note(row, look, *known);
            }
            fits = |known| known.is_like == Some(true);
        }
        rows.into_iter().zip(known).filter_map(|(row, known)| fits(&known).then_some(row)).collect()
    }

    fn known<Row>(&self, row: &Row, look: &impl Look<Row>, text: &mut Page) -> Known {
        let noted = look.verdict(row).map(|verdict| verdict.0.get());
        noted.filter(|known| known.of == self.number && self.number != 0).unwrap_or_else(|| {
            text.fill(row, look);
            let has_words = self.has_words(&text.row, &text.lower);
            let known = Known { of: self.number, has_words, is_like: None };
            self.note(row, look, known);
            known
        })
    }

    fn note<Row>(&self, row: &Row, look: &impl Look<Row>, known: Known) {
        if let Some(verdict) = look.verdict(row).filter(|_| self.number != 0) {
            verdict.0.set(known);
        }
    }

    /// The words to show as matched.
    pub fn marks(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter_map(|term| match term {
            Word::Has(word) => Some(word.as_str()),
            _ => None,
        })
    }
}

/// A row's text, and the same in small letters; written again for each row.
#[derive(Default)]
struct Page {
    row: String,
    lower: String,
}

impl Page {
    fn fill<Row>(&mut self, row: &Row, look: &impl Look<Row>) {
        self.row.clear();
        look.write(row, &mut self.row);
        self.lower.clear();
        if self.row.is_ascii() {
            self.lower.push_str(&self.row);
            self.lower.make_ascii_lowercase();
        } else {
            // As the words are: what a letter becomes can hang on where it stands.
            self.lower.push_str(&self.row.to_lowercase());
        }
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

    /// Rows by their numbers.
    struct Shelf<'a>(&'a [&'a str], Vec<Verdict>, Cell<usize>);

    impl<'a> Shelf<'a> {
        fn new(rows: &'a [&'a str]) -> Self {
            Self(rows, vec![Verdict::default(); rows.len()], Cell::default())
        }

        fn keep(&self, filter: &Filter) -> Vec<usize> {
            filter.keep((0..self.0.len()).collect(), self)
        }
    }

    impl Look<usize> for Shelf<'_> {
        fn write(&self, row: &usize, text: &mut String) {
            self.2.set(self.2.get() + 1);
            text.push_str(self.0[*row]);
        }

        fn value(&self, row: &usize, _: &str) -> Value {
            Value::Number(*row as f64)
        }

        fn verdict(&self, row: &usize) -> Option<&Verdict> {
            self.1.get(*row)
        }
    }

    #[test]
    fn filters_keep_what_they_say() {
        let rows = ["payments/api west", "payments/worker east", "shop/web east", "検索/index west"];
        for (text, kept) in [
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
            let shelf = Shelf::new(&rows);
            let filter = Filter::new(text, |name| name == "size");
            assert_eq!(shelf.keep(&filter), kept, "{text}");
            let filter = filter.numbered(1);
            assert_eq!(shelf.keep(&filter), kept, "noted: {text}");
            shelf.2.set(0);
            assert_eq!((shelf.keep(&filter), shelf.2.get()), (kept, 0), "known: {text}");
        }
    }

    #[test]
    fn a_letter_that_is_another_at_the_end_of_a_word_is_found() {
        let shelf = Shelf::new(&["ΟΔΟΣ", "shop"]);
        assert_eq!(shelf.keep(&Filter::new("!ΟΔΟΣ", |_| false)), [1]);
    }

    #[test]
    fn what_is_known_of_one_filter_says_nothing_of_another() {
        let shelf = Shelf::new(&["shop/web", "shop/api"]);
        let mut numbers = Numbers::default();
        for (text, kept) in [("web", vec![0]), ("web", vec![0]), ("api", vec![1]), ("", vec![0, 1]), ("web", vec![0])] {
            numbers.turn(text);
            assert_eq!(shelf.keep(&Filter::new(text, |_| false).numbered(numbers.number())), kept);
        }
        assert_eq!(numbers.number(), 4);
        let (a, b) = (shelf.1[0].clone(), Verdict::default());
        assert_eq!(a, b, "rows are alike, whatever is known of them");
    }

    #[test]
    fn a_bad_pattern_is_said_and_hides_nothing() {
        let filter = Filter::new("~(", |_| false);
        assert!(filter.error.is_some());
        assert_eq!(Shelf::new(&["a"]).keep(&filter), [0]);
    }
}
