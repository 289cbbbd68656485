//! The running daemon: start order, signals, drain, stop order.
//!
//! Start: store, listener, engine, watch, server, then "ready" to the service manager; the address is told when the
//! store has been read. Stop: no new connections, requests in flight finish, then watch, engine and store end, each
//! waiting for its threads. A second signal cuts the drain short. SIGHUP reads the configuration again (`reload`).

mod reload;

mod here;

pub use here::Here;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::ProgressBar;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::config::{Config, LogFormat, Source};
use crate::engine::{Engine, PartState};
use crate::http::{Drain, Keys, Server};
use crate::store::{Store, StoreError};
use crate::telemetry::{self, LogFilter, Terminal};
use crate::watch::{Pace, Watch};
use reload::Reload;

/// How often progress is drawn and told to the service manager.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// The same when nothing is being built.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// After the drain, work that is still going on is left behind after this time.
const LEFTOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// What can be changed while the daemon runs.
pub struct Live {
    /// Where the configuration comes from.
    pub source: Source,
    /// Which log lines are written.
    pub log_filter: LogFilter,
}

/// Runs until SIGTERM or SIGINT.
pub fn run(config: &Config, live: Live, terminal: &Terminal, store: Store) -> anyhow::Result<()> {
    let metrics = telemetry::start_metrics()?;
    let models = config.artifacts_dir();
    std::fs::create_dir_all(&models).with_context(|| format!("cannot make the models folder {}", models.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve((config, live), terminal, store, metrics));
    runtime.shutdown_timeout(LEFTOVER_TIMEOUT);
    outcome
}

async fn serve(
    (config, live): (&Config, Live),
    terminal: &Terminal,
    store: Store,
    metrics: telemetry::Metrics,
) -> anyhow::Result<()> {
    let hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let keys = Keys::of(&config.http)?;
    let listener = TcpListener::bind(config.http.listen).await.with_context(|| {
        let listen = config.http.listen;
        format!("cannot listen on {listen} (is another marquee running? choose another address with --listen)")
    })?;
    let address = listener.local_addr()?;
    let (engine, loaded) = Engine::start(store, config).context("starting the engine")?;
    let engine = Arc::new(engine);
    let watch = start_watch(config, &engine)?;
    let (stop, stopped) = watch::channel(false);
    let page = metrics.clone();
    let server =
        Server::new(listener, Arc::clone(&engine), (config.http.clone(), keys), Box::new(move || page.render()));
    let http = server.settings();
    let server = tokio::spawn(server.run(stopped));
    tracing::info!(%address, "listening");
    notify(&[NotifyState::Ready]);
    let tending = tokio::spawn(tend(Arc::clone(&engine), terminal.clone(), metrics));
    let Live { source, log_filter } = live;
    let reload = Reload { config: config.clone(), source, log_filter, engine: Arc::clone(&engine), http };
    let reloading = tokio::spawn(reload.at_every(hangup));
    let welcome = (config.log_format == LogFormat::Text).then_some(address);
    let outcome = tokio::select! {
        failed = load(loaded, &engine, welcome) => Err(failed),
        () = either(&mut terminate, &mut interrupt) => Ok(()),
    };
    notify(&[NotifyState::Stopping]);
    tracing::info!("stopping");
    stop.send_replace(true);
    tokio::select! {
        drained = server => match drained? {
            Drain::Complete => tracing::info!("all requests finished"),
            Drain::TimedOut => tracing::warn!("some requests were cut off: they took longer than http.drain_timeout_ms"),
        },
        () = either(&mut terminate, &mut interrupt) => tracing::warn!("told to stop twice: requests are cut off"),
    }
    for task in [tending, reloading] {
        task.abort();
        // It ends at its next wait, and gives the engine back; that it was cancelled is no error.
        let _ = task.await;
    }
    // Dropping waits for threads, which is no work for the reactor.
    tokio::task::spawn_blocking(move || {
        drop(watch);
        drop(engine);
    })
    .await?;
    tracing::info!("stopped");
    outcome
}

fn start_watch(config: &Config, engine: &Arc<Engine>) -> std::io::Result<Watch> {
    let pace = Pace { quiet: config.artifacts.quiet, poll: config.artifacts.poll };
    let engine = Arc::downgrade(engine);
    Watch::start(&config.artifacts_dir(), pace, move || {
        if let Some(engine) = engine.upgrade() {
            engine.look_again();
        }
    })
}

/// Waits for the first of two signals.
async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Greets when the store is read; ends only if it cannot be.
async fn load(
    loaded: oneshot::Receiver<Result<(), StoreError>>,
    engine: &Engine,
    welcome: Option<std::net::SocketAddr>,
) -> anyhow::Error {
    match loaded.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return error.into(),
        Err(_) => return anyhow::anyhow!("reading the store broke off with a defect; the log tells more"),
    }
    if let Some(address) = welcome
        && let Err(error) = say_hello(engine, address)
    {
        tracing::debug!(%error, "nobody reads standard output");
    }
    std::future::pending().await
}

