//! Which column a key belongs to.

use super::lexer::unescape;
use super::options::JsonOptions;
use std::borrow::Cow;
use std::collections::HashMap;

/// The columns, or a struct's fields, by the keys that name them.
#[derive(Debug)]
pub(super) struct Names {
    columns: HashMap<String, usize>,
    case_insensitive: bool,
    dots_in_keys: bool,
}

impl Names {
    /// `names` in order; a name's key may be mapped to another.
    pub(super) fn new<'a>(options: &JsonOptions, names: impl Iterator<Item = &'a str>) -> Self {
        let key_of = |name: &str| {
            let key = options.mapping.get(&name.to_lowercase()).map_or(name, String::as_str);
            if options.case_insensitive { key.to_lowercase() } else { key.to_owned() }
        };
        Self {
            columns: names.enumerate().map(|(index, name)| (key_of(name), index)).collect(),
            case_insensitive: options.case_insensitive,
            dots_in_keys: options.dots_in_keys,
        }
    }

    fn find(&self, key: &[u8]) -> Option<usize> {
        let key = unescape(std::str::from_utf8(key).ok()?);
        let key = if self.case_insensitive { Cow::Owned(key.to_lowercase()) } else { key };
        let exact = self.columns.get(key.as_ref());
        if exact.is_none() && self.dots_in_keys && key.contains('.') {
            return self.columns.get(&key.replace('.', "_")).copied();
        }
        exact.copied()
    }
}

/// Finds columns in the order that records have them: the next record mostly has the same keys in the same order.
#[derive(Debug)]
pub(super) struct KeyOrder<'a, 'b> {
    names: &'b Names,
    seen: Vec<(&'a [u8], Option<usize>)>,
    next: usize,
}

impl<'a, 'b> KeyOrder<'a, 'b> {
    pub(super) fn new(names: &'b Names) -> Self {
        Self { names, seen: Vec::new(), next: 0 }
    }

    /// A new record begins.
    pub(super) fn restart(&mut self) {
        self.next = 0;
    }

    /// The column of the next key.
    #[inline]
    pub(super) fn column(&mut self, key: &'a [u8]) -> Option<usize> {
        let at = self.next;
        self.next += 1;
        if let Some((known, column)) = self.seen.get(at)
            && *known == key
        {
            return *column;
        }
        let column = self.names.find(key);
        if at < self.seen.len() {
            self.seen[at] = (key, column);
        } else {
            self.seen.push((key, column));
        }
        column
    }
}
