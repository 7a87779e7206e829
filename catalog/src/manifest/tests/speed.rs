//! Times, printed: `cargo test --release -p millrace-catalog -- --ignored --nocapture manifest::tests::speed`.

#![allow(clippy::print_stdout)]

use super::*;
use std::time::Instant;

#[tokio::test]
#[ignore = "prints times"]
async fn single_row_commits() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let start = Instant::now();
    for at in 0..1_000 {
        place.commit(&[inline(t, &[(at, "x")])]).await;
    }
    println!("single-row commits per second: {:.0}", 1_000.0 / start.elapsed().as_secs_f64());
}

#[tokio::test]
#[ignore = "prints times"]
async fn single_row_commits_at_once() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let start = Instant::now();
    let sessions = (0..16).map(|session| {
        let place = &place;
        async move {
            for at in 0..250 {
                place.commit(&[inline(t, &[(session * 250 + at, "x")])]).await;
            }
        }
    });
    futures::future::join_all(sessions).await;
    println!("the same of 16 at once per second: {:.0}", 4_000.0 / start.elapsed().as_secs_f64());
}

#[tokio::test]
#[ignore = "prints times"]
async fn many_tables_and_files() {
    let place = Place::new().await;
    let start = Instant::now();
    for chunk in 0..10 {
        let tables = (0..1_000).map(|at| {
            let id = -1 - at;
            ManifestChange::CreateTable(ManagedTable { id, ..table(&format!("t{chunk}_{at}")) })
        });
        place.commit(&tables.collect::<Vec<_>>()).await;
    }
    let many = place.table("many").await;
    println!("made 10,000 tables in {:?}", start.elapsed());
    let start = Instant::now();
    let snapshot = place.catalog.snapshot().await.unwrap();
    for (at, table) in snapshot.managed_tables("default").enumerate().filter(|(_, table)| table.id != many) {
        if at % 100 == 0 {
            let files = (0..9_900).map(|at| file(&format!("f{at}"), 1)).collect();
            place.commit(&[ManifestChange::AddFiles { table: table.id, files }]).await;
        }
    }
    let files = (0..10_000).map(|at| file(&format!("f{at}"), 1)).collect();
    place.commit(&[ManifestChange::AddFiles { table: many, files }]).await;
    println!("added 1,000,000 files in {:?}", start.elapsed());
    let one = place.table("one").await;
    place.commit(&[ManifestChange::AddFiles { table: one, files: (0..100).map(|_| file("f", 1)).collect() }]).await;

    let start = Instant::now();
    let another = place.another().await;
    let snapshot = another.snapshot().await.unwrap();
    println!("opened and loaded {} tables in {:?}", snapshot.all_managed_tables().count(), start.elapsed());
    for table in [one, many] {
        for what in ["first", "again"] {
            let start = Instant::now();
            let snapshot = another.snapshot().await.unwrap();
            let files = another.data_files(table, snapshot.manifest_version()).await.unwrap();
            println!("{what}: {} files of a table in {:?}", files.len(), start.elapsed());
        }
    }
    place.commit(&[inline(one, &[(1, "x")])]).await;
    let start = Instant::now();
    let snapshot = another.snapshot().await.unwrap();
    another.data_files(many, snapshot.manifest_version()).await.unwrap();
    println!("after another's commit: {:?}", start.elapsed());
}
