//! Tables and partitions out of folders that are built in memory, a case each.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::crawl::{Folder, FoundTable, Layout};
use crate::lake::hive_classes::{LAZY_SIMPLE_SERDE, OPEN_CSV_SERDE, storage_classes};
use crate::lake::location::Location;
use millrace_catalog::model::{Column, ColumnStatistics, Parameters, SerDe, TableStatistics};
use object_store::ObjectMeta;
use object_store::path::Path;

/// A target that is built file by file.
struct Lake {
    tree: Tree,
    files: HashMap<String, Result<Recognized, Skipped>>,
    grouping: Grouping,
}

fn lake(target: &str) -> Lake {
    let location = Location::parse(target).unwrap();
    let tree = Tree { location, root: Folder::default(), skipped: Vec::new(), unreadable: Vec::new() };
    Lake { tree, files: HashMap::new(), grouping: Grouping::default() }
}

fn recognized(format: &str, columns: &str) -> Recognized {
    let (library, input_format, output_format) = storage_classes(format).unwrap();
    let columns = columns.split_whitespace().map(|column| {
        let (name, kind) = column.split_once(':').unwrap();
        Column::new(name, kind.parse().unwrap())
    });
    Recognized {
        layout: Layout {
            classifier: format.to_owned(),
            classification: format.to_owned(),
            serde: SerDe { library: library.to_owned(), parameters: Parameters::new() },
            input_format: input_format.to_owned(),
            output_format: output_format.to_owned(),
            parameters: Parameters::new(),
            compression: "none".to_owned(),
        },
        certainty: 1.0,
        columns: columns.collect(),
        unknown: crate::crawl::schema::Unknown::new(),
        rows: 10,
        rows_exact: true,
        row_bytes: 200,
        statistics: None,
        notes: Vec::new(),
    }
}

impl Lake {
    fn folder(&mut self, path: &str) -> &mut Folder {
        let mut folder = &mut self.tree.root;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let at = folder.folders.iter().position(|known| known.name == name).unwrap_or_else(|| {
                folder.folders.push(Folder { name: name.to_owned(), ..Folder::default() });
                folder.folders.len() - 1
            });
            folder = &mut folder.folders[at];
        }
        folder
    }

    fn put(mut self, path: &str, found: Result<Recognized, Skipped>) -> Self {
        let base = self.tree.location.path().to_string();
        let location = Path::parse(format!("{base}/{path}")).unwrap();
        self.files.insert(location.to_string(), found);
        let last_modified = chrono::DateTime::UNIX_EPOCH;
        let folder = self.folder(path.rsplit_once('/').map_or("", |(folder, _)| folder));
        folder.sample.push(ObjectMeta { location, last_modified, size: 100, e_tag: None, version: None });
        folder.file_count += 1;
        folder.size_bytes += 100;
        self
    }

    fn file(self, path: &str, format: &str, columns: &str) -> Self {
        self.put(path, Ok(recognized(format, columns)))
    }

    fn files(self, paths: &[&str], format: &str, columns: &str) -> Self {
        paths.iter().fold(self, |lake, path| lake.file(path, format, columns))
    }

    /// More files of a folder than were looked at.
    fn unseen(mut self, path: &str, files: u64) -> Self {
        let folder = self.folder(path);
        folder.file_count += files;
        folder.size_bytes += files * 100;
        self
    }

    fn level(mut self, level: u32) -> Self {
        self.grouping.table_level = Some(level);
        self
    }

    fn found(&self) -> Found {
        group(&self.tree, &self.files, &self.grouping)
    }
}

/// `name(keys) partitions @ last part of the location`.
fn outline(found: &Found) -> Vec<String> {
    let describe = |table: &FoundTable| {
        let keys: Vec<String> =
            table.partition_keys.iter().map(|key| format!("{} {}", key.name, key.data_type)).collect();
        format!("{}({}) {}", table.name, keys.join(", "), table.partitions.len())
    };
    found.tables.iter().map(describe).collect()
}

