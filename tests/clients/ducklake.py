"""Open tables with two programs: what millrace wrote DuckDB reads, and what DuckDB then writes millrace reads.

DuckDB attaches the warehouse's catalog with its ducklake extension, in the warehouse's directory or in PostgreSQL; the
extensions come as Python packages.

    ducklake.py BINARY WAREHOUSE HISTORIES [CATALOG]
"""
import importlib.util
import pathlib
import subprocess
import sys
import urllib.parse

import duckdb

binary, warehouse, histories, *catalog = sys.argv[1:]
checks = 0


def same(what, actual, expected):
    global checks
    checks += 1
    if actual != expected:
        sys.exit(f"ducklake: FAILED: {what}: {actual} instead of {expected}")


def millrace(sql):
    where = ["--warehouse", warehouse, *(f"--catalog={url}" for url in catalog)]
    done = subprocess.run([binary, *where, "--format", "tsv", "-f", "-"], input=sql, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"ducklake: FAILED: millrace: {done.stderr}{done.stdout}\n{sql}")
    return done.stdout


def extension(name):
    folder = pathlib.Path(importlib.util.find_spec(f"duckdb_extension_{name}").origin).parent
    return next(folder.rglob(f"{name}.duckdb_extension"))


def attach():
    session = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    session.execute("SET TimeZone = 'UTC'")
    for name in ("postgres_scanner" if catalog else "sqlite_scanner", "ducklake"):
        session.execute(f"LOAD '{extension(name)}'")
    place, options = f"sqlite:{warehouse}/catalog.db", ""
    if catalog:
        url = urllib.parse.urlsplit(catalog[0])
        schema = dict(urllib.parse.parse_qsl(url.query)).get("schema", "public")
        place = f"postgres:host={url.hostname} port={url.port} user={url.username} dbname={url.path[1:]}"
        options = f", METADATA_SCHEMA '{schema}'"
    session.execute(f"ATTACH 'ducklake:{place}' AS w (DATA_PATH '{warehouse}/data/'{options})")
    return session


def rows(query):
    with attach() as session:
        return session.sql(query).fetchall()


# Every type, with values at the edges and NULLs, once as rows in the catalog and once in files.
TYPES = [
    ("si", "smallint", ["-32768", "32767", "0"]),
    ("i", "integer", ["-2147483648", "2147483647", "9"]),
    ("bi", "bigint", ["-9223372036854775808", "9223372036854775807", "10"]),
    ("n", "numeric(18,2)", ["-1234.50", "1234567890123456.78", "10.00"]),
    ("wide", "numeric(38,10)", ["-1234567890123456789012345678.0123456789", "9.5", "10.5"]),
    ("r", "real", ["'-1.5'", "'1e10'", "'0.25'"]),
    ("d", "double precision", ["'-1.5e300'", "'1e-300'", "'0.1'"]),
    ("b", "boolean", ["true", "false", "true"]),
    ("c", "char(5)", ["'a'", "'ü'", "'zz'"]),
    ("v", "varchar(40)", ["'it''s'", "''", "'Zebra \"ü\", 9'"]),
    ("da", "date", ["'1969-12-31'", "'2024-02-29'", "'0999-01-01'"]),
    ("ti", "time", ["'00:00:00'", "'23:59:59.999999'", "'09:08:07.1'"]),
    ("ts", "timestamp", ["'1969-12-31 23:59:59.999999'", "'2024-02-29 12:00:00'", "'2024-02-29 12:00:00.5'"]),
    ("tz", "timestamptz", ["'1969-12-31 23:59:59.5+00'", "'2024-02-29 12:00:00+00'", "'2024-02-29 12:00:00.25+00'"]),
]
columns = ", ".join(f"{name} {kind}" for name, kind, _ in TYPES)
values = [f"({k}, " + ", ".join(of[k] for _, _, of in TYPES) + ")" for k in range(3)]
values.append("(3" + ", NULL" * len(TYPES) + ")")
millrace(f"CREATE TABLE few (k int, {columns}) TABLE PROPERTIES ('format'='parquet');"
         f"CREATE TABLE many (k int, {columns}) TABLE PROPERTIES ('format'='parquet');"
         f"INSERT INTO few VALUES {values[0]}; INSERT INTO few VALUES {', '.join(values[1:])};"
         "INSERT INTO many SELECT few.* FROM few CROSS JOIN (SELECT 1 FROM few a, few b, few c, few d) x;")
expected = duckdb.connect(config={})
expected.execute("SET TimeZone = 'UTC'")
expected.execute(f"CREATE TABLE few (k int, {columns}); INSERT INTO few VALUES {', '.join(values)}")
same("rows in the catalog", rows("FROM w.\"default\".few ORDER BY k"), expected.sql("FROM few ORDER BY k").fetchall())
same("rows in files", rows("SELECT DISTINCT * FROM w.\"default\".many ORDER BY k"), expected.sql("FROM few ORDER BY k").fetchall())
same("rows in files", rows("SELECT count(*), sum(k) FROM w.\"default\".many"), [(1024, 1536)])
same("inlined and not", rows("SELECT (SELECT count(*) FROM glob('" + warehouse + "/data/default/few/*')), "
                            "(SELECT count(*) > 0 FROM glob('" + warehouse + "/data/default/many/*'))"), [(0, True)])