/// The address and three things to try, made of what is in the store.
fn say_hello(engine: &Engine, address: std::net::SocketAddr) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nMarquee answers on http://{address}")?;
    if let Some((user, title)) = engine.examples() {
        let title: String = form_urlencoded::byte_serialize(title.as_bytes()).collect();
        writeln!(out, "Try:")?;
        writeln!(out, "  curl 'http://{address}/user_recommend/{user}?top_k=5'")?;
        writeln!(out, "  curl 'http://{address}/title-or-prompt?input_text={title}'")?;
        writeln!(
            out,
            "  curl 'http://{address}/title-or-prompt?input_text=toys+that+come+alive+when+nobody+is+looking'"
        )?;
        writeln!(out, "GET /readyz tells which parts are ready. Stop with Ctrl-C.\n")?;
    } else {
        writeln!(out, "The store is empty: stop with Ctrl-C and run `marquee import DIR`.\n")?;
    }
    out.flush()
}

/// Tells people and the service manager how far the parts are, and keeps the metrics small.
async fn tend(engine: Arc<Engine>, terminal: Terminal, metrics: telemetry::Metrics) {
    let mut bar: Option<(&'static str, ProgressBar)> = None;
    let mut last_status = String::new();
    loop {
        let building = engine.status().parts().into_iter().find_map(|(_, state)| match state {
            PartState::Building { what, progress: Some((done, total)) } => Some((what, done, total)),
            _ => None,
        });
        let status = match building {
            Some((what, done, total)) => {
                draw(&terminal, &mut bar, (what, done, total));
                format!("{what}: {} %", 100 * done / total.max(1))
            }
            None if engine.status().is_ready() => "ready".to_owned(),
            None => "some parts are not ready; GET /readyz tells why".to_owned(),
        };
        if building.is_none()
            && let Some((_, bar)) = bar.take()
        {
            bar.finish_and_clear();
        }
        if status != last_status {
            notify(&[NotifyState::Status(&status)]);
            if status == "ready" {
                tracing::info!("every part is ready");
            } else if building.is_some() && !Terminal::is_interactive() && is_a_tenth(building) {
                tracing::info!("{status}");
            }
            last_status = status;
        }
        metrics.upkeep();
        let pause = if building.is_some() { PROGRESS_INTERVAL } else { IDLE_INTERVAL };
        tokio::time::sleep(pause).await;
    }
}

/// Without a terminal, progress is a log line at every tenth of the way.
fn is_a_tenth(building: Option<(&'static str, usize, usize)>) -> bool {
    building.is_some_and(|(_, done, total)| (100 * done / total.max(1)).is_multiple_of(10))
}

fn draw(terminal: &Terminal, bar: &mut Option<(&'static str, ProgressBar)>, step: (&'static str, usize, usize)) {
    let (what, done, total) = step;
    if bar.as_ref().is_none_or(|(of, _)| *of != what) {
        *bar = Some((what, terminal.bar(what, total as u64)));
    }
    if let Some((_, bar)) = bar {
        bar.set_position(done as u64);
    }
}

/// Outside systemd this does nothing.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not reached");
    }
}
