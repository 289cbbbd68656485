//! The daemon as the command line sees it: JSON over plain HTTP. The store has one owner, so commands that need a running
//! daemon ask it.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;

use crate::config::Config;

/// Most bytes of an answer: lists of models or movies are far below.
const ANSWER_LIMIT_BYTES: u64 = 64 << 20;

/// Time to reach the daemon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for an answer beyond the one that the daemon gives itself for it.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// Which daemon to ask, and as whom.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// Address of the daemon [default: the one it is configured to listen on].
    #[arg(long, value_name = "URL", env = "MARQUEE_SERVER")]
    server: Option<String>,
    /// Key to show to a daemon that asks for one; better given in the environment, which others cannot read.
    #[arg(long, value_name = "KEY", env = "MARQUEE_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
}

impl Server {
    /// Whether somebody said which daemon to ask.
    pub(super) fn is_named(&self) -> bool {
        self.server.is_some()
    }
}

/// What goes with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body<'a> {
    /// Nothing.
    None,
    /// A JSON value.
    Json(&'a str),
    /// A JSON value per line.
    Lines(&'a str),
}

/// What a daemon answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// As it came.
    pub(super) text: String,
    /// As it is to be read.
    pub(super) json: Value,
}

/// Asks one daemon.
pub(super) struct Client {
    agent: Agent,
    server: String,
    api_key: Option<String>,
}

impl Client {
    /// A client of the daemon that is named, else of the one that this configuration is for.
    pub(super) fn new(config: &Config, Server { server, api_key }: &Server) -> anyhow::Result<Self> {
        let server = server.clone().unwrap_or_else(|| format!("http://{}", reachable(config.http.listen)));
        if !server.starts_with("http://") {
            bail!("{server} is no address of a daemon: it begins with http:// (the daemon has no encryption)");
        }
        let server = server.trim_end_matches('/').to_owned();
        Ok(Self { agent: agent(config), server, api_key: api_key.clone() })
    }

    /// A client of the engine in this process.
    pub(super) fn of_here(config: &Config, address: SocketAddr) -> Self {
        Self { agent: agent(config), server: format!("http://{address}"), api_key: None }
    }

    /// Whether anything answers there.
    pub(super) fn is_answered(&self) -> anyhow::Result<bool> {
        match self.exchange("GET", "/healthz", Body::None) {
            Ok(_) => Ok(true),
            Err(ureq::Error::Io(source)) if source.kind() == ErrorKind::ConnectionRefused => Ok(false),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// The answer to `GET path`.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask("GET", path, Body::None)
    }

    /// The answer to `POST path` without a body.
    pub(super) fn post(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask("POST", path, Body::None)
    }

    /// The answer to a request, or what the daemon says is wrong, as an error.
    pub(super) fn ask(&self, method: &str, path: &str, body: Body<'_>) -> anyhow::Result<Answer> {
        let text = self.text(method, path, body)?;
        let json = serde_json::from_str(&text).ok();
        let json = json.with_context(|| format!("{} does not answer as a marquee daemon does", self.server))?;
        Ok(Answer { text, json })
    }

    /// The same where one knows that a missing thing is no error: nothing, then.
    pub(super) fn find(&self, path: &str) -> anyhow::Result<Option<Answer>> {
        match self.get(path) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status == 404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The lines of an answer that is JSON line by line.
    pub(super) fn lines(&self, path: &str, lines: &str) -> anyhow::Result<Vec<Value>> {
        let text = self.text("POST", path, Body::Lines(lines))?;
        let lines = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        lines.with_context(|| format!("{} does not answer as a marquee daemon does", self.server))
    }

    /// The address that is asked.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    fn text(&self, method: &str, path: &str, body: Body<'_>) -> anyhow::Result<String> {
        let (status, text) = self.exchange(method, path, body).map_err(|error| self.explain(error))?;
        if (200..300).contains(&status) {
            return Ok(text);
        }
        Err(Refusal::new(status, &serde_json::from_str(&text).unwrap_or_default()).into())
    }

    fn exchange(&self, method: &str, path: &str, body: Body<'_>) -> Result<(u16, String), ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        if let Some(key) = &self.api_key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut answer = match body {
            Body::None => self.agent.run(request.body(())?)?,
            Body::Json(json) => {
                self.agent.run(request.header("content-type", "application/json").body(json.as_bytes())?)?
            }
            Body::Lines(lines) => {
                self.agent.run(request.header("content-type", "application/x-ndjson").body(lines.as_bytes())?)?
            }
        };
        let text = answer.body_mut().with_config().limit(ANSWER_LIMIT_BYTES).read_to_string()?;
        Ok((answer.status().as_u16(), text))
    }

    fn explain(&self, error: ureq::Error) -> anyhow::Error {
        let server = &self.server;
        match error {
            ureq::Error::Io(source) if source.kind() == ErrorKind::ConnectionRefused => {
                anyhow!("no daemon answers at {server}: start one with `marquee serve`, or name another with --server")
            }
            error => anyhow::Error::new(error).context(format!("cannot ask the daemon at {server}")),
        }
    }
}

fn agent(config: &Config) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        // A proxy for the outside world must not see what is asked of a daemon, which is on this host or near it.
        .proxy(None)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(config.http.request_timeout + ANSWER_GRACE))
        .build()
        .into()
}

/// What a problem document says; the request id leads to the log.
#[derive(Debug)]
struct Refusal {
    status: u16,
    sentence: String,
}

impl Refusal {
    fn new(status: u16, problem: &Value) -> Self {
        let text = |member: &str| problem[member].as_str().unwrap_or_default();
        let sentence = match (text("detail"), text("request_id")) {
            ("", _) => format!("the daemon answered with status {status}"),
            (detail, "") => detail.to_owned(),
            (detail, id) => format!("{detail} (request {id})"),
        };
        Self { status, sentence }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Refusal {}

/// A daemon that listens on every address is asked at the one of this host.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_address_means_this_host() {
        for (listen, expected) in
            [("0.0.0.0:8000", "127.0.0.1:8000"), ("[::]:1", "[::1]:1"), ("10.0.0.7:8000", "10.0.0.7:8000")]
        {
            assert_eq!(reachable(listen.parse().unwrap()), expected.parse().unwrap());
        }
    }

    #[test]
    fn a_refusal_is_the_daemons_own_sentence() {
        let problem = json!({"detail": "There is no such model.", "request_id": "1-2"});
        assert_eq!(Refusal::new(404, &problem).to_string(), "There is no such model. (request 1-2)");
        assert_eq!(Refusal::new(502, &Value::Null).to_string(), "the daemon answered with status 502");
    }
}
