//! The newcomer's daemon: MovieLens 100K, the committed rating network, the real encoder in the form that `tools/run`
//! takes on this machine. Embedding its overviews takes a minute or two on two cores, so everything that needs them is
//! asked of one daemon.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Daemon, cached, copy_folder, fixture, marquee, repository, shell_words};

/// Numbers of the README are rounded, and machines differ in the last digits.
const TOLERANCE: f64 = 0.01;

/// Embedding the catalogue takes a minute or two on two cores; a busy machine may need many more.
const EMBEDDING_PATIENCE: Duration = Duration::from_mins(20);

/// Share of judged prompts whose film must be among the first five.
const LEAST_SUCCESS: f64 = 0.9;

#[test]
fn the_readme_tells_the_truth_and_judged_prompts_find_their_film() {
    let store = tempfile::tempdir().unwrap();
    let output = marquee(store.path()).arg("import").arg(cached("data/ml-100k")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let models = store.path().join("models");
    copy_folder(&cached(default_encoder()), &models.join("encoder"));
    copy_folder(&repository("data/artifacts/rating-network-ml-100k"), &models.join("network"));
    let daemon = Daemon::start_with(store.path(), &[("MARQUEE_RECOMMEND__PREDICTED_RATING", "rating-model")]);
    daemon.wait_at_most(EMBEDDING_PATIENCE, "/readyz", |reply| reply.status == 200);

    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let examples = examples(&readme);
    assert!(examples.len() >= 16, "the README shows what to try");
    for Example { method, path, body, shown } in &examples {
        let answer = if method == "GET" { daemon.get(path) } else { daemon.send(method, path, body) };
        let answer = answer.json();
        assert!(agrees(shown, &answer), "README: {method} {path}\nshown {shown:#}\ngot {answer:#}");
    }
    // The store has one owner.
    drop(daemon);
    judge(store.path());
}

/// As `tools/run` chooses it (`default_encoder` in `tools/commands/models.py`).
fn default_encoder() -> &'static str {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has = |flag| flags.split_whitespace().any(|found| found == flag);
    if ["avx512_vnni", "avx_vnni", "amx_int8"].into_iter().any(has) {
        "artifacts/all-mpnet-base-v2-int8"
    } else {
        "artifacts/all-mpnet-base-v2"
    }
}

/// A request of the README and the answer that it shows.
struct Example {
    method: String,
    path: String,
    body: String,
    shown: Value,
}

/// Every `$ curl -s …` that is followed by JSON.
fn examples(readme: &str) -> Vec<Example> {
    readme.split("$ curl -s ").skip(1).filter_map(example).collect()
}

fn example(part: &str) -> Option<Example> {
    // A command goes on in the next line after a backslash.
    let joined = part.replace("\\\n", " ");
    let (command, rest) = joined.split_once('\n')?;
    let shown = serde_json::from_str(rest.split(['`', '$']).next()?).ok()?;
    let (mut method, mut path, mut body) = ("GET".to_owned(), String::new(), String::new());
    let mut words = shell_words(command).into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-X" => method = words.next()?,
            "-d" => body = words.next()?,
            "-H" => assert_eq!(words.next()?, "content-type: application/json", "the README's {command}"),
            url => path.push_str(url.strip_prefix("http://127.0.0.1:8000")?),
        }
    }
    Some(Example { method, path, body, shown })
}

/// Whether everything shown is in the answer; the answer may have more members.
fn agrees(shown: &Value, answer: &Value) -> bool {
    match (shown, answer) {
        (Value::Object(shown), Value::Object(answer)) => {
            shown.iter().all(|(name, value)| answer.get(name).is_some_and(|found| agrees(value, found)))
        }
        (Value::Array(shown), Value::Array(answer)) => {
            shown.len() == answer.len() && shown.iter().zip(answer).all(|(shown, answer)| agrees(shown, answer))
        }
        (Value::Number(shown), Value::Number(answer)) => {
            (shown.as_f64().unwrap() - answer.as_f64().unwrap()).abs() <= TOLERANCE
        }
        _ => shown == answer,
    }
}

/// Both ways of answering a prompt find the films of the judged prompts, and fused search is the better one.
fn judge(store: &Path) {
    let evaluate = |arguments: &[&str]| -> Value {
        let output = marquee(store).args(["evaluate", "prompts", "--json"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let known_items = evaluate(&[fixture("prompts/ml-100k.csv").to_str().unwrap()]);
    assert!(known_items["prompts"].as_u64().unwrap() >= 60);
    for method in ["semantic", "fused"] {
        let success = known_items["methods"][method]["scores"]["success@5"]["mean"].as_f64().unwrap();
        assert!(success >= LEAST_SUCCESS, "{method}: success@5 is {success:.3}");
    }
    let graded = evaluate(&["--split", "test"]);
    for method in ["semantic", "bm25", "tfidf"] {
        let ahead = &graded["methods"][method]["fused_ahead_by"]["nDCG@10"];
        let (mean, error) = (ahead["mean"].as_f64().unwrap(), ahead["standard_error"].as_f64().unwrap());
        assert!(mean > 2.0 * error, "fused is ahead of {method} by {mean:.3} ± {error:.3}");
    }
}
