"""redshift_connector on `millrace serve`: what it asks of the catalog, data frames, a million rows."""

import os

import pandas
import redshift_connector


def same(expected, found, what):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


connection = redshift_connector.connect(
    host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]), user=os.environ["PGUSER"],
    database=os.environ["PGDATABASE"], password=os.environ["PGPASSWORD"], ssl=False,
)
cursor = connection.cursor()
for statement in [
    "create schema rc",
    "create table rc.parent (id bigint not null, name varchar(20) default 'none', price decimal(10,2), primary key (id))",
    "create table rc.child (id int, parent bigint references rc.parent (id))",
    "create view rc.v as select id from rc.parent",
    "create function rc.twice (int, varchar) returns int immutable as $$ select $1 * 2 $$ language sql",
    "create user rc_reader password disable",
    "grant select on rc.parent to rc_reader",
    "grant select (id) on rc.child to rc_reader",
]:
    cursor.execute(statement)
connection.commit()


def rows(call, *columns):
    """Some columns of what a metadata call gives, by their places."""
    found = [tuple(row[column] for column in columns) for row in call]
    return sorted(found, key=str)


same([("dev",)], rows(cursor.get_catalogs(), 0), "catalogs")
assert ("rc", "dev") in rows(cursor.get_schemas(), 0, 1), "schemas"
same([("rc", "child", "TABLE"), ("rc", "parent", "TABLE"), ("rc", "v", "VIEW")],
     rows(cursor.get_tables(schema_pattern="rc"), 1, 2, 3), "tables")
same([("parent",)], rows(cursor.get_tables(schema_pattern="rc", table_name_pattern="par%"), 2), "tables by a pattern")
same([("id", "int8"), ("name", "varchar"), ("price", "numeric")],
     rows(cursor.get_columns(schema_pattern="rc", tablename_pattern="parent"), 3, 5), "columns")
same([("parent", "id", "parent_pkey")], rows(cursor.get_primary_keys(schema="rc", table="parent"), 2, 3, 5), "keys")
same([("parent", "id", "child", "parent")],
     rows(cursor.get_imported_keys(schema="rc", table="child"), 2, 3, 6, 7), "imported keys")
same([("parent", "id", "child", "parent")],
     rows(cursor.get_exported_keys(schema="rc", table="parent"), 2, 3, 6, 7), "exported keys")
same([("id",)], rows(cursor.get_best_row_identifier(schema="rc", table="parent", scope=1), 1), "the best identifier")
same([("parent", "rc_reader", "SELECT")],
     rows(cursor.get_table_privileges(schema_pattern="rc", table_name_pattern="parent"), 2, 4, 5), "privileges")
same([("id", "rc_reader", "SELECT")],
     rows(cursor.get_column_privileges(schema="rc", table="child"), 3, 5, 6), "privileges on columns")
for call in ("get_procedures", "get_procedure_columns"):
    same([], list(getattr(cursor, call)(schema_pattern="rc")), call)
same([("rc", "twice")], rows(cursor.get_functions(schema_pattern="rc"), 1, 2), "functions")
same([("twice", "int4", 1), ("twice", "varchar", 2)],
     rows(cursor.get_function_columns(schema_pattern="rc"), 2, 6, 14), "arguments of functions")
assert ("TABLE",) in rows(cursor.get_table_types(), 0), "kinds of tables"

frame = pandas.DataFrame({"id": [1, 2], "name": ["a", None], "price": [1.5, -2.25]})
cursor.execute("set search_path to rc")
cursor.write_dataframe(frame, "parent")
cursor.execute("select id, name, price from rc.parent order by id")
found = cursor.fetch_dataframe()
same([[1, "a", 1.5], [2, None, -2.25]], [[int(a), b, float(c)] for a, b, c in found.values.tolist()], "a data frame")
cursor.execute("select id from rc.parent order by id")
same([[1], [2]], [[int(value) for value in row] for row in cursor.fetch_numpy_array()], "an array")
connection.rollback()
connection.autocommit = True
cursor.execute("select a.x * 1000 + b.y from generate_series(0, 999) a(x), generate_series(0, 999) b(y)")
same(999_999 * 1_000_000 // 2, sum(row[0] for row in cursor.fetchall()), "a million rows")
connection.close()
