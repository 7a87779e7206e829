//! Statements as the catalog writes them: one text for both databases, with `$1`, `$2`, … for its values.
//!
//! sqlx's own `Any` driver does not fit: it knows neither times nor UUIDs, which DuckLake's tables have in PostgreSQL,
//! and it copies the columns' names into every row. What the databases spell differently stands in `sqlite` and
//! `postgres`.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A value of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'q> {
    Integer(i64),
    Boolean(bool),
    Text(Cow<'q, str>),
    Bytes(Cow<'q, [u8]>),
    /// Microseconds since the epoch, UTC: a `TIMESTAMPTZ`.
    Time(i64),
    /// As text with hyphens.
    Uuid(Cow<'q, str>),
    Null(Kind),
}

/// What a NULL is a value of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Boolean,
    Text,
    Bytes,
}

/// A point in time as a value: microseconds since the epoch, UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) i64);

/// A UUID's text as a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uuid<'q>(pub(crate) &'q str);

/// A type whose NULL can be bound.
pub(crate) trait Typed {
    /// What the database is told of a NULL.
    const KIND: Kind;
}

/// The conversions of plain types, each with its [`Kind`].
macro_rules! values {
    ($($type:ty: $kind:ident, $value:ident => $made:expr;)*) => {
        $(
            impl<'q> From<$type> for Value<'q> {
                fn from($value: $type) -> Self {
                    $made
                }
            }

            impl<'q> Typed for $type {
                const KIND: Kind = Kind::$kind;
            }
        )*
    };
}

values! {
    i64: Integer, value => Value::Integer(value);
    bool: Boolean, value => Value::Boolean(value);
    &'q str: Text, value => Value::Text(Cow::Borrowed(value));
    &'q String: Text, value => Value::Text(Cow::Borrowed(value));
    String: Text, value => Value::Text(Cow::Owned(value));
    &'q [u8]: Bytes, value => Value::Bytes(Cow::Borrowed(value));
    Vec<u8>: Bytes, value => Value::Bytes(Cow::Owned(value));
}

impl From<&i64> for Value<'_> {
    fn from(value: &i64) -> Self {
        Self::Integer(*value)
    }
}

impl From<Time> for Value<'_> {
    fn from(Time(time_us): Time) -> Self {
        Self::Time(time_us)
    }
}

impl<'q> From<Uuid<'q>> for Value<'q> {
    fn from(Uuid(text): Uuid<'q>) -> Self {
        Self::Uuid(Cow::Borrowed(text))
    }
}

impl<'q, T: Into<Value<'q>> + Typed> From<Option<T>> for Value<'q> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null(T::KIND), Into::into)
    }
}

impl Value<'_> {
    /// The same, which borrows nothing.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Integer(number) => Value::Integer(number),
            Self::Boolean(truth) => Value::Boolean(truth),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Self::Time(time_us) => Value::Time(time_us),
            Self::Uuid(text) => Value::Uuid(Cow::Owned(text.into_owned())),
            Self::Null(kind) => Value::Null(kind),
        }
    }
}

/// A statement with its values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sql<'q> {
    pub(super) text: Cow<'static, str>,
    pub(super) values: Vec<Value<'q>>,
}

/// A statement.
pub(crate) fn sql<'q>(text: &'static str) -> Sql<'q> {
    Sql { text: Cow::Borrowed(text), values: Vec::new() }
}

/// A statement put together here, never of what a user wrote but for quoted names.
pub(crate) fn sql_text<'q>(text: impl Into<Cow<'static, str>>) -> Sql<'q> {
    Sql { text: text.into(), values: Vec::new() }
}

/// A name as both databases quote it, and DuckLake in its lists of changes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl<'q> Sql<'q> {
    /// The same with its next value.
    pub(crate) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// A statement that is put together piece by piece.
#[derive(Debug)]
pub(crate) struct SqlBuilder<'q> {
    text: String,
    values: Vec<Value<'q>>,
}

impl<'q> SqlBuilder<'q> {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Adds text.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        self.values.push(value.into());
        // A String takes any text.
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// Adds values with a separator between them.
    pub(crate) fn separated(&mut self, separator: &'static str) -> Separated<'_, 'q> {
        Separated { builder: self, separator, first: true }
    }

    /// Adds `VALUES (…), (…)`, a row for each item.
    pub(crate) fn push_values<I: IntoIterator>(
        &mut self,
        items: I,
        mut push_row: impl FnMut(Separated<'_, 'q>, I::Item),
    ) -> &mut Self {
        self.push("VALUES ");
        for (at, item) in items.into_iter().enumerate() {
            self.push(if at > 0 { ", (" } else { "(" });
            push_row(self.separated(", "), item);
            self.push(")");
        }
        self
    }

    /// The statement.
    pub(crate) fn build(self) -> Sql<'q> {
        Sql { text: Cow::Owned(self.text), values: self.values }
    }
}

/// Values of a list.
pub(crate) struct Separated<'b, 'q> {
    builder: &'b mut SqlBuilder<'q>,
    separator: &'static str,
    first: bool,
}

impl<'q> Separated<'_, 'q> {
    /// Adds a value.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        self.separate().push_bind(value);
        self
    }

    /// Adds a value that the database reads as another type.
    pub(crate) fn push_cast(&mut self, value: impl Into<Value<'q>>, data_type: &str) -> &mut Self {
        self.separate().push("CAST(").push_bind(value).push(" AS ").push(data_type).push(")");
        self
    }

    fn separate(&mut self) -> &mut SqlBuilder<'q> {
        if !std::mem::take(&mut self.first) {
            self.builder.push(self.separator);
        }
        self.builder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_through_lists_and_rows() {
        let mut query = SqlBuilder::new("INSERT INTO t (a, b) ");
        query.push_values([(1_i64, Some("x")), (2, None)], |mut row, (number, text)| {
            row.push_bind(number).push_cast(text, "NUMERIC");
        });
        let query = query.build();
        assert_eq!(query.text, "INSERT INTO t (a, b) VALUES ($1, CAST($2 AS NUMERIC)), ($3, CAST($4 AS NUMERIC))");
        assert_eq!(query.values[1..], [Value::Text("x".into()), Value::Integer(2), Value::Null(Kind::Text)]);
    }
}
