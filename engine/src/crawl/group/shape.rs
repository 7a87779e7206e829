//! Where tables begin: folders joined from the leaves up as long as they are alike and equally deep.

use super::family::{Family, LEAST_SIMILARITY};
use super::folder::{Data, File, Own, own};
use super::keys::{hive_key, looks_like_partition};
use super::{Grouping, counted};
use crate::crawl::{Folder, Recognized, Skipped, Tree};
use millrace_catalog::model::TableGrouping;
use object_store::path::Path;
use std::collections::HashMap;

/// In a folder of files that are not alike each is a table, but for more than so many.
const MOST_FILE_TABLES: usize = 100;
/// How many folders a message names.
const MOST_NAMED: usize = 3;

/// A folder with data files that is a partition or a table.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    /// The names of the folders from the table's to this one, innermost first.
    pub(super) names: Vec<&'a str>,
    pub(super) path: Path,
    pub(super) data: Data<'a>,
}

/// Folders that are one table, if nothing above them joins them with others.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) family: Family,
    /// The Hive key of each level of partitions, outermost first; `None` for folders whose names have none.
    pub(super) kinds: Vec<Option<String>>,
    /// How many of the outermost levels are folders alone in their folder, with names of no partition: they are levels
    /// of partitions only if other folders beside the outermost are as deep.
    pub(super) loose: usize,
    pub(super) leaves: Vec<Leaf<'a>>,
    /// What was found out on the way, for the run's record.
    pub(super) notes: Vec<String>,
}

/// A table to be.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Its folder, or its file.
    pub(super) path: Path,
    /// Whether the path is that of a file.
    pub(super) is_file: bool,
    pub(super) candidate: Candidate<'a>,
}

enum Shape<'a> {
    /// No data.
    Empty,
    /// May become part of a table above.
    Open(Box<Candidate<'a>>),
    /// Its tables are planned.
    Closed,
}

/// A folder in a folder, with what it is.
struct Below<'a> {
    name: &'a str,
    path: Path,
    candidate: Candidate<'a>,
}

/// The tables of a target, and what of it is in none.
pub(super) fn plan<'a>(
    tree: &'a Tree,
    files: &'a HashMap<String, Result<Recognized, Skipped>>,
    grouping: &'a Grouping,
) -> (Vec<Plan<'a>>, Vec<Skipped>) {
    let mut planner = Planner { tree, files, grouping, plans: Vec::new(), skipped: Vec::new() };
    let path = tree.location.path();
    // Level 1 is the bucket; a local path has none, its own folder takes the place.
    let level = if tree.location.is_local() { 1 } else { 1 + path.parts().count() as u32 };
    let is_file = tree.root.sample.first().is_some_and(|file| file.location == *path);
    match planner.visit(&tree.root, path, level) {
        Shape::Open(candidate) => planner.close(path.clone(), is_file, *candidate),
        Shape::Empty | Shape::Closed => {}
    }
    (planner.plans, planner.skipped)
}

struct Planner<'a> {
    tree: &'a Tree,
    files: &'a HashMap<String, Result<Recognized, Skipped>>,
    grouping: &'a Grouping,
    plans: Vec<Plan<'a>>,
    skipped: Vec<Skipped>,
}

