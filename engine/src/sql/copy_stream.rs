//! PostgreSQL's `COPY … FROM STDIN` and `COPY … TO STDOUT`, with the options of today's grammar, in parentheses, and of
//! the one before, which psql and many drivers still write.
//!
//! `DEFAULT`, `ON_ERROR ignore`, `FREEZE`, `WHERE`, encodings other than UTF-8, files and programs of the server are
//! refused by name.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::{
    CopyIn, CopyOut, Dialect, Names, ObjectName, Statement, StreamColumns, StreamFormat, StreamHeader, StreamLayout,
    copy, parse_named,
};
use sqlparser::tokenizer::Token;

/// `COPY t [(columns)] FROM STDIN …`, behind `STDIN`.
pub(super) fn copy_in(cursor: &mut Cursor, table: ObjectName, columns: Vec<String>) -> Result<Statement> {
    let layout = options(cursor)?.finish(true)?;
    if cursor.at("WHERE") {
        return Err(cursor.unsupported("COPY … FROM STDIN … WHERE"));
    }
    cursor.finish()?;
    Ok(Statement::CopyIn(Box::new(CopyIn { table, columns, layout })))
}

/// `COPY (query) TO STDOUT …`, behind `COPY`.
pub(super) fn query_out(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect_token(&Token::LParen)?;
    if !cursor.at_query() {
        return Err(cursor.syntax_error("a query"));
    }
    let query = cursor.query()?.0;
    cursor.expect_token(&Token::RParen)?;
    cursor.expect("TO")?;
    stdout(cursor)?;
    let layout = options(cursor)?.finish(false)?;
    cursor.finish()?;
    Ok(Statement::CopyOut(Box::new(CopyOut { query, layout })))
}

/// `COPY t [(columns)] TO STDOUT …`, behind `TO`.
pub(super) fn table_out(cursor: &mut Cursor, table: &ObjectName, columns: &[String]) -> Result<Statement> {
    stdout(cursor)?;
    let layout = options(cursor)?.finish(false)?;
    cursor.finish()?;
    let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
    let list = |names: &[String], between: &str| names.iter().map(quoted).collect::<Vec<_>>().join(between);
    let columns = if columns.is_empty() { "*".to_owned() } else { list(columns, ", ") };
    let text = format!("SELECT {columns} FROM {}", list(&table.parts, "."));
    // A position in this text would be none in the statement's.
    let placed = |error: Error| Error { position: Some(table.position), ..error };
    // The names are what they are.
    match parse_named(&text, Dialect::Redshift, Names::Kept).map_err(placed)?.pop().map(|parsed| parsed.statement) {
        Some(Statement::Query(query)) => Ok(Statement::CopyOut(Box::new(CopyOut { query, layout }))),
        _ => Err(Error::internal("a table's query is none")),
    }
}

fn stdout(cursor: &mut Cursor) -> Result<()> {
    if cursor.eat("STDOUT") {
        return Ok(());
    }
    if cursor.at("PROGRAM") {
        return Err(cursor.unsupported("COPY … TO PROGRAM"));
    }
    if matches!(cursor.peek(), Token::SingleQuotedString(_)) {
        return Err(cursor.unsupported("COPY … TO a file").with_hint("use UNLOAD"));
    }
    Err(cursor.syntax_error("STDOUT"))
}

/// What was said, before it is known of which format.
#[derive(Default)]
struct Said {
    seen: Vec<String>,
    format: Option<StreamFormat>,
    delimiter: Option<u8>,
    null: Option<String>,
    header: Option<StreamHeader>,
    quote: Option<u8>,
    escape: Option<u8>,
    force_quote: StreamColumns,
    force_not_null: StreamColumns,
    force_null: StreamColumns,
}

fn options(cursor: &mut Cursor) -> Result<Said> {
    let mut said = Said::default();
    cursor.eat("WITH");
    if *cursor.peek() == Token::LParen {
        cursor.list(|cursor| said.listed(cursor))?;
    } else {
        while !cursor.at_end() && !cursor.at("WHERE") {
            said.older(cursor)?;
        }
    }
    Ok(said)
}

impl Said {
    fn once(&mut self, cursor: &Cursor, name: &str) -> Result<()> {
        if self.seen.iter().any(|seen| seen == name) {
            let message = "conflicting or redundant options";
            return Err(Error::new(ErrorKind::Syntax, message).with_position(cursor.position()));
        }
        self.seen.push(name.to_owned());
        Ok(())
    }

