//! Cutting a stream of bytes into records, with bounded memory: a record that is too long is passed over and told.

use super::fields::is_blank;

/// The longest record, in bytes (Redshift: "the maximum size of a single input row from any source is 4 MB").
pub(super) const MOST_RECORD: usize = 4 << 20;

/// How records end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Framing {
    /// At a line end; with `escape`, not at one behind a backslash.
    Lines { escape: bool },
    /// At a line end outside of quotes.
    Csv { quote: u8, delimiter: Vec<u8> },
    /// At a line end outside of quotes, which may begin and end anywhere; `escape` is another byte than the quote.
    Quotes { quote: u8, escape: Option<u8> },
    /// Where a JSON object or array ends.
    Json,
}

/// Where in a record the scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    AfterQuote,
}

/// A piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framed {
    /// A record's place in [`Framer::bytes`], and its line from 1.
    Record { from: usize, to: usize, line: u64 },
    /// A record longer than [`MOST_RECORD`] ended; its first bytes were given up.
    TooLong { line: u64 },
}

/// Cuts records.
#[derive(Debug)]
pub(super) struct Framer {
    framing: Framing,
    buffer: Vec<u8>,
    /// Where the next record begins.
    start: usize,
    /// How far the record was looked at.
    scanned: usize,
    state: State,
    depth: usize,
    escaped: bool,
    too_long: bool,
    line: u64,
    /// Lines that are passed over, whatever they hold, before the first record.
    lines_to_skip: u64,
    /// Where the buffer begins in the file, in bytes.
    base: u64,
    /// Where the record that comes next begins in the file.
    begin: u64,
    /// From where on in the file a line that looks like one JSON object is taken for one; `None` for never.
    hurried_from: Option<u64>,
}

impl Framer {
    /// Cuts what stands from `offset` on in its file, which is line `line`.
    pub(super) fn new(framing: Framing, offset: u64, line: u64) -> Self {
        Self {
            framing,
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            state: State::FieldStart,
            depth: 0,
            escaped: false,
            too_long: false,
            line,
            lines_to_skip: 0,
            base: offset,
            begin: offset,
            hurried_from: None,
        }
    }

    /// The same that takes a line for one JSON object if it begins and ends like one. Whoever reads the records sees where
    /// that was wrong, and has them cut again ([`Framer::again`]).
    pub(super) fn hurried(self) -> Self {
        Self { hurried_from: Some(0), ..self }
    }

    /// The same that passes over so many lines before the first record.
    pub(super) fn behind_lines(self, lines: u64) -> Self {
        Self { lines_to_skip: lines, ..self }
    }

    /// How far the file has come in, in bytes.
    pub(super) fn seen(&self) -> u64 {
        self.base + self.buffer.len() as u64
    }

    /// Where the record that comes next begins in [`Framer::bytes`].
    pub(super) fn next_start(&self) -> usize {
        self.start
    }

    /// Where the record that comes next begins in the file, in bytes.
    pub(super) fn begin(&self) -> u64 {
        self.begin
    }

    pub(super) fn bytes(&self, from: usize, to: usize) -> &[u8] {
        &self.buffer[from..to]
    }

    /// Cuts the records from a place on again, that begins at this line, now with care; `false` when all of them were cut so.
    pub(super) fn again(&mut self, from: usize, line: u64) -> bool {
        if self.framing != Framing::Json || self.hurried_from.is_none_or(|hurried| hurried >= self.begin) {
            return false;
        }
        self.hurried_from = Some(self.begin);
        (self.start, self.scanned, self.state, self.depth, self.escaped) = (from, from, State::FieldStart, 0, false);
        (self.line, self.begin, self.too_long) = (line, self.base + from as u64, false);
        true
    }

