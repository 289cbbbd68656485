//! The server at its limits and at its end, with requests that are known to be inside.
//!
//! It runs in this process, on a runtime whose only thread for blocking work is taken: a request that needs the engine
//! holds its permit and waits until the test lets go.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use marquee::config::{Config, HttpConfig, Overrides};
use marquee::engine::Engine;
use marquee::http::{Drain, Keys, Server};
use marquee::store::{Store, StoreOptions};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::support::{Client, PATIENCE, Reply, sample_store};

/// Needs the engine.
const QUESTION: &str = "/user_recommend/1?top_k=3";
/// Does not.
const HEALTH: &str = "/healthz";

/// A server whose engine does not get to work until `let_go`.
struct HeldServer {
    // The order matters when a test fails: first the work is let go, then the runtime waits for it.
    hold: mpsc::Sender<()>,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<Drain>,
    address: String,
    engine: Arc<Engine>,
    runtime: Runtime,
    _store: tempfile::TempDir,
}

impl HeldServer {
    fn start(set: impl FnOnce(&mut HttpConfig)) -> Self {
        let store = sample_store();
        let overrides = Overrides { data_dir: Some(store.path().to_path_buf()), listen: None };
        let mut config = Config::load(None, &overrides).unwrap();
        set(&mut config.http);
        let options = StoreOptions { cache_bytes: config.store_cache_bytes, check_on_open: false };
        let opened = Store::open(&config.store_path(), options).unwrap();
        let runtime =
            Builder::new_multi_thread().worker_threads(2).max_blocking_threads(1).enable_all().build().unwrap();
        let (engine, loaded) = Engine::start(opened, &config).unwrap();
        loaded.blocking_recv().unwrap().unwrap();
        let engine = Arc::new(engine);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = watch::channel(false);
        let server = Server::new(listener, Arc::clone(&engine), (config.http, Keys::default()), Box::new(String::new));
        let serving = runtime.spawn(server.run(stopped));
        Client::new(address.clone()).wait_for(QUESTION, |reply| reply.status == 200);

        let (hold, until) = mpsc::channel();
        let (took, taken) = mpsc::channel();
        runtime.spawn_blocking(move || {
            took.send(()).unwrap();
            // The test lets go, or it failed and is gone.
            let _ = until.recv();
        });
        taken.recv().unwrap();
        Self { hold, stop, serving, address, engine, runtime, _store: store }
    }

    fn let_go(&self) {
        self.hold.send(()).unwrap();
    }

    /// Asks on a connection of its own.
    fn ask(&self, path: &'static str) -> JoinHandle<Reply> {
        let client = Client::new(self.address.clone());
        std::thread::spawn(move || client.get(path))
    }

    /// With `max_requests` = 1: a request that is inside, known from another one having been refused.
    fn hold_a_request(&self) -> (mpsc::Receiver<Reply>, Reply) {
        let (answered, answers) = mpsc::channel();
        for _ in 0..2 {
            let (client, answered) = (Client::new(self.address.clone()), answered.clone());
            std::thread::spawn(move || {
                if let Ok(reply) = client.try_get(QUESTION) {
                    // A test that does not want it any more has failed or has seen enough.
                    let _ = answered.send(reply);
                }
            });
        }
        let refused = answers.recv_timeout(PATIENCE).unwrap();
        (answers, refused)
    }

    /// Tells the server to stop and waits until nobody can connect any more.
    fn tell_to_stop(&self) {
        self.stop.send_replace(true);
        let started = Instant::now();
        while TcpStream::connect(&self.address).is_ok() {
            assert!(started.elapsed() < PATIENCE, "the listener is never closed");
            std::thread::yield_now();
        }
    }

    /// How it ended; then nothing holds the engine any more.
    fn ended(self) -> Drain {
        let drain = self.runtime.block_on(self.serving).unwrap();
        assert_eq!(Arc::strong_count(&self.engine), 1, "a connection still holds the engine");
        drain
    }
}

fn raw(address: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

#[test]
fn a_request_too_many_is_refused_at_once() {
    let server = HeldServer::start(|http| http.max_requests = 1);
    let (answers, refused) = server.hold_a_request();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.body);
    assert_eq!(refused.json()["code"], "overloaded");
    assert_eq!(server.ask(HEALTH).join().unwrap().status, 200, "what needs no engine is answered all the same");
    server.let_go();
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap().status, 200);
}

