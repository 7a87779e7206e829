//! Functions that users have made: those that a query calls, and their bodies as expressions.

use super::{path_of, resolve_with, rights};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::{self, Functions, Overload};
use crate::plan;
use crate::session::Context;
use crate::sql::{self, Dialect, Names, ObjectName, TARGET, folded};
use crate::tables::{self, SqlType};
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::common::tree_node::TreeNode;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::sql::sqlparser::ast::{
    self, FunctionArg, FunctionArguments, GroupByExpr, Ident, ObjectNamePart, SelectItem, SetExpr, Value, VisitMut,
    VisitorMut,
};
use millrace_catalog::Snapshot;
use millrace_catalog::model::{Privilege, SqlFunction, Volatility as Declared};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How deep functions may call functions.
const MAX_DEPTH: usize = 32;

/// A user's function by schema and name, and with how many arguments it is called.
pub(crate) type Called = (String, String, usize);

/// Names the users' functions that a query calls with their schemas, and makes them ready.
///
/// # Errors
/// What is wrong with a function's body now; `LimitExceeded` for functions that call too many others.
pub(super) async fn bind(
    context: &Context,
    snapshot: &Arc<Snapshot>,
    query: &mut ast::Query,
    path: &[String],
    depth: usize,
) -> Result<Functions> {
    let called = plan::with_room(|| qualify(context, snapshot, query, path));
    let mut bound = Functions::new();
    let names: BTreeSet<(String, String)> = called.into_iter().map(|(schema, name, _)| (schema, name)).collect();
    for (schema, name) in names {
        if depth > MAX_DEPTH {
            let message = format!("functions call functions more than {MAX_DEPTH} deep");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        rights::check_schema(context, &schema, Privilege::Usage).await?;
        let Some(database) = snapshot.database(&schema) else { continue };
        let mut overloads = Vec::new();
        for function in database.functions.iter().filter(|function| function.name == name) {
            let made = overload(context, snapshot, (&schema, function), depth).await;
            overloads.push(made.map_err(|error| error.within(&format!("in function \"{schema}.{name}\"")))?);
        }
        bound.insert(format!("{schema}.{name}"), functions::user_function(&schema, &name, overloads));
    }
    Ok(bound)
}

/// The users' functions that a query calls, whose names in it get their schemas.
fn qualify(context: &Context, snapshot: &Snapshot, query: &mut ast::Query, path: &[String]) -> BTreeSet<Called> {
    let has_any = snapshot.databases().any(|database| !database.functions.is_empty());
    let mut calls = Calls { snapshot, path, called: BTreeSet::new(), known: &functions::is_builtin };
    if has_any && context.dialect().rules().users_functions {
        let _: ControlFlow<Infallible> = query.visit(&mut calls);
    }
    calls.called
}

/// The users' functions that a text in SQL calls.
pub(crate) fn called_in(context: &Context, snapshot: &Snapshot, query: &ast::Query, path: &str) -> BTreeSet<Called> {
    plan::with_room(|| qualify(context, snapshot, &mut query.clone(), &path_of(path)))
}

struct Calls<'a> {
    snapshot: &'a Snapshot,
    path: &'a [String],
    called: BTreeSet<Called>,
    known: &'a dyn Fn(&str) -> bool,
}

