//! Decompression of text files, decided for each file by its name as Hadoop's codec factory does.
//!
//! A codec turns a stream of compressed bytes into a stream of plain bytes without ever holding the file. A file
//! that ends in the middle, or whose checksum is wrong, is an error that names the file: half of a file is never
//! given as the whole. Names of codecs that are not built in are refused, since reading their bytes as text would
//! give rows that nobody wrote.

use crate::error::{Error, ErrorKind, Result};
use async_compression::tokio::bufread::{BzDecoder, GzipDecoder, XzDecoder, ZstdDecoder};
use bytes::{Buf, Bytes, BytesMut};
use datafusion::error::{DataFusionError, Result as DfResult};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use std::io::Read;
use std::sync::Arc;
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

/// A stream of a file's bytes.
pub(crate) type ByteStream = BoxStream<'static, DfResult<Bytes>>;

/// How much is decompressed at a time, in bytes.
const OUTPUT_SIZE: usize = 256 * 1024;

/// The largest piece of a snappy file, in bytes; Hadoop writes 256 KB, the framing format 64 KB.
const MAX_SNAPPY_PIECE: usize = 64 * 1024 * 1024;

/// What the framing format of snappy begins with.
const SNAPPY_IDENTIFIER: &[u8] = b"\xff\x06\x00\x00sNaPpY";

/// How the bytes of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not at all.
    Plain,
    /// `.gz`, `.gzip`; several members are one file.
    Gzip,
    /// `.bz2`; several streams are one file.
    Bzip2,
    /// `.zst`, `.zstd`; several frames are one file.
    Zstd,
    /// `.xz`
    Xz,
    /// `.snappy` (Hadoop's block framing) and `.sz` (snappy's own framing): which of them, the first bytes tell.
    Snappy,
    /// `.deflate`: zlib's format, which Hadoop's default codec writes.
    Deflate,
    /// `.zip`, an archive of one file.
    Zip,
}

impl Codec {
    /// The codec that a file's name stands for. Names of codecs that are not built in are [`ErrorKind::Unsupported`].
    pub fn of(location: &Path) -> Result<Self> {
        let Some(extension) = location.extension() else { return Ok(Self::Plain) };
        Ok(match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Self::Gzip,
            "bz2" => Self::Bzip2,
            "zst" | "zstd" => Self::Zstd,
            "xz" => Self::Xz,
            "snappy" | "sz" => Self::Snappy,
            "deflate" => Self::Deflate,
            "zip" => Self::Zip,
            other @ ("lz4" | "lzo" | "br" | "7z" | "tar" | "tgz" | "rar") => {
                return Err(Error::unsupported(format_args!("compression \"{other}\" of a text file"))
                    .with_detail(format!("file \"{location}\""))
                    .with_hint("supported are gzip, bzip2, zstd, xz, snappy, deflate and zip"));
            }
            _ => Self::Plain,
        })
    }

    /// Whether the file can only be read from its start.
    pub fn is_compressed(self) -> bool {
        self != Self::Plain
    }

    /// The name that messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "none",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Snappy => "snappy",
            Self::Deflate => "deflate",
            Self::Zip => "zip",
        }
    }
}

/// The plain bytes of a file: `input` are its compressed bytes, `url` is what errors call it.
pub(crate) fn decompress(input: ByteStream, codec: Codec, url: &Arc<str>) -> ByteStream {
    match codec {
        Codec::Plain => input,
        Codec::Gzip => {
            let mut decoder = GzipDecoder::new(reader(input));
            decoder.multiple_members(true);
            output(decoder, codec, url)
        }
        Codec::Bzip2 => {
            let mut decoder = BzDecoder::new(reader(input));
            decoder.multiple_members(true);
            output(decoder, codec, url)
        }
        Codec::Zstd => {
            let mut decoder = ZstdDecoder::new(reader(input));
            decoder.multiple_members(true);
            output(decoder, codec, url)
        }
        Codec::Xz => {
            let mut decoder = XzDecoder::new(reader(input));
            decoder.multiple_members(true);
            output(decoder, codec, url)
        }
        Codec::Deflate => super::inflate::zlib(input, url),
        Codec::Zip => super::zip::unzip(input, url),
        Codec::Snappy => {
            let frames = SnappyFrames { input, buffer: BytesMut::new(), framing: None, left: 0, url: Arc::clone(url) };
            futures::stream::try_unfold(frames, |mut frames| async move {
                Ok(frames.next().await?.map(|piece| (piece, frames)))
            })
            .boxed()
        }
    }
}

