//! `ALTER TABLE`: columns, partitions, places and properties of external tables.
//!
//! A change of the definition is made on the version that was read; if somebody else was first the statement fails
//! with a serialization error and nothing is changed.

use super::ddl::{absolute_template, check_folded, check_readable, now_ms};
use super::{connectors, done, managed, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::federated::{self, Place};
use crate::lake::hive_classes::storage_classes;
use crate::lake::location::Location;
use crate::lake::{types, write};
use crate::resolve::{self, Relation, rights};
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{
    AlterOperation, AlterTable, ColumnDefinition, CompareOperator, PartitionCompare, PartitionSpec, hive_type,
};
use datafusion::common::ScalarValue;
use millrace_catalog::model::{Column, Parameters, Partition, PartitionCondition, PartitionFilter, Table, TableKind};
use std::cmp::Ordering;
use std::ops::Bound;

/// Executes `ALTER TABLE`.
pub(crate) async fn execute(context: &Context, alter: &AlterTable) -> Result<StatementResult> {
    let snapshot = context.snapshot().await?;
    let table = match resolve::find_relation(context, &alter.table).await? {
        Relation::Managed(table) => return managed::alter_table(context, &table, &alter.operation).await,
        Relation::Foreign(table) => return Err(table.unchangeable()),
        Relation::Catalog(table) => table,
    };
    let is_of_views = matches!(alter.operation, AlterOperation::RenameTable(_) | AlterOperation::Owner(_));
    if !is_of_views || table.kind == TableKind::ExternalTable {
        context.check_no_block("ALTER TABLE of an external table")?;
    }
    if table.kind != TableKind::ExternalTable && !is_of_views {
        return Err(Error::new(ErrorKind::WrongObjectType, format!("\"{}\" is not a table", table.name)));
    }
    if let Some(error) = federated::declared::unchangeable(&table).filter(|_| is_of_files(&alter.operation)) {
        return Err(error);
    }
    let tag = CommandTag::Verb("ALTER TABLE");
    let mut notices = Vec::new();
    match &alter.operation {
        AlterOperation::AddPartitions { if_not_exists, partitions } => {
            let made = partitions.iter().map(|(spec, location)| new_partition(&table, spec, location.as_deref()));
            let made = made.collect::<Result<Vec<_>>>()?;
            let added = context.catalog().add_partitions(&table, &made, *if_not_exists).await?;
            if added < made.len() as u64 {
                notices.push(skipping("a partition of", &table.name, "already exists"));
            }
        }
        AlterOperation::DropPartitions { if_exists, partitions } => {
            let mut dropped = Vec::new();
            for conditions in partitions {
                let found = find_partitions(context, &table, conditions).await?;
                if found.is_empty() && !if_exists {
                    let keys = conditions.iter().map(std::string::ToString::to_string).collect::<Vec<_>>();
                    let message = format!("partition ({}) of \"{}\" does not exist", keys.join(", "), table.name);
                    return Err(Error::new(ErrorKind::UndefinedObject, message));
                }
                dropped.extend(found.into_iter().map(|partition| partition.values));
            }
            context.catalog().drop_partitions(&table, &dropped).await?;
        }
        AlterOperation::RenamePartition { from, to } => {
            let partition = one_partition(context, &table, from).await?;
            let renamed = Partition { values: spec_values(&table, to)?, ..partition.clone() };
            context.catalog().replace_partition(&table, &partition.values, &renamed).await?;
        }
        AlterOperation::SetPartitionLocation { partition, location } => {
            let partition = one_partition(context, &table, partition).await?;
            let moved = Partition { location: Location::literal(location)?.url(), ..partition.clone() };
            context.catalog().replace_partition(&table, &partition.values, &moved).await?;
        }
        AlterOperation::RenameTable(to) => {
            let default = if to.parts.len() == 1 { table.database.as_str() } else { context.database() };
            let (database, name) = resolve::qualify(&snapshot, to, default)?;
            if table.kind == TableKind::ExternalTable {
                check_folded([&name])?;
            }
            let mut transaction = context.transaction().lock().await;
            if transaction.is_block() && table.kind != TableKind::ExternalTable {
                drop(transaction);
                if resolve::relation(context, &database, &name).await?.is_some() {
                    return Err(Error::new(ErrorKind::DuplicateTable, format!("relation \"{name}\" already exists")));
                }
                transaction = context.transaction().lock().await;
                transaction.rename_view(context.warehouse(), &table, (database, name)).await?;
            } else {
                context.catalog().rename_table(&table, &database, &name).await?;
            }
        }
        AlterOperation::Owner(owner) => {
            rights::check_user(context, owner).await?;
            let changed = Table { owner: Some(owner.clone()), ..Table::clone(&table) };
            let mut transaction = context.transaction().lock().await;
            if transaction.is_block() {
                transaction.put_view(context.warehouse(), changed).await?;
            } else {
                context.catalog().update_table(&changed).await?;
            }
        }
        definition => {
            let mut changed = Table::clone(&table);
            change(&mut changed, definition)?;
            let is_of_properties =
                matches!(definition, AlterOperation::SetProperties(_) | AlterOperation::UnsetProperties { .. });
            if is_of_properties && Place::of_table(&changed).is_some() {
                connectors::check_connection(context, &changed.parameters).await?;
            }
            federated::declared::relocate(&mut changed);
            changed.update_time_ms = now_ms();
            check_readable(context, &snapshot, &changed)?;
            context.catalog().update_table(&changed).await?;
        }
    }
    Ok(done(tag, notices))
}

/// Whether an operation is about files, which a foreign system's table has not; nor can it go to another schema.
fn is_of_files(operation: &AlterOperation) -> bool {
    match operation {
        AlterOperation::AddPartitions { .. }
        | AlterOperation::DropPartitions { .. }
        | AlterOperation::RenamePartition { .. }
        | AlterOperation::SetPartitionLocation { .. }
        | AlterOperation::SetLocation(_)
        | AlterOperation::SetSerDe { .. }
        | AlterOperation::SetFileFormat(_) => true,
        AlterOperation::RenameTable(to) => to.parts.len() > 1,
        _ => false,
    }
}

/// Changes a definition; the catalog is not asked.
fn change(table: &mut Table, operation: &AlterOperation) -> Result<()> {
    match operation {
        AlterOperation::AddColumns(columns) => {
            for column in columns {
                refuse_known(table, &column.name)?;
                table.storage.columns.push(column.clone());
            }
        }
        AlterOperation::AddColumn(definition) => {
            refuse_known(table, &definition.name)?;
            if **definition != ColumnDefinition::plain(definition) {
                return Err(Error::unsupported("an attribute of an external table's column"));
            }
            let data_type = hive_type(&definition.data_type).map_err(|e| e.with_position(definition.type_position))?;
            table.storage.columns.push(Column::new(&definition.name, data_type));
        }
        AlterOperation::ReplaceColumns(columns) => {
            table.storage.columns.clear();
            for column in columns {
                refuse_known(table, &column.name)?;
                table.storage.columns.push(column.clone());
            }
        }
        AlterOperation::ChangeColumn { old, new, place } => {
            let at = position_of(table, old)?;
            table.storage.columns.remove(at);
            refuse_known(table, &new.name)?;
            let to = match place {
                None => at,
                Some(None) => 0,
                Some(Some(after)) => position_of(table, after)? + 1,
            };
            table.storage.columns.insert(to, new.clone());
        }
        AlterOperation::DropColumn(_, true) => {
            return Err(Error::unsupported("ALTER TABLE … DROP COLUMN … CASCADE of an external table"));
        }
        AlterOperation::DropColumn(name, false) => {
            let at = position_of(table, name)?;
            if table.storage.columns.len() == 1 {
                let message = format!("cannot drop the only column of \"{}\"", table.name);
                return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
            }
            table.storage.columns.remove(at);
        }
        AlterOperation::RenameColumn { old, new } => {
            let at = position_of(table, old)?;
            refuse_known(table, new)?;
            federated::declared::rename_column(table, old, new);
            table.storage.columns[at].name.clone_from(new);
        }
        AlterOperation::SetLocation(location) => table.storage.location = Some(Location::literal(location)?.url()),
        AlterOperation::SetProperties(properties) => {
            federated::declared::set_properties(table, absolute_template(properties.clone())?);
        }
        AlterOperation::UnsetProperties { if_exists, keys } => unset(&mut table.parameters, keys, *if_exists)?,
        AlterOperation::SetSerDe { library, properties } => {
            if let Some(library) = library {
                table.storage.serde.library.clone_from(library);
            }
            table.storage.serde.parameters.extend(properties.clone());
        }
        AlterOperation::SetFileFormat(format) => {
            let (serde, input, output) =
                storage_classes(format).ok_or_else(|| Error::unsupported(format!("the file format {format}")))?;
            serde.clone_into(&mut table.storage.serde.library);
            input.clone_into(&mut table.storage.input_format);
            output.clone_into(&mut table.storage.output_format);
        }
        AlterOperation::ColumnType { .. }
        | AlterOperation::ColumnEncoding { .. }
        | AlterOperation::EncodeAuto
        | AlterOperation::Distribution { .. }
        | AlterOperation::SortKey(_)
        | AlterOperation::AddConstraint(_)
        | AlterOperation::DropConstraint(_)
        | AlterOperation::Several(_)
        | AlterOperation::AppendFrom { .. } => {
            let message = format!("\"{}\" is not a managed table", table.name);
            return Err(Error::new(ErrorKind::WrongObjectType, message));
        }
        AlterOperation::AddPartitions { .. }
        | AlterOperation::DropPartitions { .. }
        | AlterOperation::RenamePartition { .. }
        | AlterOperation::SetPartitionLocation { .. }
        | AlterOperation::Owner(_)
        | AlterOperation::RenameTable(_) => return Err(Error::internal("this changes no definition")),
    }
    Ok(())
}

fn refuse_known(table: &Table, name: &str) -> Result<()> {
    let mut known = table.storage.columns.iter().chain(&table.partition_keys);
    if known.any(|column| column.name == name) {
        let message = format!("column \"{name}\" of relation \"{}\" already exists", table.name);
        return Err(Error::new(ErrorKind::DuplicateColumn, message));
    }
    Ok(())
}

fn position_of(table: &Table, name: &str) -> Result<usize> {
    table.storage.columns.iter().position(|column| column.name == name).ok_or_else(|| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        Error::new(ErrorKind::UndefinedColumn, message)
    })
}