    /// An option between parentheses.
    fn listed(&mut self, cursor: &mut Cursor) -> Result<()> {
        let Some(name) = cursor.peek_word() else { return Err(cursor.syntax_error("an option of COPY")) };
        self.once(cursor, &name)?;
        let position = cursor.position();
        cursor.advance();
        match name.as_str() {
            "FORMAT" => self.format = Some(format(cursor)?),
            "DELIMITER" => self.delimiter = Some(copy::one_byte(cursor, "DELIMITER")?),
            "NULL" => self.null = Some(null(cursor)?),
            "HEADER" => self.header = Some(header(cursor)?),
            "QUOTE" => self.quote = Some(copy::one_byte(cursor, "QUOTE")?),
            "ESCAPE" => self.escape = Some(copy::one_byte(cursor, "ESCAPE")?),
            "FORCE_QUOTE" => self.force_quote = columns(cursor, true)?,
            "FORCE_NOT_NULL" => self.force_not_null = columns(cursor, true)?,
            "FORCE_NULL" => self.force_null = columns(cursor, true)?,
            "ENCODING" => encoding(cursor)?,
            "FREEZE" if !boolean(cursor)? => {}
            "ON_ERROR" if cursor.eat("STOP") || cursor.peek_word().is_none() && cursor.string()? == "stop" => {}
            "FREEZE" | "ON_ERROR" | "DEFAULT" | "LOG_VERBOSITY" | "REJECT_LIMIT" => {
                return Err(Error::unsupported(format!("COPY … {name}")).with_position(position));
            }
            _ => {
                let message = format!("option \"{}\" not recognized", name.to_lowercase());
                return Err(Error::new(ErrorKind::Syntax, message).with_position(position));
            }
        }
        Ok(())
    }

    /// An option of the older grammar.
    fn older(&mut self, cursor: &mut Cursor) -> Result<()> {
        let Some(mut name) = cursor.peek_word() else { return Err(cursor.syntax_error("an option of COPY")) };
        if name == "FORCE" {
            let kinds = ["FORCE QUOTE", "FORCE NOT NULL", "FORCE NULL"];
            let kind = kinds.into_iter().find(|kind| cursor.at(kind));
            name = kind.ok_or_else(|| cursor.syntax_error("FORCE QUOTE, FORCE NOT NULL or FORCE NULL"))?.to_owned();
            self.once(cursor, &name)?;
            cursor.eat(&name);
            let chosen = columns(cursor, false)?;
            match name.as_str() {
                "FORCE QUOTE" => self.force_quote = chosen,
                "FORCE NULL" => self.force_null = chosen,
                _ => self.force_not_null = chosen,
            }
            return Ok(());
        }
        self.once(cursor, &name)?;
        let position = cursor.position();
        cursor.advance();
        match name.as_str() {
            "CSV" | "BINARY" if self.format.is_some() => {
                let message = "conflicting or redundant options";
                return Err(Error::new(ErrorKind::Syntax, message).with_position(position));
            }
            "CSV" => self.format = Some(StreamFormat::Csv),
            "BINARY" => self.format = Some(StreamFormat::Binary),
            "HEADER" => self.header = Some(StreamHeader::Present),
            "DELIMITER" | "DELIMITERS" => {
                cursor.eat("AS");
                self.delimiter = Some(copy::one_byte(cursor, "DELIMITER")?);
            }
            "NULL" => {
                cursor.eat("AS");
                self.null = Some(null(cursor)?);
            }
            "QUOTE" => {
                cursor.eat("AS");
                self.quote = Some(copy::one_byte(cursor, "QUOTE")?);
            }
            "ESCAPE" => {
                cursor.eat("AS");
                self.escape = Some(copy::one_byte(cursor, "ESCAPE")?);
            }
            "ENCODING" => encoding(cursor)?,
            "FREEZE" => return Err(Error::unsupported("COPY … FREEZE").with_position(position)),
            _ => {
                let message = format!("option \"{}\" not recognized", name.to_lowercase());
                return Err(Error::new(ErrorKind::Syntax, message).with_position(position));
            }
        }
        Ok(())
    }

