//! Our statements over sqlparser's: what `parse` makes of a text, before any name is looked up.
//!
//! Names are folded already (lower case unless the session says otherwise), options are known by name and typed.
//! Whatever sqlparser understands and we do not run never gets here: `parse` refuses it by name.

use crate::sql::{
    AlterFunction, ColumnDefinition, Comment, Copy, CopyIn, CopyOut, CrawlerStatement, CreateConnectorSchema,
    CreateDatabase, CreateExternalSchema, CreateFunction, CreateTable, CursorStatement, Delete, Describe, Distribution,
    DropFunction, Explain, MaterializedViewStatement, Merge, PreparedStatement, PrincipalStatement, RestoreTable,
    SortKeyClause, Unload, Update, Vacuum,
};
use millrace_catalog::model::{Column, Constraint, Parameters, SerDe, SortColumn};
use sqlparser::ast;

/// A table's, view's or schema's name as written: `name`, `database.name` or `catalog.database.name`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// The parts, folded, at least one, at most three.
    pub parts: Vec<String>,
    /// Where the name begins in the statement's text, in characters from 1; 0 when unknown.
    pub position: usize,
}

/// What a text asks for.
#[derive(Debug, Clone)]
pub enum Statement {
    /// `SELECT`, `WITH`, `VALUES`, `TABLE t`, set operations.
    Query(Box<ast::Query>),
    /// `EXPLAIN [ANALYZE] [VERBOSE] [(options)] statement`.
    Explain(Explain),
    /// Hive's `CREATE EXTERNAL TABLE`.
    CreateExternalTable(Box<CreateExternalTable>),
    /// `CREATE TABLE … [WITH (…)] AS query`, Athena's CTAS.
    CreateTableAs(Box<CreateTableAs>),
    /// Redshift's `CREATE TABLE` of a managed table.
    CreateTable(Box<CreateTable>),
    /// `INSERT INTO t [(columns)] query`.
    Insert(Box<Insert>),
    /// Redshift's `COPY`.
    Copy(Box<Copy>),
    /// PostgreSQL's `COPY … FROM STDIN`.
    CopyIn(Box<CopyIn>),
    /// PostgreSQL's `COPY … TO STDOUT`.
    CopyOut(Box<CopyOut>),
    /// `UNLOAD`.
    Unload(Box<Unload>),
    /// `UPDATE`.
    Update(Box<Update>),
    /// `DELETE`.
    Delete(Box<Delete>),
    /// `MERGE`.
    Merge(Box<Merge>),
    /// `TRUNCATE t`.
    Truncate(ObjectName),
    /// `BEGIN`, `START TRANSACTION`.
    Begin {
        /// `READ ONLY`, `READ WRITE`; `None` as the session has it.
        read_only: Option<bool>,
    },
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`, `ABORT`.
    Rollback,
    /// `COMMENT ON`.
    Comment(Comment),
    /// `LOCK [TABLE] t, …`.
    Lock(Vec<ObjectName>),
    /// `CREATE SNAPSHOT name`.
    CreateSnapshot(String),
    /// `DROP SNAPSHOT [IF EXISTS] name`.
    DropSnapshot {
        /// Which.
        name: String,
        /// Do nothing when it does not exist.
        if_exists: bool,
    },
    /// `RESTORE TABLE t FROM SNAPSHOT s AS u`.
    RestoreTable(RestoreTable),
    /// `CREATE [OR REPLACE] VIEW`.
    CreateView(Box<CreateView>),
    /// `CREATE [OR REPLACE] FUNCTION`.
    CreateFunction(Box<CreateFunction>),
    /// `ALTER FUNCTION`.
    AlterFunction(AlterFunction),
    /// `DROP FUNCTION`.
    DropFunction(DropFunction),
    /// `CREATE|ALTER|REFRESH|DROP MATERIALIZED VIEW`.
    MaterializedView(MaterializedViewStatement),
    /// `CREATE DATABASE|SCHEMA`.
    CreateDatabase(CreateDatabase),
    /// Redshift's `CREATE EXTERNAL SCHEMA … FROM DATA CATALOG`.
    CreateExternalSchema(CreateExternalSchema),
    /// `CREATE EXTERNAL SCHEMA … FROM` a foreign system.
    CreateConnectorSchema(CreateConnectorSchema),
    /// `DROP DATABASE|SCHEMA`.
    DropDatabase(DropDatabase),
    /// `DROP TABLE|VIEW`.
    DropTable(DropTable),
    /// `ALTER TABLE`.
    AlterTable(AlterTable),
    /// `MSCK REPAIR TABLE t [ADD|DROP|SYNC PARTITIONS]`.
    RepairTable(RepairTable),
    /// `CREATE|ALTER|DROP|START|STOP|EXPLAIN CRAWLER`, `CREATE|DROP CLASSIFIER`.
    Crawler(Box<CrawlerStatement>),
    /// Users, groups, roles, `GRANT`, `REVOKE`.
    Principal(Box<PrincipalStatement>),
    /// `ANALYZE t`, `ANALYZE TABLE t COMPUTE STATISTICS`.
    Analyze(Analyze),
    /// `VACUUM`.
    Vacuum(Vacuum),
    /// `ANALYZE COMPRESSION [t [(column, …)]] [COMPROWS n]`.
    AnalyzeCompression(AnalyzeCompression),
    /// `SHOW …`.
    Show(Show),
    /// `DESCRIBE|DESC [EXTENDED|FORMATTED] t`.
    Describe(Describe),
    /// `SET name TO|= value`; `None` is DEFAULT (also `RESET name`).
    Set {
        /// The setting, folded.
        name: String,
        /// Its new value as text.
        value: Option<String>,
        /// `SET LOCAL`: for the transaction only.
        local: bool,
    },
    /// `USE database`.
    Use(String),
    /// `ALTER SYSTEM SET|RESET name`: the setting, folded, and its value as text; `None` is DEFAULT.
    AlterSystem(String, Option<String>),
    /// `CANCEL pid ['message']`.
    Cancel {
        /// The session's number.
        pid: i64,
        /// What its user is told.
        message: Option<String>,
    },
    /// `DECLARE`, `FETCH`, `MOVE`, `CLOSE`.
    Cursor(CursorStatement),
    /// `PREPARE`, `EXECUTE`, `DEALLOCATE`, `DISCARD`.
    Prepared(PreparedStatement),
}

/// Hive's `CREATE EXTERNAL TABLE`.
#[derive(Debug, Clone)]
pub struct CreateExternalTable {
    /// The table.
    pub name: ObjectName,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// The data columns.
    pub columns: Vec<Column>,
    /// `COMMENT '…'`
    pub comment: Option<String>,
    /// `PARTITIONED BY (name type, …)`
    pub partition_keys: Vec<Column>,
    /// `CLUSTERED BY (…) [SORTED BY (…)] INTO n BUCKETS`
    pub bucketing: Option<Bucketing>,
    /// `ROW FORMAT …`: a SerDe's class with its properties, or the delimiters under Hive's keys with an empty library.
    pub row_format: Option<SerDe>,
    /// `STORED AS …`.
    pub stored_as: Option<StoredAs>,
    /// `LOCATION '…'` as written.
    pub location: Option<String>,
    /// `TBLPROPERTIES` (Redshift: `TABLE PROPERTIES`).
    pub properties: Parameters,
}

/// `CLUSTERED BY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucketing {
    /// The columns hashed.
    pub columns: Vec<String>,
    /// `SORTED BY`.
    pub sorted_by: Vec<SortColumn>,
    /// Number of buckets, at least 1.
    pub count: u32,
}

/// `STORED AS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredAs {
    /// `PARQUET`, `ORC`, `AVRO`, `TEXTFILE`, `JSONFILE`, …, in upper case.
    Format(String),
    /// `INPUTFORMAT '…' OUTPUTFORMAT '…'`
    Classes {
        /// Java class.
        input: String,
        /// Java class.
        output: String,
    },
}

