//! The lake as Redshift Spectrum shows it: external schemas, tables, columns and partitions.

use super::table::Kind::{Int2, Int4, Text};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Relation, RelationKind, Rows, SystemTable, oid, relations, row};
use crate::error::Result;
use crate::federated::Definition;
use crate::resolve::rights;
use crate::session::Context;
use datafusion::arrow::datatypes::FieldRef;
use millrace_catalog::Snapshot;
use millrace_catalog::model::{Database, Parameters, Privilege, Table};
use std::sync::Arc;

/// The external schemas: those that were made as such, and databases that hold external tables, under their own names.
fn schemas(snapshot: &Snapshot, relations: &[Relation]) -> Vec<ExternalSchema> {
    let made = |name: &str, database: &str, kind, options: &Parameters| ExternalSchema {
        name: name.to_owned(),
        database: database.to_owned(),
        kind,
        options: json(options),
    };
    let named =
        snapshot.external_schemas().map(|schema| made(&schema.name, &schema.database, DATA_CATALOG, &schema.options));
    let is_foreign =
        |schema: &str| snapshot.database(schema).is_some_and(|database| Definition::kind_of(database).is_some());
    let own = relations.iter().filter(|relation| relation.kind == RelationKind::External);
    let own = own.filter(|relation| !is_foreign(&relation.schema));
    let own = own.map(|relation| made(&relation.schema, &relation.schema, DATA_CATALOG, &Parameters::new()));
    let foreign = snapshot.databases().filter_map(|database| {
        let kind = Definition::kind_of(database)?;
        let number = (kind == "kinesis").then_some(KINESIS);
        Some(made(&database.name, kind, number, &Definition::shown_options(&database.parameters)))
    });
    let mut found: Vec<_> = named.chain(own).chain(foreign).collect();
    found.sort();
    found.dedup();
    found
}

/// `eskind` of the data catalog.
const DATA_CATALOG: Option<i64> = Some(1);

/// `eskind` of Kinesis; Redshift has no number for key-value tables and search indices.
const KINESIS: i64 = 9;

/// A schema over something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ExternalSchema {
    name: String,
    /// The catalog's database, or the kind of a foreign system.
    database: String,
    /// `eskind`
    kind: Option<i64>,
    /// As JSON.
    options: String,
}

/// What a schema is over: a database of the catalog, or a kind of foreign system; `None` for a schema of its own.
pub(super) fn source_of<'a>(snapshot: &'a Snapshot, schema: &str) -> Option<&'a str> {
    match snapshot.external_schema(schema) {
        Some(external) => Some(&external.database),
        None => snapshot.database(schema).and_then(|database| Definition::kind_of(database)),
    }
}

/// What is told of external tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Their names; foreign systems are not asked for columns.
    Names,
    /// Their columns too.
    Columns,
}

/// External tables with every schema name that they are seen under.
async fn seen(context: &Context, told: Told) -> Result<Vec<(String, Relation)>> {
    let snapshot = context.snapshot().await?;
    let all = relations(context).await?;
    let schemas = schemas(&snapshot, &all);
    let external = all.into_iter().filter(|relation| relation.kind == RelationKind::External);
    let named = external.flat_map(|relation| {
        // A schema over a foreign system has the tables that are declared in it, too.
        let is_under = |schema: &&ExternalSchema| match schema.kind {
            DATA_CATALOG => schema.database == relation.schema,
            _ => schema.name == relation.schema,
        };
        let under = schemas.iter().filter(is_under);
        under.map(|schema| (schema.name.clone(), relation.clone())).collect::<Vec<_>>()
    });
    let mut found: Vec<(String, Relation)> = named.collect();
    let usable = |database: &&Arc<Database>| {
        let user = &context.who().user;
        Definition::kind_of(database).is_some()
            && rights::may_on_schema(snapshot.principals(), user, &database.name, Privilege::Usage)
    };
    let foreign =
        snapshot.databases().filter(usable).map(|database| foreign_tables(context, &snapshot, database, told));
    for tables in futures::future::join_all(foreign).await {
        found.extend(tables.into_iter().map(|relation| (relation.schema.clone(), relation)));
    }
    Ok(found)
}

/// The tables of a schema over a foreign system; none where the system does not answer.
async fn foreign_tables(context: &Context, snapshot: &Snapshot, database: &Database, told: Told) -> Vec<Relation> {
    let owner = snapshot.principals().schema_owners.get(&database.name);
    let kind = Definition::kind_of(database).unwrap_or_default();
    let made = |name: &str, columns: &[FieldRef]| relations::foreign(&database.name, kind, name, owner, columns);
    // A declared table stands before the system's of its name.
    let is_shown = |name: &str| snapshot.table(&database.name, name).is_none();
    match told {
        Told::Names => {
            let names = context.sources().listed(database).await;
            names.iter().filter(|name| is_shown(name)).map(|name| made(name, &[])).collect()
        }
        Told::Columns => {
            let tables = context.sources().described(database).await;
            let shown = tables.iter().filter(|table| is_shown(&table.name));
            shown.map(|table| made(&table.name, table.columns().fields())).collect()
        }
    }
}

