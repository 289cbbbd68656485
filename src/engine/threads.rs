//! Threads that work things out, one per processor: what is more waits in line. Side by side, all would be as late as the
//! last, and each would push the others' data out of the caches.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use rustix::process::{getpriority_process, setpriority_process};

/// How far the threads of the background step back (`nice(2)`): beside one that does not, each gets a tenth of a processor.
const NICENESS: i32 = 10;

/// The threads.
#[derive(Debug)]
pub(super) struct Threads(ThreadPool);

impl Threads {
    /// For answers that somebody waits for.
    pub(super) fn for_answers() -> Result<Self, ThreadPoolBuildError> {
        named("answering").build().map(Self)
    }

    /// For what nobody waits for: fitting and preparing, while requests are answered. Requests go first, as the system
    /// divides the processors; only their leftovers, and a tenth beside them, are for the background.
    pub(super) fn in_background(work: &'static str) -> Result<Self, ThreadPoolBuildError> {
        let step_back = |_| {
            // Linux takes this for the calling thread alone. Where it is refused, fits are as before: in the way.
            let niceness = getpriority_process(None).unwrap_or_default().max(NICENESS);
            if let Err(error) = setpriority_process(None, niceness) {
                tracing::warn!(%error, "work in the background competes with requests");
            }
        };
        named(work).start_handler(step_back).build().map(Self)
    }

    /// Does the work, and what it divides among threads, here, and waits for it. What is already done here goes on here.
    pub(super) fn run<Done: Send>(&self, work: impl FnOnce() -> Done + Send) -> Done {
        self.0.install(work)
    }
}

fn named(work: &'static str) -> ThreadPoolBuilder {
    ThreadPoolBuilder::new().thread_name(move |number| format!("{work}-{number}"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rayon::prelude::*;

    use super::*;

    #[test]
    fn work_and_its_parts_step_back_and_the_asker_does_not() {
        let before = getpriority_process(None).unwrap();
        let of_work = Threads::in_background("test").unwrap().run(|| {
            let of_parts: Vec<_> = (0..100).into_par_iter().map(|_| getpriority_process(None).unwrap()).collect();
            (getpriority_process(None).unwrap(), of_parts)
        });
        let expected = NICENESS.max(before);
        assert_eq!(of_work.0, expected);
        assert!(of_work.1.iter().all(|&priority| priority == expected));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }

    #[test]
    fn answers_are_worked_out_as_many_at_a_time_as_there_are_processors() {
        let threads = Threads::for_answers().unwrap();
        let (at_work, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            most.fetch_max(1 + at_work.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(5));
            at_work.fetch_sub(1, Ordering::SeqCst);
            getpriority_process(None).unwrap()
        };
        let n = threads.0.current_num_threads();
        let niceness: Vec<i32> = std::thread::scope(|scope| {
            let askers: Vec<_> = (0..4 * n).map(|_| scope.spawn(|| threads.run(work))).collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        assert_eq!(most.into_inner(), n);
        assert_eq!(niceness, vec![getpriority_process(None).unwrap(); 4 * n]);
    }
}
