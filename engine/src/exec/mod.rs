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
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
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

/// What executes a statement, in a place of its own: together they would be far larger than any of them.
fn run<'a>(context: &'a Context, statement: &'a Statement) -> BoxFuture<'a, Result<StatementResult>> {
    match statement {
        Statement::Query(query) => query::execute(context, query).boxed(),
        Statement::Explain(explain) => explain::execute(context, explain).boxed(),
        Statement::CreateTableAs(create) => write::create_table_as(context, create).boxed(),
        Statement::Insert(insert) => write::insert(context, insert).boxed(),
        Statement::Copy(copy) => copy::execute(context, copy).boxed(),
        Statement::CopyIn(copy) => copy::load_stdin(context, copy).boxed(),
        Statement::CopyOut(copy) => copy::unload_stdout(context, copy).boxed(),
        Statement::Unload(unload) => unload::execute(context, unload).boxed(),
        Statement::CreateTable(create) => managed::create_table(context, create).boxed(),
        Statement::Update(update) => managed::update(context, update).boxed(),
        Statement::Delete(delete) => managed::delete(context, delete).boxed(),
        Statement::Merge(merge) => managed::merge(context, merge).boxed(),
        Statement::Truncate(name) => managed::truncate(context, name).boxed(),
        Statement::Comment(said) => comment::comment(context, said).boxed(),
        Statement::Lock(names) => comment::lock(context, names).boxed(),
        Statement::CreateSnapshot(name) => managed::create_snapshot(context, name).boxed(),
        Statement::DropSnapshot { name, if_exists } => managed::drop_snapshot(context, name, *if_exists).boxed(),
        Statement::RestoreTable(restore) => managed::restore_table(context, restore).boxed(),
        Statement::CreateExternalTable(create) => ddl::create_external_table(context, create).boxed(),
        Statement::CreateView(create) => ddl::create_view(context, create).boxed(),
        Statement::MaterializedView(statement) => materialized_view::execute(context, statement).boxed(),
        Statement::CreateFunction(create) => function::create_function(context, create).boxed(),
        Statement::DropFunction(drop) => function::drop_function(context, drop).boxed(),
        Statement::CreateDatabase(create) => ddl::create_database(context, create).boxed(),
        Statement::CreateExternalSchema(create) => ddl::create_external_schema(context, create).boxed(),
        Statement::CreateConnectorSchema(create) => connectors::create_schema(context, create).boxed(),
        Statement::DropDatabase(drop) => ddl::drop_database(context, drop).boxed(),
        Statement::DropTable(drop) => ddl::drop_tables(context, drop).boxed(),
        Statement::AlterTable(alter) => alter::execute(context, alter).boxed(),
        Statement::RepairTable(repair) => repair::execute(context, repair).boxed(),
        Statement::Crawler(crawler) => crawl::execute(context, crawler).boxed(),
        Statement::Principal(statement) => principals::execute(context, statement).boxed(),
        Statement::Analyze(analyze) => analyze::execute(context, analyze).boxed(),
        Statement::Vacuum(vacuum) => maintenance::vacuum(context, vacuum).boxed(),
        Statement::AnalyzeCompression(analyze) => analyze::compression(context, analyze).boxed(),
        Statement::Show(show) => show::execute(context, show).boxed(),
        Statement::Describe(describe) => describe::execute(context, describe).boxed(),
        Statement::AlterSystem(name, value) => administer::alter_system(context, name, value.as_deref()).boxed(),
        Statement::Cancel { pid, message } => administer::cancel(context, *pid, message.as_deref()).boxed(),
        Statement::Set { .. } | Statement::Use(_) => {
            ready(Err(Error::internal("the session executes its own settings"))).boxed()
        }
        Statement::Cursor(_) | Statement::Prepared(_) => {
            ready(Err(Error::internal("the session executes what it keeps itself"))).boxed()
        }
        Statement::Begin { .. } | Statement::Commit | Statement::Rollback => {
            ready(Err(Error::internal("the session ends its own transactions"))).boxed()
        }
    }
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
