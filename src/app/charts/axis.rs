//! Time along a chart: which steps a cell stands for, and where the clock is written.

use jiff::{Timestamp, tz::TimeZone};

use crate::app::series::{FINE, MINUTE, Point, Series};

/// Lengths of an axis, in minutes. As long as there is less to show than was asked for, the shortest that holds it.
const LENGTHS: [i64; 7] = [1, 2, 5, 10, 30, 60, 180];

/// A stretch of time that charts show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its first second; a round one.
    pub start: i64,
    /// The second after its last.
    pub end: i64,
    /// Seconds of a step.
    pub step: i64,
    /// The number of the newest step that was read.
    pub newest: i64,
    /// Minutes of the past that are shown at least.
    pub minutes: i64,
}

/// The stretch that ends about now: `minutes` long where so much is there. Its ends are round times, so that the picture
/// stands still and fills at the right, and moves on only now and then.
pub fn stretch(now: Timestamp, minutes: i64, begun: Option<i64>, newest: Option<i64>) -> Stretch {
    let now = now.as_second();
    let age = now - begun.unwrap_or(now);
    let wanted = minutes.min(age.div_euclid(MINUTE) + 1);
    let minutes = LENGTHS.into_iter().find(|length| *length >= wanted).unwrap_or(minutes).min(minutes);
    let unit = match minutes {
        1 => 10,
        2 => 15,
        5 => 30,
        10 => 60,
        30 | 60 => 300,
        _ => 900,
    };
    let end = (now.div_euclid(unit) + 1) * unit;
    let step = if minutes <= 10 { FINE } else { MINUTE };
    let newest = newest.map_or(i64::MIN, |fine| (fine * FINE).div_euclid(step));
    Stretch { start: end - unit - minutes * MINUTE, end, step, newest, minutes }
}

impl Stretch {
    /// The second at which a cell of `cells` begins.
    fn second(&self, cell: usize, cells: usize) -> f64 {
        (self.end - self.start) as f64 * cell as f64 / cells.max(1) as f64 + self.start as f64
    }

    /// The first step that begins in a cell, and the first after it. A cell that is shorter than a step stands for the
    /// one that it is in.
    fn steps(&self, cell: usize, cells: usize) -> std::ops::Range<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "steps of times that a calendar knows")]
        let number = |second: f64| (second / self.step as f64).ceil() as i64;
        let (from, to) = (number(self.second(cell, cells)), number(self.second(cell + 1, cells)));
        if from < to { from..to } else { from - 1..from }
    }

    fn point(&self, series: &Series, step: i64) -> Option<Point> {
        if self.step == FINE { series.fine(step) } else { series.minute(step) }
    }

    /// What is known of the whole stretch, the oldest first.
    pub fn points<'a>(&self, series: &'a Series) -> impl Iterator<Item = Point> + 'a {
        let this = *self;
        (self.start.div_euclid(self.step)..=self.newest.min(self.end.div_euclid(self.step)))
            .filter_map(move |step| this.point(series, step))
    }

    /// The newest value, when it is of the last reading.
    pub fn last(&self, series: &Series) -> Option<Point> {
        self.point(series, self.newest)
    }

    /// Every step with its time.
    pub fn times(&self) -> impl Iterator<Item = (i64, i64)> + use<> {
        let step = self.step;
        let first = self.start.div_euclid(step);
        (first..=self.newest.min(self.end.div_euclid(step))).map(move |number| (number, number * step))
    }

    /// The value of a step.
    pub fn at(&self, series: Option<&Series>, step: i64) -> Option<Point> {
        self.point(series?, step)
    }
}

/// What a row of cells shows: of each the largest value of its time, so that no peak is lost; nothing where anything of
/// its time is not known.
pub fn cells(series: &Series, stretch: &Stretch, count: usize) -> Vec<Option<Point>> {
    (0..count)
        .map(|cell| {
            let mut largest: Option<Point> = None;
            for step in stretch.steps(cell, count).filter(|step| *step <= stretch.newest) {
                let point = stretch.point(series, step)?;
                let before = largest.unwrap_or(point);
                let partial = before.partial || point.partial;
                largest = Some(Point { value: before.value.max(point.value), partial });
            }
            largest
        })
        .collect()
}

/// Times below a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Seconds between two of them.
    every: i64,
    has_seconds: bool,
}

/// Between two times there are so many seconds.
const TICKS: [i64; 9] = [10, 15, 30, 60, 120, 300, 600, 900, 1800];

impl Axis {
    /// The densest that has room on `cells` cells.
    pub fn new(stretch: &Stretch, cells: usize) -> Self {
        let has_seconds = stretch.minutes <= 2;
        let label = if has_seconds { 8 } else { 5 } + 3;
        let whole = stretch.end - stretch.start;
        let fits = |every: &i64| {
            let cells = i64::try_from(cells).unwrap_or(i64::MAX);
            every.saturating_mul(cells) >= whole.saturating_mul(label)
        };
        let every = TICKS.into_iter().filter(|every| has_seconds || *every >= 60).find(fits).unwrap_or(3600);
        Self { every, has_seconds }
    }

