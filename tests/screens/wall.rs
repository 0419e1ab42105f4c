//! The wall as it is printed once.

use super::*;
use wharf::app::wall::{Page, page};

#[test]
fn every_page_of_the_wall_as_text() {
    for (name, state) in [("wall-pages", moving((120, 40))), ("wall-pages-busy", day((120, 40)))] {
        for cells in [120, 80] {
            let mut shown = String::new();
            for of in Page::ALL {
                for line in page(&state, of, cells) {
                    let text = line.text();
                    // Tables fit. What is said of a thing is said whole.
                    let is_table = matches!(of, Page::Totals | Page::Stacks | Page::Entries);
                    assert!(!is_table || wharf::text::width(text.trim_end()) <= cells, "{}: {text}", of.word());
                    shown.push_str(text.trim_end());
                    shown.push('\n');
                }
                shown.push('\n');
            }
            check(&format!("{name}-{cells}"), &shown);
        }
    }
    // Nothing at all is told as such.
    let state = World::new(&[("east", &["e-1"])]).state(Mode::Watch, (80, 24));
    let told: Vec<String> = Page::ALL
        .iter()
        .map(|of| page(&state, *of, 80).iter().map(wharf::app::line::Line::text).collect::<String>())
        .collect();
    for (told, words) in told.iter().zip(["all data is live", "nothing", "Nothing runs", "none", "", "none yet"]) {
        assert!(told.contains(words), "`{words}` is not in `{told}`");
    }
}
