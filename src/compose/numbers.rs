//! How Compose writes sizes, times, modes and shares; and the nearest word to a mistyped one.

use std::{str::FromStr, time::Duration};

/// An integer: plain digits, also `0x…`, `0o…` and digits grouped with `_`.
pub(super) fn integer<T: FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let digits = text.replace('_', "");
    let number = match digits.get(..2) {
        Some("0x") => i64::from_str_radix(digits.get(2..)?, 16).ok()?,
        Some("0o") => i64::from_str_radix(digits.get(2..)?, 8).ok()?,
        _ => digits.parse().ok()?,
    };
    number.to_string().parse().ok()
}

/// `512`, `64k`, `50M`, `1.5gb`, `2GiB`: units of 1024.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("must be a size like `64M` or `1.5gb`, this is `{text}`");
    let lower = text.trim().to_ascii_lowercase();
    let end = lower.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(lower.len());
    let (number, unit) = lower.split_at_checked(end).ok_or_else(wrong)?;
    let shift = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return Err(wrong()),
    };
    let unit = 1u64 << shift;
    if let Ok(whole) = number.replace('_', "").parse::<u64>() {
        return whole.checked_mul(unit).ok_or_else(wrong);
    }
    let value: f64 = number.parse().map_err(|_| wrong())?;
    let value = value * unit as f64;
    // 2^63: far beyond any machine, and exact in an f64.
    if !(0.0..9.223_372_036_854_776e18).contains(&value) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    Ok(value as u64)
}

/// `1m30s`, `1.5h`, `200ms`, `0`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let wrong = || format!("must be a time like `30s` or `1m30s`, this is `{text}`");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.starts_with('-') {
        return Err(format!("must not be negative, this is `{text}`"));
    }
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        return Err(format!("the unit is missing: write `{text}s`"));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
        let (number, after) = rest.split_at_checked(end).ok_or_else(wrong)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end).ok_or_else(wrong)?;
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            _ => return Err(wrong()),
        };
        let number: f64 = number.parse().map_err(|_| wrong())?;
        // Whole nanoseconds, so that `0.1s` and `100ms` are equal.
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// `0.5`, `2`: cores, in thousandths.
pub(super) fn cores(text: &str) -> Result<u64, String> {
    let wrong = || format!("must be a number of cores like `0.5` or `2`, this is `{text}`");
    let value: f64 = text.trim().parse().map_err(|_| wrong())?;
    if !(0.0..=100_000.0).contains(&value) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    Ok((value * 1000.0).round() as u64)
}

/// A file mode: `0440`, `0o440`, and `"440"` in quotes. `plain` is true for a number without quotes.
pub(super) fn mode(text: &str, plain: bool) -> Result<u32, String> {
    let wrong = || format!("must be a file mode like 0440, this is `{text}`");
    let text = text.trim();
    if !text.strip_prefix("0o").unwrap_or(text).chars().all(|c| c.is_ascii_digit()) {
        return Err(wrong());
    }
    let octal = text.strip_prefix("0o").or_else(|| text.strip_prefix('0').filter(|rest| !rest.is_empty()));
    let mode = match octal {
        Some(digits) => u32::from_str_radix(digits, 8).map_err(|_| wrong())?,
        None if text == "0" => 0,
        None if !plain => u32::from_str_radix(text, 8).map_err(|_| wrong())?,
        None if text.contains(['8', '9']) => text.parse().map_err(|_| wrong())?,
        None => {
            return Err(format!("a file mode is octal: write `0{text}`; `{text}` alone is a decimal number in YAML"));
        }
    };
    if mode > 0o7777 { Err(wrong()) } else { Ok(mode) }
}

/// `a`, `b` or `c`.
pub(super) fn or(words: &[&str]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => format!("`{last}`"),
        Some((last, rest)) => format!("`{}` or `{last}`", rest.join("`, `")),
    }
}

/// Words that are compared for a hint; more would take longer than a hint is worth.
const MAX_CANDIDATES: usize = 300;

/// The known word that was most likely meant.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let word = plain(word);
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    known
        .iter()
        .take(MAX_CANDIDATES)
        .map(|candidate| (distance(&word, &plain(candidate)), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, a) in a.chars().take(64).enumerate() {
        let mut next = vec![i + 1];
        for (j, &c) in b.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cell(&row, j) + usize::from(a != c)).min(cell(&row, j + 1) + 1).min(cell(&next, j) + 1);
            if j > 0 && Some(c) == last && b.get(j - 1) == Some(&a) {
                best = best.min(cell(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(a);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("1024", 1024),
            ("0", 0),
            ("1b", 1),
            ("64k", 65_536),
            ("50M", 52_428_800),
            ("1.5gb", 1_610_612_736),
            ("2 GiB", 2 << 30),
            ("1t", 1 << 40),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "M", "-1", "1x", "1.2.3m", "99999999p", "nan", "inf"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, millis) in [
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("200ms", 200),
            ("0", 0),
            ("0s", 0),
            ("1h2m3s4ms", 3_723_004),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "1x", "-1s", "1s2", "1e9s", "9999999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(duration("30").unwrap_err().contains("`30s`"));
    }

    #[test]
    fn modes_and_cores_and_integers() {
        for (text, plain, expected) in [
            ("0440", true, 0o440),
            ("0o440", true, 0o440),
            ("440", false, 0o440),
            ("288", true, 288),
            ("0", true, 0),
            ("1777", false, 0o1777),
        ] {
            assert_eq!(mode(text, plain), Ok(expected), "{text}");
        }
        assert!(mode("440", true).unwrap_err().contains("`0440`"));
        for text in ["", "rw", "0999", "77777", "-1"] {
            assert!(mode(text, false).is_err(), "{text}");
        }
        assert_eq!(cores("0.5"), Ok(500));
        assert_eq!(cores(".25"), Ok(250));
        assert_eq!(cores("2"), Ok(2000));
        assert!(cores("-1").is_err() && cores("nan").is_err() && cores("half").is_err());
        assert_eq!(integer::<u16>("0x50"), Some(80));
        assert_eq!(integer::<u32>("1_000"), Some(1000));
        assert_eq!(integer::<u16>("65536"), None);
    }

    #[test]
    fn the_nearest_key_is_found() {
        let known = ["environment", "env_file", "ports", "image", "depends_on", "expose"];
        for (word, near) in [
            ("enviroment", Some("environment")),
            ("port", Some("ports")),
            ("imgae", Some("image")),
            ("depends-on", Some("depends_on")),
            ("Image", Some("image")),
            ("zzz", None),
        ] {
            assert_eq!(nearest(word, &known), near, "{word}");
        }
    }
}
