//! The daemon as the command line sees it: JSON over plain HTTP. The store has one owner, so commands that need a running
//! daemon ask it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

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
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A proxy for the outside world must not see what is asked of a daemon, which is on this host or near it.
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(config.http.request_timeout + ANSWER_GRACE))
            .build();
        let server = server.trim_end_matches('/').to_owned();
        Ok(Self { agent: agent.into(), server, api_key: api_key.clone() })
    }

    /// The answer to `GET path`.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.read(self.with_key(self.agent.get(self.url(path))).call())
    }

    /// The answer to `POST path` with this body.
    pub(super) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.read(self.with_key(self.agent.post(self.url(path))).send_json(body))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn with_key<Kind>(&self, request: RequestBuilder<Kind>) -> RequestBuilder<Kind> {
        match &self.api_key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    /// The answer, or what the daemon says is wrong, as an error.
    fn read(&self, answer: Result<Response<Body>, ureq::Error>) -> anyhow::Result<Value> {
        let mut answer = answer.map_err(|error| self.explain(error))?;
        let body = answer.body_mut().with_config().limit(ANSWER_LIMIT_BYTES).read_to_vec();
        let body = body.map_err(|error| self.explain(error))?;
        let json: Option<Value> = serde_json::from_slice(&body).ok();
        if answer.status().is_success() {
            return json.with_context(|| format!("{} does not answer as a marquee daemon does", self.server));
        }
        Err(refusal(answer.status().as_u16(), &json.unwrap_or_default()))
    }

    fn explain(&self, error: ureq::Error) -> anyhow::Error {
        let server = &self.server;
        match error {
            ureq::Error::Io(source) if source.kind() == std::io::ErrorKind::ConnectionRefused => {
                anyhow!("no daemon answers at {server}: start one with `marquee serve`, or name another with --server")
            }
            error => anyhow::Error::new(error).context(format!("cannot ask the daemon at {server}")),
        }
    }
}

/// What a problem document says; the request id leads to the log.
fn refusal(status: u16, problem: &Value) -> anyhow::Error {
    let text = |member: &str| problem[member].as_str().unwrap_or_default();
    match (text("detail"), text("request_id")) {
        ("", _) => anyhow!("the daemon answered with status {status}"),
        (detail, "") => anyhow!("{detail}"),
        (detail, id) => anyhow!("{detail} (request {id})"),
    }
}

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
        assert_eq!(refusal(404, &problem).to_string(), "There is no such model. (request 1-2)");
        assert_eq!(refusal(502, &Value::Null).to_string(), "the daemon answered with status 502");
    }
}
