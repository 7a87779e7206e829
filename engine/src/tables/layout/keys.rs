//! A table's keys, found among its columns.

use super::buckets::is_hashable;
use crate::error::Result;
use crate::tables::types::arrow_field;
use arrow::compute::SortOptions;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use millrace_catalog::model::{DistributionStyle, ManagedTable, SortKey};
use std::sync::Arc;

/// The order of every sort key: NULLs stand last, as Redshift sorts them.
pub(in crate::tables) const SORT_OPTIONS: SortOptions = SortOptions { descending: false, nulls_first: false };

/// The keys of a table by their places among its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// The distribution key: place and id.
    pub(super) distribution: Option<(usize, i64)>,
    pub(super) sort: SortColumns,
}

/// The columns of a sort key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum SortColumns {
    #[default]
    None,
    Compound(Vec<usize>),
    Interleaved(Vec<usize>),
}

impl Keys {
    /// The keys by which rows are arranged now. A key of a type that has no hash (floating point) places nothing.
    pub(super) fn of(table: &ManagedTable, style: &DistributionStyle) -> Result<Self> {
        let place = |id: &i64| table.columns.iter().position(|column| column.id == *id);
        let distribution = match style {
            DistributionStyle::Key { column } => place(column).map(|at| (at, *column)),
            DistributionStyle::Auto | DistributionStyle::Even | DistributionStyle::All => None,
        };
        let distribution = match distribution {
            Some((at, id)) if is_hashable(arrow_field(&table.columns[at])?.data_type()) => Some((at, id)),
            _ => None,
        };
        let sort = match &table.attributes.effective_sort_key() {
            SortKey::None | SortKey::Auto => SortColumns::None,
            SortKey::Compound { columns } => SortColumns::Compound(columns.iter().filter_map(place).collect()),
            SortKey::Interleaved { columns } if columns.len() == 1 => {
                SortColumns::Compound(columns.iter().filter_map(place).collect())
            }
            SortKey::Interleaved { columns } => SortColumns::Interleaved(columns.iter().filter_map(place).collect()),
        };
        Ok(Self { distribution, sort })
    }
}

/// The order of a key's columns, by place and name.
pub(in crate::tables) fn ordering<'a>(columns: impl IntoIterator<Item = (usize, &'a str)>) -> Option<LexOrdering> {
    LexOrdering::new(
        columns
            .into_iter()
            .map(|(at, name)| PhysicalSortExpr { expr: Arc::new(Column::new(name, at)), options: SORT_OPTIONS }),
    )
}
