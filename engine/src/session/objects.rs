//! The databases, views and functions that a transaction block has made, changed or dropped: what it sees of them instead of the
//! snapshot that it began with, and their share of its commit.

use crate::error::{Error, Result};
use millrace_catalog::model::{Database, Principals, Table};
use millrace_catalog::{FunctionChange, ObjectChanges, Snapshot};
use std::sync::Arc;

/// A change of users' rights that goes with a transaction.
#[derive(Clone)]
pub(crate) struct RightsChange(Arc<dyn Fn(&mut Principals) + Send + Sync>);

impl RightsChange {
    /// A change.
    pub(crate) fn new(change: impl Fn(&mut Principals) + Send + Sync + 'static) -> Self {
        Self(Arc::new(change))
    }

    /// Makes it.
    pub(super) fn make(&self, principals: &mut Principals) {
        (self.0)(principals);
    }
}

impl std::fmt::Debug for RightsChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RightsChange")
    }
}

/// Databases, views and functions as a transaction has changed them.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    changes: ObjectChanges,
    /// What becomes of rights on what was made, renamed or dropped.
    rights: Vec<RightsChange>,
    shown: Option<Arc<Snapshot>>,
}

impl Objects {
    /// What the transaction sees, where it has changed something.
    pub(super) fn shown(&self) -> Option<&Arc<Snapshot>> {
        self.shown.as_ref()
    }

    /// What the commit does.
    pub(super) fn changes(&self) -> &ObjectChanges {
        &self.changes
    }

    /// What becomes of rights when the transaction has committed.
    pub(super) fn take_rights(&mut self) -> Vec<RightsChange> {
        std::mem::take(&mut self.rights)
    }

    /// Changes rights.
    pub(super) fn change_rights(&mut self, seen: &Snapshot, change: RightsChange) {
        let mut principals = seen.principals().as_ref().clone();
        change.make(&mut principals);
        self.rights.push(change);
        self.shown = Some(Arc::new(seen.clone().with_principals(principals)));
    }

    /// Makes a database.
    pub(super) fn create_database(&mut self, seen: &Snapshot, database: Database) {
        let before = self.changes.dropped_databases.len();
        self.changes.dropped_databases.retain(|dropped| *dropped != database.name);
        if before == self.changes.dropped_databases.len() {
            self.changes.created_databases.push(database.clone());
        }
        self.shown = Some(Arc::new(seen.with_database(database)));
    }

    /// Drops a database that is empty as the transaction sees it.
    pub(super) fn drop_database(&mut self, seen: &Snapshot, name: &str) {
        let before = self.changes.created_databases.len();
        self.changes.created_databases.retain(|created| created.name != name);
        if before == self.changes.created_databases.len() {
            // One of its name that is made in the same block has none of its functions.
            let functions = seen.database(name).into_iter().flat_map(|database| &database.functions);
            self.changes.functions.extend(functions.map(|function| FunctionChange::Drop {
                database: name.to_owned(),
                name: function.name.clone(),
                arguments: function.arguments.clone(),
            }));
            self.changes.dropped_databases.push(name.to_owned());
        } else {
            self.changes.functions.retain(|change| change.database() != name);
        }
        self.shown = Some(Arc::new(seen.without_database(name)));
    }

    /// Makes a view, or gives the one of its name another definition; `number` is for a new one.
    pub(super) fn put(&mut self, seen: &Snapshot, view: Table, number: i64) -> Result<()> {
        match seen.table(&view.database, &view.name) {
            Some(existing) => self.change(seen, &Arc::clone(existing), view),
            None => {
                let view = Table { id: number, version: 1, ..view };
                self.changes.created.push(view.clone());
                self.shown = Some(Arc::new(seen.with_table(Arc::new(view))));
                Ok(())
            }
        }
    }

    /// Gives a view another definition, name or database.
    pub(super) fn change(&mut self, seen: &Snapshot, existing: &Arc<Table>, wanted: Table) -> Result<()> {
        let wanted = Table { id: existing.id, version: existing.version, ..wanted };
        if existing.id < 0 {
            let made = self.changes.created.iter_mut().find(|made| made.id == existing.id);
            *made.ok_or_else(lost)? = wanted.clone();
        } else if let Some((_, now)) = self.changes.changed.iter_mut().find(|(found, _)| found.id == existing.id) {
            *now = wanted.clone();
        } else {
            self.changes.changed.push((Arc::clone(existing), wanted.clone()));
        }
        let without = seen.without_table(&existing.database, &existing.name);
        self.shown = Some(Arc::new(without.with_table(Arc::new(wanted))));
        Ok(())
    }

    /// Makes, replaces or drops a function.
    pub(super) fn change_function(&mut self, seen: &Snapshot, change: FunctionChange) -> Result<()> {
        let Some(database) = seen.database(change.database()) else {
            return Err(Error::internal("the schema of a function was lost"));
        };
        let mut database = database.as_ref().clone();
        change.make(&mut database)?;
        self.changes.functions.push(change);
        self.shown = Some(Arc::new(seen.with_database(database)));
        Ok(())
    }

    /// Drops a view.
    pub(super) fn drop_view(&mut self, seen: &Snapshot, existing: &Arc<Table>) {
        if existing.id < 0 {
            self.changes.created.retain(|made| made.id != existing.id);
        } else if let Some(at) = self.changes.changed.iter().position(|(found, _)| found.id == existing.id) {
            let (found, _) = self.changes.changed.remove(at);
            self.changes.dropped.push(found);
        } else {
            self.changes.dropped.push(Arc::clone(existing));
        }
        self.shown = Some(Arc::new(seen.without_table(&existing.database, &existing.name)));
    }
}

fn lost() -> Error {
    Error::internal("a view of the transaction was lost")
}
