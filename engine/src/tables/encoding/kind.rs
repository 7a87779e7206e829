//! Redshift's encodings and the types that may have them.
//!
//! | `ENCODE` | in Vortex files | in Parquet files |
//! |---|---|---|
//! | `raw` | values as they are | `PLAIN`, uncompressed |
//! | `az64` | frame of reference, bit-packed | `DELTA_BINARY_PACKED` |
//! | `bytedict` | dictionary, its codes packed or in runs | `RLE_DICTIONARY` |
//! | `delta`, `delta32k` | differences, bit-packed | `DELTA_BINARY_PACKED` |
//! | `lzo` | texts: phrases of a dictionary (OnPair); numbers: Zstandard level 1 | `PLAIN`, LZ4 |
//! | `mostly8`, `mostly16`, `mostly32` | zigzag, packed at 8, 16 or 32 bits with exceptions | `DELTA_BINARY_PACKED` |
//! | `runlength` | run ends; of texts, of their dictionary's codes | `RLE_DICTIONARY` |
//! | `text255`, `text32k` | symbols for frequent parts of texts (FSST) | `RLE_DICTIONARY`, Zstandard |
//! | `zstd` | Zstandard level 3 | `PLAIN`, Zstandard level 3 |

use crate::error::{Error, ErrorKind, Result};
use crate::tables::SqlType;
use std::fmt;
use std::str::FromStr;

/// What `ENCODE` takes, but for AUTO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    /// Values as they are.
    Raw,
    /// Numbers relative to a block's smallest.
    Az64,
    /// Codes of a dictionary.
    ByteDict,
    /// Differences between neighbours, of one byte in Redshift.
    Delta,
    /// Differences between neighbours, of two bytes in Redshift.
    Delta32k,
    /// Fast general compression.
    Lzo,
    /// Numbers of which most need 8 bits.
    Mostly8,
    /// Numbers of which most need 16 bits.
    Mostly16,
    /// Numbers of which most need 32 bits.
    Mostly32,
    /// Runs of equal values.
    RunLength,
    /// Frequent words, 245 in Redshift.
    Text255,
    /// Frequent words, as many as 32 KB hold in Redshift.
    Text32k,
    /// Strong general compression.
    Zstd,
}

impl Encoding {
    /// All of them.
    pub(crate) const ALL: [Self; 13] = [
        Self::Raw,
        Self::Az64,
        Self::ByteDict,
        Self::Delta,
        Self::Delta32k,
        Self::Lzo,
        Self::Mostly8,
        Self::Mostly16,
        Self::Mostly32,
        Self::RunLength,
        Self::Text255,
        Self::Text32k,
        Self::Zstd,
    ];

