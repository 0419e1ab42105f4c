//! Roles to colours and weights, from the files in `themes/`.

use std::{collections::BTreeMap, str::FromStr};

use ratatui::style::{Color, Modifier, Style};

use crate::{
    app::line::{Mark, Role},
    text::Ink,
};

/// The themes that come with the program, by name.
pub const BUILT_IN: [(&str, &str); 6] = [
    ("default", include_str!("../../themes/default.toml")),
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("color-blind", include_str!("../../themes/color-blind.toml")),
    ("no-color", include_str!("../../themes/no-color.toml")),
];

/// What a theme file says about every role.
const ROLES: [&str; 26] = [
    "plain", "dim", "strong", "head", "key", "label", "accent", "ok", "changing", "stopped", "failed", "unknown",
    "draft", "cursor", "match", "disabled", "rule", "selected", "bar", "float", "source-1", "source-2", "source-3",
    "source-4", "source-5", "source-6",
];

/// The looks of sources of lines.
const SOURCES: [&str; 6] = ["source-1", "source-2", "source-3", "source-4", "source-5", "source-6"];

/// Why a theme was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// There is no theme of that name.
    #[error("there is no theme `{0}`; there are default, dark, light, high-contrast, color-blind and no-color")]
    Unknown(String),
    /// It is not TOML.
    #[error("the theme cannot be read: {0}")]
    Syntax(String),
    /// It names a role that does not exist.
    #[error("the theme has an unknown role `{0}`")]
    Role(String),
    /// It says nothing about a role.
    #[error("the theme says nothing about `{0}`")]
    Missing(&'static str),
    /// A style has a word that is neither colour nor modifier.
    #[error("`{word}` of `{role}` is neither a colour nor bold, dim, italic, underline or reverse")]
    Word {
        /// The role.
        role: String,
        /// The word.
        word: String,
    },
}

/// Roles to styles.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    styles: BTreeMap<String, Style>,
    /// Any role has a colour.
    coloured: bool,
    /// Only characters that every font and terminal has.
    pub ascii: bool,
    /// The environment asked for no colours: no other theme is to be taken.
    pub is_forced: bool,
}

impl Theme {
    /// One that comes with the program.
    pub fn named(name: &str) -> Result<Self, ThemeError> {
        let (_, text) =
            BUILT_IN.iter().find(|(known, _)| *known == name).ok_or_else(|| ThemeError::Unknown(name.to_owned()))?;
        text.parse()
    }

    /// `no-color` when NO_COLOR is set and not empty, `wanted` or `default` otherwise. ASCII where the locale is not
    /// UTF-8.
    pub fn from_environment(wanted: Option<&str>) -> Result<Self, ThemeError> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_forced = set("NO_COLOR").is_some();
        let name = if is_forced { "no-color" } else { wanted.unwrap_or("default") };
        let mut theme = Self { is_forced, ..Self::named(name)? };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        theme.ascii = locale.is_some_and(|locale| {
            let lower = locale.to_lowercase();
            matches!(lower.as_str(), "c" | "posix") || (lower.contains('.') && !lower.contains("utf"))
        });
        Ok(theme)
    }

    fn named_style(&self, name: &str) -> Style {
        self.styles.get(name).copied().unwrap_or_default()
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.named_style(match role {
            Role::Ink(ink) => return self.ink(ink),
            Role::Source(look) => SOURCES.get(usize::from(look) % SOURCES.len()).copied().unwrap_or("plain"),
            Role::Plain => "plain",
            Role::Dim => "dim",
            Role::Strong => "strong",
            Role::Head => "head",
            Role::Key => "key",
            Role::Label => "label",
            Role::Accent => "accent",
            Role::Mark(Mark::Ok) => "ok",
            Role::Mark(Mark::Changing) => "changing",
            Role::Mark(Mark::Stopped) => "stopped",
            Role::Mark(Mark::Failed) => "failed",
            Role::Mark(Mark::Unknown) => "unknown",
            Role::Draft => "draft",
            Role::Cursor => "cursor",
            Role::Match => "match",
            Role::Disabled => "disabled",
        })
    }

    /// The looks that a program gave its own lines: its colours only where the theme has colours at all.
    fn ink(&self, ink: Ink) -> Style {
        let mut style = self.named_style("plain");
        let colour = |place: Option<u8>| place.filter(|_| self.coloured).map(indexed);
        if let Some(colour) = colour(ink.fg) {
            style = style.fg(colour);
        }
        if let Some(colour) = colour(ink.bg) {
            style = style.bg(colour);
        }
        for (wanted, modifier) in [
            (ink.bold, Modifier::BOLD),
            (ink.dim, Modifier::DIM),
            (ink.italic, Modifier::ITALIC),
            (ink.underline, Modifier::UNDERLINED),
            (ink.reverse, Modifier::REVERSED),
        ] {
            if wanted {
                style = style.add_modifier(modifier);
            }
        }
        style
    }

    /// Rules between parts.
    pub fn rule(&self) -> Style {
        self.named_style("rule")
    }

    /// Laid over the selected row.
    pub fn selected(&self) -> Style {
        self.named_style("selected")
    }

    /// Laid over the plan bar.
    pub fn bar(&self) -> Style {
        self.named_style("bar")
    }

    /// Laid under what floats.
    pub fn float(&self) -> Style {
        self.named_style("float")
    }
}

