//! What a crawl saw of its targets, to tell what is gone from what could not be looked at.

use crate::crawl::{Folder, Tree};
use std::collections::HashSet;

/// The places that were listed, and which folders and files are there.
#[derive(Debug, Default)]
pub(crate) struct Places {
    roots: Vec<String>,
    /// Folders with data in them or below.
    folders: HashSet<String>,
    files: HashSet<String>,
    /// Folders of whose files only some are known.
    partial: HashSet<String>,
    unreadable: Vec<String>,
}

impl Places {
    /// Adds what a target's listing gave.
    pub(crate) fn add(&mut self, tree: &Tree) {
        let root = plain(&tree.location.url()).to_owned();
        self.add_folder(tree, &tree.root, &root);
        tree.unreadable.iter().for_each(|url| self.add_unreadable(url));
        self.roots.push(root);
    }

    /// Adds a target in a foreign system, and the tables that are there.
    pub(crate) fn add_system(&mut self, target: &str, tables: impl IntoIterator<Item = String>) {
        self.roots.push(plain(target).to_owned());
        self.folders.extend(tables);
    }

    /// Adds a place whose files are not known.
    pub(crate) fn add_unreadable(&mut self, url: &str) {
        self.unreadable.push(plain(url).to_owned());
    }

    fn add_folder(&mut self, tree: &Tree, folder: &Folder, url: &str) -> bool {
        let mut has_data = folder.file_count > 0;
        for below in &folder.folders {
            has_data |= self.add_folder(tree, below, &format!("{url}/{}", below.name));
        }
        if has_data {
            self.folders.insert(url.to_owned());
        }
        self.files.extend(folder.sample.iter().map(|object| tree.location.url_of(&object.location)));
        if folder.file_count > folder.sample.len() as u64 {
            self.partial.insert(url.to_owned());
        }
        has_data
    }

    /// Whether a place is in one of the targets that were listed.
    pub(crate) fn covers(&self, url: &str) -> bool {
        self.roots.iter().any(|root| is_within(url, root))
    }

    /// Whether nothing is left of a table's or partition's place: it is in a target, all of it could be listed, and
    /// there is no data.
    pub(crate) fn is_gone(&self, url: &str) -> bool {
        let url = plain(url);
        let parent = url.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.covers(url)
            && !self.folders.contains(url)
            && !self.files.contains(url)
            && !self.partial.contains(parent)
            && !self.unreadable.iter().any(|unreadable| is_within(url, unreadable) || is_within(unreadable, url))
    }
}

/// A location without the slashes at its end.
pub(crate) fn plain(url: &str) -> &str {
    url.trim_end_matches('/')
}

/// Whether a place is another one or below it.
pub(crate) fn is_within(url: &str, above: &str) -> bool {
    let rest = plain(url).strip_prefix(plain(above));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
