//! Who may change anything.

use crate::support::{Daemon, sample_store};

const RATING: &str = "/v1/users/7/ratings/1";

#[test]
fn with_keys_writing_needs_one_and_with_a_read_key_reading_too() {
    let folder = sample_store();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, "write wwwwwwwwwwwwwwww\nread rrrrrrrrrrrrrrrr\n").unwrap();
    let daemon = Daemon::start_with(folder.path(), &[("MARQUEE_HTTP__KEYS_FILE", keys.to_str().unwrap())]);
    let client = daemon.client();
    let ask = |request: (&str, &str), key: Option<&str>, body: &str| {
        let reply = client.try_send(request, ("application/json", key), body).unwrap();
        (reply.status, reply.header("www-authenticate").map(str::to_owned))
    };
    let bearer = Some("Bearer".to_owned());
    assert_eq!(ask(("PUT", RATING), None, r#"{"rating": 4}"#), (401, bearer.clone()));
    assert_eq!(ask(("PUT", RATING), Some("rrrrrrrrrrrrrrrr"), r#"{"rating": 4}"#), (403, None));
    assert_eq!(ask(("PUT", RATING), Some("wwwwwwwwwwwwwwww"), r#"{"rating": 4}"#), (201, None));
    assert_eq!(ask(("GET", "/v1/users/7/export"), None, ""), (401, bearer));
    assert_eq!(ask(("GET", "/v1/users/7/export"), Some("rrrrrrrrrrrrrrrr"), ""), (200, None));
    assert_eq!(ask(("GET", "/v1/users/7/export"), Some("wwwwwwwwwwwwwwww"), ""), (200, None));
    assert_eq!(ask(("GET", "/healthz"), None, ""), (200, None));
}

#[test]
fn a_missing_keys_file_stops_the_start() {
    let folder = sample_store();
    let output = crate::support::marquee(folder.path())
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("MARQUEE_HTTP__KEYS_FILE", folder.path().join("nowhere"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nowhere cannot be used"), "{said}");
}

#[test]
fn methods_bodies_and_media_types_are_held_to() {
    let folder = sample_store();
    let daemon = Daemon::start_with(folder.path(), &[("MARQUEE_HTTP__MAX_BODY_BYTES", "1024")]);
    let client = daemon.client();
    let send = |request, media, body: &str| client.try_send(request, (media, None), body).unwrap().status;
    assert_eq!(send(("POST", "/healthz"), "application/json", ""), 405);
    assert_eq!(send(("PUT", RATING), "text/plain", r#"{"rating": 4}"#), 415);
    assert_eq!(send(("PUT", RATING), "application/json; charset=utf-8", r#"{"rating": 4}"#), 201);
    assert_eq!(send(("PUT", RATING), "application/json", &format!(r#"{{"rating": 4{}}}"#, " ".repeat(1_100))), 413);
    for body in ["", "4", "{}", r#"{"rating": "4"}"#, r#"{"rating": 4, "stars": 4}"#] {
        assert_eq!(send(("PUT", RATING), "application/json", body), 400, "{body}");
    }
    assert_eq!(send(("PUT", "/v1/users/-1/ratings/1"), "application/json", r#"{"rating": 4}"#), 400);
    assert_eq!(send(("PUT", "/v1/users/7/ratings/1?x=1"), "application/json", r#"{"rating": 4}"#), 400);
}
