//! A known table that was found again: its columns, format and partitions.

use super::difference::{
    DEPRECATED_BY, Difference, UPDATED_BY, canonical, counted, extended, replaced, same_partition, sign,
};
use super::{Action, Comparing, Outcome, plain, policies, sources};
use crate::crawl::{FoundPartition, FoundTable};
use crate::federated::Place;
use millrace_catalog::model::{
    CrawledPartition, DeleteBehavior, Partition, Table, TableChange, TableStatistics, UpdateBehavior,
};
use std::collections::{HashMap, HashSet};

/// What differs about a table's partitions.
#[derive(Default)]
struct Partitions {
    added: Vec<FoundPartition>,
    changed: Vec<FoundPartition>,
    gone: Vec<Partition>,
}

impl Comparing<'_> {
    /// What was found at a known table's place.
    pub(super) fn compare_with(&mut self, index: usize, found: FoundTable) {
        let known = &self.situation.known[index];
        let table = Table::clone(&known.table);
        if known.crawler().is_none() {
            let note = "it was not made by a crawler and is left alone";
            self.comparison.tell(true, format!("table \"{}\" at {}: {note}", table.name, known.location()));
            self.outcome(index, Action::Logged, HashMap::new(), 0, &[note.to_owned()]);
            return;
        }
        let mut found = sources::under_known_names(&table, found);
        let difference = Difference::between(&table, &found);
        let (update, _) = policies(self.situation.crawler);
        if difference.keys.is_some() {
            self.compare_keys(index, &table, found, &difference);
            return;
        }
        let partitions = self.partitions(index, std::mem::take(&mut found.partitions));
        let mut note = Vec::new();
        let mut applied = false;
        let mut changed = table.clone();
        let schema = difference.schema.join(", ");
        match update {
            UpdateBehavior::UpdateInDatabase => {
                changed = replaced(&table, &found);
                applied = !difference.schema.is_empty() || difference.counts;
                note.extend((!schema.is_empty()).then_some(schema));
            }
            UpdateBehavior::AddNewColumnsOnly => {
                changed = extended(changed, &found, &difference.new_columns);
                applied = !difference.new_columns.is_empty() || difference.counts && difference.only_additions();
                if difference.only_additions() {
                    changed = counted(changed, &found);
                    note.extend((!schema.is_empty()).then_some(schema));
                } else if applied {
                    note.push(format!("new columns only were added of: {schema}"));
                } else {
                    note.push(format!("left alone: {schema}"));
                }
            }
            UpdateBehavior::Log => note.extend((!schema.is_empty()).then(|| format!("left alone: {schema}"))),
        }
        let left = !difference.schema.is_empty()
            && match update {
                UpdateBehavior::UpdateInDatabase => false,
                UpdateBehavior::AddNewColumnsOnly => !difference.only_additions(),
                UpdateBehavior::Log => true,
            };
        if difference.revived {
            changed.parameters.remove(DEPRECATED_BY);
            applied = true;
            let of_system = Place::of_table(&table).is_some();
            note.push(if of_system { "its system has it again" } else { "its files are back" }.to_owned());
        }
        let (parts, added, of_partitions) = self.partition_changes(&table, partitions, &mut note);
        let changes_partitions = !of_partitions.is_empty();
        self.comparison.changes.extend(of_partitions);
        if applied {
            self.update(changed, found.statistics.take());
        }
        if left {
            let text = format!("table \"{}\" at {}: {}", table.name, super::location(&found), note.join("; "));
            self.comparison.tell(true, text);
        }
        let action = match (applied || changes_partitions, left) {
            (true, _) => Action::Updated,
            (false, false) if note.is_empty() => Action::Unchanged,
            (false, _) => Action::Logged,
        };
        self.comparison.metrics.tables_updated += u64::from(action == Action::Updated);
        self.outcome(index, action, parts, added, &note);
    }

    /// New partitions of a known table that was not looked at otherwise.
    pub(super) fn add(&mut self, index: usize, partitions: Vec<FoundPartition>) {
        let table = Table::clone(&self.situation.known[index].table);
        let mut note = Vec::new();
        let partitions = Partitions { added: partitions, ..Partitions::default() };
        let (parts, added, changes) = self.partition_changes(&table, partitions, &mut note);
        self.comparison.changes.extend(changes);
        let action = if added > 0 { Action::Updated } else { Action::Unchanged };
        self.comparison.metrics.tables_updated += u64::from(added > 0);
        self.outcome(index, action, parts, added, &note);
    }

    /// Other keys are other partitions: all of them are made anew, or nothing changes.
    fn compare_keys(&mut self, index: usize, table: &Table, found: FoundTable, difference: &Difference) {
        let mut note: Vec<String> = difference.keys.iter().chain(&difference.schema).cloned().collect();
        if policies(self.situation.crawler).0 != UpdateBehavior::UpdateInDatabase {
            note.insert(0, "left alone".to_owned());
            let text = format!("table \"{}\" at {}: {}", table.name, super::location(&found), note.join("; "));
            self.comparison.tell(true, text);
            self.outcome(index, Action::Logged, HashMap::new(), 0, &note);
            return;
        }
        let mut changed = replaced(table, &found);
        self.sign(&mut changed);
        let dropped = self.situation.known[index].partitions.len() as u64;
        let added = found.partitions.len() as u64;
        let parts = found.partitions.iter().map(|part| (plain(&part.partition.location).to_owned(), "new")).collect();
        let partitions = found.partitions.into_iter().map(|part| self.stamped(part)).collect();
        self.comparison.changes.push(TableChange::Replace { table: changed, partitions, statistics: found.statistics });
        let metrics = &mut self.comparison.metrics;
        metrics.tables_updated += 1;
        metrics.partitions_created += added;
        metrics.partitions_deleted += dropped;
        self.outcome(index, Action::Updated, parts, added, &note);
    }

    /// Sorts found partitions by what the table has.
    fn partitions(&self, index: usize, found: Vec<FoundPartition>) -> Partitions {
        let known = &self.situation.known[index];
        let keys = &known.table.partition_keys;
        let by_values: HashMap<Vec<String>, &Partition> =
            known.partitions.iter().map(|partition| (canonical(keys, &partition.values), partition)).collect();
        let mut partitions = Partitions::default();
        let mut seen = HashSet::new();
        for mut part in found {
            let values = canonical(keys, &part.partition.values);
            match by_values.get(&values) {
                None => partitions.added.push(part),
                Some(partition) => {
                    // The values stay as they are written in the catalog: they are the partition's name.
                    part.partition.values.clone_from(&partition.values);
                    part.partition.create_time_ms = partition.create_time_ms;
                    if !same_partition(partition, &part.partition) {
                        let mut parameters = partition.parameters.clone();
                        parameters.extend(std::mem::take(&mut part.partition.parameters));
                        parameters.remove(DEPRECATED_BY);
                        part.partition.parameters = parameters;
                        partitions.changed.push(part);
                    }
                }
            }
            seen.insert(values);
        }
        let gone = known.partitions.iter().filter(|partition| {
            !seen.contains(&canonical(keys, &partition.values)) && self.situation.places.is_gone(&partition.location)
        });
        partitions.gone = gone.cloned().collect();
        partitions
    }

    /// The changes of a table's partitions under the policies, counted and noted.
    fn partition_changes(
        &mut self,
        table: &Table,
        partitions: Partitions,
        note: &mut Vec<String>,
    ) -> (HashMap<String, &'static str>, u64, Vec<TableChange>) {
        let (update, delete) = policies(self.situation.crawler);
        let Partitions { added, changed, mut gone } = partitions;
        let mut shown: HashMap<String, &'static str> = HashMap::new();
        let place = |partition: &Partition| plain(&partition.location).to_owned();
        shown.extend(added.iter().map(|part| (place(&part.partition), "new")));
        shown.extend(changed.iter().map(|part| (place(&part.partition), "changed")));
        shown.extend(gone.iter().map(|partition| (place(partition), "gone")));
        let mut changes = Vec::new();
        let count = added.len() as u64;
        if !added.is_empty() {
            let partitions = added.into_iter().map(|part| self.stamped(part)).collect();
            changes.push(TableChange::AddPartitions { table: table.clone(), partitions });
            self.comparison.metrics.partitions_created += count;
        }
        let mut replacing: Vec<CrawledPartition> = Vec::new();
        if !changed.is_empty() {
            let apply = update == UpdateBehavior::UpdateInDatabase;
            note.push(format!(
                "{} {}",
                counted_partitions(changed.len()),
                if apply { "changed" } else { "left alone" }
            ));
            if apply {
                replacing.extend(changed.into_iter().map(|part| self.stamped(part)));
            } else {
                self.left_alone(table, note);
            }
        }
        if delete == DeleteBehavior::DeprecateInDatabase {
            gone.retain(|partition| !partition.parameters.contains_key(DEPRECATED_BY));
        }
        if !gone.is_empty() {
            let verb = match delete {
                DeleteBehavior::DeprecateInDatabase => "deprecated",
                DeleteBehavior::DeleteFromDatabase => "deleted",
                DeleteBehavior::Log => "left alone: the files are gone",
            };
            note.push(format!("{} {verb}", counted_partitions(gone.len())));
            match delete {
                DeleteBehavior::DeleteFromDatabase => {
                    self.comparison.metrics.partitions_deleted += gone.len() as u64;
                    let values = gone.into_iter().map(|partition| partition.values).collect();
                    changes.push(TableChange::DropPartitions { table: table.clone(), values });
                }
                DeleteBehavior::DeprecateInDatabase => {
                    let now = self.situation.now_ms.to_string();
                    replacing.extend(gone.into_iter().map(|mut partition| {
                        partition.parameters.insert(DEPRECATED_BY.to_owned(), now.clone());
                        CrawledPartition { partition, statistics: None }
                    }));
                }
                DeleteBehavior::Log => self.left_alone(table, note),
            }
        }
        if !replacing.is_empty() {
            self.comparison.metrics.partitions_updated += replacing.len() as u64;
            changes.push(TableChange::ReplacePartitions { table: table.clone(), partitions: replacing });
        }
        (shown, count, changes)
    }

    /// Tells of what was noted last and is not done.
    fn left_alone(&mut self, table: &Table, note: &[String]) {
        if let Some(last) = note.last() {
            let place = plain(table.storage.location.as_deref().unwrap_or_default());
            self.comparison.tell(true, format!("table \"{}\" at {place}: {last}", table.name));
        }
    }

    /// Gives a table its new definition.
    fn update(&mut self, mut table: Table, statistics: Option<TableStatistics>) {
        self.sign(&mut table);
        self.comparison.changes.push(TableChange::Update { table, statistics });
    }

    fn sign(&self, table: &mut Table) {
        debug_assert!(table.parameters.contains_key(UPDATED_BY), "only tables of crawlers are changed");
        sign(&mut table.parameters, &self.situation.crawler.name);
        table.update_time_ms = self.situation.now_ms;
    }

    fn outcome(
        &mut self,
        index: usize,
        action: Action,
        partitions: HashMap<String, &'static str>,
        partitions_added: u64,
        note: &[String],
    ) {
        let known = &self.situation.known[index];
        self.comparison.outcomes.push(Outcome {
            action,
            table: known.table.name.clone(),
            place: known.location().to_owned(),
            partitions,
            partitions_added,
            note: note.join("; "),
        });
    }
}

fn counted_partitions(count: usize) -> String {
    if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") }
}
