//! What a view's query reads, and what that holds: by it a refresh knows whether there is anything to do.

use crate::error::{Error, Result};
use crate::plan;
use crate::resolve;
use crate::session::Context;
use crate::sql::{self, Moment};
use crate::tables::{self, ManagedTableProvider};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use millrace_catalog::model::ManagedTable;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the managed tables that a plan reads hold.
#[derive(Default)]
pub(super) struct Seen {
    /// By number; `None` when that cannot be told: files of a lake, rows that are not committed, functions that may give
    /// something else next time.
    pub(super) tables: Option<BTreeMap<i64, String>>,
    /// The manifest's snapshot at which they hold it, when all of it is committed.
    pub(super) snapshot: Option<i64>,
    /// Whether the query gives the same while they hold the same.
    pub(super) is_steady: bool,
    /// Whether nothing keeps it from that but tables of which nobody knows when they change.
    pub(super) is_external: bool,
}

pub(super) async fn contents_of(context: &Context, plan: &LogicalPlan) -> Result<Seen> {
    let mut found = Read::default();
    plan::with_room(|| found.read(plan))?;
    if found.volatile || found.external {
        return Ok(Seen { is_external: !found.volatile, ..Seen::default() });
    }
    let snapshot = context.snapshot().await?.manifest_version();
    let mut transaction = context.transaction().lock().await;
    let (mut all, mut committed) = (BTreeMap::new(), true);
    for (id, table) in found.tables {
        let contents = transaction.contents(context.warehouse(), &table).await?;
        let Some(held) = tables::held(&table, &contents.files, &contents.inlined) else {
            return Ok(Seen { is_steady: true, ..Seen::default() });
        };
        committed &= tables::digest(&table, &contents.files, &contents.inlined).is_some();
        all.insert(id, held);
    }
    Ok(Seen { tables: Some(all), snapshot: committed.then_some(snapshot), is_steady: true, is_external: false })
}

/// What a plan reads.
#[derive(Default)]
struct Read {
    tables: BTreeMap<i64, Arc<ManagedTable>>,
    /// What may give something else in another statement.
    volatile: bool,
    /// Tables that are not managed.
    external: bool,
}

impl Read {
    fn read(&mut self, plan: &LogicalPlan) -> Result<()> {
        let walked = plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expr| {
                self.volatile |= expr.exists(|part| Ok(changes(part)))?;
                Ok(TreeNodeRecursion::Continue)
            })?;
            if let LogicalPlan::TableScan(scan) = node {
                match sql::moment_of(scan.table_name.table()) {
                    // What a table held at a snapshot stays.
                    Some((_, Moment::Version(_))) => return Ok(TreeNodeRecursion::Continue),
                    // A time may be another one when it is asked again, and a name be another snapshot's.
                    Some((_, Moment::Name(_) | Moment::Time(_))) => {
                        self.volatile = true;
                        return Ok(TreeNodeRecursion::Continue);
                    }
                    None => {}
                }
                let provider = source_as_provider(&scan.source)?;
                match resolve::behind_grants(&provider).downcast_ref::<ManagedTableProvider>() {
                    Some(managed) => {
                        let table = managed.table();
                        self.tables.insert(table.id, Arc::clone(table));
                    }
                    None => self.external = true,
                }
            }
            Ok(TreeNodeRecursion::Continue)
        });
        walked.map(drop).map_err(Error::from)
    }
}

/// Whether an expression may give something else in another statement.
pub(super) fn changes(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
        _ => false,
    }
}

/// The materialized views that a plan reads itself.
pub(super) fn views_below(plan: &LogicalPlan) -> Result<Vec<Arc<ManagedTable>>> {
    let mut found = Read::default();
    plan::with_room(|| found.read(plan))?;
    Ok(found.tables.into_values().filter(|table| table.attributes.materialized.is_some()).collect())
}
