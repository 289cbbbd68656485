//! Threads for what nobody waits for: fitting and preparing while requests are answered. Requests go first, as the system divides the
//! processors; only their leftovers, and a tenth beside them, are for the background.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use rustix::process::{getpriority_process, setpriority_process};

/// How far the threads step back (`nice(2)`): beside one that does not, each gets a tenth of a processor.
const NICENESS: i32 = 10;

/// The threads.
#[derive(Debug)]
pub(super) struct Background(ThreadPool);

impl Background {
    /// Starts a thread per processor, named after the work.
    pub(super) fn start(work: &'static str) -> Result<Self, ThreadPoolBuildError> {
        let step_back = |_| {
            // Linux takes this for the calling thread alone. Where it is refused, fits are as before: in the way.
            let niceness = getpriority_process(None).unwrap_or_default().max(NICENESS);
            if let Err(error) = setpriority_process(None, niceness) {
                tracing::warn!(%error, "work in the background competes with requests");
            }
        };
        let pool = ThreadPoolBuilder::new().thread_name(move |number| format!("{work}-{number}"));
        pool.start_handler(step_back).build().map(Self)
    }

    /// Does the work, and what it divides among threads, here.
    pub(super) fn run<Done: Send>(&self, work: impl FnOnce() -> Done + Send) -> Done {
        self.0.install(work)
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn work_and_its_parts_step_back_and_the_asker_does_not() {
        let before = getpriority_process(None).unwrap();
        let of_work = Background::start("test").unwrap().run(|| {
            let of_parts: Vec<_> = (0..100).into_par_iter().map(|_| getpriority_process(None).unwrap()).collect();
            (getpriority_process(None).unwrap(), of_parts)
        });
        let expected = NICENESS.max(before);
        assert_eq!(of_work.0, expected);
        assert!(of_work.1.iter().all(|&priority| priority == expected));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
