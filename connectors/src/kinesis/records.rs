//! Records as rows: the stream's own columns, then those of the payload.

use super::aggregated;
use super::conditions::{ARRIVAL, SHARD};
use super::payload::{Decoded, Payload};
use super::shards::Position;
use crate::connector::BadRecord;
use crate::error::{ConnectorError, Result};
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Int64Array, RecordBatchOptions, StringViewArray, StringViewBuilder,
    TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use aws_sdk_kinesis::types::Record;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A stream's own columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Arrival,
    PartitionKey,
    Shard,
    Sequence,
    Refresh,
    Data,
    SubSequence,
    /// A column of the payload, by its number.
    Payload(usize),
}

/// The columns that every stream has. The first six are Redshift's.
const OWN: [(Column, &str, bool); 7] = [
    (Column::Arrival, ARRIVAL, true),
    (Column::PartitionKey, "partition_key", true),
    (Column::Shard, SHARD, false),
    (Column::Sequence, "sequence_number", false),
    (Column::Refresh, "refresh_time", false),
    (Column::Data, "kinesis_data", false),
    (Column::SubSequence, "sub_sequence_number", false),
];

/// Whether a stream has a column of this name, whatever its payload.
pub(super) fn is_own(name: &str) -> bool {
    OWN.iter().any(|(_, own, _)| *own == name)
}

/// The columns of a stream.
///
/// # Errors
/// `InvalidArgument` when the payload has a column of a name that the stream has.
pub(super) fn schema(payload: Option<&Payload>) -> Result<SchemaRef> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let mut fields: Vec<Arc<Field>> = OWN
        .iter()
        .map(|(column, name, nullable)| {
            let data_type = match column {
                Column::Arrival | Column::Refresh => time.clone(),
                Column::Data => DataType::Binary,
                Column::SubSequence => DataType::Int64,
                _ => DataType::Utf8View,
            };
            Arc::new(Field::new(*name, data_type, *nullable))
        })
        .collect();
    for field in payload.iter().flat_map(|payload| &payload.fields) {
        if fields.iter().any(|known| known.name() == field.name()) {
            let message = format!("a stream has a column \"{}\" of its own", field.name());
            return Err(ConnectorError::InvalidArgument(message));
        }
        fields.push(Arc::clone(field));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// A record as its producer wrote it: one of the stream's, or one of those that are packed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// When it arrived, in microseconds.
    pub(super) arrival_us: Option<i64>,
    partition_key: Option<String>,
    sequence: Arc<str>,
    sub_sequence: u64,
    /// Whether it is the last one in its record.
    last: bool,
    data: Bytes,
}

impl Row {
    /// The place after it.
    pub(super) fn after(&self) -> Position {
        if self.last {
            Position::After(self.sequence.to_string())
        } else {
            Position::Within(self.sequence.to_string(), self.sub_sequence)
        }
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.data.len() as u64
    }

    /// Whether it lies before a place within its record.
    pub(super) fn is_before(&self, position: &Position) -> bool {
        matches!(position, Position::Within(sequence, sub)
            if sequence.as_str() == &*self.sequence && self.sub_sequence <= *sub)
    }

    /// Its sequence number, with its number in the record where that holds many.
    fn name(&self) -> String {
        match (self.sub_sequence, self.last) {
            (0, true) => self.sequence.to_string(),
            (sub_sequence, _) => format!("{}:{sub_sequence}", self.sequence),
        }
    }
}

/// When a record arrived, in milliseconds.
pub(super) fn arrival_ms(record: &Record) -> Option<i64> {
    record.approximate_arrival_timestamp.and_then(|at| at.to_millis().ok())
}

