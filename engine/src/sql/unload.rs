//! `UNLOAD`: Redshift's form with a query in a string, Athena's with a query in parentheses and properties.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::authorization::Authorization;
use crate::sql::cursor::Cursor;
use crate::sql::{Access, Dialect, PropertyValue, Statement, Unload, UnloadFormat, copy, create_table_as, parse_named};
use sqlparser::tokenizer::Token;

/// The largest file that UNLOAD makes, and the least that MAXFILESIZE may say (Redshift's limits).
const FILE_SIZES: (u64, u64) = (5 << 20, 6_758_072_320);

/// `UNLOAD ('query') TO 'place' …` or `UNLOAD (query) TO 'place' WITH (…)`
pub(super) fn unload(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("UNLOAD")?;
    cursor.expect_token(&Token::LParen)?;
    let athena = cursor.at_query();
    let query = if athena {
        cursor.query()?.0
    } else {
        let position = cursor.position();
        let text = cursor.string()?;
        let dialect = if cursor.is_athena() { Dialect::Athena } else { Dialect::Redshift };
        let mut statements =
            parse_named(&text, dialect, cursor.names()).map_err(|error| Error { position: Some(position), ..error })?;
        match (statements.pop().map(|parsed| parsed.statement), statements.is_empty()) {
            (Some(Statement::Query(query)), true) => query,
            _ => return Err(Error::new(ErrorKind::Syntax, "UNLOAD needs one query").with_position(position)),
        }
    };
    cursor.expect_token(&Token::RParen)?;
    cursor.expect("TO")?;
    let target = cursor.string()?;
    let mut unload = Unload {
        query,
        target,
        format: UnloadFormat::Parquet,
        compression: "NONE",
        compression_level: None,
        partition_by: Vec::new(),
        include: false,
        parallel: true,
        manifest: None,
        max_file_size_bytes: None,
        row_group_bytes: None,
        allow_overwrite: false,
        clean_path: false,
        extension: None,
        athena,
        access: Access::default(),
    };
    if athena {
        properties(cursor, &mut unload)?;
    } else {
        options(cursor, &mut unload)?;
    }
    Ok(Statement::Unload(Box::new(unload)))
}

/// What Redshift's options said of a text format before it is known which one it is.
#[derive(Default)]
struct Said {
    delimiter: Option<u8>,
    null_as: Option<String>,
    format: Option<&'static str>,
    widths: Vec<usize>,
    words: Vec<String>,
    region: Option<String>,
}

impl Said {
    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|said| said == word)
    }
}

fn options(cursor: &mut Cursor, unload: &mut Unload) -> Result<()> {
    let mut said = Said::default();
    let mut authorization = Authorization::default();
    while !cursor.at_end() {
        if authorization.clause(cursor)? {
            continue;
        }
        let position = cursor.position();
        let Some(word) = cursor.peek_word() else { return Err(cursor.syntax_error("an option of UNLOAD")) };
        if ["ENCRYPTED", "KMS_KEY_ID", "MASTER_SYMMETRIC_KEY", "ICEBERG"].contains(&word.as_str()) {
            return Err(cursor.unsupported(&format!("UNLOAD … {word}")));
        }
        if said.has(&word) {
            let message = format!("conflicting or redundant options: {word}");
            return Err(Error::new(ErrorKind::Syntax, message).with_position(position));
        }
        cursor.advance();
        if word == "FORMAT" {
            cursor.eat("AS");
            continue;
        }
        option(cursor, unload, &mut said, &word).map_err(|error| match error.position {
            None => error.with_position(position),
            Some(_) => error,
        })?;
        said.words.push(word);
    }
    unload.access = authorization.finish(said.region.take())?;
    unload.format = format_of(&said)?;
    let wrong = |a: &str, b: &str| Err(Error::new(ErrorKind::Syntax, format!("{a} is not compatible with {b}")));
    if unload.format == UnloadFormat::Parquet && unload.compression != "NONE" {
        return wrong(unload.compression, "PARQUET");
    }
    if unload.format == UnloadFormat::Parquet {
        // Redshift compresses Parquet with snappy whatever is said.
        unload.compression = "SNAPPY";
    } else if unload.row_group_bytes.is_some() {
        return wrong("ROWGROUPSIZE", "text formats");
    }
    if unload.allow_overwrite && unload.clean_path {
        return wrong("ALLOWOVERWRITE", "CLEANPATH");
    }
    if !unload.partition_by.is_empty() && matches!(unload.format, UnloadFormat::FixedWidth { .. }) {
        return wrong("PARTITION BY", "FIXEDWIDTH");
    }
    Ok(())
}

