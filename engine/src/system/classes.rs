//! Relations and schemas in `pg_catalog`: `pg_class` and what hangs on it.

use super::table::Kind::{Bool, Int2, Int4, Oid, Real, Text};
use super::table::NULL;
use super::{
    INFORMATION_SCHEMA, PG_CATALOG, RelationKind, Rows, SystemTable, Value, all, constraints, indexes, oid, relations,
    row,
};
use crate::error::Result;
use crate::resolve;
use crate::session::Context;
use millrace_catalog::model::{ADMIN, Grantee, Principals, Securable};

/// The names of all schemas with their owners, those of the system too.
pub(super) async fn schemas(context: &Context) -> Result<Vec<(String, String)>> {
    let snapshot = context.snapshot().await?;
    let owners = &snapshot.principals().schema_owners;
    let owner = |name: &str| owners.get(name).map_or(ADMIN, String::as_str).to_owned();
    let mut found: Vec<(String, String)> =
        crate::resolve::schema_names(&snapshot).map(|name| (name.to_owned(), owner(name))).collect();
    found.extend([PG_CATALOG, INFORMATION_SCHEMA].map(|name| (name.to_owned(), ADMIN.to_owned())));
    found.sort();
    found.dedup();
    Ok(found)
}

/// An access list as PostgreSQL writes it: `user=privileges/grantor`; NULL where nothing was granted.
pub(super) fn access_list(principals: &Principals, object: &Securable) -> Value {
    let mut items: Vec<(String, String, String)> = Vec::new();
    for grant in principals.grants.iter().filter(|grant| grant.object == *object) {
        let grantee = match &grant.grantee {
            Grantee::User(name) => name.clone(),
            Grantee::Group(name) => format!("group {name}"),
            Grantee::Role(name) => format!("role {name}"),
            Grantee::Public => String::new(),
        };
        let letter = format!("{}{}", grant.privilege.letter(), if grant.grant_option { "*" } else { "" });
        match items.iter_mut().find(|(known, _, grantor)| *known == grantee && *grantor == grant.grantor) {
            Some((_, letters, _)) => letters.push_str(&letter),
            None => items.push((grantee, letter, grant.grantor.clone())),
        }
    }
    if items.is_empty() {
        return Value::Null;
    }
    Value::Texts(items.into_iter().map(|(who, letters, grantor)| format!("{who}={letters}/{grantor}")).collect())
}

/// The same of a function or language: NULL as long as nothing was given or taken, for then it is everybody's; then the owner's
/// and everybody's rights are in it too.
pub(super) fn access_list_of_all(principals: &Principals, object: &Securable, owner: &str) -> Value {
    let given = match access_list(principals, object) {
        Value::Texts(items) => items,
        _ => Vec::new(),
    };
    let Some(right) = object.right_of_all() else { return Value::Null };
    let open = principals.is_open(object, right);
    if given.is_empty() && open {
        return Value::Null;
    }
    let letter = right.letter();
    let mut items = Vec::new();
    if open && !given.iter().any(|item| item.starts_with('=')) {
        items.push(format!("={letter}/{owner}"));
    }
    items.push(format!("{owner}={letter}/{owner}"));
    items.extend(given);
    Value::Texts(items)
}

/// `relkind`
pub(super) fn letter(kind: RelationKind) -> char {
    match kind {
        RelationKind::Table => 'r',
        RelationKind::View => 'v',
        RelationKind::External => 'f',
    }
}

pub(super) async fn class(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let principals = snapshot.principals();
    let mut rows = Rows::new();
    for relation in relations(context).await?.iter().filter(|relation| relation.is_local()) {
        let object = Securable::Table(relation.schema.clone(), relation.name.clone());
        let indexes = indexes::of(relation);
        rows.push(class_row(
            (relation.oid, &relation.name, oid::schema(&relation.schema)),
            principals.user_id(&relation.owner),
            (letter(relation.kind), relation.columns.len()),
            (!indexes.is_empty(), indexes.iter().any(|index| index.is_primary)),
            relation.distribution,
            access_list(principals, &object),
        ));
        for index in indexes {
            rows.push(class_row(
                (index.oid, index.name, oid::schema(&relation.schema)),
                principals.user_id(&relation.owner),
                ('i', index.columns.len()),
                (false, false),
                0,
                Value::Null,
            ));
        }
    }
    for table in all() {
        let number = oid::system(table.schema, table.name);
        let access = Value::Texts(vec![format!("=r/{ADMIN}")]);
        rows.push(class_row(
            (number, table.name, oid::schema(table.schema)),
            principals.user_id(ADMIN),
            (if table.schema == PG_CATALOG { 'r' } else { 'v' }, table.columns.len()),
            (false, false),
            0,
            access,
        ));
    }
    Ok(rows)
}