    /// Its name in lower case.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Az64 => "az64",
            Self::ByteDict => "bytedict",
            Self::Delta => "delta",
            Self::Delta32k => "delta32k",
            Self::Lzo => "lzo",
            Self::Mostly8 => "mostly8",
            Self::Mostly16 => "mostly16",
            Self::Mostly32 => "mostly32",
            Self::RunLength => "runlength",
            Self::Text255 => "text255",
            Self::Text32k => "text32k",
            Self::Zstd => "zstd",
        }
    }

    /// Parses what stands after `ENCODE`, in lower case; `None` is AUTO.
    ///
    /// # Errors
    /// `UndefinedObject`.
    pub(crate) fn parse(name: &str) -> Result<Option<Self>> {
        if name == "auto" { Ok(None) } else { name.parse().map(Some) }
    }

    /// Whether columns of a type may have it (Redshift, "Compression encodings").
    ///
    /// That page leaves out TIME and TIMETZ, which CREATE TABLE's page gives AZ64; they are like timestamps. VARBYTE
    /// takes what keeps bytes as they are; intervals are left out too and are numbers like timestamps.
    pub(crate) fn suits(self, data_type: SqlType) -> bool {
        use SqlType as T;
        let number = matches!(data_type, T::SmallInt | T::Integer | T::BigInt | T::Numeric(..));
        let time = matches!(data_type, T::Date | T::Time | T::TimeTz | T::Timestamp | T::TimestampTz | T::Interval(_));
        let float = matches!(data_type, T::Real | T::Double);
        let text = matches!(data_type, T::Char(_) | T::Varchar(_));
        match self {
            Self::Raw => true,
            Self::Zstd => data_type != T::HllSketch,
            Self::Az64 => number || time,
            Self::ByteDict => number || time || float || text || matches!(data_type, T::VarByte(_)),
            Self::Delta => number || matches!(data_type, T::Date | T::Timestamp),
            Self::Delta32k => number && data_type != T::SmallInt || matches!(data_type, T::Date | T::Timestamp),
            Self::Lzo => number || time || text || matches!(data_type, T::Super | T::VarByte(_)),
            Self::Mostly8 => number,
            Self::Mostly16 => number && data_type != T::SmallInt,
            Self::Mostly32 => matches!(data_type, T::BigInt | T::Numeric(..)),
            Self::RunLength => number || time || float || text || data_type == T::Boolean,
            Self::Text255 | Self::Text32k => matches!(data_type, T::Varchar(_)),
        }
    }

    /// Refuses an encoding that a column's type cannot have.
    ///
    /// # Errors
    /// `InvalidTableDefinition`.
    pub(crate) fn check(self, column: &str, data_type: SqlType) -> Result<()> {
        if self.suits(data_type) {
            return Ok(());
        }
        let names = Self::ALL.into_iter().filter(|other| other.suits(data_type)).map(Self::name).collect::<Vec<_>>();
        let message = format!("invalid encoding type specified for column \"{column}\"");
        Err(Error::new(ErrorKind::InvalidTableDefinition, message)
            .with_detail(format!("type {data_type} cannot have encoding {self}"))
            .with_hint(format!("it takes auto, {}", names.join(", "))))
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Encoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let unknown = || Error::new(ErrorKind::UndefinedObject, format!("encoding \"{name}\" does not exist"));
        Self::ALL.into_iter().find(|encoding| encoding.name() == name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Redshift's Database Developer Guide, "Compression encodings", the table of data types.
    #[test]
    fn types_have_the_encodings_of_the_documentation() {
        for (encoding, types) in [
            (Encoding::Az64, "smallint,integer,bigint,decimal,date,timestamp,timestamptz"),
            (
                Encoding::ByteDict,
                "smallint,integer,bigint,decimal,real,double precision,char,varchar,date,timestamp,timestamptz",
            ),
            (Encoding::Delta, "smallint,int,bigint,date,timestamp,decimal"),
            (Encoding::Delta32k, "int,bigint,date,timestamp,decimal"),
            (Encoding::Lzo, "smallint,integer,bigint,decimal,char,varchar,date,timestamp,timestamptz,super"),
            (Encoding::Mostly8, "smallint,int,bigint,decimal"),
            (Encoding::Mostly16, "int,bigint,decimal"),
            (Encoding::Mostly32, "bigint,decimal"),
            (
                Encoding::RunLength,
                "smallint,integer,bigint,decimal,real,double precision,boolean,char,varchar,date,timestamp,timestamptz",
            ),
            (Encoding::Text255, "varchar"),
            (Encoding::Text32k, "varchar"),
        ] {
            let documented: Vec<SqlType> = types.split(',').map(|name| name.parse().unwrap()).collect();
            for name in [
                "smallint",
                "integer",
                "bigint",
                "decimal",
                "real",
                "double precision",
                "boolean",
                "char",
                "varchar",
                "date",
                "timestamp",
                "timestamptz",
                "super",
            ] {
                let data_type: SqlType = name.parse().unwrap();
                assert_eq!(encoding.suits(data_type), documented.contains(&data_type), "{encoding} of {name}");
            }
        }
        for name in ["boolean", "super", "time", "varbyte"] {
            assert!(Encoding::Raw.suits(name.parse().unwrap()) && Encoding::Zstd.suits(name.parse().unwrap()));
        }
    }

    #[test]
    fn names_are_parsed() {
        for encoding in Encoding::ALL {
            assert_eq!(encoding.to_string().parse::<Encoding>().unwrap(), encoding);
        }
        assert_eq!(Encoding::parse("auto").unwrap(), None);
        assert_eq!(Encoding::parse("gzip").unwrap_err().message, "encoding \"gzip\" does not exist");
    }
}
