//! Values over time: a ring with a bucket per step, and gaps where nothing was told.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::line::{Line, Role};

/// The mean of what was told in each step of time. Steps without a word are gaps, never zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Seconds of a step.
    step: i64,
    /// Steps that are kept.
    kept: usize,
    /// The number of the newest step.
    newest: i64,
    buckets: VecDeque<Option<Bucket>>,
}

/// Sum and number: halves of a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    sum: f64,
    times: u32,
}

impl Series {
    /// An empty one: `kept` steps of `step` seconds each.
    pub fn new(step: u32, kept: usize) -> Self {
        Self { step: i64::from(step.max(1)), kept, newest: 0, buckets: VecDeque::new() }
    }

    fn number(&self, at: Timestamp) -> i64 {
        at.as_second().div_euclid(self.step)
    }

    /// Takes a value in. What is older than the newest step is left out: nobody waits for it.
    pub fn push(&mut self, at: Timestamp, value: f64) {
        let number = self.number(at);
        if self.buckets.is_empty() {
            self.newest = number;
            self.buckets.push_back(None);
        }
        let ahead = number - self.newest;
        if ahead < 0 {
            return;
        }
        if ahead >= i64::try_from(self.kept).unwrap_or(i64::MAX) {
            self.buckets.clear();
            self.buckets.push_back(None);
        } else {
            (0..ahead).for_each(|_| self.buckets.push_back(None));
            while self.buckets.len() > self.kept {
                self.buckets.pop_front();
            }
        }
        self.newest = number;
        if let Some(last) = self.buckets.back_mut() {
            let Bucket { sum, times } = last.unwrap_or(Bucket { sum: 0.0, times: 0 });
            *last = Some(Bucket { sum: sum + value, times: times + 1 });
        }
    }

    /// The last `steps` steps up to `now`, the oldest first.
    pub fn last(&self, steps: usize, now: Timestamp) -> Vec<Option<f64>> {
        let end = self.number(now);
        let count = i64::try_from(steps).unwrap_or(i64::MAX);
        let first = self.newest + 1 - i64::try_from(self.buckets.len()).unwrap_or(i64::MAX);
        (end + 1 - count..=end)
            .map(|number| {
                let at = usize::try_from(number - first).ok()?;
                self.buckets.get(at).copied().flatten().map(|bucket| bucket.sum / f64::from(bucket.times))
            })
            .collect()
    }
}

/// Eighths of a cell.
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Values as one line of bars, a cell each, the largest full. A gap is a gap.
pub fn spark(values: &[Option<f64>], role: Role) -> Line {
    let largest = values.iter().flatten().copied().fold(0.0_f64, f64::max);
    let mut text = String::new();
    for value in values {
        text.push_str(match value {
            None => " ",
            Some(value) => {
                let share = if largest > 0.0 { value / largest } else { 0.0 };
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of seven")]
                let at = (share.clamp(0.0, 1.0) * 7.0).round() as usize;
                BARS.get(at).copied().unwrap_or(" ")
            }
        });
    }
    Line::of(role, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_040 + seconds).unwrap()
    }

    #[test]
    fn means_per_step_and_gaps_in_between() {
        let mut series = Series::new(60, 4);
        assert_eq!(series.last(2, at(0)), [None, None]);
        series.push(at(0), 2.0);
        series.push(at(30), 4.0);
        series.push(at(125), 9.0);
        series.push(at(61), 100.0);
        assert_eq!(series.last(4, at(130)), [None, Some(3.0), None, Some(9.0)]);
        assert_eq!(series.last(2, at(190)), [Some(9.0), None], "nothing came since");
        series.push(at(300), 1.0);
        assert_eq!(series.last(6, at(300)), [None, None, Some(9.0), None, None, Some(1.0)], "only four are kept");
        series.push(at(9_000), 5.0);
        assert_eq!(series.last(4, at(9_000)), [None, None, None, Some(5.0)]);
    }

    #[test]
    fn it_never_grows() {
        let mut series = Series::new(60, 60);
        for second in (0..1_000_000).step_by(7) {
            series.push(at(second), 1.0);
        }
        assert_eq!(series.buckets.len(), 60);
    }

    #[test]
    fn bars_show_gaps_and_flat_lines() {
        let text = |values: &[Option<f64>]| spark(values, Role::Plain).text();
        assert_eq!(text(&[Some(0.0), Some(50.0), None, Some(100.0)]), "▁▅ █");
        assert_eq!(text(&[Some(0.0), Some(0.0)]), "▁▁");
        assert_eq!(text(&[]), "");
    }
}
