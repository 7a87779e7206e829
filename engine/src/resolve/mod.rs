//! Names to things: the tables and views of a query, from one snapshot of the catalog.
//!
//! The only stage that asks the catalog before execution. What it gives, [`Tables`], is all that planning may see. A
//! table's files are listed later, when its scan is planned, because only then its filters are known.

mod columns;
mod dependents;
mod direct;
mod find;
mod postgres;
mod pseudo;
pub(crate) mod rights;
mod slices;
mod travel;
mod user_functions;

pub(crate) use columns::behind_grants;
pub(crate) use dependents::{
    Dependent, Ground, Lost, RelationName, definitions, dependents, lost_by, names_in_materialized, names_in_view,
    reads,
};
pub(crate) use direct::files_as_table;
pub(crate) use find::{Relation, find_relation, find_table, find_temporary, owner_of_foreign, relation};
pub(crate) use postgres::with_backslashes;
pub(crate) use travel::{snapshot_at, table_at};
pub(crate) use user_functions::{body_of, called_in, find_functions, overload};

use crate::error::{Error, ErrorKind, Result, nearest};
use crate::federated::Place;
use crate::functions::{self, Functions};
use crate::lake::table::{LakeTable, PseudoColumn};
use crate::plan;
use crate::session::{Context, SearchPath};
use crate::sql::{self, Dialect, Names, ObjectName, TARGET};
use crate::system;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::TableReference;
use datafusion::datasource::{TableProvider, provider_as_source};
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::sql::parser::Statement as ParserStatement;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast;
use find::{find_in_path, find_relation_in};
use futures::future::BoxFuture;
use millrace_catalog::Snapshot;
use millrace_catalog::model::{ADMIN, ManagedTable, MaterializedView, Table, TableKind};
use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The parameter of a view whose maker's session kept the case of names of members of SUPER values.
pub(crate) const KEEPS_CASE: &str = "millrace.keeps_case";

/// The parameter of a view whose maker's session kept the case of names in double quotes.
pub(crate) const KEEPS_NAMES: &str = "millrace.keeps_names";

/// How deep views may stand on views.
const MAX_VIEW_DEPTH: usize = 32;

/// The names by which the one catalog may be called: Athena's, and Redshift's database.
pub(crate) const CATALOG_NAMES: [&str; 3] = ["awsdatacatalog", "dev", "millrace"];

/// The tables of a query by the name it gives them.
pub(crate) type Tables = HashMap<TableReference, Arc<dyn TableSource>>;

/// A query whose names are resolved, ready to be planned.
pub(crate) struct ResolvedQuery {
    /// The query, with hidden columns kept out of its wildcards.
    pub(crate) query: ast::Query,
    /// Its tables.
    pub(crate) tables: Tables,
    /// The functions that it calls and that know its session.
    pub(crate) functions: Functions,
}

/// Resolves the names of a query as the context's database and dialect see them.
pub(crate) async fn resolve_query(context: &Context, query: &ast::Query) -> Result<ResolvedQuery> {
    let snapshot = context.snapshot().await?;
    resolve_at(context, &snapshot, query, context.path(), 0).await
}

/// The same for a query over the table that a statement changes, which [`TARGET`] names.
pub(crate) async fn resolve_change(
    context: &Context,
    query: &ast::Query,
    target: Arc<dyn TableProvider>,
) -> Result<ResolvedQuery> {
    let snapshot = context.snapshot().await?;
    let target = (TableReference::bare(TARGET), provider_as_source(target));
    resolve_with(context, &snapshot, query, context.path(), 0, Some(target)).await
}

fn first_of(path: &[String]) -> &str {
    path.first().map_or("", String::as_str)
}

/// The database and name of what exists under a name as written; one without a schema is looked up in a path.
fn locate(snapshot: &Snapshot, name: &ObjectName, path: &[String]) -> Result<(String, String)> {
    qualify(snapshot, name, locate_schema(snapshot, name, path))
}

/// The schema of a path that has a name, or its first one.
fn locate_schema<'a>(snapshot: &Snapshot, name: &ObjectName, path: &'a [String]) -> &'a str {
    let has = |schema: &&String| {
        let (Some(database), [table]) = (snapshot.resolve_schema(schema), name.parts.as_slice()) else { return false };
        snapshot.table(&database.name, table).is_some() || snapshot.managed_table(&database.name, table).is_some()
    };
    path.iter().find(has).map_or_else(|| first_of(path), String::as_str)
}

