//! Texts that Trino casts to moments: a date, a time of day and a zone (its "TIMESTAMP WITH TIME ZONE").

use super::cast;
use super::iso::in_utc;
use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, is_text, scalar};
use crate::error::Result;
use crate::load;
use crate::sql::Dialect;
use crate::zone::{self, Zone};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray, TimestampMicrosecondBuilder};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::DataType;
use std::sync::Arc;

/// The cast to a moment with a zone where nothing but the moment matters.
pub(crate) const CAST_INSTANT: &str = "$cast_instant";

pub(super) const FUNCTIONS: &[Scalar] = &[scalar(CAST_INSTANT, ATHENA, &[Kind::Any], Gives::StampTz, instant)];

fn instant(call: &Call<'_>) -> Result<ArrayRef> {
    let values = &call.args[0];
    if !is_text(values.data_type()) {
        return cast::as_type(values, &call.gives, Dialect::Athena);
    }
    let texts = compute::cast(values, &DataType::Utf8View)?;
    read(texts.as_string_view(), &call.gives, false, true)
}

/// Texts as moments of a type; `safe` gives NULL for what is none.
///
/// # Errors
/// `InvalidText` for what is none, `Unsupported` for a text of another zone where more than the moment matters.
pub(super) fn read(texts: &StringViewArray, to: &DataType, safe: bool, is_instant: bool) -> Result<ArrayRef> {
    let mut built = TimestampMicrosecondBuilder::with_capacity(texts.len()).with_data_type(to.clone());
    for text in texts {
        match text.map(|text| moment(text, is_instant).map(|moment| (text, moment))).transpose()? {
            Some((text, None)) if !safe => return Err(cast::invalid(to, text)),
            read => built.append_option(read.and_then(|(_, moment)| moment)),
        }
    }
    Ok(Arc::new(built.finish()))
}

/// A text's moment in UTC; `None` for what is none.
fn moment(text: &str, is_instant: bool) -> Result<Option<i64>> {
    match parted(text) {
        Some((local_us, zone)) => in_utc(local_us, zone, text, is_instant),
        None => Ok(None),
    }
}

/// What clocks show of a text; its zone, which has to be one, is passed over.
pub(super) fn clocks(text: &str) -> Option<i64> {
    parted(text).map(|(local_us, _)| local_us)
}

fn parted(text: &str) -> Option<(i64, Option<Zone>)> {
    let Some((date, time, zone)) = zone::split(text) else { return Some((load::moment_of(text, false)?, None)) };
    let zone = Zone::in_types(zone)?;
    Some((load::moment_of(format!("{date} {time}").trim(), false)?, Some(zone)))
}
