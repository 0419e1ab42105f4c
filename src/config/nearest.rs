//! The nearest of several names, for typing errors.

/// The candidate that `word` was probably meant to be: at most a third of its letters differ.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_seen_and_other_words_are_not() {
        let keys = ["name", "connect", "address", "labels"];
        assert_eq!(nearest("adress", keys), Some("address"));
        assert_eq!(nearest("conect", keys), Some("connect"));
        assert_eq!(nearest("nmae", keys), Some("name"));
        assert_eq!(nearest("weight", keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
