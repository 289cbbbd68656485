//! Watches a folder and says "look again" when things have become quiet. Knows nothing of models.
//!
//! Events are only a hint: they can be lost, and some file systems send none. So the same is said after every poll
//! interval, and the watch is renewed then, because a folder that was replaced sends nothing to the old watch.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode};

/// Events that may wait; more say nothing new.
const QUEUE_LENGTH: usize = 16;

/// A folder that never becomes quiet is looked at all the same after so many quiet periods.
const MAX_QUIET_PERIODS: u32 = 20;

enum Signal {
    Changed,
    Stop,
}

/// A running watch. Dropping it ends its thread.
#[derive(Debug)]
pub struct Watch {
    signals: SyncSender<Signal>,
    thread: Option<JoinHandle<()>>,
}

/// When to speak.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long nothing may have changed.
    pub quiet: Duration,
    /// How often to speak without any change.
    pub poll: Duration,
}

impl Watch {
    /// Watches everything below `folder`, which need not exist yet.
    pub fn start(folder: &Path, pace: Pace, look_again: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (signals, received) = sync_channel(QUEUE_LENGTH);
        let events = signals.clone();
        let mut folder_watch =
            FolderWatch { folder: folder.to_path_buf(), events, watcher: None, trouble: String::new() };
        folder_watch.renew();
        let thread = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || run(&received, &mut folder_watch, pace, &look_again))?;
        Ok(Self { signals, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Fails only when the thread is gone already.
        let _ = self.signals.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(received: &Receiver<Signal>, folder: &mut FolderWatch, pace: Pace, look_again: &dyn Fn()) {
    loop {
        match received.recv_timeout(pace.poll) {
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Signal::Changed) => {
                if !wait_until_quiet(received, pace.quiet) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => folder.renew(),
        }
        look_again();
    }
}

/// False when it is time to stop.
fn wait_until_quiet(received: &Receiver<Signal>, quiet: Duration) -> bool {
    let limit = Instant::now() + quiet * MAX_QUIET_PERIODS;
    while Instant::now() < limit {
        match received.recv_timeout(quiet) {
            Ok(Signal::Changed) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
    true
}

struct FolderWatch {
    folder: PathBuf,
    events: SyncSender<Signal>,
    watcher: Option<RecommendedWatcher>,
    /// Why watching failed last time, so that it is said once.
    trouble: String,
}

impl FolderWatch {
    fn renew(&mut self) {
        use notify::Watcher as _;
        self.watcher = None;
        if !self.folder.is_dir() {
            return;
        }
        let events = self.events.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Whatever it is, an error included, it means "look"; a full queue says so already. Only reading means
            // nothing, or every look would cause the next one.
            if !event.is_ok_and(|event| is_reading(event.kind)) {
                let _ = events.try_send(Signal::Changed);
            }
        });
        let watching = watcher.and_then(|mut watcher| {
            watcher.watch(&self.folder, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        match watching {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                self.trouble.clear();
            }
            Err(error) => {
                let trouble = error.to_string();
                if trouble != self.trouble {
                    let error = &trouble;
                    tracing::warn!(error, "cannot watch the models folder; it is looked at every poll interval");
                }
                self.trouble = trouble;
            }
        }
    }
}

fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    fn watching(folder: &Path, quiet_ms: u64, poll_s: u64) -> (Watch, Receiver<()>) {
        let (said, hear): (Sender<()>, _) = channel();
        let pace = Pace { quiet: Duration::from_millis(quiet_ms), poll: Duration::from_secs(poll_s) };
        let watch = Watch::start(folder, pace, move || {
            let _ = said.send(());
        });
        (watch.unwrap(), hear)
    }

    #[test]
    fn a_change_below_the_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (_watch, hear) = watching(folder.path(), 20, 3600);
        std::fs::create_dir(folder.path().join("model")).unwrap();
        hear.recv_timeout(Duration::from_secs(20)).unwrap();
        std::fs::write(folder.path().join("model/manifest.json"), b"{}").unwrap();
        hear.recv_timeout(Duration::from_secs(20)).unwrap();
    }

    #[test]
    fn reading_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        std::fs::create_dir(&model).unwrap();
        std::fs::write(model.join("manifest.json"), b"{}").unwrap();
        let (_watch, hear) = watching(folder.path(), 10, 3600);
        for _ in 0..20 {
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
            assert_eq!(std::fs::read(model.join("manifest.json")).unwrap(), b"{}");
        }
        assert!(hear.recv_timeout(Duration::from_millis(300)).is_err(), "reading was taken for a change");
    }

    #[test]
    fn a_folder_that_appears_later_is_found_by_polling_and_watched_from_then_on() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("models");
        let (watch, hear) = watching(&folder, 20, 1);
        hear.recv_timeout(Duration::from_secs(20)).unwrap();
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("file"), b"x").unwrap();
        hear.recv_timeout(Duration::from_secs(20)).unwrap();
        drop(watch);
        while hear.recv().is_ok() {}
    }
}
