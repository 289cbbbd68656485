//! The routes, on the sample data set without any model.

use std::io::{Read as _, Write as _};

use serde_json::Value;

use crate::support::{Daemon, encoded, repository, sample_store};

fn titles(recommendations: &Value) -> Vec<&str> {
    recommendations.as_array().unwrap().iter().map(|movie| movie["title"].as_str().unwrap()).collect()
}

#[test]
fn a_known_user_gets_movies_not_rated_yet_with_predicted_ratings() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    let ratings = std::fs::read_to_string(repository("data/sample/ratings.csv")).unwrap();
    let rated: Vec<u64> = ratings
        .lines()
        .filter_map(|line| line.strip_prefix("1,"))
        .map(|rest| rest.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert!(!rated.is_empty());
    for rank_by in ["score", "predicted_rating"] {
        let reply = daemon.get(&format!("/user_recommend/1?top_k=3&rank_by={rank_by}"));
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.header("x-marquee-generation").is_some() && reply.header("server-timing").is_some());
        let body = reply.json();
        assert_eq!((body["user_id"].as_u64(), body["cold_start"].as_bool()), (Some(1), Some(false)));
        let movies = body["recommendations"].as_array().unwrap();
        assert_eq!(movies.len(), 3);
        let order: Vec<f64> = movies.iter().map(|movie| movie["predicted_rating"].as_f64().unwrap()).collect();
        assert!(rank_by == "score" || order.is_sorted_by(|left, right| left >= right), "{order:?}");
        for movie in movies {
            assert!(!rated.contains(&movie["movie_id"].as_u64().unwrap()), "{movie} was rated");
            let predicted = movie["predicted_rating"].as_f64().unwrap();
            assert!((0.5..=5.0).contains(&predicted), "{movie}");
            if rank_by == "predicted_rating" {
                assert_eq!(movie["predicted_by"], movie["method"]);
            }
            for key in ["title", "vote_average", "vote_count", "popularity", "genres"] {
                assert!(!movie[key].is_null(), "{movie} has no {key}");
            }
        }
    }
}

#[test]
fn an_unknown_user_is_a_cold_start() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    let body = daemon.get("/user_recommend/999999?top_k=4").json();
    assert_eq!(body["cold_start"], true);
    assert_eq!(body["recommendations"].as_array().unwrap().len(), 4);
}

