//! Random queries of joins and subqueries: the cost-based optimizer changes no answer.
//!
//! A query that fails is told with its seed; `MILLRACE_SEED=n` runs that one alone, `MILLRACE_QUERIES=n` so many.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use millrace_engine::{Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use std::fmt::Write;

/// Queries, where nobody says how many.
const QUERIES: u64 = 150;

/// How many values `k` and `v` have; `g` has [`GROUPS`], and mostly the one that goes with `k`.
const KEYS: u64 = 12;
const GROUPS: u64 = 4;

/// The tables with their rows: columns of few values and the same ones, so that rows meet whatever they are joined on,
/// NULLs, and one table without rows.
const TABLES: [(&str, u64); 6] = [("t0", 0), ("t1", 1), ("t2", 6), ("t3", 24), ("t4", 48), ("t5", 72)];

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }

    /// True once in so many times.
    fn once(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

async fn load(session: &mut Session) {
    let mut random = Random(7);
    for (name, count) in TABLES {
        let ddl = format!("CREATE TABLE {name} (k int, g int, v int, s varchar(10))");
        rows(session, &ddl).await.unwrap();
        let mut values = Vec::new();
        for row in 0..count {
            let key = random.below(KEYS);
            let group = if random.once(4) { random.below(GROUPS) } else { key % GROUPS };
            let value = random.below(KEYS);
            let mut cell = |value: u64| if random.once(8) { "NULL".to_owned() } else { value.to_string() };
            let (k, g, v) = (cell(key), cell(group), cell(value));
            let s = if row % 5 == 0 { "NULL".to_owned() } else { format!("'s{}'", row % 3) };
            values.push(format!("({k}, {g}, {v}, {s})"));
        }
        if !values.is_empty() {
            rows(session, &format!("INSERT INTO {name} VALUES {}", values.join(", "))).await.unwrap();
        }
    }
    // Without NULLs, for NOT IN to give rows.
    rows(session, "CREATE TABLE t6 AS SELECT k, g, v, s FROM t4 WHERE k > 3 AND g IS NOT NULL").await.unwrap();
}

/// The tables with more than one row, those with many more often.
const NAMES: [&str; 10] = ["t2", "t3", "t3", "t3", "t4", "t4", "t4", "t5", "t5", "t6"];

/// A table, seldom one that leaves nothing of an inner join.
fn table(random: &mut Random) -> &'static str {
    let seldom = ["t0", "t1"].into_iter().find(|_| random.once(40));
    seldom.unwrap_or_else(|| random.one(&NAMES))
}

/// A relation of FROM: a table, or an aggregation with the same columns.
fn relation(random: &mut Random) -> String {
    let table = table(random);
    match random.below(7) {
        0 => format!("(SELECT k, g, sum(v) AS v, max(s) AS s FROM {table} GROUP BY k, g)"),
        1 => format!("(SELECT k, count(*) AS g, CAST(avg(v) AS int) AS v, min(s) AS s FROM {table} GROUP BY k)"),
        2 => format!("(SELECT * FROM {table} WHERE g IN (1, 2))"),
        3 => {
            let other = self::table(random);
            format!("(SELECT x.k, y.g, x.v + 1 AS v, y.s FROM {table} x JOIN {other} y ON x.k = y.k AND x.g = y.g)")
        }
        _ => table.to_owned(),
    }
}

fn column(random: &mut Random) -> &'static str {
    random.one(&["k", "k", "k", "k", "g", "v"])
}

/// A condition between two relations.
fn link(random: &mut Random, a: &str, b: &str) -> String {
    let x = column(random);
    let y = if random.once(4) { column(random) } else { x };
    match random.below(14) {
        0 => format!("{a}.g < {b}.v AND {a}.k = {b}.k"),
        1 => format!("{a}.k = {b}.k AND {a}.g = {b}.g"),
        2 => format!("({a}.g = 1 AND {b}.g = 2 OR {a}.g = 2 AND {b}.g = 1) AND {a}.v = {b}.v"),
        3 => format!("{a}.{x} = {b}.{y} AND {b}.s = {a}.s"),
        4 => format!("{a}.k = {b}.k AND {a}.v <> {b}.v"),
        _ => format!("{a}.{x} = {b}.{y}"),
    }
}