fn values(table: &FoundTable) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
    table.partitions.iter().map(|p| p.partition.values.iter().map(text).collect::<Vec<_>>().join("/")).collect()
}

const WIDE: &str = "a:int b:int c:int d:int e:int f:int g:int h:int i:int j:int";

#[test]
fn the_example_lake() {
    let mut lake = lake("s3://b/lake")
        .file("airlines/airlines.orc", "orc", "carrier:string name:string")
        .file("airports/airports.csv", "csv", "faa:string name:string lat:double")
        .file("planes/planes.json.gz", "json", "tailnum:string year:int");
    for month in 1..=12 {
        lake = lake
            .file(&format!("flights/year=2013/month={month:02}/part-0.parquet"), "parquet", "day:int carrier:string")
            .file(
                &format!("weather/2013/{month:02}/weather.csv.gz"),
                "csv",
                "origin:string day:int hour:int temp:double",
            );
    }
    let found = lake.found();
    let expected = [
        "airlines() 0",
        "airports() 0",
        "flights(year int, month int) 12",
        "planes() 0",
        "weather(partition_0 int, partition_1 int) 12",
    ];
    assert_eq!(outline(&found), expected);
    assert_eq!((found.skipped.len(), found.files_read), (0, 27));
    let flights = &found.tables[2];
    assert_eq!(flights.storage.location.as_deref(), Some("s3://b/lake/flights"));
    assert_eq!(flights.partitions[0].partition.location, "s3://b/lake/flights/year=2013/month=01");
    assert_eq!(values(flights)[..2], ["2013/01", "2013/02"]);
    assert_eq!(flights.partitions[0].partition.storage, None);
    assert_eq!(flights.parameters["recordCount"], "120");
    assert!(flights.reasons.iter().any(|reason| reason.contains("parquet recognised 12 of 12 files")), "{flights:?}");
}

/// "How does a crawler determine when to create partitions?": the `sales` bucket.
#[test]
fn the_documented_sales() {
    let days = ["month=Jan/day=1", "month=Jan/day=2", "month=Feb/day=1", "month=Feb/day=2"];
    let lake = days.iter().fold(lake("s3://sales"), |lake, day| {
        lake.file(&format!("year=2019/{day}/a.json"), "json", WIDE).file(
            &format!("year=2019/{day}/b.json"),
            "json",
            WIDE,
        )
    });
    assert_eq!(outline(&lake.found()), ["sales(year int, month string, day int) 4"]);
}

/// The same page: `table1` and `table2` are one table when their schemas are similar, two when the level says so.
#[test]
fn the_documented_folder1() {
    let files =
        ["table1/partition1", "table1/partition2", "table1/partition3", "table2/partition4", "table2/partition5"];
    let built =
        || files.iter().fold(lake("s3://bucket01/folder1"), |lake, f| lake.file(&format!("{f}/file.txt"), "csv", WIDE));
    let found = built().found();
    assert_eq!(outline(&found), ["folder1(partition_0 string, partition_1 string) 5"]);
    assert_eq!(values(&found.tables[0])[3], "table2/partition4");
    assert_eq!(outline(&built().level(3).found()), ["table1(partition_0 string) 3", "table2(partition_0 string) 2"]);
}

/// "Creating a single schema for each Amazon S3 include path".
#[test]
fn the_documented_grouping_policy() {
    let mut lake = lake("s3://bucket/table1").file("year=2017/data1.json", "json", "a:int b:int").file(
        "year=2018/data2.json",
        "json",
        "c:int d:int",
    );
    assert_eq!(outline(&lake.found()), ["year_2017() 0", "year_2018() 0"]);
    lake.grouping.policy = TableGrouping::CombineCompatibleSchemas;
    let found = lake.found();
    assert_eq!(outline(&found), ["table1(year int) 2"]);
    let names: Vec<_> = found.tables[0].storage.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    // Each partition keeps what is in its files.
    let own = found.tables[0].partitions[0].partition.storage.as_ref().unwrap();
    assert_eq!(own.columns.len(), 2);
    assert_eq!(own.location.as_deref(), Some("s3://bucket/table1/year=2017"));
}

