//! When two transactions cannot both be: Redshift's serializable isolation, decided by tables.
//!
//! A transaction T began at a snapshot and commits now; O is any other that committed in between. T fails when
//!
//! 1. O wrote (rows or definition) a table that T read, and T wrote anything: T's writes may rest on what it read, which
//!    O has changed, and O may have read what T writes;
//! 2. O deleted from, altered or dropped a table that T writes;
//! 3. T deletes from, alters or drops a table that O wrote.
//!
//! Two that only append to the same table, which neither read, both commit. A transaction that wrote nothing never
//! fails: it read one snapshot. Moving rows between files (VACUUM, flush) is no write: only changes of the same files
//! or rows collide with it, which the commit finds out at the files themselves.
//!
//! The rule is sound: with 1, every T that wrote is serialised after all O that committed before it, since all that T
//! read was still so at its commit. It is stricter than needed when T alone read what O wrote (then T before O would
//! be possible): that history is refused although Redshift may allow it.

use super::log::Effect;
use std::collections::BTreeSet;

/// What a transaction that wants to commit did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Footprint {
    /// Tables it read.
    pub(super) reads: BTreeSet<i64>,
    /// What it did itself.
    pub(super) effects: BTreeSet<Effect>,
}

/// The table on which the transaction collides with what others did since it began.
pub(super) fn find_conflict(ours: &Footprint, others: &[Effect]) -> Option<i64> {
    let writes = |effect: &Effect| effect.written().is_some() || matches!(effect, Effect::Created { .. });
    if !ours.effects.iter().any(writes) {
        return None;
    }
    let written: BTreeSet<i64> = ours.effects.iter().filter_map(Effect::written).collect();
    let destroyed: BTreeSet<i64> =
        ours.effects.iter().filter(|effect| effect.is_destructive()).filter_map(Effect::written).collect();
    others.iter().find_map(|other| {
        let table = other.written()?;
        let collides = ours.reads.contains(&table)
            || destroyed.contains(&table)
            || (other.is_destructive() && written.contains(&table));
        collides.then_some(table)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads, our effects, the others', and the table on which they collide.
    type Case<'a> = (&'a [i64], &'a [Effect], &'a [Effect], Option<i64>);

    #[test]
    fn histories_that_cannot_be_serialised_are_found() {
        use Effect::{Altered, Compacted, Deleted, DroppedTable, Flushed, InlinedDelete, InlinedInsert, Inserted};
        let cases: &[Case<'_>] = &[
            (&[], &[Inserted(1)], &[Inserted(1)], None),
            (&[], &[InlinedInsert(1)], &[Inserted(1), InlinedInsert(1)], None),
            (&[1], &[Inserted(1)], &[Inserted(1)], Some(1)),
            (&[1], &[], &[Deleted(1)], None),
            (&[1], &[Inserted(2)], &[InlinedInsert(1)], Some(1)),
            (&[1], &[Inserted(2)], &[Inserted(2)], None),
            (&[], &[Deleted(1)], &[Inserted(1)], Some(1)),
            (&[], &[Inserted(1)], &[InlinedDelete(1)], Some(1)),
            (&[], &[Deleted(1)], &[Deleted(1)], Some(1)),
            (&[], &[Altered(1)], &[InlinedInsert(1)], Some(1)),
            (&[], &[Inserted(1)], &[Altered(1)], Some(1)),
            (&[], &[Inserted(1)], &[DroppedTable(1)], Some(1)),
            (&[1], &[Deleted(1)], &[Compacted(1, true), Flushed(1)], None),
            (&[], &[Compacted(1, false)], &[Deleted(1), Inserted(1)], None),
            (&[3], &[Inserted(1)], &[Deleted(2)], None),
        ];
        for (reads, ours, others, expected) in cases {
            let footprint =
                Footprint { reads: reads.iter().copied().collect(), effects: ours.iter().cloned().collect() };
            assert_eq!(find_conflict(&footprint, others), *expected, "{reads:?} {ours:?} {others:?}");
        }
    }
}