/// A condition on one relation.
fn local(random: &mut Random, a: &str) -> String {
    let x = column(random);
    let number = 1 + random.below(6);
    match random.below(8) {
        0 => format!("{a}.{x} IS NULL"),
        1 => format!("{a}.s = 's1'"),
        2 => format!("{a}.{x} IN (1, 3, {number})"),
        3 => format!("{a}.{x} BETWEEN 1 AND {number} + 3"),
        4 => format!("({a}.g = 1 OR {a}.s IS NOT NULL)"),
        5 => format!("{a}.g = {}", number % GROUPS),
        _ => format!("{a}.{x} >= {}", number / 2),
    }
}

/// A condition with a subquery.
fn subquery(random: &mut Random, a: &str) -> String {
    let table = table(random);
    let some = format!(" AND {}", local(random, "q"));
    let filter = if random.once(2) { some.as_str() } else { "" };
    // What is nowhere in a table is little, unless the table's rows are few. Without NULLs, NOT IN leaves rows.
    let (few, known) = if random.once(4) { (filter, "") } else { (some.as_str(), " AND q.g < 2") };
    match random.below(8) {
        0 => format!("EXISTS (SELECT 1 FROM {table} q WHERE q.k = {a}.k{filter})"),
        1 => format!("NOT EXISTS (SELECT 1 FROM {table} q WHERE q.k = {a}.k{few})"),
        2 => format!("EXISTS (SELECT 1 FROM {table} q WHERE q.k = {a}.k AND q.v <> {a}.v{filter})"),
        3 => format!("NOT EXISTS (SELECT 1 FROM {table} q WHERE q.k = {a}.k AND q.g <> {a}.g{few})"),
        4 => format!("{a}.k IN (SELECT q.k FROM {table} q WHERE true{filter})"),
        5 => format!("{a}.g NOT IN (SELECT q.g FROM {table} q WHERE true{known}{filter})"),
        6 => format!("{a}.v >= (SELECT avg(q.v) FROM {table} q WHERE q.k = {a}.k{filter})"),
        _ => format!("{a}.k IN (SELECT q.k FROM {table} q GROUP BY q.k HAVING count(*) > 1)"),
    }
}

