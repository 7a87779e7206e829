"""DuckDB as a target of the benchmarks: a JSON object a line in, one out (see mod.rs)."""
import json
import os
import resource
import sys
import time

import duckdb

home, threads = sys.argv[1], int(sys.argv[2])
connection = duckdb.connect(os.path.join(home, "duck.db"), config={"threads": threads})
print("DuckDB " + duckdb.__version__, flush=True)


def peak():
    """The most memory in bytes. What getrusage tells counts what the process was before it became Python."""
    with open("/proc/self/status") as status:
        return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")), 0)


def text(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def counted():
    """What DuckDB tells of the last statement's scans."""
    told = json.loads(connection.get_profiling_information(format="json") or "{}")
    return {"rows_read": told.get("cumulative_rows_scanned")}


for line in sys.stdin:
    request = json.loads(line)
    reply = {}
    # Counting costs time: only statements whose rows are wanted are not timed.
    if request["rows"]:
        connection.execute("PRAGMA enable_profiling = 'no_output'")
        connection.execute("""SET custom_profiling_settings = '{"CUMULATIVE_ROWS_SCANNED": "true"}'""")
    else:
        connection.execute("PRAGMA disable_profiling")
    begin = time.perf_counter()
    try:
        rows = connection.execute(request["sql"]).fetchall()
        reply["seconds"] = time.perf_counter() - begin
        if request["rows"]:
            reply["rows"] = [[text(value) for value in row] for row in rows]
            reply.update(counted())
    except Exception as error:
        reply["error"] = str(error)
    used = resource.getrusage(resource.RUSAGE_SELF)
    reply["peak_memory_bytes"] = peak()
    reply["cpu_seconds"] = used.ru_utime + used.ru_stime
    print(json.dumps(reply), flush=True)
