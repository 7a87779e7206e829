//! What clients say: messages out of frames, every length checked.
//!
//! Pure functions over the bytes of one frame, which [`super::wire`] has cut out. A frame with too few bytes, too many,
//! or with text that is not UTF-8 is an error of this message alone: the next frame begins where the length said.

use bytes::{Buf, Bytes};
use millrace_engine::{Error, ErrorKind, Result};

/// Parameters that Parse may name the types of, and that Bind may give.
const MOST_PARAMETERS: usize = u16::MAX as usize;

/// A message after the start of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A text of any number of statements.
    Query(String),
    /// A statement to prepare.
    Parse { name: String, text: String, types: Vec<u32> },
    /// A prepared statement to bind to values.
    Bind(Bind),
    /// What a statement or portal takes and gives.
    Describe(Target),
    /// A portal to run, for at most so many rows; 0 is all.
    Execute { portal: String, most: usize },
    /// A statement or portal to forget.
    Close(Target),
    /// Send what you have.
    Flush,
    /// The end of a group of messages: after an error the next group begins here.
    Sync,
    /// Data of COPY FROM STDIN.
    CopyData(Bytes),
    /// The end of that data.
    CopyDone,
    /// The client gives up COPY FROM STDIN.
    CopyFail(String),
    /// A password, or what a SASL client says.
    Password(Bytes),
    /// The end of the connection.
    Terminate,
}

/// A prepared statement or a portal by its name; the empty name is the unnamed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Statement(String),
    Portal(String),
}

/// A Bind message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) portal: String,
    pub(crate) statement: String,
    pub(crate) formats: Vec<i16>,
    pub(crate) values: Vec<Option<Bytes>>,
    pub(crate) result_formats: Vec<i16>,
}

/// The types of messages that belong to the extended protocol: an error in one skips all until Sync.
pub(crate) fn is_extended(kind: u8) -> bool {
    matches!(kind, b'P' | b'B' | b'D' | b'E' | b'C' | b'H')
}

/// Whether a frame of this type may come at all.
pub(crate) fn is_known(kind: u8) -> bool {
    is_extended(kind) || matches!(kind, b'Q' | b'S' | b'X' | b'd' | b'c' | b'f' | b'p' | b'F')
}

/// Reads a frame's body.
///
/// # Errors
/// `ProtocolViolation` for a body that is not what its type says, `InvalidEncoding` for text that is not UTF-8.
pub(crate) fn decode(kind: u8, body: Bytes) -> Result<Message> {
    let mut body = Body(body);
    let message = match kind {
        b'Q' => Message::Query(body.text()?),
        b'P' => Message::Parse { name: body.text()?, text: body.text()?, types: body.counted(Body::u32)? },
        b'B' => Message::Bind(Bind {
            portal: body.text()?,
            statement: body.text()?,
            formats: body.counted(Body::i16)?,
            values: body.counted(Body::value)?,
            result_formats: body.counted(Body::i16)?,
        }),
        b'D' => Message::Describe(body.target()?),
        b'C' => Message::Close(body.target()?),
        b'E' => Message::Execute { portal: body.text()?, most: usize::try_from(body.i32()?).unwrap_or(0) },
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => Message::Terminate,
        b'd' => Message::CopyData(body.rest()),
        b'c' => Message::CopyDone,
        b'f' => Message::CopyFail(body.text()?),
        b'p' => Message::Password(body.rest()),
        b'F' => return Err(Error::unsupported("the function call protocol")),
        other => return Err(violation(format!("invalid frontend message type {other}"))),
    };
    if body.0.has_remaining() {
        return Err(violation("invalid message format: bytes are left over".to_owned()));
    }
    Ok(message)
}

pub(super) fn violation(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::ProtocolViolation, message)
}

/// The parameters of a startup message, in order.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_parameters(body: Bytes) -> Result<Vec<(String, String)>> {
    let mut body = Body(body);
    let mut parameters = Vec::new();
    loop {
        let name = body.text()?;
        if name.is_empty() {
            return Ok(parameters);
        }
        parameters.push((name, body.text()?));
    }
}

/// A name and a byte string behind its length: how a SASL client chooses a mechanism.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_sasl_start(body: Bytes) -> Result<(String, Bytes)> {
    let mut body = Body(body);
    let mechanism = body.text()?;
    Ok((mechanism, body.value()?.unwrap_or_default()))
}

