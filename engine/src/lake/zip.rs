//! Zip archives (APPNOTE 6.3) of one file, read from the front as a stream.
//!
//! The local header before the data says all that is needed; the central directory at the archive's end is only looked
//! at for its signature. Folders' entries are passed over. Archives of several files, encrypted ones, and methods
//! other than "stored" and "deflated" are refused by name.

use super::decompress::{ByteStream, Codec, damaged};
use super::inflate::{Inflate, fill};
use crate::error::Error;
use bytes::{Buf, Bytes, BytesMut};
use datafusion::error::{DataFusionError, Result as DfResult};
use flate2::Crc;
use futures::StreamExt;
use std::sync::Arc;

/// A local file header without its name and extra field, in bytes.
const HEADER_SIZE: usize = 30;

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
/// The end of a central directory: an archive without a file begins with it.
const END_OF_DIRECTORY: &[u8] = b"PK\x05\x06";

/// The longest data descriptor with the signature that follows it, in bytes.
const MAX_DESCRIPTOR_SIZE: usize = 28;

/// Bits of a header's flags.
const ENCRYPTED: u16 = 1;
const SIZES_FOLLOW: u16 = 1 << 3;
const STRONGLY_ENCRYPTED: u16 = 1 << 6;
const HEADERS_ENCRYPTED: u16 = 1 << 13;

/// The plain bytes of an archive's file.
pub(super) fn unzip(input: ByteStream, url: &Arc<str>) -> ByteStream {
    let archive = Archive { input, buffer: BytesMut::new(), url: Arc::clone(url), state: State::Header, files: 0 };
    futures::stream::try_unfold(archive, |mut archive| async move {
        Ok(archive.next().await?.map(|plain| (plain, archive)))
    })
    .boxed()
}

struct Archive {
    input: ByteStream,
    buffer: BytesMut,
    url: Arc<str>,
    state: State,
    /// Entries so far that are no folders.
    files: usize,
}

enum State {
    /// At a signature.
    Header,
    /// In the data of a file.
    Data(Box<Entry>),
    /// Behind the files.
    Done,
}

/// A file, as its local header describes it.
struct Entry {
    data: Data,
    crc: Crc,
    expected_crc: u32,
    /// Its plain size; `None` when it follows the data.
    expected_size: Option<u64>,
    size: u64,
}

enum Data {
    Stored { left: u64 },
    Deflated(Inflate),
}