/// Athena's CTAS.
#[derive(Debug, Clone)]
pub struct CreateTableAs {
    /// The table.
    pub name: ObjectName,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// `WITH (…)` in order, names folded.
    pub properties: Vec<(String, PropertyValue)>,
    /// The rows.
    pub query: Box<ast::Query>,
    /// `WITH NO DATA` gives false.
    pub with_data: bool,
}

/// The value of a property in `WITH (…)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyValue {
    /// `'text'`, a bare word, a number or a boolean, as text.
    Text(String),
    /// `ARRAY['a', 'b']`
    List(Vec<String>),
}

/// `INSERT INTO`.
#[derive(Debug, Clone)]
pub struct Insert {
    /// The table.
    pub table: ObjectName,
    /// The columns named; empty means all in order.
    pub columns: Vec<String>,
    /// The rows; `None` is `DEFAULT VALUES`.
    pub query: Option<Box<ast::Query>>,
}

/// `CREATE VIEW`.
#[derive(Debug, Clone)]
pub struct CreateView {
    /// The view.
    pub name: ObjectName,
    /// `OR REPLACE`
    pub or_replace: bool,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// Column names given; empty means the query's.
    pub columns: Vec<String>,
    /// The query as text, for the catalog.
    pub query_text: String,
    /// The query.
    pub query: Box<ast::Query>,
    /// `WITH NO SCHEMA BINDING`
    pub late_binding: bool,
    /// `COMMENT '…'`
    pub comment: Option<String>,
}

