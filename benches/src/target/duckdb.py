"""DuckDB as a target of the benchmarks."""
import json
import os
import sys

import duckdb
import peer

home, threads = sys.argv[1], int(sys.argv[2])
connection = duckdb.connect(os.path.join(home, "duck.db"), config={"threads": threads})
# DuckDB 2 has no list of what is counted, and tells it in another form.
counts_by_itself = int(duckdb.__version__.split(".")[0]) >= 2


def before(request):
    # Counting costs time: only statements whose rows are wanted are not timed.
    if request["rows"]:
        connection.execute("PRAGMA enable_profiling = 'no_output'")
        if not counts_by_itself:
            connection.execute("""SET custom_profiling_settings = '{"CUMULATIVE_ROWS_SCANNED": "true"}'""")
    else:
        connection.execute("PRAGMA disable_profiling")


def counted():
    """What DuckDB tells of the last statement's scans."""
    told = json.loads(connection.get_profiling_information(format="json") or "{}")
    rows = told.get("query", {}).get("total_rows_scanned") if counts_by_itself else told.get("cumulative_rows_scanned")
    return {"rows_read": rows}


def run(request):
    return connection.execute(request["sql"]).to_arrow_table()


peer.serve("DuckDB " + duckdb.__version__, run, peer.rows_of_arrow, before, counted)
