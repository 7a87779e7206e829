//! Schemas over foreign systems: made, listed, shown and dropped, by whom that may.

use crate::World;
use millrace_engine::{Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test]
async fn tables_are_there_at_once() {
    let mut world = World::new().await;
    assert_eq!(world.line("SHOW TABLES IN mem").await, "Mixed chain denied dies orders");
    let text = "SELECT tablename FROM svv_external_tables WHERE schemaname = 'mem' ORDER BY 1";
    assert_eq!(world.line(text).await, "Mixed chain denied dies orders");
    let text =
        "SELECT columnname, external_type FROM svv_external_columns WHERE tablename = 'orders' ORDER BY columnnum";
    let columns = "id,bigint name,character varying(65535) price,numeric(10,2) at,timestamp without time zone \
                   document,super";
    assert_eq!(world.line(text).await, columns);
    assert_eq!(world.line("SELECT table_type FROM svv_tables WHERE table_name = 'orders'").await, "EXTERNAL TABLE");
    assert_eq!(world.line("SELECT schema_type FROM svv_all_schemas WHERE schema_name = 'mem'").await, "external");
    assert_eq!(
        world.line("DESCRIBE mem.orders").await,
        columns
            .replace(' ', ",NULL ")
            .replace("character,NULL varying", "character varying")
            .replace("timestamp,NULL without,NULL time,NULL zone", "timestamp without time zone")
            + ",NULL"
    );
    // Names of other cases, names that are not listed, and the path.
    assert_eq!(world.line("SELECT count(*) FROM mem.mixed").await, "8");
    assert_eq!(world.line("SELECT count(*) FROM mem.\"orders-*\"").await, "8");
    world.line("SET search_path TO public, mem").await;
    assert_eq!(world.line("SELECT count(*) FROM chain").await, "8");
}

#[tokio::test]
async fn what_a_system_told_is_believed_for_a_moment() {
    let mut world =
        World::with(|config| WarehouseConfig { connector_time_to_live: Duration::from_hours(1), ..config }).await;
    for _ in 0..3 {
        world.line("SHOW TABLES IN mem").await;
        world.line("SELECT tablename FROM svv_external_tables").await;
    }
    assert_eq!(world.memory.listings.load(Ordering::Relaxed), 1);
    let config = WarehouseConfig::new(world.folder.path()).with_setting("connector_ttl_ms", "0").unwrap();
    assert_eq!(config.connector_time_to_live, Duration::ZERO);
}

#[tokio::test]
async fn a_dead_system_breaks_no_listing() {
    let mut world = World::new().await;
    world.line("CREATE EXTERNAL SCHEMA ks FROM KINESIS").await;
    world.line("CREATE TABLE own (n int)").await;
    world.memory.down.store(true, Ordering::Relaxed);
    let text = "SELECT table_name FROM svv_tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')";
    assert_eq!(world.line(text).await, "own");
    assert_eq!(world.line("SELECT count(*) FROM svv_external_columns").await, "0");
    // A schema whose system is dead can be made and dropped.
    world.line("CREATE EXTERNAL SCHEMA dead FROM DYNAMODB ENDPOINT 'http://localhost:1'").await;
    world.line("DROP SCHEMA dead").await;
    assert_eq!(world.error("SHOW TABLES IN mem").await.sqlstate(), "08006");
    world.line("SET search_path TO mem, public").await;
    // Nobody knows whether the dead one has a table of this name: another one is not taken silently.
    assert_eq!(world.error("SELECT count(*) FROM own").await.sqlstate(), "08006");
    assert_eq!(world.line("SELECT count(*) FROM \"default\".own").await, "0");
}

