//! Which queue a statement goes to, by Redshift's rules of assignment: the superusers' queue when a superuser asks for
//! it, else the first that its user, one of the user's roles or its query group matches, else the default one.

use super::config::{Configuration, SUPERUSER_CLASS};
use std::collections::BTreeSet;

/// The query group that sends a superuser to the superusers' queue.
const SUPERUSER_GROUP: &str = "superuser";
/// What `query_group` is when it is not set.
const NO_GROUP: &str = "default";

/// Whose statements a queue takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Matches {
    pub(crate) user_groups: Vec<String>,
    pub(crate) user_group_wild_card: bool,
    pub(crate) query_groups: Vec<String>,
    pub(crate) query_group_wild_card: bool,
    pub(crate) user_roles: Vec<String>,
    pub(crate) user_role_wild_card: bool,
}

/// Who asks for a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Requester {
    pub(crate) superuser: bool,
    /// The groups that the user is in.
    pub(crate) groups: BTreeSet<String>,
    /// The roles that the user has, those that come with others too.
    pub(crate) roles: BTreeSet<String>,
    /// `query_group`
    pub(crate) query_group: String,
}

impl Requester {
    /// Whether it asks for the superusers' queue, which a superuser gets.
    pub(crate) fn wants_superusers(&self) -> bool {
        self.query_group.eq_ignore_ascii_case(SUPERUSER_GROUP)
    }
}

impl Matches {
    /// Whether it takes nobody by itself: the default queue's.
    pub(super) fn is_empty(&self) -> bool {
        self.user_groups.is_empty() && self.query_groups.is_empty() && self.user_roles.is_empty()
    }

    fn takes(&self, requester: &Requester) -> bool {
        let group = &requester.query_group;
        let labelled = group != NO_GROUP && !group.is_empty();
        listed(&self.user_groups, self.user_group_wild_card, requester.groups.iter())
            || listed(&self.user_roles, self.user_role_wild_card, requester.roles.iter())
            || (labelled && listed(&self.query_groups, self.query_group_wild_card, [group]))
    }
}

fn listed<'a>(patterns: &[String], wild: bool, names: impl IntoIterator<Item = &'a String>) -> bool {
    !patterns.is_empty()
        && names.into_iter().any(|name| {
            let name = name.to_lowercase();
            patterns
                .iter()
                .map(|pattern| pattern.to_lowercase())
                .any(|pattern| if wild { fits(&pattern, &name) } else { pattern == name })
        })
}

/// Whether a name fits a pattern: `*` is any characters, `?` is one.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star stands, and the name's character that it ends before.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == name[n]) {
            p += 1;
            n += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            n = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The service classes that a statement may run in, the first first: those after it are where it may hop to, as long
/// as they match; the default queue takes only what nothing else does.
pub(crate) fn choices(configuration: &Configuration, requester: &Requester) -> Vec<i32> {
    let queues = &configuration.queues;
    if requester.superuser && requester.wants_superusers() {
        return vec![SUPERUSER_CLASS];
    }
    let named = queues.iter().filter(|queue| queue.matches.takes(requester)).map(|queue| queue.class);
    let mut classes: Vec<i32> = named.collect();
    if classes.is_empty() {
        classes.extend(queues.last().map(|queue| queue.class));
    }
    classes
}