impl VisitorMut for Calls<'_> {
    type Break = Infallible;

    fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<Infallible> {
        let ast::Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let mut parts: Vec<String> = function.name.0.iter().filter_map(|part| part.as_ident()).map(folded).collect();
        // Names of functions are folded in quotes too.
        if let Some(last) = parts.last_mut() {
            *last = last.to_lowercase();
        }
        let has = |schema: &str, name: &str| {
            let database = self.snapshot.resolve_schema(schema)?;
            database.functions.iter().any(|function| function.name == name).then(|| database.name.clone())
        };
        let found = match parts.as_slice() {
            [name] if (self.known)(name) => None,
            [name] => self.path.iter().find_map(|schema| Some((has(schema, name)?, name))),
            [schema, name] | [_, schema, name] => has(schema, name).map(|schema| (schema, name)),
            _ => None,
        };
        let Some((schema, name)) = found else { return ControlFlow::Continue(()) };
        let count = match &function.args {
            FunctionArguments::List(list) => list.args.len(),
            _ => 0,
        };
        self.called.insert((schema.clone(), name.clone(), count));
        // The planner looks it up as it is written.
        let idents = [schema, name.clone()].map(|part| ObjectNamePart::Identifier(Ident::new(part)));
        function.name = ast::ObjectName(idents.to_vec());
        ControlFlow::Continue(())
    }
}

/// What becomes of the case of names in quotes in a function's body.
fn names_of(function: &SqlFunction) -> Names {
    if function.keeps_names { Names::Kept } else { Names::Folded }
}

/// The query of a function's body, over a table of its arguments.
///
/// # Errors
/// `Syntax` for a body that is not `SELECT expression`; `UndefinedParameter` for an argument that it does not have.
pub(crate) fn body_of(function: &SqlFunction) -> Result<Box<ast::Query>> {
    let wrong = || {
        let message = "the body of a function of LANGUAGE sql is SELECT with one expression";
        Error::new(ErrorKind::Syntax, message)
            .with_hint("it has no FROM, INTO, WHERE, GROUP BY, ORDER BY or LIMIT; $1 is the first argument")
    };
    let mut query = sql::parse_query(&function.body, Dialect::Redshift, names_of(function))?.ok_or_else(wrong)?;
    if query.with.is_some() || query.order_by.is_some() || query.limit_clause.is_some() {
        return Err(wrong());
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(wrong()) };
    let groups =
        !matches!(&select.group_by, GroupByExpr::Expressions(keys, with) if keys.is_empty() && with.is_empty());
    let plain = select.from.is_empty()
        && select.selection.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && select.distinct.is_none()
        && !groups;
    let one = matches!(select.projection.as_slice(), [SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }]);
    if !plain || !one {
        return Err(wrong());
    }
    select.from.push(sql::target_table(None));
    match query.visit(&mut Arguments { count: function.arguments.len() }) {
        ControlFlow::Continue(()) => Ok(query),
        ControlFlow::Break(error) => Err(*error),
    }
}

/// Makes columns of `$1`, `$2`, ….
struct Arguments {
    count: usize,
}

impl VisitorMut for Arguments {
    type Break = Box<Error>;

    fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<Self::Break> {
        if let ast::Expr::Value(value) = expr
            && let Value::Placeholder(name) = &value.value
        {
            let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
            if !number.is_some_and(|number| (1..=self.count).contains(&number)) {
                let error = Error::new(ErrorKind::UndefinedParameter, format!("there is no parameter {name}"));
                return ControlFlow::Break(Box::new(error));
            }
            *expr = ast::Expr::Identifier(Ident { value: name.clone(), quote_style: Some('"'), span: value.span });
        }
        if let ast::Expr::Function(function) = expr
            && let FunctionArguments::List(list) = &function.args
            && list.args.iter().any(|arg| matches!(arg, FunctionArg::Named { .. }))
        {
            return ControlFlow::Break(Box::new(Error::unsupported("a named argument in a call")));
        }
        ControlFlow::Continue(())
    }
}

