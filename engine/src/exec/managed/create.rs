//! `CREATE TABLE` of managed tables, with columns, LIKE another table, or AS a query.

use super::{assign, change, constraints};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{done, query, skipping};
use crate::plan::{self, Planned};
use crate::resolve::{self, Relation};
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{Collation, ColumnDefinition, CreateTable, Distribution, Names, ObjectName, SortKeyClause};
use crate::tables::SqlType;
use crate::tables::encoding::Encoding;
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::LogicalPlan;
use millrace_catalog::model::{
    DistributionStyle, FileFormat, ManagedColumn, ManagedTable, MaterializedView, SortKey, TableAttributes,
};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many buckets a distribution key is hashed into: a power of two, so that the number of slices may change.
const BUCKETS: u32 = 64;

/// The most columns of a table, as in Redshift.
const MAX_COLUMNS: usize = 1600;

/// The most columns of a sort key: compound, interleaved.
const MAX_SORT_COLUMNS: (usize, usize) = (400, 8);

/// `CREATE TABLE`.
pub(crate) async fn create_table(context: &Context, create: &CreateTable) -> Result<StatementResult> {
    Ok(match make(context, create, None).await? {
        Made::Exists(name) => {
            done(CommandTag::Verb("CREATE TABLE"), vec![skipping("relation", &name, "already exists")])
        }
        Made::Table(_, None) => done(CommandTag::Verb("CREATE TABLE"), vec![]),
        Made::Table(_, Some(rows)) => done(CommandTag::Count("SELECT", rows), vec![]),
    })
}

/// The table of a materialized view, filled.
pub(crate) async fn create_materialized(
    context: &Context,
    create: &CreateTable,
    view: MaterializedView,
) -> Result<Arc<ManagedTable>> {
    match make(context, create, Some(view)).await? {
        Made::Table(table, _) => Ok(table),
        Made::Exists(_) => Err(Error::internal("a materialized view was not made")),
    }
}

/// What became of `CREATE TABLE`.
enum Made {
    /// There is something of the name, and the statement does not mind.
    Exists(String),
    /// The table, and how many rows its query gave.
    Table(Arc<ManagedTable>, Option<u64>),
}

async fn make(context: &Context, create: &CreateTable, materialized: Option<MaterializedView>) -> Result<Made> {
    let snapshot = context.snapshot().await?;
    let (schema, name) = if create.temporary {
        temporary_name(context, &create.name).await?
    } else {
        resolve::qualify(&snapshot, &create.name, context.database())?
    };
    if resolve::relation(context, &schema, &name).await?.is_some() {
        return if create.if_not_exists {
            Ok(Made::Exists(name))
        } else {
            Err(Error::new(ErrorKind::DuplicateTable, format!("relation \"{name}\" already exists")))
        };
    }
    let mut attributes = TableAttributes {
        format: format(create)?,
        buckets: BUCKETS,
        backup: create.backup,
        owner: context.owner(),
        materialized,
        ..TableAttributes::default()
    };
    let ignores_case = ignores_case(context, &schema, create.temporary).await?;
    let plan = match &create.query {
        Some(query) => Some(query::described_plan(context, query).await?),
        None => None,
    };
    let mut columns = match (&plan, &create.like) {
        (Some(planned), _) => query_columns(create, planned, (context.names(), ignores_case))?,
        (None, Some(like)) => {
            let parent = resolve::find_relation(context, &like.parent).await?;
            let Relation::Managed(parent) = parent else {
                return Err(Error::unsupported("LIKE a table that is not managed"));
            };
            attributes.distribution = parent.attributes.distribution.clone();
            attributes.sort_key = parent.attributes.sort_key.clone();
            let kept = parent.columns.iter().map(|column| ManagedColumn {
                default: column.default.clone().filter(|_| like.defaults),
                identity: None,
                initial: None,
                ..column.clone()
            });
            kept.collect()
        }
        (None, None) => Vec::new(),
    };
    for definition in &create.columns {
        let column = column(definition, 0, ignores_case)?;
        assign::check_default(context, &column).await?;
        columns.push(column);
    }
    number(&mut columns, &mut attributes);
    check_columns(&columns)?;
    check_format(&columns, attributes.format)?;
    set_distribution(create, &columns, &mut attributes)?;
    set_sort_key(create, &columns, &mut attributes)?;
    let uuid = uuid::Uuid::new_v4().to_string();
    let mut table = ManagedTable {
        id: 0,
        path: ManagedTable::default_path(&schema, &name, &uuid),
        uuid,
        next_column_id: columns.len() as i64 + 1,
        schema,
        name,
        columns,
        attributes,
        comment: None,
    };
    for constraint in &create.constraints {
        constraints::declare(&mut table, constraint)?;
    }
    let table = context.transaction().lock().await.create(context.warehouse(), table)?;
    // A view of a stream is filled by its first refresh.
    let of_stream = table.attributes.materialized.as_ref().is_some_and(|view| view.stream.is_some());
    let Some(plan) = plan.filter(|_| !of_stream) else { return Ok(Made::Table(table, None)) };
    let rows = fill(context, &table, plan.plan).await?;
    Ok(Made::Table(table, Some(rows)))
}

