//! Models dropped in every way there is, while clients ask without pause. No request fails, no answer mixes generations,
//! nothing crashes, and every refusal can be read.

mod cases;
mod clients;
mod graphs;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::support::{Daemon, Reply, copy_folder, fixture, marquee};
pub(crate) use cases::edit_manifest;
use cases::{Case, bad_cases, straighten, troubles};
use clients::Clients;

/// Drops in one second.
const STORM: u32 = 50;

/// A folder that the miniature models know: their six films, and who rated them.
pub(crate) fn store() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let films = ["One", "Two", "Three", "Four", "Five", "Six"];
    let topics = ["space robot", "love letter", "war soldier", "crime detective", "ghost night", "funny party"];
    let mut movies = "movieId,title,genres\n".to_owned();
    let mut ratings = "userId,movieId,rating,timestamp\n".to_owned();
    let mut overviews = "title,year,overview\n".to_owned();
    for (place, (film, topic)) in films.iter().zip(topics).enumerate() {
        let (id, year) = (place + 1, 2001 + place);
        writeln!(movies, "{id},Film {film} ({year}),Drama").unwrap();
        writeln!(overviews, "Film {film},{year},A {topic} story.").unwrap();
        for user in (1..=8).filter(|user| (user + id) % 3 != 0) {
            writeln!(ratings, "{user},{id},{},{}", 1 + (user * id) % 5, 1_000_000_000 + user * 1000 + id).unwrap();
        }
    }
    let data = folder.path().join("csv");
    std::fs::create_dir(&data).unwrap();
    for (name, text) in [("movies.csv", movies), ("ratings.csv", ratings), ("overviews.csv", overviews)] {
        std::fs::write(data.join(name), text).unwrap();
    }
    let mut import = marquee(folder.path());
    let output = import.arg("import").arg(&data).arg("--overviews").arg(data.join("overviews.csv")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

fn model(reply: &Reply, folder: &str) -> Option<Value> {
    reply.json()["models"].as_array().unwrap().iter().find(|model| model["folder"] == folder).cloned()
}

fn is(reply: &Reply, folder: &str, state: &str) -> bool {
    model(reply, folder).is_some_and(|model| model["state"] == state)
}

fn wait_for(daemon: &Daemon, folder: &str, state: &str) {
    daemon.wait_for("/v1/models", |reply| is(reply, folder, state));
}

/// A good network of version `n`, told apart by the highest rating it gives; appears by one rename.
pub(crate) fn drop_network(models: &Path, folder: &str, n: u32) {
    let hidden = models.join(format!(".{folder}"));
    copy_folder(&fixture("artifacts/tiny-network"), &hidden);
    set_version(&hidden, n);
    std::fs::rename(hidden, models.join(folder)).unwrap();
}

/// The same of a network whose ratings rise from film to film by `slope`, whoever asks.
pub(crate) fn drop_straight_network(models: &Path, folder: &str, (n, slope): (u32, f32)) {
    let hidden = models.join(format!(".{folder}"));
    copy_folder(&fixture("artifacts/tiny-network"), &hidden);
    set_version(&hidden, n);
    edit_manifest(&hidden, |manifest| manifest["rating_network"]["rating_scale"] = serde_json::json!([1.0, 5.0]));
    straighten(&hidden, slope);
    std::fs::rename(hidden, models.join(folder)).unwrap();
}

fn set_version(folder: &Path, n: u32) {
    edit_manifest(folder, |manifest| {
        manifest["created"] = format!("2026-02-01T00:{:02}:{:02}Z", n / 60, n % 60).into();
        manifest["version"] = format!("{n}").into();
        manifest["rating_network"]["rating_scale"] = serde_json::json!([1.0, highest_rating(n)]);
    });
}

/// What the best film is predicted to get by version `n`: the network itself would give more.
fn highest_rating(n: u32) -> f64 {
    1.3 + f64::from(n) / 100.0
}

/// A daemon that looks at what is dropped at once and gives a model little memory.
fn attentive(store: &Path, setting: (&str, &str)) -> Daemon {
    let settings = [
        ("MARQUEE_ARTIFACTS__QUIET_MS", "20"),
        ("MARQUEE_ARTIFACTS__POLL_S", "1"),
        ("MARQUEE_ARTIFACTS__MAX_MODEL_MIB", "512"),
        setting,
    ];
    Daemon::start_with(store, &settings)
}

fn resident_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn whatever_is_dropped_no_request_fails_and_no_answer_is_mixed() {
    let store = store();
    let daemon = attentive(store.path(), ("MARQUEE_HTTP__MAX_REQUESTS", "256"));
    let started = Instant::now();
    let models = daemon.models.clone();
    for name in ["tiny-encoder", "tiny-ranking", "tiny-item-item"] {
        copy_folder(&fixture("artifacts").join(name), &models.join(name));
        wait_for(&daemon, name, "serving");
    }
    drop_network(&models, "network", 0);
    wait_for(&daemon, "network", "serving");
    daemon.wait_for("/readyz", |reply| reply.status == 200);

    let clients = Clients::start(&daemon);
    clients.ask_at_least(2000);
    clients.mark("steady");
    good_drops(&daemon, &models);
    clients.mark("good drops");
    let before_kib = resident_kib(&daemon);
    let n_bad = bad_drops(&daemon, &models, &bad_cases());
    clients.mark("bad drops");
    let n_storm = storm(&daemon, &models);
    clients.mark("storm");
    clients.ask_at_least(2000);
    let after_kib = resident_kib(&daemon);
    let report = clients.stop();

    eprintln!(
        "{} ways to drop, {} requests in {:.0} s, {} generations; resident {before_kib} KiB before, {after_kib} after",
        n_bad + n_storm + GOOD,
        report.n_requests,
        started.elapsed().as_secs_f64(),
        report.n_generations
    );
    for (phase, n, p50, p99) in &report.latencies {
        eprintln!("{phase:>12}: {n:>7} requests, p50 {p50:.2} ms, p99 {p99:.2} ms");
    }
    assert!(n_bad + n_storm + GOOD >= 100);
    assert!(report.faults.is_empty(), "{} faults: {:?}", report.faults.len(), report.faults.first());
    assert!(report.n_generations > 5, "swaps happened while clients asked");
    assert!(
        after_kib < before_kib + 64 * 1024,
        "{before_kib} KiB before, {after_kib} KiB after: models are not let go"
    );
    assert!(daemon.terminate().success());
}

/// A run that never ends, or takes all memory there is, takes the process that tries models along and nothing else.
#[test]
fn what_never_ends_is_ended_before_the_daemon_runs_it() {
    let store = store();
    let daemon = attentive(store.path(), ("MARQUEE_ARTIFACTS__MAX_LOAD_S", "2"));
    copy_folder(&fixture("artifacts/tiny-encoder"), &daemon.models.join("sound"));
    wait_for(&daemon, "sound", "serving");
    bad_drops(&daemon, &daemon.models, &troubles());
    assert!(is(&daemon.get("/v1/models"), "sound", "serving"));
    assert_eq!(daemon.get("/v1/search?prompt=space&mode=prompt").status, 200);
    assert!(daemon.terminate().success());
}

/// Ways in which a good model arrives.
const GOOD: usize = 7;

fn good_drops(daemon: &Daemon, models: &Path) {
    let source = models.join(".source");
    copy_folder(&fixture("artifacts/tiny-network"), &source);
    // The manifest first, the files one by one, as a slow copy does.
    set_version(&source, 1);
    let slow = models.join("slow");
    std::fs::create_dir(&slow).unwrap();
    for name in ["manifest.json", "probe.json", "vocabulary.json", "scorer.onnx", "movie_tower.onnx"] {
        let bytes = std::fs::read(source.join(name)).unwrap();
        let (half, _) = bytes.split_at(bytes.len() / 2);
        std::fs::write(slow.join(name), half).unwrap();
        // Longer than the daemon waits for quiet, so that it looks at the half of it.
        std::thread::sleep(std::time::Duration::from_millis(60));
        std::fs::write(slow.join(name), bytes).unwrap();
    }
    wait_for(daemon, "slow", "serving");
    // As rsync does: hidden names, each renamed.
    set_version(&source, 2);
    let synced = models.join("synced");
    std::fs::create_dir(&synced).unwrap();
    for entry in std::fs::read_dir(&source).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        std::fs::copy(source.join(&name), synced.join(format!(".{name}.Xy12"))).unwrap();
        std::fs::rename(synced.join(format!(".{name}.Xy12")), synced.join(name)).unwrap();
    }
    wait_for(daemon, "synced", "serving");
    // In place of what serves, by an editor that writes over the manifest.
    set_version(&synced, 3);
    let version = |reply: &Reply| model(reply, "synced").unwrap()["id"].as_str().unwrap().contains("@3#");
    daemon.wait_for("/v1/models", version);
    // Deep below, and made long ago by the clock of the machine that copied it.
    drop_network(models, "deep", 4);
    std::fs::create_dir_all(models.join("a/b")).unwrap();
    std::fs::rename(models.join("deep"), models.join("a/b/deep")).unwrap();
    wait_for(daemon, "a/b/deep", "serving");
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    let manifest = std::fs::File::options().append(true).open(models.join("a/b/deep/manifest.json")).unwrap();
    manifest.set_modified(long_ago).unwrap();
    // Older by its own clock: valid, and not taken.
    copy_folder(&source, &models.join("older"));
    wait_for(daemon, "older", "superseded");
    // Renamed as soon as the daemon looks at it.
    drop_network(models, "here", 5);
    daemon.wait_for("/v1/models", |reply| model(reply, "here").is_some());
    std::fs::rename(models.join("here"), models.join("there")).unwrap();
    wait_for(daemon, "there", "serving");
    // Events are lost: the folder that is watched is another one now.
    let aside = models.with_file_name("aside");
    std::fs::rename(models, &aside).unwrap();
    std::fs::create_dir(models).unwrap();
    drop_network(models, "found", 6);
    wait_for(daemon, "found", "serving");
    std::fs::remove_dir_all(aside).unwrap();
}

