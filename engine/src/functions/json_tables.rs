//! The rows of `json_table` ([`JsonTable`]), each a list of texts.

use super::json_path::JsonPath;
use super::json_queries::{Passed, Said, document, failed, instead, json_of, scalar_of};
use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::json_table::{JsonColumn, JsonItems, JsonRows, JsonTable, Said as Written};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringViewBuilder, new_empty_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use serde_json::Value;
use std::rc::Rc;
use std::sync::Arc;

/// How many values the rows of a document have at most, and those of all documents that are read at once.
const MOST_VALUES: usize = 1 << 24;
const MOST_VALUES_AT_ONCE: usize = 1 << 27;

pub(super) const FUNCTIONS: &[Scalar] = &[
    // The table, the document, the defaults, and pairs of names and values that are passed to the path.
    scalar("$json_rows", ATHENA, &[Kind::Text, Kind::Text, Kind::Any], Gives::Of(rows_type), rows)
        .optional(1)
        .variadic()
        .with_nulls(),
];

fn rows_type(_: &[DataType]) -> Result<DataType> {
    let list = |element: DataType| DataType::List(Arc::new(Field::new_list_field(element, true)));
    Ok(list(list(DataType::Utf8View)))
}

fn rows(call: &Call<'_>) -> Result<ArrayRef> {
    let (tables, texts) = (call.text(0), call.text(1));
    let Some(written) = tables.iter().flatten().next() else { return Ok(new_empty_array(&call.gives)) };
    let table: JsonTable = serde_json::from_str(written).map_err(|error| Error::internal(error.to_string()))?;
    if !table.is_sound() {
        return Err(Error::internal("a JSON_TABLE is lost"));
    }
    let arguments = call.args.get(2..).unwrap_or_default();
    let (defaults, passed) = arguments.split_at_checked(table.defaults).unwrap_or_default();
    let defaults = defaults.iter().map(|texts| Ok(cast(texts, &DataType::Utf8View)?)).collect::<Result<Vec<_>>>()?;
    let passed = Passed::of(passed)?;
    let paths = table.paths.iter().map(|path| passed.path(path)).collect::<Result<Vec<_>>>()?;
    // A value of a row is there again in each row that is nested in it.
    let mut built = ListBuilder::new(ListBuilder::new(StringViewBuilder::new().with_deduplicate_strings()));
    let mut values = 0_usize;
    for row in 0..call.rows {
        if texts.is_null(row) {
            built.append(false);
            continue;
        }
        let reader = Reader { table: &table, paths: &paths, defaults: &defaults, row };
        let read = document(texts.value(row)).and_then(|document| Ok((document, passed.row(row)?)));
        let found = match read {
            Ok((document, passed)) => reader.rows(&table.rows, &document, &passed)?,
            Err(reason) => reader.nothing(&reason)?,
        };
        values = found.len().saturating_mul(table.width).saturating_add(values);
        limited(values, MOST_VALUES_AT_ONCE, "the documents that are read at once")?;
        for cells in found {
            let mut columns: Vec<Option<&str>> = vec![None; table.width];
            for (at, text) in &cells {
                columns[*at] = Some(&**text);
            }
            let list = built.values();
            for text in columns {
                list.values().append_option(text);
            }
            list.append(true);
        }
        built.append(true);
    }
    Ok(Arc::new(built.finish()))
}

/// The columns of a row that are not NULL, with their places.
type Cells = Vec<(usize, Rc<str>)>;

/// Reads one row's document.
struct Reader<'a> {
    table: &'a JsonTable,
    paths: &'a [JsonPath],
    defaults: &'a [ArrayRef],
    row: usize,
}

impl Reader<'_> {
    /// The rows where paths lead from a value.
    fn rows(&self, rows: &JsonRows, value: &Value, passed: &[(String, Value)]) -> Result<Vec<Cells>> {
        match rows {
            JsonRows::Path(items) => self.items(items, value, passed),
            JsonRows::Union(parts) => {
                let mut found = Vec::new();
                for part in parts {
                    found.extend(self.rows(part, value, passed)?);
                    self.limited(found.len())?;
                }
                Ok(found)
            }
            JsonRows::Cross(parts) => {
                let mut found = vec![Cells::new()];
                for part in parts {
                    let others = self.rows(part, value, passed)?;
                    self.limited(found.len().saturating_mul(others.len()))?;
                    let beside = |cells: &Cells| {
                        let cells = cells.clone();
                        others.iter().map(move |other| cells.iter().chain(other).cloned().collect::<Cells>())
                    };
                    found = found.iter().flat_map(beside).collect();
                }
                Ok(found)
            }
        }
    }

    fn items(&self, items: &JsonItems, value: &Value, passed: &[(String, Value)]) -> Result<Vec<Cells>> {
        let sequence = match self.paths[items.path].evaluate(value, passed) {
            Ok(sequence) => sequence,
            Err(reason) => return self.nothing(&reason),
        };
        let mut found = Vec::with_capacity(sequence.len());
        for (place, item) in sequence.iter().enumerate() {
            let mut own = Cells::with_capacity(items.columns.len());
            for (at, column) in &items.columns {
                own.extend(self.column(column, place + 1, item)?.map(|text| (*at, Rc::<str>::from(text))));
            }
            let nested = match &items.nested {
                // Values are passed to the first path only.
                Some(nested) => self.rows(nested, item, &[])?,
                None => vec![Cells::new()],
            };
            if nested.is_empty() && items.outer {
                found.push(own);
            } else {
                found.extend(nested.into_iter().map(|cells| own.iter().cloned().chain(cells).collect::<Cells>()));
            }
            self.limited(found.len())?;
        }
        Ok(found)
    }

    fn column(&self, column: &JsonColumn, place: usize, item: &Value) -> Result<Option<String>> {
        match column {
            JsonColumn::Ordinality => Ok(Some(place.to_string())),
            JsonColumn::Value { path, whole, on_empty, on_error } => {
                let sequence = self.paths[*path].evaluate(item, &[]);
                let found = sequence.and_then(|items| scalar_of(&items, self.said(on_empty), *whole));
                found.unwrap_or_else(|reason| self.said(on_error).instead(&reason))
            }
            JsonColumn::Query { path, wrapper, quotes, on_empty, on_error } => {
                let sequence = self.paths[*path].evaluate(item, &[]);
                let found = sequence.and_then(|items| json_of(items, wrapper, quotes, on_empty));
                found.unwrap_or_else(|reason| instead(on_error, &reason))
            }
        }
    }

    fn said<'a>(&'a self, (what, default): &'a Written) -> Said<'a> {
        let default = default.and_then(|at| {
            let texts = self.defaults.get(at)?.as_string_view();
            texts.is_valid(self.row).then(|| texts.value(self.row))
        });
        Said { what, default }
    }

    /// No rows, for a reason.
    fn nothing(&self, reason: &str) -> Result<Vec<Cells>> {
        if self.table.fails { Err(failed(reason)) } else { Ok(Vec::new()) }
    }

    fn limited(&self, rows: usize) -> Result<()> {
        limited(rows.saturating_mul(self.table.width), MOST_VALUES, "one document")
    }
}

fn limited(values: usize, most: usize, of: &str) -> Result<()> {
    if values <= most {
        return Ok(());
    }
    Err(Error::new(ErrorKind::LimitExceeded, format!("JSON_TABLE makes more than {most} values of {of}")))
}
