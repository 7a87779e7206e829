//! Looking at the targets: list, open the samples, group. Writes nothing.

use super::progress::CrawlProgress;
use super::recrawl::{self, Added};
use crate::crawl::classify::classify;
use crate::crawl::compare::{Known, Places};
use crate::crawl::group::{Grouping, group};
use crate::crawl::system::{self, FoundSystem};
use crate::crawl::{Folder, Found, FoundPartition, FoundTable, Recognized, Skipped, Tree, tree};
use crate::error::{Error, Result};
use crate::lake::location::Location;
use crate::warehouse::Warehouse;
use millrace_catalog::model::{Classifier, Crawler, RecrawlBehavior};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::task::{Id, JoinSet};

/// Files that are open at a time.
const CONCURRENCY: usize = 16;

/// What is known of sampled files, by their objects' paths.
pub(super) type Files = HashMap<String, std::result::Result<Recognized, Skipped>>;

/// What the targets hold.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    pub(crate) tables: Vec<FoundTable>,
    /// New partitions of known tables, by the tables' ids.
    pub(crate) additions: Vec<(i64, Vec<FoundPartition>)>,
    pub(crate) places: Places,
    pub(crate) skipped: Vec<Skipped>,
    /// What each sampled file is, by its URL: classifier and certainty.
    pub(crate) recognized: HashMap<String, (String, f64)>,
    pub(crate) files_read: u64,
}

/// Looks at a crawler's targets, one after the other. A target that cannot be listed is skipped unless all are.
pub(super) async fn discover(
    warehouse: &Warehouse,
    crawler: &Crawler,
    classifiers: Vec<Classifier>,
    known: &[Known],
    progress: &CrawlProgress,
) -> Result<Discovery> {
    let classifiers: Arc<[Classifier]> = classifiers.into();
    let only_new = crawler.recrawl_behavior == RecrawlBehavior::CrawlNewFoldersOnly;
    let grouping = Grouping {
        policy: crawler.grouping,
        table_level: crawler.table_level,
        prefix: crawler.table_prefix.clone(),
        ..Grouping::default()
    };
    let mut discovery = Discovery::default();
    let mut failed: Option<Error> = None;
    let mut listed = 0;
    let listings = &warehouse.lake().listings;
    for target in &crawler.targets {
        if let Some(place) = system::place(&target.path)? {
            let snapshot = warehouse.catalog().snapshot().await?;
            match system::look(warehouse.sources(), &snapshot, crawler, target, place).await {
                Ok(found) => {
                    listed += 1;
                    discovery.add_system(&target.path, place.kind, found, progress);
                }
                Err(error) => {
                    discovery.fail(&target.path, &error);
                    failed.get_or_insert(error);
                }
            }
            continue;
        }
        let mut tree = match tree::list(listings, target, &progress.listed).await {
            Ok(tree) => tree,
            Err(error) => {
                discovery.fail(&target.path, &error);
                failed.get_or_insert(error);
                continue;
            }
        };
        listed += 1;
        discovery.places.add(&tree);
        discovery.skipped.append(&mut tree.skipped);
        let added = if only_new { recrawl::split(&mut tree, known) } else { Vec::new() };
        let mut objects = samples(&tree.root);
        objects.extend(added.iter().flat_map(|added| samples(&added.folder)));
        progress.sampled.fetch_add(objects.len() as u64, Ordering::Relaxed);
        let store = listings.stores().open(&tree.location).await?;
        let files = classify_all(&store, &tree, objects, &classifiers, progress).await;
        let url = |path: &str| format!("{}{path}", tree.location.store().as_str());
        discovery.recognized.extend(files.iter().filter_map(|(path, file)| {
            let file = file.as_ref().ok()?;
            Some((url(path), (file.layout.classifier.clone(), file.certainty)))
        }));
        discovery.files_read += files.len() as u64;
        let grouping = Grouping { known: known_folders(&tree, known), ..grouping.clone() };
        let Found { tables, skipped, .. } = group(&tree, &files, &grouping);
        discovery.tables.extend(tables);
        discovery.skipped.extend(skipped);
        discovery.add_partitions(added, &tree, &files, known);
    }
    match failed {
        Some(error) if listed == 0 => Err(error),
        _ => Ok(discovery),
    }
}