fn unset(parameters: &mut Parameters, keys: &[String], if_exists: bool) -> Result<()> {
    for key in keys {
        if parameters.remove(key).is_none() && !if_exists {
            return Err(Error::new(ErrorKind::UndefinedObject, format!("table property \"{key}\" does not exist")));
        }
    }
    Ok(())
}

/// The values of all partition keys, in the table's order.
pub(crate) fn spec_values(table: &Table, spec: &PartitionSpec) -> Result<Vec<Option<String>>> {
    for (name, _) in spec {
        key_position(table, name)?;
    }
    let value = |key: &Column| {
        let found = spec.iter().find(|(name, _)| *name == key.name).map(|(_, value)| value.clone());
        let value = found.ok_or_else(|| {
            Error::new(ErrorKind::Syntax, format!("the partition names no value for key \"{}\"", key.name))
        })?;
        types::parse_partition_value(value.as_deref(), &key.data_type)?;
        Ok(value)
    };
    table.partition_keys.iter().map(value).collect()
}

fn key_position(table: &Table, name: &str) -> Result<usize> {
    table.partition_keys.iter().position(|key| key.name == name).ok_or_else(|| {
        let message = format!("\"{name}\" is not a partition key of \"{}\"", table.name);
        Error::new(ErrorKind::UndefinedColumn, message)
    })
}

