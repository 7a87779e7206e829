//! One block of a column, encoded as told.
//!
//! Decimals are encoded by their integers (the narrowest that hold a block's values: 18 digits never take more than 64
//! bits), dates and times by theirs. A block whose encoded form would not be smaller stays as it is, as in Redshift. A
//! block without values is a constant NULL.

use super::kind::Encoding;
use crate::tables::vortex::SESSION;
use std::sync::LazyLock;
use vortex::array::arrays::bool::BoolArrayExt;
use vortex::array::arrays::decimal::narrowed_decimal;
use vortex::array::arrays::dict::DictArraySlotsExt;
use vortex::array::arrays::extension::ExtensionArrayExt;
use vortex::array::arrays::{BoolArray, DecimalArray, DictArray, ExtensionArray, PrimitiveArray, VarBinViewArray};
use vortex::array::builders::dict::dict_encode;
use vortex::array::dtype::{DType, DecimalType};
use vortex::array::validity::Validity;
use vortex::array::{ArrayRef, Canonical, CanonicalValidity, ExecutionCtx, IntoArray};
use vortex::buffer::Buffer;
use vortex::encodings::decimal_byte_parts::{DecimalByteParts, split_decimal};
use vortex::encodings::fastlanes::bitpack_compress::bitpack_encode;
use vortex::encodings::fastlanes::{Delta, delta_compress};
use vortex::encodings::runend::{RunEnd, RunEndArraySlotsExt};
use vortex::encodings::zigzag::{ZigZag, ZigZagArraySlotsExt, zigzag_encode};
use vortex::encodings::zstd::Zstd;
use vortex::error::VortexResult;
use vortex_btrblocks::schemes::{decimal, integer, string};
use vortex_btrblocks::{BtrBlocksCompressor, BtrBlocksCompressorBuilder, CompressionSessionExt, SchemeExt, SchemeId};

/// Values that Zstandard compresses together: what is read for one value of them.
const ZSTD_FRAME: usize = 8192;
/// The level of `zstd`.
const ZSTD_LEVEL: i32 = 3;
/// The level of `lzo`.
const FAST_LEVEL: i32 = 1;
/// The most digits that 64 bits hold.
const NARROW_DIGITS: u8 = 18;

/// What AUTO chooses from, block by block: by a sample, whichever is smallest of the encodings that decode fast.
/// Dictionaries are not among them, because the layout above makes them for many blocks at once.
pub(super) static AUTO: LazyLock<BtrBlocksCompressor> = LazyLock::new(|| {
    let dictionary = integer::IntDictScheme.id();
    BtrBlocksCompressorBuilder::from_session(&SESSION).exclude_schemes([dictionary]).build()
});

/// The same with dictionaries, for what lies beside blocks, and for the block that decides whether a column has them.
pub(super) static WITH_DICTIONARIES: LazyLock<BtrBlocksCompressor> =
    LazyLock::new(|| BtrBlocksCompressorBuilder::from_session(&SESSION).build());

/// Frame of reference and bit-packing, and nothing else.
static PACKED: LazyLock<BtrBlocksCompressor> = LazyLock::new(|| only(&packing()));

/// Symbols for frequent parts of texts; lengths and offsets packed.
static SYMBOLS: LazyLock<BtrBlocksCompressor> =
    LazyLock::new(|| only(&[packing().as_slice(), &[string::FSSTScheme.id()]].concat()));

/// Phrases of a dictionary; codes, lengths and offsets packed.
static PHRASES: LazyLock<BtrBlocksCompressor> =
    LazyLock::new(|| only(&[packing().as_slice(), &[string::OnPairScheme.id()]].concat()));

fn packing() -> [SchemeId; 4] {
    [
        integer::FoRScheme::default().id(),
        integer::BitPackingScheme::default().id(),
        integer::ZigZagScheme.id(),
        decimal::DecimalScheme::default().id(),
    ]
}