fn query(random: &mut Random) -> String {
    // Each table more leaves less.
    let count = 2 + random.below(5).min(random.below(5)) as usize;
    let mut from = format!("{} a0", relation(random));
    let mut conditions = Vec::new();
    for at in 1..count {
        let (name, right) = (format!("a{at}"), relation(random));
        let other = format!("a{}", random.below(at as u64));
        let on = link(random, &other, &name);
        match random.below(9) {
            0 | 1 => write!(from, " LEFT JOIN {right} {name} ON {on}").unwrap(),
            2 => write!(from, " RIGHT JOIN {right} {name} ON {on}").unwrap(),
            3 => write!(from, " FULL JOIN {right} {name} ON {other}.k = {name}.k").unwrap(),
            4 | 5 => {
                // SqlToRel takes commas before joins only; a cross join stands anywhere.
                write!(from, " CROSS JOIN {right} {name}").unwrap();
                conditions.push(on);
            }
            _ => write!(from, " JOIN {right} {name} ON {on}").unwrap(),
        }
        if at >= 2 && random.once(4) {
            let third = format!("a{}", random.below(at as u64));
            conditions.push(link(random, &third, &name));
        }
    }
    for at in 0..count {
        let name = format!("a{at}");
        if random.once(6) {
            conditions.push(local(random, &name));
        }
        if random.once(6) {
            conditions.push(subquery(random, &name));
        }
    }
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    // Rows are counted and folded, for joins of a few tables have many.
    let folded: Vec<String> = (0..count).map(|at| format!("count(a{at}.k), sum(a{at}.v), min(a{at}.s)")).collect();
    if random.once(2) {
        return format!("SELECT count(*), {} FROM {from}{filter}", folded.join(", "));
    }
    let (first, last) = (random.below(count as u64), count - 1);
    format!(
        "SELECT a{first}.g, a{last}.s, count(*), sum(a0.v) FROM {from}{filter} GROUP BY a{first}.g, a{last}.s \
         ORDER BY 1, 2"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_the_same_without_the_optimizer() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::open(WarehouseConfig::new(folder.path())).await.unwrap();
    let (mut with, mut without) = (Session::new(warehouse.clone()), Session::new(warehouse));
    load(&mut with).await;
    rows(&mut without, "SET cost_based_optimizer = off").await.unwrap();
    // A query that multiplies its tables too often is left to nobody.
    for session in [&mut with, &mut without] {
        rows(session, "SET statement_timeout = 20000").await.unwrap();
    }
    let number = |name| std::env::var(name).ok().map(|number| number.parse::<u64>().unwrap());
    let (chosen, queries) = (number("MILLRACE_SEED"), number("MILLRACE_QUERIES").unwrap_or(QUERIES));
    let (mut ran, mut with_rows) = (0, 0);
    for seed in
        (0..queries.max(chosen.map_or(0, |seed| seed + 1))).filter(|seed| chosen.is_none_or(|chosen| chosen == *seed))
    {
        let text = query(&mut Random(seed));
        match (rows(&mut with, &text).await, rows(&mut without, &text).await) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found, expected, "seed {seed}: {text}");
                ran += 1;
                with_rows += usize::from(expected.iter().flatten().any(|cell| cell != "NULL" && cell != "0"));
            }
            (Err(_), Err(_)) => {}
            (Ok(_), Err(error)) => assert!(is_limit(&error.to_string()), "seed {seed}: {error}\n{text}"),
            (Err(error), Ok(_)) => panic!("seed {seed}: {error}\n{text}"),
        }
    }
    assert!(chosen.is_some() || ran > queries * 8 / 10, "{ran} of {queries} queries ran");
    assert!(chosen.is_some() || with_rows as u64 * 2 > queries, "{with_rows} of {queries} queries gave rows");
}

/// What a plan in the order of the text may run into alone.
fn is_limit(message: &str) -> bool {
    message.contains("timeout") || message.contains("memory")
}

#[tokio::test]
async fn the_setting_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::open(WarehouseConfig::new(folder.path())).await.unwrap();
    let mut session = Session::new(warehouse);
    for (set, shown) in [("off", "off"), ("true", "on"), ("0", "off"), ("on", "on")] {
        rows(&mut session, &format!("SET cost_based_optimizer = {set}")).await.unwrap();
        assert_eq!(rows(&mut session, "SHOW cost_based_optimizer").await.unwrap(), [[shown]]);
    }
    rows(&mut session, "SET cost_based_optimizer = off").await.unwrap();
    rows(&mut session, "RESET cost_based_optimizer").await.unwrap();
    assert_eq!(rows(&mut session, "SHOW cost_based_optimizer").await.unwrap(), [["on"]]);
    assert!(rows(&mut session, "SET cost_based_optimizer = perhaps").await.is_err());
}

