//! Bytes of a file's encoding as UTF-8.
//!
//! What is no character of the encoding becomes half a pair of UTF-16 in three bytes, which is no UTF-8: the field that
//! holds it is bad with Redshift's error 1220, or has its replacement with ACCEPTINVCHARS.

use super::errors::Problem;
use crate::sql::TextEncoding;
use encoding_rs::{DecoderResult, UTF_16BE, UTF_16LE};

/// The mark that some programs begin UTF-8 with.
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// What stands for that which is no character.
const NO_CHARACTER: &[u8] = b"\xed\xa0\x80";

/// Decodes one file, chunk by chunk.
pub(super) struct Decoder {
    encoding: TextEncoding,
    began: bool,
    /// The first byte of a file of `ENCODING UTF16`, until its second tells the order.
    head: Vec<u8>,
    utf16: Option<encoding_rs::Decoder>,
    plain: Vec<u8>,
}

impl Decoder {
    /// `began` says that the file's first bytes are elsewhere.
    pub(super) fn new(encoding: TextEncoding, began: bool) -> Self {
        let utf16 = match encoding {
            TextEncoding::Utf16Le => Some(UTF_16LE.new_decoder_with_bom_removal()),
            TextEncoding::Utf16Be => Some(UTF_16BE.new_decoder_with_bom_removal()),
            TextEncoding::Utf8 | TextEncoding::Iso88591 | TextEncoding::Utf16 => None,
        };
        Self { encoding, began, head: Vec::new(), utf16, plain: Vec::new() }
    }

    /// A chunk as UTF-8; `last` says that no more comes.
    ///
    /// # Errors
    /// 1220 for a file of `ENCODING UTF16` that does not begin with a byte order mark.
    pub(super) fn decode<'a>(&'a mut self, chunk: &'a [u8], last: bool) -> Result<&'a [u8], Problem> {
        self.plain.clear();
        match self.encoding {
            TextEncoding::Utf8 => {
                let rest = if self.began { chunk } else { chunk.strip_prefix(UTF8_MARK).unwrap_or(chunk) };
                self.began = self.began || !chunk.is_empty();
                return Ok(rest);
            }
            TextEncoding::Iso88591 => {
                for byte in chunk {
                    self.plain.extend_from_slice(char::from(*byte).encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            TextEncoding::Utf16 if self.utf16.is_none() => {
                self.head.extend_from_slice(chunk);
                let encoding = match self.head.as_slice() {
                    [0xff, 0xfe, ..] => UTF_16LE,
                    [0xfe, 0xff, ..] => UTF_16BE,
                    [] | [_] if !last => return Ok(&[]),
                    [] => return Ok(&[]),
                    _ => return Err(Problem::new(1220, "UTF16 data without a byte order mark")),
                };
                self.utf16 = Some(encoding.new_decoder_with_bom_removal());
                let head = std::mem::take(&mut self.head);
                self.feed(&head, last);
            }
            TextEncoding::Utf16 | TextEncoding::Utf16Le | TextEncoding::Utf16Be => self.feed(chunk, last),
        }
        Ok(&self.plain)
    }

    fn feed(&mut self, chunk: &[u8], last: bool) {
        let Some(decoder) = &mut self.utf16 else { return };
        let mut rest = chunk;
        loop {
            let from = self.plain.len();
            let most = decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len());
            self.plain.resize(from + most, 0);
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut self.plain[from..], last);
            self.plain.truncate(from + written);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.plain.extend_from_slice(NO_CHARACTER),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn decoded(encoding: TextEncoding, file: &[u8], size: usize) -> Result<Vec<u8>, Problem> {
        let mut decoder = Decoder::new(encoding, false);
        let mut plain = Vec::new();
        for chunk in file.chunks(size) {
            plain.extend_from_slice(decoder.decode(chunk, false)?);
        }
        plain.extend_from_slice(decoder.decode(&[], true)?);
        Ok(plain)
    }

    #[test]
    fn encodings_in_chunks_of_any_size() {
        use TextEncoding::{Iso88591, Utf16, Utf16Be, Utf16Le};
        let crab = "a🦀\n".as_bytes();
        let cases: [(TextEncoding, &[u8], &[u8]); 11] = [
            (Iso88591, b"caf\xe9", "café".as_bytes()),
            (Utf16, b"\xff\xfea\0\x3e\xd8\x80\xdd\n\0", crab),
            (Utf16, b"\xfe\xff\0a\xd8\x3e\xdd\x80\0\n", crab),
            (Utf16Le, b"a\0\x3e\xd8\x80\xdd\n\0", crab),
            (Utf16Le, b"\xff\xfea\0\x3e\xd8\x80\xdd\n\0", crab),
            (Utf16Be, b"\xfe\xff\0a\xd8\x3e\xdd\x80\0\n", crab),
            (Utf16Be, b"\0a\xd8\x3e\xdd\x80\0\n", crab),
            // Halves of pairs alone, and half a unit.
            (Utf16Le, b"\x3e\xd8a\0", b"\xed\xa0\x80a"),
            (Utf16Le, b"a\0\x80\xddb\0", b"a\xed\xa0\x80b"),
            (Utf16Le, b"a\0\x3e\xd8", b"a\xed\xa0\x80"),
            (Utf16Le, b"a\0b", b"a\xed\xa0\x80"),
        ];
        for (encoding, file, plain) in cases {
            for size in [1, 3, 1000] {
                assert_eq!(decoded(encoding, file, size).unwrap(), plain, "{encoding:?} {file:?}");
            }
        }
        assert_eq!(decoded(Utf16, b"a\0", 1).unwrap_err().code, 1220);
        assert_eq!(decoded(Utf16, b"a", 1).unwrap_err().code, 1220);
        assert_eq!(decoded(Utf16, b"", 1).unwrap(), b"");
    }
}
