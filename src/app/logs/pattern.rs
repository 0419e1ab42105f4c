//! What is looked for in lines.

use regex_lite::Regex;

/// Places of one line that are shown as matched, at most.
const PLACES: usize = 32;

/// A pattern as typed, made ready. All words must be there, without regard to case; `!word` must not be there;
/// `~pattern` is a regular expression.
#[derive(Debug, Default)]
pub struct Pattern {
    text: String,
    terms: Vec<(bool, Term)>,
    /// What is wrong with it, in words.
    pub error: Option<String>,
}

#[derive(Debug)]
enum Term {
    Word(String),
    Like(Regex),
}

impl Pattern {
    /// Reads a pattern. A bad regular expression becomes [`Pattern::error`] and lets everything through.
    pub fn new(text: &str) -> Self {
        let mut pattern = Self { text: text.to_owned(), ..Self::default() };
        for word in text.split_whitespace() {
            let (wanted, word) = word.strip_prefix('!').map_or((true, word), |rest| (false, rest));
            match word.strip_prefix('~') {
                _ if word.is_empty() => {}
                Some("") => {}
                Some(like) => match Regex::new(&format!("(?i){like}")) {
                    Ok(regex) => pattern.terms.push((wanted, Term::Like(regex))),
                    Err(error) => pattern.error = Some(format!("`{like}` is no pattern: {error}")),
                },
                None => pattern.terms.push((wanted, Term::Word(word.to_lowercase()))),
            }
        }
        pattern
    }

    /// The pattern as typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True when it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// True for a line that has what it wants.
    pub fn fits(&self, line: &str) -> bool {
        self.terms.iter().all(|(wanted, term)| {
            *wanted
                == match term {
                    Term::Word(word) => find(line, word, 0).is_some(),
                    Term::Like(regex) => regex.is_match(line),
                }
        })
    }

    /// The places in a line that it wants, in bytes, in order.
    pub fn places(&self, line: &str) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        for (_, term) in self.terms.iter().filter(|(wanted, _)| *wanted) {
            match term {
                Term::Word(word) => {
                    let mut from = 0;
                    while let Some((start, end)) = find(line, word, from).filter(|_| places.len() < PLACES) {
                        places.push((start, end));
                        from = end;
                    }
                }
                Term::Like(regex) => {
                    let found = regex.find_iter(line).map(|found| (found.start(), found.end()));
                    places.extend(found.filter(|(start, end)| start < end).take(PLACES));
                }
            }
        }
        places.sort_unstable();
        places
    }
}

/// Where a word in small letters is, from a place on, whatever the case in the line.
fn find(line: &str, word: &str, from: usize) -> Option<(usize, usize)> {
    if word.is_ascii() {
        let (line, word) = (line.as_bytes().get(from..)?, word.as_bytes());
        let at = line.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))?;
        return Some((from + at, from + at + word.len()));
    }
    let lower = line.to_lowercase();
    let at = from + lower.get(from..)?.find(word)?;
    // Only where small letters are as long can places be carried over; elsewhere it is there, somewhere.
    let end = at + word.len();
    let fits = lower.len() == line.len() && line.is_char_boundary(at) && line.is_char_boundary(end);
    Some(if fits { (at, end) } else { (line.len(), line.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_what_is_wanted() {
        for (pattern, line, fits) in [
            ("", "anything", true),
            ("warn", "a WARN b", true),
            ("warn slow", "slow: Warn", true),
            ("warn slow", "slow", false),
            ("!health", "GET /healthz", false),
            ("get !health", "GET /cart", true),
            ("~5\\d\\d", "status 502", true),
            ("!~5\\d\\d", "status 502", false),
            ("港", "x港y", true),
            ("ñ", "Ñandú", true),
            ("~(", "anything", true),
            ("!", "anything", true),
        ] {
            assert_eq!(Pattern::new(pattern).fits(line), fits, "{pattern} in {line}");
        }
        assert!(Pattern::new("~(").error.is_some());
    }

    #[test]
    fn places_are_found_in_order() {
        let places = |pattern: &str, line: &str| Pattern::new(pattern).places(line);
        assert_eq!(places("b a", "a B a"), [(0, 1), (2, 3), (4, 5)]);
        assert_eq!(places("~\\d+ !x", "12 3"), [(0, 2), (3, 4)]);
        assert_eq!(places("港", "a港b港"), [(1, 4), (5, 8)]);
        assert_eq!(places("ẞ", "aẞ"), [(4, 4)]);
        assert_eq!(places("", "abc"), []);
    }
}
