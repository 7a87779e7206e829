//! New rows in the shape of their table: columns in order, defaults filled in, types as the table has them.

use crate::error::{Error, ErrorKind, Result};
use crate::exec::query;
use crate::functions::{self, TIMETZ, is_text};
use crate::interval::is_interval;
use crate::plan;
use crate::session::Context;
use crate::sql::{self, Dialect};
use crate::tables::{self, SqlType};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, SelectItem, SetExpr};
use millrace_catalog::model::{ManagedColumn, ManagedTable};

/// The value that a new row has in a column that nothing is said about: the DEFAULT, or NULL. An IDENTITY is NULL here
/// and numbered when the rows are written.
pub(super) async fn default(context: &Context, column: &ManagedColumn) -> Result<Expr> {
    let Some(text) = &column.default else { return Ok(lit(ScalarValue::Null)) };
    let Some(query) = sql::parse_query(&format!("SELECT {text}"), context.dialect(), context.names())? else {
        return Err(Error::internal(format!("the DEFAULT of \"{}\" is no expression", column.name)));
    };
    match query::logical_plan(context, &query).await? {
        LogicalPlan::Projection(projection) if projection.expr.len() == 1 => {
            Ok(projection.expr.into_iter().next().map_or_else(|| lit(ScalarValue::Null), Expr::unalias))
        }
        _ => Err(Error::unsupported(format!("the DEFAULT {text}"))),
    }
}

/// Refuses a DEFAULT that no row could get: of another type, over columns, with what does not exist.
pub(super) async fn check_default(context: &Context, column: &ManagedColumn) -> Result<()> {
    if column.default.is_none() {
        return Ok(());
    }
    let value = default(context, column).await?;
    if value.any_column_refs() {
        return Err(Error::new(
            ErrorKind::InvalidTableDefinition,
            "cannot use column references in default expression",
        ));
    }
    if value.exists(|part| Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_))))? {
        return Err(Error::unsupported("a subquery in a DEFAULT"));
    }
    let wanted = tables::arrow_field(column)?.data_type().clone();
    let found = value.get_type(&DFSchema::empty())?;
    check_assignable(&found, &wanted, &column.name)
}

/// The syntax tree of a DEFAULT.
pub(super) fn parse_default(context: &Context, text: &str) -> Result<SqlExpr> {
    if let Some(query) = sql::parse_query(&format!("SELECT {text}"), context.dialect(), context.names())?
        && let SetExpr::Select(select) = *query.body
        && let Some(SelectItem::UnnamedExpr(expr)) = select.projection.into_iter().next()
    {
        return Ok(SqlExpr::Nested(Box::new(expr)));
    }
    Err(Error::unsupported(format!("the DEFAULT {text}")))
}

/// Whether a value may be given for a column: not for one that numbers its rows itself.
pub(super) fn check_identity(column: &ManagedColumn) -> Result<()> {
    if column.identity.is_some_and(|identity| !identity.by_default) {
        let message = format!("cannot set an identity column to a value: \"{}\"", column.name);
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(())
}

/// Where the columns named by an INSERT stand in its table; all in order when none is named.
///
/// # Errors
/// `UndefinedColumn`, `DuplicateColumn`; `Syntax` when the numbers of columns and values differ.
pub(super) fn named_columns(table: &ManagedTable, named: &[String], given: usize) -> Result<Vec<usize>> {
    let mut found = Vec::with_capacity(named.len());
    for name in named {
        let at = column(table, name)?;
        if found.contains(&at) {
            return Err(Error::new(ErrorKind::DuplicateColumn, format!("column \"{name}\" specified more than once")));
        }
        found.push(at);
    }
    if named.is_empty() {
        found.extend((0..table.columns.len()).take(given));
    }
    if found.len() == given {
        return Ok(found);
    }
    let more = if given > found.len() { "expressions than target columns" } else { "target columns than expressions" };
    Err(Error::new(ErrorKind::Syntax, format!("INSERT has more {more}")))
}

/// The place of a column in its table.
pub(super) fn column(table: &ManagedTable, name: &str) -> Result<usize> {
    table.columns.iter().position(|column| column.name == *name).ok_or_else(|| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        Error::new(ErrorKind::UndefinedColumn, message)
    })
}

/// A plan that gives `leading` columns as they are and then a table's columns, each from an expression over `input`.
pub(super) fn project(
    input: LogicalPlan,
    leading: usize,
    table: &ManagedTable,
    values: Vec<Expr>,
) -> Result<LogicalPlan> {
    let columns = input.schema().columns().into_iter().take(leading).map(Expr::Column);
    let mut projected: Vec<Expr> = columns.collect();
    for (column, value) in table.columns.iter().zip(values) {
        let wanted = tables::arrow_field(column)?.data_type().clone();
        let found = value.get_type(input.schema())?;
        check_assignable(&found, &wanted, &column.name)?;
        let data_type: SqlType = column.data_type.parse()?;
        let has_words = matches!(data_type, SqlType::Date | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz);
        if has_words && let Some(moment) = plan::given_moment(&input, &value, &wanted) {
            projected.push(moment.alias(&column.name));
            continue;
        }
        let assigned = match (found, data_type) {
            (DataType::Null, _) => plan::assigned(value, &DataType::Null, &wanted),
            (_, SqlType::Super) => plan::as_super(value, input.schema().as_ref())?,
            (_, SqlType::HllSketch) => plan::as_sketch(value, input.schema().as_ref())?,
            (found, SqlType::TimeTz) if is_text(&found) => functions::call(Dialect::Redshift, TIMETZ, vec![value])?,
            (found, SqlType::Interval(qualifier)) if is_text(&found) => plan::read_interval(value, qualifier)?,
            (found, _) => plan::assigned(value, &found, &wanted),
        };
        projected.push(assigned.alias(&column.name));
    }
    Ok(LogicalPlanBuilder::from(input).project(projected)?.build()?)
}

/// Whether a value may be stored in a column: texts are read as the column's type, numbers are no dates, moments no
/// intervals.
fn check_assignable(from: &DataType, to: &DataType, column: &str) -> Result<()> {
    let number = |kind: &DataType| kind.is_numeric() || *kind == DataType::Boolean;
    let moment = |kind: &DataType| kind.is_temporal() && !is_interval(kind);
    let spans = (is_interval(from) && moment(to)) || (moment(from) && is_interval(to));
    if (number(from) && to.is_temporal()) || (from.is_temporal() && number(to)) || spans {
        let message = format!("column \"{column}\" is of type {to} but expression is of type {from}");
        return Err(Error::new(ErrorKind::DatatypeMismatch, message).with_hint("cast the expression"));
    }
    Ok(())
}
