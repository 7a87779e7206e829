//! Deflate (RFC 1951), bare or in zlib's format (RFC 1950), a piece at a time.

use super::decompress::{ByteStream, Codec, damaged};
use bytes::{Buf, Bytes, BytesMut};
use datafusion::error::Result as DfResult;
use flate2::{Decompress, FlushDecompress, Status};
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// How much is decompressed at a time, in bytes.
const OUTPUT_SIZE: usize = 256 * 1024;

/// One run of deflated data within a stream.
pub(super) struct Inflate {
    state: Decompress,
    done: bool,
}

impl Inflate {
    /// `zlib` when the data have that format's header and checksum.
    pub(super) fn new(zlib: bool) -> Self {
        Self { state: Decompress::new(zlib), done: false }
    }

    /// Whether the data have ended; what is left of the input comes after them.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Plain bytes from the front of `input`; none when more input is wanted, or at the end.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Bytes, String> {
        let mut output = Vec::with_capacity(OUTPUT_SIZE);
        while !self.done && output.len() < OUTPUT_SIZE {
            let (before_in, before_out) = (self.state.total_in(), output.len());
            let status = self
                .state
                .decompress_vec(input, &mut output, FlushDecompress::None)
                .map_err(|error| error.to_string())?;
            let taken = (self.state.total_in() - before_in) as usize;
            input.advance(taken);
            self.done = status == Status::StreamEnd;
            if taken == 0 && output.len() == before_out {
                break;
            }
        }
        Ok(output.into())
    }
}

/// The plain bytes of a file in zlib's format.
pub(super) fn zlib(input: ByteStream, url: &Arc<str>) -> ByteStream {
    let url = Arc::clone(url);
    let start = (input, BytesMut::new(), Inflate::new(true));
    futures::stream::try_unfold(start, move |(mut input, mut buffer, mut inflate)| {
        let url = Arc::clone(&url);
        async move {
            loop {
                let plain = inflate.next(&mut buffer).map_err(|why| damaged(&url, Codec::Deflate, &why))?;
                if !plain.is_empty() {
                    return Ok(Some((plain, (input, buffer, inflate))));
                }
                match fill(&mut input, &mut buffer).await? {
                    _ if inflate.is_done() && !buffer.is_empty() => {
                        return Err(damaged(&url, Codec::Deflate, "something follows the data"));
                    }
                    true => {}
                    false if inflate.is_done() => return Ok(None),
                    false => return Err(damaged(&url, Codec::Deflate, "the file ends within the data")),
                }
            }
        }
    })
    .boxed()
}

/// Adds what comes next to `buffer`; false at the end.
pub(super) async fn fill(input: &mut ByteStream, buffer: &mut BytesMut) -> DfResult<bool> {
    let Some(piece) = input.try_next().await? else { return Ok(false) };
    buffer.extend_from_slice(&piece);
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn plain(bytes: &'static [u8], size: usize) -> DfResult<Vec<u8>> {
        let pieces: Vec<_> = bytes.chunks(size).map(|piece| Ok(Bytes::from_static(piece))).collect();
        let input = futures::stream::iter(pieces).boxed();
        Ok(zlib(input, &"s3://b/f.deflate".into()).try_collect::<Vec<_>>().await?.concat())
    }

    /// Written by Python's `zlib.compress(b"hello wide world " * 3)`.
    #[tokio::test]
    async fn python_zlib() {
        const FILE: &[u8] = b"\x78\x9c\xcb\x48\xcd\xc9\xc9\x57\x28\xcf\x4c\x49\x55\x28\xcf\x2f\xca\x49\x51\xc8\x20\x28\x00\x00\xee\xca\x12\xd0";
        for size in [1, 5, 1000] {
            assert_eq!(plain(FILE, size).await.unwrap(), b"hello wide world ".repeat(3), "{size}");
        }
        let cut = plain(&FILE[..FILE.len() - 1], 1000).await.unwrap_err().to_string();
        assert!(cut.contains("file \"s3://b/f.deflate\" is truncated or damaged (deflate)"), "{cut}");
        assert!(plain(b"1,ann\n", 1000).await.is_err());
    }
}