    /// The line of times, each beginning where its time is.
    pub fn line(self, stretch: &Stretch, cells: usize, zone: &TimeZone) -> String {
        let mut text = String::new();
        let mut used = 0;
        let whole = (stretch.end - stretch.start).max(1);
        // The first round time of the stretch.
        let mut next = (stretch.start + self.every - 1).div_euclid(self.every) * self.every;
        while next < stretch.end {
            let second = next;
            next += self.every;
            let Ok(at) = Timestamp::from_second(second) else { break };
            let place = (second - stretch.start).saturating_mul(i64::try_from(cells).unwrap_or(i64::MAX)) / whole;
            let place = usize::try_from(place).unwrap_or_default();
            let format = if self.has_seconds { "%H:%M:%S" } else { "%H:%M" };
            let label = format!("╵{}", at.to_zoned_datetime(zone.clone()).strftime(format));
            let wide = label.chars().count();
            if place < used || place + wide > cells {
                continue;
            }
            text.push_str(&" ".repeat(place - used));
            text.push_str(&label);
            used = place + wide;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_800_014_400;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(NOON + seconds).unwrap()
    }

    fn newest(seconds: i64) -> i64 {
        (NOON + seconds).div_euclid(FINE)
    }

    #[test]
    fn the_axis_is_as_long_as_what_is_there_and_its_ends_are_round() {
        for (age, wanted, minutes, step) in [
            (0, 10, 1, 5),
            (59, 10, 1, 5),
            (60, 10, 2, 5),
            (200, 10, 5, 5),
            (1000, 10, 10, 5),
            (200, 60, 5, 5),
            (1000, 60, 30, 60),
            (9_000, 60, 60, 60),
            (9_000, 180, 180, 60),
            (900_000, 180, 180, 60),
        ] {
            let stretch = stretch(at(17), wanted, Some(NOON + 17 - age), Some(newest(17)));
            assert_eq!((stretch.minutes, stretch.step), (minutes, step), "{age} {wanted}");
            let unit = stretch.end - stretch.start - minutes * 60;
            assert!(stretch.end > NOON + 17 && stretch.end <= NOON + 17 + unit, "{stretch:?}");
            assert!(stretch.start <= NOON + 17 - minutes * 60, "{stretch:?}");
            assert!(stretch.start % unit == 0 && stretch.end % unit == 0, "{stretch:?}");
        }
        let none = stretch(at(17), 10, None, None);
        assert_eq!(none.minutes, 1);
    }

    #[test]
    fn the_picture_stands_still_while_it_fills() {
        let ends: Vec<i64> =
            (0..60).map(|second| stretch(at(second), 10, Some(NOON - 9_000), Some(newest(second))).end).collect();
        assert!(ends.iter().all(|end| *end == NOON + 60), "{ends:?}");
    }

    #[test]
    fn a_cell_is_the_largest_of_its_time_and_a_gap_stays_one() {
        let mut series = Series::default();
        let values = [1.0, 9.0, 2.0, 3.0, -1.0, 4.0, 5.0, 6.0];
        for (at_step, value) in (0_i64..).zip(values) {
            if value >= 0.0 {
                series.push(at(at_step * FINE), Point::new(value, at_step == 2));
            }
        }
        let stretch = Stretch { start: NOON, end: NOON + 60, step: FINE, newest: NOON / FINE + 7, minutes: 1 };
        let shown = |count: usize| -> Vec<Option<(f32, bool)>> {
            cells(&series, &stretch, count).into_iter().map(|p| p.map(|p| (p.value, p.partial))).collect()
        };
        let whole = |value| Some((value, false));
        assert_eq!(shown(6), [whole(9.0), Some((3.0, true)), None, whole(6.0), None, None]);
        let fine = shown(24);
        assert_eq!(
            fine.get(..6).unwrap(),
            [whole(1.0), whole(1.0), whole(9.0), whole(9.0), Some((2.0, true)), Some((2.0, true))]
        );
        assert_eq!(fine.get(8..10).unwrap(), [None, None]);
        assert_eq!(fine.iter().flatten().count(), 14, "what is to come is blank");
        assert_eq!(stretch.points(&series).count(), 7);
        assert_eq!(stretch.last(&series).map(|point| point.value), Some(6.0));
    }

    #[test]
    fn times_stand_where_they_are_and_never_touch() {
        let ten = stretch(at(17), 10, Some(NOON - 9_000), Some(newest(17)));
        let line = |stretch: &Stretch, cells: usize| Axis::new(stretch, cells).line(stretch, cells, &TimeZone::UTC);
        assert_eq!(line(&ten, 66), "╵11:50      ╵11:52      ╵11:54      ╵11:56      ╵11:58      ╵12:00");
        assert_eq!(line(&ten, 30), "╵11:50       ╵11:55");
        let one = stretch(at(17), 10, Some(NOON), Some(newest(17)));
        assert!(line(&one, 60).contains("╵11:59:30"), "{}", line(&one, 60));
        for cells in 0..200 {
            for stretch in [&ten, &one] {
                assert!(crate::text::width(&line(stretch, cells)) <= cells);
            }
        }
    }
}
