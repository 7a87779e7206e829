//! Random histories of statements over managed tables, and SQLite in memory as the model of what they do.
//!
//! The generator is pure: a seed gives the same history on every machine. It draws only what both databases define
//! alike; what SQLite lacks (MERGE, USING, TRUNCATE) comes with other statements of the same meaning.

use millrace_engine::{Error, Session};
use millrace_tests::database::rows;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

/// The rows of a table as texts, in order.
pub(crate) type Rows = Vec<Vec<String>>;

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Text,
    /// Quarters, which binary fractions hold exactly: SQLite has no decimals.
    Numeric,
    Date,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Integer, Self::Text, Self::Numeric, Self::Date];

    fn data_type(self) -> &'static str {
        match self {
            Self::Integer => "int",
            Self::Text => "varchar(40)",
            Self::Numeric => "numeric(12,2)",
            Self::Date => "date",
        }
    }
}

/// A table as the history has it.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) name: String,
    columns: Vec<(String, Kind)>,
}

impl Shape {
    /// The names of its columns, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn of(&self, kind: Kind) -> Vec<&str> {
        self.columns.iter().filter(|(_, of)| *of == kind).map(|(name, _)| name.as_str()).collect()
    }
}

/// One statement, and the model's statements of the same meaning.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) text: String,
    pub(crate) model: Vec<String>,
}

impl Step {
    fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { model: vec![text.clone()], text }
    }
}

/// A history that is being drawn.
pub(crate) struct History {
    random: Random,
    properties: &'static str,
    pub(crate) tables: Vec<Shape>,
    last_name: u64,
}

impl History {
    /// A history over tables of a format.
    pub(crate) fn new(seed: u64, format: &str) -> Self {
        let properties = if format == "parquet" { " TABLE PROPERTIES ('format' = 'parquet')" } else { "" };
        Self { random: Random(seed), properties, tables: Vec::new(), last_name: 0 }
    }

    /// What is committed at once: a statement or a block. The tables are then as after it.
    pub(crate) fn unit(&mut self) -> Vec<Step> {
        if self.tables.len() < 2 {
            return vec![self.create()];
        }
        if self.random.below(4) > 0 {
            return vec![self.statement(false)];
        }
        let before = self.tables.clone();
        let begin = *self.random.pick(&["BEGIN", "BEGIN TRANSACTION", "START TRANSACTION"]);
        let mut steps = vec![Step { text: begin.to_owned(), model: vec!["BEGIN".to_owned()] }];
        for _ in 0..=self.random.below(5) {
            steps.push(self.statement(true));
            if steps.last().is_some_and(|step| step.text.starts_with("TRUNCATE")) {
                return steps;
            }
        }
        if self.random.below(3) == 0 {
            self.tables = before;
            let text = *self.random.pick(&["ROLLBACK", "ABORT", "ROLLBACK WORK", "ABORT TRANSACTION"]);
            steps.push(Step { text: text.to_owned(), model: vec!["ROLLBACK".to_owned()] });
        } else {
            let text = *self.random.pick(&["COMMIT", "END", "COMMIT WORK", "END TRANSACTION"]);
            steps.push(Step { text: text.to_owned(), model: vec!["COMMIT".to_owned()] });
        }
        steps
    }

    fn name(&mut self, prefix: &str) -> String {
        self.last_name += 1;
        format!("{prefix}{}", self.last_name)
    }

    fn create(&mut self) -> Step {
        let name = self.name("t");
        let columns =
            [("k", Kind::Integer), ("a", Kind::Integer), ("s", Kind::Text), ("n", Kind::Numeric), ("d", Kind::Date)];
        let defined = columns.map(|(name, kind)| format!("{name} {}", kind.data_type())).join(", ");
        let definition = format!("CREATE TABLE {name} ({defined})");
        let columns = columns.map(|(name, kind)| (name.to_owned(), kind)).to_vec();
        self.tables.push(Shape { name, columns });
        Step { text: format!("{definition}{}", self.properties), model: vec![definition] }
    }

