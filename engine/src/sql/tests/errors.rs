//! How syntax errors are worded and where they point.

use super::*;

// PostgreSQL: the wording and positions of its scanner and parser.
#[test]
fn syntax_errors_read_as_postgresqls() {
    for (text, message, position) in [
        ("SELECT * FORM t", "syntax error at or near \"FORM\"", 10),
        ("SELECT 1 FROM", "syntax error at end of input", 14),
        ("SELECT 1 FROM ; SELECT 2", "syntax error at or near \";\"", 15),
        ("SELECT (1", "syntax error at end of input", 10),
        ("SELECT 1;\n\nSELECT 'é', FROM t", "syntax error at or near \"FROM\"", 24),
        ("SELECT ü, 日本 FROM t\r\n WHERE é = '😀' AND AND", "syntax error at or near \"AND\"", 41),
        ("SELECT a FROM t WHERE a IN (1,", "syntax error at end of input", 31),
        ("DROP TABLE 'x'", "syntax error at or near \"'x'\"", 12),
        ("SELECT 1 FROM from", "syntax error at or near \"from\"", 15),
        ("USE a b", "syntax error at or near \"b\"", 7),
        ("42", "syntax error at or near \"42\"", 1),
        ("SELECT 'abc", "unterminated quoted string at or near \"'abc\"", 8),
        ("SELECT 1; SELECT \"abc", "unterminated quoted identifier at or near \"\"abc\"", 18),
        ("SELECT 'é' /* abc", "unterminated /* comment at or near \"/* abc\"", 12),
        ("DO $x$ abc", "unterminated dollar-quoted string at or near \"$x$ abc\"", 4),
    ] {
        let error = error(text, Redshift);
        assert_eq!(error.kind, ErrorKind::Syntax, "{text}: {error}");
        assert_eq!((error.message.as_str(), error.position), (message, Some(position)), "{text}");
    }
}

#[test]
fn slips_of_the_pen_are_hinted() {
    for (text, hint) in [
        ("SELEC 1", Some("did you mean \"SELECT\"?")),
        ("CREAT TABLE t (a int)", Some("did you mean \"CREATE\"?")),
        ("VACUM", Some("did you mean \"VACUUM\"?")),
        ("SELECT * FORM t", Some("did you mean \"FROM\"?")),
        ("SELECT a FRM t", Some("did you mean \"FROM\"?")),
        ("SELECT * FROM t WEHRE a = 1", Some("did you mean \"WHERE\"?")),
        ("CREATE FUNCTON f()", Some("did you mean \"FUNCTION\"?")),
        ("SELECT * FROM orders 5", None),
        ("XYZZY", None),
    ] {
        let error = error(text, Redshift);
        assert_eq!((error.kind, error.hint.as_deref()), (ErrorKind::Syntax, hint), "{text}: {error}");
    }
    assert_eq!(error("SELECT 1 FROM", Redshift).detail.as_deref(), Some("expected identifier"));
}

#[test]
fn other_statements_are_refused_by_name() {
    for word in ["CALL", "OPTIMIZE"] {
        refuses(Redshift, &[(&format!("SELECT 1; {} x", word.to_lowercase()), word, 11)]);
    }
    refuses(
        Redshift,
        &[
            ("CREATE EXTERNAL FUNCTION f()", "CREATE EXTERNAL FUNCTION", 1),
            ("DROP PROCEDURE p()", "DROP PROCEDURE", 1),
            ("CREATE MASKING POLICY p", "CREATE MASKING POLICY", 1),
        ],
    );
    let python = "CREATE FUNCTION f (int) RETURNS int STABLE AS $$ return 1 $$ LANGUAGE plpythonu";
    let error = error(python, Redshift);
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
    assert!(error.message.to_lowercase().contains("language plpythonu"), "{error}");
    refuses(Athena, &[("DROP MATERIALIZED VIEW v", "DROP MATERIALIZED VIEW", 1)]);
}
