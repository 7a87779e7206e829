//! Texts taken apart and put together as Trino does ("String functions").

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, is_text, scalar, shown_type};
use super::regex::{lists, texts_type};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use Kind::{Any, Int, Text};

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("split", ATHENA, &[Text, Text, Int], Gives::Of(texts_type), |call| {
        let (texts, separators) = (call.text(0), call.text(1));
        let limits = call.has(2).then(|| call.int(2));
        lists(call, |row, parts| {
            let limit = limits.as_ref().map_or(Ok(usize::MAX), |limits| usize::try_from(limits.value(row)));
            let limit = limit.ok().filter(|limit| *limit > 0);
            let limit = limit.ok_or_else(|| invalid("the limit of split() is positive"))?;
            if separators.value(row).is_empty() {
                return Err(invalid("the separator of split() is not empty"));
            }
            for part in texts.value(row).splitn(limit, separators.value(row)) {
                parts.append_value(part);
            }
            Ok(())
        })
    })
    .optional(1)
    .doc(
        "split(text, separator [, limit])",
        "The parts of a text, so many at most; the last one has all that is left.",
        &[("split('a,b,c', ',')", "[a, b, c]"), ("split('a,b,c', ',', 2)", "[a, b,c]")],
    ),
    scalar("codepoint", ATHENA, &[Text], Gives::Int4, |call| {
        let texts = call.text(0);
        call.int4s(|row| {
            let mut characters = texts.value(row).chars();
            match (characters.next(), characters.next()) {
                (Some(one), None) => Ok(i32::try_from(u32::from(one)).ok()),
                _ => Err(invalid("codepoint() takes one character")),
            }
        })
    }),
    scalar("upper", ATHENA, &[Text], Gives::Text, |call| recased(call, str::to_ascii_uppercase, raised)),
    scalar("lower", ATHENA, &[Text], Gives::Text, |call| recased(call, str::to_ascii_lowercase, lowered)),
    scalar("split_part", ATHENA, &[Text, Text, Int], Gives::Text, |call| {
        let (texts, separators, places) = (call.text(0), call.text(1), call.int(2));
        call.texts(|row| {
            let place = usize::try_from(places.value(row)).ok().and_then(|place| place.checked_sub(1));
            let place = place.ok_or_else(|| invalid("the index of split_part() is positive"))?;
            Ok(part(texts.value(row), separators.value(row), place))
        })
    }),
    scalar("concat_ws", ATHENA, &[Text, Any], Gives::Of(joined_type), joined).variadic().with_nulls().doc(
        "concat_ws(separator, text, …), concat_ws(separator, array)",
        "Texts, or the elements of an array, with a separator between; NULLs among them do not count.",
        &[("concat_ws('-', 'a', NULL, 'b')", "a-b"), ("concat_ws(',', ARRAY['a', NULL, 'c'])", "a,c")],
    ),
];

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, message)
}

/// Texts in another case, each character for itself, as Java's `Character` has them: `ß` stays.
fn recased(call: &Call<'_>, of_ascii: fn(&str) -> String, of: fn(char) -> char) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| {
        let text = texts.value(row);
        Ok(Some(if text.is_ascii() { of_ascii(text) } else { text.chars().map(of).collect() }))
    })
}

fn raised(c: char) -> char {
    alone(c.to_uppercase()).unwrap_or(c)
}

fn lowered(c: char) -> char {
    // With a dot, which its lower case has anyway.
    if c == 'İ' { 'i' } else { alone(c.to_lowercase()).unwrap_or(c) }
}

/// One character, where it is one.
fn alone(mut characters: impl Iterator<Item = char>) -> Option<char> {
    characters.next().filter(|_| characters.next().is_none())
}

/// A part by its place, counted from 0; without a separator each character is one.
fn part<'a>(text: &'a str, separator: &str, place: usize) -> Option<&'a str> {
    if separator.is_empty() {
        let (from, c) = text.char_indices().nth(place)?;
        return text.get(from..from + c.len_utf8());
    }
    text.split(separator).nth(place)
}

fn joined_type(types: &[DataType]) -> Result<DataType> {
    let fits = |found: &DataType| is_text(found) || found.is_null();
    let (_, parts) = types.split_first().ok_or_else(|| Error::internal("an argument is missing"))?;
    let wrong = match parts {
        [DataType::List(element)] if fits(element.data_type()) => None,
        parts => parts.iter().find(|found| !fits(found)),
    };
    match wrong {
        Some(other) => {
            let message = format!("concat_ws takes texts or an array of texts, not {}", shown_type(other));
            Err(Error::new(ErrorKind::DatatypeMismatch, message))
        }
        None => Ok(DataType::Utf8View),
    }
}

/// What is joined.
enum Parts {
    Texts(StringViewArray),
    Lists(ListArray),
}

impl Parts {
    fn of(values: &ArrayRef) -> Result<Self> {
        if matches!(values.data_type(), DataType::List(_)) {
            let texts = cast(values, &texts_type(&[])?)?;
            return Ok(Self::Lists(texts.as_list::<i32>().clone()));
        }
        if values.data_type().is_null() {
            return Ok(Self::Texts(StringViewArray::new_null(values.len())));
        }
        Ok(Self::Texts(cast(values, &DataType::Utf8View)?.as_string_view().clone()))
    }
}

fn joined(call: &Call<'_>) -> Result<ArrayRef> {
    let separators = call.text(0);
    let parts = call.args[1..].iter().map(Parts::of).collect::<Result<Vec<_>>>()?;
    call.texts(|row| {
        if separators.is_null(row) {
            return Ok(None);
        }
        let mut texts: Vec<String> = Vec::new();
        for part in &parts {
            match part {
                Parts::Texts(values) if values.is_null(row) => {}
                Parts::Texts(values) => texts.push(values.value(row).to_owned()),
                Parts::Lists(values) if values.is_null(row) => return Ok(None),
                Parts::Lists(values) => {
                    texts.extend(values.value(row).as_string_view().iter().flatten().map(str::to_owned));
                }
            }
        }
        Ok(Some(texts.join(separators.value(row))))
    })
}

/// The text that bytes are, with a character, or nothing, in the place of what is invalid.
pub(super) fn replaced(bytes: &[u8], replacement: &str) -> Result<String> {
    if replacement.chars().count() > 1 {
        return Err(invalid("the replacement of from_utf8() is one character, or none"));
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push_str(replacement);
        }
    }
    Ok(text)
}
