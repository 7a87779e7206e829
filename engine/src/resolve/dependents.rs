//! What reads what: the relations and the users' functions that the queries of views and materialized views name, and
//! what these mean now.

use super::{
    KEEPS_CASE, called_in, direct, find_names, locate, locate_schema, names_of, names_of_materialized, path_of,
    plan_of_materialized, plan_of_view, relation, system_table, user_functions,
};
use crate::error::{Error, Result};
use crate::federated::Definition;
use crate::plan;
use crate::session::Context;
use crate::sql::{self, Dialect, Names, ObjectName, folded};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast;
use millrace_catalog::Snapshot;
use millrace_catalog::model::{ManagedTable, MaterializedView, Table, TableKind};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A relation by database and name.
pub(crate) type RelationName = (String, String);

/// A query that is kept as text.
struct Kept<'a> {
    text: &'a str,
    dialect: Dialect,
    /// What becomes of the case of its names in quotes.
    names: Names,
    /// The schemas that its names are looked up in.
    path: &'a str,
}

impl<'a> Kept<'a> {
    /// A view's query; `None` for an external table.
    fn of_view(view: &'a Table) -> Result<Option<Self>> {
        let TableKind::VirtualView { text, dialect, search_database } = &view.kind else { return Ok(None) };
        let dialect = dialect.parse().map_err(Error::internal)?;
        Ok(Some(Self { text, dialect, names: names_of(view), path: search_database }))
    }

    fn of_materialized(view: &'a MaterializedView) -> Self {
        let names = names_of_materialized(view);
        Self { text: &view.text, dialect: Dialect::Redshift, names, path: &view.search_path }
    }

    fn query(&self) -> Result<Box<ast::Query>> {
        let query = sql::parse_query(self.text, self.dialect, self.names)?;
        query.ok_or_else(|| Error::internal("the text of a view is no query"))
    }

    /// The relations that it names.
    fn names(&self, snapshot: &Snapshot) -> Result<BTreeSet<RelationName>> {
        Ok(names_in(snapshot, self.query()?.as_ref(), &path_of(self.path)))
    }
}

/// The relations that a query names itself, whether there are such or not.
fn names_in(snapshot: &Snapshot, query: &ast::Query, path: &[String]) -> BTreeSet<RelationName> {
    let mut found = BTreeSet::new();
    each_name(query, |name| found.extend(locate(snapshot, name, path).ok()));
    found
}

/// The schemas that the relations of a query are named by: an external schema is not the database that it shows.
fn schemas_in(snapshot: &Snapshot, query: &ast::Query, path: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each_name(query, |name| {
        found.insert(match name.parts.as_slice() {
            [.., schema, _] => schema.clone(),
            _ => locate_schema(snapshot, name, path).to_owned(),
        });
    });
    found
}

/// Looks at the names of relations in a query, folded, without the moments that they are read at.
fn each_name(query: &ast::Query, mut look: impl FnMut(&ObjectName)) {
    let _: ControlFlow<()> = ast::visit_relations(query, |name| {
        let parts = name.0.iter().filter_map(|part| part.as_ident());
        let mut parts: Vec<String> = parts.map(folded).collect();
        if let Some(last) = parts.last_mut()
            && let Some((name, _)) = sql::moment_of(last)
        {
            *last = name.to_owned();
        }
        look(&ObjectName { parts, position: 0 });
        ControlFlow::Continue(())
    });
}

/// The relations that a view's query names; none for a query that cannot be read.
pub(crate) fn names_in_view(snapshot: &Snapshot, view: &Table) -> BTreeSet<RelationName> {
    let names = Kept::of_view(view).and_then(|kept| kept.map(|kept| kept.names(snapshot)).transpose());
    names.ok().flatten().unwrap_or_default()
}

/// The relations that a materialized view's query names; none for a query that cannot be read.
pub(crate) fn names_in_materialized(snapshot: &Snapshot, view: &MaterializedView) -> BTreeSet<RelationName> {
    Kept::of_materialized(view).names(snapshot).unwrap_or_default()
}

