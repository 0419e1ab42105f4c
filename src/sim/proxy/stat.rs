//! `show stat` and `show servers state` of a simulated proxy: the columns of HAProxy 2.6.

use super::super::num;
use super::server::{Admin, Server};
use super::worker::{Backend, Worker};
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::LazyLock;

pub(super) const COLUMNS: &str = "pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max,ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,agg_server_check_status,agg_check_status,-,ssl_sess,ssl_reused_sess,ssl_failed_handshake,h2_headers_rcvd,h2_data_rcvd,h2_settings_rcvd,h2_rst_stream_rcvd,h2_goaway_rcvd,h2_detected_conn_protocol_errors,h2_detected_strm_protocol_errors,h2_rst_stream_resp,h2_goaway_resp,h2_open_connections,h2_backend_open_streams,h2_total_connections,h2_backend_total_streams,h1_open_connections,h1_open_streams,h1_total_connections,h1_total_streams,h1_bytes_in,h1_bytes_out,h1_spliced_bytes_in,h1_spliced_bytes_out";

/// Rows of a process that has done nothing yet: which columns a kind of row has, and which are empty.
const FRONTEND_HTTP: &str = ",FRONTEND,,,0,0,9979,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,2,0,,,,0,0,0,0,,,,0,0,0,0,0,0,,0,0,0,,,0,0,0,0,,,,,,,,,,,,,,,,,,,,,http,,0,0,0,0,0,0,0,,,0,0,,,,,,,0,,,,,,,,,-,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0";
const FRONTEND_TCP: &str = ",FRONTEND,,,0,0,9979,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,3,0,,,,0,0,0,0,,,,,,,,,,,0,0,0,,,0,0,0,0,,,,,,,,,,,,,,,,,,,,,tcp,,0,0,0,,0,0,0,,,,,,,,,,,0,,,,,,,,,-,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0";
const BACKEND_HTTP: &str = ",BACKEND,0,0,0,0,998,0,0,0,0,0,,0,0,0,0,UP,1,1,0,,0,0,0,,1,4,0,,0,,1,0,,0,,,,0,0,0,0,0,0,,,,0,0,0,0,0,0,0,-1,,,0,0,0,0,,,,,,,,,,,,,,http,leastconn,,,,,,,0,0,0,0,0,,,0,0,0,0,0,,,,,1,0,0,0,-,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0";
const BACKEND_TCP: &str = ",BACKEND,0,0,0,0,998,0,0,0,0,0,,0,0,0,0,UP,1,1,0,,0,0,0,,1,5,0,,0,,1,0,,0,,,,,,,,,,,,,,0,0,0,0,0,0,-1,,,0,0,0,0,,,,,,,,,,,,,,tcp,leastconn,,,,,,,0,0,0,,,,,0,0,0,0,0,,,,,1,0,0,0,-,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0";
const SERVER: &str = ",,0,0,0,0,,0,0,0,,0,,0,0,0,0,UP,1,1,0,0,0,0,0,,1,4,1,,0,,2,0,,0,L4OK,,0,0,0,0,0,0,0,,,,0,0,0,,,,,-1,,,0,0,0,0,,,,Layer4 check passed,,2,3,4,,,,,,http,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,1,1,,,,-,0,0,0,,,,,,,,,,,,,,,,,,,,,";

/// What the checks of a server found.
const RESULTS: [&str; 7] =
    ["check_status", "check_duration", "check_desc", "check_rise", "check_fall", "check_health", "last_chk"];

static PLACES: LazyLock<BTreeMap<&str, usize>> = LazyLock::new(|| COLUMNS.split(',').zip(0..).collect());

/// One row on its way.
struct Row(Vec<String>);

impl Row {
    fn like(template: &str) -> Self {
        Self(template.split(',').map(str::to_owned).collect())
    }

    fn set(&mut self, column: &str, value: impl Display) {
        if let Some(cell) = PLACES.get(column).and_then(|at| self.0.get_mut(*at)) {
            cell.clear();
            let _ = write!(cell, "{value}");
        }
    }

    fn blank(&mut self, columns: &[&str]) {
        for column in columns {
            self.set(column, "");
        }
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.0.join(","));
        out.push_str(",\n");
    }
}

/// Which rows are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Of this proxy of the file, by name or number.
    pub(super) proxy: Option<&'a str>,
    /// Bits: frontends, backends, servers.
    pub(super) kinds: u32,
    /// Of this server, by number.
    pub(super) server: Option<u32>,
}

impl Wanted<'_> {
    fn fits(&self, name: &str, id: u32) -> bool {
        self.proxy.is_none_or(|wanted| wanted == name || wanted.parse() == Ok(id))
    }
}

fn seconds(now: f64, since: f64) -> u64 {
    num::count(now - since)
}

/// The whole answer, with its header.
pub(super) fn show(worker: &Worker, wanted: Wanted<'_>, now: f64, load: f64) -> String {
    let mut out = format!("# {COLUMNS},\n");
    let frontends = worker.frontends.iter().filter(|it| wanted.kinds & 1 != 0 && wanted.fits(&it.name, it.id));
    for frontend in frontends {
        let mut row = Row::like(if frontend.is_http { FRONTEND_HTTP } else { FRONTEND_TCP });
        row.set("pxname", &frontend.name);
        row.set("iid", frontend.id);
        row.set("status", if worker.is_leaving { "STOP" } else { "OPEN" });
        row.write(&mut out);
    }
    for backend in worker.backends.iter().filter(|it| wanted.fits(&it.name, it.id)) {
        if wanted.kinds & 4 != 0 {
            for (at, server) in backend.servers.iter().enumerate() {
                if wanted.server.is_none_or(|id| id == server.id) {
                    server_row(backend, server, backend.sessions(at, now, load), now).write(&mut out);
                }
            }
        }
        if wanted.kinds & 2 != 0 {
            backend_row(worker, backend, now, load).write(&mut out);
        }
    }
    out
}