/// A database and a name in it, from a name as written; external schemas stand for their databases.
pub(crate) fn qualify(snapshot: &Snapshot, name: &ObjectName, default: &str) -> Result<(String, String)> {
    let located = |error: Error| if name.position > 0 { error.with_position(name.position) } else { error };
    let (database, table) = match name.parts.as_slice() {
        [table] => (default, table),
        [database, table] => (database.as_str(), table),
        [catalog, database, table] if CATALOG_NAMES.contains(&catalog.as_str()) => (database.as_str(), table),
        _ => {
            let message = format!("catalog \"{}\" does not exist", name.parts.first().map_or("", String::as_str));
            let hint = format!("the catalog is called {}", CATALOG_NAMES.join(", "));
            return Err(located(Error::new(ErrorKind::UndefinedSchema, message).with_hint(hint)));
        }
    };
    match snapshot.resolve_schema(database) {
        Some(database) => Ok((database.name.clone(), table.clone())),
        None => Err(located(unknown_database(snapshot, database))),
    }
}

/// The names that may stand before a table's: databases and external schemas.
pub(crate) fn schema_names(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    let databases = snapshot.databases().map(|database| database.name.as_str());
    databases.chain(snapshot.external_schemas().map(|schema| schema.name.as_str()))
}

/// The error for a database that does not exist, with the one that was probably meant.
pub(crate) fn unknown_database(snapshot: &Snapshot, name: &str) -> Error {
    let error = Error::new(ErrorKind::UndefinedSchema, format!("schema \"{name}\" does not exist"));
    match nearest(name, schema_names(snapshot)) {
        Some(near) => error.with_hint(format!("did you mean \"{near}\"?")),
        None => error,
    }
}

fn resolve_at<'a>(
    context: &'a Context,
    snapshot: &'a Arc<Snapshot>,
    query: &'a ast::Query,
    path: &'a [String],
    depth: usize,
) -> BoxFuture<'a, Result<ResolvedQuery>> {
    resolve_with(context, snapshot, query, path, depth, None)
}

fn resolve_with<'a>(
    context: &'a Context,
    snapshot: &'a Arc<Snapshot>,
    query: &'a ast::Query,
    path: &'a [String],
    depth: usize,
    target: Option<(TableReference, Arc<dyn TableSource>)>,
) -> BoxFuture<'a, Result<ResolvedQuery>> {
    Box::pin(async move {
        if depth > MAX_VIEW_DEPTH {
            let message = format!("views stand on views more than {MAX_VIEW_DEPTH} deep");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let mut named = plan::with_room(|| find_names(query, context.dialect()))?;
        let users = user_functions::bind(context, snapshot, &mut named.query, path, depth).await?;
        let spans = relation_spans(&named.query);
        let mut tables = Tables::new();
        for reference in named.references {
            if let Some((name, source)) = &target
                && *name == reference
            {
                tables.insert(reference, Arc::clone(source));
                continue;
            }
            let found = resolve_table(context, snapshot, &spans, &reference, path, &named.pseudo, depth).await?;
            let source = match found {
                Found::Source(source) => source,
                Found::View { table, granted } => resolve_view(context, snapshot, &table, granted, depth).await?,
            };
            tables.insert(reference, source);
        }
        if context.dialect() == Dialect::Redshift && named.functions.contains(slices::NAME) {
            let slices = context.state().config().target_partitions();
            plan::with_room(|| slices::rewrite(&mut named.query, &tables, slices))?;
        }
        let mut functions = if named.functions.iter().any(|name| functions::is_known(name)) {
            let sizes = named.functions.iter().any(|name| functions::tells_sizes(name));
            functions::bind(&named.functions, system::facts(context, sizes).await?)
        } else {
            Functions::new()
        };
        functions.extend(users);
        Ok(ResolvedQuery { query: *named.query, tables, functions })
    })
}

/// A query with what it names.
struct Named {
    query: Box<ast::Query>,
    references: Vec<TableReference>,
    pseudo: Vec<PseudoColumn>,
    functions: BTreeSet<String>,
}

