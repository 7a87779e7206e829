//! Prepared statements and cursors: what is taken, what is refused by name, how parameters are counted.

use super::{one, refuses};
use crate::sql::Dialect::{Athena, Redshift};
use crate::sql::placeholders::{count, limits, number_of};
use crate::sql::{CursorStatement, Discard, PreparedStatement, Statement};

#[test]
fn prepared_statements_in_both_dialects() {
    for (text, dialect, parameters) in [
        ("PREPARE p AS SELECT 1", Redshift, 0),
        ("PREPARE p (int, varchar(10)) AS INSERT INTO t VALUES ($1, $2)", Redshift, 2),
        ("PREPARE p FROM SELECT * FROM t WHERE a = ? AND b > ?", Athena, 2),
    ] {
        let Statement::Prepared(PreparedStatement::Prepare { name, mut statement, .. }) = one(text, dialect) else {
            panic!("{text}")
        };
        assert_eq!(name, "p");
        assert_eq!(count(&mut statement).unwrap(), parameters, "{text}");
    }
    for (text, dialect, values) in
        [("EXECUTE p", Redshift, 0), ("EXECUTE p (1, 'x')", Redshift, 2), ("EXECUTE p USING 1, 2", Athena, 2)]
    {
        let Statement::Prepared(PreparedStatement::Execute { values: found, .. }) = one(text, dialect) else {
            panic!("{text}")
        };
        assert_eq!(found.len(), values, "{text}");
    }
    for (text, name) in [("DEALLOCATE p", Some("p")), ("DEALLOCATE PREPARE P", Some("p")), ("DEALLOCATE ALL", None)] {
        let Statement::Prepared(PreparedStatement::Deallocate(found)) = one(text, Redshift) else { panic!("{text}") };
        assert_eq!(found.as_deref(), name);
    }
    let discard = one("DISCARD TEMPORARY", Redshift);
    assert!(matches!(discard, Statement::Prepared(PreparedStatement::Discard(Discard::Temporary))));
    refuses(
        Redshift,
        &[("PREPARE p AS DROP TABLE t", "PREPARE of a statement that neither reads nor writes rows", 14)],
    );
}

#[test]
fn cursors_go_forward() {
    for (text, count) in [
        ("FETCH FROM c", Some(1)),
        ("FETCH NEXT FROM c", Some(1)),
        ("FETCH FORWARD FROM c", Some(1)),
        ("FETCH FORWARD 100 FROM c", Some(100)),
        ("FETCH FORWARD ALL FROM \"C\"", None),
        ("FETCH ALL IN c", None),
        ("FETCH 5 c", Some(5)),
    ] {
        let Statement::Cursor(CursorStatement::Fetch { name, count: found }) = one(text, Redshift) else {
            panic!("{text}")
        };
        assert_eq!((name.as_str(), found), ("c", count), "{text}");
    }
    let moved = one("MOVE FORWARD 3 IN c", Redshift);
    assert!(matches!(moved, Statement::Cursor(CursorStatement::Move { count: Some(3), .. })));
    let declared = one("DECLARE c NO SCROLL CURSOR WITHOUT HOLD FOR SELECT 1", Redshift);
    assert!(matches!(declared, Statement::Cursor(CursorStatement::Declare { .. })));
    assert!(matches!(one("CLOSE ALL", Redshift), Statement::Cursor(CursorStatement::Close(None))));
    refuses(
        Redshift,
        &[
            ("FETCH PRIOR FROM c", "FETCH PRIOR", 7),
            ("MOVE BACKWARD 2 IN c", "MOVE BACKWARD", 6),
            ("FETCH -1 FROM c", "FETCH of -1 rows", 7),
        ],
    );
}

#[test]
fn placeholders_are_counted_wherever_they_stand() {
    for (text, parameters) in [
        ("SELECT 1", 0),
        ("SELECT $2 FROM (SELECT $1::int AS a) t WHERE a IN ($3, $4) LIMIT $5", 5),
        ("UPDATE t SET a = $1 WHERE b = $2", 2),
        ("DELETE FROM t USING u WHERE t.a = u.a AND u.b = $1", 1),
        ("CREATE TABLE t AS SELECT $1 AS a", 1),
        ("EXPLAIN SELECT $1", 1),
        ("DECLARE c CURSOR FOR SELECT $1", 1),
    ] {
        assert_eq!(count(&mut one(text, Redshift)).unwrap(), parameters, "{text}");
    }
    assert_eq!(count(&mut one("SELECT $0", Redshift)).unwrap_err().sqlstate(), "42P02");
    assert_eq!(limits(&one("SELECT 1 LIMIT $2 OFFSET $1", Redshift)), [2, 1]);
    assert_eq!(number_of(&sqlparser::ast::Expr::Value(sqlparser::ast::Value::Null.into())), None);
}