impl<'a> Planner<'a> {
    fn visit(&mut self, folder: &'a Folder, path: &Path, level: u32) -> Shape<'a> {
        let own = own(folder, self.files, self.grouping.policy_at(path), &mut self.skipped);
        let mut open = Vec::new();
        let mut closed = Vec::new();
        for inner in &folder.folders {
            let path = below(path, &inner.name);
            match self.visit(inner, &path, level.saturating_add(1)) {
                Shape::Empty => {}
                Shape::Closed => closed.push(inner.name.as_str()),
                Shape::Open(candidate) => open.push(Below { name: &inner.name, path, candidate: *candidate }),
            }
        }
        if open.is_empty() && closed.is_empty() {
            return match own {
                Own::Nothing => Shape::Empty,
                Own::Alike(data) => Shape::Open(Box::new(Candidate {
                    family: data.family.clone(),
                    kinds: Vec::new(),
                    loose: 0,
                    leaves: vec![Leaf { names: Vec::new(), path: path.clone(), data: *data }],
                    notes: Vec::new(),
                })),
                Own::Mixed(families) => {
                    self.tables_of_files(folder, path, families);
                    Shape::Closed
                }
            };
        }
        match own {
            Own::Nothing => {}
            Own::Alike(data) => self.beside_folders(folder, path, *data, &open),
            Own::Mixed(families) => self.tables_of_files(folder, path, families),
        }
        match self.grouping.table_level {
            Some(wanted) if level < wanted => {
                self.close_all(open);
                Shape::Closed
            }
            wanted => {
                let shape = self.combine(path, open, &closed, wanted.is_some());
                if let (Shape::Closed, Some(wanted)) = (&shape, wanted)
                    && wanted == level
                {
                    let reason =
                        format!("table level {wanted} asks for one table here, but what is in it is not alike");
                    self.skip(path, reason);
                }
                shape
            }
        }
    }

    /// Files beside folders: of the same table they would be partitions without a value, else they are tables.
    fn beside_folders(&mut self, folder: &'a Folder, path: &Path, data: Data<'a>, open: &[Below<'a>]) {
        let policy = self.grouping.policy_at(path);
        let family = &data.family;
        let alike = open.iter().filter(|below| below.candidate.family.admits(family, policy).is_some());
        let alike: Vec<&str> = alike.map(|below| below.name).collect();
        if alike.is_empty() {
            self.tables_of_files(folder, path, vec![data]);
            return;
        }
        let files = counted(usize::try_from(folder.file_count).unwrap_or(usize::MAX), "file");
        let reason = format!(
            "mixed depth: {files} of the same kind as those in {} stand directly in the folder and are in no table",
            named(&alike)
        );
        self.skip(path, reason);
    }

    /// Each file a table, where all were looked at.
    fn tables_of_files(&mut self, folder: &'a Folder, path: &Path, families: Vec<Data<'a>>) {
        let kinds: Vec<&str> = families.iter().map(|data| data.family.layout.classification.as_str()).collect();
        if folder.sample.len() as u64 != folder.file_count || folder.sample.len() > MOST_FILE_TABLES {
            let looked_at = if folder.sample.len() > MOST_FILE_TABLES {
                format!("it has more than {MOST_FILE_TABLES} files")
            } else {
                format!(
                    "only {} of its {} files were looked at, SAMPLE would let it be more",
                    folder.sample.len(),
                    folder.file_count
                )
            };
            let reason =
                format!("its files are of different kinds ({}) and cannot be a table each: {looked_at}", named(&kinds));
            self.skip(path, reason);
            return;
        }
        let several = folder.file_count > 1;
        for file in families.into_iter().flat_map(|data| data.files) {
            let note = several.then(|| {
                format!("{} is a table for each file: the files in it are not alike", self.tree.location.url_of(path))
            });
            self.table_of_file(file, note);
        }
    }

    fn table_of_file(&mut self, file: File<'a>, note: Option<String>) {
        let data = Data::of_file(file);
        let path = file.object.location.clone();
        let family = data.family.clone();
        let leaves = vec![Leaf { names: Vec::new(), path: path.clone(), data }];
        let notes = note.into_iter().collect();
        self.close(path, true, Candidate { family, kinds: Vec::new(), loose: 0, leaves, notes });
    }

    /// One candidate of the folders in a folder, or each a table.
    fn combine(&mut self, path: &Path, mut open: Vec<Below<'a>>, closed: &[&str], forced: bool) -> Shape<'a> {
        let count = open.len() + closed.len();
        if count == 1
            && let Some(only) = open.pop()
        {
            // A folder alone may be a partition or a table in a folder of tables: its name decides, or what is beside
            // the folder that it is in.
            let loose = if forced || looks_like_partition(only.name) { 0 } else { only.candidate.loose + 1 };
            let candidate = joined(only, std::iter::empty(), self.grouping.policy_at(path));
            return Shape::Open(Box::new(Candidate { loose, ..candidate }));
        }
        let names: Vec<&str> = open.iter().map(|below| below.name).chain(closed.iter().copied()).collect();
        let partitions = names.iter().all(|name| looks_like_partition(name))
            && names.iter().all(|name| hive_key(name) == hive_key(names[0]));
        let mut groups = self.alike(path, open);
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let together =
            groups.first().is_some_and(|largest| largest.len() == count || (partitions && largest.len() * 2 > count));
        let rest = if together { groups.split_off(1) } else { std::mem::take(&mut groups) };
        if partitions {
            self.tell_depths(path, groups.first().map(Vec::as_slice), &rest);
        }
        let mut left: Vec<&str> = rest.iter().flatten().map(|below| below.name).chain(closed.iter().copied()).collect();
        for group in rest {
            self.close_all(group);
        }
        let mut largest = groups.pop().unwrap_or_default().into_iter();
        let Some(first) = largest.next() else { return Shape::Closed };
        let mut candidate = joined(first, largest, self.grouping.policy_at(path));
        if !left.is_empty() {
            left.sort_unstable();
            let url = self.tree.location.url_of(path);
            candidate.notes.push(format!(
                "{} in {url} not part of the table, since not alike: {}",
                if left.len() == 1 { "1 folder is".to_owned() } else { format!("{} folders are", left.len()) },
                named(&left)
            ));
        }
        Shape::Open(Box::new(candidate))
    }

    /// Folders in groups that are alike: equally deep, partitioned by the same keys, files of one family.
    fn alike(&self, path: &Path, open: Vec<Below<'a>>) -> Vec<Vec<Below<'a>>> {
        let mut groups: Vec<(Option<String>, Family, Vec<Below<'a>>)> = Vec::new();
        for below in open {
            let key = hive_key(below.name);
            let candidate = &below.candidate;
            let found = groups.iter_mut().find_map(|(known, family, members)| {
                let same =
                    *known == key && members.first().is_some_and(|first| first.candidate.kinds == candidate.kinds);
                let similarity =
                    same.then(|| family.admits(&candidate.family, self.grouping.policy_at(path))).flatten()?;
                family.join(&candidate.family, similarity);
                Some(members)
            });
            match found {
                Some(members) => members.push(below),
                None => groups.push((key, below.candidate.family.clone(), vec![below])),
            }
        }
        groups.into_iter().map(|(_, _, members)| members).collect()
    }

    /// Tells of folders that are no partitions because they are deeper or less deep than the others.
    fn tell_depths(&mut self, path: &Path, largest: Option<&[Below<'a>]>, rest: &[Vec<Below<'a>>]) {
        let Some(first) = largest.and_then(<[_]>::first).or_else(|| rest.first()?.first()) else { return };
        let depth = first.candidate.kinds.len();
        let family = first.candidate.family.clone();
        let told: Vec<(Path, usize)> = rest
            .iter()
            .flatten()
            .filter(|below| below.candidate.kinds.len() != depth)
            .filter(|below| {
                let other = &below.candidate.family;
                family.admits(other, self.grouping.policy_at(path)).is_some()
            })
            .map(|below| (below.path.clone(), below.candidate.kinds.len()))
            .collect();
        for (inner, found) in told {
            let reason = format!(
                "mixed depth: its files lie {} below {}, those of {} {}: it is no partition beside them",
                counted(found + 1, "level"),
                self.tree.location.url_of(path),
                first_name(&first.path),
                counted(depth + 1, "level"),
            );
            self.skip(&inner, reason);
        }
    }

    fn close_all(&mut self, open: Vec<Below<'a>>) {
        for below in open {
            self.close(below.path, false, below.candidate);
        }
    }

    fn close(&mut self, mut path: Path, is_file: bool, mut candidate: Candidate<'a>) {
        for _ in 0..std::mem::take(&mut candidate.loose) {
            candidate.kinds.remove(0);
            let mut name = None;
            for leaf in &mut candidate.leaves {
                name = leaf.names.pop();
            }
            path = name.map_or(path.clone(), |name| below(&path, name));
        }
        self.plans.push(Plan { path, is_file, candidate });
    }

    fn skip(&mut self, path: &Path, reason: String) {
        self.skipped.push(Skipped { url: self.tree.location.url_of(path), reason });
    }
}

/// Folders that are alike as one candidate, a level deeper.
fn joined<'a>(first: Below<'a>, others: impl Iterator<Item = Below<'a>>, policy: TableGrouping) -> Candidate<'a> {
    let named = |below: &mut Below<'a>| below.candidate.leaves.iter_mut().for_each(|leaf| leaf.names.push(below.name));
    let mut first = first;
    named(&mut first);
    let mut whole = Candidate { loose: 0, ..first.candidate };
    whole.kinds.insert(0, hive_key(first.name));
    for mut below in others {
        named(&mut below);
        let Candidate { family, leaves, notes, .. } = below.candidate;
        let similarity = whole.family.admits(&family, policy).unwrap_or(LEAST_SIMILARITY);
        whole.family.join(&family, similarity.min(family.similarity));
        whole.family.conflict(family.conflicts);
        whole.leaves.extend(leaves);
        whole.notes.extend(notes);
    }
    whole
}

/// The path of a folder in a folder.
fn below(path: &Path, name: &str) -> Path {
    let text = if path.is_root() { name.to_owned() } else { format!("{path}/{name}") };
    Path::parse(&text).unwrap_or_else(|_| Path::from(text))
}

fn first_name(path: &Path) -> &str {
    path.filename().unwrap_or_default()
}

/// The first of some names, and how many more there are.
fn named(names: &[&str]) -> String {
    let mut different: Vec<&str> = Vec::new();
    for name in names {
        if !different.contains(name) && different.len() <= MOST_NAMED {
            different.push(name);
        }
    }
    let more = names.len() > MOST_NAMED && different.len() > MOST_NAMED;
    let text = different.into_iter().take(MOST_NAMED).collect::<Vec<_>>().join(", ");
    if more { format!("{text}, …") } else { text }
}
