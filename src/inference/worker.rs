//! Threads that each own one state (a session, say) work off one bounded queue. A full queue is refused at once, a job
//! whose asker left is dropped unrun, a panic in a run becomes an error of its jobs, and dropping the handle ends the
//! threads within a bounded time.
//!
//! Jobs that wait already may be run together, where the worker says that they fit; none waits for company.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

use super::fenced;

/// How long dropping a worker waits for the jobs that are running.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Why a worker gave no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// The queue is full.
    #[error("the model's queue is full")]
    Busy,
    /// The reply did not come in time.
    #[error("the model did not answer in time")]
    TimedOut,
    /// The job panicked. What it said may quote the job, which is somebody's query, and is not kept.
    #[error("a run of the model panicked")]
    Panicked,
    /// The worker is being dropped.
    #[error("the model is being unloaded")]
    Stopped,
}

/// Handle of the threads. Any number of others may submit jobs.
pub struct Worker<Job, Reply> {
    shared: Arc<Shared<Job, Reply>>,
    threads: Vec<JoinHandle<()>>,
}

/// The reply to come. Dropping it gives the job up.
pub struct Ticket<Reply> {
    receiver: mpsc::Receiver<Result<Reply, WorkerError>>,
    // Its end tells the worker that the asker left.
    _presence: Arc<()>,
}

struct Envelope<Job, Reply> {
    job: Job,
    asker: Weak<()>,
    reply: Answer<Reply>,
}

/// Where a reply goes.
type Answer<Reply> = mpsc::Sender<Result<Reply, WorkerError>>;

struct Shared<Job, Reply> {
    line: Mutex<Line<Job, Reply>>,
    capacity: usize,
    /// A job arrived, or the line closed.
    arrived: Condvar,
    /// A place became free, the line closed, or a thread ended.
    changed: Condvar,
}

struct Line<Job, Reply> {
    waiting: VecDeque<Envelope<Job, Reply>>,
    closed: bool,
    /// Threads that have not ended.
    n_threads: usize,
}

impl<Job: Send + 'static, Reply: Send + 'static> Worker<Job, Reply> {
    /// Starts the thread; `capacity` jobs may wait beside the one that runs.
    pub fn start(name: &str, capacity: usize, mut run: impl FnMut(Job) -> Reply + Send + 'static) -> io::Result<Self> {
        let alone = |_: &[Job], _: &Job| false;
        Self::start_joining(name, capacity, alone, [move |jobs: Vec<Job>| jobs.into_iter().map(&mut run).collect()])
    }

    /// The same with a thread for each of `runs`, which take several jobs: the first in the line, and of the others those
    /// that fit to the ones taken before. A run gives a reply for each, in their order.
    pub fn start_joining(
        name: &str,
        capacity: usize,
        fits: impl Fn(&[Job], &Job) -> bool + Clone + Send + 'static,
        runs: impl IntoIterator<Item = impl FnMut(Vec<Job>) -> Vec<Reply> + Send + 'static>,
    ) -> io::Result<Self> {
        let line = Line { waiting: VecDeque::new(), closed: false, n_threads: 0 };
        let shared = Arc::new(Shared {
            line: Mutex::new(line),
            capacity: capacity.max(1),
            arrived: Condvar::new(),
            changed: Condvar::new(),
        });
        let mut worker = Self { shared, threads: Vec::new() };
        for run in runs {
            let (served, fits) = (Arc::clone(&worker.shared), fits.clone());
            // Held, so that the thread cannot end before it is counted.
            let mut line = worker.shared.lock();
            let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
                let ended = EndedOnDrop(&*served);
                work_off(ended.0, fits, run);
            })?;
            line.n_threads += 1;
            drop(line);
            worker.threads.push(thread);
        }
        Ok(worker)
    }

    /// Hands in a job, or says at once that the queue is full.
    pub fn submit(&self, job: Job) -> Result<Ticket<Reply>, WorkerError> {
        self.submit_by(job, Instant::now()).map_err(|error| match error {
            WorkerError::TimedOut => WorkerError::Busy,
            other => other,
        })
    }

    /// Hands in a job, waiting for a place in the queue until the deadline.
    pub fn submit_by(&self, job: Job, deadline: Instant) -> Result<Ticket<Reply>, WorkerError> {
        let mut line = self.shared.lock();
        while !line.closed && line.waiting.len() >= self.shared.capacity {
            // Those who left keep no place.
            line.waiting.retain(|envelope| envelope.asker.strong_count() > 0);
            if line.waiting.len() < self.shared.capacity {
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(WorkerError::TimedOut);
            }
            line = self.shared.wait_changed(line, left);
        }
        if line.closed {
            return Err(WorkerError::Stopped);
        }
        let presence = Arc::new(());
        let (reply, receiver) = mpsc::channel();
        line.waiting.push_back(Envelope { job, asker: Arc::downgrade(&presence), reply });
        self.shared.arrived.notify_one();
        Ok(Ticket { receiver, _presence: presence })
    }
}

