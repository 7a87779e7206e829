//! Splits dealt out to partitions: those that wait for one another stay together, so that no partition waits for another.

use millrace_connectors::Split;
use std::collections::HashMap;

/// The splits that one partition reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// In an order in which none stands before one that it waits for, where there is such an order.
    pub(super) splits: Vec<Split>,
    /// How many of them are read at the same time.
    pub(super) at_once: usize,
}

/// Deals splits out to at most so many partitions, of which there is always one; together they read at most as many
/// splits as `parallelism` at the same time, but each reads one.
pub(super) fn deal(splits: Vec<Split>, partitions: usize, parallelism: usize) -> Vec<Group> {
    let partitions = partitions.max(1);
    let mut families = families(splits);
    // The largest first, each to the partition that has least.
    families.sort_by_key(|family| std::cmp::Reverse(family.len()));
    let mut dealt: Vec<Vec<Split>> = vec![Vec::new(); partitions.min(families.len()).max(1)];
    for family in families {
        if let Some(least) = dealt.iter_mut().min_by_key(|splits| splits.len()) {
            least.extend(family);
        }
    }
    let share = (parallelism / dealt.len()).max(1);
    dealt.into_iter().map(|splits| Group { at_once: share.min(splits.len()).max(1), splits }).collect()
}

/// Splits that wait for one another, directly or not, together.
fn families(splits: Vec<Split>) -> Vec<Vec<Split>> {
    fn root(of: &mut [usize], at: usize) -> usize {
        let mut top = at;
        while of[top] != top {
            of[top] = of[of[top]];
            top = of[top];
        }
        top
    }
    let places: HashMap<&str, usize> = splits.iter().enumerate().map(|(at, split)| (split.id.as_str(), at)).collect();
    let mut of: Vec<usize> = (0..splits.len()).collect();
    for (at, split) in splits.iter().enumerate() {
        for before in split.after.iter().filter_map(|id| places.get(id.as_str())) {
            let (one, other) = (root(&mut of, at), root(&mut of, *before));
            of[one.max(other)] = one.min(other);
        }
    }
    let mut found: Vec<Vec<Split>> = Vec::new();
    let mut numbers: HashMap<usize, usize> = HashMap::new();
    for (at, split) in splits.into_iter().enumerate() {
        let family = *numbers.entry(root(&mut of, at)).or_insert_with(|| {
            found.push(Vec::new());
            found.len() - 1
        });
        if let Some(family) = found.get_mut(family) {
            family.push(split);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(id: &str, after: &[&str]) -> Split {
        Split { id: id.to_owned(), payload: Vec::new(), after: after.iter().map(|id| (*id).to_owned()).collect() }
    }

    fn dealt(splits: Vec<Split>, partitions: usize) -> Vec<(String, usize)> {
        let names = |group: Group| {
            let names: Vec<String> = group.splits.into_iter().map(|split| split.id).collect();
            (names.join(" "), group.at_once)
        };
        deal(splits, partitions, 8).into_iter().map(names).collect()
    }

    #[test]
    fn splits_that_wait_stay_together() {
        let four = || ["a", "b", "c", "d"].map(|id| split(id, &[])).to_vec();
        let found = |groups: &[(&str, usize)]| -> Vec<(String, usize)> {
            groups.iter().map(|(names, at_once)| ((*names).to_owned(), *at_once)).collect()
        };
        assert_eq!(dealt(four(), 2), found(&[("a c", 2), ("b d", 2)]));
        assert_eq!(dealt(four(), 1), found(&[("a b c d", 4)]));
        assert_eq!(dealt(four(), 8), found(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]));
        assert_eq!(dealt(Vec::new(), 4), found(&[("", 1)]));
        // A shard was split into two, one of which was merged with a third.
        let shards =
            vec![split("p", &[]), split("q", &["p"]), split("r", &["p"]), split("x", &[]), split("m", &["r", "gone"])];
        assert_eq!(dealt(shards, 8), found(&[("p q r m", 4), ("x", 1)]));
    }
}
