//! What the functions of `pg_catalog` know: one look at the catalog, taken when a query that calls one is resolved.

use super::{Relation, relations};
use crate::error::Result;
use crate::session::{Changer, Context, Sessions, Who};
use crate::sql::Names;
use crate::wlm::Wlm;
use millrace_catalog::Snapshot;
use std::collections::HashMap;
use std::sync::Arc;

/// What a query's functions may ask for.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) who: Who,
    /// What becomes of the case of names in double quotes.
    pub(crate) names: Names,
    /// The schemas that exist of those that unqualified names are looked up in.
    pub(crate) path: Vec<String>,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Who else is connected.
    pub(crate) sessions: Arc<Sessions>,
    /// The queues that statements run in.
    pub(crate) wlm: Arc<Wlm>,
    pub(crate) relations: Vec<Relation>,
    /// The bytes of each relation's files, where a function asks for them.
    pub(crate) sizes: HashMap<i64, u64>,
    /// Settings by name.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// How they are changed.
    pub(crate) changer: Changer,
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
    let snapshot = context.snapshot().await?;
    let path = context.path().iter().filter(|schema| snapshot.resolve_schema(schema).is_some());
    Ok(Facts {
        who: context.who().clone(),
        names: context.names(),
        path: path.cloned().collect(),
        snapshot,
        sessions: Arc::clone(context.warehouse().sessions()),
        wlm: Arc::clone(context.warehouse().wlm()),
        relations,
        sizes,
        settings: context.settings().into_iter().map(|(name, value, _)| (name, value)).collect(),
        changer: context.changer(),
    })
}

impl Facts {
    /// The relation of a number.
    pub(crate) fn by_oid(&self, oid: i64) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.oid == oid)
    }

    /// The relation of a name as written, with or without its schema.
    pub(crate) fn by_name(&self, written: &str) -> Option<&Relation> {
        let parts = self.name_parts(written);
        match parts.as_slice() {
            [name] => self.by_bare_name(name),
            [schema, name] | [_, schema, name] => self.in_schema(schema, name),
            _ => None,
        }
    }

    /// The parts of a name as written in a text: folded as the statement's own names are.
    pub(crate) fn name_parts(&self, written: &str) -> Vec<String> {
        let part = |part: &str| {
            let part = part.trim();
            let bare = part.trim_matches('"');
            if self.names == Names::Kept && part.starts_with('"') { bare.to_owned() } else { bare.to_lowercase() }
        };
        written.split('.').map(part).collect()
    }

    fn by_bare_name(&self, name: &str) -> Option<&Relation> {
        self.path.iter().find_map(|schema| self.in_schema(schema, name))
    }

    fn in_schema(&self, schema: &str, name: &str) -> Option<&Relation> {
        let schema = self.snapshot.resolve_schema(schema).map_or(schema, |database| database.name.as_str());
        self.relations.iter().find(|relation| relation.schema == schema && relation.name == name)
    }

    /// Whether a relation's name means it where no schema is named.
    pub(crate) fn is_visible(&self, relation: &Relation) -> bool {
        let real = |schema: &String| self.snapshot.resolve_schema(schema).is_some_and(|d| d.name == relation.schema);
        match self.path.iter().position(real) {
            Some(0) => true,
            Some(_) => self.by_bare_name(&relation.name).is_some_and(|found| found.oid == relation.oid),
            None => false,
        }
    }
}