impl Archive {
    async fn next(&mut self) -> DfResult<Option<Bytes>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(None),
                State::Header => self.header().await?,
                State::Data(mut entry) => {
                    let plain = match &mut entry.data {
                        Data::Stored { left } => {
                            let length = self.buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                            *left -= length as u64;
                            self.buffer.split_to(length).freeze()
                        }
                        Data::Deflated(inflate) => {
                            inflate.next(&mut self.buffer).map_err(|why| damaged(&self.url, Codec::Zip, &why))?
                        }
                    };
                    let ended = match &entry.data {
                        Data::Stored { left } => *left == 0,
                        Data::Deflated(inflate) => inflate.is_done(),
                    };
                    entry.crc.update(&plain);
                    entry.size += plain.len() as u64;
                    if plain.is_empty() && ended {
                        self.check(&entry).await?;
                        self.state = State::Header;
                    } else if plain.is_empty() {
                        self.more().await?;
                        self.state = State::Data(entry);
                    } else {
                        self.state = State::Data(entry);
                        return Ok(Some(plain));
                    }
                }
            }
        }
    }

    async fn more(&mut self) -> DfResult<()> {
        if fill(&mut self.input, &mut self.buffer).await? {
            Ok(())
        } else {
            Err(self.damaged("the file ends too early"))
        }
    }

    fn damaged(&self, why: &str) -> DataFusionError {
        damaged(&self.url, Codec::Zip, why)
    }

    fn unsupported(&self, what: &str) -> DataFusionError {
        let error = Error::unsupported(what).with_detail(format!("file \"{}\"", self.url));
        DataFusionError::External(Box::new(error))
    }

    /// Reads what stands where an entry may begin.
    async fn header(&mut self) -> DfResult<()> {
        while self.buffer.len() < 4 {
            self.more().await?;
        }
        match &self.buffer[..4] {
            LOCAL_HEADER => {}
            CENTRAL_HEADER | END_OF_DIRECTORY => return Ok(()),
            _ => return Err(self.damaged("it is no zip archive")),
        }
        while self.buffer.len() < HEADER_SIZE {
            self.more().await?;
        }
        let name_length = usize::from(u16_at(&self.buffer, 26));
        let length = HEADER_SIZE + name_length + usize::from(u16_at(&self.buffer, 28));
        while self.buffer.len() < length {
            self.more().await?;
        }
        let header = self.buffer.split_to(length);
        let (name, extra) = header[HEADER_SIZE..].split_at(name_length);
        let (flags, method) = (u16_at(&header, 6), u16_at(&header, 8));
        if flags & (ENCRYPTED | STRONGLY_ENCRYPTED | HEADERS_ENCRYPTED) != 0 {
            return Err(self.unsupported("an encrypted zip archive"));
        }
        let (mut packed, mut size) = (u64::from(u32_at(&header, 18)), u64::from(u32_at(&header, 22)));
        if packed == u64::from(u32::MAX) || size == u64::from(u32::MAX) {
            (packed, size) = self.zip64_sizes(extra, packed, size)?;
        }
        let follow = flags & SIZES_FOLLOW != 0;
        if name.ends_with(b"/") && packed == 0 && !follow {
            self.state = State::Header;
            return Ok(());
        }
        self.files += 1;
        if self.files > 1 {
            return Err(self.unsupported("a zip archive of several files"));
        }
        let data = match method {
            0 if follow => return Err(self.unsupported("a zip archive whose stored file does not say its size")),
            0 => Data::Stored { left: packed },
            8 => Data::Deflated(Inflate::new(false)),
            other => return Err(self.unsupported(&format!("compression method {other} of a zip archive"))),
        };
        let expected_size = (!follow).then_some(size);
        let expected_crc = u32_at(&header, 14);
        self.state = State::Data(Box::new(Entry { data, crc: Crc::new(), expected_crc, expected_size, size: 0 }));
        Ok(())
    }

    /// The packed and the plain size from the extra field of an archive beyond 4 GB.
    fn zip64_sizes(&self, extra: &[u8], packed: u64, size: u64) -> DfResult<(u64, u64)> {
        let mut rest = extra;
        while rest.len() >= 4 {
            let (kind, length) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
            let field = rest.get(4..4 + length).ok_or_else(|| self.damaged("a header's extra field is cut"))?;
            rest = &rest[4 + length..];
            if kind != 1 {
                continue;
            }
            // Only what is too large for the header stands here, the plain size first.
            let mut values = field.chunks_exact(8).map(|value| u64_at(value, 0));
            let mut real = |value: u64| if value == u64::from(u32::MAX) { values.next() } else { Some(value) };
            let (size, packed) = (real(size), real(packed));
            return packed.zip(size).ok_or_else(|| self.damaged("a header's extra field is cut"));
        }
        Err(self.damaged("a header lacks the sizes"))
    }

    /// Compares the checksum and the size with those of the header, or of the descriptor that follows the data.
    async fn check(&mut self, entry: &Entry) -> DfResult<()> {
        let found = (entry.crc.sum(), entry.size);
        let expected = match entry.expected_size {
            Some(size) => (entry.expected_crc, size),
            None => self.descriptor().await?,
        };
        if found == expected { Ok(()) } else { Err(self.damaged("the checksum or the size is wrong")) }
    }

    /// The checksum and plain size that follow the data. Whether they have a signature and how wide the sizes are is
    /// not said: what comes next tells.
    async fn descriptor(&mut self) -> DfResult<(u32, u64)> {
        while self.buffer.len() < MAX_DESCRIPTOR_SIZE && fill(&mut self.input, &mut self.buffer).await? {}
        for signature in [4, 0] {
            if signature == 4 && !self.buffer.starts_with(DESCRIPTOR) {
                continue;
            }
            for width in [4, 8] {
                let length = signature + 4 + 2 * width;
                let next = self.buffer.get(length..length + 4);
                if next.is_some_and(|next| matches!(next, CENTRAL_HEADER | LOCAL_HEADER)) {
                    let sum = u32_at(&self.buffer, signature);
                    let at = signature + 4 + width;
                    let size = if width == 4 { u64::from(u32_at(&self.buffer, at)) } else { u64_at(&self.buffer, at) };
                    self.buffer.advance(length);
                    return Ok((sum, size));
                }
            }
        }
        Err(self.damaged("the sizes behind the data are missing"))
    }
}

