//! A table's expressions made those of a file: columns are found by id.
//!
//! A column that was renamed is read under the name that the file has for it; one that was added later has its initial
//! value; one that was dropped is not read, whatever new column has its name now.

use super::format;
use super::position::{POSITION_COLUMN, RowPosition};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use millrace_catalog::model::FileFormat;
use std::sync::Arc;

/// What tells a column of the table in a file.
#[derive(Debug, Clone)]
pub(super) struct TableColumn {
    pub(super) id: i64,
    pub(super) name: String,
    /// The value of rows in files without the column.
    pub(super) initial: ScalarValue,
}

/// Makes the adapters for the files of one format.
#[derive(Debug)]
pub(super) struct ColumnsById {
    pub(super) columns: Arc<[TableColumn]>,
    pub(super) format: FileFormat,
}

impl PhysicalExprAdapterFactory for ColumnsById {
    fn create(&self, logical: SchemaRef, physical: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let named: Vec<Field> =
            physical.fields().iter().enumerate().map(|(at, field)| self.as_in_table(at, field, &logical)).collect();
        let named = Arc::new(Schema::new(named));
        let has_positions = format::reads_positions(self.format, &physical);
        let default = DefaultPhysicalExprAdapterFactory.create(logical, Arc::clone(&named))?;
        Ok(Arc::new(FileById { columns: Arc::clone(&self.columns), named, physical, has_positions, default }))
    }
}

impl ColumnsById {
    /// A file's column under the name that it has in the table now; one that is none of the table's gets a name that
    /// no column can have. One of the table's type is the table's in all else too, NOT NULL for example: what differs
    /// only there would be cast, and neither readers nor joins look for blocks to skip behind a cast.
    fn as_in_table(&self, at: usize, field: &FieldRef, table: &Schema) -> Field {
        let field = field.as_ref().clone();
        if field.name() == POSITION_COLUMN && self.format == FileFormat::Parquet {
            return field;
        }
        let id = format::column_id(self.format, &field);
        match self.columns.iter().find(|column| Some(column.id) == id) {
            Some(column) => match table.field_with_name(&column.name) {
                Ok(known) if known.data_type() == field.data_type() => known.clone(),
                _ => field.with_name(&column.name),
            },
            None => field.with_name(format!("\u{1}{at}")),
        }
    }
}

#[derive(Debug)]
struct FileById {
    columns: Arc<[TableColumn]>,
    /// The file's columns under the table's names.
    named: SchemaRef,
    physical: SchemaRef,
    has_positions: bool,
    default: Arc<dyn PhysicalExprAdapter>,
}

impl PhysicalExprAdapter for FileById {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let filled = expr.transform(|node| Ok(self.without_missing(node))).data()?;
        let adapted = self.default.rewrite(filled)?;
        adapted
            .transform(|node| {
                Ok(match node.downcast_ref::<Column>() {
                    Some(column) => {
                        let name = self.physical.field(column.index()).name();
                        Transformed::yes(Arc::new(Column::new(name, column.index())) as _)
                    }
                    None => Transformed::no(node),
                })
            })
            .data()
    }
}

impl FileById {
    /// What stands for a column that the file does not have.
    fn without_missing(&self, node: Arc<dyn PhysicalExpr>) -> Transformed<Arc<dyn PhysicalExpr>> {
        let Some(name) = node.downcast_ref::<Column>().map(Column::name) else { return Transformed::no(node) };
        if name == POSITION_COLUMN && !self.has_positions {
            return Transformed::yes(Arc::new(RowPosition));
        }
        if self.named.column_with_name(name).is_some() {
            return Transformed::no(node);
        }
        match self.columns.iter().find(|column| column.name == name) {
            Some(column) => Transformed::yes(Arc::new(Literal::new(column.initial.clone()))),
            None => Transformed::no(node),
        }
    }
}
