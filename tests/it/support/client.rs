//! A small client that holds every answer against the contract.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::contract;

/// Nothing a test waits for takes longer, on a busy machine either.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A text as a query string spells it.
pub(crate) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Words between blanks, or between single quotes.
pub(crate) fn shell_words(command: &str) -> Vec<String> {
    let quoted = command.split('\'').enumerate();
    let words = quoted.flat_map(|(place, part)| {
        if place % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() }
    });
    words.collect()
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Asks a daemon or a server.
pub(crate) struct Client {
    pub(crate) address: String,
    agent: ureq::Agent,
}

impl Client {
    pub(crate) fn new(address: String) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Self { address, agent }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.try_get(path).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Asks; whatever comes back must be as the contract says.
    pub(crate) fn try_get(&self, path: &str) -> Result<Reply, ureq::Error> {
        let response = self.agent.get(format!("http://{}{path}", self.address)).call()?;
        Self::checked("get", path, response)
    }

    pub(crate) fn post(&self, path: &str) -> Reply {
        self.send("POST", path, "")
    }

    fn checked(method: &str, path: &str, mut response: ureq::http::Response<ureq::Body>) -> Result<Reply, ureq::Error> {
        let body = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
        let reply = Reply { status: response.status().as_u16(), headers: response.headers().clone(), body };
        if let Err(fault) = contract::check(method, path, &reply) {
            panic!("{method} {path} breaks the contract: {fault}");
        }
        Ok(reply)
    }

    /// Sends a body by any method; whatever comes back must be as the contract says.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        self.try_send((method, path), ("application/json", None), body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The same of a media type, perhaps with a key.
    pub(crate) fn try_send(
        &self,
        (method, path): (&str, &str),
        (media, key): (&str, Option<&str>),
        body: &str,
    ) -> Result<Reply, ureq::Error> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", media);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let response = self.agent.run(request.body(body.to_owned())?)?;
        Self::checked(method, path, response)
    }

    /// Asks until the answer is as wanted.
    pub(crate) fn wait_for(&self, path: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
        self.wait_at_most(PATIENCE, path, wanted)
    }

    /// The same with a patience of its own.
    pub(crate) fn wait_at_most(&self, patience: Duration, path: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
        let started = Instant::now();
        loop {
            let reply = self.get(path);
            if wanted(&reply) {
                return reply;
            }
            assert!(started.elapsed() < patience, "GET {path} never came to it; last answer: {}", reply.body);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
