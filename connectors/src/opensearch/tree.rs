//! The fields that are read of documents, by the parts of their names. A part is what stands between dots, wherever
//! documents have objects: `{"a": {"b": 1}}` and `{"a.b": 1}` are the same to the server.

use std::collections::BTreeMap;

/// Fields with a common beginning of their names.
#[derive(Debug, Default)]
pub(super) struct Tree {
    inner: BTreeMap<String, Tree>,
    /// Columns that are read here, by their places.
    pub(super) columns: Vec<usize>,
    /// Whether all is looked at that a value has within it, beside what is named.
    is_whole: bool,
}

impl Tree {
    /// Adds a column at a path.
    pub(super) fn add(&mut self, path: &str, column: usize, is_whole: bool) {
        let place = path.split('.').fold(self, |tree, part| tree.inner.entry(part.to_owned()).or_default());
        place.columns.push(column);
        place.is_whole |= is_whole;
    }

    /// What is read below a member of this name.
    pub(super) fn descend(&self, name: &str) -> Option<&Tree> {
        name.split('.').try_fold(self, |tree, part| tree.inner.get(part))
    }

    /// Whether nothing is read of members.
    pub(super) fn has_no_members(&self) -> bool {
        self.inner.is_empty()
    }

    /// Whether all is looked at that a value has within it.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_found_by_their_parts() {
        let mut tree = Tree::default();
        tree.add("user.name", 0, false);
        tree.add("user", 1, true);
        assert!(tree.descend("name").is_none() && tree.columns.is_empty() && !tree.is_whole());
        assert_eq!(tree.descend("user.name").unwrap().columns, [0]);
        let user = tree.descend("user").unwrap();
        assert_eq!((user.columns.as_slice(), user.is_whole(), user.has_no_members()), (&[1][..], true, false));
        assert!(user.descend("name").unwrap().has_no_members());
    }
}
