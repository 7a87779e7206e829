//! What the parser makes of SHOW, DESCRIBE and settings.

use super::*;
use crate::sql::{ObjectName, Show};

fn name(parts: &[&str], position: usize) -> ObjectName {
    ObjectName { parts: parts.iter().map(|&part| part.to_owned()).collect(), position }
}

// Athena: SHOW …; Redshift: SHOW …; Hive: LanguageManual DDL, Show.
#[test]
fn everything_shown_has_its_spellings() {
    let text = |value: &str| Some(value.to_owned());
    for (statement, expected) in [
        ("SHOW SCHEMAS LIKE 'a*'", Show::Databases { like: text("a*") }),
        ("SHOW TABLES", Show::Tables { database: None, like: None }),
        ("SHOW TABLES IN \"Db\" 'x|y'", Show::Tables { database: text("db"), like: text("x|y") }),
        ("SHOW TABLES FROM awsdatacatalog.d LIKE 'a%'", Show::Tables { database: text("d"), like: text("a%") }),
        ("SHOW VIEWS IN d LIKE 'v'", Show::Views { database: text("d"), like: text("v") }),
        ("SHOW COLUMNS IN t", Show::Columns(name(&["t"], 17))),
        ("SHOW COLUMNS FROM t FROM d", Show::Columns(name(&["d", "t"], 19))),
        ("SHOW COLUMNS IN d.t", Show::Columns(name(&["d", "t"], 17))),
        ("SHOW PARTITIONS d.t", Show::Partitions(name(&["d", "t"], 17))),
        ("SHOW CREATE TABLE t", Show::Create { name: name(&["t"], 19), view: false }),
        ("SHOW CREATE VIEW v", Show::Create { name: name(&["v"], 18), view: true }),
        ("SHOW TBLPROPERTIES t", Show::Properties { table: name(&["t"], 20), key: None }),
        ("SHOW TBLPROPERTIES t ('K')", Show::Properties { table: name(&["t"], 20), key: text("K") }),
        ("SHOW FUNCTIONS", Show::Functions { like: None }),
        ("SHOW FUNCTIONS LIKE 'a%'", Show::Functions { like: text("a%") }),
        ("SHOW ALL", Show::Setting(None)),
        ("SHOW Search_Path", Show::Setting(text("search_path"))),
        ("SHOW TIME ZONE", Show::Setting(text("timezone"))),
        ("SHOW datafusion.execution.batch_size", Show::Setting(text("datafusion.execution.batch_size"))),
        ("SHOW TABLE s.t", Show::Create { name: name(&["s", "t"], 12), view: false }),
        ("SHOW EXTERNAL TABLE s.t", Show::Create { name: name(&["s", "t"], 21), view: false }),
        ("SHOW VIEW v", Show::Create { name: name(&["v"], 11), view: true }),
    ] {
        for dialect in [Redshift, Athena] {
            let Statement::Show(show) = one(statement, dialect) else { panic!("{statement}") };
            assert_eq!(show, expected, "{statement}");
        }
    }
    refuses(
        Redshift,
        &[
            ("SHOW GRANTS ON MODEL m", "SHOW GRANTS ON MODEL", 16),
            ("SHOW TABLES LIMIT 5", "SHOW … LIMIT", 13),
            ("SHOW DATABASES FROM DATA CATALOG", "SHOW DATABASES FROM", 16),
            ("SHOW PARTITIONS t PARTITION (a=1)", "SHOW PARTITIONS … PARTITION", 19),
        ],
    );
}