with attach() as session:
    for name, kind, of in TYPES:
        bounds = f"SELECT min({name}), max({name}), count({name}) FROM "
        want = expected.sql(bounds + "few").fetchall()
        same(f"MIN and MAX of {kind} in the catalog", session.sql(bounds + 'w."default".few').fetchall(), want)
        same(f"MIN and MAX of {kind} in files", session.sql(bounds + 'w."default".many').fetchall(),
             [(*want[0][:2], want[0][2] * 256)])
        for value in of:
            for operator in ("=", "<", ">=", "<>"):
                where = f"SELECT count(*) FROM {{}} WHERE {name} {operator} CAST({value} AS {kind.replace('char(5)', 'varchar')})"
                want = expected.sql(where.format("few")).fetchall()[0][0]
                same(f"{kind} {operator} {value} in the catalog", session.sql(where.format('w."default".few')).fetchall(), [(want,)])
                same(f"{kind} {operator} {value} in files", session.sql(where.format('w."default".many')).fetchall(), [(want * 256,)])

# A history: few and many rows, updates, deletes and another shape of the table.
millrace("CREATE TABLE h (id int, name varchar(20), price numeric(10,2)) TABLE PROPERTIES ('format'='parquet');"
         "INSERT INTO h VALUES (1, 'one', 1.50), (2, NULL, 2.25);"
         "INSERT INTO h SELECT k + 10 * bi.i, 'many', 1.00 FROM many CROSS JOIN (SELECT 1 AS i) bi;"
         "DELETE FROM h WHERE id = 13; UPDATE h SET name = 'two' WHERE id = 2;"
         "UPDATE h SET price = price * 2 WHERE id = 12;"
         "ALTER TABLE h ADD COLUMN extra int DEFAULT 7; INSERT INTO h VALUES (3, 'three', 3.75, 8);"
         "ALTER TABLE h RENAME COLUMN name TO label; ALTER TABLE h DROP COLUMN price;"
         "INSERT INTO h VALUES (4, 'four', NULL);")
summary = "SELECT label, count(*), sum(id), sum(extra), count(extra) FROM {} GROUP BY label ORDER BY label"


def ours(query):
    return [tuple(None if cell == "\\N" else cell for cell in line.split("\t")) for line in millrace(query + ";").splitlines()[1:]]


def as_text(found):
    return [tuple(None if cell is None else str(cell) for cell in line) for line in found]


same("after a history", as_text(rows(summary.format('w."default".h'))), ours(summary.format("h")))
same("after a history", rows(summary.format('w."default".h'))[0], ("four", 1, 4, None, 0))

# Now DuckDB writes.
with attach() as session:
    session.execute('INSERT INTO w."default".h VALUES (100, \'duck\', 1), (101, \'duck\', NULL)')
    session.execute('INSERT INTO w."default".h SELECT range, \'ducks\', range FROM range(200, 1200)')
    session.execute('DELETE FROM w."default".h WHERE id IN (1, 10, 205)')
    session.execute('UPDATE w."default".h SET extra = 99 WHERE id IN (2, 100, 300)')
    want = session.sql(summary.format('w."default".h')).fetchall()
same("what DuckDB wrote", ours(summary.format("h")), as_text(want))
millrace("DELETE FROM h WHERE id IN (100, 301); UPDATE h SET extra = 5 WHERE id IN (101, 302);"
         "INSERT INTO h VALUES (5000, 'ours', 1);")
same("both in turn", ours(summary.format("h")), as_text(rows(summary.format('w."default".h'))))
with attach() as session:
    session.execute('ALTER TABLE w."default".h ADD COLUMN d date; CREATE TABLE w."default".made (x int, y decimal(9,3))')
    session.execute('INSERT INTO w."default".made VALUES (1, 2.5), (NULL, NULL)')
same("a column that DuckDB added", ours("SELECT count(*), count(d) FROM h"), as_text(rows('SELECT count(*), count(d) FROM w."default".h')))
millrace("INSERT INTO made VALUES (2, 3.125);")
same("a table that DuckDB made", ours("SELECT sum(x), sum(y) FROM made"), as_text(rows('SELECT sum(x), sum(y) FROM w."default".made')))
# A session that stays sees the first rows that the catalog holds of a table; its own are read where it was the first.
millrace("CREATE TABLE first_ours (x int, y varchar(9)) TABLE PROPERTIES ('format'='parquet');"
         "CREATE TABLE first_theirs (x int, y varchar(9)) TABLE PROPERTIES ('format'='parquet');")
with attach() as session:
    same("an empty table", session.sql('FROM w."default".first_ours').fetchall(), [])
    millrace("INSERT INTO first_ours VALUES (1, 'a');")
    same("our first row", session.sql('FROM w."default".first_ours').fetchall(), [(1, "a")])
    session.execute('INSERT INTO w."default".first_theirs VALUES (2, \'b\')')
    session.execute('INSERT INTO w."default".first_ours VALUES (3, \'c\')')