/// The rows of a record; an aggregated one has one for each that is packed in it.
pub(super) fn rows(record: Record) -> Vec<Row> {
    let arrival_us = arrival_ms(&record).map(|ms| ms.saturating_mul(1000));
    let sequence: Arc<str> = record.sequence_number.into();
    let data = Bytes::from(record.data.into_inner());
    let row = |sub_sequence, last, partition_key, data| {
        let sequence = Arc::clone(&sequence);
        Row { arrival_us, partition_key, sequence, sub_sequence, last, data }
    };
    let Some(packed) = aggregated::user_records(&data) else {
        return vec![row(0, true, record.partition_key, data)];
    };
    let count = packed.len();
    let numbered = packed.into_iter().enumerate();
    numbered.map(|(i, one)| row(i as u64, i + 1 == count, Some(one.partition_key), one.data)).collect()
}

/// Makes batches of the columns that a request wants.
#[derive(Debug)]
pub(super) struct Batches {
    stream: String,
    shard: String,
    began_us: i64,
    payload: Option<Arc<Payload>>,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl Batches {
    /// Batches of these columns of a stream, for rows of one shard.
    ///
    /// # Errors
    /// `InvalidArgument` for a column that the stream does not have.
    pub(super) fn new(
        (stream, shard): (&str, &str),
        began_ms: i64,
        schema: &SchemaRef,
        payload: Option<Arc<Payload>>,
        wanted: &[String],
    ) -> Result<Self> {
        let index = |name: &String| {
            schema
                .index_of(name)
                .map_err(|_| ConnectorError::InvalidArgument(format!("stream \"{stream}\" has no column \"{name}\"")))
        };
        let indices = wanted.iter().map(index).collect::<Result<Vec<usize>>>()?;
        let column = |index: usize| OWN.get(index).map_or(Column::Payload(index - OWN.len().min(index)), |own| own.0);
        let schema = schema.project(&indices).map_err(|error| ConnectorError::InvalidArgument(error.to_string()))?;
        Ok(Self {
            stream: stream.to_owned(),
            shard: shard.to_owned(),
            began_us: began_ms.saturating_mul(1000),
            payload,
            columns: indices.into_iter().map(column).collect(),
            schema: Arc::new(schema),
        })
    }

    /// A batch of these rows, and those of them that are not what was declared.
    ///
    /// # Errors
    /// `BadData` for a payload that is not what was declared, naming its shard and sequence number.
    pub(super) fn make(&self, rows: &[Row]) -> Result<(RecordBatch, Vec<BadRecord>)> {
        let Decoded { columns, bad } = self.payload(rows)?;
        let mut payload = columns.into_iter();
        let mut arrays = vec![];
        for column in &self.columns {
            let array: ArrayRef = match column {
                Column::Arrival => {
                    Arc::new(rows.iter().map(|row| row.arrival_us).collect::<TimestampMicrosecondArray>())
                }
                Column::PartitionKey => {
                    Arc::new(rows.iter().map(|row| row.partition_key.as_deref()).collect::<StringViewArray>())
                }
                Column::Shard => {
                    let mut shards = StringViewBuilder::new().with_deduplicate_strings();
                    for _ in rows {
                        shards.append_value(&self.shard);
                    }
                    Arc::new(shards.finish())
                }
                Column::Sequence => Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| &*row.sequence))),
                Column::Refresh => Arc::new(TimestampMicrosecondArray::from_value(self.began_us, rows.len())),
                Column::Data => Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| &row.data))),
                Column::SubSequence => {
                    Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.sub_sequence as i64)))
                }
                Column::Payload(_) => payload.next().ok_or_else(|| self.broken("a column is missing"))?,
            };
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options);
        let batch = batch.map_err(|error| self.broken(&error.to_string()))?;
        let batch = if !bad.is_empty() && self.payload.as_ref().is_some_and(|payload| payload.skips()) {
            let good: BooleanArray = (0..rows.len()).map(|row| Some(!bad.contains_key(&row))).collect();
            filter_record_batch(&batch, &good).map_err(|error| self.broken(&error.to_string()))?
        } else {
            batch
        };
        let told = bad.into_iter().filter_map(|(row, reason)| {
            let row = rows.get(row)?;
            Some(BadRecord { position: row.name(), at_us: row.arrival_us, reason })
        });
        Ok((batch, told.collect()))
    }

    /// The payload's columns that are wanted, in order.
    fn payload(&self, rows: &[Row]) -> Result<Decoded> {
        let wanted = self.columns.iter().filter_map(|column| match column {
            Column::Payload(index) => Some(*index),
            _ => None,
        });
        let wanted: Vec<usize> = wanted.collect();
        let Some(payload) = self.payload.as_ref().filter(|_| !wanted.is_empty()) else {
            return Ok(Decoded { columns: vec![], bad: BTreeMap::new() });
        };
        let data: Vec<&Bytes> = rows.iter().map(|row| &row.data).collect();
        payload.decode(&data, &wanted).map_err(|malformed| {
            let name = rows.get(malformed.row).map(Row::name).unwrap_or_default();
            self.broken(&format!("record {name} cannot be read: {}", malformed.reason))
        })
    }

    fn broken(&self, why: &str) -> ConnectorError {
        ConnectorError::BadData(format!("shard \"{}\" of stream \"{}\": {why}", self.shard, self.stream))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kinesis::aggregated::aggregate;
    use crate::registry::Options;
    use arrow::util::pretty::pretty_format_batches;
    use aws_sdk_kinesis::primitives::{Blob, DateTime};

    fn record(sequence: &str, key: Option<&str>, data: Vec<u8>) -> Record {
        let record = Record::builder().sequence_number(sequence).set_partition_key(key.map(ToOwned::to_owned));
        let record = record.approximate_arrival_timestamp(DateTime::from_millis(1_715_000_000_123));
        record.data(Blob::new(data)).build().unwrap()
    }

    #[test]
    fn rows_tell_where_they_were() {
        let packed = aggregate(&[("a", b"1"), ("b", b"2")]);
        let rows: Vec<Row> =
            [record("495", Some("k"), packed), record("496", None, b"3".to_vec())].into_iter().flat_map(rows).collect();
        let after: Vec<Position> = rows.iter().map(Row::after).collect();
        let texts: Vec<String> = after.iter().map(Position::to_text).collect();
        assert_eq!(texts, ["495:0", "495", "496"]);
        let resumed: Vec<_> = rows.iter().filter(|row| !row.is_before(&after[0])).map(Row::name).collect();
        assert_eq!(resumed, ["495:1", "496"]);

        let options: Options = [("format", "raw"), ("columns", "n int")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let payload = Payload::parse(&options).unwrap().map(Arc::new);
        let all = schema(payload.as_deref()).unwrap();
        let wanted: Vec<String> = ["n", "sequence_number", "sub_sequence_number", "partition_key", "shard_id"]
            .into_iter()
            .chain(["approximate_arrival_timestamp", "refresh_time", "kinesis_data"])
            .map(ToOwned::to_owned)
            .collect();
        let batches = Batches::new(("s", "shard"), 1_715_000_001_000, &all, payload.clone(), &wanted).unwrap();
        let table = pretty_format_batches(&[batches.make(&rows).unwrap().0]).unwrap().to_string();
        let lines: Vec<String> = table.lines().map(|line| line.replace(' ', "")).collect();
        assert_eq!(
            lines[3..6],
            [
                "|1|495|0|a|shard|2024-05-06T12:53:20.123|2024-05-06T12:53:21|31|",
                "|2|495|1|b|shard|2024-05-06T12:53:20.123|2024-05-06T12:53:21|32|",
                "|3|496|0||shard|2024-05-06T12:53:20.123|2024-05-06T12:53:21|33|",
            ]
        );
        let counted = Batches::new(("s", "shard"), 0, &all, payload, &[]).unwrap();
        assert_eq!(counted.make(&rows).unwrap().0.num_rows(), 3);
    }

    #[test]
    fn payloads_have_no_column_of_the_stream() {
        let options = [("format", "json"), ("columns", "shard_id varchar")];
        let options: Options = options.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let payload = Payload::parse(&options).unwrap().unwrap();
        let error = schema(Some(&payload)).unwrap_err().to_string();
        assert_eq!(error, "a stream has a column \"shard_id\" of its own");
    }
}