#[test]
fn one_partition_is_a_partition_and_one_table_is_a_table() {
    let found = lake("s3://b/lake").file("flights/year=2013/x.parquet", "parquet", "a:int").found();
    assert_eq!(outline(&found), ["flights(year int) 1"]);
    let found = lake("s3://b/lake").file("zone/raw/flights/x.parquet", "parquet", "a:int").found();
    assert_eq!(outline(&found), ["flights() 0"]);
    assert_eq!(found.tables[0].storage.location.as_deref(), Some("s3://b/lake/zone/raw/flights"));
    let found = lake("s3://b/lake").file("zone/raw/x.parquet", "parquet", "a:int").level(2).found();
    assert_eq!(outline(&found), ["lake(partition_0 string, partition_1 string) 1"]);
}

#[test]
fn single_files_are_tables() {
    let mut single = lake("s3://b/in/my.data.csv.gz");
    single.files.insert("in/my.data.csv.gz".to_owned(), Ok(recognized("csv", "a:int")));
    let location = Path::from("in/my.data.csv.gz");
    let last_modified = chrono::DateTime::UNIX_EPOCH;
    single.tree.root.sample.push(ObjectMeta { location, last_modified, size: 1, e_tag: None, version: None });
    single.tree.root.file_count = 1;
    single.grouping.prefix = "p_".to_owned();
    let found = single.found();
    assert_eq!(outline(&found), ["p_my_data() 0"]);
    assert_eq!(found.tables[0].storage.location.as_deref(), Some("s3://b/in/my.data.csv.gz"));

    let mixed = lake("s3://b/in").file("c.csv", "csv", "a:int b:int").file("o.csv", "csv", "x:int y:int z:string");
    let found = mixed.found();
    assert_eq!(outline(&found), ["c() 0", "o() 0"]);
    assert_eq!(found.tables[0].storage.location.as_deref(), Some("s3://b/in/c.csv"));
    assert!(found.tables[0].notes[0].contains("not alike"));
    let unseen = lake("s3://b/in").file("c.csv", "csv", "a:int").file("j.json", "json", "a:int").unseen("", 40);
    let found = unseen.found();
    assert!(found.tables.is_empty());
    assert!(
        found.skipped[0].reason.contains("csv, json") && found.skipped[0].reason.contains("2 of its 42"),
        "{found:?}"
    );
}

#[test]
fn files_beside_folders() {
    let beside = lake("s3://b/t").files(&["stray.csv", "year=2013/x.csv", "year=2014/x.csv"], "csv", "a:int");
    let found = beside.found();
    assert_eq!(outline(&found), ["t(year int) 2"]);
    assert_eq!(found.skipped[0].url, "s3://b/t");
    assert!(found.skipped[0].reason.contains("mixed depth") && found.skipped[0].reason.contains("year=2013"));
    // Of another kind they are tables of their own.
    let other =
        lake("s3://b/lake").file("codes.json", "json", "k:int v:string").files(&["t/x.csv", "t/y.csv"], "csv", "a:int");
    let found = other.found();
    assert_eq!((outline(&found), found.skipped.len()), (vec!["codes() 0".to_owned(), "t() 0".to_owned()], 0));
}

#[test]
fn partitions_of_unequal_depth_are_refused() {
    let uneven = lake("s3://b/t").files(
        &["year=2012/month=1/x.csv", "year=2013/month=1/x.csv", "year=2013/month=2/x.csv", "year=2014/x.csv"],
        "csv",
        "a:int",
    );
    let found = uneven.found();
    assert_eq!(outline(&found), ["t(year int, month int) 3", "year_2014() 0"]);
    assert_eq!(found.skipped.len(), 1);
    assert_eq!(found.skipped[0].url, "s3://b/t/year=2014");
    assert!(found.skipped[0].reason.contains("mixed depth"), "{found:?}");
    // Other keys at one level are no partitions of one table either.
    let keys = lake("s3://b/t").files(&["year=2012/x.csv", "month=1/x.csv"], "csv", "a:int");
    assert_eq!(outline(&keys.found()), ["month_1() 0", "year_2012() 0"]);
}

