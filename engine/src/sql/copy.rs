//! Redshift's `COPY`: options in any order, each at most once.
//!
//! What would need a service that is not here (SSH, EMR, keys of encryption) is refused by name.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::authorization::Authorization;
use crate::sql::cursor::Cursor;
use crate::sql::strings::{Escapes, decode};
use crate::sql::{
    Access, CompressionUpdate, Copy, CopyCompression, CopyFormat, CopyOptions, JsonMapping, Statement, TextEncoding,
    copy_stream,
};
use sqlparser::tokenizer::Token;

/// Options of Redshift that are refused by name.
const UNSUPPORTED: [&str; 8] =
    ["SSH", "ENCRYPTED", "MASTER_SYMMETRIC_KEY", "LZOP", "SHAPEFILE", "SIMPLIFY", "SERIALIZETOJSON", "JOB"];

/// Options of values and lines: Redshift does not have them for columnar files, whose values have types and must be good.
const OF_VALUES: [&str; 12] = [
    "ACCEPTANYDATE",
    "ACCEPTINVCHARS",
    "BLANKSASNULL",
    "DATEFORMAT",
    "EMPTYASNULL",
    "NULL",
    "ROUNDEC",
    "TIMEFORMAT",
    "TRIMBLANKS",
    "TRUNCATECOLUMNS",
    "MAXERROR",
    "IGNOREALLERRORS",
];

/// Options of what files of text are as a whole: the texts of other formats are UTF-8, and their blocks are compressed.
const OF_TEXT_FILES: [&str; 5] = ["ENCODING", "GZIP", "BZIP2", "ZSTD", "SNAPPY"];

/// Options of files: Redshift's COPY from DynamoDB does not take them.
const OF_FILES: [&str; 22] = [
    "FORMAT",
    "CSV",
    "PARQUET",
    "ORC",
    "JSON",
    "AVRO",
    "FIXEDWIDTH",
    "DELIMITER",
    "QUOTE",
    "GZIP",
    "BZIP2",
    "ZSTD",
    "SNAPPY",
    "ACCEPTINVCHARS",
    "ENCODING",
    "ESCAPE",
    "FILLRECORD",
    "IGNOREBLANKLINES",
    "IGNOREHEADER",
    "MANIFEST",
    "NULL",
    "REMOVEQUOTES",
];

/// What a table of DynamoDB is named by.
const DYNAMODB: &str = "dynamodb://";

/// The largest READRATIO (Redshift's limit).
const MOST_READ_RATIO: u64 = 200;

/// The most bad lines that MAXERROR may allow (Redshift's limit).
const MOST_ERRORS: u64 = 100_000;

/// `COPY t [(columns)] FROM 'place' [authorization] [options]`
pub(super) fn copy(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("COPY")?;
    if *cursor.peek() == Token::LParen {
        return copy_stream::query_out(cursor);
    }
    if ["JOB ALTER", "JOB RUN", "JOB LIST", "JOB SHOW", "JOB DROP"].iter().any(|words| cursor.at(words)) {
        return Err(cursor.unsupported("COPY JOB"));
    }
    let table = cursor.object_name()?;
    let columns = if *cursor.peek() == Token::LParen { cursor.list(Cursor::identifier)? } else { Vec::new() };
    if cursor.eat("TO") {
        return copy_stream::table_out(cursor, &table, &columns);
    }
    cursor.expect("FROM")?;
    if cursor.eat("STDIN") {
        return copy_stream::copy_in(cursor, table, columns);
    }
    if cursor.at("PROGRAM") {
        return Err(cursor.unsupported("COPY … FROM PROGRAM"));
    }
    let source = cursor.string()?;
    for (scheme, what) in [("emr://", "COPY from EMR"), ("ssh://", "COPY from SSH")] {
        if source.to_ascii_lowercase().starts_with(scheme) {
            return Err(Error::unsupported(what));
        }
    }
    let mut parsed = Parsed::new(Copy {
        table,
        columns,
        source,
        manifest: false,
        format: CopyFormat::Delimited,
        compression: None,
        options: CopyOptions::default(),
        max_errors: 0,
        ignore_all_errors: false,
        no_load: false,
        explicit_ids: false,
        access: Access::default(),
        compression_update: None,
        compression_rows: None,
        statistics_update: None,
    });
    while !cursor.at_end() {
        parsed.option(cursor)?;
    }
    Ok(Statement::Copy(Box::new(parsed.finish()?)))
}

