//! Crawlers and classifiers made and changed. What a run would stumble over is an error here, with its place.

use super::{at, find};
use crate::crawl::{classify, system, tree};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{done, skipping};
use crate::federated::label;
use crate::lake::location::Location;
use crate::resolve::rights;
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::Context;
use crate::sql::{CrawlerClauses, Named, TargetClause};
use millrace_catalog::CatalogError;
use millrace_catalog::model::{
    Classifier, ClassifierKind, Crawler, CrawlerTarget, DeleteBehavior, Privilege, RecrawlBehavior, UpdateBehavior,
};

/// `CREATE CRAWLER`.
pub(super) async fn create(
    context: &Context,
    name: &Named,
    if_not_exists: bool,
    or_replace: bool,
    clauses: &CrawlerClauses,
) -> Result<StatementResult> {
    let tag = CommandTag::Verb("CREATE CRAWLER");
    let mut crawler = Crawler {
        name: name.name.clone(),
        version: 0,
        database: String::new(),
        targets: Vec::new(),
        classifiers: Vec::new(),
        table_prefix: String::new(),
        table_level: None,
        grouping: clauses.grouping.unwrap_or_default(),
        update_behavior: UpdateBehavior::default(),
        delete_behavior: DeleteBehavior::default(),
        recrawl_behavior: RecrawlBehavior::default(),
        create_time_ms: 0,
        update_time_ms: 0,
    };
    apply(context, &mut crawler, clauses).await?;
    let notices = forced(&mut crawler, clauses);
    if or_replace && let Some(existing) = context.catalog().crawler(&name.name).await? {
        crawler.version = existing.version;
        crawler.create_time_ms = existing.create_time_ms;
        context.catalog().update_crawler(&crawler).await.map_err(|error| at(error.into(), name))?;
        return Ok(done(tag, notices));
    }
    let made = context.catalog().create_crawler(&crawler, if_not_exists).await;
    if made.map_err(|error| at(error.into(), name))?.is_none() {
        return Ok(done(tag, vec![skipping("crawler", &name.name, "already exists")]));
    }
    Ok(done(tag, notices))
}

/// `ALTER CRAWLER`.
pub(super) async fn alter(context: &Context, name: &Named, clauses: &CrawlerClauses) -> Result<StatementResult> {
    let mut crawler = find(context, name).await?;
    apply(context, &mut crawler, clauses).await?;
    let notices = forced(&mut crawler, clauses);
    context.catalog().update_crawler(&crawler).await.map_err(|error| at(error.into(), name))?;
    Ok(done(CommandTag::Verb("ALTER CRAWLER"), notices))
}

/// `CREATE CLASSIFIER`.
pub(super) async fn create_classifier(
    context: &Context,
    name: &Named,
    if_not_exists: bool,
    or_replace: bool,
    kind: &ClassifierKind,
) -> Result<StatementResult> {
    let tag = CommandTag::Verb("CREATE CLASSIFIER");
    let catalog = context.catalog();
    let classifier = Classifier { name: name.name.clone(), kind: kind.clone(), create_time_ms: 0 };
    classify::check(&classifier)?;
    if or_replace && catalog.classifier(&name.name).await?.is_some() {
        catalog.update_classifier(&classifier).await.map_err(|error| at(error.into(), name))?;
        return Ok(done(tag, vec![]));
    }
    let made = catalog.create_classifier(&classifier, if_not_exists).await;
    let made = made.map_err(|error| at(error.into(), name))?;
    let notices = if made.is_some() { vec![] } else { vec![skipping("classifier", &name.name, "already exists")] };
    Ok(done(tag, notices))
}

