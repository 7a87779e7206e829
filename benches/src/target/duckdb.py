"""DuckDB as a target of the benchmarks."""
import json
import os
import sys

import duckdb
import peer

home, threads = sys.argv[1], int(sys.argv[2])
connection = duckdb.connect(os.path.join(home, "duck.db"), config={"threads": threads})


def before(request):
    # Counting costs time: only statements whose rows are wanted are not timed.
    if request["rows"]:
        connection.execute("PRAGMA enable_profiling = 'no_output'")
        connection.execute("""SET custom_profiling_settings = '{"CUMULATIVE_ROWS_SCANNED": "true"}'""")
    else:
        connection.execute("PRAGMA disable_profiling")


def counted():
    """What DuckDB tells of the last statement's scans."""
    told = json.loads(connection.get_profiling_information(format="json") or "{}")
    return {"rows_read": told.get("cumulative_rows_scanned")}


def run(request):
    return connection.execute(request["sql"]).to_arrow_table()


peer.serve("DuckDB " + duckdb.__version__, run, peer.rows_of_arrow, before, counted)
