//! Whether a query gives the same rows again as long as nothing changes that it reads, and what that is.

use crate::error::Result;
use crate::result_cache::{ReadOf, named};
use crate::session::Context;
use crate::sql::folded;
use crate::tables::ManagedTableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility, WindowFunctionDefinition};
use datafusion::sql::sqlparser::ast::{self, Visit, Visitor};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// What a query reads, if that is managed tables only and all its functions always give the same.
pub(super) async fn read_of(context: &Context, query: &ast::Query, plan: &LogicalPlan) -> Result<Option<ReadOf>> {
    let mut tables = BTreeSet::new();
    let mut names = names_in(query);
    if !is_repeatable(plan, &mut tables, &mut names)? {
        return Ok(None);
    }
    seen(context, tables, names).await
}

/// What the plan of a query was made of that reads no managed table.
pub(super) async fn planned_of(context: &Context, query: &ast::Query) -> Result<Option<ReadOf>> {
    seen(context, BTreeSet::new(), names_in(query)).await
}

/// What a statement has seen of the catalog; `None` where nobody else sees the same.
async fn seen(context: &Context, mut tables: BTreeSet<i64>, names: BTreeSet<String>) -> Result<Option<ReadOf>> {
    let mut transaction = context.transaction().lock().await;
    if transaction.has_changed() {
        return Ok(None);
    }
    let snapshot = transaction.snapshot(context.warehouse()).await?;
    tables.extend(transaction.reads().of_statement());
    let (catalog, manifest, named) = (snapshot.version(), snapshot.manifest_version(), named(&snapshot, &names));
    Ok(Some(ReadOf { catalog, manifest, tables, names, named }))
}

fn names_in(query: &ast::Query) -> BTreeSet<String> {
    let mut names = Names::default();
    let _ = query.visit(&mut names);
    names.0
}

/// The names of all relations of a query, those of WITH too.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Visitor for Names {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ast::ObjectName) -> ControlFlow<()> {
        let last = relation.0.last().and_then(|part| part.as_ident());
        self.0.extend(last.map(folded));
        ControlFlow::Continue(())
    }
}

/// Whether a plan gives the same again; notes its tables, and their names.
fn is_repeatable(plan: &LogicalPlan, tables: &mut BTreeSet<i64>, names: &mut BTreeSet<String>) -> Result<bool> {
    let mut repeatable = true;
    plan.apply_with_subqueries(|node| {
        let mut constant = true;
        node.apply_expressions(|expr| {
            constant &= !expr.exists(|expr| Ok(!is_constant(expr)))?;
            Ok(if constant { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
        })?;
        let known = match node {
            LogicalPlan::TableScan(scan) => {
                match source_as_provider(&scan.source)?.downcast_ref::<ManagedTableProvider>() {
                    Some(managed) if managed.table().id > 0 => {
                        tables.insert(managed.table().id);
                        names.insert(managed.table().name.clone());
                        true
                    }
                    _ => false,
                }
            }
            LogicalPlan::Extension(_) => false,
            _ => true,
        };
        repeatable &= constant && known;
        Ok(if repeatable { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(repeatable)
}

/// Whether an expression's own function gives the same for the same arguments, at any time and in any session.
fn is_constant(expr: &Expr) -> bool {
    let signature = match expr {
        Expr::ScalarFunction(call) => call.func.signature(),
        Expr::AggregateFunction(call) => call.func.signature(),
        Expr::WindowFunction(call) => match &call.fun {
            WindowFunctionDefinition::AggregateUDF(function) => function.signature(),
            WindowFunctionDefinition::WindowUDF(function) => function.signature(),
        },
        Expr::ScalarVariable(..) | Expr::Placeholder(_) => return false,
        _ => return true,
    };
    signature.volatility == Volatility::Immutable
}
