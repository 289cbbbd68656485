//! A daemon of our own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::assets::repository;
use super::client::{Client, Reply};

/// The program, with a data folder and no configuration from outside.
pub(crate) fn marquee(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marquee"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MARQUEE_") && name != "MARQUEE_CACHE" {
            command.env_remove(name);
        }
    }
    command.arg("--data-dir").arg(data_dir).env("MARQUEE_ARTIFACTS__QUIET_MS", "50");
    // Fitting the rating model takes half a minute of a processor; the tests that are about it ask for it.
    command.env("MARQUEE_RECOMMEND__PREDICTED_RATING", "rating-network");
    command
}

/// Imports the sample data set into a fresh data folder.
pub(crate) fn sample_store() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = marquee(folder.path()).arg("import").arg(repository("data/sample")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// A running daemon; killed when dropped, unless it was stopped before.
pub(crate) struct Daemon {
    child: Child,
    client: Client,
    pub(crate) models: PathBuf,
}

impl Daemon {
    /// Starts it and waits until it listens.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[])
    }

    /// The same with settings as environment variables.
    pub(crate) fn start_with(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_saying(data_dir, settings, Stdio::inherit())
    }

    /// The same with its log in a file.
    pub(crate) fn start_logging(data_dir: &Path, settings: &[(&str, &str)], log: &Path) -> Self {
        Self::start_saying(data_dir, settings, std::fs::File::create(log).unwrap().into())
    }

    fn start_saying(data_dir: &Path, settings: &[(&str, &str)], log: Stdio) -> Self {
        let mut child = marquee(data_dir)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Marquee answers on http://").map(str::to_owned))
            .expect("the daemon says where it listens");
        // Goes on reading, so that the daemon is never stopped by a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, client: Client::new(address), models: data_dir.join("models") }
    }

    pub(crate) fn address(&self) -> &str {
        &self.client.address
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.client.get(path)
    }

    /// Waits until the hybrid is fitted.
    pub(crate) fn wait_for_hybrid(&self) {
        self.wait_for("/readyz", |reply| {
            let parts = reply.json()["parts"].as_array().unwrap().clone();
            parts.iter().any(|part| part["part"] == "hybrid" && part["state"] == "ready")
        });
    }

    /// A client of it, for a thread of its own.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.client.address.clone())
    }

    /// Sends JSON by any method.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        self.client.send(method, path, body)
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn post(&self, path: &str) -> Reply {
        self.client.post(path)
    }

    pub(crate) fn try_get(&self, path: &str) -> Result<Reply, ureq::Error> {
        self.client.try_get(path)
    }

    /// Asks until the answer is as wanted.
    pub(crate) fn wait_for(&self, path: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
        self.client.wait_for(path, wanted)
    }

    /// The same for work that takes minutes.
    pub(crate) fn wait_at_most(&self, patience: Duration, path: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
        self.client.wait_at_most(patience, path, wanted)
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for an end that was asked for.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
