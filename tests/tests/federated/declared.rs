//! Tables of the catalog over foreign systems: declared, shown, changed, read and dropped, by whom that may; and made by
//! crawlers.

use crate::World;
use millrace_connectors::{Comparison, Predicate, Value};
use std::sync::atomic::Ordering;

const CREATE: &str = "CREATE EXTERNAL TABLE mem.shop (id int, title varchar(20), price decimal(12,2), document super)
                      TABLE PROPERTIES ('sourceTable'='orders', 'columnMapping'='title=Name')";

#[tokio::test]
async fn a_declared_table_stands_beside_the_systems() {
    let mut world = World::new().await;
    world.line(CREATE).await;
    assert_eq!(world.line("SHOW TABLES IN mem").await, "Mixed chain denied dies orders shop");
    let tables = "SELECT tablename, location FROM svv_external_tables WHERE schemaname = 'mem' ORDER BY 1";
    assert_eq!(
        world.line(tables).await,
        "Mixed,NULL chain,NULL denied,NULL dies,NULL orders,NULL shop,opensearch://orders"
    );
    let columns =
        "SELECT columnname, external_type FROM svv_external_columns WHERE tablename = 'shop' ORDER BY columnnum";
    assert_eq!(world.line(columns).await, "id,int title,varchar(20) price,decimal(12,2) document,super");
    let columns = "SELECT column_name, data_type FROM svv_columns WHERE table_name = 'shop' ORDER BY ordinal_position";
    assert_eq!(world.line(columns).await, "id,integer title,character varying price,numeric document,super");
    assert_eq!(world.line("SELECT count(*) FROM svv_external_schemas WHERE schemaname = 'mem'").await, "1");
    assert_eq!(
        world.line("DESCRIBE mem.shop").await,
        "id,int,NULL title,varchar(20),NULL price,decimal(12,2),NULL document,super,NULL"
    );
    assert_eq!(
        world.line("SELECT id, title, price, document.a FROM mem.shop WHERE id < 4 ORDER BY id").await,
        "1,apple,1.50,1 2,apricot,2.50,NULL 3,banana,NULL,NULL"
    );
    let scanned = "SELECT DISTINCT table_name FROM millrace_foreign_scan";
    assert_eq!(world.line(scanned).await, "mem.shop");
    assert_eq!(world.line("SELECT count(*) FROM mem.orders").await, "8");
    world.line("DROP TABLE mem.shop").await;
    assert_eq!(world.error("SELECT 1 FROM mem.shop").await.sqlstate(), "42P01");
    assert_eq!(world.line("SELECT count(*) FROM mem.orders").await, "8");
}

#[tokio::test]
async fn what_is_shown_makes_it_again() {
    let mut world = World::new().await;
    world.line(CREATE).await;
    let shown = world.rows("SHOW CREATE TABLE mem.shop").await.unwrap();
    let shown: Vec<String> = shown.into_iter().map(|row| row.join(",")).collect();
    assert_eq!(
        shown.join("\n"),
        "CREATE EXTERNAL TABLE `mem`.`shop`(\n  `id` int,\n  `title` varchar(20),\n  `price` decimal(12,2),\n  \
         `document` super)\nLOCATION\n  'opensearch://orders'\nTBLPROPERTIES (\n  'columnMapping'='title=Name',\n  \
         'sourceTable'='orders')"
    );
    world.line("DROP TABLE mem.shop").await;
    world.line("SET dialect TO athena").await;
    world.line(&shown.join("\n")).await;
    assert_eq!(world.line("SELECT count(title) FROM mem.shop").await, "7");
}

#[tokio::test]
async fn a_table_of_the_systems_name_stands_before_it() {
    let mut world = World::new().await;
    world.line("CREATE EXTERNAL TABLE mem.orders (id varchar(9))").await;
    assert_eq!(world.line("SHOW TABLES IN mem").await, "Mixed chain denied dies orders");
    let count = "SELECT count(*) FROM svv_external_tables WHERE schemaname = 'mem' AND tablename = 'orders'";
    assert_eq!(world.line(count).await, "1");
    assert_eq!(world.line("SELECT max(id) FROM mem.orders").await, "8");
    assert_eq!(world.error("SELECT name FROM mem.orders").await.sqlstate(), "42703");
    world.line("CREATE EXTERNAL TABLE IF NOT EXISTS mem.orders (id int)").await;
    assert_eq!(world.error("CREATE EXTERNAL TABLE mem.orders (id int)").await.sqlstate(), "42P07");
}