/// `DROP DATABASE|SCHEMA [IF EXISTS] name [CASCADE|RESTRICT] [DROP EXTERNAL DATABASE]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropDatabase {
    /// Its name.
    pub name: String,
    /// Do nothing when it does not exist.
    pub if_exists: bool,
    /// Drop its tables too.
    pub cascade: bool,
    /// Redshift: drop the external schema's database too.
    pub drop_external_database: bool,
}

/// `DROP TABLE|VIEW [IF EXISTS] name, …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropTable {
    /// What to drop.
    pub names: Vec<ObjectName>,
    /// Do nothing for those that do not exist.
    pub if_exists: bool,
    /// `DROP VIEW`.
    pub view: bool,
    /// `CASCADE`: the views that depend on it go too.
    pub cascade: bool,
}

/// `ALTER TABLE`.
#[derive(Debug, Clone)]
pub struct AlterTable {
    /// The table.
    pub table: ObjectName,
    /// What to change.
    pub operation: AlterOperation,
}

/// A partition named by its keys: `PARTITION (year = 2013, month = '01')`; `None` is NULL.
pub type PartitionSpec = Vec<(String, Option<String>)>;

/// What `ALTER TABLE` changes.
#[derive(Debug, Clone)]
pub enum AlterOperation {
    /// `ADD [IF NOT EXISTS] PARTITION (…) [LOCATION '…'] PARTITION (…) …`
    AddPartitions {
        /// Leave those that exist.
        if_not_exists: bool,
        /// Each partition with its place.
        partitions: Vec<(PartitionSpec, Option<String>)>,
    },
    /// `DROP [IF EXISTS] PARTITION (…), PARTITION (…)`: the conditions of each are joined by AND.
    DropPartitions {
        /// No error when there is none.
        if_exists: bool,
        /// Each a list of conditions.
        partitions: Vec<Vec<PartitionCompare>>,
    },
    /// `PARTITION (…) RENAME TO PARTITION (…)`
    RenamePartition {
        /// Which.
        from: PartitionSpec,
        /// Its new values.
        to: PartitionSpec,
    },
    /// `PARTITION (…) SET LOCATION '…'`
    SetPartitionLocation {
        /// Which.
        partition: PartitionSpec,
        /// Its new place.
        location: String,
    },
    /// `ADD COLUMNS (…)`, `ADD COLUMN c type`
    AddColumns(Vec<Column>),
    /// Redshift's `ADD [COLUMN] c type attributes`
    AddColumn(Box<ColumnDefinition>),
    /// `ADD [CONSTRAINT name] {PRIMARY KEY|UNIQUE|FOREIGN KEY} (…) …`
    AddConstraint(Constraint),
    /// `DROP CONSTRAINT name`
    DropConstraint(String),
    /// `ALTER DISTKEY a, ALTER SORTKEY (b), …`, one after the other
    Several(Vec<AlterOperation>),
    /// `ALTER COLUMN c TYPE type`
    ColumnType {
        /// The column.
        column: String,
        /// Its new type as written, words in lower case.
        data_type: String,
        /// Where the type stands, in characters from 1.
        position: usize,
    },
    /// `ALTER COLUMN c ENCODE encoding`
    ColumnEncoding {
        /// The column.
        column: String,
        /// Its new encoding, folded.
        encoding: String,
    },
    /// `ALTER ENCODE AUTO`
    EncodeAuto,
    /// `ALTER DISTSTYLE … [DISTKEY c]`, `ALTER DISTKEY c`
    Distribution {
        /// The style.
        style: Distribution,
        /// Its column.
        key: Option<String>,
    },
    /// `ALTER SORTKEY …`
    SortKey(SortKeyClause),
    /// `OWNER TO user`
    Owner(String),
    /// `APPEND FROM t`
    AppendFrom {
        /// The table whose rows move.
        source: ObjectName,
        /// `IGNOREEXTRA`: its columns that the target lacks are left out.
        ignore_extra: bool,
        /// `FILLTARGET`: the target's columns that it lacks get their defaults.
        fill_target: bool,
    },
    /// `REPLACE COLUMNS (…)`
    ReplaceColumns(Vec<Column>),
    /// `CHANGE [COLUMN] old new type [COMMENT '…'] [FIRST | AFTER c]`
    ChangeColumn {
        /// The column's name now.
        old: String,
        /// Its new definition.
        new: Column,
        /// `FIRST` is `Some(None)`, `AFTER c` is `Some(Some(c))`.
        place: Option<Option<String>>,
    },
    /// `DROP [COLUMN] c [CASCADE]`: the column, and whether what depends on it goes too
    DropColumn(String, bool),
    /// `RENAME TO name`
    RenameTable(ObjectName),
    /// `RENAME COLUMN a TO b`
    RenameColumn {
        /// The name now.
        old: String,
        /// The new name.
        new: String,
    },
    /// `SET LOCATION '…'`
    SetLocation(String),
    /// `SET TBLPROPERTIES (…)` (Redshift: `SET TABLE PROPERTIES`)
    SetProperties(Parameters),
    /// `UNSET TBLPROPERTIES [IF EXISTS] ('a', …)`
    UnsetProperties {
        /// No error for those that are not there.
        if_exists: bool,
        /// The keys.
        keys: Vec<String>,
    },
    /// `SET SERDEPROPERTIES (…)`, `SET SERDE '…' [WITH SERDEPROPERTIES (…)]`
    SetSerDe {
        /// The new class, where one is given.
        library: Option<String>,
        /// Properties to add.
        properties: Parameters,
    },
    /// `SET FILE FORMAT …` (Redshift), `SET FILEFORMAT …` (Hive)
    SetFileFormat(String),
}

