//! Custom classifiers in a run, and the tables that they make read.

use crate::{lines, put, start};
use millrace_engine::ErrorKind;
use millrace_tests::database::rows;
use millrace_tests::script::World;

#[tokio::test]
async fn custom_classifiers_make_tables_that_can_be_read() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    put(&world.tmp(), "orders/a.log", "A12: 1.5 EUR\nB7: 2 USD\n");
    put(&world.tmp(), "colons/a.txt", "1:'a:b'\n2:'c'\n");
    put(&world.tmp(), "answers/a.json", "{\"count\": 2, \"records\": [{\"a\": 1}, {\"a\": 2}]}");
    let setup = format!(
        "CREATE CLASSIFIER orders GROK CLASSIFICATION 'orders' PATTERN '%{{ORDER:id}}: %{{NUMBER:price:double}} %{{WORD:unit}}'
             CUSTOM PATTERNS 'ORDER [A-Z][0-9]+';
         CREATE CLASSIFIER colons CSV DELIMITER ':' QUOTE '''' HEADER ABSENT COLUMNS (n int, t string);
         CREATE CLASSIFIER answers JSON PATH '$.records[*]';
         CREATE CRAWLER c DATABASE d TARGETS ('{}') CLASSIFIERS (orders, answers, colons)",
        world.tmp().display()
    );
    rows(&mut session, &setup).await.unwrap();
    assert_eq!(start(&mut session, "c").await, ["CREATED answers 0", "CREATED colons 0", "CREATED orders 0"]);
    assert_eq!(
        lines(&mut session, "SELECT id, price, unit FROM d.orders ORDER BY id").await,
        ["A12 1.5 EUR", "B7 2.0 USD"]
    );
    assert_eq!(lines(&mut session, "SELECT n, t FROM d.colons ORDER BY n").await, ["1 a:b", "2 c"]);
    assert_eq!(lines(&mut session, "SELECT a FROM d.answers ORDER BY a").await, ["1", "2"]);
}

#[tokio::test]
async fn what_no_file_could_match_is_refused_when_it_is_made() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    for text in [
        "GROK CLASSIFICATION 'x' PATTERN '%{NOSUCHPATTERN:x}'",
        "GROK CLASSIFICATION 'x' PATTERN '%{WORD:x'",
        "GROK CLASSIFICATION 'x' PATTERN 'no field'",
        "GROK CLASSIFICATION 'x' PATTERN '(%{WORD:x}'",
        "CSV DELIMITER '1'",
        "CSV DELIMITER 'þ'",
        "CSV DELIMITER ',' QUOTE ','",
        "JSON PATH 'records'",
        "JSON PATH '$.['",
    ] {
        let error = rows(&mut session, &format!("CREATE CLASSIFIER x {text}")).await.expect_err(text);
        let kinds = [ErrorKind::InvalidParameter, ErrorKind::Unsupported, ErrorKind::Syntax];
        assert!(kinds.contains(&error.kind), "{text}: {error}");
    }
    assert!(rows(&mut session, "SHOW CLASSIFIERS").await.unwrap().is_empty());
}
