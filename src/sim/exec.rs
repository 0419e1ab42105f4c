//! Commands in containers: create, start (over an upgraded connection), inspect, resize.

use super::container::not_running;
use super::engine::{Engine, State};
use super::num;
use super::reply::{self, Answer, Body, Refusal};
use super::session;
use super::shell::{self, View};
use super::spec::strings;
use http::{HeaderValue, Request, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(super) struct Exec {
    pub(super) container: String,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) tty: bool,
    pub(super) stdin: bool,
    output: (bool, bool),
    started: bool,
    exit_code: Option<i64>,
    user: String,
    /// Columns and rows, as last resized.
    size: Option<(u16, u16)>,
}

fn no_exec(id: &str) -> Refusal {
    Refusal::new(404, format!("No such exec instance: {id}"))
}

impl State {
    /// What a command run in a container sees.
    pub(super) fn view(&self, exec: &Exec, now: jiff::Timestamp) -> View {
        let Some(container) = self.containers.get(&exec.container) else { return View::default() };
        let config = &container.spec.config;
        let short = || container.id.get(..12).unwrap_or_default().to_owned();
        let hostname = config.get("Hostname").and_then(Value::as_str).filter(|name| !name.is_empty());
        let hostname = hostname.map_or_else(short, str::to_owned);
        let mut env = vec!["PATH=/usr/sbin:/usr/bin:/sbin:/bin".to_owned(), format!("HOSTNAME={hostname}")];
        env.extend(strings(config.get("Env")));
        env.extend(exec.env.iter().cloned());
        let files = container.extra.iter().flat_map(|extra| &extra.files).filter(|(_, file)| !file.dir);
        View {
            hostname,
            env,
            files: files.map(|(path, file)| (path.clone(), String::from_utf8_lossy(&file.data).into_owned())).collect(),
            command: container.spec.command.join(" "),
            healthy: container.health.is_none_or(|health| health == super::container::Health::Healthy),
            is_proxy: container.label(crate::model::label::PROXY).is_some(),
            has_shell: !container.spec.image.contains("distroless"),
            refuses: self.script.proxy.refuses,
            now,
        }
    }
}

impl Engine {
    pub(super) fn exec_create(&self, wanted: &str, body: &Value) -> Answer {
        let command = strings(body.get("Cmd"));
        if command.is_empty() {
            return Err(Refusal::bad("No exec command specified"));
        }
        let flag = |key: &str| body.get(key).and_then(Value::as_bool).unwrap_or(false);
        let mut state = self.lock();
        let container = state.container(wanted)?;
        let cid = container.id.clone();
        if !container.alive() {
            return Err(not_running(&cid));
        }
        if container.status == super::container::Status::Paused {
            return Err(Refusal::new(409, format!("Container {wanted} is paused, unpause the container before exec")));
        }
        let exec = Exec {
            container: cid.clone(),
            env: strings(body.get("Env")),
            tty: flag("Tty"),
            stdin: flag("AttachStdin"),
            output: (flag("AttachStdout"), flag("AttachStderr")),
            started: false,
            exit_code: None,
            user: body.get("User").and_then(Value::as_str).unwrap_or_default().to_owned(),
            size: None,
            command,
        };
        let id = num::hex(&mut state.rng, 32);
        let shown = exec.command.join(" ");
        state.execs.insert(id.clone(), exec);
        // Docker forgets finished ones after a while; so must a simulator that runs for weeks.
        if state.execs.len() > 512 {
            let done: Vec<String> =
                state.execs.iter().filter(|(_, e)| e.exit_code.is_some()).map(|(id, _)| id.clone()).collect();
            for id in done.into_iter().take(256) {
                state.execs.remove(&id);
            }
        }
        self.emit_container(&mut state, &cid, &format!("exec_create: {shown}"), &[("execID", id.clone())]);
        Ok(reply::json_status(201, &json!({"Id": id})))
    }

