"""TPC-DS by DuckDB's tpcds extension: its data, its queries' texts, and what they are in Redshift's dialect and Athena's.

DuckDB makes the data and has the texts; nothing of either is kept here. Types and layouts are TPC-DS's own. What the
dialects define otherwise than its peers is said to these before answers are compared (oracle).

    tpcds_suite.py describe                tables and queries, as JSON
    tpcds_suite.py generate FOLDER SCALE   each table as Parquet in a folder of its name
"""

import importlib.util
import json
import pathlib
import re
import sys

import duckdb

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

# What DuckDB is told so that it divides and sorts as a dialect does: whole numbers have whole quotients, NULLs their place.
SETTINGS = {
    "redshift": ["SET integer_division = true", "SET default_null_order = 'nulls_last_on_asc_first_on_desc'"],
    "athena": ["SET integer_division = true", "SET default_null_order = 'nulls_last'"],
}

# The whole part of a quotient, as each peer says it exactly.
QUOTIENTS = {
    "duckdb": "(CAST({} AS HUGEINT) // {})",
    "polars": "(CAST({} AS HUGEINT) // {})",
    "datafusion": "CAST(CAST({} AS DECIMAL(38,0)) / {} AS BIGINT)",
    "postgres": "div(CAST({} AS NUMERIC), {})",
    "chdb": "CAST(intDiv(CAST({} AS Int128), {}) AS Int64)",
}


def oracle(dialect, peer="duckdb"):
    """What a dialect defines otherwise than its peers: pattern, what a peer is asked instead, why."""
    quotient = QUOTIENTS[peer].format
    average = "CAST(CAST({} AS DECIMAL(18,0)) * 0.01 AS DECIMAL(18,2))".format
    windowed = r"\bavg\((sum\(\w+\))\) OVER\s*(\([^)]*\))"
    if dialect == "redshift":
        return [
            (r"\bavg\((\w*quantity\w*|agg1)\)", r"CAST(trunc(avg(\1)) AS BIGINT)", "AVG of whole numbers is a BIGINT, cut"),
            (windowed, average(quotient(r"(sum(\1) OVER \2 * 100)", r"(count(\1) OVER \2)")),
             "AVG of decimals has their scale, cut, and rows are ordered by it"),
            (r"\bavg\((ss_net_profit)\)", average(quotient(r"(sum(\1) * 100)", r"count(\1)")), "the same, and rows are ranked by it"),
            (r"\b(\w+_rev)/\(\((\w+\+\w+\+\w+)\)/3\) \* 100",
             "(CAST({} AS DECIMAL(18,0)) * 0.01)".format(quotient(r"(\1 * 100000000)", quotient(r"((\2) * 10000)", "3"))),
             "quotients of 38 digits have 4 behind the point, cut"),
            (r"\bsum\((\w+_sales)/w_warehouse_sq_ft\)",
             "(CAST(sum({}) AS DECIMAL(18,0)) * 0.0001)".format(quotient(r"(\1 * 10000)", "w_warehouse_sq_ft")),
             "a quotient of 38 digits has 4 behind the point, cut before they are summed"),
        ]
    return [
        (windowed, average(quotient(r"(sum(\1) OVER \2 * 200 + count(\1) OVER \2)", r"(2 * (count(\1) OVER \2))")),
         "AVG of decimals has their scale, rounded, and rows are ordered by it"),
        (r"\b(abs\s*\(sum_sales - (avg_\w+)\)\s*/\s*\2)", r"CAST(round(\1, 2) AS DECIMAL(18,2))", "a quotient has the scale of its sides, rounded"),
        (r"\bcast\((\S+) AS decimal\(\d+,\s*(\d)\)\)\s*/\s*cast\((\S+) AS decimal\(\d+,\s*\d\)\)",
         r"CAST(round(CAST(\1 AS DOUBLE) / \3, \2) AS DECIMAL(18,\2))", "a quotient has the scale of its sides, rounded"),
    ]


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


def connect(database=":memory:"):
    """DuckDB with the extension that pip has installed."""
    folder = pathlib.Path(importlib.util.find_spec("duckdb_extension_tpcds").origin).parent
    session = duckdb.connect(database, config={"allow_unsigned_extensions": "true"})
    session.execute(f"LOAD '{next(folder.rglob('tpcds.duckdb_extension'))}'")
    return session


def tables(session):
    """All tables with their columns and TPC-DS's types, once dsdgen has made them."""
    found = {}
    for table, name, type_ in session.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index").fetchall():
        found.setdefault(table, []).append((name, column_type(name, type_)))
    return found


def layout(table, columns):
    """Distribution and sort key of a table."""
    item = next((name for name, _ in columns if table in FACTS and name.endswith("_item_sk")), None)
    return f"DISTKEY ({item}) SORTKEY ({FACTS[table]})" if item else "DISTSTYLE ALL"


def write(session, table, columns, file):
    """A table's rows as Parquet."""
    selected = ", ".join(f"{name}::{type_} AS {name}" for name, type_ in columns)
    session.execute(f"COPY (SELECT {selected} FROM {table}) TO '{file}' (FORMAT parquet)")


def ordered(text, columns):
    """The query with all its columns as last keys of its order, and whether it has an order; one that has a LIMIT gets one,
    as the benchmark's (suite.rs)."""
    text = text.strip().rstrip(";").rstrip()
    tail = re.search(r"\bLIMIT\s+\d+(\s+OFFSET\s+\d+)?$", text, re.IGNORECASE)
    body, limit = (text[: tail.start()].rstrip(), " " + tail.group()) if tail else (text, "")
    numbers = ", ".join(str(nr) for nr in range(1, columns + 1))
    at = max((found.start() for found in re.finditer(r"\bORDER\s+BY\b", body, re.IGNORECASE)), default=-1)
    if at >= 0 and body[at:].count("(") == body[at:].count(")"):
        return f"{body}, {numbers}{limit}", True
    return (f"{body} ORDER BY {numbers}{limit}", True) if limit else (text, False)


def queries(session):
    """The texts with their numbers."""
    return session.execute("SELECT query_nr, query FROM tpcds_queries() ORDER BY 1").fetchall()


def width(session, text):
    """How many columns a query gives."""
    return len(session.execute("DESCRIBE " + text).fetchall())


def describe():
    session = connect()
    session.execute("CALL dsdgen(sf = 0)")
    listed = [{"name": table, "columns": columns, "attributes": layout(table, columns)} for table, columns in tables(session).items()]
    texts = [{"number": number, "text": text, "columns": width(session, text),
              "peers": {peer: rewritten(text, oracle("redshift", peer)) for peer in QUOTIENTS}} for number, text in queries(session)]
    print(json.dumps({"tables": listed, "queries": texts, "settings": SETTINGS["redshift"]}))


def generate(folder, scale):
    folder = pathlib.Path(folder)
    # On the disk: at larger scales the tables do not fit into memory.
    database = folder / "dsdgen.duckdb"
    session = connect(database)
    # Each line is a step that begins.
    print("rows", flush=True)
    session.execute(f"CALL dsdgen(sf = {float(scale)})")
    for table, columns in tables(session).items():
        print(table, flush=True)
        (folder / table).mkdir()
        write(session, table, columns, folder / table / "part-00000.parquet")
    session.close()
    database.unlink()


if __name__ == "__main__":
    {"describe": describe, "generate": generate}[sys.argv[1]](*sys.argv[2:])