fn option(cursor: &mut Cursor, unload: &mut Unload, said: &mut Said, word: &str) -> Result<()> {
    match word {
        "CSV" | "JSON" | "PARQUET" | "FIXEDWIDTH" => {
            if said.format.is_some() {
                return Err(Error::new(ErrorKind::Syntax, "UNLOAD has two formats"));
            }
            said.format = ["CSV", "JSON", "PARQUET", "FIXEDWIDTH"].into_iter().find(|format| *format == word);
            if word == "FIXEDWIDTH" {
                cursor.eat("AS");
                said.widths = copy::widths(cursor)?.into_iter().map(|(_, width)| width).collect();
            }
        }
        "GZIP" | "BZIP2" | "ZSTD" => {
            if unload.compression != "NONE" {
                return Err(Error::new(ErrorKind::Syntax, "UNLOAD has two compressions"));
            }
            unload.compression = ["GZIP", "BZIP2", "ZSTD"].into_iter().find(|name| *name == word).unwrap_or("NONE");
        }
        "DELIMITER" => {
            cursor.eat("AS");
            said.delimiter = Some(copy::one_byte(cursor, "DELIMITER")?);
        }
        "NULL" => {
            cursor.eat("AS");
            said.null_as = Some(String::from_utf8_lossy(&copy::literal(cursor)?).into_owned());
        }
        "ADDQUOTES" | "ESCAPE" | "HEADER" => {}
        "ALLOWOVERWRITE" => unload.allow_overwrite = true,
        "CLEANPATH" => unload.clean_path = true,
        "MANIFEST" => unload.manifest = Some(cursor.eat("VERBOSE")),
        "PARALLEL" => {
            cursor.eat("AS");
            unload.parallel = !(cursor.eat("OFF") || cursor.eat("FALSE"));
            let _ = cursor.eat("ON") || cursor.eat("TRUE");
        }
        "PARTITION" => {
            cursor.expect("BY")?;
            unload.partition_by = cursor.list(Cursor::identifier)?;
            unload.include = cursor.eat("INCLUDE");
        }
        "MAXFILESIZE" => {
            cursor.eat("AS");
            let size = size(cursor)?;
            if !(FILE_SIZES.0..=FILE_SIZES.1).contains(&size) {
                return Err(Error::new(ErrorKind::InvalidParameter, "MAXFILESIZE must be between 5 MB and 6.2 GB"));
            }
            unload.max_file_size_bytes = Some(size);
        }
        "ROWGROUPSIZE" => {
            cursor.eat("AS");
            let size = size(cursor)?;
            if !(32 << 20..=128 << 20).contains(&size) {
                return Err(Error::new(ErrorKind::InvalidParameter, "ROWGROUPSIZE must be between 32 MB and 128 MB"));
            }
            unload.row_group_bytes = usize::try_from(size).ok();
        }
        "EXTENSION" => {
            let extension = cursor.string()?;
            let extension = extension.trim_start_matches('.').to_owned();
            if extension.is_empty() || !extension.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) {
                return Err(Error::new(ErrorKind::InvalidParameter, "invalid value for EXTENSION"));
            }
            unload.extension = Some(extension);
        }
        "REGION" => {
            cursor.eat("AS");
            said.region = Some(cursor.string()?);
        }
        _ => {
            let message = format!("unrecognized option of UNLOAD \"{}\"", word.to_ascii_lowercase());
            return Err(Error::new(ErrorKind::Syntax, message));
        }
    }
    Ok(())
}

