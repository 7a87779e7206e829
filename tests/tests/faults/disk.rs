//! What happens to managed tables on a disk that is full, and when files are lost or damaged.

use crate::{open, process, visible_files};
use millrace_engine::ErrorKind;
use millrace_tests::database::rows;
use std::fmt::Write;
use std::io::Write as _;
use std::path::PathBuf;

/// With this variable a machine on which nothing can be mounted fails; else the test says that it was not run.
const REQUIRED: &str = "MILLRACE_FULL_DISK";

#[test]
fn a_full_disk_is_told_and_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    match process::start_on_small_disk("disk::process_fills_the_disk", folder.path(), 6 << 20) {
        Some(mut child) => assert!(child.wait().unwrap().success()),
        None if std::env::var_os(REQUIRED).is_some() => panic!("this machine lets nobody mount a disk"),
        // Not by a macro: what passes must be heard too.
        None => {
            let said = "SKIPPED: a full disk: this machine lets nobody mount one\n";
            std::io::stderr().write_all(said.as_bytes()).unwrap();
        }
    }
}

#[tokio::test]
#[ignore = "another test runs it as a process"]
async fn process_fills_the_disk() {
    let Some(folder) = process::folder() else { return };
    let mut session = open(&folder).await.unwrap();
    let spare = folder.join("spare");
    std::fs::write(&spare, vec![1; 1 << 20]).unwrap();
    rows(&mut session, "CREATE TABLE t (n bigint, s varchar(100))").await.unwrap();
    // Rows that no encoding makes small.
    let insert = "INSERT INTO t SELECT n, md5(n || '') || md5(n || 'x') FROM (SELECT unnest(range(1, 8001)) AS n)";
    let mut inserted = 0;
    let error = loop {
        match rows(&mut session, insert).await {
            Ok(_) => inserted += 8000,
            Err(error) => break error,
        }
        assert!(inserted < 1_000_000, "the disk does not fill");
    };
    assert_eq!(error.kind, ErrorKind::DiskFull, "{error}");
    assert!(inserted > 0);
    // An UNLOAD that finds no room leaves nothing.
    let out = folder.join("out");
    let unload = format!("UNLOAD ('select * from t') TO '{}/t_'", out.display());
    assert_eq!(rows(&mut session, &unload).await.unwrap_err().kind, ErrorKind::DiskFull);
    assert!(!out.exists() || visible_files(&out).is_empty());
    // A COPY that finds none loads nothing, of a file that is elsewhere.
    let source = tempfile::NamedTempFile::new().unwrap();
    let mut digits = 1_u64;
    let mut lines = String::new();
    for line in 0..40_000 {
        digits = digits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        writeln!(lines, "{line}|{digits:016x}{:016x}", digits.rotate_left(17) ^ digits.swap_bytes()).unwrap();
    }
    std::fs::write(source.path(), lines).unwrap();
    let copy = format!("COPY t FROM '{}'", source.path().display());
    assert_eq!(rows(&mut session, &copy).await.unwrap_err().kind, ErrorKind::DiskFull);
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [[inserted.to_string()]]);
    // One in a block fails the block, and only it.
    rows(&mut session, "BEGIN").await.unwrap();
    assert_eq!(rows(&mut session, insert).await.unwrap_err().kind, ErrorKind::DiskFull);
    assert_eq!(rows(&mut session, "SELECT 1").await.unwrap_err().kind, ErrorKind::FailedTransaction);
    rows(&mut session, "ROLLBACK").await.unwrap();
    // To the last page: the catalog's own file cannot grow any more.
    std::fs::write(folder.join("rest"), vec![1; 8 << 20]).unwrap_err();
    let count = [[inserted.to_string()]];
    for _ in 0..200 {
        match rows(&mut session, "INSERT INTO t VALUES (0, 'one')").await {
            // It may be the one that finds no room.
            Ok(_) => drop(rows(&mut session, "DELETE FROM t WHERE n = 0").await),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::DiskFull, "{error}");
                break;
            }
        }
    }
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t WHERE n > 0").await.unwrap(), count);
    // Queries go on without a journal; what it could not write is counted, and seen.
    let text = format!("SELECT /* {} */ count(*) FROM t WHERE n > 0", "long ".repeat(4_000));
    for _ in 0..500 {
        assert_eq!(rows(&mut session, &text).await.unwrap(), count);
    }
    let lost = rows(&mut session, "SELECT lost_records > 0, share_lost > 0 FROM millrace_journal").await.unwrap();
    assert_eq!(lost, [["true", "true"]]);
    let mut another = open(&folder).await.unwrap();
    assert_eq!(rows(&mut another, "SELECT count(*) FROM t WHERE n > 0").await.unwrap(), count);
    // With room again, work goes on, and nothing that failed has left a file.
    std::fs::remove_file(spare).unwrap();
    std::fs::remove_file(folder.join("rest")).unwrap();
    rows(&mut session, insert).await.unwrap();
    let count = [[(inserted + 8000).to_string()]];
    assert_eq!(rows(&mut another, "SELECT count(*) FROM t WHERE n > 0").await.unwrap(), count);
    assert_eq!(visible_files(&folder.join("data")).len(), inserted / 8000 + 1);
}

