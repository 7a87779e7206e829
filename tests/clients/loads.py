"""UNLOAD's files read by DuckDB, pyarrow and pandas, and files of theirs read by COPY: the same rows and types.

The rows hold what differs between programs: decimals, moments with and without a zone, NULL beside the empty text,
quotes, line ends, emoji."""
import datetime as dt
import decimal
import json
import os
import signal
import subprocess
import sys
import time

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

binary, work = sys.argv[1:]
os.makedirs(work)
warehouse = os.path.join(work, "warehouse")
checks = 0

COLUMNS = "id int, amount decimal(18,4), name varchar(100), day date, at timestamp, zoned timestamptz, ratio double precision, ok boolean"
NAMES = [column.split()[0] for column in COLUMNS.replace("decimal(18,4)", "decimal").split(", ")]
UTC = dt.timezone.utc
ROWS = [
    (1, decimal.Decimal("12345678901234.5678"), "plain", dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 30, 45, 500000),
     dt.datetime(2024, 2, 29, 12, 30, 45, tzinfo=UTC), 0.1, True),
    (2, decimal.Decimal("-0.0001"), "", dt.date(1970, 1, 1), dt.datetime(1970, 1, 1), dt.datetime(1970, 1, 1, tzinfo=UTC), -2.5e-300, False),
    (3, None, None, None, None, None, None, None),
    (4, decimal.Decimal("0.0000"), 'a "quoted", field', dt.date(2262, 4, 11), dt.datetime(1901, 12, 13, 20, 45, 52),
     dt.datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC), 1.7976931348623157e308, True),
    (5, decimal.Decimal("1.0000"), "two\nlines 😀 |\\", dt.date(2000, 1, 1), dt.datetime(2000, 1, 1, 0, 0, 0, 1), None, 3.0, None),
]


def same(what, actual, expected):
    global checks
    checks += 1
    if actual != expected:
        sys.exit(f"clients: FAILED: {what}:\n{actual}\ninstead of\n{expected}")


