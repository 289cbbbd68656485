//! The server's settings, which may be replaced while it runs. A request, and a connection, keeps those it began with.

use std::sync::Arc;

use tokio::sync::watch;

use super::access::Keys;
use super::hosts::Hosts;
use crate::config::HttpConfig;

/// What is looked up for every request.
pub(super) struct Settings {
    /// How often they were replaced.
    pub(super) number: u64,
    pub(super) config: HttpConfig,
    pub(super) hosts: Hosts,
    pub(super) keys: Keys,
}

/// A handle by which they are replaced.
#[derive(Clone)]
pub struct LiveSettings(watch::Sender<Arc<Settings>>);

impl LiveSettings {
    pub(super) fn new(config: HttpConfig, keys: Keys) -> Self {
        let hosts = Hosts::new(&config);
        Self(watch::Sender::new(Arc::new(Settings { number: 0, config, hosts, keys })))
    }

    /// Replaces them. The address stays, and how long a request may take, which the engine goes by as well.
    pub fn replace(&self, next: &HttpConfig, keys: Keys) {
        self.0.send_modify(|settings| {
            let HttpConfig { listen, request_timeout, .. } = settings.config;
            let config = HttpConfig { listen, request_timeout, ..next.clone() };
            *settings = Arc::new(Settings { number: settings.number + 1, hosts: Hosts::new(&config), config, keys });
        });
    }

    pub(super) fn current(&self) -> Arc<Settings> {
        Arc::clone(&self.0.borrow())
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Settings>> {
        self.0.subscribe()
    }
}