#[test]
fn a_title_gives_movies_like_it_and_a_prompt_movies_that_fit() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    let overviews = std::fs::read_to_string(repository("data/sample/overviews.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(overviews.as_bytes());
    let row = rows.records().nth(1).unwrap().unwrap();
    let (title, overview) = (&row[0], &row[2]);

    let shouted = title.to_uppercase();
    let reply = daemon.get(&format!("/title-or-prompt?input_text={}&top_k=5", encoded(&shouted)));
    assert_eq!((reply.status, reply.header("x-marquee-resolved-as")), (200, Some("title")), "{}", reply.body);
    let similar = reply.json();
    assert!(!similar.as_array().unwrap().is_empty());
    assert!(!titles(&similar).contains(&title), "the movie itself is left out");

    let words: Vec<&str> = overview.split_whitespace().take(12).collect();
    let reply = daemon.get(&format!("/title-or-prompt?input_text={}", encoded(&words.join(" "))));
    assert_eq!(reply.header("x-marquee-resolved-as"), Some("prompt"));
    assert_eq!(reply.header("x-marquee-method"), Some("lexical"), "without an encoder, words are all there is");
    let found = reply.json();
    assert_eq!(found[0]["overview"].as_str(), Some(overview), "{found:#}");

    let reply = daemon.get(&format!("/title-or-prompt?input_text={}&mode=prompt", encoded(title)));
    assert_eq!(reply.header("x-marquee-resolved-as"), Some("prompt"));
    let reply = daemon.get("/title-or-prompt?input_text=no+such+title+anywhere&mode=title");
    assert_eq!((reply.status, reply.json()), (200, serde_json::json!([])));
}

#[test]
fn search_says_how_it_took_the_text() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    let body = daemon.get("/v1/search?prompt=orbit+of+wolves&n=3").json();
    assert_eq!(
        (&body["resolved_as"], &body["movie"]["title"]),
        (&"title".into(), &"Orbit of Wolves".into()),
        "{body:#}"
    );
    assert_eq!((&body["confidence"], &body["understood"]), (&"normalised".into(), &Value::Null));
    assert_eq!(body["alternatives"][0]["title"], "Orbit of Wolves", "the other film of that name");
    assert_ne!(body["alternatives"][0]["movie_id"], body["movie"]["movie_id"]);

    let asked = "/v1/search?prompt=not+romance,+after+2000,+a+mystery&mode=prompt";
    let body = daemon.get(asked).json();
    assert_eq!((&body["resolved_as"], &body["movie"]), (&"prompt".into(), &Value::Null));
    let chips = body["understood"]["chips"].as_array().unwrap();
    let keys: Vec<&str> = chips.iter().map(|chip| chip["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["genre:Mystery", "without-genre:Romance", "years"], "{body:#}");
    let years = |body: &Value| -> Vec<u64> {
        body["results"].as_array().unwrap().iter().filter_map(|movie| movie["year"].as_u64()).collect()
    };
    assert!(years(&body).iter().all(|year| *year > 2000), "{body:#}");
    let body = daemon.get(&format!("{asked}&ignore=years,genre:Mystery")).json();
    assert_eq!(body["understood"]["chips"].as_array().unwrap().len(), 1);
    assert!(years(&body).iter().any(|year| *year <= 2000), "a chip that was removed does not count: {body:#}");
    for path in ["/v1/search", "/v1/search?prompt=a&method=luck", "/v1/search?prompt=a&mode=song"] {
        assert_eq!(daemon.get(path).status, 400, "{path}");
    }
}

#[test]
fn a_movie_has_neighbours_by_every_method() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    for method in ["hybrid", "item-knn", "content"] {
        let body = daemon.get(&format!("/v1/movies/1/similar?n=4&method={method}")).json();
        assert_eq!((&body["movie"]["movie_id"], &body["method"]), (&1.into(), &method.into()));
        let results = body["results"].as_array().unwrap();
        assert!(!results.is_empty() && results.len() <= 4, "{body:#}");
        assert!(results.iter().all(|movie| movie["movie_id"] != 1), "the movie itself is left out");
    }
    assert_eq!(daemon.get("/v1/movies/1/similar").json()["method"], "hybrid");
    assert_eq!(daemon.get("/v1/movies/1/similar?method=pearson").status, 200);
    // There is no such model yet.
    assert_eq!(daemon.get("/v1/movies/1/similar?method=item-item").status, 503);
    assert_eq!(daemon.get("/v1/movies/999999/similar").json()["code"], "not_found");
    for path in ["/v1/movies/x/similar", "/v1/movies/1/similar?method=tfidf"] {
        assert_eq!(daemon.get(path).status, 400, "{path}");
    }
}

#[test]
fn titles_are_suggested_as_one_types() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    let reply = daemon.get("/v1/titles?prefix=lamp&n=3");
    assert_eq!(reply.json()[0]["title"], "The Lamplighter of Orsk", "the article does not count: {}", reply.body);
    assert_eq!(daemon.get("/v1/titles?prefix=zzzz").json(), serde_json::json!([]));
    for path in ["/v1/titles", "/v1/titles?prefix=%20", "/v1/titles?prefix=a&n=51"] {
        assert_eq!(daemon.get(path).status, 400, "{path}");
    }
}

#[test]
fn readiness_lists_the_parts_and_why() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    let reply = daemon.wait_for("/readyz", |reply| !reply.body.contains("waiting"));
    assert_eq!(reply.status, 503);
    let body = reply.json();
    let part = |name: &str| body["parts"].as_array().unwrap().iter().find(|part| part["part"] == name).unwrap().clone();
    assert_eq!(part("catalogue")["state"], "ready");
    assert_eq!(part("recommenders")["state"], "ready");
    for missing in ["rating-network", "text-encoder", "embeddings", "vector-index"] {
        assert_eq!(part(missing)["state"], "absent");
        assert!(part(missing)["why"].as_str().unwrap().contains("models folder"));
    }
    assert_eq!(daemon.get("/healthz").status, 200);

    let relaxed = sample_store();
    let daemon = Daemon::start_with(relaxed.path(), &[("MARQUEE_ARTIFACTS__REQUIRED", "")]);
    daemon.wait_for("/readyz", |reply| reply.status == 200);
}

