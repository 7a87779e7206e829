//! Blanks at the ends of texts: what comparisons leave out of account, and what a CHAR is padded with.
//!
//! Most texts end with no blank; a batch without any is given back as it is.

use super::kernel::{ATHENA, BOTH, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ByteView, StringViewArray, StringViewBuilder};
use datafusion::arrow::datatypes::Int32Type;
use std::sync::Arc;

/// A text without the blanks at its end.
pub(crate) const WITHOUT_BLANKS: &str = "$without_blanks";

/// How many blanks a text ends with.
pub(crate) const COUNT_BLANKS: &str = "$count_blanks";

/// A text with so many blanks more at its end.
pub(crate) const WITH_BLANKS: &str = "$with_blanks";

/// A text as a CHAR of so many characters: cut; padded with blanks where the dialect's functions see them.
pub(crate) const CHAR: &str = "$char";

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar(WITHOUT_BLANKS, BOTH, &[Kind::Text], Gives::Text, without_blanks),
    scalar(COUNT_BLANKS, BOTH, &[Kind::Text], Gives::Int4, |call| {
        let texts = call.text(0);
        call.int4s(|row| {
            let text = texts.value(row);
            Ok(Some((text.len() - end(text)) as i32))
        })
    }),
    scalar(WITH_BLANKS, BOTH, &[Kind::Text, Kind::Any], Gives::Text, with_blanks),
    // What stands at the end of a CHAR means nothing to Redshift's functions, so it has nothing there.
    scalar(CHAR, REDSHIFT, &[Kind::Text, Kind::Int], Gives::Text, |call| {
        let (texts, lengths) = (call.text(0), call.int(1));
        kept(call, texts, |row, text| {
            let length = usize::try_from(lengths.value(row)).unwrap_or_default();
            end(&text[..super::conversion::chars(text, length)])
        })
    }),
    scalar(CHAR, ATHENA, &[Kind::Text, Kind::Int], Gives::Text, |call| {
        let (texts, lengths) = (call.text(0), call.int(1));
        call.texts(|row| Ok(Some(padded(texts.value(row), usize::try_from(lengths.value(row)).unwrap_or_default()))))
    }),
];

/// Texts of a CHAR of so many characters as they are shown: with blanks up to its length.
pub(crate) fn pad(texts: &StringViewArray, length: usize) -> StringViewArray {
    let mut shown = StringViewBuilder::with_capacity(texts.len());
    for text in texts {
        shown.append_option(text.map(|text| padded(text, length)));
    }
    shown.finish()
}

/// A text of exactly so many characters.
fn padded(text: &str, length: usize) -> String {
    let text = &text[..super::conversion::chars(text, length)];
    longer(text, length - text.chars().count())
}

/// A text with so many blanks at its end; a format's width has 16 bits.
fn longer(text: &str, blanks: usize) -> String {
    let mut longer = String::with_capacity(text.len() + blanks);
    longer.push_str(text);
    longer.extend(std::iter::repeat_n(' ', blanks));
    longer
}

/// Where the blanks at a text's end begin.
fn end(text: &str) -> usize {
    text.trim_end_matches(' ').len()
}

fn without_blanks(call: &Call<'_>) -> Result<ArrayRef> {
    kept(call, call.text(0), |_, text| end(text))
}

/// The beginnings of the first argument's texts, by their bytes; what is long shares its bytes with the whole text.
fn kept(call: &Call<'_>, texts: &StringViewArray, bytes: impl Fn(usize, &str) -> usize) -> Result<ArrayRef> {
    let is_whole = |row: usize| call.is_null(row) || bytes(row, texts.value(row)) == texts.value(row).len();
    let Some(first) = (0..call.rows).find(|row| !is_whole(*row)) else { return Ok(Arc::clone(&call.args[0])) };
    let mut built = Sharing::new(texts, call.rows);
    for row in 0..call.rows {
        if call.is_null(row) {
            built.texts.append_null();
            continue;
        }
        let text = texts.value(row);
        built.append_begin(row, if row < first { text.len() } else { bytes(row, text) })?;
    }
    Ok(built.finish())
}

/// Texts that are made of others; what is long shares its bytes with them.
pub(super) struct Sharing<'a> {
    /// What was made so far.
    pub(super) texts: StringViewBuilder,
    source: &'a StringViewArray,
    blocks: Vec<u32>,
}

impl<'a> Sharing<'a> {
    pub(super) fn new(source: &'a StringViewArray, rows: usize) -> Self {
        let mut texts = StringViewBuilder::with_capacity(rows);
        let blocks = source.data_buffers().iter().map(|block| texts.append_block(block.clone())).collect();
        Self { texts, source, blocks }
    }

    /// Appends so many bytes of a row's text.
    pub(super) fn append_begin(&mut self, row: usize, length: usize) -> Result<()> {
        let text = self.source.value(row);
        if text.len() <= MOST_INLINE_BYTES {
            self.texts.append_value(&text[..length]);
            return Ok(());
        }
        let view = ByteView::from(self.source.views()[row]);
        let block = self.blocks.get(view.buffer_index as usize);
        let block = block.ok_or_else(|| Error::internal("a text without its bytes"))?;
        Ok(self.texts.try_append_view(*block, view.offset, length as u32)?)
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        Arc::new(self.texts.finish())
    }
}

/// Longer texts stand in a buffer beside their view.
const MOST_INLINE_BYTES: usize = 12;

fn with_blanks(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, counts) = (call.text(0), call.args[1].as_primitive_opt::<Int32Type>());
    let counts = counts.ok_or_else(|| Error::new(ErrorKind::Internal, "blanks are counted with 32 bits"))?;
    if counts.iter().flatten().all(|count| count == 0) {
        return Ok(Arc::clone(&call.args[0]));
    }
    call.texts(|row| Ok(Some(longer(texts.value(row), usize::try_from(counts.value(row)).unwrap_or_default()))))
}