/// Whether a query reads a table or view, itself or through views.
///
/// # Errors
/// What is wrong with the text of a view.
pub(crate) fn reads(snapshot: &Snapshot, query: &ast::Query, path: &[String], target: &RelationName) -> Result<bool> {
    let mut found = names_in(snapshot, query, path);
    let mut waiting: Vec<RelationName> = found.iter().cloned().collect();
    while let Some((database, name)) = waiting.pop() {
        let Some(view) = snapshot.table(&database, &name) else { continue };
        let Some(kept) = Kept::of_view(view)? else { continue };
        waiting.extend(kept.names(snapshot)?.into_iter().filter(|name| found.insert(name.clone())));
    }
    Ok(found.contains(target))
}

/// What views may stand on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ground<'a> {
    /// A table or view, materialized or not.
    Relation(&'a RelationName),
    /// A user's function.
    Function(&'a user_functions::Called),
    /// A database or external schema with all that is in it.
    Schema(&'a str),
}

/// A view, plain or materialized.
#[derive(Debug, Clone)]
pub(crate) enum Dependent {
    /// A plain one.
    View(Arc<Table>),
    /// A materialized one.
    Materialized(Arc<ManagedTable>),
}

impl Dependent {
    /// Its database and name.
    pub(crate) fn name(&self) -> RelationName {
        match self {
            Self::View(view) => (view.database.clone(), view.name.clone()),
            Self::Materialized(view) => (view.schema.clone(), view.name.clone()),
        }
    }

    /// What it is called: `view`, `materialized view`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::View(_) => "view",
            Self::Materialized(_) => "materialized view",
        }
    }

    /// The plan of its query now.
    ///
    /// # Errors
    /// What running it would say.
    pub(crate) async fn plan(&self, context: &Context) -> Result<LogicalPlan> {
        match self {
            Self::View(view) => plan_of_view(context, view).await,
            Self::Materialized(view) => plan_of_materialized(context, view).await,
        }
    }

    fn kept(&self) -> Result<Option<Kept<'_>>> {
        match self {
            Self::View(view) => Kept::of_view(view),
            Self::Materialized(view) => Ok(view.attributes.materialized.as_ref().map(Kept::of_materialized)),
        }
    }

    /// Whether it keeps what it reads from being dropped: as in Redshift, a late-binding view does not; Athena's never do.
    fn binds(&self) -> bool {
        match self {
            Self::View(view) => {
                let made_here =
                    matches!(&view.kind, TableKind::VirtualView { dialect, .. } if dialect == Dialect::Redshift.name());
                made_here && !view.storage.columns.is_empty()
            }
            Self::Materialized(_) => true,
        }
    }
}

/// The views that stand on something, themselves or through others, each once; of a schema those of other schemas.
///
/// # Errors
/// What the catalog says.
pub(crate) async fn dependents(context: &Context, ground: Ground<'_>) -> Result<Vec<Dependent>> {
    let snapshot = context.snapshot().await?;
    let materialized = context.transaction().lock().await.materialized_views(context.warehouse()).await?;
    let views = snapshot.all_tables().cloned().map(Dependent::View);
    let mut others = Vec::new();
    let (mut reached, mut found) = (BTreeSet::new(), Vec::new());
    if let Ground::Relation(name) = ground {
        reached.insert(name.clone());
    }
    for view in views.chain(materialized.into_iter().map(Dependent::Materialized)) {
        // One that cannot be read any more stands on nothing.
        let Ok(Some(kept)) = view.kept() else { continue };
        let Ok(query) = kept.query() else { continue };
        let path = path_of(kept.path);
        let names = names_in(&snapshot, &query, &path);
        let calls = |wanted: &dyn Fn(&user_functions::Called) -> bool| {
            kept.dialect == Dialect::Redshift
                && view.binds()
                && called_in(context, &snapshot, &query, kept.path).iter().any(wanted)
        };
        let stands = match ground {
            Ground::Relation(_) => false,
            Ground::Function(called) => calls(&|known| known == called),
            Ground::Schema(schema) => {
                view.name().0 == schema
                    || names.iter().any(|(database, _)| database == schema)
                    || schemas_in(&snapshot, &query, &path).contains(schema)
                    || calls(&|(database, ..)| database == schema)
            }
        };
        if stands {
            reached.insert(view.name());
            found.push(view);
        } else {
            others.push((view, names));
        }
    }
    loop {
        let (more, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(|(_, names)| !names.is_disjoint(&reached));
        if more.is_empty() {
            let inside = |view: &Dependent| matches!(ground, Ground::Schema(schema) if view.name().0 == schema);
            found.retain(|view| view.binds() && !inside(view));
            return Ok(found);
        }
        others = rest;
        for (view, _) in more {
            reached.insert(view.name());
            found.push(view);
        }
    }
}

/// What a materialized view's query names and is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// A table or view: renamed, or dropped where nothing keeps it.
    Relation,
    /// A schema.
    Schema,
}

