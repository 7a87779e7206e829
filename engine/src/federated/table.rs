//! A table of a foreign system as DataFusion scans it.
//!
//! Columns are seen under their names in lower case, as names of SQL are, where that leaves them apart.

use super::definition::label;
use super::predicate::{Converted, convert};
use super::resume::Resumption;
use super::scan::ForeignScanExec;
use super::splits;
use super::value::of_scalar;
use crate::error::Error;
use crate::lake::types;
use crate::tables::SqlType;
use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use millrace_catalog::model::Table;
use millrace_connectors::{Checkpoint, Comparison, Connector, Predicate, Pushdown, SUPER_METADATA, ScanRequest};
use std::collections::HashMap;
use std::sync::Arc;

/// Splits of a stream that are read at the same time at least: what the service gives of each is bounded, and mostly
/// waited for.
const SHARDS_AT_ONCE: usize = 16;

/// A table, stream or index.
#[derive(Debug, Clone)]
pub(crate) struct ForeignTable {
    /// The schema that it is in.
    pub(crate) schema: String,
    /// Its name, as its system has it.
    pub(crate) name: String,
    /// Its name in the schema, which a declared table has from the catalog.
    pub(crate) relation: String,
    /// The kind of its system, in lower case.
    pub(crate) kind: String,
    /// About how many rows it has.
    pub(crate) rows: Option<u64>,
    connector: Arc<dyn Connector>,
    /// The columns as they are seen.
    columns: SchemaRef,
    /// What the system calls them.
    names: Arc<[String]>,
    /// Where a stream is read from, if not from its beginning.
    resumption: Option<Arc<Resumption>>,
}

impl ForeignTable {
    /// A table with the columns that its system tells.
    pub(super) fn new(
        schema: &str,
        name: &str,
        kind: &str,
        connector: Arc<dyn Connector>,
        columns: &SchemaRef,
        rows: Option<u64>,
    ) -> Self {
        let names: Vec<String> = columns.fields().iter().map(|field| field.name().clone()).collect();
        let mut folded: HashMap<String, usize> = HashMap::new();
        for name in &names {
            *folded.entry(name.to_lowercase()).or_default() += 1;
        }
        let seen = |field: &FieldRef| {
            let lower = field.name().to_lowercase();
            let name = if folded.get(&lower) == Some(&1) { lower } else { field.name().clone() };
            Field::clone(field).with_name(name)
        };
        let seen: Vec<Field> = columns.fields().iter().map(seen).collect();
        Self {
            schema: schema.to_owned(),
            name: name.to_owned(),
            relation: name.to_owned(),
            kind: kind.to_owned(),
            rows,
            connector,
            columns: Arc::new(Schema::new(seen)),
            names: names.into(),
            resumption: None,
        }
    }

    /// Whether it is a stream, which is read further from checkpoints.
    pub(crate) fn is_stream(&self) -> bool {
        self.connector.is_stream()
    }

