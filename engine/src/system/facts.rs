//! What the functions of `pg_catalog` know: one look at the catalog, taken when a query that calls one is resolved.

use super::{Relation, relations};
use crate::error::Result;
use crate::session::{Context, Sessions, Who};
use millrace_catalog::Snapshot;
use std::collections::HashMap;
use std::sync::Arc;

/// What a query's functions may ask for.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) who: Who,
    /// The schema that unqualified names are looked up in.
    pub(crate) schema: String,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Who else is connected.
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) relations: Vec<Relation>,
    /// The bytes of each relation's files, where a function asks for them.
    pub(crate) sizes: HashMap<i64, u64>,
    /// Settings by name.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// Takes them; sizes only where they are wanted, for they are more than a look.
pub(crate) async fn facts(context: &Context, with_sizes: bool) -> Result<Facts> {
    let relations = relations(context).await?;
    let mut sizes = HashMap::new();
    if with_sizes {
        for relation in &relations {
            sizes.insert(relation.oid, super::size_bytes(context, relation).await?);
        }
    }
    Ok(Facts {
        who: context.who().clone(),
        schema: context.database().to_owned(),
        snapshot: context.snapshot().await?,
        sessions: Arc::clone(context.warehouse().sessions()),
        relations,
        sizes,
        settings: context.settings().into_iter().map(|(name, value, _)| (name, value)).collect(),
    })
}

impl Facts {
    /// The relation of a number.
    pub(crate) fn by_oid(&self, oid: i64) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.oid == oid)
    }

    /// The relation of a name as written, with or without its schema.
    pub(crate) fn by_name(&self, written: &str) -> Option<&Relation> {
        let parts: Vec<String> = written.split('.').map(|part| part.trim().trim_matches('"').to_lowercase()).collect();
        let (schema, name) = match parts.as_slice() {
            [name] => (self.schema.as_str(), name),
            [schema, name] | [_, schema, name] => (schema.as_str(), name),
            _ => return None,
        };
        let schema = self.snapshot.resolve_schema(schema).map_or(schema, |database| database.name.as_str());
        self.relations.iter().find(|relation| relation.schema == schema && relation.name == *name)
    }
}
