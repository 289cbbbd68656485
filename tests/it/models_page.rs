//! tools/MODELS.md, followed to the letter. Training is the real one where MARQUEE_TRAINING_PYTHON names a Python with
//! PyTorch, as `tools/test --training` does; elsewhere a miniature network stands for what would be trained.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Daemon, PATIENCE, cached, copy_folder, fixture, marquee, repository};

/// A command of the page, and the lines it shows after it.
struct Step {
    command: String,
    shown: Vec<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in page.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), shown: Vec::new() }),
                None => steps.last_mut().unwrap().shown.push(line.to_owned()),
            }
        }
    }
    steps
}

/// Whether a line is as shown, with anything in place of `…` and any number of blanks between words.
fn agrees(shown: &str, line: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, line) = (words(shown), words(line));
    let parts: Vec<&str> = shown.split('…').collect();
    let [first, between @ .., last] = &parts[..] else { return shown == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in between {
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.ends_with(last)
}

/// Runs a command in a shell that finds our program; gives what it prints.
fn shell(command: &str, folder: &Path, server: &str) -> Result<String, String> {
    let program = Path::new(env!("CARGO_BIN_EXE_marquee"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let template = marquee(folder);
    let mut shell = Command::new("sh");
    for (name, value) in template.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(python) = std::env::var_os("MARQUEE_TRAINING_PYTHON") {
        shell.env("MARQUEE_TRAINING_PYTHON", python);
    }
    let output = shell
        .args(["-c", command])
        .current_dir(repository("."))
        .env("PATH", path)
        .env("MARQUEE_SERVER", server)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// What `tools/train rating-network --out OUT --version N` would leave behind.
fn stand_in(command: &str) {
    let after = |name: &str| command.split(&format!("{name} ")).nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let folder = after("--out");
    copy_folder(&fixture("artifacts/tiny-network"), Path::new(&folder));
    crate::drops::edit_manifest(Path::new(&folder), |manifest| {
        manifest["name"] = after("--name").into();
        manifest["version"] = after("--version").into();
        manifest["created"] = format!("2026-01-01T00:00:0{}Z", after("--version")).into();
    });
}

#[test]
fn the_page_leads_from_training_to_serving_and_back() {
    let is_real = std::env::var_os("MARQUEE_TRAINING_PYTHON").is_some();
    let store = if is_real {
        let store = tempfile::tempdir().unwrap();
        let output = marquee(store.path()).arg("import").arg(cached("data/ml-100k")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        store
    } else {
        crate::drops::store()
    };
    let scratch = tempfile::tempdir().unwrap();
    let page = std::fs::read_to_string(repository("tools/MODELS.md")).unwrap();
    let steps = steps(&page);
    assert!(steps.len() > 15, "the page shows what to do");
    let mut daemon = None;
    for Step { command, shown } in steps {
        let command = command.replace("/tmp/", &format!("{}/", scratch.path().display()));
        let command = command.replace("~/films", store.path().to_str().unwrap());
        if command.starts_with("tools/train ") && !is_real {
            stand_in(&command);
            continue;
        }
        if command.starts_with("cp -r") && daemon.is_none() {
            daemon = Some(Daemon::start(store.path()));
        }
        let server =
            daemon.as_ref().map_or("http://127.0.0.1:9".to_owned(), |daemon| format!("http://{}", daemon.address()));
        // What only looks may have to look again, because the daemon takes its time.
        let only_looks = command.starts_with("marquee models list") || command.starts_with("cat ");
        let started = Instant::now();
        loop {
            let said = shell(&command, store.path(), &server);
            let lines: Vec<&str> = said.as_deref().unwrap_or_default().lines().collect();
            let is_shown = |shown: &String| lines.iter().any(|line| agrees(shown, line));
            let missing = shown.iter().find(|shown| !is_shown(shown));
            if said.is_ok() && missing.is_none() {
                break;
            }
            assert!(only_looks && started.elapsed() < PATIENCE, "$ {command}\n{said:?}\nlacks {missing:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    assert!(daemon.unwrap().terminate().success());
}

#[test]
fn lines_are_compared_but_for_what_differs() {
    assert!(agrees("serving     a@1#… b", "serving     a@1#0123  b"));
    assert!(agrees("…b: good", "/x/b: good") && agrees("", "") && agrees("to ….", "to /a.b/c."));
    for (shown, line) in [("a", "ab"), ("a", "ba"), ("a… c", "a b"), ("…a", "ab"), ("", "a")] {
        assert!(!agrees(shown, line), "{shown} {line}");
    }
}
