//! What the dashboard asks engines for somebody who looks: each answer is a message.

use futures::StreamExt;
use tokio::sync::mpsc;

use crate::{
    app::Msg,
    engine::{EngineError, Reader},
    model::{ContainerId, PartTold, Question, Storage},
    text::Text,
};

/// Engines that are asked at once what they keep.
const SURVEYED: usize = 16;

/// Asks what a container says of why it is not well.
pub(super) async fn evidence(reader: Option<Reader>, container: ContainerId, answers: mpsc::Sender<Msg>) {
    if let Some(reader) = reader {
        let evidence = reader.evidence(&container).await;
        let _ = answers.send(Msg::Evidence(Box::new(evidence))).await;
    }
}

/// Asks engines what they keep: first what there is, then what it takes, which is slow.
pub(super) async fn survey(readers: Vec<Reader>, answers: mpsc::Sender<Msg>) {
    let ask = async |reader: &Reader| {
        let host = reader.host().clone();
        let tell = async |answer: Result<Storage, EngineError>| {
            let answer = answer.map_err(|error| Text::new(&error.to_string()));
            let _ = answers.send(Msg::Storage(host.clone(), Box::new(answer))).await;
        };
        match reader.storage().await {
            Ok(storage) => {
                tell(Ok(storage.clone())).await;
                tell(reader.counted(storage).await).await;
            }
            Err(error) => tell(Err(error)).await,
        }
    };
    futures::stream::iter(&readers).for_each_concurrent(SURVEYED, ask).await;
}

/// Asks about a container or an engine, and hands every part over as it comes.
pub(super) async fn inside(reader: Option<Reader>, question: Question, answers: mpsc::Sender<Msg>) {
    let Some(reader) = reader else {
        for part in question.parts {
            let told = Err(Text::new("its host is not watched any more"));
            let _ = answers.send(Msg::Inspected(Box::new(PartTold { number: question.number, part, told }))).await;
        }
        return;
    };
    let mut told = reader.inside(question);
    while let Some(part) = told.next().await {
        let _ = answers.send(Msg::Inspected(Box::new(part))).await;
    }
}
