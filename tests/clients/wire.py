"""Python's drivers on `millrace serve`: types, NULLs, parameters, errors, transactions, cursors, a large fetch.

The argument names the driver; where to connect stands in PostgreSQL's variables. Expected values are PostgreSQL's.
"""

import asyncio
import datetime
import decimal
import io
import os
import sys

HOST, PORT = os.environ["PGHOST"], int(os.environ["PGPORT"])
USER, DATABASE, PASSWORD = os.environ["PGUSER"], os.environ["PGDATABASE"], os.environ["PGPASSWORD"]

TYPES = (
    "SELECT 1::smallint, 2::int, 3::bigint, 2.5::float8, 1.50::decimal(10,2), 'a'::varchar, date '1999-12-31', "
    "timestamp '2001-01-01 00:00:00.123456', true, NULL::int"
)
VALUES = (
    1,
    2,
    3,
    2.5,
    decimal.Decimal("1.50"),
    "a",
    datetime.date(1999, 12, 31),
    datetime.datetime(2001, 1, 1, 0, 0, 0, 123456),
    True,
    None,
)
ROW = (7, "it's \\ ü", decimal.Decimal("-1.25"), datetime.datetime(2024, 1, 1, 12), None)
# The types that columns have beside those of VALUES.
MORE_COLUMNS = "a real, b char(2), c time, d timestamptz, e varchar(5), f timestamp, g boolean, h decimal(10,2), i varchar(5)"
MORE_ROW = "1.5, 'ab', '10:11:12.5', '2024-01-01 12:00:00+02', NULL, NULL, NULL, NULL, ''"
MORE_VALUES = (
    1.5,
    "ab",
    datetime.time(10, 11, 12, 500000),
    datetime.datetime(2024, 1, 1, 10, tzinfo=datetime.timezone.utc),
    None,
    None,
    None,
    None,
    "",
)
# What not all drivers know: in UTC, as bytes, as JSON.
RARE_COLUMNS = "a timetz, b varbyte(4), c super"
RARE_ROWS = "('10:11:12.5+02', to_varbyte('6162', 'hex'), json_parse('{\"k\":[1,null]}')), (NULL, NULL, NULL)"
RARE_TIME = datetime.time(8, 11, 12, 500000, tzinfo=datetime.timezone.utc)
RARE_DOCUMENT = '{"k":[1,null]}'
# Parameters of the types that ROW has not.
GIVEN_COLUMNS = "a boolean, b date, c time, d timestamptz, e float8, f smallint, g bigint"
GIVEN = (
    True,
    datetime.date(2024, 2, 29),
    datetime.time(10, 11, 12),
    datetime.datetime(2024, 1, 1, 10, 30, tzinfo=datetime.timezone.utc),
    -2.5,
    7,
    2**40,
)
NULLS = (
    "SELECT NULL::smallint, NULL::int, NULL::bigint, NULL::real, NULL::float8, NULL::decimal(10,2), NULL::varchar, "
    "NULL::date, NULL::time, NULL::timestamp, NULL::timestamptz, NULL::boolean"
)
ERRORS = [
    ("SELECT 1/0", "22012"),
    ("SELECT * FROM nope", "42P01"),
    ("SELECT nope", "42703"),
    ("SELECT 'a'::int", "22P02"),
    ("SELEC", "42601"),
]
ENDLESS = (
    "WITH RECURSIVE n(x) AS (SELECT 1::bigint UNION ALL SELECT x + 1 FROM n WHERE x < 100000000) SELECT count(*) FROM n"
)
MILLION = "SELECT a.x * 1000 + b.y FROM generate_series(0, 999) a(x), generate_series(0, 999) b(y)"
MILLIONS_SUM = 999_999 * 1_000_000 // 2
DOUBLINGS, MANY = 12, 2**12


def same(expected, found, what):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


