//! Values as texts, and texts of limited length.

use super::cast::as_text_in;
use super::kernel::{ATHENA, Call, Gives, JSON, Kind, REDSHIFT, Scalar, is_text, scalar};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Dialect;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

/// The text that a number or a moment is where a function takes a text (Redshift: "Implicit conversion types"); any other
/// value, and so a truth value, as it is.
pub(crate) const PLAIN_TEXT: &str = "$plain_text";

/// A text cut to a length, where a third argument does not say that what it is the text of would be another then.
pub(crate) const VARCHAR: &str = "$varchar";

/// The same, NULL in place of an error.
pub(crate) const TRY_VARCHAR: &str = "$try_varchar";

/// Whether a value is a text by its type.
pub(crate) const IS_TEXT: &str = "$is_text";

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("$text", REDSHIFT, &[Kind::Any], Gives::Text, |call| as_text_view(call, Dialect::Redshift)),
    scalar("$text", ATHENA, &[Kind::Any], Gives::Text, |call| as_text_view(call, Dialect::Athena)),
    scalar(PLAIN_TEXT, REDSHIFT, &[Kind::Any], Gives::Of(plain_type), plain_text),
    scalar(VARCHAR, REDSHIFT, &[Kind::Text, Kind::Int], Gives::Text, |call| cut(call, str::floor_char_boundary)),
    scalar(VARCHAR, ATHENA, &[Kind::Text, Kind::Int, Kind::Bool], Gives::Text, |call| cut(call, chars)).optional(1),
    scalar(TRY_VARCHAR, ATHENA, &[Kind::Text, Kind::Int, Kind::Bool], Gives::Text, try_to_cut),
    scalar(IS_TEXT, ATHENA, &[Kind::Any], Gives::Bool, |call| {
        let found = call.args[0].data_type();
        call.bools(|_| Ok(Some((is_text(found) && *found != JSON) || found.is_null())))
    })
    .with_nulls(),
];

fn as_text_view(call: &Call<'_>, dialect: Dialect) -> Result<ArrayRef> {
    Ok(cast(&as_text_in(&call.args[0], dialect, call.zone)?, &DataType::Utf8View)?)
}

/// Whether a value of a type is a text where one is wanted, and is none by itself.
pub(crate) fn is_written_out(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(..) | DataType::Decimal128(..))
        || data_type.is_integer()
        || data_type.is_floating()
}

fn plain_type(types: &[DataType]) -> Result<DataType> {
    Ok(types.first().filter(|of| !is_written_out(of)).cloned().unwrap_or(DataType::Utf8View))
}

fn plain_text(call: &Call<'_>) -> Result<ArrayRef> {
    if call.gives == *call.args[0].data_type() {
        return Ok(ArrayRef::clone(&call.args[0]));
    }
    as_text_view(call, Dialect::Redshift)
}

/// The bytes of so many characters from the first.
#[inline]
pub(super) fn chars(text: &str, length: usize) -> usize {
    match text.as_bytes().get(..length) {
        Some(bytes) if bytes.is_ascii() => return length,
        // No text has more characters than bytes.
        None => return text.len(),
        Some(_) => {}
    }
    text.char_indices().nth(length).map_or(text.len(), |(at, _)| at)
}

fn cut(call: &Call<'_>, end: impl Fn(&str, usize) -> usize) -> Result<ArrayRef> {
    let (texts, lengths) = (call.text(0), call.int(1));
    let length = |row: usize| usize::try_from(lengths.value(row)).unwrap_or_default();
    // Texts that are short enough stay as they are, without a copy.
    let fits = (0..call.rows).all(|row| {
        call.is_null(row) || {
            let text = texts.value(row);
            end(text, length(row)) == text.len()
        }
    });
    if fits && lengths.null_count() == 0 {
        return Ok(ArrayRef::clone(&call.args[0]));
    }
    call.texts(|row| {
        let (text, length) = (texts.value(row), length(row));
        let end = end(text, length);
        if end < text.len() && call.has(2) && !call.bool(2).value(row) {
            let message = format!("Value '{text}' cannot be represented as varchar({length})");
            return Err(Error::new(ErrorKind::InvalidText, message));
        }
        Ok(Some(&text[..end]))
    })
}

fn try_to_cut(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, lengths, may_be_cut) = (call.text(0), call.int(1), call.bool(2));
    call.texts(|row| {
        let text = texts.value(row);
        let end = chars(text, usize::try_from(lengths.value(row)).unwrap_or_default());
        Ok((end == text.len() || may_be_cut.value(row)).then(|| &text[..end]))
    })
}
