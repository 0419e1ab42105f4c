use super::gather::Window;
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
