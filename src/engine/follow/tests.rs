use super::gather::{Gather, Window};
use crate::{model::LogEntry, text::Painted};

fn entry(source: u32, second: i64) -> LogEntry {
    LogEntry { source, at: jiff::Timestamp::from_second(second).unwrap(), stderr: false, text: Painted::new("x") }
}

fn seconds(lines: Vec<LogEntry>) -> Vec<i64> {
    lines.into_iter().map(|line| line.at.as_second()).collect()
}

#[test]
fn lines_that_are_a_little_late_find_their_place() {
    let mut window = Window::default();
    assert_eq!(seconds(window.turn([entry(1, 1), entry(1, 3)])), [0; 0]);
    assert_eq!(seconds(window.turn([entry(2, 2), entry(2, 4)])), [1, 2, 3]);
    assert_eq!(seconds(window.turn([])), [4]);
    assert_eq!(seconds(window.turn([])), [0; 0]);
}

/// Who takes batches too slowly gets the newest lines and the number of those that were let go: none is lost without a
/// word, and memory is bounded.
#[tokio::test]
async fn what_comes_too_fast_is_let_go_and_counted() {
    const LINES: u64 = 60_000;
    let (tell, mut batches) = tokio::sync::mpsc::channel(1);
    let gather = Gather::start(7, tell);
    let buffer = gather.buffer();
    for second in 0..LINES {
        buffer.push(entry(1, i64::try_from(second).unwrap()));
        if second % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let (mut seen, mut dropped, mut last) = (0, 0, -1);
    while seen + dropped < LINES {
        let batch = batches.recv().await.unwrap();
        assert_eq!(batch.generation, 7);
        dropped += batch.dropped;
        for second in seconds(batch.lines) {
            assert!(second > last, "{second} after {last}");
            last = second;
            seen += 1;
        }
    }
    assert_eq!(seen + dropped, LINES);
    assert!(dropped >= LINES - 3 * 10_000, "{dropped} of {LINES} were let go");
    assert_eq!(last, i64::try_from(LINES).unwrap() - 1, "the newest is there");
}
