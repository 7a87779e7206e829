//! The nearest encoding of Parquet.
//!
//! Parquet has fewer than Redshift, and every program that reads DuckLake tables must know them: so it is
//! `DELTA_BINARY_PACKED` for all that packs integers, and a dictionary for all that finds repetition.

use super::kind::Encoding;
use arrow::datatypes::DataType;
use parquet::basic::{Compression, Encoding as ParquetEncoding, ZstdLevel};
use parquet::errors::Result;
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::schema::types::ColumnPath;

/// The most digits that Parquet's writer keeps in an integer.
const INTEGER_DIGITS: u8 = 18;

/// Writes a column as its encoding says.
pub(in crate::tables) fn column_properties(
    builder: WriterPropertiesBuilder,
    column: &ColumnPath,
    encoding: Encoding,
    data_type: &DataType,
) -> Result<WriterPropertiesBuilder> {
    let dictionary =
        matches!(encoding, Encoding::ByteDict | Encoding::RunLength | Encoding::Text255 | Encoding::Text32k);
    let packed = is_integer(data_type)
        && matches!(
            encoding,
            Encoding::Az64
                | Encoding::Delta
                | Encoding::Delta32k
                | Encoding::Mostly8
                | Encoding::Mostly16
                | Encoding::Mostly32
        );
    let compression = match encoding {
        Encoding::Lzo => Compression::LZ4_RAW,
        Encoding::Zstd => Compression::ZSTD(ZstdLevel::try_new(3)?),
        Encoding::Text255 | Encoding::Text32k => Compression::ZSTD(ZstdLevel::try_new(1)?),
        _ => Compression::UNCOMPRESSED,
    };
    let mut builder = builder
        .set_column_dictionary_enabled(column.clone(), dictionary)
        .set_column_compression(column.clone(), compression);
    if !dictionary {
        let plain = if packed { ParquetEncoding::DELTA_BINARY_PACKED } else { ParquetEncoding::PLAIN };
        builder = builder.set_column_encoding(column.clone(), plain);
    }
    Ok(builder)
}

/// Whether values are integers of 32 or 64 bits in a file.
fn is_integer(data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal128(digits, _) => *digits <= INTEGER_DIGITS,
        DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Date32
        | DataType::Time64(_)
        | DataType::Timestamp(..) => true,
        _ => false,
    }
}
