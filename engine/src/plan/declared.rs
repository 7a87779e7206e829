//! What a query's columns were declared as, where Arrow's types do not tell: the lengths of CHAR and VARCHAR, CHAR,
//! TIMETZ, SUPER and INTERVAL with a qualifier themselves.
//!
//! A column keeps its declaration on its way through a query as long as nothing is computed from it, as in PostgreSQL.
//! Nothing but the description of the result is changed.

use super::view::View;
use crate::federated::ForeignTable;
use crate::functions::{self, CHAR, COALESCE, COLLATE, ORDERED, ORDERED_TEXT, WITH_BLANKS, WITHOUT_BLANKS};
use crate::interval::is_interval;
use crate::lake::table::LakeTable;
use crate::tables::{self, ManagedTableProvider, SqlType};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, TableScan};
use millrace_connectors::SUPER_METADATA;
use std::sync::Arc;

/// The key of a field's metadata that has PostgreSQL's name of the column's type, where Arrow's does not tell.
pub const TYPE_METADATA: &str = "pg_type";

/// The key that has the declared length of a CHAR or VARCHAR.
pub const LENGTH_METADATA: &str = "pg_length";

/// A result's columns with what they were declared as in the tables that its query reads.
pub(crate) fn declared_schema(plan: &LogicalPlan, schema: &SchemaRef) -> SchemaRef {
    with_declarations(schema, declared_types(plan))
}

/// What a plan's columns were declared as, in order; what is computed and SUPER or a sketch is declared so.
pub(crate) fn declared_types(plan: &LogicalPlan) -> Vec<Option<SqlType>> {
    let of = |at: usize| {
        let field = plan.schema().field(at);
        let computed = if tables::is_sketch(field) {
            Some(SqlType::HllSketch)
        } else {
            tables::is_super(field).then_some(SqlType::Super)
        };
        origin(plan, at).or(computed)
    };
    super::with_room(|| (0..plan.schema().fields().len()).map(of).collect())
}

