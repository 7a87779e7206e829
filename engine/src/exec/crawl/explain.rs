//! `EXPLAIN CRAWLER`: what a run would find, why, and what it would change; nothing is changed or recorded.

use super::find;
use crate::crawl::FoundTable;
use crate::crawl::compare::{Action, Outcome, is_within, plain};
use crate::crawl::run::{self, CrawlProgress, Discovery, Explained};
use crate::error::Result;
use crate::exec::rows;
use crate::lake::write;
use crate::result::{Progress, StatementResult};
use crate::session::Context;
use crate::sql::Named;
use std::collections::HashMap;
use std::sync::Arc;

type Row = [Option<String>; 6];

/// Executes `EXPLAIN CRAWLER`.
pub(super) async fn execute(context: &Context, name: &Named) -> Result<StatementResult> {
    let crawler = find(context, name).await?;
    let progress = Arc::new(CrawlProgress::default());
    let watched: Arc<dyn Progress> = Arc::clone(&progress) as _;
    context.progress().set(&watched);
    let Explained { discovery, comparison } = run::explain(context.warehouse(), &crawler, &progress).await?;
    let mut outcomes: HashMap<&str, &Outcome> =
        comparison.outcomes.iter().map(|outcome| (outcome.place.as_str(), outcome)).collect();
    let mut shown: Vec<Row> = Vec::new();
    for table in &discovery.tables {
        let place = plain(table.storage.location.as_deref().unwrap_or_default());
        let outcome = outcomes.remove(place);
        shown.push(table_row(table, place, outcome, &discovery));
        shown.extend(partition_rows(table, outcome));
    }
    // What is left was not found: tables whose files are gone, and known ones with new partitions.
    let mut rest: Vec<&Outcome> = outcomes.into_values().collect();
    rest.sort_by(|a, b| a.place.cmp(&b.place));
    for outcome in rest {
        let what = format!("table {}", outcome.table);
        let note = Some(outcome.note.clone()).filter(|note| !note.is_empty());
        shown.push([Some(outcome.place.clone()), Some(what), None, None, note, Some(change(outcome.action))]);
        let mut partitions: Vec<(&String, &&str)> = outcome.partitions.iter().collect();
        partitions.sort_unstable();
        shown.extend(partitions.into_iter().map(|(place, change)| {
            [Some(place.clone()), Some("partition".to_owned()), None, None, None, Some((*change).to_owned())]
        }));
    }
    shown.extend(discovery.skipped.iter().map(|skipped| {
        [Some(skipped.url.clone()), Some("skipped".to_owned()), None, None, Some(skipped.reason.clone()), None]
    }));
    rows::optional("EXPLAIN", &["place", "what", "classifier", "certainty", "reason", "change"], shown)
}

fn change(action: Action) -> String {
    match action {
        Action::Created => "create",
        Action::Updated => "update",
        Action::Deprecated => "deprecate",
        Action::Deleted => "delete",
        Action::Unchanged => "none",
        Action::Logged => "log",
    }
    .to_owned()
}

fn table_row(table: &FoundTable, place: &str, outcome: Option<&Outcome>, discovery: &Discovery) -> Row {
    let name = outcome.map_or(table.name.as_str(), |outcome| outcome.table.as_str());
    let keys: Vec<String> = table.partition_keys.iter().map(|key| format!("{} {}", key.name, key.data_type)).collect();
    let what = if keys.is_empty() { format!("table {name}") } else { format!("table {name} by ({})", keys.join(", ")) };
    // The least sure of its files speaks for the table.
    let least = discovery
        .recognized
        .iter()
        .filter(|(url, _)| is_within(url, place))
        .map(|(_, recognized)| recognized)
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let change = outcome.map(|outcome| match outcome.note.as_str() {
        "" => change(outcome.action),
        note => format!("{}: {note}", change(outcome.action)),
    });
    [
        Some(place.to_owned()),
        Some(what),
        least.map(|(classifier, _)| classifier.clone()),
        least.map(|(_, certainty)| format!("{certainty:.2}")),
        Some(table.reasons.join("; ")).filter(|reasons| !reasons.is_empty()),
        change,
    ]
}

fn partition_rows(table: &FoundTable, outcome: Option<&Outcome>) -> Vec<Row> {
    let keys: Vec<&str> = table.partition_keys.iter().map(|key| key.name.as_str()).collect();
    let row = |partition: &millrace_catalog::model::Partition| {
        let place = plain(&partition.location).to_owned();
        let change = outcome.and_then(|outcome| outcome.partitions.get(&place)).copied().unwrap_or("none");
        let change = if change == "new" { "create" } else { change };
        let reason = partition.storage.as_ref().map(|_| "its columns or format differ from the table's".to_owned());
        let what = format!("partition {}", write::partition_path(&keys, &partition.values));
        [Some(place), Some(what), None, None, reason, Some(change.to_owned())]
    };
    table.partitions.iter().map(|found| row(&found.partition)).collect()
}
