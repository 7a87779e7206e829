//! What the parser makes of queries.

use super::*;
use crate::sql::{ExplainFormat, ExplainType, Names, PrincipalStatement, parse_named};

fn shown(text: &str, dialect: Dialect) -> String {
    match one(text, dialect) {
        Statement::Query(query) => query.to_string(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn queries_of_both_dialects_parse() {
    for text in [
        "SELECT * FROM 's3://b/p/*.parquet' WHERE \"$path\" LIKE '%x'",
        "SELECT a::INT FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) = 1",
        "SELECT * EXCLUDE (a) FROM t",
        "SELECT a, sum(b) FROM t GROUP BY ROLLUP (a)",
        "SELECT a, sum(b) FROM t GROUP BY GROUPING SETS ((a), ()), CUBE (b)",
        "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
        "SELECT SUBSTRING('abc' FROM 1 FOR 2), EXTRACT(YEAR FROM d), CASE WHEN a THEN 1 END",
        "SELECT count(*) FILTER (WHERE a > 1) FROM t",
        "(SELECT 1) INTERSECT (SELECT 2) ORDER BY 1 LIMIT 3 OFFSET 1",
        "VALUES (1, 'a'), (2, 'b')",
        "SELECT current_user, current_date",
    ] {
        for dialect in [Redshift, Athena] {
            assert_eq!(shown(text, dialect), text);
            assert_eq!(shown(&format!("{text} ;"), dialect), text);
        }
    }
}

#[test]
fn quoted_names_are_folded() {
    for dialect in [Redshift, Athena] {
        assert_eq!(shown("SELECT \"Ab\", t.\"Ü\" AS \"X y\" FROM \"S\".\"T\"", dialect), {
            "SELECT \"ab\", t.\"ü\" AS \"x y\" FROM \"s\".\"t\""
        });
    }
    assert_eq!(shown("SELECT `Ab` FROM `Db`.`T`", Athena), "SELECT `ab` FROM `db`.`t`");
}

// Redshift: enable_case_sensitive_identifier. Names of users keep their case without it too, names of functions never.
#[test]
fn quoted_names_keep_their_case_where_they_are_told_to() {
    let kept = |text: &str, dialect| parse_named(text, dialect, Names::Kept).unwrap().remove(0).statement;
    let shown = |text: &str, dialect| match kept(text, dialect) {
        Statement::Query(query) => query.to_string(),
        other => panic!("{text}: {other:?}"),
    };
    let text = "SELECT \"Ab\", t.\"Ü\" AS \"X y\" FROM \"S\".\"T\"";
    assert_eq!(shown(text, Redshift), text);
    assert_eq!(shown(text, Athena), "SELECT \"ab\", t.\"ü\" AS \"x y\" FROM \"s\".\"t\"");
    let created = |text: &str| match kept(text, Redshift) {
        Statement::CreateTable(create) => create,
        other => panic!("{text}: {other:?}"),
    };
    let create = created("CREATE TABLE S.\"T\" (A int PRIMARY KEY, \"B\" int REFERENCES \"U\" (\"C\", d))");
    assert_eq!(create.name.parts, ["s", "T"]);
    assert_eq!(create.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["a", "B"]);
    let constraints: Vec<String> = create.constraints.iter().map(ToString::to_string).collect();
    assert_eq!(constraints, ["PRIMARY KEY (a)", "FOREIGN KEY (\"B\") REFERENCES \"U\" (\"C\", d)"]);
    let into = created("SELECT 1 AS \"One\" INTO \"New\"");
    assert_eq!(into.name.parts, ["New"]);
    for (text, names) in
        [("DROP USER \"Ann\", Bob", ["Ann", "bob"]), ("DROP USER \"a b\", \"C\"\"d\"", ["a b", "C\"d"])]
    {
        for statement in [one(text, Redshift), kept(text, Redshift)] {
            let Statement::Principal(principal) = statement else { panic!("{text}") };
            let PrincipalStatement::DropUsers { names: found, .. } = *principal else { panic!("{text}") };
            assert_eq!(found, names, "{text}");
        }
    }
    let Statement::DropFunction(drop) = kept("DROP FUNCTION \"S\".\"F\" (int)", Redshift) else { panic!() };
    assert_eq!(drop.function.name.parts, ["S", "f"]);
}

// Redshift: SELECT list, TOP; "MINUS and EXCEPT set operators are synonyms".
#[test]
fn top_and_minus_are_rewritten() {
    for (text, same) in [
        ("SELECT TOP 5 a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a LIMIT 5"),
        ("SELECT TOP 5 DISTINCT a FROM t", "SELECT DISTINCT a FROM t LIMIT 5"),
        ("SELECT TOP (5) a FROM t OFFSET 2", "SELECT a FROM t LIMIT 5 OFFSET 2"),
        ("SELECT a FROM (SELECT TOP 1 a FROM t) x", "SELECT a FROM (SELECT a FROM t LIMIT 1) x"),
        (
            "SELECT TOP 2 a FROM t UNION ALL SELECT TOP 3 b FROM u",
            "(SELECT a FROM t LIMIT 2) UNION ALL (SELECT b FROM u LIMIT 3)",
        ),
        ("SELECT a FROM t MINUS SELECT b FROM u", "SELECT a FROM t EXCEPT DISTINCT SELECT b FROM u"),
    ] {
        assert_eq!(shown(text, Redshift), same);
    }
    assert_eq!(shown("SELECT top, minus, user FROM t", Athena), "SELECT top, minus, user FROM t");
    let twice = error("SELECT TOP 5 a FROM t LIMIT 3", Redshift);
    assert_eq!((twice.kind, twice.message.as_str()), (ErrorKind::Syntax, "multiple LIMIT clauses not allowed"));
    refuses(Redshift, &[("SELECT TOP 5 PERCENT a FROM t", "TOP … PERCENT", 1)]);
}

#[test]
fn table_is_a_query() {
    assert_eq!(shown("TABLE t", Athena), "SELECT * FROM t");
    assert_eq!(
        shown("(TABLE \"S\".t) UNION ALL TABLE u ORDER BY 1", Redshift),
        "(SELECT * FROM \"s\".t) UNION ALL SELECT * FROM u ORDER BY 1"
    );
}

// Redshift: mathematical operators; PostgreSQL: operator precedence; Trino: SqlBase.g4, valueExpression.
#[test]
fn operators_bind_as_the_dialect_says() {
    use sqlparser::ast::{BinaryOperator, Expr, SelectItem, SetExpr};
    for (text, dialect, outermost) in [
        ("2 * 3 ^ 2", Redshift, BinaryOperator::Multiply),
        ("'x' || 1 + 2", Redshift, BinaryOperator::StringConcat),
        ("1 + 2 || 'x'", Athena, BinaryOperator::StringConcat),
        ("'a' || 'b' = 'ab'", Athena, BinaryOperator::Eq),
    ] {
        let Statement::Query(query) = one(&format!("SELECT {text}"), dialect) else { panic!() };
        let SetExpr::Select(select) = *query.body else { panic!() };
        let SelectItem::UnnamedExpr(Expr::BinaryOp { op, .. }) = &select.projection[0] else { panic!("{text}") };
        assert_eq!(*op, outermost, "{text}");
    }
    assert_eq!(shown("SELECT |/ 4, @ -5, 5 # 3, E'a', b[0].c", Redshift), "SELECT |/4, @-5, 5 # 3, E'a', b[0].'c'");
}

#[test]
fn strings_are_unescaped_as_the_dialect_says() {
    assert_eq!(shown(r"SELECT 'a\tb\\d\'e\101'", Redshift), "SELECT 'a\tb\\d''eA'");
    assert_eq!(shown(r"SELECT 'a\' || 'it''s'", Athena), r"SELECT 'a\' || 'it''s'");
}

// Trino: lambda expressions, UNNEST, data types, FETCH FIRST.
#[test]
fn trinos_syntax_parses() {
    for (text, same) in [
        (
            "SELECT transform(a, x -> x + 1), reduce(a, 0, (s, x) -> s + x, s -> s)",
            "SELECT transform(a, x -> x + 1), reduce(a, 0, (s, x) -> s + x, s -> s)",
        ),
        ("SELECT ARRAY[1, 2][1], MAP(ARRAY['a'], ARRAY[1]), ROW(1, 'a')", {
            "SELECT ARRAY[1, 2][1], MAP(ARRAY['a'], ARRAY[1]), ROW(1, 'a')"
        }),
        (
            "SELECT * FROM t CROSS JOIN UNNEST(a, b) WITH ORDINALITY AS u (x, y, n)",
            "SELECT * FROM t CROSS JOIN UNNEST(a, b) WITH ORDINALITY AS u (x, y, n)",
        ),
        (
            "SELECT CAST(j AS ARRAY(MAP(varchar, ROW(a integer, \"B\" double precision)))), TRY_CAST(x AS timestamp(3))",
            "SELECT CAST(j AS ARRAY<Map(VARCHAR, STRUCT(a INTEGER, \"b\" DOUBLE PRECISION))>), TRY_CAST(x AS TIMESTAMP(3))",
        ),
        ("SELECT a FROM t FETCH FIRST 5 ROWS ONLY", "SELECT a FROM t LIMIT 5"),
        ("SELECT a FROM t FETCH FIRST ROW ONLY", "SELECT a FROM t LIMIT 1"),
        ("SELECT date, year FROM t WHERE date > date '2020-01-01'", {
            "SELECT date, year FROM t WHERE date > DATE '2020-01-01'"
        }),
    ] {
        assert_eq!(shown(text, Athena), same);
    }
}

#[test]
fn what_the_planner_would_ignore_is_refused() {
    refuses(Athena, &[("SELECT * FROM t WITH ORDINALITY", "WITH ORDINALITY after a table", 15)]);
    refuses(
        Redshift,
        &[
            ("SELECT 1 FROM (SELECT a INTO b FROM t) x", "SELECT INTO", 16),
            ("SELECT 1 FROM (SELECT * FROM t FOR UPDATE) x", "FOR after a query", 1),
            ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", "INSERT in a query", 1),
        ],
    );
}

#[test]
fn inserts_take_any_query() {
    for (text, columns, query) in [
        ("INSERT INTO t VALUES (1), (2)", vec![], "VALUES (1), (2)"),
        ("INSERT INTO TABLE t SELECT 1", vec![], "SELECT 1"),
        ("INSERT INTO t (a, \"B\") (SELECT 1, 2)", vec!["a", "b"], "(SELECT 1, 2)"),
        ("INSERT INTO t (WITH x AS (SELECT 1) SELECT * FROM x)", vec![], "(WITH x AS (SELECT 1) SELECT * FROM x)"),
    ] {
        let Statement::Insert(insert) = one(text, Athena) else { panic!("{text}") };
        assert_eq!(
            (insert.columns, insert.query.map(|query| query.to_string()).unwrap_or_default()),
            (columns.into_iter().map(String::from).collect(), query.into())
        );
    }
    refuses(
        Redshift,
        &[
            ("INSERT OVERWRITE TABLE t SELECT 1", "INSERT OVERWRITE", 1),
            ("INSERT INTO t PARTITION (a = 1) SELECT 1", "INSERT INTO … PARTITION", 15),
        ],
    );
    assert_eq!(error("INSERT INTO t", Redshift).message, "syntax error at end of input");
}

#[test]
fn explain_wraps_what_reads_or_writes_rows() {
    for (text, analyze, verbose) in [
        ("EXPLAIN SELECT 1", false, false),
        ("EXPLAIN VERBOSE (SELECT 1) UNION (SELECT 2)", false, true),
        ("EXPLAIN ANALYZE INSERT INTO t SELECT 1", true, false),
        ("EXPLAIN ANALYZE VERBOSE CREATE TABLE t AS SELECT 1", true, true),
    ] {
        let Statement::Explain(explain) = one(text, Athena) else { panic!("{text}") };
        assert_eq!((explain.analyze, explain.verbose), (analyze, verbose), "{text}");
    }
    for (text, format, shows) in [
        ("EXPLAIN (FORMAT JSON) SELECT 1", Some(ExplainFormat::Json), ExplainType::Distributed),
        ("EXPLAIN ANALYZE (FORMAT GRAPHVIZ) SELECT 1", Some(ExplainFormat::Graphviz), ExplainType::Distributed),
        ("EXPLAIN (FORMAT TEXT, TYPE LOGICAL) SELECT 1", Some(ExplainFormat::Text), ExplainType::Logical),
        ("EXPLAIN (TYPE VALIDATE) (SELECT 1)", None, ExplainType::Validate),
        ("EXPLAIN (TYPE IO, FORMAT JSON) SELECT 1", Some(ExplainFormat::Json), ExplainType::Io),
    ] {
        let Statement::Explain(explain) = one(text, Athena) else { panic!("{text}") };
        assert_eq!((explain.format, explain.shows), (format, shows), "{text}");
    }
    let options = "EXPLAIN (ANALYZE, VERBOSE off, COSTS on, FORMAT datafusion) SELECT 1";
    let Statement::Explain(explain) = one(options, Redshift) else { panic!("{options}") };
    assert_eq!((explain.analyze, explain.verbose, explain.format), (true, false, Some(ExplainFormat::DataFusion)));
    let refused = [
        ("EXPLAIN (TYPE IO, FORMAT TEXT) SELECT 1", "EXPLAIN (TYPE IO, FORMAT TEXT)", 19),
        ("EXPLAIN (FORMAT JSON, TYPE LOGICAL) SELECT 1", "EXPLAIN (TYPE LOGICAL, FORMAT JSON)", 23),
        ("EXPLAIN ANALYZE (TYPE VALIDATE) SELECT 1", "EXPLAIN ANALYZE (TYPE VALIDATE)", 18),
        ("EXPLAIN (FORMAT XML) SELECT 1", "EXPLAIN (FORMAT XML)", 17),
    ];
    refuses(Athena, &refused);
    let refused = [
        ("EXPLAIN (TYPE VALIDATE) SELECT 1", "EXPLAIN (TYPE)", 10),
        ("EXPLAIN (COSTS OFF, FORMAT DATAFUSION) SELECT 1", "EXPLAIN (COSTS OFF, FORMAT DATAFUSION)", 21),
    ];
    refuses(Redshift, &refused);
    assert_eq!(error("EXPLAIN DROP TABLE t", Redshift).kind, ErrorKind::Unsupported);
    assert_eq!(error(&"EXPLAIN ".repeat(100_000), Redshift).kind, ErrorKind::Syntax);
}
