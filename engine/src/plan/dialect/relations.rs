//! Relations that the planner does not know: PIVOT, UNPIVOT, TABLESAMPLE, Athena's UNNEST, joins that merge columns.

use super::{joined, unnest};
use crate::error::{Error, ErrorKind};
use crate::sql::Dialect;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::functions::math::expr_fn::random;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::sqlparser::ast::{
    self, ExprWithAlias, Ident, NullInclusion, PivotValueSource, TableFactor, TableSample, TableSampleKind, Value,
};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Plans relations of a dialect.
#[derive(Debug)]
pub(in crate::plan) struct Relations {
    dialect: Dialect,
    /// How many joins that merge columns it has planned.
    merging: AtomicUsize,
}

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let (plan, alias) = match relation {
            TableFactor::Pivot { table, aggregate_functions, value_column, value_source, default_on_null, alias } => {
                if default_on_null.is_some() {
                    return Err(Error::unsupported("DEFAULT ON NULL in PIVOT").into());
                }
                let input = context.plan(*table)?;
                (pivot(input, aggregate_functions, value_column, value_source, context)?, alias)
            }
            TableFactor::Unpivot { table, value, name, columns, null_inclusion, alias } => {
                let input = context.plan(*table)?;
                let with_nulls = null_inclusion == Some(NullInclusion::IncludeNulls);
                (unpivot(input, &value, &name, columns, with_nulls, context)?, alias)
            }
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample: Some(sample),
                index_hints,
            } => {
                let share = self.share(sample)?;
                let plain = TableFactor::Table {
                    name,
                    alias,
                    args,
                    with_hints,
                    version,
                    with_ordinality,
                    partitions,
                    json_path,
                    sample: None,
                    index_hints,
                };
                (sampled(context.plan(plain)?, share)?, None)
            }
            TableFactor::Derived { lateral, subquery, alias, sample: Some(sample) } => {
                let share = self.share(sample)?;
                let plain = TableFactor::Derived { lateral, subquery, alias, sample: None };
                (sampled(context.plan(plain)?, share)?, None)
            }
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_offset: false,
                with_offset_alias: None,
                with_ordinality: false,
            } if self.dialect.rules().unnests_parts => (unnest::plan(array_exprs, context)?, alias),
            TableFactor::NestedJoin { table_with_joins, alias }
                if table_with_joins.joins.last().is_some_and(joined::is_merging) =>
            {
                let number = self.merging.fetch_add(1, Ordering::Relaxed);
                (joined::plan(*table_with_joins, alias.is_some(), number, context)?, alias)
            }
            // Without a name, its columns go on by those of its tables, of which `*` around it is not to be told. Where a
            // relation stands alone, LATERAL says nothing: it is not taken apart again.
            TableFactor::Derived { lateral: false, subquery, alias: None, sample: None } => {
                let plain = TableFactor::Derived { lateral: true, subquery, alias: None, sample: None };
                (joined::without_marks(context.plan(plain)?)?, None)
            }
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

impl Relations {
    /// For one statement in a dialect.
    pub(in crate::plan) fn new(dialect: Dialect) -> Self {
        Self { dialect, merging: AtomicUsize::new(0) }
    }

    /// `TABLESAMPLE BERNOULLI (p)` as a share from 0 to 1; Redshift has none.
    fn share(&self, sample: TableSampleKind) -> Result<f64> {
        if !self.dialect.rules().samples {
            return Err(Error::unsupported("TABLESAMPLE").into());
        }
        let (TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample;
        let TableSample { quantity: Some(quantity), seed: None, bucket: None, offset: None, .. } = *sample else {
            return Err(Error::unsupported("TABLESAMPLE with these options").into());
        };
        let percent = match &quantity.value {
            ast::Expr::Value(value) => value.value.clone(),
            ast::Expr::Cast { expr, .. } => match expr.as_ref() {
                ast::Expr::Value(value) => value.value.clone(),
                _ => Value::Null,
            },
            _ => Value::Null,
        };
        let percent = match percent {
            Value::Number(number, _) => number.parse::<f64>().ok(),
            _ => None,
        };
        match percent.filter(|percent| (0.0..=100.0).contains(percent) && quantity.unit.is_none()) {
            Some(percent) => Ok(percent / 100.0),
            None => {
                Err(Error::new(ErrorKind::InvalidParameter, "a sample's percentage is a number from 0 to 100").into())
            }
        }
    }
}

fn sampled(input: LogicalPlan, share: f64) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(input).filter(random().lt(lit(share)))?.build()
}

/// The columns that an expression names.
fn columns_of(expr: &Expr, into: &mut HashSet<Column>) {
    into.extend(expr.column_refs().into_iter().cloned());
}

