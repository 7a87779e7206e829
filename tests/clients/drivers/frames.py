"""ADBC's PostgreSQL driver and Polars on `millrace serve`: types, NULLs, parameters, transactions, ingestion of what is in
memory."""

import datetime
import decimal
import os

import adbc_driver_postgresql.dbapi as driver
import polars


def same(expected, found, what):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


address = "postgresql://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}?sslmode=disable".format(**os.environ)
# The driver reads by binary COPY unless it is told not to.
WITHOUT_COPY = {"adbc.postgresql.use_copy": "false"}


def ask(connection, text, values=None, **options):
    with connection.cursor(**options) as cursor:
        cursor.execute(text, values)
        return cursor.fetch_arrow_table().to_pydict()


with driver.connect(address) as connection:
    types = (
        "select 1::smallint as a, 2::int as b, 3::bigint as c, 2.5::float8 as d, 'x' as e, true as f, "
        "date '2024-02-29' as g, timestamp '2024-01-01 00:00:00.5' as h, null::int as i, 1.50::decimal(10,2) as j"
    )
    found = ask(connection, types)
    same(found, ask(connection, types, adbc_stmt_kwargs=WITHOUT_COPY), "types without COPY")
    expected = {
        "a": [1], "b": [2], "c": [3], "d": [2.5], "e": ["x"], "f": [True], "g": [datetime.date(2024, 2, 29)],
        "h": [datetime.datetime(2024, 1, 1, 0, 0, 0, 500000)], "i": [None],
    }
    decimals = found.pop("j")
    same(expected, found, "types")
    same([decimal.Decimal("1.50")], [decimal.Decimal(str(value)) for value in decimals], "a decimal")
    same({"a": [42]}, ask(connection, "select $1::int + 1 as a", (41,)), "a parameter")
    with connection.cursor() as cursor:
        cursor.execute("create table adbc (a int, b varchar(20))")
        cursor.executemany("insert into adbc values ($1, $2)", [(1, "x"), (2, None)])
    connection.commit()
    same({"a": [1, 2], "b": ["x", None]}, ask(connection, "select * from adbc order by a"), "rows written")
    assert "table" in connection.adbc_get_table_types(), "kinds of tables"
    same({"a": "int32", "b": "string"},
         {field.name: str(field.type) for field in connection.adbc_get_table_schema("adbc")}, "a table's schema")
    try:
        ask(connection, "select * from nothing")
        raise AssertionError("a missing table was read")
    except driver.ProgrammingError as failure:
        same("42P01", failure.sqlstate, "a missing table")
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("insert into adbc values (3, 'z')")
    same({"n": [3]}, ask(connection, "select count(*) as n from adbc"), "rows that the transaction sees")
    connection.rollback()
    same({"n": [2]}, ask(connection, "select count(*) as n from adbc"), "rows after a rollback")
    connection.commit()
    nulls = "select null::smallint as a, null::bigint as b, null::float8 as c, null::date as d, null::boolean as e"
    same({name: [None] for name in "abcde"}, ask(connection, nulls), "NULLs")
    with connection.cursor() as cursor:
        cursor.execute("select a from adbc order by a")
        frame = polars.from_arrow(cursor.fetch_arrow_table())
    same([1, 2], frame["a"].to_list(), "a Polars frame")
    frame = polars.read_database_uri("select a, b from adbc order by a", address, engine="adbc")
    same([(1, "x"), (2, None)], frame.rows(), "a frame that Polars reads itself")
    million = "select a.x * 1000 + b.y as n from generate_series(0, 999) a(x), generate_series(0, 999) b(y)"
    same(999_999 * 1_000_000 // 2, sum(ask(connection, million)["n"]), "a million rows")
    # Ingestion makes the table, and loads it by binary COPY.
    frame = polars.DataFrame({"a": [1, 2, None], "b": ["x", None, "y\tz"], "c": [0.5, None, -1.0], "d": [True, False, None]})
    with connection.cursor() as cursor:
        same(3, cursor.adbc_ingest("ingested", frame.to_arrow(), mode="create"), "rows ingested")
        same(3, cursor.adbc_ingest("ingested", frame.to_arrow(), mode="append"), "rows appended")
    connection.commit()
    found = ask(connection, "select a, b, c, d from ingested order by a, b")
    same(sorted([*frame.rows(), *frame.rows()], key=str), sorted(zip(*found.values()), key=str), "rows ingested")
