//! Values over time, compactly: the last minutes in fine steps, the last hours by the minute, four bytes a step, and
//! gaps where nothing was told.

use jiff::Timestamp;

use super::line::{Line, Mark, Role};

/// Seconds of a fine step.
pub const FINE: i64 = 5;
/// Fine steps that are kept: ten minutes, and what an axis that begins at a round time shows more.
const FINE_KEPT: usize = 135;
/// Seconds of a minute.
pub const MINUTE: i64 = 60;
/// Minutes that are kept: three hours, and as much more.
const MINUTES_KEPT: usize = 200;

/// Bytes that one series takes.
pub const SERIES_BYTES: usize = size_of::<Series>() + (FINE_KEPT + MINUTES_KEPT) * size_of::<f32>();

/// What was told in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// How much; never negative.
    pub value: f32,
    /// A part of it is missing: it is at least so much.
    pub partial: bool,
}

impl Point {
    /// A value that may lack a part.
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough for a chart")]
    pub fn new(value: f64, partial: bool) -> Self {
        Self { value: value.max(0.0) as f32, partial }
    }

    /// The number that is kept: a negative one lacks a part. Zero has a sign too.
    fn packed(self) -> f32 {
        if self.partial { -self.value } else { self.value }
    }

    fn unpacked(number: f32) -> Option<Self> {
        (!number.is_nan()).then(|| Self { value: number.abs(), partial: number.is_sign_negative() })
    }
}

/// The last steps, each at its number's place.
#[derive(Debug, Clone, PartialEq)]
struct Ring {
    /// The number of the newest step.
    newest: i64,
    values: Box<[f32]>,
}

impl Ring {
    fn new(kept: usize) -> Self {
        Self { newest: 0, values: vec![f32::NAN; kept].into() }
    }

    fn kept(&self) -> i64 {
        i64::try_from(self.values.len()).unwrap_or(i64::MAX)
    }

    fn place(&self, step: i64) -> usize {
        usize::try_from(step.rem_euclid(self.kept().max(1))).unwrap_or_default()
    }

    fn set(&mut self, step: i64, number: f32) {
        let at = self.place(step);
        if let Some(place) = self.values.get_mut(at) {
            *place = number;
        }
    }

    /// Takes a step in; those between it and the one before are gaps. What is older than the newest is left out.
    fn put(&mut self, step: i64, point: Point) {
        if step < self.newest {
            return;
        }
        for gap in (self.newest + 1).max(step - self.kept() + 1)..step {
            self.set(gap, f32::NAN);
        }
        self.newest = step;
        self.set(step, point.packed());
    }

    fn get(&self, step: i64) -> Option<Point> {
        if step > self.newest || step <= self.newest - self.kept() {
            return None;
        }
        Point::unpacked(*self.values.get(self.place(step))?)
    }
}

/// One measure of one thing over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    fine: Ring,
    minutes: Ring,
}

impl Default for Series {
    fn default() -> Self {
        Self { fine: Ring::new(FINE_KEPT), minutes: Ring::new(MINUTES_KEPT) }
    }
}

/// The number of a step of so many seconds.
pub fn step_of(at: Timestamp, seconds: i64) -> i64 {
    at.as_second().div_euclid(seconds)
}

/// The minute that a fine step is in.
fn minute_of(fine: i64) -> i64 {
    (fine * FINE).div_euclid(MINUTE)
}

impl Series {
    /// Takes in what is so at a time. What is not told is a gap.
    pub fn push(&mut self, at: Timestamp, point: Point) {
        let step = step_of(at, FINE);
        let open = minute_of(self.fine.newest);
        if minute_of(step) > open
            && let Some(mean) = self.mean(open)
        {
            self.minutes.put(open, mean);
        }
        self.fine.put(step, point);
    }

    /// What was told in a fine step.
    pub fn fine(&self, step: i64) -> Option<Point> {
        self.fine.get(step)
    }

    /// The mean of what was told in a minute.
    pub fn minute(&self, minute: i64) -> Option<Point> {
        if minute == minute_of(self.fine.newest) { self.mean(minute) } else { self.minutes.get(minute) }
    }

    /// The same, from the fine steps.
    fn mean(&self, minute: i64) -> Option<Point> {
        let first = (minute * MINUTE).div_euclid(FINE);
        let known = (first..first + MINUTE / FINE).filter_map(|step| self.fine.get(step));
        let (mut sum, mut count, mut partial) = (0.0_f32, 0.0_f32, false);
        for point in known {
            sum += point.value;
            count += 1.0;
            partial |= point.partial;
        }
        (count > 0.0).then(|| Point { value: sum / count, partial })
    }

    /// The last minutes up to `now`, the oldest first.
    pub fn minutes(&self, count: usize, now: Timestamp) -> Vec<Option<Point>> {
        let end = step_of(now, MINUTE);
        let first = end + 1 - i64::try_from(count).unwrap_or(i64::MAX);
        (first..=end).map(|minute| self.minute(minute)).collect()
    }
}

/// Eighths of a cell.
pub const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Where a part is missing: without an edge, and told apart also without colours.
pub const AT_LEAST: &str = "░";

