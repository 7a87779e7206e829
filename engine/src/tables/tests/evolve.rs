//! Columns that were added, renamed and dropped after files were written.

use super::{FORMATS, column, fixture, only};
use crate::tables::WriteOptions;

#[tokio::test]
async fn columns_are_found_by_id() {
    for format in FORMATS {
        let mut fixture = fixture(format, &[(1, "a", "bigint"), (2, "b", "varchar"), (3, "c", "integer")]);
        let options = WriteOptions::default();
        let mut files = fixture.write(fixture.rows_of("SELECT 1, 'old', 10").await, &options, 1).await;

        // a becomes b, the old b is dropped, c stays, a new a and a d with a default are added.
        let mut added = column(5, "d", "numeric(5,1)");
        added.initial = Some("2.5".to_owned());
        fixture.table.columns =
            vec![column(3, "c", "integer"), column(1, "b", "bigint"), column(4, "a", "varchar"), added];
        files.extend(fixture.write(fixture.rows_of("SELECT 20, 2, 'new', 9.0").await, &options, 2).await);

        let all = fixture.query(&files, "SELECT b, a, c, d FROM t ORDER BY b").await;
        assert_eq!(all, ["1|NULL|10|2.5", "2|new|20|9.0"], "{format:?}");
        let cases = [
            ("a IS NULL", "1"),
            ("a = 'new'", "2"),
            ("d = 2.5", "1"),
            ("d > 2.5", "2"),
            ("b = 1", "1"),
            ("c = 20 AND a LIKE 'n%'", "2"),
        ];
        for (filter, found) in cases {
            let sql = format!("SELECT b FROM t WHERE {filter}");
            assert_eq!(fixture.query(&files, &sql).await, [found], "{format:?} {filter}");
            let sql = format!("SELECT b, _position FROM t WHERE {filter}");
            assert_eq!(fixture.query_hidden(&files, &sql).await, [format!("{found}|0")], "{format:?} {filter}");
        }
        let sums = "SELECT sum(d), max(b), count(a), min(c) FROM t";
        assert_eq!(only(fixture.query(&files, sums).await), "11.5|2|1|10", "{format:?}");
    }
}

#[tokio::test]
async fn names_of_any_kind_are_columns() {
    for format in FORMATS {
        let names = [(1, "select", "integer"), (2, "a b.c", "integer"), (3, "x_1", "integer"), (4, "ü\"'", "integer")];
        let fixture = fixture(format, &names);
        let files = fixture.write(fixture.rows_of("SELECT 1, 2, 3, 4").await, &WriteOptions::default(), 1).await;
        let sql = r#"SELECT "select", "a b.c", x_1, "ü""'" FROM t WHERE "a b.c" = 2 AND "ü""'" > 3"#;
        assert_eq!(fixture.query(&files, sql).await, ["1|2|3|4"], "{format:?}");
    }
}
