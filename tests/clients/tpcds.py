"""The 99 queries of TPC-DS in both dialects, each row compared with DuckDB's answer.

DuckDB's tpcds extension makes the data and has the queries' texts; nothing of either is kept here. The data goes through
Parquet and COPY into managed tables with TPC-DS's types. Each query gets the numbers of all its columns behind its
ORDER BY, in both programs, so that ties before a LIMIT are decided and rows can be compared one by one.

Values: whole numbers, texts, dates and decimals of one scale are equal; a decimal beside another scale or a double is
equal to one unit of its last digit (Redshift cuts quotients and averages, DuckDB computes them as doubles), doubles to
1e-9. What the dialects define otherwise than DuckDB is said to DuckDB (ORACLE), what Athena spells otherwise to us (OURS).

    tpcds.py BINARY FOLDER [--scale 0.01] [--queries 1,14] [--dialects redshift,athena] [--slow 20]
"""

import argparse
import datetime
import decimal
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import time

import duckdb
import psycopg2

ARGUMENTS = argparse.ArgumentParser()
ARGUMENTS.add_argument("binary")
ARGUMENTS.add_argument("folder", type=pathlib.Path)
ARGUMENTS.add_argument("--scale", type=float, default=0.01)
ARGUMENTS.add_argument("--queries", type=lambda text: [int(nr) for nr in text.split(",")], default=range(1, 100))
ARGUMENTS.add_argument("--dialects", type=lambda text: text.split(","), default=["redshift", "athena"])
ARGUMENTS.add_argument("--slow", type=float, help="tell queries that take this many times DuckDB's time, and a second")
ARGUMENTS.add_argument("--show", action="store_true", help="show the rows that differ")

# TPC-DS's texts by their columns' names without the table's prefix; what a table has otherwise stands with its prefix.
CHARS = {
    1: "current_day current_month current_quarter current_week current_year discount_active following_holiday gender holiday"
       " marital_status preferred_cust_flag weekend autogen_flag channel_dmail channel_email channel_catalog channel_tv"
       " channel_radio channel_press channel_event channel_demo",
    2: "state am_pm",
    6: "quarter_name",
    9: "day_name",
    10: "street_number suite_number zip salutation credit_rating units container code",
    13: "login",
    15: "street_type buy_potential purpose",
    16: "call_center_id catalog_page_id customer_id address_id date_id item_id promo_id reason_id ship_mode_id store_id time_id"
        " warehouse_id web_page_id site_id",
    20: "hours first_name location_type education_status size formulation color carrier contract shift sub_shift meal_time",
    30: "last_name sm_type",
    50: "cc_company_name web_company_name email_address brand i_class category manufact product_name promo_name cc_mkt_class"
        " wp_type",
    100: "reason_desc",
}
VARCHARS = {
    10: "s_street_number",
    20: "country birth_country warehouse_name",
    30: "county",
    40: "manager market_manager",
    50: "name store_name class division_name s_company_name mkt_class department",
    60: "street_name city",
    100: "mkt_desc market_desc geography_class description cp_type channel_details url",
    200: "item_desc",
}
# Facts lie by item and sorted by day, as the services' own set-up for TPC-DS has them; dimensions on every slice.
FACTS = {
    "store_sales": "ss_sold_date_sk", "store_returns": "sr_returned_date_sk", "catalog_sales": "cs_sold_date_sk",
    "catalog_returns": "cr_returned_date_sk", "web_sales": "ws_sold_date_sk", "web_returns": "wr_returned_date_sk",
    "inventory": "inv_date_sk",
}
WIDE = {"ss_ticket_number", "sr_ticket_number", "cs_order_number", "cr_order_number", "ws_order_number", "wr_order_number"}

