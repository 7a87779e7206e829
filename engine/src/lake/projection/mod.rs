//! Partition projection: partitions that are computed from a table's properties instead of looked up in the catalog.
//!
//! Follows Athena's documentation ("Use partition projection with Amazon Athena", "Supported types for partition
//! projection"). Everything here is pure: the properties, the conditions and the time go in, the partitions come out.
//! Values are counted and searched without being listed, so that a condition on a range of any size costs little; what
//! is listed has a limit.

mod date_pattern;
mod location;
mod properties;
mod select;
mod series;

#[cfg(test)]
mod tests;

use crate::error::{Error, ErrorKind, Result};
use chrono::{DateTime, Utc};
use location::Location;
use millrace_catalog::model::{Column, HiveType, Parameters, Partition, PartitionCondition, PartitionFilter};
use properties::{KeyRule, Properties};

/// The most partitions that one query may project.
pub const MAX_PROJECTED_PARTITIONS: u64 = 1_000_000;

/// How a table's partitions are computed.
#[derive(Debug, Clone)]
pub struct PartitionProjection {
    keys: Vec<ProjectedKey>,
    location: Location,
}

#[derive(Debug, Clone)]
struct ProjectedKey {
    name: String,
    data_type: HiveType,
    rule: KeyRule,
}

/// A value of one key: as the catalog has it, and as it stands in the folder's name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ProjectedValue {
    value: String,
    folder: String,
}

impl PartitionProjection {
    /// The projection that a table's properties describe; `None` unless `projection.enabled` is true and the table has
    /// partition keys.
    ///
    /// Without `storage.location.template` partitions lie at Hive's `key=value` folders below the table's location.
    /// Errors (42P16) name the property and its value.
    pub fn from_table(parameters: &Parameters, keys: &[Column], table_location: &str) -> Result<Option<Self>> {
        let properties = Properties(parameters);
        if keys.is_empty() || !properties.is_enabled()? {
            return Ok(None);
        }
        let names: Vec<String> = keys.iter().map(|key| key.name.clone()).collect();
        let location = match properties.template() {
            Some(template) => Location::parse(template, &names)?,
            None => Location::hive(table_location, names),
        };
        let keys = keys
            .iter()
            .map(|key| {
                Ok(ProjectedKey {
                    name: key.name.clone(),
                    data_type: key.data_type.clone(),
                    rule: properties.rule(&key.name)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Some(Self { keys, location }))
    }

    /// The partitions that satisfy the filters, in the order of the keys and their values; `now` is what `NOW` in a
    /// date range means.
    ///
    /// The values of each key are narrowed by its filters before keys are combined. More than
    /// [`MAX_PROJECTED_PARTITIONS`] are an error (54000), and so is a key of the injected type without a condition that
    /// gives its values (42809).
    pub fn partitions(&self, filters: &[PartitionFilter], now: DateTime<Utc>) -> Result<Vec<Partition>> {
        let selections = self
            .keys
            .iter()
            .enumerate()
            .map(|(index, key)| {
                let conditions: Vec<_> = filters.iter().filter(|f| f.key == index).map(|f| &f.condition).collect();
                key.select(&conditions, now)
            })
            .collect::<Result<Vec<_>>>()?;
        if selections.iter().any(|selection| selection.count() == 0) {
            return Ok(Vec::new());
        }
        let count = selections.iter().fold(1_u64, |product, selection| product.saturating_mul(selection.count()));
        if count > MAX_PROJECTED_PARTITIONS {
            return Err(too_many(&self.keys));
        }
        let values: Vec<Vec<ProjectedValue>> = selections.into_iter().map(select::Selection::into_values).collect();
        let mut partitions = Vec::new();
        combine(&values, &mut Vec::with_capacity(values.len()), &mut |chosen| {
            partitions.push(Partition {
                values: chosen.iter().map(|value| Some(value.value.clone())).collect(),
                location: self.location.of(chosen),
                storage: None,
                parameters: Parameters::new(),
                create_time_ms: 0,
            });
        });
        Ok(partitions)
    }
}

impl ProjectedKey {
    fn select(&self, conditions: &[&PartitionCondition], now: DateTime<Utc>) -> Result<select::Selection> {
        match self.rule.series(now)? {
            Some(series) => select::select(series, &self.name, &self.data_type, conditions),
            None => select::select_injected(&self.name, &self.data_type, conditions),
        }
    }
}

/// Calls `found` with every combination of one value of each key, the last key changing fastest.
fn combine<'a>(
    values: &'a [Vec<ProjectedValue>],
    chosen: &mut Vec<&'a ProjectedValue>,
    found: &mut impl FnMut(&[&'a ProjectedValue]),
) {
    let Some((first, rest)) = values.split_first() else { return found(chosen) };
    for value in first {
        chosen.push(value);
        combine(rest, chosen, found);
        chosen.pop();
    }
}

fn too_many(keys: &[ProjectedKey]) -> Error {
    let names: Vec<_> = keys.iter().map(|key| format!("\"{}\"", key.name)).collect();
    too_many_values(&names.join(", "))
}

fn too_many_values(names: &str) -> Error {
    Error::new(
        ErrorKind::LimitExceeded,
        format!("partition projection gives more than {MAX_PROJECTED_PARTITIONS} partitions"),
    )
    .with_hint(format!("Add conditions on the partition columns {names}, or narrow their projection ranges."))
}