/// The name of a temporary table, whose schema nobody chooses.
pub(super) async fn temporary_name(context: &Context, name: &ObjectName) -> Result<(String, String)> {
    let transaction = context.transaction().lock().await;
    match name.parts.as_slice() {
        [table] => Ok((transaction.temporary().schema().to_owned(), table.clone())),
        [schema, table] if transaction.temporary().is_schema(schema) => {
            Ok((transaction.temporary().schema().to_owned(), table.clone()))
        }
        _ => {
            let message = "cannot create temporary relation in non-temporary schema";
            Err(Error::new(ErrorKind::InvalidTableDefinition, message).with_position(name.position.max(1)))
        }
    }
}

/// Whether new columns without a collation ignore case in a table of this schema; a temporary one is of the session's
/// database.
pub(super) async fn ignores_case(context: &Context, schema: &str, is_temporary: bool) -> Result<bool> {
    let database = if is_temporary { context.database() } else { schema };
    let snapshot = context.snapshot().await?;
    Ok(snapshot.resolve_schema(database).is_some_and(|database| database.ignores_case()))
}

/// Writes a query's rows into its new table.
async fn fill(context: &Context, table: &Arc<ManagedTable>, plan: LogicalPlan) -> Result<u64> {
    let plan = super::insert::new_rows(context, table, &[], plan, &HashSet::new()).await?;
    change::append(context, table, &plan).await
}

/// `TABLE PROPERTIES ('format' = 'parquet')`
fn format(create: &CreateTable) -> Result<FileFormat> {
    let mut format = FileFormat::default();
    for (key, value) in &create.properties {
        format = match (key.as_str(), value.to_ascii_lowercase().as_str()) {
            ("format", "parquet") => FileFormat::Parquet,
            ("format", "vortex") => FileFormat::Vortex,
            ("format", _) => {
                let message = format!("invalid value for table property \"format\": \"{value}\"");
                return Err(Error::new(ErrorKind::InvalidParameter, message).with_hint("it takes vortex or parquet"));
            }
            _ => {
                let message = format!("table property \"{key}\" does not exist");
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            }
        };
    }
    Ok(format)
}

/// A column as it is defined; without a collation it `ignores_case` or does not, as its database.
pub(super) fn column(definition: &ColumnDefinition, id: i64, ignores_case: bool) -> Result<ManagedColumn> {
    let located = |error: Error| error.with_position(definition.type_position);
    let data_type: SqlType = definition.data_type.parse().map_err(located)?;
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    if definition.identity.is_some() {
        if !matches!(data_type, SqlType::Integer | SqlType::BigInt) {
            return invalid(format!("the identity column \"{}\" must be integer or bigint", definition.name));
        }
        if definition.default.is_some() {
            return invalid(format!("column \"{}\" has both a DEFAULT and an IDENTITY", definition.name));
        }
    }
    let encoding = match &definition.encoding {
        Some(name) => encoding(name, &definition.name, data_type)?,
        None => None,
    };
    Ok(ManagedColumn {
        id,
        name: definition.name.clone(),
        data_type: data_type.to_string(),
        nullable: definition.nullable.unwrap_or(definition.identity.is_none()),
        default: definition.default.clone(),
        initial: None,
        identity: definition.identity,
        encoding,
        case_insensitive: collates(definition, data_type, ignores_case)?,
        comment: None,
    })
}

