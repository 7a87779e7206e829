//! Opens a warehouse and a session on it: the one place where the shell meets the real engine.

use crate::engine::{Engine, Names, TableNames};
use crate::zone::shown_zone;
use chrono_tz::Tz;
use futures::FutureExt;
use futures::future::BoxFuture;
use millrace_engine::sql::{Dialect, Statement};
use millrace_engine::{
    Error, ErrorKind, Progress, Result, Session, StatementResult, Warehouse, WarehouseConfig, maintenance,
};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long the end of the program waits for what cancelled writes left to be removed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a session of the warehouse in a directory, with settings made: those of the warehouse before it is opened,
/// those of the session after.
///
/// With `stays` its tables are looked after in the background until it is closed.
pub(crate) async fn open(directory: &Path, settings: &[(String, String)], stays: bool) -> Result<Box<dyn Engine>> {
    let mut config = WarehouseConfig::new(directory);
    let of_warehouse = |name: &str| WarehouseConfig::has_setting(name);
    for (name, value) in settings.iter().filter(|(name, _)| of_warehouse(name)) {
        config = config.with_setting(name, value)?;
    }
    let warehouse = Warehouse::open(config).await?;
    if stays {
        warehouse.serve_many().await?;
        maintenance::start(&warehouse);
    }
    let mut session = Session::new(warehouse);
    for (name, value) in settings.iter().filter(|(name, _)| !of_warehouse(name)) {
        session.set(name, value)?;
    }
    Ok(Box::new(LocalSession::new(session)))
}

/// A session in this process. A statement holds it until it ends; what the shell asks in between is kept beside it.
struct LocalSession {
    session: Arc<Mutex<Session>>,
    warehouse: Arc<Warehouse>,
    known: Arc<RwLock<Known>>,
    progress: Arc<dyn Progress>,
}

/// What `SET` and `USE` change.
struct Known {
    dialect: Dialect,
    database: String,
    zone: Tz,
}

impl Known {
    fn of(session: &Session) -> Self {
        Self { dialect: session.dialect(), database: session.database().to_owned(), zone: shown_zone(session) }
    }
}

impl LocalSession {
    fn new(session: Session) -> Self {
        let known = Arc::new(RwLock::new(Known::of(&session)));
        let (warehouse, progress) = (Arc::clone(session.warehouse()), session.progress());
        Self { session: Arc::new(Mutex::new(session)), warehouse, known, progress }
    }
}

/// Plain values stay sound whatever happened to a thread that held them.
fn read(known: &RwLock<Known>) -> RwLockReadGuard<'_, Known> {
    known.read().unwrap_or_else(PoisonError::into_inner)
}

fn keep(known: &RwLock<Known>, session: &Session) {
    *known.write().unwrap_or_else(PoisonError::into_inner) = Known::of(session);
}

impl Engine for LocalSession {
    fn dialect(&self) -> Dialect {
        read(&self.known).dialect
    }

    fn database(&self) -> String {
        read(&self.known).database.clone()
    }

    fn zone(&self) -> Tz {
        read(&self.known).zone
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let busy = |_| Error::new(ErrorKind::Serialization, "a cancelled statement is still being stopped");
        let mut session = self.session.try_lock().map_err(busy)?;
        session.set(name, value)?;
        keep(&self.known, &session);
        Ok(())
    }

    fn execute(&mut self, text: String) -> BoxFuture<'static, Result<StatementResult>> {
        let (session, known) = (Arc::clone(&self.session), Arc::clone(&self.known));
        async move {
            let mut session = session.lock().await;
            let mut last = None;
            for statement in session.parse(&text)? {
                if matches!(statement.statement, Statement::CopyOut(_)) {
                    let hint = "connect with a client such as psql to millrace serve, or use UNLOAD";
                    return Err(Error::unsupported("COPY … TO STDOUT here").with_hint(hint));
                }
                last = Some(session.execute(&statement).await?);
                keep(&known, &session);
            }
            Ok(last.unwrap_or_else(StatementResult::nothing))
        }
        .boxed()
    }

    fn progress(&self) -> Option<Arc<dyn Progress>> {
        Some(Arc::clone(&self.progress))
    }

    fn names(&self) -> BoxFuture<'static, Names> {
        let (warehouse, database) = (Arc::clone(&self.warehouse), self.database());
        async move {
            // Completion offers nothing rather than an error in the middle of a line.
            let Ok(names) = Session::new(warehouse).names().await else { return Names::default() };
            let table = |table: millrace_engine::TableNames| TableNames {
                schema: table.schema,
                name: table.name,
                columns: table.columns,
            };
            let mut tables: Vec<TableNames> = names.tables.into_iter().map(table).collect();
            // The session's own tables come first: they need no schema before their name.
            tables.sort_by_key(|table| table.schema != database);
            Names { schemas: names.schemas, tables, functions: names.functions }
        }
        .boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        let warehouse = Arc::clone(&self.warehouse);
        async move { warehouse.close(PATIENCE).await }.boxed()
    }
}
