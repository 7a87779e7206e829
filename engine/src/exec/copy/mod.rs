//! `COPY`: files found, rows read by `load` (or by the lake's readers, for columnar files), and added to a table; or the
//! items of a table of DynamoDB.
//!
//! The rows go the way of INSERT, so that a load is one atomic commit, and a load that fails adds nothing.

mod avro;
mod columnar;
mod compression;
mod files;
mod items;
mod progress;
mod record;
mod shared;
mod source;
mod stdin;
mod watched;

pub(super) use record::origin;
pub(super) use stdin::{load as load_stdin, unload as unload_stdout};

use super::{done, managed, write};
use crate::error::{Error, ErrorKind, Result};
use crate::federated;
use crate::lake::own_stores::OwnStores;
use crate::lake::types;
use crate::load::{LoadErrors, Target};
use crate::resolve::{self, Relation};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::Context;
use crate::sql::{CompressionUpdate, Copy, CopyFormat};
use crate::tables::SqlType;
use crate::zone::Zone;
use datafusion::logical_expr::LogicalPlan;
use items::Items;
use millrace_catalog::model::{ManagedTable, Table, TableKind};
use progress::LoadProgress;
use record::Recording;
use std::sync::Arc;

/// Executes COPY.
pub(crate) async fn execute(context: &Context, copy: &Copy) -> Result<StatementResult> {
    let relation = resolve::find_relation(context, &copy.table).await?;
    let (name, targets) = match &relation {
        Relation::Managed(table) => (table.name.clone(), managed_targets(table, &copy.columns, copy.explicit_ids)?),
        Relation::Catalog(table) => {
            check_external(copy)?;
            (table.name.clone(), external_targets(table, &copy.columns, copy.explicit_ids)?)
        }
        Relation::Foreign(table) => return Err(table.unchangeable()),
    };
    let limit = (!copy.ignore_all_errors).then_some(copy.max_errors);
    let errors = Arc::new(LoadErrors::new(limit));
    let stores = Arc::new(OwnStores::new(context.lake().listings.stores(), &copy.access));
    let (files, progress) = (Vec::new(), Arc::default());
    let load = Load { context, copy, targets, files, items: None, stores, progress, errors: Arc::clone(&errors) };
    let mut recording = Recording::begin(load, &relation);
    let result = Box::pin(perform(&mut recording, &relation)).await;
    let placed = source::place_lines(recording.load()).await;
    let result = result.and_then(|rows| placed.map(|()| rows));
    recording.end(&result);
    let loaded = match result {
        Ok(rows) => rows,
        Err(_) if errors.exceeded() => return Err(failed(&name, &errors)),
        Err(error) => return Err(error),
    };
    let mut notices = Vec::new();
    let mut say = |severity, message| notices.push(Notice { severity, message });
    if copy.no_load {
        say(
            Severity::Info,
            format!("Load into table '{name}' was not performed (NOLOAD), {loaded} record(s) checked."),
        );
    } else {
        say(Severity::Info, format!("Load into table '{name}' completed, {loaded} record(s) loaded successfully."));
    }
    if errors.count() > 0 {
        let count = errors.count();
        let message = format!(
            "Load into table '{name}': {count} record(s) could not be loaded. \
             Check 'sys_load_error_detail' system table for details."
        );
        say(Severity::Info, message);
        for error in errors.recorded().iter().take(5) {
            say(Severity::Info, error.summary());
        }
    }
    Ok(StatementResult { notices, ..done(CommandTag::Verb("COPY"), vec![]) })
}

/// Finds what is to be loaded and loads it; how many rows there were.
async fn perform(recording: &mut Recording<'_>, relation: &Relation) -> Result<u64> {
    recording.find().await?;
    let load = recording.load();
    match load.run(relation).await {
        // What is damaged, or is asked for where it is not, may be what was changed.
        Err(error) if matches!(error.kind, ErrorKind::BadFile | ErrorKind::Connection) => {
            Err(files::check_unchanged(&load.files, false).await.err().unwrap_or(error))
        }
        result => result,
    }
}