    fn statement(&mut self, in_block: bool) -> Step {
        let at = self.random.below(self.tables.len() as u64) as usize;
        let table = self.tables[at].clone();
        let other = self.random.pick(&self.tables).clone();
        match self.random.below(40) {
            0..=8 => self.insert_values(&table),
            9..=12 => self.insert_select(&table, &other),
            13..=20 => self.update(&table, &other),
            21..=22 => self.update_from(&table, &other),
            23..=27 => Step::same(format!(
                "DELETE FROM {} WHERE {}",
                table.name,
                self.condition(&table.name, &table, &other, 2)
            )),
            28 => self.delete_using(&table, &other),
            29..=30 => self.merge(&table, &other),
            31 => self.remove_duplicates(&table, &other),
            32 => {
                let mut model = vec![format!("DELETE FROM {}", table.name)];
                model.extend(in_block.then(|| "COMMIT".to_owned()));
                Step { text: format!("TRUNCATE {}", table.name), model }
            }
            33 if self.tables.len() < 3 => self.create(),
            34 if self.tables.len() < 3 => self.create_as(&table),
            35 if self.tables.len() > 2 => {
                self.tables.remove(at);
                Step::same(format!("DROP TABLE {}", table.name))
            }
            36 => {
                let name = self.name("t");
                self.tables[at].name.clone_from(&name);
                Step::same(format!("ALTER TABLE {} RENAME TO {name}", table.name))
            }
            _ => self.alter_column(at, &table),
        }
    }

    fn literal(&mut self, kind: Kind) -> String {
        if self.random.below(5) == 0 {
            return "NULL".to_owned();
        }
        match kind {
            Kind::Integer => (self.random.below(25) as i64 - 4).to_string(),
            Kind::Text => format!("'{}'", self.random.pick(&["", "a", "ab", "b", "it''s", "zü", "NULL"])),
            Kind::Numeric => self.random.pick(&["-1.25", "0.00", "0.25", "2.50", "2.75", "1000000.50"]).to_string(),
            Kind::Date => {
                format!("date '{}'", self.random.pick(&["1969-12-31", "1970-01-01", "2024-02-29", "2024-03-01"]))
            }
        }
    }

    fn insert_values(&mut self, table: &Shape) -> Step {
        // More than a hundred rows make a file.
        let count = if self.random.below(4) == 0 { 101 + self.random.below(10) } else { 1 + self.random.below(4) };
        let mut columns = table.columns.clone();
        if self.random.below(3) == 0 {
            columns.reverse();
            columns.truncate(1 + self.random.below(columns.len() as u64) as usize);
        }
        let values = (0..count).map(|_| {
            let values: Vec<String> = columns.iter().map(|(_, kind)| self.literal(*kind)).collect();
            format!("({})", values.join(", "))
        });
        let values: Vec<String> = values.collect();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        Step::same(format!("INSERT INTO {} ({}) VALUES {}", table.name, names.join(", "), values.join(", ")))
    }

    fn insert_select(&mut self, table: &Shape, other: &Shape) -> Step {
        let values: Vec<String> =
            table.columns.iter().map(|(_, kind)| self.expression(*kind, &other.name, other, None)).collect();
        let condition = self.condition(&other.name, other, table, 1);
        let text = format!(
            "INSERT INTO {} SELECT {} FROM {} WHERE k % 3 = 1 AND {condition}",
            table.name,
            values.join(", "),
            other.name
        );
        Step::same(text)
    }

