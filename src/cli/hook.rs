//! The command that is run when something is newly wrong.

use std::{process::Stdio, sync::Arc, time::Duration};

use tokio::{process::Command, sync::Semaphore, time::timeout};

/// A hook that takes longer is ended: the next alert must not wait for it.
const LIMIT: Duration = Duration::from_secs(30);

/// Hooks at once. What comes meanwhile is not run: a storm of alerts must not become a storm of processes.
const AT_ONCE: usize = 2;

/// A shell command for alerts.
#[derive(Debug)]
pub(super) struct Hook {
    command: String,
    permits: Arc<Semaphore>,
}

impl Hook {
    pub(super) fn new(command: String) -> Self {
        Self { command, permits: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Runs it with the alerts in `WHARF_ALERTS`, one a line, and their number in `WHARF_ALERT_COUNT`. The words come
    /// from engines and go nowhere but into the environment, so that no shell reads them as commands.
    pub(super) fn run(&self, alerts: &[String]) {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            tracing::warn!("the alert hook is still busy: {} alerts are not told to it", alerts.len());
            return;
        };
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &self.command])
            .env("WHARF_ALERTS", alerts.join("\n"))
            .env("WHARF_ALERT_COUNT", alerts.len().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        tokio::spawn(async move {
            let _permit = permit;
            match timeout(LIMIT, command.status()).await {
                Ok(Ok(status)) if status.success() => {}
                Ok(Ok(status)) => tracing::warn!("the alert hook ended with {status}"),
                Ok(Err(error)) => tracing::warn!("the alert hook does not start: {error}"),
                Err(_) => tracing::warn!("the alert hook took longer than {} s and was ended", LIMIT.as_secs()),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn words_of_engines_are_data() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let hook = Hook::new(format!("printf '%s|%s' \"$WHARF_ALERT_COUNT\" \"$WHARF_ALERTS\" > {}", out.display()));
        let evil = format!("$(touch {0}/evil) `touch {0}/evil`; touch {0}/evil", dir.path().display());
        hook.run(&[evil.clone(), "second".to_owned()]);
        let told = async {
            loop {
                let text = std::fs::read_to_string(&out).unwrap_or_default();
                if text.ends_with("second") {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert_eq!(timeout(Duration::from_secs(30), told).await.unwrap(), format!("2|{evil}\nsecond"));
        assert!(!dir.path().join("evil").exists());
    }
}