/// What a load that has too many bad lines says.
fn failed(name: &str, errors: &LoadErrors) -> Error {
    let message = format!("Load into table '{name}' failed. Check 'sys_load_error_detail' system table for details.");
    let first: Vec<String> = errors.recorded().iter().take(5).map(crate::load::LoadError::summary).collect();
    Error::new(ErrorKind::Data, message).with_detail(first.join("\n"))
}

/// One load.
struct Load<'a> {
    context: &'a Context,
    copy: &'a Copy,
    /// The columns that the files fill, in the files' order.
    targets: Vec<Target>,
    files: files::Files,
    /// What is loaded instead of files.
    items: Option<Items>,
    stores: Arc<OwnStores>,
    progress: Arc<LoadProgress>,
    errors: Arc<LoadErrors>,
}

impl Load<'_> {
    /// The session's zone.
    fn zone(&self) -> Zone {
        Zone::of_session(self.context.state().config_options())
    }

    /// Loads, unless files changed meanwhile; how many rows there were.
    async fn run(&self, relation: &Relation) -> Result<u64> {
        let unchanged = files::check_unchanged(&self.files, !self.is_columnar());
        if self.copy.no_load {
            let rows = self.count(self.plan().await?).await?;
            return unchanged.await.map(|()| rows);
        }
        let names: Vec<String> = self.targets.iter().map(|target| target.name.clone()).collect();
        match relation {
            Relation::Managed(table) => {
                let table = compression::choose(self, table).await?;
                let rows = managed::load(self.context, &table, &names, self.plan().await?, self.copy.explicit_ids);
                let rows = rows.await?;
                unchanged.await?;
                if self.copy.statistics_update == Some(true) {
                    self.context.transaction().lock().await.analyze_after(&table);
                }
                Ok(rows)
            }
            Relation::Catalog(table) => write::load(self.context, table, &names, self.plan().await?, unchanged).await,
            Relation::Foreign(table) => Err(table.unchangeable()),
        }
    }

    /// The rows of the files, a column for each target.
    async fn plan(&self) -> Result<LogicalPlan> {
        let shows = matches!(self.copy.format, CopyFormat::Csv { .. } | CopyFormat::Delimited);
        let sketch = self.targets.iter().find(|target| target.data_type == SqlType::HllSketch);
        if let Some(sketch) = sketch.filter(|_| !shows || self.items.is_some()) {
            let error =
                Error::unsupported(format!("COPY into the HLLSKETCH column \"{}\" from this format", sketch.name));
            return Err(error.with_hint("sketches are loaded from delimited text and CSV"));
        }
        match &self.items {
            Some(items) => items.plan(self).await,
            None => match self.copy.format {
                CopyFormat::Parquet | CopyFormat::Orc => columnar::plan(self).await,
                CopyFormat::Avro(_) => avro::plan(self).await,
                _ => source::plan(self).await,
            },
        }
    }

    fn is_columnar(&self) -> bool {
        matches!(self.copy.format, CopyFormat::Parquet | CopyFormat::Orc | CopyFormat::Avro(_))
    }

    /// The same load that tells of its bad lines elsewhere.
    fn with_errors(&self, errors: Arc<LoadErrors>) -> Self {
        let (targets, files) = (self.targets.clone(), self.files.clone());
        let items = self.items.as_ref().map(Items::uncounted);
        let (stores, progress) = (Arc::clone(&self.stores), Arc::default());
        Self { context: self.context, copy: self.copy, targets, files, items, stores, progress, errors }
    }

    /// Reads everything and keeps nothing.
    async fn count(&self, plan: LogicalPlan) -> Result<u64> {
        use futures::TryStreamExt;
        let physical = super::query::physical_plan(self.context, &plan).await?;
        let rows = datafusion::physical_plan::execute_stream(physical, self.context.state().task_ctx())?;
        let count = rows.try_fold(0_u64, |sum, batch| async move { Ok(sum + batch.num_rows() as u64) });
        Ok(count.await?)
    }
}