/// A password as text.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_password(body: Bytes) -> Result<String> {
    Body(body).text()
}

/// The rest of a frame.
struct Body(Bytes);

impl Body {
    fn short(_: bytes::TryGetError) -> Error {
        violation("insufficient data left in message")
    }

    fn i16(&mut self) -> Result<i16> {
        self.0.try_get_i16().map_err(Self::short)
    }

    fn i32(&mut self) -> Result<i32> {
        self.0.try_get_i32().map_err(Self::short)
    }

    fn u32(&mut self) -> Result<u32> {
        self.0.try_get_u32().map_err(Self::short)
    }

    fn rest(&mut self) -> Bytes {
        self.0.split_to(self.0.len())
    }

    /// A text with a zero byte at its end.
    fn text(&mut self) -> Result<String> {
        let Some(end) = self.0.iter().position(|byte| *byte == 0) else {
            return Err(violation("invalid string in message"));
        };
        let bytes = self.0.split_to(end);
        self.0.advance(1);
        String::from_utf8(bytes.into())
            .map_err(|_| Error::new(ErrorKind::InvalidEncoding, "invalid byte sequence for encoding \"UTF8\""))
    }

    /// A value behind its length; -1 is NULL.
    fn value(&mut self) -> Result<Option<Bytes>> {
        match usize::try_from(self.i32()?) {
            Ok(length) if length <= self.0.len() => Ok(Some(self.0.split_to(length))),
            Ok(_) => Err(violation("insufficient data left in message")),
            Err(_) => Ok(None),
        }
    }

    /// Items behind their number, which is not trusted for memory.
    fn counted<T>(&mut self, item: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = usize::from(self.0.try_get_u16().map_err(Self::short)?);
        let mut items = Vec::with_capacity(count.min(self.0.len()).min(MOST_PARAMETERS));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn target(&mut self) -> Result<Target> {
        let kind = self.0.try_get_u8().map_err(Self::short)?;
        let name = self.text()?;
        match kind {
            b'S' => Ok(Target::Statement(name)),
            b'P' => Ok(Target::Portal(name)),
            other => Err(violation(format!("invalid message subtype {other}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn whole_messages_are_read() {
        let parse = b"s\0SELECT $1\0\0\x01\0\0\0\x17";
        let expected = Message::Parse { name: "s".to_owned(), text: "SELECT $1".to_owned(), types: vec![23] };
        assert_eq!(decode(b'P', Bytes::from_static(parse)).unwrap(), expected);
        let bind = b"\0s\0\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\0";
        let Message::Bind(bound) = decode(b'B', Bytes::from_static(bind)).unwrap() else { panic!("a bind") };
        assert_eq!((bound.formats, bound.result_formats), (vec![1], vec![]));
        assert_eq!(bound.values, [Some(Bytes::from_static(b"x")), None]);
    }

    #[test]
    fn damaged_messages_are_errors_and_nothing_worse() {
        let cases: [(u8, &[u8], &str); 10] = [
            (b'Q', b"SELECT 1", "08P01"),
            (b'Q', b"\xff\0", "22021"),
            (b'Q', b"a\0b", "08P01"),
            (b'P', b"\0x\0\xff\xff", "08P01"),
            (b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0", "08P01"),
            (b'B', b"\0\0\0", "08P01"),
            (b'D', b"X\0", "08P01"),
            (b'E', b"\0\0", "08P01"),
            (b'F', b"", "0A000"),
            (0, b"", "08P01"),
        ];
        for (kind, body, sqlstate) in cases {
            assert_eq!(decode(kind, Bytes::from_static(body)).unwrap_err().sqlstate(), sqlstate, "{body:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        // A small generator of its own, so that a failure comes back with the same bytes.
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        for round in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..round % 40 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.push(if state.trailing_zeros() >= 2 { 0 } else { (state >> 24) as u8 });
            }
            for kind in *b"QPBDECHSXdcfpF?" {
                drop(decode(kind, Bytes::from(bytes.clone())));
            }
            drop(decode_parameters(Bytes::from(bytes.clone())));
            drop(decode_sasl_start(Bytes::from(bytes)));
        }
    }
}
