//! Conditions that a scan may hand to a foreign system.

/// A constant of a condition, exact.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A decimal: unscaled digits and scale.
    Decimal(i128, i8),
    /// A floating-point number.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// Microseconds since the epoch, UTC.
    Timestamp(i64),
}

/// How a column is compared with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `<>`
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

/// How a full-text condition reads its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullText {
    /// `match(field, 'words')`: any of the words.
    Match,
    /// `match_phrase(field, 'words')`: the words in this order.
    Phrase,
    /// `query_string('text')`: the system's own query language.
    QueryString,
}

/// A condition on a row, with SQL's logic of NULL: a row is kept when the condition is true.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// A column compared with a constant.
    Compare {
        /// The column.
        column: String,
        /// How.
        comparison: Comparison,
        /// With what.
        value: Value,
    },
    /// A column equal to one of these.
    In {
        /// The column.
        column: String,
        /// The constants.
        values: Vec<Value>,
    },
    /// Columns that are together equal to one of these rows: what a join on several columns asks for. It is never under
    /// a NOT, and a system that does not look such rows up leaves it to the engine, which asks for each column's values.
    InRows {
        /// The columns, at least two.
        columns: Vec<String>,
        /// The rows, each with a constant for each column.
        rows: Vec<Vec<Value>>,
    },
    /// A text column that begins with this.
    Prefix {
        /// The column.
        column: String,
        /// The beginning.
        prefix: String,
    },
    /// A column that is NULL.
    IsNull(String),
    /// A column that is not NULL.
    IsNotNull(String),
    /// A full-text condition, which only the system itself can decide.
    FullText {
        /// How the text is read.
        kind: FullText,
        /// The column; `None` for all of them.
        column: Option<String>,
        /// The text.
        text: String,
    },
    /// All of these.
    And(Vec<Predicate>),
    /// One of these.
    Or(Vec<Predicate>),
    /// Not this.
    Not(Box<Predicate>),
}
