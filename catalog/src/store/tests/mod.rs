//! The store's behaviour, through [`Catalog`](super::Catalog) alone: in files, and in the PostgreSQL server that
//! `MILLRACE_POSTGRES` names (`tests/clients/postgres_catalog.py` starts one).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod batches;
mod changes;
mod crashes;
mod crawl_changes;
mod crawlers;
mod crawls;
mod files;
mod partitions;
mod plans;
mod servers;
mod sharing;
mod statistics;
mod upgrade;

use super::{Catalog, Place as CatalogPlace, sql};
use crate::error::CatalogError;
use crate::model::{
    Column, Crawl, CrawlStatus, Crawler, CrawlerState, CrawlerTarget, Partition, PartitionCondition, PartitionFilter,
    SerDe, StorageDescriptor, Table, TableChange, TableKind,
};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use tempfile::TempDir;

/// Where the catalog of a folder is: in a file there, or in a schema of the server's that is named after the folder, so
/// that other processes find it.
pub(crate) fn place_in(folder: &Path) -> CatalogPlace {
    let Some(server) = std::env::var("MILLRACE_POSTGRES").ok().filter(|url| !url.is_empty()) else {
        return CatalogPlace::File(folder.join("catalog.db"));
    };
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    let separator = if server.contains('?') { '&' } else { '?' };
    CatalogPlace::Postgres(format!("{server}{separator}schema=t{:016x}", hasher.finish()).parse().unwrap())
}

/// A catalog in a folder that goes away with it.
struct Place {
    catalog: Catalog,
    folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let catalog = Catalog::open_at(&place_in(folder.path())).await.unwrap();
        Self { catalog, folder }
    }

    /// One for what only files do.
    async fn in_file() -> Self {
        let folder = TempDir::new().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.db")).await.unwrap();
        Self { catalog, folder }
    }

    async fn another(&self) -> Catalog {
        Catalog::open_at(self.catalog.place()).await.unwrap()
    }

    fn path(&self) -> &Path {
        match self.catalog.place() {
            CatalogPlace::File(path) => path,
            CatalogPlace::Postgres(url) => panic!("{url} is no file"),
        }
    }
}

fn table(name: &str, keys: &[(&str, &str)]) -> Table {
    Table {
        id: 0,
        database: "default".to_owned(),
        name: name.to_owned(),
        version: 0,
        kind: TableKind::ExternalTable,
        description: Some("what it holds".to_owned()),
        owner: None,
        storage: StorageDescriptor {
            columns: vec![Column::new("a", "array<struct<x:int,`odd name`:string>>".parse().unwrap())],
            location: Some(format!("file:///data/{name}/")),
            serde: SerDe { library: "org.apache.hadoop.hive.ql.io.orc.OrcSerde".to_owned(), ..SerDe::default() },
            ..StorageDescriptor::default()
        },
        partition_keys: keys.iter().map(|(name, data_type)| Column::new(*name, data_type.parse().unwrap())).collect(),
        parameters: [("has_encrypted_data".to_owned(), "false".to_owned())].into(),
        create_time_ms: 0,
        update_time_ms: 0,
    }
}

fn view(name: &str, text: &str) -> Table {
    let kind = TableKind::VirtualView {
        text: text.to_owned(),
        dialect: "athena".to_owned(),
        search_database: "default".to_owned(),
    };
    Table { kind, ..table(name, &[]) }
}

fn values(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| (*value != "NULL").then(|| (*value).to_owned())).collect()
}

fn partition(of: &[&str]) -> Partition {
    Partition {
        values: values(of),
        location: format!("file:///data/{}/", of.join("/")),
        storage: None,
        parameters: [("numRows".to_owned(), "7".to_owned())].into(),
        create_time_ms: 1,
    }
}

fn crawler(name: &str) -> Crawler {
    Crawler {
        name: name.to_owned(),
        version: 0,
        database: "default".to_owned(),
        targets: vec![CrawlerTarget { path: "file:///data/".to_owned(), ..CrawlerTarget::default() }],
        classifiers: Vec::new(),
        table_prefix: String::new(),
        table_level: None,
        grouping: crate::model::TableGrouping::default(),
        update_behavior: crate::model::UpdateBehavior::default(),
        delete_behavior: crate::model::DeleteBehavior::default(),
        recrawl_behavior: crate::model::RecrawlBehavior::default(),
        create_time_ms: 0,
        update_time_ms: 0,
    }
}

fn ended(run: &Crawl, status: CrawlStatus) -> Crawl {
    Crawl { status, ..run.clone() }
}

/// Lets the runs' last heartbeats be so much longer ago.
async fn age(catalog: &Catalog, seconds: i64) {
    let mut write = catalog.write().await.unwrap();
    let query = sql("UPDATE millrace_crawl SET heartbeat_ms = heartbeat_ms - $1").bind(seconds * 1000);
    write.execute(query).await.unwrap();
    write.commit_uncounted().await.unwrap();
}

/// The message of a failure that must be.
fn message<T: std::fmt::Debug>(result: Result<T, CatalogError>) -> String {
    result.expect_err("this must fail").to_string()
}
