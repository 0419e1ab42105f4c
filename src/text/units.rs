//! Numbers for people: short, aligned, with their unit.

/// Bytes with a binary unit and one decimal above KiB: `0 B`, `512 B`, `3.1 GiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = "KiB";
    for next in UNITS.into_iter().skip(1) {
        if value < 1000.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A count with thousands separators: `84,112`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A share in percent: one decimal below ten, none above.
pub fn percent(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// An age in one unit, rounded down: `8s`, `3m`, `2h`, `41d`. Negative ages are `0s`.
pub fn age(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3600 => format!("{}m", s / 60),
        s @ 3600..86_400 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// A duration in at most two units: `400 ms`, `4.0 s`, `1m 12s`, `2h 3m`.
pub fn duration(d: std::time::Duration) -> String {
    let seconds = d.as_secs();
    match seconds {
        0 => format!("{} ms", d.as_millis()),
        1..60 => format!("{:.1} s", d.as_secs_f64()),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// An image for people: its digest cut to four digits, `h:5000/app@sha256:9c1f…`.
pub fn short_image(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((repository, digest)) if digest.len() > 4 => {
            format!("{repository}@sha256:{}…", digest.get(..4).unwrap_or(digest))
        }
        _ => image.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(3_328_599_654), "3.1 GiB");
        assert_eq!(bytes(64 << 20), "64 MiB");
        assert_eq!(count(7), "7");
        assert_eq!(count(84_112), "84,112");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(percent(0.04), "0.0");
        assert_eq!(percent(9.96), "10");
        assert_eq!(age(-3), "0s");
        assert_eq!(age(3599), "59m");
        assert_eq!(age(172_800), "2d");
        assert_eq!(duration(Duration::from_millis(400)), "400 ms");
        assert_eq!(duration(Duration::from_secs(72)), "1m 12s");
        assert_eq!(duration(Duration::from_secs(7_380)), "2h 3m");
    }

    #[test]
    fn digests_are_cut_for_people() {
        assert_eq!(short_image("h:5000/app@sha256:9c1f8844"), "h:5000/app@sha256:9c1f…");
        assert_eq!(short_image("app:2"), "app:2");
    }
}