#[tokio::test]
async fn conditions_name_sources() {
    let mut world = World::new().await;
    let create = "CREATE EXTERNAL TABLE mem.t (number bigint, word varchar(20)) LOCATION 'opensearch://chain'
                  TABLE PROPERTIES ('columnMapping'='number=id, word=Name')";
    world.line(create).await;
    assert_eq!(world.line("SELECT word FROM mem.t WHERE number = 2 AND word LIKE 'apri%'").await, "apricot");
    let request = world.memory.take_request();
    assert_eq!((request.table.as_str(), request.columns.as_slice()), ("chain", ["Name".to_owned()].as_slice()));
    let expected = Predicate::Compare { column: "id".to_owned(), comparison: Comparison::Eq, value: Value::Integer(2) };
    assert_eq!(request.predicates, [expected]);
}

#[tokio::test]
async fn values_that_do_not_fit_are_errors_or_null() {
    let mut world = World::new().await;
    let create = "CREATE EXTERNAL TABLE mem.t (id int, n int) LOCATION 'opensearch://orders'
                  TABLE PROPERTIES ('columnMapping'='n=Name'%)";
    world.line(&create.replace('%', "")).await;
    let error = world.error("SELECT n FROM mem.t").await;
    assert_eq!(error.sqlstate(), "22000");
    assert!(error.message.contains("\"Name\""), "{error}");
    world.line("ALTER TABLE mem.t SET TBLPROPERTIES ('invalid.values'='null')").await;
    assert_eq!(world.line("SELECT count(*), count(n) FROM mem.t").await, "8,0");
}

#[tokio::test]
async fn definitions_change_as_other_tables_do() {
    let mut world = World::new().await;
    world.line(CREATE).await;
    world.line("ALTER TABLE mem.shop ADD COLUMNS (at timestamp)").await;
    assert_eq!(world.line("SELECT at FROM mem.shop WHERE id = 2").await, "1970-01-01 01:00:00");
    world.line("ALTER TABLE mem.shop SET TBLPROPERTIES ('sourceTable'='chain')").await;
    world.line("SELECT id FROM mem.shop").await;
    assert!(world.memory.take_requests().iter().any(|request| request.table == "chain"));
    let location = "SELECT location FROM svv_external_tables WHERE tablename = 'shop'";
    assert_eq!(world.line(location).await, "opensearch://chain");
    // A renamed column keeps its source, and a property is known in any case.
    world.line("ALTER TABLE mem.shop RENAME COLUMN title TO word").await;
    assert_eq!(world.line("SELECT count(word) FROM mem.shop").await, "7");
    world.line("ALTER TABLE mem.shop SET TBLPROPERTIES ('COLUMNMAPPING'='word=Name', 'Page_Size'='5')").await;
    assert_eq!(world.line("SELECT count(word) FROM mem.shop").await, "7");
    let shown = world.rows("SHOW TBLPROPERTIES mem.shop").await.unwrap();
    let named: Vec<&str> = shown.iter().map(|row| row[0].as_str()).filter(|name| name.len() == 13).collect();
    assert_eq!(named, ["COLUMNMAPPING"]);
    world.line("ALTER TABLE mem.shop RENAME COLUMN word TO title").await;
    world.line("ALTER TABLE mem.shop RENAME TO store").await;
    assert_eq!(world.line("SELECT count(*) FROM mem.store").await, "8");
    for (text, sqlstate) in [
        ("ALTER TABLE mem.store SET LOCATION 's3://b/x'", "0A000"),
        ("ALTER TABLE mem.store ADD PARTITION (d='1')", "0A000"),
        ("ALTER TABLE mem.store RENAME TO \"default\".store", "0A000"),
        ("ALTER TABLE mem.store SET TBLPROPERTIES ('endpoint'='http://x')", "22023"),
        ("ALTER TABLE mem.store SET TBLPROPERTIES ('columnMapping'='x=y')", "22023"),
        ("ALTER TABLE mem.store DROP COLUMN title", "22023"),
        ("INSERT INTO mem.store SELECT 1, 'a', 1, NULL, NULL", "0A000"),
        ("DELETE FROM mem.store", "42809"),
        ("ANALYZE mem.store", "42809"),
        ("COPY mem.store FROM 's3://b/x'", "0A000"),
    ] {
        let error = world.error(text).await;
        assert_eq!(error.sqlstate(), sqlstate, "{text}: {error}");
    }
    assert_eq!(world.error("DROP SCHEMA mem").await.sqlstate(), "2BP01");
    world.line("DROP SCHEMA mem CASCADE").await;
}

