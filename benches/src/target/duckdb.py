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


def text(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


for line in sys.stdin:
    request = json.loads(line)
    reply = {}
    begin = time.perf_counter()
    try:
        rows = connection.execute(request["sql"]).fetchall()
        reply["seconds"] = time.perf_counter() - begin
        if request["rows"]:
            reply["rows"] = [[text(value) for value in row] for row in rows]
    except Exception as error:
        reply["error"] = str(error)
    used = resource.getrusage(resource.RUSAGE_SELF)
    reply["peak_memory_bytes"] = used.ru_maxrss * 1024
    reply["cpu_seconds"] = used.ru_utime + used.ru_stime
    print(json.dumps(reply), flush=True)
