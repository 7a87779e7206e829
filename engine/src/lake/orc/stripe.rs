//! Reading one stripe: its footer, the index of the columns a predicate asks for, then the values that are wanted.

use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::{max, min};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use bytes::Bytes;
use chrono_tz::Tz;
use datafusion::common::{Result, ScalarValue};
use datafusion::physical_plan::metrics::Count;
use object_store::ObjectStore;
use object_store::path::Path;
use orc_rust::array_decoder::{ArrayBatchDecoder, array_decoder_factory};
use orc_rust::compression::Decompressor;
use orc_rust::error::OrcError;
use orc_rust::projection::ProjectionMask;
use orc_rust::row_index::StripeRowIndex;
use orc_rust::schema::{DataType as OrcType, RootDataType};
use orc_rust::stripe::{Stripe, StripeMetadata};

use super::bounds::Bounds;
use super::chunks::Chunks;
use super::prune::{Containers, Pruner};
use super::tail::Tail;
use super::types::{decoded_type, finish};
use super::wire::{Stream, StripeFooter, has_whole_chunks};
use crate::lake::damage::{damaged, guard, unsupported};

/// A stripe up to this size is fetched whole in one request.
const SMALL_STRIPE: u64 = 1024 * 1024;
/// The most entries of a dictionary believed; orc-rust sets memory aside for all of them at once.
const MAX_DICTIONARY: u64 = 64 * 1024 * 1024;

/// The file a stripe is read from.
pub(super) struct StripeFile {
    pub store: Arc<dyn ObjectStore>,
    pub location: Path,
    /// Its name in messages.
    pub url: String,
    pub tail: Arc<Tail>,
    pub scanned: Count,
}

impl StripeFile {
    /// The rows of a stripe that the predicate does not rule out, in columns at these positions of the file; nothing
    /// when no row is left. `left_out` counts the groups of rows that it does.
    pub(super) async fn read(
        &self,
        info: &StripeMetadata,
        columns: &[usize],
        pruner: Option<&Pruner>,
        left_out: &Count,
    ) -> Result<Option<StripeRows>> {
        let mut chunks = Chunks::new(info.footer_offset() + info.footer_length());
        let footer = self.footer(info, &mut chunks).await?;
        let rows =
            usize::try_from(info.number_of_rows()).map_err(|_| damaged(&self.url, "a stripe has too many rows"))?;
        let mut selection: VecDeque<_> = std::iter::once(0..rows).collect();
        if let Some(pruner) = pruner
            && let Some(kept) = self.kept_groups(info, &footer, &mut chunks, pruner).await?
        {
            left_out.add(kept.iter().filter(|kept| !**kept).count());
            selection = selected(&kept, self.stride(), rows);
        }
        if selection.is_empty() {
            return Ok(None);
        }
        let root = self.project(columns);
        let values = wanted(info, &footer, &root, |stream| !stream.is_index());
        self.fetch(&mut chunks, &values).await?;
        let root = &root;
        let decoders = self.decode(move || {
            let stripe = Stripe::new(&mut chunks, &self.tail.metadata, root, info)?;
            let mut decoders = Vec::with_capacity(stripe.columns().len());
            for column in stripe.columns() {
                let orc = column.data_type().clone();
                let decoder = array_decoder_factory(column, &decoded_type(&orc), &stripe)?;
                let limits = self.timestamp_limits(info, &orc);
                decoders.push(ColumnDecoder { orc, decoder, limits });
            }
            Ok::<_, OrcError>(decoders)
        })?;
        Ok(Some(StripeRows { decoders, selection, position: 0 }))
    }

    /// Between which microseconds the timestamps of a column must lie, where the decoder may get them wrong.
    fn timestamp_limits(&self, info: &StripeMetadata, orc: &OrcType) -> Option<RangeInclusive<i64>> {
        let statistics = info
            .column_statistics()
            .get(orc.column_index())
            .filter(|_| self.tail.trust.may_have_negative_fractions())?;
        let bounds = Bounds::read(orc, statistics, info.number_of_rows(), self.tail.trust);
        match (bounds.min?, bounds.max?) {
            (ScalarValue::TimestampMicrosecond(Some(min), _), ScalarValue::TimestampMicrosecond(Some(max), _)) => {
                (min < 0).then_some(min..=max)
            }
            _ => None,
        }
    }