    fn update(&mut self, table: &Shape, other: &Shape) -> Step {
        let (column, kind) = self.random.pick(&table.columns).clone();
        let mut assigned = vec![(column.clone(), self.expression(kind, &table.name, table, Some(other)))];
        let (second, kind) = self.random.pick(&table.columns).clone();
        if second != column {
            assigned.push((second, self.expression(kind, &table.name, table, None)));
        }
        let condition = self.condition(&table.name, table, other, 2);
        let filter = if self.random.below(6) == 0 { String::new() } else { format!(" WHERE {condition}") };
        let name = &table.name;
        #[allow(clippy::type_complexity, reason = "a column with its place")]
        let each = |form: &dyn Fn((usize, &(String, String))) -> String| {
            assigned.iter().enumerate().map(form).collect::<Vec<_>>().join(", ")
        };
        Step {
            text: format!("UPDATE {name} SET {}{filter}", each(&|(_, (column, value))| format!("{column} = {value}"))),
            // SQLite evaluates the values while it changes rows: a subquery over the same table would see some.
            model: vec![
                format!(
                    "CREATE TEMP TABLE new AS SELECT {name}.rowid AS r, {} FROM {name}{filter}",
                    each(&|(at, (_, value))| format!("{value} AS v{at}"))
                ),
                format!(
                    "UPDATE {name} SET {} FROM new WHERE {name}.rowid = new.r",
                    each(&|(at, (column, _))| format!("{column} = new.v{at}"))
                ),
                "DROP TABLE new".to_owned(),
            ],
        }
    }

    /// Rows of a table, one for each key.
    fn by_key(&mut self, other: &Shape) -> String {
        let value = self.random.pick(&other.of(Kind::Integer)).to_string();
        let condition = self.condition(&other.name, other, other, 1);
        format!("SELECT k AS k, max({value}) AS m FROM {} WHERE k IS NOT NULL AND {condition} GROUP BY k", other.name)
    }

    fn update_from(&mut self, table: &Shape, other: &Shape) -> Step {
        let column = self.random.pick(&table.of(Kind::Integer)).to_string();
        let rows = self.by_key(other);
        let condition = self.condition(&table.name, table, other, 1);
        let name = &table.name;
        Step::same(format!("UPDATE {name} SET {column} = q.m FROM ({rows}) AS q WHERE {name}.k = q.k AND {condition}"))
    }

    fn delete_using(&mut self, table: &Shape, other: &Shape) -> Step {
        let column = self.random.pick(&other.of(Kind::Integer)).to_string();
        let (name, limit) = (&table.name, self.random.below(20));
        let condition = format!("{name}.k = q.k AND q.{column} > {limit}");
        Step {
            text: format!("DELETE FROM {name} USING {} AS q WHERE {condition}", other.name),
            model: vec![format!(
                "DELETE FROM {name} WHERE EXISTS (SELECT 1 FROM {} AS q WHERE {condition})",
                other.name
            )],
        }
    }

    fn merge(&mut self, table: &Shape, other: &Shape) -> Step {
        let rows = self.by_key(other);
        let name = &table.name;
        let columns = table.of(Kind::Integer);
        let (first, rest) = columns.split_first().unwrap();
        let column = rest.first().copied();
        let (insert, values) = column.map_or(((*first).to_owned(), "q.k".to_owned()), |column| {
            (format!("{first}, {column}"), "q.k, q.m".to_owned())
        });
        let matched = match column {
            Some(column) if self.random.below(3) > 0 => (
                format!("UPDATE SET {column} = q.m"),
                format!("UPDATE {name} SET {column} = q.m FROM q WHERE {name}.k = q.k"),
            ),
            _ => ("DELETE".to_owned(), format!("DELETE FROM {name} WHERE k IN (SELECT k FROM q)")),
        };
        Step {
            text: format!(
                "MERGE INTO {name} USING ({rows}) AS q ON {name}.k = q.k WHEN MATCHED THEN {} \
                 WHEN NOT MATCHED THEN INSERT ({insert}) VALUES ({values})",
                matched.0
            ),
            model: vec![
                format!("CREATE TEMP TABLE q AS {rows}"),
                format!(
                    "CREATE TEMP TABLE new AS SELECT * FROM q WHERE k NOT IN (SELECT k FROM {name} WHERE k IS NOT NULL)"
                ),
                matched.1,
                format!("INSERT INTO {name} ({insert}) SELECT {values} FROM new AS q"),
                "DROP TABLE q".to_owned(),
                "DROP TABLE new".to_owned(),
            ],
        }
    }

