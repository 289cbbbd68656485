//! Holds the house together: who may use whom, which crate lives in which room, how large files get.
//!
//! Reads the sources as text. `src/lib.rs` explains the floors.

#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Room → the rooms and the foreign crates it may use besides itself and std. `tracing` and `metrics` are fittings of
/// every room above floor 0; `thiserror` of all.
const ROOMS: [(&str, &[&str], &[&str]); 17] = [
    // Floor 0: knows nothing of the outside world.
    ("math", &[], &["pulp"]),
    ("domain", &["math"], &[]),
    ("understand", &["domain", "math"], &["regex", "strsim", "unicode_normalization"]),
    ("recommend", &["domain", "math", "understand"], &["faer", "rayon", "rust_stemmers"]),
    ("eval", &["domain", "recommend"], &["rayon"]),
    // Fittings.
    ("config", &["domain", "recommend", "artifact"], &["config", "serde"]),
    ("telemetry", &["config"], &["indicatif", "metrics_exporter_prometheus", "tracing_subscriber"]),
    // Floor 1: one foreign thing each.
    ("store", &["domain"], &["redb", "bincode", "serde"]),
    ("artifact", &["domain"], &["sha2", "jiff", "safetensors", "serde", "serde_json"]),
    ("inference", &["domain", "recommend", "artifact", "understand"], &["ort", "tokenizers"]),
    ("vector", &["domain", "math", "recommend", "artifact"], &["usearch", "serde", "serde_json"]),
    // Floor 2.
    (
        "engine",
        &["domain", "math", "recommend", "understand", "store", "vector", "inference", "artifact", "config"],
        &["arc_swap", "quick_cache", "rayon", "rustix", "tokio", "serde", "serde_json"],
    ),
    // Floor 3: the doors.
    (
        "http",
        &["engine", "domain", "understand", "config"],
        &[
            "hyper",
            "hyper_util",
            "http_body_util",
            "matchit",
            "form_urlencoded",
            "quick_cache",
            "subtle",
            "tokio",
            "serde",
            "serde_json",
        ],
    ),
    ("watch", &[], &["notify"]),
    ("import", &["domain", "understand"], &["csv", "jiff", "json5", "serde"]),
    // Floor 4.
    (
        "daemon",
        &["config", "engine", "http", "store", "telemetry", "watch"],
        &["anyhow", "indicatif", "sd_notify", "tokio", "form_urlencoded"],
    ),
    (
        "cli",
        &[
            "artifact",
            "config",
            "daemon",
            "domain",
            "engine",
            "eval",
            "import",
            "inference",
            "recommend",
            "store",
            "telemetry",
            "understand",
        ],
        &[
            "anyhow",
            "clap",
            "clap_complete",
            "form_urlencoded",
            "indicatif",
            "jiff",
            "rayon",
            "rustix",
            "serde_json",
            "tokio",
            "unicode_width",
            "ureq",
        ],
    ),
];

const FLOOR_0: [&str; 5] = ["math", "domain", "understand", "recommend", "eval"];
const MAX_LINES: usize = 500;

/// Every source file with the room it belongs to and its text without tests.
fn sources() -> Vec<(PathBuf, String, String)> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![sources.clone()];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&sources).unwrap();
                let room = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
                let text = fs::read_to_string(&path).unwrap();
                files.push((inside.to_path_buf(), room.to_owned(), text));
            }
        }
    }
    files
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

fn is_test_file(path: &Path, files: &[(PathBuf, String, String)]) -> bool {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let folder = path.parent().unwrap();
    path.components().any(|part| part.as_os_str() == "tests")
        || files.iter().any(|(other, _, text)| {
            let declares = other.parent().unwrap() == folder || other.with_extension("") == folder;
            declares && text.contains(&format!("#[cfg(test)]\nmod {stem};"))
        })
}

/// Names of the crates in Cargo.toml, as code writes them; those of tests are not among them.
fn dependencies() -> Vec<String> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let lines = section.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.split_once(['=', '.'])?.0.trim().replace('-', "_"))).collect()
}

/// The code with every comment, text and character literal replaced by a blank.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_name = code.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        let hashes = rest[1..].chars().take_while(|letter| *letter == '#').count();
        let is_raw = first == 'r' && !after_name && rest[1 + hashes * usize::from(first == 'r')..].starts_with('"');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if is_raw {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = hashes + 2;
            rest[start..].find(&end).map_or(rest.len(), |found| start + found + end.len())
        } else if first == '"' {
            end_of_quoted(rest, '"')
        } else if first == '\'' && (rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'')) {
            end_of_quoted(rest, '\'')
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code
}

/// Length of a literal that begins with its quote.
fn end_of_quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (position, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if letter == quote => return position + 1,
            _ => {}
        }
    }
    text.len()
}