def dbapi(connect, error, sqlstate, varbyte, mark="%s"):
    """What every driver of the DB-API does; `varbyte` is how it gives the bytes of RARE_ROWS."""
    connection = connect()
    cursor = connection.cursor()

    def fails(statement, expected):
        try:
            cursor.execute(statement)
            raise AssertionError(f"{statement} did not fail")
        except error as failure:
            same(expected, sqlstate(failure), statement)

    cursor.execute(TYPES)
    same(VALUES, tuple(cursor.fetchone()), "types")
    cursor.execute(NULLS)
    same((None,) * 12, tuple(cursor.fetchone()), "NULLs")
    table = f"t_{sys.argv[1]}"
    cursor.execute(f"CREATE TABLE rare_{table} ({RARE_COLUMNS})")
    cursor.execute(f"INSERT INTO rare_{table} VALUES {RARE_ROWS}")
    cursor.execute(f"SELECT * FROM rare_{table} WHERE a IS NOT NULL")
    found = (bytes(value) if isinstance(value, memoryview) else value for value in cursor.fetchone())
    same((RARE_TIME, varbyte, RARE_DOCUMENT), tuple(found), "rare types")
    cursor.execute(f"SELECT * FROM rare_{table} WHERE a IS NULL")
    same((None, None, None), tuple(cursor.fetchone()), "NULLs of rare types")
    cursor.execute(f"CREATE TABLE given_{table} ({GIVEN_COLUMNS})")
    cursor.execute(f"INSERT INTO given_{table} VALUES ({', '.join([mark] * len(GIVEN))})", GIVEN)
    cursor.execute(f"SELECT * FROM given_{table}")
    same(GIVEN, tuple(cursor.fetchone()), "values given")
    cursor.execute(f"CREATE TABLE more_{table} ({MORE_COLUMNS})")
    cursor.execute(f"INSERT INTO more_{table} VALUES ({MORE_ROW})")
    cursor.execute(f"SELECT * FROM more_{table}")
    same(MORE_VALUES, tuple(cursor.fetchone()), "more types")
    cursor.execute(f"CREATE TABLE {table} (a int, b varchar(40), c decimal(10,2), d timestamp, e bigint)")
    connection.commit()
    places = ", ".join([mark] * 5)
    cursor.execute(f"INSERT INTO {table} VALUES ({places})", ROW)
    same(1, cursor.rowcount, "rows inserted")
    cursor.execute(f"SELECT * FROM {table} WHERE a = {mark} AND b = {mark}", ROW[:2])
    same([ROW], [tuple(row) for row in cursor.fetchall()], "parameters")
    connection.rollback()
    cursor.execute(f"SELECT count(*) FROM {table}")
    same(0, cursor.fetchone()[0], "rows after the rollback")
    connection.commit()
    for statement, expected in ERRORS:
        fails(statement, expected)
        # Until the transaction ends nothing is done in it.
        fails("SELECT 1", "25P02")
        connection.rollback()
    cursor.execute("SET statement_timeout TO 200")
    connection.commit()
    fails(ENDLESS, "57014")
    connection.rollback()
    cursor.execute("SET statement_timeout TO 0")
    connection.commit()
    # What is not committed nobody else sees.
    other = connect()
    seen = other.cursor()
    cursor.execute(f"INSERT INTO {table}(a) VALUES (1)")
    for expected in (0, 1):
        seen.execute(f"SELECT count(*) FROM {table}")
        same(expected, seen.fetchone()[0], "rows that another session sees")
        other.rollback()
        connection.commit()
    other.close()
    for _ in range(DOUBLINGS):
        cursor.execute(f"INSERT INTO {table}(a) SELECT a FROM {table}")
    cursor.execute(f"SELECT a FROM {table}")
    same(MANY, sum(row[0] for row in cursor.fetchall()), "rows doubled")
    cursor.execute(MILLION)
    same(MILLIONS_SUM, sum(row[0] for row in cursor.fetchall()), "a million rows")
    connection.commit()
    return connection