def sql(text):
    ran = subprocess.run([binary, "--warehouse", warehouse, "--format", "jsonl", "-f", "-"], input=text, text=True, capture_output=True)
    if ran.returncode != 0:
        sys.exit(f"clients: FAILED: {text}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int, decimal.Decimal)):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def python(value):
    """A value as ROWS have it."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime()
    if isinstance(value, dt.datetime) and value.tzinfo:
        return value.astimezone(UTC)
    return value.item() if hasattr(value, "item") else value


def shown(rows):
    return [tuple(python(value) for value in row) for row in rows]


def loaded(what, options, place):
    """Loads files into a table of its own and compares it with what was inserted."""
    table = f"t{checks}"
    sql(f"CREATE TABLE {table} ({COLUMNS}); COPY {table} FROM '{place}' {options};")
    differing = sql(f"SELECT (SELECT count(*) FROM {table}) AS n, (SELECT count(*) FROM (SELECT * FROM {table} EXCEPT SELECT * FROM source) AS a) "
                    f"+ (SELECT count(*) FROM (SELECT * FROM source EXCEPT SELECT * FROM {table}) AS b) AS differing;")
    same(what, [json.loads(line) for line in differing.splitlines() if line.startswith("{")], [{"n": len(ROWS), "differing": 0}])


values = ", ".join("(" + ", ".join(literal(value) for value in row) + ")" for row in ROWS)
sql(f"CREATE TABLE source ({COLUMNS}); INSERT INTO source VALUES {values};")
sql(f"""
UNLOAD ('select * from source order by id') TO '{work}/parquet/t_' PARQUET PARALLEL OFF;
UNLOAD ('select * from source order by id') TO '{work}/csv/t_' CSV HEADER NULL AS '\\\\N' PARALLEL OFF;
UNLOAD ('select * from source order by id') TO '{work}/json/t_' JSON PARALLEL OFF;
UNLOAD ('select * from source order by id') TO '{work}/gzip/t_' CSV HEADER NULL AS '\\\\N' GZIP PARALLEL OFF;
UNLOAD ('select * from source order by id') TO '{work}/zstd/t_' CSV HEADER NULL AS '\\\\N' ZSTD PARALLEL OFF;
UNLOAD ('select * from source') TO '{work}/parts/' PARQUET PARTITION BY (ok);
""")

# What others read of ours.
parquet = f"{work}/parquet/t_000.parquet"
same("DuckDB, Parquet", shown(duckdb.sql(f"SELECT * FROM '{parquet}' ORDER BY id").fetchall()), shown(ROWS))
same("DuckDB, types of Parquet", [str(t) for t in duckdb.sql(f"SELECT * FROM '{parquet}'").types],
     ["INTEGER", "DECIMAL(18,4)", "VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "DOUBLE", "BOOLEAN"])
table = pq.read_table(parquet)
same("pyarrow, Parquet", shown(zip(*(column.to_pylist() for column in table.columns))), shown(ROWS))
same("pyarrow, decimals", table.schema.field("amount").type, pa.decimal128(18, 4))
same("pandas, Parquet", shown(pd.read_parquet(parquet, dtype_backend="pyarrow").itertuples(index=False)), shown(ROWS))
kinds = ("{'id': 'INTEGER', 'amount': 'DECIMAL(18,4)', 'name': 'VARCHAR', 'day': 'DATE', 'at': 'TIMESTAMP', "
         "'zoned': 'TIMESTAMPTZ', 'ratio': 'DOUBLE', 'ok': 'BOOLEAN'}")
for name, file in [("csv", "t_000"), ("gzip", "t_000.gz"), ("zstd", "t_000.zst")]:
    compression = "none" if name == "csv" else name
    read = f"read_csv('{work}/{name}/{file}', header = true, nullstr = '\\N', compression = '{compression}', columns = {kinds})"
    same(f"DuckDB, {name}", shown(duckdb.sql(f"SELECT * FROM {read} ORDER BY id").fetchall()), shown(ROWS))
frame = pd.read_csv(f"{work}/csv/t_000", na_values=["\\N"], keep_default_na=False)
same("pandas, texts of CSV", [python(value) for value in frame["name"]], [row[2] for row in ROWS])
texts = pa_csv.read_csv(f"{work}/csv/t_000", parse_options=pa_csv.ParseOptions(newlines_in_values=True),
                        convert_options=pa_csv.ConvertOptions(null_values=["\\N"], strings_can_be_null=True, quoted_strings_can_be_null=False))
same("pyarrow, texts of CSV", texts["name"].to_pylist(), [row[2] for row in ROWS])
read = f"read_json('{work}/json/t_000', format = 'newline_delimited', columns = {kinds})"
# DuckDB reads JSON's numbers as floats: decimals of many digits are compared apart.
same("DuckDB, JSON", shown(duckdb.sql(f"SELECT * EXCLUDE (amount) FROM {read} ORDER BY id").fetchall()),
     shown(row[:1] + row[2:] for row in ROWS))
with open(f"{work}/json/t_000") as lines:
    amounts = [json.loads(line, parse_float=decimal.Decimal)["amount"] for line in lines]
same("decimals of JSON", amounts, [row[1] for row in ROWS])
same("pyarrow, texts of JSON", pa_json.read_json(f"{work}/json/t_000")["name"].to_pylist(), [row[2] for row in ROWS])
parted = duckdb.sql(f"SELECT id, ok FROM read_parquet('{work}/parts/*/*', hive_partitioning = true) ORDER BY id").fetchall()
key = lambda value: None if value is None else str(value).lower()
same("DuckDB, partitions", [(row, key(value)) for row, value in parted], [(row[0], key(row[-1])) for row in ROWS])
documents = [{"a": [1, None, "x|y"], "b": {"c": "two\nlines"}}, [], "text", None]
with open(f"{work}/documents.json", "w") as lines:
    lines.writelines(json.dumps({"id": at, "d": document}) + "\n" for at, document in enumerate(documents))
sql(f"""CREATE TABLE documents (id int, d super); COPY documents FROM '{work}/documents.json' JSON 'auto';
UNLOAD ('select * from documents order by id') TO '{work}/super/csv_' CSV HEADER NULL AS 'nothing' PARALLEL OFF;
UNLOAD ('select * from documents order by id') TO '{work}/super/lines_' JSON PARALLEL OFF;
UNLOAD ('select * from documents order by id') TO '{work}/super/columns_' PARQUET PARALLEL OFF;""")
plain = lambda values: [None if text is None else json.loads(text) for text in values]
texts = pd.read_csv(f"{work}/super/csv_000", na_values=["nothing"], keep_default_na=False)
same("pandas, SUPER of CSV", plain(python(text) for text in texts["d"]), documents)
with open(f"{work}/super/lines_000") as lines:
    same("Python, SUPER of JSON", [json.loads(line)["d"] for line in lines], documents)
read = duckdb.sql(f"SELECT d->'a' FROM read_json('{work}/super/lines_000', columns = {{'id': 'INT', 'd': 'JSON'}}) WHERE id = 0")
same("DuckDB, SUPER of JSON", json.loads(read.fetchall()[0][0]), documents[0]["a"])
same("pyarrow, SUPER of Parquet", plain(pq.read_table(f"{work}/super/columns_000.parquet")["d"].to_pylist()), documents)

# What COPY reads of theirs.
schema = pa.schema([("id", pa.int32()), ("amount", pa.decimal128(18, 4)), ("name", pa.string()), ("day", pa.date32()),
                    ("at", pa.timestamp("us")), ("zoned", pa.timestamp("us", tz="UTC")), ("ratio", pa.float64()), ("ok", pa.bool_())])
arrow = pa.table([pa.array([row[at] for row in ROWS], field.type) for at, field in enumerate(schema)], schema=schema)
os.makedirs(f"{work}/theirs")
for codec in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
    pq.write_table(arrow, f"{work}/theirs/{codec}.parquet", compression=codec)
    loaded(f"pyarrow's Parquet, {codec}", "PARQUET", f"{work}/theirs/{codec}.parquet")
frame = arrow.to_pandas(types_mapper=pd.ArrowDtype)
frame.to_parquet(f"{work}/theirs/pandas.parquet")
loaded("pandas' Parquet", "PARQUET", f"{work}/theirs/pandas.parquet")
frame.to_csv(f"{work}/theirs/pandas.csv", index=False, na_rep="\\N")
loaded("pandas' CSV", "CSV IGNOREHEADER 1", f"{work}/theirs/pandas.csv")
frame.to_csv(f"{work}/theirs/pandas.csv.gz", index=False, na_rep="\\N")
loaded("pandas' CSV, gzip", "CSV IGNOREHEADER 1 GZIP", f"{work}/theirs/pandas.csv.gz")
duckdb.register("arrow_rows", arrow)
duckdb.sql("SET timezone = 'UTC'")
for name, options, ours in [
    ("duckdb.parquet", "FORMAT parquet", "PARQUET"),
    ("duckdb_zstd.parquet", "FORMAT parquet, COMPRESSION zstd", "PARQUET"),
    ("duckdb.csv", "FORMAT csv, HEADER true, NULLSTR '\\N'", "CSV IGNOREHEADER 1"),
    ("duckdb.csv.zst", "FORMAT csv, HEADER false, NULLSTR '\\N', COMPRESSION zstd", "CSV ZSTD"),
    ("duckdb.txt", "FORMAT csv, HEADER false, NULLSTR '\\N', DELIMITER '|'", "CSV DELIMITER '|'"),
    ("duckdb.json", "FORMAT json", "JSON 'auto'"),
    ("duckdb.json.gz", "FORMAT json, COMPRESSION gzip", "JSON 'auto' GZIP"),
]:
    duckdb.sql(f"COPY (SELECT * FROM arrow_rows) TO '{work}/theirs/{name}' ({options})")
    loaded(f"DuckDB's {name}", ours, f"{work}/theirs/{name}")

# A line of 1 GiB: Redshift's rows have at most 4 MB. The file is cut where it is, with bounded memory.
long_line = f"{work}/long_line.txt"
with open(long_line, "wb") as file:
    for _ in range(1024):
        file.write(b"x" * (1 << 20))
script = f"CREATE TABLE long_line (a varchar(100)); COPY long_line FROM '{long_line}';"
ran = subprocess.Popen([binary, "--warehouse", warehouse, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
said = ran.stdout.read()
_, status, usage = os.wait4(ran.pid, 0)
same("a line of 1 GiB fails", (os.waitstatus_to_exitcode(status) != 0, "stl_load_errors" in said or "line" in said), (True, True))
same(f"a line of 1 GiB takes little memory ({usage.ru_maxrss // 1024} MiB)", usage.ru_maxrss < 512 * 1024, True)
os.remove(long_line)

# Ctrl-C: nothing is loaded, nothing is left of an UNLOAD, the warehouse goes on.
sql("CREATE TABLE many AS SELECT n::int AS n, repeat('x', 80) AS t FROM generate_series(1, 2000000) AS g(n); CREATE TABLE copied (LIKE many);")
sql(f"UNLOAD ('select * from many') TO '{work}/many/csv_' CSV PARALLEL OFF;")


def interrupted(statement):
    ran = subprocess.Popen([binary, "--warehouse", warehouse, "-c", statement], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(0.7)
    ran.send_signal(signal.SIGINT)
    said = ran.communicate(timeout=30)[0]
    return ran.returncode != 0, "cancel" in said


same("Ctrl-C of COPY", interrupted(f"COPY copied FROM '{work}/many/csv_' CSV; COPY copied FROM '{work}/many/csv_' CSV; COPY copied FROM '{work}/many/csv_' CSV;"), (True, True))
loads = json.loads(sql("SELECT count(*) % 2000000 AS n FROM copied;").splitlines()[-1])
same("no part of a load stays", loads, {"n": 0})
same("Ctrl-C of UNLOAD", interrupted(f"UNLOAD ('select a.* from many a, (select n from many limit 50) b') TO '{work}/gone/t_' CSV;"), (True, True))
same("no file of an UNLOAD stays", [name for _, _, names in os.walk(f"{work}/gone") for name in names], [])
print(f"clients: {checks} checks of COPY and UNLOAD passed (DuckDB {duckdb.__version__}, pyarrow {pa.__version__}, pandas {pd.__version__})")
