//! The daemon's answers for one command, from a store that no daemon has open: the same engine and the same server, in
//! this process, on a port of loopback that nobody is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::ProgressBar;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{LEFTOVER_TIMEOUT, draw};
use crate::config::{Config, HttpConfig, RatingPredictor};
use crate::engine::{Engine, Part, PartState};
use crate::http::{Drain, Keys, Server};
use crate::store::Store;
use crate::telemetry::Terminal;

/// How often is looked whether a part is there; fitting takes seconds, loading a fraction of one.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// An engine with its server. Dropping it ends both.
pub struct Here {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<Drain>>,
    /// Absent only while it is dropped.
    engine: Option<Arc<Engine>>,
    runtime: Option<Runtime>,
}

impl Here {
    /// Starts both, and returns when the store has been read.
    pub fn start(config: &Config, store: Store) -> anyhow::Result<Self> {
        let config = for_one_command(config);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (engine, loaded) = Engine::start(store, &config).context("starting the engine")?;
        let engine = Arc::new(engine);
        let listener = runtime.block_on(TcpListener::bind(config.http.listen)).context("cannot listen on loopback")?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let settings = (config.http, Keys::default());
        let server = Server::new(listener, Arc::clone(&engine), settings, Box::new(String::new));
        let server = Some(runtime.spawn(server.run(stopped)));
        let here = Self { address, stop, server, engine: Some(engine), runtime: Some(runtime) };
        loaded.blocking_recv().context("reading the store broke off with a defect")??;
        Ok(here)
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until these parts are there, or it is known that they will not be.
    pub fn wait_for(&self, parts: &[Part], terminal: &Terminal) {
        let Some(engine) = &self.engine else { return };
        let mut bar: Option<(&'static str, ProgressBar)> = None;
        for &part in parts {
            loop {
                match engine.status().part(part) {
                    PartState::Building { what, progress: Some((done, total)) } => {
                        draw(terminal, &mut bar, (what, done, total));
                    }
                    PartState::Waiting | PartState::Building { .. } => {}
                    PartState::Ready(_) | PartState::Absent { .. } | PartState::Failed(_) => break,
                }
                std::thread::sleep(LOOK_INTERVAL);
            }
        }
        if let Some((_, bar)) = bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let (Some(runtime), Some(server)) = (self.runtime.take(), self.server.take()) {
            // It lets go of the engine when it ends; that it panicked has been reported where it did.
            let _ = runtime.block_on(server);
            runtime.shutdown_timeout(LEFTOVER_TIMEOUT);
        }
        // Last: ends the threads and closes the store.
        self.engine = None;
    }
}

/// What is worth its time only in a process that stays is left out.
fn for_one_command(config: &Config) -> Config {
    let http = HttpConfig {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        hosts: Vec::new(),
        keys_file: None,
        // Nobody else is asking: connections that are kept open end at once.
        drain_timeout: Duration::ZERO,
        ..config.http.clone()
    };
    // Fitting the rating model takes half a minute; the network or neighbours predict without it.
    Config { http, predicted_rating: RatingPredictor::Network, refit_interval: None, ..config.clone() }
}
