//! What the parser makes of ALTER TABLE.

use super::*;
use crate::sql::AlterOperation;

fn operation(text: &str, dialect: Dialect) -> String {
    match one(&format!("ALTER TABLE Db.t {text}"), dialect) {
        Statement::AlterTable(alter) => {
            assert_eq!(alter.table.parts, ["db", "t"]);
            format!("{:?}", alter.operation)
        }
        other => panic!("{text}: {other:?}"),
    }
}

// Athena: ALTER TABLE …; Hive: LanguageManual DDL; Redshift: ALTER TABLE, "ALTER EXTERNAL TABLE" part.
#[test]
fn every_operation_has_its_spellings() {
    for (text, expected) in [
        (
            "ADD IF NOT EXISTS PARTITION (d = '2008-01', N=01) LOCATION 's3://x/' PARTITION (d=DATE '2020-01-01', n=NULL)",
            r#"AddPartitions { if_not_exists: true, partitions: [([("d", Some("2008-01")), ("n", Some("01"))], Some("s3://x/")), ([("d", Some("2020-01-01")), ("n", None)], None)] }"#,
        ),
        (
            "ADD PARTITION (a=-1.5) LOCATION 'x', PARTITION (a=true) LOCATION 'y'",
            r#"AddPartitions { if_not_exists: false, partitions: [([("a", Some("-1.5"))], Some("x")), ([("a", Some("true"))], Some("y"))] }"#,
        ),
        (
            "DROP IF EXISTS PARTITION (y < 2012, m <> 1), PARTITION (y >= '2020')",
            r#"DropPartitions { if_exists: true, partitions: [[PartitionCompare { key: "y", operator: Lt, value: Some("2012") }, PartitionCompare { key: "m", operator: NotEq, value: Some("1") }], [PartitionCompare { key: "y", operator: GtEq, value: Some("2020") }]] }"#,
        ),
        (
            "PARTITION (a=1) RENAME TO PARTITION (a=2)",
            r#"RenamePartition { from: [("a", Some("1"))], to: [("a", Some("2"))] }"#,
        ),
        (
            "PARTITION (a='x y') SET LOCATION 's3://x/'",
            r#"SetPartitionLocation { partition: [("a", Some("x y"))], location: "s3://x/" }"#,
        ),
        (
            "ADD COLUMNS (A int, b string COMMENT 'c')",
            r#"AddColumns([Column { name: "a", data_type: Int, comment: None }, Column { name: "b", data_type: String, comment: Some("c") }])"#,
        ),
        ("ADD COLUMN c array<int>", r#"AddColumns([Column { name: "c", data_type: Array(Int), comment: None }])"#),
        ("REPLACE COLUMNS (a int)", r#"ReplaceColumns([Column { name: "a", data_type: Int, comment: None }])"#),
        (
            "CHANGE COLUMN a B bigint COMMENT 'c' AFTER z",
            r#"ChangeColumn { old: "a", new: Column { name: "b", data_type: BigInt, comment: Some("c") }, place: Some(Some("z")) }"#,
        ),
        (
            "CHANGE a b bigint FIRST",
            r#"ChangeColumn { old: "a", new: Column { name: "b", data_type: BigInt, comment: None }, place: Some(None) }"#,
        ),
        (
            "CHANGE column c int RESTRICT",
            r#"ChangeColumn { old: "column", new: Column { name: "c", data_type: Int, comment: None }, place: None }"#,
        ),
        ("DROP COLUMN c", r#"DropColumn("c", false)"#),
        ("DROP c", r#"DropColumn("c", false)"#),
        ("RENAME COLUMN a TO \"B\"", r#"RenameColumn { old: "a", new: "b" }"#),
        ("SET LOCATION 's3://y/'", r#"SetLocation("s3://y/")"#),
        ("UNSET TBLPROPERTIES IF EXISTS ('a', 'b')", r#"UnsetProperties { if_exists: true, keys: ["a", "b"] }"#),
        ("SET TBLPROPERTIES ('a'='b', 'n'=5)", r#"SetProperties({"a": "b", "n": "5"})"#),
        ("SET TABLE PROPERTIES ('numRows'='1')", r#"SetProperties({"numRows": "1"})"#),
        ("SET SERDEPROPERTIES ('a'='\\t')", r#"SetSerDe { library: None, properties: {"a": "\t"} }"#),
        ("SET SERDE 'x' WITH SERDEPROPERTIES ('a'='b')", r#"SetSerDe { library: Some("x"), properties: {"a": "b"} }"#),
        ("SET FILE FORMAT parquet", r#"SetFileFormat("PARQUET")"#),
        ("SET FILEFORMAT Orc", r#"SetFileFormat("ORC")"#),
    ] {
        for dialect in [Redshift, Athena] {
            assert_eq!(operation(text, dialect), expected, "{text}");
        }
    }
    let Statement::AlterTable(alter) = one("ALTER TABLE `a` RENAME TO `B`.c", Athena) else { panic!() };
    let AlterOperation::RenameTable(name) = alter.operation else { panic!() };
    assert_eq!(name.parts, ["b", "c"]);
}

#[test]
fn what_is_not_changed_is_named() {
    refuses(
        Redshift,
        &[
            ("ALTER TABLE t ADD COLUMNS (a int) CASCADE", "ALTER TABLE … CASCADE", 35),
            ("ALTER TABLE t DROP PARTITION (a=1) PURGE", "ALTER TABLE … DROP PARTITION … PURGE", 36),
            ("ALTER TABLE t PARTITION (a=1) SET FILEFORMAT ORC", "ALTER TABLE … PARTITION … SET", 31),
            ("ALTER TABLE t ALTER DISTSTYLE KEY CASCADE", "ALTER TABLE … CASCADE", 35),
            ("ALTER DATABASE d SET DBPROPERTIES ('a'='b')", "ALTER DATABASE … SET DBPROPERTIES", 1),
        ],
    );
    for (text, near) in [
        ("ALTER TABLE t DROP PARTITION (a LIKE 'x')", "LIKE"),
        ("ALTER TABLE t ADD PARTITION (a = b)", "b"),
        ("ALTER TABLE t FROB", "FROB"),
    ] {
        assert_eq!(error(text, Athena).message, format!("syntax error at or near \"{near}\""));
    }
}

// Athena: MSCK REPAIR TABLE; Hive adds ADD, DROP and SYNC.
#[test]
fn repair_adds_drops_or_both() {
    for (text, add, drop) in [
        ("MSCK REPAIR TABLE t", true, false),
        ("msck repair table t add partitions", true, false),
        ("MSCK REPAIR TABLE t DROP PARTITIONS", false, true),
        ("MSCK REPAIR TABLE t SYNC PARTITIONS", true, true),
    ] {
        let Statement::RepairTable(repair) = one(text, Athena) else { panic!() };
        assert_eq!((repair.add, repair.drop), (add, drop), "{text}");
    }
}
