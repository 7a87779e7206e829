//! What the parser makes of CREATE and DROP.

use super::*;
use crate::sql::{Bucketing, CreateExternalTable, CreateTableAs, PropertyValue, StoredAs};
use millrace_catalog::model::{Column, SortColumn};

fn external(text: &str, dialect: Dialect) -> CreateExternalTable {
    match one(text, dialect) {
        Statement::CreateExternalTable(table) => *table,
        other => panic!("{text}: {other:?}"),
    }
}

fn columns(columns: &[Column]) -> Vec<(&str, String, Option<&str>)> {
    columns.iter().map(|c| (c.name.as_str(), c.data_type.to_string(), c.comment.as_deref())).collect()
}

// Athena: CREATE TABLE; Hive: LanguageManual DDL.
#[test]
fn athenas_external_table_has_every_clause() {
    let table = external(
        r#"CREATE /* a */ EXTERNAL
           TABLE IF NOT EXISTS `MyDb` . `My_Table`(  -- b
             `date` DATE COMMENT 'the ''day''', time STRING, Bytes BIGINT,
             tags map<string , array<struct<A:int,`b c`:array<string>>>>, price decimal ( 10 , 2 ),
             flag boolean, c char(3)
           ) COMMENT "x\ty"
           PARTITIONED BY (year int COMMENT 'y', `Month` string)
           CLUSTERED BY (bytes) SORTED BY (bytes ASC, time DESC, flag) INTO 4 BUCKETS
           ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
           WITH SERDEPROPERTIES ("input.regex" = "^(?!#)([^ ]+)\\s+\"([^ ]+)\"$", 'a;'='b')
           STORED AS INPUTFORMAT 'i' OUTPUTFORMAT 'o'
           LOCATION 's3://b/p/'
           TBLPROPERTIES ('has_encrypted_data'='false', "projection.enabled" = "true");"#,
        Athena,
    );
    assert_eq!(
        (table.name.parts.join("."), table.name.position, table.if_not_exists),
        ("mydb.my_table".into(), 56, true)
    );
    assert_eq!(
        columns(&table.columns),
        [
            ("date", "date".into(), Some("the 'day'")),
            ("time", "string".into(), None),
            ("bytes", "bigint".into(), None),
            ("tags", "map<string,array<struct<a:int,`b c`:array<string>>>>".into(), None),
            ("price", "decimal(10,2)".into(), None),
            ("flag", "boolean".into(), None),
            ("c", "char(3)".into(), None),
        ]
    );
    assert_eq!(table.comment.as_deref(), Some("x\ty"));
    assert_eq!(columns(&table.partition_keys), [("year", "int".into(), Some("y")), ("month", "string".into(), None)]);
    let sorted = |column: &str, ascending| SortColumn { column: column.into(), ascending };
    let sorted_by = vec![sorted("bytes", true), sorted("time", false), sorted("flag", true)];
    assert_eq!(table.bucketing, Some(Bucketing { columns: vec!["bytes".into()], sorted_by, count: 4 }));
    let serde = table.row_format.unwrap();
    assert_eq!(serde.library, "org.apache.hadoop.hive.serde2.RegexSerDe");
    assert_eq!(serde.parameters, map([("input.regex", r#"^(?!#)([^ ]+)\s+"([^ ]+)"$"#), ("a;", "b")]));
    assert_eq!(table.stored_as, Some(StoredAs::Classes { input: "i".into(), output: "o".into() }));
    assert_eq!(table.location.as_deref(), Some("s3://b/p/"));
    assert_eq!(table.properties, map([("has_encrypted_data", "false"), ("projection.enabled", "true")]));
}

// Hive: RowFormatParams puts delimiters under these keys, "colelction.delim" misspelt.
#[test]
fn delimiters_go_under_hives_keys() {
    let table = external(
        r"CREATE EXTERNAL TABLE t (a int) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001' ESCAPED BY '\\'
          COLLECTION ITEMS TERMINATED BY '\u0002' MAP KEYS TERMINATED BY '\003' LINES TERMINATED BY '\n'
          NULL DEFINED AS '' STORED AS TEXTFILE LOCATION 's3://x/'",
        Athena,
    );
    let serde = table.row_format.unwrap();
    assert_eq!(serde.library, "");
    assert_eq!(
        serde.parameters,
        map([
            ("field.delim", "\u{1}"),
            ("serialization.format", "\u{1}"),
            ("escape.delim", "\\"),
            ("colelction.delim", "\u{2}"),
            ("mapkey.delim", "\u{3}"),
            ("line.delim", "\n"),
            ("serialization.null.format", ""),
        ])
    );
    assert_eq!(table.stored_as, Some(StoredAs::Format("TEXTFILE".into())));
}

// Redshift: CREATE EXTERNAL TABLE, its data types and examples' shapes.
#[test]
fn spectrums_external_table_has_sql_types() {
    let table = external(
        r#"create external table spectrum.Sales(
             a integer, "B" int8, c decimal(8,2), d double precision, e varchar(10), f character varying(20), g text,
             h bool, i timestamp without time zone, j int2, k float4, l float8, m varbyte(10), n char, o real,
             p struct<given:varchar(20),n:int8>, q array<struct<shipdate:timestamp, price:float8>>, r numeric, s date)
           partitioned by (saledate date, region varchar(10))
           row format delimited fields terminated by '\t'
           stored as textfile
           location 's3://x/y/'
           table properties ('numRows'='170000', 'skip.header.line.count'='1')"#,
        Redshift,
    );
    assert_eq!(table.name.parts, ["spectrum", "sales"]);
    let types: Vec<String> = table.columns.iter().map(|column| column.data_type.to_string()).collect();
    assert_eq!(
        types,
        [
            "int",
            "bigint",
            "decimal(8,2)",
            "double",
            "varchar(10)",
            "varchar(20)",
            "string",
            "boolean",
            "timestamp",
            "smallint",
            "float",
            "double",
            "binary",
            "char(1)",
            "float",
            "struct<given:varchar(20),n:bigint>",
            "array<struct<shipdate:timestamp,price:double>>",
            "decimal(18,0)",
            "date",
        ]
    );
    assert_eq!(table.columns[1].name, "b");
    assert_eq!(table.row_format.unwrap().parameters["field.delim"], "\t");
    assert_eq!(table.properties, map([("numRows", "170000"), ("skip.header.line.count", "1")]));
}

#[test]
fn clauses_stand_in_any_order_once() {
    let table = external(
        "CREATE EXTERNAL TABLE t (a int) LOCATION 'l' STORED AS parquet WITH SERDEPROPERTIES ('k'='v') COMMENT 'c'",
        Athena,
    );
    assert_eq!(table.row_format.unwrap().parameters, map([("k", "v")]));
    let twice = error("CREATE EXTERNAL TABLE t (a int) LOCATION 'x' LOCATION 'y'", Athena);
    assert_eq!((twice.message.as_str(), twice.position), ("conflicting or redundant options", Some(46)));
}

#[test]
fn bad_tables_are_refused() {
    for (text, dialect, kind, message, position) in [
        ("(a int, A int)", Athena, ErrorKind::DuplicateColumn, "column \"a\" specified more than once", 33),
        (
            "(a int) PARTITIONED BY (a int)",
            Athena,
            ErrorKind::DuplicateColumn,
            "column \"a\" specified more than once",
            25,
        ),
        ("(a foo)", Athena, ErrorKind::UndefinedObject, "type \"foo\" does not exist", 28),
        ("(a int8)", Athena, ErrorKind::UndefinedObject, "type \"int8\" does not exist", 28),
        ("(a array<b>)", Redshift, ErrorKind::UndefinedObject, "type \"b\" does not exist", 28),
        ("(a array<super>)", Redshift, ErrorKind::Unsupported, "a type that holds super is not supported", 28),
        ("(a time)", Redshift, ErrorKind::Unsupported, "a column of type time is not supported", 28),
        ("(a array<int>>)", Athena, ErrorKind::Syntax, "syntax error at or near \">>\"", 37),
        ("(a array<int", Athena, ErrorKind::Syntax, "syntax error at end of input", 37),
        ("(a int b int)", Athena, ErrorKind::Syntax, "syntax error at or near \"b\"", 32),
        ("()", Athena, ErrorKind::Syntax, "syntax error at or near \")\"", 26),
        ("STORED AS ORC", Athena, ErrorKind::InvalidTableDefinition, "table \"t\" has no columns", 23),
        ("(a int) STORED BY 'x'", Athena, ErrorKind::Unsupported, "STORED BY is not supported", 40),
        ("(a int NOT NULL)", Redshift, ErrorKind::Unsupported, "NOT NULL is not supported", 32),
        ("LIKE u", Athena, ErrorKind::Unsupported, "CREATE EXTERNAL TABLE LIKE is not supported", 25),
        (
            "(a int) CLUSTERED BY (a) INTO 0 BUCKETS",
            Athena,
            ErrorKind::InvalidParameter,
            "\"0\" is not a number of buckets",
            55,
        ),
    ] {
        let error = error(&format!("CREATE EXTERNAL TABLE t {text}"), dialect);
        assert_eq!((error.kind, error.message.as_str(), error.position), (kind, message, Some(position)), "{text}");
    }
    assert!(error("CREATE EXTERNAL TABLE t (a decimal(39,2))", Athena).message.contains("precision from 1 to 38"));
    let nested = format!("CREATE EXTERNAL TABLE t (a {}int{})", "array<".repeat(5000), ">".repeat(5000));
    assert_eq!(error(&nested, Athena).kind, ErrorKind::LimitExceeded);
}

#[test]
fn temporary_tables_are_known_by_their_words_and_names() {
    for text in [
        "CREATE TEMP TABLE t (a int)",
        "CREATE LOCAL TEMPORARY TABLE IF NOT EXISTS t (LIKE u)",
        "CREATE TABLE #t AS SELECT 1",
        "SELECT a INTO TEMP t FROM u",
        "SELECT a INTO #t FROM u",
    ] {
        let Statement::CreateTable(create) = one(text, Redshift) else { panic!("{text}") };
        assert!(create.temporary, "{text}");
    }
    refuses(Athena, &[("CREATE TEMP TABLE t AS SELECT 1", "CREATE TEMP TABLE in Athena's dialect", 8)]);
}

#[test]
fn iceberg_tables_are_refused() {
    let iceberg = "a table of table_type ICEBERG";
    refuses(
        Athena,
        &[
            ("CREATE TABLE t (a int) LOCATION 'x' TBLPROPERTIES ('table_type'='ICEBERG')", iceberg, 1),
            ("CREATE EXTERNAL TABLE t (a int) TBLPROPERTIES ('table_type'='iceberg')", iceberg, 47),
            ("CREATE TABLE t WITH (table_type = 'ICEBERG') AS SELECT 1", iceberg, 46),
        ],
    );
    assert!(error("CREATE TABLE t (a int)", Athena).hint.unwrap().contains("CREATE EXTERNAL TABLE"));
}

fn table_as(text: &str, dialect: Dialect) -> CreateTableAs {
    match one(text, dialect) {
        Statement::CreateTableAs(table) => *table,
        other => panic!("{text}: {other:?}"),
    }
}

// Athena: CREATE TABLE AS.
#[test]
fn ctas_has_properties() {
    let table = table_as(
        "CREATE TABLE IF NOT EXISTS db.T WITH (Format = 'PARQUET', partitioned_by = ARRAY['a', 'b'], bucket_count = 4,
         is_external = false, bucketed_by=ARRAY[]) AS SELECT a FROM u WITH NO DATA",
        Athena,
    );
    let text = |value: &str| PropertyValue::Text(value.into());
    assert_eq!(
        table.properties,
        [
            ("format".into(), text("PARQUET")),
            ("partitioned_by".into(), PropertyValue::List(vec!["a".into(), "b".into()])),
            ("bucket_count".into(), text("4")),
            ("is_external".into(), text("false")),
            ("bucketed_by".into(), PropertyValue::List(vec![])),
        ]
    );
    assert_eq!((table.name.parts, table.if_not_exists, table.with_data), (vec!["db".into(), "t".into()], true, false));
    for text in ["CREATE TABLE t AS (SELECT 1)", "CREATE TABLE t AS SELECT 1 WITH DATA", "CREATE TABLE t AS VALUES (1)"]
    {
        assert!(table_as(text, Athena).with_data);
    }
}

// Redshift: CREATE EXTERNAL TABLE AS.
#[test]
fn spectrums_ctas_has_the_same_properties() {
    let table = table_as(
        "CREATE EXTERNAL TABLE s.t PARTITIONED BY (L_shipdate, b) STORED AS parquet LOCATION 's3://x/'
         TABLE PROPERTIES ('write.parallel'='off') AS SELECT * FROM t",
        Redshift,
    );
    let text = |value: &str| PropertyValue::Text(value.into());
    assert_eq!(
        table.properties,
        [
            ("format".into(), text("PARQUET")),
            ("external_location".into(), text("s3://x/")),
            ("partitioned_by".into(), PropertyValue::List(vec!["l_shipdate".into(), "b".into()])),
            ("write.parallel".into(), text("off")),
        ]
    );
    assert_eq!(error("CREATE EXTERNAL TABLE s.t (a int) AS SELECT 1", Redshift).kind, ErrorKind::Syntax);
    assert_eq!(error("CREATE EXTERNAL TABLE t STORED AS ORC AS SELECT 1", Athena).kind, ErrorKind::Unsupported);
}

// Redshift, Athena: CREATE VIEW.
#[test]
fn views_keep_their_querys_text() {
    let view = |text, dialect| match one(text, dialect) {
        Statement::CreateView(view) => *view,
        other => panic!("{other:?}"),
    };
    let v = view(
        "CREATE OR REPLACE VIEW S.v (a, \"B\") AS SELECT 'ü' ,\n y FROM t /* c */ WITH NO SCHEMA BINDING -- d",
        Redshift,
    );
    assert_eq!((v.name.parts, v.or_replace, v.late_binding), (vec!["s".into(), "v".into()], true, true));
    assert_eq!((v.columns, v.query_text.as_str()), (vec!["a".into(), "b".into()], "SELECT 'ü' ,\n y FROM t"));
    let v = view("CREATE VIEW IF NOT EXISTS v COMMENT 'it''s' AS (TABLE t);", Athena);
    assert_eq!((v.if_not_exists, v.comment.as_deref(), v.query_text.as_str()), (true, Some("it's"), "(TABLE t)"));
    refuses(Athena, &[("CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE MATERIALIZED VIEW", 1)]);
    refuses(Athena, &[("ALTER MATERIALIZED VIEW v AUTO REFRESH YES", "ALTER MATERIALIZED VIEW", 1)]);
    refuses(Redshift, &[("CREATE EXTERNAL VIEW v AS SELECT 1", "CREATE EXTERNAL VIEW", 1)]);
}

// Hive: CREATE DATABASE; Redshift: CREATE EXTERNAL SCHEMA, DROP SCHEMA.
#[test]
fn databases_and_schemas_come_and_go() {
    let text = "CREATE DATABASE IF NOT EXISTS Db COMMENT 'c' LOCATION 's3://x/' WITH DBPROPERTIES ('a'='b')";
    let Statement::CreateDatabase(database) = one(text, Athena) else { panic!() };
    assert_eq!((database.name.as_str(), database.if_not_exists), ("db", true));
    assert_eq!((database.comment.as_deref(), database.location.as_deref()), (Some("c"), Some("s3://x/")));
    assert_eq!(database.properties, map([("a", "b")]));
    for (text, name) in [("CREATE SCHEMA s AUTHORIZATION Bob", "s"), ("CREATE SCHEMA AUTHORIZATION bob", "bob")] {
        let Statement::CreateDatabase(schema) = one(text, Redshift) else { panic!() };
        assert_eq!((schema.name.as_str(), schema.owner.as_deref()), (name, Some("bob")), "{text}");
    }
    let text = "CREATE EXTERNAL SCHEMA IF NOT EXISTS s FROM DATA CATALOG DATABASE 'Db' REGION 'us-west-2'
                IAM_ROLE default CATALOG_ROLE 'arn:x' CREATE EXTERNAL DATABASE IF NOT EXISTS";
    let Statement::CreateExternalSchema(schema) = one(text, Redshift) else { panic!() };
    assert_eq!((schema.name.as_str(), schema.database.as_str(), schema.create_database), ("s", "db", true));
    assert_eq!(schema.options, map([("region", "us-west-2"), ("iam_role", "default"), ("catalog_role", "arn:x")]));
    for (text, cascade, external) in [
        ("DROP DATABASE d", false, false),
        ("DROP SCHEMA d CASCADE", true, false),
        ("DROP SCHEMA d RESTRICT", false, false),
        ("DROP SCHEMA d DROP EXTERNAL DATABASE CASCADE", true, true),
        ("DROP SCHEMA d CASCADE DROP EXTERNAL DATABASE", true, true),
    ] {
        let Statement::DropDatabase(drop) = one(text, Redshift) else { panic!() };
        assert_eq!((drop.name.as_str(), drop.cascade, drop.drop_external_database), ("d", cascade, external), "{text}");
    }
    refuses(
        Redshift,
        &[
            ("CREATE EXTERNAL SCHEMA s FROM POSTGRES DATABASE 'x'", "CREATE EXTERNAL SCHEMA … FROM POSTGRES", 31),
            ("CREATE EXTERNAL SCHEMA s FROM HIVE METASTORE", "CREATE EXTERNAL SCHEMA … FROM HIVE METASTORE", 31),
            ("CREATE EXTERNAL SCHEMA s FROM KAFKA", "CREATE EXTERNAL SCHEMA … FROM KAFKA", 31),
            (
                "CREATE EXTERNAL SCHEMA s FROM KINESIS AUTHENTICATION none",
                "CREATE EXTERNAL SCHEMA … FROM KINESIS … AUTHENTICATION",
                39,
            ),
            ("CREATE SCHEMA s QUOTA 5 GB", "CREATE DATABASE … QUOTA", 17),
            ("DROP SCHEMA a, b", "DROP SCHEMA of several schemas", 14),
            ("CREATE DATABASE other.db", "catalog \"other\"", 17),
        ],
    );
}

// Redshift's form for Kinesis, and ours for the other systems.
#[test]
fn schemas_over_foreign_systems() {
    let text = "CREATE EXTERNAL SCHEMA IF NOT EXISTS Ks FROM KINESIS IAM_ROLE default REGION 'eu-west-1'";
    let Statement::CreateConnectorSchema(schema) = one(text, Redshift) else { panic!() };
    assert_eq!((schema.name.as_str(), schema.if_not_exists, schema.kind.as_str()), ("ks", true, "kinesis"));
    assert_eq!(schema.options, map([("iam_role", "default"), ("region", "eu-west-1")]));
    let text = "CREATE EXTERNAL SCHEMA logs FROM OPENSEARCH 'https://host:9200' USER 'u' PASSWORD 'p'
                OPTIONS (Page_Size '500', \"verify\" 'false')";
    let Statement::CreateConnectorSchema(schema) = one(text, Redshift) else { panic!() };
    let given = [
        ("endpoint", "https://host:9200"),
        ("user", "u"),
        ("password", "p"),
        ("page_size", "500"),
        ("verify", "false"),
    ];
    assert_eq!((schema.kind.as_str(), schema.options), ("opensearch", map(given)));
    for (text, position) in [
        ("CREATE EXTERNAL SCHEMA s FROM DYNAMODB ENDPOINT", 48),
        ("CREATE EXTERNAL SCHEMA s FROM DYNAMODB 'a' ENDPOINT 'b'", 44),
        ("CREATE EXTERNAL SCHEMA s FROM DYNAMODB OPTIONS (region 'a') REGION 'b'", 61),
        ("CREATE EXTERNAL SCHEMA s FROM DYNAMODB OPTIONS (a)", 50),
        ("CREATE EXTERNAL SCHEMA s FROM DYNAMODB COLOUR 'red'", 40),
    ] {
        let error = error(text, Redshift);
        assert_eq!((error.sqlstate(), error.position), ("42601", Some(position)), "{text}");
    }
}

#[test]
fn drops_take_several_names() {
    let Statement::DropTable(drop) = one("DROP TABLE IF EXISTS A, `S`.\"b c\" CASCADE", Athena) else { panic!() };
    let names: Vec<String> = drop.names.iter().map(|name| name.parts.join(".")).collect();
    assert_eq!((names, drop.if_exists, drop.view), (vec!["a".into(), "s.b c".into()], true, false));
    let Statement::DropTable(drop) = one("drop view v restrict", Redshift) else { panic!() };
    assert!(drop.view && !drop.if_exists);
    assert_eq!(error("DROP TABLE a.b.c.d", Redshift).position, Some(12));
}