/// A star: `fact` of 20,000 rows that refers to `big` (2,000) and `small` (200), which refers to `tiny` (5).
async fn star(session: &mut Session) {
    let numbers = "(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n
                    FROM digits a, digits b, digits c, digits e, digits f WHERE f.d < 2) x";
    for statement in [
        "CREATE TABLE digits (d int)",
        "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)",
        &format!(
            "CREATE TABLE fact AS SELECT CAST(n % 2000 AS int) AS b, CAST(n % 200 AS int) AS s, n AS v FROM {numbers}"
        ),
        &format!(
            "CREATE TABLE big AS SELECT CAST(n AS int) AS id, CAST(n % 100 AS int) AS kind FROM {numbers} WHERE n < 2000"
        ),
        &format!(
            "CREATE TABLE small AS SELECT CAST(n AS int) AS id, CAST(n % 5 AS int) AS t FROM {numbers} WHERE n < 200"
        ),
        "CREATE TABLE tiny AS SELECT d AS id, 'n' || CAST(d AS varchar) AS name FROM digits WHERE d < 5",
    ] {
        rows(session, statement).await.unwrap();
    }
}

/// The tables of a plan in its order, and its text.
async fn plan(session: &mut Session, query: &str) -> (Vec<String>, String) {
    let lines = rows(session, &format!("EXPLAIN VERBOSE (FORMAT DATAFUSION) {query}")).await.unwrap().concat();
    let scans = lines.iter().filter_map(|line| line.trim_start().strip_prefix("TableScan: "));
    let scans = scans.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
    (scans, lines.join("\n"))
}

#[tokio::test]
async fn plans_do_not_depend_on_the_order_of_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::open(WarehouseConfig::new(folder.path())).await.unwrap();
    let mut session = Session::new(warehouse);
    star(&mut session).await;
    let conditions = "fact.b = big.id AND fact.s = small.id AND small.t = tiny.id AND tiny.name = 'n3'";
    let mut plans = Vec::new();
    for from in ["fact, big, small, tiny", "big, fact, tiny, small", "small, tiny, big, fact", "tiny, small, fact, big"]
    {
        let query = format!("SELECT sum(v), count(*) FROM {from} WHERE {conditions}");
        let (scans, text) = plan(&mut session, &query).await;
        assert_eq!(rows(&mut session, &query).await.unwrap(), [["40002000", "4000"]], "{text}");
        plans.push((scans, text));
    }
    let ours = &plans[0];
    assert!(plans.iter().all(|other| other.0 == ours.0), "{plans:#?}");
    assert!(ours.1.contains("(estimated rows="), "{}", ours.1);
    let at = |name: &str| ours.0.iter().position(|scan| scan == name).unwrap();
    assert!(at("tiny") < at("small") && at("small") < at("fact"), "{}", ours.1);
    rows(&mut session, "SET cost_based_optimizer = off").await.unwrap();
    let (_, text) = plan(&mut session, &format!("SELECT sum(v) FROM fact, big, small, tiny WHERE {conditions}")).await;
    assert!(!text.contains("estimated"), "{text}");
}

#[tokio::test]
async fn what_follows_is_known_to_each_table() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::open(WarehouseConfig::new(folder.path())).await.unwrap();
    let mut session = Session::new(warehouse);
    star(&mut session).await;
    // Each: a query, its answer, and what its plan must have.
    let cases = [
        // From alternatives, for each of two tables.
        (
            "SELECT count(*) FROM small a, small b, fact WHERE a.t = b.t AND fact.s = b.id
             AND (a.id = 3 AND b.id = 8 OR a.id = 8 AND b.id = 3)",
            "200",
            "Filter: small.id = Int32(3) OR small.id = Int32(8)",
        ),
        // From a constant, across an equality.
        ("SELECT count(*) FROM fact JOIN big ON fact.b = big.id WHERE big.id = 77", "10", "Filter: fact.b = Int32(77)"),
        // An aggregation computes the groups that are asked for.
        (
            "SELECT count(*) FROM fact f JOIN big ON f.b = big.id
             WHERE big.kind = 7 AND f.v > (SELECT avg(v) FROM fact g WHERE g.b = big.id)",
            "100",
            "LeftSemi Join: g.b = __keys_1.id",
        ),
    ];
    for (query, answer, expected) in cases {
        let (_, text) = plan(&mut session, query).await;
        assert_eq!(rows(&mut session, query).await.unwrap(), [[answer]], "{text}");
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}