# What a dialect defines otherwise than DuckDB: pattern, what DuckDB is asked instead, why.
ORACLE = {
    "redshift": [
        (r"\bavg\((\w*quantity\w*|agg1)\)", r"CAST(trunc(avg(\1)) AS BIGINT)", "AVG of whole numbers is a BIGINT, cut"),
        (r"\bavg\((sum\(\w+\))\) OVER\s*(\([^)]*\))",
         r"CAST(CAST(CAST(sum(\1) OVER \2 * 100 AS HUGEINT) // (count(\1) OVER \2) AS DECIMAL(18,0)) * 0.01 AS DECIMAL(18,2))",
         "AVG of decimals has their scale, cut, and rows are ordered by it"),
        (r"\bsum\((\w+_sales)/w_warehouse_sq_ft\)",
         r"(CAST(sum((CAST(\1 * 100 AS HUGEINT) * 100) // w_warehouse_sq_ft) AS DECIMAL(18,0)) * 0.0001)",
         "a quotient of 38 digits has 4 behind the point, cut before they are summed"),
    ],
    "athena": [
        (r"\bavg\((sum\(\w+\))\) OVER\s*(\([^)]*\))",
         r"CAST(CAST((CAST(sum(\1) OVER \2 * 200 AS HUGEINT) + count(\1) OVER \2) // (2 * (count(\1) OVER \2)) AS DECIMAL(18,0)) * 0.01 AS DECIMAL(18,2))",
         "AVG of decimals has their scale, rounded, and rows are ordered by it"),
        (r"\b(abs\s*\(sum_sales - (avg_\w+)\)\s*/\s*\2)", r"CAST(round(\1, 2) AS DECIMAL(18,2))", "a quotient has the scale of its sides, rounded"),
        (r"\bcast\((\S+) AS decimal\(\d+,\s*(\d)\)\)\s*/\s*cast\((\S+) AS decimal\(\d+,\s*\d\)\)",
         r"CAST(round(CAST(\1 AS DOUBLE) / \3, \2) AS DECIMAL(18,\2))", "a quotient has the scale of its sides, rounded"),
    ],
}
# What a dialect spells otherwise.
OURS = {
    "redshift": [],
    "athena": [
        (r"\bBETWEEN '(\d{4}-\d\d-\d\d)'", r"BETWEEN DATE '\1'", "a text is no date"),
        (r"\bd_date = '(\d{4}-\d\d-\d\d)'", r"d_date = DATE '\1'", "a text is no date"),
        (r"\bd_date IN\s*\(\s*'(\S{10})',\s*'(\S{10})',\s*'(\S{10})'\s*\)", r"d_date IN (DATE '\1', DATE '\2', DATE '\3')", "a text is no date"),
    ],
}
# Queries whose rows differ and may, by dialect: number, why.
KNOWN = {"redshift": {}, "athena": {}}
# Text that sorts NULLs as the dialect does when a query does not say it.
NULL_ORDER = {"redshift": "nulls_last_on_asc_first_on_desc", "athena": "nulls_last"}


def by_name(lengths):
    return {name: length for length, names in lengths.items() for name in names.split()}


def column_type(name, type_):
    """The type that TPC-DS gives a column that DuckDB made with another."""
    if type_ == "BIGINT" and name not in WIDE:
        return "INTEGER"
    if type_ != "VARCHAR":
        return type_
    chars, varchars = by_name(CHARS), by_name(VARCHARS)
    for candidate in (name, name.partition("_")[2]):
        for kind, lengths in (("CHAR", chars), ("VARCHAR", varchars)):
            if candidate in lengths:
                return f"{kind}({lengths[candidate]})"
    sys.exit(f"tpcds: FAILED: no type is known for {name}")


def rewritten(text, rules):
    for pattern, replacement, _ in rules:
        text = re.sub(pattern, replacement, text, flags=re.IGNORECASE)
    return text


def ordered(text, columns):
    """The query with all its columns as last keys of its order, and whether it has an order."""
    text = text.strip().rstrip(";").rstrip()
    tail = re.search(r"\bLIMIT\s+\d+$", text, re.IGNORECASE)
    body, limit = (text[: tail.start()].rstrip(), " " + tail.group()) if tail else (text, "")
    at = max((found.start() for found in re.finditer(r"\bORDER\s+BY\b", body, re.IGNORECASE)), default=-1)
    if at < 0 or body[at:].count("(") != body[at:].count(")"):
        return text, False
    return body + "".join(f", {nr}" for nr in range(1, columns + 1)) + limit, True


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
    folder = pathlib.Path(importlib.util.find_spec("duckdb_extension_tpcds").origin).parent
    session = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    session.execute(f"LOAD '{next(folder.rglob('tpcds.duckdb_extension'))}'")
    session.execute(f"CALL dsdgen(sf = {scale_factor})")
    # Both dialects divide whole numbers to whole numbers.
    session.execute("SET integer_division = true")
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
    for (table,) in theirs.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall():
        columns = theirs.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
                                 [table]).fetchall()
        typed = [(name, column_type(name, type_)) for name, type_ in columns]
        file = folder / f"{table}.parquet"
        selected = ", ".join(f"{name}::{type_} AS {name}" for name, type_ in typed)
        theirs.execute(f"COPY (SELECT {selected} FROM {table}) TO '{file}' (FORMAT parquet)")
        item = next((name for name, _ in columns if table in FACTS and name.endswith("_item_sk")), None)
        layout = f"DISTKEY ({item}) SORTKEY ({FACTS[table]})" if item else "DISTSTYLE ALL"
        ours.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {type_}' for name, type_ in typed)}) {layout}")
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
    theirs.execute(f"SET default_null_order = '{NULL_ORDER[dialect]}'")
    ours.execute(f"SET dialect = {dialect}")
    agreed, failed, empty, spent = [], [], 0, [0.0, 0.0]
    for nr, text in queries:
        expected_text = rewritten(text, ORACLE[dialect])
        columns = len(theirs.execute("DESCRIBE " + expected_text).fetchall())
        expected_text, has_order = ordered(expected_text, columns)
        expected, their_time = timed(theirs, expected_text)
        empty += not expected
        try:
            rows, our_time = timed(ours, ordered(rewritten(text, OURS[dialect]), columns)[0])
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
    queries = [row for row in theirs.execute("SELECT query_nr, query FROM tpcds_queries() ORDER BY 1").fetchall() if row[0] in arguments.queries]
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
