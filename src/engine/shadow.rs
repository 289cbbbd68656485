//! A rating network that waits, tried on live requests beside the one that serves: in the background, on a share of the
//! recommendations, never in the way of an answer. What it says is compared and forgotten.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use super::snapshot::Network;
use super::status::ShadowReport;
use super::{Shared, desk};
use crate::artifact::ArtifactId;
use crate::domain::{ItemIdx, MovieId, Query, UserId};
use crate::recommend::PortError;

/// Requests that may wait; a further one is not tried.
const QUEUE_LENGTH: usize = 32;

/// A recommendation that was given.
pub(super) struct Sample {
    pub(super) user: UserId,
    pub(super) asked_at: i64,
    pub(super) movies: Vec<MovieId>,
}

/// The place for one network.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    running: Mutex<Option<Running>>,
    n_offered: AtomicU64,
}

#[derive(Debug)]
struct Running {
    id: ArtifactId,
    samples: SyncSender<Sample>,
    thread: JoinHandle<()>,
}

impl Shadow {
    /// Puts a network in place of the one before.
    pub(super) fn start(&self, id: &ArtifactId, network: Network, shared: Weak<Shared>) {
        self.end();
        let (samples, received) = sync_channel(QUEUE_LENGTH);
        let of_thread = id.clone();
        let run = move || compare_all(&received, &of_thread, &network, &shared);
        match std::thread::Builder::new().name("shadow".to_owned()).spawn(run) {
            Ok(thread) => *self.lock() = Some(Running { id: id.clone(), samples, thread }),
            Err(error) => tracing::warn!(%error, "no thread for a model beside the serving one"),
        }
    }

    /// Lets go of the network and waits until it is free.
    pub(super) fn end(&self) {
        let running = self.lock().take();
        if let Some(Running { samples, thread, .. }) = running {
            drop(samples);
            // It cannot have panicked: every comparison is fenced.
            let _ = thread.join();
        }
    }

    pub(super) fn is_of(&self, id: &ArtifactId) -> bool {
        self.lock().as_ref().is_some_and(|running| running.id == *id)
    }

    /// Takes a share of what is offered; never waits.
    pub(super) fn offer(&self, share: f64, sample: impl FnOnce() -> Sample) {
        let Ok(running) = self.running.try_lock() else { return };
        let Some(running) = &*running else { return };
        let place = self.n_offered.fetch_add(1, Ordering::Relaxed) as f64;
        // Whenever the running total passes a whole number.
        if (place * share).floor() < ((place + 1.0) * share).floor() {
            // Full: the machine has better things to do.
            let _ = running.samples.try_send(sample());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compare_all(samples: &Receiver<Sample>, id: &ArtifactId, network: &Network, shared: &Weak<Shared>) {
    let mut totals = Totals::default();
    while let Ok(sample) = samples.recv() {
        let Some(shared) = shared.upgrade() else { return };
        let compared = catch_unwind(AssertUnwindSafe(|| compare(&sample, network, &shared)));
        match compared {
            Ok(Ok(None) | Err(PortError::Busy(_))) => continue,
            Ok(Ok(Some((served, shadowed)))) => totals.add(&served, &shadowed),
            Ok(Err(PortError::Failed(..))) | Err(_) => totals.failures += 1,
        }
        let report = totals.report();
        let outcome = if report.failures > 0 { "failed" } else { "compared" };
        metrics::counter!("marquee_shadow_requests_total", "outcome" => outcome).increment(1);
        metrics::gauge!("marquee_shadow_mean_difference").set(report.mean_difference);
        metrics::gauge!("marquee_shadow_agreement").set(report.agreement);
        shared.status.update_checks(id.as_str(), |checks| checks.shadow = Some(report));
    }
}

/// What both predict; `None` where there is nothing to compare.
#[expect(clippy::type_complexity, reason = "two lists of the same length, used at once")]
fn compare(
    sample: &Sample,
    network: &Network,
    shared: &Arc<Shared>,
) -> Result<Option<(Vec<f32>, Vec<f32>)>, PortError> {
    let Some(snapshot) = shared.cell.load() else { return Ok(None) };
    let Some(serving) = &snapshot.network else { return Ok(None) };
    let base = &snapshot.base;
    // Rows of another catalogue mean other movies; the lane prepares it anew.
    if !Weak::ptr_eq(&Arc::downgrade(base), &network.base) {
        return Ok(None);
    }
    let items: Vec<ItemIdx> = sample.movies.iter().filter_map(|&movie| base.catalogue.item_idx(movie)).collect();
    let (user, asked_at) = (Some(sample.user), Some(sample.asked_at.min(base.ratings.newest())));
    let history = desk::history(&shared.store, &snapshot, sample.user);
    let history = history.map_err(|error| PortError::Failed("reading the history", error.to_string()))?;
    let query = Query { user, history, asked_at, ..Query::default() };
    let served = serving.predictions.predict(&query, &items)?;
    Ok(Some((served, network.predictions.predict(&query, &items)?)))
}

#[derive(Default)]
struct Totals {
    requests: u64,
    failures: u64,
    difference: f64,
    n_ratings: u64,
    n_agreeing: u64,
    n_pairs: u64,
}

impl Totals {
    fn add(&mut self, served: &[f32], shadowed: &[f32]) {
        self.requests += 1;
        for (place, (left, right)) in served.iter().zip(shadowed).enumerate() {
            self.difference += f64::from((left - right).abs());
            self.n_ratings += 1;
            for (other_left, other_right) in served.iter().zip(shadowed).skip(place + 1) {
                self.n_pairs += 1;
                self.n_agreeing += u64::from(left.total_cmp(other_left) == right.total_cmp(other_right));
            }
        }
    }

    fn report(&self) -> ShadowReport {
        ShadowReport {
            requests: self.requests,
            failures: self.failures,
            mean_difference: self.difference / self.n_ratings.max(1) as f64,
            agreement: if self.n_pairs == 0 { 1.0 } else { self.n_agreeing as f64 / self.n_pairs as f64 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_and_orders_are_counted_over_all_requests() {
        let mut totals = Totals::default();
        totals.add(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]);
        let same = totals.report();
        assert_eq!((same.requests, same.mean_difference, same.agreement), (1, 0.0, 1.0));
        totals.add(&[1.0, 2.0], &[4.0, 2.0]);
        let report = totals.report();
        assert_eq!((report.requests, report.mean_difference, report.agreement), (2, 0.6, 0.75));
        assert_eq!(Totals::default().report().agreement, 1.0);
    }

    #[test]
    fn the_share_of_what_is_offered_is_taken() {
        let shadow = Shadow::default();
        let (samples, received) = sync_channel(100);
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/artifacts/tiny-network");
        let id = crate::artifact::verify(&folder).unwrap().id().clone();
        *shadow.lock() = Some(Running { id, samples, thread: std::thread::spawn(|| {}) });
        for _ in 0..100 {
            shadow.offer(0.25, || Sample { user: UserId(1), asked_at: 0, movies: Vec::new() });
        }
        assert_eq!(received.try_iter().count(), 25);
    }
}
