//! Resolved queries to logical plans: pure, the same input gives the same plan.
//!
//! DataFusion's `SqlToRel` does the work over the tables that `resolve` found and the session's functions; it can ask
//! for nothing else.

mod blanks;
mod correlated;
mod declared;
mod derived;
mod dialect;
mod groups;
mod lateral;
mod membership;
mod rewrite;
mod view;

pub use declared::{LENGTH_METADATA, TYPE_METADATA};
pub(crate) use declared::{declared_schema, declared_types, with_declarations};
pub(crate) use dialect::{
    SessionZone, as_sketch, as_super, assigned, given_moment, read_interval, read_words, sketch_value, super_value,
};
pub(crate) use rewrite::{shown_name, shown_schema};
pub(crate) use view::View;

use crate::builtin;
use crate::error::{Error, ErrorKind, Result, span_of};
use crate::federated;
use crate::functions::{self, Functions};
use crate::resolve::{ResolvedQuery, Tables};
use crate::session::Context;
use crate::sql::{Collation, Dialect};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DFSchema, SchemaError, TableReference};
use datafusion::config::ConfigOptions;
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource, WindowUDF, cast,
};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast;
use millrace_catalog::model::Column;
use std::sync::Arc;

/// The stack of a thread on which every statement can be planned, in bytes. Threads with less take one of this size for
/// each statement, which costs more than planning a small query; only what is used of it takes memory.
pub const STACK_BYTES: usize = 64 << 20;

/// A query's plan, and what is known of its columns' texts.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: LogicalPlan,
    texts: Vec<blanks::Texts>,
}

impl Planned {
    /// How a column's texts compare, where they have that of another column or a name says so.
    pub(crate) fn collation(&self, column: usize) -> Option<Collation> {
        self.texts.get(column).and_then(blanks::Texts::collation)
    }
}

/// Plans a query over its resolved tables.
pub(crate) fn plan_query(context: &Context, resolved: ResolvedQuery) -> Result<LogicalPlan> {
    Ok(plan_described(context, resolved)?.plan)
}

/// The same, with what is known of its columns.
pub(crate) fn plan_described(context: &Context, resolved: ResolvedQuery) -> Result<Planned> {
    with_room(|| plan_resolved(context, resolved))
}

/// Runs work that walks a statement recursively on a stack with room for the deepest that the parser lets through.
pub(crate) fn with_room<T>(work: impl FnOnce() -> T) -> T {
    const RED_ZONE_BYTES: usize = 48 << 20;
    stacker::maybe_grow(RED_ZONE_BYTES, STACK_BYTES, work)
}

fn plan_resolved(context: &Context, mut resolved: ResolvedQuery) -> Result<Planned> {
    let dialect = context.dialect();
    dialect::spell(&mut resolved.query, dialect)?;
    dialect::tell_apart(&mut resolved.query);
    rewrite::rewrite(&mut resolved.query);
    let state = context.state();
    let members = dialect::Members::of(&resolved.query, context.keeps_case_of_members());
    let operators = Arc::new(dialect::Operators { dialect, members });
    let mut expr_planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::clone(&operators) as Arc<dyn ExprPlanner>];
    expr_planners.extend(state.expr_planners().iter().cloned());
    let mut relation_planners: Vec<Arc<dyn RelationPlanner>> = vec![Arc::new(dialect::Relations::new(dialect))];
    relation_planners.extend(state.relation_planners().iter().cloned());
    let types = Arc::new(dialect::Types { dialect });
    let (tables, mut functions) = (resolved.tables, resolved.functions);
    functions.extend(context.random().map(|random| (functions::RANDOM.to_owned(), random)));
    let json = (context.keeps_last_member(), context.cuts_strings());
    let provider = Provider { state, tables, functions, dialect, json, expr_planners, relation_planners, types };
    let planner = SqlToRel::new_with_options(&provider, ParserOptions::from(&state.config_options().sql_parser));
    let mut laterals = dialect::Laterals::default();
    let planned = loop {
        let statement = ast::Statement::Query(Box::new(resolved.query.clone()));
        let error = match planner.sql_statement_to_plan(statement) {
            Ok(plan) => break Ok(plan),
            Err(error) => error,
        };
        let Some(name) = missing_column(&error) else { break Err(error) };
        let (query, at) = (&mut resolved.query, span_of(&error));
        let is_found = at.is_some_and(|at| dialect::qualify_outer(query, &name, at))
            || (dialect.rules().lateral_aliases && laterals.resolve(query, &name, at));
        if !is_found {
            break Err(error);
        }
    };
    operators.members.check()?;
    let planned = planned
        .and_then(dialect::without_marks)
        .and_then(lateral::rewrite)
        .and_then(|plan| dialect::rewrite_super(plan, dialect));
    let planned = planned.and_then(|plan| dialect::rewrite_sketches(plan, dialect));
    let planned = planned.and_then(|plan| dialect::rewrite_doubles(plan, dialect));
    let planned = planned.and_then(|plan| dialect::rewrite_casts(plan, dialect));
    let planned = planned.and_then(|plan| blanks::rewrite(plan, dialect)).and_then(|(plan, texts)| {
        let plan = view::inline(plan)
            .and_then(|plan| correlated::rewrite(plan, state))
            .and_then(membership::rewrite)
            .and_then(federated::bind)?;
        Ok(Planned { plan, texts })
    });
    planned.map_err(|error| {
        let position = context.position_of(span_of(&error));
        let error = Error::from(error);
        if position > 0 { error.with_position(position) } else { error }
    })
}

