//! What a second run does when files have changed, under each policy.

use crate::{lines, put, start, told};
use millrace_engine::Session;
use millrace_tests::database::rows;
use millrace_tests::script::World;

/// A world with a crawler of these clauses over its own folder.
async fn world(clauses: &str) -> (World, Session) {
    let world = World::new(false).await.unwrap();
    std::fs::create_dir(world.tmp().join("lake")).unwrap();
    let mut session = world.session();
    let place = world.tmp().join("lake");
    let create = format!("CREATE CRAWLER c DATABASE d TARGETS ('{}') {clauses}", place.display());
    rows(&mut session, &create).await.unwrap();
    (world, session)
}

fn write(world: &World, name: &str, content: &str) {
    put(&world.tmp().join("lake"), name, content);
}

async fn columns(session: &mut Session, table: &str) -> Vec<String> {
    let rows = rows(session, &format!("DESCRIBE {table}")).await.unwrap();
    rows.iter().map(|row| format!("{} {}", row[0], row[1])).collect()
}

#[tokio::test]
async fn new_folders_only_opens_only_what_is_new() {
    let (world, mut session) = world("RECRAWL NEW FOLDERS ONLY").await;
    write(&world, "t/2013/01/a.csv", "id,name\n1,x\n2,y\n");
    write(&world, "t/2013/02/a.csv", "id,name\n3,x\n4,y\n");
    assert_eq!(start(&mut session, "c").await, ["CREATED t 2"]);
    write(&world, "t/2013/01/b.csv", "id,name\n10,x\n20,y\n");
    write(&world, "t/2013/03/a.csv", "id,name,more\n5,x,1.5\n6,y,2.5\n");
    write(&world, "t/2014/01/a.csv", "7,x\n8,y\n");
    write(&world, "u/a.json", "{\"k\": 1}\n");
    assert_eq!(start(&mut session, "c").await, ["UPDATED t 2", "CREATED u 0"]);
    // Of four new files one is in a known folder.
    assert_eq!(crate::run(&mut session, "c").await[12], "3");
    assert_eq!(
        columns(&mut session, "d.t").await[..4],
        ["id bigint", "name string", "partition_0 int", "partition_1 int"].map(str::to_owned)
    );
    // The folder without a header has its own layout: no line of it is skipped.
    let by_folder = "SELECT partition_0, partition_1, sum(id), count(*) FROM d.t GROUP BY 1, 2 ORDER BY 1, 2";
    assert_eq!(lines(&mut session, by_folder).await, ["2013 1 33 4", "2013 2 7 2", "2013 3 11 2", "2014 1 15 2"]);
    std::fs::remove_dir_all(world.tmp().join("lake/t/2013/02")).unwrap();
    assert_eq!(start(&mut session, "c").await, ["UNCHANGED t 0", "UNCHANGED u 0"]);
}

#[tokio::test]
async fn files_that_are_gone() {
    for (clause, of_partition, of_table, tables) in [
        ("DELETE", "UPDATED p 0 1 partition deleted", "DELETED t 0 its files are gone", 1),
        ("DEPRECATE", "UPDATED p 0 1 partition deprecated", "DEPRECATED t 0 its files are gone", 2),
        ("LOG", "UPDATED p 0 1 partition left alone: the files are gone", "LOGGED t 0 its files are gone", 2),
    ] {
        let (world, mut session) = world(&format!("ON DELETE {clause}")).await;
        for name in ["p/m=1/a.csv", "p/m=2/a.csv", "t/a.csv"] {
            write(&world, name, "id,name\n1,x\n2,y\n");
        }
        assert_eq!(start(&mut session, "c").await, ["CREATED p 2", "CREATED t 0"]);
        std::fs::remove_dir_all(world.tmp().join("lake/p/m=1")).unwrap();
        // A marker of a folder, and a file that is none yet, are no data.
        std::fs::write(world.tmp().join("lake/t/a.csv"), "").unwrap();
        assert_eq!(start(&mut session, "c").await, [of_partition, of_table], "{clause}");
        assert_eq!(lines(&mut session, "SHOW TABLES IN d").await.len(), tables, "{clause}");
        assert_eq!(lines(&mut session, "SELECT count(*) FROM d.p").await, ["2"], "{clause}");
        let text = told(&mut session, "c").await;
        assert_eq!(text.contains("left alone: the files are gone"), clause == "LOG", "{text}");
        if clause == "DEPRECATE" {
            write(&world, "t/a.csv", "id,name\n1,x\n2,y\n");
            let back = start(&mut session, "c").await;
            assert!(back.contains(&"UPDATED t 0 its files are back".to_owned()), "{back:?}");
        }
    }
}