    /// Rows of the target that match a row of the source make way for it; the source's others are added.
    fn remove_duplicates(&mut self, table: &Shape, other: &Shape) -> Step {
        let values: Vec<String> = table
            .columns
            .iter()
            .map(|(column, kind)| match column.as_str() {
                "k" => "k AS k".to_owned(),
                _ => format!("max({}) AS {column}", self.random.pick(&other.of(*kind))),
            })
            .collect();
        let rows = format!("SELECT {} FROM {} WHERE k IS NOT NULL GROUP BY k", values.join(", "), other.name);
        let name = &table.name;
        Step {
            text: format!("MERGE INTO {name} USING ({rows}) AS q ON {name}.k = q.k REMOVE DUPLICATES"),
            model: vec![
                format!("CREATE TEMP TABLE q AS {rows}"),
                format!("DELETE FROM {name} WHERE k IN (SELECT k FROM q)"),
                format!("INSERT INTO {name} SELECT * FROM q"),
                "DROP TABLE q".to_owned(),
            ],
        }
    }

    fn create_as(&mut self, table: &Shape) -> Step {
        let name = self.name("t");
        let columns = table.names();
        let condition = self.condition(&table.name, table, table, 1);
        let create = |properties: &str| {
            let query = format!("SELECT {} FROM {} WHERE {condition}", columns.join(", "), table.name);
            format!("CREATE TABLE {name}{properties} AS {query}")
        };
        let step = Step { text: create(self.properties), model: vec![create("")] };
        self.tables.push(Shape { name, columns: table.columns.clone() });
        step
    }

    fn alter_column(&mut self, at: usize, table: &Shape) -> Step {
        let extra: Vec<usize> = (1..table.columns.len()).collect();
        let choice = self.random.below(3);
        if choice == 0 && extra.len() > 1 {
            let dropped = *self.random.pick(&extra);
            let (column, kind) = self.tables[at].columns[dropped].clone();
            if table.of(kind).len() > 1 {
                self.tables[at].columns.remove(dropped);
                return Step::same(format!("ALTER TABLE {} DROP COLUMN {column}", table.name));
            }
        }
        let name = self.name("c");
        if choice == 1 && !extra.is_empty() {
            let renamed = *self.random.pick(&extra);
            let column = std::mem::replace(&mut self.tables[at].columns[renamed].0, name.clone());
            return Step::same(format!("ALTER TABLE {} RENAME COLUMN {column} TO {name}", table.name));
        }
        let kind = *self.random.pick(&Kind::ALL);
        let data_type = kind.data_type();
        let default = match (self.random.below(2), self.literal(kind)) {
            (0, value) if value != "NULL" => format!(" DEFAULT {value}"),
            _ => String::new(),
        };
        self.tables[at].columns.push((name.clone(), kind));
        Step::same(format!("ALTER TABLE {} ADD COLUMN {name} {data_type}{default}", table.name))
    }

    /// A value over the rows of `table`, which is called `name`.
    fn expression(&mut self, kind: Kind, name: &str, table: &Shape, other: Option<&Shape>) -> String {
        let column = format!("{name}.{}", self.random.pick(&table.of(kind)));
        if let Some(other) = other
            && self.random.below(3) == 0
        {
            let read = self.random.pick(&other.of(kind)).to_string();
            return match (self.random.below(3), kind) {
                (0, _) => format!("(SELECT max(q.{read}) FROM {} AS q)", other.name),
                (1, Kind::Integer) => format!("(SELECT count(*) FROM {} AS q WHERE q.k = {name}.k)", other.name),
                _ => format!("(SELECT min(q.{read}) FROM {} AS q WHERE q.k = {name}.k)", other.name),
            };
        }
        match (self.random.below(5), kind) {
            (0, _) => self.literal(kind),
            (1, _) => column,
            (2, Kind::Integer) => format!("({column} * 3 + {}) % 20", self.random.below(9)),
            (2, Kind::Text) => format!("substring({column} || 'y', 1, 5)"),
            (2, Kind::Numeric) => format!("{column} - 0.25"),
            (2, Kind::Date) => column,
            (3, _) => format!("coalesce({column}, {})", self.literal(kind)),
            (_, _) => {
                let condition = self.condition(name, table, table, 0);
                format!("CASE WHEN {condition} THEN {} ELSE {column} END", self.literal(kind))
            }
        }
    }

