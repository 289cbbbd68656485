//! The commands that ask: of a running daemon, and of the store where none runs.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Daemon, fixture, marquee, sample_store};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A data folder, and the daemon of it if one runs.
struct Asked<'d> {
    data: &'d Path,
    daemon: Option<&'d Daemon>,
}

impl Asked<'_> {
    fn output(&self, arguments: &[&str]) -> Output {
        let mut command: Command = marquee(self.data);
        command.args(arguments);
        // A port where nobody listens: tests run beside one another, and beside a real daemon.
        command.env("MARQUEE_HTTP__LISTEN", self.daemon.map_or("127.0.0.1:9", Daemon::address));
        command.output().unwrap()
    }

    fn print(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The same without the word on further pages, which only a process that stays can give.
    fn page(&self, arguments: &[&str]) -> String {
        self.print(arguments).split("\nFor more of them").next().unwrap().to_owned()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.print(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn refuse(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }
}

/// The whole of it; what is printed must not depend on who answers.
fn converse(asked: &Asked<'_>) -> Vec<String> {
    let mut printed = vec![
        asked.page(&["recommend", "--user", "1", "--explain", "-n", "3"]),
        asked.page(&["recommend", "--like", "Orbit of Wolves (1968)", "--not-genre", "Horror", "--from-year", "1960"]),
        asked.page(&["similar", "lamplighter of orsk", "-n", "2"]),
        asked.page(&["search", "a space ship in danger", "--method", "bm25", "-n", "2"]),
        asked.page(&["popular", "-n", "2", "--language", "xx"]),
        asked.page(&["trending"]),
        asked.page(&["movies", "list", "--order", "title", "-n", "3"]),
        asked.page(&["movies", "show", "12"]),
        asked.page(&["users", "show", "1"]),
        asked.page(&["users", "similar", "1"]),
    ];
    assert!(printed[0].contains("Because you rated"), "{}", printed[0]);
    assert!(!printed[1].contains("Horror") && !printed[1].contains("Tin Parade"), "{}", printed[1]);
    assert!(printed[2].starts_with("Like The Lamplighter of Orsk (1961):\nId"), "{}", printed[2]);
    assert_eq!(printed[4], "No film fits.\n");

    let ambiguous = asked.refuse(&["recommend", "--like", "Orbit of Wolves"]);
    assert!(
        ambiguous.contains("Orbit of Wolves (2011)") && ambiguous.contains("Orbit of Wolves (1968)"),
        "{ambiguous}"
    );
    let unknown = asked.refuse(&["rate", "1", "Salt", "4"]);
    assert!(unknown.contains("no film") && unknown.contains("The Salt Garden (1988)"), "{unknown}");
    assert!(asked.refuse(&["users", "export", "12345"]).contains("no user"));
    assert!(asked.refuse(&["rate", "1", "12", "77"]).contains("go from"));

    printed.push(asked.print(&["rate", "900", "Tin Parade", "4.5"]));
    let export = asked.json(&["users", "export", "900"]);
    assert_eq!((&export["ratings"][0]["title"], &export["ratings"][0]["rating"]), (&"Tin Parade".into(), &4.5.into()));
    printed.push(asked.print(&["users", "merge", "900", "901"]));
    assert!(asked.refuse(&["users", "export", "900"]).contains("no user"));
    printed.push(asked.print(&["rate", "901", "Tin Parade", "--remove"]));
    assert!(asked.refuse(&["users", "forget", "1"]).contains("--yes"), "nobody is there to be asked");
    assert_eq!(asked.json(&["users", "list", "-n", "1"])["users"][0]["user_id"], 1, "and nothing was removed");
    printed.push(asked.print(&["users", "forget", "1", "--yes"]));
    assert!(asked.refuse(&["users", "show", "1"]).contains("no user"));

    let film = asked.data.join("film.json");
    let film = film.to_str().unwrap();
    std::fs::write(film, r#"{"movie_id": 77, "title": "Nine Lanterns", "year": 2021}"#).unwrap();
    printed.push(asked.print(&["movies", "add", film]));
    assert!(asked.refuse(&["movies", "add", film, "--id", "78"]).contains("77"));
    std::fs::write(film, r#"{"year": 2022}"#).unwrap();
    printed.push(asked.print(&["movies", "change", "77", film]));
    assert_eq!(asked.json(&["movies", "show", "nine lanterns"])["year"], 2022);
    assert!(asked.refuse(&["movies", "remove", "77"]).contains("--yes"));
    printed.push(asked.print(&["movies", "remove", "77", "--yes"]));
    assert!(asked.refuse(&["movies", "show", "nine lanterns"]).contains("no film"));
    printed
}

#[test]
fn a_daemon_and_the_store_answer_alike() {
    let (with, without) = (sample_store(), sample_store());
    let daemon = Daemon::start(with.path());
    daemon.wait_for_hybrid();
    let by_daemon = converse(&Asked { data: with.path(), daemon: Some(&daemon) });
    let by_store = converse(&Asked { data: without.path(), daemon: None });
    assert_eq!(by_daemon, by_store);
    let in_use = Asked { data: with.path(), daemon: None }.refuse(&["popular"]);
    assert!(in_use.contains("is in use") && in_use.contains("--server"), "{in_use}");
    let server = format!("http://{}", daemon.address());
    let elsewhere = Asked { data: without.path(), daemon: None };
    assert!(elsewhere.refuse(&["movies", "show", "99", "--server", &server]).contains("no film"));
    let nothing = tempfile::tempdir().unwrap();
    let missing = Asked { data: nothing.path(), daemon: Some(&daemon) }.refuse(&["users", "list"]);
    assert!(missing.contains("no store"), "a daemon of other data must not answer: {missing}");
    let json = Asked { data: with.path(), daemon: Some(&daemon) }.print(&["popular", "-n", "3", "--json"]);
    assert_eq!(json.trim_end(), daemon.get("/v1/popular?n=3&explain=false").body, "as it came");
    let pages = Asked { data: with.path(), daemon: Some(&daemon) }.print(&["recommend", "--user", "3", "-n", "1"]);
    let cursor = pages.split("--cursor ").nth(1).unwrap().trim();
    let next = Asked { data: with.path(), daemon: Some(&daemon) };
    let next = next.print(&["recommend", "--user", "3", "-n", "1", "--cursor", cursor]);
    assert_ne!(pages.lines().nth(2), next.lines().nth(2));
}

#[test]
fn the_store_is_not_exported_beside_a_daemon() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    let output = marquee(store.path()).arg("export").arg(store.path().join("out")).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("in use by another marquee process"), "{}", text(&output.stderr));
    drop(daemon);
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = Command::new(env!("CARGO_BIN_EXE_marquee")).args(["completions", shell]).output().unwrap();
        assert!(output.status.success());
        let script = text(&output.stdout);
        assert!(script.contains("recommend") && script.contains("import-ratings"), "{shell}");
    }
}

#[test]
fn one_persons_ratings_come_from_letterboxd_and_imdb() {
    let folder = sample_store();
    let asked = Asked { data: folder.path(), daemon: None };
    let film = folder.path().join("film.json");
    std::fs::write(&film, r#"{"title": "Ninth Wave", "year": 2001, "imdb_id": "tt0000777"}"#).unwrap();
    asked.print(&["movies", "add", film.to_str().unwrap(), "--id", "77"]);
    let unmatched = folder.path().join("unmatched.csv");
    let files = ["letterboxd/ratings.csv", "letterboxd/diary.csv", "imdb/ratings.csv"]
        .map(|name| fixture(&format!("exports/{name}")).to_str().unwrap().to_owned());
    let [ratings, diary, imdb] = files.each_ref().map(String::as_str);
    let mut command = vec!["import-ratings", ratings, diary, imdb, "--user", "500"];
    command.extend(["--unmatched", unmatched.to_str().unwrap()]);

    let dry = asked.print(&[command.as_slice(), &["--dry-run"]].concat());
    assert!(dry.contains("Nothing was stored"), "{dry}");
    assert!(asked.refuse(&["users", "show", "500"]).contains("no user"));

    let report = asked.print(&command);
    assert_eq!(report.lines().next().unwrap(), "ratings.csv (Letterboxd ratings): 6 rows, 4 ratings read, 2 skipped");
    for part in [
        "ratings.csv:5: ",
        "diary.csv (Letterboxd diary): 4 rows, 3 ratings read, 1 skipped",
        "no rating was given",
        "ratings.csv (IMDb ratings): 5 rows, 4 ratings read, 1 skipped",
        "11 ratings: 2 matched by IMDb id, 5 by title and year, 1 by title and nearly the year; 3 not matched.",
        "  Not Here (1999)\n",
        "Stored for person 500: 5 new, 0 replaced, 0 older than what was there, 0 refused",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    let listed = std::fs::read_to_string(&unmatched).unwrap();
    assert!(listed.starts_with("title,year,imdb_id,rating_of_10,timestamp\nNot Here,1999,,7,"), "{listed}");
    let export = asked.json(&["users", "export", "500"]);
    let stored: Vec<(u64, f64, i64)> = export["ratings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let number = |member: &str| one[member].as_u64().unwrap();
            (number("movie_id"), one["rating"].as_f64().unwrap(), one["timestamp"].as_i64().unwrap())
        })
        .collect();
    // The diary's second look at the lamplighter is the newest; IMDb's 9 of 10 is 4.5 of 5.
    assert_eq!(
        stored,
        [
            (1, 5.0, 1_641_038_400),
            (3, 2.5, 1_614_859_200),
            (8, 3.5, 1_614_859_200),
            (11, 4.0, 1_583_323_200),
            (77, 4.5, 1_440_072_000),
        ]
    );
    assert!(asked.print(&command).contains("0 new, 5 replaced"), "again is the same");
}
