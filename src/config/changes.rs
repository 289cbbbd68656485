//! What differs between two configurations, and whether a running daemon takes it over.

use super::Config;

impl Config {
    /// The settings that differ: those that a running daemon takes over, and those that need a restart.
    pub fn changes(&self, next: &Self) -> (Vec<&'static str>, Vec<&'static str>) {
        let differing = |settings: &[(&'static str, bool)]| {
            settings.iter().filter(|(_, is_same)| !is_same).map(|(name, _)| *name).collect::<Vec<_>>()
        };
        (differing(&self.at_once(next)), differing(&self.after_restart(next)))
    }

    fn at_once(&self, next: &Self) -> [(&'static str, bool); 21] {
        let (rules, next_rules) = (&self.artifacts.rules, &next.artifacts.rules);
        let (http, next_http) = (&self.http, &next.http);
        [
            ("log.filter", self.log_filter == next.log_filter),
            ("http.hosts", http.hosts == next_http.hosts),
            ("http.keys_file", http.keys_file == next_http.keys_file),
            ("http.max_connections", http.max_connections == next_http.max_connections),
            ("http.max_requests", http.max_requests == next_http.max_requests),
            ("http.max_head_bytes", http.max_head_bytes == next_http.max_head_bytes),
            ("http.max_body_bytes", http.max_body_bytes == next_http.max_body_bytes),
            ("http.max_text_bytes", http.max_text_bytes == next_http.max_text_bytes),
            ("http.max_top_k", http.max_top_k == next_http.max_top_k),
            (
                "http.head_timeout_ms, http.write_timeout_ms",
                (http.head_timeout, http.write_timeout) == (next_http.head_timeout, next_http.write_timeout),
            ),
            ("http.drain_timeout_ms", http.drain_timeout == next_http.drain_timeout),
            ("artifacts.separate_process", rules.separate_process == next_rules.separate_process),
            ("artifacts.max_model_mib", rules.max_model_mib == next_rules.max_model_mib),
            ("artifacts.max_load_s", rules.max_load == next_rules.max_load),
            ("artifacts.min_known_movies", rules.min_known_movies == next_rules.min_known_movies),
            ("artifacts.min_known_users", rules.min_known_users == next_rules.min_known_users),
            ("artifacts.min_canary_overlap", rules.min_canary_overlap == next_rules.min_canary_overlap),
            ("artifacts.auto_promote", rules.auto_promote == next_rules.auto_promote),
            ("artifacts.max_metric_loss", rules.max_metric_loss == next_rules.max_metric_loss),
            ("artifacts.shadow_share", rules.shadow_share == next_rules.shadow_share),
            ("artifacts.keep_versions", rules.keep_versions == next_rules.keep_versions),
        ]
    }

    fn after_restart(&self, next: &Self) -> [(&'static str, bool); 13] {
        let (artifacts, next_artifacts) = (&self.artifacts, &next.artifacts);
        [
            ("store.data_dir", self.data_dir == next.data_dir),
            ("store.cache_mib", self.store_cache_bytes == next.store_cache_bytes),
            ("store.check_on_open", self.store_check_on_open == next.store_check_on_open),
            ("artifacts.dir", artifacts.dir == next_artifacts.dir),
            ("artifacts.quiet_ms", artifacts.quiet == next_artifacts.quiet),
            ("artifacts.poll_s", artifacts.poll == next_artifacts.poll),
            ("artifacts.required", artifacts.required == next_artifacts.required),
            ("[inference]", self.inference == next.inference),
            (
                "search.embedding_text, recommend.predicted_rating",
                (self.embedding_text, self.predicted_rating) == (next.embedding_text, next.predicted_rating),
            ),
            (
                "recommend.refit_minutes, recommend.prepare_answers",
                (self.refit_interval, self.prepare_answers) == (next.refit_interval, next.prepare_answers),
            ),
            ("http.listen", self.http.listen == next.http.listen),
            ("http.request_timeout_ms", self.http.request_timeout == next.http.request_timeout),
            ("log.format", self.log_format == next.log_format),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use std::time::Duration;

    #[test]
    fn what_differs_is_named_and_told_apart() {
        let config = Config::load(None, &Overrides::default()).unwrap();
        assert_eq!(config.changes(&config), (Vec::new(), Vec::new()));
        let mut next = config.clone();
        next.log_filter = "debug".to_owned();
        next.artifacts.rules.auto_promote = false;
        next.http.max_requests += 1;
        next.http.max_top_k = 7;
        next.http.request_timeout = Duration::from_secs(1);
        next.artifacts.quiet = Duration::from_secs(9);
        let (at_once, after_restart) = config.changes(&next);
        assert_eq!(at_once, ["log.filter", "http.max_requests", "http.max_top_k", "artifacts.auto_promote"]);
        assert_eq!(after_restart, ["artifacts.quiet_ms", "http.request_timeout_ms"]);
    }
}
