//! Models dropped into the folder of a running daemon, under load.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{Daemon, Reply, cached, copy_folder, fixture, marquee, repository};

const CLIENTS: usize = 4;

/// MovieLens 100K in a fresh data folder.
fn movielens_store() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = marquee(folder.path()).arg("import").arg(cached("data/ml-100k")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

fn state_of(reply: &Reply, folder: &str) -> Option<String> {
    let models = reply.json();
    let model = models["models"].as_array().unwrap().iter().find(|model| model["folder"] == folder)?.clone();
    Some(model["state"].as_str().unwrap().to_owned())
}

fn part_state(readiness: &Reply, name: &str) -> String {
    let parts = readiness.json();
    let part = parts["parts"].as_array().unwrap().iter().find(|part| part["part"] == name).unwrap().clone();
    part["state"].as_str().unwrap().to_owned()
}

/// Flips one bit in the middle of a file.
fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

/// Asks both routes without pause until told to stop; returns how many answers were not as they should be.
fn ask(daemon: &Daemon, client: usize, stop: &AtomicBool, asked: &AtomicUsize) -> Vec<String> {
    let mut failures = Vec::new();
    let mut round = client;
    while !stop.load(Ordering::Relaxed) {
        let user = 1 + round % 943;
        for path in [format!("/user_recommend/{user}?top_k=5"), "/title-or-prompt?input_text=Star+Wars".to_owned()] {
            match daemon.try_get(&path) {
                Ok(reply) if reply.status == 200 && reply.body.contains("title") => {}
                Ok(reply) => failures.push(format!("{path}: {} {}", reply.status, reply.body)),
                Err(error) => failures.push(format!("{path}: {error}")),
            }
            asked.fetch_add(1, Ordering::Relaxed);
        }
        round += CLIENTS;
    }
    failures
}

#[test]
fn good_and_bad_networks_are_dropped_under_load_and_no_request_fails() {
    let store = movielens_store();
    let daemon = Daemon::start(store.path());
    let network = repository("data/artifacts/rating-network-ml-100k");
    // Its parts are swapped in one by one, and each swap counts as a generation.
    daemon.wait_for("/readyz", |reply| part_state(reply, "hybrid") == "ready");
    let before = daemon.get("/user_recommend/196?top_k=5").json();
    assert_eq!(before["recommendations"][0]["predicted_by"], "neighbours");

    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let failures: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (daemon, stop, asked) = (&daemon, &stop, &asked);
                scope.spawn(move || ask(daemon, client, stop, asked))
            })
            .collect();
        copy_folder(&network, &daemon.models.join("bad"));
        damage(&daemon.models.join("bad/scorer.onnx"));
        let models = daemon.wait_for("/v1/models", |reply| state_of(reply, "bad").as_deref() == Some("rejected"));
        assert!(models.body.contains("SHA-256"), "the reason is readable: {}", models.body);

        copy_folder(&network, &daemon.models.join("good"));
        daemon.wait_for("/v1/models", |reply| state_of(reply, "good").as_deref() == Some("serving"));
        let generation = daemon.get("/readyz").json()["generation"].as_u64().unwrap();
        assert!(generation >= 2);

        copy_folder(&network, &daemon.models.join("copy"));
        damage(&daemon.models.join("copy/movie_tower.onnx"));
        let models = daemon.wait_for("/v1/models", |reply| state_of(reply, "copy").as_deref() == Some("rejected"));
        assert!(models.body.contains("movie_tower.onnx"), "the reason is readable: {}", models.body);

        copy_folder(&network, &daemon.models.join("worse"));
        std::fs::write(daemon.models.join("worse/manifest.json"), b"{ not json").unwrap();
        daemon.wait_for("/v1/models", |reply| state_of(reply, "worse").as_deref() == Some("rejected"));
        assert_eq!(state_of(&daemon.get("/v1/models"), "good").as_deref(), Some("serving"));
        assert_eq!(daemon.get("/readyz").json()["generation"].as_u64(), Some(generation), "a bad one changes nothing");

        let enough = asked.load(Ordering::Relaxed) + 100;
        while asked.load(Ordering::Relaxed) < enough {
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} of {} failed: {:?}", failures.len(), asked.into_inner(), failures.first());

    let after = daemon.get("/user_recommend/196?top_k=5").json();
    let movies = after["recommendations"].as_array().unwrap();
    assert_eq!(movies.len(), 5);
    assert!(movies.iter().all(|movie| movie["predicted_by"] == "rating-network"), "{after:#}");
    assert!(daemon.terminate().success());
}

