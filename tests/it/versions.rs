//! Which version of a model serves, who says so, and what of it survives a restart.

use serde_json::Value;

use crate::support::{Daemon, Reply, copy_folder, fixture, marquee, sample_store};

/// Drops a miniature encoder made at an hour of the day; returns how it is named.
fn drop_encoder(daemon: &Daemon, folder: &str, hour: u32) -> String {
    let target = daemon.models.join(folder);
    let hidden = daemon.models.join(format!(".{folder}"));
    copy_folder(&fixture("artifacts/tiny-encoder"), &hidden);
    let path = hidden.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest["created"] = format!("2026-01-01T{hour:02}:00:00Z").into();
    manifest["version"] = format!("v{hour}").into();
    std::fs::write(path, manifest.to_string()).unwrap();
    std::fs::rename(hidden, target).unwrap();
    format!("{}@v{hour}", manifest["name"].as_str().unwrap())
}

fn state_of(reply: &Reply, folder: &str) -> String {
    let models = reply.json();
    let model = models["models"].as_array().unwrap().iter().find(|model| model["folder"] == folder).cloned();
    model.map_or("absent".to_owned(), |model| model["state"].as_str().unwrap().to_owned())
}

fn wait_for_states(daemon: &Daemon, expected: &[(&str, &str)]) -> Reply {
    daemon.wait_for("/v1/models", |reply| expected.iter().all(|(folder, state)| state_of(reply, folder) == *state))
}

