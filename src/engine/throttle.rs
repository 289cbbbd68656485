//! Background work makes way for requests: while some come in, it does little at a time and pauses in between, so that it
//! takes only its share of the time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::lane::Stop;

/// Texts embedded at a time when nobody asks: a second or two of work.
const BATCH: usize = 16;
/// The same while somebody does: an answer competes with no more than that at once.
const SMALL_BATCH: usize = 2;
/// Longest pause, also after a batch that took long because the machine was busy.
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// How often to look whether it is time to stop.
const STOP_POLL: Duration = Duration::from_millis(20);

/// Counts requests, for those that make way for them.
#[derive(Debug, Default)]
pub(super) struct Requests(AtomicU64);

impl Requests {
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Paces one piece of background work.
pub(super) struct Throttle<'a> {
    requests: &'a Requests,
    share: f64,
    seen: u64,
    began: Option<Instant>,
}

impl<'a> Throttle<'a> {
    pub(super) fn new(requests: &'a Requests, share: f64) -> Self {
        Self { requests, share, seen: requests.0.load(Ordering::Relaxed), began: None }
    }

    /// Waits as long as the last batch's share demands, if requests came in during it; then says how large the next one
    /// is to be.
    pub(super) fn next_batch(&mut self, stop: &Stop) -> usize {
        let now = self.requests.0.load(Ordering::Relaxed);
        let is_busy = now != self.seen;
        self.seen = now;
        if let (true, Some(began)) = (is_busy, self.began) {
            let until = Instant::now() + pause(began.elapsed(), self.share);
            while Instant::now() < until && !stop.is_asked() {
                std::thread::sleep(STOP_POLL.min(until.saturating_duration_since(Instant::now())));
            }
        }
        self.began = Some(Instant::now());
        if is_busy { SMALL_BATCH } else { BATCH }
    }
}

/// So long that work and pause together are `share` work.
fn pause(worked: Duration, share: f64) -> Duration {
    worked.mul_f64((1.0 / share - 1.0).max(0.0)).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_small_and_apart_while_requests_come_in() {
        let requests = Requests::default();
        let stop = Stop::default();
        let mut throttle = Throttle::new(&requests, 0.5);
        assert_eq!(throttle.next_batch(&stop), BATCH);
        requests.count();
        assert_eq!(throttle.next_batch(&stop), SMALL_BATCH);
        assert_eq!(throttle.next_batch(&stop), BATCH, "nobody asked since");
    }

    #[test]
    fn the_pause_leaves_work_its_share() {
        let worked = Duration::from_millis(300);
        assert_eq!(pause(worked, 0.5), worked);
        assert_eq!(pause(worked, 0.75), Duration::from_millis(100));
        assert_eq!(pause(worked, 1.0), Duration::ZERO);
        assert_eq!(pause(Duration::from_mins(1), 0.05), MAX_PAUSE);
    }
}