/// The folders of known tables in a target.
fn known_folders(tree: &Tree, known: &[Known]) -> HashSet<Path> {
    let places = known.iter().filter_map(|known| {
        let place = Location::literal(known.table.storage.location.as_deref()?).ok()?;
        let inside = place.store() == tree.location.store() && place.path().prefix_matches(tree.location.path());
        inside.then(|| place.path().clone())
    });
    places.collect()
}

impl Discovery {
    /// Notes a target that could not be looked at.
    fn fail(&mut self, target: &str, error: &Error) {
        let reason = error.to_string().replace('\n', "; ");
        self.places.add_unreadable(target);
        self.skipped.push(Skipped { url: target.to_owned(), reason });
    }

    /// Adds what a foreign system has of a target.
    fn add_system(&mut self, target: &str, kind: &str, found: FoundSystem, progress: &CrawlProgress) {
        let places: Vec<String> = found.tables.iter().filter_map(|table| table.storage.location.clone()).collect();
        let count = places.len() as u64;
        progress.listed.files.fetch_add(count, Ordering::Relaxed);
        progress.opened.fetch_add(count, Ordering::Relaxed);
        self.files_read += count;
        self.recognized.extend(places.iter().map(|place| (place.clone(), (kind.to_owned(), 1.0))));
        self.places.add_system(target, places);
        found.unreadable.iter().for_each(|place| self.places.add_unreadable(place));
        self.tables.extend(found.tables);
        self.skipped.extend(found.skipped);
    }

    fn add_partitions(&mut self, added: Vec<Added>, tree: &Tree, files: &Files, known: &[Known]) {
        let mut by_table: HashMap<i64, Vec<FoundPartition>> = HashMap::new();
        for added in added {
            let table = &known[added.known];
            match added.partition(tree, files, table) {
                Ok(partition) => by_table.entry(table.table.id).or_default().push(partition),
                Err(skipped) => self.skipped.extend(skipped),
            }
        }
        self.additions.extend(by_table);
        self.additions.sort_by_key(|(id, _)| *id);
    }
}

/// The files of a folder and those below it that are to be opened.
fn samples(folder: &Folder) -> Vec<ObjectMeta> {
    let mut objects = folder.sample.clone();
    objects.extend(folder.folders.iter().flat_map(samples));
    objects
}

/// What each file is; a bounded number of them is open at a time, on all of the runtime's threads.
async fn classify_all(
    store: &Arc<dyn ObjectStore>,
    tree: &Tree,
    objects: Vec<ObjectMeta>,
    classifiers: &Arc<[Classifier]>,
    progress: &CrawlProgress,
) -> Files {
    let mut files = Files::with_capacity(objects.len());
    let mut running: HashMap<Id, String> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut waiting = objects.into_iter();
    loop {
        while tasks.len() < CONCURRENCY {
            let Some(object) = waiting.next() else { break };
            let (store, classifiers) = (Arc::clone(store), Arc::clone(classifiers));
            let path = object.location.to_string();
            let url = tree.location.url_of(&object.location);
            let task = tasks.spawn(async move { classify(&store, &url, &object, &classifiers).await });
            running.insert(task.id(), path);
        }
        let Some(ended) = tasks.join_next_with_id().await else { return files };
        progress.opened.fetch_add(1, Ordering::Relaxed);
        let (id, file) = match ended {
            Ok((id, file)) => (id, Some(file)),
            // A file that a reader cannot cope with costs this file, not the crawl.
            Err(error) => (error.id(), None),
        };
        let Some(path) = running.remove(&id) else { continue };
        let file = file.unwrap_or_else(|| {
            let url = format!("{}{path}", tree.location.store().as_str());
            Err(Skipped { url, reason: "its reader ended unexpectedly".to_owned() })
        });
        files.insert(path, file);
    }
}
