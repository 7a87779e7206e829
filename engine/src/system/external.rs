//! The lake as Redshift Spectrum shows it: external schemas, tables, columns and partitions.

use super::table::Kind::{Int4, Text};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Relation, RelationKind, Rows, SystemTable, oid, relations, row};
use crate::error::Result;
use crate::session::Context;
use millrace_catalog::Snapshot;
use millrace_catalog::model::{Parameters, Table};

/// The external schemas: those that were made as such, and databases that hold external tables, under their own names.
fn schemas(snapshot: &Snapshot, relations: &[Relation]) -> Vec<(String, String, String)> {
    let named = snapshot.external_schemas().map(|schema| {
        let options = serde_json::to_string(&schema.options).unwrap_or_default();
        (schema.name.clone(), schema.database.clone(), options)
    });
    let own = relations.iter().filter(|relation| relation.kind == RelationKind::External);
    let own = own.map(|relation| (relation.schema.clone(), relation.schema.clone(), "{}".to_owned()));
    let mut found: Vec<_> = named.chain(own).collect();
    found.sort();
    found.dedup();
    found
}

/// External tables with every schema name that they are seen under.
async fn seen(context: &Context) -> Result<Vec<(String, Relation)>> {
    let snapshot = context.snapshot().await?;
    let all = relations(context).await?;
    let schemas = schemas(&snapshot, &all);
    let external = all.into_iter().filter(|relation| relation.kind == RelationKind::External);
    let named = external.flat_map(|relation| {
        let under = schemas.iter().filter(|(_, database, _)| *database == relation.schema);
        under.map(|(schema, ..)| (schema.clone(), relation.clone())).collect::<Vec<_>>()
    });
    Ok(named.collect())
}

fn json(parameters: &Parameters) -> String {
    serde_json::to_string(parameters).unwrap_or_default()
}

/// External tables with every schema name that they are seen under, for `svv_tables` and its kin.
pub(super) async fn tables(context: &Context) -> Result<Vec<(String, Relation)>> {
    seen(context).await
}

async fn partitions(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (schema, relation) in seen(context).await? {
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
                // 1 is the data catalog.
                Ok(schemas.map(|(name, database, options)| row![oid::schema(&name), 1, database, options]).collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_external_schemas",
        columns: &[
            ("esoid", super::Kind::Oid),
            ("eskind", Int4),
            ("schemaname", Text),
            ("esowner", Int4),
            ("databasename", Text),
            ("esoptions", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                // 1 is the data catalog.
                let rows =
                    schemas(&snapshot, &relations(context).await?).into_iter().map(|(name, database, options)| {
                        let owner = principals.schema_owners.get(&name).map_or(millrace_catalog::model::ADMIN, |n| n);
                        row![oid::schema(&name), 1, &name, principals.user_id(owner), database, options]
                    });
                Ok(rows.collect())
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
                    row![1, NULL, &database.name, database.location.as_ref(), json(&database.parameters)]
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
                let tables = seen(context).await?;
                let rows = tables.iter().filter_map(|(schema, relation)| {
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
                let tables = seen(context).await?;
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
