//! Compression: which codecs a format takes, and the byte-stream codecs of text files.
//!
//! Without another word files are compressed with gzip, as Athena's CTAS and INSERT do for Parquet, JSON and text.

use crate::error::{Error, ErrorKind, Result};
use async_compression::Level;
use async_compression::tokio::write::{BzEncoder, GzipEncoder, ZstdEncoder};
use millrace_catalog::model::Parameters;
use std::io;
use tokio::io::AsyncWriteExt;

/// How much one block of Hadoop's snappy framing holds before compression, in bytes: the codec's own default.
const SNAPPY_BLOCK_BYTES: usize = 256 * 1024;

/// zstd's level in Athena when none is given.
const DEFAULT_ZSTD_LEVEL: i32 = 3;

/// A codec, as Athena's `write_compression` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// `NONE`, `UNCOMPRESSED`
    None,
    /// `GZIP`
    #[default]
    Gzip,
    /// `SNAPPY`; in text files in the framing of Hadoop's codec
    Snappy,
    /// `ZSTD` with a level from 1 to 22
    Zstd(i32),
    /// `BZIP2`, text only
    Bzip2,
    /// `LZ4`, Parquet only
    Lz4,
}

impl Compression {
    /// A codec by its name, without regard to case; `level` is Athena's `compression_level`, for zstd only.
    pub fn parse(name: &str, level: Option<i32>) -> Result<Self> {
        let codec = match name.to_ascii_uppercase().as_str() {
            "NONE" | "UNCOMPRESSED" => Self::None,
            "GZIP" => Self::Gzip,
            "SNAPPY" => Self::Snappy,
            "ZSTD" => Self::Zstd(DEFAULT_ZSTD_LEVEL),
            "BZIP2" => Self::Bzip2,
            "LZ4" => Self::Lz4,
            "LZO" | "BROTLI" | "DEFLATE" | "ZLIB" => {
                return Err(Error::unsupported(format_args!("writing with {} compression", name.to_uppercase())));
            }
            _ => {
                return Err(Error::new(ErrorKind::InvalidParameter, format!("unrecognized compression \"{name}\""))
                    .with_hint("Available values: NONE, GZIP, SNAPPY, ZSTD, BZIP2, LZ4."));
            }
        };
        match (codec, level) {
            (codec, None) => Ok(codec),
            (Self::Zstd(_), Some(level)) if (1..=22).contains(&level) => Ok(Self::Zstd(level)),
            (Self::Zstd(_), Some(level)) => Err(Error::new(
                ErrorKind::InvalidParameter,
                format!("compression level {level} is out of range: 1 to 22 for ZSTD"),
            )),
            _ => Err(Error::new(ErrorKind::InvalidParameter, "a compression level is for ZSTD compression only")),
        }
    }

    /// The codec that a table's properties ask for: `write.compression` (or `write_compression`), else
    /// `parquet.compression` (also `parquet.compress`, `compression`), with `compression_level`; else the default.
    pub fn from_properties(properties: &Parameters) -> Result<Self> {
        let find = |name: &str| properties.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        let names =
            ["write.compression", "write_compression", "parquet.compression", "parquet.compress", "compression"];
        let Some(name) = names.into_iter().find_map(find) else { return Ok(Self::default()) };
        let level = ["compression_level", "compression.level"].into_iter().find_map(find);
        let level = level
            .map(|text| {
                text.trim().parse().map_err(|_| {
                    Error::new(ErrorKind::InvalidParameter, format!("invalid compression level \"{text}\""))
                })
            })
            .transpose()?;
        Self::parse(name, level)
    }

    /// What a text file's name ends in, with the dot; empty without compression. Readers go by it.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Snappy => ".snappy",
            Self::Zstd(_) => ".zst",
            Self::Bzip2 => ".bz2",
            Self::Lz4 => ".lz4",
        }
    }
}

/// Compresses a stream of bytes into memory.
pub(super) enum Compressor {
    Plain(Vec<u8>),
    Gzip(GzipEncoder<Vec<u8>>),
    Bzip2(BzEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<Vec<u8>>),
    Snappy { block: Vec<u8>, output: Vec<u8> },
}

