//! A container, or the engine itself, from the inside: every part is a call of its own with its own deadline, and is
//! told as it comes.

use std::{sync::Arc, time::Duration};

use futures::{
    FutureExt, Stream,
    future::{BoxFuture, Shared},
    stream::FuturesUnordered,
};
use jiff::Timestamp;
use serde_json::Value;

use super::{EngineError, Reader, http::encode, wire};
use crate::{
    model::{
        Changed, ContainerId, Fact, FileChange, Files, Layer, Layers, Part, PartTold, Processes, Question, Subject,
        Told, Veil, credentials,
    },
    text::Text,
};

/// An answer must be there by then.
const PATIENCE: Duration = Duration::from_secs(6);
/// Comparing all files of a container with its image's takes longer.
const COMPARING: Duration = Duration::from_secs(20);
/// Bytes of one answer that are read.
const MOST: usize = 16 << 20;
/// Changed files that are told.
const FILES: usize = 1_000;
/// Processes that are told.
const PROCESSES: usize = 500;
/// Steps of an image that are told; engines allow 127 layers.
const LAYERS: usize = 200;

/// An inspection, or why there is none: other parts wait for it to know what is confidential.
type Inspected = Shared<BoxFuture<'static, Result<Arc<Value>, Text>>>;

impl Reader {
    /// Answers a question part by part, in the order in which answers come. Each comes in the end, if only in words
    /// about why there is none. What is confidential by name, or is known from the container's environment, is not in
    /// them.
    pub fn inside(&self, question: Question) -> impl Stream<Item = PartTold> + Send + use<> {
        let number = question.number;
        let answers: FuturesUnordered<BoxFuture<'static, PartTold>> = FuturesUnordered::new();
        let inspected = self.inspected(&question.subject);
        for part in question.parts {
            let (reader, subject, inspected) = (self.clone(), question.subject.clone(), inspected.clone());
            let told = async move { reader.part(part, &subject, inspected).await };
            answers.push(told.map(move |told| PartTold { number, part, told }).boxed());
        }
        answers
    }

    fn inspected(&self, subject: &Subject) -> Inspected {
        let (reader, subject) = (self.clone(), subject.clone());
        let asked = async move {
            let Subject::Container { id, .. } = &subject else { return Err(Text::default()) };
            let path = format!("/containers/{}/json", encode(id.0.as_str()));
            reader.document("inspect a container", &path, PATIENCE).await.map(Arc::new)
        };
        asked.boxed().shared()
    }

    async fn part(&self, part: Part, subject: &Subject, inspected: Inspected) -> Result<Told, Text> {
        let nothing = Veil::default();
        match (part, subject) {
            (Part::Container, _) => {
                let found = inspected.await?;
                Ok(Told::Facts(Fact::of(&found, &veil(&found))))
            }
            (Part::Processes, Subject::Container { id, .. }) => {
                let (told, inspected) = tokio::join!(self.top(id), inspected);
                Ok(Told::Processes(told?).veiled(&known(inspected)))
            }
            (Part::Files, Subject::Container { id, .. }) => {
                let (told, inspected) = tokio::join!(self.changes(id), inspected);
                Ok(Told::Files(told?).veiled(&known(inspected)))
            }
            (Part::Image, Subject::Container { image, .. }) => {
                let path = format!("/images/{}/json", encode(&of_image(image)?));
                let found = self.document("inspect an image", &path, PATIENCE).await?;
                Ok(Told::Facts(Fact::of(&found, &veil(&found))))
            }
            (Part::Layers, Subject::Container { image, .. }) => self.history(&of_image(image)?).await.map(Told::Layers),
            (Part::Info, _) => {
                Ok(Told::Facts(Fact::of(&self.document("ask for its machine", "/info", PATIENCE).await?, &nothing)))
            }
            (Part::Version, _) => {
                Ok(Told::Facts(Fact::of(&self.document("ask for its version", "/version", PATIENCE).await?, &nothing)))
            }
            (Part::Events, Subject::Container { id, .. }) => {
                let (told, inspected) = tokio::join!(self.past_events(Some(id)), inspected);
                Ok(Told::Events(told.map_err(|error| words(&error))?).veiled(&known(inspected)))
            }
            (Part::Events, Subject::Host(_)) => {
                self.past_events(None).await.map(Told::Events).map_err(|error| words(&error))
            }
            (_, Subject::Host(_)) => Err(Text::new("an engine has no such thing")),
        }
    }

