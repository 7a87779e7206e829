//! TPC-H's tables as snappy Parquet, a folder a table, and how targets declare them.

use crate::suite::Table;
use crate::{parallel, parquet_file};
use anyhow::Result;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RecordBatchIterator, RegionArrow,
    SupplierArrow,
};

/// The tables: types as TPC has them, distributed by the keys that joins use, sorted by them or by date.
pub(super) fn tables(by_date: bool) -> Vec<Table> {
    let tables = TABLES.iter().map(|(name, columns, primary_key, attributes)| Table {
        name: (*name).to_owned(),
        columns: (*columns).to_owned(),
        primary_key: (*primary_key).to_owned(),
        attributes: match *name {
            "orders" if by_date => "DISTKEY (o_orderkey) SORTKEY (o_orderdate)",
            "lineitem" if by_date => "DISTKEY (l_orderkey) SORTKEY (l_shipdate)",
            _ => *attributes,
        }
        .to_owned(),
        ..Table::default()
    });
    tables.collect()
}

/// Names, columns, primary keys, distribution and sort keys, as [`Table`] has them.
const TABLES: [(&str, &str, &str, &str); 8] = [
    (
        "nation",
        "n_nationkey bigint NOT NULL, n_name varchar(25) NOT NULL, n_regionkey bigint NOT NULL, \
         n_comment varchar(152)",
        "n_nationkey",
        "DISTSTYLE ALL",
    ),
    (
        "region",
        "r_regionkey bigint NOT NULL, r_name varchar(25) NOT NULL, r_comment varchar(152)",
        "r_regionkey",
        "DISTSTYLE ALL",
    ),
    (
        "part",
        "p_partkey bigint NOT NULL, p_name varchar(55) NOT NULL, p_mfgr varchar(25) NOT NULL, \
         p_brand varchar(10) NOT NULL, p_type varchar(25) NOT NULL, p_size int NOT NULL, \
         p_container varchar(10) NOT NULL, p_retailprice decimal(15,2) NOT NULL, \
         p_comment varchar(23) NOT NULL",
        "p_partkey",
        "DISTKEY (p_partkey) SORTKEY (p_partkey)",
    ),
    (
        "supplier",
        "s_suppkey bigint NOT NULL, s_name varchar(25) NOT NULL, s_address varchar(40) NOT NULL, \
         s_nationkey bigint NOT NULL, s_phone varchar(15) NOT NULL, s_acctbal decimal(15,2) NOT NULL, \
         s_comment varchar(101) NOT NULL",
        "s_suppkey",
        "DISTSTYLE ALL SORTKEY (s_suppkey)",
    ),
    (
        "partsupp",
        "ps_partkey bigint NOT NULL, ps_suppkey bigint NOT NULL, ps_availqty int NOT NULL, \
         ps_supplycost decimal(15,2) NOT NULL, ps_comment varchar(199) NOT NULL",
        "ps_partkey, ps_suppkey",
        "DISTKEY (ps_partkey) SORTKEY (ps_partkey)",
    ),
    (
        "customer",
        "c_custkey bigint NOT NULL, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL, \
         c_nationkey bigint NOT NULL, c_phone varchar(15) NOT NULL, c_acctbal decimal(15,2) NOT NULL, \
         c_mktsegment varchar(10) NOT NULL, c_comment varchar(117) NOT NULL",
        "c_custkey",
        "DISTKEY (c_custkey) SORTKEY (c_custkey)",
    ),
    (
        "orders",
        "o_orderkey bigint NOT NULL, o_custkey bigint NOT NULL, o_orderstatus varchar(1) NOT NULL, \
         o_totalprice decimal(15,2) NOT NULL, o_orderdate date NOT NULL, \
         o_orderpriority varchar(15) NOT NULL, o_clerk varchar(15) NOT NULL, o_shippriority int NOT NULL, \
         o_comment varchar(79) NOT NULL",
        "o_orderkey",
        "DISTKEY (o_orderkey) SORTKEY (o_orderkey)",
    ),
    (
        "lineitem",
        "l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, \
         l_linenumber int NOT NULL, l_quantity decimal(15,2) NOT NULL, \
         l_extendedprice decimal(15,2) NOT NULL, l_discount decimal(15,2) NOT NULL, \
         l_tax decimal(15,2) NOT NULL, l_returnflag varchar(1) NOT NULL, l_linestatus varchar(1) NOT NULL, \
         l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL, \
         l_shipinstruct varchar(25) NOT NULL, l_shipmode varchar(10) NOT NULL, l_comment varchar(44) NOT NULL",
        "l_orderkey, l_linenumber",
        "DISTKEY (l_orderkey) SORTKEY (l_orderkey)",
    ),
];

/// A file to write.
struct Part {
    table: &'static str,
    number: i32,
    of: i32,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.table, self.number, self.of)
    }
}

/// Writes all tables below a folder, on all cores. The small two are one file each, the others one file a unit of scale.
pub(super) fn generate(scale: f64, folder: &Path) -> Result<()> {
    let parts = scale.ceil() as i32;
    let mut files = Vec::new();
    // The large ones first, so that no core is left with one.
    for table in ["lineitem", "orders", "partsupp", "customer", "part", "supplier", "nation", "region"] {
        let of = if matches!(table, "nation" | "region") { 1 } else { parts };
        files.extend((1..=of).map(|number| Part { table, number, of }));
    }
    parallel::each("files", &files, |file| {
        let Part { table, number, of } = *file;
        match table {
            "nation" => write(folder, table, NationArrow::new(NationGenerator::new(scale, number, of)), number),
            "region" => write(folder, table, RegionArrow::new(RegionGenerator::new(scale, number, of)), number),
            "part" => write(folder, table, PartArrow::new(PartGenerator::new(scale, number, of)), number),
            "supplier" => write(folder, table, SupplierArrow::new(SupplierGenerator::new(scale, number, of)), number),
            "partsupp" => write(folder, table, PartSuppArrow::new(PartSuppGenerator::new(scale, number, of)), number),
            "customer" => write(folder, table, CustomerArrow::new(CustomerGenerator::new(scale, number, of)), number),
            "orders" => write(folder, table, OrderArrow::new(OrderGenerator::new(scale, number, of)), number),
            _ => write(folder, table, LineItemArrow::new(LineItemGenerator::new(scale, number, of)), number),
        }
    })
}

fn write(folder: &Path, table: &str, batches: impl RecordBatchIterator, part: i32) -> Result<()> {
    let folder = folder.join(table);
    std::fs::create_dir_all(&folder)?;
    let schema = Arc::clone(batches.schema());
    parquet_file::write(&folder.join(format!("part-{part:05}.parquet")), schema, batches.map(Ok))
}
