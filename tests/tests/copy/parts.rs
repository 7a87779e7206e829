//! A large plain file is read in parts: the rows, and the numbers of bad lines, are those of the whole.

use crate::world;
use millrace_tests::database::rows;
use std::fmt::Write;

/// Lines of a file that is large enough to be read in parts.
const LINES: u64 = 120_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_lines_are_those_of_the_whole() {
    let (folder, mut session) = world().await;
    let place = folder.path().join("large.txt");
    let mut text = "a|b\nheader|two\n".to_owned();
    let bad = [1, 2, 40_000, 77_777, LINES];
    for line in 1..=LINES {
        if bad.contains(&line) {
            text.push_str("bad");
        }
        // Lines of different lengths, so that parts begin anywhere in them.
        let width = (line * 7919 % 97) as usize;
        writeln!(text, "{line}|{:x>width$}", "").unwrap();
    }
    // The last line has no end.
    text.pop();
    assert!(text.len() > 5 << 20);
    text = text.replace('x', "xx");
    std::fs::write(&place, &text).unwrap();
    let place = place.display();
    rows(&mut session, "CREATE TABLE t (a int, b varchar(200))").await.unwrap();
    rows(&mut session, &format!("COPY t FROM '{place}' IGNOREHEADER 2 MAXERROR 10")).await.unwrap();
    let sum: u64 = (1..=LINES).filter(|line| !bad.contains(line)).sum();
    let counted = rows(&mut session, "SELECT count(*), count(DISTINCT a), sum(a) FROM t").await.unwrap();
    let count = (LINES - bad.len() as u64).to_string();
    assert_eq!(counted, [[count.clone(), count, sum.to_string()]]);
    let found =
        rows(&mut session, "SELECT line_number, raw_field_value FROM stl_load_errors ORDER BY 1").await.unwrap();
    let expected: Vec<[String; 2]> = bad.iter().map(|line| [(line + 2).to_string(), format!("bad{line}")]).collect();
    assert_eq!(found, expected);
    // Whatever the parts, too many bad lines load nothing.
    assert!(rows(&mut session, &format!("COPY t FROM '{place}' IGNOREHEADER 2 MAXERROR 5")).await.is_err());
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [[(LINES - 5).to_string()]]);
}

/// Rows of files that are large enough to be read together, compressed too.
const ROWS: u64 = 30_000;

/// Text that cannot be read in parts is read by all streams together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_all_formats_read_together() {
    let (folder, mut session) = world().await;
    rows(&mut session, "CREATE TABLE source (a int, b varchar(100))").await.unwrap();
    let mut text = String::new();
    // Digits that no codec makes small.
    let mut digits = 1_u64;
    for line in 0..ROWS {
        let mut noise = String::new();
        for _ in 0..5 {
            digits = digits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            write!(noise, "{digits:016x}").unwrap();
        }
        writeln!(text, "{line},\"{noise}\nline {line}\"").unwrap();
    }
    let place = folder.path().join("large.csv");
    std::fs::write(&place, &text).unwrap();
    let place = place.display();
    rows(&mut session, &format!("COPY source FROM '{place}' CSV")).await.unwrap();
    let sums = "count(*), count(DISTINCT a), sum(a), sum(length(b)), count(DISTINCT b)";
    let expected = rows(&mut session, &format!("SELECT {sums} FROM source")).await.unwrap();
    assert_eq!(expected[0][0], ROWS.to_string());
    assert_eq!(expected[0][2], (0..ROWS).sum::<u64>().to_string());
    let formats = [("JSON", "JSON 'auto'"), ("CSV BZIP2", "CSV BZIP2"), ("ESCAPE", "ESCAPE")];
    for (at, (unload, copy)) in formats.iter().enumerate() {
        let place = folder.path().join(format!("out{at}/t")).display().to_string();
        let unload = format!("UNLOAD ('select * from source') TO '{place}' {unload} PARALLEL OFF");
        rows(&mut session, &unload).await.unwrap();
        rows(&mut session, &format!("CREATE TABLE t{at} (a int, b varchar(100))")).await.unwrap();
        rows(&mut session, &format!("COPY t{at} FROM '{place}' {copy}")).await.unwrap();
        let found = rows(&mut session, &format!("SELECT {sums} FROM t{at}")).await.unwrap();
        assert_eq!(found, expected, "{copy}");
    }
    rows(&mut session, "CREATE TABLE narrow (a int, b varchar(10))").await.unwrap();
    assert!(rows(&mut session, &format!("COPY narrow FROM '{place}' CSV MAXERROR 100")).await.is_err());
    // Every record has two lines.
    let first = "SELECT min(line_number % 2), max(err_code), count(*) FROM stl_load_errors";
    assert_eq!(rows(&mut session, first).await.unwrap(), [["1", "1204", "100"]]);
}

/// Whoever watches a load sees how far it is, of columnar files too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_tell_how_far_they_are() {
    let (folder, mut session) = world().await;
    rows(&mut session, "CREATE TABLE n (a int); INSERT INTO n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
        .await
        .unwrap();
    rows(&mut session, "CREATE TABLE t (id int, s varchar(40))").await.unwrap();
    let numbers = "select x.a + 10 * y.a + 100 * z.a + 1000 * u.a + 10000 * v.a as id from n x, n y, n z, n u, n v";
    for format in ["PARQUET", "CSV"] {
        let place = folder.path().join(format).join("t_").display().to_string();
        let query = format!("select id, md5(id::varchar) as s from ({numbers})");
        rows(&mut session, &format!("UNLOAD ('{query}') TO '{place}' {format} PARALLEL OFF")).await.unwrap();
        let progress = session.progress();
        let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let ended = std::sync::Arc::clone(&done);
        let watching = std::thread::spawn(move || {
            let (mut most, mut last) = (0, millrace_engine::ProgressState::default());
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                let now = progress.now();
                most = most.max(now.rows_scanned);
                if now.files_total > 0 {
                    last = now;
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            (most, last)
        });
        rows(&mut session, &format!("COPY t FROM '{place}' {format}")).await.unwrap();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let (most, last) = watching.join().unwrap();
        assert!(most > 0 && most <= 100_000, "{format}: {most}");
        assert_eq!(last.files_total, 1, "{format}");
        assert!(last.bytes_scanned > 0 && last.bytes_scanned <= last.bytes_total, "{format}: {last:?}");
    }
    assert_eq!(rows(&mut session, "SELECT count(*), count(DISTINCT id) FROM t").await.unwrap(), [["200000", "100000"]]);
}