fn class_row(
    (number, name, schema): (i64, &str, i64),
    owner: i32,
    (kind, columns): (char, usize),
    (has_index, has_key): (bool, bool),
    distribution: i16,
    access: Value,
) -> Vec<Value> {
    // What AUTO is now, `pg_class_info` tells: it depends on the table's files.
    let effective = (distribution < 10).then_some(distribution);
    // B-trees' number in `pg_am`.
    let method = if kind == 'i' { 403 } else { 0 };
    row![
        number,
        name,
        schema,
        0,
        owner,
        method,
        number,
        0,
        0,
        0.001,
        0,
        0,
        has_index,
        false,
        kind,
        columns,
        0,
        0,
        0,
        0,
        0,
        false,
        has_key,
        false,
        false,
        access,
        effective.unwrap_or(9),
        false,
        "p",
        NULL,
        0,
        effective,
        NULL,
        false,
        0
    ]
}

async fn namespace(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let rows = schemas(context).await?.into_iter().map(|(name, owner)| {
        let access = access_list(snapshot.principals(), &Securable::Schema(name.clone()));
        row![oid::schema(&name), &name, snapshot.principals().user_id(&owner), access]
    });
    Ok(rows.collect())
}

async fn description(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for relation in relations(context).await?.iter().filter(|relation| relation.is_local()) {
        let class = oid::system(PG_CATALOG, "pg_class");
        if let Some(comment) = &relation.comment {
            rows.push(row![relation.oid, class, 0, comment]);
        }
        for column in &relation.columns {
            if let Some(comment) = &column.comment {
                rows.push(row![relation.oid, class, column.number, comment]);
            }
        }
    }
    Ok(rows)
}

async fn views(context: &Context) -> Result<Rows> {
    let found = relations(context).await?;
    let views = found.iter().filter(|relation| relation.kind == RelationKind::View);
    Ok(views.map(|view| row![&view.schema, &view.name, &view.owner, view.definition.as_ref()]).collect())
}

async fn tables(context: &Context) -> Result<Rows> {
    let found = relations(context).await?;
    let tables = found.iter().filter(|relation| relation.kind == RelationKind::Table);
    let user = tables.map(|table| {
        let indexed = constraints::of(table).any(|key| !key.is_foreign());
        row![&table.schema, &table.name, &table.owner, NULL, indexed, false, false]
    });
    let system = all().filter(|table| table.schema == PG_CATALOG);
    let system = system.map(|table| row![table.schema, table.name, ADMIN, NULL, false, false, false]);
    Ok(user.chain(system).collect())
}

/// Views and what they read, which dbt joins through `pg_rewrite`; foreign keys and the indexes of the keys that they point
/// at, by which JDBC finds those.
async fn depend(context: &Context) -> Result<Rows> {
    let class = oid::system(PG_CATALOG, "pg_class");
    let rewrite = oid::system(PG_CATALOG, "pg_rewrite");
    let mut rows = Rows::new();
    for (view, read) in view_sources(context).await? {
        rows.push(row![rewrite, view, 0, class, read, 0, "n"]);
        rows.push(row![rewrite, view, 0, class, view, 0, "i"]);
    }
    let all = relations(context).await?;
    let constraint_class = oid::system(PG_CATALOG, "pg_constraint");
    for (at, (relation, key)) in constraints::all(&all).enumerate().filter(|(_, (_, key))| key.is_foreign()) {
        if let Some(index) = constraints::index(&all, relation, &key) {
            rows.push(row![constraint_class, at + 1, 0, class, index, 0, "n"]);
        }
    }
    Ok(rows)
}