/// One condition of `DROP PARTITION (year < 2012)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionCompare {
    /// The key.
    pub key: String,
    /// How.
    pub operator: CompareOperator,
    /// The value as text; `None` is NULL.
    pub value: Option<String>,
}

impl std::fmt::Display for PartitionCompare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let operator = match self.operator {
            CompareOperator::Eq => "=",
            CompareOperator::NotEq => "<>",
            CompareOperator::Lt => "<",
            CompareOperator::LtEq => "<=",
            CompareOperator::Gt => ">",
            CompareOperator::GtEq => ">=",
        };
        write!(f, "{} {operator} {}", self.key, self.value.as_deref().unwrap_or("NULL"))
    }
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOperator {
    /// `=`
    Eq,
    /// `<>`, `!=`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
}

/// `MSCK REPAIR TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairTable {
    /// The table.
    pub table: ObjectName,
    /// Register folders that are not partitions yet (the default).
    pub add: bool,
    /// Forget partitions whose folders are gone.
    pub drop: bool,
}

/// `ANALYZE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analyze {
    /// The table; `None` is every table of the session's database.
    pub table: Option<ObjectName>,
    /// Say what was found.
    pub verbose: bool,
    /// `PARTITION (year = 2013, month)`: only partitions with these values.
    pub partition: PartitionSpec,
    /// The keys named in `PARTITION` without a value: they may have any.
    pub any_value: Vec<String>,
    /// What to look at.
    pub scope: AnalyzeScope,
}