/// All at once, then taken away again.
fn bad_drops(daemon: &Daemon, models: &Path, cases: &[Case]) -> usize {
    let generation = |reply: Reply| reply.json()["generation"].as_u64().unwrap();
    let before = generation(daemon.get("/readyz"));
    let hidden = models.join(".cases");
    for case in cases {
        let folder = hidden.join(&case.name);
        copy_folder(&fixture("artifacts").join(case.fixture), &folder);
        // Newer than what serves, so that only its faults keep it from serving.
        edit_manifest(&folder, |manifest| manifest["created"] = "2026-03-01T00:00:00Z".into());
        (case.change)(&folder);
        std::fs::rename(&folder, models.join(&case.name)).unwrap();
    }
    // What may still be copied is refused for good at the second look.
    let told = |case: &Case| models.join(format!("{}.rejected.txt", case.name));
    let is_decided = |reply: &Reply, case: &Case| is(reply, &case.name, "rejected") && told(case).exists();
    let started = Instant::now();
    let reply = loop {
        let reply = daemon.get("/v1/models");
        let mut left = cases.iter().filter(|case| !is_decided(&reply, case));
        let Some(case) = left.next() else { break reply };
        let (name, state) = (&case.name, model(&reply, &case.name));
        assert!(started.elapsed() < crate::support::PATIENCE, "{name} is not rejected: {state:#?}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    for case in cases {
        let reason = model(&reply, &case.name).unwrap()["reason"].as_str().unwrap().to_owned();
        let is_expected = case.expected.iter().any(|words| reason.contains(words));
        assert!(is_expected, "{}: {reason:?} says none of {:?}", case.name, case.expected);
        let text = std::fs::read_to_string(told(case)).unwrap();
        assert!(text.contains(&reason), "{}: {text}", case.name);
    }
    assert_eq!(generation(daemon.get("/readyz")), before, "a bad one changes nothing");
    for case in cases {
        let folder = models.join(&case.name);
        let is_link = std::fs::symlink_metadata(&folder).unwrap().is_symlink();
        if is_link { std::fs::remove_file(folder) } else { std::fs::remove_dir_all(folder) }.unwrap();
    }
    std::fs::remove_dir_all(hidden).unwrap();
    daemon.wait_for("/v1/models", |reply| cases.iter().all(|case| model(reply, &case.name).is_none()));
    let left = std::fs::read_dir(models)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".rejected.txt"));
    assert_eq!(left.count(), 0, "files about models that are gone are gone");
    cases.len()
}

/// Many good versions at once: the newest of them serves in the end.
fn storm(daemon: &Daemon, models: &Path) -> usize {
    for n in 0..STORM {
        drop_network(models, &format!("storm-{n}"), 10 + n);
    }
    let newest = format!("storm-{}", STORM - 1);
    wait_for(daemon, &newest, "serving");
    daemon.wait_for("/v1/models", |reply| (0..STORM - 1).all(|n| is(reply, &format!("storm-{n}"), "superseded")));
    let answer = daemon.get("/user_recommend/1?top_k=6&rank_by=predicted_rating").json();
    let best = answer["recommendations"][0]["predicted_rating"].as_f64().unwrap();
    assert!((best - highest_rating(10 + STORM - 1)).abs() < 1e-6, "{answer:#}");
    STORM as usize
}
