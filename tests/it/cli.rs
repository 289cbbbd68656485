//! The commands.

use serde_json::Value;

use crate::support::{Daemon, cached, marquee, repository, sample_store};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn importing_twice_gives_the_same_store_and_export_imports_again() {
    let store = sample_store();
    let again = marquee(store.path()).arg("import").arg(repository("data/sample")).output().unwrap();
    assert!(again.status.success());
    assert!(text(&again.stdout).contains("0 new movies"), "{}", text(&again.stdout));

    let exported = store.path().join("exported");
    assert!(marquee(store.path()).arg("export").arg(&exported).status().unwrap().success());
    let copy = tempfile::tempdir().unwrap();
    let output = marquee(copy.path()).arg("import").arg(&exported).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let exported_again = copy.path().join("exported");
    assert!(marquee(copy.path()).arg("export").arg(&exported_again).status().unwrap().success());
    for file in ["ratings.csv", "movies.csv"] {
        let (first, second) = (exported.join(file), exported_again.join(file));
        assert_eq!(std::fs::read_to_string(first).unwrap(), std::fs::read_to_string(second).unwrap(), "{file}");
    }
}

#[test]
fn movie_ids_of_another_family_are_refused() {
    let store = sample_store();
    let output = marquee(store.path()).arg("import").arg(cached("data/ml-100k")).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("another --data-dir"), "{}", text(&output.stderr));
}

#[test]
fn an_import_that_stores_nothing_claims_nothing() {
    let data = tempfile::tempdir().unwrap();
    let bad = tempfile::tempdir().unwrap();
    for movies in ["name\nNo id\n", "movieId,title\nx,No number\n"] {
        std::fs::write(bad.path().join("movies.csv"), movies).unwrap();
        let output = marquee(data.path()).arg("import").arg(bad.path()).output().unwrap();
        assert!(!output.status.success());
        assert!(!output.stderr.is_empty(), "{movies}");
    }
    let output = marquee(data.path()).arg("import").arg(cached("data/ml-100k")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn movies_without_ratings_are_stored_with_a_word_about_it() {
    let data = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("movies.csv"), "movieId,title\n1,Alone (2001)\n").unwrap();
    let overviews = folder.path().join("mine.csv");
    std::fs::write(&overviews, "title,year,overview\nAlone,2001,One person.\nAlone,2001,Again.\n,2001,x\n").unwrap();
    let mut import = marquee(data.path());
    let output = import.arg("import").arg(folder.path()).arg("--overviews").arg(&overviews).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    for part in ["No ratings were found", "mine.csv", "1 movies (1 with an overview", "movie given before", "line 4"] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
}

#[test]
fn export_neither_makes_a_store_nor_writes_an_empty_one_over_files() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("nosuch"), folder.path().join("out"));
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("ratings.csv"), "precious").unwrap();
    let refused = || {
        let output = marquee(&data).arg("export").arg(&out).output().unwrap();
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains("marquee import DIR"), "{}", text(&output.stderr));
        assert_eq!(std::fs::read_to_string(out.join("ratings.csv")).unwrap(), "precious");
    };
    refused();
    assert!(!data.exists());
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(empty.join("movies.csv"), "movieId,title\n").unwrap();
    assert!(!marquee(&data).arg("import").arg(&empty).status().unwrap().success());
    refused();
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let data = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut import = marquee(data.path());
    let output = import.arg("import").arg(repository("data/sample")).stdout(writer).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_folder_without_data_and_a_missing_folder_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let output = marquee(folder.path()).arg("import").arg(&empty).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("no data set in"), "{}", text(&output.stderr));
    let output = marquee(folder.path()).arg("import").arg(folder.path().join("nowhere")).output().unwrap();
    assert!(text(&output.stderr).contains("cannot read"), "{}", text(&output.stderr));
    let output = marquee(folder.path()).args(["import", "--format", "vhs"]).arg(&empty).output().unwrap();
    assert!(text(&output.stderr).contains("vhs"), "{}", text(&output.stderr));
}

#[test]
fn a_store_in_use_and_a_port_in_use_are_explained() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    let output = marquee(store.path()).arg("import").arg(repository("data/sample")).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("in use by another marquee process"), "{}", text(&output.stderr));

    let other = sample_store();
    let output = marquee(other.path()).args(["serve", "--listen", daemon.address()]).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("--listen"), "{}", text(&output.stderr));
}

#[test]
fn the_configuration_is_checked_before_anything_happens() {
    let folder = tempfile::tempdir().unwrap();
    let output = marquee(folder.path()).arg("check-config").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = marquee(folder.path()).args(["serve"]).env("MARQUEE_HTTP__LISTEN", "somewhere").output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("http.listen"), "{}", text(&output.stderr));
    assert!(!folder.path().join("store").exists());
    let output = marquee(folder.path()).arg("check-config").env("MARQUEE_LOG__FILTER", "info=x").output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("log.filter is \"info=x\""), "{}", text(&output.stderr));
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[htpp]\n").unwrap();
    let output = marquee(folder.path()).arg("--config").arg(&config).arg("check-config").output().unwrap();
    assert!(text(&output.stderr).contains("htpp"), "{}", text(&output.stderr));
}

#[test]
fn answers_are_measured_on_files_of_ones_own() {
    let store = sample_store();
    let folder = tempfile::tempdir().unwrap();
    let evaluate = |what: &str, name: &str, content: &str| -> Value {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        let output = marquee(store.path()).args(["evaluate", what, "--json"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let labelled =
        "input,kind,movie_ids\nlamplighter of orsk,article,1\ncolony of glas,typo,5\na rainy night,prompt,\n";
    let titles = evaluate("titles", "titles.csv", labelled);
    assert_eq!((&titles["all"]["inputs"], &titles["all"]["right"]), (&3.into(), &2.into()), "{titles:#}");
    assert_eq!(titles["kinds"]["typo"]["other_movie"], 1);

    let judged =
        "prompt,kind,relevant\nfunny burglar aunt,plot,My Aunt the Burglar (1993):3\nnobody knows it,plot,999\n";
    let prompts = evaluate("prompts", "prompts.csv", judged);
    assert_eq!(prompts["prompts"], 1, "a prompt without an answer in the store is left out");
    assert_eq!(prompts["methods"]["fused"]["scores"]["success@1"]["mean"], 1.0, "{prompts:#}");
    assert!(prompts["methods"]["semantic"].is_null(), "there is no encoder");
    assert_eq!(prompts["methods"]["tfidf"]["fused_ahead_by"]["nDCG@10"]["standard_error"], 0.0);

    let output = marquee(store.path()).args(["evaluate", "titles"]).output().unwrap();
    assert!(text(&output.stderr).contains("give a FILE"), "the built-in titles are about other movies");
}

#[test]
fn models_are_listed_by_the_daemon_that_is_named() {
    let store = sample_store();
    let daemon = Daemon::start(store.path());
    let list = |server: &str| marquee(store.path()).args(["models", "list", "--server", server]).output().unwrap();
    let server = format!("http://{}", daemon.address());
    let output = list(&server);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("no models"), "{}", text(&output.stdout));
    let output = marquee(store.path()).args(["models", "list", "--json", "--server", &server]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["models"], serde_json::json!([]));
    drop(daemon);
    for (server, expected) in [(server.as_str(), "no daemon answers"), ("https://localhost", "begins with http://")] {
        let output = list(server);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
}
