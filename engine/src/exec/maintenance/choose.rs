//! Keys that a table leaves to the warehouse are chosen before it is vacuumed: the change of the definition is a commit of
//! its own, and what is then out of order is for the vacuum to sort.

use super::look::{Look, look};
use crate::error::{Error, Result};
use crate::session::Turn;
use crate::tables::choose;
use crate::warehouse::Warehouse;
use millrace_catalog::CatalogError;
use millrace_catalog::manifest::{CommitNote, ManifestChange};
use millrace_catalog::model::{DistributionStyle, ManagedTable, SortKey};
use std::sync::Arc;

/// Chooses the keys of a table by how queries used it; the table as it is then, and the new keys as `SORTKEY (a)`.
/// Nothing is changed where others change the table meanwhile: there will be a next time.
pub(crate) async fn choose_keys(
    warehouse: &Arc<Warehouse>,
    seen: Look,
    turn: Option<&Turn>,
) -> Result<(Look, Vec<String>)> {
    let table = &seen.table;
    if table.attributes.sort_key != SortKey::Auto && table.attributes.distribution != DistributionStyle::Auto {
        return Ok((seen, Vec::new()));
    }
    let catalog = warehouse.catalog();
    warehouse.data().write_column_uses(catalog).await?;
    let (uses, estimates) = (catalog.column_uses(table.id).await?, catalog.estimates(table.id).await?);
    let rows = seen.pieces.iter().map(|piece| piece.live).sum();
    let bytes = seen.pieces.iter().map(|piece| piece.bytes).sum();
    let chosen = choose(table, &uses, &estimates, rows, bytes);
    if chosen == table.attributes.chosen {
        return Ok((seen, Vec::new()));
    }
    let mut keys = Vec::new();
    if chosen.sort != table.attributes.chosen.sort {
        keys.push(format!("SORTKEY ({})", names(table, &chosen.sort)));
    }
    if let Some(column) = chosen.distribution.filter(|_| chosen.distribution != table.attributes.chosen.distribution) {
        keys.push(format!("DISTKEY ({})", names(table, &[column])));
    }
    let mut changed = ManagedTable::clone(table);
    changed.attributes.chosen = chosen;
    let own_turn = match turn {
        Some(_) => None,
        None => Some(warehouse.turns().wait_for_commit([table.id].into()).await),
    };
    let note = CommitNote { message: Some("keys chosen by use".to_owned()), ..CommitNote::default() };
    let committed = catalog.commit_manifest(seen.version, &[], &[ManifestChange::AlterTable(changed)], &note).await;
    drop(own_turn);
    match committed {
        Ok(_) => Ok((look(warehouse, table.id).await?.unwrap_or(seen), keys)),
        Err(CatalogError::Serialization { .. } | CatalogError::Conflict(_) | CatalogError::NotFound { .. }) => {
            Ok((seen, Vec::new()))
        }
        Err(error) => Err(Error::from(error)),
    }
}

fn names(table: &ManagedTable, ids: &[i64]) -> String {
    let found = ids.iter().filter_map(|id| table.columns.iter().find(|column| column.id == *id));
    found.map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}
