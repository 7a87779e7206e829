//! Cutting a stream of bytes into blocks of whole records.
//!
//! Invariants: a block begins with a record and ends with one; the blocks of a range are the records that begin in
//! it, each once; the first line of a file is line 1, header or not.

use super::bytes::{LOOK_AHEAD, open_range, open_whole};
use super::source::RecordFormat;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::decompress::{ByteStream, Codec, decompress};
use bytes::Bytes;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::physical_plan::metrics::Count;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

/// How large a block is when records are small, in bytes: it fits the processor's cache, and holds some thousand rows.
const BLOCK_SIZE: usize = 1024 * 1024;

/// The longest record, in bytes. Offsets in a block are 32 bits wide with one bit to spare.
const MAX_RECORD_SIZE: usize = 64 * 1024 * 1024;

/// What UTF-8 files of some programs begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whole records, one after another.
#[derive(Debug)]
pub struct Block {
    /// The records with their terminators; the last of a file may lack it.
    pub bytes: Vec<u8>,
    /// Where the block begins in the plain file, in bytes.
    pub offset: u64,
    /// How many lines stand before it; `None` where the file was not read from its start.
    pub lines_before: Option<u64>,
}

/// Something in a block that cannot be made into a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    /// Where the record begins in the block, in bytes.
    pub at: usize,
    /// Where in the record the fault is, in characters from 1, where that is known.
    pub character: Option<usize>,
    /// What is wrong, without the place.
    pub error: Error,
}

impl RecordError {
    /// The error with its place as the detail: the file, and the line or the offset.
    pub(super) fn placed(self, block: &Block, url: &str) -> Error {
        let before = &block.bytes[..self.at.min(block.bytes.len())];
        let mut place = match block.lines_before {
            Some(lines) => format!("file \"{url}\", line {}", lines + count_lines(before) + 1),
            None => format!("file \"{url}\", byte offset {}", block.offset + self.at as u64),
        };
        if let Some(character) = self.character {
            let _ = write!(place, ", character {character}");
        }
        let detail = match &self.error.detail {
            Some(detail) => format!("{place}: {detail}"),
            None => place,
        };
        self.error.with_detail(detail)
    }
}

/// The number of line feeds.
pub(crate) fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// What of which file to read.
pub(super) struct Reading {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) location: Path,
    /// The file's size as listed.
    pub(super) size: u64,
    /// A part of a plain file; `None` for all of it.
    pub(super) range: Option<Range<u64>>,
    pub(super) codec: Codec,
    /// What errors call the file.
    pub(super) url: Arc<str>,
    pub(super) scanned: Count,
}

/// Gives the blocks of a file or range.
pub(super) struct BlockReader<F> {
    format: F,
    url: Arc<str>,
    input: ByteStream,
    /// What arrived and is not in the buffer yet.
    pending: Bytes,
    buffer: Vec<u8>,
    /// Where the buffer begins in the plain file.
    offset: u64,
    lines_before: Option<u64>,
    /// Records that begin here or later are not ours.
    end: Option<u64>,
    /// Lines that are still to be passed over: the header, or the rest of a record that began before the range.
    skip_lines: usize,
    started: bool,
    eof: bool,
    done: bool,
}

impl<F: RecordFormat> BlockReader<F> {
    /// Opens the file.
    pub(super) async fn open(format: F, reading: Reading) -> DfResult<Self> {
        let Reading { store, location, size, range, codec, url, scanned } = reading;
        let start = range.as_ref().map_or(0, |range| range.start);
        // The byte before the range tells whether a record begins with it.
        let offset = start.saturating_sub(1);
        let end = range.as_ref().filter(|range| range.end < size).map(|range| range.end);
        let empty = size == 0 || range.as_ref().is_some_and(|range| range.is_empty() || range.start >= size);
        let input = match range {
            _ if empty => Box::pin(futures::stream::empty()),
            Some(range) => open_range(&store, &location, offset..range.end, size, scanned).await?,
            None => format.records(decompress(open_whole(&store, &location, scanned).await?, codec, &url), &url),
        };
        Ok(Self {
            skip_lines: if start == 0 { format.header_lines() } else { 1 },
            lines_before: (start == 0).then_some(0),
            format,
            url,
            input,
            pending: Bytes::new(),
            buffer: Vec::new(),
            offset,
            end,
            started: start > 0,
            eof: false,
            done: empty,
        })
    }

    /// The next block; `None` at the end.
    pub(super) async fn next(&mut self) -> DfResult<Option<Block>> {
        // Behind a range no more is read at first than came with its request.
        let mut want = match self.end {
            Some(end) => BLOCK_SIZE.min((end.saturating_sub(self.offset) + LOOK_AHEAD) as usize),
            None => BLOCK_SIZE,
        };
        while !self.done {
            self.fill(want).await?;
            self.check_start()?;
            if self.at_record() {
                if self.end.is_some_and(|end| self.offset >= end) {
                    self.done = true;
                } else if let Some(cut) = self.cut() {
                    return Ok(Some(self.take(cut)));
                } else if !self.eof {
                    want = self.buffer.len().max(BLOCK_SIZE / 2) * 2;
                    self.check_length()?;
                }
            }
            if self.eof {
                self.done = true;
            }
        }
        Ok(None)
    }

