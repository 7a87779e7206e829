//! Databases, schemas, tables, views and their versions.

use super::*;
use crate::model::{Database, ExternalSchema, SqlFunction, Volatility};

fn schema(name: &str, database: &str) -> ExternalSchema {
    ExternalSchema {
        name: name.to_owned(),
        database: database.to_owned(),
        options: [("IAM_ROLE".to_owned(), "arn:aws:iam::1:role/r".to_owned())].into(),
        create_time_ms: 5,
    }
}

#[tokio::test]
async fn databases_come_back_as_they_were_stored() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    let sales = Database {
        name: "sales".to_owned(),
        description: Some("it's ours".to_owned()),
        location: Some("s3://bucket/sales/".to_owned()),
        parameters: [("k".to_owned(), "v".to_owned())].into(),
        create_time_ms: 1_700_000_000_000,
        functions: vec![SqlFunction {
            name: "twice".to_owned(),
            arguments: vec!["integer".to_owned()],
            returns: "integer".to_owned(),
            volatility: Volatility::Immutable,
            body: "SELECT 2 * $1".to_owned(),
            search_path: "public".to_owned(),
            keeps_names: true,
            owner: None,
            create_time_ms: 1_700_000_000_000,
        }],
    };
    assert!(catalog.create_database(&sales, false).await.unwrap());
    assert!(!catalog.create_database(&sales, true).await.unwrap());
    assert_eq!(message(catalog.create_database(&sales, false).await), "database \"sales\" already exists");
    let snapshot = catalog.snapshot().await.unwrap();
    assert_eq!(**snapshot.database("sales").unwrap(), sales);
    assert_eq!(catalog.get_database("sales").await.unwrap(), Some(sales));
    assert_eq!(snapshot.databases().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["default", "sales"]);
    assert_eq!(message(catalog.drop_database("none", false).await), "database \"none\" does not exist");
    assert_eq!(message(catalog.drop_database("default", true).await), "database \"default\" cannot be dropped");
    assert!(message(catalog.create_database(&Database::new(""), true).await).contains("must not be empty"));
}

#[tokio::test]
async fn a_database_in_use_is_dropped_only_with_cascade() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    catalog.create_database(&Database::new("d"), false).await.unwrap();
    let t = Table { database: "d".to_owned(), ..table("t", &[("x", "int"), ("y", "int")]) };
    let made = catalog.create_table_with_partitions(&t, &[partition(&["1", "2"])], false).await.unwrap().unwrap();
    catalog.update_table(&made).await.unwrap();
    assert_eq!(message(catalog.drop_database("d", false).await), "database \"d\" is not empty");
    catalog.create_external_schema(&schema("s", "d"), false, false).await.unwrap();
    catalog.drop_table("d", "t").await.unwrap();
    assert!(message(catalog.drop_database("d", false).await).contains("external schema \"s\" shows it"));
    catalog.create_table_with_partitions(&t, &[partition(&["1", "2"])], false).await.unwrap();
    catalog.drop_database("d", true).await.unwrap();
    let snapshot = catalog.snapshot().await.unwrap();
    assert!(snapshot.database("d").is_none() && snapshot.external_schema("s").is_none());
    assert_eq!(snapshot.all_tables().count(), 0);
    assert_eq!(catalog.partition_count(&made).await.unwrap(), 0);
}

#[tokio::test]
async fn external_schemas_share_the_databases_name_space() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    assert_eq!(
        message(catalog.create_external_schema(&schema("s", "d"), false, false).await),
        "database \"d\" does not exist"
    );
    assert!(catalog.create_external_schema(&schema("s", "d"), false, true).await.unwrap());
    assert!(!catalog.create_external_schema(&schema("s", "d"), true, true).await.unwrap());
    assert_eq!(
        message(catalog.create_external_schema(&schema("s", "d"), false, false).await),
        "schema \"s\" already exists"
    );
    assert_eq!(
        message(catalog.create_external_schema(&schema("default", "d"), false, false).await),
        "database \"default\" already exists"
    );
    assert_eq!(message(catalog.create_database(&Database::new("s"), false).await), "schema \"s\" already exists");
    // A schema of its database's own name is common in Redshift, and means the same.
    assert!(catalog.create_external_schema(&schema("d", "d"), false, true).await.unwrap());
    let snapshot = catalog.snapshot().await.unwrap();
    assert_eq!(**snapshot.external_schema("s").unwrap(), schema("s", "d"));
    assert_eq!(snapshot.resolve_schema("s").unwrap().name, "d");
    assert_eq!(snapshot.resolve_schema("d").unwrap().name, "d");
    assert!(snapshot.resolve_schema("x").is_none());
    catalog.drop_external_schema("d", false).await.unwrap();
    catalog.drop_external_schema("s", true).await.unwrap();
    assert_eq!(message(catalog.drop_external_schema("s", false).await), "schema \"s\" does not exist");
    assert!(catalog.snapshot().await.unwrap().database("d").is_none());
}

