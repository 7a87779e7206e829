//! The statements of crawlers and classifiers, as parsed.

use millrace_catalog::model::{ClassifierKind, DeleteBehavior, RecrawlBehavior, TableGrouping, UpdateBehavior};

/// What a statement about crawlers or classifiers asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrawlerStatement {
    /// `CREATE [OR REPLACE] CRAWLER [IF NOT EXISTS] name …`
    Create {
        /// The crawler.
        name: Named,
        /// Do nothing when it exists.
        if_not_exists: bool,
        /// Give an existing one this definition.
        or_replace: bool,
        /// What was said; `DATABASE` and `TARGETS` always are.
        clauses: CrawlerClauses,
    },
    /// `ALTER CRAWLER name …`: the clauses said are replaced.
    Alter {
        /// The crawler.
        name: Named,
        /// What was said, at least one.
        clauses: CrawlerClauses,
    },
    /// `DROP CRAWLER [IF EXISTS] name`
    Drop {
        /// The crawler.
        name: Named,
        /// Do nothing when it does not exist.
        if_exists: bool,
    },
    /// `START CRAWLER name`
    Start(Named),
    /// `STOP CRAWLER name`
    Stop(Named),
    /// `EXPLAIN CRAWLER name`
    Explain(Named),
    /// `CREATE [OR REPLACE] CLASSIFIER [IF NOT EXISTS] name …`
    CreateClassifier {
        /// The classifier.
        name: Named,
        /// Do nothing when it exists.
        if_not_exists: bool,
        /// Give an existing one this definition.
        or_replace: bool,
        /// What it recognises.
        kind: ClassifierKind,
    },
    /// `DROP CLASSIFIER [IF EXISTS] name`
    DropClassifier {
        /// The classifier.
        name: Named,
        /// Do nothing when it does not exist.
        if_exists: bool,
    },
}

/// A name or text of a statement and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name, folded, or the text.
    pub name: String,
    /// Where it begins, in characters from 1.
    pub position: usize,
}

/// The clauses of `CREATE CRAWLER`; `None` is not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrawlerClauses {
    /// `DATABASE d`
    pub database: Option<String>,
    /// `TARGETS ('…' [EXCLUDE ('glob', …)] [SAMPLE n] [CONNECTION s] [SCAN ALL TRUE|FALSE] [SCAN RATE r], …)`
    pub targets: Option<Vec<TargetClause>>,
    /// `CLASSIFIERS (a, b)`
    pub classifiers: Option<Vec<Named>>,
    /// `TABLE PREFIX 'p_'`
    pub table_prefix: Option<Named>,
    /// `TABLE LEVEL n`, at least 1
    pub table_level: Option<u32>,
    /// `GROUPING COMBINE COMPATIBLE SCHEMAS | SIMILAR SCHEMAS`
    pub grouping: Option<TableGrouping>,
    /// `ON UPDATE UPDATE IN DATABASE | LOG | ADD NEW COLUMNS ONLY`
    pub update_behavior: Option<UpdateBehavior>,
    /// `ON DELETE DEPRECATE | DELETE | LOG`
    pub delete_behavior: Option<DeleteBehavior>,
    /// `RECRAWL EVERYTHING | NEW FOLDERS ONLY`
    pub recrawl_behavior: Option<RecrawlBehavior>,
}

/// One place of `TARGETS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetClause {
    /// The place as written.
    pub path: Named,
    /// `EXCLUDE ('glob', …)`
    pub exclusions: Vec<Named>,
    /// `SAMPLE n`, 1 to 249
    pub sample_size: Option<u32>,
    /// `CONNECTION s`, a schema over a foreign system
    pub connection: Option<Named>,
    /// `SCAN ALL TRUE|FALSE`
    pub scan_all: Option<bool>,
    /// `SCAN RATE r`, 0.1 to 1.5, in hundredths
    pub scan_rate_percent: Option<u32>,
}
