//! What is known of a table: its keys, its indexes, the kinds of its attributes, and what it may be asked per second.

use super::schema::Sample;
use crate::connector::SUPER_METADATA;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use aws_sdk_dynamodb::types::{
    IndexStatus, KeySchemaElement, KeyType, OnDemandThroughput, Projection, ProjectionType,
    ProvisionedThroughputDescription, ScalarAttributeType, TableDescription, TableWarmThroughputDescription,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Read units per second that a table on demand serves from its first day, by DynamoDB's documentation.
const ON_DEMAND_UNITS: i64 = 12_000;

/// The column of whole items.
const ITEM: &str = "item";

/// How a column's attributes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A number that is whole and has 64 bits.
    Integer,
    /// A number of up to 38 digits, this many after the point.
    Decimal(u8),
    /// A number that fits no numeric type: all of its digits as text.
    Digits,
    /// Bytes.
    Binary,
    /// A truth value.
    Boolean,
    /// Anything, as JSON.
    Super,
    /// The whole item as JSON, each attribute with its type.
    Item,
}

impl Kind {
    /// Arrow's type.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Text | Self::Digits | Self::Super | Self::Item => DataType::Utf8View,
            Self::Integer => DataType::Int64,
            Self::Decimal(scale) => DataType::Decimal128(38, scale as i8),
            Self::Binary => DataType::Binary,
            Self::Boolean => DataType::Boolean,
        }
    }

    /// What its attributes are called in messages.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Integer => "bigint".to_owned(),
            Self::Decimal(scale) => format!("decimal(38,{scale})"),
            Self::Digits => "a number".to_owned(),
            Self::Binary => "binary".to_owned(),
            Self::Boolean => "boolean".to_owned(),
            Self::Super | Self::Item => "super".to_owned(),
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    /// The attribute's name.
    pub(super) name: String,
    /// How it is read.
    pub(super) kind: Kind,
    /// Whether every item has it: a part of the table's key.
    pub(super) required: bool,
}

impl Column {
    /// The column in Arrow's schema.
    pub(super) fn field(&self) -> Field {
        let field = Field::new(&self.name, self.kind.data_type(), !self.required);
        match self.kind {
            Kind::Super | Kind::Item => field.with_metadata([(SUPER_METADATA.to_owned(), String::new())].into()),
            _ => field,
        }
    }
}

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
    /// Read units per second that it may be asked for.
    pub(super) read_units: f64,
}

impl Table {
    /// A table from its description and a sample; `None` when the description lacks what every table has.
    pub(super) fn new(description: &TableDescription, sample: &Sample, all_super: bool) -> Option<Self> {
        let keys = Keys::new(description.key_schema())?;
        let defined: BTreeMap<&str, &ScalarAttributeType> = description
            .attribute_definitions()
            .iter()
            .map(|definition| (definition.attribute_name(), definition.attribute_type()))
            .collect();
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
        Some(Self {
            name: description.table_name()?.to_owned(),
            columns,
            indexes: indexes(description, &keys),
            items: description.item_count().and_then(|items| u64::try_from(items).ok()).filter(|items| *items > 0),
            read_units: read_units(description),
            keys,
        })
    }

    /// The same table with one column, which is the whole item.
    pub(super) fn of_documents(self) -> Self {
        let item = Column { name: ITEM.to_owned(), kind: Kind::Item, required: true };
        Self { columns: vec![item], ..self }
    }

    /// How a column is read.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.kind)
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
fn read_units(description: &TableDescription) -> f64 {
    let provisioned =
        description.provisioned_throughput().and_then(ProvisionedThroughputDescription::read_capacity_units);
    let limit = description.on_demand_throughput().and_then(OnDemandThroughput::max_read_request_units);
    let warm = description.warm_throughput().and_then(TableWarmThroughputDescription::read_units_per_second);
    let units = [provisioned, limit, warm].into_iter().flatten().find(|units| *units > 0);
    units.unwrap_or(ON_DEMAND_UNITS) as f64
}
