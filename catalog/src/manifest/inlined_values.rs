//! Values of inlined rows in the columns that DuckDB's ducklake extension gives them: in SQLite three types, in
//! PostgreSQL its own types where they hold all values of DuckDB's, `BYTEA` for texts (which may have U+0000 there), and
//! texts for the rest.

use super::change::InlinedValue;
use super::float_text::float_text;
use crate::store::{Database, FromRow, Kind, Row, Separated, Value};
use sqlx::{Row as _, TypeInfo, ValueRef};
use std::borrow::Cow;

/// How a column of PostgreSQL takes values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Integer,
    Boolean,
    Bytes,
    Text,
    /// As texts that the database reads.
    Cast,
}

/// A column of an inlined table.
#[derive(Debug, Clone)]
pub(super) struct InlinedColumn {
    database: Database,
    /// DuckLake's type.
    data_type: String,
}

impl InlinedColumn {
    pub(super) fn new(database: Database, data_type: String) -> Self {
        Self { database, data_type }
    }

    /// The column's type in the database.
    pub(super) fn column_type(&self) -> Cow<'static, str> {
        let ducklake = self.data_type.as_str();
        let known = match (self.database, ducklake) {
            (Database::Sqlite, "boolean" | "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32") => {
                "BIGINT"
            }
            (Database::Sqlite, "blob") => "BLOB",
            (Database::Sqlite, _) => "VARCHAR",
            (Database::Postgres, "boolean") => "BOOLEAN",
            (Database::Postgres, "int8" | "int16") => "SMALLINT",
            (Database::Postgres, "uint8" | "uint16" | "int32") => "INTEGER",
            (Database::Postgres, "uint32" | "int64") => "BIGINT",
            (Database::Postgres, "float32") => "REAL",
            (Database::Postgres, "float64") => "DOUBLE PRECISION",
            (Database::Postgres, "blob" | "varchar" | "json") => "BYTEA",
            (Database::Postgres, "time") => "TIME",
            (Database::Postgres, "timetz") => "TIME WITH TIME ZONE",
            (Database::Postgres, "interval") => "INTERVAL",
            (Database::Postgres, "uuid") => "UUID",
            (Database::Postgres, decimal) if decimal.starts_with("decimal") => {
                return Cow::Owned(decimal.to_ascii_uppercase());
            }
            (Database::Postgres, _) => "VARCHAR",
        };
        Cow::Borrowed(known)
    }

    fn taken(&self) -> Taken {
        match self.column_type().as_ref() {
            "SMALLINT" | "INTEGER" | "BIGINT" => Taken::Integer,
            "BOOLEAN" => Taken::Boolean,
            "BYTEA" => Taken::Bytes,
            "VARCHAR" => Taken::Text,
            _ => Taken::Cast,
        }
    }

    /// Adds a value to a row of an `INSERT`.
    pub(super) fn push<'q>(&self, row: &mut Separated<'_, 'q>, value: &'q InlinedValue) {
        if self.database == Database::Sqlite {
            match value {
                InlinedValue::Null => row.push_bind(None::<i64>),
                InlinedValue::Integer(number) => row.push_bind(*number),
                InlinedValue::Text(text) => row.push_bind(text),
                InlinedValue::Blob(bytes) => row.push_bind(bytes.as_slice()),
            };
            return;
        }
        match (self.taken(), value) {
            (Taken::Integer, InlinedValue::Null) => row.push_bind(Value::Null(Kind::Integer)),
            (Taken::Boolean, InlinedValue::Null) => row.push_bind(Value::Null(Kind::Boolean)),
            (Taken::Bytes, InlinedValue::Null) => row.push_bind(Value::Null(Kind::Bytes)),
            (Taken::Text, InlinedValue::Null) => row.push_bind(Value::Null(Kind::Text)),
            (Taken::Cast, InlinedValue::Null) => row.push_cast(Value::Null(Kind::Text), &self.column_type()),
            (Taken::Integer, InlinedValue::Integer(number)) => row.push_bind(*number),
            (Taken::Boolean, InlinedValue::Integer(number)) => row.push_bind(*number != 0),
            (Taken::Bytes, InlinedValue::Blob(bytes)) => row.push_bind(bytes.as_slice()),
            (Taken::Bytes, InlinedValue::Text(text)) => row.push_bind(text.as_bytes()),
            (Taken::Text, InlinedValue::Text(text)) => row.push_bind(text),
            // What a column begins with is told as a text, whatever its type.
            (_, InlinedValue::Text(text)) => row.push_cast(text, &self.column_type()),
            (_, InlinedValue::Integer(number)) => row.push_cast(number.to_string(), &self.column_type()),
            (_, InlinedValue::Blob(bytes)) => row.push_cast(bytes.as_slice(), &self.column_type()),
        };
    }

    /// The expression that reads a column of this quoted name.
    pub(super) fn select(&self, name: &str) -> String {
        match (self.database, self.taken()) {
            (Database::Postgres, Taken::Integer) => format!("CAST({name} AS BIGINT)"),
            (Database::Postgres, Taken::Cast) => format!("CAST({name} AS TEXT)"),
            _ => name.to_owned(),
        }
    }

    /// The value that was read as the database keeps it, in the form of [`InlinedValue`].
    pub(super) fn restore(&self, value: InlinedValue) -> Result<InlinedValue, std::string::FromUtf8Error> {
        match value {
            InlinedValue::Blob(bytes) if self.data_type != "blob" => String::from_utf8(bytes).map(InlinedValue::Text),
            // PostgreSQL writes numbers of its own types in its own way: `1`, `Infinity`.
            InlinedValue::Text(text) if self.database == Database::Postgres => {
                let number = match self.data_type.as_str() {
                    "float32" => text.parse().ok().map(float_text::<f32>),
                    "float64" => text.parse().ok().map(float_text::<f64>),
                    _ => None,
                };
                Ok(InlinedValue::Text(number.unwrap_or(text)))
            }
            other => Ok(other),
        }
    }
}