#[test]
fn mistakes_get_a_problem_document() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    let long = format!("/title-or-prompt?input_text={}", "a".repeat(5_000));
    for (path, status, code) in [
        ("/nowhere", 404, "not_found"),
        ("/user_recommend/", 404, "not_found"),
        ("/user_recommend/abc", 400, "bad_request"),
        ("/user_recommend/-1", 400, "bad_request"),
        ("/user_recommend/+5", 400, "bad_request"),
        ("/user_recommend/4294967296", 400, "bad_request"),
        ("/user_recommend/1?top_k=0", 400, "bad_request"),
        ("/user_recommend/1?topk=5", 400, "bad_request"),
        ("/user_recommend/1?rank_by=luck", 400, "bad_request"),
        ("/title-or-prompt", 400, "bad_request"),
        ("/title-or-prompt?input_text=%20", 400, "bad_request"),
        ("/title-or-prompt?input_text=a&mode=x", 400, "bad_request"),
        (&long, 400, "bad_request"),
    ] {
        let reply = daemon.get(path);
        assert_eq!((reply.status, reply.header("content-type")), (status, Some("application/problem+json")), "{path}");
        let body = reply.json();
        assert_eq!(body["code"], code, "{path}");
        assert_eq!(body["request_id"].as_str(), reply.header("x-request-id"));
        assert!(body["detail"].as_str().unwrap().ends_with('.'), "{body}");
    }
}

/// Sends bytes as they are; returns everything until the daemon closes the connection.
fn raw(daemon: &Daemon, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(daemon.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is an end as well.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_protocol_is_kept_strictly() {
    let store = sample_store();
    let daemon = Daemon::start_with(
        store.path(),
        &[("MARQUEE_HTTP__HEAD_TIMEOUT_MS", "300"), ("MARQUEE_HTTP__HOSTS", "films.example")],
    );
    let close = "Connection: close\r\n\r\n";
    let starts = |answer: &str, expected: &str| assert!(answer.starts_with(expected), "{answer}");
    starts(&raw(&daemon, &format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{close}")), "HTTP/1.1 200");
    starts(&raw(&daemon, &format!("GET /healthz HTTP/1.1\r\n{close}")), "HTTP/1.1 400");
    starts(
        &raw(&daemon, &format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n{close}")),
        "HTTP/1.1 400",
    );
    starts(&raw(&daemon, &format!("GET /healthz HTTP/1.1\r\nHost: films.example\r\n{close}")), "HTTP/1.1 200");
    // A page that gave 127.0.0.1 a name of its own is refused.
    starts(&raw(&daemon, &format!("GET /healthz HTTP/1.1\r\nHost: page.example\r\n{close}")), "HTTP/1.1 400");
    let post = raw(&daemon, &format!("POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{close}"));
    starts(&post, "HTTP/1.1 405");
    assert!(post.to_lowercase().contains("allow: get, head"), "{post}");
    let head = raw(&daemon, &format!("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n{close}"));
    starts(&head, "HTTP/1.1 200");
    assert!(head.ends_with("\r\n\r\n"), "a HEAD answer has no body: {head}");
    let huge = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n{close}", "x".repeat(40_000));
    starts(&raw(&daemon, &huge), "HTTP/1.1 431");
    // A head that never ends: the daemon closes the connection, so reading comes to an end.
    raw(&daemon, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
}

#[test]
fn metrics_and_the_contract_are_served() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    daemon.get("/user_recommend/1");
    let metrics = daemon.get("/metrics").body;
    assert!(
        metrics.contains(r#"marquee_http_requests_total{route="/user_recommend/{user_id}",status="200"} 1"#),
        "{metrics}"
    );
    assert!(metrics.contains("marquee_generation"));
    assert_eq!(daemon.get("/openapi.json").json()["openapi"], "3.1.0");
    assert_eq!(daemon.get("/v1/models").json()["models"], serde_json::json!([]));
}

#[test]
fn an_empty_store_serves_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let reply = daemon.get("/readyz");
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("marquee import DIR"), "{}", reply.body);
    assert_eq!(daemon.get("/user_recommend/1").json()["recommendations"], serde_json::json!([]));
    assert_eq!(daemon.get("/title-or-prompt?input_text=space").json(), serde_json::json!([]));
}