    async fn document(&self, tried: &'static str, path: &str, patience: Duration) -> Result<Value, Text> {
        let asked = self.ask(tried, async |session| session.http.json_of(path, MOST, patience).await);
        asked.await.map_err(|error| words(&error))
    }

    async fn top(&self, id: &ContainerId) -> Result<Processes, Text> {
        let path = format!("/containers/{}/top", encode(id.0.as_str()));
        let asked =
            self.ask("list processes", async |session| session.http.json_of::<wire::Top>(&path, MOST, PATIENCE).await);
        let found = asked.await.map_err(|error| words(&error))?;
        let safe = |cell: &String| Text::new(&credentials(Text::new(cell).as_str()));
        let row = |row: &Vec<String>| row.iter().take(found.titles.len()).map(safe).collect();
        Ok(Processes {
            rows: found.processes.iter().take(PROCESSES).map(row).collect(),
            titles: found.titles.iter().map(safe).collect(),
            left_out: found.processes.len().saturating_sub(PROCESSES),
        })
    }

    async fn changes(&self, id: &ContainerId) -> Result<Files, Text> {
        let path = format!("/containers/{}/changes", encode(id.0.as_str()));
        let asked = self.ask("compare files with the image", async |session| {
            session.http.json_of::<Option<Vec<wire::FileChange>>>(&path, MOST, COMPARING).await
        });
        let mut found = asked.await.map_err(|error| words(&error))?.unwrap_or_default();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let mut files = Files { left_out: found.len().saturating_sub(FILES), ..Files::default() };
        for (at, change) in found.iter().enumerate() {
            let (counted, what) = match change.kind {
                1 => (&mut files.added, Changed::Added),
                2 => (&mut files.deleted, Changed::Deleted),
                _ => (&mut files.changed, Changed::Changed),
            };
            *counted += 1;
            if at < FILES {
                files.changes.push(FileChange { change: what, path: Text::new(&change.path) });
            }
        }
        Ok(files)
    }

    async fn history(&self, image: &str) -> Result<Layers, Text> {
        let path = format!("/images/{}/history", encode(image));
        let asked = self.ask("list an image's layers", async |session| {
            session.http.json_of::<Vec<wire::Layer>>(&path, MOST, PATIENCE).await
        });
        let found = asked.await.map_err(|error| words(&error))?;
        let layer = |layer: &wire::Layer| Layer {
            created: Timestamp::from_second(layer.created).ok().filter(|at| at.as_second() > 0),
            by: Text::new(&credentials(Text::new(&layer.by).as_str())),
            size: layer.size,
            tags: layer.tags.iter().map(|tag| Text::new(tag)).collect(),
        };
        let layers = found.iter().take(LAYERS).map(layer).collect();
        Ok(Layers { layers, left_out: found.len().saturating_sub(LAYERS) })
    }
}

/// What the environment of a container or an image holds in confidence.
fn veil(inspected: &Value) -> Veil {
    let lines = inspected.pointer("/Config/Env").and_then(Value::as_array).into_iter().flatten();
    Veil::of_environment(lines.filter_map(Value::as_str))
}

fn known(inspected: Result<Arc<Value>, Text>) -> Veil {
    inspected.map(|found| veil(&found)).unwrap_or_default()
}

fn of_image(image: &Text) -> Result<String, Text> {
    if image.is_empty() { Err(Text::new("its image is not known")) } else { Ok(image.to_string()) }
}

/// Why an engine does not answer, in words. Of what is gone, engines say its id, which nobody reads.
fn words(error: &EngineError) -> Text {
    let is_gone = error.why.as_str().to_lowercase().contains("no such container");
    if is_gone { Text::new("it is not on this host any more") } else { error.reason() }
}
