//! What uses most, below the charts or instead of them.

use crate::{
    app::{
        charts::{Consumer, Order, Place, kind},
        line::{Line, Role},
        pages::choose::Page,
        state::State,
        views::{cpu, memory, per_second, rate},
    },
    text::{pad_left, pad_right},
};

/// The columns: what they are ordered by, head, cells.
const COLUMNS: [(Order, &str, usize); 4] = [
    (Order::Cpu, "CPU %", 9),
    (Order::Memory, "MEMORY", 11),
    (Order::Network, "NET/s", 11),
    (Order::Requests, "REQ/S", 9),
];
/// Cells of a name.
const NAME: std::ops::RangeInclusive<usize> = 12..=56;

/// Adds the list to the page.
pub(super) fn list(state: &State, page: &mut Page, place: Place) {
    let screen = state.screen();
    let (setting, largest) = (screen.charts, &state.largest);
    let Some(kind) = kind(&screen.within, setting.kind) else { return };
    page.lines.push(Line::new());
    let wide = usize::from(crate::app::layout::layout(state).list.w);
    let columns: usize = COLUMNS.iter().map(|(.., cells)| cells).sum();
    let name = wide.saturating_sub(columns + 6).clamp(*NAME.start(), *NAME.end());
    let room = place.list.saturating_sub(2);
    let top = (screen.row + 1).saturating_sub(room).min(largest.rows.len().saturating_sub(room));

    let role = if setting.in_list { Role::Accent } else { Role::Head };
    let title = format!("LARGEST {}", kind.word().to_uppercase());
    let count = if largest.of > room {
        format!("  {} of {}", (screen.row + 1).min(largest.of), largest.of)
    } else {
        String::new()
    };
    let mut head = Line::of(role, format!(" {title}")).with(Role::Dim, count);
    head = head.cut(name + 4);
    head.pad_to(name + 4);
    for (order, title, cells) in COLUMNS {
        let here = order == setting.order;
        let title = if here { format!("{title}↓") } else { title.to_owned() };
        head.push(if here { Role::Strong } else { Role::Head }, pad_left(&title, cells));
    }
    page.lines.push(head);
    if largest.rows.is_empty() {
        page.lines.push(Line::of(Role::Dim, "   nothing runs there"));
    }
    for (at, row) in largest.rows.iter().enumerate().skip(top).take(room) {
        let here = at == screen.row && setting.in_list;
        if here {
            page.selected = Some(page.lines.len());
        }
        page.lines.push(line(row, name, here));
    }
}

fn line(row: &Consumer, name: usize, here: bool) -> Line {
    let mut line = Line::of(Role::Accent, if here { "▸" } else { " " }).mark(row.mark);
    line.push(Role::Plain, format!(" {}", pad_right(&row.name, name)));
    line.push(Role::Plain, " ");
    for (order, _, cells) in COLUMNS {
        let cell = match order {
            Order::Cpu => cpu(row.load.usage),
            Order::Memory => memory(row.load.usage),
            Order::Network => rate(row.network()),
            Order::Requests => per_second(row.requests),
        };
        let end = line.width() + cells;
        line.pad_to(end.saturating_sub(cell.width()));
        line.extend(cell);
    }
    line
}