#[test]
fn a_majority_of_partitions_is_a_table() {
    let odd = lake("s3://b/t").files(&["2013/x.csv", "2014/x.csv"], "csv", WIDE).file("2015/x.json", "json", WIDE);
    let found = odd.found();
    assert_eq!(found.tables[0].partitions.len(), 2);
    assert_eq!(found.tables.len(), 2);
    assert!(found.tables[0].notes[0].contains("2015"), "{found:?}");
    // Folders with names of tables are tables each, unless all are alike.
    let words = lake("s3://b/t").files(&["a/x.csv", "b/x.csv"], "csv", WIDE).file("c/x.json", "json", WIDE);
    assert_eq!(outline(&words.found()), ["a() 0", "b() 0", "c() 0"]);
}

#[test]
fn seven_of_ten_columns_are_enough() {
    let seven = "a:int b:int c:int d:int e:int f:int g:int x:int y:int z:int";
    let six = "a:int b:int c:int d:int e:int f:int w:int x:int y:int z:int";
    let alike = |other: &str| {
        lake("s3://b/t").file("k=1/x.json", "json", WIDE).file("k=2/x.json", "json", other).found().tables.len()
    };
    assert_eq!((alike(seven), alike(six)), (1, 2));
}

#[test]
fn files_of_one_folder_are_merged_and_told() {
    let mut compressed = recognized("json", "a:bigint b:string");
    compressed.layout.compression = "gzip".to_owned();
    compressed.notes.push("a note of the file".to_owned());
    let lake = lake("s3://b/t").file("x.json", "json", "a:int b:string").put("y.json.gz", Ok(compressed));
    let found = lake.found();
    assert_eq!(outline(&found), ["t() 0"]);
    assert_eq!(found.tables[0].storage.columns[0].data_type.to_string(), "bigint");
    assert!(found.tables[0].notes.contains(&"a note of the file".to_owned()));
}

#[test]
fn quoted_and_plain_files_are_one_table() {
    let layout = |library: &str, key: &str| {
        let mut file = recognized("csv", "a:int b:string");
        file.layout.serde =
            SerDe { library: library.to_owned(), parameters: Parameters::from([(key.to_owned(), ",".to_owned())]) };
        Ok(file)
    };
    let found = lake("s3://b/t")
        .put("1.csv", layout(LAZY_SIMPLE_SERDE, "field.delim"))
        .put("2.csv", layout(OPEN_CSV_SERDE, "separatorChar"))
        .found();
    assert_eq!(outline(&found), ["t() 0"]);
    assert_eq!(found.tables[0].storage.serde.library, OPEN_CSV_SERDE);
}

#[test]
fn keys_hide_columns_and_null_is_no_evidence() {
    let found = lake("s3://b/t")
        .files(&["year=2013/x.csv", "year=__HIVE_DEFAULT_PARTITION__/x.csv"], "csv", "year:int a:int")
        .found();
    assert_eq!(outline(&found), ["t(year int) 2"]);
    assert_eq!(values(&found.tables[0]), ["2013", "NULL"]);
    assert_eq!(found.tables[0].storage.columns.len(), 1);
    assert!(found.tables[0].notes.iter().any(|note| note.contains("\"year\"")), "{found:?}");
    assert_eq!(found.tables[0].partitions[0].partition.storage, None);
    // One value twice, by letter case of the key.
    let twice = lake("s3://b/t").files(&["Year=2013/x.csv", "year=2013/x.csv"], "csv", "a:int").found();
    assert_eq!((outline(&twice), twice.skipped.len()), (vec!["t(year int) 1".to_owned()], 1));
    let nothing = lake("s3://b/t").files(&["a=1/x.csv", "a=2/x.csv"], "csv", "a:int").found();
    assert_eq!((nothing.tables.len(), nothing.skipped.len()), (0, 1));
}

