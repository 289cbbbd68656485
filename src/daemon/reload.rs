//! SIGHUP: the configuration is read again. What can change while the daemon runs does; of the rest it is said that it
//! needs a restart. A configuration that is wrong changes nothing.

use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::signal::unix::Signal;

use super::notify;
use crate::config::{Config, HttpConfig, Source};
use crate::engine::Engine;
use crate::http::{Keys, LiveSettings};
use crate::telemetry::LogFilter;

/// What reading again works with.
pub(super) struct Reload {
    pub(super) config: Config,
    pub(super) source: Source,
    pub(super) log_filter: LogFilter,
    pub(super) engine: Arc<Engine>,
    pub(super) http: LiveSettings,
}

impl Reload {
    /// Reads again at every signal.
    pub(super) async fn at_every(mut self, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            // systemd 253 and newer wait for "ready" after a reload; older ones pass over what they do not know.
            let now = NotifyState::monotonic_usec_now();
            let reloading = [Some(NotifyState::Reloading), now.ok()];
            notify(&reloading.into_iter().flatten().collect::<Vec<_>>());
            self.read_again();
            notify(&[NotifyState::Ready]);
        }
    }

    fn read_again(&mut self) {
        let next = match self.source.load() {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "the configuration was not taken");
                return;
            }
        };
        let keys = match Keys::of(&next.http) {
            Ok(keys) => keys,
            Err(error) => {
                tracing::error!(%error, "the configuration was not taken");
                return;
            }
        };
        if let Err(error) = self.log_filter.set(&next.log_filter) {
            tracing::error!(%error, "the configuration was not taken");
            return;
        }
        self.engine.set_rules(next.artifacts.rules);
        self.engine.set_max_requests(next.http.max_requests);
        self.http.replace(&next.http, keys);
        let (at_once, after_restart) = self.config.changes(&next);
        let (changed, needs_restart) = (at_once.join(", "), after_restart.join(", "));
        if after_restart.is_empty() {
            tracing::info!(changed, "the configuration was read again");
        } else {
            tracing::warn!(changed, needs_restart, "the configuration was read again; some of it needs a restart");
        }
        // What needs a restart goes on being said until there is one.
        self.config.log_filter = next.log_filter;
        self.config.artifacts.rules = next.artifacts.rules;
        let (listen, request_timeout) = (self.config.http.listen, self.config.http.request_timeout);
        self.config.http = HttpConfig { listen, request_timeout, ..next.http };
    }
}
