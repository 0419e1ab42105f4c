//! Confidences that containers print are not shown.

use super::{Sensitive, ServiceSpec};

/// Values shorter than this are not masked: they would be found in every other word.
const SHORT: usize = 6;

/// Hides in words of a container what its service was given in confidence: values of its environment, lines of its secret
/// files.
pub fn mask(words: &str, spec: Option<&ServiceSpec>) -> String {
    let Some(spec) = spec else { return words.to_owned() };
    let variables = spec.environment.values().map(Sensitive::reveal);
    let files = spec.files.iter().filter(|file| file.secret).flat_map(|file| file.content.reveal().lines());
    let mut secrets: Vec<&str> = variables.chain(files).map(str::trim).filter(|value| value.len() >= SHORT).collect();
    // One may be a part of another.
    secrets.sort_by_key(|value| std::cmp::Reverse(value.len()));
    secrets.iter().fold(words.to_owned(), |masked, secret| masked.replace(*secret, "•••"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FileMount;

    #[test]
    fn confidences_are_kept() {
        let file = |content: &str, secret| FileMount {
            name: "f".into(),
            target: "/f".into(),
            content: Sensitive(content.into()),
            secret,
            uid: 0,
            gid: 0,
            mode: 0o400,
        };
        let spec = ServiceSpec {
            environment: [("URL", "db://u:hunter2@db"), ("PASS", "hunter2"), ("PORT", "8080")]
                .map(|(name, value)| (name.to_owned(), Sensitive(value.to_owned())))
                .into(),
            files: vec![file("first-line\nsecond-line\n", true), file("verbose = true", false)],
            ..ServiceSpec::default()
        };
        let said = "cannot open db://u:hunter2@db with hunter2 on 8080, nor second-line; verbose = true";
        let masked = mask(said, Some(&spec));
        assert_eq!(masked, "cannot open ••• with ••• on 8080, nor •••; verbose = true");
        assert_eq!(mask(said, None), said);
    }
}
