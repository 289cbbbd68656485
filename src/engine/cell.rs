//! The one swap point. Readers take the current snapshot once per request; writers replace it as a whole.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::overlay::Overlay;
use super::snapshot::{Base, Snapshot};

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
    pub(super) fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        self.update_if(|snapshot| {
            change(snapshot);
            true
        });
    }

    /// The same with something that was made for this base; whether the snapshot still has it.
    pub(super) fn update_for(&self, base: &Weak<Base>, change: impl FnOnce(&mut Snapshot)) -> bool {
        self.update_if(|snapshot| {
            let is_same = Weak::ptr_eq(&Arc::downgrade(&snapshot.base), base);
            if is_same {
                change(snapshot);
            }
            is_same
        })
    }

    /// Replaces the overlay. No model is freed with the old one, so nobody waits for its last reader.
    pub(super) fn replace_overlay(&self, overlay: Arc<Overlay>) {
        self.replace(|snapshot| {
            snapshot.overlay = overlay;
            true
        });
    }

    fn replace(&self, change: impl FnOnce(&mut Snapshot) -> bool) -> Option<Arc<Snapshot>> {
        let _exclusive = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load_full()?;
        let mut next = Snapshot::clone(&current);
        if !change(&mut next) {
            return None;
        }
        next.generation += 1;
        (next.lists, next.similar) = Default::default();
        metrics::gauge!("marquee_generation").set(next.generation as f64);
        self.current.store(Some(Arc::new(next)));
        Some(current)
    }

    /// Replaces the snapshot, unless `change` says no; whether it did.
    ///
    /// Then waits for a while until nobody uses the old one any more, so that the model it alone holds is freed on this
    /// thread and no request pays for that.
    pub(super) fn update_if(&self, change: impl FnOnce(&mut Snapshot) -> bool) -> bool {
        let Some(old) = self.replace(change) else { return false };
        let started = Instant::now();
        while Arc::strong_count(&old) > 1 && started.elapsed() < RETIRE_LIMIT {
            std::thread::sleep(RETIRE_POLL);
        }
        true
    }
}
