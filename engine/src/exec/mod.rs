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

async fn run(context: &Context, statement: &Statement) -> Result<StatementResult> {
    match statement {
        Statement::Query(query) => query::execute(context, query).await,
        Statement::Explain(explain) => explain::execute(context, explain).await,
        Statement::CreateTableAs(create) => write::create_table_as(context, create).await,
        Statement::Insert(insert) => write::insert(context, insert).await,
        Statement::Copy(copy) => copy::execute(context, copy).await,
        Statement::CopyIn(copy) => copy::load_stdin(context, copy).await,
        Statement::CopyOut(copy) => copy::unload_stdout(context, copy).await,
        Statement::Unload(unload) => unload::execute(context, unload).await,
        Statement::CreateTable(create) => managed::create_table(context, create).await,
        Statement::Update(update) => managed::update(context, update).await,
        Statement::Delete(delete) => managed::delete(context, delete).await,
        Statement::Merge(merge) => managed::merge(context, merge).await,
        Statement::Truncate(name) => managed::truncate(context, name).await,
        Statement::Comment(said) => comment::comment(context, said).await,
        Statement::Lock(names) => comment::lock(context, names).await,
        Statement::CreateSnapshot(name) => managed::create_snapshot(context, name).await,
        Statement::DropSnapshot { name, if_exists } => managed::drop_snapshot(context, name, *if_exists).await,
        Statement::RestoreTable(restore) => managed::restore_table(context, restore).await,
        Statement::CreateExternalTable(create) => ddl::create_external_table(context, create).await,
        Statement::CreateView(create) => ddl::create_view(context, create).await,
        Statement::MaterializedView(statement) => materialized_view::execute(context, statement).await,
        Statement::CreateFunction(create) => function::create_function(context, create).await,
        Statement::DropFunction(drop) => function::drop_function(context, drop).await,
        Statement::CreateDatabase(create) => ddl::create_database(context, create).await,
        Statement::CreateExternalSchema(create) => ddl::create_external_schema(context, create).await,
        Statement::CreateConnectorSchema(create) => connectors::create_schema(context, create).await,
        Statement::DropDatabase(drop) => ddl::drop_database(context, drop).await,
        Statement::DropTable(drop) => ddl::drop_tables(context, drop).await,
        Statement::AlterTable(alter) => alter::execute(context, alter).await,
        Statement::RepairTable(repair) => repair::execute(context, repair).await,
        Statement::Crawler(crawler) => crawl::execute(context, crawler).await,
        Statement::Principal(statement) => principals::execute(context, statement).await,
        Statement::Analyze(analyze) => analyze::execute(context, analyze).await,
        Statement::Vacuum(vacuum) => maintenance::vacuum(context, vacuum).await,
        Statement::AnalyzeCompression(analyze) => analyze::compression(context, analyze).await,
        Statement::Show(show) => show::execute(context, show).await,
        Statement::Describe(describe) => describe::execute(context, describe).await,
        Statement::AlterSystem(name, value) => administer::alter_system(context, name, value.as_deref()).await,
        Statement::Cancel { pid, message } => administer::cancel(context, *pid, message.as_deref()).await,
        Statement::Set { .. } | Statement::Use(_) => Err(Error::internal("the session executes its own settings")),
        Statement::Cursor(_) | Statement::Prepared(_) => {
            Err(Error::internal("the session executes what it keeps itself"))
        }
        Statement::Begin { .. } | Statement::Commit | Statement::Rollback => {
            Err(Error::internal("the session ends its own transactions"))
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