#[tokio::test]
async fn another_connection_takes_the_right_to_use_it() {
    let mut world = World::new().await;
    world.line("CREATE USER ann PASSWORD 'Annann12'").await;
    world.line("CREATE SCHEMA hers AUTHORIZATION ann").await;
    world.line("CREATE EXTERNAL SCHEMA alias FROM DATA CATALOG DATABASE 'mem'").await;
    world.line("GRANT USAGE ON SCHEMA alias TO ann").await;
    world.line("SET SESSION AUTHORIZATION ann").await;
    world.line("CREATE EXTERNAL TABLE hers.t (id int) LOCATION 'opensearch://orders'").await;
    for text in [
        "ALTER TABLE hers.t SET TBLPROPERTIES ('connectionName'='mem')",
        "ALTER TABLE hers.t SET TBLPROPERTIES ('CONNECTIONNAME'='mem')",
        // Another name of the schema gives its credentials too.
        "ALTER TABLE hers.t SET TBLPROPERTIES ('connectionName'='alias')",
        "CREATE EXTERNAL TABLE hers.u (id int) LOCATION 'opensearch://orders' TABLE PROPERTIES ('connectionName'='alias')",
    ] {
        let error = world.error(text).await;
        assert_eq!((error.sqlstate(), error.message.as_str()), ("42501", "permission denied for schema mem"), "{text}");
    }
    world.line("SET SESSION AUTHORIZATION default").await;
    world.line("GRANT USAGE ON SCHEMA mem TO ann").await;
    world.line("SET SESSION AUTHORIZATION ann").await;
    world.line("ALTER TABLE hers.t SET TBLPROPERTIES ('connectionName'='mem')").await;
    assert_eq!(world.line("SELECT count(*) FROM hers.t").await, "8");
    // What is read through it is not changed without it.
    world.line("SET SESSION AUTHORIZATION default").await;
    world.line("REVOKE USAGE ON SCHEMA mem FROM ann").await;
    world.line("SET SESSION AUTHORIZATION ann").await;
    let error = world.error("ALTER TABLE hers.t SET TBLPROPERTIES ('sourceTable'='chain')").await;
    assert_eq!(error.message, "permission denied for schema mem");
}

#[tokio::test]
async fn what_cannot_be_declared_is_refused() {
    let mut world = World::new().await;
    for (rest, sqlstate, message) in [
        ("(a array<int>)", "0A000", "a column of type array<int> of a table of OpenSearch"),
        ("(a int) PARTITIONED BY (d date)", "0A000", "PARTITIONED BY of a table of OpenSearch"),
        ("(a int) STORED AS PARQUET", "0A000", "STORED AS of a table of OpenSearch"),
        ("(a int) LOCATION 's3://b/x'", "42P16", "is no place of OpenSearch"),
        ("(a int) LOCATION 'dynamodb://x'", "42P16", "which schema \"mem\" is over"),
        ("(a int) LOCATION 'opensearch://'", "42P16", "names no table of OpenSearch"),
        ("(a int) LOCATION 'opensearch://x' TABLE PROPERTIES ('sourceTable'='y')", "42P16", "\"sourceTable\" names"),
        ("(a int) TABLE PROPERTIES ('page_size'='ten')", "22023", "takes a number"),
        ("(a int) TABLE PROPERTIES ('Page_Size'='ten')", "22023", "takes a number"),
        ("(a int) TABLE PROPERTIES ('Page_Size'='1', 'page_size'='2')", "22023", "\"page_size\" are one"),
        ("(a int) TABLE PROPERTIES ('Invalid.Values'='maybe')", "22023", "for property \"Invalid.Values\""),
        ("(a int) LOCATION 'DynamoDB://x'", "42P16", "which schema \"mem\" is over"),
        ("(a int) TABLE PROPERTIES ('pagesize'='10')", "22023", "has no property \"pagesize\""),
        ("(a int) TABLE PROPERTIES ('password'='x')", "22023", "an option of the schema"),
        ("(a int, b int) TABLE PROPERTIES ('columnMapping'='a=b')", "42P16", "have one source"),
        ("(a int, a int)", "42701", "specified more than once"),
    ] {
        let error = world.error(&format!("CREATE EXTERNAL TABLE mem.t {rest}")).await;
        assert_eq!(error.sqlstate(), sqlstate, "{rest}: {error}");
        assert!(error.message.contains(message), "{rest}: {error}");
    }
    // Documents are no type of files.
    let error = world.error("CREATE EXTERNAL TABLE t (a super) STORED AS PARQUET LOCATION 's3://b/x'").await;
    assert_eq!(error.sqlstate(), "0A000");
    // A system's table that is not there is told when it is read, and so is a system that does not answer.
    world.line("CREATE EXTERNAL TABLE mem.t (a int)").await;
    assert_eq!(world.error("SELECT a FROM mem.t").await.sqlstate(), "42P01");
    world.memory.down.store(true, Ordering::Relaxed);
    assert_eq!(world.error("SELECT a FROM mem.t").await.sqlstate(), "08006");
}

