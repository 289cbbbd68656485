//! The daemon as a systemd service.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::support::{Daemon, repository, sample_store};

#[test]
fn the_unit_is_valid() {
    let unit = std::fs::read_to_string(repository("tools/systemd/marquee.service")).unwrap();
    for line in [
        "Type=notify",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "StateDirectory=marquee",
        "Restart=on-failure",
        "ProtectSystem=strict",
    ] {
        assert!(unit.lines().any(|found| found == line), "the unit lacks {line}");
    }
    assert!(!unit.lines().any(|line| line.starts_with("ProcSubset=")), "ONNX Runtime reads /proc/cpuinfo");
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        // tools/test says in its summary that this was skipped.
        eprintln!("systemd-analyze is not installed: the unit's syntax was not verified");
        return;
    };
    assert!(version.status.success());
    // The verifier wants the program to exist where the unit says.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("marquee.service");
    std::fs::write(&path, unit.replace("/usr/local/bin/marquee", env!("CARGO_BIN_EXE_marquee"))).unwrap();
    let output = Command::new("systemd-analyze").args(["--man=no", "verify"]).arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("marquee.service"), "{said}");
}

#[test]
fn the_service_manager_is_told_ready_status_and_stopping() {
    let store = sample_store();
    let socket_path = store.path().join("notify.sock");
    let socket = UnixDatagram::bind(&socket_path).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let daemon = Daemon::start_with(store.path(), &[("NOTIFY_SOCKET", socket_path.to_str().unwrap())]);
    let next = || {
        let mut buffer = [0_u8; 4096];
        let n_bytes = socket.recv(&mut buffer).expect("a message in time");
        String::from_utf8_lossy(&buffer[..n_bytes]).into_owned()
    };
    assert!(next().contains("READY=1"));
    assert!(next().contains("STATUS="));
    daemon.signal("HUP");
    while !next().contains("RELOADING=1") {}
    while !next().contains("READY=1") {}
    daemon.signal("TERM");
    while !next().contains("STOPPING=1") {}
}

#[test]
fn a_hangup_reads_the_configuration_again_and_a_wrong_one_changes_nothing() {
    let store = sample_store();
    let file = store.path().join("my.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("[artifacts]\nauto_promote = true\n");
    let socket_path = store.path().join("notify.sock");
    let socket = UnixDatagram::bind(&socket_path).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let settings = [("NOTIFY_SOCKET", socket_path.to_str().unwrap()), ("MARQUEE_CONFIG", file.to_str().unwrap())];
    let log = store.path().join("log");
    let daemon = Daemon::start_logging(store.path(), &settings, &log);
    let mut read = 0;
    let mut hang_up = |text: &str| {
        write(text);
        daemon.signal("HUP");
        let mut buffer = [0_u8; 4096];
        let mut next = || {
            let n_bytes = socket.recv(&mut buffer).expect("a message in time");
            String::from_utf8_lossy(&buffer[..n_bytes]).into_owned()
        };
        while !next().contains("RELOADING=1") {}
        while !next().contains("READY=1") {}
        let said = std::fs::read_to_string(&log).unwrap();
        let new = said[read..].to_owned();
        read = said.len();
        new
    };
    let said = hang_up("[artifacts]\nauto_promote = false\npoll_s = 77\n");
    assert!(said.contains("artifacts.auto_promote") && said.contains("artifacts.poll_s"), "{said}");
    let said = hang_up("[artifacts]\nmax_load_s = 0\n");
    assert!(said.contains("the configuration was not taken"), "{said}");
    let similar = |n: u32| daemon.get(&format!("/v1/movies/1/similar?n={n}")).status;
    assert_eq!(similar(8), 200);
    let said = hang_up("[http]\nmax_top_k = 7\nrequest_timeout_ms = 1000\n");
    let (changed, needs_restart) = said.split_once("needs_restart").unwrap();
    assert!(changed.contains("http.max_top_k") && needs_restart.contains("http.request_timeout_ms"), "{said}");
    assert_eq!((similar(8), similar(7)), (400, 200), "also for what was answered before");
    let said = hang_up("[artifacts]\nauto_promote = true\n[log]\nfilter = \"warn\"\n");
    assert!(!said.contains("was read again"), "what is less than a warning is not written any more: {said}");
    assert_eq!(daemon.get("/healthz").status, 200);
    assert!(daemon.terminate().success());
}