/// A statement and what was said of it so far.
struct Parsed {
    copy: Copy,
    seen: Vec<String>,
    delimiter: Option<Vec<u8>>,
    quote: Option<u8>,
    authorization: Authorization,
    region: Option<String>,
    read_ratio: Option<u64>,
    endpoint: Option<String>,
}

impl Parsed {
    fn new(copy: Copy) -> Self {
        Self {
            copy,
            seen: Vec::new(),
            delimiter: None,
            quote: None,
            authorization: Authorization::default(),
            region: None,
            read_ratio: None,
            endpoint: None,
        }
    }

    fn option(&mut self, cursor: &mut Cursor) -> Result<()> {
        let Some(word) = cursor.peek_word() else { return Err(cursor.syntax_error("an option of COPY")) };
        if self.authorization.clause(cursor)? {
            return Ok(());
        }
        if self.seen.contains(&word) && word != "FORMAT" {
            let message = format!("conflicting or redundant options: {word}");
            return Err(Error::new(ErrorKind::Syntax, message).with_position(cursor.position()));
        }
        if UNSUPPORTED.contains(&word.as_str()) {
            return Err(cursor.unsupported(&format!("COPY … {word}")));
        }
        if self.layout(cursor, &word)? || self.switch(&word) {
            if self.seen.last() != Some(&word) {
                self.seen.push(word);
            }
            return Ok(());
        }
        let position = cursor.position();
        cursor.advance();
        self.valued(cursor, &word, position)?;
        self.seen.push(word);
        Ok(())
    }

    /// Options that say what the files are; they read what follows them.
    fn layout(&mut self, cursor: &mut Cursor, word: &str) -> Result<bool> {
        if word == "FORMAT" {
            cursor.advance();
            cursor.eat("AS");
            let Some(format) = cursor.peek_word() else { return Err(cursor.syntax_error("a format")) };
            if format == "SHAPEFILE" {
                return Err(cursor.unsupported("COPY … SHAPEFILE"));
            }
            self.seen.push(word.to_owned());
            if self.layout(cursor, &format)? && format != "FORMAT" {
                self.seen.push(format);
                return Ok(true);
            }
            return Err(cursor.syntax_error("CSV, JSON, AVRO, PARQUET, ORC or FIXEDWIDTH"));
        }
        let format = match word {
            "CSV" | "PARQUET" | "ORC" | "JSON" | "AVRO" | "FIXEDWIDTH" => {
                if self.copy.format != CopyFormat::Delimited {
                    let message = "conflicting or redundant options: COPY has two formats";
                    return Err(Error::new(ErrorKind::Syntax, message).with_position(cursor.position()));
                }
                cursor.advance();
                cursor.eat("AS");
                match word {
                    "CSV" => CopyFormat::Csv { quote: b'"' },
                    "PARQUET" => CopyFormat::Parquet,
                    "ORC" => CopyFormat::Orc,
                    "JSON" => CopyFormat::Json(mapping(cursor)),
                    "AVRO" => CopyFormat::Avro(mapping(cursor)),
                    _ => CopyFormat::FixedWidth(widths(cursor)?),
                }
            }
            "GZIP" | "BZIP2" | "ZSTD" | "SNAPPY" => {
                if self.copy.compression.is_some() {
                    return Err(
                        Error::new(ErrorKind::Syntax, "COPY has two compressions").with_position(cursor.position())
                    );
                }
                cursor.advance();
                self.copy.compression = Some(match word {
                    "GZIP" => CopyCompression::Gzip,
                    "BZIP2" => CopyCompression::Bzip2,
                    "ZSTD" => CopyCompression::Zstd,
                    _ => CopyCompression::Snappy,
                });
                return Ok(true);
            }
            word if self.is_switch(word) => {
                cursor.advance();
                return Ok(false);
            }
            _ => return Ok(false),
        };
        self.copy.format = format;
        Ok(true)
    }