same("DuckDB's first row", ours("SELECT x, y FROM first_theirs"), [("2", "b")])
millrace("INSERT INTO first_theirs VALUES (4, 'd');")
same("rows of both", as_text(rows('FROM w."default".first_theirs ORDER BY x')), [("2", "b"), ("4", "d")])
same("rows of both", ours("SELECT x, y FROM first_ours ORDER BY x"), [("1", "a"), ("3", "c")])
# A vacuum: rows keep their ids, DuckDB reads and changes what it wrote, and the past stays.
millrace("CREATE TABLE swept (id int, name varchar(20)) SORTKEY (name) TABLE PROPERTIES ('format'='parquet');"
         "INSERT INTO swept SELECT k + 4 * i.n, 'many' FROM many CROSS JOIN (SELECT 0 AS n) i;"
         "UPDATE swept SET name = 'few' WHERE id = 3; DELETE FROM swept WHERE id = 2; INSERT INTO swept VALUES (7, NULL), (8, 'a');")
with attach() as session:
    session.execute('INSERT INTO w."default".swept SELECT range, \'ducks\' FROM range(1000, 1500)')
    session.execute('DELETE FROM w."default".swept WHERE id IN (8, 1001)')
ids = 'SELECT rowid, id, name FROM w."default".swept ORDER BY rowid'
before = rows(ids)
past = rows("SELECT max(snapshot_id) FROM ducklake_snapshots('w')")[0][0]
for mode in ("FULL", "DELETE ONLY", "SORT ONLY"):
    millrace(f"VACUUM {mode} swept TO 100 PERCENT;")
    same(f"row ids after VACUUM {mode}", rows(ids), before)
same("files after VACUUM", rows("SELECT count(*), count(delete_file) FROM ducklake_list_files('w', 'swept', schema => 'default')"), [(1, 0)])
same("the past after VACUUM", rows(f'SELECT count(*), sum(id) FROM w."default".swept AT (VERSION => {past})'),
     rows('SELECT count(*), sum(id) FROM w."default".swept'))
with attach() as session:
    session.execute('DELETE FROM w."default".swept WHERE name = \'few\' AND rowid % 2 = 0')
    session.execute('UPDATE w."default".swept SET name = \'updated\' WHERE id = 1002')
    want = session.sql(ids).fetchall()
same("both after a vacuum", ours("SELECT name, count(*), sum(id) FROM swept GROUP BY name ORDER BY name"),
     as_text(rows('SELECT name, count(*), sum(id) FROM w."default".swept GROUP BY name ORDER BY name')))
millrace("VACUUM swept TO 100 PERCENT;")
same("row ids after another VACUUM", rows(ids), want)
# Names in double quotes that keep their case; DuckDB finds them in any.
millrace("SET enable_case_sensitive_identifier TO true;"
         "CREATE TABLE \"Mixed\" (\"Id\" int, \"Name\" varchar(10)) TABLE PROPERTIES ('format'='parquet');"
         "INSERT INTO \"Mixed\" VALUES (1, 'one');"
         "INSERT INTO \"Mixed\" SELECT k + 10, 'many' FROM many;")
with attach() as session:
    same("names that keep their case", session.sql('FROM w."default"."Mixed" LIMIT 0').columns, ["Id", "Name"])
    same("rows under such names", session.sql('SELECT count(*), sum(id) FROM w."default".mixed').fetchall(), [(1025, 11777)])
# Random histories (tests/tests/model): what they leave, then the same after a vacuum, and what DuckDB changes of it.
scripts = sorted(pathlib.Path(histories).glob("*.sql"))
same("histories", len(scripts), 10)


def table_rows(schema):
    """The rows of a schema's tables as both programs have them."""
    names = [line for line in millrace(f"USE {schema}; SHOW TABLES;").splitlines() if line.startswith("t") and line[1:].isdigit()]
    for name in names:
        text = lambda found: sorted(found, key=repr)
        yield name, text(ours(f"SELECT * FROM {schema}.{name}")), text(as_text(rows(f'SELECT * FROM w."{schema}".{name}')))


for script in scripts:
    schema, total = script.stem, 0
    millrace(script.read_text())
    for name, mine, theirs in table_rows(schema):
        same(f"{schema}.{name} after a history", theirs, mine)
        total += len(mine)
        millrace(f"VACUUM {schema}.{name} TO 100 PERCENT;")
    same(f"rows in {schema}", total > 0, True)
    for name, mine, theirs in table_rows(schema):
        same(f"{schema}.{name} after a vacuum", theirs, mine)
        with attach() as session:
            session.execute(f'DELETE FROM w."{schema}".{name} WHERE k % 3 = 0')
            session.execute(f'INSERT INTO w."{schema}".{name} (k) SELECT range FROM range(40)')
    for name, mine, theirs in table_rows(schema):
        same(f"{schema}.{name} as DuckDB changed it", mine, theirs)
print(f"ducklake: {checks} comparisons")