#[test]
fn a_request_that_takes_too_long_is_given_up() {
    let server = HeldServer::start(|http| http.request_timeout = Duration::from_millis(50));
    let reply = server.ask(QUESTION).join().unwrap();
    assert_eq!((reply.status, &reply.json()["code"]), (504, &"timeout".into()));
    server.let_go();
    Client::new(server.address.clone()).wait_for(QUESTION, |reply| reply.status == 200);
}

#[test]
fn a_connection_too_many_waits_for_one_to_end() {
    let server = HeldServer::start(|http| http.max_connections = 1);
    let close = "Host: localhost\r\nConnection: close\r\n\r\n";
    let mut first = raw(&server.address, &format!("GET {QUESTION} HTTP/1.1\r\n{close}"));
    let mut second = raw(&server.address, &format!("GET {HEALTH} HTTP/1.1\r\n{close}"));
    second.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let waiting = second.read(&mut [0]).unwrap_err();
    assert!(matches!(waiting.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{waiting}");
    server.let_go();
    for stream in [&mut first, &mut second] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[test]
fn a_client_that_does_not_read_loses_its_connection() {
    let server = HeldServer::start(|http| {
        http.max_connections = 1;
        http.write_timeout = Duration::from_millis(100);
    });
    // More than the system's buffers take; the only slot is theirs until the server closes it.
    let unread = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2_000);
    let _reads_nothing = raw(&server.address, &unread);
    assert_eq!(server.ask(HEALTH).join().unwrap().status, 200);
}

#[test]
fn a_request_inside_is_finished_when_the_server_stops() {
    let server = HeldServer::start(|http| http.max_requests = 1);
    let (answers, _) = server.hold_a_request();
    server.tell_to_stop();
    assert!(!server.serving.is_finished(), "the request is waited for");
    server.let_go();
    let reply = answers.recv_timeout(PATIENCE).unwrap();
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")), "{}", reply.body);
    assert_eq!(server.ended(), Drain::Complete);
}

#[test]
fn a_request_that_outlasts_the_drain_is_cut_off_and_lets_go_of_the_engine() {
    let server = HeldServer::start(|http| {
        http.max_requests = 1;
        http.drain_timeout = Duration::from_millis(200);
    });
    let (answers, _) = server.hold_a_request();
    server.stop.send_replace(true);
    assert_eq!(server.ended(), Drain::TimedOut);
    assert!(answers.recv_timeout(PATIENCE).is_err(), "there is no answer");
}

#[test]
fn a_half_sent_head_and_idle_connections_do_not_hold_up_the_end() {
    let server = HeldServer::start(|http| {
        http.head_timeout = PATIENCE;
        http.drain_timeout = PATIENCE;
    });
    let _silent = raw(&server.address, "");
    let _half_sent = raw(&server.address, "GET /healthz HTTP/1.1\r\nHost: local");
    let mut idle = raw(&server.address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(idle.read(&mut [0; 4_096]).unwrap() > 0);
    let started = Instant::now();
    server.stop.send_replace(true);
    assert_eq!(server.ended(), Drain::Complete);
    assert!(started.elapsed() < PATIENCE / 4, "{:?}", started.elapsed());
}

#[test]
fn a_request_that_comes_just_after_the_stop_on_an_open_connection_is_answered() {
    // Within the server's grace by a wide margin; a machine that is too busy for that tries again.
    let soon = Duration::from_millis(50);
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let server = HeldServer::start(|_| {});
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let (mut fresh, mut used) = (raw(&server.address, ""), raw(&server.address, request));
        assert!(used.read(&mut [0; 4_096]).unwrap() > 0);
        let stopped = Instant::now();
        server.tell_to_stop();
        // Long enough for a server without the grace to have closed both.
        std::thread::sleep(Duration::from_millis(20));
        let sent = [&mut fresh, &mut used].map(|stream| stream.write_all(request.as_bytes()).is_ok());
        if stopped.elapsed() > soon {
            continue;
        }
        assert_eq!(sent, [true, true]);
        for mut stream in [fresh, used] {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        }
        assert_eq!(server.ended(), Drain::Complete);
        return;
    }
    panic!("this machine never sent a request in time");
}