    fn is_switch(&self, word: &str) -> bool {
        matches!(
            word,
            "MANIFEST"
                | "ESCAPE"
                | "REMOVEQUOTES"
                | "EMPTYASNULL"
                | "BLANKSASNULL"
                | "TRIMBLANKS"
                | "TRUNCATECOLUMNS"
                | "FILLRECORD"
                | "IGNOREBLANKLINES"
                | "IGNOREALLERRORS"
                | "ACCEPTANYDATE"
                | "EXPLICIT_IDS"
                | "ROUNDEC"
                | "NOLOAD"
        )
    }

    /// Options of one word.
    fn switch(&mut self, word: &str) -> bool {
        let options = &mut self.copy.options;
        let switch = match word {
            "MANIFEST" => &mut self.copy.manifest,
            "ESCAPE" => &mut options.escape,
            "REMOVEQUOTES" => &mut options.remove_quotes,
            "EMPTYASNULL" => &mut options.empty_as_null,
            "BLANKSASNULL" => &mut options.blanks_as_null,
            "TRIMBLANKS" => &mut options.trim_blanks,
            "TRUNCATECOLUMNS" => &mut options.truncate_columns,
            "FILLRECORD" => &mut options.fill_record,
            "IGNOREBLANKLINES" => &mut options.ignore_blank_lines,
            "IGNOREALLERRORS" => &mut self.copy.ignore_all_errors,
            "ACCEPTANYDATE" => &mut options.accept_any_date,
            "EXPLICIT_IDS" => &mut self.copy.explicit_ids,
            "ROUNDEC" => &mut options.round_decimals,
            "NOLOAD" => &mut self.copy.no_load,
            _ => return false,
        };
        *switch = true;
        true
    }

    /// Options with a value.
    fn valued(&mut self, cursor: &mut Cursor, word: &str, position: usize) -> Result<()> {
        let at = |error: Error| error.with_position(position);
        cursor.eat("AS");
        let options = &mut self.copy.options;
        match word {
            "DELIMITER" => {
                let text = literal(cursor)?;
                if text.is_empty() || text.iter().any(|b| matches!(b, b'\n' | b'\r')) {
                    return Err(at(invalid("DELIMITER", "one character or more, no line end")));
                }
                self.delimiter = Some(text);
            }
            "QUOTE" => self.quote = Some(one_byte(cursor, "QUOTE")?),
            "NULL" => (options.null_as, options.null_said) = (literal(cursor)?, true),
            "IGNOREHEADER" => options.ignore_header = number(cursor, "IGNOREHEADER")?,
            "MAXERROR" => {
                let most = number(cursor, "MAXERROR")?;
                if most > MOST_ERRORS {
                    return Err(at(invalid("MAXERROR", "at most 100000")));
                }
                self.copy.max_errors = most;
            }
            "DATEFORMAT" => options.date_format = Some(cursor.string()?),
            "TIMEFORMAT" => options.time_format = Some(cursor.string()?),
            "ACCEPTINVCHARS" => {
                let given = matches!(cursor.peek(), Token::SingleQuotedString(_));
                options.accept_invalid_chars = Some(if given { one_byte(cursor, "ACCEPTINVCHARS")? } else { b'?' });
            }
            "ENCODING" => {
                let name = match cursor.optional_string() {
                    Some(name) => name.to_ascii_uppercase(),
                    None => {
                        let name = cursor.peek_word().unwrap_or_default();
                        cursor.advance();
                        name
                    }
                };
                options.encoding = match name.as_str() {
                    "UTF8" => TextEncoding::Utf8,
                    "UTF16" => TextEncoding::Utf16,
                    "UTF16LE" => TextEncoding::Utf16Le,
                    "UTF16BE" => TextEncoding::Utf16Be,
                    "ISO88591" => TextEncoding::Iso88591,
                    _ => return Err(at(invalid("ENCODING", "UTF8, UTF16, UTF16LE, UTF16BE or ISO88591"))),
                };
            }
            "REGION" => self.region = Some(cursor.string()?),
            "ENDPOINT" => self.endpoint = Some(cursor.string()?),
            "READRATIO" => {
                let ratio = number(cursor, "READRATIO")?;
                if !(1..=MOST_READ_RATIO).contains(&ratio) {
                    return Err(at(invalid("READRATIO", "a whole number from 1 to 200")));
                }
                self.read_ratio = Some(ratio);
            }
            "COMPUPDATE" => {
                let preset = cursor.eat("PRESET");
                self.copy.compression_update = Some(match on_or_off(cursor) {
                    _ if preset => CompressionUpdate::Preset,
                    true => CompressionUpdate::On,
                    false => CompressionUpdate::Off,
                });
            }
            "STATUPDATE" => self.copy.statistics_update = Some(on_or_off(cursor)),
            "COMPROWS" => self.copy.compression_rows = Some(number(cursor, "COMPROWS")?),
            _ => {
                let message = format!("unrecognized option of COPY \"{}\"", word.to_ascii_lowercase());
                return Err(at(Error::new(ErrorKind::Syntax, message)));
            }
        }
        Ok(())
    }

