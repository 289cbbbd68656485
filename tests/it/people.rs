//! Live ratings and people's own data.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Client, Daemon, cached, marquee, repository, sample_store, shell_words};

/// The ratings that a person's export has, by movie.
fn stored(client: &Client, user: usize) -> Vec<(u64, f64)> {
    let reply = client.get(&format!("/v1/users/{user}/export"));
    if reply.status == 404 {
        return Vec::new();
    }
    let ratings = reply.json()["ratings"].as_array().unwrap().clone();
    ratings.iter().map(|one| (one["movie_id"].as_u64().unwrap(), one["rating"].as_f64().unwrap())).collect()
}

/// The movies a client writes about: all of the sample.
fn movies(client: &Client) -> Vec<u64> {
    let listed = client.get("/v1/movies?n=500").json();
    listed["movies"].as_array().unwrap().iter().map(|movie| movie["movie_id"].as_u64().unwrap()).collect()
}

#[test]
fn the_next_answer_reflects_a_rating_of_a_known_and_of_a_new_person() {
    let folder = sample_store();
    let daemon = Daemon::start(folder.path());
    daemon.wait_for_hybrid();
    let recommended = |user: u32| {
        let page = daemon.get(&format!("/v1/users/{user}/recommendations?n=100")).json();
        let results = page["results"].as_array().unwrap().clone();
        let ids: Vec<u64> = results.iter().map(|movie| movie["movie_id"].as_u64().unwrap()).collect();
        (ids, page["cold_start"].as_bool().unwrap())
    };
    for user in [1, 4_000_000_000] {
        let (before, _) = recommended(user);
        let rated = before[0];
        let path = format!("/v1/users/{user}/ratings/{rated}");
        assert_eq!(daemon.send("PUT", &path, r#"{"rating": 5}"#).json()["status"], "added");
        assert_eq!(daemon.send("PUT", &path, r#"{"rating": 4}"#).json()["status"], "replaced");
        let old = r#"{"rating": 1, "timestamp": 5}"#;
        assert_eq!(daemon.send("PUT", &path, old).json()["status"], "newer_kept");
        let (after, cold_start) = recommended(user);
        assert!(!after.contains(&rated) && !cold_start, "user {user}");
        let original = daemon.get(&format!("/user_recommend/{user}?top_k=100")).json();
        assert!(!original["recommendations"].as_array().unwrap().iter().any(|movie| movie["movie_id"] == rated));
        assert_eq!(daemon.send("DELETE", &path, "").json()["removed"], true);
        assert_eq!(daemon.send("DELETE", &path, "").json()["removed"], false);
        assert_eq!(recommended(user).0, before, "as if nothing had been");
    }
}

#[test]
fn each_line_of_a_batch_is_answered_and_sending_it_again_changes_nothing() {
    let folder = sample_store();
    let daemon = Daemon::start(folder.path());
    let client = daemon.client();
    let movie = movies(&client)[0];
    let batch = format!(
        "{{\"user_id\": 900, \"movie_id\": {movie}, \"rating\": 4, \"timestamp\": 10}}\n\n{{\"user_id\": 900}}\n\
         {{\"user_id\": 900, \"movie_id\": 99999, \"rating\": 4}}\n{{\"user_id\": 901, \"movie_id\": {movie}, \"rating\": 9}}\n"
    );
    let send = || {
        let reply = client.try_send(("POST", "/v1/ratings"), ("application/x-ndjson", None), &batch).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let answers = send();
    let lines: Vec<(u64, &str)> =
        answers[..4].iter().map(|line| (line["line"].as_u64().unwrap(), line["status"].as_str().unwrap())).collect();
    assert_eq!(lines, [(1, "stored"), (3, "refused"), (4, "refused"), (5, "refused")]);
    assert!(answers[1]["reason"].as_str().unwrap().contains("movie_id"));
    assert!(answers[2]["reason"].as_str().unwrap().contains("no movie"));
    assert!(answers[3]["reason"].as_str().unwrap().contains("go from"));
    assert_eq!(answers[4]["summary"], json!({"added": 1, "replaced": 0, "newer_kept": 0, "refused": 3}));
    assert_eq!(send()[4]["summary"], json!({"added": 0, "replaced": 1, "newer_kept": 0, "refused": 3}));
    assert_eq!(stored(&client, 900), [(movie, 4.0)]);
}

/// Two thousand writes and reads from eight clients, each of which reads what it wrote; then a kill in the middle of
/// writing, after which every acknowledged write is there.
#[test]
fn acknowledged_writes_are_read_at_once_and_survive_a_kill() {
    const CLIENTS: usize = 8;
    let folder = sample_store();
    let daemon = Daemon::start(folder.path());
    let all = movies(&daemon.client());
    let user = |client: usize| 10_000 + client;
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (client, all) = (daemon.client(), &all);
            scope.spawn(move || {
                let mut expected = std::collections::BTreeMap::new();
                for round in 0..125_usize {
                    let movie = all[(number + 7 * round) % all.len()];
                    let path = format!("/v1/users/{}/ratings/{movie}", user(number));
                    if round % 5 == 4 {
                        assert_eq!(client.send("DELETE", &path, "").status, 200);
                        expected.remove(&movie);
                    } else {
                        let rating = 1 + (round + number) % 5;
                        let reply = client.send("PUT", &path, &format!(r#"{{"rating": {rating}}}"#));
                        assert!(reply.status < 300, "{}", reply.body);
                        expected.insert(movie, rating as f64);
                    }
                    let read = stored(&client, user(number));
                    assert_eq!(read, expected.iter().map(|(&movie, &rating)| (movie, rating)).collect::<Vec<_>>());
                }
            });
        }
    });

    // Now only additions, each of its own person; the kill comes while all clients write.
    let (acknowledged, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let written: Vec<Vec<(usize, u64)>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (client, all, acknowledged, stop) = (daemon.client(), &all, &acknowledged, &stop);
                scope.spawn(move || {
                    let mut written = Vec::new();
                    for round in 0.. {
                        let (person, movie) = (20_000 + CLIENTS * round + number, all[round % all.len()]);
                        let path = format!("/v1/users/{person}/ratings/{movie}");
                        let sent = client.try_send(("PUT", &path), ("application/json", None), r#"{"rating": 3}"#);
                        match sent {
                            Ok(reply) if reply.status == 201 => {
                                written.push((person, movie));
                                acknowledged.fetch_add(1, Ordering::Relaxed);
                            }
                            _ if stop.load(Ordering::Relaxed) => break,
                            Ok(reply) => panic!("{} {}", reply.status, reply.body),
                            Err(error) => panic!("before the kill: {error}"),
                        }
                    }
                    written
                })
            })
            .collect();
        while acknowledged.load(Ordering::Relaxed) < 300 {
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        daemon.kill();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let daemon = Daemon::start(folder.path());
    let client = daemon.client();
    for (person, movie) in written.into_iter().flatten() {
        assert_eq!(stored(&client, person), [(movie, 3.0)], "an acknowledged write is lost");
    }
}

#[test]
fn people_are_merged_exported_and_forgotten_without_a_trace() {
    const GONE: u32 = 0x5A3C_77E1;
    const ALSO_GONE: u32 = 0x5A3C_77E2;
    let folder = sample_store();
    let daemon = Daemon::start(folder.path());
    let client = daemon.client();
    let all = movies(&client);
    let put = |user: u32, movie: u64, rating: u32| {
        let path = format!("/v1/users/{user}/ratings/{movie}");
        assert_eq!(daemon.send("PUT", &path, &format!(r#"{{"rating": {rating}}}"#)).status, 201);
    };
    put(GONE, all[0], 5);
    put(ALSO_GONE, all[1], 4);
    put(ALSO_GONE, all[2], 2);
    let exported = daemon.get(&format!("/v1/users/{ALSO_GONE}/export")).json();
    assert_eq!(exported["ratings"].as_array().unwrap().len(), 2);
    assert!(exported["ratings"][0]["title"].is_string());

    let merged = daemon.send("POST", &format!("/v1/users/{GONE}/merge"), &format!(r#"{{"from": {ALSO_GONE}}}"#)).json();
    assert_eq!((merged["ratings_added"].as_u64(), merged["ratings_replaced"].as_u64()), (Some(2), Some(0)));
    assert_eq!(stored(&client, GONE as usize).len(), 3);
    assert_eq!(daemon.get(&format!("/v1/users/{ALSO_GONE}/export")).status, 404);
    let with_oneself = daemon.send("POST", &format!("/v1/users/{GONE}/merge"), &format!(r#"{{"from": {GONE}}}"#));
    assert_eq!((with_oneself.status, stored(&client, GONE as usize).len()), (200, 3));

    let forgotten = daemon.send("DELETE", &format!("/v1/users/{GONE}"), "");
    assert_eq!((forgotten.status, forgotten.json()["ratings_removed"].as_u64()), (202, Some(3)));
    assert_eq!(daemon.get(&format!("/v1/users/{GONE}/export")).status, 404);
    let users = daemon.get("/v1/users?n=500").json();
    assert!(!users["users"].as_array().unwrap().iter().any(|user| user["user_id"] == GONE));
    assert_eq!(daemon.get(&format!("/v1/users/{GONE}/recommendations")).json()["cold_start"], true);
    // The store is copied without them in the background, after a power cut by the next daemon.
    daemon.kill();
    let daemon = Daemon::start(folder.path());
    let has_trace = || {
        let files = std::fs::read_dir(folder.path().join("store")).unwrap();
        let keys = [GONE, ALSO_GONE].map(u32::to_le_bytes);
        files
            .map(|file| std::fs::read(file.unwrap().path()).unwrap_or_default())
            .any(|bytes| bytes.windows(4).any(|part| keys.iter().any(|key| part == key)))
    };
    let started = std::time::Instant::now();
    while has_trace() {
        assert!(started.elapsed() < crate::support::PATIENCE, "a trace stays in the files");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    daemon.terminate();
    assert!(!has_trace());
    let export = folder.path().join("training");
    let output = marquee(folder.path()).args(["export", export.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success());
    let ratings = std::fs::read_to_string(export.join("ratings.csv")).unwrap();
    assert!(ratings.lines().count() > 1 && !ratings.contains(&GONE.to_string()));
}

#[test]
fn people_like_a_person_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let imported = marquee(folder.path()).arg("import").arg(cached("data/ml-100k")).output().unwrap();
    assert!(imported.status.success());
    let daemon = Daemon::start(folder.path());
    let path = "/v1/users/196/similar?n=5";
    let near = daemon.wait_for(path, |reply| reply.status == 200).json();
    let users = near["users"].as_array().unwrap();
    let similarities: Vec<f64> = users.iter().map(|user| user["similarity"].as_f64().unwrap()).collect();
    assert_eq!(users.len(), 5);
    assert!(users.iter().all(|user| user["user_id"] != 196));
    assert!(similarities.is_sorted_by(|left, right| left >= right) && similarities[4] > 0.0, "{similarities:?}");
    assert_eq!(daemon.get("/v1/users/999999/similar").status, 404);
    the_readme_shows_what_the_commands_print(&daemon);
}

/// Every `$ marquee …` of the README, asked of a daemon with the data that the README is about.
fn the_readme_shows_what_the_commands_print(daemon: &Daemon) {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let mut n_commands = 0;
    for part in readme.split("\n$ marquee ").skip(1) {
        let (command, rest) = part.split_once('\n').unwrap();
        let shown = rest.split("\n$ ").next().unwrap().split("```").next().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_marquee"))
            .args(shell_words(command))
            .args(["--server", &format!("http://{}", daemon.address())])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let problem = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.trim_end(), shown.trim_end(), "{command}: {problem}");
        n_commands += 1;
    }
    assert_eq!(n_commands, 3);
}

/// A counter of the metrics, zero where it was never counted.
fn counter(daemon: &Daemon, name: &str, label: &str) -> f64 {
    let metrics = daemon.get("/metrics").body;
    let line = metrics.lines().find(|line| line.starts_with(name) && line.contains(label));
    line.and_then(|line| line.rsplit(' ').next()).map_or(0.0, |value| value.parse().unwrap())
}

#[test]
fn answers_are_prepared_while_nobody_asks_and_again_after_a_rating() {
    let folder = sample_store();
    let daemon = Daemon::start(folder.path());
    let prepared = |kind: &str| counter(&daemon, "marquee_prepared_answers_total", &format!("\"{kind}\""));
    let known = || counter(&daemon, "marquee_remembered_answers_total", "\"hit\"");
    let n_people = daemon.get("/v1/users?n=500").json()["users"].as_array().unwrap().len();
    let n_movies = movies(&daemon.client()).len();
    daemon.wait_for("/metrics", |_| prepared("person") >= n_people as f64 && prepared("movie") >= n_movies as f64);

    let answer = daemon.get("/user_recommend/1?top_k=7").json()["recommendations"].clone();
    assert_eq!(known(), 1.0, "the first to ask finds the answer made");
    let best = answer[0]["movie_id"].as_u64().unwrap();
    let before = prepared("person");
    assert_eq!(daemon.send("PUT", &format!("/v1/users/1/ratings/{best}"), r#"{"rating": 4}"#).status, 201);
    daemon.wait_for("/metrics", |_| prepared("person") > before);
    let after = daemon.get("/user_recommend/1?top_k=7").json()["recommendations"].clone();
    assert_eq!(known(), 2.0);
    assert!(after.as_array().unwrap().iter().all(|movie| movie["movie_id"] != best), "what was just rated is not");
    // Page by page it is the same list, which is another one to make.
    let page = daemon.get("/v1/users/1/recommendations?n=7").json();
    let n_left = after.as_array().unwrap().len();
    assert!(n_left > 0 && page["results"].as_array().unwrap().len() == n_left);
    for (one, other) in after.as_array().unwrap().iter().zip(page["results"].as_array().unwrap()) {
        assert_eq!(one["movie_id"], other["movie_id"]);
        assert_eq!(one["predicted_rating"], other["predicted_rating"]);
    }
}
