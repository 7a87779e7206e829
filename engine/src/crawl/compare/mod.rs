//! What was found beside what the catalog has: the changes, under the crawler's policies. Pure: reads and writes
//! nothing.
//!
//! A found table is the catalog's table at the same place, or else the one of its name that this crawler made
//! elsewhere. Only tables that a crawler made are changed; any other at the place is told. New tables and new
//! partitions are made under every policy, as Glue does; the policies are about what is there already.

mod difference;
mod places;
mod sources;
mod table;

pub(crate) use difference::same_format;
use difference::{DEPRECATED_BY, UPDATED_BY};
pub(crate) use places::{Places, is_within, plain};

use crate::crawl::{FoundPartition, FoundTable};
use crate::federated::Place;
use difference::sign;
use millrace_catalog::model::{
    CrawlMessage, CrawlMetrics, CrawledPartition, Crawler, Database, DeleteBehavior, Partition, RecrawlBehavior, Table,
    TableChange, TableKind, UpdateBehavior,
};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A table of the crawler's database with its partitions.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) table: Arc<Table>,
    pub(crate) partitions: Vec<Partition>,
}

impl Known {
    fn location(&self) -> &str {
        plain(self.table.storage.location.as_deref().unwrap_or_default())
    }

    fn crawler(&self) -> Option<&str> {
        self.table.parameters.get(UPDATED_BY).map(String::as_str)
    }
}

/// What is compared with.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) crawler: &'a Crawler,
    /// Milliseconds since the epoch, UTC.
    pub(crate) now_ms: i64,
    /// The database is made when it is not there.
    pub(crate) database_exists: bool,
    /// The external tables in and around the targets.
    pub(crate) known: &'a [Known],
    /// All names of the database.
    pub(crate) taken: HashSet<String>,
    /// What was seen.
    pub(crate) places: &'a Places,
}

/// What happened to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Created,
    Updated,
    Deprecated,
    Deleted,
    Unchanged,
    Logged,
}

impl Action {
    /// As it is shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Updated => "UPDATED",
            Self::Deprecated => "DEPRECATED",
            Self::Deleted => "DELETED",
            Self::Unchanged => "UNCHANGED",
            Self::Logged => "LOGGED",
        }
    }
}

/// One table of a crawl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) action: Action,
    /// The table's name.
    pub(crate) table: String,
    /// Its location.
    pub(crate) place: String,
    /// What changes about partitions, by location: `new`, `changed`, `gone`.
    pub(crate) partitions: HashMap<String, &'static str>,
    /// How many partitions are new.
    pub(crate) partitions_added: u64,
    /// What changed and what was left alone, in words.
    pub(crate) note: String,
}

/// What a crawl changes and tells.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) changes: Vec<TableChange>,
    /// The tables, by name.
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) messages: Vec<CrawlMessage>,
    /// The counts of tables and partitions.
    pub(crate) metrics: CrawlMetrics,
}

/// The policies that hold: a crawl of new folders only changes nothing that is known, as Glue has it.
pub(crate) fn policies(crawler: &Crawler) -> (UpdateBehavior, DeleteBehavior) {
    match crawler.recrawl_behavior {
        RecrawlBehavior::CrawlEverything => (crawler.update_behavior, crawler.delete_behavior),
        RecrawlBehavior::CrawlNewFoldersOnly => (UpdateBehavior::Log, DeleteBehavior::Log),
    }
}

/// Compares. `additions` are new partitions of known tables, by the tables' ids.
pub(crate) fn compare(
    found: Vec<FoundTable>,
    additions: Vec<(i64, Vec<FoundPartition>)>,
    situation: Situation<'_>,
) -> Comparison {
    let mut comparison = Comparison::default();
    if !situation.database_exists {
        let database = Database { create_time_ms: situation.now_ms, ..Database::new(&situation.crawler.database) };
        comparison.tell(false, format!("database \"{}\" did not exist and was made", database.name));
        comparison.changes.push(TableChange::CreateDatabase(database));
    }
    let mut comparing = Comparing { matched: HashSet::new(), taken: situation.taken.clone(), situation, comparison };
    comparing.run(found, additions);
    let mut comparison = comparing.comparison;
    comparison.outcomes.sort_by(|a, b| a.table.cmp(&b.table));
    comparison
}

impl Comparison {
    fn tell(&mut self, warning: bool, text: impl Into<String>) {
        self.messages.push(CrawlMessage { warning, text: text.into() });
    }
}

/// A comparison on its way.
struct Comparing<'a> {
    situation: Situation<'a>,
    /// Known tables that were found.
    matched: HashSet<usize>,
    taken: HashSet<String>,
    comparison: Comparison,
}

