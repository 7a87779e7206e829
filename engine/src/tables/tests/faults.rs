//! Files that are missing or damaged, and writes that end early.

use super::{FORMATS, fixture, only, run};
use crate::tables::{TableStorage, WriteOptions, write_deletes, write_files};
use crate::{Error, ErrorKind};
use datafusion::common::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use std::time::Duration;

fn data_file(fixture: &super::Fixture, name: &str) -> std::path::PathBuf {
    fixture.folder.path().join("public/t").join(name)
}

#[tokio::test]
async fn missing_and_damaged_files_are_named() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint")]);
        let rows = fixture.rows_of("SELECT value * 7919 % 100003 FROM generate_series(1, 20000)").await;
        let files = fixture.write(rows, &WriteOptions::default(), 1).await;
        let path = data_file(&fixture, &files[0].path);
        let whole = std::fs::read(&path).unwrap();
        let mut ends_wrong = whole.clone();
        let end = ends_wrong.len() - files[0].footer_size as usize / 2 - 8;
        ends_wrong[end..].fill(0xa5);
        let mut middle = whole.clone();
        let size = middle.len();
        middle[4..size / 2].fill(0xff);
        let cases = [
            (None, ErrorKind::UndefinedFile, "does not exist"),
            (Some(whole[..whole.len() / 2].to_vec()), ErrorKind::BadFile, "is damaged"),
            (Some(ends_wrong), ErrorKind::BadFile, "is damaged"),
            (Some(Vec::new()), ErrorKind::BadFile, "is damaged"),
        ]
        .into_iter()
        // Vortex has no checksums to notice it by.
        .chain((format == FORMATS[1]).then_some((Some(middle), ErrorKind::BadFile, "is damaged")));
        for (bytes, kind, what) in cases {
            match &bytes {
                None => std::fs::remove_file(&path).unwrap(),
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            }
            let sizes = bytes.map(|bytes| bytes.len());
            let provider = fixture.provider(&files, Vec::new());
            let error = Error::from(run(provider, "SELECT sum(k) FROM t", 1).await.unwrap_err());
            assert_eq!(error.kind, kind, "{format:?} {sizes:?} {error}");
            assert!(error.message.contains(&files[0].path), "{error}");
            assert!(error.message.contains("of table \"public.t\"") && error.message.ends_with(what), "{error}");
        }
    }
}

#[tokio::test]
async fn missing_and_damaged_delete_files_are_named() {
    let fixture = fixture(FORMATS[0], &[(1, "k", "bigint")]);
    let mut files = fixture.write(fixture.rows_of("SELECT 1").await, &WriteOptions::default(), 1).await;
    files[0].deletes = write_deletes(&fixture.storage, &fixture.table, &files[0], &[0]).await.unwrap().keep();
    files[0].record_count = 2;
    let name = files[0].deletes.as_ref().unwrap().path.clone();
    for (damage, kind) in [(true, ErrorKind::BadFile), (false, ErrorKind::UndefinedFile)] {
        let path = data_file(&fixture, &name);
        if damage {
            std::fs::write(&path, "PAR1").unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        let old = fixture.storage.clone();
        let storage = TableStorage::new(old.store, old.url, old.root, old.cleanup);
        let provider =
            crate::tables::ManagedTableProvider::new(storage, fixture.table.clone().into(), files.clone(), Vec::new());
        let error = Error::from(run(provider.unwrap(), "SELECT k FROM t", 1).await.unwrap_err());
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(&name), "{error}");
    }
}

#[tokio::test]
async fn files_that_are_not_kept_go_away() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint")]);
        let stream = fixture.stream(fixture.rows_of("SELECT 1").await);
        let written =
            write_files(&fixture.storage, &fixture.table, vec![stream], &WriteOptions::default()).await.unwrap();
        assert_eq!(fixture.files_on_disk(), 1);
        assert!(written.paths()[0].as_ref().ends_with(&written.described()[0].path));
        drop(written);
        assert_eq!(fixture.files_on_disk(), 0);
    }
}

#[tokio::test]
async fn a_failing_stream_leaves_no_file() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint")]);
        let rows = fixture.rows_of("SELECT value FROM generate_series(1, 100000)").await;
        let schema = rows[0].schema();
        let failing = futures::stream::iter(rows.into_iter().map(Ok).collect::<Vec<_>>())
            .chain(futures::stream::iter([Err(DataFusionError::Execution("out of luck".to_owned()))]));
        let stream = Box::pin(RecordBatchStreamAdapter::new(schema, failing));
        let options = WriteOptions { max_file_rows: 20_000, ..WriteOptions::default() };
        let error = write_files(&fixture.storage, &fixture.table, vec![stream], &options).await.unwrap_err();
        assert!(error.to_string().contains("out of luck"), "{error}");
        assert_eq!(fixture.files_on_disk(), 0, "{format:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_write_leaves_no_file() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint")]);
        let rows = fixture.rows_of("SELECT value FROM generate_series(1, 300000)").await;
        let schema = rows[0].schema();
        let endless =
            futures::stream::iter(rows.into_iter().map(Ok).collect::<Vec<_>>()).chain(futures::stream::pending());
        let stream = Box::pin(RecordBatchStreamAdapter::new(schema, endless));
        let options = WriteOptions { max_file_rows: 50_000, ..WriteOptions::default() };
        let write = write_files(&fixture.storage, &fixture.table, vec![stream], &options);
        assert!(tokio::time::timeout(Duration::from_secs(2), write).await.is_err());
        // The tasks end a little after they are told to.
        for _ in 0..500 {
            if fixture.files_on_disk() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(fixture.files_on_disk(), 0, "{format:?}");
    }
}

#[tokio::test]
async fn errors_of_expressions_are_not_blamed_on_files() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint")]);
        let files = fixture.write(fixture.rows_of("SELECT 0").await, &WriteOptions::default(), 1).await;
        let provider = fixture.provider(&files, Vec::new());
        let error = Error::from(run(provider, "SELECT 1 / k FROM t", 1).await.unwrap_err());
        assert_eq!(error.kind, ErrorKind::DivisionByZero, "{format:?} {error}");
        assert_eq!(only(fixture.query(&files, "SELECT k FROM t").await), "0");
    }
}