#[test]
fn levels_may_be_named_and_not() {
    let found = lake("s3://b/t")
        .files(&["year=2013/us/x.csv", "year=2014/eu/x.csv", "year=2014/us/x.csv"], "csv", "a:int")
        .found();
    assert_eq!(outline(&found), ["t(year int, partition_1 string) 3"]);
    let found = lake("s3://b/t").files(&["year=2013/us/x.csv"], "csv", "a:int").found();
    assert_eq!(outline(&found), ["t(year int, partition_1 string) 1"]);
}

#[test]
fn names_are_different() {
    let found = lake("s3://b/lake")
        .file("a/events/x.csv", "csv", "a:int")
        .file("b/events/x.json", "json", "b:int c:int")
        .found();
    assert_eq!(outline(&found), ["events() 0", "events_b() 0"]);
    assert!(found.tables[1].notes[0].contains("\"events\""));
}

#[test]
fn what_cannot_be_read_is_told() {
    let bad = Skipped { url: "s3://b/t/bad.csv".to_owned(), reason: "damaged".to_owned() };
    let found = lake("s3://b/t").file("x.csv", "csv", "a:int").put("bad.csv", Err(bad.clone())).found();
    assert_eq!((outline(&found), found.skipped), (vec!["t() 0".to_owned()], vec![bad]));
    let statistics = found.tables[0].statistics.clone().unwrap();
    assert_eq!((statistics.row_count, statistics.file_count, statistics.exact), (10, 1, true));
}

#[test]
fn statistics_are_sums_or_estimates() {
    let known = |minimum: &str, maximum: &str| {
        let mut file = recognized("parquet", "a:int");
        let column = ColumnStatistics {
            minimum: Some(minimum.to_owned()),
            maximum: Some(maximum.to_owned()),
            null_count: Some(1),
            ..ColumnStatistics::default()
        };
        let columns = [("a".to_owned(), column)].into();
        file.statistics = Some(TableStatistics { row_count: 10, columns, ..TableStatistics::default() });
        Ok(file)
    };
    let all = lake("s3://b/t").put("x.parquet", known("2", "9")).put("y.parquet", known("-5", "10"));
    let statistics = all.found().tables[0].statistics.clone().unwrap();
    assert_eq!((statistics.row_count, statistics.size_bytes, statistics.exact), (20, 200, true));
    let column = &statistics.columns["a"];
    // As numbers, not as texts.
    assert_eq!(
        (column.minimum.as_deref(), column.maximum.as_deref(), column.null_count),
        (Some("-5"), Some("10"), Some(2))
    );
    // 10 rows in each 100 bytes.
    let some = lake("s3://b/t").put("x.parquet", known("2", "9")).unseen("", 4);
    let found = some.found();
    let statistics = found.tables[0].statistics.clone().unwrap();
    assert_eq!((statistics.row_count, statistics.file_count, statistics.exact), (50, 5, false));
    assert!(statistics.columns.is_empty());
    let parameters = &found.tables[0].parameters;
    let of = |name: &str| parameters[name].as_str();
    assert_eq!((of("objectCount"), of("sizeKey"), of("averageRecordSize")), ("5", "500", "20"));
    assert_eq!((of("classification"), of("typeOfData"), of("compressionType")), ("parquet", "file", "none"));
}

#[test]
fn a_level_that_cannot_be_a_table_is_told() {
    let found = lake("s3://b/lake")
        .file("x/a/f.csv", "csv", "a:int")
        .file("x/b/f.json", "json", "b:int c:int")
        .level(3)
        .found();
    assert_eq!(outline(&found), ["a() 0", "b() 0"]);
    assert!(found.skipped[0].reason.contains("table level 3") && found.skipped[0].url == "s3://b/lake/x", "{found:?}");
}
