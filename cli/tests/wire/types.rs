//! Values of every type through tokio-postgres: as text, in binary, as parameters, and NULL. Texts and bytes are
//! PostgreSQL's (its documentation of types, `int4send`, `numeric_send`, `timetz_send`, …).

use crate::server::Server;
use bytes::BytesMut;
use futures::TryStreamExt;
use std::error::Error;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A value as it travels; `None` is NULL.
#[derive(Debug, Clone, PartialEq)]
struct Raw(Option<Vec<u8>>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw.to_vec())))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Raw {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(bytes) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A type, a value of it as SQL, its text, its bytes, and the type that a parameter compared with it has.
type Case = (&'static str, &'static str, &'static str, Vec<u8>, Option<Type>);

fn cases() -> Vec<Case> {
    let micros = |value: i64| value.to_be_bytes().to_vec();
    let words = |words: &[i16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    vec![
        ("smallint", "-32768", "-32768", i16::MIN.to_be_bytes().to_vec(), Some(Type::INT2)),
        ("int", "2147483647", "2147483647", i32::MAX.to_be_bytes().to_vec(), Some(Type::INT4)),
        ("bigint", "'-9223372036854775808'::bigint", "-9223372036854775808", micros(i64::MIN), Some(Type::INT8)),
        ("real", "1.5", "1.5", 1.5_f32.to_be_bytes().to_vec(), Some(Type::FLOAT4)),
        ("float8", "'1e-300'::float8", "1e-300", 1e-300_f64.to_be_bytes().to_vec(), Some(Type::FLOAT8)),
        // Two groups of four digits, the first of them before the point; negative; three digits behind it.
        ("decimal(12,3)", "-1234.5", "-1234.500", words(&[2, 0, 0x4000, 3, 1234, 5000]), Some(Type::NUMERIC)),
        ("boolean", "true", "t", vec![1], Some(Type::BOOL)),
        ("varchar(20)", "'it''s ü'", "it's ü", "it's ü".as_bytes().to_vec(), Some(Type::VARCHAR)),
        ("char(3)", "'ab'", "ab ", b"ab ".to_vec(), Some(Type::VARCHAR)),
        // A day before 2000-01-01, from which days and microseconds are counted.
        ("date", "'1999-12-31'", "1999-12-31", (-1_i32).to_be_bytes().to_vec(), Some(Type::DATE)),
        ("time", "'10:11:12.5'", "10:11:12.5", micros(36_672_500_000), Some(Type::TIME)),
        ("timetz", "'10:00:00+02'", "08:00:00+00", [micros(28_800_000_000), vec![0; 4]].concat(), None),
        ("timestamp", "'2000-01-01 00:00:01'", "2000-01-01 00:00:01", micros(1_000_000), Some(Type::TIMESTAMP)),
        (
            "timestamptz",
            "'2000-01-02 02:00:00+02'",
            "2000-01-02 00:00:00+00",
            micros(86_400_000_000),
            Some(Type::TIMESTAMPTZ),
        ),
        ("varbyte(4)", "to_varbyte('00ff', 'hex')", "\\x00ff", vec![0, 0xFF], Some(Type::BYTEA)),
    ]
}

#[tokio::test]
async fn values_of_every_type_as_text_in_binary_and_as_parameters() {
    let server = Server::start();
    let client = server.client().await;
    for (at, (name, value, text, bytes, parameter)) in cases().into_iter().enumerate() {
        let table = format!("create table t{at} (k int, v {name}); insert into t{at} values (1, {value}), (2, null)");
        client.batch_execute(&table).await.unwrap();
        let query = format!("select v from t{at} order by k");
        let messages = client.simple_query(&query).await.unwrap();
        let texts: Vec<Option<&str>> = messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0)),
                _ => None,
            })
            .collect();
        assert_eq!(texts, [Some(text), None], "{name} as text");
        let rows = client.query(&query, &[]).await.unwrap();
        let found: Vec<Raw> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(found, [Raw(Some(bytes.clone())), Raw(None)], "{name} in binary");
        let Some(parameter) = parameter else { continue };
        let equal = client.prepare(&format!("select k from t{at} where v = $1")).await.unwrap();
        assert_eq!(equal.params(), [parameter], "{name} as a parameter");
        let keys = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>();
        assert_eq!(keys(client.query(&equal, &[&Raw(Some(bytes))]).await.unwrap()), [1], "{name} as a parameter");
        assert_eq!(keys(client.query(&equal, &[&Raw(None)]).await.unwrap()), [0; 0], "{name}, NULL as a parameter");
    }
}

#[tokio::test]
async fn a_million_rows() {
    let server = Server::start();
    let client = server.client().await;
    let query = "select (a.x * 1000 + b.y)::bigint from generate_series(0, 999) a(x), generate_series(0, 999) b(y)";
    let rows = client.query_raw(query, std::iter::empty::<i32>()).await.unwrap();
    let (count, sum) = rows
        .try_fold((0, 0), |(count, sum): (u32, i64), row| async move {
            Ok::<_, tokio_postgres::Error>((count + 1, sum + row.get::<_, i64>(0)))
        })
        .await
        .unwrap();
    assert_eq!((count, sum), (1_000_000, 999_999 * 1_000_000 / 2));
}
