//! What holds for every answer to the one question with every signal.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::support::{Client, Daemon, cached, marquee};

/// Questions of all kinds about MovieLens 100K.
fn questions() -> Vec<Value> {
    let mut questions = vec![
        json!({}),
        json!({"user": 196}),
        json!({"user": 405, "diversity": 0.4}),
        json!({"user": 4_000_000_000_u32}),
        json!({"liked": [50, 181], "disliked": [100]}),
        json!({"ratings": [{"movie_id": 1, "rating": 5}, {"movie_id": 2, "rating": 1}]}),
        json!({"user": 196, "ratings": [{"movie_id": 1, "rating": 5}], "exclude_seen": false}),
        json!({"users": [196, 186, 22]}),
        json!({"users": [196, 186], "household": "average", "diversity": 0.2}),
        json!({"users": [196, 4_000_000_000_u32], "liked": [50]}),
        json!({"prompt": "a farm boy on a desert planet"}),
        json!({"prompt": "not horror, from the 80s, about friendship", "ignore": ["years"]}),
        json!({"user": 196, "prompt": "space adventure with robots"}),
        json!({"users": [196, 186], "prompt": "a wedding"}),
        json!({"user": 196, "rank_by": "predicted_rating"}),
        json!({"user": 196, "rank_by": "predicted_rating", "prompt": "murder"}),
        json!({"rank_by": "popularity"}),
        json!({"user": 196, "rank_by": "trending"}),
    ];
    let filters = [
        json!({"genres": ["comedy"], "year_from": 1990}),
        json!({"genres_all": ["Action", "Sci-Fi"], "genres_none": ["Horror"], "min_votes": 50}),
        json!({"year_to": 1950}),
        json!({"genres": ["Film-Noir"], "min_vote_average": 7.5}),
        json!({"year_from": 2100}),
    ];
    for filter in filters {
        for question in
            [json!({}), json!({"user": 196}), json!({"users": [196, 186]}), json!({"prompt": "a detective"})]
        {
            let mut question = question;
            question["filters"] = filter.clone();
            question["exclude"] = json!([50, 56, 57]);
            questions.push(question);
        }
    }
    questions
}

fn ask(client: &Client, question: &Value) -> Value {
    let reply = client.send("POST", "/v1/recommend", &question.to_string());
    assert_eq!(reply.status, 200, "{question}: {}", reply.body);
    reply.json()
}

fn with(question: &Value, more: &Value) -> Value {
    let mut question = question.clone();
    for (name, value) in more.as_object().unwrap() {
        question[name] = value.clone();
    }
    question
}

fn ids(page: &Value) -> Vec<u64> {
    page["results"].as_array().unwrap().iter().map(|movie| movie["movie_id"].as_u64().unwrap()).collect()
}

/// Everything in numbers of a question, such as `users`.
fn numbers(question: &Value, name: &str) -> Vec<u64> {
    let given = question[name].as_array().cloned().unwrap_or_default();
    given.iter().map(|number| number.as_u64().unwrap()).collect()
}

/// Who asked what they have rated.
struct Histories(HashMap<u64, HashSet<u64>>);

impl Histories {
    fn of(client: &Client) -> Self {
        let rated = |user: u64| {
            let reply = client.get(&format!("/v1/users/{user}/export"));
            let ratings = (reply.status == 200).then(|| reply.json()["ratings"].as_array().unwrap().clone());
            ratings.unwrap_or_default().iter().map(|one| one["movie_id"].as_u64().unwrap()).collect()
        };
        Self([196, 405, 186, 22].into_iter().map(|user| (user, rated(user))).collect())
    }

    fn left_out(&self, question: &Value) -> HashSet<u64> {
        let mut out: HashSet<u64> = numbers(question, "exclude").into_iter().collect();
        if question["exclude_seen"] != false {
            let people = numbers(question, "users").into_iter().chain(question["user"].as_u64());
            out.extend(people.filter_map(|user| self.0.get(&user)).flatten());
            out.extend(numbers(question, "liked"));
            out.extend(numbers(question, "disliked"));
            let given = question["ratings"].as_array().cloned().unwrap_or_default();
            out.extend(given.iter().map(|given| given["movie_id"].as_u64().unwrap()));
        }
        out
    }
}

/// The movies of the catalogue that pass the question's filters, by another route.
fn passing(client: &Client, question: &Value) -> HashSet<u64> {
    use std::fmt::Write as _;
    let mut query = String::new();
    for (name, value) in question["filters"].as_object().into_iter().flatten() {
        let value = match value {
            Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        };
        write!(query, "&{name}={value}").unwrap();
    }
    let listed = client.get(&format!("/v1/movies?n=2000{query}")).json();
    listed["movies"].as_array().unwrap().iter().map(|movie| movie["movie_id"].as_u64().unwrap()).collect()
}