/// What a materialized view's query names itself and is not there any more; foreign systems are not asked.
///
/// # Errors
/// What is wrong with its text.
pub(crate) async fn lost_by(context: &Context, view: &MaterializedView) -> Result<Option<Lost>> {
    let snapshot = context.snapshot().await?;
    let kept = Kept::of_materialized(view);
    let (query, path) = (kept.query()?, path_of(kept.path));
    for reference in plan::with_room(|| find_names(&query, kept.dialect))?.references {
        let last = sql::moment_of(reference.table()).map_or(reference.table(), |(name, _)| name);
        if direct::is_place(last) {
            continue;
        }
        let parts = [reference.catalog(), reference.schema(), Some(last)];
        let name = ObjectName { parts: parts.into_iter().flatten().map(str::to_owned).collect(), position: 0 };
        if system_table(context, &snapshot, &name, &path).await.is_ok_and(|table| table.is_some()) {
            continue;
        }
        let Ok((database, table)) = locate(&snapshot, &name, &path) else { return Ok(Some(Lost::Schema)) };
        let is_foreign = snapshot.database(&database).is_some_and(|known| Definition::kind_of(known).is_some());
        if !is_foreign && relation(context, &database, &table).await?.is_none() {
            return Ok(Some(Lost::Relation));
        }
    }
    Ok(None)
}

/// What stands for the definitions of the views and users' functions that a materialized view's query goes through: the
/// same text while they are the same.
///
/// # Errors
/// What is wrong with the text of one of them.
pub(crate) async fn definitions(context: &Context, view: &MaterializedView) -> Result<String> {
    let snapshot = context.snapshot().await?;
    let context = context.with_dialect(Dialect::Redshift);
    let kept = Kept::of_materialized(view);
    let mut waiting = vec![(kept.query()?, kept.dialect, kept.path.to_owned())];
    let mut found = BTreeSet::new();
    while let Some((query, dialect, path)) = waiting.pop() {
        for (database, name) in names_in(&snapshot, &query, &path_of(&path)) {
            let Some(view) = snapshot.table(&database, &name) else { continue };
            let Some(kept) = Kept::of_view(view)? else { continue };
            let columns: Vec<&str> = view.storage.columns.iter().map(|column| column.name.as_str()).collect();
            let keeps_case = view.parameters.contains_key(KEEPS_CASE);
            let names = if kept.names == Names::Kept { " names" } else { "" };
            if found.insert(format!("view {database}.{name} {:?} {columns:?} {keeps_case}{names}", view.kind)) {
                waiting.push((kept.query()?, kept.dialect, kept.path.to_owned()));
            }
        }
        if dialect != Dialect::Redshift {
            continue;
        }
        for (schema, name, _) in called_in(&context, &snapshot, &query, &path) {
            let functions = snapshot.database(&schema).into_iter().flat_map(|database| &database.functions);
            for function in functions.filter(|function| function.name == name) {
                let parts = (&function.returns, function.volatility, &function.body, &function.search_path);
                let names = if function.keeps_names { " names" } else { "" };
                if found.insert(format!("function {schema}.{} {parts:?}{names}", function.signature())) {
                    let body = user_functions::body_of(function)?;
                    waiting.push((body, Dialect::Redshift, function.search_path.clone()));
                }
            }
        }
    }
    Ok(hex::encode(Sha256::digest(format!("{found:?}").as_bytes())))
}