#[test]
fn a_ranking_model_is_optional_and_one_of_other_features_is_refused() {
    let store = movielens_store();
    let daemon = Daemon::start(store.path());
    daemon.wait_for("/readyz", |reply| part_state(reply, "ranking-model") == "absent");
    // Its parts are swapped in one by one, and each swap counts as a generation.
    daemon.wait_for("/readyz", |reply| part_state(reply, "hybrid") == "ready");
    let stranger = daemon.models.join("stranger");
    copy_folder(&fixture("artifacts/tiny-ranking"), &stranger);
    let manifest = std::fs::read_to_string(stranger.join("manifest.json")).unwrap();
    std::fs::write(stranger.join("manifest.json"), manifest.replace("\"als\"", "\"luck\"")).unwrap();
    let models = daemon.wait_for("/v1/models", |reply| state_of(reply, "stranger").as_deref() == Some("rejected"));
    assert!(models.body.contains("luck"), "the reason is readable: {}", models.body);
    let generation = |reply: Reply| reply.json()["generation"].as_u64().unwrap();
    let before = generation(daemon.get("/readyz"));

    copy_folder(&fixture("artifacts/tiny-ranking"), &daemon.models.join("ranking"));
    let models = daemon.wait_for("/v1/models", |reply| state_of(reply, "ranking").as_deref() == Some("serving"));
    assert!(models.body.contains("ranking-model/tiny-ranking@1#"), "{}", models.body);
    let readiness = daemon.get("/readyz");
    assert_eq!(part_state(&readiness, "ranking-model"), "ready");
    assert_eq!(generation(readiness), before + 1);
    assert_eq!(daemon.get("/user_recommend/196?top_k=5").status, 200);
    assert!(daemon.terminate().success());
}

/// Requests that are written, not yet answered, when the signal is sent; more than two processors answer meanwhile.
const IN_FLIGHT: usize = 96;

#[test]
fn every_request_that_was_sent_before_the_signal_is_answered() {
    let store = movielens_store();
    let daemon = Daemon::start_with(store.path(), &[("MARQUEE_HTTP__MAX_REQUESTS", "256")]);
    daemon.wait_for("/user_recommend/1", |reply| reply.status == 200);
    let asked = ask_without_reading(&daemon);
    assert!(daemon.terminate().success());
    assert_all_answered(asked);
}

#[test]
fn what_waits_in_the_accept_queue_when_the_signal_arrives_is_answered() {
    let store = movielens_store();
    let daemon = Daemon::start_with(store.path(), &[("MARQUEE_HTTP__MAX_REQUESTS", "256")]);
    daemon.wait_for("/user_recommend/1", |reply| reply.status == 200);
    // A halted process accepts nothing: the system queues the connections and keeps the signal for it.
    daemon.signal("STOP");
    let asked = ask_without_reading(&daemon);
    daemon.signal("TERM");
    daemon.signal("CONT");
    assert!(daemon.wait().success());
    assert_all_answered(asked);
}

/// Writes one whole request to each of many connections.
fn ask_without_reading(daemon: &Daemon) -> Vec<TcpStream> {
    let ask = |user: usize| {
        let mut stream = TcpStream::connect(daemon.address()).unwrap();
        let request = format!("GET /user_recommend/{user}?top_k=500 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    (1..=IN_FLIGHT).map(ask).collect()
}

/// Each connection brings one whole answer and then ends.
fn assert_all_answered(asked: Vec<TcpStream>) {
    for (n, mut stream) in asked.into_iter().enumerate() {
        let mut answer = String::new();
        let ended = stream.read_to_string(&mut answer);
        let whole = answer.starts_with("HTTP/1.1 200") && answer.ends_with("]}");
        assert!(whole, "request {n} of {IN_FLIGHT} was cut off: {ended:?} after {} bytes", answer.len());
    }
}

#[test]
fn an_encoder_makes_prompts_semantic_and_its_index_is_reopened() {
    let store = movielens_store();
    let encoder = fixture("artifacts/tiny-encoder");
    {
        let daemon = Daemon::start(store.path());
        let prompt = "/title-or-prompt?input_text=space+war&mode=prompt";
        assert_eq!(daemon.get(prompt).header("x-marquee-method"), Some("lexical"));
        copy_folder(&encoder, &daemon.models.join("encoder"));
        daemon.wait_for("/v1/models", |reply| state_of(reply, "encoder").as_deref() == Some("serving"));
        let reply = daemon.get(prompt);
        assert_eq!(reply.header("x-marquee-method"), Some("fused"));
        assert_eq!(reply.json().as_array().unwrap().len(), 10);
        assert!(daemon.terminate().success());
    }
    let indexes = || -> Vec<_> {
        let mut files: Vec<_> = std::fs::read_dir(store.path().join("store"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "usearch"))
            .map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap()))
            .collect();
        files.sort();
        files
    };
    let saved = indexes();
    assert_eq!(saved.len(), 1);
    {
        let daemon = Daemon::start(store.path());
        daemon.wait_for("/v1/models", |reply| state_of(reply, "encoder").as_deref() == Some("serving"));
        assert_eq!(indexes(), saved, "the index was reopened, not built again");
    }
    // A damaged index is noticed by its hash and built again.
    damage(&store.path().join("store").join(&saved[0].0));
    let daemon = Daemon::start(store.path());
    daemon.wait_for("/v1/models", |reply| state_of(reply, "encoder").as_deref() == Some("serving"));
    assert_eq!(daemon.get("/title-or-prompt?input_text=war&mode=prompt").status, 200);
    assert_ne!(indexes(), saved);
}
