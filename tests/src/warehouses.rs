//! How the tests' warehouses are opened: with a catalog in their directory, or in the PostgreSQL server that
//! `MILLRACE_POSTGRES` names, in a schema named after the directory, so that other processes find it.

use millrace_engine::WarehouseConfig;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

/// What a warehouse in a directory is opened with, everything but the catalog by default.
///
/// # Panics
/// When the variable has no URL of a server.
pub fn warehouse_config(directory: impl Into<PathBuf>) -> WarehouseConfig {
    let directory = directory.into();
    let config = WarehouseConfig::new(directory.clone());
    let Some(server) = std::env::var("MILLRACE_POSTGRES").ok().filter(|url| !url.is_empty()) else { return config };
    let mut hasher = DefaultHasher::new();
    directory.hash(&mut hasher);
    let separator = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{separator}schema=w{:016x}", hasher.finish());
    match config.with_setting("catalog", &url) {
        Ok(config) => config,
        Err(error) => panic!("MILLRACE_POSTGRES: {error}"),
    }
}