/// The unqualified column that the planner did not find.
fn missing_column(error: &DataFusionError) -> Option<String> {
    match error {
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => missing_column(inner),
        DataFusionError::Collection(all) => all.first().and_then(missing_column),
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, .. } if field.relation.is_none() => Some(field.name.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Gives a view's plan the names that its definition has; the query may have changed below it.
///
/// # Errors
/// `InvalidTableDefinition` when the query no longer has as many columns.
fn rename_columns(plan: LogicalPlan, columns: &[Column]) -> Result<LogicalPlan> {
    let fields = plan.schema().fields();
    if columns.is_empty() || fields.iter().map(|f| f.name()).eq(columns.iter().map(|c| &c.name)) {
        return Ok(plan);
    }
    if fields.len() != columns.len() {
        let message = format!("the view has {} columns and its query gives {}", columns.len(), fields.len());
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    let renamed: Vec<Expr> = plan
        .schema()
        .columns()
        .into_iter()
        .zip(columns)
        .map(|(column, wanted)| Expr::Column(column).alias(wanted.name.clone()))
        .collect();
    Ok(LogicalPlanBuilder::from(plan).project(renamed)?.build()?)
}

/// Casts a plan's columns, by position, to those of a table; `sources[i]` is the plan's column for the table's
/// column i, and a table column without one is NULL.
pub(crate) fn cast_to_table(plan: LogicalPlan, schema: &SchemaRef, sources: &[Option<usize>]) -> Result<LogicalPlan> {
    let columns = plan.schema().columns();
    let mut projected = Vec::with_capacity(sources.len());
    for (field, source) in schema.fields().iter().zip(sources) {
        let value = match source {
            Some(at) => {
                let found = plan.schema().field(*at).data_type();
                check_assignable(found, field.data_type(), field.name())?;
                assigned(Expr::Column(columns[*at].clone()), found, field.data_type())
            }
            None => {
                let null = datafusion::logical_expr::lit(datafusion::common::ScalarValue::Null);
                cast(null, field.data_type().clone())
            }
        };
        projected.push(value.alias(field.name()));
    }
    Ok(LogicalPlanBuilder::from(plan).project(projected)?.build()?)
}

/// Whether a value may be stored in a column without an explicit cast: as Trino, texts and numbers do not mix.
fn check_assignable(from: &DataType, to: &DataType, column: &str) -> Result<()> {
    let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let mixed = (text(from) && (to.is_numeric() || *to == DataType::Boolean))
        || ((from.is_numeric() || *from == DataType::Boolean) && to.is_temporal());
    if mixed {
        let message = format!("column \"{column}\" is of type {to} but expression is of type {from}");
        return Err(Error::new(ErrorKind::DatatypeMismatch, message).with_hint("cast the expression"));
    }
    Ok(())
}

/// What `SqlToRel` may ask for.
struct Provider<'a> {
    state: &'a SessionState,
    tables: Tables,
    functions: Functions,
    dialect: Dialect,
    /// Whether `json_parse` keeps the last of an object's members of one name, and whether it cuts long strings.
    json: (bool, bool),
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
    relation_planners: Vec<Arc<dyn RelationPlanner>>,
    types: Arc<dialect::Types>,
}

/// What stands before the name of a function that is to be DataFusion's own.
const LIBRARY: &str = "$library_";

impl ContextProvider for Provider<'_> {
    fn get_table_source(&self, name: TableReference) -> DataFusionResult<Arc<dyn TableSource>> {
        self.tables.get(&name).cloned().ok_or_else(|| {
            DataFusionError::from(Error::new(ErrorKind::UndefinedTable, format!("relation \"{name}\" does not exist")))
        })
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> DataFusionResult<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> DataFusionResult<Arc<dyn TableSource>> {
        let Some(function) = self.state.table_functions().get(name) else {
            let message = format!("function {name}() does not exist");
            return Err(Error::new(ErrorKind::UndefinedFunction, message).into());
        };
        let empty = DFSchema::empty();
        let args = args.into_iter().map(|arg| {
            let arg = dialect::rewrite_super_alone(arg, &empty)?;
            self.state.create_physical_expr(arg, &empty)
        });
        let mut is_narrow = true;
        let values = args
            .map(|arg| {
                let row = datafusion::arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(1));
                let schema = Arc::new(datafusion::arrow::datatypes::Schema::empty());
                let batch = datafusion::arrow::record_batch::RecordBatch::try_new_with_options(schema, vec![], &row)?;
                let value = arg?.evaluate(&batch)?.into_array(1)?;
                let value = datafusion::common::ScalarValue::try_from_array(&value, 0)?;
                is_narrow &= value.data_type() == DataType::Int32;
                let value = if functions::is_qualified(&value.data_type()) {
                    let general = functions::general_interval(&value.to_array()?)?;
                    datafusion::common::ScalarValue::try_from_array(&general, 0)?
                } else {
                    value
                };
                let whole = value.data_type().is_integer();
                Ok(datafusion::logical_expr::lit(if whole { value.cast_to(&DataType::Int64)? } else { value }))
            })
            .collect::<DataFusionResult<Vec<_>>>()?;
        let args = datafusion::catalog::TableFunctionArgs::new(&values, self.state);
        let source = provider_as_source(function.create_table_provider_with_args(args)?);
        if !is_narrow {
            return Ok(source);
        }
        // Numbers of 32 bits give such numbers, as in PostgreSQL.
        let schema = source.schema();
        let narrow = schema.fields().iter().map(|field| {
            let column = datafusion::prelude::ident(field.name());
            if *field.data_type() == DataType::Int64 {
                cast(column, DataType::Int32).alias(field.name())
            } else {
                column
            }
        });
        let narrow: Vec<Expr> = narrow.collect();
        let plan = LogicalPlanBuilder::scan(name, source, None)?.project(narrow)?.build()?;
        Ok(provider_as_source(Arc::new(datafusion::datasource::ViewTable::new(plan, None))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expr_planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relation_planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::clone(&self.types) as _)
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if let Some(name) = name.strip_prefix(LIBRARY) {
            return builtin::functions().scalar.get(name).cloned();
        }
        let name = match (name, self.json) {
            ("json_parse", (true, false)) => "$json_parse_last",
            ("json_parse", (false, true)) => "$json_parse_cut",
            ("json_parse", (true, true)) => "$json_parse_last_cut",
            ("can_json_parse", (true, false)) => "$can_json_parse_last",
            ("can_json_parse", (false, true)) => "$can_json_parse_cut",
            ("can_json_parse", (true, true)) => "$can_json_parse_last_cut",
            (name, _) => name,
        };
        let own = self.functions.get(name).cloned().or_else(|| functions::scalar(self.dialect, name));
        own.or_else(|| builtin::functions().scalar.get(name).cloned())
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        let own = functions::higher_order(self.dialect, name);
        own.or_else(|| builtin::functions().higher_order.get(name).cloned())
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        functions::aggregate(self.dialect, name).or_else(|| builtin::functions().aggregate.get(name).cloned())
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        builtin::functions().window.get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        builtin::functions().scalar.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        builtin::functions().higher_order.keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        builtin::functions().aggregate.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        builtin::functions().window.keys().cloned().collect()
    }
}