    /// Takes bytes in; places given before mean nothing any more.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.base += self.start as u64;
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next record; `None` when more bytes are needed. `last` says that none will come.
    pub(super) fn cut(&mut self, last: bool) -> Option<Framed> {
        if !self.skip_lines() {
            return None;
        }
        if self.framing == Framing::Json && self.depth == 0 && self.scanned == self.start {
            self.skip_blanks();
        }
        if let Some(to) = self.line_of_json() {
            return Some(self.give(to, to, 0));
        }
        let end = match &self.framing {
            &Framing::Lines { escape } => self.line_end(escape),
            &Framing::Csv { quote, .. } => self.csv_end(quote),
            &Framing::Quotes { quote, escape } => self.quotes_end(quote, escape),
            Framing::Json => self.json_end(),
        };
        if let Some((to, next)) = end {
            // A line ends where its first line end is.
            let is_line = self.framing == Framing::Lines { escape: false };
            let lines = if is_line { 1 } else { newlines(&self.buffer[self.start..next]) };
            return Some(self.give(to, next, lines));
        }
        if last && self.start < self.buffer.len() {
            let to = self.buffer.len();
            let carriage = self.framing != Framing::Json && self.buffer[to - 1] == b'\r';
            let lines = newlines(&self.buffer[self.start..to]);
            return Some(self.give(to - usize::from(carriage), to, lines));
        }
        if last && std::mem::take(&mut self.too_long) {
            return Some(Framed::TooLong { line: self.line });
        }
        if self.buffer.len() - self.start > MOST_RECORD {
            self.too_long = true;
            self.line += newlines(&self.buffer[self.start..self.scanned]);
            self.start = self.scanned;
        }
        None
    }

    /// Ends a record, which has so many line ends before the next begins.
    fn give(&mut self, to: usize, next: usize, lines: u64) -> Framed {
        let (from, line) = (self.start, self.line);
        self.line += lines;
        (self.start, self.scanned, self.state, self.depth, self.escaped) = (next, next, State::FieldStart, 0, false);
        self.begin = self.base + next as u64;
        if std::mem::take(&mut self.too_long) || to - from > MOST_RECORD {
            return Framed::TooLong { line };
        }
        Framed::Record { from, to, line }
    }

    /// Passes over what is to be; whether all of it has come.
    fn skip_lines(&mut self) -> bool {
        while self.lines_to_skip > 0 {
            let newline = memchr::memchr(b'\n', &self.buffer[self.start..]);
            self.start = newline.map_or(self.buffer.len(), |at| self.start + at + 1);
            (self.scanned, self.begin) = (self.start, self.base + self.start as u64);
            if newline.is_none() {
                return false;
            }
            self.line += 1;
            self.lines_to_skip -= 1;
        }
        true
    }