#[tokio::test]
async fn files_that_have_other_columns() {
    for (clause, outcome, expected) in [
        (
            "UPDATE IN DATABASE",
            "UPDATED t 0 changed \"id\" from bigint to double, added \"more\" boolean",
            &["id double", "name string", "more boolean"][..],
        ),
        (
            "ADD NEW COLUMNS ONLY",
            "UPDATED t 0 new columns only were added of: changed \"id\" from bigint to double, added \"more\" boolean",
            &["id bigint", "name string", "more boolean"],
        ),
        (
            "LOG",
            "LOGGED t 0 left alone: changed \"id\" from bigint to double, added \"more\" boolean",
            &["id bigint", "name string"],
        ),
    ] {
        let (world, mut session) = world(&format!("ON UPDATE {clause}")).await;
        write(&world, "t/a.csv", "id,name\n1,x\n2,y\n");
        assert_eq!(start(&mut session, "c").await, ["CREATED t 0"]);
        write(&world, "t/a.csv", "id,name,more\n1.5,x,true\n2,y,false\n");
        assert_eq!(start(&mut session, "c").await, [outcome]);
        assert_eq!(columns(&mut session, "d.t").await, expected, "{clause}");
    }
}

/// A column without a value in one file is of the type that it has in another, at any depth.
#[tokio::test]
async fn empty_columns_make_no_conflict() {
    let (world, mut session) = world("").await;
    write(&world, "csv/m=1/a.csv", "id,at,note\n1,,x\n2,,y\n");
    write(&world, "csv/m=2/a.csv", "id,at,note\n3,2024-01-02,x\n4,,y\n");
    write(&world, "json/a.json", "{\"id\": 1, \"o\": null, \"l\": []}\n");
    write(&world, "json/b.json", "{\"id\": 2, \"o\": {\"x\": 1.5}, \"l\": [true]}\n");
    assert_eq!(start(&mut session, "c").await, ["CREATED csv 2", "CREATED json 0"]);
    assert!(!told(&mut session, "c").await.contains("it is a string"));
    assert_eq!(columns(&mut session, "d.csv").await[..3], ["id bigint", "at date", "note string"].map(str::to_owned));
    assert_eq!(
        columns(&mut session, "d.json").await,
        ["id bigint", "o struct<x:double>", "l array<boolean>"].map(str::to_owned)
    );
    assert_eq!(
        lines(&mut session, "SELECT id, at FROM d.csv ORDER BY id").await,
        ["1 NULL", "2 NULL", "3 2024-01-02", "4 NULL"]
    );
    assert_eq!(lines(&mut session, "SELECT sum(o.x), count(*) FROM d.json").await, ["1.5 2"]);
    assert_eq!(start(&mut session, "c").await, ["UNCHANGED csv 0", "UNCHANGED json 0"]);
}

/// Keys that are no legal names: files of one table may have different ones.
#[tokio::test]
async fn renamed_keys_of_json() {
    let (world, mut session) = world("ON UPDATE ADD NEW COLUMNS ONLY").await;
    write(&world, "t/a.json", "{\"id\": 1, \"x\": 1, \"y\": 1, \"Unit Price\": 2.5}\n");
    write(&world, "t/b.json", "{\"id\": 2, \"x\": 2, \"y\": 1}\n");
    assert_eq!(start(&mut session, "c").await, ["CREATED t 0"]);
    let prices = "SELECT id, unit_price FROM d.t ORDER BY id";
    assert_eq!(lines(&mut session, prices).await, ["1 2.5", "2 NULL"]);
    let ddl = lines(&mut session, "SHOW CREATE TABLE d.t").await.join("\n");
    assert!(ddl.contains("'paths'='id,x,y,unit_price'"), "{ddl}");
    write(&world, "t/c.json", "{\"id\": 3, \"x\": 2, \"y\": 1, \"in-stock\": true}\n");
    assert_eq!(start(&mut session, "c").await, ["UPDATED t 0 added \"in_stock\" boolean"]);
    let stock = "SELECT id, unit_price, in_stock FROM d.t ORDER BY id";
    assert_eq!(lines(&mut session, stock).await, ["1 2.5 NULL", "2 NULL NULL", "3 NULL true"]);
    assert_eq!(start(&mut session, "c").await, ["UNCHANGED t 0"]);
}

#[tokio::test]
async fn a_table_made_by_hand_stays_as_it_is() {
    let (world, mut session) = world("ON DELETE DELETE").await;
    write(&world, "t/a.csv", "id,name\n1,x\n2,y\n");
    let place = world.tmp().join("lake/t");
    let make = format!("CREATE DATABASE d; CREATE EXTERNAL TABLE d.mine (line string) LOCATION '{}'", place.display());
    rows(&mut session, &make).await.unwrap();
    assert_eq!(start(&mut session, "c").await, ["LOGGED mine 0 it was not made by a crawler and is left alone"]);
    assert!(told(&mut session, "c").await.contains("table \"mine\""));
    assert_eq!(columns(&mut session, "d.mine").await, ["line string"]);
    std::fs::remove_dir_all(place).unwrap();
    assert_eq!(start(&mut session, "c").await, Vec::<String>::new());
    assert_eq!(lines(&mut session, "SHOW TABLES IN d").await, ["mine"]);
}
