//! How a Vortex file's writer lays out a column with an encoding: as any other column (blocks of rows with zone maps,
//! joined into segments of about a megabyte), but for what encodes a block.

use super::block::{AUTO, dictionary, encode};
use super::kind::Encoding;
use crate::tables::vortex::SESSION;
use std::sync::Arc;
use vortex::array::dtype::DType;
use vortex::array::{ArrayRef, ExecutionCtx};
use vortex::file::WriteStrategyBuilder;
use vortex::layout::LayoutStrategy;
use vortex::layout::layouts::dict::writer::dict_layout_supported;

/// The strategy for a column of a type.
pub(in crate::tables) fn column_strategy(encoding: Encoding, dtype: &DType) -> Arc<dyn LayoutStrategy> {
    let builder = WriteStrategyBuilder::from_session(&SESSION);
    if encoding == Encoding::ByteDict && dict_layout_supported(dtype) {
        // One dictionary for many blocks; a new one begins where it has 65,535 values or a megabyte.
        let always = |block: &ArrayRef, ctx: &mut ExecutionCtx| dictionary(block, ctx);
        return builder.with_compressor(AUTO.clone()).with_probe_compressor(always).build();
    }
    let dtype = dtype.clone();
    // Zone maps go through it too, which have types of their own.
    let compressor = move |block: &ArrayRef, ctx: &mut ExecutionCtx| {
        if *block.dtype() == dtype { encode(encoding, block, ctx) } else { AUTO.compress(block, ctx) }
    };
    let never = |block: &ArrayRef, _: &mut ExecutionCtx| Ok(block.clone());
    builder.with_compressor(compressor).with_probe_compressor(never).build()
}