#[tokio::test]
async fn rights_are_those_of_the_table() {
    let mut world = World::new().await;
    world.line(CREATE).await;
    world.line("CREATE USER reader PASSWORD 'Reader12'").await;
    world.line("CREATE SCHEMA own AUTHORIZATION reader").await;
    let create = "CREATE EXTERNAL TABLE own.t (id int) LOCATION 'opensearch://orders'
                  TABLE PROPERTIES ('connectionName'='mem')";
    world.line("SET SESSION AUTHORIZATION reader").await;
    assert_eq!(world.error("SELECT id FROM mem.shop").await.sqlstate(), "42501");
    assert_eq!(world.error("DROP TABLE mem.shop").await.sqlstate(), "42501");
    assert_eq!(world.error(create).await.sqlstate(), "42501");
    assert_eq!(world.error("CREATE EXTERNAL TABLE mem.t (id int)").await.sqlstate(), "42501");
    world.line("SET SESSION AUTHORIZATION default").await;
    world.line("GRANT USAGE ON SCHEMA mem TO reader").await;
    world.line("GRANT SELECT (id) ON mem.shop TO reader").await;
    world.line("SET SESSION AUTHORIZATION reader").await;
    assert_eq!(world.line("SELECT sum(id) FROM mem.shop").await, "36");
    assert_eq!(world.error("SELECT title FROM mem.shop").await.sqlstate(), "42501");
    world.line(create).await;
    assert_eq!(world.line("SELECT sum(id) FROM own.t").await, "36");
    world.line("SET SESSION AUTHORIZATION default").await;
    world.line("DROP SCHEMA mem CASCADE").await;
    let error = world.error("SELECT sum(id) FROM own.t").await;
    assert_eq!((error.sqlstate(), error.message.as_str()), ("3F000", "the connection \"mem\" does not exist"));
}

