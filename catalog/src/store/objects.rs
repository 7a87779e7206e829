//! Databases, views and functions that a transaction makes, changes and drops: its share of a commit beside managed tables.
//!
//! What is said here is the net effect. Names may change hands between views and managed tables within one commit, so
//! that it happens in two steps around the manifest's changes: first names are given up, then taken.

use super::connection::Write;
use super::databases::{check_name, database_exists, drop_database, ensure_database, find_database, update_database};
use super::owners::check_owner;
use super::tables::{change, create, delete, find, find_version, qualified};
use crate::error::{CatalogError, Result};
use crate::manifest::is_managed;
use crate::model::{Database, SqlFunction, Table};
use std::sync::Arc;

/// The net effect of a transaction on databases, views and functions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectChanges {
    /// New databases; one that another transaction has made meanwhile is taken as it is.
    pub created_databases: Vec<Database>,
    /// Databases that are empty once the transaction has committed.
    pub dropped_databases: Vec<String>,
    /// New views, whatever their numbers.
    pub created: Vec<Table>,
    /// Views as the transaction found them, with what becomes of them: definition, name, database.
    pub changed: Vec<(Arc<Table>, Table)>,
    /// Views as the transaction found them.
    pub dropped: Vec<Arc<Table>>,
    /// What becomes of functions, in order.
    pub functions: Vec<FunctionChange>,
}

/// A change of one function of a database.
#[derive(Debug, Clone, PartialEq)]
pub enum FunctionChange {
    /// A function in the place of the one of its name and arguments, if there is one.
    Put {
        /// Its database.
        database: String,
        /// The function.
        function: SqlFunction,
        /// Whether there may be one.
        replaces: bool,
    },
    /// One goes.
    Drop {
        /// Its database.
        database: String,
        /// Its name.
        name: String,
        /// Its arguments' types.
        arguments: Vec<String>,
    },
}

impl FunctionChange {
    /// The database that it changes.
    pub fn database(&self) -> &str {
        match self {
            Self::Put { database, .. } | Self::Drop { database, .. } => database,
        }
    }

    /// Makes it, in the definition of its database.
    ///
    /// # Errors
    /// [`CatalogError::AlreadyExists`], [`CatalogError::NotFound`].
    pub fn make(&self, of: &mut Database) -> Result<()> {
        let at = |name: &str, arguments: &[String]| {
            of.functions.iter().position(|known| known.name == name && known.arguments == arguments)
        };
        match self {
            Self::Put { function, replaces, .. } => match at(&function.name, &function.arguments) {
                Some(_) if !replaces => {
                    return Err(CatalogError::already_exists("function", function.signature()));
                }
                Some(at) => of.functions[at] = function.clone(),
                None => of.functions.push(function.clone()),
            },
            Self::Drop { name, arguments, .. } => match at(name, arguments) {
                Some(at) => drop(of.functions.remove(at)),
                None => {
                    let signature = format!("{name}({})", arguments.join(", "));
                    return Err(CatalogError::not_found("function", signature));
                }
            },
        }
        Ok(())
    }
}

impl ObjectChanges {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The first step: databases are made, views dropped and renamed where their new names are free; the others are
    /// put aside under a name that nobody has, and returned with the name that they wait for.
    pub(crate) async fn give_up_names(&self, write: &mut Write<'_>) -> Result<Vec<(Table, Table)>> {
        for database in &self.created_databases {
            ensure_database(write, database).await?;
        }
        for view in &self.dropped {
            let existing = find_version(write, view).await?;
            delete(write, &existing).await?;
        }
        let mut waiting = Vec::new();
        for (found, wanted) in &self.changed {
            let existing = find_version(write, found).await?;
            let moves = (&existing.database, &existing.name) != (&wanted.database, &wanted.name);
            if moves && !is_free(write, wanted).await? {
                let name = format!("millrace moves {}", existing.id);
                let aside = change(write, &existing, Table { name, ..existing.clone() }).await?;
                waiting.push((aside, wanted.clone()));
            } else {
                change(write, &existing, Table { create_time_ms: existing.create_time_ms, ..wanted.clone() }).await?;
            }
        }
        Ok(waiting)
    }

    /// The second step: the other views get their names, new ones are made, and what is empty is dropped.
    pub(crate) async fn take_names(&self, write: &mut Write<'_>, waiting: Vec<(Table, Table)>) -> Result<()> {
        for (aside, wanted) in waiting {
            if !is_free(write, &wanted).await? {
                return Err(CatalogError::already_exists("relation", qualified(&wanted.database, &wanted.name)));
            }
            change(write, &aside, Table { create_time_ms: aside.create_time_ms, ..wanted }).await?;
        }
        for view in &self.created {
            if create(write, view, &[]).await?.is_none() {
                return Err(CatalogError::already_exists("relation", qualified(&view.database, &view.name)));
            }
        }
        for change in &self.functions {
            let database = find_database(write, change.database()).await?;
            let mut database = database.ok_or_else(|| CatalogError::not_found("database", change.database()))?;
            change.make(&mut database)?;
            if let FunctionChange::Put { function, .. } = change {
                check_owner(write, function.owner.as_ref()).await?;
            }
            update_database(write, &database).await?;
        }
        for name in &self.dropped_databases {
            drop_database(write, name, false).await?;
        }
        Ok(())
    }
}

async fn is_free(write: &mut Write<'_>, wanted: &Table) -> Result<bool> {
    check_name("relation", &wanted.name)?;
    if !database_exists(write, &wanted.database).await? {
        return Err(CatalogError::not_found("database", &wanted.database));
    }
    Ok(find(write, &wanted.database, &wanted.name).await?.is_none()
        && !is_managed(write, &wanted.database, &wanted.name).await?)
}
