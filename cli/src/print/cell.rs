//! One value as text: arrow's formatters with our formats, and what a terminal must not see escaped.

use arrow::array::Array;
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::borrow::Cow;
use std::fmt::Write;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Formats of dates and times; chrono's `%.f` prints a fraction only where there is one.
pub(super) const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";
/// With the offset, e.g. `+00:00`.
pub(super) const TIMESTAMP_TZ: &str = "%Y-%m-%d %H:%M:%S%.f%:z";
/// With the offset to the second, of which [`shorten_offset`] leaves what PostgreSQL writes.
const TIMESTAMP_TZ_SECONDS: &str = "%Y-%m-%d %H:%M:%S%.f%::z";
/// A date.
pub(super) const DATE: &str = "%Y-%m-%d";
/// A time of day.
pub(super) const TIME: &str = "%H:%M:%S%.f";

/// `null` is what stands for NULL inside arrays, maps and structs; a NULL value itself is for the caller to show.
const OPTIONS: FormatOptions<'static> = FormatOptions::new()
    .with_display_error(false)
    .with_null("null")
    .with_date_format(Some(DATE))
    .with_datetime_format(Some(TIMESTAMP))
    .with_timestamp_format(Some(TIMESTAMP))
    .with_timestamp_tz_format(Some(TIMESTAMP_TZ))
    .with_time_format(Some(TIME));

const ZONED_OPTIONS: FormatOptions<'static> = OPTIONS.with_timestamp_tz_format(Some(TIMESTAMP_TZ_SECONDS));

/// The values of a batch as text.
pub(super) struct Cells<'a> {
    columns: Vec<Column<'a>>,
}

struct Column<'a> {
    formatter: ArrayFormatter<'a>,
    nulls: Option<NullBuffer>,
    float: bool,
    zoned: bool,
}

impl<'a> Cells<'a> {
    /// Readers of a batch's columns.
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let column = |array: &'a arrow::array::ArrayRef| {
            let zoned = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
            let options = if zoned { &ZONED_OPTIONS } else { &OPTIONS };
            Ok(Column {
                formatter: ArrayFormatter::try_new(array.as_ref(), options)?,
                nulls: array.logical_nulls(),
                float: array.data_type().is_floating(),
                zoned,
            })
        };
        Ok(Self { columns: batch.columns().iter().map(column).collect::<Result<_, ArrowError>>()? })
    }

    /// Replaces `text` by a value; `false` when it is NULL.
    pub(super) fn read(&self, column: usize, row: usize, text: &mut String) -> Result<bool, ArrowError> {
        text.clear();
        let column = &self.columns[column];
        if column.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(false);
        }
        column.formatter.value(row).write(text)?;
        if column.float {
            spell_infinity(text);
        }
        if column.zoned {
            shorten_offset(text);
        }
        Ok(true)
    }
}

/// An offset to the second, at a text's end, without seconds and minutes that are zero, as PostgreSQL writes it.
fn shorten_offset(text: &mut String) {
    let whole_minutes = text.strip_suffix(":00");
    let kept = whole_minutes.map(|minutes| minutes.strip_suffix(":00").unwrap_or(minutes)).map(str::len);
    text.truncate(kept.unwrap_or(text.len()));
}

/// PostgreSQL and Trino both write the word out.
fn spell_infinity(text: &mut String) {
    match text.as_str() {
        "inf" => "Infinity".clone_into(text),
        "-inf" => "-Infinity".clone_into(text),
        _ => {}
    }
}

/// Whether values of the type are aligned to the right.
pub(super) fn is_right_aligned(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_right_aligned(values),
        DataType::RunEndEncoded(_, values) => is_right_aligned(values.data_type()),
        data_type => data_type.is_numeric(),
    }
}

/// Columns of a terminal that a text takes.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// Escapes what would move the cursor, ring the bell or turn the direction of writing.
pub(super) fn escape_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            // Writing to a string does not fail.
            c if c.is_control() => {
                let _ = write!(escaped, "\\x{:02X}", u32::from(c));
            }
            c if is_unsafe(c) => {
                let _ = write!(escaped, "\\u{:04X}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Cuts a text to a width, its last column then being `…`.
pub(super) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    if width(text) <= limit {
        return Cow::Borrowed(text);
    }
    let mut used = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used >= limit {
            break;
        }
        end = at + c.len_utf8();
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

/// A value for a message: escaped, and cut to a readable length.
pub(crate) fn quote_excerpt(text: &str) -> String {
    cut(&escape_controls(text), 60).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_counts_columns_not_characters() {
        let cases = [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
        ];
        for (text, limit, expected) in cases {
            assert_eq!(cut(text, limit), expected, "{text} {limit}");
            assert!(width(&cut(text, limit)) <= limit);
        }
    }

    // PostgreSQL's forms of offsets.
    #[test]
    fn offsets_are_short() {
        let cases = [
            ("2020-01-01 00:00:00+00:00:00", "2020-01-01 00:00:00+00"),
            ("2020-01-01 10:00:00-05:00:00", "2020-01-01 10:00:00-05"),
            ("2020-01-01 10:00:00+05:30:00", "2020-01-01 10:00:00+05:30"),
            ("1900-01-01 10:00:00+00:19:32", "1900-01-01 10:00:00+00:19:32"),
            ("1900-01-01 10:00:00-05:00:30", "1900-01-01 10:00:00-05:00:30"),
        ];
        for (text, expected) in cases {
            let mut short = text.to_owned();
            shorten_offset(&mut short);
            assert_eq!(short, expected);
        }
    }

    #[test]
    fn a_terminal_sees_no_control_characters() {
        let cases = [
            ("a\nb", "a\\nb"),
            ("\u{1b}[31m", "\\x1B[31m"),
            ("a\u{202e}b", "a\\u202Eb"),
            ("ü\t", "ü\\t"),
            ("ok", "ok"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape_controls(text), expected);
        }
    }
}
