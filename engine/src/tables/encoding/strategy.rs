//! How a Vortex file's writer lays out columns: blocks of rows with zone maps, joined into segments of about a megabyte.
//!
//! It is what Vortex's own `WriteStrategyBuilder` makes, but for two things. A column may have an encoding of its own.
//! And segments are not gone over for statistics before they are encoded (whether they are sorted, their sum, their least and
//! greatest value again): zone maps have the bounds of their rows, and an encoder asks for what it needs.

use super::block::{AUTO, WITH_DICTIONARIES, dictionary, encode};
use super::kind::Encoding;
use std::sync::Arc;
use vortex::array::dtype::{DType, FieldPath};
use vortex::array::{ArrayRef, ExecutionCtx};
use vortex::error::VortexResult;
use vortex::layout::LayoutStrategy;
use vortex::layout::layouts::buffered::BufferedStrategy;
use vortex::layout::layouts::chunked::writer::ChunkedLayoutStrategy;
use vortex::layout::layouts::collect::CollectStrategy;
use vortex::layout::layouts::compressed::{CompressingStrategy, CompressorPlugin};
use vortex::layout::layouts::dict::writer::{DictLayoutOptions, DictStrategy, dict_layout_supported};
use vortex::layout::layouts::flat::writer::FlatLayoutStrategy;
use vortex::layout::layouts::repartition::{RepartitionStrategy, RepartitionWriterOptions};
use vortex::layout::layouts::table::TableStrategy;
use vortex::layout::layouts::zoned::writer::{ZonedLayoutOptions, ZonedStrategy};

/// Bytes of a segment before it is encoded: little enough to be read for a few rows.
const SEGMENT_BYTES: u64 = 1 << 20;

/// Bytes of a column that are kept together, so that its segments lie beside one another.
const BUFFERED_BYTES: u64 = 2 << 20;

/// What encodes blocks.
type Compressor = Arc<dyn CompressorPlugin>;

/// The strategy for the rows of a file; `encoded` are the columns that have an encoding, by name.
pub(in crate::tables) fn table_strategy(
    encoded: impl IntoIterator<Item = (FieldPath, Arc<dyn LayoutStrategy>)>,
) -> Arc<dyn LayoutStrategy> {
    let small: Compressor = Arc::new(WITH_DICTIONARIES.clone());
    let validity = CollectStrategy::new(CompressingStrategy::new(FlatLayoutStrategy::default(), Arc::clone(&small)));
    let column = layout(Arc::new(AUTO.clone()), &small, Arc::clone(&small));
    Arc::new(TableStrategy::new(Arc::new(validity), column).with_field_writers(encoded))
}

/// The strategy for a column of a type with an encoding.
pub(in crate::tables) fn column_strategy(encoding: Encoding, dtype: &DType) -> Arc<dyn LayoutStrategy> {
    if encoding == Encoding::ByteDict && dict_layout_supported(dtype) {
        // One dictionary for many blocks; a new one begins where it has 65,535 values or a megabyte.
        let always = |block: &ArrayRef, ctx: &mut ExecutionCtx| -> VortexResult<ArrayRef> { dictionary(block, ctx) };
        let auto: Compressor = Arc::new(AUTO.clone());
        return layout(Arc::clone(&auto), &auto, Arc::new(always));
    }
    let dtype = dtype.clone();
    // Zone maps go through it too, which have types of their own.
    let compressor = move |block: &ArrayRef, ctx: &mut ExecutionCtx| -> VortexResult<ArrayRef> {
        if *block.dtype() == dtype { encode(encoding, block, ctx) } else { AUTO.compress(block, ctx) }
    };
    let compressor: Compressor = Arc::new(compressor);
    let never = |block: &ArrayRef, _: &mut ExecutionCtx| -> VortexResult<ArrayRef> { Ok(block.clone()) };
    layout(Arc::clone(&compressor), &compressor, Arc::new(never))
}

/// A column's layout: `data` encodes its segments, or their codes, `small` dictionaries and zone maps. What `probe` makes
/// a dictionary of the first block decides whether the column has dictionaries for many blocks.
fn layout(data: Compressor, small: &Compressor, probe: Compressor) -> Arc<dyn LayoutStrategy> {
    // Zones are as long as blocks of rows.
    let zones = ZonedLayoutOptions::default();
    let block_rows = zones.block_size.get();
    let flat = FlatLayoutStrategy::default();
    let together = BufferedStrategy::new(ChunkedLayoutStrategy::new(flat.clone()), BUFFERED_BYTES);
    let segments = RepartitionStrategy::new(
        CompressingStrategy::new(together, data).with_stats(&[]),
        RepartitionWriterOptions {
            block_size_minimum: SEGMENT_BYTES,
            block_len_multiple: block_rows,
            block_size_target: Some(SEGMENT_BYTES),
            canonicalize: true,
        },
    );
    let small = CompressingStrategy::new(flat, Arc::clone(small));
    let dictionaries =
        DictStrategy::new(segments.clone(), small.clone(), segments, DictLayoutOptions::default(), probe);
    Arc::new(RepartitionStrategy::new(
        ZonedStrategy::new(dictionaries, small, zones),
        RepartitionWriterOptions {
            block_size_minimum: 0,
            block_len_multiple: block_rows,
            block_size_target: None,
            canonicalize: false,
        },
    ))
}
