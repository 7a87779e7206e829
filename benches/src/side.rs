//! The two sides of a comparison: a session of ours, and a plain DataFusion context.

use crate::digest::Digest;
use crate::suite::Table;
use crate::target::Kind;
use anyhow::{Context, Result};
use arrow::record_batch::RecordBatch;
use datafusion::datasource::TableProvider;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use millrace_engine::sql::ParsedStatement;
use millrace_engine::{Error, Prepared, Progress, ProgressState, Session, Warehouse, WarehouseConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Ours: a session of a warehouse.
pub struct Ours {
    session: Session,
    /// What the last statement's scans tell, where they do.
    progress: Option<Arc<dyn Progress>>,
    /// The directory of a warehouse that goes with its session.
    _fresh: Option<TempDir>,
}

impl Ours {
    /// A fresh warehouse whose plans run in `partitions` partitions.
    pub async fn new(partitions: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let ours = Self::open(folder.path(), partitions).await?;
        Ok(Self { _fresh: Some(folder), ..ours })
    }

    /// The warehouse in a directory, which stays.
    pub async fn open(directory: &Path, partitions: usize) -> Result<Self> {
        Self::open_with(directory, partitions, &[]).await
    }

    /// The same with settings of the warehouse, each `name=value`.
    pub async fn open_with(directory: &Path, partitions: usize, settings: &[String]) -> Result<Self> {
        let mut config = WarehouseConfig::new(directory);
        for setting in settings {
            let (name, value) = setting.split_once('=').with_context(|| format!("{setting} is no name=value"))?;
            config = config.with_setting(name, value).map_err(|error| failed(&error))?;
        }
        config.target_partitions = Some(partitions);
        // What is measured is computed.
        config.result_cache_bytes = 0;
        let warehouse = Warehouse::open(config).await.map_err(|error| failed(&error))?;
        // As the server and the shell do.
        warehouse.serve_many().await.map_err(|error| failed(&error))?;
        Ok(Self { session: Session::new(warehouse), progress: None, _fresh: None })
    }

    /// Another session of the same warehouse.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { session: Session::new(Arc::clone(self.session.warehouse())), progress: None, _fresh: None }
    }

    /// Makes tables of Parquet files, a folder a table below `data`, in the words of a kind of ours.
    pub async fn load(&mut self, kind: Kind, tables: &[Table], data: &Path) -> Result<()> {
        for statement in kind.setup(tables, data) {
            self.run(&statement.sql).await.with_context(|| statement.sql.clone())?;
        }
        Ok(())
    }

    /// Runs statements; gives the last one's rows.
    pub async fn run(&mut self, text: &str) -> Result<Vec<RecordBatch>> {
        let mut rows = Vec::new();
        self.progress = None;
        for statement in self.session.parse(text).map_err(|error| failed(&error))? {
            let result = self.session.execute(&statement).await.map_err(|error| failed(&error))?;
            self.progress = result.progress;
            rows = match result.rows {
                Some(stream) => stream.try_collect().await.map_err(|error| failed(&Error::from(error)))?,
                None => Vec::new(),
            };
        }
        Ok(rows)
    }

    /// Runs a query and keeps none of its rows: a digest of them, in which the order of some columns' values counts.
    pub async fn digest(&mut self, text: &str, ordered: &[usize]) -> Result<Digest> {
        let mut digest = Digest::default();
        self.progress = None;
        for statement in self.session.parse(text).map_err(|error| failed(&error))? {
            let result = self.session.execute(&statement).await.map_err(|error| failed(&error))?;
            self.progress = result.progress;
            if let Some(mut rows) = result.rows {
                while let Some(batch) = rows.try_next().await.map_err(|error| failed(&Error::from(error)))? {
                    digest.add(&batch, ordered)?;
                }
            }
        }
        Ok(digest)
    }

    /// Runs a query as applications ask the same one again and again.
    pub async fn run_again(&mut self, text: &str) -> Result<usize> {
        let mut rows = 0;
        for statement in self.session.parse_again(text).map_err(|error| failed(&error))?.iter() {
            rows += self.count(statement).await?;
        }
        Ok(rows)
    }

    /// Prepares a query whose parameters are whole numbers.
    pub async fn prepare(&mut self, text: &str) -> Result<Prepared> {
        let prepared = self.session.prepare(text, &[]).map_err(|error| failed(&error))?;
        self.session.analyze(&prepared).await.map_err(|error| failed(&error))?;
        Ok(prepared)
    }

    /// Runs a prepared query with a value.
    pub async fn run_prepared(&mut self, prepared: &Prepared, value: i32) -> Result<usize> {
        let types = self.session.parameter_types(prepared).await.map_err(|error| failed(&error))?;
        let bound =
            self.session.bind(prepared, types, vec![Some(value.to_string())]).map_err(|error| failed(&error))?;
        match bound {
            Some(statement) => self.count(&statement).await,
            None => Ok(0),
        }
    }

    async fn count(&mut self, statement: &ParsedStatement) -> Result<usize> {
        let result = self.session.execute(statement).await.map_err(|error| failed(&error))?;
        let Some(mut rows) = result.rows else { return Ok(0) };
        let mut count = 0;
        while let Some(batch) = rows.try_next().await.map_err(|error| failed(&Error::from(error)))? {
            count += batch.num_rows();
        }
        Ok(count)
    }

    /// The plan by which expressions are computed of a table that is given.
    pub async fn plan_over(&self, expressions: &str, table: Arc<dyn TableProvider>) -> Result<Arc<dyn ExecutionPlan>> {
        Box::pin(self.session.plan_over(expressions, table)).await.map_err(|error| failed(&error))
    }

    /// What the last statement's scans have read by now, where it tells; also of one that was given up.
    pub fn scanned(&self) -> Option<ProgressState> {
        self.progress.as_ref().map(|progress| progress.now())
    }

    /// How many statements a text has.
    pub fn parse(&self, text: &str) -> Result<usize> {
        Ok(self.session.parse(text).map_err(|error| failed(&error))?.len())
    }

    /// How long statements take.
    pub async fn time(&mut self, text: &str) -> Result<Duration> {
        let start = Instant::now();
        self.run(text).await?;
        Ok(start.elapsed())
    }
}

/// The engine's errors hold more than one line; none of it is lost.
pub(crate) fn failed(error: &Error) -> anyhow::Error {
    anyhow::anyhow!("{}: {error}", error.sqlstate())
}

/// Plain DataFusion with as many partitions, everything else by default.
pub fn plain(partitions: usize) -> SessionContext {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(partitions))
}

/// Runs a query in DataFusion.
pub async fn run_plain(context: &SessionContext, query: &str) -> Result<Vec<RecordBatch>> {
    Ok(context.sql(query).await?.collect().await?)
}

/// How long a query takes in DataFusion.
pub async fn time_plain(context: &SessionContext, query: &str) -> Result<Duration> {
    let start = Instant::now();
    run_plain(context, query).await?;
    Ok(start.elapsed())
}

/// As many partitions as the machine has cores.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A path as SQL's text literal, with a slash at the end.
pub fn literal(folder: &Path) -> String {
    format!("'{}/'", folder.display().to_string().replace('\'', "''"))
}
