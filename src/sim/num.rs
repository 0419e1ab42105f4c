//! Number conversions that the simulator needs, in one place, so that every cast is a decision made once.

/// A non-negative float as a count. Negative and not-a-number become 0, too large becomes the largest count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and negatives are cut first")]
pub(super) fn count(value: f64) -> u64 {
    value.max(0.0) as u64
}

/// Seconds as a span; negative ones are none.
pub(super) fn duration(seconds: f64) -> std::time::Duration {
    std::time::Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
}

/// An index or length as `i64`, as JSON numbers of the Docker API are signed.
pub(super) fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A stable 64-bit hash (FNV-1a with a final mix): equal on every machine and in every run, unlike std's.
pub(super) fn hash(text: &str) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    mix(state)
}

/// Spreads a number over all 64 bits (the finaliser of splitmix64).
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in `0.0..1.0` from a hash.
pub(super) fn unit(value: u64) -> f64 {
    (mix(value) >> 11) as f64 / (1_u64 << 53) as f64
}

/// `bytes` random bytes in hexadecimal.
pub(super) fn hex(rng: &mut fastrand::Rng, bytes: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes * 2);
    for _ in 0..bytes {
        let _ = write!(text, "{:02x}", rng.u8(..));
    }
    text
}

/// The SHA-256 of a text in hexadecimal, as in image ids and digests.
pub(super) fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    sha2::Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_saturates() {
        assert_eq!(count(-4.0), 0);
        assert_eq!(count(f64::NAN), 0);
        assert_eq!(count(1e300), u64::MAX);
        assert_eq!(count(12.9), 12);
    }

    #[test]
    fn hashes_are_stable() {
        assert_eq!(hash("shop-web"), hash("shop-web"));
        assert_ne!(hash("shop-web"), hash("shop-wec"));
        assert!((0.0..1.0).contains(&unit(hash("x"))));
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
