//! The one swap point. Readers take the current snapshot once per request; writers replace it as a whole.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::snapshot::Snapshot;

/// How often to look whether the last request has let go of an old snapshot.
const RETIRE_POLL: Duration = Duration::from_millis(5);

/// A request that holds a snapshot for longer than this frees it itself.
const RETIRE_LIMIT: Duration = Duration::from_secs(20);

/// Holds the current snapshot; empty until the first one is loaded.
#[derive(Debug, Default)]
pub(super) struct SnapshotCell {
    current: ArcSwapOption<Snapshot>,
    /// Makes read-modify-write of the snapshot exclusive between loaders.
    writing: Mutex<()>,
}

impl SnapshotCell {
    /// The current snapshot.
    pub(super) fn load(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// Sets the first snapshot.
    pub(super) fn fill(&self, snapshot: Snapshot) {
        metrics::gauge!("marquee_generation").set(snapshot.generation as f64);
        self.current.store(Some(Arc::new(snapshot)));
    }

    /// Replaces the snapshot by one that `change` made of it, numbered one higher; an empty cell stays empty.
    ///
    /// Then waits for a while until nobody uses the old one any more, so that the model it alone holds is freed on this
    /// thread and no request pays for that.
    pub(super) fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        let old = {
            let _exclusive = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(current) = self.current.load_full() else { return };
            let mut next = Snapshot::clone(&current);
            change(&mut next);
            next.generation += 1;
            metrics::gauge!("marquee_generation").set(next.generation as f64);
            self.current.store(Some(Arc::new(next)));
            current
        };
        let started = Instant::now();
        while Arc::strong_count(&old) > 1 && started.elapsed() < RETIRE_LIMIT {
            std::thread::sleep(RETIRE_POLL);
        }
    }
}
