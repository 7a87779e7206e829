//! Values as PostgreSQL's binary format has them, as far as sqlx is not built to know them: times and UUIDs.

use crate::manifest::format_time;
use crate::store::sql::{Kind, Value};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::{Arguments, Encode, Row, Type, ValueRef};

/// `pg_type.oid` of `timestamptz`, which is the same in every database.
const TIMESTAMPTZ: Oid = Oid(1184);
/// That of `uuid`.
const UUID: Oid = Oid(2950);
/// PostgreSQL counts from 2000-01-01.
const EPOCH_US: i64 = 946_684_800_000_000;

/// Microseconds since 1970-01-01, UTC.
struct Timestamptz(i64);

impl Type<Postgres> for Timestamptz {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl Encode<'_, Postgres> for Timestamptz {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0.saturating_sub(EPOCH_US).to_be_bytes());
        Ok(IsNull::No)
    }
}

struct Uuid(u128);

impl Type<Postgres> for Uuid {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(UUID)
    }
}

impl Encode<'_, Postgres> for Uuid {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }
}

/// The values of a statement.
pub(in crate::store) fn arguments(values: Vec<Value<'_>>) -> sqlx::Result<PgArguments> {
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), 16 * values.len());
    for value in values {
        let added = match value {
            Value::Integer(number) => arguments.add(number),
            Value::Boolean(truth) => arguments.add(truth),
            Value::Text(text) => arguments.add(text.as_ref()),
            Value::Bytes(bytes) => arguments.add(bytes.as_ref()),
            Value::Time(time_us) => arguments.add(Timestamptz(time_us)),
            Value::Uuid(text) => parse_uuid(&text).and_then(|uuid| arguments.add(uuid)),
            Value::Null(Kind::Integer) => arguments.add(None::<i64>),
            Value::Null(Kind::Boolean) => arguments.add(None::<bool>),
            Value::Null(Kind::Text) => arguments.add(None::<&str>),
            Value::Null(Kind::Bytes) => arguments.add(None::<&[u8]>),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn parse_uuid(text: &str) -> Result<Uuid, BoxDynError> {
    let digits = text.replace('-', "");
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32);
    number.map(Uuid).ok_or_else(|| format!("invalid UUID \"{text}\"").into())
}

fn format_uuid(uuid: u128) -> String {
    let digits = format!("{uuid:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// A text, or the text of a time or UUID.
pub(in crate::store) fn read_text(row: &PgRow, index: usize) -> sqlx::Result<String> {
    let value = row.try_get_raw(index)?;
    let oid = value.type_info().oid();
    if oid != Some(TIMESTAMPTZ) && oid != Some(UUID) {
        return row.try_get(index);
    }
    let column = || index.to_string();
    read_known(&value, oid == Some(UUID)).map_err(|source| sqlx::Error::ColumnDecode { index: column(), source })
}

fn read_known(value: &PgValueRef<'_>, is_uuid: bool) -> Result<String, BoxDynError> {
    if value.format() == PgValueFormat::Text {
        return Ok(std::str::from_utf8(value.as_bytes()?)?.to_owned());
    }
    if is_uuid {
        return Ok(format_uuid(u128::from_be_bytes(value.as_bytes()?.try_into()?)));
    }
    let since_2000 = i64::from_be_bytes(value.as_bytes()?.try_into()?);
    Ok(format_time(since_2000.saturating_add(EPOCH_US)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_read_as_they_were_written() {
        let text = "073c52b6-a48e-4738-a486-85b8b1c5c0cd";
        assert_eq!(format_uuid(parse_uuid(text).unwrap().0), text);
        assert_eq!(format_uuid(parse_uuid("00000000-0000-4000-8000-000000000001").unwrap().0)[..8], *"00000000");
        for wrong in ["", "073c52b6", "073c52b6-a48e-4738-a486-85b8b1c5c0cg"] {
            assert!(parse_uuid(wrong).is_err(), "{wrong}");
        }
    }
}
