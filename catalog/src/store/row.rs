//! Rows of a result, read alike whichever database they are of.

use super::postgres;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, ValueRef};

/// A row of either database.
#[derive(Clone, Copy)]
pub(crate) enum Row<'r> {
    Sqlite(&'r SqliteRow),
    Postgres(&'r PgRow),
}

impl Row<'_> {
    /// The value of a column, counted from 0.
    pub(crate) fn get<T: Column>(self, index: usize) -> sqlx::Result<T> {
        T::read(self, index)
    }

    fn is_null(self, index: usize) -> sqlx::Result<bool> {
        match self {
            Row::Sqlite(row) => Ok(row.try_get_raw(index)?.is_null()),
            Row::Postgres(row) => Ok(row.try_get_raw(index)?.is_null()),
        }
    }
}

/// What a column's value is read as.
pub(crate) trait Column: Sized {
    /// Reads it.
    fn read(row: Row<'_>, index: usize) -> sqlx::Result<Self>;
}

impl Column for i64 {
    fn read(row: Row<'_>, index: usize) -> sqlx::Result<Self> {
        match row {
            Row::Sqlite(row) => row.try_get(index),
            Row::Postgres(row) => row.try_get(index),
        }
    }
}

impl Column for bool {
    fn read(row: Row<'_>, index: usize) -> sqlx::Result<Self> {
        match row {
            Row::Sqlite(row) => Ok(row.try_get::<i64, _>(index)? != 0),
            Row::Postgres(row) => row.try_get(index),
        }
    }
}

/// Also of times, as `2020-01-02 03:04:05.123456+00`, and of UUIDs: as SQLite's tables have them.
impl Column for String {
    fn read(row: Row<'_>, index: usize) -> sqlx::Result<Self> {
        match row {
            Row::Sqlite(row) => row.try_get(index),
            Row::Postgres(row) => postgres::read_text(row, index),
        }
    }
}

impl Column for Vec<u8> {
    fn read(row: Row<'_>, index: usize) -> sqlx::Result<Self> {
        match row {
            Row::Sqlite(row) => row.try_get(index),
            Row::Postgres(row) => row.try_get(index),
        }
    }
}

impl<T: Column> Column for Option<T> {
    fn read(row: Row<'_>, index: usize) -> sqlx::Result<Self> {
        if row.is_null(index)? { Ok(None) } else { T::read(row, index).map(Some) }
    }
}

/// What a row is read as.
pub(crate) trait FromRow: Sized {
    /// Reads it.
    fn from_row(row: Row<'_>) -> sqlx::Result<Self>;
}

/// Tuples, a column for each of their parts.
macro_rules! tuples {
    ($(($($part:ident $at:tt),+);)*) => {
        $(
            impl<$($part: Column),+> FromRow for ($($part,)+) {
                fn from_row(row: Row<'_>) -> sqlx::Result<Self> {
                    Ok(($(row.get::<$part>($at)?,)+))
                }
            }
        )*
    };
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
}