#[tokio::test]
async fn crawlers_make_tables_of_a_systems() {
    let mut world = World::new().await;
    // Of one table nothing can be left out.
    let error = world
        .error("CREATE CRAWLER one DATABASE lake TARGETS ('opensearch://orders' CONNECTION mem EXCLUDE ('o*'))")
        .await;
    let refused = "EXCLUDE of a target that names one table of OpenSearch is not supported";
    assert_eq!((error.sqlstate(), error.message.as_str()), ("0A000", refused));
    let create = "CREATE CRAWLER c DATABASE lake TARGETS ('opensearch://' CONNECTION mem EXCLUDE ('d*', 'chain'))";
    world.line(create).await;
    assert_eq!(world.line("START CRAWLER c").await, "CREATED,mixed,0,NULL CREATED,orders,0,NULL");
    assert_eq!(
        world.line("DESCRIBE lake.orders").await,
        "id,bigint,NULL name,string,NULL price,decimal(10,2),NULL at,timestamp,NULL document,super,NULL"
    );
    let shown = world.rows("SHOW TBLPROPERTIES lake.orders").await.unwrap();
    for expected in [
        ["classification", "opensearch"],
        ["columnMapping", "name=Name"],
        ["connectionName", "mem"],
        ["recordCount", "8"],
        ["UPDATED_BY_CRAWLER", "c"],
    ] {
        assert!(shown.iter().any(|row| row == &expected), "{expected:?} in {shown:?}");
    }
    assert_eq!(world.line("SELECT count(*), count(name), sum(price) FROM lake.mixed").await, "8,7,16.44");
    // Nothing differs.
    assert_eq!(world.line("START CRAWLER c").await, "UNCHANGED,mixed,0,NULL UNCHANGED,orders,0,NULL");
    let explained = world.line("EXPLAIN CRAWLER c").await;
    assert!(
        explained.contains("opensearch://orders,table orders,opensearch,1.00,OpenSearch tells of it,none"),
        "{explained}"
    );
    // A name of the user's stays.
    world.line("ALTER TABLE lake.orders RENAME COLUMN name TO title").await;
    assert_eq!(world.line("START CRAWLER c").await, "UNCHANGED,mixed,0,NULL UNCHANGED,orders,0,NULL");
    assert_eq!(world.line("SELECT count(title) FROM lake.orders").await, "7");
    // A change of the user's is found again.
    world.line("ALTER TABLE lake.orders DROP COLUMN at").await;
    assert_eq!(world.line("START CRAWLER c").await, "UNCHANGED,mixed,0,NULL UPDATED,orders,0,added \"at\" timestamp");
    world
        .line("ALTER CRAWLER c TARGETS ('opensearch://orders' CONNECTION mem, 'opensearch://gone' CONNECTION mem)")
        .await;
    let create = "CREATE EXTERNAL TABLE lake.gone (id int) LOCATION 'opensearch://gone'
                  TABLE PROPERTIES ('connectionName'='mem', 'UPDATED_BY_CRAWLER'='c')";
    world.line(create).await;
    assert_eq!(
        world.line("START CRAWLER c").await,
        "DEPRECATED,gone,0,its system has it no more UNCHANGED,orders,0,NULL"
    );
    world.memory.down.store(true, Ordering::Relaxed);
    assert_eq!(world.error("START CRAWLER c").await.sqlstate(), "08006");
    assert_eq!(world.line("SELECT count(*) FROM svv_external_tables WHERE schemaname = 'lake'").await, "3");
}

#[tokio::test]
async fn targets_that_make_no_sense_are_refused() {
    let mut world = World::new().await;
    world.line("CREATE EXTERNAL SCHEMA ddb FROM DYNAMODB").await;
    for (clauses, sqlstate, message) in [
        ("DATABASE d TARGETS ('kinesis://events')", "0A000", "a crawler's target in Kinesis"),
        ("DATABASE d TARGETS (JDBC 'x')", "0A000", "a crawler's target in JDBC"),
        ("DATABASE d TARGETS (DELTA 's3://b/x')", "0A000", "a crawler's target in DELTA"),
        ("DATABASE d TARGETS (ICEBERG 's3://b/x')", "0A000", "a crawler's target in ICEBERG"),
        ("DATABASE d TARGETS ('opensearch://x' CONNECTION ddb)", "22023", "\"ddb\" is no schema of OpenSearch"),
        ("DATABASE d TARGETS ('opensearch://x' CONNECTION nobody)", "3F000", "nobody"),
        (
            "DATABASE d TARGETS ('opensearch://x' CONNECTION mem SCAN ALL TRUE)",
            "0A000",
            "SCAN of a target in OpenSearch",
        ),
        ("DATABASE d TARGETS ('dynamodb://x' SAMPLE 3)", "0A000", "SAMPLE of a target in DynamoDB"),
        ("DATABASE d TARGETS ('dynamodb://x' SCAN RATE 2)", "22023", "between 0.1 and 1.5"),
        ("DATABASE d TARGETS ('s3://b/x' CONNECTION mem)", "0A000", "CONNECTION of a target in files"),
        (
            "DATABASE d TARGETS ('dynamodb://x') RECRAWL NEW FOLDERS ONLY",
            "0A000",
            "RECRAWL NEW FOLDERS ONLY of DynamoDB",
        ),
        (
            "DATABASE d TARGETS ('dynamodb://x', 'dynamodb://y' CONNECTION ddb)",
            "0A000",
            "a crawler of DynamoDB by several connections",
        ),
        ("DATABASE mem TARGETS ('s3://b/x')", "0A000", "tables of files in \"mem\", a schema of OpenSearch,"),
    ] {
        let error = world.error(&format!("CREATE CRAWLER c {clauses}")).await;
        assert_eq!(error.sqlstate(), sqlstate, "{clauses}: {error}");
        assert!(error.message.contains(message), "{clauses}: {error}");
    }
}
