//! Movies that come, change and go while the daemon answers.

use serde_json::Value;

use crate::support::{Daemon, encoded, sample_store};

fn search(daemon: &Daemon, text: &str) -> Value {
    daemon.get(&format!("/v1/search?prompt={}&n=5", encoded(text))).json()
}

fn ids(results: &Value) -> Vec<u64> {
    results.as_array().unwrap().iter().map(|movie| movie["movie_id"].as_u64().unwrap()).collect()
}

const CLOCKMAKER: &str = r#"{"title": "The Clockmaker of Zurich", "year": 2024, "genres": ["Drama"], "language": "de",
    "overview": "A watchmaker repairs an astrolabe of brass and meets his younger self."}"#;

#[test]
fn a_new_movie_is_found_at_once_and_a_removed_one_is_gone() {
    let folder = sample_store();
    let daemon = Daemon::start(folder.path());
    let added = daemon.send("PUT", "/v1/movies/90001", CLOCKMAKER);
    assert_eq!((added.status, added.json()["added"].as_bool()), (201, Some(true)));
    let by_title = search(&daemon, "clockmaker of zurich");
    assert_eq!(
        (by_title["resolved_as"].as_str(), by_title["movie"]["movie_id"].as_u64()),
        (Some("title"), Some(90_001))
    );
    assert!(!by_title["results"].as_array().unwrap().is_empty(), "it has neighbours by its content");
    assert_eq!(ids(&search(&daemon, "a watchmaker repairs a brass astrolabe")["results"])[0], 90_001);
    assert_eq!(daemon.get("/v1/titles?prefix=clockm").json()[0]["movie_id"], 90_001);
    assert_eq!(daemon.get("/v1/movies/90001").json()["year"], 2024);
    assert_eq!(daemon.get("/v1/movies?languages=de&year_from=2024").json()["n_movies"], 1);
    assert_eq!(daemon.send("PUT", "/v1/users/5/ratings/90001", r#"{"rating": 4}"#).status, 201);

    let patched = daemon.send("PATCH", "/v1/movies/90001", r#"{"title": "The Horologist", "year": null}"#);
    assert_eq!(patched.status, 200, "{}", patched.body);
    assert_eq!(search(&daemon, "the horologist")["movie"]["movie_id"], 90_001);
    assert_eq!(search(&daemon, "clockmaker of zurich")["movie"], Value::Null);
    let movie = daemon.get("/v1/movies/90001").json();
    assert_eq!((movie["year"].clone(), movie["genres"][0].as_str()), (Value::Null, Some("Drama")));

    assert_eq!(daemon.send("DELETE", "/v1/movies/90001", "").status, 200);
    for (method, path, body) in [
        ("GET", "/v1/movies/90001", ""),
        ("DELETE", "/v1/movies/90001", ""),
        ("PATCH", "/v1/movies/90001", "{}"),
        ("GET", "/v1/movies/90001/similar", ""),
        ("PUT", "/v1/users/5/ratings/90001", r#"{"rating": 4}"#),
    ] {
        let reply = if method == "GET" { daemon.get(path) } else { daemon.send(method, path, body) };
        assert_eq!(reply.status, 404, "{method} {path}");
    }
    assert!(!ids(&search(&daemon, "a watchmaker repairs a brass astrolabe")["results"]).contains(&90_001));
}

#[test]
fn a_known_movie_that_changes_or_goes_does_so_in_every_answer_and_stays_so() {
    let folder = sample_store();
    let daemon = Daemon::start(folder.path());
    let all = daemon.get("/v1/movies?n=500").json();
    let first = &all["movies"][0];
    let (id, title) = (first["movie_id"].as_u64().unwrap(), first["title"].as_str().unwrap().to_owned());
    let second = all["movies"][1]["movie_id"].as_u64().unwrap();
    let path = format!("/v1/movies/{id}");
    let votes = first["vote_count"].clone();
    assert_eq!(daemon.send("PATCH", &path, r#"{"overview": "Zebras dance the quadrille."}"#).status, 200);
    assert_eq!(ids(&search(&daemon, "zebras in a quadrille")["results"])[0], id);
    assert_eq!(daemon.get(&path).json()["vote_count"], votes, "figures from ratings stay");

    assert_eq!(daemon.send("DELETE", &path, "").status, 200);
    let everywhere = |daemon: &Daemon| {
        let lists = [
            daemon.get("/v1/popular?n=500").json()["results"].clone(),
            daemon.get("/v1/trending?n=500").json()["results"].clone(),
            daemon.get("/v1/users/99/recommendations?n=500").json()["results"].clone(),
            daemon.get(&format!("/v1/movies/{second}/similar?n=100&method=item-knn")).json()["results"].clone(),
            daemon.get(&format!("/v1/movies/{second}/similar?n=100&method=content")).json()["results"].clone(),
            daemon.get("/user_recommend/1?top_k=100&rank_by=predicted_rating").json()["recommendations"].clone(),
            search(daemon, "zebras in a quadrille")["results"].clone(),
            daemon.get("/v1/movies?n=500").json()["movies"].clone(),
        ];
        assert!(lists.iter().take(3).all(|list| !list.as_array().unwrap().is_empty()));
        for list in &lists {
            assert!(!ids(list).contains(&id), "{list}");
        }
        assert_ne!(search(daemon, &title)["movie"]["movie_id"], id);
    };
    everywhere(&daemon);
    daemon.terminate();
    everywhere(&Daemon::start(folder.path()));
}

/// The second fit takes in what the overlay held; nothing of it changes in the answers.
#[test]
fn changes_are_taken_into_the_next_fit() {
    let folder = sample_store();
    let daemon = Daemon::start(folder.path());
    daemon.wait_for_hybrid();
    daemon.send("PUT", "/v1/movies/90001", CLOCKMAKER);
    daemon.send("PUT", "/v1/users/77/ratings/90001", r#"{"rating": 5}"#);
    // Forgetting anybody fits anew at once.
    assert_eq!(daemon.send("DELETE", "/v1/users/4000000000", "").status, 202);
    let popular = "/v1/popular?n=500";
    daemon.wait_for(popular, |reply| {
        // The fit before serves until the new one is there, and is as ready as it was.
        let parts = daemon.get("/readyz").json();
        for part in parts["parts"].as_array().unwrap().iter().take(3) {
            assert_eq!(part["state"], "ready", "{part}");
        }
        ids(&reply.json()["results"]).contains(&90_001)
    });
    assert_eq!(search(&daemon, "clockmaker of zurich")["movie"]["movie_id"], 90_001);
    assert_eq!(ids(&search(&daemon, "a watchmaker repairs a brass astrolabe")["results"])[0], 90_001);
    assert_eq!(daemon.get("/v1/movies/90001").json()["vote_count"], 1, "its rating counts now");
    assert_eq!(daemon.send("DELETE", "/v1/movies/90001", "").status, 200);
    assert!(!ids(&daemon.get(popular).json()["results"]).contains(&90_001));
}

#[test]
fn what_was_answered_before_is_remembered_until_something_changes() {
    let folder = sample_store();
    let daemon = Daemon::start(folder.path());
    // Then nothing is fitted any more, and the generation stays.
    daemon.wait_for("/readyz", |reply| {
        let is_fitting = |part: &Value| part["state"] == "waiting" || part["state"] == "building";
        !reply.json()["parts"].as_array().unwrap().iter().any(is_fitting)
    });
    let path = "/v1/search?prompt=a%20watchmaker%20repairs%20an%20astrolabe&n=5";
    let is_remembered = |reply: &crate::support::Reply| reply.header("server-timing").unwrap().contains("cache");
    let first = daemon.get(path);
    let again = daemon.get(path);
    assert!(!is_remembered(&first) && is_remembered(&again));
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    for header in ["content-type", "x-marquee-generation", "cache-control"] {
        assert_eq!(first.header(header), again.header(header), "{header}");
    }
    assert_ne!(first.header("x-request-id"), again.header("x-request-id"));

    assert_eq!(daemon.send("PUT", "/v1/movies/90001", CLOCKMAKER).status, 201);
    let changed = daemon.get(path);
    assert!(!is_remembered(&changed));
    assert_eq!(ids(&changed.json()["results"])[0], 90_001);

    // What a person rates counts at once, although nothing else has changed.
    let titles = || daemon.get("/user_recommend/1?top_k=12").json()["recommendations"].clone();
    let before = titles();
    assert_eq!(titles(), before);
    let best = before[0]["movie_id"].as_u64().unwrap();
    let rated = daemon.send("PUT", &format!("/v1/users/1/ratings/{best}"), r#"{"rating": 4}"#);
    assert!([200, 201].contains(&rated.status), "{}", rated.body);
    assert!(!ids(&titles()).contains(&best));
    assert_eq!(daemon.send("DELETE", &format!("/v1/users/1/ratings/{best}"), "").status, 200);
    assert!(ids(&titles()).contains(&best));
    let hits = daemon.get("/metrics").body;
    let count =
        |name: &str| hits.lines().any(|line| line.starts_with(name) && line.contains("hit") && !line.ends_with(" 0"));
    assert!(count("marquee_remembered_replies_total") && count("marquee_remembered_answers_total"));
}
