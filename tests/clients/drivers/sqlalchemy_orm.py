"""SQLAlchemy with sqlalchemy-redshift on `millrace serve`: reflection, an ORM's round trip, pandas through it.

Expected values are what the statements that made the tables say.
"""

import datetime
import decimal
import os

import pandas
import sqlalchemy
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Float, Integer, MetaData, Numeric, String
from sqlalchemy.orm import Session, declarative_base


def same(expected, found, what):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


address = "redshift+psycopg2://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(**os.environ)
engine = sqlalchemy.create_engine(address, connect_args={"sslmode": "disable"})
with engine.begin() as connection:
    for statement in [
        "create table sa_parent (id int not null primary key distkey sortkey, name varchar(20) default 'x' encode zstd, "
        "price decimal(10,2), at timestamp, done boolean, unique (name))",
        "create table sa_child (id int, parent int references sa_parent (id))",
        "comment on table sa_parent is 'those above'",
        "create view sa_view as select id, name from sa_parent",
        "create view sa_late as select id from sa_parent with no schema binding",
    ]:
        connection.execute(sqlalchemy.text(statement))

inspector = sqlalchemy.inspect(engine)
assert "default" in inspector.get_schema_names(), "schemas"
same({"sa_parent", "sa_child"}, {name for name in inspector.get_table_names() if name.startswith("sa_")}, "tables")
same({"sa_view", "sa_late"}, {name for name in inspector.get_view_names() if name.startswith("sa_")}, "views")
assert "from sa_parent" in inspector.get_view_definition("sa_view").lower(), "a view's definition"
columns = inspector.get_columns("sa_parent")
same(["id", "name", "price", "at", "done"], [column["name"] for column in columns], "columns")
same(
    ["INTEGER", "VARCHAR(20)", "NUMERIC(10, 2)", "TIMESTAMP WITHOUT TIME ZONE", "BOOLEAN"],
    [column["type"].compile(engine.dialect) for column in columns],
    "their types",
)
same([False, True], [column["nullable"] for column in columns[:2]], "nullable")
assert "x" in columns[1]["default"], "a default"
same(["id", "name"], [column["name"] for column in inspector.get_columns("sa_view")], "a view's columns")
same(["id"], [column["name"] for column in inspector.get_columns("sa_late")], "a late-binding view's columns")
same(["id"], inspector.get_pk_constraint("sa_parent")["constrained_columns"], "a primary key")
key = inspector.get_foreign_keys("sa_child")[0]
same((["parent"], "sa_parent", ["id"]), tuple(key[part] for part in (
    "constrained_columns", "referred_table", "referred_columns")), "a foreign key")
same([["name"]], [found["column_names"] for found in inspector.get_unique_constraints("sa_parent")], "unique")
options = inspector.get_table_options("sa_parent")
same("KEY", options["redshift_diststyle"], "the distribution style")
same("id", options["redshift_distkey"].name if hasattr(options["redshift_distkey"], "name") else options["redshift_distkey"],
     "the distribution key")
same("those above", inspector.get_table_comment("sa_parent")["text"], "a comment")
same((True, False), (inspector.has_table("sa_parent"), inspector.has_table("nothing")), "has_table")

reflected = MetaData()
reflected.reflect(engine, only=["sa_parent", "sa_child"])
same(["sa_parent", "sa_child"], [table.name for table in reflected.sorted_tables], "reflected, parents first")

Base = declarative_base()


class Thing(Base):
    """A row of every type that the ORM writes."""

    __tablename__ = "sa_things"
    id = Column(Integer, primary_key=True, autoincrement=False)
    name = Column(String(40))
    price = Column(Numeric(10, 2))
    at = Column(DateTime)
    done = Column(Boolean)
    weight = Column(Float)
    count = Column(BigInteger)
    day = Column(Date)


VALUES = {
    "name": "it's \\ ü",
    "price": decimal.Decimal("-1.50"),
    "at": datetime.datetime(2024, 1, 1, 12, 30, 0, 250000),
    "done": True,
    "weight": 1.5,
    "count": 2**40,
    "day": datetime.date(2024, 2, 29),
}
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add_all([Thing(id=1, **VALUES), Thing(id=2)])
    session.commit()
    first = session.get(Thing, 1)
    same(VALUES, {name: getattr(first, name) for name in VALUES}, "values written and read")
    same({name: None for name in VALUES}, {name: getattr(session.get(Thing, 2), name) for name in VALUES}, "NULLs")
    first.name = "changed"
    session.flush()
    session.rollback()
    same(VALUES["name"], session.get(Thing, 1).name, "after a rollback")
    session.delete(session.get(Thing, 1))
    session.commit()
    same(1, session.query(Thing).count(), "after a delete")
    try:
        session.execute(sqlalchemy.text("select * from nothing"))
        raise AssertionError("a missing table was read")
    except sqlalchemy.exc.ProgrammingError as failure:
        same("42P01", failure.orig.pgcode, "a missing table")

frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [1.5, None, 2.0]})
frame.to_sql("sa_frame", engine, index=False, if_exists="replace", method="multi")
found = pandas.read_sql("select * from sa_frame order by a", engine)
pandas.testing.assert_frame_equal(frame, found, check_dtype=False)
same([1, 2, 3], sorted(pandas.read_sql_table("sa_frame", engine)["a"]), "a table as a frame")
Base.metadata.drop_all(engine)
reflected.drop_all(engine, tables=[reflected.tables["sa_child"]])