/// Little-endian numbers; 0 beyond the end.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |number| u16::from_le_bytes(*number))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |number| u32::from_le_bytes(*number))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |number| u64::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::ErrorKind;
    use futures::TryStreamExt;

    /// Archives of Python's zipfile.
    const STORED: &[u8] =
        b"\x50\x4b\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x21\x58\x5e\xd0\x90\x95\x30\x00\x00\x00\x30\x00\
          \x00\x00\x05\x00\x00\x00\x61\x2e\x63\x73\x76\x31\x2c\x61\x6e\x6e\x0a\x32\x2c\x62\x6f\x62\x0a\x31\
          \x2c\x61\x6e\x6e\x0a\x32\x2c\x62\x6f\x62\x0a\x31\x2c\x61\x6e\x6e\x0a\x32\x2c\x62\x6f\x62\x0a\x31\
          \x2c\x61\x6e\x6e\x0a\x32\x2c\x62\x6f\x62\x0a\x50\x4b\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\
          \x00\x21\x58\x5e\xd0\x90\x95\x30\x00\x00\x00\x30\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\
          \x00\x00\x00\x80\x01\x00\x00\x00\x00\x61\x2e\x63\x73\x76\x50\x4b\x05\x06\x00\x00\x00\x00\x01\x00\
          \x01\x00\x33\x00\x00\x00\x53\x00\x00\x00\x00\x00";
    const DEFLATED: &[u8] =
        b"\x50\x4b\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x21\x58\x5e\xd0\x90\x95\x11\x00\x00\x00\x30\x00\
          \x00\x00\x05\x00\x00\x00\x61\x2e\x63\x73\x76\x33\xd4\x49\xcc\xcb\xe3\x32\xd2\x49\xca\x4f\xe2\x32\
          \x24\x82\x0d\x00\x50\x4b\x01\x02\x14\x03\x14\x00\x00\x00\x08\x00\x00\x00\x21\x58\x5e\xd0\x90\x95\
          \x11\x00\x00\x00\x30\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\
          \x00\x00\x61\x2e\x63\x73\x76\x50\x4b\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x33\x00\x00\x00\x34\
          \x00\x00\x00\x00\x00";
    const STREAMED: &[u8] =
        b"\x50\x4b\x03\x04\x14\x00\x08\x00\x08\x00\x00\x00\x21\x58\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
          \x00\x00\x05\x00\x00\x00\x61\x2e\x63\x73\x76\x33\xd4\x49\xcc\xcb\xe3\x32\xd2\x49\xca\x4f\xe2\x32\
          \x24\x82\x0d\x00\x50\x4b\x07\x08\x5e\xd0\x90\x95\x11\x00\x00\x00\x30\x00\x00\x00\x50\x4b\x01\x02\
          \x14\x03\x14\x00\x08\x00\x08\x00\x00\x00\x21\x58\x5e\xd0\x90\x95\x11\x00\x00\x00\x30\x00\x00\x00\
          \x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00\x61\x2e\x63\x73\x76\x50\
          \x4b\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x33\x00\x00\x00\x44\x00\x00\x00\x00\x00";
    const IN_FOLDER: &[u8] =
        b"\x50\x4b\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x21\x58\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
          \x00\x00\x02\x00\x00\x00\x64\x2f\x50\x4b\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x21\x58\x5e\xd0\
          \x90\x95\x11\x00\x00\x00\x30\x00\x00\x00\x07\x00\x00\x00\x64\x2f\x61\x2e\x63\x73\x76\x33\xd4\x49\
          \xcc\xcb\xe3\x32\xd2\x49\xca\x4f\xe2\x32\x24\x82\x0d\x00\x50\x4b\x01\x02\x14\x03\x14\x00\x00\x00\
          \x00\x00\x00\x00\x21\x58\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\
          \x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00\x64\x2f\x50\x4b\x01\x02\x14\x03\x14\x00\x00\x00\
          \x08\x00\x00\x00\x21\x58\x5e\xd0\x90\x95\x11\x00\x00\x00\x30\x00\x00\x00\x07\x00\x00\x00\x00\x00\
          \x00\x00\x00\x00\x00\x00\x80\x01\x20\x00\x00\x00\x64\x2f\x61\x2e\x63\x73\x76\x50\x4b\x05\x06\x00\
          \x00\x00\x00\x02\x00\x02\x00\x65\x00\x00\x00\x56\x00\x00\x00\x00\x00";
    const EMPTY: &[u8] = b"\x50\x4b\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    const TWO_FILES: &[u8] =
        b"\x50\x4b\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x21\x58\xb7\xef\xdc\x83\x01\x00\x00\x00\x01\x00\
          \x00\x00\x01\x00\x00\x00\x61\x31\x50\x4b\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x21\x58\x0d\xbe\
          \xd5\x1a\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x62\x32\x50\x4b\x01\x02\x14\x03\x14\x00\
          \x00\x00\x00\x00\x00\x00\x21\x58\xb7\xef\xdc\x83\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\
          \x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00\x61\x50\x4b\x01\x02\x14\x03\x14\x00\x00\
          \x00\x00\x00\x00\x00\x21\x58\x0d\xbe\xd5\x1a\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\
          \x00\x00\x00\x00\x00\x00\x00\x80\x01\x20\x00\x00\x00\x62\x50\x4b\x05\x06\x00\x00\x00\x00\x02\x00\
          \x02\x00\x5e\x00\x00\x00\x40\x00\x00\x00\x00\x00";
    const BZIP2: &[u8] =
        b"\x50\x4b\x03\x04\x2e\x00\x00\x00\x0c\x00\x00\x00\x21\x58\xb7\xef\xdc\x83\x25\x00\x00\x00\x01\x00\
          \x00\x00\x01\x00\x00\x00\x61\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x61\x04\x30\x6c\x00\x00\x00\
          \x08\x00\x20\x00\x20\x00\x21\x18\x46\x82\xee\x48\xa7\x0a\x12\x0c\x20\x86\x0d\x80\x50\x4b\x01\x02\
          \x2e\x03\x2e\x00\x00\x00\x0c\x00\x00\x00\x21\x58\xb7\xef\xdc\x83\x25\x00\x00\x00\x01\x00\x00\x00\
          \x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00\x61\x50\x4b\x05\x06\x00\
          \x00\x00\x00\x01\x00\x01\x00\x2f\x00\x00\x00\x44\x00\x00\x00\x00\x00";

    async fn plain(bytes: &[u8], size: usize) -> Result<Vec<u8>, Error> {
        let pieces: Vec<_> = bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let plain = unzip(futures::stream::iter(pieces).boxed(), &"s3://b/a.zip".into()).try_collect::<Vec<_>>().await;
        match plain {
            Ok(pieces) => Ok(pieces.concat()),
            Err(DataFusionError::External(error)) => Err(*error.downcast::<Error>().unwrap()),
            Err(other) => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn one_file() {
        for archive in [STORED, DEFLATED, STREAMED, IN_FOLDER] {
            for size in [1, 7, 10_000] {
                assert_eq!(plain(archive, size).await.unwrap(), b"1,ann\n2,bob\n".repeat(4), "{size}");
            }
            let directory = archive.windows(4).position(|four| four == CENTRAL_HEADER).unwrap();
            for cut in [10, 40, directory - 1] {
                assert_eq!(plain(&archive[..cut], 100).await.unwrap_err().kind, ErrorKind::BadFile, "{cut}");
            }
        }
        assert_eq!(plain(EMPTY, 100).await.unwrap(), b"");
        let mut wrong = STORED.to_vec();
        let text = wrong.windows(3).position(|three| three == b"ann").unwrap();
        wrong[text] = b'A';
        assert_eq!(plain(&wrong, 100).await.unwrap_err().kind, ErrorKind::BadFile);
        assert_eq!(plain(b"1,ann\n", 100).await.unwrap_err().kind, ErrorKind::BadFile);
    }

    #[tokio::test]
    async fn refused_by_name() {
        let encrypted = {
            let mut archive = STORED.to_vec();
            archive[6] |= 1;
            archive
        };
        for (archive, what) in [
            (TWO_FILES, "a zip archive of several files"),
            (BZIP2, "compression method 12 of a zip archive"),
            (&encrypted, "an encrypted zip archive"),
        ] {
            let error = plain(archive, 100).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported);
            assert!(error.message.contains(what), "{error}");
        }
    }
}
