//! A thread per kind of artifact that looks at the models folder when asked. One slot: any number of requests during a
//! look cause one further look. What is found is decided on in [`super::looker`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::loading::ModelLoader;
use super::looker::Looker;

/// A lane's thread and its slot. Dropping it asks the thread to stop at the next opportunity and joins it.
#[derive(Debug)]
pub(super) struct Lane {
    slot: Arc<Slot>,
    thread: Option<JoinHandle<()>>,
}

/// Tells a long load that the daemon stops.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<Slot>);

impl Stop {
    pub(super) fn ask(&self) {
        self.0.change(|state| state.stop = true);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.lock().stop
    }
}

#[derive(Debug, Default)]
struct Slot {
    state: Mutex<SlotState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SlotState {
    look: bool,
    stop: bool,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut SlotState)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits for the next look; false when it is time to stop.
    fn next(&self) -> bool {
        let mut state = self
            .changed
            .wait_while(self.lock(), |state| !state.look && !state.stop)
            .unwrap_or_else(PoisonError::into_inner);
        state.look = false;
        !state.stop
    }
}

impl Lane {
    /// Starts the thread, which waits to be asked.
    pub(super) fn start(name: &str, loader: impl ModelLoader + 'static) -> std::io::Result<Self> {
        let slot = Arc::new(Slot::default());
        let of_thread = Arc::clone(&slot);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut looker = Looker::new(loader);
            let stop = Stop(Arc::clone(&of_thread));
            while of_thread.next() {
                // A defect must not end hot reload: the next look begins anew.
                if catch_unwind(AssertUnwindSafe(|| looker.look(&stop))).is_err() {
                    tracing::error!("looking for models was broken off by a defect; what serves goes on serving");
                }
            }
        })?;
        Ok(Self { slot, thread: Some(thread) })
    }

    pub(super) fn look_again(&self) {
        self.slot.change(|state| state.look = true);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.slot.change(|state| state.stop = true);
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked: every look is fenced.
            let _ = thread.join();
        }
    }
}
