//! `pg_constraint`: the constraints of relations, which are informational, and what foreign keys point at.

use super::table::Kind::{Bool, Int2s, Oid, Text};
use super::table::NULL;
use super::{Column, Facts, PG_CATALOG, Relation, Rows, SystemTable, oid, quoted, relations, row};
use crate::error::Result;
use crate::session::Context;
use millrace_catalog::model::{Constraint, ConstraintKind, Reference};

/// A constraint of a relation.
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    /// In its order.
    pub(super) columns: Vec<&'a Column>,
    declared: &'a Constraint,
}

impl Key<'_> {
    pub(super) fn is_primary(&self) -> bool {
        self.declared.is_primary_key()
    }

    pub(super) fn is_foreign(&self) -> bool {
        self.declared.reference().is_some()
    }

    /// `PRIMARY KEY` and its like.
    pub(super) fn kind(&self) -> &'static str {
        match self.declared.kind {
            ConstraintKind::PrimaryKey => "PRIMARY KEY",
            ConstraintKind::Unique => "UNIQUE",
            ConstraintKind::ForeignKey(_) => "FOREIGN KEY",
        }
    }

    /// `contype`
    fn letter(&self) -> char {
        match self.declared.kind {
            ConstraintKind::PrimaryKey => 'p',
            ConstraintKind::Unique => 'u',
            ConstraintKind::ForeignKey(_) => 'f',
        }
    }
}

/// The constraints of a relation.
pub(super) fn of(relation: &Relation) -> impl Iterator<Item = Key<'_>> {
    relation.constraints.iter().map(|(name, declared)| {
        let columns = named(relation, &declared.columns);
        Key { name, columns, declared }
    })
}

/// The columns of these names.
fn named<'a>(relation: &'a Relation, names: &[String]) -> Vec<&'a Column> {
    names.iter().filter_map(|name| relation.columns.iter().find(|column| column.name == *name)).collect()
}

/// A foreign key that points at columns that there are.
pub(super) struct ForeignKey<'a> {
    pub(super) name: &'a str,
    pub(super) columns: Vec<&'a Column>,
    pub(super) target: &'a Relation,
    pub(super) target_columns: Vec<&'a Column>,
    /// The name of the key that it points at.
    pub(super) target_key: Option<&'a str>,
}

/// A relation's foreign keys.
pub(super) fn foreign_keys<'a>(all: &'a [Relation], relation: &'a Relation) -> Vec<ForeignKey<'a>> {
    let keys = of(relation).filter_map(|key| {
        let (target, target_columns) = referenced(all, relation, key.declared.reference()?)?;
        let target_key = key_of(target, &target_columns).map(|key| key.name);
        let found = ForeignKey { name: key.name, columns: key.columns, target, target_columns, target_key };
        (!found.target_columns.is_empty()).then_some(found)
    });
    keys.collect()
}

/// What a foreign key points at: without columns of its own it is the primary key.
fn referenced<'a>(
    all: &'a [Relation],
    from: &Relation,
    reference: &Reference,
) -> Option<(&'a Relation, Vec<&'a Column>)> {
    let schema = reference.schema.as_ref().unwrap_or(&from.schema);
    let target = all.iter().find(|known| known.schema == *schema && known.name == reference.table)?;
    let columns = if reference.columns.is_empty() {
        of(target).find(Key::is_primary).map(|key| key.columns).unwrap_or_default()
    } else {
        named(target, &reference.columns)
    };
    Some((target, columns))
}

/// The key of these columns, else the primary key.
fn key_of<'a>(relation: &'a Relation, columns: &[&Column]) -> Option<Key<'a>> {
    let mut keys: Vec<Key<'a>> = of(relation).filter(|key| !key.is_foreign()).collect();
    let at = keys.iter().position(|key| numbers(&key.columns) == numbers(columns));
    let at = at.or_else(|| keys.iter().position(Key::is_primary))?;
    Some(keys.swap_remove(at))
}

fn numbers(columns: &[&Column]) -> Vec<i64> {
    columns.iter().map(|column| column.number).collect()
}

/// The number of the index behind a constraint: its own, or that of the key that a foreign key points at.
pub(super) fn index(all: &[Relation], relation: &Relation, key: &Key<'_>) -> Option<i64> {
    let Some(reference) = key.declared.reference() else { return Some(oid::index(relation.oid, key.name)) };
    let (target, columns) = referenced(all, relation, reference)?;
    Some(oid::index(target.oid, key_of(target, &columns)?.name))
}

/// All constraints with their relations, in the order of their numbers in `pg_constraint`, which count from 1.
pub(super) fn all(relations: &[Relation]) -> impl Iterator<Item = (&Relation, Key<'_>)> {
    relations.iter().flat_map(|relation| of(relation).map(move |key| (relation, key)))
}

/// What a constraint is, by its number in `pg_constraint`, as PostgreSQL's `pg_get_constraintdef` tells.
pub(crate) fn constraint_text(facts: &Facts, number: i64) -> Option<String> {
    let at = usize::try_from(number).ok()?.checked_sub(1)?;
    let (relation, key) = all(&facts.relations).nth(at)?;
    let list = |columns: &[&Column]| columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
    let target = key.declared.reference().and_then(|reference| referenced(&facts.relations, relation, reference));
    Some(match target {
        Some((target, columns)) if !columns.is_empty() => {
            let table = if facts.is_visible(target) { quoted(&target.name) } else { target.qualified() };
            format!("FOREIGN KEY ({}) REFERENCES {table}({})", list(&key.columns), list(&columns))
        }
        _ => key.declared.definition(quoted),
    })
}

async fn constraint(context: &Context) -> Result<Rows> {
    let relations = relations(context).await?;
    let rows = all(&relations).enumerate().map(|(at, (relation, key))| {
        let reference = key.declared.reference();
        let target = reference.and_then(|reference| referenced(&relations, relation, reference));
        row![
            at + 1,
            key.name,
            oid::schema(&relation.schema),
            key.letter(),
            false,
            false,
            relation.oid,
            0,
            target.as_ref().map_or(0, |(target, _)| target.oid),
            "a",
            "a",
            "u",
            numbers(&key.columns),
            target.map(|(_, columns)| numbers(&columns)),
            NULL,
            NULL,
            index(&relations, relation, &key).unwrap_or(0)
        ]
    });
    Ok(rows.collect())
}

pub(super) const TABLES: &[SystemTable] = &[SystemTable {
    schema: PG_CATALOG,
    name: "pg_constraint",
    columns: &[
        ("oid", Oid),
        ("conname", Text),
        ("connamespace", Oid),
        ("contype", Text),
        ("condeferrable", Bool),
        ("condeferred", Bool),
        ("conrelid", Oid),
        ("contypid", Oid),
        ("confrelid", Oid),
        ("confupdtype", Text),
        ("confdeltype", Text),
        ("confmatchtype", Text),
        ("conkey", Int2s),
        ("confkey", Int2s),
        // Of checks only.
        ("conbin", Text),
        ("consrc", Text),
        // PostgreSQL's since 9.0, which psql asks for.
        ("conindid", Oid),
    ],
    rows: |context| Box::pin(constraint(context)),
}];