fn new_partition(table: &Table, spec: &PartitionSpec, location: Option<&str>) -> Result<Partition> {
    let values = spec_values(table, spec)?;
    let location = if let Some(location) = location {
        Location::literal(location)?.url()
    } else {
        let base = table.storage.location.as_deref().unwrap_or_default();
        let keys: Vec<&str> = table.partition_keys.iter().map(|key| key.name.as_str()).collect();
        format!("{base}/{}", write::partition_path(&keys, &values))
    };
    Ok(Partition { values, location, storage: None, parameters: Parameters::new(), create_time_ms: now_ms() })
}

/// The one partition that a full specification names.
async fn one_partition(context: &Context, table: &Table, spec: &PartitionSpec) -> Result<Partition> {
    let values = spec_values(table, spec)?;
    let conditions = table.partition_keys.iter().zip(values).map(|(key, value)| PartitionCompare {
        key: key.name.clone(),
        operator: CompareOperator::Eq,
        value,
    });
    let conditions: Vec<PartitionCompare> = conditions.collect();
    find_partitions(context, table, &conditions).await?.pop().ok_or_else(|| {
        let text = |(key, value): &(String, Option<String>)| format!("{key}={}", value.as_deref().unwrap_or("NULL"));
        let name = spec.iter().map(text).collect::<Vec<_>>().join("/");
        let message = format!("partition \"{name}\" of \"{}\" does not exist", table.name);
        Error::new(ErrorKind::UndefinedObject, message)
    })
}

