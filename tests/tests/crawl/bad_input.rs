//! Files that are no data, or not all of it: the crawl goes on and tells.

use crate::{lines, put, start, told};
use millrace_tests::database::rows;
use millrace_tests::script::{World, data};

#[tokio::test]
async fn bad_files_are_told_and_good_ones_become_tables() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    let lake = world.tmp().join("lake");
    put(&lake, "good/a.csv", "id,name\n1,x\n2,y\n");
    put(&lake, "widths/a.csv", "id,name\n1,x\n2,y\n3\n4,z,surplus\n5,v\n6,w\n7,w\n8,w\n9,w\n10,w\n");
    put(&lake, "conflicts/a.json", "{\"id\": 1, \"v\": true}\n{\"id\": 2, \"v\": 5}\n");
    put(&lake, "utf8/a.csv", b"id,name\n1,x\n2,\xff\n");
    put(&lake, "markers/_SUCCESS", "");
    put(&lake, "markers/empty.csv", "");
    put(&lake, "encrypted/a.parquet", b"PARE\0\0\0\0\x04\0\0\0PARE");
    put(&lake, "mixed/a.csv", "id,name\n1,x\n2,y\n");
    put(&lake, "mixed/b.json", "{\"flag\": true}\n{\"flag\": false}\n");
    std::fs::create_dir(lake.join("nothing")).unwrap();
    std::fs::create_dir(lake.join("loops")).unwrap();
    std::os::unix::fs::symlink(&lake, lake.join("loops/back")).unwrap();
    std::os::unix::fs::symlink(lake.join("nowhere"), lake.join("good/dangling")).unwrap();
    for name in ["truncated_parquet", "truncated_orc", "not_gzip"] {
        let from = std::fs::read_dir(data().join("bad").join(name)).unwrap().next().unwrap().unwrap().path();
        put(&lake, &format!("{name}/{}", from.file_name().unwrap().to_str().unwrap()), std::fs::read(&from).unwrap());
    }
    rows(&mut session, &format!("CREATE CRAWLER c DATABASE d TARGETS ('{}')", lake.display())).await.unwrap();
    let tables = start(&mut session, "c").await;
    assert_eq!(tables, ["CREATED a 0", "CREATED b 0", "CREATED conflicts 0", "CREATED good 0", "CREATED widths 0"]);
    let text = told(&mut session, "c").await;
    for expected in [
        "widths: 2 of the ",
        "conflicts: \"v\" holds values of type boolean and of type bigint: it is a string",
        "utf8/a.csv: it is no text in UTF-8: invalid at byte 14",
        "markers: 1 empty file was left out",
        "encrypted/a.parquet: ",
        "loops/back: the link leads in a circle",
        "good/dangling: the link leads nowhere",
        "truncated_parquet/a.parquet: ",
        "truncated_orc/a.orc: ",
        "not_gzip/a.csv.gz: ",
        "is a table for each file: the files in it are not alike",
    ] {
        assert!(text.contains(expected), "{expected:?} is not told:\n{text}");
    }
    assert!(!text.contains("nothing"), "{text}");
    assert_eq!(lines(&mut session, "SELECT v FROM d.conflicts ORDER BY id").await, ["true", "5"]);
    assert_eq!(lines(&mut session, "SELECT count(*), count(name) FROM d.widths").await, ["10 9"]);
    assert_eq!(lines(&mut session, "SELECT sum(id) FROM d.good").await, ["3"]);
    let again = start(&mut session, "c").await;
    assert!(again.iter().all(|line| line.starts_with("UNCHANGED")), "{again:?}");
}

/// A folder without anything that can be read is a run that succeeds and makes nothing.
#[tokio::test]
async fn an_empty_target_makes_nothing() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    rows(&mut session, &format!("CREATE CRAWLER c DATABASE d TARGETS ('{}')", world.tmp().display())).await.unwrap();
    assert_eq!(start(&mut session, "c").await, Vec::<String>::new());
    assert!(told(&mut session, "c").await.contains("nothing but empty, hidden or excluded files is there"));
    assert_eq!(crate::run(&mut session, "c").await[2], "SUCCEEDED");
}
