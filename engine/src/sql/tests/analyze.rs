//! What the parser makes of ANALYZE.

use super::*;
use crate::sql::{Analyze, AnalyzeScope};

fn analyze(text: &str, dialect: Dialect) -> Analyze {
    let Statement::Analyze(analyze) = one(text, dialect) else { panic!("{text}") };
    analyze
}

// Redshift: ANALYZE [VERBOSE] [[table_name [(column_name [, …])]]] [PREDICATE COLUMNS | ALL COLUMNS].
// Hive: ANALYZE TABLE [db.]t [PARTITION (k[=v], …)] COMPUTE STATISTICS [FOR COLUMNS c, …] [NOSCAN].
#[test]
fn both_forms_in_both_dialects() {
    let columns = |names: &[&str]| AnalyzeScope::Columns(names.iter().map(|&name| name.to_owned()).collect());
    for (text, table, verbose, scope) in [
        ("ANALYZE", None, false, AnalyzeScope::AllColumns),
        ("ANALYZE VERBOSE", None, true, AnalyzeScope::AllColumns),
        ("ANALYZE ALL COLUMNS", None, false, AnalyzeScope::AllColumns),
        ("analyze verbose s.t", Some("s.t"), true, AnalyzeScope::AllColumns),
        ("ANALYZE t (a, B)", Some("t"), false, columns(&["a", "b"])),
        ("ANALYZE t PREDICATE COLUMNS", Some("t"), false, AnalyzeScope::PredicateColumns),
        ("ANALYZE t ALL COLUMNS", Some("t"), false, AnalyzeScope::AllColumns),
        ("ANALYZE TABLE d.t COMPUTE STATISTICS", Some("d.t"), false, AnalyzeScope::Rows),
        ("ANALYZE TABLE t COMPUTE STATISTICS NOSCAN", Some("t"), false, AnalyzeScope::Files),
        ("ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS", Some("t"), false, AnalyzeScope::AllColumns),
        ("ANALYZE TABLE t COMPUTE STATISTICS FOR ALL COLUMNS", Some("t"), false, AnalyzeScope::AllColumns),
        ("ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS a, b", Some("t"), false, columns(&["a", "b"])),
    ] {
        for dialect in [Redshift, Athena] {
            let found = analyze(text, dialect);
            let name = found.table.as_ref().map(|table| table.parts.join("."));
            assert_eq!((name.as_deref(), found.verbose, &found.scope), (table, verbose, &scope), "{text}");
            assert!(found.partition.is_empty(), "{text}");
        }
    }
}

#[test]
fn partitions_with_and_without_values() {
    let text = |value: &str| Some(value.to_owned());
    let found =
        analyze("ANALYZE TABLE t PARTITION (year = 2013, month, c = 'x', d = NULL) COMPUTE STATISTICS", Redshift);
    let expected = [("year".to_owned(), text("2013")), ("c".to_owned(), text("x")), ("d".to_owned(), None)];
    assert_eq!((found.partition.as_slice(), found.any_value), (expected.as_slice(), vec!["month".to_owned()]));
    // Hive's lexical rules in Athena: double quotes make strings.
    let found = analyze("ANALYZE TABLE t PARTITION (c = \"x\") COMPUTE STATISTICS", Athena);
    assert_eq!(found.partition, [("c".to_owned(), text("x"))]);
}

// Redshift: ANALYZE COMPRESSION [[table_name] [(column_name [, …])]] [COMPROWS numrows].
#[test]
fn compression() {
    for (text, table, columns, rows) in [
        ("ANALYZE COMPRESSION", None, None, None),
        ("analyze compression s.t", Some("s.t"), None, None),
        ("ANALYZE COMPRESSION t (a, B) COMPROWS 5000", Some("t"), Some(vec!["a", "b"]), Some(5000)),
        ("ANALYZE COMPRESSION COMPROWS 1", None, None, Some(1)),
    ] {
        for dialect in [Redshift, Athena] {
            let Statement::AnalyzeCompression(found) = one(text, dialect) else { panic!("{text}") };
            let name = found.table.as_ref().map(|table| table.parts.join("."));
            let columns: Option<Vec<String>> =
                columns.clone().map(|names| names.into_iter().map(str::to_owned).collect());
            assert_eq!((name.as_deref(), found.columns, found.rows), (table, columns, rows), "{text}");
        }
    }
}

#[test]
fn what_is_refused() {
    refuses(
        Redshift,
        &[
            ("ANALYZE TABLES IN d COMPUTE STATISTICS", "ANALYZE TABLES", 1),
            ("ANALYZE TABLE t COMPUTE STATISTICS CACHE METADATA", "ANALYZE TABLE … CACHE METADATA", 36),
        ],
    );
    refuses(Athena, &[("ANALYZE t WITH (columns = ARRAY['a'])", "ANALYZE … WITH", 11)]);
    for text in [
        "ANALYZE t (a) ALL COLUMNS",
        "ANALYZE TABLE t",
        "ANALYZE t ()",
        "ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS a NOSCAN",
        "ANALYZE t u",
        "ANALYZE COMPRESSION t COMPROWS",
        "ANALYZE COMPRESSION t COMPROWS many",
        "ANALYZE COMPRESSION t ()",
    ] {
        assert_eq!(error(text, Redshift).kind, ErrorKind::Syntax, "{text}");
    }
}
