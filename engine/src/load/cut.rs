//! Cutting a stream of bytes into blocks of whole records, which several loaders then read side by side.

use super::frame::{Framed, Framer};
use super::spec::LoaderSpec;

/// The mark that some programs begin UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What was cut.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Whole records, the first of them at this line.
    Block { bytes: Vec<u8>, line: u64 },
    /// A record that was too long and was given up.
    TooLong { line: u64 },
}

/// Cuts one file.
pub(crate) struct Cutter {
    framer: Framer,
    header_left: u64,
    began: bool,
}

impl Cutter {
    /// For a file of these rules, whose bytes must be UTF-8 ([`LoaderSpec::is_cuttable`]).
    pub(crate) fn new(spec: &LoaderSpec) -> Self {
        Self { framer: spec.framer(0, 1), header_left: spec.header_lines(), began: false }
    }

    /// Takes a chunk of the file in; the records that are whole now. `last` says that no more comes.
    pub(crate) fn feed(&mut self, chunk: &[u8], last: bool) -> Vec<Cut> {
        let chunk = if self.began { chunk } else { chunk.strip_prefix(BYTE_ORDER_MARK).unwrap_or(chunk) };
        self.began = self.began || !chunk.is_empty();
        self.framer.push(chunk);
        let mut cuts = Vec::new();
        let mut open: Option<(usize, u64)> = None;
        loop {
            let end = self.framer.next_start();
            let framed = self.framer.cut(last);
            if let Some(Framed::Record { from, line, .. }) = framed
                && self.header_left == 0
            {
                open.get_or_insert((from, line));
                continue;
            }
            if let Some((from, line)) = open.take() {
                cuts.push(Cut::Block { bytes: self.framer.bytes(from, end).to_vec(), line });
            }
            match framed {
                None => return cuts,
                Some(_) if self.header_left > 0 => self.header_left -= 1,
                Some(Framed::TooLong { line }) => cuts.push(Cut::TooLong { line }),
                Some(Framed::Record { .. }) => {}
            }
        }
    }
}
