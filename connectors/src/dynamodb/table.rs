//! What is known of a table: its keys, its indexes, the kinds of its attributes, and what it may be asked per second.

use super::column::{Column, Compared, Declared, Kind, Scalar};
use super::schema::Sample;
use crate::declared::{Declaration, distinct, named};
use crate::error::{ConnectorError, Result};
use crate::typed::Type;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use aws_sdk_dynamodb::types::{
    IndexStatus, KeySchemaElement, KeyType, LocalSecondaryIndexDescription, OnDemandThroughput, Projection,
    ProjectionType, ProvisionedThroughputDescription, ScalarAttributeType, TableDescription,
    TableWarmThroughputDescription,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Read units per second that a table on demand serves from its first day, by DynamoDB's documentation.
const ON_DEMAND_UNITS: i64 = 12_000;

/// The column of whole items.
const ITEM: &str = "item";

/// The attributes that items are found by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keys {
    /// The partition key.
    pub(super) partition: String,
    /// The sort key.
    pub(super) sort: Option<String>,
}

impl Keys {
    /// The keys of a description; `None` when there are several of a kind, which we do not query by.
    fn new(elements: &[KeySchemaElement]) -> Option<Self> {
        let of = |kind: KeyType| elements.iter().filter(move |element| *element.key_type() == kind);
        if of(KeyType::Hash).count() != 1 || of(KeyType::Range).count() > 1 {
            return None;
        }
        let name = |element: &KeySchemaElement| element.attribute_name().to_owned();
        Some(Self { partition: of(KeyType::Hash).map(name).next()?, sort: of(KeyType::Range).map(name).next() })
    }

    /// Whether an attribute is one of them.
    pub(super) fn contain(&self, name: &str) -> bool {
        self.partition == name || self.sort.as_deref() == Some(name)
    }
}

/// A secondary index that may be queried. It holds the items that have all of its key attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    /// Its name.
    pub(super) name: String,
    /// Whether it is global: it has its own partitions, is always a little late, and gives nothing but what it holds.
    pub(super) global: bool,
    /// Its keys.
    pub(super) keys: Keys,
    /// The attributes that it holds; `None` for all.
    pub(super) projected: Option<BTreeSet<String>>,
}

impl Index {
    fn new(
        name: Option<&str>,
        global: bool,
        keys: Option<Keys>,
        projection: Option<&Projection>,
        table: &Keys,
    ) -> Option<Self> {
        let (name, keys, projection) = (name?.to_owned(), keys?, projection?);
        let projected = match projection.projection_type()? {
            ProjectionType::All => None,
            ProjectionType::KeysOnly | ProjectionType::Include => {
                let keys = [&keys, table].into_iter().flat_map(|keys| [Some(&keys.partition), keys.sort.as_ref()]);
                Some(keys.flatten().chain(projection.non_key_attributes()).cloned().collect())
            }
            _ => return None,
        };
        Some(Self { name, global, keys, projected })
    }

    /// Whether it holds an attribute.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.projected.as_ref().is_none_or(|projected| projected.contains(name))
    }
}

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    /// Its keys.
    pub(super) keys: Keys,
    /// Partition key, sort key, then the others by name.
    pub(super) columns: Vec<Column>,
    /// Its indexes that may be queried.
    pub(super) indexes: Vec<Index>,
    /// The items that it had when DynamoDB last counted; `None` when that tells nothing.
    pub(super) items: Option<u64>,
    /// The bytes of its items when DynamoDB last counted; `None` when that tells nothing.
    pub(super) bytes: Option<u64>,
    /// Read units per second that it may be asked for.
    pub(super) read_units: f64,
}

impl Table {
    /// A table from its description and a sample; `None` when the description lacks what every table has.
    pub(super) fn new(description: &TableDescription, sample: &Sample, all_super: bool) -> Option<Self> {
        let keys = Keys::new(description.key_schema())?;
        let defined = defined(description);
        let names = defined.keys().copied().chain(sample.names()).filter(|name| !keys.contain(name));
        let others: BTreeSet<&str> = names.collect();
        let key_columns = std::iter::once(keys.partition.as_str()).chain(keys.sort.as_deref());
        let columns = key_columns
            .chain(others)
            .map(|name| {
                let required = keys.contain(name);
                let defined = defined.get(name).copied();
                let kind = if all_super && defined.is_none() { Kind::Super } else { sample.kind(name, defined) };
                Column { name: name.to_owned(), kind, required }
            })
            .collect();
        Self::with_columns(description, keys, columns)
    }