/// A compressor that knows these schemes only.
fn only(kept: &[SchemeId]) -> BtrBlocksCompressor {
    let others = SESSION.compression().schemes().iter().map(|scheme| scheme.id()).collect::<Vec<_>>();
    let others = others.into_iter().filter(|id| !kept.contains(id));
    BtrBlocksCompressorBuilder::from_session(&SESSION).exclude_schemes(others).build()
}

/// A block in the encoding, where that makes it smaller.
pub(super) fn encode(encoding: Encoding, block: &ArrayRef, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
    if block.is_empty() || block.all_invalid(ctx)? {
        return AUTO.compress(block, ctx);
    }
    let canonical = block.clone().execute::<CanonicalValidity>(ctx)?.0.compact(ctx)?;
    let plain: ArrayRef = raw(canonical.clone(), ctx)?;
    if encoding == Encoding::Raw {
        return Ok(plain);
    }
    let encoded = match canonical {
        Canonical::Primitive(values) => numbers(encoding, &values, ctx)?,
        Canonical::Decimal(values) => decimals(encoding, values, ctx)?,
        Canonical::Bool(values) => bools(&values, ctx)?,
        Canonical::VarBinView(values) => texts(encoding, &values, ctx)?,
        Canonical::Extension(values) => {
            let storage = encode(encoding, values.storage_array(), ctx)?;
            ExtensionArray::try_new(values.ext_dtype().clone(), storage)?.into_array()
        }
        _ => AUTO.compress(block, ctx)?,
    };
    Ok(if encoded.nbytes() < plain.nbytes() { encoded } else { plain })
}

/// Values as they are: decimals of up to 18 digits in 64 bits, which is what they take in Redshift.
fn raw(canonical: Canonical, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
    match canonical {
        Canonical::Decimal(values)
            if values.precision() <= NARROW_DIGITS && values.values_type() == DecimalType::I128 =>
        {
            let validity = values.validity()?;
            // NULLs may stand for anything; all else has at most 18 digits.
            let narrow: Buffer<i64> = values.buffer::<i128>().iter().map(|value| *value as i64).collect();
            Ok(DecimalArray::try_new(narrow, values.decimal_dtype(), validity)?.into_array())
        }
        Canonical::Extension(values) => {
            let storage = values.storage_array().clone().execute::<CanonicalValidity>(ctx)?.0.into();
            Ok(ExtensionArray::try_new(values.ext_dtype().clone(), storage)?.into_array())
        }
        other => Ok(other.into()),
    }
}

fn numbers(encoding: Encoding, values: &PrimitiveArray, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
    let whole = values.dtype().is_int();
    let plain = || values.clone().into_array();
    match encoding {
        Encoding::Az64 => PACKED.compress(&plain(), ctx),
        Encoding::ByteDict => dictionary(&plain(), ctx),
        Encoding::Delta | Encoding::Delta32k if whole => differences(values, ctx),
        Encoding::Mostly8 if whole => mostly(8, values, ctx),
        Encoding::Mostly16 if whole => mostly(16, values, ctx),
        Encoding::Mostly32 if whole => mostly(32, values, ctx),
        Encoding::RunLength => runs(values, ctx),
        Encoding::Lzo => Ok(Zstd::from_primitive(values, FAST_LEVEL, ZSTD_FRAME, ctx)?.into_array()),
        Encoding::Zstd => Ok(Zstd::from_primitive(values, ZSTD_LEVEL, ZSTD_FRAME, ctx)?.into_array()),
        _ => Ok(plain()),
    }
}

fn decimals(encoding: Encoding, values: DecimalArray, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
    let values = narrowed_decimal(values);
    let dtype = values.decimal_dtype();
    let parts = split_decimal(&values, ctx)?;
    let highest = parts.msp.execute::<PrimitiveArray>(ctx)?;
    let highest = numbers(encoding, &highest, ctx)?;
    let lower = parts.lower_parts.iter().map(|part| AUTO.compress(part, ctx)).collect::<VortexResult<Vec<_>>>()?;
    Ok(DecimalByteParts::try_new_with_lower_parts(highest, lower, dtype)?.into_array())
}