    /// The layout, when the options go together; messages are PostgreSQL's.
    fn finish(self, from: bool) -> Result<StreamLayout> {
        let wrong = |message: String| Err(Error::new(ErrorKind::InvalidParameter, message));
        let format = self.format.unwrap_or(StreamFormat::Text);
        let csv = format == StreamFormat::Csv;
        let given = [
            ("QUOTE", self.quote.is_some()),
            ("ESCAPE", self.escape.is_some()),
            ("FORCE_QUOTE", self.force_quote != StreamColumns::None),
            ("FORCE_NOT_NULL", self.force_not_null != StreamColumns::None),
            ("FORCE_NULL", self.force_null != StreamColumns::None),
        ];
        if let Some((name, _)) = given.iter().find(|(_, given)| *given && !csv) {
            return wrong(format!("COPY {name} requires CSV mode"));
        }
        if format == StreamFormat::Binary {
            let given = [
                ("DELIMITER", self.delimiter.is_some()),
                ("NULL", self.null.is_some()),
                ("HEADER", matches!(self.header, Some(StreamHeader::Present | StreamHeader::Match))),
            ];
            if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
                return wrong(format!("cannot specify {name} in BINARY mode"));
            }
        }
        if from && self.force_quote != StreamColumns::None {
            return wrong("COPY FORCE_QUOTE cannot be used with COPY FROM".to_owned());
        }
        for (name, chosen) in [("FORCE_NOT_NULL", &self.force_not_null), ("FORCE_NULL", &self.force_null)] {
            if !from && *chosen != StreamColumns::None {
                return wrong(format!("COPY {name} cannot be used with COPY TO"));
            }
        }
        if !from && self.header == Some(StreamHeader::Match) {
            return wrong("cannot use \"match\" with HEADER in COPY TO".to_owned());
        }
        let quote = self.quote.unwrap_or(b'"');
        let layout = StreamLayout {
            format,
            delimiter: self.delimiter.unwrap_or(if csv { b',' } else { b'\t' }),
            null: self.null.unwrap_or_else(|| if csv { String::new() } else { "\\N".to_owned() }),
            header: self.header.unwrap_or(StreamHeader::Absent),
            quote,
            escape: self.escape.unwrap_or(quote),
            force_quote: self.force_quote,
            force_not_null: self.force_not_null,
            force_null: self.force_null,
        };
        let delimiter = char::from(layout.delimiter);
        if csv && layout.delimiter == quote {
            return wrong("COPY delimiter and quote must be different".to_owned());
        }
        if layout.null.contains(delimiter) || (csv && layout.null.contains(char::from(quote))) {
            return wrong("COPY delimiter and quote must not appear in the NULL specification".to_owned());
        }
        if !csv && (delimiter == '\\' || delimiter == '.' || delimiter.is_ascii_alphanumeric()) {
            return wrong(format!("COPY delimiter cannot be \"{delimiter}\""));
        }
        Ok(layout)
    }
}

fn header(cursor: &mut Cursor) -> Result<StreamHeader> {
    let quoted = matches!(cursor.peek(), Token::SingleQuotedString(text) if text.eq_ignore_ascii_case("match"));
    if quoted {
        cursor.advance();
    }
    if quoted || cursor.eat("MATCH") {
        return Ok(StreamHeader::Match);
    }
    Ok(if boolean(cursor)? { StreamHeader::Present } else { StreamHeader::Absent })
}

fn format(cursor: &mut Cursor) -> Result<StreamFormat> {
    let position = cursor.position();
    let name = match cursor.optional_string() {
        Some(name) => name,
        None => cursor.identifier()?,
    };
    match name.to_lowercase().as_str() {
        "text" => Ok(StreamFormat::Text),
        "csv" => Ok(StreamFormat::Csv),
        "binary" => Ok(StreamFormat::Binary),
        other => {
            let message = format!("COPY format \"{other}\" not recognized");
            Err(Error::new(ErrorKind::InvalidParameter, message).with_position(position))
        }
    }
}

/// NULL's text, which must be one line.
fn null(cursor: &mut Cursor) -> Result<String> {
    let position = cursor.position();
    let text = String::from_utf8_lossy(&copy::literal(cursor)?).into_owned();
    if text.contains(['\n', '\r']) {
        let message = "COPY null representation cannot use newline or carriage return";
        return Err(Error::new(ErrorKind::InvalidParameter, message).with_position(position));
    }
    Ok(text)
}

/// A truth value; the name alone is true.
fn boolean(cursor: &mut Cursor) -> Result<bool> {
    let word = match cursor.peek() {
        Token::Comma | Token::RParen => return Ok(true),
        _ => match (cursor.optional_string(), cursor.optional_number()) {
            (Some(text), _) | (None, Some(text)) => text,
            (None, None) => cursor.identifier()?,
        },
    };
    match word.to_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(cursor.syntax_error("a boolean")),
    }
}

/// `*`, or names, which today's grammar has in parentheses.
fn columns(cursor: &mut Cursor, parentheses: bool) -> Result<StreamColumns> {
    if cursor.eat_token(&Token::Mul) {
        return Ok(StreamColumns::All);
    }
    if parentheses {
        return Ok(StreamColumns::Named(cursor.list(Cursor::identifier)?));
    }
    let mut names = vec![cursor.identifier()?];
    while cursor.eat_token(&Token::Comma) {
        names.push(cursor.identifier()?);
    }
    Ok(StreamColumns::Named(names))
}

/// Rows are UTF-8, whatever else a client may know.
fn encoding(cursor: &mut Cursor) -> Result<()> {
    let position = cursor.position();
    let name = match cursor.optional_string() {
        Some(name) => name,
        None => cursor.identifier()?,
    };
    if ["utf8", "utf-8", "unicode"].contains(&name.to_lowercase().as_str()) {
        return Ok(());
    }
    Err(Error::unsupported(format!("COPY … ENCODING '{name}'")).with_position(position))
}
