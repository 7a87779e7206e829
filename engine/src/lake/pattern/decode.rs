//! Blocks of lines into batches.

use super::grok::GrokMatcher;
use super::java_regex::compile;
use super::lines;
use super::options::{Pattern, PatternOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::records::{Block, BlockDecoder, RecordError, ScalarRules, check_scalar, scalar_array};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use regex::{CaptureLocations, Regex};
use std::borrow::Cow;
use std::sync::Arc;

type Outcome<T> = std::result::Result<T, RecordError>;

/// The texts of a column's values.
type Cells<'a> = Vec<Option<Cow<'a, str>>>;

/// Decodes some columns of a table of lines.
pub(super) struct PatternDecoder {
    schema: SchemaRef,
    matcher: Matcher,
    /// The field or group of each column.
    columns: Vec<usize>,
    rules: ScalarRules,
}

/// A compiled pattern; a copy is made for each block, since a match is written into it.
#[derive(Clone)]
enum Matcher {
    Grok(GrokMatcher),
    Regex { regex: Regex, unless: Option<Regex>, locations: CaptureLocations },
}

impl Matcher {
    fn new(pattern: &Pattern) -> Result<Self> {
        Ok(match pattern {
            Pattern::Grok(grok) => Self::Grok(grok.matcher()?),
            Pattern::Regex { written, regex, unless, case_insensitive } => {
                let compile = |regex: &str| compile(regex, *case_insensitive, written);
                let unless = unless.as_deref().map(compile).transpose()?;
                let regex = compile(regex)?;
                Self::Regex { locations: regex.capture_locations(), regex, unless }
            }
        })
    }

    fn matches(&mut self, line: &str) -> bool {
        match self {
            Self::Grok(matcher) => matcher.find(line).is_some(),
            Self::Regex { regex, unless, locations } => {
                !unless.as_ref().is_some_and(|unless| unless.is_match(line))
                    && regex.captures_read(locations, line).is_some()
            }
        }
    }

    /// The text of a field or group in the line that was matched last.
    fn text<'a>(&self, line: &'a str, column: usize) -> Option<&'a str> {
        match self {
            Self::Grok(matcher) => matcher.field(line, column),
            Self::Regex { locations, .. } => locations.get(column).and_then(|(start, end)| line.get(start..end)),
        }
    }
}

impl PatternDecoder {
    /// A decoder of the columns `projection` of `file_schema`.
    pub(super) fn new(options: &PatternOptions, file_schema: &Schema, projection: &[usize]) -> Result<Self> {
        let schema = file_schema.project(projection).map_err(|e| Error::internal(e.to_string()))?;
        schema.fields().iter().try_for_each(|field| check_scalar(field.data_type()))?;
        let columns = match &options.pattern {
            Pattern::Grok(grok) => {
                let names: Vec<&str> = file_schema.fields().iter().map(|field| field.name().as_str()).collect();
                let all = grok.columns(&names)?;
                projection.iter().map(|column| all[*column]).collect()
            }
            // Group 0 is the whole line. Columns beyond the last group are NULL, as in Hive.
            Pattern::Regex { .. } => projection.iter().map(|column| column + 1).collect(),
        };
        let matcher = Matcher::new(&options.pattern)?;
        let rules = ScalarRules { invalid_values: options.invalid_values, ..ScalarRules::default() };
        Ok(Self { schema: Arc::new(schema), matcher, columns, rules })
    }

    /// The texts of each column in each of the lines; a line that does not match has none.
    fn cells<'a>(&self, lines: &[(usize, &'a [u8])]) -> Vec<Cells<'a>> {
        let mut matcher = self.matcher.clone();
        let mut cells: Vec<Cells<'a>> = vec![Vec::with_capacity(lines.len()); self.columns.len()];
        for (_, line) in lines {
            // Bytes that are no text are replaced, as Hadoop's Text does it.
            let line = String::from_utf8_lossy(line);
            let found = matcher.matches(&line);
            for (cells, column) in cells.iter_mut().zip(&self.columns) {
                cells.push(match &line {
                    _ if !found => None,
                    Cow::Borrowed(line) => matcher.text(line, *column).map(Cow::Borrowed),
                    Cow::Owned(line) => matcher.text(line, *column).map(|text| Cow::Owned(text.to_owned())),
                });
            }
        }
        cells
    }

    fn batch(&self, lines: &[(usize, &[u8])]) -> Outcome<RecordBatch> {
        let cells = self.cells(lines);
        let mut arrays = Vec::with_capacity(cells.len());
        for (cells, field) in cells.iter().zip(self.schema.fields()) {
            arrays.push(scalar_array(field.data_type(), cells, &self.rules).map_err(|bad| RecordError {
                at: lines.get(bad.row).map_or(0, |(start, _)| *start),
                character: None,
                error: bad.error(field.name()),
            })?);
        }
        self.new_batch(arrays, lines.len())
    }

    fn new_batch(&self, arrays: Vec<arrow::array::ArrayRef>, rows: usize) -> Outcome<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options).map_err(|e| RecordError {
            at: 0,
            character: None,
            error: Error::new(ErrorKind::Data, e.to_string()),
        })
    }
}

impl BlockDecoder for PatternDecoder {
    fn decode(&self, block: &Block, batch_size: usize) -> Outcome<Vec<RecordBatch>> {
        if self.columns.is_empty() {
            return Ok(vec![self.new_batch(Vec::new(), lines(&block.bytes).count())?]);
        }
        let lines: Vec<(usize, &[u8])> = lines(&block.bytes).collect();
        // Batches of equal size, lest the last be a small one in each block.
        let size = lines.len().div_ceil(lines.len().div_ceil(batch_size).max(1)).max(1);
        lines.chunks(size).map(|part| self.batch(part)).collect()
    }
}