#[test]
fn lists_are_full_of_what_was_asked_for_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let imported = marquee(folder.path()).arg("import").arg(cached("data/ml-100k")).output().unwrap();
    assert!(imported.status.success());
    let daemon = Daemon::start_with(folder.path(), &[("MARQUEE_HTTP__MAX_TOP_K", "2000")]);
    let client = daemon.client();
    daemon.wait_for_hybrid();
    let histories = Histories::of(&client);
    for question in questions() {
        let whole = ask(&client, &with(&question, &json!({"n": 1000})));
        let movies = ids(&whole);
        let unique: HashSet<u64> = movies.iter().copied().collect();
        assert_eq!(unique.len(), movies.len(), "{question}: a movie twice");
        let left_out = histories.left_out(&question);
        assert!(unique.is_disjoint(&left_out), "{question}: a movie that was to be left out");
        let passing = passing(&client, &question);
        assert!(unique.is_subset(&passing), "{question}: a movie that does not pass the filters");
        // What the prompt itself rules out is known to the daemon alone.
        let understood = &whole["understood"];
        if understood.is_null() || understood["chips"].is_null() {
            let wanted = passing.difference(&left_out).count().min(1_000);
            assert_eq!(movies.len(), wanted, "{question}: the list is not full");
        }
        let again = ask(&client, &with(&question, &json!({"n": 1000})));
        assert_eq!(again["results"], whole["results"], "{question}: asked twice");
        pages_join(&client, (&question, &movies));
        explained(&client, &question);
    }
}

fn pages_join(client: &Client, (question, movies): (&Value, &[u64])) {
    let (mut joined, mut cursor) = (Vec::new(), Value::Null);
    for n in [7, 30, 1, 400, 1000] {
        let page = ask(client, &with(question, &json!({"n": n, "cursor": cursor})));
        joined.extend(ids(&page));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(joined, movies, "{question}: the pages are not the list");
}

fn explained(client: &Client, question: &Value) {
    let page = ask(client, &with(question, &json!({"n": 4, "explain": true})));
    for movie in page["results"].as_array().unwrap() {
        let explanation = &movie["explanation"];
        let effects = explanation["contributions"].as_array().unwrap().iter();
        let sum: f64 = effects.map(|part| part["effect"].as_f64().unwrap()).sum();
        let (score, whole) = (movie["score"].as_f64().unwrap(), explanation["baseline"].as_f64().unwrap() + sum);
        assert!((score - whole).abs() < 1e-3 * score.abs().max(1.0), "{question}: {score} is not {whole}");
        assert!(!explanation["sentence"].as_str().unwrap().is_empty());
        let household =
            numbers(question, "users").len() > 1 && question["prompt"].is_null() && movie["method"] == "household";
        assert_eq!(!explanation["people"].is_null(), household, "{question}");
    }
}

#[test]
fn cursors_end_with_their_snapshot_and_bad_questions_are_refused() {
    let folder = crate::support::sample_store();
    let daemon = Daemon::start(folder.path());
    let send = |question: &Value| daemon.send("POST", "/v1/recommend", &question.to_string());
    daemon.wait_for_hybrid();
    let first = daemon.get("/v1/popular?n=2").json();
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let other = daemon.get(&format!("/v1/trending?n=2&cursor={cursor}"));
    assert_eq!(other.status, 400, "another question");
    daemon.send("PUT", "/v1/movies/777", r#"{"title": "A new one"}"#);
    assert_eq!(daemon.get(&format!("/v1/popular?n=2&cursor={cursor}")).status, 409);
    for bad in [
        json!({"n": 0}),
        json!({"n": 501}),
        json!({"users": [1, 2, 3, 4, 5, 6, 7, 8, 9]}),
        json!({"user": -1}),
        json!({"user": 1.5}),
        json!({"liked": vec![1; 1_001]}),
        json!({"diversity": 1.5}),
        json!({"rank_by": "luck"}),
        json!({"household": "war"}),
        json!({"filters": {"colour": "red"}}),
        json!({"prompt": "x".repeat(5_000)}),
        json!({"ratings": [{"movie_id": 1, "rating": 11}]}),
        json!({"asked_at": -1}),
        json!({"cursor": "nonsense"}),
        json!({"wish": 1}),
        json!([1]),
    ] {
        assert_eq!(send(&bad).status, 400, "{}", &bad.to_string()[..60.min(bad.to_string().len())]);
    }
}