/// The columns of a managed table that a load fills: those named, or all but those that number themselves.
fn managed_targets(table: &ManagedTable, wanted: &[String], explicit_ids: bool) -> Result<Vec<Target>> {
    managed::check_changeable(table)?;
    let mut targets = Vec::new();
    let own =
        |column: &millrace_catalog::model::ManagedColumn| column.identity.is_some_and(|identity| !identity.by_default);
    for name in named(wanted, table.columns.iter().map(|column| &column.name), &table.name)? {
        let Some(column) = table.columns.iter().find(|column| column.name == name) else { continue };
        if own(column) && !explicit_ids {
            if wanted.is_empty() {
                continue;
            }
            let message = format!("cannot load into identity column \"{name}\" without EXPLICIT_IDS");
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        let data_type: SqlType = column.data_type.parse()?;
        targets.push(Target { name, data_type, nullable: column.nullable || column.identity.is_some() });
    }
    if explicit_ids
        && !targets.iter().any(|target| table.columns.iter().any(|c| c.name == target.name && c.identity.is_some()))
    {
        let message = "EXPLICIT_IDS needs an IDENTITY column among the columns to load";
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    Ok(targets)
}

/// Refuses what only managed tables have.
fn check_external(copy: &Copy) -> Result<()> {
    if matches!(copy.compression_update, Some(CompressionUpdate::On | CompressionUpdate::Preset)) {
        return Err(Error::unsupported("COPY … COMPUPDATE into an external table"));
    }
    if copy.statistics_update == Some(true) {
        return Err(Error::unsupported("COPY … STATUPDATE ON into an external table").with_hint("use ANALYZE"));
    }
    Ok(())
}

/// The columns of an external table that a load fills.
fn external_targets(table: &Table, wanted: &[String], explicit_ids: bool) -> Result<Vec<Target>> {
    if table.kind != TableKind::ExternalTable {
        return Err(Error::new(ErrorKind::WrongObjectType, format!("\"{}\" is not a table", table.name)));
    }
    if let Some(error) = federated::declared::unchangeable(table) {
        return Err(error);
    }
    if explicit_ids {
        return Err(Error::unsupported("COPY … EXPLICIT_IDS into an external table"));
    }
    let columns: Vec<_> = table.storage.columns.iter().chain(&table.partition_keys).collect();
    let mut targets = Vec::new();
    for name in named(wanted, columns.iter().map(|column| &column.name), &table.name)? {
        let Some(column) = columns.iter().find(|column| column.name == name) else { continue };
        let arrow = types::to_arrow(&column.data_type);
        // A string of the lake has no length; a document may go into any nested column only by its own reader.
        let Some(data_type) = SqlType::of_arrow(&arrow) else {
            return Err(Error::unsupported(format!("COPY into the nested column \"{name}\"")));
        };
        targets.push(Target { name, data_type, nullable: true });
    }
    Ok(targets)
}

/// The names of the columns to load, checked.
fn named<'a>(wanted: &[String], all: impl Iterator<Item = &'a String>, table: &str) -> Result<Vec<String>> {
    let all: Vec<&String> = all.collect();
    if wanted.is_empty() {
        return Ok(all.into_iter().cloned().collect());
    }
    for (at, name) in wanted.iter().enumerate() {
        if !all.contains(&name) {
            let message = format!("column \"{name}\" of relation \"{table}\" does not exist");
            return Err(Error::new(ErrorKind::UndefinedColumn, message));
        }
        if wanted[..at].contains(name) {
            return Err(Error::new(ErrorKind::DuplicateColumn, format!("column \"{name}\" specified more than once")));
        }
    }
    Ok(wanted.to_vec())
}
