//! By which characters a sample is divided and quoted: those under which its records are most alike.

use super::settings::Settings;
use crate::crawl::Sample;
use crate::lake::text::Records;
use std::cmp::Reverse;
use std::collections::HashMap;

/// The delimiters that AWS Glue looks for, the ones first that stand in other texts least.
const DELIMITERS: [u8; 5] = [1, b'\t', b'|', b';', b','];

/// How many records are looked at to find the delimiter.
const RECORDS: usize = 1000;

/// The most columns that a file may have.
const MAX_COLUMNS: usize = 10_000;

/// The share of records that must have the same number of fields; a file that calls itself CSV needs more than half.
const LEAST_SHARE: f64 = 0.7;

/// From this share on the records are alike.
const ALIKE: f64 = 0.95;

/// Names that say what the file is.
const EXTENSIONS: [&str; 4] = [".csv", ".tsv", ".tab", ".psv"];

/// How a file's records are divided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// `None` where values are not quoted.
    pub(super) quote: Option<u8>,
    /// `None` where quotes within a value are doubled.
    pub(super) escape: Option<u8>,
    /// The number of fields that most records have.
    pub(super) width: usize,
    /// The share of them.
    share: f64,
    /// The first record has as many.
    first: bool,
    /// Fields that begin with a quote and do not end with it.
    misquoted: usize,
}

impl Dialect {
    /// The records of a file.
    pub(super) fn records<'a>(&self, bytes: &'a [u8]) -> Records<'a> {
        Records::new(bytes, self.delimiter, self.quote, self.escape)
    }

    /// How a sample looks under these characters; `None` when it is not divided or quoted by them.
    fn of(sample: &Sample, custom_quote: bool, delimiter: u8, quote: Option<u8>, escape: Option<u8>) -> Option<Self> {
        let mut widths: HashMap<usize, u32> = HashMap::new();
        let (mut records, mut quoted, mut misquoted, mut first) = (0, 0, 0, 0);
        let all = Records::new(&sample.bytes, delimiter, quote, escape);
        for record in all.filter(|record| !record.is_blank()).take(RECORDS) {
            // A quote that nothing closes swallows the rest: the file is not quoted like that.
            if record.open && (!sample.truncated || record.start < sample.bytes.len() / 2) {
                return None;
            }
            if sample.truncated && !record.terminated {
                break;
            }
            let count = record.count();
            if count.fields > MAX_COLUMNS {
                return None;
            }
            if records == 0 {
                first = count.fields;
            }
            records += 1;
            quoted += count.quoted;
            misquoted += count.misquoted;
            *widths.entry(count.fields).or_default() += 1;
        }
        let (width, regular) = widths.into_iter().max_by_key(|(width, regular)| (*regular, *width))?;
        let is_quoted = quote.is_none() || custom_quote || quoted > misquoted;
        is_quoted.then(|| Self {
            delimiter,
            quote,
            escape,
            width,
            share: f64::from(regular) / f64::from(records),
            first: first == width,
            misquoted,
        })
    }

    /// Larger for the likelier of two delimiters.
    fn likeliness(&self, decimal_commas: bool) -> impl Ord + use<> {
        let alike = self.first && self.share >= ALIKE;
        let permille = if alike { 1000 } else { (self.share * 1000.0) as u32 };
        // Texts have no control characters, but for tabs, and few of these.
        let control = matches!(self.delimiter, 1 | b'\t');
        let width = if decimal_commas && self.delimiter == b',' { 0 } else { self.width };
        let order = DELIMITERS.iter().position(|delimiter| *delimiter == self.delimiter);
        (alike, self.first, permille, control, width, Reverse(order))
    }
}

/// How a sample is divided; `None` when it is no delimited text.
pub(super) fn detect(sample: &Sample, settings: &Settings<'_>) -> Option<Dialect> {
    let delimiters = match &settings.delimiter {
        Some(delimiter) => std::slice::from_ref(delimiter),
        None => &DELIMITERS[..],
    };
    let occurs = |byte: u8| memchr::memchr(byte, &sample.bytes).is_some();
    let decimal_commas = has_decimal_commas(&sample.bytes);
    let divided = delimiters
        .iter()
        .filter(|delimiter| occurs(**delimiter))
        .filter_map(|delimiter| divided_by(sample, settings, *delimiter))
        .filter(|dialect| dialect.width > 1)
        .max_by_key(|dialect| dialect.likeliness(decimal_commas));
    let whole_lines = || {
        let delimiter = settings.delimiter.unwrap_or(b',');
        divided_by(sample, settings, delimiter).filter(|_| settings.allow_single_column)
    };
    let lower = sample.name.to_lowercase();
    let named = settings.custom || EXTENSIONS.iter().any(|extension| lower.ends_with(extension));
    let enough = |dialect: &Dialect| dialect.share >= LEAST_SHARE || (named && dialect.share > 0.5);
    divided.filter(enough).or_else(|| whole_lines().filter(enough))
}

/// The likeliest quoting under a delimiter.
fn divided_by(sample: &Sample, settings: &Settings<'_>, delimiter: u8) -> Option<Dialect> {
    let of = |quote, escape| Dialect::of(sample, settings.quote.is_some(), delimiter, quote, escape);
    let quote = settings.quote.unwrap_or(b'"');
    let doubled = of(Some(quote), None);
    let escaped = memchr::memmem::find(&sample.bytes, &[b'\\', quote]).and_then(|_| of(Some(quote), Some(b'\\')));
    let quoted = match (doubled, escaped) {
        (Some(doubled), Some(escaped)) => {
            let better = (escaped.misquoted, -escaped.share) < (doubled.misquoted, -doubled.share);
            Some(if better { escaped } else { doubled })
        }
        (doubled, escaped) => doubled.or(escaped),
    };
    if settings.quote.is_some() {
        return quoted;
    }
    let plain = of(None, None);
    quoted.filter(|quoted| plain.is_none_or(|plain| quoted.share >= plain.share)).or(plain)
}

/// Whether all commas stand between digits, as in numbers of many languages.
fn has_decimal_commas(bytes: &[u8]) -> bool {
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    memchr::memchr_iter(b',', bytes).all(|at| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)))
}