fn find_names(query: &ast::Query, dialect: Dialect) -> Result<Named> {
    let mut query = query.clone();
    let functions = postgres::rewrite(&mut query, dialect);
    let parsed = ParserStatement::Statement(Box::new(ast::Statement::Query(Box::new(query))));
    let (references, ctes) = resolve_table_references(&parsed, true)?;
    let ParserStatement::Statement(parsed) = parsed else { return Err(Error::internal("a query was lost")) };
    let ast::Statement::Query(mut query) = *parsed else { return Err(Error::internal("a query was lost")) };
    let pseudo = pseudo::named(&query);
    if !pseudo.is_empty() {
        let ctes: Vec<String> = ctes.iter().map(|cte| cte.table().to_owned()).collect();
        pseudo::hide_from_wildcards(&mut query, &pseudo, &ctes)?;
    }
    Ok(Named { query, references, pseudo, functions })
}

/// What a name stands for.
enum Found {
    Source(Arc<dyn TableSource>),
    /// A view, which is not resolved yet, with the columns that the user may read.
    View {
        table: Arc<Table>,
        granted: Option<BTreeSet<String>>,
    },
}

async fn resolve_table(
    context: &Context,
    snapshot: &Arc<Snapshot>,
    spans: &Spans,
    reference: &TableReference,
    path: &[String],
    pseudo: &[PseudoColumn],
    depth: usize,
) -> Result<Found> {
    let moment = sql::moment_of(reference.table());
    if moment.is_none()
        && let TableReference::Bare { table } = reference
        && direct::is_place(table)
    {
        if !table.starts_with("s3://") {
            rights::check_superuser(context, "read files on the server's disks").await?;
        }
        return Ok(Found::Source(provider_as_source(Arc::new(direct::table(context, table, pseudo).await?))));
    }
    let parts = [reference.catalog(), reference.schema(), Some(reference.table())];
    let parts: Vec<String> = parts.into_iter().flatten().map(str::to_owned).collect();
    let lowered: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
    let position = context.position_of(spans.get(&lowered).copied());
    if let Some((table, moment)) = moment {
        let located = |error: Error| if position > 0 { error.with_position(position) } else { error };
        let name = ObjectName { parts: parts_with_last(parts, table), position };
        let version = travel::snapshot_at(context, &moment).await.map_err(located)?;
        let table = travel::table_at(context, &name, path, version).await?;
        rights::check_past(context, &table).await.map_err(located)?;
        return Ok(Found::Source(provider_as_source(context.scan_managed_at(&table, version).await?)));
    }
    let name = ObjectName { parts, position };
    if let Some(table) = system_table(context, snapshot, &name, path).await? {
        return Ok(Found::Source(provider_as_source(Arc::new(table.read(context).await?))));
    }
    let located = |error: Error| if position > 0 { error.with_position(position) } else { error };
    let table = match find_relation_in(context, &name, path, depth == 0).await? {
        Relation::Managed(table) => {
            let names = (table.schema.as_str(), table.name.as_str());
            let owner = table.attributes.owner.as_ref();
            let granted = rights::check_reading(context, names, owner).await.map_err(located)?;
            return Ok(Found::Source(source(context.scan_managed(&table).await?, &table.name, granted)));
        }
        Relation::Foreign(table) => {
            let owner = owner_of_foreign(snapshot, &table);
            let names = (table.schema.as_str(), table.name.as_str());
            let granted = rights::check_reading(context, names, owner.as_ref()).await.map_err(located)?;
            let name = table.name.clone();
            return Ok(Found::Source(source(table, &name, granted)));
        }
        Relation::Catalog(table) => table,
    };
    let names = (table.database.as_str(), table.name.as_str());
    let granted = rights::check_reading(context, names, table.owner.as_ref()).await.map_err(located)?;
    let shown = table.name.clone();
    if let Some(place) = Place::of_table(&table) {
        let declared = context.sources().declared(&table, place, snapshot).await.map_err(located)?;
        return Ok(Found::Source(source(declared, &shown, granted)));
    }
    match &table.kind {
        TableKind::ExternalTable => {
            let lake = Arc::clone(context.lake());
            let catalog = Arc::clone(context.catalog());
            let (statistics, analyzed) =
                (snapshot.statistics(table.id).cloned(), snapshot.statistics_version(table.id) > 0);
            let table = LakeTable::of_catalog(lake, catalog, table, pseudo.to_vec())?;
            Ok(Found::Source(source(Arc::new(table.with_statistics(statistics, analyzed)), &shown, granted)))
        }
        TableKind::VirtualView { .. } => Ok(Found::View { table, granted }),
    }
}