/// The partitions that satisfy all conditions.
async fn find_partitions(context: &Context, table: &Table, conditions: &[PartitionCompare]) -> Result<Vec<Partition>> {
    let mut filters = Vec::new();
    let mut unequal: Vec<(usize, ScalarValue)> = Vec::new();
    for condition in conditions {
        let key = key_position(table, &condition.key)?;
        let data_type = &table.partition_keys[key].data_type;
        let value = types::parse_partition_value(condition.value.as_deref(), data_type)?;
        let text = condition.value.clone();
        let condition = match (condition.operator, text) {
            (CompareOperator::Eq, None) => PartitionCondition::IsNull,
            (CompareOperator::NotEq, None) => PartitionCondition::IsNotNull,
            (_, None) => return Err(Error::new(ErrorKind::Syntax, "NULL can be compared by = and <> only")),
            (CompareOperator::Eq, Some(text)) => PartitionCondition::In(vec![text]),
            (CompareOperator::NotEq, Some(_)) => {
                unequal.push((key, value));
                PartitionCondition::IsNotNull
            }
            (CompareOperator::Lt, Some(text)) => PartitionCondition::Range(Bound::Unbounded, Bound::Excluded(text)),
            (CompareOperator::LtEq, Some(text)) => PartitionCondition::Range(Bound::Unbounded, Bound::Included(text)),
            (CompareOperator::Gt, Some(text)) => PartitionCondition::Range(Bound::Excluded(text), Bound::Unbounded),
            (CompareOperator::GtEq, Some(text)) => PartitionCondition::Range(Bound::Included(text), Bound::Unbounded),
        };
        filters.push(PartitionFilter { key, condition });
    }
    let mut found = context.catalog().partitions(table, &filters).await?;
    if !unequal.is_empty() {
        found.retain(|partition| {
            unequal.iter().all(|(key, unwanted)| {
                let value = partition.values[*key].as_deref();
                types::parse_partition_value(value, &table.partition_keys[*key].data_type)
                    .is_ok_and(|value| value.partial_cmp(unwanted) != Some(Ordering::Equal))
            })
        });
    }
    Ok(found)
}