fn texts(encoding: Encoding, values: &VarBinViewArray, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
    let plain = || values.clone().into_array();
    match encoding {
        Encoding::ByteDict => dictionary(&plain(), ctx),
        Encoding::RunLength => {
            let dictionary = dict_encode(&plain(), ctx)?;
            let codes = dictionary.codes().clone().execute::<PrimitiveArray>(ctx)?;
            let (codes, values) = (runs(&codes, ctx)?, AUTO.compress(dictionary.values(), ctx)?);
            Ok(DictArray::try_new(codes, values)?.into_array())
        }
        Encoding::Lzo if matches!(values.dtype(), DType::Utf8(_)) => PHRASES.compress(&plain(), ctx),
        Encoding::Lzo => Ok(Zstd::from_var_bin_view(values, FAST_LEVEL, ZSTD_FRAME, ctx)?.into_array()),
        Encoding::Text255 | Encoding::Text32k => SYMBOLS.compress(&plain(), ctx),
        Encoding::Zstd => Ok(Zstd::from_var_bin_view(values, ZSTD_LEVEL, ZSTD_FRAME, ctx)?.into_array()),
        _ => Ok(plain()),
    }
}

/// Booleans are bits already; runs of them are all that can be saved, whatever the encoding.
fn bools(values: &BoolArray, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
    let mask = values.validity()?.execute_mask(values.len(), ctx)?;
    let bits = values.to_bit_buffer();
    let (mut ends, mut runs): (Vec<u64>, Vec<Option<bool>>) = (Vec::new(), Vec::new());
    for (at, bit) in bits.iter().enumerate() {
        let value = mask.value(at).then_some(bit);
        if runs.last() == Some(&value) {
            if let Some(end) = ends.last_mut() {
                *end = at as u64 + 1;
            }
        } else {
            runs.push(value);
            ends.push(at as u64 + 1);
        }
    }
    let runs: BoolArray = if values.dtype().is_nullable() {
        runs.into_iter().collect()
    } else {
        runs.into_iter().map(Option::unwrap_or_default).collect()
    };
    let ends = PrimitiveArray::new(Buffer::from_iter(ends), Validity::NonNullable);
    let ends = PACKED.compress(&ends.into_array(), ctx)?;
    Ok(RunEnd::try_new(ends, runs.into_array(), ctx)?.into_array())
}

/// A dictionary of a block's values, its codes packed.
pub(super) fn dictionary(block: &ArrayRef, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
    let dictionary = dict_encode(block, ctx)?;
    let (codes, values) = (PACKED.compress(dictionary.codes(), ctx)?, AUTO.compress(dictionary.values(), ctx)?);
    Ok(DictArray::try_new(codes, values)?.into_array())
}

fn differences(values: &PrimitiveArray, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
    let (bases, deltas) = delta_compress(values, ctx)?;
    let (bases, deltas) = (PACKED.compress(&bases.into_array(), ctx)?, PACKED.compress(&deltas.into_array(), ctx)?);
    Ok(Delta::try_new(bases, deltas, values.validity()?, 0, values.len())?.into_array())
}

/// Negative numbers become odd ones, so that small ones have few bits; what has more stands beside.
fn mostly(bits: u8, values: &PrimitiveArray, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
    if usize::from(bits) >= values.ptype().bit_width() {
        return Ok(values.clone().into_array());
    }
    let zigzag = zigzag_encode(values.as_view())?;
    let unsigned = zigzag.encoded().clone().execute::<PrimitiveArray>(ctx)?;
    let packed = bitpack_encode(&unsigned, bits, None, ctx)?;
    Ok(ZigZag::try_new(packed.into_array())?.into_array())
}

fn runs(values: &PrimitiveArray, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
    let encoded = RunEnd::encode(values.clone().into_array(), ctx)?;
    let (ends, values) = (PACKED.compress(encoded.ends(), ctx)?, AUTO.compress(encoded.values(), ctx)?);
    Ok(RunEnd::try_new(ends, values, ctx)?.into_array())
}
