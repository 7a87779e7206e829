//! What stands on something that is dropped: it goes with it, or keeps it from going.

use super::enforce;
use crate::error::{Error, ErrorKind, Result};
use crate::resolve::{self, Dependent, Ground, RelationName};
use crate::session::Context;
use millrace_catalog::model::{Table, TableKind};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Drops the views, plain and materialized, that stand on something and are not among `gone`, to which they are added;
/// without CASCADE refuses when there are any. `what` is what it is called: `table t`.
///
/// # Errors
/// `DependentObjects`.
pub(super) async fn drop_dependents(
    context: &Context,
    ground: Ground<'_>,
    what: &str,
    cascade: bool,
    gone: &mut BTreeSet<RelationName>,
) -> Result<()> {
    if !context.dialect().rules().keeps_dependents {
        return Ok(());
    }
    let mut views = resolve::dependents(context, ground).await?;
    views.retain(|view| !gone.contains(&view.name()));
    if let Some(view) = views.first().filter(|_| !cascade) {
        let message = format!("cannot drop {what} because other objects depend on it");
        return Err(Error::new(ErrorKind::DependentObjects, message)
            .with_detail(format!("{} {} depends on {what}", view.kind(), view.name().1))
            .with_hint("use DROP ... CASCADE to drop the dependent objects too"));
    }
    for view in views {
        match &view {
            Dependent::View(view) => drop_object(context, view).await?,
            Dependent::Materialized(view) => {
                context.transaction().lock().await.drop_table(context.warehouse(), view)?;
            }
        }
        let name = view.name();
        enforce::forget(context, &name.0, &name.1).await?;
        gone.insert(name);
    }
    Ok(())
}

/// Drops an external table now; a view with the transaction that the statement is in.
pub(super) async fn drop_object(context: &Context, table: &Arc<Table>) -> Result<()> {
    if table.kind == TableKind::ExternalTable {
        context.catalog().drop_table(&table.database, &table.name).await?;
        context.sources().forget_table(table.id);
        return Ok(());
    }
    context.transaction().lock().await.drop_view(context.warehouse(), table).await
}
