"""The 99 queries of TPC-DS in both dialects, each row compared with DuckDB's answer.

DuckDB's tpcds extension makes the data and has the queries' texts; nothing of either is kept here. The data goes through
Parquet and COPY into managed tables with TPC-DS's types. Each query gets the numbers of all its columns behind its
ORDER BY, in both programs, so that ties before a LIMIT are decided and rows can be compared one by one.

Values: whole numbers, texts, dates and decimals of one scale are equal; a decimal beside another scale or a double is
equal to one unit of its last digit (Redshift cuts quotients and averages, DuckDB computes them as doubles), doubles to
1e-9. What the dialects define otherwise than DuckDB is said to DuckDB (the benchmark's oracle), what Athena spells otherwise to
us (OURS).

    tpcds.py BINARY FOLDER [--scale 0.01] [--queries 1,14] [--dialects redshift,athena] [--slow 20]
"""

import argparse
import datetime
import decimal
import os
import pathlib
import re
import subprocess
import sys
import time

import duckdb
import psycopg2

# What the benchmark knows of TPC-DS: its types, layouts and texts. Its folder is left as it is.
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benches/src/tpcds"))
import tpcds_suite as suite

ARGUMENTS = argparse.ArgumentParser()
ARGUMENTS.add_argument("binary")
ARGUMENTS.add_argument("folder", type=pathlib.Path)
ARGUMENTS.add_argument("--scale", type=float, default=0.01)
ARGUMENTS.add_argument("--queries", type=lambda text: [int(nr) for nr in text.split(",")], default=range(1, 100))
ARGUMENTS.add_argument("--dialects", type=lambda text: text.split(","), default=["redshift", "athena"])
ARGUMENTS.add_argument("--slow", type=float, help="tell queries that take this many times DuckDB's time, and a second")
ARGUMENTS.add_argument("--show", action="store_true", help="show the rows that differ")

# What a dialect spells otherwise.
OURS = {
    "redshift": [],
    "athena": [
        (r"\bBETWEEN '(\d{4}-\d\d-\d\d)'", r"BETWEEN DATE '\1'", "a text is no date"),
        (r"\bd_date = '(\d{4}-\d\d-\d\d)'", r"d_date = DATE '\1'", "a text is no date"),
        (r"\bd_date IN\s*\(\s*'(\S{10})',\s*'(\S{10})',\s*'(\S{10})'\s*\)", r"d_date IN (DATE '\1', DATE '\2', DATE '\3')", "a text is no date"),
        (r"\bcoalesce\((c_\w+_name), ''\)", r"rtrim(coalesce(\1, ''))", "a function sees the blanks of CHAR"),
    ],
}
# Queries whose rows differ and may, by dialect: number, why.
KNOWN = {"redshift": {}, "athena": {}}


def scale(value):
    return -value.as_tuple().exponent


def same_value(ours, theirs):
    if ours is None or theirs is None:
        return ours is theirs
    if isinstance(ours, float) or isinstance(theirs, float) or isinstance(ours, decimal.Decimal) or isinstance(theirs, decimal.Decimal):
        if isinstance(ours, (str, datetime.date)) or isinstance(theirs, (str, datetime.date)):
            return False
        scales = [scale(value) for value in (ours, theirs) if isinstance(value, decimal.Decimal)]
        apart = abs(decimal.Decimal(ours) - decimal.Decimal(theirs))
        if len(scales) == 2 and scales[0] == scales[1]:
            return apart == 0
        if not scales:
            return apart <= decimal.Decimal(1e-9) * max(abs(decimal.Decimal(ours)), abs(decimal.Decimal(theirs)))
        unit = decimal.Decimal(10) ** -min(scales) * decimal.Decimal("1.000001")
        # A double has 15 digits, how many of a decimal's there may be.
        noise = abs(decimal.Decimal(theirs)) * decimal.Decimal("1e-14") if len(scales) == 1 else 0
        return apart <= max(unit, noise)
    if isinstance(ours, str) and isinstance(theirs, str):
        # DuckDB's CHAR has no blanks at its end, ours is padded.
        return ours.rstrip(" ") == theirs.rstrip(" ")
    return ours == theirs


def differing(ours, theirs):
    """What is different, or None."""
    if len(ours) != len(theirs):
        return f"{len(ours)} rows instead of {len(theirs)}"
    for at, (row, expected) in enumerate(zip(ours, theirs)):
        if len(row) != len(expected) or not all(map(same_value, row, expected)):
            return f"row {at + 1}: {show(row)} instead of {show(expected)}"
    return None


