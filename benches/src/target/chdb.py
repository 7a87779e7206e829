"""ClickHouse in this process, by chdb, as a target of the benchmarks: its SQL over files."""
import datetime
import os
import sys

import chdb.session
import peer
import pyarrow

home, threads = sys.argv[1], int(sys.argv[2])
session = chdb.session.Session(os.path.join(home, "clickhouse"))
# What SQL's standard says where ClickHouse has an own default; keys in folders' names; the suites' texts.
for setting in [
    f"max_threads = {threads}",
    "session_timezone = 'UTC'",
    "join_use_nulls = 1",
    "group_by_use_nulls = 1",
    "aggregate_functions_null_for_empty = 1",
    "cast_keep_nullable = 1",
    "union_default_mode = 'DISTINCT'",
    "use_hive_partitioning = 1",
    "format_csv_delimiter = '|'",
]:
    session.query("SET " + setting)


def run(request):
    return session.query(request["sql"].strip().rstrip(";"), "ArrowStream")


def rows(result):
    for row in peer.rows_of_arrow(pyarrow.ipc.open_stream(result.bytes()).read_all()):
        # Its times have a zone, others' have none.
        yield [value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value for value in row]


peer.serve(f"chDB {chdb.__version__}, ClickHouse {chdb.engine_version}", run, rows)
