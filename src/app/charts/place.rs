//! How charts share the page.

use super::{Kind, Setting};
use crate::app::{history::Measure, layout, state::State};

/// Charts side by side take at least so many cells each, and never more than three do.
const NARROWEST: usize = 58;
const MOST_COLUMNS: usize = 3;
/// Rows of a plot. Its title and its times take two more.
const LOWEST: usize = 4;
const HIGHEST: usize = 12;
const AROUND: usize = 2;
/// Rows of the list with its head and the line above it.
const LIST: std::ops::RangeInclusive<usize> = 6..=14;

/// Who has which part of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Charts side by side; 0 where the list has the whole page.
    pub columns: usize,
    /// Cells of a chart.
    pub cells: usize,
    /// Rows of its plot.
    pub plot: usize,
    /// Rows of charts in all.
    pub rows: usize,
    /// Of these, how many fit.
    pub shown: usize,
    /// There is an empty line between them.
    pub has_gap: bool,
    /// Rows of the list with its head and the line above it.
    pub list: usize,
}

/// Shares the page: one line says whose charts they are, then come the charts, and the list where it has room.
pub fn place(state: &State) -> Place {
    let area = layout::layout(state).list;
    let screen = state.screen();
    let has_list = !Kind::of(&screen.within).is_empty();
    share(screen.charts, has_list, usize::from(area.w), usize::from(area.h).saturating_sub(1))
}

fn share(setting: Setting, has_list: bool, w: usize, h: usize) -> Place {
    let whole =
        Place { columns: 1, cells: w, plot: h.saturating_sub(AROUND), rows: 1, shown: 1, has_gap: false, list: 0 };
    if setting.is_zoomed && !setting.in_list {
        return Place { rows: Measure::ALL.len(), ..whole };
    }
    let columns = (w / NARROWEST).clamp(1, MOST_COLUMNS);
    let rows = Measure::ALL.len().div_ceil(columns);
    let least = LOWEST + AROUND;
    // Lines between charts are the first to give way to the list.
    let list = if has_list { *LIST.start() } else { 0 };
    let spare = |has_gap: bool, list: usize| h.checked_sub(rows * least + if has_gap { rows - 1 } else { 0 } + list);
    let tries = [(true, list), (false, list), (true, 0), (false, 0)];
    if let Some((has_gap, list, spare)) = tries.into_iter().find_map(|(gap, list)| Some((gap, list, spare(gap, list)?)))
    {
        let more = if list > 0 { (spare / 2).min(LIST.end() - LIST.start()) } else { 0 };
        let plot = (LOWEST + (spare - more) / rows).min(HIGHEST);
        let list = if list > 0 { list + more } else { 0 };
        if list > 0 || !setting.in_list {
            return Place { columns, cells: w / columns, plot, rows, shown: rows, has_gap, list };
        }
    }
    if setting.in_list {
        return Place { columns: 0, rows: 0, shown: 0, list: h, ..whole };
    }
    let shown = ((h + 1) / (least + 1)).clamp(1, rows);
    let left = (h + 1).saturating_sub(shown * (least + 1));
    Place {
        columns,
        cells: w / columns,
        plot: (LOWEST + left / shown).min(h.saturating_sub(AROUND).max(1)),
        rows,
        shown,
        has_gap: true,
        list: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(w: usize, h: usize) -> (usize, usize, usize, usize) {
        let place = share(Setting::default(), true, w, h);
        (place.columns, place.shown, place.plot, place.list)
    }

    #[test]
    fn what_fits_is_shown() {
        assert_eq!(shared(80, 20), (1, 3, 4, 0));
        assert_eq!(shared(120, 36), (2, 5, 4, 6));
        assert_eq!(shared(200, 51), (3, 3, 9, 14));
        assert_eq!(shared(20, 2), (1, 1, 1, 0));
        assert_eq!(shared(0, 0), (1, 1, 1, 0));
    }

    #[test]
    fn nothing_is_ever_higher_than_the_page() {
        let settings = [(false, false), (true, false), (false, true), (true, true)];
        for (is_zoomed, in_list) in settings {
            for (w, has_list) in [(20, true), (80, false), (120, true), (200, false), (300, true)] {
                for h in 3..90 {
                    let place = share(Setting { is_zoomed, in_list, ..Setting::default() }, has_list, w, h);
                    let charts = place.shown * (place.plot + AROUND);
                    let gaps = if place.has_gap { place.shown.saturating_sub(1) } else { 0 };
                    let all = charts * place.columns.min(1) + gaps + place.list;
                    assert!(all <= h, "{w}x{h} {is_zoomed} {in_list}: {place:?}");
                    assert!(place.columns * place.cells <= w || place.columns == 0);
                    assert!(place.shown <= place.rows);
                }
            }
        }
    }
}