/// A function of a schema with its body planned over its arguments, or with why the context's user may not call it.
///
/// # Errors
/// What else planning the body says.
pub(crate) async fn overload(
    context: &Context,
    snapshot: &Arc<Snapshot>,
    (schema, function): (&str, &SqlFunction),
    depth: usize,
) -> Result<Overload> {
    let field = |name: &str, data_type: &str| -> Result<Field> {
        let data_type: SqlType = data_type.parse()?;
        Ok(tables::marked_field(Field::new(name, data_type.to_arrow(), true), data_type))
    };
    let named = function.arguments.iter().enumerate();
    let arguments =
        named.map(|(at, data_type)| field(&format!("${}", at + 1), data_type)).collect::<Result<Vec<_>>>()?;
    let arguments = Arc::new(Schema::new(arguments));
    let returns = Arc::new(field(&function.name, &function.returns)?);
    let volatility = match function.volatility {
        Declared::Volatile => Volatility::Volatile,
        Declared::Stable => Volatility::Stable,
        Declared::Immutable => Volatility::Immutable,
    };
    let planned = async {
        rights::check_function(context, schema, function).await?;
        planned_body(context, snapshot, function, (&arguments, &returns), depth).await
    };
    let body = match planned.await {
        Err(error) if error.kind != ErrorKind::InsufficientPrivilege => return Err(error),
        // Another of its name may be meant.
        planned => planned,
    };
    Ok(Overload { arguments, returns, volatility, body })
}

/// A function's body as an expression over its arguments, of its result's type.
async fn planned_body(
    context: &Context,
    snapshot: &Arc<Snapshot>,
    function: &SqlFunction,
    (arguments, returns): (&SchemaRef, &FieldRef),
    depth: usize,
) -> Result<Arc<dyn PhysicalExpr>> {
    let query = body_of(function)?;
    let source = provider_as_source(Arc::new(EmptyTable::new(Arc::clone(arguments))));
    let target = (TableReference::bare(TARGET), source);
    let context = context.with_dialect(Dialect::Redshift).with_names(names_of(function));
    let path = path_of(&function.search_path);
    let resolved = resolve_with(&context, snapshot, &query, &path, depth + 1, Some(target)).await?;
    let planned = plan::plan_query(&context, resolved)?;
    let (LogicalPlan::Projection(projection), [expr]) = (&planned, planned_expressions(&planned)) else {
        return Err(Error::unsupported("an aggregate or a set of rows in the body of a function"));
    };
    let queries = |part: &Expr| matches!(part, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_));
    if !matches!(projection.input.as_ref(), LogicalPlan::TableScan(_)) || expr.exists(|part| Ok(queries(part)))? {
        return Err(Error::unsupported("a query or a window in the body of a function"));
    }
    let schema = projection.input.schema();
    let value = expr.clone().unalias();
    let value = if tables::is_super(returns) {
        plan::as_super(value, schema.as_ref())?
    } else {
        let found = value.get_type(schema.as_ref())?;
        plan::assigned(value, &found, returns.data_type())
    };
    Ok(context.state().create_physical_expr(value, schema)?)
}

fn planned_expressions(plan: &LogicalPlan) -> &[Expr] {
    match plan {
        LogicalPlan::Projection(projection) => &projection.expr,
        _ => &[],
    }
}

/// The functions of a name as written: the first schema of the path that has one, and all that it has of the name.
///
/// # Errors
/// `UndefinedSchema`.
pub(crate) fn find_functions(
    context: &Context,
    snapshot: &Snapshot,
    name: &ObjectName,
) -> Result<(String, Vec<SqlFunction>)> {
    let own = name.parts.last().cloned().unwrap_or_default();
    let of = |schema: &str| -> Vec<SqlFunction> {
        let functions = snapshot.database(schema).into_iter().flat_map(|database| &database.functions);
        functions.filter(|function| function.name == own).cloned().collect()
    };
    if name.parts.len() == 1 {
        let schemas = context.path().iter().filter_map(|schema| snapshot.resolve_schema(schema));
        if let Some(found) = schemas.map(|schema| &schema.name).find(|schema| !of(schema).is_empty()) {
            return Ok((found.clone(), of(found)));
        }
    }
    let (schema, _) = super::qualify(snapshot, name, context.database())?;
    let found = of(&schema);
    Ok((schema, found))
}
