//! Temporary tables: a session's own tables, which are in no catalog and which no other session sees.
//!
//! Each is a draft that nobody commits. A transaction works on its own copy of them (drafts are shared until one of
//! them changes), which becomes the session's when it commits. A file goes when the last copy that needs it does: with
//! the table, with the session, with the rows of a query that still reads it, or with a rollback.

use super::draft::Draft;
use crate::error::{Error, ErrorKind, Result};
use millrace_catalog::model::{Identity, ManagedColumn, ManagedTable};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What the schemas of temporary tables are called, before the session's number; `pg_temp` is one's own.
const SCHEMA: &str = "pg_temp";

/// Whether a table is some session's temporary one.
pub(crate) fn is_temporary(table: &ManagedTable) -> bool {
    table.schema.strip_prefix(SCHEMA).is_some_and(|rest| rest.starts_with('_'))
}

/// The temporary tables of a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Temporaries {
    schema: String,
    tables: BTreeMap<String, Arc<Draft>>,
    /// The next value of IDENTITY columns, by table and column.
    identities: HashMap<(i64, i64), i64>,
    /// The last number given to something that is in no catalog; all are negative.
    last_id: i64,
}

impl Temporaries {
    /// None yet, of the session with this number.
    pub(super) fn of_session(number: u64) -> Self {
        Self { schema: format!("{SCHEMA}_{number}"), ..Self::default() }
    }

    /// The schema that they are in.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// Whether a name that stands before a table's means this schema.
    pub(crate) fn is_schema(&self, name: &str) -> bool {
        name == SCHEMA || name == self.schema
    }

    /// All of them, by name.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Arc<ManagedTable>> {
        self.tables.values().map(|draft| &draft.table)
    }

    /// The table of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Draft> {
        self.tables.get(name).map(AsRef::as_ref)
    }

    /// The table of this name, to be changed.
    pub(super) fn draft(&mut self, name: &str) -> Result<&mut Draft> {
        let draft = self.tables.get_mut(name).map(Arc::make_mut);
        draft.ok_or_else(|| Error::new(ErrorKind::UndefinedTable, format!("relation \"{name}\" does not exist")))
    }

    /// Adds a table.
    pub(super) fn create(&mut self, table: &Arc<ManagedTable>) {
        self.tables.insert(table.name.clone(), Arc::new(Draft::new(table)));
    }

    /// Takes a table away.
    pub(super) fn drop_table(&mut self, name: &str) {
        if let Some(draft) = self.tables.remove(name) {
            self.identities.retain(|(table, _), _| *table != draft.table.id);
        }
    }

    /// Gives a table another definition.
    pub(super) fn alter(&mut self, name: &str, changed: ManagedTable) -> Result<()> {
        self.draft(name)?.table = Arc::new(changed);
        if let Some(draft) = self.tables.remove(name) {
            self.tables.insert(draft.table.name.clone(), draft);
        }
        Ok(())
    }

    /// A number for a table, column, file or row that is in no catalog.
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id -= 1;
        self.last_id
    }

    /// The first of `count` values of an IDENTITY column of a table that is in no catalog.
    pub(super) fn next_identity(
        &mut self,
        (table, column): (&ManagedTable, &ManagedColumn),
        identity: Identity,
        count: usize,
    ) -> Result<i64> {
        next_identity(&mut self.identities, (table.id, column.id), identity, count)
    }

    /// Lets go of the files that no table needs any more.
    pub(super) fn settle(&mut self) {
        for draft in self.tables.values_mut().filter(|draft| draft.has_spare_files()) {
            Arc::make_mut(draft).drop_spare_files();
        }
    }
}

/// Takes the next `count` values of an IDENTITY column out of those that `identities` tells; the first of them.
pub(super) fn next_identity(
    identities: &mut HashMap<(i64, i64), i64>,
    column: (i64, i64),
    identity: Identity,
    count: usize,
) -> Result<i64> {
    let next = identities.entry(column).or_insert(identity.seed);
    let first = *next;
    *next = i64::try_from(count)
        .ok()
        .and_then(|count| identity.step.checked_mul(count)?.checked_add(first))
        .ok_or_else(|| Error::new(ErrorKind::NumericOverflow, "the values of the identity column are used up"))?;
    Ok(first)
}