/// Whether a column's texts are compared without their case.
///
/// # Errors
/// `InvalidTableDefinition` for a collation of what is no text.
fn collates(definition: &ColumnDefinition, data_type: SqlType, by_default: bool) -> Result<bool> {
    if definition.collation.is_some() && !data_type.is_text() {
        let message = format!("column \"{}\" of type {data_type} can have no COLLATE", definition.name);
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    Ok(definition
        .collation
        .map_or(by_default && data_type.is_text(), |collation| collation == Collation::CaseInsensitive))
}

/// A column's encoding by its name; `None` is AUTO.
///
/// # Errors
/// `UndefinedObject`; `InvalidTableDefinition` where the column's type cannot have it.
pub(super) fn encoding(name: &str, column: &str, data_type: SqlType) -> Result<Option<String>> {
    let encoding = Encoding::parse(name)?;
    encoding.map_or(Ok(()), |encoding| encoding.check(column, data_type))?;
    Ok(encoding.map(|encoding| encoding.to_string()))
}

/// The columns of a query's result: a table's columns as they were declared, what is computed as it comes. Texts of no
/// collation get their database's.
fn query_columns(
    create: &CreateTable,
    planned: &Planned,
    (of_quoted, ignores_case): (Names, bool),
) -> Result<Vec<ManagedColumn>> {
    let plan = &planned.plan;
    let fields = plan.schema().fields();
    if !create.names.is_empty() && create.names.len() != fields.len() {
        let message = format!("CREATE TABLE names {} columns and its query gives {}", create.names.len(), fields.len());
        return Err(Error::new(ErrorKind::Syntax, message));
    }
    let mut columns = Vec::with_capacity(fields.len());
    for (at, (field, declared)) in fields.iter().zip(plan::declared_types(plan)).enumerate() {
        let name = create.names.get(at).map_or(plan::shown_name(field.name()), String::as_str);
        let data_type = declared.or_else(|| SqlType::of_arrow(field.data_type()));
        let data_type = data_type.ok_or_else(|| unsuited(name, field.data_type()))?;
        let definition = ColumnDefinition {
            name: if of_quoted == Names::Kept { name.to_owned() } else { name.to_lowercase() },
            data_type: data_type.to_string(),
            collation: planned.collation(at).filter(|_| data_type.is_text()),
            ..Default::default()
        };
        columns.push(column(&definition, 0, ignores_case)?);
    }
    Ok(columns)
}

fn unsuited(name: &str, data_type: &DataType) -> Error {
    let error = Error::unsupported(format!("a managed table's column of the type of \"{name}\""));
    match data_type {
        DataType::Interval(_) => error.with_hint("cast it to INTERVAL YEAR TO MONTH or INTERVAL DAY TO SECOND"),
        _ => error,
    }
}

/// Numbers the columns of a new table, from 1; keys taken from another table follow.
fn number(columns: &mut [ManagedColumn], attributes: &mut TableAttributes) {
    let mut numbers = HashMap::new();
    for (column, id) in columns.iter_mut().zip(1..) {
        numbers.insert(std::mem::replace(&mut column.id, id), id);
    }
    let new = |old: &mut i64| *old = numbers.get(old).copied().unwrap_or(*old);
    if let DistributionStyle::Key { column } = &mut attributes.distribution {
        new(column);
    }
    if let SortKey::Compound { columns } | SortKey::Interleaved { columns } = &mut attributes.sort_key {
        columns.iter_mut().for_each(new);
    }
}

fn check_columns(columns: &[ManagedColumn]) -> Result<()> {
    if columns.len() > MAX_COLUMNS {
        let message = format!("tables can have at most {MAX_COLUMNS} columns");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    for (at, column) in columns.iter().enumerate() {
        if columns[..at].iter().any(|other| other.name == column.name) {
            let message = format!("column \"{}\" specified more than once", column.name);
            return Err(Error::new(ErrorKind::DuplicateColumn, message));
        }
        check_case(&columns[..at], &column.name)?;
    }
    if columns.iter().filter(|column| column.identity.is_some()).count() > 1 {
        return Err(Error::new(ErrorKind::InvalidTableDefinition, "a table has at most one identity column"));
    }
    Ok(())
}

/// Refuses a column whose name differs from another's in case only: DuckDB, which attaches the same catalog, takes them for one,
/// and so does SQLite, which keeps rows of small statements.
pub(super) fn check_case(others: &[ManagedColumn], name: &str) -> Result<()> {
    let folded = name.to_lowercase();
    match others.iter().find(|other| other.name != name && other.name.to_lowercase() == folded) {
        Some(other) => {
            let message = format!("a table with columns that differ in case only (\"{}\", \"{name}\")", other.name);
            Err(Error::unsupported(message))
        }
        None => Ok(()),
    }
}

/// Refuses columns that a format's files cannot hold: Parquet's INTERVAL has milliseconds and no signs, and DuckLake's
/// columns of that type are stored so.
pub(super) fn check_format(columns: &[ManagedColumn], format: FileFormat) -> Result<()> {
    for column in columns {
        if format == FileFormat::Parquet && matches!(column.data_type.parse()?, SqlType::Interval(_)) {
            let message = format!("column \"{}\" of type {} in an open table", column.name, column.data_type);
            return Err(Error::unsupported(message).with_hint("Parquet's intervals have no sign and no microseconds"));
        }
    }
    Ok(())
}

fn set_distribution(create: &CreateTable, columns: &[ManagedColumn], attributes: &mut TableAttributes) -> Result<()> {
    let invalid = |message: &str| Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    let mut keys: Vec<&str> = create.columns.iter().filter(|c| c.dist_key).map(|c| c.name.as_str()).collect();
    keys.extend(create.dist_key.as_deref());
    if keys.len() > 1 {
        return invalid("a table has at most one distribution key");
    }
    let key = keys.first().map(|name| find(columns, name)).transpose()?;
    attributes.distribution = match (create.dist_style, key) {
        (None, None) if create.like.is_some() => return Ok(()),
        (None | Some(Distribution::Key), Some(column)) => DistributionStyle::Key { column },
        (Some(Distribution::Key), None) => return invalid("DISTSTYLE KEY needs a DISTKEY column"),
        (Some(_), Some(_)) => return invalid("DISTKEY goes with DISTSTYLE KEY only"),
        (None | Some(Distribution::Auto), None) => DistributionStyle::Auto,
        (Some(Distribution::Even), None) => DistributionStyle::Even,
        (Some(Distribution::All), None) => DistributionStyle::All,
    };
    Ok(())
}

fn set_sort_key(create: &CreateTable, columns: &[ManagedColumn], attributes: &mut TableAttributes) -> Result<()> {
    let marked: Vec<&str> = create.columns.iter().filter(|c| c.sort_key).map(|c| c.name.as_str()).collect();
    if create.sort_key.is_some() && !marked.is_empty() || marked.len() > 1 {
        return Err(Error::new(ErrorKind::InvalidTableDefinition, "a table has at most one sort key"));
    }
    let ids = |names: &[String], most: usize| {
        if names.len() > most {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("a sort key has at most {most} columns")));
        }
        names.iter().map(|name| find(columns, name)).collect::<Result<Vec<i64>>>()
    };
    attributes.sort_key = match &create.sort_key {
        None if marked.is_empty() && create.like.is_some() => return Ok(()),
        None => match marked.first() {
            Some(name) => SortKey::Compound { columns: vec![find(columns, name)?] },
            None => SortKey::Auto,
        },
        Some(SortKeyClause::Auto) => SortKey::Auto,
        Some(SortKeyClause::None) => SortKey::None,
        Some(SortKeyClause::Compound(names)) => SortKey::Compound { columns: ids(names, MAX_SORT_COLUMNS.0)? },
        Some(SortKeyClause::Interleaved(names)) => SortKey::Interleaved { columns: ids(names, MAX_SORT_COLUMNS.1)? },
    };
    Ok(())
}

fn find(columns: &[ManagedColumn], name: &str) -> Result<i64> {
    let Some(column) = columns.iter().find(|column| column.name == name) else {
        let message = format!("column \"{name}\" named in key does not exist");
        return Err(Error::new(ErrorKind::UndefinedColumn, message));
    };
    check_key(column)?;
    Ok(column.id)
}

/// Refuses a column that can be in no key.
///
/// # Errors
/// `InvalidTableDefinition`
pub(super) fn check_key(column: &ManagedColumn) -> Result<()> {
    if [SqlType::Super, SqlType::HllSketch].iter().any(|keyless| column.data_type == keyless.to_string()) {
        let (name, data_type) = (&column.name, &column.data_type);
        let message = format!("column \"{name}\" of type {data_type} cannot be a distribution key or sort key");
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    Ok(())
}
