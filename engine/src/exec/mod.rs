//! Execution: what each statement does, one module a family.

mod administer;
mod alter;
mod analyze;
mod comment;
mod connectors;
mod copy;
mod crawl;
mod ddl;
mod dependents;
mod describe;
mod enforce;
pub(crate) mod explain;
mod function;
mod kept;
pub(crate) mod maintenance;
mod managed;
mod materialized_view;
mod measure;
mod padded;
mod principals;
mod privileges;
mod progress;
pub(crate) mod query;
mod repair;
mod repeatable;
pub(crate) mod rows;
pub(crate) mod show;
mod show_create;
mod unload;
mod write;

pub(crate) use measure::measure;

use crate::error::{Error, Result};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::Context;
use crate::sql::Statement;
use datafusion::arrow::datatypes::Schema;
use futures::future::BoxFuture;
use std::sync::Arc;

/// Executes a statement in its context.
pub(crate) async fn execute(context: &Context, statement: &Statement) -> Result<StatementResult> {
    if let Some(name) = changes_at_once(statement) {
        context.check_no_block(name)?;
    }
    connectors::check(context, statement).await?;
    enforce::check(context, statement).await?;
    let named = enforce::named(context, statement).await?;
    let result = run(context, statement).await?;
    enforce::after(context, statement, &named).await?;
    Ok(result)
}

/// What a statement does. The work of each kind is made in a place of its own: all of them together would be a large part
/// of a thread's stack.
fn run<'a>(context: &'a Context, statement: &'a Statement) -> BoxFuture<'a, Result<StatementResult>> {
    match statement {
        Statement::Query(query) => later(|| query::execute(context, query)),
        Statement::Explain(explain) => later(|| explain::execute(context, explain)),
        Statement::CreateTableAs(create) => later(|| write::create_table_as(context, create)),
        Statement::Insert(insert) => later(|| write::insert(context, insert)),
        Statement::Copy(copy) => later(|| copy::execute(context, copy)),
        Statement::CopyIn(copy) => later(|| copy::load_stdin(context, copy)),
        Statement::CopyOut(copy) => later(|| copy::unload_stdout(context, copy)),
        Statement::Unload(unload) => later(|| unload::execute(context, unload)),
        Statement::CreateTable(create) => later(|| managed::create_table(context, create)),
        Statement::Update(update) => later(|| managed::update(context, update)),
        Statement::Delete(delete) => later(|| managed::delete(context, delete)),
        Statement::Merge(merge) => later(|| managed::merge(context, merge)),
        Statement::Truncate(name) => later(|| managed::truncate(context, name)),
        Statement::Comment(said) => later(|| comment::comment(context, said)),
        Statement::Lock(names) => later(|| comment::lock(context, names)),
        Statement::CreateSnapshot(name) => later(|| managed::create_snapshot(context, name)),
        Statement::DropSnapshot { name, if_exists } => later(|| managed::drop_snapshot(context, name, *if_exists)),
        Statement::RestoreTable(restore) => later(|| managed::restore_table(context, restore)),
        Statement::CreateExternalTable(create) => later(|| ddl::create_external_table(context, create)),
        Statement::CreateView(create) => later(|| ddl::create_view(context, create)),
        Statement::MaterializedView(statement) => later(|| materialized_view::execute(context, statement)),
        Statement::CreateFunction(create) => later(|| function::create_function(context, create)),
        Statement::AlterFunction(alter) => later(|| function::alter_function(context, alter)),
        Statement::DropFunction(drop) => later(|| function::drop_function(context, drop)),
        Statement::CreateDatabase(create) => later(|| ddl::create_database(context, create)),
        Statement::CreateExternalSchema(create) => later(|| ddl::create_external_schema(context, create)),
        Statement::CreateConnectorSchema(create) => later(|| connectors::create_schema(context, create)),
        Statement::DropDatabase(drop) => later(|| ddl::drop_database(context, drop)),
        Statement::DropTable(drop) => later(|| ddl::drop_tables(context, drop)),
        Statement::AlterTable(alter) => later(|| alter::execute(context, alter)),
        Statement::RepairTable(repair) => later(|| repair::execute(context, repair)),
        Statement::Crawler(crawler) => later(|| crawl::execute(context, crawler)),
        Statement::Principal(statement) => later(|| principals::execute(context, statement)),
        Statement::Analyze(analyze) => later(|| analyze::execute(context, analyze)),
        Statement::Vacuum(vacuum) => later(|| maintenance::vacuum(context, vacuum)),
        Statement::AnalyzeCompression(analyze) => later(|| analyze::compression(context, analyze)),
        Statement::Show(show) => later(|| show::execute(context, show)),
        Statement::Describe(describe) => later(|| describe::execute(context, describe)),
        Statement::AlterSystem(name, value) => later(|| administer::alter_system(context, name, value.as_deref())),
        Statement::Cancel { pid, message } => later(|| administer::cancel(context, *pid, message.as_deref())),
        Statement::Set { .. } | Statement::Use(_) => misplaced("the session executes its own settings"),
        Statement::Cursor(_) | Statement::Prepared(_) => misplaced("the session executes what it keeps itself"),
        Statement::Begin { .. } | Statement::Commit | Statement::Rollback => {
            misplaced("the session ends its own transactions")
        }
    }
}

/// Work that begins when it is waited for.
fn later<'a, W>(work: impl FnOnce() -> W) -> BoxFuture<'a, Result<StatementResult>>
where
    W: Future<Output = Result<StatementResult>> + Send + 'a,
{
    Box::pin(work())
}

fn misplaced(what: &'static str) -> BoxFuture<'static, Result<StatementResult>> {
    Box::pin(std::future::ready(Err(Error::internal(what))))
}

/// The name of a statement that changes the catalog in a commit of its own.
pub(crate) fn changes_at_once(statement: &Statement) -> Option<&'static str> {
    match statement {
        Statement::CreateExternalTable(_) => Some("CREATE EXTERNAL TABLE"),
        Statement::CreateExternalSchema(_) | Statement::CreateConnectorSchema(_) => Some("CREATE EXTERNAL SCHEMA"),
        Statement::CreateSnapshot(_) => Some("CREATE SNAPSHOT"),
        Statement::DropSnapshot { .. } => Some("DROP SNAPSHOT"),
        Statement::RepairTable(_) => Some("MSCK REPAIR TABLE"),
        Statement::Vacuum(_) => Some("VACUUM"),
        Statement::AlterSystem(..) => Some("ALTER SYSTEM"),
        _ => None,
    }
}

/// The result of a statement that gives no rows.
fn done(tag: CommandTag, notices: Vec<Notice>) -> StatementResult {
    StatementResult { schema: Arc::new(Schema::empty()), rows: None, tag, notices, progress: None }
}

/// `NOTICE: relation "t" already exists, skipping` and its kin.
fn skipping(what: &str, name: &str, state: &str) -> Notice {
    Notice { severity: Severity::Notice, message: format!("{what} \"{name}\" {state}, skipping") }
}