/// A row's id, the snapshot that added it, and its values as the database keeps them.
pub(super) struct StoredRow {
    pub(super) row_id: i64,
    pub(super) begin_snapshot: i64,
    pub(super) values: Vec<InlinedValue>,
}

impl FromRow for StoredRow {
    fn from_row(row: Row<'_>) -> sqlx::Result<Self> {
        let values = match row {
            Row::Sqlite(stored) => (2..stored.len()).map(|at| read_sqlite(stored, at)).collect::<sqlx::Result<_>>()?,
            Row::Postgres(stored) => {
                (2..stored.len()).map(|at| read_postgres(stored, at)).collect::<sqlx::Result<_>>()?
            }
        };
        Ok(Self { row_id: row.get(0)?, begin_snapshot: row.get(1)?, values })
    }
}

/// SQLite's values have types of their own, whatever their column's.
fn read_sqlite(row: &sqlx::sqlite::SqliteRow, at: usize) -> sqlx::Result<InlinedValue> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(InlinedValue::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INTEGER" => InlinedValue::Integer(row.try_get_unchecked(at)?),
        "BLOB" => InlinedValue::Blob(row.try_get_unchecked(at)?),
        _ => InlinedValue::Text(row.try_get_unchecked(at)?),
    })
}

fn read_postgres(row: &sqlx::postgres::PgRow, at: usize) -> sqlx::Result<InlinedValue> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(InlinedValue::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INT8" => InlinedValue::Integer(row.try_get(at)?),
        "BOOL" => InlinedValue::Integer(i64::from(row.try_get::<bool, _>(at)?)),
        "BYTEA" => InlinedValue::Blob(row.try_get(at)?),
        _ => InlinedValue::Text(row.try_get(at)?),
    })
}
