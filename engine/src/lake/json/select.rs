//! The records at a path, out of a stream of bytes.
//!
//! What is not in a record is overwritten with blanks, line breaks stay: the rest of the reader sees objects that stand
//! one after another, each at its own line and character. Memory is the nesting of the path, whatever the file's size.
//! Within records nothing is checked but brackets and quotes: their syntax is the decoder's matter.

use super::path::{JsonPath, Step};
use crate::error::{Error, ErrorKind};
use crate::lake::decompress::ByteStream;
use bytes::Bytes;
use datafusion::error::DataFusionError;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// The longest key that is looked at, in bytes; a longer one is no step of a path.
const MAX_KEY_SIZE: usize = 64 * 1024;

/// What UTF-8 files of some programs begin with.
const BYTE_ORDER_MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// An object or array on the way to the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Object { taken: bool },
    Array { index: usize },
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value, or the end of the container where it is empty.
    Value {
        or_end: bool,
    },
    /// A key, or the end of the object where it is empty.
    Key {
        or_end: bool,
    },
    /// The rest of a key.
    InKey {
        escaped: bool,
    },
    Colon,
    /// A comma or the end of the container; at the top the next value.
    After,
    /// The rest of a value that is kept, or is not.
    Text {
        keep: bool,
        depth: usize,
    },
    String {
        keep: bool,
        depth: usize,
        escaped: bool,
    },
    /// The rest of a number or a word.
    Word {
        keep: bool,
    },
    /// A file in an encoding that the reader refuses.
    Foreign,
}

/// Blanks out what is not in a record.
#[derive(Debug)]
pub(super) struct Selector {
    steps: Vec<Step>,
    open: Vec<Open>,
    state: State,
    key: Vec<u8>,
    /// Bytes taken so far.
    offset: u64,
    /// Lines before the current one, and its characters so far.
    lines: u64,
    characters: usize,
}

impl Selector {
    pub(super) fn new(path: &JsonPath) -> Self {
        Self {
            steps: path.steps.clone(),
            open: Vec::new(),
            state: State::After,
            key: Vec::new(),
            offset: 0,
            lines: 0,
            characters: 0,
        }
    }