#[tokio::test]
async fn options_are_checked_and_secrets_kept() {
    let mut world = World::new().await;
    for (text, sqlstate, message) in [
        ("CREATE EXTERNAL SCHEMA x FROM ELASTICSEARCH", "0A000", "FROM ELASTICSEARCH is not supported"),
        ("CREATE EXTERNAL SCHEMA x FROM OPENSEARCH REGION 'r'", "22023", "has no option \"region\""),
        ("CREATE EXTERNAL SCHEMA x FROM OPENSEARCH OPTIONS (page_size 'ten')", "22023", "takes a number"),
        ("CREATE EXTERNAL SCHEMA x FROM OPENSEARCH 'http://u:p@host'", "22023", "no user and no password"),
        ("CREATE EXTERNAL SCHEMA mem FROM OPENSEARCH", "42P06", "already exists"),
        ("CREATE DATABASE x WITH DBPROPERTIES ('connector'='kinesis')", "22023", "reserved"),
        ("CREATE TABLE mem.t (n int)", "0A000", "a table in \"mem\", a schema of OpenSearch"),
        ("CREATE VIEW mem.v AS SELECT 1", "0A000", "a view in \"mem\""),
        ("INSERT INTO mem.orders VALUES (1)", "0A000", "changing \"orders\", a table of OpenSearch"),
        ("DELETE FROM mem.orders", "0A000", "changing \"orders\""),
        ("DROP TABLE mem.orders", "0A000", "changing \"orders\""),
        ("ANALYZE mem.orders", "42809", "cannot analyze \"orders\""),
    ] {
        let error = world.error(text).await;
        assert_eq!(error.sqlstate(), sqlstate, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
    let text = "CREATE EXTERNAL SCHEMA logs FROM OPENSEARCH 'https://host:9200' USER 'u' PASSWORD 'S3cret'";
    world.line(text).await;
    world.line("CREATE EXTERNAL SCHEMA IF NOT EXISTS logs FROM OPENSEARCH").await;
    let shown = world.line("SELECT eskind, databasename, esoptions FROM svv_external_schemas").await;
    assert!(shown.contains("NULL,opensearch,{\"endpoint\":\"https://host:9200\",\"user\":\"u\"}"), "{shown}");
    // Options are known in any case, and so are secrets.
    let text =
        "CREATE EXTERNAL SCHEMA cased FROM OPENSEARCH 'https://host' OPTIONS (\"User\" 'u', \"PASSWORD\" 'S3cret')";
    world.line(text).await;
    let cased = world.line("SELECT esoptions FROM svv_external_schemas WHERE schemaname = 'cased'").await;
    assert_eq!(cased, "{\"endpoint\":\"https://host\",\"user\":\"u\"}");
    let twice = "CREATE EXTERNAL SCHEMA x FROM OPENSEARCH USER 'u' OPTIONS (\"User\" 'v')";
    assert_eq!(world.error(twice).await.sqlstate(), "42601");
    let everything = [
        shown,
        world.line("SELECT parameters FROM svv_external_databases").await,
        world.line("SELECT querytxt FROM stl_query").await,
        world.line("SELECT query_text FROM sys_query_history").await,
        world.line("SELECT esoptions FROM pg_external_schema").await,
    ];
    assert!(!everything.join(" ").contains("S3cret"), "{everything:?}");
    world.line("DROP SCHEMA logs").await;
    assert_eq!(world.error("SELECT 1 FROM logs.orders").await.sqlstate(), "3F000");
    // Redshift's documentation of SVV_EXTERNAL_SCHEMAS: 9 is Kinesis.
    world.line("CREATE EXTERNAL SCHEMA ks FROM KINESIS").await;
    assert_eq!(world.line("SELECT eskind FROM svv_external_schemas WHERE schemaname = 'ks'").await, "9");
}

#[tokio::test]
async fn schemas_are_kept_with_the_warehouse() {
    let world = World::new().await;
    let config = WarehouseConfig::new(world.folder.path());
    let again = Warehouse::open_with(config, crate::registry(&world.memory)).await.unwrap();
    let found = rows(&mut Session::new(again), "SELECT count(*) FROM mem.orders").await.unwrap();
    assert_eq!(found, [["8"]]);
}

#[tokio::test]
async fn rights_are_those_of_any_table() {
    let mut world = World::new().await;
    world.line("CREATE USER reader PASSWORD 'Reader12'").await;
    world.line("SET SESSION AUTHORIZATION reader").await;
    assert_eq!(world.error("SELECT 1 FROM mem.orders").await.sqlstate(), "42501");
    assert_eq!(world.line("SELECT count(*) FROM svv_external_tables").await, "0");
    // Nobody's question made the system work.
    assert_eq!(world.memory.listings.load(Ordering::Relaxed), 0);
    world.line("SET SESSION AUTHORIZATION default").await;
    world.line("GRANT USAGE ON SCHEMA mem TO reader").await;
    world.line("GRANT SELECT ON mem.orders TO reader").await;
    world.line("GRANT SELECT (id) ON mem.chain TO reader").await;
    world.line("SET SESSION AUTHORIZATION reader").await;
    assert_eq!(world.line("SELECT count(*) FROM mem.orders").await, "8");
    assert_eq!(world.line("SELECT sum(id) FROM mem.chain").await, "36");
    assert_eq!(world.error("SELECT name FROM mem.chain").await.sqlstate(), "42501");
    assert_eq!(world.error("SELECT count(*) FROM mem.mixed").await.sqlstate(), "42501");
    assert_eq!(world.error("DROP SCHEMA mem").await.sqlstate(), "42501");
}
