//! Trino's moments with a zone of their own: a column has one zone, which its type names (Arrow's `Timestamp`), so the zone
//! of a call is a constant. Whoever shows such a moment, or takes it apart, goes by the clocks of that zone; moments compare
//! whatever their zones are.
//!
//! A moment without zone is one of the session's, which is UTC, where a zone is wanted.

use super::date_parts::micros;
use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use super::parts::{Part, of_no_calendar};
use crate::error::{Error, ErrorKind, Result};
use crate::zone::{Zone, name_in_types, name_of_type};
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::ScalarValue;
use std::sync::Arc;

use Kind::{Clocks, Instant, Int};

/// A moment cut to so many digits of a fraction of a second.
pub(crate) const TO_DIGITS: &str = "$to_digits";

/// The most digits that a fraction of a second has.
pub(crate) const MOST_DIGITS: u32 = 6;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("at_timezone", ATHENA, &[Instant, Kind::Zone], Gives::InZone(1), |call| {
        call.column::<TimestampMicrosecondType>(micros(&call.whole(0)?)?.values().to_vec())
    })
    .with_constants()
    .doc(
        "at_timezone(moment, zone)",
        "The same moment in another zone, a constant; also AT TIME ZONE. One without zone is of UTC.",
        &[
            ("at_timezone(timestamp '2012-10-31 01:00 UTC', 'America/Los_Angeles')", "2012-10-30 18:00:00-07:00"),
            (
                "CAST(timestamp '2012-10-31 01:00 UTC' AT TIME ZONE 'America/Los_Angeles' AS varchar)",
                "2012-10-30 18:00:00.000 America/Los_Angeles",
            ),
        ],
    ),
    scalar("with_timezone", ATHENA, &[Clocks, Kind::Zone], Gives::InZone(1), |call| {
        let (local, zone) = (micros(&call.whole(0)?)?, Zone::of_type(&call.gives));
        let zone = zone.ok_or_else(|| Error::internal("a moment lacks its zone"))?;
        call.stamps(|row| zone.to_utc_earlier(local.value(row)).map(Some).ok_or_else(of_no_calendar))
    })
    .with_constants()
    .doc(
        "with_timezone(moment, zone)",
        "A moment without zone as clocks of a zone, a constant, show it.",
        &[(
            "with_timezone(timestamp '2022-11-01 09:08:07.321', 'America/Los_Angeles')",
            "2022-11-01 09:08:07.321-07:00",
        )],
    ),
    scalar("timezone", ATHENA, &[Instant], Gives::Text, |call| {
        let name = name_of_type(call.args[0].data_type());
        call.texts(|_| Ok(Some(name)))
    })
    .doc(
        "timezone(moment)",
        "The name of a moment's zone.",
        &[
            ("timezone(timestamp '2024-01-01 12:00:00 Asia/Tokyo')", "Asia/Tokyo"),
            ("timezone(timestamp '2024-01-01 12:00:00 +01:00')", "+01:00"),
            ("timezone(timestamp '2024-02-29 12:00:00 UTC')", "UTC"),
        ],
    ),
    scalar("timezone_hour", ATHENA, &[Instant], Gives::Int8, |call| offset_part(call, Part::TimezoneHour)).doc(
        "timezone_hour(moment)",
        "The hours of a moment's offset from UTC.",
        &[("timezone_hour(timestamp '2024-01-01 12:00:00 -03:30')", "-3")],
    ),
    scalar("timezone_minute", ATHENA, &[Instant], Gives::Int8, |call| offset_part(call, Part::TimezoneMinute)).doc(
        "timezone_minute(moment)",
        "The minutes of a moment's offset from UTC.",
        &[("timezone_minute(timestamp '2024-01-01 12:00:00 -03:30')", "-30")],
    ),
    scalar(TO_DIGITS, ATHENA, &[Clocks, Int], Gives::Stamp, |call| {
        let (moments, digits) = (micros(&call.args[0])?, call.int(1));
        call.stamps(|row| {
            let cut = u32::try_from(digits.value(row)).ok().and_then(|digits| MOST_DIGITS.checked_sub(digits));
            let unit = 10_i64.pow(cut.unwrap_or(0));
            Ok(Some(moments.value(row).div_euclid(unit) * unit))
        })
    }),
];

/// The zone that a constant names, as types name it.
///
/// # Errors
/// `Unsupported` for what is no constant, `InvalidParameter` for the name of no zone.
pub(super) fn constant(zone: Option<&ScalarValue>) -> Result<Arc<str>> {
    let zone = zone.ok_or_else(|| Error::unsupported("a time zone that is no constant"))?;
    // Of a NULL nothing is shown.
    let Some(name) = zone.try_as_str().flatten() else { return Ok("UTC".into()) };
    let found = name_in_types(name).map(Arc::from);
    found.ok_or_else(|| Error::new(ErrorKind::InvalidParameter, format!("time zone \"{name}\" is not known")))
}

fn offset_part(call: &Call<'_>, part: Part) -> Result<ArrayRef> {
    let moments = micros(&call.args[0])?;
    let zone = Zone::of_type(call.args[0].data_type()).unwrap_or(Zone::UTC);
    call.ints(|row| part.value_in(zone, moments.value(row)).map(Some))
}
