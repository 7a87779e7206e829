//! Values as texts, and texts of limited length.

use super::cast::as_text_in;
use super::kernel::{ATHENA, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::error::Result;
use crate::sql::Dialect;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

/// The text that a number or a moment is where a function takes a text (Redshift: "Implicit conversion types"); any other
/// value, and so a truth value, as it is.
pub(crate) const PLAIN_TEXT: &str = "$plain_text";

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("$text", REDSHIFT, &[Kind::Any], Gives::Text, |call| as_text_view(call, Dialect::Redshift)),
    scalar("$text", ATHENA, &[Kind::Any], Gives::Text, |call| as_text_view(call, Dialect::Athena)),
    scalar(PLAIN_TEXT, REDSHIFT, &[Kind::Any], Gives::Of(plain_type), plain_text),
    scalar("$varchar", REDSHIFT, &[Kind::Text, Kind::Int], Gives::Text, |call| cut(call, str::floor_char_boundary)),
    scalar("$varchar", ATHENA, &[Kind::Text, Kind::Int], Gives::Text, |call| cut(call, chars)),
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
        let text = texts.value(row);
        Ok(Some(&text[..end(text, length(row))]))
    })
}
