//! `ANALYZE COMPRESSION`: encodes a sample in every way that a column's type allows, and recommends one.
//!
//! The sizes are those that the file's writer would make of the same rows. Size is not all: a block that takes longer
//! to decode must be smaller for it, so that sizes are weighed ([`weight`]).

use super::block::encode;
use super::kind::Encoding;
use crate::error::{Error, Result};
use crate::tables::SqlType;
use crate::tables::vortex::{self as stored, SESSION};
use arrow::array::{Array, ArrayRef as ArrowArray, RecordBatch};
use arrow::compute::{cast, concat};
use arrow::datatypes::{Field, Schema};
use millrace_catalog::model::ManagedColumn;
use std::sync::Arc;
use vortex::array::arrays::StructArray;
use vortex::array::arrays::struct_::StructArrayExt;
use vortex::array::{ArrayRef, VortexSessionExecute};
use vortex::arrow::ArrowSessionExt;
use vortex::error::VortexError;

/// Rows of a block: about a megabyte of numbers, as files have them.
const BLOCK_ROWS: usize = 128 * 1024;

/// What an encoding makes of a column's sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// The encoding.
    pub(crate) encoding: Encoding,
    /// Bytes of the sample.
    pub(crate) bytes: u64,
}

impl Measured {
    /// Its bytes with the cost of decoding them.
    fn cost(&self) -> f64 {
        self.bytes as f64 * weight(self.encoding)
    }

    /// By how much it is smaller than `raw`, in percent.
    pub(crate) fn reduction_percent(&self, raw: &Self) -> f64 {
        if raw.bytes == 0 { 0. } else { 100. * (1. - self.bytes as f64 / raw.bytes as f64).max(0.) }
    }
}

/// How many bytes of `raw` a byte of an encoding costs to scan. Packed integers, dictionaries and runs are filtered as
/// they are and decoded at the speed of memory; symbols and phrases are looked up one by one; what Zstandard compressed
/// must be decompressed whole frames at a time.
fn weight(encoding: Encoding) -> f64 {
    match encoding {
        Encoding::Raw
        | Encoding::Az64
        | Encoding::ByteDict
        | Encoding::Mostly8
        | Encoding::Mostly16
        | Encoding::Mostly32
        | Encoding::RunLength => 1.,
        Encoding::Delta | Encoding::Delta32k | Encoding::Text255 | Encoding::Text32k => 1.1,
        Encoding::Lzo => 1.2,
        Encoding::Zstd => 1.5,
    }
}

/// Rows of a column, as a file's writer gets them.
#[derive(Debug)]
pub(crate) struct Sample {
    stored: Field,
    arrays: Vec<ArrowArray>,
}

impl Sample {
    /// Of nothing.
    pub(crate) fn new(column: &ManagedColumn) -> Result<Self> {
        Ok(Self { stored: stored::stored_field(column, column.data_type.parse()?), arrays: Vec::new() })
    }

    /// How many rows there are.
    pub(crate) fn row_count(&self) -> usize {
        self.arrays.iter().map(Array::len).sum()
    }

    /// Adds rows.
    pub(crate) fn add(&mut self, rows: &ArrowArray) {
        self.arrays.push(Arc::clone(rows));
    }

    /// What the best encoding and RAW make of the rows.
    pub(crate) fn measure(self, data_type: SqlType) -> Result<(Measured, Measured)> {
        let failed = |error: VortexError| Error::internal(format!("could not read a sample: {error}"));
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(AsRef::as_ref).collect();
        let all = concat(&arrays)?;
        let schema = Arc::new(Schema::new(vec![self.stored]));
        let mut blocks = Vec::new();
        for from in (0..all.len()).step_by(BLOCK_ROWS) {
            let rows = cast(&all.slice(from, BLOCK_ROWS.min(all.len() - from)), schema.field(0).data_type())?;
            let batch = RecordBatch::try_new(Arc::clone(&schema), vec![rows])?;
            let block = SESSION.arrow().from_arrow_record_batch(batch, &schema).map_err(failed)?;
            let mut ctx = SESSION.create_execution_ctx();
            let block = block.execute::<StructArray>(&mut ctx).map_err(failed)?;
            blocks.extend(block.iter_unmasked_fields().cloned());
        }
        measure(&blocks, data_type)
    }
}

/// Encodes the blocks of a column's sample in all ways: the best first, and RAW, by which to compare.
fn measure(blocks: &[ArrayRef], data_type: SqlType) -> Result<(Measured, Measured)> {
    let failed = |error: VortexError| Error::internal(format!("could not encode a sample: {error}"));
    let mut ctx = SESSION.create_execution_ctx();
    let mut measured = Vec::new();
    for encoding in Encoding::ALL.into_iter().filter(|encoding| encoding.suits(data_type)) {
        let mut bytes = 0;
        for block in blocks {
            bytes += encode(encoding, block, &mut ctx).map_err(failed)?.nbytes();
        }
        measured.push(Measured { encoding, bytes });
    }
    let raw = measured[0];
    // Of equal ones the first, which is the simplest.
    let best = measured.into_iter().reduce(|best, other| if other.cost() < best.cost() { other } else { best });
    Ok((best.unwrap_or(raw), raw))
}