fn format_of(said: &Said) -> Result<UnloadFormat> {
    let null_as = said.null_as.clone().unwrap_or_default();
    let (header, add_quotes, escape) = (said.has("HEADER"), said.has("ADDQUOTES"), said.has("ESCAPE"));
    let refuse = |format: &str, options: &[(&str, bool)]| match options.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(Error::new(ErrorKind::Syntax, format!("{option} is not compatible with {format}"))),
        None => Ok(()),
    };
    let (delimited, nulls) = (said.delimiter.is_some(), said.null_as.is_some());
    Ok(match said.format {
        None => {
            let delimiter = said.delimiter.unwrap_or(b'|');
            UnloadFormat::Delimited { delimiter, add_quotes, escape, null_as, header }
        }
        Some("CSV") => {
            refuse("CSV", &[("ADDQUOTES", add_quotes), ("ESCAPE", escape)])?;
            UnloadFormat::Csv { delimiter: said.delimiter.unwrap_or(b','), null_as, header }
        }
        Some("FIXEDWIDTH") => {
            let wrong = [("DELIMITER", delimited), ("ADDQUOTES", add_quotes), ("ESCAPE", escape), ("HEADER", header)];
            refuse("FIXEDWIDTH", &wrong)?;
            UnloadFormat::FixedWidth { widths: said.widths.clone(), null_as }
        }
        Some(name) => {
            let wrong = [
                ("DELIMITER", delimited),
                ("ADDQUOTES", add_quotes),
                ("ESCAPE", escape),
                ("HEADER", header),
                ("NULL AS", nulls),
            ];
            refuse(name, &wrong)?;
            if name == "JSON" { UnloadFormat::Json } else { UnloadFormat::Parquet }
        }
    })
}

/// `100 MB`, `6.2 GB`, `5` (megabytes); in bytes.
fn size(cursor: &mut Cursor) -> Result<u64> {
    let text = cursor.optional_number().ok_or_else(|| cursor.syntax_error("a size"))?;
    let number: f64 = text.parse().map_err(|_| cursor.syntax_error("a size"))?;
    let unit = if cursor.eat("GB") { 1_u64 << 30 } else { 1 << 20 };
    let _ = cursor.eat("MB");
    Ok((number * unit as f64).round().max(0.0) as u64)
}

/// Athena's `WITH (format = 'PARQUET', …)`.
fn properties(cursor: &mut Cursor, unload: &mut Unload) -> Result<()> {
    cursor.expect("WITH")?;
    let (mut format, mut compression, mut delimiter) = (None, None, None);
    for (name, value) in create_table_as::property_list(cursor)? {
        let invalid = || Error::new(ErrorKind::InvalidParameter, format!("invalid value for property \"{name}\""));
        match (name.as_str(), value) {
            ("format", PropertyValue::Text(text)) => format = Some(text.to_ascii_uppercase()),
            ("compression", PropertyValue::Text(text)) => compression = Some(text.to_ascii_uppercase()),
            ("compression_level", PropertyValue::Text(text)) => {
                unload.compression_level = Some(text.parse().map_err(|_| invalid())?);
            }
            ("field_delimiter", PropertyValue::Text(text)) => match text.as_bytes() {
                [byte] => delimiter = Some(*byte),
                _ => return Err(invalid()),
            },
            ("partitioned_by", PropertyValue::List(columns)) => {
                unload.partition_by = columns.iter().map(|column| column.to_lowercase()).collect();
            }
            ("format" | "compression" | "compression_level" | "field_delimiter" | "partitioned_by", _) => {
                return Err(invalid());
            }
            _ => {
                let message = format!("property \"{name}\" of UNLOAD does not exist");
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            }
        }
    }
    if delimiter.is_some() && format.as_deref() != Some("TEXTFILE") {
        let message = "property \"field_delimiter\" of UNLOAD needs the format TEXTFILE";
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    unload.format = match format.as_deref() {
        Some("PARQUET") => UnloadFormat::Parquet,
        Some("JSON") => UnloadFormat::Json,
        Some("TEXTFILE") => UnloadFormat::Delimited {
            delimiter: delimiter.unwrap_or(1),
            add_quotes: false,
            escape: false,
            null_as: "\\N".to_owned(),
            header: false,
        },
        Some(name @ ("ORC" | "AVRO")) => return Err(Error::unsupported(format!("UNLOAD in the format {name}"))),
        Some(_) => return Err(Error::new(ErrorKind::InvalidParameter, "invalid value for property \"format\"")),
        None => {
            return Err(Error::new(ErrorKind::InvalidParameter, "UNLOAD needs the property \"format\""));
        }
    };
    let names = ["NONE", "GZIP", "SNAPPY", "ZSTD", "BZIP2", "LZ4"];
    let wanted = compression.unwrap_or_else(|| "GZIP".to_owned());
    unload.compression = names.into_iter().find(|name| *name == wanted).ok_or_else(|| {
        Error::new(ErrorKind::InvalidParameter, format!("unrecognized compression \"{}\"", wanted.to_lowercase()))
    })?;
    Ok(())
}
