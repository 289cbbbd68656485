//! Clients that ask without pause, and hold every answer against the other answers of its generation.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::{Daemon, PATIENCE};

const CLIENTS: usize = 8;

/// What is asked, in turn.
const PATHS: [&str; 7] = [
    "/user_recommend/1?top_k=6&rank_by=predicted_rating",
    "/user_recommend/2?top_k=3",
    "/user_recommend/99?top_k=3",
    "/title-or-prompt?input_text=a+robot+in+space&mode=prompt",
    "/title-or-prompt?input_text=Film+Two",
    "/v1/search?prompt=love&mode=prompt",
    "/v1/movies/2/similar?method=item-item",
];

#[derive(Default)]
struct Seen {
    faults: Mutex<Vec<String>>,
    /// The same snapshot gives the same answer: anything else is made of two.
    answers: Mutex<HashMap<(u64, usize), String>>,
    /// Answers in milliseconds since the last mark.
    latencies: Mutex<Vec<f64>>,
    n_requests: AtomicUsize,
    stop: AtomicBool,
}

pub(super) struct Clients {
    seen: Arc<Seen>,
    threads: Vec<JoinHandle<()>>,
    phases: Mutex<Vec<(&'static str, usize, f64, f64)>>,
}

pub(super) struct Report {
    pub(super) n_requests: usize,
    pub(super) n_generations: usize,
    pub(super) faults: Vec<String>,
    /// Phase, requests, median and 99th percentile in milliseconds.
    pub(super) latencies: Vec<(&'static str, usize, f64, f64)>,
}

impl Clients {
    pub(super) fn start(daemon: &Daemon) -> Self {
        let seen = Arc::new(Seen::default());
        let threads = (0..CLIENTS).map(|client| {
            let (seen, address) = (Arc::clone(&seen), daemon.address().to_owned());
            std::thread::spawn(move || seen.ask(&address, client))
        });
        Self { threads: threads.collect(), seen, phases: Mutex::default() }
    }

    pub(super) fn ask_at_least(&self, n: usize) {
        let enough = self.seen.n_requests.load(Ordering::Relaxed) + n;
        let started = Instant::now();
        while self.seen.n_requests.load(Ordering::Relaxed) < enough {
            assert!(started.elapsed() < PATIENCE, "the clients came to a halt");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends a phase of the latencies.
    pub(super) fn mark(&self, phase: &'static str) {
        let mut latencies = std::mem::take(&mut *self.seen.latencies.lock().unwrap());
        latencies.sort_by(f64::total_cmp);
        let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or_default();
        self.phases.lock().unwrap().push((phase, latencies.len(), at(0.5), at(0.99)));
    }

    pub(super) fn stop(self) -> Report {
        self.mark("after");
        self.seen.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let generations: std::collections::BTreeSet<u64> =
            self.seen.answers.lock().unwrap().keys().map(|(generation, _)| *generation).collect();
        Report {
            n_requests: self.seen.n_requests.load(Ordering::Relaxed),
            n_generations: generations.len(),
            faults: std::mem::take(&mut *self.seen.faults.lock().unwrap()),
            latencies: self.phases.into_inner().unwrap(),
        }
    }
}

impl Seen {
    fn ask(&self, address: &str, client: usize) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        let agent: ureq::Agent = config.timeout_global(Some(PATIENCE)).build().into();
        let mut round = client;
        while !self.stop.load(Ordering::Relaxed) {
            let place = round % PATHS.len();
            round += 1;
            let started = Instant::now();
            let fault = self.ask_once(&agent, address, place).err();
            self.latencies.lock().unwrap().push(started.elapsed().as_secs_f64() * 1e3);
            self.n_requests.fetch_add(1, Ordering::Relaxed);
            self.faults.lock().unwrap().extend(fault.map(|fault| format!("{}: {fault}", PATHS[place])));
        }
    }

    fn ask_once(&self, agent: &ureq::Agent, address: &str, place: usize) -> Result<(), String> {
        let path = PATHS[place];
        let mut response = agent.get(format!("http://{address}{path}")).call().map_err(|error| error.to_string())?;
        let body = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        if response.status() != 200 {
            return Err(format!("{} {body}", response.status()));
        }
        let generation =
            response.headers().get("x-marquee-generation").and_then(|value| value.to_str().ok()?.parse().ok());
        let generation: u64 = generation.ok_or("no generation")?;
        let mut answers = self.answers.lock().unwrap();
        match answers.get(&(generation, place)) {
            Some(other) if *other != body => Err(format!("generation {generation} answered {other} and {body}")),
            Some(_) => Ok(()),
            None => {
                answers.insert((generation, place), body);
                Ok(())
            }
        }
    }
}