/// A view's query, with the rights of its owner.
async fn resolve_view(
    context: &Context,
    snapshot: &Arc<Snapshot>,
    table: &Table,
    granted: Option<BTreeSet<String>>,
    depth: usize,
) -> Result<Arc<dyn TableSource>> {
    let TableKind::VirtualView { text, dialect, search_database } = &table.kind else {
        return Err(Error::internal("a view is none"));
    };
    let owner = as_made(&context.acting_as(table.owner.as_deref().unwrap_or(ADMIN)), table);
    let view = plan_view(&owner, snapshot, text, dialect, search_database, depth).await;
    // A position in its text is none in the statement's.
    let place = format!("in view \"{}.{}\"", table.database, table.name);
    let planned = view.map_err(|error| error.within(&place))?;
    let view = plan::View::new(planned, &table.storage.columns, text)?;
    Ok(source(Arc::new(view), &table.name, granted))
}

/// A context in which names mean what they did for the maker of a view.
fn as_made(context: &Context, view: &Table) -> Context {
    context.with_case_of_members(view.parameters.contains_key(KEEPS_CASE)).with_names(names_of(view))
}

/// What becomes of the case of names in quotes in a view's text.
fn names_of(view: &Table) -> Names {
    if view.parameters.contains_key(KEEPS_NAMES) { Names::Kept } else { Names::Folded }
}

/// The same of a materialized view.
fn names_of_materialized(view: &MaterializedView) -> Names {
    if view.keeps_names { Names::Kept } else { Names::Folded }
}

/// A table or view as a query sees it, with the columns that the user may read.
fn source(provider: Arc<dyn TableProvider>, name: &str, granted: Option<BTreeSet<String>>) -> Arc<dyn TableSource> {
    provider_as_source(match granted {
        Some(granted) => Arc::new(columns::GrantedColumns::of(provider, name, granted)),
        None => provider,
    })
}

/// The system table that a name stands for: by its schema, or where no table of the user's has the name.
///
/// # Errors
/// `UndefinedTable` for one that a system's schema does not have.
async fn system_table(
    context: &Context,
    snapshot: &Snapshot,
    name: &ObjectName,
    path: &[String],
) -> Result<Option<&'static system::SystemTable>> {
    let schema_and_name = match name.parts.as_slice() {
        [table] => {
            let Some(found) = system::find(None, table) else { return Ok(None) };
            if find_temporary(context, name).await?.is_some() {
                return Ok(None);
            }
            let own = find_in_path(context, snapshot, table, path, false).await?;
            return Ok(own.is_none().then_some(found));
        }
        [schema, table] => (schema, table),
        [catalog, schema, table] if CATALOG_NAMES.contains(&catalog.as_str()) => (schema, table),
        _ => return Ok(None),
    };
    let (schema, table) = schema_and_name;
    if !system::is_schema(schema) {
        return Ok(None);
    }
    let unknown = || {
        let written = name.parts.join(".");
        let mut error = Error::new(ErrorKind::UndefinedTable, format!("relation \"{written}\" does not exist"));
        let known = system::all().filter(|known| known.schema == schema).map(|known| known.name);
        if let Some(near) = nearest(table, known) {
            error = error.with_hint(format!("did you mean \"{near}\"?"));
        }
        if name.position > 0 { error.with_position(name.position) } else { error }
    };
    system::find(Some(schema), table).map(Some).ok_or_else(unknown)
}

/// The schemas that a view's names are looked up in.
fn path_of(written: &str) -> Vec<String> {
    SearchPath::parse(written, Names::Kept).into_names()
}

/// A name's parts with another last one.
fn parts_with_last(mut parts: Vec<String>, last: &str) -> Vec<String> {
    parts.pop();
    parts.push(last.to_owned());
    parts
}

