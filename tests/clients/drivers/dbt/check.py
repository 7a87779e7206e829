"""What a run of the small dbt project leaves in the warehouse and in its catalog. The argument is its folder."""

import json
import os
import pathlib
import sys

import redshift_connector


def same(expected, found, what):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


connection = redshift_connector.connect(
    host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]), user=os.environ["PGUSER"],
    database=os.environ["PGDATABASE"], password=os.environ["PGPASSWORD"], ssl=False,
)
cursor = connection.cursor()


def ask(text):
    cursor.execute(text)
    return [list(row) for row in cursor.fetchall()]


same([["ann", "15.75", 2], ["bob", "20.00", 1]],
     ask("select customer, total::decimal(10,2)::varchar, orders from shop.by_customer order by 1"), "a table")
same([[1], [2]], ask("select id from shop.big_orders order by 1"), "a view")
same([[1], [2], [3]], ask("select id from shop.history order by 1"), "an incremental table, each row once")
same([["ann"], ["bob"]], ask("select customer from shop.late order by 1"), "a late-binding view")
same([[1, "10.50", False], [1, "99.00", True], [2, "20.00", True], [3, "5.25", True]],
     ask("select id, amount::decimal(10,2)::varchar, dbt_valid_to is null from shop.orders_snapshot order by 1, 3"),
     "a snapshot of what changed")
same([], ask("select tablename from pg_tables where schemaname = 'shop' and tablename like '%dbt_tmp%'"), "leftovers")
nodes = json.loads((pathlib.Path(sys.argv[1]) / "target" / "catalog.json").read_text())["nodes"]
same({"big_orders", "by_customer", "history", "late", "orders", "orders_snapshot"},
     {name.rsplit(".", 1)[1] for name in nodes}, "the catalog")
columns = nodes["model.small.by_customer"]["columns"]
same(["customer", "total", "orders"], sorted(columns, key=lambda name: columns[name]["index"]), "a model's columns")
