//! The table properties that describe a projection.

use super::date_pattern::{DatePattern, DateUnit};
use super::series::{DateBound, Series, parse_unit, truncate};
use crate::error::{Error, ErrorKind, Result};
use chrono::{DateTime, Utc};
use millrace_catalog::model::Parameters;

/// The most digits of `projection.<column>.digits`: those of the largest bigint.
const MAX_DIGITS: usize = 19;

/// What `projection.<column>.*` says of a column.
#[derive(Debug, Clone)]
pub(super) enum KeyRule {
    /// Values that do not depend on the time.
    Fixed(Series),
    /// Dates between bounds that may depend on the time.
    Date { range: String, pattern: DatePattern, low: DateBound, high: DateBound, step: u32, unit: DateUnit },
    /// Values come from the query's conditions.
    Injected,
}

impl KeyRule {
    /// The values at the time of the query; `None` for injected ones.
    pub(super) fn series(&self, now: DateTime<Utc>) -> Result<Option<Series>> {
        match self {
            Self::Fixed(series) => Ok(Some(series.clone())),
            Self::Injected => Ok(None),
            Self::Date { range, pattern, low, high, step, unit } => {
                let precision = pattern.precision().unwrap_or(DateUnit::Milliseconds);
                let moment = |bound: &DateBound| {
                    let moment = bound.moment(now).map(|moment| truncate(moment, precision));
                    moment.ok_or_else(|| {
                        Error::new(ErrorKind::InvalidTableDefinition, format!("date range \"{range}\" is out of range"))
                    })
                };
                let (low, high) = (moment(low)?, moment(high)?);
                Ok(Some(Series::Date { pattern: pattern.clone(), low, high, step: *step, unit: *unit }))
            }
        }
    }
}

/// A table's properties, read as Athena reads them: names without regard to case.
pub(super) struct Properties<'a>(pub(super) &'a Parameters);

impl<'a> Properties<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Result<&'a str> {
        self.get(name).ok_or_else(|| {
            Error::new(ErrorKind::InvalidTableDefinition, format!("table property \"{name}\" is missing"))
                .with_hint("Partition projection is enabled with \"projection.enabled\", so every partition column needs its projection properties.")
        })
    }

    /// `projection.enabled`
    pub(super) fn is_enabled(&self) -> Result<bool> {
        const NAME: &str = "projection.enabled";
        match self.get(NAME).map(|value| (value, value.trim().to_ascii_lowercase())) {
            None => Ok(false),
            Some((_, value)) if value == "true" => Ok(true),
            Some((_, value)) if value == "false" => Ok(false),
            Some((value, _)) => Err(invalid(NAME, value, "true or false")),
        }
    }

    /// `storage.location.template`
    pub(super) fn template(&self) -> Option<&'a str> {
        self.get("storage.location.template")
    }

    /// The rule of a column.
    pub(super) fn rule(&self, column: &str) -> Result<KeyRule> {
        let name = format!("projection.{column}.type");
        let kind = self.required(&name)?;
        match kind.trim().to_ascii_lowercase().as_str() {
            "enum" => self.enumeration(column),
            "integer" => self.integer(column),
            "date" => self.date(column),
            "injected" => Ok(KeyRule::Injected),
            _ => Err(invalid(&name, kind, "enum, integer, date or injected")),
        }
    }

    /// Blanks are part of a value.
    fn enumeration(&self, column: &str) -> Result<KeyRule> {
        let values = self.required(&format!("projection.{column}.values"))?;
        let mut listed: Vec<String> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        listed.extend(values.split(',').filter(|value| seen.insert(*value)).map(str::to_owned));
        Ok(KeyRule::Fixed(Series::Enum(listed)))
    }

    fn integer(&self, column: &str) -> Result<KeyRule> {
        let name = format!("projection.{column}.range");
        let range = self.required(&name)?;
        let bounds = range.split_once(',').and_then(|(low, high)| {
            Some((low.trim().parse::<i64>().ok()?, high.trim().parse::<i64>().ok()?)).filter(|(low, high)| low <= high)
        });
        let Some((low, high)) = bounds else {
            return Err(invalid(&name, range, "two integers with a comma between them, the smaller first"));
        };
        let step = self.positive(&format!("projection.{column}.interval"), i64::MAX as u64)?.unwrap_or(1);
        let digits = self.positive(&format!("projection.{column}.digits"), MAX_DIGITS as u64)?.unwrap_or(1) as usize;
        Ok(KeyRule::Fixed(Series::Integer { low, high, step, digits }))
    }

    fn date(&self, column: &str) -> Result<KeyRule> {
        let format_name = format!("projection.{column}.format");
        let format = self.required(&format_name)?;
        let pattern = DatePattern::parse(format)
            .map_err(|reason| invalid(&format_name, format, "a date pattern").with_detail(reason))?;
        let Some(precision) = pattern.precision() else {
            return Err(invalid(&format_name, format, "a date pattern with at least one field"));
        };
        let range_name = format!("projection.{column}.range");
        let range = self.required(&range_name)?;
        let expected = || {
            invalid(&range_name, range, "two dates with a comma between them, the earlier first")
                .with_hint(format!("A date has the format \"{format}\" or is relative: NOW, NOW-3YEARS, NOW+1DAY."))
        };
        let bounds = split_range(range, &pattern).ok_or_else(expected)?;
        if let (DateBound::At(low), DateBound::At(high)) = &bounds
            && low > high
        {
            return Err(expected());
        }
        let (step, unit) = self.interval(column, precision)?;
        let (low, high) = bounds;
        Ok(KeyRule::Date { range: range.to_owned(), pattern, low, high, step, unit })
    }

    /// The step and its unit. Athena has a default for patterns that end in the day or the month; the same is done
    /// here for those that end in the year.
    fn interval(&self, column: &str, precision: DateUnit) -> Result<(u32, DateUnit)> {
        let step_name = format!("projection.{column}.interval");
        let unit_name = format!("projection.{column}.interval.unit");
        let step = self.positive(&step_name, u64::from(u32::MAX))?.map(|step| step as u32);
        let unit = match self.get(&unit_name) {
            None => None,
            Some(text) => Some(parse_unit(text).ok_or_else(|| {
                invalid(&unit_name, text, "YEARS, MONTHS, WEEKS, DAYS, HOURS, MINUTES, SECONDS or MILLISECONDS")
            })?),
        };
        if precision <= DateUnit::Days {
            return Ok((step.unwrap_or(1), unit.unwrap_or(precision)));
        }
        match (step, unit) {
            (Some(step), Some(unit)) => Ok((step, unit)),
            (None, _) => self.required(&step_name).map(|_| (1, precision)),
            (_, None) => self.required(&unit_name).map(|_| (1, precision)),
        }
    }

    fn positive(&self, name: &str, most: u64) -> Result<Option<u64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.trim().parse::<u64>() {
            Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
            _ => Err(invalid(name, text, &format!("an integer from 1 to {most}"))),
        }
    }
}

/// The two ends of a range. The pattern may have commas itself, so every comma is tried.
fn split_range(range: &str, pattern: &DatePattern) -> Option<(DateBound, DateBound)> {
    range.match_indices(',').find_map(|(at, _)| {
        Some((DateBound::parse(&range[..at], pattern)?, DateBound::parse(&range[at + 1..], pattern)?))
    })
}

fn invalid(name: &str, value: &str, expected: &str) -> Error {
    Error::new(ErrorKind::InvalidTableDefinition, format!("invalid value \"{value}\" for table property \"{name}\""))
        .with_detail(format!("expected {expected}"))
}
