//! `CREATE|ALTER|DROP|START|STOP|EXPLAIN CRAWLER`, classifiers, and what `SHOW` tells of them, under the names and
//! states of AWS Glue's API.

mod define;
mod explain;
mod show;

pub(crate) use show::{show_classifiers, show_crawlers, show_runs};

use super::{done, rows, skipping};
use crate::crawl::run::{self, CrawlProgress};
use crate::error::{Error, ErrorKind, Result};
use crate::result::{CommandTag, Notice, Progress, Severity, StatementResult};
use crate::session::Context;
use crate::sql::{CrawlerStatement, Named};
use millrace_catalog::CatalogError;
use millrace_catalog::model::Crawler;
use std::sync::Arc;

/// How many warnings a run shows; its record has more.
const MOST_NOTICES: usize = 20;

/// Executes a statement about crawlers or classifiers.
pub(crate) async fn execute(context: &Context, statement: &CrawlerStatement) -> Result<StatementResult> {
    let catalog = context.catalog();
    match statement {
        CrawlerStatement::Create { name, if_not_exists, or_replace, clauses } => {
            define::create(context, name, *if_not_exists, *or_replace, clauses).await
        }
        CrawlerStatement::Alter { name, clauses } => define::alter(context, name, clauses).await,
        CrawlerStatement::CreateClassifier { name, if_not_exists, or_replace, kind } => {
            define::create_classifier(context, name, *if_not_exists, *or_replace, kind).await
        }
        CrawlerStatement::Drop { name, if_exists } => {
            let dropped = catalog.drop_crawler(&name.name).await.map(drop);
            gone(dropped, "crawler", "DROP CRAWLER", name, *if_exists)
        }
        CrawlerStatement::DropClassifier { name, if_exists } => {
            let dropped = catalog.drop_classifier(&name.name).await.map(drop);
            gone(dropped, "classifier", "DROP CLASSIFIER", name, *if_exists)
        }
        CrawlerStatement::Start(name) => start(context, name).await,
        CrawlerStatement::Stop(name) => {
            catalog.stop_crawl(&name.name).await.map_err(|error| at(error.into(), name))?;
            Ok(done(CommandTag::Verb("STOP CRAWLER"), vec![]))
        }
        CrawlerStatement::Explain(name) => explain::execute(context, name).await,
    }
}

/// Runs a crawler to its end; a row for each table.
async fn start(context: &Context, name: &Named) -> Result<StatementResult> {
    let crawler = find(context, name).await?;
    let progress = Arc::new(CrawlProgress::default());
    let watched: Arc<dyn Progress> = Arc::clone(&progress) as _;
    context.progress().set(&watched);
    let ended = Box::pin(run::crawl(context.warehouse(), &crawler, &progress)).await?;
    let tables = ended.outcomes.into_iter().map(|outcome| {
        let note = Some(outcome.note).filter(|note| !note.is_empty());
        [Some(outcome.action.name().to_owned()), Some(outcome.table), Some(outcome.partitions_added.to_string()), note]
    });
    let mut result = rows::optional("START CRAWLER", &["action", "table", "partitions_added", "note"], tables)?;
    let messages = &ended.crawl.messages;
    result.notices.extend(messages.iter().take(MOST_NOTICES).map(|message| Notice {
        severity: if message.warning { Severity::Warning } else { Severity::Notice },
        message: message.text.clone(),
    }));
    if messages.len() > MOST_NOTICES {
        let message = format!("{} more messages are in SHOW CRAWLER RUNS", messages.len() - MOST_NOTICES);
        result.notices.push(Notice { severity: Severity::Notice, message });
    }
    Ok(result)
}

/// The crawler of a name.
async fn find(context: &Context, name: &Named) -> Result<Crawler> {
    let found = context.catalog().crawler(&name.name).await?;
    found.ok_or_else(|| at(CatalogError::not_found("crawler", &name.name).into(), name))
}

/// The result of a `DROP`.
fn gone(
    dropped: millrace_catalog::Result<()>,
    kind: &str,
    verb: &'static str,
    name: &Named,
    if_exists: bool,
) -> Result<StatementResult> {
    match dropped {
        Ok(()) => Ok(done(CommandTag::Verb(verb), vec![])),
        Err(CatalogError::NotFound { .. }) if if_exists => {
            Ok(done(CommandTag::Verb(verb), vec![skipping(kind, &name.name, "does not exist")]))
        }
        Err(error) => Err(at(error.into(), name)),
    }
}

/// An error about a name of the statement, with the name's place.
fn at(error: Error, name: &Named) -> Error {
    match error.kind {
        ErrorKind::UndefinedObject | ErrorKind::DuplicateObject | ErrorKind::InvalidParameter => {
            error.with_position(name.position)
        }
        _ => error,
    }
}