#[tokio::test]
async fn tables_come_back_as_they_were_stored() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    let t = Table { create_time_ms: 5, update_time_ms: 6, ..table("t", &[("dt", "date")]) };
    let made = catalog.create_table(&t, false).await.unwrap().unwrap();
    assert_eq!(made, Table { id: made.id, version: 1, ..t.clone() });
    assert!(catalog.create_table(&t, true).await.unwrap().is_none());
    assert_eq!(message(catalog.create_table(&t, false).await), "relation \"default.t\" already exists");
    let elsewhere = Table { database: "x".to_owned(), ..t.clone() };
    assert_eq!(message(catalog.create_table(&elsewhere, false).await), "database \"x\" does not exist");
    let v = catalog.create_table(&view("v", "SELECT 'é''\u{1F600}'"), false).await.unwrap().unwrap();
    assert!(v.create_time_ms > 1_600_000_000_000 && v.id != made.id);
    let snapshot = catalog.snapshot().await.unwrap();
    assert_eq!(**snapshot.table("default", "t").unwrap(), made);
    assert_eq!(**snapshot.table("default", "v").unwrap(), v);
    assert_eq!(snapshot.tables("default").count(), 2);
    assert_eq!(catalog.get("default", "v").await.unwrap(), Some(v));
    assert_eq!(catalog.get("default", "w").await.unwrap(), None);
    assert_eq!(catalog.drop_table("default", "t").await.unwrap(), made);
    assert_eq!(message(catalog.drop_table("default", "t").await), "relation \"default.t\" does not exist");
    let again = catalog.create_table(&t, false).await.unwrap().unwrap();
    assert!(again.id > made.id, "numbers are not used again");
}

#[tokio::test]
async fn earlier_definitions_are_kept() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    let first = catalog.create_table(&table("t", &[]), false).await.unwrap().unwrap();
    let mut wanted = first.clone();
    wanted.storage.columns.push(Column::new("b", "int".parse().unwrap()));
    let second = catalog.update_table(&wanted).await.unwrap();
    assert_eq!((second.id, second.version, second.storage.columns.len()), (first.id, 2, 2));
    assert!(matches!(catalog.update_table(&wanted).await, Err(CatalogError::Conflict(_))));
    catalog.create_database(&Database::new("d"), false).await.unwrap();
    let third = catalog.rename_table(&second, "d", "u").await.unwrap();
    assert_eq!((third.database.as_str(), third.name.as_str(), third.version), ("d", "u", 3));
    let versions = catalog.table_versions(first.id).await.unwrap();
    assert_eq!(versions.iter().map(|v| v.version).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(versions[0].table, first);
    assert_eq!(versions[1].table, second);
    let snapshot = catalog.snapshot().await.unwrap();
    assert!(snapshot.table("default", "t").is_none());
    assert_eq!(**snapshot.table("d", "u").unwrap(), third);
    catalog.create_table(&table("t", &[]), false).await.unwrap();
    assert_eq!(message(catalog.rename_table(&third, "default", "t").await), "relation \"default.t\" already exists");
    assert_eq!(message(catalog.rename_table(&third, "x", "t").await), "database \"x\" does not exist");
    assert_eq!(
        message(catalog.rename_table(&second, "d", "w").await),
        "relation \"d.u\" was changed by another session".replace("d.u", "default.t")
    );
    catalog.drop_table("d", "u").await.unwrap();
    assert!(matches!(catalog.update_table(&third).await, Err(CatalogError::NotFound { kind: "relation", .. })));
    assert!(catalog.table_versions(first.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn views_are_replaced_and_tables_are_not() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    let first = catalog.replace_table(&view("v", "SELECT 1")).await.unwrap();
    let second = catalog.replace_table(&view("v", "SELECT 2")).await.unwrap();
    assert_eq!((first.version, second.version, first.id), (1, 2, second.id));
    assert_eq!(second.create_time_ms, first.create_time_ms);
    assert_eq!(catalog.table_versions(first.id).await.unwrap()[0].table, first);
    catalog.create_table(&table("t", &[]), false).await.unwrap();
    assert_eq!(message(catalog.replace_table(&view("t", "SELECT 1")).await), "\"default.t\" is not a view");
    assert_eq!(message(catalog.replace_table(&table("v", &[])).await), "\"default.v\" is not a view");
}

#[tokio::test]
async fn keys_keep_their_types_while_there_are_partitions() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    let mut t = catalog.create_table(&table("t", &[("x", "int")]), false).await.unwrap().unwrap();
    t.partition_keys[0].data_type = "string".parse().unwrap();
    let mut t = catalog.update_table(&t).await.unwrap();
    let stale = Table { partition_keys: table("t", &[("x", "int")]).partition_keys, ..t.clone() };
    let conflict = catalog.add_partitions(&stale, &[partition(&["1"])], false).await;
    assert!(matches!(conflict, Err(CatalogError::Conflict(_))));
    catalog.add_partitions(&t, &[partition(&["1"])], false).await.unwrap();
    t.partition_keys[0].name = "y".to_owned();
    let mut t = catalog.update_table(&t).await.unwrap();
    t.partition_keys[0].data_type = "date".parse().unwrap();
    assert!(message(catalog.update_table(&t).await).contains("cannot change while it has partitions"));
}
