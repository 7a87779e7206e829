//! `ROW FORMAT` and `STORED AS`: how a table's files are read, in Hive's words.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::StoredAs;
use crate::sql::cursor::Cursor;
use crate::sql::refuse;
use millrace_catalog::model::{Parameters, SerDe};

/// The clauses of `ROW FORMAT DELIMITED` and the keys that Hive keeps them under (the misspelling is Hive's).
const DELIMITERS: &[(&str, &[&str])] = &[
    ("FIELDS TERMINATED BY", &["field.delim", "serialization.format"]),
    ("ESCAPED BY", &["escape.delim"]),
    ("COLLECTION ITEMS TERMINATED BY", &["colelction.delim"]),
    ("MAP KEYS TERMINATED BY", &["mapkey.delim"]),
    ("LINES TERMINATED BY", &["line.delim"]),
    ("NULL DEFINED AS", &["serialization.null.format"]),
];

/// What follows `ROW FORMAT`.
pub(super) fn row_format(cursor: &mut Cursor) -> Result<SerDe> {
    if cursor.eat("SERDE") {
        let library = cursor.string()?;
        let parameters = if cursor.eat("WITH SERDEPROPERTIES") { cursor.properties()? } else { Parameters::new() };
        return Ok(SerDe { library, parameters });
    }
    cursor.expect("DELIMITED")?;
    let mut parameters = Parameters::new();
    while let Some((words, keys)) = DELIMITERS.iter().find(|(words, _)| cursor.at(words)) {
        if keys.iter().any(|key| parameters.contains_key(*key)) {
            return Err(refuse::redundant(cursor));
        }
        cursor.expect(words)?;
        let position = cursor.position();
        let delimiter = cursor.string()?;
        if delimiter.is_empty() && keys != &["serialization.null.format"] {
            return Err(Error::new(ErrorKind::InvalidParameter, "a delimiter is empty").with_position(position));
        }
        parameters.extend(keys.iter().map(|key| ((*key).to_owned(), delimiter.clone())));
    }
    Ok(SerDe { library: String::new(), parameters })
}

/// What follows `STORED`.
pub(super) fn stored(cursor: &mut Cursor) -> Result<StoredAs> {
    if let Some(error) = refuse::option(cursor, "STORED", &["BY"]) {
        return Err(error);
    }
    cursor.expect("AS")?;
    if cursor.eat("INPUTFORMAT") {
        let input = cursor.string()?;
        cursor.expect("OUTPUTFORMAT")?;
        return Ok(StoredAs::Classes { input, output: cursor.string()? });
    }
    Ok(StoredAs::Format(cursor.identifier()?.to_ascii_uppercase()))
}
