//! Commands in containers, and files into and out of them.

use super::*;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::*;
use futures::{StreamExt as _, TryStreamExt as _};
use std::io::Read as _;
use tokio::io::AsyncWriteExt as _;

/// Runs a command; standard output, standard error, exit code.
async fn exec(docker: &Docker, cmd: &[&str], input: Option<&str>, tty: bool) -> (String, String, i64) {
    let options = CreateExecOptions {
        cmd: Some(cmd.to_vec()),
        attach_stdin: Some(input.is_some()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(tty),
        ..Default::default()
    };
    let id = docker.create_exec("box", options).await.unwrap().id;
    let started = docker.start_exec(&id, Some(StartExecOptions { tty, ..Default::default() })).await.unwrap();
    let StartExecResults::Attached { mut output, input: mut writer } = started else { panic!("attached") };
    if let Some(input) = input {
        writer.write_all(input.as_bytes()).await.unwrap();
        writer.shutdown().await.unwrap();
    }
    let (mut out, mut err) = (String::new(), String::new());
    soon(async {
        while let Some(chunk) = output.next().await {
            match chunk.unwrap() {
                bollard::container::LogOutput::StdErr { message } => err.push_str(&String::from_utf8_lossy(&message)),
                other => out.push_str(&String::from_utf8_lossy(&other.into_bytes())),
            }
        }
    })
    .await;
    let inspect = docker.inspect_exec(&id).await.unwrap();
    assert_eq!(inspect.running, Some(false));
    (out, err, inspect.exit_code.unwrap())
}

#[tokio::test]
async fn commands() {
    let engine = engine();
    let docker = docker(&engine);
    let mut wanted = body("app:1");
    wanted.env = Some(vec!["MODE=live".into()]);
    wanted.hostname = Some("inner".into());
    run(&docker, "box", wanted).await;
    assert_eq!(exec(&docker, &["echo", "hi"], None, false).await, ("hi\n".into(), String::new(), 0));
    assert_eq!(exec(&docker, &["sh", "-c", "echo a; hostname; exit 5"], None, false).await.0, "a\ninner\n");
    assert_eq!(exec(&docker, &["sh", "-c", "exit 5"], None, false).await.2, 5);
    assert!(exec(&docker, &["env"], None, false).await.0.contains("MODE=live\n"));
    assert_eq!(exec(&docker, &["cat"], Some("one\ntwo\n"), false).await.0, "one\ntwo\n");
    let (_, err, code) = exec(&docker, &["fly"], None, false).await;
    assert_eq!((err.as_str(), code), ("sh: fly: not found\n", 127));
    let (out, _, code) = exec(&docker, &["sh"], Some("echo $MODE\rexit 3\r"), true).await;
    assert!(out.contains("/ # ") && out.contains("live\r\n"), "{out:?}");
    assert_eq!(code, 3);
}

#[tokio::test]
async fn exec_needs_a_running_container_and_runs_once() {
    let engine = engine();
    let docker = docker(&engine);
    create(&docker, "box", body("app:1")).await.unwrap();
    let cmd = r#"{"Cmd":["sleep","0"],"AttachStdout":true}"#;
    assert_eq!(post(&engine, "/containers/box/exec", cmd).await.0, 409);
    start(&docker, "box").await.unwrap();
    assert_eq!(post(&engine, "/containers/box/exec", "{}").await.0, 400);
    let (status, created) = post(&engine, "/containers/box/exec", cmd).await;
    assert_eq!(status, 201);
    let id = created["Id"].as_str().unwrap();
    assert_eq!(get(&engine, &format!("/exec/{id}/json")).await.1["ExitCode"], Value::Null);
    assert_eq!(post(&engine, &format!("/exec/{id}/resize?h=24&w=80"), "").await.0, 200);
    // Without an upgrade the output is the body.
    assert_eq!(post(&engine, &format!("/exec/{id}/start"), r#"{"Detach":false}"#).await.0, 200);
    assert_eq!(get(&engine, &format!("/exec/{id}/json")).await.1["ExitCode"], 0);
    assert_eq!(post(&engine, &format!("/exec/{id}/start"), "{}").await.0, 409);
    assert_eq!(get(&engine, "/exec/beef/json").await.0, 404);
}

#[tokio::test]
async fn files_go_in_are_seen_and_come_out() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "box", body("app:1")).await;
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o640);
    tar.append_data(&mut header, "conf.d/a.cfg", &b"x = 1"[..]).unwrap();
    let data = tar.into_inner().unwrap();
    let options = UploadToContainerOptionsBuilder::default().path("/etc/app/").build();
    docker.upload_to_container("box", Some(options), bollard::body_full(data.into())).await.unwrap();
    assert_eq!(engine.file("box", "/etc/app/conf.d/a.cfg").unwrap(), b"x = 1");
    assert_eq!(exec(&docker, &["cat", "/etc/app/conf.d/a.cfg"], None, false).await.0, "x = 1");
    let options = DownloadFromContainerOptionsBuilder::default().path("/etc/app/conf.d").build();
    let chunks: Vec<Bytes> = docker.download_from_container("box", Some(options)).try_collect().await.unwrap();
    let data = chunks.concat();
    let mut archive = tar::Archive::new(data.as_slice());
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    assert_eq!((entry.path().unwrap().display().to_string().as_str(), text.as_str()), ("conf.d/a.cfg", "x = 1"));
    assert_eq!(get(&engine, "/containers/box/archive?path=/none").await.0, 404);
    let options = ContainerArchiveInfoOptionsBuilder::default().path("/etc/app/conf.d/a.cfg").build();
    docker.get_container_archive_info("box", Some(options)).await.unwrap();
    let changes = docker.container_changes("box").await.unwrap().unwrap();
    assert!(changes.iter().any(|change| change.path == "/etc/app/conf.d/a.cfg"), "{changes:?}");
    let top = docker.top_processes("box", None::<TopOptions>).await.unwrap();
    assert_eq!(top.titles.unwrap().len(), top.processes.unwrap()[0].len());
}