/// The temporary table that a query names, if it names one.
pub(crate) async fn named_temporary(context: &Context, query: &ast::Query) -> Result<Option<Arc<ManagedTable>>> {
    for reference in plan::with_room(|| find_names(query, context.dialect()))?.references {
        let parts = [reference.catalog(), reference.schema(), Some(reference.table())];
        let parts = parts.into_iter().flatten().map(str::to_owned).collect();
        if let Some(table) = find_temporary(context, &ObjectName { parts, position: 0 }).await? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// The plan of a materialized view's query now, which reads with the rights of the view's owner.
///
/// # Errors
/// What running it would say.
pub(crate) async fn plan_of_materialized(context: &Context, view: &ManagedTable) -> Result<LogicalPlan> {
    let Some(materialized) = &view.attributes.materialized else {
        return Err(Error::internal("a materialized view lost its query"));
    };
    let MaterializedView { text, search_path, keeps_case, .. } = materialized;
    let owner = context.acting_as(view.attributes.owner.as_deref().unwrap_or(ADMIN));
    let owner = owner.with_case_of_members(*keeps_case).with_names(names_of_materialized(materialized));
    plan_of_text(&owner, text, search_path).await
}

/// The columns that a view's query gives now.
///
/// # Errors
/// What reading the view would say.
pub(crate) async fn fields_of_view(context: &Context, view: &Table) -> Result<Vec<(String, DataType)>> {
    if view.kind == TableKind::ExternalTable {
        return Ok(Vec::new());
    }
    let planned = plan_of_view(context, view).await?;
    let fields = planned.schema().fields().iter();
    Ok(fields.map(|field| (plan::shown_name(field.name()).to_owned(), field.data_type().clone())).collect())
}

/// The plan of a view's query now.
///
/// # Errors
/// What reading the view would say.
pub(crate) async fn plan_of_view(context: &Context, view: &Table) -> Result<LogicalPlan> {
    let TableKind::VirtualView { text, dialect, search_database } = &view.kind else {
        return Err(Error::internal("an external table has no query"));
    };
    let context = &as_made(context, view);
    let snapshot = context.snapshot().await?;
    let owner = context.acting_as(view.owner.as_deref().unwrap_or(ADMIN));
    Ok(plan_view(&owner, &snapshot, text, dialect, search_database, 0).await?.plan)
}

/// The plan of a query in Redshift's dialect, kept as text, with the schemas that its names are looked up in.
///
/// # Errors
/// What running it would say.
pub(crate) async fn plan_of_text(context: &Context, text: &str, path: &str) -> Result<LogicalPlan> {
    let snapshot = context.snapshot().await?;
    Ok(plan_view(context, &snapshot, text, Dialect::Redshift.name(), path, 0).await?.plan)
}

/// The plan of a view's query, whose names mean what they did in the dialect that the view was made in; the context says what
/// becomes of the case of those in quotes.
async fn plan_view(
    context: &Context,
    snapshot: &Arc<Snapshot>,
    text: &str,
    dialect: &str,
    path: &str,
    depth: usize,
) -> Result<plan::Planned> {
    let dialect: Dialect = dialect.parse().map_err(Error::internal)?;
    let query = sql::parse_query(text, dialect, context.names())?;
    let query = query.ok_or_else(|| Error::internal("the view's text is not a query"))?;
    let context = context.with_dialect(dialect);
    let resolved = resolve_at(&context, snapshot, &query, &path_of(path), depth + 1).await?;
    plan::plan_described(&context, resolved)
}

/// Where relations are first named in a query, by the parts of their names in lower case: line and column, from 1.
type Spans = HashMap<Vec<String>, (u64, u64)>;

fn relation_spans(query: &ast::Query) -> Spans {
    let mut spans = Spans::new();
    plan::with_room(|| {
        let _ = ast::visit_relations(query, |name| {
            let idents: Option<Vec<&ast::Ident>> = name.0.iter().map(ast::ObjectNamePart::as_ident).collect();
            if let Some(idents) = idents
                && let Some(start) = idents.first().map(|ident| ident.span.start)
                && start.line > 0
            {
                let parts = idents.iter().map(|ident| ident.value.to_ascii_lowercase()).collect();
                spans.entry(parts).or_insert((start.line, start.column));
            }
            ControlFlow::<()>::Continue(())
        });
    });
    spans
}
