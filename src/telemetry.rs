//! Logs, metrics and progress on the terminal.
//!
//! Log fields in use:
//!
//! * requests (one line each at DEBUG; one more when the daemon failed, at ERROR where someone must act): `route`,
//!   `status`, `ms`, `request_id`, `code`, `cause`;
//! * models: `model`, `kind`, `folder`, `reason`, `worker`, `n_skipped`, `n_missing`, `n_current`, `limit`;
//! * the model runtime: `library`, `threads`, `level`, `category`, `location`, `message`;
//! * loading: `n_movies`, `n_users`, `n_ratings`, `seconds`;
//! * the process: `address`, `error`, `changed`, `needs_restart`; of a panic `thread` and `location`.
//!
//! Ratings, queries and who asked are personal and are never logged, not as part of a panic's message either.

use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, reload};

use crate::config::LogFormat;

/// Upper bounds of the request time histogram, in seconds.
const REQUEST_BUCKETS_S: [f64; 11] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// Why logging or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up {0}: {1}")]
pub struct TelemetryError(&'static str, String);

/// The terminal, shared by log lines and progress bars.
#[derive(Clone, Debug, Default)]
pub struct Terminal(MultiProgress);

impl Terminal {
    /// A bar of `total` steps, drawn on standard error if that is a terminal.
    pub fn bar(&self, what: &str, total: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {human_pos}/{human_len}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        self.add(what, total, style)
    }

    /// A bar of `total` bytes.
    pub fn bytes_bar(&self, what: &str, total: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        self.add(what, total, style)
    }

    /// Whether somebody watches.
    pub fn is_interactive() -> bool {
        io::stderr().is_terminal()
    }

    fn add(&self, what: &str, total: u64, style: ProgressStyle) -> ProgressBar {
        let bar = self.0.add(ProgressBar::new(total));
        bar.set_style(style);
        bar.set_message(what.to_owned());
        bar
    }
}

/// Writes log lines above the progress bars.
impl<'a> MakeWriter<'a> for Terminal {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self.0.clone())
    }
}

/// A writer for one log line.
#[derive(Debug)]
pub struct LineWriter(MultiProgress);

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Decides which log lines are written; may change while the program runs.
pub struct LogFilter(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>);

impl LogFilter {
    /// Other lines from now on; a filter that is wrong changes nothing.
    pub fn set(&self, filter: &str) -> Result<(), TelemetryError> {
        let fail = |error: &dyn std::fmt::Display| TelemetryError("logging", error.to_string());
        let filter = EnvFilter::try_new(filter).map_err(|error| fail(&error))?;
        (self.0)(filter).map_err(|error| fail(&error))
    }
}

/// Starts logging to standard error. From here on, panics are log lines too.
pub fn start_logging(format: LogFormat, filter: &str, terminal: &Terminal) -> Result<LogFilter, TelemetryError> {
    let fail = |error: &dyn std::fmt::Display| TelemetryError("logging", error.to_string());
    let filter = EnvFilter::try_new(filter).map_err(|error| fail(&error))?;
    let builder = tracing_subscriber::fmt().with_writer(terminal.clone());
    let (started, filter) = match format {
        LogFormat::Text => {
            let builder = builder.with_ansi(Terminal::is_interactive()).with_target(false);
            let builder = builder.with_env_filter(filter).with_filter_reloading();
            let handle = builder.reload_handle();
            (builder.try_init(), LogFilter(Box::new(move |filter| handle.reload(filter))))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_env_filter(filter).with_filter_reloading();
            let handle = builder.reload_handle();
            (builder.try_init(), LogFilter(Box::new(move |filter| handle.reload(filter))))
        }
    };
    started.map_err(|error| fail(&error))?;
    std::panic::set_hook(Box::new(report_panic));
    Ok(filter)
}

/// Says where, not what: a message may quote the text it stumbled over ("byte index 3 is not a char boundary of …").
fn report_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    tracing::error!(thread = std::thread::current().name(), location, "a panic: this is a defect of the program");
}

/// The collected metrics.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// The page that Prometheus reads.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds the samples that came in since the last time into the histograms. Without it (and with nobody reading the
    /// page) every request leaves a sample in memory for ever, so the daemon does this every few seconds.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Starts collecting metrics.
pub fn start_metrics() -> Result<Metrics, TelemetryError> {
    let fail = |error: &dyn std::fmt::Display| TelemetryError("metrics", error.to_string());
    let recorder = recorder().map_err(|error| fail(&error))?;
    let metrics = Metrics(recorder.handle());
    metrics::set_global_recorder(recorder).map_err(|error| fail(&error))?;
    describe();
    Ok(metrics)
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let histogram = Matcher::Full("marquee_http_request_seconds".to_owned());
    Ok(PrometheusBuilder::new().set_buckets_for_metric(histogram, &REQUEST_BUCKETS_S)?.build_recorder())
}

fn describe() {
    metrics::describe_counter!("marquee_http_requests_total", "Requests by route and status.");
    metrics::describe_histogram!("marquee_http_request_seconds", "Time to answer a request, by route.");
    metrics::describe_counter!("marquee_model_loads_total", "Artifacts that were tried, by kind and outcome.");
    metrics::describe_counter!("marquee_query_embeddings_total", "Query texts, by whether their embedding was known.");
    metrics::describe_counter!(
        "marquee_remembered_answers_total",
        "Questions for people, by whether the answer was known."
    );
    metrics::describe_counter!(
        "marquee_prepared_answers_total",
        "Answers that were made before anybody asked, for people and movies."
    );
    metrics::describe_counter!("marquee_remembered_replies_total", "Texts and titles, by whether the reply was known.");
    metrics::describe_counter!("marquee_encoder_runs_total", "Runs of the text encoder.");
    metrics::describe_counter!("marquee_encoder_texts_total", "Texts of these runs, several of which may share one.");
    metrics::describe_gauge!("marquee_generation", "Number of the snapshot that answers.");
    metrics::describe_gauge!("marquee_embeddings_done", "Movies embedded so far in the space being built.");
    metrics::describe_gauge!("marquee_embeddings_total", "Movies to embed in the space being built.");
    metrics::describe_counter!(
        "marquee_shadow_requests_total",
        "Recommendations on which a waiting rating network was tried beside the serving one, by outcome."
    );
    metrics::describe_gauge!("marquee_shadow_mean_difference", "Mean difference of their predicted ratings.");
    metrics::describe_gauge!("marquee_shadow_agreement", "Share of pairs of movies that both put in the same order.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upkeep_keeps_every_sample_in_its_bucket() {
        let recorder = recorder().unwrap();
        let metrics = Metrics(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            for round in 1..=2 {
                for _ in 0..100_000 {
                    metrics::histogram!("marquee_http_request_seconds", "route" => "/healthz").record(0.003);
                }
                metrics.upkeep();
                let page = metrics.render();
                for line in [
                    r#"marquee_http_request_seconds_bucket{route="/healthz",le="0.0025"} 0"#.to_owned(),
                    format!(r#"marquee_http_request_seconds_bucket{{route="/healthz",le="0.005"}} {round}00000"#),
                    format!(r#"marquee_http_request_seconds_count{{route="/healthz"}} {round}00000"#),
                ] {
                    assert!(page.contains(&line), "{line} is not in {page}");
                }
            }
        });
    }
}