// Redshift: SHOW DATABASES, SCHEMAS, TABLES, COLUMNS, CONSTRAINTS, GRANTS, PROCEDURES, FUNCTIONS, PARAMETERS.
#[test]
fn redshift_shows_by_queries() {
    for (statement, expected) in [
        ("SHOW DATABASES", "SELECT * FROM millrace_show.databases"),
        ("SHOW DATABASES LIKE 'd%'", "SELECT * FROM millrace_show.databases WHERE database_name LIKE 'd%'"),
        (
            "SHOW TABLES FROM SCHEMA $1.$2 LIKE $3;",
            "SELECT * FROM millrace_show.tables WHERE database_name = millrace_database($1) AND \
             schema_name = millrace_schema($2) AND table_name LIKE $3",
        ),
        (
            "SHOW COLUMNS FROM TABLE t LIMIT 3",
            "SELECT * FROM millrace_show.columns WHERE schema_name = current_schema() AND \
             table_name = millrace_table(current_schema(), 't') LIMIT 3",
        ),
        (
            "SHOW GRANTS FOR ROLE r",
            "SELECT * FROM millrace_show.grants WHERE identity_type = 'role' AND identity_name = 'r'",
        ),
        (
            "SHOW GRANTS ON FUNCTION dev.s.f(a int, numeric(10, 2)) FOR ann",
            "SELECT * FROM millrace_show.grants WHERE database_name = millrace_database('dev') AND \
             schema_name || '.' || object_name = millrace_function('s', 'f', 'int, numeric(10,2)') AND \
             object_type = 'FUNCTION' AND identity_type = 'user' AND identity_name = 'ann'",
        ),
        (
            "SHOW TABLES FROM DATABASE dev WHERE SCHEMA_NAME LIKE 's%' AND TABLE_NAME = 't'",
            "SELECT * FROM millrace_show.tables WHERE database_name = millrace_database('dev') AND \
             schema_name LIKE 's%' AND table_name = 't'",
        ),
        (
            "SHOW PARAMETERS OF FUNCTION dev.s.f(int, varchar(10))",
            "SELECT database_name, schema_name, function_name, parameter_name, ordinal_position, parameter_type, data_type, \
             character_maximum_length, numeric_precision, numeric_scale FROM millrace_show.function_parameters WHERE \
             database_name = millrace_database('dev') AND signature = millrace_function('s', 'f', 'int, varchar(10)')",
        ),
        (
            "SHOW PARAMETERS OF FUNCTION $1.$2.$3($4, $5) LIKE $6",
            "SELECT database_name, schema_name, function_name, parameter_name, ordinal_position, parameter_type, data_type, \
             character_maximum_length, numeric_precision, numeric_scale FROM millrace_show.function_parameters WHERE \
             database_name = millrace_database($1) AND signature = millrace_function($2, $3, $4 || ', ' || $5) AND \
             parameter_name LIKE $6",
        ),
        (
            "SHOW PARAMETERS OF PROCEDURE s.p(int)",
            "SELECT * FROM millrace_show.procedure_parameters WHERE procedure_name = millrace_routine('p')",
        ),
    ] {
        let Statement::Query(query) = one(statement, Redshift) else { panic!("{statement}") };
        assert_eq!(query.to_string(), expected, "{statement}");
    }
}

#[test]
fn describe_takes_a_partition_and_a_column() {
    for (text, formatted, partition, column) in [
        ("DESCRIBE d.t", false, false, None),
        ("DESC FORMATTED d.t", true, false, None),
        ("DESCRIBE EXTENDED d.t PARTITION (a = 1)", true, true, None),
        ("DESCRIBE d.t C", false, false, Some("c")),
        ("describe d.t partition (a='x') partition", false, true, Some("partition")),
    ] {
        let Statement::Describe(describe) = one(text, Athena) else { panic!("{text}") };
        assert_eq!(describe.table.parts, ["d", "t"]);
        assert_eq!((describe.formatted, describe.partition.is_some()), (formatted, partition), "{text}");
        assert_eq!(describe.column.as_deref(), column, "{text}");
    }
    refuses(
        Athena,
        &[("DESCRIBE t c.d", "DESCRIBE of a field of a column", 13), ("DESCRIBE DATABASE d", "DESCRIBE DATABASE", 10)],
    );
}

// Redshift: SET, RESET; PostgreSQL: SET.
#[test]
fn settings_are_set_and_reset() {
    for (text, name, value) in [
        ("SET search_path TO \"$user\", public", "search_path", Some("\"$user\", public")),
        ("SET search_path = 'a', B", "search_path", Some("a, B")),
        ("SET query_group = 'a b'", "query_group", Some("a b")),
        ("SET Dialect = athena", "dialect", Some("athena")),
        ("SET SESSION x TO on", "x", Some("on")),
        ("SET LOCAL x TO DEFAULT", "x", None),
        ("SET session = 1", "session", Some("1")),
        ("SET statement_timeout TO -1", "statement_timeout", Some("-1")),
        ("SET a.b.c = 1.50", "a.b.c", Some("1.50")),
        ("SET TIME ZONE 'Europe/Berlin'", "timezone", Some("Europe/Berlin")),
        ("SET TIME ZONE DEFAULT", "timezone", None),
        ("SET timezone TO utc", "timezone", Some("utc")),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "default_transaction_isolation",
            Some("serializable"),
        ),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "default_transaction_read_only", Some("on")),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
            "default_transaction_read_only",
            Some("off"),
        ),
        ("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "transaction_isolation", Some("serializable")),
        ("RESET search_path", "search_path", None),
        ("RESET SESSION x", "x", None),
        ("RESET ALL", "all", None),
        ("RESET TIME ZONE", "timezone", None),
    ] {
        let Statement::Set { name: set, value: to, local } = one(text, Redshift) else { panic!("{text}") };
        assert_eq!((set.as_str(), to.as_deref()), (name, value), "{text}");
        assert_eq!(local, text.starts_with("SET LOCAL"), "{text}");
    }
    refuses(
        Redshift,
        &[("SET SESSION ROLE bob", "SET SESSION ROLE", 5), ("SET TRANSACTION READ ONLY", "SET TRANSACTION", 5)],
    );
    assert_eq!(error("SET x 5", Redshift).position, Some(7));
    assert_eq!(error("SET x = ", Redshift).message, "syntax error at end of input");
}

#[test]
fn use_takes_a_database() {
    for text in ["USE Db", "USE \"DB\"", "use awsdatacatalog.db"] {
        let Statement::Use(database) = one(text, Athena) else { panic!("{text}") };
        assert_eq!(database, "db");
    }
}
