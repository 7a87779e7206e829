//! TPC-H's tables as snappy Parquet, a folder a table, and their columns as Hive declares them.

use anyhow::Result;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::Path;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RecordBatchIterator, RegionArrow,
    SupplierArrow,
};

/// The tables, with their columns in Hive's DDL.
pub(super) const TABLES: [(&str, &str); 8] = [
    ("nation", "n_nationkey bigint, n_name string, n_regionkey bigint, n_comment string"),
    ("region", "r_regionkey bigint, r_name string, r_comment string"),
    (
        "part",
        "p_partkey bigint, p_name string, p_mfgr string, p_brand string, p_type string, p_size int, \
         p_container string, p_retailprice decimal(15,2), p_comment string",
    ),
    (
        "supplier",
        "s_suppkey bigint, s_name string, s_address string, s_nationkey bigint, s_phone string, \
         s_acctbal decimal(15,2), s_comment string",
    ),
    (
        "partsupp",
        "ps_partkey bigint, ps_suppkey bigint, ps_availqty int, ps_supplycost decimal(15,2), ps_comment string",
    ),
    (
        "customer",
        "c_custkey bigint, c_name string, c_address string, c_nationkey bigint, c_phone string, \
         c_acctbal decimal(15,2), c_mktsegment string, c_comment string",
    ),
    (
        "orders",
        "o_orderkey bigint, o_custkey bigint, o_orderstatus string, o_totalprice decimal(15,2), o_orderdate date, \
         o_orderpriority string, o_clerk string, o_shippriority int, o_comment string",
    ),
    (
        "lineitem",
        "l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int, l_quantity decimal(15,2), \
         l_extendedprice decimal(15,2), l_discount decimal(15,2), l_tax decimal(15,2), l_returnflag string, \
         l_linestatus string, l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct string, \
         l_shipmode string, l_comment string",
    ),
];

/// Writes all tables below a folder. The small two are one file each, the others one file a unit of scale.
pub(super) fn generate(scale: f64, folder: &Path) -> Result<()> {
    let parts = scale.ceil() as i32;
    write(folder, "nation", NationArrow::new(NationGenerator::new(scale, 1, 1)), 1)?;
    write(folder, "region", RegionArrow::new(RegionGenerator::new(scale, 1, 1)), 1)?;
    for part in 1..=parts {
        write(folder, "part", PartArrow::new(PartGenerator::new(scale, part, parts)), part)?;
        write(folder, "supplier", SupplierArrow::new(SupplierGenerator::new(scale, part, parts)), part)?;
        write(folder, "partsupp", PartSuppArrow::new(PartSuppGenerator::new(scale, part, parts)), part)?;
        write(folder, "customer", CustomerArrow::new(CustomerGenerator::new(scale, part, parts)), part)?;
        write(folder, "orders", OrderArrow::new(OrderGenerator::new(scale, part, parts)), part)?;
        write(folder, "lineitem", LineItemArrow::new(LineItemGenerator::new(scale, part, parts)), part)?;
    }
    Ok(())
}

fn write(folder: &Path, table: &str, batches: impl RecordBatchIterator, part: i32) -> Result<()> {
    let folder = folder.join(table);
    std::fs::create_dir_all(&folder)?;
    let file = File::create(folder.join(format!("part-{part:05}.parquet")))?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    // Without Arrow's own schema: as another program would have written it.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(file, batches.schema().clone(), options)?;
    for batch in batches {
        writer.write(&batch)?;
    }
    writer.close()?;
    Ok(())
}
