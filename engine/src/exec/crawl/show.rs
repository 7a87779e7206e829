//! `SHOW CRAWLERS`, `SHOW CRAWLER RUNS`, `SHOW CLASSIFIERS`.

use crate::error::Result;
use crate::exec::rows;
use crate::result::StatementResult;
use crate::session::Context;
use chrono::{DateTime, SecondsFormat};
use millrace_catalog::CatalogError;
use millrace_catalog::model::{Classifier, ClassifierKind, Crawl, CrawlStatus, Crawler, CsvHeader};

/// How many runs are shown unless told otherwise.
const RUNS: u32 = 20;

/// `SHOW CRAWLERS`.
pub(crate) async fn show_crawlers(context: &Context, matches: impl Fn(&str) -> bool) -> Result<StatementResult> {
    let catalog = context.catalog();
    let mut shown = Vec::new();
    for crawler in catalog.crawlers().await?.into_iter().filter(|crawler| matches(&crawler.name)) {
        let state = catalog.crawler_state(&crawler.name).await?;
        let last = catalog.last_crawl(&crawler.name).await?;
        let targets: Vec<&str> = crawler.targets.iter().map(|target| target.path.as_str()).collect();
        shown.push([
            Some(crawler.name.clone()),
            Some(state.name().to_owned()),
            Some(crawler.database.clone()),
            Some(targets.join(", ")),
            Some(crawler.classifiers.join(", ")).filter(|names| !names.is_empty()),
            Some(policies(&crawler)),
            last.as_ref().map(|crawl| crawl.status.name().to_owned()),
            last.as_ref().map(|crawl| time(crawl.start_time_ms)),
        ]);
    }
    let columns = ["name", "state", "database", "targets", "classifiers", "policies", "last_crawl", "last_crawl_start"];
    rows::optional("SHOW", &columns, shown)
}

/// What a crawler does but for the defaults, in the statement's words.
fn policies(crawler: &Crawler) -> String {
    use millrace_catalog::model::{DeleteBehavior, RecrawlBehavior, TableGrouping, UpdateBehavior};
    let mut words = vec![
        match crawler.update_behavior {
            UpdateBehavior::UpdateInDatabase => "ON UPDATE UPDATE IN DATABASE",
            UpdateBehavior::Log => "ON UPDATE LOG",
            UpdateBehavior::AddNewColumnsOnly => "ON UPDATE ADD NEW COLUMNS ONLY",
        }
        .to_owned(),
        match crawler.delete_behavior {
            DeleteBehavior::DeprecateInDatabase => "ON DELETE DEPRECATE",
            DeleteBehavior::DeleteFromDatabase => "ON DELETE DELETE",
            DeleteBehavior::Log => "ON DELETE LOG",
        }
        .to_owned(),
    ];
    if crawler.recrawl_behavior == RecrawlBehavior::CrawlNewFoldersOnly {
        words.push("RECRAWL NEW FOLDERS ONLY".to_owned());
    }
    if crawler.grouping == TableGrouping::CombineCompatibleSchemas {
        words.push("GROUPING COMBINE COMPATIBLE SCHEMAS".to_owned());
    }
    if !crawler.table_prefix.is_empty() {
        words.push(format!("TABLE PREFIX '{}'", crawler.table_prefix));
    }
    words.extend(crawler.table_level.map(|level| format!("TABLE LEVEL {level}")));
    words.join(" ")
}

/// `SHOW CRAWLER RUNS`: the newest first.
pub(crate) async fn show_runs(context: &Context, crawler: Option<&str>, limit: Option<u32>) -> Result<StatementResult> {
    if let Some(name) = crawler
        && context.catalog().crawler(name).await?.is_none()
    {
        return Err(CatalogError::not_found("crawler", name).into());
    }
    let crawls = context.catalog().crawls(crawler, limit.unwrap_or(RUNS) as usize).await?;
    let columns = [
        "crawler",
        "id",
        "state",
        "start_time",
        "end_time",
        "tables_created",
        "tables_updated",
        "tables_deleted",
        "partitions_created",
        "partitions_updated",
        "partitions_deleted",
        "files_listed",
        "files_read",
        "files_skipped",
        "message",
    ];
    rows::optional("SHOW", &columns, crawls.iter().map(run))
}

fn run(crawl: &Crawl) -> [Option<String>; 15] {
    let metrics = &crawl.metrics;
    let count = |count: u64| (crawl.status == CrawlStatus::Succeeded).then(|| count.to_string());
    let messages: Vec<&str> =
        crawl.error_message.iter().map(String::as_str).chain(crawl.messages.iter().map(|m| m.text.as_str())).collect();
    [
        Some(crawl.crawler.clone()),
        Some(crawl.id.to_string()),
        Some(crawl.status.name().to_owned()),
        Some(time(crawl.start_time_ms)),
        crawl.end_time_ms.map(time),
        count(metrics.tables_created),
        count(metrics.tables_updated),
        count(metrics.tables_deleted),
        count(metrics.partitions_created),
        count(metrics.partitions_updated),
        count(metrics.partitions_deleted),
        count(metrics.files_listed),
        count(metrics.files_read),
        count(metrics.files_skipped),
        Some(messages.join("\n")).filter(|text| !text.is_empty()),
    ]
}

/// `SHOW CLASSIFIERS`: the name, the kind, the definition in the words of `CREATE CLASSIFIER`.
pub(crate) async fn show_classifiers(context: &Context, matches: impl Fn(&str) -> bool) -> Result<StatementResult> {
    let classifiers = context.catalog().classifiers().await?.into_iter().filter(|known| matches(&known.name));
    let shown = classifiers.map(|classifier| {
        let (kind, definition) = definition(&classifier);
        [classifier.name, kind.to_owned(), definition]
    });
    rows::text("SHOW", &["name", "kind", "definition"], shown)
}

fn definition(classifier: &Classifier) -> (&'static str, String) {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match &classifier.kind {
        ClassifierKind::Grok { classification, pattern, custom_patterns } => {
            let custom = custom_patterns.iter().map(|custom| format!(" CUSTOM PATTERNS {}", quoted(custom)));
            let of = format!("CLASSIFICATION {} PATTERN {}", quoted(classification), quoted(pattern));
            ("GROK", of + &custom.collect::<String>())
        }
        ClassifierKind::Json { path } => ("JSON", format!("PATH {}", quoted(path))),
        ClassifierKind::Csv { delimiter, quote, header, columns, types, keep_blanks, allow_single_column } => {
            let mut words = Vec::new();
            words.extend(delimiter.map(|c| format!("DELIMITER {}", quoted(&c.escape_default().to_string()))));
            words.extend(quote.map(|c| format!("QUOTE {}", quoted(&c.to_string()))));
            let header = match header {
                CsvHeader::Unknown => "UNKNOWN",
                CsvHeader::Present => "PRESENT",
                CsvHeader::Absent => "ABSENT",
            };
            words.push(format!("HEADER {header}"));
            if !columns.is_empty() {
                let types = types.iter().map(Some).chain(std::iter::repeat(None));
                let column =
                    |(name, of): (&String, Option<&String>)| of.map_or(name.clone(), |of| format!("{name} {of}"));
                let columns: Vec<String> = columns.iter().zip(types).map(column).collect();
                words.push(format!("COLUMNS ({})", columns.join(", ")));
            }
            words.extend(keep_blanks.then(|| "KEEP BLANKS".to_owned()));
            words.extend(allow_single_column.then(|| "ALLOW SINGLE COLUMN".to_owned()));
            ("CSV", words.join(" "))
        }
    }
}

/// A time as `2026-01-31T10:00:00Z`.
fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}