def show(row):
    return "(" + ", ".join("NULL" if value is None else str(value) for value in row) + ")"


def oracle(scale_factor):
    session = suite.connect()
    session.execute(f"CALL dsdgen(sf = {scale_factor})")
    return session


class Server:
    """`millrace serve` over a warehouse, until the end of the block."""

    def __init__(self, binary, folder):
        environment = dict(os.environ, MILLRACE_ADMIN_PASSWORD="tpcds-test-password")
        self.log = folder / "log"
        self.process = subprocess.Popen([binary, "--warehouse", folder / "warehouse", "serve", "--listen", "127.0.0.1:0"],
                                        stdout=open(self.log, "w"), stderr=subprocess.STDOUT, env=environment)

    def __enter__(self):
        for _ in range(300):
            found = re.search(r"listens on .*:(\d+)", self.log.read_text())
            if found:
                return int(found.group(1))
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"tpcds: FAILED: the server did not start\n{self.log.read_text()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def load(theirs, ours, folder):
    """Makes the tables and copies DuckDB's rows into them."""
    for table, columns in suite.tables(theirs).items():
        file = folder / f"{table}.parquet"
        suite.write(theirs, table, columns, file)
        ours.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {type_}' for name, type_ in columns)}) {suite.layout(table, columns)}")
        ours.execute(f"COPY {table} FROM '{file}' PARQUET")
        ours.execute(f"ANALYZE {table}")


def timed(cursor, text):
    begin = time.monotonic()
    rows = [tuple(row) for row in cursor.execute(text).fetchall()] if isinstance(cursor, duckdb.DuckDBPyConnection) else None
    if rows is None:
        cursor.execute(text)
        rows = cursor.fetchall()
    return rows, time.monotonic() - begin


def compare(theirs, ours, dialect, queries, arguments):
    """Runs the queries in one dialect; returns how many agree, and what failed."""
    for setting in suite.SETTINGS[dialect]:
        theirs.execute(setting)
    ours.execute(f"SET dialect = {dialect}")
    agreed, failed, empty, spent = [], [], 0, [0.0, 0.0]
    for nr, text in queries:
        expected_text = suite.rewritten(text, suite.oracle(dialect))
        columns = suite.width(theirs, expected_text)
        expected_text, has_order = suite.ordered(expected_text, columns)
        expected, their_time = timed(theirs, expected_text)
        empty += not expected
        try:
            rows, our_time = timed(ours, suite.ordered(suite.rewritten(text, OURS[dialect]), columns)[0])
            if not has_order:
                rows, expected = sorted(rows, key=repr), sorted(expected, key=repr)
            problem = differing(rows, expected)
            if problem and arguments.show:
                print("ours:", *map(show, rows[:5]), "theirs:", *map(show, expected[:5]), sep="\n  ")
        except psycopg2.Error as error:
            problem, our_time = f"{error.pgcode} {str(error).strip()}", 0.0
        spent[0] += our_time
        spent[1] += their_time
        if arguments.slow and our_time > max(1.0, arguments.slow * their_time):
            print(f"tpcds: slow    {dialect} {nr}: {our_time:.2f} s instead of {their_time:.2f} s")
        if not problem:
            agreed.append(nr)
        elif nr in KNOWN[dialect]:
            print(f"tpcds: known   {dialect} {nr}: {KNOWN[dialect][nr]}: {problem}")
        else:
            failed.append(nr)
            print(f"tpcds: FAILED  {dialect} {nr}: {problem}")
    print(f"tpcds: {dialect}: {len(agreed)} of {len(queries)} queries agree with DuckDB at scale {arguments.scale:g}"
          f" ({empty} without rows; {spent[0]:.1f} s, DuckDB {spent[1]:.1f} s)", flush=True)
    return failed


def main():
    arguments = ARGUMENTS.parse_args()
    arguments.folder.mkdir(parents=True)
    theirs = oracle(arguments.scale)
    queries = [row for row in suite.queries(theirs) if row[0] in arguments.queries]
    with Server(arguments.binary, arguments.folder) as port:
        connection = psycopg2.connect(host="127.0.0.1", port=port, user="admin", password="tpcds-test-password", dbname="dev", sslmode="disable")
        connection.autocommit = True
        ours = connection.cursor()
        load(theirs, ours, arguments.folder)
        failed = [nr for dialect in arguments.dialects for nr in compare(theirs, ours, dialect, queries, arguments)]
        connection.close()
    if failed:
        sys.exit(1)


main()