    /// The statement, when its options go together.
    fn finish(self) -> Result<Copy> {
        let Self { mut copy, seen, delimiter, quote, authorization, region, read_ratio, endpoint } = self;
        copy.access = authorization.finish(region)?;
        let said = |word: &str| seen.iter().any(|seen| seen == word);
        let clash = |a: &str, b: &str| Error::new(ErrorKind::Syntax, format!("{a} is not compatible with {b}"));
        if said("MAXERROR") && copy.ignore_all_errors {
            return Err(clash("IGNOREALLERRORS", "MAXERROR"));
        }
        if copy.source.to_ascii_lowercase().starts_with(DYNAMODB) {
            let none = || Error::new(ErrorKind::Syntax, "COPY from DynamoDB needs READRATIO");
            let read_ratio = read_ratio.and_then(|ratio| u32::try_from(ratio).ok()).ok_or_else(none)?;
            if let Some(option) = OF_FILES.into_iter().find(|option| said(option)) {
                return Err(clash(option, "COPY from DynamoDB"));
            }
            copy.format = CopyFormat::DynamoDb { read_ratio, endpoint };
            return Ok(copy);
        }
        if let Some(option) = ["READRATIO", "ENDPOINT"].into_iter().find(|option| said(option)) {
            return Err(Error::new(ErrorKind::Syntax, format!("{option} needs COPY from DynamoDB")));
        }
        match &mut copy.format {
            CopyFormat::Csv { quote: used } => {
                *used = quote.unwrap_or(*used);
                copy.options.delimiter = delimiter.unwrap_or_else(|| vec![b',']);
                for option in ["ESCAPE", "REMOVEQUOTES"] {
                    if said(option) {
                        return Err(clash(option, "CSV"));
                    }
                }
                if copy.options.delimiter.contains(used) {
                    return Err(Error::new(ErrorKind::InvalidParameter, "DELIMITER and QUOTE must differ"));
                }
            }
            CopyFormat::Delimited => {
                copy.options.delimiter = delimiter.unwrap_or_else(|| vec![b'|']);
                if quote.is_some() {
                    return Err(Error::new(ErrorKind::Syntax, "QUOTE needs CSV"));
                }
            }
            CopyFormat::FixedWidth(_) => {
                for option in ["DELIMITER", "ESCAPE", "REMOVEQUOTES", "QUOTE"] {
                    if said(option) {
                        return Err(clash(option, "FIXEDWIDTH"));
                    }
                }
            }
            format => {
                let name = match format {
                    CopyFormat::Json(_) => "JSON",
                    CopyFormat::Avro(_) => "AVRO",
                    CopyFormat::Parquet => "PARQUET",
                    _ => "ORC",
                };
                let text = ["DELIMITER", "ESCAPE", "REMOVEQUOTES", "QUOTE", "IGNOREBLANKLINES"];
                let header = Some("IGNOREHEADER").filter(|_| name != "JSON");
                let fill = Some("FILLRECORD").filter(|_| matches!(name, "JSON" | "AVRO"));
                if let Some(option) = text.into_iter().chain(header).chain(fill).find(|option| said(option)) {
                    return Err(clash(option, name));
                }
                let of_values = OF_VALUES.into_iter().filter(|_| matches!(name, "PARQUET" | "ORC"));
                let of_files = OF_TEXT_FILES.into_iter().filter(|_| name != "JSON");
                match of_values.chain(of_files).find(|option| said(option)) {
                    // Redshift has these; what it lacks for the columnar formats is a mistake.
                    Some(option) if name == "AVRO" || option == "ACCEPTINVCHARS" => {
                        return Err(Error::unsupported(format!("COPY … {name} {option}")));
                    }
                    Some(option) => return Err(clash(option, name)),
                    None => {}
                }
            }
        }
        Ok(copy)
    }
}