    /// Blanks out what is not in a record of the next bytes.
    ///
    /// # Errors
    /// What should stand at a place, with the place.
    pub(super) fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        for place in bytes {
            let byte = *place;
            if self.offset < 3 && self.at_mark(byte) {
                self.offset += 1;
                continue;
            }
            match self.step(byte) {
                Ok(true) => {}
                Ok(false) if byte == b'\n' => {}
                Ok(false) => *place = b' ',
                Err(expected) => return Err(self.error(expected)),
            }
            self.offset += 1;
            if byte == b'\n' {
                self.lines += 1;
                self.characters = 0;
            } else if byte & 0xc0 != 0x80 {
                self.characters += 1;
            }
        }
        Ok(())
    }

    /// # Errors
    /// The place, when the stream ends on the way to a record. One that ends within a record is the decoder's matter.
    pub(super) fn finish(&self) -> Result<(), Error> {
        match self.state {
            State::Text { keep: true, .. }
            | State::String { keep: true, .. }
            | State::Word { keep: true }
            | State::Foreign => Ok(()),
            State::After | State::Word { .. } if self.open.is_empty() => Ok(()),
            State::After => Err(self.error(self.end_expected())),
            State::Key { .. } => Err(self.error("a key in quotes")),
            State::InKey { .. } | State::String { .. } => Err(self.error("a closing quote")),
            State::Colon => Err(self.error("\":\"")),
            State::Value { .. } => Err(self.error("a value")),
            State::Text { .. } | State::Word { .. } => Err(self.error("the end of the value")),
        }
    }

    fn error(&self, expected: &str) -> Error {
        Error::new(ErrorKind::InvalidText, format!("invalid JSON: expected {expected}")).with_detail(format!(
            "line {}, character {}",
            self.lines + 1,
            self.characters + 1
        ))
    }

    /// Whether the byte belongs to a byte order mark: the reader looks at it, also to refuse UTF-16.
    fn at_mark(&mut self, byte: u8) -> bool {
        if self.offset == 0 && matches!(byte, 0xfe | 0xff) {
            self.state = State::Foreign;
        }
        self.state == State::After && self.open.is_empty() && byte == BYTE_ORDER_MARK[self.offset as usize]
    }

    fn end_expected(&self) -> &'static str {
        match self.open.last() {
            Some(Open::Object { .. }) => "\",\" or \"}\"",
            _ => "\",\" or \"]\"",
        }
    }

    /// Takes a byte; whether it belongs to a record, or what should stand there instead.
    fn step(&mut self, byte: u8) -> Result<bool, &'static str> {
        match self.state {
            State::Foreign => return Ok(true),
            State::Text { keep, depth } => {
                match byte {
                    b'"' => self.state = State::String { keep, depth, escaped: false },
                    b'{' | b'[' => self.state = State::Text { keep, depth: depth + 1 },
                    b'}' | b']' if depth == 1 => self.state = State::After,
                    b'}' | b']' => self.state = State::Text { keep, depth: depth - 1 },
                    _ => {}
                }
                return Ok(keep);
            }
            State::String { keep, depth, escaped } => {
                self.state = match byte {
                    _ if escaped => State::String { keep, depth, escaped: false },
                    b'\\' => State::String { keep, depth, escaped: true },
                    b'"' if depth == 0 => State::After,
                    b'"' => State::Text { keep, depth },
                    _ => self.state,
                };
                return Ok(keep);
            }
            State::InKey { escaped } => {
                match byte {
                    b'"' if !escaped => self.end_key(),
                    _ => {
                        self.state = State::InKey { escaped: byte == b'\\' && !escaped };
                        if self.key.len() < MAX_KEY_SIZE {
                            self.key.push(byte);
                        }
                    }
                }
                return Ok(false);
            }
            State::Word { keep } => {
                if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}') {
                    return Ok(keep);
                }
                self.state = State::After;
            }
            _ => {}
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return Ok(false);
        }
        self.structure(byte)
    }

    /// Takes a byte that is no blank and stands outside of all values but containers on the way.
    fn structure(&mut self, byte: u8) -> Result<bool, &'static str> {
        match (self.state, byte) {
            (State::Value { or_end: true }, b']') | (State::Key { or_end: true }, b'}') => self.close(),
            (State::Value { .. }, _) => return self.begin_value(byte),
            (State::Key { .. }, b'"') => {
                self.key.clear();
                self.state = State::InKey { escaped: false };
            }
            (State::Key { .. }, _) => return Err("a key in quotes"),
            (State::Colon, b':') => self.state = State::Value { or_end: false },
            (State::Colon, _) => return Err("\":\""),
            _ => match (self.open.last_mut(), byte) {
                (None, _) => return self.begin_value(byte),
                (Some(Open::Object { .. }), b',') => self.state = State::Key { or_end: false },
                (Some(Open::Array { index }), b',') => {
                    *index += 1;
                    self.state = State::Value { or_end: false };
                }
                (Some(Open::Object { .. }), b'}') | (Some(Open::Array { .. }), b']') => self.close(),
                _ => return Err(self.end_expected()),
            },
        }
        Ok(false)
    }

    fn close(&mut self) {
        self.open.pop();
        self.state = State::After;
    }

    fn end_key(&mut self) {
        let taken = self.steps.get(self.open.len() - 1).is_some_and(|step| step.takes_key(&self.key));
        if let Some(last) = self.open.last_mut() {
            *last = Open::Object { taken };
        }
        self.state = State::Colon;
    }

    fn begin_value(&mut self, byte: u8) -> Result<bool, &'static str> {
        let depth = self.open.len();
        let on_path = match self.open.last() {
            None => true,
            Some(Open::Object { taken }) => *taken,
            Some(Open::Array { index }) => self.steps[depth - 1].takes_index(*index),
        };
        let keep = on_path && depth == self.steps.len();
        self.state = match (byte, self.steps.get(depth).filter(|_| on_path)) {
            (b'{', Some(Step::Member(_) | Step::All)) => {
                self.open.push(Open::Object { taken: false });
                State::Key { or_end: true }
            }
            (b'[', Some(Step::Item(_) | Step::All)) => {
                self.open.push(Open::Array { index: 0 });
                State::Value { or_end: true }
            }
            (b'{' | b'[', _) => State::Text { keep, depth: 1 },
            (b'"', _) => State::String { keep, depth: 0, escaped: false },
            (b'}' | b']' | b',' | b':', _) => return Err("a value"),
            _ => State::Word { keep },
        };
        Ok(keep)
    }
}