fn server_row(backend: &Backend, server: &Server, sessions: u64, now: f64) -> Row {
    let mut row = Row::like(SERVER);
    let counts = &server.counts;
    let requests = num::count(counts.requests);
    let errors = num::count(counts.errors.ceil()).min(requests);
    row.set("pxname", &backend.name);
    row.set("svname", &server.name);
    row.set("iid", backend.id);
    row.set("sid", server.id);
    for column in ["scur", "used_conn_cur", "need_conn_est"] {
        row.set(column, sessions);
    }
    row.set("smax", sessions.max(u64::from(requests > 0)));
    for column in ["stot", "lbtot", "connect"] {
        row.set(column, requests);
    }
    row.set("econ", num::count(counts.refused.ceil()));
    row.set("eresp", num::count(counts.broken.ceil()));
    row.set("wretr", num::count(counts.retries.ceil()));
    row.set("wredis", num::count(counts.moved.ceil()));
    row.set("status", server.status());
    row.set("chkdown", server.downs);
    row.set("lastchg", seconds(now, server.changed_at));
    row.set("downtime", if server.is_up { 0 } else { seconds(now, server.changed_at) });
    if server.port > 0 {
        row.set("addr", format!("{}:{}", server.address, server.port));
    }
    if let super::Truth::Well { answer, .. } = server.truth {
        let answer = num::count(if requests > 0 { answer.round() } else { 0.0 });
        for column in ["rtime", "ttime"] {
            row.set(column, answer);
        }
    }
    row.set("lastsess", if requests > 0 { "0" } else { "-1" });
    row.set("hrsp_2xx", requests - errors);
    row.set("hrsp_5xx", errors);
    row.set("req_tot", requests);
    if server.observes {
        row.set("hanafail", 0);
    }
    if server.is_added {
        row.set("src_ilim", 0);
    }
    if !backend.is_http {
        row.set("mode", "tcp");
        row.blank(&["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other", "req_tot"]);
    }
    if let Some(check) = server.check {
        row.set("check_rise", check.rise);
        row.set("check_fall", check.fall);
        row.set("check_health", if server.is_up { check.rise + check.fall - 1 } else { 0 });
        if !server.passed(now) {
            row.set("check_status", "L4CON");
            row.set("check_desc", "Layer4 connection problem");
            row.set("last_chk", "Connection refused");
        }
    }
    if server.check.is_none() || !server.is_checking {
        row.blank(&["chkfail", "chkdown", "downtime"]);
        row.blank(&RESULTS);
    } else if server.admin == Admin::Maint {
        row.blank(&RESULTS);
    }
    row
}

fn backend_row(worker: &Worker, backend: &Backend, now: f64, load: f64) -> Row {
    let mut row = Row::like(if backend.is_http { BACKEND_HTTP } else { BACKEND_TCP });
    let requests = num::count(backend.requests);
    let failed = num::count(backend.failed.ceil());
    let taking = backend.servers.iter().filter(|server| server.takes()).count();
    row.set("pxname", &backend.name);
    row.set("iid", backend.id);
    let sessions: u64 = (0..backend.servers.len()).map(|at| backend.sessions(at, now, load)).sum();
    row.set("scur", sessions);
    for column in ["stot", "lbtot", "connect"] {
        row.set(column, requests);
    }
    let sum = |of: fn(&Server) -> f64| num::count(backend.servers.iter().map(of).sum::<f64>().ceil());
    row.set("econ", sum(|server| server.counts.refused));
    row.set("eresp", sum(|server| server.counts.broken));
    row.set("wretr", sum(|server| server.counts.retries));
    row.set("wredis", sum(|server| server.counts.moved));
    row.set("status", if taking > 0 { "UP" } else { "DOWN" });
    row.set("weight", taking);
    row.set("act", taking);
    row.set("agg_server_status", taking.min(1));
    row.set("lastchg", seconds(now, worker.started));
    row.set("lastsess", if requests > 0 { "0" } else { "-1" });
    let answer = if requests > 0 { backend.answer() } else { 0 };
    row.set("rtime", answer);
    row.set("ttime", answer);
    if backend.is_http {
        row.set("hrsp_2xx", requests.saturating_sub(failed));
        row.set("hrsp_5xx", failed);
        row.set("req_tot", requests);
    }
    row
}

/// `show servers state`, of one backend or all.
pub(super) fn servers_state(backends: &[&Backend], now: f64) -> String {
    let mut out = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
                   srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state \
                   srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl \
                   srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
        .to_owned();
    for backend in backends {
        for server in &backend.servers {
            let is_up = server.admin != Admin::Maint && server.is_up;
            let check = match (server.check, server.admin, is_up) {
                (None, Admin::Maint, _) if server.by_file => "1 0 0 8",
                (None, _, _) => "1 0 0 0",
                (Some(_), Admin::Maint, _) => "6 3 0 14",
                (Some(_), _, false) => "8 2 0 6",
                (Some(_), _, true) => "6 3 4 6",
            };
            let _ = writeln!(
                out,
                "{} {} {} {} {} {} {} 1 1 {} {check} 0 0 0 - {} - 0 {} - - 0",
                backend.id,
                backend.name,
                server.id,
                server.name,
                server.address,
                if is_up { 2 } else { 0 },
                server.admin_bits(),
                seconds(now, server.changed_at),
                server.port,
                server.check_port.unwrap_or_default(),
            );
        }
    }
    out
}
