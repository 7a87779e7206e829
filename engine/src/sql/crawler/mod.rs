//! `CREATE|ALTER|DROP|START|STOP|EXPLAIN CRAWLER` and `CREATE|DROP CLASSIFIER`: our own statements over the calls of
//! AWS Glue's API of these names, in both dialects.

mod classifier;
mod statement;

pub use statement::*;

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::external_table::once;
use crate::sql::{Show, Statement};
use millrace_catalog::model::{DeleteBehavior, RecrawlBehavior, TableGrouping, UpdateBehavior};

/// The largest `SAMPLE`: Glue's `SampleSize` takes 1 to 249.
const MOST_SAMPLED: u32 = 249;

/// The deepest `TABLE LEVEL`; an object key has at most 1024 bytes, so no folder is deeper than 512.
const DEEPEST_LEVEL: u32 = 512;

/// Whether `CREATE` makes a crawler or classifier.
pub(super) fn creates(cursor: &Cursor) -> bool {
    ["CRAWLER", "CLASSIFIER"]
        .iter()
        .any(|kind| cursor.at(&format!("CREATE {kind}")) || cursor.at(&format!("CREATE OR REPLACE {kind}")))
}

/// `CREATE [OR REPLACE] CRAWLER|CLASSIFIER …`
pub(super) fn create(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("CREATE")?;
    let or_replace = cursor.eat("OR REPLACE");
    let is_crawler = cursor.eat("CRAWLER");
    if !is_crawler {
        cursor.expect("CLASSIFIER")?;
    }
    let if_not_exists = !or_replace && cursor.if_not_exists();
    let name = name(cursor)?;
    if !is_crawler {
        let kind = classifier::kind(cursor)?;
        return Ok(wrap(CrawlerStatement::CreateClassifier { name, if_not_exists, or_replace, kind }));
    }
    let clauses = clauses(cursor)?;
    if clauses.database.is_none() {
        return Err(cursor.syntax_error("DATABASE"));
    }
    if clauses.targets.is_none() {
        return Err(cursor.syntax_error("TARGETS"));
    }
    Ok(wrap(CrawlerStatement::Create { name, if_not_exists, or_replace, clauses }))
}

/// `ALTER CRAWLER name …`
pub(super) fn alter(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("ALTER CRAWLER")?;
    let name = name(cursor)?;
    let clauses = clauses(cursor)?;
    if clauses == CrawlerClauses::default() {
        return Err(cursor.syntax_error("a clause of CREATE CRAWLER"));
    }
    Ok(wrap(CrawlerStatement::Alter { name, clauses }))
}

/// `DROP CRAWLER|CLASSIFIER [IF EXISTS] name`
pub(super) fn drop(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("DROP")?;
    let is_crawler = cursor.eat("CRAWLER");
    if !is_crawler {
        cursor.expect("CLASSIFIER")?;
    }
    let if_exists = cursor.eat("IF EXISTS");
    let name = name(cursor)?;
    Ok(wrap(if is_crawler {
        CrawlerStatement::Drop { name, if_exists }
    } else {
        CrawlerStatement::DropClassifier { name, if_exists }
    }))
}

/// `START CRAWLER name`
pub(super) fn start(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("START CRAWLER")?;
    Ok(wrap(CrawlerStatement::Start(name(cursor)?)))
}

/// `STOP CRAWLER name`
pub(super) fn stop(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("STOP CRAWLER")?;
    Ok(wrap(CrawlerStatement::Stop(name(cursor)?)))
}

/// `EXPLAIN CRAWLER name`
pub(super) fn explain(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("EXPLAIN CRAWLER")?;
    Ok(wrap(CrawlerStatement::Explain(name(cursor)?)))
}

/// What follows `SHOW CRAWLER RUNS`: `[name] [LIMIT n]`
pub(super) fn runs(cursor: &mut Cursor) -> Result<Show> {
    let crawler = if cursor.at_end() || cursor.at("LIMIT") { None } else { Some(cursor.identifier()?) };
    let limit = if cursor.eat("LIMIT") { Some(number(cursor, "a number of runs", 1, u32::MAX)?) } else { None };
    Ok(Show::CrawlerRuns { crawler, limit })
}

fn wrap(statement: CrawlerStatement) -> Statement {
    Statement::Crawler(Box::new(statement))
}

/// A crawler's or classifier's name; they live in no database.
fn name(cursor: &mut Cursor) -> Result<Named> {
    let position = cursor.position();
    Ok(Named { name: cursor.identifier()?, position })
}

fn text(cursor: &mut Cursor) -> Result<Named> {
    let position = cursor.position();
    Ok(Named { name: cursor.string()?, position })
}