/// A column for each value and aggregate; the columns that are named in neither are what is grouped by.
fn pivot(
    input: LogicalPlan,
    aggregates: Vec<ExprWithAlias>,
    column: Vec<ast::Expr>,
    source: PivotValueSource,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let schema = input.schema().as_ref().clone();
    let PivotValueSource::List(values) = source else {
        return Err(Error::unsupported("PIVOT with values of a query").into());
    };
    let [column] = column.as_slice() else {
        return Err(Error::unsupported("PIVOT over several columns").into());
    };
    let column = context.sql_to_expr(column.clone(), &schema)?;
    let mut used = HashSet::new();
    columns_of(&column, &mut used);
    let several = aggregates.len() > 1;
    let mut made = Vec::new();
    let mut planned = Vec::new();
    for ExprWithAlias { expr, alias } in aggregates {
        let shown = expr.to_string();
        let Expr::AggregateFunction(aggregate) = context.sql_to_expr(expr, &schema)?.unalias_nested().data else {
            return Err(Error::new(ErrorKind::Syntax, format!("{shown} is not an aggregate")).into());
        };
        let whole = Expr::AggregateFunction(aggregate.clone());
        columns_of(&whole, &mut used);
        planned.push((aggregate, alias.map(|alias| context.normalize_ident(alias)), shown));
    }
    for ExprWithAlias { expr, alias } in values {
        let name = alias.map_or_else(|| value_name(&expr), |alias| context.normalize_ident(alias));
        let value = context.sql_to_expr(expr, &schema)?;
        for (aggregate, alias, shown) in &planned {
            let mut aggregate = aggregate.clone();
            let is_null = matches!(&value, Expr::Literal(value, _) if value.is_null());
            let matches = if is_null { column.clone().is_null() } else { column.clone().eq(value.clone()) };
            aggregate.params.filter = Some(Box::new(match aggregate.params.filter.take() {
                Some(filter) => filter.and(matches),
                None => matches,
            }));
            let name = match alias {
                Some(alias) => format!("{name}_{alias}"),
                None if several => format!("{name}_{shown}"),
                None => name.clone(),
            };
            made.push(Expr::AggregateFunction(aggregate).alias(name));
        }
    }
    let keys: Vec<Expr> =
        schema.columns().into_iter().filter(|column| !used.contains(column)).map(Expr::Column).collect();
    LogicalPlanBuilder::from(input).aggregate(keys, made)?.build()
}

/// The name of a value's column: the value itself.
fn value_name(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text.to_lowercase(),
            Value::Null => "null".to_owned(),
            other => other.to_string(),
        },
        ast::Expr::Cast { expr, .. } | ast::Expr::Nested(expr) => value_name(expr),
        other => other.to_string(),
    }
}

/// A row for each of the columns.
fn unpivot(
    input: LogicalPlan,
    value: &ast::Expr,
    name: &Ident,
    columns: Vec<ExprWithAlias>,
    with_nulls: bool,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let schema: DFSchema = input.schema().as_ref().clone();
    let ast::Expr::Identifier(value) = value else {
        return Err(Error::unsupported("UNPIVOT into several columns").into());
    };
    let value = context.normalize_ident(value.clone());
    let name = context.normalize_ident(name.clone());
    let mut used = HashSet::new();
    let mut turned = Vec::new();
    for ExprWithAlias { expr, alias } in columns {
        let shown = expr.to_string();
        let column = context.sql_to_expr(expr, &schema)?;
        let Expr::Column(named) = &column else {
            return Err(Error::new(ErrorKind::Syntax, format!("{shown} is not a column")).into());
        };
        used.insert(named.clone());
        let label = alias.map_or_else(|| named.name.clone(), |alias| alias.value);
        turned.push((column, label));
    }
    let kept: Vec<Expr> =
        schema.columns().into_iter().filter(|column| !used.contains(column)).map(Expr::Column).collect();
    let mut all: Option<LogicalPlanBuilder> = None;
    for (column, label) in turned {
        let mut builder = LogicalPlanBuilder::from(input.clone());
        if !with_nulls {
            builder = builder.filter(column.clone().is_not_null())?;
        }
        let mut projected = kept.clone();
        projected.push(Expr::Literal(ScalarValue::Utf8View(Some(label)), None).alias(name.clone()));
        projected.push(column.alias(value.clone()));
        builder = builder.project(projected)?;
        all = Some(match all {
            Some(all) => all.union(builder.build()?)?,
            None => builder,
        });
    }
    match all {
        Some(all) => all.build(),
        None => Err(Error::new(ErrorKind::Syntax, "UNPIVOT needs a column").into()),
    }
}