def psycopg():
    import psycopg as driver

    def connect():
        return driver.connect(host=HOST, port=PORT, user=USER, dbname=DATABASE, password=PASSWORD)

    connection = dbapi(connect, driver.Error, lambda failure: failure.sqlstate, b"ab")
    with connection.cursor(binary=True) as cursor:
        same(VALUES, cursor.execute(TYPES).fetchone(), "binary types")
        same(MORE_VALUES, cursor.execute("SELECT * FROM more_t_psycopg").fetchone(), "more binary types")
        found = cursor.execute("SELECT a, b FROM rare_t_psycopg WHERE a IS NOT NULL").fetchone()
        same((RARE_TIME, b"ab"), found, "rare binary types")
        found = cursor.execute("SELECT interval '1 day 2 hours 3 minutes 4.5 seconds', interval '-3 days'").fetchone()
        span = datetime.timedelta(days=1, hours=2, minutes=3, seconds=4.5)
        same((span, datetime.timedelta(days=-3)), found, "binary intervals")
        same((None,) * 12, cursor.execute(NULLS).fetchone(), "binary NULLs")
        cursor.execute("SELECT * FROM given_t_psycopg WHERE b = %b AND c = %b AND d = %b AND g = %b", (*GIVEN[1:4], GIVEN[6]))
        same(GIVEN, cursor.fetchone(), "binary parameters")
        same(MILLIONS_SUM, sum(row[0] for row in cursor.execute(MILLION)), "a million rows in binary")
    with connection.cursor("named") as cursor:
        cursor.itersize = 1000
        cursor.execute("SELECT a FROM t_psycopg")
        same(MANY, sum(1 for _ in cursor), "a cursor of the server's")
    connection.commit()
    connection.autocommit = True
    with connection.pipeline():
        results = [connection.execute("SELECT %s::int", (number,)) for number in range(20)]
    same(list(range(20)), [result.fetchone()[0] for result in results], "a pipeline")
    try:
        with connection.pipeline():
            connection.execute("INSERT INTO t_psycopg(a) VALUES (888)")
            connection.execute("SELECT 1/0")
        raise AssertionError("1/0 in a pipeline did not fail")
    except driver.errors.DivisionByZero:
        found = connection.execute("SELECT count(*) FROM t_psycopg WHERE a = 888").fetchone()
        same((0,), found, "rows of a pipeline that failed")
    for _ in range(8):
        # After some times the driver prepares it.
        same((5,), connection.execute("SELECT %s + 1", (4,)).fetchone(), "a prepared statement")
    connection.execute("CREATE TABLE copied (a int, b varchar(40), c decimal(10,2), d timestamp, e bigint)")
    second = (8, "tab\tline\nslash\\", None, None, 2**40)
    with connection.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN") as copy:
            copy.write_row(ROW)
            copy.write_row(second)
        same(2, cursor.rowcount, "rows copied")
        with cursor.copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "varchar", "numeric", "timestamp", "int8"])
            copy.write_row(ROW)
            copy.write_row(second)
        with cursor.copy("COPY (SELECT * FROM copied ORDER BY a) TO STDOUT") as copy:
            copy.set_types(["int4", "varchar", "numeric", "timestamp", "int8"])
            same([ROW, ROW, second, second], list(copy.rows()), "rows copied out")
        with cursor.copy("COPY (SELECT * FROM copied ORDER BY a) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "varchar", "numeric", "timestamp", "int8"])
            same([ROW, ROW, second, second], list(copy.rows()), "binary rows copied out")
        try:
            with cursor.copy("COPY copied FROM STDIN") as copy:
                copy.write("no number\n")
            raise AssertionError("a bad line was taken")
        except driver.Error as failure:
            same("22P04", failure.sqlstate, "a bad line")
        same((4,), connection.execute("SELECT count(*) FROM copied").fetchone(), "rows after a bad line")
    connection.close()


def psycopg2():
    import psycopg2 as driver

    def connect():
        return driver.connect(host=HOST, port=PORT, user=USER, dbname=DATABASE, password=PASSWORD)

    connection = dbapi(connect, driver.Error, lambda failure: failure.pgcode, b"ab")
    cursor = connection.cursor("named")
    cursor.itersize = 5000
    cursor.execute("SELECT a FROM t_psycopg2")
    same(MANY, sum(1 for _ in cursor), "a cursor of the server's")
    connection.commit()
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE copied2 (a int, b varchar(40))")
    cursor.copy_from(io.StringIO("1\tx\n2\t\\N\n"), "copied2", columns=("a", "b"))
    cursor.copy_expert("COPY copied2 FROM STDIN WITH CSV HEADER", io.StringIO('a,b\n3,"y, z"\n'))
    out = io.StringIO()
    cursor.copy_to(out, "copied2", sep="|", null="-")
    same(["1|x", "2|-", "3|y, z"], sorted(out.getvalue().split("\n")[:-1]), "rows copied out")
    connection.commit()
    connection.close()


def redshift_connector():
    import redshift_connector as driver

    def connect():
        return driver.connect(host=HOST, port=PORT, user=USER, database=DATABASE, password=PASSWORD, ssl=False)

    # Redshift's text of a VARBYTE, which the driver reads as a text of these bytes.
    dbapi(connect, driver.Error, lambda failure: failure.args[0]["C"], "ab").close()
    # Redshift's own types of intervals, which the driver asks for in binary.
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TEMP TABLE spans (m interval year to month, s interval day to second)")
        cursor.execute("INSERT INTO spans VALUES ('1-8', '-1 day 02:03:04.5')")
        cursor.execute("SELECT m, s FROM spans")
        months, micros = cursor.fetchone()
        same((20, -79_015_500_000), (months.months, micros.microseconds), "intervals")
    try:
        driver.connect(host=HOST, port=PORT, user=USER, database=DATABASE, password="wrong", ssl=False)
        raise AssertionError("a wrong password was taken")
    except driver.Error as failure:
        same("28P01", failure.args[0]["C"], "a wrong password")


def asyncpg():
    import asyncpg as driver

    async def talk():
        connection = await driver.connect(
            host=HOST, port=PORT, user=USER, database=DATABASE, password=PASSWORD, ssl=False
        )
        same(VALUES, tuple(await connection.fetchrow(TYPES)), "types")
        await connection.execute(f"CREATE TABLE more_t_asyncpg ({MORE_COLUMNS})")
        await connection.execute(f"INSERT INTO more_t_asyncpg VALUES ({MORE_ROW})")
        same(MORE_VALUES, tuple(await connection.fetchrow("SELECT * FROM more_t_asyncpg")), "more types")
        same((None,) * 12, tuple(await connection.fetchrow(NULLS)), "NULLs")
        # The driver refuses types with numbers of PostgreSQL's that it does not know, as SUPER's is.
        await connection.execute(f"CREATE TABLE rare_t_asyncpg ({RARE_COLUMNS})")
        await connection.execute(f"INSERT INTO rare_t_asyncpg VALUES {RARE_ROWS}")
        found = await connection.fetchrow("SELECT a, b, json_serialize(c) FROM rare_t_asyncpg WHERE a IS NOT NULL")
        same((RARE_TIME, b"ab", RARE_DOCUMENT), tuple(found), "rare types")
        await connection.execute(f"CREATE TABLE given_t_asyncpg ({GIVEN_COLUMNS})")
        await connection.execute("INSERT INTO given_t_asyncpg VALUES ($1, $2, $3, $4, $5, $6, $7)", *GIVEN)
        found = await connection.fetchrow("SELECT * FROM given_t_asyncpg WHERE b = $1 AND d = $2", GIVEN[1], GIVEN[3])
        same(GIVEN, tuple(found), "values given")
        for statement, expected in ERRORS:
            try:
                await connection.fetch(statement)
                raise AssertionError(f"{statement} did not fail")
            except driver.PostgresError as failure:
                same(expected, failure.sqlstate, statement)
        try:
            await connection.fetch(ENDLESS, timeout=0.5)
            raise AssertionError("an endless statement ended")
        except asyncio.TimeoutError:
            # The driver has cancelled it, and goes on.
            same(1, await connection.fetchval("SELECT 1"), "a statement after one that was cancelled")
        same(MILLIONS_SUM, sum(row[0] for row in await connection.fetch(MILLION)), "a million rows")
        await connection.execute(
            "CREATE TABLE t_asyncpg (a int, b varchar(40), c decimal(10,2), d timestamp, e bigint)"
        )
        await connection.execute("INSERT INTO t_asyncpg VALUES ($1, $2, $3, $4, $5)", *ROW)
        found = await connection.fetch("SELECT * FROM t_asyncpg WHERE a = $1 AND b = $2", *ROW[:2])
        same([ROW], [tuple(row) for row in found], "parameters")
        try:
            async with connection.transaction():
                await connection.execute("INSERT INTO t_asyncpg(a) VALUES (777)")
                await connection.execute("SELECT 1/0")
        except driver.PostgresError as failure:
            same("22012", failure.sqlstate, "an error in a transaction")
        same(0, await connection.fetchval("SELECT count(*) FROM t_asyncpg WHERE a = 777"), "rows after the rollback")
        await connection.executemany("INSERT INTO t_asyncpg(a) VALUES ($1)", [(number,) for number in range(1, 101)])
        async with connection.transaction():
            rows = [row[0] async for row in connection.cursor("SELECT a FROM t_asyncpg WHERE b IS NULL ORDER BY a")]
        same(list(range(1, 101)), rows, "a cursor")
        await connection.execute("CREATE TABLE copied3 (a int, b varchar(40), c decimal(10,2), d timestamp, e bigint)")
        same("COPY 2", await connection.copy_records_to_table("copied3", records=[ROW, ROW]), "records copied")
        out = io.BytesIO()
        await connection.copy_from_query("SELECT a, b FROM copied3", output=out, format="csv")
        same(b"7,it's \\ \xc3\xbc\n" * 2, out.getvalue(), "rows copied out")
        out.seek(0)
        same("COPY 2", await connection.copy_to_table("copied3", source=out, columns=["a", "b"], format="csv"), "rows copied in")
        same(4, await connection.fetchval("SELECT count(*) FROM copied3"), "rows copied")
        await connection.close()

    asyncio.run(talk())


{"psycopg": psycopg, "psycopg2": psycopg2, "redshift_connector": redshift_connector, "asyncpg": asyncpg}[sys.argv[1]]()