/// Columns with their declarations, in order.
pub(crate) fn with_declarations(schema: &SchemaRef, declarations: Vec<Option<SqlType>>) -> SchemaRef {
    if declarations.iter().all(Option::is_none) {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().zip(declarations);
    let fields = fields.map(|(field, declared)| match declared {
        Some(declared) => Arc::new(declare(field, declared)),
        None => Arc::clone(field),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

fn declare(field: &Field, declared: SqlType) -> Field {
    let is_text = functions::is_text(field.data_type());
    let (name, length) = match declared {
        SqlType::Char(length) if is_text => (Some("bpchar"), Some(length)),
        SqlType::Varchar(length) if is_text => (None, Some(length)),
        SqlType::Super if is_text => (Some("super"), None),
        SqlType::Interval(qualifier) if is_interval(field.data_type()) => {
            (Some(if qualifier.is_months() { "intervaly2m" } else { "intervald2s" }), None)
        }
        SqlType::TimeTz if matches!(field.data_type(), DataType::Time64(_)) => (Some("timetz"), None),
        _ => return field.clone(),
    };
    let mut metadata = field.metadata().clone();
    metadata.extend(name.map(|name| (TYPE_METADATA.to_owned(), name.to_owned())));
    metadata.extend(length.map(|length| (LENGTH_METADATA.to_owned(), length.to_string())));
    field.clone().with_metadata(metadata)
}

/// What a plan's column was declared as, when it is a table's column and nothing more.
fn origin(plan: &LogicalPlan, at: usize) -> Option<SqlType> {
    match plan {
        LogicalPlan::Projection(projection) => through(&projection.input, projection.expr.get(at)?),
        LogicalPlan::Aggregate(aggregate) => {
            let groups = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
            let expr = match at.checked_sub(groups) {
                Some(at) => aggregate.aggr_expr.get(at),
                None => aggregate.group_expr.get(at),
            };
            through(&aggregate.input, expr?)
        }
        LogicalPlan::Filter(filter) => origin(&filter.input, at),
        LogicalPlan::Sort(sort) => origin(&sort.input, at),
        LogicalPlan::Limit(limit) => origin(&limit.input, at),
        LogicalPlan::SubqueryAlias(alias) => origin(&alias.input, at),
        LogicalPlan::Distinct(distinct) => match distinct {
            datafusion::logical_expr::Distinct::All(input) => origin(input, at),
            datafusion::logical_expr::Distinct::On(on) => through(&on.input, on.select_expr.get(at)?),
        },
        LogicalPlan::Window(window) => {
            if at < window.input.schema().fields().len() {
                origin(&window.input, at)
            } else {
                None
            }
        }
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            match join.join_type {
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                    if at < join.right.schema().fields().len() { origin(&join.right, at) } else { None }
                }
                _ if at < left => origin(&join.left, at),
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => origin(&join.right, at - left),
                _ => None,
            }
        }
        LogicalPlan::Union(union) => {
            let mut inputs = union.inputs.iter().map(|input| origin(input, at));
            let first = inputs.next()??;
            inputs.all(|other| other == Some(first)).then_some(first)
        }
        LogicalPlan::TableScan(scan) => of_table(scan, at),
        _ => None,
    }
}

/// The same for an expression over a plan: a column, perhaps under another name, one of its values, one of several
/// columns of one declaration, or a cast to CHAR.
fn through(input: &LogicalPlan, expression: &Expr) -> Option<SqlType> {
    match expression {
        Expr::Alias(alias) => through(input, &alias.expr),
        Expr::Column(column) => origin(input, input.schema().index_of_column(column).ok()?),
        Expr::ScalarFunction(call) => match (call.name(), call.args.as_slice()) {
            (CHAR, [_, Expr::Literal(ScalarValue::Int64(Some(length)), _)]) => {
                u32::try_from(*length).ok().map(SqlType::Char)
            }
            // What a group shows of its texts.
            (WITH_BLANKS | WITHOUT_BLANKS | ORDERED_TEXT, [text, ..]) | (ORDERED, [_, text]) => through(input, text),
            (COLLATE | "nullif", [text, ..]) => through(input, text),
            (COALESCE | "greatest" | "least", values) => common(input, values.iter()),
            _ => None,
        },
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
            common(input, results.map(AsRef::as_ref))
        }
        // The least or the largest of a column's values is one of them.
        Expr::AggregateFunction(call) if ["min", "max"].contains(&call.func.name()) => {
            through(input, call.params.args.first()?)
        }
        _ => None,
    }
}

/// What expressions are all declared as; NULL is of any type.
fn common<'a>(input: &LogicalPlan, expressions: impl Iterator<Item = &'a Expr>) -> Option<SqlType> {
    let is_null = |expr: &Expr| matches!(expr, Expr::Literal(value, _) if value.is_null());
    let mut declared = expressions.filter(|expr| !is_null(expr)).map(|expr| through(input, expr));
    let first = declared.next()??;
    declared.all(|other| other == Some(first)).then_some(first)
}

fn of_table(scan: &TableScan, at: usize) -> Option<SqlType> {
    let at = scan.projection.as_ref().map_or(Some(at), |projection| projection.get(at).copied())?;
    let provider = source_as_provider(&scan.source).ok()?;
    let provider = crate::resolve::behind_grants(&provider);
    // A view's columns are its query's.
    if let Some(view) = provider.downcast_ref::<View>() {
        return origin(view.plan(), at);
    }
    if let Some(table) = provider.downcast_ref::<LakeTable>() {
        return table.char_length(at).map(SqlType::Char);
    }
    if provider.downcast_ref::<ForeignTable>().is_some() {
        let is_document = scan.source.schema().field(at).metadata().contains_key(SUPER_METADATA);
        return is_document.then_some(SqlType::Super);
    }
    let table = provider.downcast_ref::<ManagedTableProvider>()?.table();
    let column = table.columns.iter().find(|column| column.name == *scan.source.schema().field(at).name())?;
    column.data_type.parse().ok()
}
