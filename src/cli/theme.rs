//! The theme: one that comes with the program, one of the user's, or a file; files are read again when they change.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::sync::{mpsc, watch};

use super::Failure;
use crate::{app::Msg, config::Environment, text::Text, tui::Theme};

/// How often a theme's file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Where the theme comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    name: Option<String>,
    file: Option<PathBuf>,
    is_ascii: bool,
}

impl Source {
    /// A name is looked up in the user's `themes` directory first, so that they can have their own `default`.
    pub(super) fn new(name: Option<String>, is_ascii: bool) -> Self {
        let path = name.as_deref().map(Path::new);
        let file = match path {
            Some(path) if path.extension().is_some() || path.components().count() > 1 => Some(path.to_owned()),
            _ => {
                let own = format!("themes/{}.toml", name.as_deref().unwrap_or("default"));
                Some(Environment::current().config_dir.join(own)).filter(|own| own.is_file())
            }
        };
        Self { name, file, is_ascii }
    }

    /// Reads it.
    pub(super) fn load(&self) -> Result<Theme, Failure> {
        let wrong = |error: crate::tui::theme::ThemeError| Failure::Input(error.to_string());
        let mut theme = Theme::from_environment(self.name.as_deref().filter(|_| self.file.is_none())).map_err(wrong)?;
        if let Some(path) = self.file.as_ref().filter(|_| !theme.is_forced) {
            let shown = path.display();
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::Input(format!("the theme {shown} cannot be read: {error}")))?;
            let mut read: Theme = text.parse().map_err(|error| Failure::Input(format!("{shown}: {}", wrong(error))))?;
            read.ascii = theme.ascii;
            theme = read;
        }
        theme.ascii |= self.is_ascii;
        Ok(theme)
    }

    fn changed_at(&self) -> Option<SystemTime> {
        std::fs::metadata(self.file.as_ref()?).and_then(|file| file.modified()).ok()
    }

    /// Reads the file again whenever it changes, as long as somebody looks. What is wrong with it is said, and the theme
    /// stays as it was.
    pub(super) async fn follow(self, themes: watch::Sender<Theme>, inbox: mpsc::Sender<Msg>) {
        if self.file.is_none() {
            return themes.closed().await;
        }
        let mut seen = self.changed_at();
        while !themes.is_closed() {
            tokio::time::sleep(LOOK).await;
            let now = self.changed_at();
            if now == seen {
                continue;
            }
            seen = now;
            match self.load() {
                Ok(theme) => drop(themes.send(theme)),
                Err(failure) => drop(inbox.send(Msg::Failed(Text::new(&failure.to_string()))).await),
            }
        }
    }
}
