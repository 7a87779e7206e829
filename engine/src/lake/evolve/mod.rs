//! Tables whose files differ from them: columns added, dropped, moved, widened, spelled in other letter case.
//!
//! A query is planned against the table; each file is read with its own columns. [`expr_adapter_factory`] rewrites the
//! table's expressions into the file's: a column is found by name in any letter case, or by position where the table
//! says so; one that the file lacks is NULL; a narrower type is cast. Because the rewritten expressions name the
//! file's own columns, statistics of the file still prune. A type that does not fit is an error, never a guess.

mod nested;
mod types;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory};

use self::nested::{Descent, NestedCast, descend, is_nested};
pub use self::types::{fits, table_schema, table_type, type_name};
use crate::lake::damage::external;
use crate::{Error, ErrorKind};

/// The factory a scan of external files is given (`FileScanConfigBuilder::with_expr_adapter`).
///
/// `by_index` pairs columns by position: `parquet.column.index.access` and `orc.column.index.access` of a table.
pub fn expr_adapter_factory(by_index: bool) -> Arc<dyn PhysicalExprAdapterFactory> {
    Arc::new(TableOverFiles { by_index })
}

/// For each column of the table the position of the file's column that holds it.
///
/// Files of Hive before 2.0 name their columns `_col0`, `_col1` …: those are paired by position whatever the table
/// says, as Hive itself does (HIVE-4243).
pub fn pair_columns(table: &Schema, file: &Schema, by_index: bool) -> Vec<Option<usize>> {
    let count = file.fields().len();
    if by_index || has_no_names(file) {
        return (0..table.fields().len()).map(|index| (index < count).then_some(index)).collect();
    }
    table.fields().iter().map(|field| types::position(file.fields(), field.name())).collect()
}

fn has_no_names(file: &Schema) -> bool {
    let numbered = |field: &FieldRef| {
        field
            .name()
            .strip_prefix("_col")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    !file.fields().is_empty() && file.fields().iter().all(numbered)
}

/// An error of adapting a table to this file: the message gets the file's name in front.
pub(crate) fn in_file(file: &str, error: DataFusionError) -> DataFusionError {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(mut error) => {
                if error.kind == ErrorKind::DatatypeMismatch {
                    error.message = format!("file \"{file}\": {}", error.message);
                }
                external(*error)
            }
            Err(other) => DataFusionError::External(other),
        },
        DataFusionError::Context(_, inner) => in_file(file, *inner),
        other => other,
    }
}

#[derive(Debug)]
struct TableOverFiles {
    by_index: bool,
}

impl PhysicalExprAdapterFactory for TableOverFiles {
    fn create(
        &self,
        logical_file_schema: SchemaRef,
        physical_file_schema: SchemaRef,
    ) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let pairs = pair_columns(&logical_file_schema, &physical_file_schema, self.by_index);
        Ok(Arc::new(TableOverFile { table: logical_file_schema, file: physical_file_schema, pairs }))
    }
}

#[derive(Debug)]
struct TableOverFile {
    table: SchemaRef,
    file: SchemaRef,
    pairs: Vec<Option<usize>>,
}

impl PhysicalExprAdapter for TableOverFile {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        // From the top, so that the field of a struct is seen before its column is; what has been rewritten speaks of
        // the file already and is not entered again.
        expr.transform_down(|expr| {
            let rewritten = match expr.downcast_ref::<Column>() {
                Some(column) => Some(self.column(column)?),
                None => self.struct_field(&expr)?,
            };
            Ok(match rewritten {
                Some(rewritten) => Transformed::new(rewritten, true, TreeNodeRecursion::Jump),
                None => Transformed::no(expr),
            })
        })
        .data()
    }
}

impl TableOverFile {
    fn column(&self, column: &Column) -> Result<Arc<dyn PhysicalExpr>> {
        // By name: the index may be that of a projection made in between.
        let index = self.table.index_of(column.name())?;
        let target = &self.table.fields()[index];
        match self.pairs[index] {
            Some(position) => {
                let field = self.file.field(position);
                let source = Arc::new(Column::new(field.name(), position));
                read_as(column.name(), source, field, target)
            }
            None => null_of(target.data_type()),
        }
    }

    /// `get_field(s, 'a', 'b')`: the leaf alone is read and cast, not the whole struct.
    fn struct_field(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let Some(call) = ScalarFunctionExpr::try_downcast_func::<GetFieldFunc>(expr.as_ref()) else {
            return Ok(None);
        };
        let Some((column, path)) = field_path(call) else { return Ok(None) };
        let index = self.table.index_of(column.name())?;
        let Descent::Found(target, _) = descend(self.table.field(index), &path) else { return Ok(None) };
        let Some(position) = self.pairs[index] else { return null_of(target.data_type()).map(Some) };
        let field = self.file.field(position);
        match descend(field, &path) {
            Descent::Missing => null_of(target.data_type()).map(Some),
            Descent::NotAStruct => Ok(None),
            Descent::Found(leaf, names) => {
                let mut args: Vec<Arc<dyn PhysicalExpr>> = vec![Arc::new(Column::new(field.name(), position))];
                args.extend(
                    names
                        .into_iter()
                        .map(|name| Arc::new(Literal::new(ScalarValue::Utf8(Some(name)))) as Arc<dyn PhysicalExpr>),
                );
                let access = ScalarFunctionExpr::try_new(
                    Arc::new(call.fun().clone()),
                    args,
                    &self.file,
                    Arc::new(call.config_options().clone()),
                )?;
                let name = format!("{}.{}", column.name(), path.join("."));
                read_as(&name, Arc::new(access), leaf, &Arc::new(target.clone())).map(Some)
            }
        }
    }
}

/// The column and the names of a struct access, if it is one of names known now.
fn field_path(call: &ScalarFunctionExpr) -> Option<(&Column, Vec<String>)> {
    let (source, names) = call.args().split_first()?;
    let column = source.downcast_ref::<Column>()?;
    let path = names
        .iter()
        .map(|name| Some(name.downcast_ref::<Literal>()?.value().try_as_str()??.to_owned()))
        .collect::<Option<Vec<_>>>()?;
    (!path.is_empty()).then_some((column, path))
}

fn read_as(
    name: &str,
    source: Arc<dyn PhysicalExpr>,
    field: &Field,
    target: &FieldRef,
) -> Result<Arc<dyn PhysicalExpr>> {
    let (file_type, table_type) = (field.data_type(), target.data_type());
    if file_type == table_type {
        return Ok(source);
    }
    if !fits(file_type, table_type) {
        return Err(external(Error::new(
            ErrorKind::DatatypeMismatch,
            format!(
                "column \"{name}\" is {} in the file and {} in the table",
                type_name(file_type),
                type_name(table_type)
            ),
        )));
    }
    Ok(if is_nested(table_type) && !matches!(file_type, DataType::Null) {
        Arc::new(NestedCast::new(source, Arc::clone(target)))
    } else {
        Arc::new(CastExpr::new_with_target_field(source, Arc::clone(target), None))
    })
}

fn null_of(data_type: &DataType) -> Result<Arc<dyn PhysicalExpr>> {
    Ok(Arc::new(Literal::new(ScalarValue::try_new_null(data_type)?)))
}

#[cfg(test)]
mod tests;
