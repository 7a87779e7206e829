//! Rows out of one file's bytes: records cut, taken apart, converted, and gathered into batches.
//!
//! A row goes in whole or not at all. Memory holds one chunk, one record and one batch.

use super::builder::Column;
use super::cells::Cells;
use super::decode::Decoder;
use super::errors::{LoadErrors, Problem, shown};
use super::frame::{Framed, Framer};
use super::postgres::END_OF_DATA;
use super::run::{self, RUN_ROWS};
use super::spec::{Bad, Header, LoaderSpec, Place};
use crate::error::Result;
use crate::sql::TextEncoding;
use datafusion::arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// Rows of a batch; some more where a run of records ends behind it.
const BATCH_ROWS: usize = 8192;

/// A part of a file that one loader reads: the lines that begin in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where its bytes begin in the file. But for the first part's they are the end of a line that is another's.
    pub(crate) from: u64,
    /// Lines that begin here or later are another's.
    pub(crate) end: u64,
    /// How many lines stand before the file's first part.
    pub(crate) skipped: u64,
    /// The file's first part.
    pub(crate) is_first: bool,
}

/// Reads one file or a part of it.
pub(crate) struct Loader {
    spec: Arc<LoaderSpec>,
    errors: Arc<LoadErrors>,
    file: String,
    framer: Framer,
    decoder: Decoder,
    header_left: u64,
    /// The rows are over, by a client's word or at the end of the part; what follows means nothing.
    ended: bool,
    part: Option<Part>,
    columns: Vec<Column>,
    rows: usize,
    /// The fields of the run that is taken in.
    cells: Cells,
}

impl Loader {
    pub(crate) fn new(spec: Arc<LoaderSpec>, errors: Arc<LoadErrors>, file: String) -> Self {
        Self::of_part(spec, errors, file, None)
    }

    /// The same for a part of a file that [`LoaderSpec::is_splittable`] allows.
    pub(crate) fn of_part(spec: Arc<LoaderSpec>, errors: Arc<LoadErrors>, file: String, part: Option<Part>) -> Self {
        let (from, skipped) = part.map_or((0, 0), |part| (part.from, part.skipped));
        let first = part.is_none_or(|part| part.is_first);
        let framer = spec.framer(from, if first { skipped + 1 } else { 1 });
        let framer = if spec.takes_runs() { framer.hurried() } else { framer };
        let decoder = Decoder::new(spec.options.encoding, from > 0);
        let columns = spec.columns();
        let header_left = part.map_or_else(|| spec.header_lines(), |part| u64::from(!part.is_first));
        let cells = Cells::default();
        Self { spec, errors, file, framer, decoder, header_left, ended: false, part, columns, rows: 0, cells }
    }

    /// The same for a block of whole records, the first of them at this line; its file's header is not among them.
    pub(crate) fn of_block(spec: Arc<LoaderSpec>, errors: Arc<LoadErrors>, file: String, line: u64) -> Self {
        let framer = Framer::new(spec.framing(), 0, line);
        let framer = if spec.takes_runs() { framer.hurried() } else { framer };
        let decoder = Decoder::new(TextEncoding::Utf8, true);
        Self { framer, decoder, header_left: 0, ..Self::new(spec, errors, file) }
    }

    /// Records a line that was given up.
    ///
    /// # Errors
    /// `Data` when there are too many bad lines.
    pub(crate) fn too_long(&self, line: u64) -> Result<()> {
        let problem = Problem::new(1216, "Input line is not valid: it is longer than 4 MB");
        self.record(line, &[], Bad::line(problem))
    }

    /// Whether nothing that may come is of use.
    pub(crate) fn is_done(&self) -> bool {
        self.part.is_some() && self.ended
    }

    /// Takes a chunk of the file in; the batches that are full now.
    ///
    /// # Errors
    /// `Data` when there are too many bad lines.
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Result<Vec<RecordBatch>> {
        if self.ended {
            return Ok(Vec::new());
        }
        self.push(chunk, false)?;
        let batches = self.drain(false)?;
        // A line that began before the part may end behind it: then no line begins in it.
        if self.header_left > 0 && self.part.is_some_and(|part| self.framer.seen() >= part.end) {
            self.ended = true;
        }
        Ok(batches)
    }

