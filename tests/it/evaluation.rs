//! What is evaluated is what serves.

use std::collections::HashMap;
use std::path::Path;
use std::process::Output;

use crate::support::{Daemon, cached, marquee};

fn run(data_dir: &Path, arguments: &[&str]) -> Output {
    let output = marquee(data_dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Lists by user, as `--recommendations` writes them.
fn read_lists(path: &Path) -> HashMap<u64, Vec<u64>> {
    let mut lists: HashMap<u64, Vec<u64>> = HashMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        lists.entry(fields[0].parse().unwrap()).or_default().push(fields[1].parse().unwrap());
    }
    lists
}

#[test]
fn the_daemon_gives_the_lists_that_were_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |name: &str| at(name).to_str().unwrap().to_owned();
    run(&at("all"), &["import", cached("data/ml-100k").to_str().unwrap()]);
    let (split, lists) = (text("split"), text("lists.csv"));
    let evaluate = ["evaluate", "top-n", "--protocol", "global", "--json"];
    let output = run(&at("all"), &[&evaluate[..], &["--export-split", &split, "--recommendations", &lists]].concat());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ndcg = |method: &str| {
        let methods = report["groups"]["everybody"].as_array().unwrap();
        let found = methods.iter().find(|found| found["method"] == method).unwrap();
        found["ndcg_10"]["mean"].as_f64().unwrap()
    };
    assert!(ndcg("hybrid-linear") > ndcg("ease"), "the hybrid is better than its strongest part");

    // The movies of all with the ratings of the training part.
    run(&at("all"), &["export", &text("train")]);
    std::fs::copy(at("split/train.csv"), at("train/ratings.csv")).unwrap();
    run(&at("served"), &["import", &text("train")]);
    let daemon = Daemon::start(&at("served"));
    daemon.wait_for_hybrid();
    let evaluated = read_lists(&at("lists.csv"));
    assert!(evaluated.len() > 50, "{} lists", evaluated.len());
    for (user, list) in &evaluated {
        let answer = daemon.get(&format!("/user_recommend/{user}?top_k=20")).json();
        let served = answer["recommendations"].as_array().unwrap().iter();
        let served: Vec<u64> = served.map(|movie| movie["movie_id"].as_u64().unwrap()).collect();
        assert_eq!(&served, list, "user {user}");
    }
    // Another time of asking is another question.
    let user = evaluated.keys().min().unwrap();
    let then = daemon.get(&format!("/user_recommend/{user}?top_k=20&asked_at=880000000")).json();
    let now = daemon.get(&format!("/user_recommend/{user}?top_k=20")).json();
    assert_ne!(then["recommendations"], now["recommendations"]);
    // The reasons given are the person's own films, and they raise the movie.
    let explained = daemon.get(&format!("/user_recommend/{user}?top_k=5&explain=true")).json();
    let movies = explained["recommendations"].as_array().unwrap();
    assert!(movies.iter().any(|movie| !movie["explanation"]["because_of"].as_array().unwrap().is_empty()));
    let train = std::fs::read_to_string(at("split/train.csv")).unwrap();
    for movie in movies {
        for reason in movie["explanation"]["because_of"].as_array().unwrap() {
            assert!(reason["effect"].as_f64().unwrap() > 0.0);
            assert!(train.contains(&format!("\n{user},{},", reason["movie_id"])), "{reason} was not rated");
        }
    }
    assert!(daemon.terminate().success());
}
