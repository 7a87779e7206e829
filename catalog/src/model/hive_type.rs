//! Hive's type language, as the catalog stores it and Hive DDL writes it.
//!
//! Owns parsing and printing; the mapping to Arrow is the engine's. Printing gives the canonical text that Glue
//! shows (`array<struct<a:int,b:string>>`), and parsing what was printed gives the same type again.

use crate::error::{CatalogError, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How deep types may nest; a limit against hostile input.
const MAX_DEPTH: usize = 64;

/// A Hive type (Athena's DDL types and Glue's column types).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HiveType {
    /// `boolean`
    Boolean,
    /// `tinyint`, 8 bits
    TinyInt,
    /// `smallint`, 16 bits
    SmallInt,
    /// `int`, `integer`, 32 bits
    Int,
    /// `bigint`, 64 bits
    BigInt,
    /// `float`, `real`
    Float,
    /// `double`, `double precision`
    Double,
    /// `decimal(precision, scale)`; Hive's default is (10, 0)
    Decimal(u8, i8),
    /// `string`
    String,
    /// `varchar(n)`; n counts characters, 1 to 65535
    Varchar(u32),
    /// `char(n)`; n counts characters, 1 to 255
    Char(u32),
    /// `binary`
    Binary,
    /// `date`
    Date,
    /// `timestamp`, without a zone
    Timestamp,
    /// `array<element>`
    Array(Box<HiveType>),
    /// `map<key,value>`
    Map(Box<HiveType>, Box<HiveType>),
    /// `struct<name:type,…>`
    Struct(Vec<StructField>),
    /// `super`, of columns of foreign systems' tables only; never inside another type
    Super,
}

/// A field of a [`HiveType::Struct`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StructField {
    /// The field's name.
    pub name: String,
    /// The field's type.
    pub data_type: HiveType,
}

impl fmt::Display for HiveType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::TinyInt => f.write_str("tinyint"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Int => f.write_str("int"),
            Self::BigInt => f.write_str("bigint"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::String => f.write_str("string"),
            Self::Varchar(length) => write!(f, "varchar({length})"),
            Self::Char(length) => write!(f, "char({length})"),
            Self::Binary => f.write_str("binary"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Array(element) => write!(f, "array<{element}>"),
            Self::Map(key, value) => write!(f, "map<{key},{value}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    if needs_quotes(&field.name) {
                        write!(f, "{comma}`{}`:{}", field.name.replace('`', "``"), field.data_type)?;
                    } else {
                        write!(f, "{comma}{}:{}", field.name, field.data_type)?;
                    }
                }
                f.write_str(">")
            }
            Self::Super => f.write_str("super"),
        }
    }
}

impl FromStr for HiveType {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self> {
        let mut parser = TypeParser { text, at: 0 };
        let parsed = parser.parse_type(0)?;
        parser.skip_blanks();
        if parser.at == text.len() { Ok(parsed) } else { Err(parser.error("end of the type")) }
    }
}

impl Serialize for HiveType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HiveType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '@')
}

fn needs_quotes(name: &str) -> bool {
    name.is_empty() || !name.chars().all(is_name_char)
}

struct TypeParser<'a> {
    text: &'a str,
    at: usize,
}