/// The largest of some values.
pub fn largest(values: &[Option<Point>]) -> f32 {
    values.iter().flatten().map(|point| point.value).fold(0.0, f32::max)
}

/// Values as one line of bars, a cell each, `top` full. A gap is a gap; what lacks a part has no height to be misread.
pub fn spark(values: &[Option<Point>], top: f32, role: Role) -> Line {
    let mut line = Line::new();
    for value in values {
        let (glyph, role) = match value {
            None => (" ", Role::Plain),
            Some(point) if point.partial => (AT_LEAST, Role::Mark(Mark::Unknown)),
            Some(point) => {
                let share = if top > 0.0 { point.value / top } else { 0.0 };
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of seven")]
                let at = (share.clamp(0.0, 1.0) * 7.0).round() as usize;
                (BARS.get(at).copied().unwrap_or(" "), role)
            }
        };
        line.run(role, glyph);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_040 + seconds).unwrap()
    }

    fn whole(value: f64) -> Point {
        Point::new(value, false)
    }

    fn minutes(series: &Series, count: usize, seconds: i64) -> Vec<Option<f32>> {
        series.minutes(count, at(seconds)).into_iter().map(|point| point.map(|point| point.value)).collect()
    }

    #[test]
    fn means_of_minutes_and_gaps_in_between() {
        let mut series = Series::default();
        assert_eq!(minutes(&series, 2, 0), [None, None]);
        series.push(at(0), whole(2.0));
        series.push(at(30), whole(4.0));
        series.push(at(125), whole(9.0));
        series.push(at(61), whole(100.0));
        assert_eq!(minutes(&series, 4, 130), [None, Some(3.0), None, Some(9.0)], "what comes late is left out");
        assert_eq!(minutes(&series, 2, 190), [Some(9.0), None], "nothing came since");
        series.push(at(300), whole(1.0));
        assert_eq!(minutes(&series, 6, 300), [Some(3.0), None, Some(9.0), None, None, Some(1.0)]);
        series.push(at(90_000), whole(5.0));
        assert_eq!(minutes(&series, 4, 90_000), [None, None, None, Some(5.0)], "a day later nothing of it is left");
        assert_eq!(minutes(&series, 200, 90_000).iter().flatten().count(), 1);
    }

    #[test]
    fn fine_steps_are_gaps_where_nothing_came() {
        let mut series = Series::default();
        series.push(at(0), whole(0.0));
        series.push(at(10), whole(7.0));
        let step = step_of(at(0), FINE);
        let told: Vec<_> = (step - 1..step + 4).map(|step| series.fine(step).map(|point| point.value)).collect();
        assert_eq!(told, [None, Some(0.0), None, Some(7.0), None], "zero is no gap");
        series.push(at(5 * 134), whole(1.0));
        assert_eq!(series.fine(step), Some(whole(0.0)), "the oldest that is kept");
        series.push(at(5 * 135), whole(1.0));
        assert_eq!((series.fine(step), series.fine(step + 2)), (None, Some(whole(7.0))));
        assert_eq!(series.fine(step + 50), None, "what stood there is long gone");
    }

    #[test]
    fn what_lacks_a_part_stays_marked_also_at_zero() {
        let mut series = Series::default();
        for (second, value, partial) in [(0, 3.0, true), (5, 5.0, false), (60, 0.0, true), (120, 1.0, false)] {
            series.push(at(second), Point::new(value, partial));
        }
        let step = step_of(at(0), FINE);
        assert_eq!(series.fine(step), Some(Point { value: 3.0, partial: true }));
        assert_eq!(series.fine(step + 1), Some(Point { value: 5.0, partial: false }));
        assert_eq!(series.fine(step + 12), Some(Point { value: 0.0, partial: true }));
        let marked: Vec<_> = series.minutes(3, at(120)).into_iter().flatten().map(|point| point.partial).collect();
        assert_eq!(marked, [true, true, false]);
    }

    #[test]
    fn it_never_grows() {
        let mut series = Series::default();
        for second in (0..3_000_000).step_by(5) {
            series.push(at(second), whole(1.0));
        }
        assert_eq!((series.fine.values.len(), series.minutes.values.len()), (FINE_KEPT, MINUTES_KEPT));
        const { assert!(SERIES_BYTES < 1_500) };
        assert_eq!(minutes(&series, 180, 2_999_995), [Some(1.0); 180]);
    }

    #[test]
    fn bars_show_gaps_and_flat_lines() {
        let text = |values: &[Option<f64>]| {
            let points: Vec<_> = values.iter().map(|value| value.map(whole)).collect();
            spark(&points, largest(&points), Role::Plain).text()
        };
        assert_eq!(text(&[Some(0.0), Some(50.0), None, Some(100.0)]), "▁▅ █");
        assert_eq!(text(&[Some(0.0), Some(0.0)]), "▁▁");
        assert_eq!(text(&[]), "");
        let partial = [Some(whole(2.0)), Some(Point::new(1.0, true)), None];
        assert_eq!(spark(&partial, 2.0, Role::Plain).text(), "█░ ");
    }
}
