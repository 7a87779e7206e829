//! Whether texts of a table end with blanks, which comparisons in Redshift's dialect leave out of account: where none
//! does, they need not look for them.

use super::live_rows;
use crate::tables::scan::InlinedRows;
use crate::tables::types::SqlType;
use arrow::array::{AsArray, StringViewArray};
use datafusion::common::ScalarValue;
use millrace_catalog::model::DataFile;

/// Whether a text ends with a blank.
pub(super) fn any_blank(texts: &StringViewArray) -> bool {
    texts.iter().flatten().any(|text| text.as_bytes().last() == Some(&b' '))
}

/// For each of a table's columns, with the value that it has in rows from before it was added: whether a text of it may
/// end with a blank. What nobody looked at may.
pub(in crate::tables) fn blank_ended<'a>(
    columns: impl Iterator<Item = ((i64, SqlType), &'a ScalarValue)>,
    files: &[DataFile],
    inlined: &[InlinedRows],
) -> Vec<bool> {
    let in_files = |id: i64, initial: &ScalarValue| {
        files.iter().filter(|file| live_rows(file) > 0).any(|file| match file.columns.get(&id) {
            Some(known) => known.value_count > 0 && known.blank_ended != Some(false),
            None => !is_looked_at(file) || matches!(initial.try_as_str(), Some(Some(text)) if text.ends_with(' ')),
        })
    };
    let in_catalog = |at: usize| inlined.iter().any(|rows| any_blank(rows.rows.column(at).as_string_view()));
    let of = |(at, ((id, data_type), initial)): (usize, ((i64, SqlType), &ScalarValue))| {
        data_type.is_text() && (in_files(id, initial) || in_catalog(at))
    };
    columns.enumerate().map(of).collect()
}

/// Whether a file is of a writer that looked at all columns which the table had then.
fn is_looked_at(file: &DataFile) -> bool {
    file.columns.values().any(|known| known.blank_ended.is_some())
}