    pub(super) fn exec_start<B>(self: Arc<Self>, id: &str, body: &Value, request: &mut Request<B>) -> Answer {
        let exec = {
            let mut state = self.lock();
            let exec = state.execs.get_mut(id).ok_or_else(|| no_exec(id))?;
            if exec.started {
                return Err(Refusal::new(409, format!("Error: Exec command {id} is already running")));
            }
            exec.started = true;
            let exec = exec.clone();
            if !state.container(&exec.container)?.alive() {
                return Err(not_running(&exec.container));
            }
            let shown = format!("exec_start: {}", exec.command.join(" "));
            self.emit_container(&mut state, &exec.container, &shown, &[("execID", id.to_owned())]);
            exec
        };
        let id = id.to_owned();
        if body.get("Detach").and_then(Value::as_bool).unwrap_or(false) {
            let engine = self.clone();
            self.spawn(async move {
                let _ = session::serve(&engine, &id, &exec, tokio::io::empty(), tokio::io::sink()).await;
            });
            return Ok(reply::empty(200));
        }
        if !request.headers().contains_key(header::UPGRADE) {
            return Ok(reply::stream("application/vnd.docker.raw-stream", session::stream(&self, id, exec)));
        }
        let upgrade = hyper::upgrade::on(request);
        let engine = self.clone();
        self.spawn(async move {
            let Ok(io) = upgrade.await else { return };
            let (input, output) = tokio::io::split(TokioIo::new(io));
            let _ = session::serve(&engine, &id, &exec, input, output).await;
        });
        Ok(upgraded())
    }

    pub(super) fn exec_inspect(&self, id: &str) -> Answer {
        let state = self.lock();
        let exec = state.execs.get(id).ok_or_else(|| no_exec(id))?;
        let (program, arguments) =
            exec.command.split_first().map_or(("", &[][..]), |(program, rest)| (program.as_str(), rest));
        let mut process = json!({"tty": exec.tty, "entrypoint": program, "arguments": arguments, "privileged": false});
        if let (false, Some(map)) = (exec.user.is_empty(), process.as_object_mut()) {
            map.insert("user".to_owned(), Value::from(exec.user.as_str()));
        }
        Ok(reply::ok(&json!({
            "ID": id, "Running": exec.started && exec.exit_code.is_none(), "ExitCode": exec.exit_code,
            "ProcessConfig": process, "OpenStdin": exec.stdin, "OpenStdout": exec.output.0, "OpenStderr": exec.output.1,
            "CanRemove": exec.exit_code.is_some(), "ContainerID": exec.container, "DetachKeys": "",
            "Pid": if exec.started { 4242 } else { 0 },
        })))
    }

    pub(super) fn exec_resize(&self, id: &str, query: &super::query::Query) -> Answer {
        let (rows, columns) = (query.number("h")?.unwrap_or(0), query.number("w")?.unwrap_or(0));
        let mut state = self.lock();
        let exec = state.execs.get_mut(id).ok_or_else(|| no_exec(id))?;
        exec.size = Some((columns, rows));
        Ok(reply::empty(200))
    }

    /// Columns and rows of an exec's terminal.
    pub(super) fn exec_size(&self, id: &str) -> (u16, u16) {
        self.lock().execs.get(id).and_then(|exec| exec.size).unwrap_or((80, 24))
    }

    /// The steps of an exec, from what its container looks like now.
    pub(super) fn exec_view(&self, exec: &Exec) -> View {
        self.lock().view(exec, self.clock.now())
    }

    pub(super) fn exec_done(&self, id: &str, code: i64) {
        let mut state = self.lock();
        let Some(exec) = state.execs.get_mut(id) else { return };
        exec.exit_code = Some(code);
        let container = exec.container.clone();
        let more = [("execID", id.to_owned()), ("exitCode", code.to_string())];
        self.emit_container(&mut state, &container, "exec_die", &more);
    }
}

/// The answer that turns a connection into a raw stream.
pub(super) fn upgraded() -> Response<Body> {
    let mut answer = reply::empty(101);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.docker.raw-stream"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("tcp"));
    answer
}

/// True for a shell without a script, which reads its commands from standard input.
pub(super) fn interactive(command: &[String]) -> bool {
    // `sh -c 'exec sh'` is a shell too.
    matches!(command, [shell, flag, script] if shell::is_shell(shell) && flag == "-c" && script.contains("exec sh"))
        || matches!(command, [shell] if shell::is_shell(shell))
        || matches!(command, [shell, flag] if shell::is_shell(shell) && matches!(flag.as_str(), "-i" | "-l"))
}