impl Compressor {
    pub(super) fn new(compression: Compression) -> Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(Vec::new()),
            Compression::Gzip => Self::Gzip(GzipEncoder::new(Vec::new())),
            Compression::Bzip2 => Self::Bzip2(BzEncoder::new(Vec::new())),
            Compression::Zstd(level) => Self::Zstd(ZstdEncoder::with_quality(Vec::new(), Level::Precise(level))),
            Compression::Snappy => Self::Snappy { block: Vec::new(), output: Vec::new() },
            Compression::Lz4 => return Err(Error::unsupported("writing text files with LZ4 compression")),
        })
    }

    /// Whether it gives what it takes.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.extend_from_slice(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes).await?,
            Self::Bzip2(encoder) => encoder.write_all(bytes).await?,
            Self::Zstd(encoder) => encoder.write_all(bytes).await?,
            Self::Snappy { block, output } => {
                let mut bytes = bytes;
                while block.len() + bytes.len() >= SNAPPY_BLOCK_BYTES {
                    let (now, later) = bytes.split_at(SNAPPY_BLOCK_BYTES - block.len());
                    block.extend_from_slice(now);
                    write_snappy_block(block, output)?;
                    bytes = later;
                }
                block.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    /// Ends the stream; [`Compressor::take_output`] then has the rest of it.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.shutdown().await,
            Self::Bzip2(encoder) => encoder.shutdown().await,
            Self::Zstd(encoder) => encoder.shutdown().await,
            Self::Snappy { block, output } if !block.is_empty() => write_snappy_block(block, output),
            Self::Plain(_) | Self::Snappy { .. } => Ok(()),
        }
    }

    /// What was compressed since the last call.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(match self {
            Self::Plain(output) | Self::Snappy { output, .. } => output,
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Bzip2(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        })
    }
}

/// One block of Hadoop's framing: both lengths in big endian, then raw snappy.
fn write_snappy_block(block: &mut Vec<u8>, output: &mut Vec<u8>) -> io::Result<()> {
    let compressed = snap::raw::Encoder::new().compress_vec(block)?;
    output.extend_from_slice(&(block.len() as u32).to_be_bytes());
    output.extend_from_slice(&(compressed.len() as u32).to_be_bytes());
    output.extend_from_slice(&compressed);
    block.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_named_as_athena_names_them() {
        for (name, level, expected) in [
            ("gzip", None, Some(Compression::Gzip)),
            ("Uncompressed", None, Some(Compression::None)),
            ("ZSTD", None, Some(Compression::Zstd(3))),
            ("ZSTD", Some(22), Some(Compression::Zstd(22))),
            ("ZSTD", Some(23), None),
            ("GZIP", Some(3), None),
            ("LZO", None, None),
            ("rar", None, None),
        ] {
            assert_eq!(Compression::parse(name, level).ok(), expected, "{name} {level:?}");
        }
        let properties = Parameters::from([("Parquet.Compression".into(), "SNAPPY".into())]);
        assert_eq!(Compression::from_properties(&properties).ok(), Some(Compression::Snappy));
        assert_eq!(Compression::from_properties(&Parameters::new()).ok(), Some(Compression::Gzip));
    }

    #[tokio::test]
    async fn snappy_blocks_are_hadoops() -> Result<()> {
        let mut compressor = Compressor::new(Compression::Snappy)?;
        let text = vec![b'x'; SNAPPY_BLOCK_BYTES + 10];
        compressor.write(&text).await.map_err(|e| Error::internal(e.to_string()))?;
        compressor.finish().await.map_err(|e| Error::internal(e.to_string()))?;
        let output = compressor.take_output();
        let length =
            |at: usize| u32::from_be_bytes([output[at], output[at + 1], output[at + 2], output[at + 3]]) as usize;
        assert_eq!(length(0), SNAPPY_BLOCK_BYTES);
        let second = 8 + length(4);
        assert_eq!(length(second), 10);
        assert_eq!(output.len(), second + 8 + length(second + 4));
        Ok(())
    }
}