    /// A condition over the rows of `table`, which is called `name`; with subqueries from depth 1 on.
    fn condition(&mut self, name: &str, table: &Shape, other: &Shape, depth: u32) -> String {
        let column = format!("{name}.{}", self.random.pick(&table.of(Kind::Integer)));
        let text = format!("{name}.{}", self.random.pick(&table.of(Kind::Text)));
        let read = self.random.pick(&other.of(Kind::Integer)).to_string();
        let limit = self.random.below(22);
        let number = format!("{name}.{}", self.random.pick(&table.of(Kind::Numeric)));
        let date = format!("{name}.{}", self.random.pick(&table.of(Kind::Date)));
        match self.random.below(if depth == 0 { 11 } else { 16 }) {
            0 => format!("{column} < {limit}"),
            1 => format!("{column} = {limit}"),
            2 => format!("{column} IS NULL"),
            3 => format!("{text} <> 'ab'"),
            4 => format!("NOT ({column} > {limit})"),
            5 => format!("{column} IN (1, {limit}, NULL)"),
            6 => format!("{text} LIKE 'a%'"),
            7 => format!("{number} >= 0.25"),
            8 => format!("{number} IN (2.50, -1.25)"),
            9 => format!("{date} > date '1970-01-01'"),
            10 => format!("{date} = '2024-02-29'"),
            11 => format!("{column} IN (SELECT q.{read} FROM {} AS q WHERE q.k < {limit})", other.name),
            12 => format!("{column} NOT IN (SELECT q.{read} FROM {} AS q WHERE q.k < {limit})", other.name),
            13 => format!("EXISTS (SELECT 1 FROM {} AS q WHERE q.{read} = {column})", other.name),
            14 => format!("NOT EXISTS (SELECT 1 FROM {} AS q WHERE q.{read} = {column})", other.name),
            _ => {
                let one = self.condition(name, table, other, depth - 1);
                let another = self.condition(name, table, other, depth - 1);
                format!("({one} {} {another})", self.random.pick(&["OR", "AND"]))
            }
        }
    }
}

/// SQLite in memory.
pub(crate) struct Model(SqliteConnection);

impl Model {
    pub(crate) async fn new() -> Self {
        Self(SqliteConnection::connect("sqlite::memory:").await.unwrap())
    }

    pub(crate) async fn run(&mut self, step: &Step) {
        for text in &step.model {
            // Its dates are texts.
            let text = text.replace("date '", "'");
            let done = sqlx::query(AssertSqlSafe(text.as_str())).persistent(false).execute(&mut self.0).await;
            assert!(done.is_ok(), "{text}: {:?}", done.unwrap_err());
        }
    }

    /// The rows of a table, sorted.
    pub(crate) async fn rows(&mut self, table: &Shape) -> Rows {
        let query = format!("SELECT * FROM {}", table.name);
        let found = sqlx::query(AssertSqlSafe(query)).persistent(false).fetch_all(&mut self.0).await.unwrap();
        let mut rows: Rows = found.iter().map(|row| texts(row, table)).collect();
        rows.sort_unstable();
        rows
    }
}

fn texts(row: &SqliteRow, table: &Shape) -> Vec<String> {
    assert_eq!(row.len(), table.columns.len());
    let values = table.columns.iter().enumerate().map(|(at, (_, kind))| match kind {
        Kind::Integer => row.get::<Option<i64>, _>(at).map(|value| value.to_string()),
        Kind::Numeric => row.get_unchecked::<Option<f64>, _>(at).map(|value| format!("{value:.2}")),
        Kind::Text | Kind::Date => {
            row.get::<Option<String>, _>(at).map(|v| if v.is_empty() { "(empty)".to_owned() } else { v })
        }
    });
    values.map(|value| value.unwrap_or_else(|| "NULL".to_owned())).collect()
}

/// The rows of a table as a session sees it, sorted.
pub(crate) async fn session_rows(session: &mut Session, table: &str) -> Result<Rows, Error> {
    let mut found = rows(session, &format!("SELECT * FROM {table}")).await?;
    found.sort_unstable();
    Ok(found)
}