/// The files of a table, in the order they were written.
fn files(warehouse: &std::path::Path, table: &str) -> Vec<PathBuf> {
    let mut files = visible_files(&warehouse.join("data/default").join(table));
    files.sort();
    files
}

#[tokio::test]
async fn a_lost_or_damaged_file_is_named_and_other_tables_work() {
    for format in ["vortex", "parquet"] {
        let folder = tempfile::tempdir().unwrap();
        let mut session = open(folder.path()).await.unwrap();
        for table in ["lost", "good"] {
            let create =
                format!("CREATE TABLE {table} (n bigint, s varchar(20)) TABLE PROPERTIES ('format' = '{format}')");
            rows(&mut session, &create).await.unwrap();
            for at in [1, 1001] {
                let insert = format!(
                    "INSERT INTO {table} SELECT n, 'text ' || n FROM (SELECT unnest(range({at}, {at} + 1000)) AS n)"
                );
                rows(&mut session, &insert).await.unwrap();
            }
        }
        drop(session);
        let file = files(folder.path(), "lost").remove(0);
        let whole = std::fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for (bytes, kind) in [
            (None, ErrorKind::UndefinedFile),
            (Some(&whole[..whole.len() / 2]), ErrorKind::BadFile),
            (Some(&[][..]), ErrorKind::BadFile),
        ] {
            match bytes {
                None => std::fs::remove_file(&file).unwrap(),
                Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            }
            let mut session = open(folder.path()).await.unwrap();
            for statement in [
                "SELECT sum(n), max(s) FROM lost",
                "UPDATE lost SET s = 'x' WHERE s LIKE '%9'",
                "DELETE FROM lost WHERE s LIKE '%9'",
                "CREATE TABLE copied AS SELECT * FROM lost",
                "MERGE INTO good USING (SELECT n, s FROM lost) AS q ON good.n = q.n WHEN MATCHED THEN DELETE \
                 WHEN NOT MATCHED THEN INSERT VALUES (q.n, q.s)",
            ] {
                let error = rows(&mut session, statement).await.unwrap_err();
                assert_eq!(error.kind, kind, "{format}: {statement}: {error}");
                assert!(error.message.contains(&name) && error.message.contains("default.lost"), "{error}");
            }
            // The other file of the same table is read where the filter needs only it.
            assert_eq!(rows(&mut session, "SELECT s FROM lost WHERE n = 1500").await.unwrap(), [["text 1500"]]);
            assert_eq!(rows(&mut session, "SELECT count(*), sum(n) FROM good").await.unwrap(), [["2000", "2001000"]]);
            assert!(rows(&mut session, "SELECT * FROM copied").await.is_err());
        }
        // Such a table can be dropped, and made whole by putting the file back.
        std::fs::write(&file, &whole).unwrap();
        let mut session = open(folder.path()).await.unwrap();
        assert_eq!(rows(&mut session, "SELECT count(*), sum(n) FROM lost").await.unwrap(), [["2000", "2001000"]]);
        std::fs::remove_file(&file).unwrap();
        rows(&mut session, "DROP TABLE lost").await.unwrap();
        assert_eq!(rows(&mut session, "SHOW TABLES").await.unwrap(), [["good"]]);
    }
}
