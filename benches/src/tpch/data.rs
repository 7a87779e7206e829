//! TPC-H's tables as snappy Parquet, a folder a table, and how targets declare them.

use crate::parallel;
use crate::suite::Table;
use anyhow::Result;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::fmt;
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

/// The tables: types as TPC has them, distributed by the keys that joins use, sorted by them or by date.
pub(super) fn tables(by_date: bool) -> Vec<Table> {
    let tables = TABLES.iter().map(|table| Table {
        name: table.name.to_owned(),
        columns: table.columns.to_owned(),
        managed_columns: table.managed_columns.to_owned(),
        attributes: match table.name {
            "orders" if by_date => "DISTKEY (o_orderkey) SORTKEY (o_orderdate)",
            "lineitem" if by_date => "DISTKEY (l_orderkey) SORTKEY (l_shipdate)",
            _ => table.attributes,
        }
        .to_owned(),
        ..Table::default()
    });
    tables.collect()
}

/// A table's text, as [`Table`] has it.
struct Declaration {
    name: &'static str,
    columns: &'static str,
    managed_columns: &'static str,
    attributes: &'static str,
}

const TABLES: [Declaration; 8] = [
    Declaration {
        name: "nation",
        columns: "n_nationkey bigint, n_name string, n_regionkey bigint, n_comment string",
        managed_columns: "n_nationkey bigint NOT NULL PRIMARY KEY, n_name varchar(25) NOT NULL, \
             n_regionkey bigint NOT NULL, n_comment varchar(152)",
        attributes: "DISTSTYLE ALL",
    },
    Declaration {
        name: "region",
        columns: "r_regionkey bigint, r_name string, r_comment string",
        managed_columns: "r_regionkey bigint NOT NULL PRIMARY KEY, r_name varchar(25) NOT NULL, \
             r_comment varchar(152)",
        attributes: "DISTSTYLE ALL",
    },
    Declaration {
        name: "part",
        columns: "p_partkey bigint, p_name string, p_mfgr string, p_brand string, p_type string, p_size int, \
             p_container string, p_retailprice decimal(15,2), p_comment string",
        managed_columns: "p_partkey bigint NOT NULL PRIMARY KEY, p_name varchar(55) NOT NULL, \
             p_mfgr varchar(25) NOT NULL, p_brand varchar(10) NOT NULL, p_type varchar(25) NOT NULL, \
             p_size int NOT NULL, p_container varchar(10) NOT NULL, p_retailprice decimal(15,2) NOT NULL, \
             p_comment varchar(23) NOT NULL",
        attributes: "DISTKEY (p_partkey) SORTKEY (p_partkey)",
    },
    Declaration {
        name: "supplier",
        columns: "s_suppkey bigint, s_name string, s_address string, s_nationkey bigint, s_phone string, \
             s_acctbal decimal(15,2), s_comment string",
        managed_columns: "s_suppkey bigint NOT NULL PRIMARY KEY, s_name varchar(25) NOT NULL, \
             s_address varchar(40) NOT NULL, s_nationkey bigint NOT NULL, s_phone varchar(15) NOT NULL, \
             s_acctbal decimal(15,2) NOT NULL, s_comment varchar(101) NOT NULL",
        attributes: "DISTSTYLE ALL SORTKEY (s_suppkey)",
    },
    Declaration {
        name: "partsupp",
        columns: "ps_partkey bigint, ps_suppkey bigint, ps_availqty int, ps_supplycost decimal(15,2), \
             ps_comment string",
        managed_columns: "ps_partkey bigint NOT NULL, ps_suppkey bigint NOT NULL, ps_availqty int NOT NULL, \
             ps_supplycost decimal(15,2) NOT NULL, ps_comment varchar(199) NOT NULL, \
             PRIMARY KEY (ps_partkey, ps_suppkey)",
        attributes: "DISTKEY (ps_partkey) SORTKEY (ps_partkey)",
    },
    Declaration {
        name: "customer",
        columns: "c_custkey bigint, c_name string, c_address string, c_nationkey bigint, c_phone string, \
             c_acctbal decimal(15,2), c_mktsegment string, c_comment string",
        managed_columns: "c_custkey bigint NOT NULL PRIMARY KEY, c_name varchar(25) NOT NULL, \
             c_address varchar(40) NOT NULL, c_nationkey bigint NOT NULL, c_phone varchar(15) NOT NULL, \
             c_acctbal decimal(15,2) NOT NULL, c_mktsegment varchar(10) NOT NULL, c_comment varchar(117) NOT NULL",
        attributes: "DISTKEY (c_custkey) SORTKEY (c_custkey)",
    },
    Declaration {
        name: "orders",
        columns: "o_orderkey bigint, o_custkey bigint, o_orderstatus string, o_totalprice decimal(15,2), \
             o_orderdate date, o_orderpriority string, o_clerk string, o_shippriority int, o_comment string",
        managed_columns: "o_orderkey bigint NOT NULL PRIMARY KEY, o_custkey bigint NOT NULL, \
             o_orderstatus varchar(1) NOT NULL, o_totalprice decimal(15,2) NOT NULL, o_orderdate date NOT NULL, \
             o_orderpriority varchar(15) NOT NULL, o_clerk varchar(15) NOT NULL, o_shippriority int NOT NULL, \
             o_comment varchar(79) NOT NULL",
        attributes: "DISTKEY (o_orderkey) SORTKEY (o_orderkey)",
    },
    Declaration {
        name: "lineitem",
        columns: "l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int, \
             l_quantity decimal(15,2), l_extendedprice decimal(15,2), l_discount decimal(15,2), \
             l_tax decimal(15,2), l_returnflag string, l_linestatus string, l_shipdate date, l_commitdate date, \
             l_receiptdate date, l_shipinstruct string, l_shipmode string, l_comment string",
        managed_columns: "l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, \
             l_linenumber int NOT NULL, l_quantity decimal(15,2) NOT NULL, l_extendedprice decimal(15,2) NOT NULL, \
             l_discount decimal(15,2) NOT NULL, l_tax decimal(15,2) NOT NULL, l_returnflag varchar(1) NOT NULL, \
             l_linestatus varchar(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, \
             l_receiptdate date NOT NULL, l_shipinstruct varchar(25) NOT NULL, l_shipmode varchar(10) NOT NULL, \
             l_comment varchar(44) NOT NULL, PRIMARY KEY (l_orderkey, l_linenumber)",
        attributes: "DISTKEY (l_orderkey) SORTKEY (l_orderkey)",
    },
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