    async fn footer(&self, info: &StripeMetadata, chunks: &mut Chunks) -> Result<StripeFooter> {
        let range = info.footer_offset()..info.footer_offset() + info.footer_length();
        let whole = info.offset()..range.end;
        let first = if whole.end - whole.start <= SMALL_STRIPE { whole } else { range.clone() };
        chunks.fetch(self.store.as_ref(), &self.location, [first], &self.scanned).await?;
        let bytes = chunks.get(&range).unwrap_or_default();
        self.check_chunks(&bytes)?;
        let message = self.decode(|| {
            let mut message = Vec::new();
            let mut reader = Decompressor::new(bytes, self.tail.metadata.compression(), Vec::new());
            std::io::Read::read_to_end(&mut reader, &mut message).map(|_| message)
        })?;
        let footer = StripeFooter::parse(&message).map_err(|_| damaged(&self.url, "a stripe's footer is malformed"))?;
        self.check_footer(info, &footer)?;
        Ok(footer)
    }

    fn check_footer(&self, info: &StripeMetadata, footer: &StripeFooter) -> Result<()> {
        let length = footer.streams.iter().try_fold(0_u64, |sum, stream| sum.checked_add(stream.length));
        if length.is_none_or(|length| length > info.index_length() + info.data_length()) {
            return Err(damaged(&self.url, "the streams of a stripe are longer than the stripe"));
        }
        if footer.dictionaries.len() < self.tail.columns {
            return Err(damaged(&self.url, "a stripe has fewer columns than the file"));
        }
        if footer.dictionaries.iter().any(|entries| *entries > MAX_DICTIONARY) {
            return Err(damaged(&self.url, "a dictionary has too many entries"));
        }
        match &footer.time_zone {
            Some(zone) if zone.parse::<Tz>().is_err() => {
                Err(unsupported(&self.url, format!("the writer's time zone \"{zone}\" is not known")))
            }
            _ => Ok(()),
        }
    }

    /// Which groups of rows the predicate leaves; nothing when the stripe has no usable index.
    async fn kept_groups(
        &self,
        info: &StripeMetadata,
        footer: &StripeFooter,
        chunks: &mut Chunks,
        pruner: &Pruner,
    ) -> Result<Option<Vec<bool>>> {
        let stride = self.stride() as u64;
        let columns = pruner.columns();
        if columns.is_empty() || stride == 0 || info.number_of_rows() <= stride {
            return Ok(None);
        }
        let root = self.project(&columns);
        let streams = wanted(info, footer, &root, Stream::is_index);
        if !streams.iter().any(|(stream, _)| stream.kind == Stream::ROW_INDEX) {
            return Ok(None);
        }
        self.fetch(chunks, &streams).await?;
        // The index only ever saves work: one that cannot be read is one that is not there.
        let read = || Stripe::new(chunks, &self.tail.metadata, &root, info)?.read_row_indexes(&self.tail.metadata);
        let Ok(Ok(index)) = guard(read) else { return Ok(None) };
        Ok(Some(self.judge(info, &index, pruner)))
    }

    fn judge(&self, info: &StripeMetadata, index: &StripeRowIndex, pruner: &Pruner) -> Vec<bool> {
        let stride = self.stride() as u64;
        let groups = info.number_of_rows().div_ceil(stride);
        let rows = (0..groups).map(|group| stride.min(info.number_of_rows() - group * stride)).collect();
        let statistics = |group: usize, column: usize| {
            let groups_agree = index.column(column)?.num_row_groups() as u64 == groups;
            groups_agree.then(|| index.row_group_stats(column, group)).flatten()
        };
        pruner.keep(&Containers { tail: &self.tail, rows, statistics: &statistics })
    }

    fn stride(&self) -> usize {
        self.tail.metadata.row_index_stride().unwrap_or(0)
    }

    fn project(&self, columns: &[usize]) -> RootDataType {
        let root = self.tail.metadata.root_data_type();
        let indices =
            columns.iter().filter_map(|column| Some(root.children().get(*column)?.data_type().column_index()));
        root.project(&ProjectionMask::roots(root, indices.collect::<Vec<_>>()))
    }

    async fn fetch(&self, chunks: &mut Chunks, streams: &[(Stream, Range<u64>)]) -> Result<()> {
        let ranges = streams.iter().map(|(_, range)| range.clone());
        chunks.fetch(self.store.as_ref(), &self.location, ranges, &self.scanned).await?;
        for (_, range) in streams {
            self.check_chunks(&chunks.get(range).unwrap_or_default())?;
        }
        Ok(())
    }

