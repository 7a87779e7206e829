"""Polars as a target of the benchmarks, by its SQL over Parquet files: a JSON object a line in, one out (see mod.rs)."""
import json
import os
import resource
import sys
import time

os.environ["POLARS_MAX_THREADS"] = sys.argv[2]

import polars

context = polars.SQLContext()
print("Polars " + polars.__version__, flush=True)


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


for line in sys.stdin:
    request = json.loads(line)
    reply = {}
    begin = time.perf_counter()
    try:
        if request.get("files"):
            context.register(request["sql"], polars.scan_parquet(request["files"] + "/**/*.parquet"))
            rows = []
        else:
            rows = context.execute(request["sql"].strip().rstrip(";")).collect(engine="streaming").rows()
        reply["seconds"] = time.perf_counter() - begin
        if request["rows"]:
            reply["rows"] = [[text(value) for value in row] for row in rows]
    except BaseException as error:
        # A panic within Polars is no Exception.
        if isinstance(error, KeyboardInterrupt):
            raise
        reply["error"] = " ".join(str(error).split())[:300]
    used = resource.getrusage(resource.RUSAGE_SELF)
    reply["peak_memory_bytes"] = peak()
    reply["cpu_seconds"] = used.ru_utime + used.ru_stime
    print(json.dumps(reply), flush=True)
