//! A process killed in the middle of writing loses nothing that was committed.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Daemon, marquee};

/// A data set that takes a while: enough ratings for several commits.
fn write_large_data_set(folder: &std::path::Path) {
    let mut movies = std::fs::File::create(folder.join("movies.csv")).unwrap();
    writeln!(movies, "movieId,title,genres").unwrap();
    for movie in 1..=1000 {
        writeln!(movies, "{movie},Film {movie} (2001),Drama").unwrap();
    }
    let mut ratings = std::io::BufWriter::new(std::fs::File::create(folder.join("ratings.csv")).unwrap());
    writeln!(ratings, "userId,movieId,rating,timestamp").unwrap();
    for user in 1..=4000 {
        for step in 0..150 {
            writeln!(ratings, "{user},{},{}.0,{}", 1 + (user * 7 + step * 13) % 1000, 1 + step % 5, 1000 + step)
                .unwrap();
        }
    }
}

/// How far a process has read a file it has open.
fn bytes_read(process: u32, file: &str) -> Option<u64> {
    let process = std::path::PathBuf::from(format!("/proc/{process}"));
    let mut open = std::fs::read_dir(process.join("fd")).ok()?.flatten();
    let number = open.find(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target.ends_with(file)))?;
    let about = std::fs::read_to_string(process.join("fdinfo").join(number.file_name())).ok()?;
    about.lines().find_map(|line| line.strip_prefix("pos:"))?.trim().parse().ok()
}

#[test]
fn an_import_killed_half_way_leaves_a_store_that_opens_and_can_be_imported_again() {
    let data = tempfile::tempdir().unwrap();
    let source = tempfile::tempdir().unwrap();
    write_large_data_set(source.path());
    let mut child = marquee(data.path())
        .arg("import")
        .arg(source.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let size = std::fs::metadata(source.path().join("ratings.csv")).unwrap().len();
    let started = Instant::now();
    // It goes on reading only after a batch is committed, so by then several are.
    while bytes_read(child.id(), "ratings.csv").is_none_or(|read| read < size / 3) {
        assert!(
            started.elapsed() < Duration::from_mins(1) && child.try_wait().unwrap().is_none(),
            "too fast to be killed"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let output = marquee(data.path()).arg("export").arg(data.path().join("out")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let kept = std::fs::read_to_string(data.path().join("out/ratings.csv")).unwrap().lines().count() - 1;
    assert!(kept < 600_000, "the import was not interrupted");
    assert!(kept >= 90_000, "{kept} ratings are left of the 180,000 that were read: commits were lost");
    assert_eq!(kept % 1000, 0, "batches are whole or not there");

    let output = marquee(data.path()).arg("import").arg(source.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let daemon = Daemon::start(data.path());
    assert!(daemon.get("/readyz").body.contains("600000 ratings"), "{}", daemon.get("/readyz").body);
}