fn invalid(option: &str, wanted: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, format!("invalid value for {option}: expected {wanted}"))
}

/// What may stand after the name of a switch; the name alone switches it on.
fn on_or_off(cursor: &mut Cursor) -> bool {
    let off = cursor.eat("OFF") || cursor.eat("FALSE");
    let _ = !off && (cursor.eat("ON") || cursor.eat("TRUE"));
    !off
}

fn mapping(cursor: &mut Cursor) -> JsonMapping {
    match cursor.optional_string() {
        None => JsonMapping::Auto { ignore_case: false },
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "auto" => JsonMapping::Auto { ignore_case: false },
            "auto ignorecase" => JsonMapping::Auto { ignore_case: true },
            "noshred" => JsonMapping::NoShred,
            _ => JsonMapping::Paths(text),
        },
    }
}

/// `'name:width,name:width'`; a name may be quoted in nothing.
pub(super) fn widths(cursor: &mut Cursor) -> Result<Vec<(String, usize)>> {
    let position = cursor.position();
    let text = cursor.string()?;
    let wrong = || invalid("FIXEDWIDTH", "'column:width, …'").with_position(position);
    let parts = text.split(',').map(|part| {
        let (name, width) = part.rsplit_once(':').ok_or_else(wrong)?;
        let width = width.trim().parse().ok().filter(|width| (1..=65_535).contains(width)).ok_or_else(wrong)?;
        Ok((name.trim().to_lowercase(), width))
    });
    parts.collect()
}

pub(super) fn number(cursor: &mut Cursor, option: &str) -> Result<u64> {
    let position = cursor.position();
    let text = match cursor.optional_number() {
        Some(number) => Some(number),
        None => cursor.optional_string(),
    };
    let number = text.ok_or_else(|| cursor.syntax_error("a number"))?;
    number.trim().parse().map_err(|_| invalid(option, "a whole number").with_position(position))
}

/// A string in which `\N` stays as it is, since that is what NULL looks like; `\t` and octal codes are decoded.
pub(super) fn literal(cursor: &mut Cursor) -> Result<Vec<u8>> {
    if !matches!(cursor.peek(), Token::SingleQuotedString(_)) {
        return Ok(cursor.string()?.into_bytes());
    }
    let text = decode(cursor.next_source(), Escapes::Plain);
    cursor.advance();
    Ok(unescape(&text))
}

fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let octal = bytes.get(at + 1..at + 4).filter(|digits| digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        let (byte, taken) = match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(_)) if octal.is_some() => {
                let digits = octal.unwrap_or_default();
                let code = digits.iter().fold(0_u32, |code, digit| code * 8 + u32::from(digit - b'0'));
                ((code & 0xff) as u8, 4)
            }
            (b'\\', Some(b't')) => (b'\t', 2),
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b'r')) => (b'\r', 2),
            (b'\\', Some(b'0')) => (0, 2),
            (b'\\', Some(b'\\')) => (b'\\', 2),
            (byte, _) => (byte, 1),
        };
        decoded.push(byte);
        at += taken;
    }
    decoded
}

pub(super) fn one_byte(cursor: &mut Cursor, option: &str) -> Result<u8> {
    let position = cursor.position();
    match literal(cursor)?.as_slice() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
        _ => Err(invalid(option, "one ASCII character").with_position(position)),
    }
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes_of_options() {
        for (text, bytes) in
            [("\\t", &b"\t"[..]), ("\\N", b"\\N"), ("\\\\N", b"\\N"), ("\\001", b"\x01"), ("\\0", b"\0"), ("|", b"|")]
        {
            assert_eq!(unescape(text), bytes, "{text}");
        }
    }
}