    fn check_chunks(&self, stream: &Bytes) -> Result<()> {
        if self.tail.metadata.compression().is_some() && !has_whole_chunks(stream) {
            return Err(damaged(&self.url, "a compressed stream is cut off"));
        }
        Ok(())
    }

    fn decode<T, E: std::fmt::Display>(&self, decode: impl FnOnce() -> Result<T, E>) -> Result<T> {
        guard(decode).map_err(|panic| damaged(&self.url, panic))?.map_err(|error| damaged(&self.url, error))
    }
}

/// The streams of the projected columns that are asked for, with their places in the file.
fn wanted(
    info: &StripeMetadata,
    footer: &StripeFooter,
    root: &RootDataType,
    filter: impl Fn(&Stream) -> bool,
) -> Vec<(Stream, Range<u64>)> {
    let mut offset = info.offset();
    let mut wanted = Vec::new();
    for stream in &footer.streams {
        let range = offset..offset + stream.length;
        offset = range.end;
        let projected = usize::try_from(stream.column).is_ok_and(|column| root.contains_column_index(column));
        if projected && filter(stream) {
            wanted.push((*stream, range));
        }
    }
    wanted
}

/// The kept groups as ranges of rows, neighbours joined.
fn selected(kept: &[bool], stride: usize, rows: usize) -> VecDeque<Range<usize>> {
    let mut ranges: VecDeque<Range<usize>> = VecDeque::new();
    for (group, _) in kept.iter().enumerate().filter(|(_, kept)| **kept) {
        let range = group * stride..rows.min((group + 1) * stride);
        match ranges.back_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push_back(range),
        }
    }
    ranges
}

struct ColumnDecoder {
    orc: OrcType,
    decoder: Box<dyn ArrayBatchDecoder>,
    limits: Option<RangeInclusive<i64>>,
}

impl ColumnDecoder {
    fn decode(&mut self, skipped: usize, rows: usize) -> Result<ArrayRef, String> {
        if skipped > 0 {
            self.decoder.skip_values(skipped, None).map_err(|error| error.to_string())?;
        }
        let array = self.decoder.next_batch(rows, None).map_err(|error| error.to_string())?;
        let array = finish(&self.orc, array).map_err(|error| error.to_string())?;
        if let Some(limits) = &self.limits {
            let timestamps = array.as_primitive::<TimestampMicrosecondType>();
            if min(timestamps).is_some_and(|min| !limits.contains(&min))
                || max(timestamps).is_some_and(|max| !limits.contains(&max))
            {
                return Err("a timestamp before 1970 has a negative fraction of a second".into());
            }
        }
        Ok(array)
    }
}

/// The selected rows of a stripe, decoded batch by batch.
pub(super) struct StripeRows {
    decoders: Vec<ColumnDecoder>,
    selection: VecDeque<Range<usize>>,
    position: usize,
}

impl StripeRows {
    /// The next batch, of at most this many rows; nothing at the end of the stripe.
    pub(super) fn next_batch(&mut self, size: usize, schema: &SchemaRef, file: &str) -> Result<Option<RecordBatch>> {
        let Some(range) = self.selection.front_mut() else { return Ok(None) };
        let start = range.start;
        let rows = size.min(range.len());
        range.start += rows;
        if range.start >= range.end {
            self.selection.pop_front();
        }
        let batch = guard(|| self.decode(start, rows, schema)).map_err(|panic| damaged(file, panic))?;
        batch.map(Some).map_err(|reason| damaged(file, reason))
    }

    fn decode(&mut self, start: usize, rows: usize, schema: &SchemaRef) -> Result<RecordBatch, String> {
        let skipped = start - self.position;
        let mut columns = Vec::with_capacity(self.decoders.len());
        for column in &mut self.decoders {
            columns.push(column.decode(skipped, rows)?);
        }
        self.position = start + rows;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_groups_are_ranges_of_rows() {
        let cases = [
            ([true, true, true], vec![(0, 25)]),
            ([false, true, true], vec![(10, 25)]),
            ([true, false, true], vec![(0, 10), (20, 25)]),
            ([false, false, false], vec![]),
        ];
        for (kept, ranges) in cases {
            let expected: VecDeque<_> = ranges.into_iter().map(|(start, end)| start..end).collect();
            assert_eq!(selected(&kept, 10, 25), expected, "{kept:?}");
        }
    }
}
