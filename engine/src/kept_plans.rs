//! Plans of queries that come again, kept for all sessions of a warehouse: optimized logical plans, and the rows of
//! queries that read nothing.
//!
//! A plan is found by its statement's number, whoever asks, and the settings that plans depend on; so each execution of it
//! has the rights that planning it checked. It is good as long as the catalog is as it was (definitions, views, functions,
//! users and rights), no commit touched a table that it reads, and nobody gathered these tables' statistics again:
//! `session::kept` decides that, as it does of results. A plan calls nothing that is not always the same, so no time, user or
//! random number is ever part of one. A physical plan is made of it each time, for it has counters, and its files are chosen
//! by the values of parameters; the rows of a small table that a query looks among are kept with its plan, so that little is
//! left to make. Of a query for rows of a foreign table by their keys only what is asked of its system is kept.

use crate::result_cache::ReadOf;
use crate::tables::{Lookup, SqlType};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::LogicalPlan;
use millrace_catalog::model::TableEstimates;
use moka::sync::Cache;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Bytes of plans that are kept, as far as they can be told.
const KEPT_BYTES: u64 = 64 << 20;
/// What a plan counts beside its tables' files.
const PLAN_BYTES: usize = 16 << 10;
/// How often a plan is used before the rows that it looks among are read to be kept: less often, and a table that changes all
/// the time would be read again and again for nothing.
const USES: u64 = 4;

/// What a plan is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PlanKey {
    /// The statement.
    pub(crate) statement: u64,
    /// The types of its parameters.
    pub(crate) parameters: Vec<DataType>,
    /// Whose rights count.
    pub(crate) user: String,
    /// The settings that plans depend on.
    pub(crate) settings: u64,
}

/// What is kept of a query.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// Its row, since it reads nothing.
    Row(Arc<KeptRow>),
    /// Its plan.
    Plan(Arc<KeptPlan>),
    /// How it looks up rows of a foreign table.
    Foreign(Arc<ForeignLookup>),
    /// No plan that is good, but the query has come before.
    Seen,
    /// Each set of values is planned by itself.
    Unfit,
}

/// The row of a query.
#[derive(Debug)]
pub(crate) struct KeptRow {
    /// The columns as they are shown.
    pub(crate) schema: SchemaRef,
    /// The columns of the row.
    pub(crate) rows_schema: SchemaRef,
    /// The row, in one batch or several.
    pub(crate) batches: Vec<RecordBatch>,
}

/// A query for the rows of a foreign table whose columns equal its parameters: what is asked of the system, without a plan.
#[derive(Debug)]
pub(crate) struct ForeignLookup {
    /// What is asked.
    pub(crate) asked: KeysAsked,
    /// What the columns that are asked for were declared as.
    pub(crate) declared: Vec<Option<SqlType>>,
    /// What was seen of the catalog while it was planned.
    pub(crate) read_of: ReadOf,
    /// The manifest's snapshot up to which it is known to be good.
    pub(crate) confirmed: AtomicI64,
}

/// Rows of a foreign table whose columns equal parameters.
#[derive(Debug)]
pub(crate) struct KeysAsked {
    /// The table's schema.
    pub(crate) schema: String,
    /// Its name as the query has it.
    pub(crate) table: String,
    /// All its columns, as they were told when the query was planned.
    pub(crate) columns: SchemaRef,
    /// Those that are asked for, by their places, each once.
    pub(crate) chosen: Vec<usize>,
    /// What the query calls these.
    pub(crate) names: Vec<String>,
    /// The places of those that equal a parameter, each with the parameter's.
    pub(crate) keys: Vec<(usize, usize)>,
}

/// The plan of a query.
#[derive(Debug)]
pub(crate) struct KeptPlan {
    /// The plan, optimized; with placeholders where the query has parameters.
    pub(crate) plan: LogicalPlan,
    /// The same with its joins in order, where there are any and the query has no parameters, whose values decide that too.
    pub(crate) arranged: Option<Arc<LogicalPlan>>,
    /// What its columns were declared as.
    pub(crate) declared: Vec<Option<SqlType>>,
    /// What was read while it was made.
    pub(crate) read_of: ReadOf,
    /// The manifest's snapshot up to which it is known to be good.
    pub(crate) confirmed: AtomicI64,
    /// The tables' statistics that it was made by.
    pub(crate) estimates: Vec<(i64, Arc<TableEstimates>)>,
    /// Whether it looks for few rows in one small table.
    pub(crate) is_lookup: bool,
    /// About the bytes that it takes for its tables' files.
    pub(crate) files_bytes: usize,
    /// How often it was used without the rows below.
    pub(crate) uses: AtomicU64,
    /// The rows that it looks among, once they are kept; nothing in it where they shall not be.
    pub(crate) lookup: OnceLock<Option<Lookup>>,
}

impl KeptPlan {
    /// The rows that it looks among, if they are kept.
    pub(crate) fn lookup(&self) -> Option<&Lookup> {
        self.lookup.get().and_then(Option::as_ref)
    }

    /// Counts a use without rows that are kept; whether it is time to keep them.
    pub(crate) fn is_due(&self) -> bool {
        self.is_lookup && self.lookup.get().is_none() && self.uses.fetch_add(1, Ordering::Relaxed) % USES == USES - 1
    }

    /// About the bytes that it takes.
    fn size_bytes(&self) -> usize {
        let rows = self.lookup().map_or(0, Lookup::size_bytes);
        let plans = if self.arranged.is_some() { 2 * PLAN_BYTES } else { PLAN_BYTES };
        plans.saturating_add(self.files_bytes).saturating_add(rows)
    }
}

/// The plans of a warehouse.
pub(crate) struct KeptPlans(Cache<PlanKey, Kept>);

impl Default for KeptPlans {
    fn default() -> Self {
        let weigh = |_: &PlanKey, kept: &Kept| {
            let bytes = match kept {
                Kept::Plan(plan) => plan.size_bytes(),
                Kept::Row(row) => row.batches.iter().map(RecordBatch::get_array_memory_size).sum::<usize>() + 1024,
                Kept::Foreign(_) => PLAN_BYTES,
                Kept::Seen | Kept::Unfit => 512,
            };
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(KEPT_BYTES).weigher(weigh).build())
    }
}

impl fmt::Debug for KeptPlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptPlans").field("plans", &self.0.entry_count()).finish_non_exhaustive()
    }
}

impl KeptPlans {
    /// About how many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.entry_count()
    }

    /// What is kept of a query; whoever asks decides whether it is still good.
    pub(crate) fn find(&self, key: &PlanKey) -> Option<Kept> {
        self.0.get(key)
    }

    /// Keeps what there is of a query.
    pub(crate) fn keep(&self, key: &PlanKey, kept: Kept) {
        self.0.insert(key.clone(), kept);
    }
}
