//! Which keys `SORTKEY AUTO` and `DISTSTYLE AUTO` stand for: a pure function of how queries used the columns.
//!
//! A sort key helps what compares a column with constants, since it makes zone maps narrow; a distribution key helps
//! joins and groupings. What was chosen stays until another column is used twice as often, for a change of mind costs a
//! rewrite of the table.

use super::buckets::is_hashable;
use super::state::MOST_BYTES_OF_ALL;
use crate::tables::SqlType;
use millrace_catalog::model::{
    AutoKeys, ColumnUse, DistributionStyle, ManagedColumn, ManagedTable, SortKey, TableEstimates,
};
use std::collections::BTreeMap;

/// The fewest queries that make a column a key.
const LEAST_USES: u64 = 4;

/// The fewest rows of a table that is sorted: those of some blocks.
const LEAST_ROWS: u64 = 64 * 1024;

/// The fewest values of a distribution key for each of its buckets: fewer would lie unevenly.
const LEAST_VALUES_OF_BUCKET: u64 = 16;

/// The keys of a table of so many live rows and bytes; those that it has where nothing speaks for others.
pub fn choose(
    table: &ManagedTable,
    uses: &BTreeMap<i64, ColumnUse>,
    estimates: &TableEstimates,
    rows: u64,
    bytes: u64,
) -> AutoKeys {
    let mut chosen = table.attributes.chosen.clone();
    if table.attributes.sort_key == SortKey::Auto && rows >= LEAST_ROWS {
        let score = |column: &ManagedColumn, used: &ColumnUse| if is_sortable(column) { used.filters } else { 0 };
        if let Some(best) = best(table, uses, chosen.sort.first().copied(), score) {
            chosen.sort = vec![best];
        }
    }
    if table.attributes.distribution == DistributionStyle::Auto && bytes > MOST_BYTES_OF_ALL {
        let values = LEAST_VALUES_OF_BUCKET * u64::from(table.attributes.buckets.max(1));
        let even = |column: &ManagedColumn| {
            let known = estimates.columns.get(&column.id);
            let many = known.and_then(|known| known.distinct_count).is_some_and(|distinct| distinct >= values);
            let nulls = known.and_then(|known| known.analysis.as_ref()).map_or(0., |known| known.null_fraction);
            many && nulls <= 0.1
        };
        let score = |column: &ManagedColumn, used: &ColumnUse| {
            // A join moves the rows of both sides; a grouping moves groups.
            if used.joins > 0 && is_distributable(column) && even(column) { used.joins + used.groups / 2 } else { 0 }
        };
        if let Some(best) = best(table, uses, chosen.distribution, score) {
            chosen.distribution = Some(best);
        }
    }
    chosen
}

/// The column with the highest score, if that is high enough, and twice that of the column chosen before; of equal ones
/// the first of the table.
fn best(
    table: &ManagedTable,
    uses: &BTreeMap<i64, ColumnUse>,
    now: Option<i64>,
    score: impl Fn(&ManagedColumn, &ColumnUse) -> u64,
) -> Option<i64> {
    let score_of = |column: &ManagedColumn| uses.get(&column.id).map_or(0, |used| score(column, used));
    let best = table.columns.iter().rev().max_by_key(|column| score_of(column))?;
    let before = now.and_then(|id| table.columns.iter().find(|column| column.id == id)).map_or(0, score_of);
    (score_of(best) >= LEAST_USES.max(2 * before)).then_some(best.id)
}

fn is_sortable(column: &ManagedColumn) -> bool {
    !matches!(column.data_type.parse(), Ok(SqlType::Super | SqlType::VarByte(_) | SqlType::HllSketch) | Err(_))
}