    /// Up to when a stream has dropped records that came after a time; `None` when all of them can be read. Microseconds
    /// since the epoch.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) async fn dropped_until(&self, since_us: i64) -> Result<Option<i64>, Error> {
        Ok(self.connector.dropped_until(&self.name, since_us).await?)
    }

    /// The stream from checkpoints on, and what will be known of how far it was read.
    pub(crate) fn resumed(&self, checkpoints: Vec<Checkpoint>) -> (Self, Arc<Resumption>) {
        let resumption = Arc::new(Resumption::new(Arc::clone(&self.connector), checkpoints));
        (Self { resumption: Some(Arc::clone(&resumption)), ..self.clone() }, resumption)
    }

    /// Where a stream is read from, if not from its beginning.
    pub(super) fn resumption(&self) -> Option<&Resumption> {
        self.resumption.as_deref()
    }

    /// A table of the catalog: its columns as the system's connector gives them, under the names that the catalog has.
    pub(super) fn declared(
        table: &Table,
        source: &str,
        kind: &str,
        connector: Arc<dyn Connector>,
        columns: &SchemaRef,
        rows: Option<u64>,
    ) -> Self {
        let seen = columns.fields().iter().zip(&table.storage.columns);
        let seen: Vec<Field> = seen.map(|(field, seen)| Field::clone(field).with_name(&seen.name)).collect();
        Self {
            schema: table.database.clone(),
            name: source.to_owned(),
            relation: table.name.clone(),
            kind: kind.to_owned(),
            rows,
            connector,
            columns: Arc::new(Schema::new(seen)),
            names: columns.fields().iter().map(|field| field.name().clone()).collect(),
            resumption: None,
        }
    }

    /// The columns as they are seen.
    pub(crate) fn columns(&self) -> &SchemaRef {
        &self.columns
    }

    /// Its system.
    pub(super) fn connector(&self) -> &Arc<dyn Connector> {
        &self.connector
    }

    /// What the system calls a column, and what the column is.
    pub(super) fn column(&self, seen: &str) -> Option<(&str, &FieldRef)> {
        let at = self.columns.index_of(seen).ok()?;
        Some((self.names.get(at)?, self.columns.fields().get(at)?))
    }

    /// A column by the name that its system has for it.
    pub(super) fn system_column(&self, name: &str) -> Option<&FieldRef> {
        self.columns.fields().get(self.names.iter().position(|known| known == name)?)
    }

    /// What people call it: `DynamoDB orders`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", label(&self.kind), self.name)
    }

    /// The error for a statement that would change it.
    pub(crate) fn unchangeable(&self) -> Error {
        Error::unsupported(format!("changing \"{}\", a table of {},", self.name, label(&self.kind)))
    }

    /// The conditions as its system gets them, where it decides all of them.
    pub(crate) fn exact_predicates(&self, filters: &[Expr]) -> Option<Vec<Predicate>> {
        let decided = self.decided(&filters.iter().collect::<Vec<_>>()).into_iter();
        decided.map(|found| found.filter(|(_, by)| *by == Pushdown::Exact).map(|(predicate, _)| predicate)).collect()
    }

    /// That columns, by their places, equal values, as its system gets it; `None` where a value has no counterpart there.
    pub(crate) fn key_predicates(&self, keys: &[(usize, ScalarValue)]) -> Option<Vec<Predicate>> {
        let predicate = |(at, value): &(usize, ScalarValue)| {
            let (column, value) = (self.names.get(*at)?.clone(), of_scalar(value)?);
            Some(Predicate::Compare { column, comparison: Comparison::Eq, value })
        };
        keys.iter().map(predicate).collect()
    }

    /// The rows that satisfy conditions, of the columns at these places; `None` where its system does not decide all of that.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) async fn look_up(
        &self,
        predicates: Vec<Predicate>,
        chosen: &[usize],
        config: &SessionConfig,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let decided = self.connector.pushdown(&self.name, &predicates);
        if decided.len() != predicates.len() || decided.iter().any(|by| *by != Pushdown::Exact) {
            return Ok(None);
        }
        self.read((predicates, None), chosen, config).await.map(Some)
    }

    /// The scan that asks for rows with conditions, no more than a limit.
    async fn read(
        &self,
        (predicates, limit): (Vec<Predicate>, Option<usize>),
        chosen: &[usize],
        config: &SessionConfig,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let request = ScanRequest {
            table: self.name.clone(),
            columns: chosen.iter().filter_map(|at| self.names.get(*at).cloned()).collect(),
            predicates,
            limit,
            order: Vec::new(),
            checkpoints: self.resumption().map(|resumption| resumption.checkpoints.clone()).unwrap_or_default(),
        };
        let partitions = config.target_partitions();
        let parallelism = self.connector.splits_at_once(partitions).max(partitions);
        let parallelism = if self.is_stream() { parallelism.max(SHARDS_AT_ONCE) } else { parallelism };
        let found = self.connector.splits(&request, parallelism).await.map_err(Error::from)?;
        let schema = Arc::new(self.columns.project(chosen)?);
        let groups = splits::deal(found, partitions, parallelism);
        Ok(Arc::new(ForeignScanExec::new(Arc::new(self.clone()), schema, request, groups, parallelism)))
    }

    /// What became of conditions, one answer each, and how much of each the system decides.
    fn decided(&self, filters: &[&Expr]) -> Vec<Option<(Predicate, Pushdown)>> {
        let converted: Vec<Option<Converted>> = filters.iter().map(|filter| convert(filter, self)).collect();
        let asked: Vec<Predicate> = converted.iter().flatten().map(|found| found.predicate.clone()).collect();
        let mut answers = self.connector.pushdown(&self.name, &asked).into_iter();
        let answer = |found: Option<Converted>| {
            let Converted { predicate, is_whole } = found?;
            match answers.next().unwrap_or(Pushdown::Unsupported) {
                Pushdown::Unsupported => None,
                Pushdown::Exact if is_whole => Some((predicate, Pushdown::Exact)),
                _ => Some((predicate, Pushdown::Inexact)),
            }
        };
        converted.into_iter().map(answer).collect()
    }
}

#[async_trait]
impl TableProvider for ForeignTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.columns)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let answer = |decided: Option<(Predicate, Pushdown)>| match decided {
            Some((_, Pushdown::Exact)) => TableProviderFilterPushDown::Exact,
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(self.decided(filters).into_iter().map(answer).collect())
    }

    fn statistics(&self) -> Option<Statistics> {
        let rows = usize::try_from(self.rows?).ok()?;
        Some(Statistics { num_rows: Precision::Inexact(rows), ..Statistics::new_unknown(&self.columns) })
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let decided = self.decided(&filters.iter().collect::<Vec<_>>());
        let is_exact = decided.iter().all(|decided| matches!(decided, Some((_, Pushdown::Exact))));
        let chosen: Vec<usize> = projection.map_or_else(|| (0..self.names.len()).collect(), Clone::clone);
        let predicates = decided.into_iter().flatten().map(|(predicate, _)| predicate).collect();
        self.read((predicates, limit.filter(|_| is_exact)), &chosen, state.config()).await
    }
}

/// A column's type in Redshift's words, or in Hive's where Redshift has none.
pub(crate) fn type_name(field: &Field) -> String {
    if field.metadata().contains_key(SUPER_METADATA) {
        return SqlType::Super.to_string();
    }
    match SqlType::of_arrow(field.data_type()) {
        Some(known) => known.to_string(),
        None => types::from_arrow(field.data_type()).map_or_else(|_| field.data_type().to_string(), |t| t.to_string()),
    }
}