/// Errors of the store travel through the decoder inside an [`std::io::Error`], to be told from its own.
fn reader(input: ByteStream) -> impl tokio::io::AsyncBufRead + Send + Unpin + 'static {
    StreamReader::new(input.map_err(std::io::Error::other))
}

fn output(decoder: impl AsyncRead + Send + 'static, codec: Codec, url: &Arc<str>) -> ByteStream {
    let url = Arc::clone(url);
    ReaderStream::with_capacity(decoder, OUTPUT_SIZE)
        .map_err(move |error| match error.downcast::<DataFusionError>() {
            Ok(of_the_store) => of_the_store,
            Err(of_the_codec) => damaged(&url, codec, &of_the_codec.to_string()),
        })
        .boxed()
}

pub(super) fn damaged(url: &str, codec: Codec, why: &str) -> DataFusionError {
    let message = format!("file \"{url}\" is truncated or damaged ({})", codec.name());
    DataFusionError::External(Box::new(Error::new(ErrorKind::BadFile, message).with_detail(why)))
}

/// Which of the two containers of snappy a file uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SnappyFraming {
    /// Blocks of a plain length and pieces, each a length and raw snappy; numbers are big-endian.
    Hadoop,
    /// The framing format of snappy's own specification, with checksums.
    Framed,
}

struct SnappyFrames {
    input: ByteStream,
    buffer: BytesMut,
    framing: Option<SnappyFraming>,
    /// Plain bytes that the current Hadoop block still has to give.
    left: usize,
    url: Arc<str>,
}