    /// The file is over; the last batches.
    ///
    /// # Errors
    /// `Data` when there are too many bad lines.
    pub(crate) fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        self.push(&[], true)?;
        let mut batches = if self.ended { Vec::new() } else { self.drain(true)? };
        if self.rows > 0 {
            batches.push(self.batch()?);
        }
        Ok(batches)
    }

    /// Takes bytes in; a file that is not of its encoding is one error and no more.
    fn push(&mut self, chunk: &[u8], last: bool) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        match self.decoder.decode(chunk, last) {
            Ok(plain) => {
                self.framer.push(plain);
                Ok(())
            }
            Err(problem) => {
                self.ended = true;
                self.record(1, &[], Bad::line(problem))
            }
        }
    }

    fn drain(&mut self, last: bool) -> Result<Vec<RecordBatch>> {
        let (mut batches, mut run) = (Vec::new(), Vec::with_capacity(RUN_ROWS));
        loop {
            if self.part.is_some_and(|part| self.framer.begin() >= part.end) {
                self.ended = true;
                break;
            }
            let Some(framed) = self.framer.cut(last) else {
                if self.take(&mut run, &mut batches)? {
                    break;
                }
                continue;
            };
            match framed {
                Framed::Record { from, to, .. } if self.ends_stream(from, to) => {
                    self.ended = true;
                    break;
                }
                _ if self.header_left > 0 => {
                    self.header_left -= 1;
                    self.check_header(&framed)?;
                }
                Framed::TooLong { line } => {
                    if self.take(&mut run, &mut batches)? {
                        self.too_long(line)?;
                    }
                }
                Framed::Record { from, to, .. } if from == to && self.spec.skips_blank_lines() => {}
                Framed::Record { from, to, line } => run.push((from, to, line)),
            }
            if run.len() == RUN_ROWS {
                self.take(&mut run, &mut batches)?;
            }
        }
        self.take(&mut run, &mut batches)?;
        Ok(batches)
    }

    /// Takes the rows of a run of records in: their places and lines. `false` when they must be cut again.
    fn take(&mut self, run: &mut Vec<(usize, usize, u64)>, batches: &mut Vec<RecordBatch>) -> Result<bool> {
        if self.take_columns(run) {
            self.rows += run.len();
            run.clear();
        } else if let Some((from, _, line)) = run.first()
            && self.framer.again(*from, *line)
        {
            run.clear();
            return Ok(false);
        }
        for (from, to, line) in run.drain(..) {
            self.row(from, to, line)?;
        }
        if self.rows >= BATCH_ROWS {
            batches.push(self.batch()?);
        }
        Ok(true)
    }

    /// Takes a run in column by column, if all of its records are good and plain.
    fn take_columns(&mut self, run: &[(usize, usize, u64)]) -> bool {
        let (spec, width) = (&self.spec, self.spec.targets.len());
        let (Some((begin, ..)), Some((_, end, _))) = (run.first(), run.last()) else { return true };
        if !spec.takes_runs() {
            return false;
        }
        let bytes = self.framer.bytes(*begin, *end);
        self.cells.clear();
        let mut fields = Vec::with_capacity(width + 1);
        for (at, (from, to, _)) in run.iter().enumerate() {
            let split = spec.split_cells(bytes, from - begin, to - begin, &mut fields, &mut self.cells);
            if split.is_err() || self.cells.len() != (at + 1) * width {
                return false;
            }
        }
        let run = self.cells.of(bytes, width);
        run.is_some_and(|run| run::append(&spec.conversion, &spec.targets, &run, &mut self.columns, self.rows))
    }

    fn ends_stream(&self, from: usize, to: usize) -> bool {
        self.spec.layout.is_stream() && self.framer.bytes(from, to) == END_OF_DATA
    }

    /// A header that names the columns must name these.
    fn check_header(&self, framed: &Framed) -> Result<()> {
        let Framed::Record { from, to, line } = *framed else { return Ok(()) };
        if self.spec.header != Header::Names {
            return Ok(());
        }
        let record = self.framer.bytes(from, to);
        let (found, _) = self.spec.fields(record);
        let names = found.iter().map(|field| field.as_ref().map_or("\\N".into(), |field| shown(&field.bytes)));
        let names: Vec<String> = names.collect();
        let wanted = &self.spec.targets;
        let problem = if names.len() == wanted.len() {
            let wrong = names.iter().zip(wanted).position(|(name, target)| *name != target.name);
            wrong.map(|at| {
                let (got, expected) = (&names[at], &wanted[at].name);
                let field = at + 1;
                format!("column name mismatch in header line field {field}: got \"{got}\", expected \"{expected}\"")
            })
        } else {
            Some(format!("wrong number of fields in header line: got {}, expected {}", names.len(), wanted.len()))
        };
        match problem {
            Some(problem) => self.record(line, record, Bad::line(Problem::new(1216, problem))),
            None => Ok(()),
        }
    }

    fn row(&mut self, from: usize, to: usize, line: u64) -> Result<()> {
        let spec = Arc::clone(&self.spec);
        let record = self.framer.bytes(from, to);
        match spec.values(record) {
            Ok(values) => {
                for (column, value) in self.columns.iter_mut().zip(values) {
                    column.append(value);
                }
                self.rows += 1;
                let record = self.framer.bytes(from, to);
                if spec.options.accept_invalid_chars.is_some() && std::str::from_utf8(record).is_err() {
                    self.record_replacements(line, record);
                }
                Ok(())
            }
            Err(bad) => self.record(line, record, bad),
        }
    }

    /// Records the texts of a loaded record that held what is no UTF-8.
    fn record_replacements(&self, line: u64, record: &[u8]) {
        let (found, _) = self.spec.fields(record);
        let replaced = self.spec.replacements(&found, self.place(line, record));
        for replacement in replaced {
            self.errors.record_replacement(replacement);
        }
    }

    fn place<'a>(&'a self, line: u64, record: &'a [u8]) -> Place<'a> {
        let after = self.part.filter(|part| !part.is_first).map_or(0, |part| part.from);
        Place { file: &self.file, line, after, record }
    }

    fn record(&self, line: u64, record: &[u8], bad: Bad<'_>) -> Result<()> {
        let (found, _) = self.spec.fields(record);
        self.errors.record(self.spec.error(bad, found, self.place(line, record)))
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let rows = std::mem::take(&mut self.rows);
        self.spec.batch(&mut self.columns, rows)
    }
}