    fn skip_blanks(&mut self) {
        let blanks = self.buffer[self.start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.line += newlines(&self.buffer[self.start..self.start + blanks]);
        self.start += blanks;
        self.begin = self.base + self.start as u64;
        self.scanned = self.start;
    }

    /// A line's end without its `\r`, and where the next begins.
    fn ends_at(&self, newline: usize) -> Option<(usize, usize)> {
        let carriage = newline > self.start && self.buffer[newline - 1] == b'\r';
        Some((newline - usize::from(carriage), newline + 1))
    }

    fn line_end(&mut self, escape: bool) -> Option<(usize, usize)> {
        if !escape {
            let found = memchr::memchr(b'\n', &self.buffer[self.scanned..]).map(|at| at + self.scanned);
            self.scanned = found.unwrap_or(self.buffer.len());
            return found.and_then(|at| self.ends_at(at));
        }
        while self.scanned < self.buffer.len() {
            if std::mem::take(&mut self.escaped) {
                self.scanned += 1;
                continue;
            }
            let Some(found) = memchr::memchr2(b'\\', b'\n', &self.buffer[self.scanned..]) else {
                self.scanned = self.buffer.len();
                return None;
            };
            let at = self.scanned + found;
            self.scanned = at + 1;
            if self.buffer[at] == b'\\' {
                self.escaped = true;
            } else if self.is_escaped(at - usize::from(at > self.start)) {
                // The carriage return before it is part of the last field.
                return Some((at, at + 1));
            } else {
                return self.ends_at(at);
            }
        }
        None
    }

    /// Whether an odd number of backslashes stands before a byte of the record.
    fn is_escaped(&self, at: usize) -> bool {
        let before = self.buffer[self.start..at].iter().rev();
        before.take_while(|byte| **byte == b'\\').count() % 2 == 1
    }

    fn csv_end(&mut self, quote: u8) -> Option<(usize, usize)> {
        let Framing::Csv { delimiter, .. } = &self.framing else { return None };
        loop {
            let rest = &self.buffer[self.scanned..];
            if self.state == State::Quoted {
                let Some(at) = memchr::memchr(quote, rest) else {
                    self.scanned = self.buffer.len();
                    return None;
                };
                self.scanned += at + 1;
                self.state = State::AfterQuote;
                continue;
            }
            let byte = *rest.first()?;
            if byte == quote && self.state != State::Plain {
                // At a field's start it opens; behind a closing one it is the second of a pair.
                self.scanned += 1;
                self.state = State::Quoted;
                continue;
            }
            if self.state == State::FieldStart && is_blank(byte, delimiter) {
                self.scanned += 1;
                continue;
            }
            // Of a delimiter of several bytes a part may stand at the end of what has come.
            let found = match delimiter.as_slice() {
                [delimiter] => memchr::memchr2(*delimiter, b'\n', rest).map(|at| (at, 1)),
                delimiter => {
                    let newline = memchr::memchr(b'\n', rest).map(|at| (at, 1));
                    let before = &rest[..newline.map_or(rest.len(), |(at, _)| at)];
                    memchr::memmem::find(before, delimiter).map(|at| (at, delimiter.len())).or(newline)
                }
            };
            let Some((at, length)) = found else {
                self.scanned = self.buffer.len().saturating_sub(delimiter.len() - 1).max(self.scanned);
                self.state = State::Plain;
                return None;
            };
            let found = self.scanned + at;
            self.scanned = found + length;
            self.state = State::FieldStart;
            if self.buffer[found] == b'\n' {
                return self.ends_at(found);
            }
        }
    }

    fn quotes_end(&mut self, quote: u8, escape: Option<u8>) -> Option<(usize, usize)> {
        while self.scanned < self.buffer.len() {
            let rest = &self.buffer[self.scanned..];
            let found = match (self.state == State::Quoted, escape) {
                (true, Some(escape)) => memchr::memchr2(quote, escape, rest),
                (true, None) => memchr::memchr(quote, rest),
                (false, _) => memchr::memchr2(quote, b'\n', rest),
            };
            let Some(found) = found else {
                self.scanned = self.buffer.len();
                self.escaped = false;
                return None;
            };
            // What an escape stands before is nothing else.
            let escaped = std::mem::take(&mut self.escaped) && found == 0;
            let at = self.scanned + found;
            self.scanned = at + 1;
            match self.buffer[at] {
                _ if escaped => {}
                byte if byte == quote => {
                    self.state = if self.state == State::Quoted { State::Plain } else { State::Quoted };
                }
                b'\n' if self.state != State::Quoted => return self.ends_at(at),
                _ => self.escaped = true,
            }
        }
        None
    }

    /// The end of a line that looks like one object, where that is enough.
    fn line_of_json(&self) -> Option<usize> {
        let is_hurried = self.hurried_from.is_some_and(|hurried| hurried <= self.begin);
        if self.framing != Framing::Json || !is_hurried || self.depth > 0 || self.scanned > self.start {
            return None;
        }
        let rest = self.buffer[self.start..].strip_prefix(b"{")?;
        let line = &rest[..memchr::memchr(b'\n', rest)?];
        let length = line.trim_ascii_end().strip_suffix(b"}")?.len() + 2;
        // What is too long for a record may be several.
        (length <= MOST_RECORD).then_some(self.start + length)
    }

    fn json_end(&mut self) -> Option<(usize, usize)> {
        let bytes = self.buffer.as_slice();
        let (mut at, mut depth, mut quoted) = (self.scanned, self.depth, self.state == State::Quoted);
        let end = loop {
            if quoted {
                if at == bytes.len() {
                    break None;
                }
                // What an escape stands before is nothing else.
                at += usize::from(std::mem::take(&mut self.escaped));
                let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at..]) else {
                    at = bytes.len();
                    break None;
                };
                at += found + 1;
                quoted = bytes[at - 1] != b'"';
                self.escaped = quoted;
                continue;
            }
            let Some(&byte) = bytes.get(at) else { break None };
            at += 1;
            match byte {
                b'"' => quoted = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth <= 1 => break Some((at, at)),
                b'}' | b']' => depth -= 1,
                // What stands outside of any object is a bad line.
                b'\n' if depth == 0 => break Some((at - 1, at)),
                _ => {}
            }
        };
        self.state = if quoted { State::Quoted } else { State::Plain };
        (self.scanned, self.depth) = (at, depth);
        end
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