impl SnappyFrames {
    async fn next(&mut self) -> DfResult<Option<Bytes>> {
        loop {
            if let Some(piece) = self.take()? {
                return Ok(Some(piece));
            }
            match self.input.try_next().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() && self.left == 0 => return Ok(None),
                None => return Err(self.damaged("the file ends within a block")),
            }
        }
    }

    fn damaged(&self, why: &str) -> DataFusionError {
        damaged(&self.url, Codec::Snappy, why)
    }

    /// The next piece that the buffer holds whole.
    fn take(&mut self) -> DfResult<Option<Bytes>> {
        let framing = match self.framing {
            Some(framing) => framing,
            None if self.buffer.len() < 4 => return Ok(None),
            // A Hadoop block of that length would be over 4 GB.
            None if self.buffer.starts_with(&SNAPPY_IDENTIFIER[..4]) => SnappyFraming::Framed,
            None => SnappyFraming::Hadoop,
        };
        self.framing = Some(framing);
        match framing {
            SnappyFraming::Hadoop => self.take_hadoop(),
            SnappyFraming::Framed => self.take_framed(),
        }
    }

    fn take_hadoop(&mut self) -> DfResult<Option<Bytes>> {
        while self.left == 0 {
            let Some(length) = self.buffer.first_chunk::<4>() else { return Ok(None) };
            self.left = u32::from_be_bytes(*length) as usize;
            self.buffer.advance(4);
        }
        let Some(length) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_SNAPPY_PIECE {
            return Err(self.damaged("a block has an impossible length"));
        }
        let Some(piece) = self.buffer.get(4..4 + length) else { return Ok(None) };
        let fits = snap::raw::decompress_len(piece).is_ok_and(|plain| plain <= self.left.min(MAX_SNAPPY_PIECE));
        if !fits {
            return Err(self.damaged("a block has an impossible length"));
        }
        let plain = snap::raw::Decoder::new().decompress_vec(piece).map_err(|e| self.damaged(&e.to_string()))?;
        self.buffer.advance(4 + length);
        self.left -= plain.len();
        Ok(Some(plain.into()))
    }

    fn take_framed(&mut self) -> DfResult<Option<Bytes>> {
        loop {
            let Some(&[kind, low, middle, high]) = self.buffer.first_chunk::<4>() else { return Ok(None) };
            let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
            let Some(chunk) = self.buffer.get(..4 + length) else { return Ok(None) };
            match kind {
                0x00 | 0x01 => {
                    // The decoder of the crate checks the sum; it wants the identifier before each stream.
                    let mut plain = Vec::new();
                    snap::read::FrameDecoder::new(Read::chain(SNAPPY_IDENTIFIER, chunk))
                        .read_to_end(&mut plain)
                        .map_err(|e| self.damaged(&e.to_string()))?;
                    self.buffer.advance(4 + length);
                    return Ok(Some(plain.into()));
                }
                // Padding, chunks that may be skipped, and a further identifier.
                0x80..=0xff => self.buffer.advance(4 + length),
                _ => return Err(self.damaged("a chunk of an unknown kind")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    /// Bytes that arrive in pieces of `size`.
    fn in_pieces(bytes: &[u8], size: usize) -> ByteStream {
        let pieces: Vec<_> = bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        futures::stream::iter(pieces).boxed()
    }

    async fn plain(bytes: &[u8], codec: Codec, size: usize) -> DfResult<Vec<u8>> {
        let pieces: Vec<Bytes> = decompress(in_pieces(bytes, size), codec, &"s3://b/f".into()).try_collect().await?;
        Ok(pieces.concat())
    }

    #[test]
    fn the_name_decides() {
        for (name, codec) in [
            ("a/b.csv", Codec::Plain),
            ("a/b", Codec::Plain),
            ("a/b.csv.GZ", Codec::Gzip),
            ("b.bz2", Codec::Bzip2),
            ("b.json.zstd", Codec::Zstd),
            ("b.snappy", Codec::Snappy),
            ("b.sz", Codec::Snappy),
            ("b.xz", Codec::Xz),
            ("b.deflate", Codec::Deflate),
            ("b.CSV.ZIP", Codec::Zip),
        ] {
            assert_eq!(Codec::of(&Path::from(name)).unwrap(), codec, "{name}");
        }
        assert_eq!(Codec::of(&Path::from("b.lzo")).unwrap_err().kind, ErrorKind::Unsupported);
    }

    /// The layout of Hadoop's BlockCompressorStream: a block of two pieces, then a block of one.
    #[tokio::test]
    async fn hadoop_snappy() {
        let mut file = Vec::new();
        for pieces in [vec![&b"hello "[..], b"wide "], vec![&b"world"[..]]] {
            let length: usize = pieces.iter().map(|piece| piece.len()).sum();
            file.extend_from_slice(&(length as u32).to_be_bytes());
            for piece in pieces {
                let raw = snap::raw::Encoder::new().compress_vec(piece).unwrap();
                file.extend_from_slice(&(raw.len() as u32).to_be_bytes());
                file.extend_from_slice(&raw);
            }
        }
        for size in [1, 3, 1000] {
            assert_eq!(plain(&file, Codec::Snappy, size).await.unwrap(), b"hello wide world");
        }
        let error = plain(&file[..file.len() - 2], Codec::Snappy, 1000).await.unwrap_err();
        assert!(error.to_string().contains("file \"s3://b/f\" is truncated or damaged (snappy)"), "{error}");
    }

    #[tokio::test]
    async fn framed_snappy() {
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        let text = b"0123456789".repeat(20_000);
        encoder.write_all(&text).unwrap();
        let mut file = encoder.into_inner().unwrap();
        for size in [7, 100_000] {
            assert_eq!(plain(&file, Codec::Snappy, size).await.unwrap(), text);
        }
        let last = file.len() - 1;
        file[last] ^= 1;
        assert!(plain(&file, Codec::Snappy, 100_000).await.is_err());
    }
}