impl TypeParser<'_> {
    fn error(&self, expected: &str) -> CatalogError {
        CatalogError::InvalidArgument(format!(
            "invalid type \"{}\": expected {expected} at character {}",
            self.text,
            self.text[..self.at].chars().count() + 1
        ))
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, c: char) -> bool {
        self.skip_blanks();
        let found = self.text[self.at..].starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn expect(&mut self, c: char) -> Result<()> {
        if self.eat(c) { Ok(()) } else { Err(self.error(&format!("\"{c}\""))) }
    }

    fn word(&mut self) -> &str {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn field_name(&mut self) -> Result<String> {
        if !self.eat('`') {
            let name = self.word().to_owned();
            return if name.is_empty() { Err(self.error("a field name")) } else { Ok(name) };
        }
        let mut name = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = rest.find('`') else { return Err(self.error("a closing \"`\"")) };
            name.push_str(&rest[..end]);
            self.at += end + 1;
            if !self.text[self.at..].starts_with('`') {
                return Ok(name);
            }
            name.push('`');
            self.at += 1;
        }
    }

    fn number(&mut self) -> Result<u32> {
        let digits = self.word().to_owned();
        digits.parse().map_err(|_| self.error("a number"))
    }

    fn length(&mut self, most: u32) -> Result<u32> {
        self.expect('(')?;
        let length = self.number()?;
        self.expect(')')?;
        if (1..=most).contains(&length) { Ok(length) } else { Err(self.error(&format!("a length from 1 to {most}"))) }
    }

    fn parse_type(&mut self, depth: usize) -> Result<HiveType> {
        if depth > MAX_DEPTH {
            return Err(CatalogError::InvalidArgument(format!("a type nests deeper than {MAX_DEPTH} levels")));
        }
        let start = self.at;
        let name = self.word().to_ascii_lowercase();
        Ok(match name.as_str() {
            "boolean" | "bool" => HiveType::Boolean,
            "tinyint" => HiveType::TinyInt,
            "smallint" => HiveType::SmallInt,
            "int" | "integer" => HiveType::Int,
            "bigint" | "long" => HiveType::BigInt,
            "float" | "real" => HiveType::Float,
            "double" => {
                let before = self.at;
                if !self.word().eq_ignore_ascii_case("precision") {
                    self.at = before;
                }
                HiveType::Double
            }
            "decimal" | "numeric" => self.decimal()?,
            "string" => HiveType::String,
            "varchar" => HiveType::Varchar(self.length(65535)?),
            "char" => HiveType::Char(self.length(255)?),
            "binary" => HiveType::Binary,
            "date" => HiveType::Date,
            "timestamp" => HiveType::Timestamp,
            "array" => {
                self.expect('<')?;
                let element = self.parse_type(depth + 1)?;
                self.expect('>')?;
                HiveType::Array(Box::new(element))
            }
            "map" => {
                self.expect('<')?;
                let key = self.parse_type(depth + 1)?;
                self.expect(',')?;
                let value = self.parse_type(depth + 1)?;
                self.expect('>')?;
                HiveType::Map(Box::new(key), Box::new(value))
            }
            "struct" => self.fields(depth)?,
            "super" if depth == 0 => HiveType::Super,
            _ => {
                self.at = start;
                self.skip_blanks();
                return Err(self.error("a type"));
            }
        })
    }

    fn decimal(&mut self) -> Result<HiveType> {
        if !self.eat('(') {
            return Ok(HiveType::Decimal(10, 0));
        }
        let precision = self.number()?;
        let scale = if self.eat(',') { self.number()? } else { 0 };
        self.expect(')')?;
        if (1..=38).contains(&precision) && scale <= precision {
            Ok(HiveType::Decimal(precision as u8, scale as i8))
        } else {
            Err(self.error("a precision from 1 to 38 and a scale up to it"))
        }
    }

    fn fields(&mut self, depth: usize) -> Result<HiveType> {
        self.expect('<')?;
        let mut fields = Vec::new();
        loop {
            let name = self.field_name()?;
            self.expect(':')?;
            let data_type = self.parse_type(depth + 1)?;
            fields.push(StructField { name, data_type });
            if !self.eat(',') {
                break;
            }
        }
        self.expect('>')?;
        Ok(HiveType::Struct(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_parses_to_the_same_type() -> Result<()> {
        for text in [
            "boolean",
            "decimal(38,18)",
            "varchar(65535)",
            "array<struct<a:int,b:map<string,array<double>>>>",
            "struct<`odd name`:int,`tick``ed`:string,x-y:date>",
            "super",
        ] {
            assert_eq!(text.parse::<HiveType>()?.to_string(), text);
        }
        assert_eq!(" DOUBLE  precision ".parse::<HiveType>()?, HiveType::Double);
        assert_eq!("decimal".parse::<HiveType>()?, HiveType::Decimal(10, 0));
        Ok(())
    }

    #[test]
    fn bad_types_say_where() {
        for (text, message) in [
            ("", "expected a type at character 1"),
            ("array<>", "expected a type at character 7"),
            ("decimal(39,2)", "a precision from 1 to 38"),
            ("struct<a int>", "expected \":\" at character 10"),
            ("int int", "expected end of the type at character 5"),
            ("varchar(0)", "a length from 1 to 65535"),
            ("array<super>", "expected a type at character 7"),
        ] {
            let error = text.parse::<HiveType>().err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains(message), "{text}: {error}");
        }
        assert!("array<".repeat(100_000).parse::<HiveType>().is_err());
    }
}
