//! Parts of texts, by their characters, and of binary values, by their bytes.

use super::conversion::chars;
use super::kernel::{ATHENA, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use super::rows::Spread;
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{ArrayRef, AsArray, BinaryViewBuilder};
use datafusion::arrow::datatypes::DataType;
use std::sync::Arc;

use Kind::{Int, Text, TextOrBytes};

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("substring", REDSHIFT, &[TextOrBytes, Int, Int], Gives::Of(text_or_bytes), redshift)
        .optional(1)
        .with_constants()
        .doc(
            "substring(text, start [, length]), substr",
            "A part from a character on, counted from 1.",
            &[
                ("substring('caterpillar', 6, 4)", "pill"),
                ("substring('caterpillar', 6)", "pillar"),
                ("substring('caterpillar' from 1 for 3)", "cat"),
            ],
        ),
    scalar("substr", REDSHIFT, &[TextOrBytes, Int, Int], Gives::Of(text_or_bytes), redshift)
        .optional(1)
        .with_constants(),
    scalar("substr", ATHENA, &[Text, Int, Int], Gives::Text, trino).optional(1).with_constants().doc(
        "substr(text, start [, length])",
        "A part from a character on; a negative start counts from the end.",
        &[("substr('hello', 2, 3)", "ell"), ("substr('hello', -2)", "lo"), ("substr('hello', 0)", "")],
    ),
];

fn text_or_bytes(args: &[DataType]) -> Result<DataType> {
    Ok(match args.first() {
        Some(DataType::BinaryView) => DataType::BinaryView,
        _ => DataType::Utf8View,
    })
}

/// A number of characters or bytes; of what is below zero, none.
fn count(number: i64) -> usize {
    usize::try_from(number.max(0)).unwrap_or(usize::MAX)
}

/// Which characters, from 0, are meant as PostgreSQL means them: a start before the text takes its part of the length.
fn span(start: i64, length: Option<i64>) -> Result<(usize, Option<usize>)> {
    if length.is_some_and(|length| length < 0) {
        return Err(Error::new(ErrorKind::InvalidParameter, "negative substring length not allowed"));
    }
    let from = start.saturating_sub(1);
    let end = length.map(|length| from.saturating_add(length));
    Ok((count(from), end.map(|end| count(end) - count(from).min(count(end)))))
}

/// So many characters of a text behind so many.
#[inline]
fn slice(text: &str, from: usize, length: Option<usize>) -> &str {
    let end = length.map_or(from, |length| from.saturating_add(length)).min(text.len());
    if text.as_bytes()[..end].is_ascii() {
        // As far as it is looked at, a character is a byte.
        return &text[from.min(text.len())..length.map_or(text.len(), |_| end)];
    }
    let rest = &text[chars(text, from)..];
    length.map_or(rest, |length| &rest[..chars(rest, length)])
}

/// Redshift, "SUBSTRING function": of a VARBYTE value by bytes.
fn redshift(call: &Call<'_>) -> Result<ArrayRef> {
    let (starts, lengths) = (call.spread_int(1), call.has(2).then(|| call.spread_int(2)));
    let span_of = |row: usize| span(starts.value(row), lengths.as_ref().map(|lengths| lengths.value(row)));
    let is_one = starts.one().is_some() && lengths.as_ref().is_none_or(|lengths| lengths.one().is_some());
    let one = if is_one && call.rows > 0 { Some(span_of(0)?) } else { None };
    let span = |row: usize| one.map_or_else(|| span_of(row), Ok);
    if call.gives == DataType::BinaryView {
        let values = Spread::new(call.args[0].as_binary_view(), call.rows);
        let mut built = BinaryViewBuilder::with_capacity(call.rows);
        for row in 0..call.rows {
            if call.is_null(row) {
                built.append_null();
                continue;
            }
            let (bytes, (from, length)) = (values.value(row), span(row)?);
            let rest = bytes.get(from..).unwrap_or_default();
            built.append_value(length.and_then(|length| rest.get(..length)).unwrap_or(rest));
        }
        return Ok(Arc::new(built.finish()));
    }
    let texts = call.spread_text(0);
    call.texts(|row| {
        let (from, length) = span(row)?;
        Ok(Some(slice(texts.value(row), from, length)))
    })
}

