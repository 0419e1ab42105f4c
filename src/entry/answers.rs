//! Answers of proxies as bytes, read as a keeper and a watch do: for tests that make proxies say anything.

use super::{session, stat};

/// Reads bytes as a proxy's conversation: each answer as every kind of answer that is asked for. Gives how many answers
/// there were.
pub fn read_answers(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some((answer, used)) = session::answer(bytes) {
        count += 1;
        drop(stat::info(&answer));
        drop(stat::processes(&answer));
        drop(stat::health(&answer));
        drop(stat::backends(&answer, &answer));
        bytes = bytes.get(used..).unwrap_or_default();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_proxy_says_is_read_to_its_end() {
        for (said, count) in [
            (&b""[..], 0),
            (b"master> ", 1),
            (b"# pxname,svname\nmaster,1\nmaster> master[x]> ", 2),
            (b"1\nmaster> 2\n\xff\nmaster> 3", 2),
        ] {
            assert_eq!(read_answers(said), count, "{said:?}");
        }
    }
}