/// The bytes of a file with everything but the records at `path` blanked out.
pub(super) fn select(input: ByteStream, path: &JsonPath, url: &Arc<str>) -> ByteStream {
    if path.steps.is_empty() {
        return input;
    }
    let (mut selector, url) = (Selector::new(path), Arc::clone(url));
    let placed = move |error: Error| {
        let place = error.detail.clone().unwrap_or_default();
        DataFusionError::External(Box::new(error.with_detail(format!("file \"{url}\", {place}"))))
    };
    let end = futures::stream::once(async { Ok(None) });
    input
        .map_ok(Some)
        .chain(end)
        .and_then(move |piece| {
            let result = match piece {
                None => selector.finish().map(|()| Bytes::new()),
                Some(piece) => {
                    let mut bytes = piece.to_vec();
                    selector.apply(&mut bytes).map(|()| Bytes::from(bytes))
                }
            };
            std::future::ready(result.map_err(&placed))
        })
        .boxed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn selected(path: &str, text: &str, piece: usize) -> Result<String, String> {
        let mut selector = Selector::new(&JsonPath::parse(path).unwrap());
        let mut bytes = text.as_bytes().to_vec();
        let place = |error: Error| format!("{}: {}", error.detail.clone().unwrap_or_default(), error.message);
        bytes.chunks_mut(piece).try_for_each(|piece| selector.apply(piece)).map_err(place)?;
        selector.finish().map_err(place)?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    /// The values are those that the JSONPath of RFC 9535 selects; they stay where they stood.
    #[test]
    fn records_stay_where_they_are() {
        for (path, text, expected) in [
            ("$[*]", "[ {\"a\":\"]\"} ,\n{\"b\":[1]}]", vec!["{\"a\":\"]\"}", "{\"b\":[1]}"]),
            ("$[*]", "[]\n[{}]", vec!["{}"]),
            ("$[*]", "[1,\"x\"]", vec!["1", "\"x\""]),
            ("$.r[*]", "{\"n\":\"\\\"{\",\"r\":[{\"r\":1},{}],\"z\":{\"r\":[{}]}}", vec!["{\"r\":1}", "{}"]),
            ("$.r[*]", "{\"r\":{\"a\":{\"x\":1},\"b\":{}}}", vec!["{\"x\":1}", "{}"]),
            ("$['r'][1]", "{\"\\u0072\":[{},{\"b\":2},{}]}", vec!["{\"b\":2}"]),
            ("$.r", "{\"r\":{}}\n{\"x\":0}\n{\"r\":{}}", vec!["{}", "{}"]),
            ("$[*]", "5 null {}", vec![]),
        ] {
            for piece in [1, 3, 1000] {
                let found = selected(path, text, piece).unwrap();
                assert_eq!(found.split_whitespace().collect::<Vec<_>>(), expected, "{path} of {text} by {piece}");
                assert_eq!(found.len(), text.len());
                assert!(
                    found.bytes().zip(text.bytes()).all(|(now, then)| now == then || (now == b' ' && then != b'\n'))
                );
            }
        }
    }

    #[test]
    fn faults_on_the_way() {
        for (text, expected) in [
            ("[{}\n {}]", "line 2, character 2: invalid JSON: expected \",\" or \"]\""),
            ("[{},]", "line 1, character 5: invalid JSON: expected a value"),
            ("[{}", "line 1, character 4: invalid JSON: expected \",\" or \"]\""),
            ("[{}]]", "line 1, character 5: invalid JSON: expected a value"),
            ("{\"ä\":1 \"b\"}", "line 1, character 8: invalid JSON: expected \",\" or \"}\""),
            ("{a:1}", "line 1, character 2: invalid JSON: expected a key in quotes"),
        ] {
            assert_eq!(selected("$[*]", text, 2), Err(expected.to_owned()), "{text}");
        }
        // What is cut within a record is left to the decoder.
        assert_eq!(selected("$[*]", "[{\"a\"", 1000).as_deref(), Ok(" {\"a\""));
    }
}
