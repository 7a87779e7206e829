//! A large plain file is read in parts: the rows, and the numbers of bad lines, are those of the whole.

use crate::world;
use millrace_tests::database::rows;
use std::fmt::Write;

/// Lines of a file that is large enough to be read in parts.
const LINES: u64 = 120_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_lines_are_those_of_the_whole() {
    let (folder, mut session) = world().await;
    let place = folder.path().join("large.txt");
    let mut text = "a|b\nheader|two\n".to_owned();
    let bad = [1, 2, 40_000, 77_777, LINES];
    for line in 1..=LINES {
        if bad.contains(&line) {
            text.push_str("bad");
        }
        // Lines of different lengths, so that parts begin anywhere in them.
        let width = (line * 7919 % 97) as usize;
        writeln!(text, "{line}|{:x>width$}", "").unwrap();
    }
    // The last line has no end.
    text.pop();
    assert!(text.len() > 5 << 20);
    text = text.replace('x', "xx");
    std::fs::write(&place, &text).unwrap();
    let place = place.display();
    rows(&mut session, "CREATE TABLE t (a int, b varchar(200))").await.unwrap();
    rows(&mut session, &format!("COPY t FROM '{place}' IGNOREHEADER 2 MAXERROR 10")).await.unwrap();
    let sum: u64 = (1..=LINES).filter(|line| !bad.contains(line)).sum();
    let counted = rows(&mut session, "SELECT count(*), count(DISTINCT a), sum(a) FROM t").await.unwrap();
    let count = (LINES - bad.len() as u64).to_string();
    assert_eq!(counted, [[count.clone(), count, sum.to_string()]]);
    let found =
        rows(&mut session, "SELECT line_number, raw_field_value FROM stl_load_errors ORDER BY 1").await.unwrap();
    let expected: Vec<[String; 2]> = bad.iter().map(|line| [(line + 2).to_string(), format!("bad{line}")]).collect();
    assert_eq!(found, expected);
    // Whatever the parts, too many bad lines load nothing.
    assert!(rows(&mut session, &format!("COPY t FROM '{place}' IGNOREHEADER 2 MAXERROR 5")).await.is_err());
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [[(LINES - 5).to_string()]]);
}
