//! Rows as JSON lines, as Hive's and Trino's JSON SerDes write them: NULLs are written, timestamps are `YYYY-MM-DD HH:MM:SS`, and numbers that JSON does not have are strings.

use super::columns::{Column, Values, canonical, element_range, with_documents};
use super::scalar_text::{text_of, write_hex, write_scalar, write_zoned};
use crate::error::{Error, ErrorKind, Result};
use crate::zone::Zone;
use arrow::array::{ArrayRef, BinaryViewArray, BinaryViewBuilder};

/// How JSON lines are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JsonFormat {
    /// Whether binary is in Base64, as the OpenX SerDe has it; Hive's SerDes have it as text, which is an error here
    /// for bytes that are no UTF-8.
    pub base64: bool,
    /// Whether binary is in hexadecimal, as COPY reads it.
    pub hex: bool,
    /// The zone that moments with one are written in, with their offset from UTC; where there is none they are written as
    /// UTC's clocks show them, without offset.
    pub(crate) zone: Option<Zone>,
    /// For each column, whether its texts are JSON documents (SUPER), which are written as they are; none when empty.
    pub documents: Vec<bool>,
}

impl JsonFormat {
    /// Appends one row with its line end.
    pub(super) fn write_row(
        &self,
        names: &[String],
        columns: &[Column<'_>],
        row: usize,
        output: &mut Vec<u8>,
    ) -> Result<()> {
        output.push(b'{');
        for (at, (name, column)) in names.iter().zip(columns).enumerate() {
            if at > 0 {
                output.push(b',');
            }
            write_string(name, output)?;
            output.push(b':');
            match &column.values {
                Values::Text(values) if self.documents.get(at) == Some(&true) && !column.is_null(row) => {
                    write_document(values.value(row), output);
                }
                _ => self.write_value(column, row, output)?,
            }
        }
        output.extend_from_slice(b"}\n");
        Ok(())
    }

    fn write_object<'a, 'b: 'a>(
        &self,
        fields: impl Iterator<Item = (&'a str, &'a Column<'b>)>,
        row: usize,
        output: &mut Vec<u8>,
    ) -> Result<()> {
        output.push(b'{');
        for (index, (name, column)) in fields.enumerate() {
            if index > 0 {
                output.push(b',');
            }
            write_string(name, output)?;
            output.push(b':');
            self.write_value(column, row, output)?;
        }
        output.push(b'}');
        Ok(())
    }

    fn write_value(&self, column: &Column<'_>, row: usize, output: &mut Vec<u8>) -> Result<()> {
        if column.is_null(row) {
            output.extend_from_slice(b"null");
            return Ok(());
        }
        match &column.values {
            Values::Text(values) => write_string(values.value(row), output),
            Values::Document(values) => {
                write_document(values.value(row), output);
                Ok(())
            }
            Values::Binary(values) if self.hex => {
                output.push(b'"');
                write_hex(values.value(row), output);
                output.push(b'"');
                Ok(())
            }
            Values::Binary(values) if !self.base64 => write_string(text_of(values.value(row))?, output),
            Values::Timestamp(values) => match self.zone.filter(|_| values.timezone().is_some()) {
                Some(zone) => {
                    output.push(b'"');
                    write_zoned(values.value(row), zone, output)?;
                    output.push(b'"');
                    Ok(())
                }
                None => write_quoted(column, row, output),
            },
            Values::Binary(_) | Values::Date(_) => write_quoted(column, row, output),
            Values::Float(values) if !values.value(row).is_finite() => write_quoted(column, row, output),
            Values::Double(values) if !values.value(row).is_finite() => write_quoted(column, row, output),
            Values::List { offsets, elements } => {
                output.push(b'[');
                let range = element_range(offsets, row);
                for element in range.clone() {
                    if element > range.start {
                        output.push(b',');
                    }
                    self.write_value(elements, element, output)?;
                }
                output.push(b']');
                Ok(())
            }
            Values::Map { offsets, keys, values } => {
                output.push(b'{');
                let range = element_range(offsets, row);
                for entry in range.clone() {
                    if entry > range.start {
                        output.push(b',');
                    }
                    write_key(keys, entry, output)?;
                    output.push(b':');
                    self.write_value(values, entry, output)?;
                }
                output.push(b'}');
                Ok(())
            }
            Values::Struct(fields) => {
                self.write_object(fields.iter().map(|(name, column)| (*name, column)), row, output)
            }
            _ => write_scalar(column, row, output),
        }
    }
}

/// An array's values as JSON texts in one line, binary in hexadecimal; NULL stays NULL.
///
/// # Errors
/// `Unsupported` for types that no table has.
pub(crate) fn documents(array: &ArrayRef) -> Result<BinaryViewArray> {
    written(&canonical(array)?)
}

/// The same of values in which large texts are JSON, which stays as it is.
///
/// # Errors
/// `Unsupported` for types that no table has.
pub(crate) fn documents_of_json(array: &ArrayRef) -> Result<BinaryViewArray> {
    written(&with_documents(array)?)
}

fn written(array: &ArrayRef) -> Result<BinaryViewArray> {
    let (column, format) = (Column::new(array)?, JsonFormat { hex: true, ..JsonFormat::default() });
    let mut documents = BinaryViewBuilder::with_capacity(array.len());
    let mut document = Vec::new();
    for row in 0..array.len() {
        if column.is_null(row) {
            documents.append_null();
            continue;
        }
        document.clear();
        format.write_value(&column, row, &mut document)?;
        documents.append_value(&document);
    }
    Ok(documents.finish())
}

/// JSON's keys are strings: keys of other types are written as their text.
fn write_key(column: &Column<'_>, row: usize, output: &mut Vec<u8>) -> Result<()> {
    match &column.values {
        Values::Text(values) => write_string(values.value(row), output),
        Values::List { .. } | Values::Map { .. } | Values::Struct(_) => {
            Err(Error::unsupported("a map with nested keys in a JSON file"))
        }
        _ => write_quoted(column, row, output),
    }
}

/// A scalar whose text needs no escapes.
fn write_quoted(column: &Column<'_>, row: usize, output: &mut Vec<u8>) -> Result<()> {
    output.push(b'"');
    write_scalar(column, row, output)?;
    output.push(b'"');
    Ok(())
}

/// A document in one line: line ends between its values are dropped, those in its texts are escapes.
fn write_document(text: &str, output: &mut Vec<u8>) {
    if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none() {
        output.extend_from_slice(text.as_bytes());
    } else {
        output.extend(text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
    }
}

fn write_string(text: &str, output: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(output, text).map_err(|e| Error::new(ErrorKind::Data, format!("cannot write JSON: {e}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::builder::{Int32Builder, LargeStringBuilder, ListBuilder, MapBuilder, StringViewBuilder};
    use arrow::array::{
        ArrayRef, BinaryViewArray, Float64Array, StringViewArray, StructArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::{DataType, Field};
    use std::sync::Arc;

    #[test]
    fn rows_are_objects() {
        let mut map = MapBuilder::new(None, Int32Builder::new(), StringViewBuilder::new());
        map.keys().append_value(7);
        map.values().append_null();
        map.append(true).unwrap();
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN]));
        let arrays: [ArrayRef; 5] = [
            Arc::new(StringViewArray::from(vec!["a\"\n\u{1}é"])),
            Arc::new(StructArray::from(vec![(Arc::new(Field::new("x", DataType::Float64, true)), floats)])),
            Arc::new(map.finish()),
            Arc::new(BinaryViewArray::from_iter_values([b"foo"])),
            Arc::new(TimestampMicrosecondArray::from(vec![1_500_000])),
        ];
        let columns: Vec<_> = arrays.iter().map(|array| Column::new(array).unwrap()).collect();
        let names: Vec<_> = ["t", "s", "m", "b", "ts"].map(String::from).to_vec();
        let mut output = Vec::new();
        JsonFormat { base64: true, ..JsonFormat::default() }.write_row(&names, &columns, 0, &mut output).unwrap();
        assert_eq!(
            String::from_utf8(output).unwrap(),
            "{\"t\":\"a\\\"\\n\\u0001é\",\"s\":{\"x\":\"NaN\"},\"m\":{\"7\":null},\"b\":\"Zm9v\",\
             \"ts\":\"1970-01-01 00:00:01.500\"}\n"
        );
    }

    #[test]
    fn large_texts_are_documents_where_they_are_json() {
        let mut list = ListBuilder::new(LargeStringBuilder::new());
        list.values().append_value("{\"a\":1}");
        list.values().append_null();
        list.append(true);
        let list: ArrayRef = Arc::new(list.finish());
        let texts = |documents: BinaryViewArray| String::from_utf8(documents.value(0).to_vec()).unwrap();
        assert_eq!(texts(documents_of_json(&list).unwrap()), "[{\"a\":1},null]");
        assert_eq!(texts(documents(&list).unwrap()), "[\"{\\\"a\\\":1}\",null]");
    }

    /// Hive's SerDes take the bytes of a text for a binary value.
    #[test]
    fn binary_is_text_for_hive() {
        let array: ArrayRef = Arc::new(BinaryViewArray::from_iter_values([b"f\"o".as_slice(), b"\xff"]));
        let columns = [Column::new(&array).unwrap()];
        let mut output = Vec::new();
        JsonFormat::default().write_row(&["b".to_owned()], &columns, 0, &mut output).unwrap();
        assert_eq!(output, b"{\"b\":\"f\\\"o\"}\n");
        let error = JsonFormat::default().write_row(&["b".to_owned()], &columns, 1, &mut output).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Data);
    }
}
