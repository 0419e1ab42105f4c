//! Virtual addresses, out of a range.

use std::{collections::BTreeSet, net::Ipv4Addr};

/// The addresses of a range in CIDR form, without its first, which names the range, and its last. None where it is no
/// range.
fn pool(cidr: &str) -> impl Iterator<Item = Ipv4Addr> + use<> {
    let parsed = cidr.split_once('/').and_then(|(first, prefix)| {
        let first: Ipv4Addr = first.parse().ok()?;
        let prefix: u32 = prefix.parse().ok().filter(|prefix| (1..=30).contains(prefix))?;
        Some((first.to_bits(), 1_u32 << (32 - prefix)))
    });
    let (first, size) = parsed.unwrap_or_default();
    (1..size.saturating_sub(1)).map(move |at| Ipv4Addr::from_bits(first.saturating_add(at)))
}

/// The lowest address of a range in CIDR form that nobody has.
pub fn free_address(cidr: &str, used: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    pool(cidr).find(|address| !used.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_without_its_ends() {
        let mut used = BTreeSet::new();
        while let Some(address) = free_address("10.211.0.0/29", &used) {
            assert!(used.insert(address));
        }
        let all: Vec<String> = used.iter().map(ToString::to_string).collect();
        assert_eq!(all.len(), 6);
        assert_eq!((all[0].as_str(), all[5].as_str()), ("10.211.0.1", "10.211.0.6"));
        assert_eq!(free_address("nonsense", &BTreeSet::new()), None);
    }
}