impl FromStr for Theme {
    type Err = ThemeError;

    fn from_str(text: &str) -> Result<Self, ThemeError> {
        let table: BTreeMap<String, String> =
            toml::from_str(text).map_err(|error| ThemeError::Syntax(error.to_string()))?;
        if let Some(role) = table.keys().find(|role| !ROLES.contains(&role.as_str())) {
            return Err(ThemeError::Role(role.clone()));
        }
        if let Some(role) = ROLES.iter().find(|role| !table.contains_key(**role)) {
            return Err(ThemeError::Missing(role));
        }
        let styles = table
            .into_iter()
            .map(|(role, words)| Ok((role.clone(), style(&role, &words)?)))
            .collect::<Result<BTreeMap<String, Style>, _>>()?;
        let coloured = styles.values().any(|style: &Style| style.fg.is_some() || style.bg.is_some());
        Ok(Self { styles, coloured, ascii: false, is_forced: false })
    }
}

/// A place of the table of 256; the first sixteen by their names, as the terminal's own palette has them.
fn indexed(place: u8) -> Color {
    const NAMED: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    NAMED.get(usize::from(place)).copied().unwrap_or(Color::Indexed(place))
}

fn style(role: &str, words: &str) -> Result<Style, ThemeError> {
    let mut style = Style::default();
    for word in words.split_whitespace() {
        let modifier = match word {
            "bold" => Some(Modifier::BOLD),
            "dim" => Some(Modifier::DIM),
            "italic" => Some(Modifier::ITALIC),
            "underline" => Some(Modifier::UNDERLINED),
            "reverse" => Some(Modifier::REVERSED),
            _ => None,
        };
        let bad = || ThemeError::Word { role: role.to_owned(), word: word.to_owned() };
        style = match (modifier, word.strip_prefix("bg:")) {
            (Some(modifier), _) => style.add_modifier(modifier),
            (None, Some(colour)) => style.bg(Color::from_str(colour).map_err(|_| bad())?),
            (None, None) => style.fg(Color::from_str(word).map_err(|_| bad())?),
        };
    }
    Ok(style)
}

/// The ASCII stand-in of a character of ours; one cell each, so that nothing moves.
pub fn ascii(symbol: &str) -> Option<&'static str> {
    Some(match symbol {
        "●" | "•" | "▆" => "*",
        "╵" => "'",
        "◐" => "~",
        "○" => "o",
        "✗" => "x",
        "◂" => "<",
        "▸" | "→" | "›" | "╸" | "≥" => ">",
        "↺" => "@",
        "┄" | "░" => ":",
        "·" | "–" | "─" | "▃" => "-",
        "…" | "▏" | "▁" => "_",
        "━" | "▄" => "=",
        "▂" => ".",
        "▇" => "%",
        "█" => "#",
        "▀" => "\"",
        "│" => "|",
        "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" | "▅" => "+",
        "↑" => "^",
        "↓" | "▾" => "v",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_themes_are_whole() {
        for (name, _) in BUILT_IN {
            Theme::named(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn no_color_has_none_and_still_shows_the_selection() {
        let theme = Theme::named("no-color").unwrap();
        assert!(theme.styles.values().all(|style| style.fg.is_none() && style.bg.is_none()));
        assert!(theme.selected().add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn wrong_themes_are_refused_with_words() {
        let whole = BUILT_IN[0].1;
        for (text, error) in [
            (whole.replace("rule = \"dark-gray\"", "rule = \"dark-grey-ish\""), "`dark-grey-ish` of `rule` is neither"),
            (whole.replace("rule =", "ruler ="), "unknown role `ruler`"),
            (whole.replace("rule = \"dark-gray\"\n", ""), "says nothing about `rule`"),
            ("plain = 3".to_owned(), "cannot be read"),
        ] {
            let said = text.parse::<Theme>().unwrap_err().to_string();
            assert!(said.contains(error), "{said}");
        }
        assert!(Theme::named("pink").is_err());
    }
}