/// Of which of these crates some path begins: `redb::…` anywhere in code, and `use redb…`, `extern crate redb`.
fn crates_in(code: &str, crates: &[String]) -> BTreeSet<String> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let begins_path = |position: usize, name: &str| {
        let (before, after) = (&code[..position], &code[position + name.len()..]);
        // `crate::config::Config` is a room, `::config::Config` a crate.
        let parent = before.strip_suffix("::");
        let is_inner = before.ends_with(is_name) || parent.is_some_and(|parent| parent.ends_with(is_name));
        let imported = ["use", "crate"].iter().any(|word| before.trim_end().ends_with(word));
        !is_inner && !after.starts_with(is_name) && (after.trim_start().starts_with("::") || imported)
    };
    crates
        .iter()
        .filter(|name| code.match_indices(name.as_str()).any(|(position, _)| begins_path(position, name)))
        .cloned()
        .collect()
}

/// Rooms named by `crate::room`, or by as many `super::` as lead out of the file's own room.
fn rooms_in(code: &str, path: &Path) -> BTreeSet<String> {
    let name_of = |rest: &str| rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let mut rooms: BTreeSet<String> = code.split("crate::").skip(1).map(name_of).collect();
    let is_folder = path.file_stem().is_some_and(|stem| stem == "mod");
    let out = "super::".repeat(path.components().count() - usize::from(is_folder));
    rooms.extend(code.split(&out).skip(1).map(name_of));
    rooms
}

#[test]
fn rooms_use_only_the_rooms_and_crates_they_may() {
    let files = sources();
    let dependencies = dependencies();
    let mut faults = Vec::new();
    let mut idle: BTreeSet<(&str, &str)> =
        ROOMS.iter().flat_map(|(room, _, crates)| crates.iter().map(|name| (*room, *name))).collect();
    let mut unused: BTreeSet<String> = dependencies.iter().cloned().collect();
    for (path, room, text) in &files {
        if is_test_file(path, &files) {
            continue;
        }
        let code = code_of(without_tests(text));
        let used_crates = crates_in(&code, &dependencies);
        unused.retain(|name| !used_crates.contains(name));
        if room == "lib" || room == "main" {
            faults.extend(used_crates.iter().map(|used| format!("{}: may not use {used}", path.display())));
            continue;
        }
        let Some((_, rooms, crates)) = ROOMS.iter().find(|(name, _, _)| name == room) else {
            faults.push(format!("{}: the room {room} is not on the list", path.display()));
            continue;
        };
        for used in rooms_in(&code, path) {
            if used != *room && !rooms.contains(&used.as_str()) {
                faults.push(format!("{}: {room} may not use crate::{used}", path.display()));
            }
        }
        for used in used_crates {
            idle.retain(|(of, name)| of != room || *name != used);
            let fitting = used == "thiserror"
                || !FLOOR_0.contains(&room.as_str()) && ["tracing", "metrics"].contains(&used.as_str());
            if !fitting && !crates.contains(&used.as_str()) {
                faults.push(format!("{}: {room} may not use the crate {used}", path.display()));
            }
        }
    }
    faults.extend(idle.iter().map(|(room, name)| format!("{room} may use the crate {name}, and does not")));
    faults.extend(unused.iter().map(|name| format!("{name} is in Cargo.toml and used nowhere")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let crates = ["redb", "config", "tokio", "usearch"].map(str::to_owned);
    for (text, expected) in [
        ("fn f() { redb::Database::create(p) }", Some("redb")),
        ("pub(crate) use redb::Database;", Some("redb")),
        ("use redb;", Some("redb")),
        ("use redb as database;", Some("redb")),
        ("extern crate redb;", Some("redb")),
        ("use ::redb::Database;", Some("redb")),
        ("#[tokio::main] fn f() {}", Some("tokio")),
        ("fn f<'a>(x: &'a str) { let c = '\"'; tokio::spawn(g) } // \"", Some("tokio")),
        ("impl From<usearch::Index> for X {}", Some("usearch")),
        ("use crate::config::Config;", None),
        ("let redb = 1; my_redb::f(); x.redb(); redb_like::g();", None),
        ("// redb::Database\n/* tokio::spawn */ \"redb::\" r#\"tokio::\"x\"# 'x'", None),
    ] {
        let found: Vec<String> = crates_in(&code_of(text), &crates).into_iter().collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{text}");
    }
    let rooms = rooms_in("use super::super::http::Server; use super::record;", Path::new("store/writer.rs"));
    assert_eq!(rooms.into_iter().collect::<Vec<_>>(), ["http"]);
    assert!(rooms_in("use super::http::x;", Path::new("watch.rs")).contains("http"));
}

#[test]
fn a_foreign_crate_of_a_cellar_has_one_room() {
    for name in ["redb", "bincode", "ort", "tokenizers", "usearch", "hyper", "notify", "csv", "arc_swap", "sha2"] {
        let rooms: Vec<&str> =
            ROOMS.iter().filter(|(_, _, crates)| crates.contains(&name)).map(|(room, _, _)| *room).collect();
        assert_eq!(rooms.len(), 1, "{name} is used by {rooms:?}");
    }
}

#[test]
fn files_stay_readable() {
    let long: Vec<String> = sources()
        .iter()
        .map(|(path, _, text)| (path, without_tests(text).lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("{}: {lines} lines, at most {MAX_LINES}", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|(path, _, text)| !text.starts_with("//!") && path.file_stem().is_some_and(|stem| stem != "tests"))
        .map(|(path, _, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "without a module header: {}", silent.join(", "));
}
