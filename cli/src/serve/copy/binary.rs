//! Binary rows of COPY FROM STDIN as lines of the text format, which is what the engine reads.
//!
//! The form (PostgreSQL: "COPY", "Binary Format"): a header, rows of a count and of fields behind their lengths, and -1
//! for a count at the end. Fields may be cut anywhere between messages.

use crate::serve::value::{BINARY_HEADER, Format, PgType, TIMETZ, parameter_text};
use arrow::datatypes::Schema;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use millrace_engine::{Error, ErrorKind, Result};

/// The longest row, in bytes; the engine takes lines of 4 MB.
const MOST_ROW: usize = 8 << 20;

/// The signature, which the flags and the extension's length follow.
const SIGNATURE: &[u8] = BINARY_HEADER.split_at(11).0;

/// Rows that arrive in pieces.
pub(super) struct BinaryRows {
    /// The columns' types.
    types: Vec<u32>,
    pending: BytesMut,
    /// Bytes of the header's extension that are still to be passed over; `None` before the header.
    skip: Option<usize>,
    row: u64,
    ended: bool,
}

impl BinaryRows {
    /// Rows of a table's columns.
    pub(super) fn new(columns: &Schema) -> Self {
        let types = columns.fields().iter().map(|field| PgType::of(field).oid).collect();
        Self { types, pending: BytesMut::new(), skip: None, row: 0, ended: false }
    }

    /// The lines of the rows that are whole now.
    ///
    /// # Errors
    /// `BadCopyFormat`, `InvalidBinary`.
    pub(super) fn lines(&mut self, data: &[u8]) -> Result<Bytes> {
        self.pending.extend_from_slice(data);
        let mut lines = BytesMut::with_capacity(data.len() * 2);
        if !self.header()? {
            return Ok(lines.freeze());
        }
        while !self.ended
            && let Some(length) = self.whole_row()?
        {
            let row = self.pending.split_to(length);
            self.line(&row[..], &mut lines)?;
        }
        if self.ended && !self.pending.is_empty() {
            return Err(wrong("received copy data after EOF marker"));
        }
        Ok(lines.freeze())
    }

    /// All data has come.
    ///
    /// # Errors
    /// `BadCopyFormat` when a row is not whole.
    pub(super) fn finish(&self) -> Result<()> {
        if self.skip == Some(0) && self.pending.is_empty() {
            return Ok(());
        }
        Err(wrong(if self.skip.is_none() {
            "COPY file signature not recognized"
        } else {
            "unexpected EOF in COPY data"
        }))
    }

    /// Takes the header; whether it is over.
    fn header(&mut self) -> Result<bool> {
        if self.skip.is_none() {
            let seen = self.pending.len().min(SIGNATURE.len());
            if self.pending[..seen] != SIGNATURE[..seen] {
                return Err(wrong("COPY file signature not recognized"));
            }
            if self.pending.len() < BINARY_HEADER.len() {
                return Ok(false);
            }
            self.pending.advance(SIGNATURE.len());
            let (flags, extension) = (self.pending.get_u32(), self.pending.get_i32());
            if flags & (1 << 16) != 0 {
                return Err(wrong("invalid COPY file header (WITH OIDS)"));
            }
            if flags >> 16 != 0 {
                return Err(wrong("unrecognized critical flags in COPY file header"));
            }
            self.skip =
                Some(usize::try_from(extension).map_err(|_| wrong("invalid COPY file header (missing length)"))?);
        }
        let left = self.skip.unwrap_or(0);
        let passed = left.min(self.pending.len());
        self.pending.advance(passed);
        self.skip = Some(left - passed);
        Ok(left == passed)
    }