fn json(parameters: &Parameters) -> String {
    serde_json::to_string(parameters).unwrap_or_default()
}

/// External tables with every schema name that they are seen under, for `svv_tables` and its kin.
pub(super) async fn tables(context: &Context, told: Told) -> Result<Vec<(String, Relation)>> {
    seen(context, told).await
}

async fn partitions(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (schema, relation) in seen(context, Told::Names).await? {
        let Some(table) = relation.external.as_ref().filter(|table| !table.partition_keys.is_empty()) else { continue };
        for partition in context.catalog().partitions(table, &[]).await? {
            let values: Vec<&str> = partition.values.iter().map(|value| value.as_deref().unwrap_or("")).collect();
            let values = serde_json::to_string(&values).unwrap_or_default();
            let storage = partition.storage.as_deref().unwrap_or(&table.storage);
            rows.push(row![
                &schema,
                &relation.name,
                values,
                &partition.location,
                &storage.input_format,
                &storage.output_format,
                &storage.serde.library,
                json(&storage.serde.parameters),
                0,
                json(&storage.parameters)
            ]);
        }
    }
    Ok(rows)
}

fn external(relation: &Relation) -> Option<&Table> {
    relation.external.as_deref()
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_external_schema",
        columns: &[("esoid", super::Kind::Oid), ("eskind", Int4), ("esdbname", Text), ("esoptions", Text)],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let schemas = schemas(&snapshot, &relations(context).await?).into_iter();
                let row = |schema: ExternalSchema| {
                    row![oid::schema(&schema.name), schema.kind, schema.database, schema.options]
                };
                Ok(schemas.map(row).collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_external_schemas",
        columns: &[
            ("esoid", super::Kind::Oid),
            ("eskind", Int2),
            ("schemaname", Text),
            ("esowner", Int4),
            ("databasename", Text),
            ("esoptions", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let row = |schema: ExternalSchema| {
                    let ExternalSchema { name, database, kind, options } = schema;
                    let owner = principals.schema_owners.get(&name).map_or(millrace_catalog::model::ADMIN, |n| n);
                    row![oid::schema(&name), kind, &name, principals.user_id(owner), database, options]
                };
                Ok(schemas(&snapshot, &relations(context).await?).into_iter().map(row).collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_external_databases",
        columns: &[
            ("eskind", Int4),
            ("esoptions", Text),
            ("databasename", Text),
            ("location", Text),
            ("parameters", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let rows = snapshot.databases().map(|database| {
                    let parameters = json(&Definition::shown(&database.parameters));
                    row![1, NULL, &database.name, database.location.as_ref(), parameters]
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_external_tables",
        columns: &[
            ("redshift_database_name", Text),
            ("schemaname", Text),
            ("tablename", Text),
            ("tabletype", Text),
            ("location", Text),
            ("input_format", Text),
            ("output_format", Text),
            ("serialization_lib", Text),
            ("serde_parameters", Text),
            ("compressed", Int4),
            ("parameters", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let tables = seen(context, Told::Names).await?;
                let rows = tables.iter().filter_map(|(schema, relation)| {
                    if let Some(kind) = &relation.foreign {
                        let parameters = json(&Parameters::from([("connector".to_owned(), kind.clone())]));
                        let name = &relation.name;
                        return Some(row![
                            DATABASE,
                            schema,
                            name,
                            "EXTERNAL_TABLE",
                            NULL,
                            NULL,
                            NULL,
                            NULL,
                            NULL,
                            0,
                            parameters
                        ]);
                    }
                    let table = external(relation)?;
                    let storage = &table.storage;
                    Some(row![
                        DATABASE,
                        schema,
                        &relation.name,
                        "EXTERNAL_TABLE",
                        storage.location.as_ref(),
                        &storage.input_format,
                        &storage.output_format,
                        &storage.serde.library,
                        json(&storage.serde.parameters),
                        0,
                        json(&table.parameters)
                    ])
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_external_columns",
        columns: &[
            ("redshift_database_name", Text),
            ("schemaname", Text),
            ("tablename", Text),
            ("columnname", Text),
            ("external_type", Text),
            ("columnnum", Int4),
            ("part_key", Int4),
            ("is_nullable", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let tables = seen(context, Told::Columns).await?;
                let rows = tables.iter().flat_map(|(schema, relation)| {
                    relation.columns.iter().map(move |column| {
                        row![
                            DATABASE,
                            schema,
                            &relation.name,
                            &column.name,
                            column.external_type.as_ref(),
                            column.number,
                            column.partition_key,
                            "true"
                        ]
                    })
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_external_partitions",
        columns: &[
            ("schemaname", Text),
            ("tablename", Text),
            ("values", Text),
            ("location", Text),
            ("input_format", Text),
            ("output_format", Text),
            ("serialization_lib", Text),
            ("serde_parameters", Text),
            ("compressed", Int4),
            ("parameters", Text),
        ],
        rows: |context| Box::pin(partitions(context)),
    },
];