/// The clauses, in any order, each once.
fn clauses(cursor: &mut Cursor) -> Result<CrawlerClauses> {
    let mut clauses = CrawlerClauses::default();
    loop {
        if cursor.at("DATABASE") {
            once(cursor, "DATABASE", &mut clauses.database, Cursor::database_name)?;
        } else if cursor.at("TARGETS") {
            once(cursor, "TARGETS", &mut clauses.targets, |cursor| cursor.list(target))?;
        } else if cursor.at("CLASSIFIERS") {
            once(cursor, "CLASSIFIERS", &mut clauses.classifiers, |cursor| cursor.list(name))?;
        } else if cursor.at("TABLE PREFIX") {
            once(cursor, "TABLE PREFIX", &mut clauses.table_prefix, text)?;
        } else if cursor.at("TABLE LEVEL") {
            once(cursor, "TABLE LEVEL", &mut clauses.table_level, |cursor| {
                number(cursor, "a level of folders", 1, DEEPEST_LEVEL)
            })?;
        } else if cursor.at("GROUPING") {
            once(cursor, "GROUPING", &mut clauses.grouping, grouping)?;
        } else if cursor.at("ON UPDATE") {
            once(cursor, "ON UPDATE", &mut clauses.update_behavior, update_behavior)?;
        } else if cursor.at("ON DELETE") {
            once(cursor, "ON DELETE", &mut clauses.delete_behavior, delete_behavior)?;
        } else if cursor.at("RECRAWL") {
            once(cursor, "RECRAWL", &mut clauses.recrawl_behavior, recrawl_behavior)?;
        } else if cursor.at("SCHEDULE") {
            return Err(cursor.unsupported("SCHEDULE of a crawler"));
        } else if cursor.at_end() {
            return Ok(clauses);
        } else {
            return Err(cursor.syntax_error("a clause of a crawler"));
        }
    }
}

fn target(cursor: &mut Cursor) -> Result<TargetClause> {
    for system in ["JDBC", "DELTA", "ICEBERG", "HUDI", "MONGODB", "CATALOG"] {
        if cursor.at(system) {
            return Err(cursor.unsupported(&format!("a crawler's target in {system}")));
        }
    }
    let path = text(cursor)?;
    let (mut exclusions, mut sample_size) = (None, None);
    let (mut connection, mut scan_all, mut scan_rate_percent) = (None, None, None);
    loop {
        if cursor.at("EXCLUDE") {
            once(cursor, "EXCLUDE", &mut exclusions, |cursor| cursor.list(text))?;
        } else if cursor.at("SAMPLE") {
            once(cursor, "SAMPLE", &mut sample_size, |cursor| number(cursor, "a number of files", 1, MOST_SAMPLED))?;
        } else if cursor.at("CONNECTION") {
            once(cursor, "CONNECTION", &mut connection, name)?;
        } else if cursor.at("SCAN ALL") {
            once(cursor, "SCAN ALL", &mut scan_all, |cursor| choice(cursor, &[("TRUE", true), ("FALSE", false)]))?;
        } else if cursor.at("SCAN RATE") {
            once(cursor, "SCAN RATE", &mut scan_rate_percent, scan_rate)?;
        } else {
            let exclusions = exclusions.unwrap_or_default();
            return Ok(TargetClause { path, exclusions, sample_size, connection, scan_all, scan_rate_percent });
        }
    }
}

/// A part of a table's read capacity, as percent.
fn scan_rate(cursor: &mut Cursor) -> Result<u32> {
    let position = cursor.position();
    let text = cursor.optional_number().ok_or_else(|| cursor.syntax_error("a part of the read capacity"))?;
    let rate = text.parse::<f64>().ok().filter(|rate| (0.1..=1.5).contains(rate));
    rate.map(|rate| (rate * 100.0).round() as u32).ok_or_else(|| {
        let message = format!("\"{text}\" is not a part of the read capacity: it must be between 0.1 and 1.5");
        Error::new(ErrorKind::InvalidParameter, message).with_position(position)
    })
}

/// A whole number within bounds.
fn number(cursor: &mut Cursor, what: &str, least: u32, most: u32) -> Result<u32> {
    let position = cursor.position();
    let text = cursor.optional_number().ok_or_else(|| cursor.syntax_error(what))?;
    text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        let message = format!("\"{text}\" is not {what}: it must be between {least} and {most}");
        Error::new(ErrorKind::InvalidParameter, message).with_position(position)
    })
}

fn grouping(cursor: &mut Cursor) -> Result<TableGrouping> {
    choice(
        cursor,
        &[
            ("COMBINE COMPATIBLE SCHEMAS", TableGrouping::CombineCompatibleSchemas),
            ("SIMILAR SCHEMAS", TableGrouping::SimilarSchemas),
        ],
    )
}

fn update_behavior(cursor: &mut Cursor) -> Result<UpdateBehavior> {
    choice(
        cursor,
        &[
            ("UPDATE IN DATABASE", UpdateBehavior::UpdateInDatabase),
            ("LOG", UpdateBehavior::Log),
            ("ADD NEW COLUMNS ONLY", UpdateBehavior::AddNewColumnsOnly),
        ],
    )
}

fn delete_behavior(cursor: &mut Cursor) -> Result<DeleteBehavior> {
    choice(
        cursor,
        &[
            ("DEPRECATE IN DATABASE", DeleteBehavior::DeprecateInDatabase),
            ("DEPRECATE", DeleteBehavior::DeprecateInDatabase),
            ("DELETE FROM DATABASE", DeleteBehavior::DeleteFromDatabase),
            ("DELETE", DeleteBehavior::DeleteFromDatabase),
            ("LOG", DeleteBehavior::Log),
        ],
    )
}

fn recrawl_behavior(cursor: &mut Cursor) -> Result<RecrawlBehavior> {
    choice(
        cursor,
        &[("EVERYTHING", RecrawlBehavior::CrawlEverything), ("NEW FOLDERS ONLY", RecrawlBehavior::CrawlNewFoldersOnly)],
    )
}

/// One of several phrases; the longer stands before the shorter that it begins with.
fn choice<T: Copy>(cursor: &mut Cursor, choices: &[(&str, T)]) -> Result<T> {
    let found = choices.iter().find(|(words, _)| cursor.eat(words));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(words, _)| *words).collect();
        cursor.syntax_error(&words.join(" or "))
    })
}