fn is_distributable(column: &ManagedColumn) -> bool {
    let data_type = column.data_type.parse::<SqlType>();
    data_type.is_ok_and(|data_type| data_type != SqlType::HllSketch && is_hashable(&data_type.to_arrow()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_catalog::model::{ColumnEstimates, TableAttributes};

    fn table(chosen: AutoKeys) -> ManagedTable {
        let column = |id: i64, data_type: &str| ManagedColumn {
            id,
            name: format!("c{id}"),
            data_type: data_type.to_owned(),
            ..ManagedColumn::default()
        };
        ManagedTable {
            columns: vec![
                column(1, "integer"),
                column(2, "date"),
                column(3, "super"),
                column(4, "character varying(10)"),
                column(5, "double precision"),
            ],
            attributes: TableAttributes { sort_key: SortKey::Auto, buckets: 64, chosen, ..TableAttributes::default() },
            ..ManagedTable::default()
        }
    }

    fn uses(given: &[(i64, u64, u64, u64)]) -> BTreeMap<i64, ColumnUse> {
        given
            .iter()
            .map(|(id, filters, joins, groups)| (*id, ColumnUse { filters: *filters, joins: *joins, groups: *groups }))
            .collect()
    }

    const LARGE: u64 = 1 << 30;

    /// A column's identifier, and how often it was filtered by, joined and grouped.
    type Used = (i64, u64, u64, u64);
    type SortCase<'a> = (&'a AutoKeys, &'a [Used], u64, &'a [i64]);
    type DistributionCase<'a> = (&'a [Used], u64, Option<i64>);

    #[test]
    fn a_sort_key_is_what_is_filtered_most() {
        let none = AutoKeys::default();
        let date = AutoKeys { sort: vec![2], ..AutoKeys::default() };
        let cases: &[SortCase<'_>] = &[
            (&none, &[], LARGE, &[]),
            (&none, &[(2, 3, 0, 0)], LARGE, &[]),
            (&none, &[(2, 4, 0, 0)], LARGE, &[2]),
            (&none, &[(2, 4, 0, 0), (1, 4, 9, 9)], LARGE, &[1]),
            (&none, &[(3, 100, 0, 0), (4, 5, 0, 0)], LARGE, &[4]),
            (&none, &[(2, 100, 0, 0)], 1000, &[]),
            // A second column must be used twice as often.
            (&date, &[(2, 10, 0, 0), (1, 19, 0, 0)], LARGE, &[2]),
            (&date, &[(2, 10, 0, 0), (1, 20, 0, 0)], LARGE, &[1]),
            (&date, &[], LARGE, &[2]),
        ];
        for (chosen, given, rows, expected) in cases {
            let found = choose(&table((*chosen).clone()), &uses(given), &TableEstimates::default(), *rows, 0);
            assert_eq!(found.sort, *expected, "{chosen:?} {given:?}");
            assert_eq!(found.distribution, None);
        }
        let mut fixed = table(none);
        fixed.attributes.sort_key = SortKey::None;
        let found = choose(&fixed, &uses(&[(2, 9, 0, 0)]), &TableEstimates::default(), LARGE, 0);
        assert_eq!(found, AutoKeys::default());
    }

    #[test]
    fn a_distribution_key_joins_and_has_many_values() {
        let distinct = |count| ColumnEstimates { distinct_count: Some(count), ..ColumnEstimates::default() };
        let mut estimates = TableEstimates::default();
        estimates.columns.extend([
            (1, distinct(1_000_000)),
            (2, distinct(200)),
            (4, distinct(5_000)),
            (5, distinct(5_000)),
        ]);
        let cases: &[DistributionCase<'_>] = &[
            (&[(1, 0, 4, 0)], LARGE, Some(1)),
            // Small tables are copied.
            (&[(1, 0, 4, 0)], 1 << 20, None),
            // Few values; a type without a hash; grouped and never joined.
            (&[(2, 0, 50, 0), (5, 0, 50, 0), (1, 0, 0, 50)], LARGE, None),
            (&[(1, 0, 4, 0), (4, 0, 3, 4)], LARGE, Some(4)),
        ];
        for (given, bytes, expected) in cases {
            let found = choose(&table(AutoKeys::default()), &uses(given), &estimates, 10, *bytes);
            assert_eq!(found.distribution, *expected, "{given:?} {bytes}");
        }
    }
}