fn command(daemon: &Daemon, arguments: &[&str]) -> Result<String, String> {
    let server = format!("http://{}", daemon.address());
    let output =
        marquee(daemon.models.parent().unwrap()).arg("models").args(arguments).args(["--server", &server]).output();
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn a_version_is_chosen_gone_back_to_and_kept_across_a_restart() {
    let store = sample_store();
    let (first, second) = {
        let daemon = Daemon::start(store.path());
        let first = drop_encoder(&daemon, "first", 1);
        wait_for_states(&daemon, &[("first", "serving")]);
        assert!(command(&daemon, &["rollback", "text-encoder"]).unwrap_err().contains("no older valid"));
        let second = drop_encoder(&daemon, "second", 2);
        wait_for_states(&daemon, &[("first", "superseded"), ("second", "serving")]);

        assert!(command(&daemon, &["rollback", "text-encoder"]).unwrap().contains(&first));
        let models = wait_for_states(&daemon, &[("first", "serving"), ("second", "ready")]).json();
        let choice = models["kinds"].as_array().unwrap().iter().find(|kind| kind["kind"] == "text-encoder").unwrap();
        assert!(choice["pinned"].as_str().unwrap().contains(&first), "{models:#}");
        drop_encoder(&daemon, "third", 3);
        let reply = wait_for_states(&daemon, &[("first", "serving"), ("third", "ready")]);
        assert!(reply.body.contains("another model is pinned"), "{}", reply.body);
        assert!(command(&daemon, &["list"]).unwrap().contains("Pinned: "));
        assert!(daemon.terminate().success());
        (first, second)
    };
    let daemon = Daemon::start(store.path());
    wait_for_states(&daemon, &[("first", "serving"), ("second", "ready"), ("third", "ready")]);
    assert!(command(&daemon, &["pin", "text-encoder", &second]).unwrap().contains("serves"));
    wait_for_states(&daemon, &[("first", "superseded"), ("second", "serving"), ("third", "ready")]);
    command(&daemon, &["unpin", "text-encoder"]).unwrap();
    wait_for_states(&daemon, &[("first", "superseded"), ("second", "superseded"), ("third", "serving")]);
    for (arguments, expected) in [
        (&["pin", "text-encoder", "nobody@1"][..], "no valid text-encoder of that name"),
        (&["pin", "rating-network", &first], "no valid rating-network of that name"),
    ] {
        assert!(command(&daemon, arguments).unwrap_err().contains(expected), "{arguments:?}");
    }
    for (path, status) in [
        ("/v1/models/oracle/pin?model=a", 404),
        ("/v1/models/text-encoder/pin", 400),
        ("/v1/models/text-encoder/unpin?model=a", 400),
        ("/v1/models/text-encoder/reload", 202),
    ] {
        assert_eq!(daemon.post(path).status, status, "{path}");
    }
    assert!(daemon.terminate().success());
}

#[test]
fn without_auto_promote_a_newer_model_waits_to_be_chosen() {
    let store = sample_store();
    let daemon = Daemon::start_with(
        store.path(),
        &[("MARQUEE_ARTIFACTS__AUTO_PROMOTE", "false"), ("MARQUEE_ARTIFACTS__KEEP_VERSIONS", "1")],
    );
    drop_encoder(&daemon, "first", 1);
    wait_for_states(&daemon, &[("first", "serving")]);
    let second = drop_encoder(&daemon, "second", 2);
    let reply = wait_for_states(&daemon, &[("first", "serving"), ("second", "ready")]);
    assert!(reply.body.contains("artifacts.auto_promote"), "{}", reply.body);
    command(&daemon, &["pin", "text-encoder", &second]).unwrap();
    wait_for_states(&daemon, &[("first", "superseded"), ("second", "serving")]);
    // One older version is kept: of two, the older goes.
    drop_encoder(&daemon, "zeroth", 0);
    daemon.wait_for("/v1/models", |_| !daemon.models.join("zeroth").exists());
    wait_for_states(&daemon, &[("first", "superseded"), ("zeroth", "absent"), ("second", "serving")]);
    assert!(daemon.models.join("first/manifest.json").exists());
}

#[test]
fn a_folder_is_verified_without_a_daemon() {
    let store = sample_store();
    let verify = |folder: &std::path::Path| {
        let output = marquee(store.path()).args(["models", "verify"]).arg(folder).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    for name in ["tiny-encoder", "tiny-network", "tiny-ranking", "tiny-item-item"] {
        let (success, said) = verify(&fixture("artifacts").join(name));
        assert!(success && said.contains("good"), "{said}");
    }
    let broken = store.path().join("broken");
    copy_folder(&fixture("artifacts/tiny-network"), &broken);
    std::fs::write(broken.join("scorer.onnx"), "x").unwrap();
    let (success, said) = verify(&broken);
    assert!(!success && said.contains("scorer.onnx has 1 bytes"), "{said}");
}

/// What is known of a network that runs beside the one that serves, once it was tried on some requests.
fn shadow_report(daemon: &Daemon, folder: &str) -> Value {
    let shadow = |reply: &Reply| {
        let models = reply.json();
        let model = models["models"].as_array().unwrap().iter().find(|model| model["folder"] == folder).cloned();
        model.map_or(Value::Null, |model| model["checks"]["shadow"].clone())
    };
    let reply = daemon.wait_for("/v1/models", |reply| {
        assert_eq!(daemon.get("/user_recommend/1?top_k=6").status, 200);
        shadow(reply)["requests"].as_u64() >= Some(10)
    });
    shadow(&reply)
}

#[test]
fn agreement_tells_the_same_ratings_from_opposite_ones() {
    let store = crate::drops::store();
    let settings = [("MARQUEE_ARTIFACTS__AUTO_PROMOTE", "false"), ("MARQUEE_ARTIFACTS__SHADOW_SHARE", "1")];
    let daemon = Daemon::start_with(store.path(), &settings);
    crate::drops::drop_straight_network(&daemon.models, "first", (1, 0.25));
    wait_for_states(&daemon, &[("first", "serving")]);
    crate::drops::drop_straight_network(&daemon.models, "same", (2, 0.25));
    let report = shadow_report(&daemon, "same");
    assert_eq!((report["agreement"].as_f64(), report["mean_difference"].as_f64()), (Some(1.0), Some(0.0)), "{report}");
    crate::drops::drop_straight_network(&daemon.models, "opposite", (3, -0.25));
    let report = shadow_report(&daemon, "opposite");
    assert_eq!((report["agreement"].as_f64(), report["failures"].as_u64()), (Some(0.0), Some(0)), "{report}");
    // Films 1 to 6 differ by 0.5 to 3.
    assert!((0.5..=3.0).contains(&report["mean_difference"].as_f64().unwrap()), "{report}");
    assert!(daemon.terminate().success());
}

#[test]
fn a_network_that_waits_is_tried_on_live_requests() {
    let store = crate::drops::store();
    let settings = [("MARQUEE_ARTIFACTS__AUTO_PROMOTE", "false"), ("MARQUEE_ARTIFACTS__SHADOW_SHARE", "0.5")];
    let daemon = Daemon::start_with(store.path(), &settings);
    crate::drops::drop_network(&daemon.models, "first", 1);
    wait_for_states(&daemon, &[("first", "serving")]);
    crate::drops::drop_network(&daemon.models, "second", 50);
    wait_for_states(&daemon, &[("first", "serving"), ("second", "ready")]);
    let report = shadow_report(&daemon, "second");
    // The two differ in the highest rating they give.
    assert!(report["mean_difference"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!(report["failures"], 0, "{report}");
    assert!(daemon.get("/metrics").body.contains("marquee_shadow_requests_total"));
    // Promoted, it waits no more.
    command(&daemon, &["pin", "rating-network", "tiny-network@50"]).unwrap();
    let reply = wait_for_states(&daemon, &[("first", "superseded"), ("second", "serving")]);
    let checks = &reply.json()["models"][1]["checks"];
    assert!(checks["shadow"].is_null(), "{checks}");
    assert_eq!((&checks["known_movies"]["known"], &checks["known_users"]["all"]), (&6.into(), &8.into()), "{checks}");
    assert!(checks["memory_mib"].as_u64() > Some(10) && checks["canaries"]["questions"] == 8, "{checks}");
    assert!(daemon.terminate().success());
}