impl Comparing<'_> {
    fn run(&mut self, found: Vec<FoundTable>, additions: Vec<(i64, Vec<FoundPartition>)>) {
        let places: HashSet<String> = found.iter().map(|table| location(table).to_owned()).collect();
        let mut seen = HashSet::new();
        for table in found {
            if !seen.insert(location(&table).to_owned()) {
                continue;
            }
            for note in &table.notes {
                self.comparison.tell(true, format!("{}: {note}", location(&table)));
            }
            match self.known_at(&table, &places) {
                Some(index) => {
                    self.matched.insert(index);
                    self.compare_with(index, table);
                }
                None => self.create(table),
            }
        }
        for (id, partitions) in additions {
            if let Some(index) = self.situation.known.iter().position(|known| known.table.id == id) {
                self.matched.insert(index);
                self.add(index, partitions);
            }
        }
        for index in 0..self.situation.known.len() {
            if !self.matched.contains(&index) {
                self.missing(index);
            }
        }
    }

    /// The known table that a found one is.
    fn known_at(&self, found: &FoundTable, places: &HashSet<String>) -> Option<usize> {
        let known = self.situation.known;
        let own = |table: &Known| table.crawler() == Some(self.situation.crawler.name.as_str());
        let free = |index: &usize| !self.matched.contains(index);
        let here = || (0..known.len()).filter(free).filter(|index| known[*index].location() == location(found));
        let by_place = here()
            .find(|index| own(&known[*index]))
            .or_else(|| here().find(|index| known[*index].crawler().is_some()))
            .or_else(|| here().next());
        by_place.or_else(|| {
            (0..known.len()).filter(free).find(|index| {
                let table = &known[*index];
                table.table.name == found.name && own(table) && !places.contains(table.location())
            })
        })
    }

    /// A table that is new.
    fn create(&mut self, found: FoundTable) {
        let name = self.free_name(&found);
        let mut note = Vec::new();
        if name != found.name {
            note.push(format!("the name \"{}\" is taken", found.name));
            let text = format!("{}: the name \"{}\" is taken; the table is \"{name}\"", location(&found), found.name);
            self.comparison.tell(true, text);
        }
        self.taken.insert(name.clone());
        let mut table = Table {
            id: 0,
            database: self.situation.crawler.database.clone(),
            name: name.clone(),
            version: 0,
            kind: TableKind::ExternalTable,
            description: None,
            owner: None,
            storage: found.storage.clone(),
            partition_keys: found.partition_keys.clone(),
            parameters: found.parameters.clone(),
            create_time_ms: self.situation.now_ms,
            update_time_ms: self.situation.now_ms,
        };
        sign(&mut table.parameters, &self.situation.crawler.name);
        let added = found.partitions.len() as u64;
        self.comparison.metrics.tables_created += 1;
        self.comparison.metrics.partitions_created += added;
        self.comparison.outcomes.push(Outcome {
            action: Action::Created,
            table: name,
            place: location(&found).to_owned(),
            partitions: found
                .partitions
                .iter()
                .map(|part| (plain(&part.partition.location).to_owned(), "new"))
                .collect(),
            partitions_added: added,
            note: note.join("; "),
        });
        self.comparison.changes.push(TableChange::Create {
            table,
            partitions: found.partitions.into_iter().map(|part| self.stamped(part)).collect(),
            statistics: found.statistics,
        });
    }

    /// A name that nothing has; Glue puts a suffix behind one that is taken.
    fn free_name(&self, found: &FoundTable) -> String {
        let mut name = found.name.clone();
        let mut suffix = 1;
        while self.taken.contains(&name) {
            suffix += 1;
            name = format!("{}_{suffix}", found.name);
        }
        name
    }

    fn stamped(&self, found: FoundPartition) -> CrawledPartition {
        let mut partition = found.partition;
        if partition.create_time_ms == 0 {
            partition.create_time_ms = self.situation.now_ms;
        }
        CrawledPartition { partition, statistics: found.statistics }
    }

    /// A known table that was not found.
    fn missing(&mut self, index: usize) {
        let known = &self.situation.known[index];
        if known.crawler() != Some(self.situation.crawler.name.as_str())
            || !self.situation.places.covers(known.location())
        {
            return;
        }
        let (_, behavior) = policies(self.situation.crawler);
        let only_new = self.situation.crawler.recrawl_behavior == RecrawlBehavior::CrawlNewFoldersOnly;
        let gone = self.situation.places.is_gone(known.location());
        let deprecated = known.table.parameters.contains_key(DEPRECATED_BY);
        let table = Table::clone(&known.table);
        let mut change = None;
        let is_gone = gone_words(known.location());
        let (action, note) = if !gone && only_new {
            (Action::Unchanged, "")
        } else if !gone {
            (Action::Logged, "its files are no table any more: they are part of another, or could not be read")
        } else if behavior == DeleteBehavior::DeleteFromDatabase {
            change = Some(TableChange::Drop { table });
            (Action::Deleted, is_gone)
        } else if behavior == DeleteBehavior::Log {
            (Action::Logged, is_gone)
        } else if deprecated {
            (Action::Unchanged, is_gone)
        } else {
            let mut table = table;
            table.parameters.insert(DEPRECATED_BY.to_owned(), self.situation.now_ms.to_string());
            table.update_time_ms = self.situation.now_ms;
            change = Some(TableChange::Update { table, statistics: None });
            (Action::Deprecated, is_gone)
        };
        let (name, place) = (known.table.name.clone(), known.location().to_owned());
        if action == Action::Logged {
            self.comparison.tell(true, format!("table \"{name}\" at {place}: {note}"));
        }
        self.comparison.metrics.tables_deleted += u64::from(change.is_some());
        self.comparison.changes.extend(change);
        self.comparison.outcomes.push(Outcome {
            action,
            table: name,
            place,
            partitions: HashMap::new(),
            partitions_added: 0,
            note: note.to_owned(),
        });
    }
}

/// What is said of a table of which nothing is left at its place.
fn gone_words(location: &str) -> &'static str {
    if Place::of(location).is_some() { "its system has it no more" } else { "its files are gone" }
}

fn location(found: &FoundTable) -> &str {
    plain(found.storage.location.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests;
