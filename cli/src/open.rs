//! Opens a warehouse and a session on it: the one place where the shell meets the real engine.

use crate::engine::{Engine, Names, TableNames};
use futures::FutureExt;
use futures::future::BoxFuture;
use millrace_engine::sql::Dialect;
use millrace_engine::{Result, Session, StatementResult, Warehouse, WarehouseConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of the program waits for what cancelled writes left to be removed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a session of the warehouse in a directory, with settings made: those of the warehouse before it is opened,
/// those of the session after.
pub(crate) async fn open(directory: &Path, settings: &[(String, String)]) -> Result<Box<dyn Engine>> {
    let mut config = WarehouseConfig::new(directory);
    let of_warehouse = |name: &str| name.starts_with("s3.") || name == "listing_ttl_ms";
    for (name, value) in settings.iter().filter(|(name, _)| of_warehouse(name)) {
        config = config.with_setting(name, value)?;
    }
    let mut session = Session::new(Warehouse::open(config).await?);
    for (name, value) in settings.iter().filter(|(name, _)| !of_warehouse(name)) {
        session.set(name, value)?;
    }
    Ok(Box::new(LocalSession { session }))
}

/// A session in this process.
struct LocalSession {
    session: Session,
}

impl Engine for LocalSession {
    fn dialect(&self) -> Dialect {
        self.session.dialect()
    }

    fn database(&self) -> String {
        self.session.database().to_owned()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.session.set(name, value)
    }

    fn execute<'a>(&'a mut self, text: &'a str) -> BoxFuture<'a, Result<StatementResult>> {
        async move {
            let mut last = None;
            for statement in self.session.parse(text)? {
                last = Some(self.session.execute(&statement).await?);
            }
            Ok(last.unwrap_or_else(StatementResult::nothing))
        }
        .boxed()
    }

    fn names(&self) -> BoxFuture<'static, Names> {
        let warehouse = Arc::clone(self.session.warehouse());
        async move {
            // Completion offers nothing rather than an error in the middle of a line.
            let Ok(names) = Session::new(warehouse).names().await else { return Names::default() };
            let tables = names.tables.into_iter();
            let tables = tables.map(|table| TableNames { schema: table.schema, name: table.name, columns: table.columns });
            Names { schemas: names.schemas, tables: tables.collect(), functions: names.functions }
        }
        .boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        let warehouse = Arc::clone(self.session.warehouse());
        async move { warehouse.close(PATIENCE).await }.boxed()
    }
}
