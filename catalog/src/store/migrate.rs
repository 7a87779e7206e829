//! The catalog's tables, and how a database of an earlier format gets them.

use super::database::Connection;
use super::sql::{sql, sql_text};
use crate::model::Database;
use std::time::{SystemTime, UNIX_EPOCH};

/// The format that this program writes; it reads this one and brings earlier ones up to it.
pub(super) const FORMAT: i64 = MIGRATIONS.len() as i64;
/// The database that exists from the start, as in Hive and Athena.
pub(super) const DEFAULT_DATABASE: &str = "default";

/// Step n brings a database from format n to n + 1. Steps are never changed once released, only added.
const MIGRATIONS: &[&[&str]] = &[
    TABLES,
    CRAWLERS,
    crate::manifest::TABLES,
    crate::manifest::FILE_LAYOUTS,
    crate::manifest::ESTIMATES,
    PRINCIPALS,
    crate::manifest::COLUMN_USES,
    crate::manifest::BLANK_ENDS,
];

/// Databases, tables and partitions.
///
/// A partition's `name` is its values' sort keys, joined: unique in the table, and the order of the keys' types.
/// `millrace_partition_value` finds partitions by their second and later keys; the name itself finds them by the first.
const TABLES: &[&str] = &[
    "CREATE TABLE millrace_meta (format BIGINT NOT NULL, version BIGINT NOT NULL, next_id BIGINT NOT NULL)",
    "INSERT INTO millrace_meta (format, version, next_id) VALUES (0, 1, 1)",
    "CREATE TABLE millrace_database (name TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE millrace_external_schema (
        name TEXT PRIMARY KEY,
        database_name TEXT NOT NULL REFERENCES millrace_database (name),
        document TEXT NOT NULL
    ) WITHOUT ROWID",
    "CREATE INDEX millrace_external_schema_database ON millrace_external_schema (database_name)",
    "CREATE TABLE millrace_table (
        id INTEGER PRIMARY KEY,
        database_name TEXT NOT NULL REFERENCES millrace_database (name),
        name TEXT NOT NULL,
        version BIGINT NOT NULL,
        partitions_version BIGINT NOT NULL,
        document TEXT NOT NULL,
        UNIQUE (database_name, name)
    )",
    "CREATE TABLE millrace_table_version (
        table_id BIGINT NOT NULL REFERENCES millrace_table (id),
        version BIGINT NOT NULL,
        database_name TEXT NOT NULL,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (table_id, version)
    )",
    "CREATE TABLE millrace_partition (
        id INTEGER PRIMARY KEY,
        table_id BIGINT NOT NULL REFERENCES millrace_table (id),
        name TEXT NOT NULL,
        document TEXT NOT NULL
    )",
    "CREATE UNIQUE INDEX millrace_partition_name ON millrace_partition (table_id, name)",
    "CREATE TABLE millrace_partition_value (
        table_id BIGINT NOT NULL,
        key_index BIGINT NOT NULL,
        sort_key TEXT NOT NULL,
        partition_id BIGINT NOT NULL,
        PRIMARY KEY (table_id, key_index, sort_key, partition_id)
    ) WITHOUT ROWID",
];

/// Crawlers, their runs, and what is known of tables' rows.
///
/// A run's `state` is the one that it gives its crawler, `READY` once it has ended; the unique index keeps two of one
/// crawler from running at once. Sketches are apart from the rest of statistics because planning never reads them.
const CRAWLERS: &[&str] = &[
    "CREATE TABLE millrace_classifier (name TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE millrace_crawler (
        name TEXT PRIMARY KEY,
        version BIGINT NOT NULL,
        document TEXT NOT NULL
    ) WITHOUT ROWID",
    "CREATE TABLE millrace_crawl (
        id INTEGER PRIMARY KEY,
        crawler_name TEXT NOT NULL REFERENCES millrace_crawler (name) ON DELETE CASCADE,
        state TEXT NOT NULL,
        heartbeat_ms BIGINT NOT NULL,
        document TEXT NOT NULL
    )",
    "CREATE INDEX millrace_crawl_crawler ON millrace_crawl (crawler_name, id)",
    "CREATE UNIQUE INDEX millrace_crawl_running ON millrace_crawl (crawler_name) WHERE state <> 'READY'",
    "ALTER TABLE millrace_table ADD COLUMN statistics_version BIGINT NOT NULL DEFAULT 0",
    "CREATE TABLE millrace_table_statistics (
        table_id INTEGER PRIMARY KEY REFERENCES millrace_table (id) ON DELETE CASCADE,
        document TEXT NOT NULL,
        sketches TEXT
    )",
    "CREATE TABLE millrace_partition_statistics (
        partition_id INTEGER PRIMARY KEY REFERENCES millrace_partition (id) ON DELETE CASCADE,
        document TEXT NOT NULL,
        sketches TEXT
    )",
];

/// Users, groups, roles and rights: one document, for they are few and every statement needs them together.
const PRINCIPALS: &[&str] = &["CREATE TABLE millrace_principals (id INTEGER PRIMARY KEY, document TEXT NOT NULL)"];

/// The format that the database has; 0 when it has no catalog and nothing else, `None` when it is another program's.
pub(super) async fn read_format(connection: &mut Connection) -> sqlx::Result<Option<i64>> {
    let names = connection.tables_like("%").await?;
    if names.iter().any(|name| name == "millrace_meta") {
        let row: Option<(i64,)> = connection.first(sql("SELECT format FROM millrace_meta")).await?;
        row.map(|(format,)| Some(format)).ok_or(sqlx::Error::RowNotFound)
    } else {
        Ok(names.is_empty().then_some(0))
    }
}

/// Brings the database to [`FORMAT`] in one transaction. Of several processes that try at once, one does it.
pub(super) async fn migrate(connection: &mut Connection) -> sqlx::Result<()> {
    migrate_to(connection, FORMAT).await
}

/// Brings the database to a format that is not below its own.
pub(super) async fn migrate_to(connection: &mut Connection, wanted: i64) -> sqlx::Result<()> {
    connection.begin_migration().await?;
    // What was read before the lock may have been what another process had half made.
    let format = read_format(connection).await?.unwrap_or(FORMAT);
    let database = connection.database();
    for (_, step) in (0..wanted).zip(MIGRATIONS).skip_while(|(done, _)| *done < format) {
        for statement in *step {
            connection.execute(sql_text(database.spell(statement))).await?;
        }
    }
    if format == 0 {
        add_default_database(connection).await?;
    }
    if format < wanted {
        connection.execute(sql("UPDATE millrace_meta SET format = $1").bind(wanted)).await?;
    }
    connection.execute(sql("COMMIT")).await.map(drop)
}

async fn add_default_database(connection: &mut Connection) -> sqlx::Result<()> {
    let database = Database { create_time_ms: now_ms(), ..Database::new(DEFAULT_DATABASE) };
    let document = serde_json::to_string(&database).map_err(|e| sqlx::Error::Encode(Box::new(e)))?;
    let query = sql("INSERT INTO millrace_database (name, document) VALUES ($1, $2)");
    connection.execute(query.bind(database.name).bind(document)).await.map(drop)
}

/// Milliseconds since the epoch, UTC.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
}