/// Puts what was said into a crawler.
async fn apply(context: &Context, crawler: &mut Crawler, clauses: &CrawlerClauses) -> Result<()> {
    if let Some(database) = &clauses.database {
        crawler.database.clone_from(database);
    }
    if let Some(targets) = &clauses.targets {
        crawler.targets = targets.iter().map(checked_target).collect::<Result<_>>()?;
        for connection in targets.iter().filter_map(|target| target.connection.as_ref()) {
            let usable = rights::check_schema(context, &connection.name, Privilege::Usage).await;
            usable.map_err(|error| error.with_position(connection.position))?;
        }
    }
    if let Some(classifiers) = &clauses.classifiers {
        for name in classifiers {
            if context.catalog().classifier(&name.name).await?.is_none() {
                return Err(at(CatalogError::not_found("classifier", &name.name).into(), name));
            }
        }
        crawler.classifiers = classifiers.iter().map(|name| name.name.clone()).collect();
    }
    if let Some(prefix) = &clauses.table_prefix {
        crawler.table_prefix = table_prefix(prefix)?;
    }
    crawler.table_level = clauses.table_level.or(crawler.table_level);
    crawler.grouping = clauses.grouping.unwrap_or(crawler.grouping);
    crawler.update_behavior = clauses.update_behavior.unwrap_or(crawler.update_behavior);
    crawler.delete_behavior = clauses.delete_behavior.unwrap_or(crawler.delete_behavior);
    crawler.recrawl_behavior = clauses.recrawl_behavior.unwrap_or(crawler.recrawl_behavior);
    system::check(crawler, context.snapshot().await?.as_ref())
}

/// A target with its place as a URL.
fn checked_target(target: &TargetClause) -> Result<CrawlerTarget> {
    let placed = |error: Error| error.with_position(target.path.position);
    let exclusions = target.exclusions.iter().map(exclusion).collect::<Result<_>>()?;
    let of_system = system::place(&target.path.name).map_err(placed)?;
    let path = match of_system {
        Some(place) => place.url(),
        None => Location::literal(&target.path.name).map_err(placed)?.url(),
    };
    // Of one table nothing can be left out.
    if let Some(place) = of_system.filter(|place| !place.source.is_empty() && !target.exclusions.is_empty()) {
        let construct = format!("EXCLUDE of a target that names one table of {}", label(place.kind));
        return Err(placed(Error::unsupported(construct)));
    }
    let scans = target.scan_all.is_some() || target.scan_rate_percent.is_some();
    let misplaced = match of_system {
        Some(place) if target.sample_size.is_some() => Some(("SAMPLE", label(place.kind))),
        Some(place) if scans && place.kind != "dynamodb" => Some(("SCAN", label(place.kind))),
        None if target.connection.is_some() => Some(("CONNECTION", "files")),
        None if scans => Some(("SCAN", "files")),
        _ => None,
    };
    if let Some((option, what)) = misplaced {
        return Err(placed(Error::unsupported(format!("{option} of a target in {what}"))));
    }
    Ok(CrawlerTarget {
        path,
        exclusions,
        sample_size: target.sample_size,
        connection: target.connection.as_ref().map(|connection| connection.name.clone()),
        scan_all: target.scan_all,
        scan_rate_percent: target.scan_rate_percent,
    })
}

fn exclusion(pattern: &Named) -> Result<String> {
    tree::check_exclusion(&pattern.name).map_err(|error| error.with_position(pattern.position))?;
    Ok(pattern.name.clone())
}

/// A prefix that stands before every table's name, and so has to be legal in it.
fn table_prefix(prefix: &Named) -> Result<String> {
    let lower = prefix.name.to_lowercase();
    if lower.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Ok(lower);
    }
    let message = format!("table prefix \"{}\" has characters that a table's name cannot have", prefix.name);
    Err(Error::new(ErrorKind::InvalidParameter, message)
        .with_hint("letters, digits and underscores")
        .with_position(prefix.position))
}

/// A crawl of new folders only changes nothing that is known: Glue's other behaviours are LOG then.
fn forced(crawler: &mut Crawler, clauses: &CrawlerClauses) -> Vec<Notice> {
    if crawler.recrawl_behavior != RecrawlBehavior::CrawlNewFoldersOnly {
        return Vec::new();
    }
    let said = clauses.update_behavior.is_some_and(|behavior| behavior != UpdateBehavior::Log)
        || clauses.delete_behavior.is_some_and(|behavior| behavior != DeleteBehavior::Log);
    crawler.update_behavior = UpdateBehavior::Log;
    crawler.delete_behavior = DeleteBehavior::Log;
    let message = "RECRAWL NEW FOLDERS ONLY changes nothing that is known: ON UPDATE and ON DELETE are LOG".to_owned();
    if said { vec![Notice { severity: Severity::Notice, message }] } else { Vec::new() }
}
