//! Images, pulls and the registry.

use super::*;
use crate::sim::ImageFault;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::*;
use futures::TryStreamExt as _;

async fn pull(
    docker: &Docker,
    image: &str,
    auth: Option<DockerCredentials>,
) -> Result<Vec<String>, bollard::errors::Error> {
    let options = CreateImageOptionsBuilder::default().from_image(image).build();
    let lines: Vec<_> = docker.create_image(Some(options), None, auth).try_collect().await?;
    Ok(lines.into_iter().filter_map(|line| line.status).collect())
}

#[tokio::test]
async fn pulled_by_tag_and_by_digest_is_the_same_image() {
    let engine = Engine::quick("box");
    let docker = docker(&engine);
    let lines = pull(&docker, "team/web:2-bad", None).await.unwrap();
    assert!(lines.first().unwrap().starts_with("Pulling from team/web"));
    assert!(lines.iter().any(|line| line == "Downloading"));
    assert_eq!(lines.last().unwrap(), "Status: Downloaded newer image for team/web:2-bad");
    assert!(pull(&docker, "team/web:2-bad", None).await.unwrap().last().unwrap().contains("up to date"));
    let digest = docker.inspect_registry_image("team/web:2-bad", None).await.unwrap().descriptor.digest.unwrap();
    let by_tag = docker.inspect_image("team/web:2-bad").await.unwrap();
    assert_eq!(by_tag.repo_digests.unwrap(), [format!("team/web@{digest}")]);

    let other = Engine::new(Profile::new("other"), engine.registry.clone(), Script::default(), Clock::running(), 2);
    let docker2 = super::docker(&other);
    pull(&docker2, &format!("team/web@{digest}"), None).await.unwrap();
    let by_digest = docker2.inspect_image(&format!("team/web@{digest}")).await.unwrap();
    assert_eq!(by_digest.id, by_tag.id);
    assert_eq!(other.pulls()[0].reference, format!("team/web@{digest}"));
    // How it behaves is in the image, however it was named.
    run(&docker2, "ww", body(&format!("team/web@{digest}"))).await;
    until(&other, "ww", |c| c["State"]["ExitCode"] == 1).await;
}

#[tokio::test]
async fn registries_refuse() {
    let engine = Engine::quick("box");
    let docker = docker(&engine);
    engine.script(|script| {
        script.missing.insert("ghost".to_owned());
        script.images.insert("app:9".to_owned(), ImageFault::NoTag);
        script.images.insert("private".to_owned(), ImageFault::Unauthorized);
        script.images.insert("cut".to_owned(), ImageFault::BreaksOff);
        script.images.insert("far".to_owned(), ImageFault::Unreachable);
    });
    let (status, text) = refused(pull(&docker, "ghost:1", None).await);
    assert_eq!(status, 404);
    assert!(text.starts_with("pull access denied for ghost"), "{text}");
    let (status, text) = refused(pull(&docker, "app:9", None).await);
    assert_eq!(status, 404);
    assert!(text.contains("manifest unknown"), "{text}");
    assert_eq!(refused(pull(&docker, "far:1", None).await).0, 500);
    assert!(refused(pull(&docker, "private:1", None).await).1.contains("no basic auth credentials"));
    let login = DockerCredentials { username: Some("ana".into()), password: Some("x".into()), ..Default::default() };
    pull(&docker, "private:1", Some(login)).await.unwrap();
    assert!(engine.pulls().last().unwrap().auth.is_some());
    assert!(pull(&docker, "cut:1", None).await.is_err());
    assert_eq!(get(&engine, "/images/cut:1/json").await.0, 404, "half a pull leaves no image");
    assert_eq!(get(&engine, "/distribution/ghost:1/json").await.0, 403);
    engine.script(|script| script.disk_full = true);
    let error = pull(&docker, "big:1", None).await.unwrap_err();
    assert!(error.to_string().contains("no space left on device"), "{error}");
    assert_eq!(post(&engine, "/images/create?fromImage=Upper", "").await.0, 400);
}

#[tokio::test]
async fn listed_tagged_removed_pruned() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "aa", body("app:1")).await;
    let list = docker.list_images(None::<ListImagesOptions>).await.unwrap();
    assert_eq!(list.len(), 4);
    assert!(list.iter().all(|image| image.id.starts_with("sha256:") && image.size > 0));
    let (status, text) = refused(docker.remove_image("app:1", None::<RemoveImageOptions>, None).await);
    assert_eq!(status, 409);
    assert!(text.contains("is using its referenced image"), "{text}");
    // By name and by force only the name goes; by id not even force helps.
    let id = list.iter().find(|image| image.repo_tags == ["app:1"]).unwrap().id.clone();
    let force = || Some(RemoveImageOptionsBuilder::default().force(true).build());
    let (status, text) = refused(docker.remove_image(&id, force(), None).await);
    assert_eq!(status, 409);
    assert!(text.contains("cannot be forced"), "{text}");
    docker.tag_image("app:1", Some(TagImageOptionsBuilder::default().repo("kept").tag("r7").build())).await.unwrap();
    let untagged = docker.remove_image("app:1", None::<RemoveImageOptions>, None).await.unwrap();
    assert_eq!(untagged[0].untagged.as_deref(), Some("app:1"));
    assert_eq!(get(&engine, "/images/kept:r7/json").await.0, 200);
    let gone = docker.remove_image("app:sick", None::<RemoveImageOptions>, None).await.unwrap();
    assert!(gone.iter().any(|item| item.deleted.is_some()));
    let filters = HashMap::from([("dangling", vec!["false"])]);
    let options = PruneImagesOptionsBuilder::default().filters(&filters).build();
    let pruned = docker.prune_images(Some(options)).await.unwrap();
    assert!(pruned.space_reclaimed.unwrap() > 0);
    assert_eq!(docker.list_images(None::<ListImagesOptions>).await.unwrap().len(), 1);
    assert_eq!(
        get(&engine, "/images/none/json").await,
        (404, serde_json::json!({"message": "no such image: none: No such image: none:latest"}))
    );
}
