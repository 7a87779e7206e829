//! What a load holds in memory, measured in a process of its own by the system: Linux tells the most that a process had,
//! since it was asked to forget what was before.

use crate::process;
use crate::world;
use millrace_tests::database::rows;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// The length of the one line, which nothing may hold as a whole.
const LINE: u64 = 128 << 20;

/// The most that a load may need above what the process has before it.
const MOST: u64 = 48 << 20;

/// A good record, one whose middle is a hole of [`LINE`] bytes, and another good one.
fn write(place: &Path, before: &str, after: &str) {
    let mut file = File::create(place).unwrap();
    file.write_all(before.as_bytes()).unwrap();
    file.set_len(before.len() as u64 + LINE).unwrap();
    let mut file = File::options().append(true).open(place).unwrap();
    file.write_all(after.as_bytes()).unwrap();
}

/// Bytes of a line of `/proc/self/status`.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "another test runs it as a process"]
async fn process_loads_one_line() {
    let Some(place) = process::folder() else { return };
    let (folder, mut session) = world().await;
    rows(&mut session, "CREATE TABLE t (id int)").await.unwrap();
    let formats = [
        ("", "1\n", "\n3\n"),
        ("CSV", "1\n\"", "\"\n3\n"),
        ("ESCAPE", "1\n", "\n3\n"),
        ("JSON 'auto'", "{\"id\": 1}\n{\"id\": \"", "\"}\n{\"id\": 3}\n"),
    ];
    let mut log = File::create(place.join("peaks")).unwrap();
    for (at, (options, before, after)) in formats.iter().enumerate() {
        // What the first load of a process makes for all later ones is no part of the measure.
        let small = folder.path().join(format!("small{at}.txt"));
        std::fs::write(&small, format!("{before}0{after}")).unwrap();
        let copy = |file: &Path| format!("COPY t FROM '{}' {options} MAXERROR 2", file.display());
        rows(&mut session, &copy(&small)).await.unwrap();
        rows(&mut session, "TRUNCATE t").await.unwrap();
        let large = folder.path().join(format!("large{at}.txt"));
        write(&large, before, after);
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let held = status("VmRSS:");
        rows(&mut session, &copy(&large)).await.unwrap();
        let peak = status("VmHWM:").saturating_sub(held);
        assert_eq!(rows(&mut session, "SELECT id FROM t ORDER BY id").await.unwrap(), [["1"], ["3"]], "{options}");
        rows(&mut session, "TRUNCATE t").await.unwrap();
        let errors = "SELECT line_number, err_code, err_reason FROM stl_load_errors WHERE query = pg_last_copy_id()";
        let errors = rows(&mut session, errors).await.unwrap();
        assert_eq!(errors, [["2", "1216", "Input line is not valid: it is longer than 4 MB"]], "{options}");
        writeln!(log, "{options}: {peak}").unwrap();
        std::fs::remove_file(large).unwrap();
    }
}

/// A line of 128 MB is one bad line, and needs the memory of a part of it that does not grow with it.
#[test]
fn one_line_is_never_held_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let ended = process::start("memory::process_loads_one_line", folder.path()).wait().unwrap();
    assert!(ended.success(), "{ended}");
    let peaks = std::fs::read_to_string(folder.path().join("peaks")).unwrap();
    let sizes: Vec<u64> = peaks.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(sizes.len(), 4, "{peaks}");
    assert!(sizes.iter().all(|peak| *peak < MOST), "{peaks}");
}