    /// The length of the next row, when all of it is there.
    fn whole_row(&mut self) -> Result<Option<usize>> {
        let mut rest = &self.pending[..];
        let Ok(count) = rest.try_get_i16() else { return Ok(None) };
        if count == -1 {
            self.ended = true;
            self.pending.advance(2);
            return Ok(None);
        }
        if usize::try_from(count) != Ok(self.types.len()) {
            return Err(wrong(format!("row field count is {count}, expected {}", self.types.len())));
        }
        for _ in 0..count {
            let Ok(length) = rest.try_get_i32() else { return Ok(None) };
            let length = match length {
                -1 => 0,
                length => usize::try_from(length).map_err(|_| wrong("invalid field size"))?,
            };
            if length > MOST_ROW {
                let message = format!("a field of {length} bytes is longer than {MOST_ROW}");
                return Err(Error::new(ErrorKind::LimitExceeded, message));
            }
            if rest.len() < length {
                return Ok(None);
            }
            rest.advance(length);
        }
        Ok(Some(self.pending.len() - rest.len()))
    }

    fn line(&mut self, mut row: &[u8], lines: &mut BytesMut) -> Result<()> {
        self.row += 1;
        row.advance(2);
        for (at, oid) in self.types.iter().enumerate() {
            if at > 0 {
                lines.put_u8(b'\t');
            }
            let Ok(length) = usize::try_from(row.get_i32()) else {
                lines.put_slice(b"\\N");
                continue;
            };
            let number = self.row;
            let placed = |error: Error| error.with_detail(format!("COPY, line {number}, field {}", at + 1));
            let text = parameter_text(*oid, Format::Binary, &row[..length]).map_err(placed)?;
            row.advance(length);
            for byte in text.bytes() {
                match byte {
                    b'\\' => lines.put_slice(b"\\\\"),
                    b'\t' => lines.put_slice(b"\\t"),
                    b'\n' => lines.put_slice(b"\\n"),
                    b'\r' => lines.put_slice(b"\\r"),
                    other => lines.put_u8(other),
                }
            }
            // The time is UTC's, whatever the session's zone is.
            if *oid == TIMETZ {
                lines.put_slice(b"+00");
            }
        }
        lines.put_u8(b'\n');
        Ok(())
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadCopyFormat, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::datatypes::{DataType, Field};

    fn columns() -> Schema {
        Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8View, true)])
    }

    fn rows() -> Vec<u8> {
        let mut bytes = BINARY_HEADER.to_vec();
        for (number, text) in [(7, Some("x\ty\\\n")), (-1, None)] {
            bytes.extend_from_slice(&2_i16.to_be_bytes());
            bytes.extend_from_slice(&4_i32.to_be_bytes());
            bytes.extend_from_slice(&i32::to_be_bytes(number));
            match text {
                Some(text) => {
                    bytes.extend_from_slice(&(text.len() as i32).to_be_bytes());
                    bytes.extend_from_slice(text.as_bytes());
                }
                None => bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
        }
        bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        bytes
    }

    #[test]
    fn rows_in_pieces_of_any_size() {
        for size in [1, 2, 7, 1000] {
            let mut decoder = BinaryRows::new(&columns());
            let mut lines = Vec::new();
            for piece in rows().chunks(size) {
                lines.extend_from_slice(&decoder.lines(piece).unwrap());
            }
            decoder.finish().unwrap();
            assert_eq!(lines, b"7\tx\\ty\\\\\\n\n-1\t\\N\n", "{size}");
        }
    }

    #[test]
    fn damaged_rows() {
        let decode = |bytes: &[u8]| {
            let mut decoder = BinaryRows::new(&columns());
            decoder.lines(bytes).map(drop).and_then(|()| decoder.finish())
        };
        let whole = rows();
        let mut flags = whole.clone();
        flags[12] = 1;
        let mut count = whole.clone();
        count[20] = 3;
        let number = [BINARY_HEADER, b"\0\x02\0\0\0\x03abc\xff\xff\xff\xff"].concat();
        let after = [whole.as_slice(), b"x"].concat();
        for (bytes, message) in [
            (&b""[..], "signature not recognized"),
            (b"1\tx\n", "signature not recognized"),
            (&whole[..15], "signature not recognized"),
            (&whole[..30], "unexpected EOF"),
            (&flags, "WITH OIDS"),
            (&count, "field count is 3"),
            (&after, "after EOF marker"),
        ] {
            let error = decode(bytes).unwrap_err();
            assert!(error.message.contains(message), "{error}");
            assert_eq!(error.sqlstate(), "22P04");
        }
        assert_eq!(decode(&number).unwrap_err().sqlstate(), "22P03");
    }
}
