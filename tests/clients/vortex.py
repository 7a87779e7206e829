"""DuckDB's vortex extension reads the data files of managed tables one by one: every type, every encoding.

What each row holds is computed here, not asked of millrace. A file's columns are called by name and number; timestamps are
microseconds since 1970 in the files.
"""
import datetime
import decimal
import importlib.util
import pathlib
import subprocess
import sys

import duckdb

binary, warehouse = sys.argv[1:]
ROWS = 10_000

# Type and encoding of a column, what it is in millrace's SQL, and what row n has. One row in eleven is NULL, but for the key
# and for differences: the extension's version of Vortex does not know those with NULLs (docs/sql/encodings.md).
COLUMNS = [
    ("bigint", "az64", "n", lambda n: n),
    ("bigint", "delta", "n * 3", lambda n: n * 3),
    ("smallint", "raw", "n % 100 - 50", lambda n: n % 100 - 50),
    ("integer", "mostly8", "n % 120", lambda n: n % 120),
    ("integer", "mostly16", "n * 5", lambda n: n * 5),
    ("bigint", "mostly32", "n - 5000", lambda n: n - 5000),
    ("integer", "delta32k", "n * 2", lambda n: n * 2),
    ("numeric(18,2)", "runlength", "n / 500 * 1.25", lambda n: decimal.Decimal("1.25") * (n // 500)),
    ("numeric(38,10)", "auto", "n * 2.5", lambda n: decimal.Decimal("2.5") * n),
    ("real", "auto", "n * 0.25", lambda n: n * 0.25),
    ("double precision", "zstd", "n * 0.5", lambda n: n * 0.5),
    ("boolean", "runlength", "n % 3 = 0", lambda n: n % 3 == 0),
    ("char(5)", "bytedict", "'c' || (n % 7)", lambda n: f"c{n % 7}"),
    ("varchar(40)", "text255", "'the quick fox ' || n", lambda n: f"the quick fox {n}"),
    ("varchar(40)", "lzo", "'a lazy dog ' || n % 50", lambda n: f"a lazy dog {n % 50}"),
    ("varchar(40)", "auto", "'ü ' || n % 9", lambda n: f"ü {n % 9}"),
    ("date", "az64", "date '2024-01-01' + CAST(n % 365 AS int)", lambda n: datetime.date(2024, 1, 1) + datetime.timedelta(n % 365)),
    ("time", "auto", "time '01:02:03.5'", lambda n: datetime.time(1, 2, 3, 500_000)),
    ("timestamp", "delta", "timestamp '2024-01-01 00:00:00.25'", lambda n: 1_704_067_200_250_000),
    ("timestamptz", "auto", "timestamp '2024-01-01 00:00:00'", lambda n: 1_704_067_200_000_000),
    ("varbyte(8)", "auto", "decode('6162', 'hex')", lambda n: b"ab"),
]


def millrace(sql):
    done = subprocess.run([binary, "--warehouse", warehouse, "-f", "-"], input=sql, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"vortex: FAILED: millrace: {done.stderr}{done.stdout}")


def is_null(at, n):
    return at > 0 and not COLUMNS[at][1].startswith("delta") and n % 11 == at % 11


def value(at, expression):
    nullable = any(is_null(at, n) for n in range(11))
    return f"CASE WHEN n % 11 <> {at % 11} THEN {expression} END" if nullable else expression


definitions = ", ".join(f"c{at} {kind} ENCODE {encoding}" for at, (kind, encoding, _, _) in enumerate(COLUMNS))
values = ", ".join(value(at, expression) for at, (_, _, expression, _) in enumerate(COLUMNS))
millrace(
    f"""
CREATE VIEW digits AS SELECT column1 AS d FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) x;
CREATE TABLE t ({definitions}) DISTSTYLE EVEN SORTKEY (c0);
INSERT INTO t SELECT {values}
FROM (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS n FROM digits a, digits b, digits c, digits e) x;
"""
)

folder = pathlib.Path(importlib.util.find_spec("duckdb_extension_vortex").origin).parent
session = duckdb.connect(config={"allow_unsigned_extensions": "true"})
session.execute(f"LOAD '{next(folder.rglob('vortex.duckdb_extension'))}'")
files = sorted(pathlib.Path(warehouse, "data").rglob("*.vortex"))
found = {}
for file in files:
    for row in session.execute(f"SELECT * FROM read_vortex('{file}')").fetchall():
        found[row[0]] = row
if len(found) != ROWS or not files:
    sys.exit(f"vortex: FAILED: {len(found)} rows in {len(files)} files instead of {ROWS}")
for n in range(ROWS):
    expected = tuple(None if is_null(at, n) else of(n) for at, (_, _, _, of) in enumerate(COLUMNS))
    if found.get(n) != expected:
        sys.exit(f"vortex: FAILED: row {n}: {found.get(n)} instead of {expected}")
print(f"vortex: {ROWS} rows of {len(COLUMNS)} columns in {len(files)} files, read by DuckDB")