impl<Reply> Ticket<Reply> {
    /// Waits for the reply until the deadline.
    pub fn wait_until(self, deadline: Instant) -> Result<Reply, WorkerError> {
        match self.receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(reply) => reply,
            Err(RecvTimeoutError::Timeout) => Err(WorkerError::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(WorkerError::Stopped),
        }
    }
}

impl<Job, Reply> Shared<Job, Reply> {
    /// The lock; jobs run outside of it, so a poisoned one still guards a sound line.
    fn lock(&self) -> MutexGuard<'_, Line<Job, Reply>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_changed<'l>(
        &self,
        line: MutexGuard<'l, Line<Job, Reply>>,
        limit: Duration,
    ) -> MutexGuard<'l, Line<Job, Reply>> {
        self.changed.wait_timeout(line, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The next jobs whose askers are still there; `None` once the line is closed.
    fn next(&self, fits: impl Fn(&[Job], &Job) -> bool) -> Option<(Vec<Job>, Vec<Answer<Reply>>)> {
        let mut line = self.lock();
        loop {
            if line.closed {
                return None;
            }
            let (mut jobs, mut answers) = (Vec::new(), Vec::new());
            let n_waiting = line.waiting.len();
            for _ in 0..n_waiting {
                let Some(envelope) = line.waiting.pop_front() else { break };
                if envelope.asker.strong_count() == 0 {
                    continue;
                }
                if jobs.is_empty() || fits(&jobs, &envelope.job) {
                    jobs.push(envelope.job);
                    answers.push(envelope.reply);
                } else {
                    // All are looked at, so those that stay keep their order.
                    line.waiting.push_back(envelope);
                }
            }
            if line.waiting.len() < n_waiting {
                self.changed.notify_all();
            }
            if !jobs.is_empty() {
                return Some((jobs, answers));
            }
            line = self.arrived.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work_off<Job, Reply>(
    shared: &Shared<Job, Reply>,
    fits: impl Fn(&[Job], &Job) -> bool,
    mut run: impl FnMut(Vec<Job>) -> Vec<Reply>,
) {
    while let Some((jobs, answers)) = shared.next(&fits) {
        let replies = fenced(|| run(jobs)).unwrap_or_default();
        let mut replies = replies.into_iter().map(Ok);
        for answer in answers {
            // The asker may have left meanwhile; then nobody wants the answer.
            let _ = answer.send(replies.next().unwrap_or(Err(WorkerError::Panicked)));
        }
    }
}

struct EndedOnDrop<'s, Job, Reply>(&'s Shared<Job, Reply>);

impl<Job, Reply> Drop for EndedOnDrop<'_, Job, Reply> {
    fn drop(&mut self) {
        let mut line = self.0.lock();
        line.closed = true;
        line.n_threads -= 1;
        line.waiting.clear();
        self.0.changed.notify_all();
    }
}

impl<Job, Reply> Drop for Worker<Job, Reply> {
    fn drop(&mut self) {
        let deadline = Instant::now() + END_LIMIT;
        let mut line = self.shared.lock();
        line.closed = true;
        line.waiting.clear();
        self.shared.arrived.notify_all();
        self.shared.changed.notify_all();
        while line.n_threads > 0 && Instant::now() < deadline {
            line = self.shared.wait_changed(line, deadline.saturating_duration_since(Instant::now()));
        }
        let all_ended = line.n_threads == 0;
        drop(line);
        for thread in self.threads.drain(..) {
            if all_ended || thread.is_finished() {
                // Its panics were fenced; there is nothing to learn from the result.
                let _ = thread.join();
            } else {
                let name = thread.thread().name().unwrap_or_default();
                tracing::warn!(worker = name, "a model's thread did not end in time and is left behind");
            }
        }
    }
}

impl<Job, Reply> fmt::Debug for Worker<Job, Reply> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("waiting", &self.shared.lock().waiting.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn soon() -> Instant {
        Instant::now() + SOON
    }

    /// A worker whose jobs wait for a word of the test, and a channel that tells which job began.
    struct Held {
        worker: Worker<u32, u32>,
        go: mpsc::Sender<()>,
        began: mpsc::Receiver<u32>,
    }

    fn held(capacity: usize) -> Held {
        let (go, gate) = mpsc::channel();
        let (tell, began) = mpsc::channel();
        let worker = Worker::start("held", capacity, move |job: u32| {
            let _ = tell.send(job);
            let _ = gate.recv();
            assert!(job != 13, "thirteen");
            job * 2
        });
        Held { worker: worker.unwrap(), go, began }
    }

    #[test]
    fn replies_come_back_in_order() {
        let worker = Worker::start("double", 8, |job: u32| job * 2).unwrap();
        let tickets: Vec<_> = (0..8).map(|job| worker.submit_by(job, soon()).unwrap()).collect();
        for (job, ticket) in tickets.into_iter().enumerate() {
            assert_eq!(ticket.wait_until(soon()), Ok(job as u32 * 2));
        }
    }

    #[test]
    fn a_full_queue_is_said_at_once_and_those_who_left_give_way() {
        let Held { worker, go, began } = held(1);
        let running = worker.submit(1).unwrap();
        assert_eq!(began.recv_timeout(SOON), Ok(1));
        let left = worker.submit(2).unwrap();
        assert_eq!(worker.submit(3).err(), Some(WorkerError::Busy));
        drop(left);
        let waiting = worker.submit(4).unwrap();
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!(running.wait_until(soon()), Ok(2));
        assert_eq!(waiting.wait_until(soon()), Ok(8));
        assert_eq!(began.try_iter().collect::<Vec<_>>(), [4], "job 2 never ran");
    }

    #[test]
    fn a_job_whose_asker_left_is_not_run() {
        let Held { worker, go, began } = held(4);
        let running = worker.submit(1).unwrap();
        drop(worker.submit(2).unwrap());
        let last = worker.submit(3).unwrap();
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!(running.wait_until(soon()), Ok(2));
        assert_eq!(last.wait_until(soon()), Ok(6));
        assert_eq!(began.try_iter().collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn a_panic_is_the_error_of_its_job_only() {
        let Held { worker, go, .. } = held(4);
        let unlucky = worker.submit(13).unwrap();
        let next = worker.submit(14).unwrap();
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!(unlucky.wait_until(soon()), Err(WorkerError::Panicked));
        assert_eq!(next.wait_until(soon()), Ok(28));
    }

    #[test]
    fn several_runs_work_off_one_line_side_by_side() {
        let meeting = Arc::new(std::sync::Barrier::new(2));
        let run = |name: u32| {
            let meeting = Arc::clone(&meeting);
            move |jobs: Vec<u32>| {
                meeting.wait();
                jobs.into_iter().map(|job| job * 10 + name).collect()
            }
        };
        let worker = Worker::start_joining("pair", 8, |_: &[u32], _: &u32| false, [run(1), run(2)]).unwrap();
        let tickets: Vec<_> = (0..4).map(|job| worker.submit_by(job, soon()).unwrap()).collect();
        for (job, ticket) in tickets.into_iter().enumerate() {
            let reply = ticket.wait_until(soon()).unwrap();
            assert!(reply / 10 == job as u32 && [1, 2].contains(&(reply % 10)), "{reply}");
        }
        drop(worker);
        assert_eq!(Arc::strong_count(&meeting), 1, "both threads and their states are gone");
    }

    #[test]
    fn those_that_wait_and_fit_are_run_together_and_the_others_keep_their_order() {
        let (go, gate) = mpsc::channel::<()>();
        let (tell, began) = mpsc::channel();
        let of_a_kind = |jobs: &[u32], job: &u32| jobs.len() < 3 && jobs[0] % 2 == job % 2;
        let run = move |jobs: Vec<u32>| {
            let _ = tell.send(jobs.clone());
            let _ = gate.recv();
            assert!(!jobs.contains(&13), "thirteen");
            jobs.into_iter().map(|job| job * 2).collect()
        };
        let worker = Worker::start_joining("joining", 16, of_a_kind, [run]).unwrap();
        let first = worker.submit(0).unwrap();
        assert_eq!(began.recv_timeout(SOON), Ok(vec![0]), "nobody waits for company");
        let mut tickets: Vec<_> = [1, 2, 3, 4, 5, 7].map(|job| (job, worker.submit(job).unwrap())).into();
        let (_, left) = tickets.remove(2);
        drop(left);
        for _ in 0..3 {
            go.send(()).unwrap();
        }
        assert_eq!(first.wait_until(soon()), Ok(0));
        for (job, ticket) in tickets {
            assert_eq!(ticket.wait_until(soon()), Ok(job * 2));
        }
        assert_eq!(began.try_iter().collect::<Vec<_>>(), [vec![1, 5, 7], vec![2, 4]], "3 was given up");
        let unlucky = worker.submit(13).unwrap();
        go.send(()).unwrap();
        assert_eq!(unlucky.wait_until(soon()), Err(WorkerError::Panicked));
    }

    #[test]
    fn an_asker_waits_no_longer_than_it_wants() {
        let Held { worker, go, .. } = held(4);
        let ticket = worker.submit(1).unwrap();
        assert_eq!(ticket.wait_until(Instant::now()), Err(WorkerError::TimedOut));
        go.send(()).unwrap();
    }

    #[test]
    fn dropping_the_worker_ends_its_thread_and_answers_the_waiting() {
        let Held { worker, go, began } = held(4);
        let running = worker.submit(1).unwrap();
        assert_eq!(began.recv_timeout(SOON), Ok(1));
        let waiting = worker.submit(2).unwrap();
        let dropping = thread::spawn(move || drop(worker));
        assert_eq!(waiting.wait_until(soon()), Err(WorkerError::Stopped));
        go.send(()).unwrap();
        assert_eq!(running.wait_until(soon()), Ok(2));
        dropping.join().unwrap();
        assert_eq!(began.try_recv(), Err(mpsc::TryRecvError::Disconnected), "the thread and its state are gone");
    }
}