    async fn fill(&mut self, want: usize) -> DfResult<()> {
        self.buffer.reserve(want.saturating_sub(self.buffer.len()));
        while self.buffer.len() < want && !self.eof {
            if self.pending.is_empty() {
                match self.input.try_next().await? {
                    Some(chunk) => self.pending = chunk,
                    None => self.eof = true,
                }
            }
            let part = self.pending.split_to(self.pending.len().min(want - self.buffer.len()));
            self.buffer.extend_from_slice(&part);
        }
        Ok(())
    }

    /// Passes over a byte order mark, and refuses the encodings that show themselves by one.
    fn check_start(&mut self) -> DfResult<()> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        if self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.drop_front(BYTE_ORDER_MARK.len());
        } else if self.buffer.starts_with(b"\xff\xfe") || self.buffer.starts_with(b"\xfe\xff") {
            let error = Error::unsupported("a text file in UTF-16").with_detail(format!("file \"{}\"", self.url));
            return Err(DataFusionError::External(Box::new(error)));
        }
        Ok(())
    }

    /// Brings the buffer to the start of a record of ours; false when it must be filled first.
    fn at_record(&mut self) -> bool {
        while self.skip_lines > 0 {
            let Some(end) = memchr::memchr(b'\n', &self.buffer) else {
                self.drop_front(self.buffer.len());
                return false;
            };
            self.drop_front(end + 1);
            self.skip_lines -= 1;
            self.lines_before = self.lines_before.map(|lines| lines + 1);
        }
        true
    }

    fn drop_front(&mut self, count: usize) {
        self.buffer.drain(..count);
        self.offset += count as u64;
    }

    /// Where the block at the buffer's start ends; `None` when it holds no whole record.
    fn cut(&mut self) -> Option<usize> {
        let keep = self.format.footer_lines();
        let cut = if !self.eof {
            self.format.last_record_end(&self.buffer, keep)?
        } else if keep == 0 {
            self.buffer.len()
        } else {
            let open = usize::from(self.buffer.last().is_some_and(|&last| last != b'\n'));
            self.format.last_record_end(&self.buffer, keep - open)?
        };
        (cut > 0).then(|| self.within_range(cut))
    }

    /// Cuts off the records that begin behind the range.
    fn within_range(&mut self, cut: usize) -> usize {
        let Some(end) = self.end.filter(|end| self.offset + cut as u64 > *end) else { return cut };
        self.done = true;
        let last = (end - 1 - self.offset) as usize;
        memchr::memchr(b'\n', &self.buffer[last..cut]).map_or(cut, |length| last + length + 1)
    }

    fn take(&mut self, cut: usize) -> Block {
        let rest = self.buffer.split_off(cut);
        let block = Block {
            bytes: std::mem::replace(&mut self.buffer, rest),
            offset: self.offset,
            lines_before: self.lines_before,
        };
        self.offset += cut as u64;
        self.lines_before = self.lines_before.map(|lines| lines + count_lines(&block.bytes));
        block
    }

    fn check_length(&self) -> DfResult<()> {
        if self.buffer.len() < MAX_RECORD_SIZE {
            return Ok(());
        }
        let record = RecordError {
            at: 0,
            character: None,
            error: Error::new(
                ErrorKind::LimitExceeded,
                format!("a record is longer than {} MB", MAX_RECORD_SIZE / (1024 * 1024)),
            ),
        };
        let block = Block { bytes: Vec::new(), offset: self.offset, lines_before: self.lines_before };
        Err(DataFusionError::External(Box::new(record.placed(&block, &self.url))))
    }
}

/// The first megabyte of a file, or all of a smaller one, as a block of whole records.
pub(crate) async fn head<F: RecordFormat>(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
    format: F,
) -> Result<Option<Block>> {
    let codec = Codec::of(&object.location)?;
    let range = (!codec.is_compressed() && format.splittable()).then(|| 0..object.size.min(BLOCK_SIZE as u64));
    let reading = Reading {
        store: Arc::clone(store),
        location: object.location.clone(),
        size: object.size,
        range,
        codec,
        url: object.location.as_ref().into(),
        scanned: Count::new(),
    };
    let next = async { BlockReader::open(format, reading).await?.next().await }.await;
    next.map_err(|error| match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::new(ErrorKind::BadFile, other.to_string()),
        },
        DataFusionError::ObjectStore(store) => store_error(&store),
        other => Error::new(ErrorKind::BadFile, other.to_string()),
    })
}

fn store_error(error: &object_store::Error) -> Error {
    let kind = match error {
        object_store::Error::NotFound { .. } => ErrorKind::UndefinedFile,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ErrorKind::InsufficientPrivilege
        }
        _ => ErrorKind::Connection,
    };
    Error::new(kind, error.to_string())
}