/// Pairs of a view's number and that of a relation that its query names. A late-binding view, which has no columns of its
/// own, depends on nothing: dropping what it reads leaves it.
pub(super) async fn view_sources(context: &Context) -> Result<Vec<(i64, i64)>> {
    let found = relations(context).await?;
    let snapshot = context.snapshot().await?;
    let mut pairs = Vec::new();
    for view in found.iter().filter(|relation| relation.kind == RelationKind::View) {
        let materialized = view.managed.as_ref().and_then(|table| table.attributes.materialized.as_ref());
        let named = match (materialized, snapshot.table(&view.schema, &view.name)) {
            (Some(view), _) => resolve::names_in_materialized(&snapshot, view),
            (None, Some(table)) if !table.storage.columns.is_empty() => resolve::names_in_view(&snapshot, table),
            _ => continue,
        };
        for (schema, name) in named {
            if let Some(source) = found.iter().find(|known| known.schema == schema && known.name == name) {
                pairs.push((view.oid, source.oid));
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    Ok(pairs)
}

async fn rewrite(context: &Context) -> Result<Rows> {
    let found = relations(context).await?;
    let views = found.iter().filter(|relation| relation.kind == RelationKind::View);
    Ok(views.map(|view| row![view.oid, "_RETURN", view.oid, 0, "1", true, NULL, NULL]).collect())
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_class",
        columns: &[
            ("oid", Oid),
            ("relname", Text),
            ("relnamespace", Oid),
            ("reltype", Oid),
            ("relowner", Int4),
            ("relam", Oid),
            ("relfilenode", Oid),
            ("reltablespace", Oid),
            ("relpages", Int4),
            ("reltuples", Real),
            ("reltoastrelid", Oid),
            ("reltoastidxid", Oid),
            ("relhasindex", Bool),
            ("relisshared", Bool),
            ("relkind", Text),
            ("relnatts", Int2),
            ("relchecks", Int2),
            ("reltriggers", Int2),
            ("relukeys", Int2),
            ("relfkeys", Int2),
            ("relrefs", Int2),
            ("relhasoids", Bool),
            ("relhaspkey", Bool),
            ("relhasrules", Bool),
            ("relhassubclass", Bool),
            ("relacl", super::Kind::Texts),
            ("reldiststyle", Int2),
            ("relispartition", Bool),
            ("relpersistence", Text),
            ("reloptions", super::Kind::Texts),
            ("relexternid", Oid),
            ("releffectivediststyle", Int2),
            ("relpartbound", Text),
            ("relhastriggers", Bool),
            ("reloftype", Oid),
        ],
        rows: |context| Box::pin(class(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_namespace",
        columns: &[("oid", Oid), ("nspname", Text), ("nspowner", Int4), ("nspacl", super::Kind::Texts)],
        rows: |context| Box::pin(namespace(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_description",
        columns: &[("objoid", Oid), ("classoid", Oid), ("objsubid", Int4), ("description", Text)],
        rows: |context| Box::pin(description(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_views",
        columns: &[("schemaname", Text), ("viewname", Text), ("viewowner", Text), ("definition", Text)],
        rows: |context| Box::pin(views(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_tables",
        columns: &[
            ("schemaname", Text),
            ("tablename", Text),
            ("tableowner", Text),
            ("tablespace", Text),
            ("hasindexes", Bool),
            ("hasrules", Bool),
            ("hastriggers", Bool),
        ],
        rows: |context| Box::pin(tables(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_depend",
        columns: &[
            ("classid", Oid),
            ("objid", Oid),
            ("objsubid", Int4),
            ("refclassid", Oid),
            ("refobjid", Oid),
            ("refobjsubid", Int4),
            ("deptype", Text),
        ],
        rows: |context| Box::pin(depend(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_rewrite",
        columns: &[
            ("oid", Oid),
            ("rulename", Text),
            ("ev_class", Oid),
            ("ev_attr", Int2),
            ("ev_type", Text),
            ("is_instead", Bool),
            ("ev_qual", Text),
            ("ev_action", Text),
        ],
        rows: |context| Box::pin(rewrite(context)),
    },
];