/// `ANALYZE COMPRESSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyzeCompression {
    /// The table; `None` is every managed table of the session's database.
    pub table: Option<ObjectName>,
    /// The columns; `None` is all.
    pub columns: Option<Vec<String>>,
    /// `COMPROWS`: rows of the sample, by slice.
    pub rows: Option<u64>,
}

/// What `ANALYZE` looks at; each takes in those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnalyzeScope {
    /// Files and their sizes (`NOSCAN`).
    Files,
    /// How many rows there are, and what footers tell of columns.
    Rows,
    /// These columns.
    Columns(Vec<String>),
    /// `PREDICATE COLUMNS`: those that filters have used.
    PredicateColumns,
    /// Every column.
    AllColumns,
}

/// `SHOW …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// `SHOW DATABASES|SCHEMAS [LIKE 'pattern']`
    Databases {
        /// Hive's pattern (`*`, `|`) or SQL's (`%`, `_`).
        like: Option<String>,
    },
    /// `SHOW TABLES [IN database] [LIKE] 'pattern'`
    Tables {
        /// Where; the session's database by default.
        database: Option<String>,
        /// Pattern.
        like: Option<String>,
    },
    /// `SHOW VIEWS [IN database] [LIKE] 'pattern'`
    Views {
        /// Where; the session's database by default.
        database: Option<String>,
        /// Pattern.
        like: Option<String>,
    },
    /// `SHOW COLUMNS IN|FROM t [IN|FROM database]`
    Columns(ObjectName),
    /// `SHOW PARTITIONS t`
    Partitions(ObjectName),
    /// `SHOW CREATE TABLE|VIEW t`
    Create {
        /// What.
        name: ObjectName,
        /// `SHOW CREATE VIEW`.
        view: bool,
    },
    /// `SHOW TBLPROPERTIES t [('key')]`
    Properties {
        /// The table.
        table: ObjectName,
        /// Only this key.
        key: Option<String>,
    },
    /// `SHOW FUNCTIONS [LIKE 'pattern']`
    Functions {
        /// Pattern.
        like: Option<String>,
    },
    /// `SHOW CRAWLERS [LIKE 'pattern']`
    Crawlers {
        /// Pattern.
        like: Option<String>,
    },
    /// `SHOW CRAWLER RUNS [name] [LIMIT n]`
    CrawlerRuns {
        /// Only this crawler's.
        crawler: Option<String>,
        /// The newest of them.
        limit: Option<u32>,
    },
    /// `SHOW CLASSIFIERS [LIKE 'pattern']`
    Classifiers {
        /// Pattern.
        like: Option<String>,
    },
    /// `SHOW SNAPSHOTS`
    Snapshots,
    /// `SHOW name`: a setting; `SHOW ALL` is `None`.
    Setting(Option<String>),
}
