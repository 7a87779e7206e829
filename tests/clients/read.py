"""Reads what tests/clients/run had millrace write, with DuckDB and pyarrow, and compares it with the source."""
import sys

import duckdb
import pyarrow.dataset as ds
import pyarrow.types as types

work, lake = sys.argv[1:]
source = f"read_parquet('{lake}/flights/*/*/*.parquet', hive_partitioning=true, hive_types={{'month': int}})"
checks = 0


def same(what, actual, expected):
    global checks
    checks += 1
    if actual != expected:
        sys.exit(f"clients: FAILED: {what}: {actual} instead of {expected}")


def rows(query):
    return duckdb.sql(query).fetchall()


same("DuckDB, Parquet", rows(f"SELECT count(*), sum(dep_delay), sum(miles), min(date), max(time_hour) FROM read_parquet('{work}/plain/*')"),
     rows(f"SELECT count(*), sum(dep_delay), sum(distance)::decimal(38,2), min(time_hour)::date, max(time_hour) FROM {source} WHERE month <= 2"))
same("DuckDB, partitions",
     rows(f"SELECT month, count(*), sum(dep_delay) FROM read_parquet('{work}/parted/*/*', hive_partitioning=true, hive_types={{'month': int}}) GROUP BY 1 ORDER BY 1"),
     rows(f"SELECT month, count(*), sum(dep_delay) FROM {source} GROUP BY 1 ORDER BY 1"))
january = rows(f"SELECT count(*), sum(dep_delay), count(DISTINCT carrier) FROM {source} WHERE month = 1")
same("DuckDB, text",
     rows(f"SELECT count(*), sum(b), count(DISTINCT a) FROM read_csv('{work}/text/*', header=false, nullstr='\\N', names=['a', 'b'], compression='gzip')"),
     january)
same("DuckDB, JSON", rows(f"SELECT count(*), sum(dep_delay), count(DISTINCT carrier) FROM read_json('{work}/json/*', format='newline_delimited', compression='gzip')"),
     january)

table = ds.dataset(f"{work}/plain", format="parquet").to_table()
same("pyarrow, rows", table.num_rows, rows(f"SELECT count(*) FROM {source} WHERE month <= 2")[0][0])
kinds = {"carrier": types.is_string, "day": types.is_int32, "miles": types.is_decimal, "date": types.is_date32, "time_hour": types.is_timestamp}
for name, is_kind in kinds.items():
    same(f"pyarrow, type of {name} ({table.schema.field(name).type})", is_kind(table.schema.field(name).type), True)
same("pyarrow, time zone", table.schema.field("time_hour").type.tz, None)
parted = ds.dataset(f"{work}/parted", format="parquet", partitioning="hive").to_table()
same("pyarrow, partitions", (parted.num_rows, sorted(set(parted["month"].to_pylist()))), (336776, list(range(1, 13))))
print(f"clients: {checks} checks passed (DuckDB {duckdb.__version__}, pyarrow)")