/// Trino, "String functions": positions begin with 1, a negative start counts from the end, and outside of the text there
/// is nothing.
fn trino(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, starts) = (call.spread_text(0), call.spread_int(1));
    let lengths = call.has(2).then(|| call.spread_int(2));
    call.texts(|row| {
        let (text, start) = (texts.value(row), starts.value(row));
        let length = lengths.as_ref().map(|lengths| count(lengths.value(row)));
        let from = match start {
            0 => return Ok(Some("")),
            1.. => count(start - 1),
            _ => match text.chars().count().checked_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX)) {
                Some(from) => from,
                None => return Ok(Some("")),
            },
        };
        Ok(Some(slice(text, from, length)))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::zone::Zone;
    use datafusion::arrow::array::{Array, BinaryViewArray, Int64Array, StringViewArray};

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringViewArray::from(values.to_vec()))
    }

    fn numbers(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn call(args: &[ArrayRef], rows: usize) -> Call<'_> {
        Call { args, rows, nulls: args[0].nulls().cloned(), gives: args[0].data_type().clone(), zone: Zone::UTC }
    }

    // PostgreSQL's substring, which Redshift's is for texts.
    #[test]
    fn parts_are_postgresqls() {
        for (text, start, length, expected) in [
            ("caterpillar", 6, Some(4), "pill"),
            ("caterpillar", 6, None, "pillar"),
            ("caterpillar", 0, Some(3), "ca"),
            ("caterpillar", -2, Some(3), ""),
            ("caterpillar", -2, Some(5), "ca"),
            ("caterpillar", -2, None, "caterpillar"),
            ("caterpillar", 12, Some(1), ""),
            ("caterpillar", 11, Some(100), "r"),
            ("caterpillar", 3, Some(0), ""),
            ("caterpillar", i64::MIN, Some(i64::MAX), ""),
            ("caterpillar", i64::MAX, Some(i64::MAX), ""),
            ("caterpillar", 2, Some(i64::MAX), "aterpillar"),
            ("größer als zwölf", 3, Some(3), "öße"),
            ("größer als zwölf", 12, None, "zwölf"),
            ("日本語のテキスト", 2, Some(2), "本語"),
            ("a日本", 3, Some(9), "本"),
            ("", 1, Some(2), ""),
        ] {
            let mut args = vec![texts(&[Some(text)]), numbers(&[start])];
            args.extend(length.map(|length| numbers(&[length])));
            let made = redshift(&call(&args, 1)).unwrap();
            assert_eq!(made.as_string_view().value(0), expected, "{text} {start} {length:?}");
        }
        let args = [texts(&[Some("abc")]), numbers(&[1]), numbers(&[-1])];
        assert_eq!(redshift(&call(&args, 1)).unwrap_err().sqlstate(), "22023");
    }

    // Trino's page of string functions.
    #[test]
    fn parts_are_trinos() {
        for (text, start, length, expected) in [
            ("hello", 2, Some(3), "ell"),
            ("hello", -2, None, "lo"),
            ("hello", -3, Some(2), "ll"),
            ("hello", -5, Some(1), "h"),
            ("hello", -6, None, ""),
            ("hello", i64::MIN, None, ""),
            ("hello", 0, None, ""),
            ("hello", 6, None, ""),
            ("hello", 2, Some(-1), ""),
            ("hello", 2, Some(i64::MAX), "ello"),
            ("zwölf", -3, Some(2), "öl"),
            ("zwölf", 3, Some(1), "ö"),
        ] {
            let mut args = vec![texts(&[Some(text)]), numbers(&[start])];
            args.extend(length.map(|length| numbers(&[length])));
            let made = trino(&call(&args, 1)).unwrap();
            assert_eq!(made.as_string_view().value(0), expected, "{text} {start} {length:?}");
        }
    }

    #[test]
    fn columns_may_be_parts_of_columns_and_have_nulls() {
        let all = texts(&[Some("before"), None, Some("größer"), Some("a text that is longer than a view"), Some("")]);
        let column = all.slice(1, 4);
        let args = [column, numbers(&[2]), numbers(&[20])];
        let expected = texts(&[None, Some("rößer"), Some(" text that is longer"), Some("")]);
        assert_eq!(&redshift(&call(&args, 4)).unwrap(), &expected);
        assert_eq!(&trino(&call(&args, 4)).unwrap(), &expected);
        let args = [texts(&[Some("hello")]), numbers(&[1, 2, 6]), numbers(&[9, 2, 1])];
        let made =
            redshift(&Call { args: &args, rows: 3, nulls: None, gives: DataType::Utf8View, zone: Zone::UTC }).unwrap();
        assert_eq!(&made, &texts(&[Some("hello"), Some("el"), Some("")]));
    }

    #[test]
    fn binary_values_are_cut_by_bytes() {
        let values = BinaryViewArray::from(vec![Some("grün".as_bytes()), None, Some(&[][..])]);
        let args = [Arc::new(values) as ArrayRef, numbers(&[3]), numbers(&[1])];
        let made = redshift(&call(&args, 3)).unwrap();
        let expected = BinaryViewArray::from(vec![Some(&[0xc3_u8][..]), None, Some(&[][..])]);
        assert_eq!(made.as_binary_view(), &expected);
    }
}
