//! The types that names of types mean in each dialect. Lengths of texts are left to the casts that name them.

use super::intervals;
use crate::error::{Error, ErrorKind};
use crate::functions;
use crate::sql::Dialect;
use crate::tables;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType as Name, ExactNumberInfo, TimezoneInfo};
use std::sync::Arc;

/// The most digits of a DECIMAL.
const MOST_DIGITS: u64 = 38;

/// Types by their names.
#[derive(Debug)]
pub(in crate::plan) struct Types {
    pub(in crate::plan) dialect: Dialect,
}

impl TypePlanner for Types {
    fn plan_type_field(&self, name: &Name) -> Result<Option<FieldRef>> {
        let is = |wanted: &str| matches!(name, Name::Custom(name, _) if name.to_string().eq_ignore_ascii_case(wanted));
        Ok(self.arrow_type(name)?.map(|data_type| {
            let field = Field::new("", data_type, true);
            Arc::new(if is("super") {
                tables::super_field(field)
            } else if is("hllsketch") {
                tables::sketch_field(field)
            } else {
                field
            })
        }))
    }
}

impl Types {
    fn arrow_type(&self, name: &Name) -> Result<Option<DataType>> {
        let rules = self.dialect.rules();
        Ok(Some(match name {
            Name::Float(ExactNumberInfo::None) if rules.float_is_double => DataType::Float64,
            // The precision counts bits (PostgreSQL: 8.1.3).
            Name::Float(ExactNumberInfo::Precision(bits)) if *bits > 24 => DataType::Float64,
            Name::Float(_) => DataType::Float32,
            Name::Decimal(info) | Name::Numeric(info) | Name::Dec(info) => {
                let (precision, scale) = match *info {
                    ExactNumberInfo::None => (u64::from(rules.decimal_precision), 0),
                    ExactNumberInfo::Precision(precision) => (precision, 0),
                    ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
                };
                let fits = (1..=MOST_DIGITS).contains(&precision) && u64::try_from(scale).is_ok_and(|s| s <= precision);
                if !fits {
                    let message = format!("DECIMAL({precision},{scale}) has no such precision or scale");
                    return Err(Error::new(ErrorKind::InvalidParameter, message)
                        .with_hint(format!("precision is 1 to {MOST_DIGITS}, scale 0 to the precision"))
                        .into());
                }
                DataType::Decimal128(precision as u8, scale as i8)
            }
            Name::Timestamp(precision, zone) if precision.is_none_or(|digits| digits <= 6) => {
                let zoned = matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone);
                DataType::Timestamp(TimeUnit::Microsecond, zoned.then(|| "UTC".into()))
            }
            Name::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
                if precision.is_none_or(|digits| digits <= 6) =>
            {
                DataType::Time64(TimeUnit::Microsecond)
            }
            Name::CharacterVarying(_) | Name::CharVarying(_) | Name::Nvarchar(_) | Name::Character(_) => {
                DataType::Utf8View
            }
            Name::Interval { fields, .. } => intervals::data_type(fields.as_ref()),
            Name::Varbinary(_) | Name::Binary(_) | Name::Bytea => DataType::BinaryView,
            Name::JSON if rules.json_is_a_type => functions::JSON,
            Name::JSON | Name::Uuid => DataType::Utf8View,
            Name::Map(key, value) => functions::map_of(self.nested(key)?, self.nested(value)?),
            // A T-digest is the bytes that it is cast to.
            Name::Custom(name, _) if rules.digests_are_types && name.to_string().eq_ignore_ascii_case("tdigest") => {
                DataType::BinaryView
            }
            Name::Custom(name, arguments) => match custom(&name.to_string().to_lowercase(), arguments) {
                Some(known) => known,
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }
}

impl Types {
    /// A type in a map, which DataFusion's planner knows nothing of.
    fn nested(&self, name: &Name) -> Result<DataType> {
        if let Some(known) = self.arrow_type(name)? {
            return Ok(known);
        }
        Ok(match name {
            Name::Boolean | Name::Bool => DataType::Boolean,
            Name::TinyInt(_) => DataType::Int8,
            Name::SmallInt(_) => DataType::Int16,
            Name::Int(_) | Name::Integer(_) => DataType::Int32,
            Name::BigInt(_) => DataType::Int64,
            Name::Real => DataType::Float32,
            Name::Double(_) | Name::DoublePrecision => DataType::Float64,
            Name::Date => DataType::Date32,
            Name::Varchar(_) | Name::Char(_) | Name::Text | Name::String(_) => DataType::Utf8View,
            Name::Array(ArrayElemTypeDef::AngleBracket(element)) => {
                DataType::List(Arc::new(Field::new_list_field(self.nested(element)?, true)))
            }
            Name::Struct(fields, _) => {
                let fields = fields.iter().enumerate().map(|(at, field)| {
                    let name =
                        field.field_name.as_ref().map_or_else(|| format!("c{at}"), |name| name.value.to_lowercase());
                    Ok(Field::new(name, self.nested(&field.field_type)?, true))
                });
                DataType::Struct(fields.collect::<Result<Fields>>()?)
            }
            other => return Err(Error::unsupported(format_args!("the type {other} in a map")).into()),
        })
    }
}

/// Types that sqlparser has no name for.
fn custom(name: &str, _arguments: &[String]) -> Option<DataType> {
    Some(match name {
        // A SUPER is its JSON text, a sketch the text that shows it.
        "super" | "hllsketch" | "bpchar" | "string" | "name" => DataType::Utf8View,
        "varbyte" => DataType::BinaryView,
        _ => return None,
    })
}