    /// A table with declared columns.
    ///
    /// # Errors
    /// `BadData` when the description lacks what every table has, `Unsupported` for types that no column has.
    pub(super) fn declared(description: &TableDescription, declared: &Declaration) -> Result<Self> {
        let lacking = || ConnectorError::BadData("a table's description has no name or no key".to_owned());
        let keys = Keys::new(description.key_schema()).ok_or_else(lacking)?;
        let defined = defined(description);
        let certain = certain(description);
        let column = |field: &FieldRef| {
            let to = Type::of(field)?;
            let known = named(field.name(), defined.keys().copied());
            let name = known.unwrap_or(field.name()).to_owned();
            let nested = known.is_none() && name.contains('.');
            let compared = match (Scalar::of(to), known.and_then(|known| defined.get(known))) {
                (Some(scalar), Some(defined)) if scalar.name() == defined.as_str() => {
                    if certain.contains(name.as_str()) { Compared::All(scalar) } else { Compared::Only(scalar) }
                }
                (Some(scalar), None) if !nested => Compared::Some(scalar),
                _ => Compared::None,
            };
            let kind = match to {
                Type::Super if !nested => Kind::Super,
                to => Kind::Declared(Declared { to, compared, invalid: declared.invalid, nested }),
            };
            Ok(Column { name, kind, required: false })
        };
        let columns = declared.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        distinct(&declared.columns, columns.iter().map(|column| column.name.as_str()), "attribute")?;
        Self::with_columns(description, keys, columns).ok_or_else(lacking)
    }

    fn with_columns(description: &TableDescription, keys: Keys, columns: Vec<Column>) -> Option<Self> {
        let counted = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0);
        Some(Self {
            name: description.table_name()?.to_owned(),
            columns,
            indexes: indexes(description, &keys),
            items: counted(description.item_count()),
            bytes: counted(description.table_size_bytes()),
            read_units: read_units(description),
            keys,
        })
    }

    /// The same table with one column, which is the whole item.
    pub(super) fn of_documents(self) -> Self {
        let item = Column { name: ITEM.to_owned(), kind: Kind::Item, required: true };
        Self { columns: vec![item], ..self }
    }

    /// How a column is read that conditions may name: one that is an attribute.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        let column = self.columns.iter().find(|column| column.name == name);
        column.map(|column| column.kind).filter(|kind| !kind.is_nested())
    }

    /// The columns of these names; an attribute that the sample did not show is read as JSON.
    pub(super) fn columns_named(&self, names: &[String]) -> Vec<Column> {
        let column = |name: &String| {
            let known = self.columns.iter().find(|column| column.name == *name).cloned();
            known.unwrap_or_else(|| Column { name: name.clone(), kind: Kind::Super, required: false })
        };
        names.iter().map(column).collect()
    }

    /// Arrow's schema.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::field).collect::<Vec<_>>()))
    }
}

/// The attributes that are part of a key of the table or of an index.
fn defined(description: &TableDescription) -> BTreeMap<&str, &ScalarAttributeType> {
    let definitions = description.attribute_definitions().iter();
    definitions.map(|definition| (definition.attribute_name(), definition.attribute_type())).collect()
}

/// The attributes that are part of a key of the table or of a local index, which is as old as the table: no item has
/// another type of them. A global index may be younger than items that it does not take.
fn certain(description: &TableDescription) -> BTreeSet<&str> {
    let local = description.local_secondary_indexes().iter().flat_map(LocalSecondaryIndexDescription::key_schema);
    description.key_schema().iter().chain(local).map(KeySchemaElement::attribute_name).collect()
}

/// The indexes that are complete.
fn indexes(description: &TableDescription, table: &Keys) -> Vec<Index> {
    let local = description.local_secondary_indexes().iter().filter_map(|index| {
        Index::new(index.index_name(), false, Keys::new(index.key_schema()), index.projection(), table)
    });
    let complete = |status: Option<&IndexStatus>| matches!(status, Some(IndexStatus::Active | IndexStatus::Updating));
    let global = description
        .global_secondary_indexes()
        .iter()
        .filter(|index| complete(index.index_status()) && index.backfilling() != Some(true))
        .filter_map(|index| {
            Index::new(index.index_name(), true, Keys::new(index.key_schema()), index.projection(), table)
        });
    local.chain(global).collect()
}

/// Provisioned units; for a table on demand its own limit, else what it is warmed up to, else what any table serves.
pub(super) fn read_units(description: &TableDescription) -> f64 {
    let provisioned =
        description.provisioned_throughput().and_then(ProvisionedThroughputDescription::read_capacity_units);
    let limit = description.on_demand_throughput().and_then(OnDemandThroughput::max_read_request_units);
    let warm = description.warm_throughput().and_then(TableWarmThroughputDescription::read_units_per_second);
    let units = [provisioned, limit, warm].into_iter().flatten().find(|units| *units > 0);
    units.unwrap_or(ON_DEMAND_UNITS) as f64
}
